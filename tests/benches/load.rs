//! The load generator. In open loop each transaction has its time, whatever the nodes answer, and its latency counts from
//! that time until the node at which it was handed in has told its subscribers of the block.
//!
//! ```text
//! signed before ──► lanes, one a node ── POST /tx at fixed times ──► nodes
//!                                                                      │ subscription: a height and its number, nothing else
//! latencies ◄── which transaction stood in which block, asked when all is over
//! ```
//!
//! So a node that pauses is charged for everything that it kept waiting. What a node refuses is handed in again when the
//! clock has stopped, because later transactions of the same device rest on it; the run then counts as too fast.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cairn_rpc::Client;
use cairn_rpc::views::Text;
use cairn_types::{Height, TransactionId};
use tokio::task::JoinHandle;

use crate::fleet::Offered;
use crate::machine;
use crate::probe::{self, Used};
use crate::stand::Stand;

mod lanes;

use lanes::{Lane, deal, drive, resend};

/// How long a run may take after its last transaction was due, until it is judged.
const DRAIN_MAX: Duration = Duration::from_secs(8);
/// How long whatever was handed in may take to become final, at last.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often the generator looks whether all is over.
const LOOK: Duration = Duration::from_millis(5);
/// What may be waiting when the last transaction is due, in seconds of the rate: more than that grows with time.
pub(crate) const BACKLOG_SECONDS_MAX: f64 = 1.0;

/// How transactions follow one another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many a second, whatever happens: open loop.
    Rate(f64),
    /// As fast as they become final, so many at once: for finding the rate.
    Window(usize),
}

/// What all lanes know of each other.
struct Shared {
    began: Instant,
    pace: Pace,
    /// Handed in so far, and final so far.
    sent: AtomicUsize,
    finals: AtomicUsize,
    /// What went between the generator and the nodes.
    bytes_moved: AtomicUsize,
}

/// A block that a node told of: when, and how many transactions it holds.
#[derive(Clone, Copy)]
struct Told {
    height: u64,
    at: Duration,
    count: usize,
}

/// What a run showed.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Transactions that became final a second, from the first due to the last final.
    pub(crate) per_second: f64,
    /// The rate at which they were due; `None` in closed loop.
    pub(crate) offered_per_second: Option<f64>,
    /// Latencies, ascending, in milliseconds.
    pub(crate) latencies_ms: Vec<f64>,
    /// CPU of a node for each, in microseconds: the mean of all nodes.
    pub(crate) cpu_us: f64,
    /// CPU of the generator for each.
    pub(crate) generator_us: f64,
    /// The part of all cores that neither the nodes nor the generator had: with much of it, rates and times say little.
    pub(crate) others_percent: f64,
    /// Bytes on the wire of a node for each: what nodes say to each other, half for who sends and half for who receives.
    pub(crate) wire_bytes: f64,
    /// Growth of a node's directory for each, in bytes; an index may still be compacted.
    pub(crate) disk_bytes: f64,
    /// Bytes that a node had written to the disk for each.
    pub(crate) written_bytes: f64,
    /// Bytes of a transaction.
    pub(crate) transaction_bytes: f64,
    /// Longest time without a new block.
    pub(crate) stall_ms: f64,
    /// Transactions in a block.
    pub(crate) block_transactions: f64,
    /// Memory of the largest node at the end, in MB.
    pub(crate) rss_mb: f64,
    /// What was refused, by rule.
    pub(crate) refused: Vec<(String, usize)>,
    /// What was due and not final when the last was due, in seconds of the rate.
    pub(crate) backlog_seconds: f64,
}

impl Outcome {
    /// A latency that so many of a thousand do not exceed.
    pub(crate) fn percentile_ms(&self, per_mille: f64) -> f64 {
        let count = self.latencies_ms.len();
        let place = (count as f64 * per_mille / 1_000.0).ceil() as usize;
        self.latencies_ms.get(place.clamp(1, count.max(1)) - 1).copied().unwrap_or(f64::NAN)
    }

    /// Whether the network kept up.
    pub(crate) fn is_sustained(&self) -> bool {
        self.refused.is_empty() && self.backlog_seconds <= BACKLOG_SECONDS_MAX
    }
}

/// Hands in `offered` to the nodes of `stand` and waits until all of it is final.
pub(crate) async fn run(stand: &Stand, offered: Vec<Offered>, pace: Pace) -> Outcome {
    let count = offered.len();
    let (lanes, transaction_bytes) = deal(stand, offered, pace);
    let before = Sample::take(stand);
    let shared = Arc::new(Shared {
        began: Instant::now(),
        pace,
        sent: AtomicUsize::new(0),
        finals: AtomicUsize::new(0),
        bytes_moved: AtomicUsize::new(0),
    });
    let mut watchers = Vec::new();
    for (number, lane) in lanes.iter().enumerate() {
        watchers.push(Watcher::start(&lane.url, Arc::clone(&shared), number == 0).await);
    }
    let driven: Vec<_> = lanes.into_iter().map(|lane| tokio::spawn(drive(lane, Arc::clone(&shared)))).collect();
    let mut lanes = Vec::new();
    for lane in driven {
        lanes.push(lane.await.expect("a lane does not panic"));
    }
    let ended = shared.began.elapsed();
    let is_final = || shared.finals.load(Ordering::Relaxed) >= count;
    until(ended + DRAIN_MAX, &shared, is_final).await;
    let refused = resend(&lanes).await;
    until(ended + PATIENCE, &shared, is_final).await;
    assert!(is_final(), "{} of {count} became final", shared.finals.load(Ordering::Relaxed));
    let after = Sample::take(stand);
    let height = watchers[0].told.lock().expect("nobody panics").last().map_or(0, |told| told.height);
    for watcher in &watchers {
        until(ended + PATIENCE, &shared, || watcher.height() >= height).await;
    }

    let told: Vec<Vec<Told>> = watchers.iter().map(Watcher::end).collect();
    let lanes: Vec<Lane> = lanes.into_iter().map(|(lane, _)| lane).collect();
    let latencies_ms = latencies(stand, &lanes, &told).await;
    let last_due = lanes.iter().filter_map(|lane| lane.due.last()).max().copied().unwrap_or_default();
    let finals_by =
        |time: Duration| told[0].iter().filter(|told| told.at <= time).map(|told| told.count).sum::<usize>();
    let last_final = told[0].iter().filter(|told| told.count > 0).map(|told| told.at).max().unwrap_or_default();
    let blocks = told[0].iter().filter(|told| told.count > 0).count().max(1);
    let per_second = count as f64 / last_final.as_secs_f64();
    let offered_per_second = if let Pace::Rate(rate) = pace { Some(rate) } else { None };
    let (nodes, each) = (stand.nodes().len() as f64, count as f64);
    let used = after.used.since(before.used);
    let own_bytes = shared.bytes_moved.load(Ordering::Relaxed) as f64;
    Outcome {
        per_second,
        offered_per_second,
        latencies_ms,
        cpu_us: used.cpu_seconds * 1e6 / nodes / each,
        generator_us: (after.own_seconds - before.own_seconds) * 1e6 / each,
        others_percent: others_percent(&before, &after),
        wire_bytes: (after.loopback - before.loopback - own_bytes) / nodes / each,
        disk_bytes: (after.disk - before.disk) / each,
        written_bytes: used.written_bytes / nodes / each,
        transaction_bytes,
        stall_ms: stall_ms(&told[0], ended.min(last_final)),
        block_transactions: each / blocks as f64,
        rss_mb: stand.nodes().iter().map(probe::rss_mb).fold(0.0, f64::max),
        refused,
        backlog_seconds: (count - finals_by(last_due).min(count)) as f64 / offered_per_second.unwrap_or(per_second),
    }
}

/// What is measured before and after.
struct Sample {
    used: Used,
    own_seconds: f64,
    all_seconds: f64,
    at: Instant,
    loopback: f64,
    disk: f64,
}

impl Sample {
    fn take(stand: &Stand) -> Self {
        Self {
            used: Used::by_all(stand.nodes()),
            own_seconds: probe::cpu_seconds("self"),
            all_seconds: probe::machine_cpu_seconds(),
            at: Instant::now(),
            loopback: probe::loopback_bytes(),
            disk: probe::directory_bytes(&stand.nodes()[0].directory),
        }
    }
}

fn others_percent(before: &Sample, after: &Sample) -> f64 {
    let all = after.all_seconds - before.all_seconds;
    let ours = after.used.since(before.used).cpu_seconds + after.own_seconds - before.own_seconds;
    let there_was = (after.at - before.at).as_secs_f64() * machine::cores() as f64;
    ((all - ours) / there_was * 100.0).max(0.0)
}

/// Listens to a node.
struct Watcher {
    told: Arc<Mutex<Vec<Told>>>,
    task: JoinHandle<()>,
}

impl Watcher {
    async fn start(url: &str, shared: Arc<Shared>, counts: bool) -> Self {
        let client = Client::web_socket(url).await.expect("the node takes a WebSocket");
        let mut blocks = client.chain_subscribe_blocks().await.expect("the node tells of blocks");
        let told = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&told);
        let task = tokio::spawn(async move {
            // The subscription lives as long as its client.
            let _client = client;
            while let Some(block) = blocks.next().await {
                let block = block.expect("the generator listens fast enough");
                let (at, count) = (shared.began.elapsed(), usize::try_from(block.transactions).expect("small"));
                list.lock().expect("nobody panics").push(Told { height: block.height.0.get(), at, count });
                if counts {
                    shared.finals.fetch_add(count, Ordering::Relaxed);
                }
            }
        });
        Self { told, task }
    }

    fn height(&self) -> u64 {
        self.told.lock().expect("nobody panics").last().map_or(0, |told| told.height)
    }

    fn end(&self) -> Vec<Told> {
        self.task.abort();
        self.told.lock().expect("nobody panics").clone()
    }
}

async fn until(end: Duration, shared: &Shared, holds: impl Fn() -> bool) {
    while !holds() && shared.began.elapsed() < end {
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks which transaction stood in which block, and tells the latencies, ascending.
async fn latencies(stand: &Stand, lanes: &[Lane], told: &[Vec<Told>]) -> Vec<f64> {
    let mut due: HashMap<TransactionId, (usize, Duration)> = HashMap::new();
    for (number, lane) in lanes.iter().enumerate() {
        due.extend(lane.ids.iter().zip(&lane.due).map(|(id, due)| (*id, (number, *due))));
    }
    let by_height = |told: &Vec<Told>| told.iter().map(|told| (told.height, told.at)).collect::<HashMap<_, _>>();
    let times: Vec<HashMap<u64, Duration>> = told.iter().map(by_height).collect();
    let client = stand.network.nodes[0].client();
    let mut latencies = Vec::with_capacity(due.len());
    for told in told[0].iter().filter(|told| told.count > 0) {
        let block = client.chain_get_block(Some(Text(Height::new(told.height)))).await.expect("it is final");
        for line in block.value.transactions {
            if let Some((lane, due)) = due.get(&line.id.0)
                && let Some(at) = times[*lane].get(&told.height)
            {
                latencies.push(at.saturating_sub(*due).as_secs_f64() * 1e3);
            }
        }
    }
    latencies.sort_by(f64::total_cmp);
    latencies
}

/// Longest time between two blocks, and from the beginning to the first, of those that began while there was load.
fn stall_ms(told: &[Told], until: Duration) -> f64 {
    let mut longest = Duration::ZERO;
    let mut before = Duration::ZERO;
    for at in told.iter().map(|told| told.at) {
        if before < until {
            longest = longest.max(at.saturating_sub(before));
        }
        before = at;
    }
    longest.as_secs_f64() * 1e3
}
