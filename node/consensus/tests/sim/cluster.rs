//! A whole network in one thread: virtual clock, lossy links, disks that forget, and nodes that crash at any effect.
//!
//! After every event it checks what must always hold: one chain; every certificate verifies; no honest node sends two
//! messages of one place that differ; a vote is in the synced log before it is sent; no timer runs between heights.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use cairn_consensus::{Config, Input, Machine, Message, Timeouts, Timer, VerifiedMessage, usable};
use cairn_types::{
    BlockHash, Certificate, ChainId, Hash, Height, OrganizationId, Power, Round, Validator, ValidatorIndex,
    ValidatorSet,
};
use ed25519_dalek::SigningKey;

use crate::disk::Disk;
use crate::node::{Block, Node};
use crate::random::Random;
use crate::villain::Villain;

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Message(Vec<u8>),
    Block(Block),
    AskBlock(BlockHash),
    AskDecision(u64),
    Decision(Block, Certificate),
}

pub(crate) enum Event {
    Deliver { from: usize, to: usize, frame: Rc<Frame> },
    Timer { node: usize, epoch: u64, timer: Timer, generation: u64 },
    Start { node: usize, epoch: u64 },
    Execute { node: usize, epoch: u64, block: BlockHash },
    Build { node: usize, epoch: u64, height: Height, round: Round },
    Wake { node: usize, epoch: u64 },
    Pull { node: usize, epoch: u64 },
    Restart { node: usize },
}

/// How the links behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    pub(crate) delay_ms: (u64, u64),
    pub(crate) loss_permille: u64,
    pub(crate) duplicate_permille: u64,
}

/// How the nodes behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// Chance of a crash before each effect.
    pub(crate) crash_permille: u64,
    pub(crate) disk: Disk,
    pub(crate) has_sign_state: bool,
    /// Whether nodes look for a longer chain every two seconds, as the real node does.
    pub(crate) pulls: bool,
}

/// Counters that tests look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) crashes: u64,
    pub(crate) frames: u64,
    pub(crate) messages: u64,
    pub(crate) syncs: u64,
    pub(crate) rounds: u64,
}

pub(crate) struct Cluster {
    pub(crate) seed: u64,
    pub(crate) random: Random,
    pub(crate) now_ms: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Links,
    pub(crate) habits: Habits,
    /// Nodes with different numbers cannot reach each other.
    pub(crate) side: Vec<u8>,
    pub(crate) counts: Counts,
    /// Nodes propose on their own until this height.
    pub(crate) target: u64,
    pub(crate) chain_id: ChainId,
    /// Who decides height 0, 1, 2, …
    sets: Vec<Arc<ValidatorSet>>,
    /// Whether the sets begin anew after the last; if not, the last one stays.
    sets_repeat: bool,
    pub(crate) timeouts: Timeouts,
    queue: BTreeMap<(u64, u64), Event>,
    pub(crate) sequence: u64,
    pub(crate) decided: BTreeMap<u64, BlockHash>,
    /// What honest nodes sent, by place.
    pub(crate) sent: BTreeMap<(usize, u64, u32, u8), Message>,
    pub(crate) checked: BTreeMap<Vec<u8>, Option<VerifiedMessage>>,
    /// A digest of everything that happened, for the test that a seed determines a run.
    pub(crate) trace: u64,
}

pub(crate) const TIMEOUTS: Timeouts =
    Timeouts { propose_ms: 300, prevote_ms: 100, precommit_ms: 100, delta_ms: 100, rebroadcast_ms: 500 };

impl Cluster {
    /// `count` nodes, all validators.
    pub(crate) fn new(seed: u64, count: usize) -> Self {
        Self::with_sets(seed, count, &[(0..count).collect()])
    }

    /// `count` nodes; the validators of height h are the members of set number h modulo the number of sets.
    pub(crate) fn with_sets(seed: u64, count: usize, members: &[Vec<usize>]) -> Self {
        let mut secrets: Vec<SigningKey> =
            (0..count).map(|index| SigningKey::from_bytes(&[index as u8 + 1; 32])).collect();
        secrets.sort_by_key(|secret| secret.verifying_key().to_bytes());
        let sets = members.iter().map(|members| Arc::new(set_of(&secrets, members))).collect();
        let nodes = secrets.into_iter().map(|secret| Node::new(secret, None)).collect();
        let mut cluster = Self {
            seed,
            random: Random::new(seed),
            now_ms: 0,
            nodes,
            links: Links { delay_ms: (1, 10), loss_permille: 0, duplicate_permille: 0 },
            habits: Habits { crash_permille: 0, disk: Disk::Honest, has_sign_state: false, pulls: true },
            side: vec![0; count],
            counts: Counts::default(),
            target: 0,
            chain_id: ChainId::from_hash(Hash::plain(b"simulation")),
            sets,
            sets_repeat: true,
            timeouts: TIMEOUTS,
            queue: BTreeMap::new(),
            sequence: 0,
            decided: BTreeMap::new(),
            sent: BTreeMap::new(),
            checked: BTreeMap::new(),
            trace: 0,
        };
        for node in 0..count {
            cluster.restart(node);
        }
        cluster
    }

    /// `count` nodes; each set decides from its height on, until the next one does. The first decides from height 0 on.
    pub(crate) fn with_changes(seed: u64, count: usize, changes: &[(usize, Vec<usize>)]) -> Self {
        let last = changes.last().map_or(0, |(from, _)| *from);
        let at =
            |height: usize| changes.iter().rev().find(|(from, _)| *from <= height).map(|(_, members)| members.clone());
        let members: Vec<Vec<usize>> = (0..=last).filter_map(at).collect();
        let mut cluster = Self::with_sets(seed, count, &members);
        cluster.sets_repeat = false;
        cluster
    }

    /// Four validators, and a second node with the same key for each of `twins`: nodes 4, 5, …
    pub(crate) fn with_twins(seed: u64, twins: &[usize]) -> Self {
        let mut cluster = Self::new(seed, 4);
        for twin in twins {
            let original = &mut cluster.nodes[*twin];
            original.villain = Some(Villain::Twin);
            let copy = Node::new(original.secret.clone(), Some(Villain::Twin));
            cluster.nodes.push(copy);
            cluster.side.push(0);
            cluster.restart(cluster.nodes.len() - 1);
        }
        cluster
    }

    pub(crate) fn set(&self, height: u64) -> Arc<ValidatorSet> {
        let (height, count) = (height as usize, self.sets.len());
        let index = if self.sets_repeat { height % count } else { height.min(count - 1) };
        Arc::clone(&self.sets[index])
    }

    pub(crate) fn honest(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].villain.is_none())
    }

    /// The node behind a place in the set of a height.
    pub(crate) fn node_of(&self, height: u64, validator: ValidatorIndex) -> Option<usize> {
        let key = self.set(height).get(validator)?.key;
        self.nodes.iter().position(|node| node.key == key)
    }

    /// Takes a node down for good or for a while.
    pub(crate) fn crash(&mut self, node: usize, back_after_ms: Option<u64>) {
        let disk = self.habits.disk;
        let it = &mut self.nodes[node];
        if it.machine.take().is_none() {
            return;
        }
        it.epoch += 1;
        it.timers.clear();
        it.executed.clear();
        it.storage.crash(disk, &mut self.random);
        self.counts.crashes += 1;
        if let Some(after_ms) = back_after_ms {
            self.later(after_ms, Event::Restart { node });
        }
    }

    pub(crate) fn restart(&mut self, node: usize) {
        if self.nodes[node].machine.is_some() {
            return;
        }
        let it = &mut self.nodes[node];
        let config = Config { chain: self.chain_id, key: Some(it.key) };
        let storage = &mut it.storage;
        let next = Height::new(storage.tip() + 1);
        let kept = usable(&storage.log, next, |block| storage.blocks.contains_key(block)).len();
        storage.log.truncate(kept);
        let machine = Machine::new(config, Height::new(storage.tip()), storage.log.clone());
        let unfinished = machine.unfinished().is_some();
        it.machine = Some(machine);
        let epoch = it.epoch;
        if unfinished {
            self.start(node);
        }
        let (wake, pull) = (1 + self.random.below(20), 1 + self.random.below(2_000));
        self.later(wake, Event::Wake { node, epoch });
        self.later(pull, Event::Pull { node, epoch });
    }

    /// Lets virtual time pass.
    pub(crate) fn run_for(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now_ms = at;
            self.happen(event);
        }
        self.now_ms = end;
    }

    /// Runs until every honest node that is up for good has decided `height`.
    pub(crate) fn run_until_all_reach(&mut self, height: u64, within_ms: u64) {
        self.target = self.target.max(height);
        let end = self.now_ms + within_ms;
        while self.lowest_honest_tip() < height {
            assert!(
                self.now_ms < end,
                "seed {}: after {within_ms} ms honest tips are {:?}, wanted {height}; under way: {:?}",
                self.seed,
                self.honest().map(|node| self.nodes[node].storage.tip()).collect::<Vec<_>>(),
                self.honest()
                    .map(|node| self.nodes[node].machine.as_ref().and_then(Machine::under_way))
                    .collect::<Vec<_>>(),
            );
            self.run_for(20);
        }
    }

    pub(crate) fn lowest_honest_tip(&self) -> u64 {
        self.honest().map(|node| self.nodes[node].storage.tip()).min().unwrap_or(0)
    }

    pub(crate) fn highest_honest_tip(&self) -> u64 {
        self.honest().map(|node| self.nodes[node].storage.tip()).max().unwrap_or(0)
    }

    pub(crate) fn later(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + after_ms, self.sequence), event);
    }

    pub(crate) fn is_up(&self, node: usize, epoch: u64) -> bool {
        self.nodes[node].machine.is_some() && self.nodes[node].epoch == epoch
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, frame } => self.deliver(from, to, &frame),
            Event::Timer { node, epoch, timer, generation } => {
                if self.is_up(node, epoch) && self.nodes[node].timers.get(&timer) == Some(&generation) {
                    self.nodes[node].timers.remove(&timer);
                    self.step(node, Input::TimerFired(timer));
                }
            }
            Event::Start { node, epoch } => {
                if self.is_up(node, epoch) {
                    self.start(node);
                }
            }
            Event::Execute { node, epoch, block } => {
                if self.is_up(node, epoch) {
                    self.execute(node, block);
                }
            }
            Event::Build { node, epoch, height, round } => {
                if self.is_up(node, epoch) && self.nodes[node].storage.tip() + 1 == height.get() {
                    self.build(node, height, round);
                }
            }
            Event::Wake { node, epoch } => {
                if self.is_up(node, epoch) {
                    if self.nodes[node].storage.tip() < self.target {
                        self.start(node);
                    }
                    let after_ms = 20 + self.random.below(200);
                    self.later(after_ms, Event::Wake { node, epoch });
                }
            }
            Event::Pull { node, epoch } => {
                if self.is_up(node, epoch) {
                    if self.habits.pulls {
                        let to = self.random.below(self.nodes.len() as u64) as usize;
                        let next = self.nodes[node].storage.tip() + 1;
                        self.send(node, to, Frame::AskDecision(next));
                    }
                    self.later(2_000, Event::Pull { node, epoch });
                }
            }
            Event::Restart { node } => self.restart(node),
        }
    }

    pub(crate) fn send_to_all(&mut self, from: usize, frame: &Frame) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.send(from, to, frame.clone());
        }
    }

    pub(crate) fn send(&mut self, from: usize, to: usize, frame: Frame) {
        if from == to || self.side[from] != self.side[to] || self.random.chance(self.links.loss_permille) {
            return;
        }
        self.counts.frames += 1;
        let frame = Rc::new(frame);
        let copies = 1 + u64::from(self.random.chance(self.links.duplicate_permille));
        for _ in 0..copies {
            let (low, high) = self.links.delay_ms;
            let after_ms = low + self.random.below(high - low + 1);
            self.later(after_ms, Event::Deliver { from, to, frame: Rc::clone(&frame) });
        }
    }

    pub(crate) fn note(&mut self, what: u64) {
        self.trace = Random::new(self.trace ^ self.now_ms.rotate_left(20) ^ what).next();
    }
}

fn set_of(secrets: &[SigningKey], members: &[usize]) -> ValidatorSet {
    let mut validators: Vec<Validator> = members
        .iter()
        .map(|index| {
            let key = secrets[*index].verifying_key().to_bytes();
            Validator { key, peer: key, power: Power::new(1), organization: OrganizationId::from_hash(Hash::ZERO) }
        })
        .collect();
    validators.sort_by_key(|validator| validator.key);
    ValidatorSet::new(validators).expect("keys are distinct and sorted")
}
