//! Disks that rot under a stopped validator: it mends itself from its peers, and votes again.

use std::fs;
use std::path::{Path, PathBuf};

use cairn_tests::Network;

use crate::fleet::Fleet;

/// Blocks before the disk rots.
const BLOCKS: u64 = 30;

fn segment(data: &Path) -> PathBuf {
    data.join("blocks/00000000000000000001.blocks")
}

#[tokio::test]
async fn a_validator_whose_blocks_and_log_rot_fetches_them_again_and_votes() {
    let mut network = Network::start(4, 0, &["--step-timeout-ms", "100"]).await;
    let mut fleet = Fleet::on(&network, 41).await;
    while network.nodes[0].height().await.expect("it answers") < BLOCKS {
        let tip = network.nodes[0].tip().await;
        let attested = fleet.writing.attest(network.chain, &fleet.device, tip, &tip.height.get().to_le_bytes());
        network.nodes[0].finalize(&attested).await;
    }
    let tip = network.nodes[0].tip().await.height.get();
    network.wait_for_height(tip).await;
    network.nodes[3].kill();
    let data = network.nodes[3].directory.join("data");
    let mut bytes = fs::read(segment(&data)).expect("the log is there");
    let whole = bytes.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(segment(&data), &bytes).expect("it can be damaged");
    // Of the write-ahead log everything behind its preamble.
    let mut wal = fs::read(data.join("consensus.wal")).expect("it is there");
    wal.iter_mut().skip(1_024).step_by(50).for_each(|byte| *byte ^= 1);
    fs::write(data.join("consensus.wal"), wal).expect("it can be damaged");

    network.nodes[3].start();
    network.nodes[3].wait_for_height(tip).await;
    network.nodes[3].wait_for_state("validating").await;
    let log = fs::read_to_string(network.nodes[3].log()).expect("it logs");
    assert!(log.contains("the block log is cut before its damage"), "{log}");
    // What it signed before the damage it leaves to the others; from the next height on it votes: without it and with
    // another one gone there would be no block.
    for content in ["it may be silent", "and then it votes"] {
        let next = fleet.writing.attest(network.chain, &fleet.device, network.nodes[1].tip().await, content.as_bytes());
        network.nodes[1].finalize(&next).await;
        let reached = network.nodes[1].tip().await.height.get();
        network.wait_for_height(reached).await;
    }
    network.nodes[0].kill();
    let needed = fleet.writing.attest(network.chain, &fleet.device, network.nodes[1].tip().await, b"needs its vote");
    network.nodes[1].finalize(&needed).await;
    network.assert_one_chain().await;
    assert!(!data.join("blocks/quarantine").exists(), "all of it was fetched again");
    let again = fs::read(segment(&data)).expect("the log is there");
    assert!(again.len() >= whole.len() && again[..middle] == whole[..middle], "what was whole was kept");
    network.nodes[3].kill();
    for node in &network.nodes {
        let evidence = fs::read_to_string(node.directory.join("data/evidence")).unwrap_or_default();
        assert_eq!(evidence, "", "{} has evidence of a contradiction", node.name);
    }
}
