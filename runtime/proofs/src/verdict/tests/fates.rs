//! Stories about what becomes of a device: endorsed, stolen and recovered, sold, superseded; and what an auditor who asks
//! about now is told.

use cairn_types::record::GrantTerms;
use cairn_types::{AttestationRef, DeviceStatus, GrantId, Height, Interval, Position, Principal, Scope, state_key};

use super::super::{
    Authority, EndorsementTrust, Expectations, Freshness, Gap, KeyStanding, LaterEvent, Live, Outcome,
    PresentAuthority, PresentKey, PresentStream, Reason, Subject, Verdict, gaps, verify_bytes,
};
use super::ledger::{Algorithm, Attested, Ledger, Meter, MeterStream, organization, zone_attests};
use super::{DAY, attested, expecting, has, judge, works};
use crate::authority::AuthorityFailure;
use crate::tree::Query;

/// The verdict of an auditor who wants the checkpoint to be at most a minute old, and has it at once.
fn ask(ledger: &Ledger, day: &Attested) -> Verdict {
    let freshness = Freshness { now_ms: ledger.time_ms(ledger.tip()), age_max_ms: 60_000 };
    let expectations = Expectations { freshness: Some(freshness), ..expecting(ledger) };
    verify_bytes(&ledger.bundle(day).encode(), &expectations)
}

fn live(ledger: &Ledger, day: &Attested) -> Live {
    Live::of(&ask(ledger, day))
}

fn later(verdict: &Verdict) -> Vec<&'static str> {
    verdict.later.iter().flatten().map(|later| later.event.name()).collect()
}

/// A meter of the maker's lot, in the works' zone; it signs with P-256, as most secure elements do.
fn endorsed() -> (Ledger, cairn_types::LotId, Attested) {
    let mut ledger = Ledger::new(1, &["works", "maker"]);
    let lot = ledger.endorse_lot("maker", "wm-200, spring");
    ledger.seal();
    let meter = ledger.register_with(Algorithm::P256, "meter", "works", "north/pump");
    ledger.endorse(&meter, lot, "sn-7");
    let grant = ledger.grant(zone_attests("works", "north"));
    ledger.seal();
    let stream = ledger.open_stream(&meter, "flow", grant, None);
    ledger.seal();
    let seen = ledger.tip_ref();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal_many(2);
    (ledger, lot, day)
}

fn trust(verdict: &Verdict) -> Option<EndorsementTrust> {
    verdict.device.as_ref()?.endorsement.as_ref().map(|endorsement| endorsement.trust)
}

#[test]
fn the_word_of_a_manufacturer_stays_and_the_trust_in_it_may_end() {
    let (mut ledger, lot, day) = endorsed();
    let verdict = ask(&ledger, &day);
    println!("{verdict}");
    assert_eq!((verdict.outcome, Live::of(&verdict)), (Outcome::Valid, Live::Ok));
    let endorsement = verdict.device.as_ref().and_then(|device| device.endorsement.clone()).expect("an endorsement");
    assert_eq!((endorsement.manufacturer, endorsement.lot), (organization("maker"), lot));
    assert_eq!((endorsement.serial.as_str(), endorsement.label.as_str()), ("sn-7", "wm-200, spring"));
    assert!(verdict.organization(&organization("maker")).is_some(), "the manufacturer has a name");

    let at = ledger.distrust(&lot, None);
    ledger.seal();
    let verdict = ask(&ledger, &day);
    assert_eq!((verdict.outcome, trust(&verdict)), (Outcome::Valid, Some(EndorsementTrust::Distrusted { since: at })));
    assert_eq!((later(&verdict), Live::of(&verdict)), (vec!["lot_distrusted"], Live::Doubtful));

    // The device was registered at 2/0: claims made later are in doubt, and then its own.
    for (since, expected) in [
        (Position { height: Height::new(2), index: 1 }, EndorsementTrust::Distrusted { since: at }),
        (Position::start_of(Height::new(2)), EndorsementTrust::Suspect { since: Position::start_of(Height::new(2)) }),
    ] {
        ledger.distrust(&lot, Some(since));
        ledger.seal();
        let verdict = ask(&ledger, &day);
        assert_eq!((verdict.outcome, trust(&verdict)), (Outcome::Valid, Some(expected)));
    }
}

#[test]
fn an_expelled_manufacturer_is_trusted_no_longer() {
    let (mut ledger, _, day) = endorsed();
    let since = ledger.expel("maker");
    ledger.seal();
    let verdict = ask(&ledger, &day);
    assert_eq!(trust(&verdict), Some(EndorsementTrust::Distrusted { since }));
    assert_eq!((verdict.outcome, later(&verdict)), (Outcome::Valid, vec!["organization_expelled"]));
}

#[test]
fn lot_and_supersede_are_proven_exactly_if_they_are_asked_for() {
    let (mut ledger, lot, day) = endorsed();
    let mut bundle = ledger.bundle(&day);
    let proof = bundle.lot.take();
    assert_eq!(judge(&ledger, &bundle).reasons, [Reason::ProofMissing { subject: Subject::Lot(lot) }]);
    let (plain, _, _, other_day) = attested();
    let mut richer = plain.bundle(&other_day);
    richer.lot = Some(plain.state_at(plain.tip()).prove(&Query::key(&state_key::lot(&lot))).expect("a proof"));
    assert_eq!(judge(&plain, &richer).reasons, [Reason::ProofSuperfluous { count: 1 }]);
    bundle.lot = proof;
    bundle.superseded = bundle.stream.clone();
    assert!(has(&judge(&ledger, &bundle), "state_proof_invalid"));

    // A lot of somebody else, and a supersede from before what it supersedes: no honest network has either.
    let target = day_ref(&day);
    let at = day.at;
    let by = Principal::Organization(organization("works"));
    ledger.put(
        state_key::superseded(&target.stream, target.sequence),
        &cairn_types::record::Superseded { at, by, replacement: None },
    );
    ledger.seal();
    let malformed = Reason::RecordMalformed { subject: Subject::Superseded(target) };
    assert_eq!(judge(&ledger, &ledger.bundle(&day)).reasons, [malformed]);
    let mut record: Interval<cairn_types::record::LotRecord> = ledger.read(&state_key::lot(&lot)).expect("a lot");
    record.value.manufacturer = organization("works");
    ledger.put(state_key::lot(&lot), &record);
    ledger.seal();
    let malformed = Reason::RecordMalformed { subject: Subject::Lot(lot) };
    assert_eq!(judge(&ledger, &ledger.bundle(&day)).reasons, [malformed]);
}

fn day_ref(day: &Attested) -> AttestationRef {
    match &day.transaction.body().call {
        cairn_types::Call::Attest(attest) => AttestationRef { stream: attest.stream, sequence: attest.sequence },
        _ => panic!("an attestation"),
    }
}

#[test]
fn a_stolen_key_is_recovered_and_what_the_thief_signed_is_in_doubt() {
    let (mut ledger, meter, stream, honest) = attested();
    ledger.seal_many(2);
    let theft = Position::start_of(ledger.next_position().height);
    let seen = ledger.tip_ref();
    let stolen = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    ledger.announce_recovery(&meter, Some(theft));
    ledger.seal();
    let pending = ask(&ledger, &honest);
    assert_eq!((pending.outcome, later(&pending)), (Outcome::Valid, vec!["attested", "recovery_announced"]));
    let present = pending.present.as_ref().expect("present");
    assert_eq!((present.key, present.recovery.is_some()), (PresentKey::Suspect { since: theft }, true));
    assert_eq!(Live::of(&pending), Live::Doubtful);

    let meter = ledger.recovery_takes_effect(&meter);
    ledger.seal();
    let (honest_now, thief) = (ask(&ledger, &honest), ask(&ledger, &stolen));
    println!("{thief}");
    assert_eq!((honest_now.outcome, Live::of(&honest_now)), (Outcome::Valid, Live::Refused));
    // The state says already what begins with the next block.
    let next = Position::start_of(Height::new(ledger.tip().get() + 1));
    let present = honest_now.present.as_ref().expect("present");
    assert_eq!((present.position, present.key), (next, PresentKey::Ended { at: next }));
    assert_eq!(later(&honest_now), ["attested", "recovery_announced", "key_rotated"]);
    assert_eq!(thief.reasons, [Reason::KeySuspect { since: theft }]);
    assert_eq!(thief.key.map(|key| key.standing), Some(KeyStanding::Suspect { since: theft }));

    // With the new key it goes on.
    let stream = MeterStream { meter, ..stream };
    let seen = ledger.tip_ref();
    let after = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    let verdict = ask(&ledger, &after);
    assert_eq!((verdict.outcome, Live::of(&verdict)), (Outcome::Valid, Live::Ok), "{verdict}");
}

#[test]
fn a_recovery_that_is_called_off_leaves_the_key_as_it_was() {
    let (mut ledger, meter, _, day) = attested();
    ledger.announce_recovery(&meter, None);
    ledger.cancel_recovery(&meter);
    ledger.seal();
    let verdict = ask(&ledger, &day);
    assert_eq!(later(&verdict), ["recovery_announced", "recovery_cancelled"]);
    assert_eq!((verdict.outcome, Live::of(&verdict)), (Outcome::Valid, Live::Ok));
}

#[test]
fn a_sale_ends_what_the_seller_granted_over_the_device_and_takes_nothing_back() {
    let mut ledger = Ledger::new(1, &["works", "operator"]);
    let meter = ledger.register("meter", "works", "north");
    let over_device = |meter: &Meter| GrantTerms {
        grantee: cairn_types::Grantee::Device(meter.id),
        scope: Scope::Device(meter.id),
        ..zone_attests("works", "north")
    };
    let grant = ledger.grant(over_device(&meter));
    ledger.seal();
    let stream = ledger.open_stream(&meter, "flow", grant, None);
    ledger.seal();
    let seen = ledger.tip_ref();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.offer(&meter, "operator");
    ledger.seal();
    let offered = ask(&ledger, &day);
    assert_eq!((offered.outcome, Live::of(&offered), later(&offered)), (Outcome::Valid, Live::Ok, vec!["offered"]));
    assert_eq!(offered.present.and_then(|present| present.offered_to), Some(organization("operator")));

    ledger.accept(&meter, "operator", "south");
    ledger.seal();
    let sold = ask(&ledger, &day);
    println!("{sold}");
    assert_eq!((sold.outcome, later(&sold)), (Outcome::Valid, vec!["offered", "owner_changed", "placed"]));
    let failure = AuthorityFailure::EarlierOwner { grant };
    assert_eq!(sold.present.as_ref().map(|p| p.authority.clone()), Some(PresentAuthority::NotHeld { failure }));
    assert_eq!(Live::of(&sold), Live::Refused);

    // If it is said all the same, under the old grant, that is refuted; under the new owner's it holds, from the sale on.
    let (before, seen) = (ledger.block_ref(seen.height.get()), ledger.tip_ref());
    let old = ledger.attest(&stream, DAY, seen);
    let terms = GrantTerms { grantor: Principal::Organization(organization("operator")), ..over_device(&meter) };
    let new: GrantId = ledger.grant(terms);
    let stream = MeterStream { grant: new, ..stream };
    let by_new = ledger.attest(&stream, DAY, before);
    ledger.seal();
    let failure = AuthorityFailure::EarlierOwner { grant };
    assert_eq!(ask(&ledger, &old).reasons, [Reason::AuthorityNotHeld(failure)]);
    let verdict = ask(&ledger, &by_new);
    assert_eq!((verdict.outcome, Live::of(&verdict)), (Outcome::Valid, Live::Ok));
    assert!(matches!(
        verdict.authority,
        Some(Authority::Indeterminate { before: AuthorityFailure::NotYetGiven { .. }, .. })
    ));
}

#[test]
fn an_expelled_grantor_ends_the_authority_from_there_on() {
    let (mut ledger, _, stream, day) = attested();
    let seen = ledger.tip_ref();
    let between = ledger.attest(&stream, DAY, seen);
    ledger.expel("works");
    let after = ledger.attest(&stream, DAY, seen);
    ledger.seal();
    assert_eq!((ask(&ledger, &day).outcome, ask(&ledger, &between).outcome), (Outcome::Valid, Outcome::Valid));
    let failure = AuthorityFailure::Expelled { grant: stream.grant, organization: organization("works") };
    assert_eq!(ask(&ledger, &after).reasons, [Reason::AuthorityNotHeld(failure)]);
    assert_eq!(live(&ledger, &day), Live::Refused);
}

#[test]
fn a_superseded_attestation_keeps_its_verdict_and_names_what_to_use() {
    let (mut ledger, meter, stream, day) = attested();
    let seen = ledger.tip_ref();
    let better = ledger.attest(&stream, DAY, seen);
    let (by, replacement) = (Principal::Device(meter.id), Some(day_ref(&better)));
    ledger.supersede(day_ref(&day), by, replacement);
    ledger.seal();
    let verdict = ask(&ledger, &day);
    println!("{verdict}");
    assert_eq!((verdict.outcome, later(&verdict)), (Outcome::Valid, vec!["attested", "superseded"]));
    let superseded = LaterEvent::Superseded { by, replacement };
    assert!(verdict.later.iter().flatten().any(|later| later.event == superseded));
    assert_eq!((Live::of(&verdict), live(&ledger, &better)), (Live::Refused, Live::Ok));
}

#[test]
fn a_question_about_now_needs_a_fresh_checkpoint_and_everything_to_hold() {
    let (mut ledger, meter, stream, day) = attested();
    assert_eq!(Live::of(&judge(&ledger, &ledger.bundle(&day))), Live::Unknown, "no limit to the age was given");
    assert_eq!(live(&ledger, &day), Live::Ok);
    let aged = |now_ms, content: bool| {
        let mut expectations = expecting(&ledger);
        expectations.freshness = Some(Freshness { now_ms, age_max_ms: 1_000 });
        if !content {
            expectations.content = None;
        }
        let verdict = verify_bytes(&ledger.bundle(&day).encode(), &expectations);
        (verdict.outcome, Live::of(&verdict))
    };
    let now = ledger.time_ms(ledger.tip());
    assert_eq!(aged(now + 1_000, false), (Outcome::Incomplete, Live::Ok), "no content is waived");
    assert_eq!(aged(now + 1_001, true), (Outcome::Incomplete, Live::Unknown));
    assert_eq!(aged(now - 1_001, true), (Outcome::Incomplete, Live::Unknown));
    let freshness = Some(Freshness { now_ms: now, age_max_ms: 1_000 });
    let other = Expectations { freshness, ..Expectations::of(ledger.chain()).with_content(b"another day") };
    assert_eq!(Live::of(&verify_bytes(&ledger.bundle(&day).encode(), &other)), Live::Refused);

    type Fate = fn(&mut Ledger, &Meter, &MeterStream, &Attested);
    let fates: [(Live, Fate); 7] = [
        (Live::Refused, |ledger, meter, _, _| {
            ledger.rotate(meter);
        }),
        (Live::Refused, |ledger, meter, _, _| {
            ledger.set_status(meter, DeviceStatus::Suspended, None);
        }),
        (Live::Refused, |ledger, meter, _, _| {
            ledger.place(meter, "works", "south");
        }),
        (Live::Refused, |ledger, _, stream, _| {
            ledger.revoke(&stream.grant, None);
        }),
        (Live::Refused, |ledger, _, stream, _| {
            ledger.close_stream(stream);
        }),
        (Live::Refused, |ledger, _, stream, _| ledger.report_fork(stream, 9)),
        (Live::Doubtful, |ledger, meter, _, _| {
            ledger.announce_recovery(meter, None);
        }),
    ];
    for (number, (expected, fate)) in fates.into_iter().enumerate() {
        let (mut ledger, meter, stream, day) = attested();
        fate(&mut ledger, &meter, &stream, &day);
        ledger.seal();
        let verdict = ask(&ledger, &day);
        assert_eq!((verdict.outcome, Live::of(&verdict)), (Outcome::Valid, expected), "fate {number}: {verdict}");
    }
    ledger.rotate(&meter);
    ledger.close_stream(&stream);
    ledger.seal();
    let present = ask(&ledger, &day).present.expect("present");
    assert_eq!((present.stream, present.status), (PresentStream::Closed, Some(DeviceStatus::Active)));
}

#[test]
fn a_gap_shows_between_files_and_never_within_one() {
    let (mut ledger, _, stream) = works();
    let days: Vec<Attested> = (0..7)
        .map(|_| {
            let seen = ledger.tip_ref();
            let day = ledger.attest(&stream, DAY, seen);
            ledger.seal();
            day
        })
        .collect();
    let verdicts: Vec<Verdict> = days.iter().map(|day| judge(&ledger, &ledger.bundle(day))).collect();
    assert_eq!(gaps(&verdicts), []);
    let gap = |from, to| Gap { stream: stream.id, from, to };
    assert_eq!(gaps([&verdicts[6], &verdicts[0], &verdicts[2], &verdicts[3]]), [gap(1, 2), gap(4, 6)]);
    assert_eq!(gaps([&verdicts[3]]), [gap(0, 3), gap(4, 7)]);
    // Old files do not know the tail; one new one is enough to know it.
    let old = judge(&ledger, &ledger.bundle_at(&days[1], days[1].at.height));
    assert_eq!(gaps([&old]), [gap(0, 1)]);
    assert_eq!(gaps([&old, &verdicts[0]]), [gap(2, 7)]);
}
