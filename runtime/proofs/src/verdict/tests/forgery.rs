//! What a forger would try: each part of a bundle replaced, taken from elsewhere, or left out; and what a dishonest
//! majority could put into a block, as far as an auditor can still notice.

use cairn_types::call::Attest;
use cairn_types::record::StreamRecord;
use cairn_types::{
    BlockHash, Body, Call, ChainId, ContentHash, Hash, Height, Principal, Round, Signature, SignedTransaction,
    StreamId, state_key,
};

use super::super::{Outcome, Reason, Subject, Verdict, verify_bytes};
use super::ledger::{Attested, Council, Ledger, Meter, MeterStream, organization, sign};
use super::{DAY, attested, expecting, has, judge, works};
use crate::bundle::requirements::device_query;
use crate::bundle::{AssembleError, Bundle, BundleError, DeviceFileError, Parts};
use crate::tree::Query;

fn assert_refused(verdict: &Verdict, name: &str) {
    assert_eq!(verdict.outcome, Outcome::Invalid, "{verdict}");
    assert!(has(verdict, name), "expected {name}: {verdict}");
}

#[test]
fn each_part_replaced_is_refused_by_name() {
    let (mut ledger, _, stream, day) = attested();
    let seen = ledger.tip_ref();
    let other_day = ledger.attest(&stream, b"another day", seen);
    ledger.seal_many(4);
    let good = ledger.bundle(&day);
    let other = ledger.bundle(&other_day);
    let stranger = Council::of(&[41, 42, 43, 44]);
    let chain = ledger.chain();
    assert_eq!(judge(&ledger, &good).outcome, Outcome::Valid);

    type Forge<'a> = &'a dyn Fn(&mut Bundle);
    let cases: [(&str, Forge<'_>); 22] = [
        ("genesis_malformed", &|b| b.finality.genesis.height = Height::new(1)),
        ("wrong_network", &|b| b.finality.genesis.time_ms += 1),
        ("validators_not_genesis", &|b| b.finality.validators = stranger.set.clone()),
        ("header_malformed", &|b| b.finality.checkpoint.version = 2),
        ("header_malformed", &|b| b.finality.checkpoint.chain = ChainId::NONE),
        ("validators_mismatch", &|b| {
            b.finality.checkpoint.validators_root = stranger.set.root();
            b.finality.certificate = stranger.certify(&chain, &b.finality.checkpoint, 4);
        }),
        ("certificate_invalid", &|b| b.finality.checkpoint.state_root = Hash::ZERO),
        ("certificate_invalid", &|b| b.finality.certificate = stranger.certify(&chain, &b.finality.checkpoint, 4)),
        ("certificate_invalid", &|b| b.finality.certificate.signatures.truncate(2)),
        ("certificate_invalid", &|b| b.finality.certificate.signatures.clear()),
        ("certificate_invalid", &|b| b.finality.certificate.round = Round::new(2)),
        ("past_block_malformed", &|b| {
            let block = b.block.as_mut().expect("a past block");
            block.header.height = Height::new(2);
        }),
        ("history_invalid", &|b| {
            let block = b.block.as_mut().expect("a past block");
            block.header.tx_root = Hash::ZERO;
        }),
        ("history_invalid", &|b| {
            let block = b.not_before.as_mut().expect("a past block");
            block.history.siblings.pop();
        }),
        ("history_invalid", &|b| {
            b.anchor = Some(ledger.anchor(4, ledger.tip()));
            b.anchor.as_mut().expect("just set").hash = BlockHash::from_hash(Hash::ZERO);
        }),
        ("inclusion_invalid", &|b| b.block = None),
        ("inclusion_invalid", &|b| b.transaction = other.transaction.clone()),
        ("inclusion_invalid", &|b| b.inclusion.count += 1),
        ("not_before_mismatch", &|b| b.not_before = None),
        ("not_before_mismatch", &|b| b.not_before.clone_from(&b.block)),
        ("state_proof_invalid", &|b| b.device = b.stream.clone()),
        ("state_proof_invalid", &|b| b.grants = vec![b.stream.clone()]),
    ];
    for (name, forge) in cases {
        let mut forged = good.clone();
        forge(&mut forged);
        assert_ne!(forged, good, "{name}");
        assert_refused(&judge(&ledger, &forged), name);
    }
    // Proofs of another height, each whole in itself.
    let earlier = ledger.bundle_at(&day, day.at.height);
    let mut mixed = good.clone();
    mixed.device = earlier.device;
    mixed.stream = earlier.stream;
    assert_refused(&judge(&ledger, &mixed), "state_proof_invalid");
}

/// The verdict on a day that a dishonest majority put into a block.
fn planted(plant: impl FnOnce(&mut Ledger, &Meter, &MeterStream) -> Attested) -> Verdict {
    let (mut ledger, meter, stream) = works();
    let day = plant(&mut ledger, &meter, &stream);
    ledger.seal();
    let mut bundle = ledger.bundle(&day);
    bundle.transaction = ledger.bytes_at(day.at);
    judge(&ledger, &bundle)
}

#[test]
fn what_no_honest_network_includes_is_refused() {
    let day = |ledger: &mut Ledger, stream: &MeterStream, change: &dyn Fn(&mut Body, &mut Attest)| {
        ledger.attest_body(stream, |body, attest| {
            attest.content.hash = ContentHash::plain(DAY);
            attest.content.bytes = u64::try_from(DAY.len()).expect("a short day");
            change(body, attest);
        })
    };
    let verdict = planted(|ledger, _, stream| day(ledger, stream, &|_, _| ()));
    assert_eq!(verdict.outcome, Outcome::Valid, "{verdict}");

    let verdict = planted(|ledger, _, stream| {
        let attested = day(ledger, stream, &|_, _| ());
        ledger.replace_last(b"not a transaction".to_vec());
        attested
    });
    assert_refused(&verdict, "transaction_malformed");

    let verdict = planted(|ledger, _, stream| {
        day(ledger, stream, &|body, _| body.chain = ChainId::from_hash(Hash::plain(b"another network")))
    });
    assert_refused(&verdict, "not_an_attestation");

    let verdict = planted(|ledger, _, stream| day(ledger, stream, &|body, _| body.expires = Some(Height::new(2))));
    assert_refused(&verdict, "expired");

    let verdict = planted(|ledger, _, stream| {
        day(ledger, stream, &|body, _| body.not_before.hash = BlockHash::from_hash(Hash::plain(b"no block")))
    });
    assert_refused(&verdict, "not_before_mismatch");

    for sequence in [1, 7, u64::MAX] {
        let verdict = planted(|ledger, _, stream| day(ledger, stream, &|_, attest| attest.sequence = sequence));
        assert_refused(&verdict, "stream_contradicts");
    }

    // Signed with the key of an epoch that was over.
    let verdict = planted(|ledger, meter, stream| {
        ledger.rotate(meter);
        day(ledger, stream, &|_, _| ())
    });
    assert_refused(&verdict, "signature_invalid");

    // Two signatures, none, or one in the name of somebody else.
    let signatures: [fn(&mut Vec<Signature>); 3] = [
        |signatures| signatures.extend_from_within(..),
        Vec::clear,
        |signatures| signatures[0].signer = Principal::Organization(organization("works")),
    ];
    for change in signatures {
        let verdict = planted(|ledger, _, stream| {
            let attested = day(ledger, stream, &|_, _| ());
            let mut transaction = attested.transaction.transaction().clone();
            change(&mut transaction.signatures);
            ledger.replace_last(SignedTransaction::new(transaction).bytes().to_vec());
            attested
        });
        assert_refused(&verdict, "not_an_attestation");
    }

    // Another device speaks in this one's stream.
    let verdict = planted(|ledger, _, stream| {
        let thief = ledger.register("thief", "works", "north");
        let stream = MeterStream { meter: thief, ..stream.clone() };
        day(ledger, &stream, &|_, _| ())
    });
    assert_refused(&verdict, "stream_contradicts");
}

#[test]
fn a_fork_puts_what_follows_it_in_doubt_and_nothing_before() {
    let (mut ledger, _, stream, first) = attested();
    let seen = ledger.tip_ref();
    let second = ledger.attest(&stream, DAY, seen);
    let key = state_key::stream(&stream.id);
    let mut record: StreamRecord = ledger.read(&key).expect("the stream");
    record.forked_at = Some(1);
    ledger.put(key, &record);
    ledger.seal();
    assert_eq!(judge(&ledger, &ledger.bundle(&first)).outcome, Outcome::Valid);
    let verdict = judge(&ledger, &ledger.bundle(&second));
    assert_eq!(verdict.outcome, Outcome::Incomplete);
    assert_eq!(verdict.reasons, [Reason::StreamForked { at: 1 }]);
}

#[test]
fn what_this_program_is_too_old_to_know_is_not_passed_over() {
    let (mut ledger, meter, _, day) = attested();
    let mut key = state_key::device(&meter.id);
    key.push(7);
    ledger.put(state_key::ordinal(key, 0), &7_u64);
    ledger.seal();
    let before = Height::new(ledger.tip().get() - 1);
    let mut bundle = ledger.bundle_at(&day, before);
    assert_eq!(judge(&ledger, &bundle).outcome, Outcome::Valid);
    let parts = ledger.parts(&day, ledger.tip(), 4);
    let error = Bundle::assemble(ledger.state_at(ledger.tip()), parts.clone());
    assert_eq!(error, Err(AssembleError::Device(DeviceFileError::UnknownFacet { facet: 7 })));

    let state = ledger.state_at(ledger.tip());
    let prove = |query| state.prove(&query).expect("a proof");
    bundle.finality = parts.finality;
    bundle.block = parts.block;
    bundle.not_before = parts.not_before;
    bundle.device = prove(device_query(&meter.id));
    bundle.stream = prove(Query::key(&state_key::stream(&judge_stream(&bundle))));
    let verdict = judge(&ledger, &bundle);
    assert_eq!(verdict.reasons, [Reason::RecordUnknown { subject: Subject::Device(meter.id) }]);
    assert_eq!(verdict.outcome, Outcome::Incomplete);
}

fn judge_stream(bundle: &Bundle) -> StreamId {
    let transaction = SignedTransaction::from_bytes(bundle.transaction.clone()).expect("a transaction");
    let Call::Attest(attest) = &transaction.body().call else { panic!("an attestation") };
    attest.stream
}

#[test]
fn a_file_that_is_no_bundle_says_so() {
    let (ledger, _, _, day) = attested();
    let bytes = ledger.bundle(&day).encode();
    assert_eq!(Bundle::decode(&bytes), Ok(ledger.bundle(&day)));
    assert_eq!(Bundle::decode(b""), Err(BundleError::NotABundle));
    assert_eq!(Bundle::decode(b"%PDF-1.7"), Err(BundleError::NotABundle));
    let mut newer = bytes.clone();
    newer[12] = 3;
    assert_eq!(Bundle::decode(&newer), Err(BundleError::Version { found: 3 }));
    for length in 0..bytes.len() {
        let verdict = verify_bytes(&bytes[..length], &expecting(&ledger));
        assert_refused(&verdict, "not_a_bundle");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_refused(&verify_bytes(&longer, &expecting(&ledger)), "not_a_bundle");
}

#[test]
fn assembly_refuses_the_wrong_state_and_what_is_no_attestation() {
    let (mut ledger, _, stream, day) = attested();
    ledger.other_transaction();
    ledger.attest(&stream, b"another day", ledger.tip_ref());
    ledger.seal();
    let tip = ledger.tip();
    let parts = ledger.parts(&day, tip, 4);
    let before = Height::new(tip.get() - 1);
    let error = Bundle::assemble(ledger.state_at(before), parts.clone());
    assert_eq!(error, Err(AssembleError::WrongState { height: tip }));

    let mut body = day.transaction.body().clone();
    body.signer = Principal::Organization(organization("works"));
    let transaction = sign(body, &stream.meter);
    let id = transaction.id();
    let error = Bundle::assemble(ledger.state_at(tip), Parts { transaction, ..parts });
    assert_eq!(error, Err(AssembleError::NotAnAttestation { id }));
}
