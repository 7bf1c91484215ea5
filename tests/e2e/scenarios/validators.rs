//! Those who decide are replaced, all of them, and whoever knows the first block believes the last.

use std::cell::Cell;

use cairn_proofs::lookup::{self, Answer, LookupExpectations, Question};
use cairn_proofs::verdict::{Outcome, Verdict};
use cairn_rpc::views::Text;
use cairn_tests::network::VotingKeys;
use cairn_tests::stage::{Meter, Said, Stage};
use cairn_tests::{Network, Node, calls};
use cairn_types::governance::Measure;
use cairn_types::{Position, ValidatorSet};
use serde_json::json;

/// How many there are, and as many who take their places.
const SEATS: usize = 4;

const FIRST: &[u8] = b"said under the first validators";

fn votes(node: &Node) -> VotingKeys {
    node.votes.expect("it may vote")
}

/// The set with one of them in the place of another.
fn replaced(set: &ValidatorSet, old: &Node, new: &Node) -> ValidatorSet {
    let (old, new) = (votes(old), votes(new));
    let mut validators: Vec<_> = set.iter().cloned().collect();
    let seat = validators.iter_mut().find(|validator| validator.key == old.consensus).expect("it has a seat");
    (seat.key, seat.peer) = (new.consensus, new.peer);
    validators.sort_by_key(|validator| validator.key);
    ValidatorSet::new(validators).expect("a set with another member is one")
}

/// How often the validators had changed before the checkpoint.
fn changes(verdict: &Verdict) -> usize {
    verdict.finality.as_ref().expect("reached").changes
}

/// Attests without a pause until told to stop.
async fn load(stage: &Stage, node: &Node, meter: &mut Meter, is_over: &Cell<bool>) -> u64 {
    while !is_over.get() {
        let content = meter.writing.sequence.to_le_bytes();
        let attested = meter.writing.attest(stage.chain(), &meter.device, node.tip().await, &content);
        node.finalize(&attested).await;
    }
    meter.writing.sequence
}

#[tokio::test]
async fn scenario_all_four_validators_are_replaced_under_load_and_a_light_client_with_the_genesis_hash_verifies() {
    let candidates = SEATS.to_string();
    let mut stage = Stage::on(Network::start(4, 0, &["--candidates", &candidates]).await);
    let grant = stage.zone_grant(stage.works(), "plant").await;
    let mut meter = stage.meter(101, stage.works(), "plant", grant).await;
    let mut busy = Vec::new();
    for seed in 102..106 {
        busy.push(stage.meter(seed, stage.works(), "plant", grant).await);
    }
    let mut busy: [Meter; SEATS] = busy.try_into().unwrap_or_else(|_| panic!("as many as seats"));
    let first = stage.attest(&mut meter, FIRST).await;
    let saved = stage.bundle(first.id).await;
    assert_eq!(changes(&stage.valid("before any change", first, FIRST).await), 0);

    // Who was removed knows nothing new, so from now on one of those who come is asked.
    stage.ask(SEATS);
    // One after the other, while devices attest all the time through those who come.
    let is_over = Cell::new(false);
    let [first_new, second_new, third_new, fourth_new] = &stage.network.nodes[SEATS..] else {
        panic!("four candidates")
    };
    let [a, b, c, d] = &mut busy;
    let mut kept = Vec::new();
    let change = async {
        let mut set = stage.validators().await;
        for seat in 0..SEATS {
            set = replaced(&set, &stage.network.nodes[seat], &stage.network.nodes[SEATS + seat]);
            let decided = stage.decide(calls::govern(Measure::ChangeValidators(set.clone()))).await;
            let effective = decided.position.height.get() + 2;
            // Those who are removed follow no more; those who come, do.
            for node in &stage.network.nodes[seat + 1..] {
                node.wait_for_height(effective).await;
            }
            assert_eq!(stage.validators().await, set, "seat {seat}");
            // A bundle that is made now must hold for as long as anybody keeps it.
            let content = format!("after change {seat}").into_bytes();
            let said = stage.attest(&mut meter, &content).await;
            kept.push((said, content, stage.bundle(said.id).await));
        }
        is_over.set(true);
        set
    };
    let (set, a, b, c, d) = tokio::join!(
        change,
        load(&stage, first_new, a, &is_over),
        load(&stage, second_new, b, &is_over),
        load(&stage, third_new, c, &is_over),
        load(&stage, fourth_new, d, &is_over),
    );
    let attested = a + b + c + d;
    println!("{attested} attestations while the validators changed");
    assert!(attested >= 4 * u64::try_from(SEATS).expect("small"), "{attested} attestations are no load");

    // Those who decided at first are gone, and blocks go on.
    let old: Vec<[u8; 32]> = stage.network.nodes[..SEATS].iter().map(|node| votes(node).consensus).collect();
    stage.network.nodes[..SEATS].iter_mut().for_each(Node::kill);
    let last = stage.attest(&mut meter, b"said under the last validators").await;
    let more = stage.attest(&mut busy[0], b"and more").await;
    assert!(more.position > last.position);

    let height = light_client(&stage, &set, &old).await;
    assert!(height >= more.position, "{height} is before {}", more.position);
    stage.valid("said under the last validators", last, b"said under the last validators").await;
    assert_eq!(changes(&stage.valid("made now, of what was said before the first change", first, FIRST).await), SEATS);
    assert_eq!(stage.judge_file("kept from before the changes", &saved, FIRST).outcome, Outcome::Valid);
    for (seat, (said, content, bundle)) in kept.iter().enumerate() {
        let verdict = stage.judge_file(&format!("kept from after change {seat}"), bundle, content);
        assert_eq!((verdict.outcome, changes(&verdict)), (Outcome::Valid, seat + 1));
        let said: Said = *said;
        assert_eq!(changes(&stage.valid("the same, made now", said, content).await), SEATS);
    }
    stage.network.assert_one_chain().await;
    stage.close();
}

/// Knows the genesis hash and nothing else, and believes the newest checkpoint; where that stands.
async fn light_client(stage: &Stage, set: &ValidatorSet, old: &[[u8; 32]]) -> Position {
    let file = stage.node().client().proof_get_checkpoint(None).await.expect("the node answers").value.proof.0;
    assert_eq!(stage.read_lookup(&file, Question::Checkpoint), Answer::Checkpoint);
    let verdict = lookup::verify_bytes(&file, &LookupExpectations::of(stage.chain()));
    let finality = verdict.finality.expect("reached");
    assert_eq!((finality.changes, finality.validators), (SEATS, SEATS));
    // None of those who signed it was there at the beginning.
    assert!(finality.signers.len() > 2 * SEATS / 3);
    for signer in &finality.signers {
        let key = set.get(signer.validator).expect("it has a seat").key;
        assert!(!old.contains(&key));
    }
    // The same file with one change left out leads nowhere.
    let mut shortened = lookup::Lookup::decode(&file).expect("it is one");
    shortened.certified.changes.remove(1);
    let refuted = lookup::verify(&shortened, &LookupExpectations::of(stage.chain()));
    assert_eq!(refuted.outcome, Outcome::Invalid);

    let (status, told) = stage.command(&["audit", "checkpoint"]);
    assert_eq!((status, &told["outcome"]), (0, &json!("VALID")), "{told}");
    assert_eq!(told["finality"]["changes"], json!(SEATS), "{told}");
    let sets = stage.node().client().chain_get_validators(None).await;
    let view = sets.expect("the node answers").value;
    assert_eq!((view.validators.root, usize::try_from(view.changes).expect("small")), (Text(set.root()), SEATS));
    Position::start_of(finality.checkpoint.height.next().expect("a test's heights are few"))
}
