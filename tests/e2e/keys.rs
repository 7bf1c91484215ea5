//! One consensus key in two lives: a validator that is restored from a backup, and two nodes with one key.

use std::fs;
use std::path::Path;
use std::time::Instant;

use cairn_tests::network::{PATIENCE, program};
use cairn_tests::{Network, Node};

use crate::fleet::Fleet;

/// Heights that go by between the backup and its return.
const AFTER_BACKUP: u64 = 6;

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status().expect("cp is everywhere");
    assert!(copied.success(), "{} could not be copied", from.display());
}

fn restore(backup: &Path, to: &Path) {
    if to.is_dir() {
        fs::remove_dir_all(to).expect("it is there");
    }
    copy(backup, to);
}

/// What a node wrote about its own key.
fn foreign_signatures(node: &Node) -> usize {
    let evidence = fs::read_to_string(node.directory.join("data/evidence")).unwrap_or_default();
    evidence.lines().filter(|line| line.starts_with("foreign-signature ")).count()
}

/// What `cairn doctor` finds at a node: a verdict for each check that it makes.
fn doctor(node: &Node, options: &[&str]) -> Vec<(String, String, String)> {
    let output = std::process::Command::new(program())
        .args(["doctor", "--json", "--config"])
        .arg(node.config())
        .args(options)
        .output()
        .expect("the program runs");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = found["findings"].as_array().expect("a list").iter();
    findings.map(|finding| (text(&finding["check"]), text(&finding["verdict"]), text(&finding["found"]))).collect()
}

fn assert_all_is_well(node: &Node, options: &[&str]) {
    let findings = doctor(node, options);
    // How much room this machine has is not the matter here.
    let ill = findings.iter().find(|(check, verdict, _)| verdict != "ok" && check != "disk");
    assert!(ill.is_none(), "{}: {findings:#?}", node.name);
    assert!(findings.iter().any(|(check, ..)| check == "chain"), "{}: {findings:#?}", node.name);
}

fn assert_nobody_contradicted_himself(network: &Network) {
    for node in &network.nodes {
        let log = fs::read_to_string(node.log()).unwrap_or_default();
        assert!(!log.contains("contradicted itself"), "{} saw a contradiction", node.name);
    }
}

#[tokio::test]
async fn a_validator_that_is_restored_from_a_backup_says_so_and_signs_nothing() {
    let mut network = Network::start(4, 0, &["--heartbeat-ms", "300", "--step-timeout-ms", "200"]).await;
    network.wait_for_height(3).await;
    let data = network.nodes[3].directory.join("data");
    let backup = network.directory().join("backup");
    network.nodes[3].stop();
    copy(&data, &backup);
    network.nodes[3].start();
    // With one of four gone, no block is decided without the signature of this one.
    network.nodes[0].kill();
    let height = network.nodes[1].height().await.expect("it answers");
    network.wait_for_height(height + AFTER_BACKUP).await;
    network.nodes[3].stop();
    network.nodes[0].start();
    network.wait_for_height(height + AFTER_BACKUP).await;

    // The sign state alone: the block log beside it knows better.
    let newer = network.directory().join("newer");
    copy(&data, &newer);
    restore(&backup.join("sign-state"), &data.join("sign-state"));
    let findings = doctor(&network.nodes[3], &[]);
    let is_named = |(check, verdict, found): &(String, String, String)| {
        check == "sign state" && verdict == "broken" && found.contains("the block log holds a signature")
    };
    assert!(findings.iter().any(is_named), "{findings:#?}");
    network.nodes[3].start();
    assert!(!network.nodes[3].wait_for_end().await.success());
    let words = network.nodes[3].last_words();
    for part in ["the block log holds a signature", "older copy", "signs nothing", "cairn council validators"] {
        assert!(words.contains(part), "{words}");
    }

    // The whole directory: it fits together, and what the others have does not fit to it.
    restore(&backup, &data);
    network.nodes[3].start();
    assert!(!network.nodes[3].wait_for_end().await.success());
    let words = network.nodes[3].last_words();
    assert!(words.contains("a certificate holds a signature"), "{words}");
    assert_eq!(foreign_signatures(&network.nodes[3]), 1, "the evidence is kept");
    network.nodes[3].start();
    assert!(!network.nodes[3].wait_for_end().await.success());
    let words = network.nodes[3].last_words();
    assert!(words.contains("when this node last ran"), "{words}");
    assert_nobody_contradicted_himself(&network);

    // Without its consensus key it follows; with the directory that it really had, it votes.
    let config = network.nodes[3].directory.join("config.toml");
    let voting = fs::read_to_string(&config).expect("its configuration");
    fs::write(&config, voting.replace("consensus = \"consensus.pem\"\n", "")).expect("writes");
    network.nodes[3].start();
    network.nodes[3].wait_for_state("following").await;
    network.nodes[3].stop();
    fs::write(&config, voting).expect("writes");
    restore(&newer, &data);
    network.nodes[3].start();
    network.nodes[3].wait_for_state("validating").await;
    network.assert_one_chain().await;
    network.nodes.iter().for_each(|node| assert_all_is_well(node, &[]));
    network.nodes[3].stop();
    assert_all_is_well(&network.nodes[3], &["--deep", "--ask", &network.nodes[0].rpc]);
    assert_nobody_contradicted_himself(&network);
}

#[tokio::test]
async fn of_two_nodes_with_one_key_one_stops_and_nothing_is_decided_twice() {
    let mut network = Network::start(4, 0, &["--heartbeat-ms", "300", "--step-timeout-ms", "200"]).await;
    let mut fleet = Fleet::on(&network, 61).await;
    network.nodes[3].stop();
    let mut twin = network.nodes[3].copied("twin", 50);
    network.nodes[3].start();
    twin.start();
    let began = Instant::now();
    let mut part = 0u64;
    while network.nodes[3].ended().is_none() && twin.ended().is_none() {
        let words = || format!("{}\n\n{}", network.nodes[3].last_words(), twin.last_words());
        assert!(began.elapsed() < PATIENCE, "both go on after {part} blocks:\n{}", words());
        let node = &network.nodes[0];
        let attested = fleet.writing.attest(network.chain, &fleet.device, node.tip().await, &part.to_le_bytes());
        node.finalize(&attested).await;
        part += 1;
    }
    let stopped: Vec<&Node> = [&network.nodes[3], &twin].into_iter().filter(|node| !node.is_running()).collect();
    for node in stopped {
        assert!(node.last_words().contains("holds a signature of this node's consensus key"), "{}", node.last_words());
        assert!(foreign_signatures(node) >= 1, "{} keeps no evidence", node.name);
    }
    let height = network.nodes[0].height().await.expect("it answers");
    network.nodes[0].wait_for_height(height + 3).await;
    network.assert_one_chain().await;
}
