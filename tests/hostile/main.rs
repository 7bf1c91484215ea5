//! Hostile peers and hostile clients against a network of real nodes that has honest work to do.
//!
//! ```text
//! load ── attestations at a fixed rate ──► four validators ◄── peers: processes that speak the wire and keep no rule
//!                                                          ◄── probes, floods: clients of JSON-RPC, by hand
//! ```
//!
//! First the load alone, then the same load under one attack after the other, in one run. What is final in each phase is
//! compared with the undisturbed phase of as many validators: the byzantine validator is killed before its keys attack, for
//! two nodes with one key would be another story. Everybody shares this machine's cores, so the attackers run at the lowest
//! priority and send what was made before: what is measured is the defence.
//!
//! `CAIRN_HOSTILE_SECONDS` is how long each attack lasts; 1 by default.

mod floods;
mod http;
mod load;
mod peers;
mod probes;
mod watch;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cairn_tests::{Network, Node};

use floods::{Flood, Ready};
use load::{Fleet, Load};
use peers::{Arsenal, Identity, Peer};

/// Nodes that vote.
const VALIDATORS: usize = 4;
/// Nodes that are listed as observers. The first runs and is never attacked: what its memory grows by is the ledger's. The
/// others never run, and attackers have their keys.
const OBSERVERS: u16 = 10;
/// What must remain of the honest throughput.
const THROUGHPUT_RATIO_MIN: f64 = 0.5;
/// What an attacked node may grow by, in MB, beside its ledger.
const MEMORY_GROWTH_MAX_MB: f64 = 64.0;
/// An attack lasts this long and ends this much earlier, so that what it left behind is measured in its phase.
const MARGIN: f64 = 0.1;

/// One run.
struct Siege {
    network: Network,
    running: usize,
    seconds: f64,
    attacks: usize,
    failures: Vec<String>,
    /// Final transactions a second, and memory of each node and of the observer, when nobody attacks.
    undisturbed: f64,
    memory: Vec<f64>,
    worst_ratio: f64,
    most_growth: f64,
}

impl Siege {
    fn nodes(&self) -> Vec<&Node> {
        self.network.nodes.iter().take(self.running).collect()
    }

    /// Lets the load run while `attack` is at work; final transactions a second, and the most memory of each node.
    async fn phase(&self, seconds: f64, attack: impl AsyncFnOnce()) -> (f64, Vec<f64>) {
        let nodes = self.nodes();
        let watched = nodes.iter().copied().chain([&self.network.nodes[VALIDATORS]]);
        let pids: Vec<u32> = watched.filter_map(Node::pid).collect();
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let watching = std::thread::spawn(move || watch::most_memory(&pids, &stopped));
        // The first node is the one whose JSON-RPC is not attacked.
        let (began, before) = (Instant::now(), load::finals(nodes[0]).await);
        attack().await;
        let rest = Duration::from_secs_f64(seconds).saturating_sub(began.elapsed());
        tokio::time::sleep(rest).await;
        let rate = (load::finals(nodes[0]).await.saturating_sub(before)) as f64 / began.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        (rate, watching.join().expect("it only reads"))
    }

    /// The load alone.
    async fn rest(&mut self) {
        let (rate, memory) = self.phase(self.seconds.max(2.0), async || {}).await;
        println!("undisturbed, {} validators: {rate:.0} final a second; memory in MB {memory:.0?}", self.running);
        (self.undisturbed, self.memory) = (rate, memory);
    }

    /// The load under an attack of so many kinds.
    async fn under(&mut self, name: &str, kinds: usize, attack: impl AsyncFnOnce(&Self) -> Vec<String>) {
        let mut failures = Vec::new();
        let (rate, memory) = self.phase(self.seconds, async || failures = attack(self).await).await;
        let ratio = rate / self.undisturbed;
        let mut growths = memory.iter().zip(&self.memory).map(|(now, before)| now - before).collect::<Vec<f64>>();
        let of_the_ledger = growths.pop().expect("the observer is the last");
        let growth = growths.into_iter().fold(0.0, f64::max) - of_the_ledger;
        println!(
            "{name}: {rate:.0} final a second ({ratio:.2}), memory grew by {growth:.0} MB and by {of_the_ledger:.0} MB of ledger"
        );
        for node in self.nodes() {
            failures.extend(watch::ails(node, self.running - 1).await);
        }
        self.failures.extend(failures.into_iter().map(|failure| format!("{name}: {failure}")));
        self.attacks += kinds;
        self.worst_ratio = self.worst_ratio.min(ratio);
        self.most_growth = self.most_growth.max(growth);
    }

    /// The load under hostile peers.
    async fn peers(&mut self, name: &str, kinds: usize, plan: impl Fn(&Self) -> Vec<Peer<'_>>) {
        self.under(name, kinds, async |siege| {
            let running: Vec<_> = (0..)
                .zip(plan(siege))
                .map(|(number, peer)| peer.start(siege.network.chain, siege.seconds - MARGIN, number))
                .collect();
            let ended =
                tokio::task::spawn_blocking(|| running.into_iter().map(peers::Running::finish).collect::<Vec<_>>());
            let mut failures = Vec::new();
            for ended in ended.await.expect("waiting does not fail") {
                match ended {
                    Ok((name, told)) => println!("    {name}: {told}"),
                    Err(failure) => failures.push(failure),
                }
            }
            failures
        })
        .await;
    }

    /// The load under hostile clients of one node.
    async fn clients(&mut self, name: &str, floods: &'static [Flood], ready: &'static Ready) {
        self.under(name, floods.len(), async |siege| {
            let address = http::address(&siege.network.nodes[1]);
            let until = Instant::now() + Duration::from_secs_f64(siege.seconds - MARGIN);
            let flooding = tokio::task::spawn_blocking(move || floods::run(floods, address, ready, until));
            let failed = flooding.await.is_err().then(|| "the clients panicked".to_owned());
            failed.into_iter().collect()
        })
        .await;
        println!("    {}", floods.iter().map(|flood| flood.name()).collect::<Vec<_>>().join(", "));
    }
}

/// Seconds for each attack.
fn seconds() -> f64 {
    let given = std::env::var("CAIRN_HOSTILE_SECONDS").ok();
    given.map_or(1.0, |text| text.parse().expect("CAIRN_HOSTILE_SECONDS is a number of seconds"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn honest_work_goes_on_under_every_attack() {
    let seconds = seconds();
    let mut network = Network::make(VALIDATORS as u16, OBSERVERS, &[]);
    network.nodes.iter_mut().take(VALIDATORS + 1).for_each(Node::start);
    network.wait_for_height(1).await;
    let mut fleet = Fleet::prepare(&network, VALIDATORS, seconds.max(1.5) * 16.0).await;
    let status = network.nodes[VALIDATORS - 1].client().chain_get_status().await.expect("a running node answers");
    let place = status.value.validator.expect("it is a validator");
    let arsenal = Arsenal::make(&network, &network.nodes[VALIDATORS - 1], place, &fleet.old);
    static READY: OnceLock<Ready> = OnceLock::new();
    let ready: &'static Ready = READY.get_or_init(|| Ready::make(&fleet.old, &fleet.attested));
    let mut load = Load::start(&network, &mut fleet);
    let mut siege = Siege {
        network,
        running: VALIDATORS,
        seconds,
        attacks: 0,
        failures: Vec::new(),
        undisturbed: 0.0,
        memory: Vec::new(),
        worst_ratio: f64::INFINITY,
        most_growth: 0.0,
    };
    // The load comes up to its rate.
    tokio::time::sleep(Duration::from_secs(1)).await;
    siege.rest().await;

    /// As an observer that does not run.
    fn of(siege: &Siege, number: usize) -> Identity<'_> {
        Identity::Of(&siege.network.nodes[VALIDATORS + 1 + number])
    }
    siege
        .peers("strangers at the door", 4, |siege| {
            let nodes = siege.nodes();
            let kinds = ["silent-handshakes", "slow-handshakes", "garbage-handshakes"];
            let mut peers: Vec<Peer<'_>> = kinds.map(|kind| Peer::new(kind, Identity::Stranger, nodes[0])).into();
            peers.extend(nodes.iter().map(|node| Peer::new("dials", Identity::Stranger, node)));
            peers
        })
        .await;
    siege
        .peers("an observer that comes and goes", 1, |siege| {
            siege.nodes().into_iter().map(|node| Peer::new("dials", of(siege, 0), node)).collect()
        })
        .await;
    siege
        .peers("streams of observers", 4, |siege| {
            let nodes = siege.nodes();
            let kinds = ["half-open-streams", "idle-streams", "lying-lengths", "random-bytes"];
            (1..).zip(kinds).map(|(number, kind)| Peer::new(kind, of(siege, number), nodes[0])).collect()
        })
        .await;
    siege
        .peers("requests of observers", 2, |siege| {
            let nodes = siege.nodes();
            let mut peers: Vec<Peer<'_>> = nodes.iter().map(|node| Peer::new("requests", of(siege, 5), node)).collect();
            peers.push(Peer::new("unread-answers", of(siege, 6), nodes[1]));
            peers
        })
        .await;
    siege
        .peers("gossip of false batches", 2, |siege| {
            let nodes = siege.nodes();
            let mut peers: Vec<Peer<'_>> = nodes
                .iter()
                .map(|node| Peer::new("gossip", of(siege, 7), node).sending(&arsenal.false_signatures))
                .collect();
            peers.push(Peer::new("gossip", of(siege, 8), nodes[2]).sending(&arsenal.garbage));
            peers
        })
        .await;
    siege
        .peers("gossip of old batches, and about nothing", 3, |siege| {
            let nodes = siege.nodes();
            vec![
                Peer::new("gossip", of(siege, 8), nodes[0]).sending(&arsenal.old_batches),
                Peer::new("gossip-control", of(siege, 4), nodes[1]),
                Peer::new("pings", of(siege, 6), nodes[2]),
            ]
        })
        .await;

    let mut probes = 0;
    siege
        .under("wrong requests", 0, async |siege| {
            let (count, broken) = probes::run(http::address(&siege.network.nodes[1])).await;
            probes = count;
            broken
        })
        .await;
    siege.attacks += probes;
    println!("    {probes} kinds of wrong requests");
    const CONNECTIONS: &[Flood] = &[Flood::IdleConnections, Flood::EndlessHeads, Flood::SlowBodies];
    siege.clients("connections by the thousand", CONNECTIONS, ready).await;
    const SOCKETS: &[Flood] = &[Flood::Subscriptions, Flood::LongMessages, Flood::Pings, Flood::UnreadAnswers];
    siege.clients("WebSockets", SOCKETS, ready).await;
    const WORK: &[Flood] = &[Flood::Batches, Flood::ExpensiveQuestions, Flood::Submissions, Flood::LongUnread];
    siege.clients("work for nothing", WORK, ready).await;
    siege.clients("signatures to look at", &[Flood::FalseSignatures], ready).await;

    // One of four is gone, and its keys are in bad hands.
    load.leave_out_the_last();
    siege.network.nodes[VALIDATORS - 1].kill();
    siege.running = VALIDATORS - 1;
    let height = siege.network.nodes[0].height().await.expect("a running node answers");
    siege.network.nodes[0].wait_for_height(height + 2).await;
    siege.rest().await;
    fn byzantine(siege: &Siege) -> Identity<'_> {
        Identity::Of(&siege.network.nodes[VALIDATORS - 1])
    }
    siege
        .peers("votes and blocks of other heights", 3, |siege| {
            let frames = [&arsenal.far_votes, &arsenal.old_votes, &arsenal.old_blocks];
            let of_each = |(node, frames): (_, &PathBuf)| Peer::new("frames", byzantine(siege), node).sending(frames);
            siege.nodes().into_iter().zip(frames).map(of_each).collect()
        })
        .await;
    siege
        .peers("what no honest validator says", 3, |siege| {
            let nodes = siege.nodes();
            vec![
                Peer::new("frames", byzantine(siege), nodes[0]).sending(&arsenal.false_votes),
                Peer::new("frames", byzantine(siege), nodes[1]).sending(&arsenal.long_frames),
                Peer::new("false-answers", byzantine(siege), nodes[2]).sending(&arsenal.claims),
            ]
        })
        .await;
    load.stop().await;
    siege.network.assert_one_chain().await;

    for failure in &siege.failures {
        println!("FAILED: {failure}");
    }
    println!("figure hostile_throughput_ratio {:.3}", siege.worst_ratio);
    println!("figure hostile_memory_growth_mb {:.1}", siege.most_growth);
    println!("figure hostile_attacks {}", siege.attacks);
    println!("figure hostile_failures {}", siege.failures.len());
    assert_eq!(siege.failures, Vec::<String>::new());
    assert!(
        siege.worst_ratio >= THROUGHPUT_RATIO_MIN,
        "honest work came to {:.2} of the undisturbed",
        siege.worst_ratio
    );
    assert!(siege.most_growth <= MEMORY_GROWTH_MAX_MB, "an attacked node grew by {:.0} MB", siege.most_growth);
}
