//! Who signed: all who must, nobody else, in one order.

use cairn_types::call::Grant;
use cairn_types::{Action, Call, Grantee, Principal, Rejection, Scope, SignatureBytes, SignedTransaction};

use super::world::{Actor, Device, World, give, register, rotate};
use crate::signatures::likely_keys;
use crate::{CheckDirectly, SignatureCheck};

/// The board lets the works read in its namespace.
fn grant_of(board: &Actor, world: &World) -> Grant {
    give(Grantee::Organization(world.works.organization()), [Action::Read], Scope::Zone(board.zone("")))
}

#[test]
fn two_of_three_keys_are_enough_and_one_is_not() {
    for (keys, enough) in [(&[0, 1][..], true), (&[0, 2], true), (&[1, 2], true), (&[0, 1, 2], true), (&[1], false)] {
        let mut world = World::new();
        let board = world.board.clone();
        let result = world.submit(&[&board.with_keys(keys)], Call::Grant(grant_of(&board, &world)));
        let missing = Rejection::SignatureMissing { signer: board.principal, needed: 2, found: 1 };
        assert_eq!(result.err(), (!enough).then_some(missing), "keys {keys:?}");
    }
}

#[test]
fn a_signature_too_many_must_verify_as_well() {
    let mut world = World::new();
    let board = world.board.clone();
    let mut transaction = world.transaction(&[&board], Call::Grant(grant_of(&board, &world))).transaction().clone();
    let (SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes)) = &mut transaction.signatures[2].bytes;
    bytes[0] ^= 1;
    let expected = Rejection::SignatureInvalid { signer: board.principal, key: 2 };
    assert_eq!(world.offer(SignedTransaction::new(transaction)), Err(expected));
}

#[test]
fn one_key_under_two_indices_counts_once() {
    let mut world = World::new();
    let board = world.board.clone();
    let mut twice = board.with_keys(&[0]);
    twice.keys.push((1, twice.keys[0].1.clone()));
    let call = Call::Grant(grant_of(&board, &world));
    let expected = Rejection::SignatureInvalid { signer: board.principal, key: 1 };
    assert_eq!(world.submit(&[&twice], call), Err(expected));
}

#[test]
fn a_signature_belongs_to_one_transaction() {
    let mut world = World::new();
    let board = world.board.clone();
    let read = world.transaction(&[&board], Call::Grant(grant_of(&board, &world)));
    let mut more = read.transaction().clone();
    let Call::Grant(grant) = &mut more.body.call else { unreachable!("it is a grant") };
    grant.actions = Action::ALL.into_iter().filter(|action| *action != Action::Delegate).collect();
    let expected = Rejection::SignatureInvalid { signer: board.principal, key: 0 };
    assert_eq!(world.offer(SignedTransaction::new(more)), Err(expected));
}

#[test]
fn a_registration_needs_both_the_owner_and_the_devices_own_key() {
    let mut world = World::new();
    let works = world.works.clone();
    let meter = Device::called("meter");
    let call = register(&meter, &works, world.zone("north"));
    let body = world.body(&works, call.clone());
    let missing = |signer: Principal| Rejection::SignatureMissing { signer, needed: 1, found: 0 };

    assert_eq!(world.offer(world.sign(&[&works], body.clone())), Err(missing(meter.principal())));
    assert_eq!(world.offer(world.sign(&[&meter.actor()], body)), Err(missing(works.principal)));
    let other_key = meter.in_epoch(1);
    let invalid = Rejection::SignatureInvalid { signer: meter.principal(), key: 0 };
    assert_eq!(world.submit(&[&works, &other_key], call.clone()), Err(invalid));
    assert!(world.submit(&[&works, &meter.actor()], call).is_ok());
}

#[test]
fn a_rotation_is_signed_by_the_new_key_and_by_no_other() {
    let (mut world, meter, _) = World::with_meter();
    let call = rotate(&meter, 1);
    let invalid = Rejection::SignatureInvalid { signer: meter.principal(), key: 0 };
    assert_eq!(world.submit(&[&meter.actor()], call.clone()), Err(invalid), "the old key has no say");
    let works = world.works.clone();
    let body = world.body(&meter.actor(), call.clone());
    let unexpected = Rejection::SignatureUnexpected { signer: works.principal, key: 0 };
    assert_eq!(world.offer(world.sign(&[&meter.in_epoch(1), &works], body)), Err(unexpected));
    assert!(world.submit(&[&meter.in_epoch(1)], call).is_ok());
}

#[test]
fn the_likely_keys_are_those_that_will_be_asked_for() {
    let (mut world, meter, grant) = World::with_meter();
    let (works, board) = (world.works.clone(), world.board.clone());
    let valve = Device::called("valve");
    let transactions = [
        world.transaction(&[&works, &valve.actor()], register(&valve, &works, world.zone("north"))),
        world.transaction(&[&board.with_keys(&[0, 2])], Call::Grant(grant_of(&board, &world))),
        world.transaction(&[&meter.actor()], super::world::open("flow", grant)),
        world.transaction(&[&meter.in_epoch(1)], rotate(&meter, 1)),
    ];
    for transaction in transactions {
        let likely = likely_keys(&world.state, transaction.transaction());
        assert_eq!(likely.len(), transaction.transaction().signatures.len());
        for (key, signature) in likely {
            assert!(CheckDirectly.verifies(&key, &transaction.id(), &signature));
        }
        world.offer(transaction).expect("it is signed by who must sign");
    }
    let by_nobody = world.transaction(&[&Device::called("ghost").actor()], super::world::open("flow", grant));
    assert_eq!(likely_keys(&world.state, by_nobody.transaction()), [], "a key that is not known is not guessed");
}
