//! What honest devices send while others attack: attestations at a fixed rate, whatever becomes of them, made and signed
//! before the clock runs.
//!
//! Open loop: what is due is due, also when a node answers late. What a node does not take is sent again, in order, because
//! a stream has no gaps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cairn_rpc::Client;
use cairn_rpc::views::{SubmissionView, Text};
use cairn_tests::actor::{self, Writing};
use cairn_tests::{Actor, Network, Node};
use cairn_types::{BlockRef, ChainId, GrantId};

/// Devices whose streams each node is sent.
const DEVICES_PER_NODE: u64 = 4;
/// Attestations a second, to all nodes together. Five nodes of the development profile on two cores are busy with them,
/// and an attacker that takes a core from them is seen.
const RATE: f64 = 600.0;
/// Seconds of the rate that may be due at once: what a disturbed node did not take is not all made up for later.
const BACKLOG_S: f64 = 1.0;
/// How often what is due is sent.
const TICK: Duration = Duration::from_millis(50);
/// Most attestations in one call.
const CALL_MAX: usize = 200;
/// How long a call may take before the device tries again.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

const ZONE: &str = "hostile/zone";

/// One device's attestations in order, and how many of them a node has taken.
struct Tape {
    transactions: Vec<Vec<u8>>,
    taken: usize,
}

/// All devices, by the node that they send to.
pub(crate) struct Fleet {
    tapes: Vec<Vec<Tape>>,
    /// Final already: for attackers who send old things again.
    pub(crate) old: Vec<Vec<u8>>,
    /// An attestation that is final: its id.
    pub(crate) attested: String,
}

impl Fleet {
    /// Registers the devices of `network`, and signs what they will say in `seconds`.
    pub(crate) async fn prepare(network: &Network, senders: usize, seconds: f64) -> Self {
        let (node, owner) = (&network.nodes[0], network.organizations[0].clone());
        let tip = node.tip().await;
        let zone = actor::zone(owner.organization(), ZONE);
        let granted = actor::sign(network.chain, &owner, tip, actor::grant_attest(zone.clone()), &[]);
        node.finalize(&granted).await;
        let grant = GrantId::of(&granted.id());
        let count = DEVICES_PER_NODE * senders as u64;
        let mut old = vec![granted.bytes().to_vec()];
        let devices: Vec<Actor> = (0..count).map(actor::device).collect();
        for (seed, device) in (0..count).zip(&devices) {
            let call = actor::register(seed, owner.organization(), zone.clone());
            let registered = actor::sign(network.chain, &owner, tip, call, &[device]);
            node.submit(&registered).await.expect("it is the first of its name");
            old.push(registered.bytes().to_vec());
        }
        let mut opened = Vec::new();
        for device in devices {
            let (open, writing) = Writing::open(network.chain, &device, tip, "readings", grant);
            node.submit(&open).await.expect("its device waits before it");
            old.push(open.bytes().to_vec());
            opened.push((device, writing));
        }
        let (device, writing) = opened.first_mut().expect("there are devices");
        let attested = writing.attest(network.chain, device, tip, b"the first");
        node.finalize(&attested).await;
        old.push(attested.bytes().to_vec());

        let each = (RATE * seconds * 1.5 / count as f64).ceil() as usize + CALL_MAX;
        let tapes = record(network.chain, tip, opened, each);
        let mut by_node: Vec<Vec<Tape>> = (0..senders).map(|_| Vec::new()).collect();
        for (place, tape) in tapes.into_iter().enumerate() {
            by_node[place % senders].push(tape);
        }
        Self { tapes: by_node, old, attested: attested.id().to_string() }
    }
}

/// Signs everything, on two threads.
fn record(chain: ChainId, tip: BlockRef, devices: Vec<(Actor, Writing)>, each: usize) -> Vec<Tape> {
    let tape = |(device, writing): &(Actor, Writing)| {
        let mut writing = writing.clone();
        let content = |number: usize| number.to_le_bytes();
        let signed = (0..each).map(|number| writing.attest(chain, device, tip, &content(number)).bytes().to_vec());
        Tape { transactions: signed.collect(), taken: 0 }
    };
    let (one, other) = devices.split_at(devices.len() / 2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one.iter().map(tape).collect::<Vec<_>>());
        let mut second: Vec<Tape> = other.iter().map(tape).collect();
        let mut all = first.join().expect("signing does not fail");
        all.append(&mut second);
        all
    })
}

/// The devices at work, on a thread of their own.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// How many nodes share the rate at this moment.
    sharing: Arc<AtomicU64>,
    pumps: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(network: &Network, fleet: &mut Fleet) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tapes = std::mem::take(&mut fleet.tapes);
        let sharing = Arc::new(AtomicU64::new(tapes.len() as u64));
        let pumps = network.nodes.iter().zip(tapes).map(|(node, tapes)| {
            let client = Client::http(&node.rpc).expect("a generated URL is one");
            tokio::spawn(pump(client, tapes, Arc::clone(&stop), Arc::clone(&sharing)))
        });
        Self { pumps: pumps.collect(), stop, sharing }
    }

    /// The last of the nodes gets nothing more, and the others share what it would have got.
    pub(crate) fn leave_out_the_last(&mut self) {
        if let Some(pump) = self.pumps.pop() {
            pump.abort();
        }
        self.sharing.store(self.pumps.len() as u64, Ordering::Relaxed);
    }

    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for pump in self.pumps {
            let _ = pump.await;
        }
    }
}

async fn pump(client: Client, mut tapes: Vec<Tape>, stop: Arc<AtomicBool>, sharing: Arc<AtomicU64>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (mut last, mut due) = (Instant::now(), 0.0_f64);
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let passed = last.elapsed();
        last = Instant::now();
        let rate = RATE / sharing.load(Ordering::Relaxed) as f64;
        due = (due + passed.as_secs_f64() * rate).min(rate * BACKLOG_S);
        let count = (due as usize).min(CALL_MAX);
        if count == 0 {
            continue;
        }
        let (mut sent, mut from) = (Vec::new(), Vec::new());
        let mut ahead = vec![0; tapes.len()];
        for _ in 0..count {
            turn = (turn + 1) % tapes.len();
            let (tape, ahead) = (&tapes[turn], &mut ahead[turn]);
            if let Some(bytes) = tape.transactions.get(tape.taken + *ahead) {
                *ahead += 1;
                sent.push(Text(bytes.clone()));
                from.push(turn);
            }
        }
        let answer = tokio::time::timeout(CALL_TIMEOUT, client.tx_submit_many(sent)).await;
        let Ok(Ok(answer)) = answer else { continue };
        let mut is_cut = vec![false; tapes.len()];
        for (result, tape) in answer.value.results.into_iter().zip(from) {
            let is_taken = match result {
                SubmissionView::Accepted(_) => true,
                // The answer to an earlier call was lost.
                SubmissionView::Error(error) => error.data.name == "Duplicate",
            };
            is_cut[tape] |= !is_taken;
            if !is_cut[tape] {
                tapes[tape].taken += 1;
                due -= 1.0;
            }
        }
    }
}

/// Transactions that are final, as a node counts them since its start.
pub(crate) async fn finals(node: &Node) -> u64 {
    let text = crate::http::get(node, "/metrics").await.expect("this node is not kept from answering");
    let line = text.lines().find(|line| line.starts_with("cairn_ledger_transactions_total "));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).expect("every node counts")
}
