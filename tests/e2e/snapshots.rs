//! A node joins in the middle of the ledger, another one forgets its beginning, and what was proven stays proven.
//!
//! `CAIRN_SNAPSHOT_BLOCKS` says how long the ledger is when the nodes join; with some thousands of blocks,
//! `snapshot_join_ratio` says what joining by a snapshot saves.

use std::cell::Cell;
use std::fs;
use std::process::Command;
use std::time::Instant;

use cairn_network::PeerKey;
use cairn_proofs::verdict::Outcome;
use cairn_rpc::views::Text;
use cairn_rpc::{Client, ClientError};
use cairn_tests::network::program;
use cairn_tests::stage::{Meter, Stage};
use cairn_tests::{Network, Node, calls};
use cairn_types::governance::Measure;
use cairn_types::{AttestationRef, Height, ValidatorSet};
use toml::{Table, Value};

mod liar;

use liar::Liar;

/// Heights between two snapshots in this story.
const INTERVAL: u64 = 40;

/// How long the ledger is when others join, if nobody says.
const BLOCKS: u64 = 100;

/// From how many blocks on joining by a snapshot must be the faster way: below, starting a process takes longer than either.
const RATIO_COUNTS_FROM: u64 = 2_000;

/// How many blocks the node that is pruned keeps.
const KEEP: u64 = 20;

const OLD: &[u8] = b"said before anybody joined";
const NEW: &[u8] = b"said after somebody joined";

/// The node that joins by a snapshot, and later votes; it may from the beginning.
const JOINER: usize = 4;
/// The node that joins by executing every block.
const REPLAYER: usize = 5;
/// The node whose place the liar takes.
const LIAR: usize = 6;

fn config(node: &Node) -> Table {
    let text = fs::read_to_string(node.directory.join("config.toml")).expect("its configuration is there");
    text.parse().expect("its configuration is TOML")
}

fn configure(node: &Node, change: impl FnOnce(&mut Table)) {
    let mut table = config(node);
    change(&mut table);
    fs::write(node.directory.join("config.toml"), table.to_string()).expect("its directory is writable");
}

fn section<'a>(table: &'a mut Table, name: &str) -> &'a mut Table {
    table.get_mut(name).and_then(Value::as_table_mut).expect("the section is there")
}

/// Where a node listens for others, and its network key.
fn address(node: &Node) -> (String, PeerKey) {
    let table = config(node);
    let listen = table["network"]["listen"][0].as_str().expect("an address").to_owned();
    let of_all = table["network"]["peers"].as_array().expect("a list").iter();
    let own = of_all.filter_map(Value::as_str).find(|peer| peer.starts_with(&format!("{listen}/"))).expect("its own");
    (listen, PeerKey::from_address(own).expect("an address names its peer"))
}

/// The addresses of nodes with their keys, as configurations name them.
fn addresses<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Vec<String> {
    let name = |node: &Node| {
        let (listen, key) = address(node);
        format!("{listen}/p2p/{}", key.peer_id())
    };
    nodes.into_iter().map(name).collect()
}

/// The story's network: four validators that make snapshots; a joiner that meets only the first of them and the liar.
fn network() -> Network {
    let network = Network::make(4, 2, &["--candidates", "1", "--heartbeat-ms", "1000"]);
    let nodes = &network.nodes;
    let (joiner, liar) = (addresses([&nodes[JOINER]]).remove(0), addresses([&nodes[LIAR]]).remove(0));
    let first = addresses([&nodes[0]]).remove(0);
    for (place, node) in nodes.iter().enumerate() {
        configure(node, |table| {
            let interval = i64::try_from(INTERVAL).expect("small");
            section(table, "storage").insert("snapshot_interval".to_owned(), interval.into());
            let peers = section(table, "network").get_mut("peers").and_then(Value::as_array_mut).expect("a list");
            match place {
                JOINER => peers.retain(|peer| [&joiner, &liar, &first].iter().any(|kept| peer.as_str() == Some(kept))),
                0 => {}
                _ => peers.retain(|peer| peer.as_str() != Some(&joiner)),
            }
            let mode = [(JOINER, "snapshot"), (REPLAYER, "replay")].into_iter().find(|(node, _)| *node == place);
            table.extend(mode.map(|(_, mode)| ("sync".to_owned(), mode.into())));
        });
    }
    network
}

/// The name of the error that a call ends with, and what it says of where blocks begin.
fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (String, Option<String>) {
    match answer {
        Err(ClientError::Refused(error)) => (error.data.name, error.data.fields.get("first").cloned()),
        other => panic!("it was to be refused: {other:?}"),
    }
}

/// Starts a node that has nothing; how many seconds it takes to reach `height`.
async fn time_to_join(node: &mut Node, height: u64) -> f64 {
    let began = Instant::now();
    node.start();
    node.wait_for_height(height).await;
    began.elapsed().as_secs_f64()
}

async fn first_height(client: &Client) -> u64 {
    client.chain_get_status().await.expect("it answers").value.first_height.0.get()
}

/// A node without the beginning of the ledger says so in words, and proves what it can.
async fn lacks_the_beginning(stage: &Stage, node: usize, old: &cairn_tests::stage::Said, place: AttestationRef) {
    let client = stage.network.nodes[node].client();
    let first = first_height(client).await;
    assert!(first > old.position.height.get(), "its blocks begin at {first}");
    let named = Some(first.to_string());
    let one = Some(Text(Height::new(1)));
    assert_eq!(refused(client.chain_get_block(one).await), ("BlockPruned".to_owned(), named.clone()));
    assert_eq!(refused(client.chain_get_certificate(one).await), ("BlockPruned".to_owned(), named.clone()));
    for error in [
        refused(client.audit_bundle(old.id.into(), None, None).await),
        refused(client.audit_bundle(place.into(), None, None).await),
        refused(client.tx_get(Text(old.id), None).await),
        refused(client.proof_get_transaction(Text(old.id), None).await),
    ] {
        assert!(["BlockPruned", "NotInKeptBlocks"].contains(&error.0.as_str()), "{error:?}");
        assert_eq!(error.1, named);
    }
    let content = Text(cairn_types::ContentHash::plain(OLD));
    let page = client.attestation_find_by_content(content, None, None, None).await.expect("it answers");
    assert_eq!((page.items.len(), page.kept_from.map(|from| from.0.get())), (0, Some(first)));
    let theirs = client.chain_get_header(one).await.expect("headers are kept");
    let ours = stage.network.nodes[0].client().chain_get_header(one).await.expect("it keeps all");
    assert_eq!(theirs.value, ours.value);
}

/// The set with one of them in the place of another.
fn replaced(set: &ValidatorSet, old: &Node, new: &Node) -> ValidatorSet {
    let (old, new) = (old.votes.expect("it votes"), new.votes.expect("it may vote"));
    let mut validators: Vec<_> = set.iter().cloned().collect();
    let seat = validators.iter_mut().find(|validator| validator.key == old.consensus).expect("it has a seat");
    (seat.key, seat.peer) = (new.consensus, new.peer);
    validators.sort_by_key(|validator| validator.key);
    ValidatorSet::new(validators).expect("a set with another member is one")
}

/// Attests through a node without a pause until told to stop; how often.
async fn load(stage: &Stage, meter: &mut Meter, is_over: &Cell<bool>) -> u64 {
    let node = &stage.network.nodes[1];
    while !is_over.get() {
        let content = meter.writing.sequence.to_le_bytes();
        let attested = meter.writing.attest(stage.chain(), &meter.device, node.tip().await, &content);
        node.finalize(&attested).await;
    }
    meter.writing.sequence
}

#[tokio::test]
async fn a_node_joins_by_a_snapshot_past_a_liar_and_votes_another_drops_old_blocks_and_all_bundles_hold() {
    let blocks = std::env::var("CAIRN_SNAPSHOT_BLOCKS").ok().and_then(|text| text.parse().ok()).unwrap_or(BLOCKS);
    let mut network = network();
    network.nodes[..4].iter_mut().for_each(Node::start);
    network.wait_for_height(1).await;
    let mut stage = Stage::on(network);
    let grant = stage.zone_grant(stage.works(), "plant").await;
    let mut meter = stage.meter(301, stage.works(), "plant", grant).await;
    let mut busy = stage.meter(302, stage.works(), "plant", grant).await;
    let long_ago = stage.node().tip().await;
    let old = stage.attest(&mut meter, OLD).await;
    let old_place = meter.place(0);
    let kept = stage.bundle(old.id).await;
    let mut clockwork = stage.clockwork().await;
    stage.run_to(&mut clockwork, blocks).await;

    // One joins by a snapshot, while a device attests and a liar offers the same snapshot; one executes every block.
    let (honest, chain) = (address(&stage.network.nodes[0]).1, stage.chain());
    let liar = Liar::in_place_of(&stage.network.nodes[LIAR], honest, &stage.network.nodes, chain).await;
    let target = stage.node().tip().await.height.get();
    let mut joiner = stage.network.nodes.remove(JOINER);
    let is_over = Cell::new(false);
    let (by_snapshot, attested) = tokio::join!(
        async {
            let took = time_to_join(&mut joiner, target).await;
            is_over.set(true);
            took
        },
        load(&stage, &mut busy, &is_over),
    );
    stage.network.nodes.insert(JOINER, joiner);
    println!("{attested} attestations while it joined");
    let by_replay = time_to_join(&mut stage.network.nodes[REPLAYER], target).await;
    let ratio = by_replay / by_snapshot;
    println!("{blocks} blocks: by snapshot {by_snapshot:.2} s, by replay {by_replay:.2} s");
    println!("figure snapshot_join_ratio {ratio:.2}");
    assert!(blocks < RATIO_COUNTS_FROM || ratio > 1.0, "a snapshot of {blocks} blocks saves nothing: {ratio:.2}");
    assert!(liar.leave().await > 0, "the liar was never asked");
    let log = fs::read_to_string(stage.network.nodes[JOINER].log()).expect("it logs");
    assert!(log.contains("a peer sent a false part of a snapshot"), "{log}");
    assert_eq!(first_height(stage.network.nodes[REPLAYER].client()).await, 1);

    // It says what it lacks, and proves what is new, even what was said after a block that it never had.
    lacks_the_beginning(&stage, JOINER, &old, old_place).await;
    stage.network.wait_for_height(stage.node().tip().await.height.get()).await;
    stage.ask(JOINER);
    let late = meter.writing.attest(stage.chain(), &meter.device, long_ago, NEW);
    let late = stage.finalize(&late).await;
    stage.valid("made by the one that joined", late, NEW).await;
    assert_eq!(stage.judge_file("kept from before", &kept, OLD).outcome, Outcome::Valid);

    // It gets a seat, and without its vote there would be no block.
    let set = stage.validators().await;
    let set = replaced(&set, &stage.network.nodes[3], &stage.network.nodes[JOINER]);
    let decided = stage.decide(calls::govern(Measure::ChangeValidators(set))).await;
    stage.network.nodes[3].kill();
    // From now on the others must reach it.
    for place in [1, 2] {
        let joiner = addresses([&stage.network.nodes[JOINER]]).remove(0);
        let node = &mut stage.network.nodes[place];
        node.stop();
        configure(node, |table| {
            let peers = section(table, "network").get_mut("peers").and_then(Value::as_array_mut).expect("a list");
            peers.push(joiner.into());
        });
        node.start();
        node.wait_for_state("validating").await;
    }
    stage.network.nodes[JOINER].wait_for_height(decided.position.height.get() + 1).await;
    stage.network.nodes[1].kill();
    let voted = stage.attest(&mut meter, b"needs the vote of the one that joined").await;
    stage.valid("decided with the one that joined", voted, b"needs the vote of the one that joined").await;
    stage.network.nodes[1].start();
    stage.network.nodes[1].wait_for_state("validating").await;

    // A validator drops its old blocks, comes back, and votes.
    stage.ask(0);
    stage.network.nodes[2].stop();
    let file = stage.network.nodes[2].directory.join("config.toml");
    let pruned = Command::new(program())
        .args(["node", "prune", "--json", "--keep", &KEEP.to_string(), "--config"])
        .arg(&file)
        .output()
        .expect("the program runs");
    assert!(pruned.status.success(), "{}", String::from_utf8_lossy(&pruned.stderr));
    for loses_index in [false, true] {
        if loses_index {
            stage.network.nodes[2].stop();
            let index = stage.network.nodes[2].directory.join("data/index-fjall");
            fs::remove_dir_all(index).expect("the index is there");
        }
        stage.network.nodes[2].start();
        stage.network.nodes[2].wait_for_state("validating").await;
        let height = stage.node().tip().await.height.get();
        stage.network.nodes[2].wait_for_height(height).await;
        lacks_the_beginning(&stage, 2, &old, old_place).await;
    }
    stage.network.wait_for_height(stage.node().tip().await.height.get()).await;
    stage.network.nodes[1].kill();
    let content: &[u8] = b"needs the vote of the one that was pruned";
    let voted = stage.attest(&mut meter, content).await;
    stage.network.wait_for_height(voted.position.height.get()).await;
    stage.ask(2);
    stage.valid("made by the one that was pruned", voted, content).await;

    // What was proven before holds, and who keeps all proves it again.
    assert_eq!(stage.judge_file("kept from before all that", &kept, OLD).outcome, Outcome::Valid);
    stage.ask(0);
    stage.valid("made now, of what was said first", old, OLD).await;
    stage.network.assert_one_chain().await;
    stage.close();
}
