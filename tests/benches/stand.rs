//! A network to measure: made, filled, running.
//!
//! Its nodes begin with a copy of one block log. The first of them makes its index from it alone, which is measured; the
//! others get a copy of that index too. An observer with an empty directory waits to be started.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use cairn_tests::{Network, Node};
use cairn_types::BlockRef;

use crate::fill::{Filled, fill};
use crate::fleet::{Fleet, Kind, Offered};
use crate::probe::{self, Used};
use crate::progress::Progress;

/// How long anything may take that the size of a ledger decides.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How often a node is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What a network is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StandPlan {
    /// Nodes that vote.
    pub(crate) validators: u16,
    /// Devices with a stream each.
    pub(crate) devices: u64,
    /// Devices besides that are registered and say nothing.
    pub(crate) silent: u64,
    /// Attestations on the ledger before anything is measured.
    pub(crate) attestations: u64,
    /// Whether one of the validators is down.
    pub(crate) one_dead: bool,
}

/// What making the first node's index took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rebuild {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
}

/// See the module.
pub(crate) struct Stand {
    pub(crate) network: Network,
    pub(crate) fleet: Fleet,
    /// Transactions that the nodes began with.
    pub(crate) transactions: u64,
    /// Attestations among them.
    pub(crate) attestations: u64,
    pub(crate) rebuild: Rebuild,
    /// How many of the nodes run.
    voting: usize,
}

impl Stand {
    /// Makes, fills and starts it.
    pub(crate) async fn up(plan: StandPlan, engine: &str, progress: &Progress) -> Self {
        let mut network = Network::make(plan.validators, 1, &["--engine", engine]);
        let voting = usize::from(plan.validators);
        let ledger = network.directory().join("ledger");
        let devices = (plan.devices, plan.silent);
        let Filled { fleet, height, transactions } = fill(&network, &ledger, devices, plan.attestations, progress);

        let step = progress.step(&format!("the first node makes its index of {transactions} transactions"));
        for node in &network.nodes[..voting] {
            copy_log(&ledger, &node.directory.join("data"));
        }
        let first = &mut network.nodes[0];
        let began = Instant::now();
        first.start();
        wait_for_height(first, height).await;
        let rebuild = Rebuild { seconds: began.elapsed().as_secs_f64(), cpu_seconds: Used::by(first).cpu_seconds };
        first.stop();
        step.finish_and_clear();

        let step = progress.step("the nodes start");
        let index = format!("data/index-{engine}");
        let (first, others) = network.nodes.split_first_mut().expect("there is a validator");
        for node in &others[..voting - 1] {
            copy_all(&first.directory.join(&index), &node.directory.join(&index));
        }
        fs::remove_dir_all(&ledger).expect("it was made here");
        let running = if plan.one_dead { voting - 1 } else { voting };
        network.nodes[..running].iter_mut().for_each(Node::start);
        for node in &network.nodes[..running] {
            wait_for_height(node, height).await;
        }
        let attestations = plan.attestations;
        let mut stand = Self { network, fleet, transactions, attestations, rebuild, voting: running };
        // The nodes have met when something becomes final.
        let first = stand.sign(Kind::Attest, 1).await.pop().expect("one was asked for");
        stand.network.nodes[0].finalize(&first.signed).await;
        step.finish_and_clear();
        stand
    }

    /// The validators that run.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.network.nodes[..self.voting]
    }

    /// One of them, to stop and start it.
    pub(crate) fn last_node(&mut self) -> &mut Node {
        &mut self.network.nodes[self.voting - 1]
    }

    /// The node that has not started yet.
    pub(crate) fn observer(&mut self) -> &mut Node {
        self.network.nodes.last_mut().expect("an observer is made with each network")
    }

    pub(crate) async fn tip(&self) -> BlockRef {
        self.network.nodes[0].tip().await
    }

    /// The next transactions of the fleet.
    pub(crate) async fn sign(&mut self, kind: Kind, count: usize) -> Vec<Offered> {
        let tip = self.tip().await;
        self.fleet.sign(kind, count, tip)
    }
}

/// Waits until a node has a final block of this height, however large its ledger is.
pub(crate) async fn wait_for_height(node: &Node, height: u64) {
    let began = Instant::now();
    while node.height().await.is_none_or(|now| now < height) {
        let words = || node.last_words();
        assert!(probe::is_alive(node), "{} has ended:\n{}", node.name, words());
        assert!(began.elapsed() < PATIENCE, "{} does not reach height {height}:\n{}", node.name, words());
        tokio::time::sleep(LOOK).await;
    }
}

/// Copies a block log with what stands beside it. Segments that are full are never written again, so they are shared.
fn copy_log(from: &Path, to: &Path) {
    let mut segments: Vec<_> = files(&from.join("blocks")).collect();
    segments.sort();
    // Nobody else may read it, or a node refuses it.
    DirBuilder::new().recursive(true).mode(0o700).create(to.join("blocks")).expect("the disk takes it");
    for path in files(from) {
        fs::copy(&path, to.join(path.file_name().expect("a file has a name"))).expect("the disk takes it");
    }
    let last = segments.pop();
    for path in &segments {
        fs::hard_link(path, to.join("blocks").join(path.file_name().expect("a file has a name"))).expect("one disk");
    }
    if let Some(path) = last {
        fs::copy(&path, to.join("blocks").join(path.file_name().expect("a file has a name"))).expect("there is room");
    }
}

fn files(directory: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(directory).expect("it is there").map(|entry| entry.expect("it can be read").path());
    entries.filter(|path| path.is_file())
}

fn copy_all(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.expect("cp is everywhere").success(), "{} could not be copied", from.display());
}
