//! The checker on real processes that really forget: every node is put back to an older copy of its data directory, which no
//! crash could do. What was acknowledged since is gone, and the checker must say so.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cairn_tests::{Network, Node};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::interval;

use crate::checker::{Anomaly, check};
use crate::clients::{self, Target};

/// How often the client asks.
const PACE: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_forgets_what_it_acknowledged_is_caught() {
    let _alone = crate::ALONE.lock().await;
    let mut network = Network::start(4, 0, &[]).await;
    let (mut writers, not_before) = clients::prepare(&network, 1).await;
    let target = Target::of(&network, crate::validators(&network), network.nodes.len());
    let before = network.nodes[0].tip().await.height.get();
    network.kill_all();
    for node in &network.nodes {
        copy(&node.directory.join("data"), &node.directory.join("older"));
    }
    network.nodes.iter_mut().for_each(Node::start);
    network.wait_for_height(before).await;
    let writer = writers.first_mut().expect("one was prepared");
    let attested = writer.writing.attest(network.chain, &writer.device, not_before, b"acknowledged");
    let id = attested.id();
    let mut dice = StdRng::seed_from_u64(1);
    target.finalize(vec![attested], &mut interval(PACE), &mut dice).await;
    for node in 0..target.present() {
        network.nodes[node].wait_for_height(target.highest()).await;
        target.ask_tip(node).await.expect("a running node answers");
    }

    network.kill_all();
    for node in &network.nodes {
        let data = node.directory.join("data");
        std::fs::remove_dir_all(&data).expect("nobody has it open");
        copy(&node.directory.join("older"), &data);
    }
    network.nodes.iter_mut().for_each(Node::start);
    network.wait_for_height(before).await;
    for node in 0..target.present() {
        target.ask_transaction(node, id).await.expect("a running node answers");
    }
    let anomalies = check(&target.recorder.take());
    let lost = |node: usize| {
        anomalies
            .iter()
            .any(|anomaly| matches!(anomaly, Anomaly::Lost { id: lost, node: at, .. } if *lost == id && *at == node))
    };
    assert!((0..target.present()).all(lost), "every node has lost it: {anomalies:#?}");
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp is everywhere");
    assert!(copied.success(), "{} cannot be copied", from.display());
}
