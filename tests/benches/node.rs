//! What a whole node costs: four validators on this machine, the load generator included. `scripts/bench` runs it.
//!
//! Every figure comes from one run; engines are compared in turns, A B A B, because the machine's speed drifts. Nothing
//! is asserted here: a benchmark measures, a test claims.
//!
//! ```text
//! cargo run --release -p cairn-tests --example bench -- [--json FILE]
//! ```

use std::fs;
use std::time::{Duration, Instant};

use cairn_rpc::views::Text;
use cairn_tests::actor::{self, Writing};
use cairn_tests::{Actor, Network, Node};
use cairn_types::GrantId;
use serde_json::{Value, json};

/// Transactions of which the finality of each is timed, one after the other.
const SINGLE: usize = 100;
/// Devices that send at once under load, and attestations that each sends.
const DEVICES: u64 = 16;
const ATTESTATIONS: u64 = 250;
/// Turns of each engine.
const TURNS: usize = 2;
/// How long an idle node is watched.
const IDLE: Duration = Duration::from_secs(20);
/// Kernel clock ticks a second, in which /proc counts CPU time (Linux, USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

const ZONE: &str = "bench/zone";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json_path = arguments.iter().position(|a| a == "--json").and_then(|at| arguments.get(at + 1));
    let mut engines = serde_json::Map::new();
    for engine in ["fjall", "sled"] {
        engines.insert(engine.to_owned(), json!([]));
    }
    for turn in 0..TURNS {
        for engine in ["fjall", "sled"] {
            eprintln!("turn {} of {TURNS}: {engine}", turn + 1);
            let measured = measure(engine).await;
            println!("{engine:<6} {measured}");
            engines[engine].as_array_mut().expect("made above").push(measured);
        }
    }
    if let Some(path) = json_path {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let result = json!({ "cores": cores, "engines": engines });
        fs::write(path, format!("{result:#}\n")).expect("the file can be written");
    }
}

async fn measure(engine: &str) -> Value {
    let mut network = Network::start(4, 0, &["--engine", engine]).await;
    let owner = network.organizations[0].clone();
    let mut fleet = prepare(&network, &owner).await;

    let node = &network.nodes[0];
    let mut single = Vec::new();
    for index in 0..SINGLE {
        let tip = node.tip().await;
        let (device, writing) = &mut fleet[index % usize::try_from(DEVICES).expect("small")];
        let attested = writing.attest(network.chain, device, tip, &index.to_le_bytes());
        let began = Instant::now();
        node.finalize(&attested).await;
        single.push(began.elapsed());
    }
    single.sort_unstable();

    let tip = node.tip().await;
    let mut batch = Vec::new();
    for round in 0..ATTESTATIONS {
        for (device, writing) in &mut fleet {
            batch.push(writing.attest(network.chain, device, tip, &round.to_le_bytes()));
        }
    }
    let before: f64 = network.nodes.iter().map(cpu_seconds).sum();
    let began = Instant::now();
    for part in batch.chunks(500) {
        let bytes = part.iter().map(|transaction| Text(transaction.bytes().to_vec())).collect();
        let answer = node.client().tx_submit_many(bytes).await.expect("the node answers");
        assert_eq!(answer.value.results.len(), part.len(), "one answer for each");
    }
    node.wait_for(batch.last().expect("there are some")).await;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = network.nodes.iter().map(cpu_seconds).sum::<f64>() - before;

    let idle_before = cpu_seconds(node);
    tokio::time::sleep(IDLE).await;
    let idle = (cpu_seconds(node) - idle_before) / IDLE.as_secs_f64();
    let rss = rss_mb(node);
    let height = node.height().await.expect("it answers");
    let index_bytes = directory_bytes(&network.nodes[0].directory.join(format!("data/index-{engine}")));
    let restart = {
        let node = &mut network.nodes[0];
        node.stop();
        let began = Instant::now();
        node.start();
        node.wait_for_height(height).await;
        began.elapsed()
    };
    let count = batch.len() as f64;
    json!({
        "finality_idle_p50_ms": millis(single[single.len() / 2]),
        "finality_idle_p99_ms": millis(single[single.len() * 99 / 100]),
        "attest_tx_per_s": (count / seconds).round(),
        "node_cpu_us_per_tx": (cpu / 4.0 / count * 1e6).round(),
        "idle_core_percent": (idle * 1e4).round() / 100.0,
        "node_rss_mb_after": rss,
        "index_mb": index_bytes as f64 / 1e6,
        "restart_ms": millis(restart),
    })
}

async fn prepare(network: &Network, owner: &Actor) -> Vec<(Actor, Writing)> {
    let node = &network.nodes[0];
    let tip = node.tip().await;
    let zone = actor::zone(owner.organization(), ZONE);
    let granted = actor::sign(network.chain, owner, tip, actor::grant_attest(zone.clone()), &[]);
    node.finalize(&granted).await;
    let grant = GrantId::of(&granted.id());
    let mut fleet = Vec::new();
    for seed in 0..DEVICES {
        let device = actor::device(seed);
        let call = actor::register(seed, owner.organization(), zone.clone());
        node.finalize(&actor::sign(network.chain, owner, tip, call, &[&device])).await;
        let (opened, writing) = Writing::open(network.chain, &device, tip, "readings", grant);
        node.finalize(&opened).await;
        fleet.push((device, writing));
    }
    fleet
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

/// CPU time of a node since its start, from /proc/PID/stat (proc(5): utime and stime).
fn cpu_seconds(node: &Node) -> f64 {
    let pid = node.pid().expect("the node runs");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux tells");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("there is a name").split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// Resident memory in MB, from /proc/PID/status.
fn rss_mb(node: &Node) -> f64 {
    let pid = node.pid().expect("the node runs");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("there is one");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    (kib / 1024.0 * 10.0).round() / 10.0
}

fn directory_bytes(path: &std::path::Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => directory_bytes(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}
