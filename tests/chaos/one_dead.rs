//! What a dead validator costs the living: latency of finality under the same open-loop load, before and after one of four
//! is killed, in one run; and the longest pause between two blocks while it is dead.
//!
//! Load is open-loop: what is sent does not wait for what was sent before, and each latency counts from the moment at which
//! it was to be sent. So a pause is charged to everybody who would have come during it.

use std::sync::Arc;
use std::time::Duration;

use cairn_rpc::Client;
use cairn_rpc::views::Text;
use cairn_tests::Network;
use cairn_types::BlockRef;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::clients::{self, Writer};

/// Attestations a second: far below what the machine can do, so that latency is that of agreement.
const RATE: u32 = 50;

/// Devices that send them in turn, each through a node of its own: what one sends next must find there what it sent last.
const DEVICES: u64 = 18;

/// How long each half is measured in a small run, and in a large one.
const SECONDS: u32 = 3;
const LARGE_SECONDS: u32 = 8;

/// How long the network warms up before.
const WARM_UP_SECONDS: u32 = 1;

/// How long one attestation may take.
const FINAL_MAX_MS: u32 = 20_000;

/// Longest pause between blocks while one of four is dead, in seconds.
const GAP_S_MAX: f64 = 5.0;

/// Latencies, ascending, in seconds.
struct Latencies(Vec<f64>);

impl Latencies {
    fn percentile(&self, percent: usize) -> f64 {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dead_validator_of_four_costs_the_others_little() {
    let _alone = crate::ALONE.lock().await;
    let seconds = if crate::is_large() { LARGE_SECONDS } else { SECONDS };
    let mut network = Network::start(4, 0, &[]).await;
    let (writers, not_before) = clients::prepare(&network, DEVICES).await;
    let fleet = Fleet::on(&network, writers, not_before);
    fleet.load(WARM_UP_SECONDS).await;
    let undisturbed = fleet.load(seconds).await;
    network.nodes[DEAD].kill();
    let watched = tokio::spawn(longest_pause(Client::http(&network.nodes[0].rpc).expect("a URL"), seconds));
    let disturbed = fleet.load(seconds).await;
    let gap_s = watched.await.expect("it watches to the end");
    for (name, latencies) in [("undisturbed", &undisturbed), ("one dead", &disturbed)] {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| latencies.percentile(percent) * 1e3);
        println!("{name}: finality p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms of {}", latencies.0.len());
    }
    let ratio = disturbed.percentile(99) / undisturbed.percentile(99);
    println!("figure gap_one_dead_seconds {gap_s:.2}");
    println!("figure finality_p50_ratio_one_dead {:.2}", disturbed.percentile(50) / undisturbed.percentile(50));
    println!("figure finality_p99_ratio_one_dead {ratio:.2}");
    assert!(gap_s < GAP_S_MAX, "a pause of {gap_s} s between blocks");
}

/// Which node dies.
const DEAD: usize = 3;

/// Devices that send in turn.
struct Fleet {
    network: cairn_types::ChainId,
    writers: Vec<Arc<Mutex<Writer>>>,
    clients: Vec<Arc<Client>>,
    not_before: BlockRef,
}

impl Fleet {
    fn on(network: &Network, writers: Vec<Writer>, not_before: BlockRef) -> Self {
        let client = |node: &cairn_tests::Node| Arc::new(Client::http(&node.rpc).expect("a generated URL is one"));
        let clients = network.nodes[..DEAD].iter().map(client).collect();
        let writers = writers.into_iter().map(|writer| Arc::new(Mutex::new(writer))).collect();
        Self { network: network.chain, writers, clients, not_before }
    }

    /// Sends for so many seconds; the latencies of all.
    async fn load(&self, seconds: u32) -> Latencies {
        let began = Instant::now();
        let mut sent = JoinSet::new();
        for count in 0..seconds * RATE {
            let due = began + Duration::from_secs(1) * count / RATE;
            sleep_until(due).await;
            let device = usize::try_from(count).expect("a few") % self.writers.len();
            let (writer, client) = (Arc::clone(&self.writers[device]), Arc::clone(&self.clients[device % DEAD]));
            let (chain, not_before) = (self.network, self.not_before);
            sent.spawn(async move {
                let id = {
                    // A device sends one after the other, but does not wait for finality.
                    let mut writer = writer.lock().await;
                    let Writer { device, writing } = &mut *writer;
                    let attested = writing.attest(chain, device, not_before, &count.to_le_bytes());
                    client.tx_submit(Text(attested.bytes().to_vec())).await.expect("a living node takes it");
                    attested.id()
                };
                client.tx_wait(Text(id), Some(FINAL_MAX_MS)).await.expect("it becomes final");
                due.elapsed().as_secs_f64()
            });
        }
        let mut latencies = Vec::new();
        while let Some(latency) = sent.join_next().await {
            latencies.push(latency.expect("every attestation becomes final"));
        }
        latencies.sort_by(f64::total_cmp);
        Latencies(latencies)
    }
}

/// Watches a node for so many seconds; the longest time without a new block, in seconds.
async fn longest_pause(client: Client, seconds: u32) -> f64 {
    let began = Instant::now();
    let (mut height, mut since, mut longest) = (0, Instant::now(), Duration::ZERO);
    while began.elapsed() < Duration::from_secs(seconds.into()) {
        let status = client.chain_get_status().await.expect("a living node answers");
        let pause = since.elapsed();
        longest = longest.max(pause);
        if status.height.0.get() > height {
            (height, since) = (status.height.0.get(), Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    longest.as_secs_f64()
}
