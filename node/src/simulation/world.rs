//! A whole network in one thread: virtual time, a queue of events, and every node's real code.
//!
//! ```text
//! queue ── event ──► World::handle ──► Driver (of one node) ──► desk ──► routing.rs ──► queue
//!                         │                                      │
//!                    fate.rs: crashes, cuts, joins          Checks: after every step
//! ```
//!
//! Every choice comes from the seed, and nothing else is asked: no clock, no thread, no disk of this machine. So a seed is
//! a run, and the digest of all its events says whether two runs were the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_network::PeerKey;
use cairn_storage::SimulatedDisk;
use cairn_types::Height;

use super::checks::Checks;
use super::desk::{Verified, lock};
use super::load::Load;
use super::node::Node;
use super::plan::{Fault, HEALED, Links, Plan, Trouble};
use super::random::Random;
use super::scene::{BEGIN_MS, DRIFT_MS, Scene, scene, seats};
use super::villain::Villain;
use crate::driver::{Answer, Driver, DriverError, UNDECIDED_BYTES_MAX};
use crate::frame::Request;
use crate::signature_cache::SignatureCache;

mod fate;
mod routing;

/// How long after everything has healed all must have got on and settled, in milliseconds: waits grow with the rounds that
/// failed before, and a node that trusted a liar asks the next one ten seconds later.
const LIVENESS_MS: u64 = 120_000;

/// Heights that everybody must decide after everything has healed.
const LIVENESS_HEIGHTS: u64 = 2;

/// Events after which a run cannot be right any more.
const EVENTS_MAX: u64 = 400_000;

/// Something that happens at a time.
pub(super) enum Event {
    Frame { from: usize, to: usize, bytes: Arc<Vec<u8>> },
    Batch { from: usize, to: usize, bytes: Arc<Vec<u8>> },
    Ask { from: usize, life: u64, to: usize, request: Request },
    Answer { to: usize, life: u64, answer: Answer },
    Wake { node: usize, life: u64 },
    Meet { node: usize },
    Start { node: usize },
    Trouble(Trouble),
    Heal,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) crashes: u64,
    pub(super) restarts: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) violation: Option<String>,
    pub(super) heights: u64,
    pub(super) transactions: u64,
    pub(super) counts: Counts,
    /// How long it took until everything had settled after healing, in virtual milliseconds.
    pub(super) settled_ms: u64,
    /// A digest of all that happened.
    pub(super) trace: u64,
}

/// See the module.
pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) checks: Checks,
    scene: Scene,
    plan: Plan,
    random: Random,
    now_ms: u64,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    by_key: BTreeMap<PeerKey, Vec<usize>>,
    everybody: BTreeSet<PeerKey>,
    links: Links,
    /// Who is not heard by whom.
    cut: BTreeSet<(usize, usize)>,
    load: Load,
    signatures: Arc<SignatureCache>,
    verified: Verified,
    counts: Counts,
    trace: u64,
    /// Whether events are printed.
    is_loud: bool,
    /// Bytes of undecided blocks that a node has room for.
    pub(super) undecided_bytes_max: usize,
    /// See [`LIVENESS_MS`].
    pub(super) liveness_ms: u64,
    /// When everything healed, and the height that everybody must reach since.
    healed: Option<(u64, u64)>,
}

impl World {
    /// The world of a seed.
    pub(super) fn of_seed(seed: u64, is_loud: bool) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::draw(&mut random);
        let mut world = Self::new(plan, random, is_loud);
        let troubles = world.plan.troubles.clone();
        for (at, trouble) in troubles {
            world.push(at, Event::Trouble(trouble));
        }
        world.push(world.plan.heals_ms, Event::Heal);
        world
    }

    /// A world in which nothing happens by itself but what the plan says of its nodes.
    pub(super) fn new(plan: Plan, mut random: Random, is_loud: bool) -> Self {
        let all = seats(plan.validators + plan.observers);
        let scene = scene(plan.validators);
        let mut nodes = Vec::new();
        let mut joins = Vec::new();
        for (index, seat) in all.iter().enumerate() {
            let fault = plan.faults[index];
            let copies = if fault == Some(Fault::Villain(Villain::Twin)) { 2 } else { 1 };
            for copy in 0..copies {
                let mut node = Node::new(seat.clone(), fault, SimulatedDisk::new(random.next()));
                node.offset_ms = plan.offsets_ms[index] + copy * 37;
                node.slow_ms = plan.slow_ms[index];
                nodes.push(node);
                joins.push(plan.joins_ms[index]);
            }
        }
        let mut by_key: BTreeMap<PeerKey, Vec<usize>> = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            by_key.entry(node.seat.peer).or_default().push(index);
        }
        let mut world = Self {
            everybody: by_key.keys().copied().collect(),
            by_key,
            nodes,
            checks: Checks::default(),
            load: Load::new(scene.clone()),
            scene,
            links: plan.links,
            plan,
            random,
            now_ms: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            cut: BTreeSet::new(),
            signatures: Arc::default(),
            verified: Verified::default(),
            counts: Counts::default(),
            trace: 0,
            is_loud,
            undecided_bytes_max: UNDECIDED_BYTES_MAX,
            liveness_ms: LIVENESS_MS,
            healed: None,
        };
        for (node, at) in joins.into_iter().enumerate() {
            world.push(at, Event::Start { node });
        }
        world
    }

    /// Runs to the end.
    pub(super) fn run(mut self) -> End {
        if self.is_loud {
            println!("{:#?}", self.plan);
        }
        let mut settled_ms = 0;
        while self.checks.violation.is_none() {
            if !self.step() {
                break;
            }
            let Some((healed_ms, target)) = self.healed else { continue };
            settled_ms = self.now_ms - healed_ms;
            match self.unsettled(target) {
                None => break,
                Some(what) if settled_ms > self.liveness_ms => {
                    self.checks.fail(format!("{settled_ms} ms after everything healed {what}"));
                }
                Some(_) => {}
            }
        }
        if self.checks.violation.is_none() {
            self.look_at_everything();
        }
        self.end(settled_ms)
    }

    /// Runs until this much time has passed or something is wrong.
    pub(super) fn run_until(mut self, at_ms: u64) -> End {
        while self.checks.violation.is_none() && self.now_ms < at_ms && self.step() {}
        self.end(0)
    }

    /// Goes on until something is so, or is wrong.
    pub(super) fn go_on_until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while self.checks.violation.is_none() && !is_so(self) && self.step() {}
    }

    /// The time in this world.
    pub(super) const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Kills a node and gives it another disk to start with; its readers know that it begins anew.
    pub(super) fn replace_disk(&mut self, node: usize, disk: SimulatedDisk) {
        self.trouble(Trouble::Kill { node });
        disk.kill();
        self.nodes[node].disk = disk;
        (self.nodes[node].told, self.nodes[node].shown) = (Height::GENESIS, Height::GENESIS);
    }

    fn end(self, settled_ms: u64) -> End {
        if let (true, Some(violation)) = (self.is_loud, &self.checks.violation) {
            println!("VIOLATION {violation}");
        }
        End {
            heights: self.checks.heights(),
            transactions: self.checks.transactions(),
            violation: self.checks.violation,
            counts: self.counts,
            settled_ms,
            trace: self.trace,
        }
    }

    /// Lets the next thing happen; whether there was one.
    fn step(&mut self) -> bool {
        let Some(((at, _), event)) = self.queue.pop_first() else { return false };
        self.now_ms = at;
        self.counts.events += 1;
        if self.counts.events > EVENTS_MAX {
            self.checks.fail(format!("{EVENTS_MAX} events and no end"));
        }
        self.handle(event);
        true
    }

    /// Lets something happen at a time.
    pub(super) fn push(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    /// Enters something into the digest, and prints it if this run is loud.
    fn note(&mut self, number: u64, words: impl FnOnce() -> String) {
        let mixed = (self.trace ^ number ^ self.now_ms.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.trace = mixed ^ (mixed >> 29);
        if self.is_loud {
            println!("{:>7} {}", self.now_ms, words());
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Frame { from, to, bytes } => self.on_frame(from, to, &bytes),
            Event::Batch { from, to, bytes } => self.on_batch(from, to, &bytes),
            Event::Ask { from, life, to, request } => self.on_ask(from, life, to, request),
            Event::Answer { to, life, answer } => {
                if self.nodes[to].life == life {
                    self.note(2, || format!("{to} has an answer to {:?}", answer.request));
                    self.act(to, |driver| driver.on_answer(answer));
                }
            }
            Event::Wake { node, life } => {
                let due = |process: &super::node::Process| process.wakes_ms == Some(self.now_ms);
                if self.nodes[node].life == life && self.nodes[node].process.as_ref().is_some_and(due) {
                    self.act(node, |driver| {
                        driver.on_time();
                        Ok(())
                    });
                }
            }
            Event::Meet { node } => self.meet(node),
            Event::Start { node } => self.start(node),
            Event::Trouble(trouble) => self.trouble(trouble),
            Event::Heal => self.heal(),
        }
    }

    /// Tells a node's driver that something happened, takes what it sends, and checks what it shows.
    fn act(&mut self, node: usize, what: impl FnOnce(&mut Driver) -> Result<(), DriverError>) {
        let Some(process) = &mut self.nodes[node].process else { return };
        lock(&process.desk).now_ms = self.now_ms;
        let outcome = what(&mut process.driver).and_then(|()| process.driver.settle());
        let sent = std::mem::take(&mut lock(&process.desk).sent);
        let started = lock(&process.desk).started_ms;
        let deadline = u64::try_from(process.driver.deadline().as_millis()).expect("a short run");
        let sizes = process.driver.sizes();
        for sent in sent {
            self.speak(node, sent);
        }
        match outcome {
            Ok(()) => {
                self.look_at(node);
                if self.nodes[node].is_honest() {
                    self.checks.bounded(node, sizes, self.nodes.len());
                }
                self.wake_at(node, (started + deadline).max(self.now_ms + 1));
            }
            Err(error) => {
                // Whoever read in the moment before saw this.
                let shown = self.nodes[node].process.as_ref().map(|process| process.chain.tip().header.height);
                self.nodes[node].shown = shown.unwrap_or(Height::GENESIS);
                self.fell(node, &error.into());
            }
        }
    }

    fn wake_at(&mut self, node: usize, at: u64) {
        let (now, life) = (self.now_ms, self.nodes[node].life);
        let Some(process) = &mut self.nodes[node].process else { return };
        if process.wakes_ms.is_none_or(|wakes| wakes <= now || wakes > at) {
            process.wakes_ms = Some(at);
            self.push(at, Event::Wake { node, life });
        }
    }

    /// What readers of a node see now.
    fn look_at(&mut self, node: usize) {
        let Some(process) = &self.nodes[node].process else { return };
        let (chain, tip, told) = (Arc::clone(&process.chain), process.chain.tip(), self.nodes[node].told);
        if tip.header.height == told || !self.nodes[node].is_honest() {
            self.nodes[node].told = tip.header.height;
            return;
        }
        if tip.header.height < told {
            self.checks.fail(format!("node {node} went back from {told} to {}", tip.header.height));
        }
        let mut next = told.next();
        while let Some(height) = next.filter(|height| *height <= tip.header.height) {
            let hash = u64::from_le_bytes(tip.hash.as_bytes()[..8].try_into().expect("8 of 32 bytes"));
            self.note(hash, || format!("{node} finalises {height}, on the way to {}", tip.hash));
            match chain.snapshot(height) {
                Some(snapshot) => self.checks.see(node, &chain, &snapshot, self.latest_ms()),
                // It published this one in an earlier life, or died just before, and keeps no state of it.
                None => self.checks.see_past(node, &chain, height),
            }
            next = height.next();
        }
        self.nodes[node].told = tip.header.height;
        self.checks.pending(node, &chain, &self.load.taken);
    }

    /// The latest time that a block may have: what the fastest right clock says, and the drift that voters allow.
    fn latest_ms(&self) -> u64 {
        let right = self.nodes.iter().filter(|node| node.fault.is_none());
        let fastest = right.map(|node| node.offset_ms).max().unwrap_or(0);
        (BEGIN_MS + self.now_ms + DRIFT_MS).saturating_add_signed(fastest.max(0))
    }

    /// Why this run is not over yet: who has not reached the height, and what still waits somewhere.
    fn unsettled(&self, target: u64) -> Option<String> {
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.must_live()) {
            let Some(process) = &node.process else { return Some(format!("node {index} is not running")) };
            let height = process.chain.tip().header.height.get();
            if height < target {
                return Some(format!("node {index} is at {height}, below {target}"));
            }
            if !process.mempool.is_empty() {
                return Some(format!("a transaction still waits at node {index}"));
            }
        }
        None
    }

    /// At the end: everything that anybody ever showed as final is at its place in everybody's ledger.
    fn look_at_everything(&mut self) {
        for index in 0..self.nodes.len() {
            if !self.nodes[index].must_live() {
                continue;
            }
            let Some(process) = &self.nodes[index].process else { continue };
            let chain = Arc::clone(&process.chain);
            self.checks.everything(index, &chain);
        }
    }

    /// Everything heals: clocks, links, disks, and whoever is down comes back.
    fn heal(&mut self) {
        self.note(9, || "everything heals".to_owned());
        self.links = HEALED;
        self.cut.clear();
        for index in 0..self.nodes.len() {
            let node = &mut self.nodes[index];
            node.is_full = false;
            node.disk.set_capacity(None);
            node.slow_ms = 0;
            if node.fault == Some(Fault::Clock) {
                node.offset_ms = 0;
                if let Some(process) = &node.process {
                    lock(&process.desk).offset_ms = 0;
                }
            }
            if node.process.is_some() {
                // A fault that was planned and has not happened yet happens no more.
                node.disk.heal();
            }
            let at = self.now_ms + self.random.between(1, 500);
            self.push(at, Event::Start { node: index });
            self.push(at, Event::Meet { node: index });
        }
        self.healed = Some((self.now_ms, self.checks.heights() + LIVENESS_HEIGHTS));
    }
}
