//! Stories about questions: each is proven from a hand-made ledger and judged through the bytes of its file. What the
//! answer should be is kept beside the ledger, as plain lists.

mod model;
mod prop;
mod tamper;

use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{Height, Interval, Position, Scope, ZonePath};

use super::{
    Answer, Fault, Lookup, LookupError, LookupExpectations, LookupReason, LookupVerdict, Question, verify_bytes,
};
use crate::tree::ProofError;
use crate::verdict::tests::ledger::{Council, Ledger, organization, zone, zone_attests};
use crate::verdict::{Freshness, Outcome, TrustedStanding};

fn expecting(ledger: &Ledger, question: &Question) -> LookupExpectations {
    LookupExpectations::of(ledger.chain()).with_question(question.clone())
}

fn prove(ledger: &Ledger, question: &Question) -> Result<Lookup, LookupError> {
    let tip = ledger.tip();
    Lookup::prove(ledger.state_at(tip), ledger.finality(tip, 3), question.clone())
}

/// The verdict over the file that answers `question` at the tip.
fn ask(ledger: &Ledger, question: &Question) -> LookupVerdict {
    let lookup = prove(ledger, question).expect("a lookup");
    verify_bytes(&lookup.encode(), &expecting(ledger, question))
}

fn names(verdict: &LookupVerdict) -> Vec<&'static str> {
    verdict.reasons.iter().map(LookupReason::name).collect()
}

#[test]
fn a_device_that_was_never_registered_is_shown_to_be_absent() {
    let mut ledger = Ledger::new(1, &["works"]);
    let meter = ledger.register("meter", "works", "north/pump");
    ledger.seal();
    let stranger = cairn_types::DeviceId::from_hash(cairn_types::Hash::plain(b"stranger"));
    for question in [Question::Device(stranger), Question::DeviceGrants(stranger)] {
        let verdict = ask(&ledger, &question);
        assert_eq!((verdict.outcome, verdict.entries), (Outcome::Valid, vec![vec![]]));
        assert!(matches!(verdict.answer, Some(Answer::Device(None) | Answer::DeviceGrants(None))));
    }
    let verdict = ask(&ledger, &Question::Device(meter.id));
    assert!(matches!(verdict.answer, Some(Answer::Device(Some(file))) if file.keys.len() == 1));

    // A file about the stranger does not pass for one about the meter, and the other way round.
    for (asked, shown) in [(stranger, meter.id), (meter.id, stranger)] {
        let bytes = prove(&ledger, &Question::Device(shown)).expect("a lookup").encode();
        let verdict = verify_bytes(&bytes, &expecting(&ledger, &Question::Device(asked)));
        assert_eq!((verdict.outcome, names(&verdict)), (Outcome::Invalid, vec!["other_question"]));
        assert!(verdict.answer.is_none() && verdict.entries.is_empty() && verdict.finality.is_some());
    }
}

#[test]
fn every_key_epoch_and_every_stream_is_listed() {
    let mut ledger = Ledger::new(1, &["works"]);
    let meter = ledger.register("meter", "works", "north/pump");
    let other = ledger.register("other", "works", "north/pump");
    let grant = ledger.grant(zone_attests("works", "north"));
    ledger.seal();
    let mut now = meter.clone();
    for _ in 0..3 {
        now = ledger.rotate(&now);
        ledger.seal();
    }
    for name in ["flow", "pressure", "noise"] {
        ledger.open_stream(&now, name, grant, None);
    }
    ledger.open_stream(&other, "flow", grant, None);
    ledger.seal();
    let verdict = ask(&ledger, &Question::Device(meter.id));
    assert!(matches!(verdict.answer, Some(Answer::Device(Some(file))) if file.keys.len() == 4));
    let verdict = ask(&ledger, &Question::DeviceStreams(meter.id));
    assert_eq!(verdict.entries.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 1, 1]);
    let Some(Answer::DeviceStreams(streams)) = verdict.answer else { panic!("streams") };
    let mut found: Vec<&str> = streams.iter().map(|(_, record)| record.name.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["flow", "noise", "pressure"]);
}

#[test]
fn the_grants_over_a_device_are_those_over_it_its_streams_its_place_and_all_above() {
    let mut ledger = Ledger::new(1, &["works", "operator"]);
    let meter = ledger.register("meter", "works", "north/pump/bay");
    let over = |scope: Scope| cairn_types::record::GrantTerms { scope, ..zone_attests("works", "north") };
    let mut wanted = vec![
        ledger.grant(over(Scope::Device(meter.id))),
        ledger.grant(over(Scope::Zone(zone("works", "north/pump/bay")))),
        ledger.grant(over(Scope::Zone(zone("works", "north")))),
        ledger.grant(over(Scope::Zone(zone("works", "")))),
    ];
    for elsewhere in [zone("works", "north/pump/bay/1"), zone("works", "nort"), zone("operator", "north")] {
        ledger.grant(over(Scope::Zone(elsewhere)));
    }
    let stream = ledger.open_stream(&meter, "flow", wanted[0], None);
    wanted.push(ledger.grant(over(Scope::Stream(stream.id))));
    ledger.revoke(&wanted[0], None);
    ledger.seal();
    wanted.sort_unstable();
    let Some(Answer::DeviceGrants(Some(grants))) = ask(&ledger, &Question::DeviceGrants(meter.id)).answer else {
        panic!("grants");
    };
    assert_eq!(grants.grants.iter().map(|(id, _)| *id).collect::<Vec<_>>(), wanted);
    assert_eq!(grants.grants.iter().filter(|(_, terms)| !terms.is_open()).count(), 1, "the revoked one is there too");
    let scopes: Vec<Scope> = grants.scopes.into_iter().map(|list| list.scope).collect();
    let zones = ["north/pump/bay", "north/pump", "north", ""].map(|path| Scope::Zone(zone("works", path)));
    assert_eq!(scopes, [vec![Scope::Device(meter.id), Scope::Stream(stream.id)], zones.to_vec()].concat());
}

#[test]
fn a_grant_is_shown_with_all_above_it() {
    let mut ledger = Ledger::new(1, &["works"]);
    let mut parent = None;
    let mut path = Vec::new();
    for _ in 0..8 {
        let terms = cairn_types::record::GrantTerms { parent, ..zone_attests("works", "north") };
        parent = Some(ledger.grant(terms));
        path.insert(0, parent.expect("just given"));
    }
    let ninth = ledger.grant(cairn_types::record::GrantTerms { parent, ..zone_attests("works", "north") });
    ledger.seal();
    let Some(Answer::Grant(links)) = ask(&ledger, &Question::Grant(path[0])).answer else { panic!("a path") };
    assert_eq!(links.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), path);
    // What no honest network has is not shown as if it were one.
    let malformed = Fault::Malformed { key: state_key::grant(&path[7]) };
    assert_eq!(prove(&ledger, &Question::Grant(ninth)), Err(LookupError::Fault(malformed)));
}

#[test]
fn a_light_client_follows_all_validators_being_replaced() {
    let mut ledger = Ledger::new(1, &["works"]);
    for seeds in [[11, 2, 3, 4], [11, 12, 3, 4], [11, 12, 13, 4], [11, 12, 13, 14]] {
        ledger.change_validators(Council::of(&seeds));
        ledger.seal_many(3);
    }
    let tip = ledger.tip();
    let verdict = ask(&ledger, &Question::Checkpoint);
    assert_eq!((verdict.outcome, verdict.answer), (Outcome::Valid, Some(Answer::Checkpoint)));
    let finality = verdict.finality.expect("finality");
    assert_eq!((finality.checkpoint.height, finality.changes, finality.signers.len()), (tip, 4, 3));

    let lookup = prove(&ledger, &Question::Checkpoint).expect("a lookup");
    let with = |lookup: &Lookup, trusted, freshness| {
        let question = Some(Question::Checkpoint);
        let genesis = ledger.chain();
        verify_bytes(&lookup.encode(), &LookupExpectations { genesis, question, trusted, freshness })
    };
    // A trusted block is found among the headers of the file, or as its anchor.
    for (height, known) in [(0, true), (lookup.certified.changes[1].header.height.get(), true), (2, false)] {
        let verdict = with(&lookup, Some(ledger.block_ref(height)), None);
        assert_eq!(verdict.outcome == Outcome::Valid, known, "{height}");
    }
    let anchored = lookup.clone().with_anchor(ledger.anchor(2, tip));
    let verdict = with(&anchored, Some(ledger.block_ref(2)), None);
    assert_eq!(verdict.finality.map(|finality| finality.trusted), Some(TrustedStanding::Connected));
    let mut fork = ledger.block_ref(2);
    fork.hash = ledger.block_ref(3).hash;
    assert_eq!(names(&with(&anchored, Some(fork), None)), ["trusted_conflict"]);
    // Older than allowed is incomplete, never valid; the answer is shown all the same.
    let now_ms = ledger.time_ms(tip) + 10_001;
    let stale = with(&lookup, None, Some(Freshness { now_ms, age_max_ms: 10_000 }));
    assert_eq!((stale.outcome, names(&stale)), (Outcome::Incomplete, vec!["checkpoint_stale"]));
    assert!(stale.answer.is_some());

    let mut poorer = lookup.clone();
    poorer.certified.changes.remove(1);
    assert_eq!(names(&with(&poorer, None, None)), ["validators_mismatch"]);
    let two = Lookup::prove(ledger.state_at(tip), ledger.finality(tip, 2), Question::Checkpoint).expect("a lookup");
    assert_eq!(names(&with(&two, None, None)), ["certificate_invalid"]);
}

#[test]
fn a_state_that_makes_no_sense_is_named_and_not_shown() {
    let mut ledger = Ledger::new(1, &["works"]);
    let meter = ledger.register("meter", "works", "north");
    let grant = ledger.grant(zone_attests("works", "north"));
    let stream = ledger.open_stream(&meter, "flow", grant, None);
    ledger.seal();
    let works = organization("works");
    let forge = |key: Vec<u8>, value: Vec<u8>, question: &Question| {
        let tip = ledger.tip();
        let state = ledger.state_at(tip).apply(&[(key, Some(value))].into_iter().collect());
        let mut finality = ledger.finality(tip, 4);
        finality.checkpoint.state_root = state.root();
        match Lookup::prove(&state, finality, question.clone()) {
            Err(LookupError::Fault(fault)) => LookupReason::Fault(fault).name(),
            other => panic!("{other:?}"),
        }
    };
    let device_place = state_key::ordinal(state_key::device_facet(&meter.id, DeviceFacet::Placement), 1);
    let unknown = [state_key::device(&meter.id), vec![9, 0, 0, 0, 0]].concat();
    let unknown_of_works = [state_key::organization(&works), vec![2, 0, 0, 0, 0]].concat();
    let late = Position::start_of(Height::new(9));
    let overlap = cairn_types::encode(&Interval::open(zone("works", ""), late));
    let other_grant = cairn_types::GrantId::from_hash(cairn_types::Hash::ZERO);
    let listed = state_key::scope_grant(&Scope::Device(meter.id).key(), &other_grant);
    let too_long = [state_key::device_stream(&meter.id, &stream.id), vec![0]].concat();
    let no_name = [state_key::organization_names(), b"No Name".to_vec()].concat();
    for (key, value, question, name) in [
        (device_place, overlap, Question::Device(meter.id), "record_malformed"),
        (unknown, vec![], Question::DeviceGrants(meter.id), "record_unknown"),
        (unknown_of_works, vec![], Question::Organization(works), "record_unknown"),
        (listed.clone(), vec![], Question::DeviceGrants(meter.id), "absent"),
        (listed, vec![1], Question::Grants(Scope::Device(meter.id)), "record_malformed"),
        (state_key::stream(&stream.id), vec![1], Question::DeviceStreams(meter.id), "record_malformed"),
        (too_long, vec![], Question::DeviceStreams(meter.id), "record_malformed"),
        (no_name, works.as_bytes().to_vec(), Question::Organizations, "record_malformed"),
        ([state_key::council(), vec![0; 5]].concat(), vec![], Question::Council, "record_malformed"),
        (
            [state_key::superseded_in(&stream.id), vec![0; 8]].concat(),
            vec![],
            Question::Superseded(stream.id),
            "record_malformed",
        ),
    ] {
        assert_eq!(forge(key, value, &question), name, "{question}");
    }
}

#[test]
fn a_lookup_is_made_from_the_checkpoints_own_state_and_stays_below_its_limit() {
    let mut ledger = Ledger::new(1, &["works"]);
    ledger.seal();
    let tip = ledger.tip();
    let other = ledger.state_at(tip).apply(&[(vec![1], Some(vec![]))].into_iter().collect());
    let wrong = Lookup::prove(&other, ledger.finality(tip, 4), Question::Council);
    assert_eq!(wrong, Err(LookupError::WrongState { height: tip }));

    // A list just below the limit of a proof does not fit a file with it; a longer one does not fit a proof.
    let mut finality = ledger.finality(tip, 4);
    let lot = cairn_types::LotId::from_hash(cairn_types::Hash::ZERO);
    let record = Interval::open(
        cairn_types::record::LotRecord {
            manufacturer: organization("works"),
            basis: cairn_types::lot::LotBasis::Merkle { root: cairn_types::Hash::ZERO, count: 100_000 },
            label: String::new(),
        },
        Position::default(),
    );
    let claims = |count: u32| {
        let claim = |n: u32| cairn_types::Hash::plain(&n.to_le_bytes());
        let claims = (0..count).map(|n| (state_key::lot_claim(&lot, &claim(n)), Some(claim(n).as_bytes().to_vec())));
        ledger
            .state_at(tip)
            .apply(&claims.chain([(state_key::lot(&lot), Some(cairn_types::encode(&record)))]).collect())
    };
    for (count, fits) in [(40_000, true), (41_526, false), (41_600, false)] {
        let state = claims(count);
        finality.checkpoint.state_root = state.root();
        match Lookup::prove(&state, finality.clone(), Question::Lot(lot)) {
            Ok(lookup) => assert!(fits && Lookup::decode(&lookup.encode()).is_ok(), "{count}"),
            Err(LookupError::TooLarge { .. }) => assert_eq!(count, 41_526),
            Err(LookupError::Proof(ProofError::TooLarge { .. })) => assert_eq!(count, 41_600),
            Err(error) => panic!("{count}: {error}"),
        }
    }
}

#[test]
fn a_question_has_one_text_form() {
    let id = cairn_types::Hash::plain(b"id");
    let works = cairn_types::OrganizationId::from_hash(id);
    let root = Scope::Zone(cairn_types::Zone { organization: works, path: ZonePath::root() });
    let mut texts = Vec::new();
    for question in model::questions_about(id).into_iter().chain([Question::Grants(root)]) {
        let text = question.to_string();
        assert_eq!(text.parse(), Ok(question), "{text}");
        texts.push(text);
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 18);
    for bad in ["", "device", "council:1", "grants:zone", "device:AB"] {
        assert!(bad.parse::<Question>().is_err(), "{bad}");
    }
    assert!(format!("grants:zone:{id}/").parse::<Question>().is_err());
}
