//! Processes that are killed, and what is left.

use std::fs;
use std::time::{Duration, Instant};

use cairn_tests::Network;

use crate::fleet::Fleet;

/// How soon a node that returns must vote again.
const RETURN_MAX: Duration = Duration::from_secs(10);

/// How far behind it is when it returns.
const MISSED_BLOCKS: u64 = 500;

#[tokio::test]
async fn one_of_four_is_killed_blocks_go_on_and_it_catches_up_500_and_votes() {
    // Every fourth height begins with the turn of the one that is gone, which is passed over.
    let mut network = Network::start(4, 0, &["--step-timeout-ms", "100"]).await;
    let mut fleet = Fleet::on(&network, 21).await;
    network.nodes[3].kill();
    let before = network.nodes[0].height().await.expect("it answers");
    let mut tip = network.nodes[0].tip().await;
    while tip.height.get() < before + MISSED_BLOCKS {
        let content = tip.height.get().to_le_bytes();
        let attested = fleet.writing.attest(network.chain, &fleet.device, tip, &content);
        network.nodes[0].finalize(&attested).await;
        tip = network.nodes[0].tip().await;
    }
    let began = Instant::now();
    network.nodes[3].start();
    network.nodes[3].wait_for_height(tip.height.get()).await;
    network.nodes[3].wait_for_state("validating").await;
    let took = began.elapsed();
    println!("caught up {MISSED_BLOCKS} blocks and validates after {took:?}");
    assert!(took < RETURN_MAX, "it took {took:?}");
    // What the others have not got yet must not be lost with the one that is killed now.
    network.wait_for_height(network.nodes[0].tip().await.height.get()).await;
    // It votes: without it and with another one gone there would be no block.
    network.nodes[0].kill();
    let node = &network.nodes[1];
    let next = fleet.writing.attest(network.chain, &fleet.device, node.tip().await, b"needs its vote");
    node.finalize(&next).await;
    network.assert_one_chain().await;
}

#[tokio::test]
async fn all_four_are_killed_at_once_twenty_times_and_nothing_acknowledged_is_lost() {
    let mut network = Network::start(4, 0, &[]).await;
    let mut fleet = Fleet::on(&network, 31).await;
    let mut acknowledged = Vec::new();
    for round in 0..20u64 {
        let tip = network.nodes[0].tip().await;
        let mut pending = Vec::new();
        for part in 0..5u64 {
            let content = [round.to_le_bytes(), part.to_le_bytes()].concat();
            let attested = fleet.writing.attest(network.chain, &fleet.device, tip, &content);
            network.nodes[0].submit(&attested).await.expect("taken");
            pending.push(attested);
        }
        // Only what was acknowledged as final is promised; the rest may be lost with the crash.
        let known = usize::try_from(round % 5).expect("small");
        for transaction in &pending[..=known] {
            acknowledged.push((transaction.id(), network.nodes[0].wait_for(transaction).await));
        }
        network.kill_all();
        network.nodes.iter_mut().for_each(cairn_tests::Node::start);
        network.wait_for_height(acknowledged.last().expect("some").1).await;
        // Where the stream stands now decides where the device goes on.
        let lost = resume(&network, &mut fleet, &pending).await;
        println!("round {round}: {lost} of {} that were not acknowledged were lost", pending.len() - known - 1);
    }
    for (id, height) in &acknowledged {
        for node in &network.nodes {
            let receipt = node.client().tx_wait(cairn_rpc::views::Text(*id), Some(30_000)).await.expect("it is final");
            assert_eq!(receipt.value.position.height.0.get(), *height, "{} has moved on {}", id, node.name);
        }
    }
    network.assert_one_chain().await;
    for node in &network.nodes {
        let evidence = fs::read_to_string(node.directory.join("data/evidence")).unwrap_or_default();
        assert_eq!(evidence, "", "{} has evidence of a contradiction", node.name);
        let log = fs::read_to_string(node.log()).unwrap_or_default();
        assert!(!log.contains("contradicted itself"), "{} saw a contradiction", node.name);
    }
}

/// Finds how far the stream got, and lets the device go on from there; how many of its attestations were lost.
async fn resume(network: &Network, fleet: &mut Fleet, pending: &[cairn_tests::Signed]) -> usize {
    // A block that was under way may still become final: a heartbeat's block shows that the dust has settled.
    let height = network.nodes[0].height().await.expect("it answers");
    network.wait_for_height(height + 1).await;
    let stream = network.nodes[0].client().stream_get(cairn_rpc::views::Text(fleet.writing.stream), None).await;
    let view = serde_json::to_value(&stream.expect("the stream is there").value).expect("a view is JSON");
    let count: u64 = view["count"].as_str().and_then(|text| text.parse().ok()).expect("a count");
    let lost = usize::try_from(fleet.writing.sequence - count).expect("small");
    fleet.writing.sequence = count;
    fleet.writing.previous = match pending.len().checked_sub(lost + 1) {
        Some(last) => pending[last].id(),
        None => panic!("{lost} were lost, more than were pending"),
    };
    lost
}
