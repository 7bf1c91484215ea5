//! Lanes: what one node is handed, in its order, over one connection.
//!
//! A lane sends what is due and does not wait for answers before it sends more; it knows neither blocks nor latencies.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cairn_types::TransactionId;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::{PATIENCE, Pace, Shared};
use crate::fleet::Offered;
use crate::stand::Stand;
use crate::wire::{self, Answers};

/// How often a lane hands in what is due: gateways collect for a moment too. What waits for it is charged to the nodes.
const TICK: Duration = Duration::from_millis(10);
/// Most transactions in one request.
const REQUEST_TRANSACTIONS_MAX: usize = 1_000;
/// Requests of a lane that wait for their answers; more is handed in later, and its latency has begun all the same.
const IN_FLIGHT_MAX: usize = 8;
/// How long the generator waits before it hands in again what was refused.
const RETRY: Duration = Duration::from_millis(50);

/// Transactions for one node, in their order.
pub(super) struct Lane {
    pub(super) url: String,
    /// Each with its length before it, one after the other.
    encoded: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    pub(super) ids: Vec<TransactionId>,
    /// When each is due, after the beginning; in closed loop, when it was sent.
    pub(super) due: Vec<Duration>,
}

/// Gives each node the transactions of its sources. Also the length of a transaction in bytes, on average.
pub(super) fn deal(stand: &Stand, offered: Vec<Offered>, pace: Pace) -> (Vec<Lane>, f64) {
    let lane = |node: &cairn_tests::Node| Lane {
        url: node.rpc.clone(),
        encoded: Vec::new(),
        ends: Vec::new(),
        ids: Vec::new(),
        due: Vec::new(),
    };
    let mut lanes: Vec<Lane> = stand.nodes().iter().map(lane).collect();
    let count = lanes.len() as u64;
    let (mut bytes, total) = (0, offered.len());
    for (number, Offered { source, signed }) in offered.into_iter().enumerate() {
        let lane = &mut lanes[usize::try_from(source % count).expect("there are few nodes")];
        let length = u32::try_from(signed.bytes().len()).expect("a transaction is short");
        lane.encoded.extend_from_slice(&length.to_le_bytes());
        lane.encoded.extend_from_slice(signed.bytes());
        lane.ends.push(lane.encoded.len());
        lane.ids.push(signed.id());
        if let Pace::Rate(rate) = pace {
            lane.due.push(Duration::from_secs_f64(number as f64 / rate));
        }
        bytes += signed.bytes().len();
    }
    (lanes, bytes as f64 / total.max(1) as f64)
}

impl Lane {
    fn encoded(&self, from: usize, to: usize) -> &[u8] {
        let start = if from == 0 { 0 } else { self.ends[from - 1] };
        &self.encoded[start..self.ends[to - 1]]
    }

    /// Up to which transaction everything is due.
    fn due(&mut self, next: usize, shared: &Shared) -> usize {
        match shared.pace {
            Pace::Rate(_) => {
                let now = shared.began.elapsed();
                next + self.due[next..].partition_point(|due| *due <= now)
            }
            Pace::Window(size) => {
                let sent = shared.sent.load(Ordering::Relaxed);
                let room = size.saturating_sub(sent.saturating_sub(shared.finals.load(Ordering::Relaxed)));
                // A share of the room, so that each lane has some.
                let due = (next + room.div_ceil(4)).min(self.ends.len());
                self.due.resize(due, shared.began.elapsed());
                due
            }
        }
    }
}

/// Places in a lane.
type Range = std::ops::Range<usize>;
/// What a node refused of a lane: the place, and the rule.
pub(super) type Refused = Vec<(usize, String)>;

/// Hands in a lane; what of it was refused.
pub(super) async fn drive(mut lane: Lane, shared: Arc<Shared>) -> (Lane, Refused) {
    let (mut requests, answers) = wire::connect(&lane.url).await.expect("the node listens");
    let (sender, receiver) = mpsc::channel(IN_FLIGHT_MAX);
    let reader = tokio::spawn(read(answers, receiver, Arc::clone(&shared)));
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut next = 0;
    while next < lane.ends.len() {
        ticks.tick().await;
        while lane.due(next, &shared) > next {
            let Ok(place) = sender.reserve().await else { break };
            let end = lane.due(next, &shared).clamp(next + 1, next + REQUEST_TRANSACTIONS_MAX).min(lane.ends.len());
            shared.sent.fetch_add(end - next, Ordering::Relaxed);
            let sent = requests.post(end - next, lane.encoded(next, end)).await.expect("the node takes it");
            shared.bytes_moved.fetch_add(sent, Ordering::Relaxed);
            place.send(next..end);
            next = end;
        }
    }
    drop(sender);
    let refused = reader.await.expect("reading does not panic");
    (lane, refused)
}

async fn read(mut answers: Answers, mut requests: mpsc::Receiver<Range>, shared: Arc<Shared>) -> Refused {
    let mut refused = Vec::new();
    while let Some(range) = requests.recv().await {
        let answer = answers.next().await.expect("the node answers");
        shared.bytes_moved.fetch_add(answer.body.len(), Ordering::Relaxed);
        let places = answer.refused(range.len()).into_iter();
        refused.extend(places.map(|(place, rule)| (range.start + place, rule)));
    }
    refused
}

/// Hands in again what was refused, until it is taken; how often each rule refused before.
pub(super) async fn resend(lanes: &[(Lane, Refused)]) -> Vec<(String, usize)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let began = Instant::now();
    for (lane, refused) in lanes {
        refused.iter().for_each(|(_, rule)| *counts.entry(rule.clone()).or_default() += 1);
        if refused.is_empty() {
            continue;
        }
        let (mut requests, mut answers) = wire::connect(&lane.url).await.expect("the node listens");
        let mut places = refused.iter().map(|(place, _)| *place).peekable();
        while let Some(place) = places.peek().copied() {
            requests.post(1, lane.encoded(place, place + 1)).await.expect("the node takes it");
            let answer = answers.next().await.expect("the node answers");
            let refused = answer.refused(1);
            match refused.first() {
                Some((_, rule)) if rule != "Duplicate" => {
                    assert!(began.elapsed() < PATIENCE, "{} refuses for ever: {rule}", lane.url);
                    tokio::time::sleep(RETRY).await;
                }
                _ => drop(places.next()),
            }
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort();
    counts
}
