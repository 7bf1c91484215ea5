//! Streams are dense and linked, and only their device speaks in them.

use cairn_proofs::accumulator::Frontier;
use cairn_types::{
    Action, AttestationRef, Call, GrantId, Rejection, Scope, SignedTransaction, StreamId, TransactionId,
};

use super::invariants::Facts;
use super::world::{World, attest, give, open};

/// `count` attestations that follow each other.
fn days(
    world: &World,
    signer: &super::world::Actor,
    stream: StreamId,
    grant: GrantId,
    count: u64,
) -> Vec<SignedTransaction> {
    let record = &Facts::of(&world.state).streams[&stream];
    let mut previous = record.head;
    let chained = (record.count..record.count + count).map(|sequence| {
        let call = attest(stream, sequence, previous, &format!("day {sequence}"), grant);
        let transaction = world.transaction(&[signer], Call::Attest(call));
        previous = transaction.id();
        transaction
    });
    chained.collect()
}

#[test]
fn attestations_follow_each_other_within_a_block_and_across_blocks() {
    let (mut world, meter, grant) = World::with_meter();
    let flow = world.opened(&meter, "flow", grant);
    let mut said: Vec<TransactionId> = Vec::new();
    for count in [3, 1, 4] {
        let position = world.now();
        let transactions = days(&world, &meter.actor(), flow, grant, count);
        said.extend(transactions.iter().map(SignedTransaction::id));
        let built = world.block(transactions);
        assert_eq!(built.rejected, []);

        let record = &Facts::of(&world.state).streams[&flow];
        assert_eq!(record.count, said.len() as u64);
        assert_eq!(Some(&record.head), said.last());
        assert_eq!(record.head_position.height, position.height);
        let items: Vec<_> = said.iter().map(TransactionId::hash).collect();
        assert_eq!(record.peaks, Frontier::from_items(&items).peaks(), "the accumulator holds exactly what was said");
    }
}

#[test]
fn of_two_attestations_for_one_place_the_first_stands() {
    let (mut world, meter, grant) = World::with_meter();
    let flow = world.opened(&meter, "flow", grant);
    let [one, other] = ["12.3", "45.6"].map(|text| world.transaction(&[&meter.actor()], world.next(flow, text, grant)));
    let built = world.block(vec![one.clone(), other.clone()]);
    assert_eq!(built.included, [one]);
    assert_eq!(built.rejected, [(other, Rejection::SequenceNotNext { stream: flow, expected: 1, found: 0 })]);
}

#[test]
fn the_first_attestation_follows_the_transaction_that_opened_the_stream() {
    let (mut world, meter, grant) = World::with_meter();
    let opening = world.submit(&[&meter.actor()], open("flow", grant)).expect("the device opens a stream");
    let flow = meter.stream("flow");
    let elsewhere = world.opened(&meter, "level", grant);
    let head_elsewhere = Facts::of(&world.state).streams[&elsewhere].head;
    let wrong = attest(flow, 0, head_elsewhere, "day 0", grant);
    let refused = world.submit(&[&meter.actor()], Call::Attest(wrong));
    assert_eq!(refused, Err(Rejection::PreviousNotHead { stream: flow, expected: opening, found: head_elsewhere }));
    let right = attest(flow, 0, opening, "day 0", grant);
    assert!(world.submit(&[&meter.actor()], Call::Attest(right)).is_ok());
}

#[test]
fn each_attestation_needs_authority_at_its_own_time() {
    let (mut world, meter, grant) = World::with_meter();
    let flow = world.opened(&meter, "flow", grant);
    let works = world.works.clone();
    world.submit(&[&meter.actor()], world.next(flow, "day 1", grant)).expect("by the zone's grant");
    world.submit(&[&works], super::world::revoke(grant)).expect("the owner ends it");
    let refused = world.submit(&[&meter.actor()], world.next(flow, "day 2", grant));
    assert_eq!(refused, Err(Rejection::GrantRevoked { grant }));
    let terms = give(cairn_types::Grantee::Device(meter.id), [Action::Attest], Scope::Stream(flow));
    let other = world.given(&works, terms);
    assert!(world.submit(&[&meter.actor()], world.next(flow, "day 2", other)).is_ok(), "another grant will do");
}

#[test]
fn a_grant_over_one_stream_is_good_for_no_other() {
    let (mut world, meter, grant) = World::with_meter();
    let (flow, level) = (world.opened(&meter, "flow", grant), world.opened(&meter, "level", grant));
    let works = world.works.clone();
    let terms = give(cairn_types::Grantee::Device(meter.id), [Action::Attest], Scope::Stream(flow));
    let for_flow = world.given(&works, terms);
    assert!(world.submit(&[&meter.actor()], world.next(flow, "day 1", for_flow)).is_ok());
    assert!(matches!(
        world.submit(&[&meter.actor()], world.next(level, "day 1", for_flow)),
        Err(Rejection::GrantExceeded { .. })
    ));
}

#[test]
fn a_derivation_names_sources_that_exist_even_if_they_came_just_before() {
    let (mut world, meter, grant) = World::with_meter();
    let (raw, mean) = (world.opened(&meter, "raw", grant), world.opened(&meter, "mean", grant));
    let captured = days(&world, &meter.actor(), raw, grant, 2);
    let Call::Attest(mut derived) = world.next(mean, "the mean", grant) else { unreachable!("next attests") };
    derived.derived_from =
        vec![AttestationRef { stream: raw, sequence: 0 }, AttestationRef { stream: raw, sequence: 1 }];
    let derived = world.transaction(&[&meter.actor()], Call::Attest(derived));

    let too_early = world.offer(derived.clone());
    let unknown = AttestationRef { stream: raw, sequence: 0 };
    assert_eq!(too_early, Err(Rejection::SourceUnknown { attestation: unknown }));
    let built = world.block(captured.into_iter().chain([derived]).collect());
    assert_eq!(built.included.len(), 3);
}

#[test]
fn another_devices_stream_of_the_same_name_is_another_stream() {
    let (mut world, meter, grant) = World::with_meter();
    let other = world.registered("other", "north");
    assert_ne!(world.opened(&meter, "flow", grant), world.opened(&other, "flow", grant));
}
