//! Whole files, from a network in this process: a bundle, and lookups. Each verifies.

use cairn_proofs::lookup::{self, LookupExpectations, Question};
use cairn_proofs::verdict::{self, Expectations, Outcome};
use cairn_tests::actor::{Writing, device, grant_attest, place, register, zone};
use cairn_tests::chain_builder::Chain;
use cairn_types::{DeviceId, GrantId};
use serde_json::json;

use crate::Vector;
use crate::readable::Readable;
use crate::samples::word;

const DAY: &[u8] = b"time,flow\n00:00,1.2\n00:15,1.3\n";

/// All of them.
pub(crate) fn all() -> Vec<Vector> {
    const SEED: u64 = 1;
    let mut chain = Chain::new(SEED);
    let works = chain.organization(0).clone();
    let meter = device(SEED);
    chain.submit(&works, register(SEED, works.organization(), zone(works.organization(), "north")), &[&meter]);
    let grant = chain.submit(&works, grant_attest(zone(works.organization(), "north")), &[]);
    chain.submit(&works, place(meter.device(), zone(works.organization(), "north/pump")), &[]);
    let (opened, mut stream) = Writing::open(chain.id(), &meter, chain.tip(), "flow", GrantId::of(&grant));
    chain.block(vec![opened]);
    let seen = chain.tip();
    let attested = stream.attest(chain.id(), &meter, seen, DAY);
    let id = attested.id();
    chain.block(vec![attested]);
    chain.idle(2);

    let genesis = chain.id();
    let bundle = chain.bundle(&id, None).encode();
    let judged = verdict::verify_bytes(&bundle, &Expectations::of(genesis).with_content(DAY));
    assert_eq!(judged.outcome, Outcome::Valid, "{judged}");
    let mut vectors = vec![vec![
        ("name", json!("bundle of an attestation")),
        ("type", json!("Bundle")),
        ("genesis", genesis.readable()),
        ("content", json!(hex::encode(DAY))),
        ("outcome", json!(judged.outcome.name())),
        ("file", json!(hex::encode(bundle))),
    ]];
    for (name, question) in [
        ("lookup of the checkpoint", Question::Checkpoint),
        ("lookup of a device", Question::Device(meter.device())),
        ("lookup of a device that is not registered", Question::Device(DeviceId::from_hash(word("nobody")))),
        ("lookup of all grants over a device", Question::DeviceGrants(meter.device())),
    ] {
        let file = chain.lookup(question.clone()).encode();
        let judged = lookup::verify_bytes(&file, &LookupExpectations::of(genesis).with_question(question.clone()));
        assert_eq!((judged.outcome, &judged.reasons), (Outcome::Valid, &vec![]), "{name}");
        let entries = judged.entries.iter().map(|answer| json!(answer.len())).collect::<Vec<_>>();
        vectors.push(vec![
            ("name", json!(name)),
            ("type", json!("Lookup")),
            ("genesis", genesis.readable()),
            ("question", question.readable()),
            ("outcome", json!(judged.outcome.name())),
            ("entries", json!(entries)),
            ("file", json!(hex::encode(file))),
        ]);
    }
    vectors
}
