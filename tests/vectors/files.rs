//! Whole files, from a network in this process: a bundle, and lookups. What is committed must verify, whatever such a
//! network would make today.

use cairn_proofs::lookup::{self, LookupExpectations, Question};
use cairn_proofs::verdict::{self, Expectations};
use cairn_tests::actor::{Writing, device, grant_attest, place, register, zone};
use cairn_tests::chain_builder::Chain;
use cairn_types::{DeviceId, GrantId};
use serde_json::{Value, json};

use crate::Vector;
use crate::readable::Readable;
use crate::samples::word;

const DAY: &[u8] = b"time,flow\n00:00,1.2\n00:15,1.3\n";

/// A vector, as it was read.
type Kept = serde_json::Map<String, Value>;

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
    let mut vectors = vec![vec![
        ("name", json!("bundle of an attestation")),
        ("type", json!("Bundle")),
        ("genesis", genesis.readable()),
        ("content", json!(hex::encode(DAY))),
        ("outcome", json!("VALID")),
        ("file", json!(hex::encode(chain.bundle(&id, None).encode()))),
    ]];
    for (name, question, entries) in [
        ("lookup of the checkpoint", Question::Checkpoint, vec![]),
        ("lookup of a device", Question::Device(meter.device()), vec![6]),
        ("lookup of a device that is not registered", Question::Device(DeviceId::from_hash(word("nobody"))), vec![0]),
        ("lookup of all grants over a device", Question::DeviceGrants(meter.device()), vec![6, 1, 0, 0, 0, 1, 0, 1]),
    ] {
        vectors.push(vec![
            ("name", json!(name)),
            ("type", json!("Lookup")),
            ("genesis", genesis.readable()),
            ("question", question.readable()),
            ("outcome", json!("VALID")),
            ("entries", json!(entries)),
            ("file", json!(hex::encode(chain.lookup(question).encode()))),
        ]);
    }
    vectors
}

/// Judges each file as an auditor does.
pub(crate) fn judge(vectors: &[Kept]) {
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let text = |member: &str| vector.get(member).and_then(Value::as_str).expect("the member is text");
        let bytes = |member: &str| hex::decode(text(member)).expect("the member is hexadecimal");
        let (name, genesis, file) = (text("name"), text("genesis").parse().expect("a hash"), bytes("file"));
        let outcome = if text("type") == "Bundle" {
            let verdict = verdict::verify_bytes(&file, &Expectations::of(genesis).with_content(&bytes("content")));
            println!("{name}\n{verdict}");
            verdict.outcome
        } else {
            let question = text("question").parse().expect("a question");
            let verdict = lookup::verify_bytes(&file, &LookupExpectations::of(genesis).with_question(question));
            assert_eq!(verdict.reasons, [], "{name}");
            let entries: Vec<usize> = verdict.entries.iter().map(Vec::len).collect();
            assert_eq!(vector.get("entries"), Some(&json!(entries)), "{name}");
            verdict.outcome
        };
        assert_eq!(outcome.name(), text("outcome"), "{name}");
    }
}
