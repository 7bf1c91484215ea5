//! A disk that is nearly full: the node refuses what is submitted to it, says so, and goes on; with room again it takes it.
//!
//! The room is that of a file system which nobody else writes to, if the machine has one: memory (`/dev/shm`), or the
//! directory for temporary files. The mark is set a little below what is free, and a filler file does the rest.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cairn_rpc::views::WarningName;
use cairn_tests::{Network, Node};

use crate::clients;

/// Bytes in a MiB.
const MIB: u64 = 1024 * 1024;

/// The mark lies so far below what is free at first, in MiB: the node must not write as much, and more than the room that it
/// wants before it returns.
const ABOVE_MARK_MIB: u64 = 112;

/// How much the filler takes, in MiB.
const FILLER_MIB: u64 = 160;

/// What the place must have free, in MiB.
const PLACE_MIB: u64 = 400;

/// How soon a node notices: it measures once a second.
const PATIENCE: Duration = Duration::from_secs(30);

fn free_mib(place: &Path) -> Option<u64> {
    let told = Command::new("df").args(["--output=avail", "--block-size=1M"]).arg(place).output().ok()?;
    String::from_utf8_lossy(&told.stdout).lines().nth(1)?.trim().parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_disk_is_nearly_full_takes_nothing_says_so_and_returns() {
    let _alone = crate::ALONE.lock().await;
    let places = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
    let place = places.into_iter().find(|place| free_mib(place).is_some_and(|free| free > PLACE_MIB));
    let place = place.expect("somewhere there is room for a test");
    let directory = tempfile::tempdir_in(&place).expect("a temporary directory can be made");
    let mut network = Network::make(4, 0, &["--heartbeat-ms", "1000"]);
    let mark_mib = free_mib(&place).expect("it was told before") - ABOVE_MARK_MIB;
    set_disk(&network.nodes[0], directory.path(), mark_mib);
    network.nodes.iter_mut().for_each(Node::start);
    network.wait_for_height(1).await;
    let (mut writers, tip) = clients::prepare(&network, 1).await;
    let writer = writers.first_mut().expect("one was prepared");
    let [low, other, ..] = network.nodes.as_slice() else { panic!("there are four nodes") };

    let filler = directory.path().join("filler");
    fill(&filler);
    until(low, "warns", async || warns(low).await).await;
    let attested = writer.writing.attest(network.chain, &writer.device, tip, b"one");
    assert_eq!(low.submit(&attested).await, Err("Busy".to_owned()), "there is no room");
    // It has a vote as before, and learns what others took.
    let height = other.finalize(&attested).await;
    low.wait_for_height(height + 1).await;
    low.wait_for_state("validating").await;
    assert!(warns(low).await, "nothing has changed");

    fs::remove_file(&filler).expect("it was made");
    until(low, "returns", async || !warns(low).await).await;
    let attested = writer.writing.attest(network.chain, &writer.device, tip, b"two");
    low.finalize(&attested).await;
    let log = fs::read_to_string(low.log()).expect("it writes a log");
    for words in ["the disk is nearly full", "there is room on the disk again"] {
        assert_eq!(log.matches(words).count(), 1, "the log says once: {words}");
    }
    network.assert_one_chain().await;
}

/// Puts a node's data on another disk, and sets its mark.
fn set_disk(node: &Node, directory: &Path, mark_mib: u64) {
    let mut config: toml::Table = fs::read_to_string(node.config()).expect("it was made").parse().expect("it is TOML");
    let data = directory.join("data").to_string_lossy().into_owned();
    config.insert("data".to_owned(), data.into());
    let mark = i64::try_from(mark_mib).expect("disks are smaller than that");
    config["storage"].as_table_mut().expect("it is a section").insert("low_water_mib".to_owned(), mark.into());
    fs::write(node.config(), config.to_string()).expect("it can be written again");
}

/// Writes a file of zeros, every one of them.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("there is room for it");
    let zeros = vec![0; usize::try_from(MIB).expect("a MiB fits")];
    for _ in 0..FILLER_MIB {
        file.write_all(&zeros).expect("there is room for it");
    }
    file.sync_all().expect("there is room for it");
}

async fn warns(node: &Node) -> bool {
    let health = node.client().node_get_health().await.expect("a running node answers");
    health.value.warnings.iter().any(|warning| warning.name == WarningName::DiskNearlyFull)
}

async fn until(node: &Node, what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{}: it takes too long until it {what}", node.name);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
