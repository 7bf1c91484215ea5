//! Stories about one meter of the water works, told by a hand-made ledger. Each is judged through the bytes of its bundle,
//! as an auditor does.

pub(crate) mod ledger;
mod fates;
mod forgery;
mod growth;
mod size;
mod tamper;

use cairn_types::record::GrantTerms;
use cairn_types::{Action, DeviceStatus, Grantee, Height, Position, Principal, Scope, Window};

use super::{
    Authority, DeviceStanding, Expectations, Freshness, FreshnessStanding, Integrity, KeyStanding, LaterEvent, Outcome,
    Reason, Silence, StreamStanding, Subject, TrustedStanding, Verdict, verify_bytes,
};
use crate::authority::AuthorityFailure;
use crate::bundle::Bundle;
use ledger::{Attested, Council, Ledger, Meter, MeterStream, organization, zone, zone_attests};

const DAY: &[u8] = b"time,flow\n00:00,1.2\n00:15,1.3\n";

/// The works own a meter in north/pump, every device in north may attest, and the meter has opened its stream.
fn works() -> (Ledger, Meter, MeterStream) {
    let mut ledger = Ledger::new(1, &["works", "operator"]);
    let meter = ledger.register("meter", "works", "north/pump");
    let grant = ledger.grant(zone_attests("works", "north"));
    ledger.seal();
    let stream = ledger.open_stream(&meter, "flow", grant, Some(60));
    ledger.seal();
    (ledger, meter, stream)
}

/// The same, with one attestation in a final block.
fn attested() -> (Ledger, Meter, MeterStream, Attested) {
    let (mut ledger, meter, stream) = works();
    let seen = ledger.tip_ref();
    ledger.other_transaction();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    (ledger, meter, stream, day)
}

fn expecting(ledger: &Ledger) -> Expectations {
    Expectations::of(ledger.chain()).with_content(DAY)
}

fn judge(ledger: &Ledger, bundle: &Bundle) -> Verdict {
    verify_bytes(&bundle.encode(), &expecting(ledger))
}

fn has(verdict: &Verdict, name: &str) -> bool {
    verdict.reasons.iter().any(|reason| reason.name() == name)
}

#[test]
fn a_day_of_readings_is_valid_on_every_axis() {
    let (mut ledger, _, stream, day) = attested();
    let seen = ledger.tip_ref();
    ledger.seal_many(3);
    ledger.attest(&stream, b"the next day", seen);
    ledger.seal();
    let verdict = judge(&ledger, &ledger.bundle(&day));
    println!("{verdict}");

    assert_eq!((verdict.outcome, &verdict.reasons), (Outcome::Valid, &vec![]));
    assert!(matches!(verdict.integrity, Some(Integrity::Matches { .. })));
    let bounds = verdict.bounds.expect("bounds");
    assert_eq!((bounds.after.height.get(), bounds.before.height.get(), bounds.position.index), (2, 3, 1));
    let finality = verdict.finality.expect("finality");
    assert_eq!((finality.signers.len(), finality.validators, finality.changes), (4, 4, 0));
    assert_eq!(verdict.key.expect("key").standing, KeyStanding::Held);
    let device = verdict.device.expect("device");
    assert_eq!((device.standing, device.zones[0].value.clone()), (DeviceStanding::Active, zone("works", "north/pump")));
    assert!(matches!(verdict.authority, Some(Authority::Held { path }) if path.len() == 1));
    let place = verdict.stream.expect("stream");
    assert_eq!((place.standing, place.count), (StreamStanding::Continued { further: 1 }, 2));
    let later = verdict.later.expect("later");
    assert!(matches!(later.as_slice(), [event] if event.event == LaterEvent::Attested { further: 1 }));
    assert_eq!(verdict.organizations[0].name.as_str(), "works");
}

#[test]
fn the_checkpoint_may_be_the_attestations_own_block_and_not_before_the_genesis() {
    let (mut ledger, _, stream) = works();
    let genesis = ledger.block_ref(0);
    let day = ledger.attest(&stream, DAY, genesis);
    ledger.seal();
    let bundle = ledger.bundle(&day);
    assert!(bundle.block.is_none() && bundle.not_before.is_none());
    let verdict = judge(&ledger, &bundle);
    assert_eq!(verdict.outcome, Outcome::Valid, "{verdict}");
    // Since the genesis the device had neither key nor status nor authority all the time.
    assert_eq!(verdict.key.expect("key").standing, KeyStanding::HeldAtInclusion);
    assert_eq!(verdict.device.expect("device").standing, DeviceStanding::ActiveAtInclusion);
    assert!(matches!(verdict.authority, Some(Authority::Indeterminate { .. })));
    assert_eq!(verdict.stream.expect("stream").standing, StreamStanding::Complete);
}

#[test]
fn one_changed_reading_is_refused_and_no_content_is_incomplete() {
    let (ledger, _, _, day) = attested();
    let bytes = ledger.bundle(&day).encode();
    let changed =
        verify_bytes(&bytes, &Expectations::of(ledger.chain()).with_content(b"time,flow\n00:00,1.2\n00:15,9.3\n"));
    assert_eq!(changed.outcome, Outcome::Invalid);
    assert!(matches!(changed.reasons.as_slice(), [Reason::ContentDiffers { .. }]));
    // The other axes stand as they are.
    assert_eq!(changed.key.expect("key").standing, KeyStanding::Held);

    let silent = verify_bytes(&bytes, &Expectations::of(ledger.chain()));
    assert_eq!((silent.outcome, silent.reasons), (Outcome::Incomplete, vec![Reason::ContentNotSupplied]));

    let mut salted = expecting(&ledger);
    if let Some(content) = &mut salted.content {
        content.form = cairn_types::ContentForm::Salted;
    }
    let verdict = verify_bytes(&bytes, &salted);
    assert_eq!(verdict.outcome, Outcome::Incomplete);
    assert!(has(&verdict, "content_not_comparable"));
}

#[test]
fn a_bundle_of_another_network_is_refused() {
    let (ledger, _, _, day) = attested();
    let other = Ledger::new(5, &["works"]);
    let verdict = verify_bytes(&ledger.bundle(&day).encode(), &expecting(&other));
    assert_eq!(verdict.outcome, Outcome::Invalid);
    assert_eq!(verdict.reasons, [Reason::WrongNetwork { found: ledger.chain(), expected: other.chain() }]);
    assert!(verdict.finality.is_none() && verdict.key.is_none());
}

#[test]
fn later_events_take_nothing_back() {
    let (mut ledger, meter, stream, day) = attested();
    ledger.place(&meter, "works", "south");
    ledger.seal();
    let meter = ledger.rotate(&meter);
    ledger.seal();
    ledger.transfer(&meter, "operator");
    ledger.revoke(&stream.grant, None);
    let revoked = ledger.set_status(&meter, DeviceStatus::Revoked, None);
    ledger.seal();
    let verdict = judge(&ledger, &ledger.bundle(&day));
    println!("{verdict}");
    assert_eq!(verdict.outcome, Outcome::Valid);
    let names: Vec<&str> = verdict.later.iter().flatten().map(|later| later.event.name()).collect();
    assert_eq!(names, ["placed", "key_rotated", "owner_changed", "grant_revoked", "status_changed"]);
    assert_eq!(verdict.later.iter().flatten().last().map(|later| later.position), Some(revoked));
    assert!(verdict.organization(&organization("operator")).is_some(), "the later owner has a name");
}

#[test]
fn doubt_from_before_makes_it_incomplete_and_doubt_from_after_does_not() {
    let story = |since: fn(Position) -> Position| {
        let (mut ledger, meter, _, day) = attested();
        let since = since(day.at);
        ledger.set_status(&meter, DeviceStatus::Revoked, Some(since));
        ledger.seal();
        judge(&ledger, &ledger.bundle(&day))
    };
    let doubted = story(|at| at);
    assert_eq!(doubted.outcome, Outcome::Incomplete);
    assert!(matches!(doubted.key.expect("key").standing, KeyStanding::Suspect { .. }));
    assert!(matches!(doubted.reasons.as_slice(), [Reason::KeySuspect { .. }]));
    let clear = story(|at| Position { index: at.index + 1, ..at });
    assert_eq!(clear.outcome, Outcome::Valid, "{clear}");

    let (mut ledger, _, stream, day) = attested();
    let since = Position::start_of(day.at.height);
    ledger.revoke(&stream.grant, Some(since));
    ledger.seal();
    let verdict = judge(&ledger, &ledger.bundle(&day));
    assert_eq!(verdict.outcome, Outcome::Incomplete);
    assert_eq!(verdict.reasons, [Reason::AuthoritySuspect { grant: stream.grant, since }]);
    assert_eq!(verdict.authority.map(|authority| authority.name()), Some("suspect"));
}

#[test]
fn a_device_that_was_out_of_service_or_without_authority_is_refused() {
    // A hand-made ledger can hold what an honest network would not.
    let (mut ledger, meter, stream) = works();
    ledger.set_status(&meter, DeviceStatus::Suspended, None);
    let seen = ledger.tip_ref();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    let verdict = judge(&ledger, &ledger.bundle(&day));
    assert_eq!(verdict.outcome, Outcome::Invalid);
    assert!(has(&verdict, "device_not_active"), "{verdict}");

    let (mut ledger, meter, stream) = works();
    ledger.place(&meter, "works", "south");
    let seen = ledger.tip_ref();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    let verdict = judge(&ledger, &ledger.bundle(&day));
    assert_eq!(verdict.outcome, Outcome::Invalid);
    let claimant = Principal::Device(meter.id);
    let failure = AuthorityFailure::NotHeld { grant: stream.grant, claimant };
    assert_eq!(verdict.reasons, [Reason::AuthorityNotHeld(failure)]);
}

#[test]
fn a_move_in_between_leaves_it_open_where_it_was_said() {
    let (mut ledger, meter, stream) = works();
    ledger.place(&meter, "works", "south");
    ledger.seal();
    let seen = ledger.tip_ref();
    let back = ledger.place(&meter, "works", "north");
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    let verdict = judge(&ledger, &ledger.bundle(&day));
    println!("{verdict}");
    assert_eq!(verdict.outcome, Outcome::Valid);
    let Some(Authority::Indeterminate { since, before, .. }) = verdict.authority else {
        panic!("authority should be indeterminate");
    };
    assert_eq!(since, back);
    assert!(matches!(before, AuthorityFailure::NotHeld { .. }));
    assert_eq!(verdict.device.expect("device").zones.len(), 2);

    // A move that the grant covers throughout leaves nothing open.
    let (mut ledger, meter, stream) = works();
    let seen = ledger.tip_ref();
    ledger.place(&meter, "works", "north/tower");
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    let verdict = judge(&ledger, &ledger.bundle(&day));
    assert_eq!(verdict.authority.map(|authority| authority.name()), Some("held"));
}

#[test]
fn a_path_over_an_operator_and_a_device_that_passed_its_zone_grant_on() {
    let (mut ledger, meter, _) = works();
    let head = ledger.register("head", "works", "north");
    let scope = Scope::Zone(zone("works", "north"));
    let (attest, delegate) = (Action::Attest, Action::Delegate);
    let top = ledger.grant(GrantTerms {
        grantor: Principal::Organization(organization("works")),
        grantee: Grantee::Organization(organization("operator")),
        actions: [attest, delegate].into_iter().collect(),
        scope: scope.clone(),
        window: Window { from: Height::new(1), to: Some(Height::new(50)) },
        depth: 2,
        parent: None,
    });
    let middle = ledger.grant(GrantTerms {
        grantor: Principal::Organization(organization("operator")),
        grantee: Grantee::Zone(zone("works", "north")),
        actions: [attest, delegate].into_iter().collect(),
        scope: scope.clone(),
        window: Window { from: Height::new(1), to: Some(Height::new(50)) },
        depth: 1,
        parent: Some(top),
    });
    let leaf = ledger.grant(GrantTerms {
        grantor: Principal::Device(head.id),
        grantee: Grantee::Device(meter.id),
        actions: [attest].into_iter().collect(),
        scope: Scope::Device(meter.id),
        window: Window { from: Height::new(1), to: Some(Height::new(40)) },
        depth: 0,
        parent: Some(middle),
    });
    let stream = ledger.open_stream(&meter, "by-head", leaf, None);
    ledger.seal();
    let seen = ledger.tip_ref();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    let bundle = ledger.bundle(&day);
    assert_eq!((bundle.grants.len(), bundle.placements.len(), bundle.organizations.len()), (3, 1, 2));
    let verdict = judge(&ledger, &bundle);
    println!("{verdict}");
    assert_eq!(verdict.outcome, Outcome::Valid);

    // The device that passed it on leaves the zone: what it passed on ends.
    ledger.place(&head, "works", "south");
    let seen = ledger.tip_ref();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    let verdict = judge(&ledger, &ledger.bundle(&day));
    let claimant = Principal::Device(head.id);
    assert_eq!(verdict.reasons, [Reason::AuthorityNotHeld(AuthorityFailure::NotHeld { grant: middle, claimant })]);

    // Each proof is needed, and no other is taken.
    for (drop_one, subject) in [
        ((|bundle| drop(bundle.grants.pop())) as fn(&mut Bundle), Subject::Grant(top)),
        (|bundle| drop(bundle.placements.pop()), Subject::Placements(head.id)),
    ] {
        let mut poorer = bundle.clone();
        drop_one(&mut poorer);
        let verdict = judge(&ledger, &poorer);
        assert_eq!((verdict.outcome, verdict.reasons), (Outcome::Incomplete, vec![Reason::ProofMissing { subject }]));
    }
    let mut poorer = bundle.clone();
    poorer.organizations.pop();
    assert!(has(&judge(&ledger, &poorer), "proof_missing"));
    let mut richer = bundle.clone();
    richer.organizations.push(bundle.organizations[0].clone());
    assert_eq!(judge(&ledger, &richer).reasons, [Reason::ProofSuperfluous { count: 1 }]);
}

#[test]
fn age_and_trust_are_asked_for_by_the_auditor() {
    let (mut ledger, _, _, day) = attested();
    ledger.seal_many(6);
    let tip = ledger.tip();
    let bundle = ledger.bundle(&day);
    let checkpoint_ms = ledger.time_ms(tip);
    let aged = |now_ms| {
        let freshness = Some(Freshness { now_ms, age_max_ms: 10_000 });
        verify_bytes(&bundle.encode(), &Expectations { freshness, ..expecting(&ledger) })
    };
    let standing = |verdict: &Verdict| verdict.finality.as_ref().map(|finality| finality.freshness);
    let fresh = aged(checkpoint_ms + 10_000);
    assert_eq!((fresh.outcome, standing(&fresh)), (Outcome::Valid, Some(FreshnessStanding::Fresh { age_ms: 10_000 })));
    let stale = aged(checkpoint_ms + 10_001);
    assert_eq!(stale.outcome, Outcome::Incomplete);
    assert_eq!(stale.reasons, [Reason::CheckpointStale { age_ms: 10_001, age_max_ms: 10_000 }]);
    let ahead = aged(checkpoint_ms - 10_001);
    assert_eq!((ahead.outcome, has(&ahead, "checkpoint_ahead")), (Outcome::Incomplete, true));
    assert_eq!(aged(checkpoint_ms - 10_000).outcome, Outcome::Valid);

    let trusting = |bundle: &Bundle, trusted| {
        verify_bytes(&bundle.encode(), &Expectations { trusted: Some(trusted), ..expecting(&ledger) })
    };
    for height in [0, 2, 3, tip.get()] {
        let verdict = trusting(&bundle, ledger.block_ref(height));
        assert_eq!(verdict.outcome, Outcome::Valid);
        assert_eq!(verdict.finality.map(|finality| finality.trusted), Some(TrustedStanding::Connected));
    }
    let apart = trusting(&bundle, ledger.block_ref(5));
    assert_eq!(apart.reasons, [Reason::TrustedUnconnected { height: Height::new(5) }]);
    assert_eq!(apart.outcome, Outcome::Incomplete);
    let mut anchored = bundle.clone();
    anchored.anchor = Some(ledger.anchor(5, tip));
    assert_eq!(trusting(&anchored, ledger.block_ref(5)).outcome, Outcome::Valid);
    let mut fork = ledger.block_ref(5);
    fork.hash = ledger.block_ref(4).hash;
    let conflict = trusting(&anchored, fork);
    assert_eq!((conflict.outcome, has(&conflict, "trusted_conflict")), (Outcome::Invalid, true));
}

#[test]
fn validators_change_step_by_step_and_no_step_can_be_left_out() {
    let (mut ledger, _, stream, _) = attested();
    for seeds in [[1, 2, 3, 14], [1, 2, 13, 14], [1, 12, 13, 14]] {
        ledger.change_validators(Council::of(&seeds));
        ledger.seal_many(3);
    }
    let seen = ledger.tip_ref();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal_many(2);
    let bundle = ledger.bundle(&day);
    assert_eq!(bundle.finality.changes.len(), 3);
    let verdict = judge(&ledger, &bundle);
    assert_eq!((verdict.outcome, verdict.finality.map(|finality| finality.changes)), (Outcome::Valid, Some(3)));

    for left_out in 0..3 {
        let mut poorer = bundle.clone();
        poorer.finality.changes.remove(left_out);
        let verdict = judge(&ledger, &poorer);
        assert_eq!((verdict.outcome, has(&verdict, "validators_mismatch")), (Outcome::Invalid, true), "{left_out}");
    }
    let mut twisted = bundle.clone();
    twisted.finality.changes.swap(0, 1);
    assert_eq!(judge(&ledger, &twisted).outcome, Outcome::Invalid);
    let mut uncertified = bundle.clone();
    uncertified.finality.changes[1].certificate.signatures.truncate(2);
    assert!(has(&judge(&ledger, &uncertified), "certificate_invalid"));
    // A set that nobody certified.
    let mut planted = bundle.clone();
    planted.finality.changes[2].validators = Council::of(&[31, 32, 33, 34]).set;
    assert!(has(&judge(&ledger, &planted), "validators_mismatch"));
}

#[test]
fn three_of_four_validators_are_enough_and_two_are_not() {
    let (ledger, _, _, day) = attested();
    let signed_by = |signers| {
        let parts = ledger.parts(&day, ledger.tip(), signers);
        judge(&ledger, &Bundle::assemble(ledger.state_at(ledger.tip()), parts).expect("a bundle"))
    };
    let three = signed_by(3);
    assert_eq!((three.outcome, three.finality.map(|finality| finality.signers.len())), (Outcome::Valid, Some(3)));
    let two = signed_by(2);
    assert_eq!((two.outcome, has(&two, "certificate_invalid")), (Outcome::Invalid, true));
}

#[test]
fn silence_is_measured_from_the_head_to_the_checkpoint() {
    let (mut ledger, _, _, day) = attested();
    let silence = |ledger: &Ledger| judge(ledger, &ledger.bundle(&day)).stream.map(|stream| stream.silence);
    ledger.seal_many(60);
    assert_eq!(silence(&ledger), Some(Silence::Within));
    ledger.seal();
    assert_eq!(silence(&ledger), Some(Silence::Silent { since_ms: ledger.time_ms(day.at.height) }));
}
