//! The envelope: one network, a time between two blocks, and once only.

use cairn_types::limits::FORGET_PER_BLOCK_MAX;
use cairn_types::{Call, Hash, Height, Rejection, TransactionId, state_key};

use super::world::{World, open, place};
use crate::Changes;

/// A transaction of the works that expires at `expires`.
fn expiring(world: &World, call: Call, expires: u64) -> cairn_types::SignedTransaction {
    let mut body = world.body(&world.works, call);
    body.expires = Some(Height::new(expires));
    world.sign(&[&world.works], body)
}

#[test]
fn a_transaction_may_be_included_up_to_its_very_last_height() {
    let (mut world, meter, _) = World::with_meter();
    let height = world.height().get();
    let late = expiring(&world, place(&meter, world.zone("south"), None), height - 1);
    let expected = Rejection::Expired { expires: Height::new(height - 1), height: Height::new(height) };
    assert_eq!(world.offer(late), Err(expected));

    let in_time = expiring(&world, place(&meter, world.zone("south"), None), world.height().get());
    assert_eq!(world.offer(in_time.clone()), Ok(in_time.id()));
}

#[test]
fn a_replay_is_refused_as_a_duplicate_until_it_expires_and_as_expired_after() {
    let (mut world, meter, _) = World::with_meter();
    let last = world.height().get() + 3;
    let transaction = expiring(&world, place(&meter, world.zone("south"), None), last);
    world.offer(transaction.clone()).expect("the owner moves its device");
    let works = world.works.clone();
    world.submit(&[&works], place(&meter, world.zone("north"), None)).expect("and back");

    while world.height().get() <= last {
        assert_eq!(world.offer(transaction.clone()), Err(Rejection::Duplicate { id: transaction.id() }));
    }
    let key = state_key::remembered(Height::new(last), &transaction.id());
    assert_eq!(world.state.get(&key), None, "the block of its last height forgets it");
    let expected = Rejection::Expired { expires: Height::new(last), height: world.height() };
    assert_eq!(world.offer(transaction), Err(expected));
}

#[test]
fn other_signatures_do_not_make_it_another_transaction() {
    let mut world = World::new();
    let board = world.board.clone();
    let grant = super::world::give(
        cairn_types::Grantee::Organization(world.works.organization()),
        [cairn_types::Action::Read],
        cairn_types::Scope::Zone(board.zone("")),
    );
    let body = world.body(&board, Call::Grant(grant));
    let first = world.sign(&[&board.with_keys(&[0, 1])], body.clone());
    let second = world.sign(&[&board.with_keys(&[1, 2])], body);
    assert_ne!(first.bytes(), second.bytes());
    assert_eq!(world.offer(first.clone()), Ok(first.id()));
    assert_eq!(world.offer(second), Err(Rejection::Duplicate { id: first.id() }));
}

#[test]
fn the_same_transaction_twice_in_one_block_counts_once() {
    let (mut world, meter, _) = World::with_meter();
    let transaction = world.transaction(&[&world.works], place(&meter, world.zone("south"), None));
    let built = world.block(vec![transaction.clone(), transaction.clone()]);
    assert_eq!(built.included, std::slice::from_ref(&transaction));
    assert_eq!(built.rejected, [(transaction.clone(), Rejection::Duplicate { id: transaction.id() })]);
}

#[test]
fn a_device_that_was_away_for_a_year_speaks_on_where_it_stopped() {
    let (mut world, meter, grant) = World::with_meter();
    let flow = world.opened(&meter, "flow", grant);
    let written_then = world.transaction(&[&meter.actor()], world.next(flow, "day 1", grant));
    world.idle(2 * world.parameters.lifetime_max);
    assert_eq!(world.offer(written_then.clone()), Ok(written_then.id()));
}

#[test]
fn a_stream_call_may_name_an_expiry_and_is_bound_by_it_but_its_place_is_what_is_remembered() {
    let (mut world, meter, grant) = World::with_meter();
    world.idle(20);
    let expiring = |world: &World, name: &str| {
        let mut body = world.body(&meter.actor(), open(name, grant));
        body.expires = Some(world.height());
        world.sign(&[&meter.actor()], body)
    };
    let late = expiring(&world, "flow");
    world.idle(1);
    assert!(matches!(world.offer(late), Err(Rejection::Expired { .. })));
    let in_time = expiring(&world, "flow");
    world.offer(in_time.clone()).expect("it is not late");
    assert_eq!(world.state.prefix(&state_key::remembered_all()).count(), 0);
    assert!(world.offer(in_time).is_err());
}

#[test]
fn a_transaction_may_live_as_long_as_ids_are_remembered() {
    let (mut world, meter, _) = World::with_meter();
    let longest = world.height().get() - 1 + world.parameters.lifetime_max;
    let transaction = expiring(&world, place(&meter, world.zone("south"), None), longest);
    assert_eq!(world.offer(transaction.clone()), Ok(transaction.id()));
}

#[test]
fn what_was_said_after_a_block_can_stand_in_the_next_but_not_in_the_same() {
    let (mut world, meter, _) = World::with_meter();
    let works = world.works.clone();
    let mut body = world.body(&works, place(&meter, world.zone("south"), None));
    // The block that is being made names itself: even if its hash were known, nothing in it was said after it.
    body.not_before.height = world.height();
    let unknown = Rejection::NotBeforeUnknown { height: body.not_before.height, hash: body.not_before.hash };
    assert_eq!(world.offer(world.sign(&[&works], body)), Err(unknown));
    let body = world.body(&works, place(&meter, world.zone("south"), None));
    assert_eq!(body.not_before.height.next(), Some(world.height()));
    assert!(world.offer(world.sign(&[&works], body)).is_ok());
}

#[test]
fn a_block_forgets_no_more_than_its_share_and_the_next_goes_on() {
    let mut world = World::new();
    let one = |number: usize| {
        let id = TransactionId::from_hash(Hash::plain(&number.to_le_bytes()));
        (state_key::remembered(Height::GENESIS, &id), Some(Vec::new()))
    };
    world.state = world.state.apply(&(0..FORGET_PER_BLOCK_MAX + 1).map(one).collect::<Changes>());
    let remembered = |world: &World| world.state.prefix(&state_key::remembered_all()).count();
    world.idle(1);
    assert_eq!(remembered(&world), 1);
    world.idle(1);
    assert_eq!(remembered(&world), 0);
}
