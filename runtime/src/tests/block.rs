//! Blocks: full ones, empty ones, ones that cannot stand; and the state beneath what a block changes.

use cairn_proofs::tree::StateTree;
use cairn_types::{Call, DeviceStatus, Height, Rejection, SignedTransaction};

use super::world::{World, attest, place, revoke, rotate, set_status};
use crate::{Changes, CheckDirectly, InvalidBlock, Overlay, State, build, execute};

/// Moves of the meter, each to another place than the one before.
fn moves(world: &World, meter: &super::world::Device, count: usize) -> Vec<SignedTransaction> {
    let to = |number: usize| place(meter, world.zone(&format!("place-{number}")), None);
    (0..count).map(|number| world.transaction(&[&world.works], to(number))).collect()
}

#[test]
fn a_full_block_leaves_the_rest_for_the_next_in_order() {
    let (mut world, meter, _) = World::with_meter();
    world.parameters.block_transactions_max = 3;
    let candidates = moves(&world, &meter, 5);
    let built = world.block(candidates.clone());
    assert_eq!((built.included.as_slice(), built.rejected.len()), (&candidates[..3], 0));

    let (mut world, meter, _) = World::with_meter();
    let bytes: usize = candidates[..2].iter().map(|candidate| candidate.bytes().len()).sum();
    world.parameters.block_bytes_max = bytes as u32;
    let built = world.block(moves(&world, &meter, 5));
    assert_eq!((built.included.len(), built.rejected.len()), (2, 0), "to the very byte");
}

#[test]
fn what_fits_no_block_is_refused_and_does_not_stop_the_others() {
    let (mut world, meter, _) = World::with_meter();
    let short = world.transaction(&[&world.works], place(&meter, world.zone("s"), None));
    let long = world.transaction(&[&world.works], place(&meter, world.zone(&"long".repeat(15)), None));
    world.parameters.block_bytes_max = short.bytes().len() as u32;
    let built = world.block(vec![long.clone(), short.clone()]);
    let oversized = Rejection::Oversized { length: long.bytes().len(), max: short.bytes().len() };
    assert_eq!(built.rejected, [(long, oversized)]);
    assert_eq!(built.included, [short]);
}

#[test]
fn a_block_with_one_transaction_that_fails_cannot_stand() {
    let (world, meter, _) = World::with_meter();
    let mut transactions = moves(&world, &meter, 2);
    transactions.push(transactions[0].clone());
    let executed = execute(&world.state, world.context(), &CheckDirectly, world.height(), &transactions);
    let rejection = Rejection::Duplicate { id: transactions[0].id() };
    assert_eq!(executed.err(), Some(InvalidBlock::Transaction { index: 2, rejection }));
}

#[test]
fn a_block_hears_at_once_what_it_changes_of_a_device_and_of_a_grant() {
    let (mut world, meter, grant) = World::with_meter();
    let stream = world.opened(&meter, "flow", grant);
    let works = world.works.clone();
    let (old, new) = (meter.in_epoch(0), meter.in_epoch(1));
    let head = crate::state::stream(&world.state, &stream).expect("it was opened").head;
    let say = |sequence, previous| Call::Attest(attest(stream, sequence, previous, "3 l/s", grant));

    let first = world.transaction(&[&old], say(0, head));
    let second = |signer| world.transaction(&[signer], say(1, first.id()));
    let (by_old, by_new) = (second(&old), second(&new));
    let by_works = |call| world.transaction(&[&works], call);
    let candidates = vec![
        first.clone(),
        by_works(place(&meter, world.zone("south"), None)),
        by_old.clone(),
        by_works(place(&meter, world.zone("north"), None)),
        by_works(set_status(&meter, DeviceStatus::Suspended, None)),
        by_old.clone(),
        world.transaction(&[&new], rotate(&meter, 1)),
        by_works(set_status(&meter, DeviceStatus::Active, None)),
        by_old,
        by_new.clone(),
        by_works(revoke(grant)),
        world.transaction(&[&new], say(2, by_new.id())),
    ];
    let rejected: Vec<Rejection> = world.block(candidates).rejected.into_iter().map(|(_, why)| why).collect();
    let device = meter.id;
    let expected = [
        Rejection::GrantNotHeld { grant, signer: meter.principal() },
        Rejection::DeviceStatusForbids { device, status: DeviceStatus::Suspended },
        Rejection::SignatureInvalid { signer: meter.principal(), key: 0 },
        Rejection::GrantRevoked { grant },
    ];
    assert_eq!(rejected, expected);
}

#[test]
fn a_block_beyond_the_caps_cannot_stand() {
    let (mut world, meter, _) = World::with_meter();
    let transactions = moves(&world, &meter, 3);
    let bytes: usize = transactions.iter().map(|transaction| transaction.bytes().len()).sum();
    world.parameters.block_transactions_max = 2;
    let executed = execute(&world.state, world.context(), &CheckDirectly, world.height(), &transactions);
    assert_eq!(executed.err(), Some(InvalidBlock::TooLarge { what: "transactions", found: 3, max: 2 }));
    world.parameters.block_transactions_max = 3;
    world.parameters.block_bytes_max = bytes as u32 - 1;
    let executed = execute(&world.state, world.context(), &CheckDirectly, world.height(), &transactions);
    assert_eq!(executed.err(), Some(InvalidBlock::TooLarge { what: "bytes", found: bytes, max: bytes - 1 }));
}

#[test]
fn parameters_cannot_raise_the_caps_beyond_what_a_block_can_carry() {
    let (mut world, _, _) = World::with_meter();
    world.parameters.block_transactions_max = u32::MAX;
    let move_away =
        world.transaction(&[&world.works], place(&super::world::Device::called("ghost"), world.zone("x"), None));
    let transactions = vec![move_away; cairn_types::limits::BLOCK_TRANSACTIONS_MAX + 1];
    let executed = execute(&world.state, world.context(), &CheckDirectly, world.height(), &transactions);
    assert!(matches!(executed.err(), Some(InvalidBlock::TooLarge { what: "transactions", .. })));
}

#[test]
fn candidates_that_fail_leave_no_trace_wherever_they_stand() {
    let (world, meter, grant) = World::with_meter();
    let good = moves(&world, &meter, 3);
    let bad = [
        world.transaction(&[&world.contractor], place(&meter, world.zone("south"), None)),
        world.transaction(&[&world.works], super::world::open("flow", grant)),
    ];
    let root = |candidates: Vec<SignedTransaction>| {
        let built = build(&world.state, world.context(), &CheckDirectly, world.height(), candidates);
        assert_eq!(built.included, good);
        built.executed.state.root()
    };
    let alone = root(good.clone());
    for place in 0..=good.len() {
        for (first, second) in [(0, 1), (1, 0)] {
            let mut candidates = good.clone();
            candidates.insert(place, bad[first].clone());
            candidates.insert(place, bad[second].clone());
            assert_eq!(root(candidates), alone);
        }
    }
}

#[test]
fn positions_are_part_of_the_state_so_another_split_into_blocks_is_another_state() {
    let (mut one_block, meter, _) = World::with_meter();
    let (mut two_blocks, ..) = World::with_meter();
    let transactions = moves(&one_block, &meter, 2);
    one_block.block(transactions.clone());
    one_block.idle(1);
    for transaction in transactions {
        two_blocks.offer(transaction).expect("each is valid by itself");
    }
    assert_eq!(one_block.height(), two_blocks.height());
    assert_ne!(one_block.state.root(), two_blocks.state.root());
}

#[test]
fn an_empty_block_changes_nothing() {
    let mut world = World::new();
    let before = world.state.root();
    world.idle(3);
    assert_eq!(world.state.root(), before);
}

fn entries(list: &[(&str, &str)]) -> Changes {
    list.iter().map(|(key, value)| (key.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))).collect()
}

#[test]
fn what_was_laid_over_the_tree_hides_what_is_beneath() {
    let base = StateTree::new().apply(&entries(&[("a0", "9"), ("a1", "9"), ("b0", "9")]));
    type LastUnder<'a> = (&'a str, Option<(&'a str, &'a str)>);
    let cases: [(&[(&str, &str)], LastUnder<'_>); 6] = [
        (&[], ("a", Some(("a1", "9")))),
        (&[("a1", "1")], ("a", Some(("a1", "1")))),
        (&[("a0", "1")], ("a", Some(("a1", "9")))),
        (&[("a2", "1")], ("a", Some(("a2", "1")))),
        (&[("b1", "1")], ("a", Some(("a1", "9")))),
        (&[("c0", "1")], ("d", None)),
    ];
    for (over, (prefix, expected)) in cases {
        let overlay = Overlay::with(&base, entries(over));
        let expected = expected.map(|(key, value)| (key.as_bytes().into(), value.as_bytes().into()));
        assert_eq!(overlay.last_under(prefix.as_bytes()), expected, "{over:?} under {prefix}");
    }
}

#[test]
fn the_last_entry_is_found_under_any_prefix() {
    let mut overlay = Overlay::new(&StateTree::new()).into_changes();
    overlay.insert(vec![0xff, 0xff, 7], Some(vec![1]));
    overlay.insert(vec![0xff, 0xfe], Some(vec![2]));
    let tree = StateTree::new();
    let overlay = Overlay::with(&tree, overlay);
    assert_eq!(overlay.last_under(&[0xff, 0xff]), Some((vec![0xff, 0xff, 7].into(), vec![1].into())));
    assert_eq!(overlay.last_under(&[0xff, 0xfe]), Some((vec![0xff, 0xfe].into(), vec![2].into())));
    assert_eq!(overlay.last_under(&[]), Some((vec![0xff, 0xff, 7].into(), vec![1].into())));
}

#[test]
fn the_last_height_that_a_number_can_name_is_a_height_like_any_other() {
    let (world, meter, _) = World::with_meter();
    let transaction = world.transaction(&[&world.works], place(&meter, world.zone("south"), None));
    let built = build(&world.state, world.context(), &CheckDirectly, Height::new(u64::MAX), [transaction]);
    assert!(matches!(built.rejected[0].1, Rejection::Expired { .. }));
    assert!(matches!(built.executed.changes.len(), 0..=2), "what has expired is forgotten");
}
