//! A whole network in one thread: virtual clock, lossy links, disks that forget, and nodes that crash at any effect.
//!
//! After every event it checks what must always hold: one chain; every certificate verifies; no honest node sends two
//! messages of one place that differ; a vote is in the synced log before it is sent; no timer runs between heights.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use cairn_consensus::{
    Config, Effect, Evidence, Input, Machine, Message, Start, Timeouts, Timer, Validity, VerifiedMessage, VoteKind,
    WalEntry, WalRecord, usable,
};
use cairn_types::{
    BlockHash, Certificate, ChainId, Hash, Height, OrganizationId, Power, Validator, ValidatorIndex, ValidatorSet,
};
use ed25519_dalek::SigningKey;

use crate::disk::{Disk, Keys, Storage};
use crate::random::Random;
use crate::villain::Villain;

/// A block of the simulation; its hash is over everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) height: u64,
    pub(crate) parent: BlockHash,
    pub(crate) salt: u64,
    pub(crate) valid: bool,
}

impl Block {
    pub(crate) fn hash(&self) -> BlockHash {
        let mut bytes = self.height.to_le_bytes().to_vec();
        bytes.extend_from_slice(self.parent.as_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.push(u8::from(self.valid));
        BlockHash::from_hash(Hash::plain(&bytes))
    }
}

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Message(Vec<u8>),
    Block(Block),
    AskBlock(BlockHash),
    AskDecision(u64),
    Decision(Block, Certificate),
}

enum Event {
    Deliver { from: usize, to: usize, frame: Rc<Frame> },
    Timer { node: usize, epoch: u64, timer: Timer, generation: u64 },
    Start { node: usize, epoch: u64 },
    Execute { node: usize, epoch: u64, block: BlockHash },
    Build { node: usize, epoch: u64, height: Height, round: cairn_types::Round },
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

pub(crate) struct Node {
    pub(crate) secret: SigningKey,
    pub(crate) key: [u8; 32],
    pub(crate) villain: Option<Villain>,
    pub(crate) machine: Option<Machine>,
    pub(crate) storage: Storage,
    pub(crate) evidence: Vec<Evidence>,
    epoch: u64,
    timers: BTreeMap<Timer, u64>,
    executed: BTreeSet<BlockHash>,
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
    sets: Vec<Arc<ValidatorSet>>,
    timeouts: Timeouts,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    decided: BTreeMap<u64, BlockHash>,
    /// What honest nodes sent, by place.
    sent: BTreeMap<(usize, u64, u32, u8), Message>,
    checked: BTreeMap<Vec<u8>, Option<VerifiedMessage>>,
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
        let nodes = secrets
            .into_iter()
            .map(|secret| Node {
                key: secret.verifying_key().to_bytes(),
                secret,
                villain: None,
                machine: None,
                storage: Storage::default(),
                evidence: Vec::new(),
                epoch: 0,
                timers: BTreeMap::new(),
                executed: BTreeSet::new(),
            })
            .collect();
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

    /// Four validators, and a second node with the same key for each of `twins`: nodes 4, 5, …
    pub(crate) fn with_twins(seed: u64, twins: &[usize]) -> Self {
        let mut cluster = Self::new(seed, 4);
        for twin in twins {
            let original = &mut cluster.nodes[*twin];
            original.villain = Some(Villain::Twin);
            let copy = Node {
                key: original.key,
                secret: original.secret.clone(),
                villain: Some(Villain::Twin),
                machine: None,
                storage: Storage::default(),
                evidence: Vec::new(),
                epoch: 0,
                timers: BTreeMap::new(),
                executed: BTreeSet::new(),
            };
            cluster.nodes.push(copy);
            cluster.side.push(0);
            cluster.restart(cluster.nodes.len() - 1);
        }
        cluster
    }

    pub(crate) fn set(&self, height: u64) -> Arc<ValidatorSet> {
        let index = height as usize % self.sets.len();
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

    fn later(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + after_ms, self.sequence), event);
    }

    fn is_up(&self, node: usize, epoch: u64) -> bool {
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

    fn start(&mut self, node: usize) {
        let storage = &mut self.nodes[node].storage;
        let height = storage.tip() + 1;
        storage.log.retain(|entry| entry.height.get() >= height);
        let start = Start { height: Height::new(height), validators: self.set(height), timeouts: self.timeouts };
        self.step(node, Input::Start(start));
    }

    /// One step of a node's machine, and then its effects in their order. A crash can come before each.
    pub(crate) fn step(&mut self, node: usize, input: Input) {
        let (chain, has_sign_state) = (self.chain_id, self.habits.has_sign_state);
        let it = &mut self.nodes[node];
        let Some(machine) = it.machine.as_mut() else { return };
        let mut keys = Keys { chain, secret: &it.secret, storage: &mut it.storage, has_sign_state };
        let effects = machine.step(input, &mut keys);
        for effect in effects {
            if self.habits.crash_permille > 0 && self.random.chance(self.habits.crash_permille) {
                let after_ms = self.random.below(1_500);
                self.crash(node, Some(after_ms));
                return;
            }
            self.perform(node, effect);
        }
        let it = &self.nodes[node];
        let quiet = it.machine.as_ref().is_some_and(|machine| machine.under_way().is_none());
        assert!(!quiet || it.timers.is_empty(), "seed {}: node {node} runs timers between heights", self.seed);
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        let epoch = self.nodes[node].epoch;
        match effect {
            Effect::Append(entry) => self.nodes[node].storage.log_unsynced.push(entry),
            Effect::Sync => {
                self.counts.syncs += 1;
                self.nodes[node].storage.sync();
            }
            Effect::Broadcast(message) => self.broadcast(node, message),
            Effect::Restream { block, .. } => {
                if let Some(block) = self.nodes[node].storage.blocks.get(&block).cloned() {
                    self.send_to_all(node, &Frame::Block(block));
                }
            }
            Effect::StartTimer { timer, after_ms } => {
                self.sequence += 1;
                let generation = self.sequence;
                self.nodes[node].timers.insert(timer, generation);
                self.later(after_ms, Event::Timer { node, epoch, timer, generation });
            }
            Effect::CancelTimer(timer) => {
                self.nodes[node].timers.remove(&timer);
            }
            Effect::CancelAllTimers => self.nodes[node].timers.clear(),
            Effect::RoundStarted { .. } => self.counts.rounds += 1,
            Effect::Propose { height, round } => {
                let after_ms = self.random.below(5);
                self.later(after_ms, Event::Build { node, epoch, height, round });
            }
            Effect::NeedBlock { height, block, proposer, .. } => {
                if self.nodes[node].storage.blocks.contains_key(&block) {
                    self.later(1, Event::Execute { node, epoch, block });
                } else if let Some(proposer) = self.node_of(height.get(), proposer) {
                    self.send(node, proposer, Frame::AskBlock(block));
                }
            }
            Effect::Decide(certificate) => {
                let block = self.nodes[node].storage.blocks.get(&certificate.block).cloned();
                let block = block.unwrap_or_else(|| panic!("seed {}: node {node} decides what it lacks", self.seed));
                self.commit(node, block, certificate);
            }
            Effect::Evidence(evidence) => {
                let height = evidence.height().get();
                assert_eq!(evidence.verify(&self.chain_id, &self.set(height)), Ok(()), "seed {}", self.seed);
                let accused = self.node_of(height, evidence.validator());
                let guilty = accused.is_some_and(|accused| self.nodes[accused].villain.is_some());
                assert!(guilty, "seed {}: an honest node is accused: {evidence:?}", self.seed);
                self.nodes[node].evidence.push(evidence);
            }
            Effect::PeerAhead { height } => {
                let tip = self.nodes[node].storage.tip();
                let running = self.nodes[node].machine.as_ref().is_some_and(|machine| machine.under_way().is_some());
                if height.get() == tip + 1 && !running {
                    self.later(0, Event::Start { node, epoch });
                } else if height.get() > tip + 1 {
                    let to = self.random.below(self.nodes.len() as u64) as usize;
                    self.send(node, to, Frame::AskDecision(tip + 1));
                }
            }
            Effect::PeerBehind { validator, height } => {
                if let Some(to) = self.node_of(height.get(), validator) {
                    self.answer_decision(node, to, height.get());
                }
            }
            Effect::Fault(fault) => {
                // A villain's log holds its lies, so they may stop it; an honest node has no fault.
                let villain = self.nodes[node].villain.is_some();
                assert!(villain, "seed {}: node {node}: {fault}", self.seed);
                if fault.is_fatal() {
                    self.crash(node, None);
                }
            }
        }
    }

    fn broadcast(&mut self, node: usize, message: Message) {
        if let Some(villain) = self.nodes[node].villain {
            return villain.broadcast(self, node, message);
        }
        let tip = self.nodes[node].storage.tip();
        assert!(message.height().get() == tip + 1, "seed {}: node {node} speaks of a height that is over", self.seed);
        let place = match &message {
            Message::Proposal(signed) => Some((signed.proposal.round.get(), 0, WalRecord::Proposal(*signed))),
            Message::Vote(signed) | Message::Repeat(signed) => {
                let kind = if signed.vote.kind == VoteKind::Prevote { 1 } else { 2 };
                Some((signed.vote.round.get(), kind, WalRecord::Vote(*signed)))
            }
            Message::Polka(_) | Message::Round(_) => None,
        };
        if let Some((round, kind, record)) = place {
            let height = message.height();
            let first = match &message {
                Message::Repeat(signed) => Message::Vote(*signed),
                other => other.clone(),
            };
            let earlier = self.sent.entry((node, height.get(), round, kind)).or_insert_with(|| first.clone());
            assert_eq!(*earlier, first, "seed {}: honest node {node} contradicts itself", self.seed);
            let entry = WalEntry { height, record };
            let synced = self.nodes[node].storage.log.contains(&entry) || self.habits.disk == Disk::LosesLog;
            assert!(synced, "seed {}: node {node} says what is not on its disk: {entry:?}", self.seed);
        }
        self.counts.messages += 1;
        self.send_to_all(node, &Frame::Message(message.encode()));
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

    fn deliver(&mut self, from: usize, to: usize, frame: &Frame) {
        if self.nodes[to].machine.is_none() || self.side[from] != self.side[to] {
            return;
        }
        self.note(to as u64);
        let epoch = self.nodes[to].epoch;
        match frame {
            Frame::Message(bytes) => {
                if let Some(message) = self.check(bytes) {
                    self.step(to, Input::Message(message));
                }
            }
            Frame::Block(block) => {
                let storage = &mut self.nodes[to].storage;
                if block.height > storage.tip() && block.height <= storage.tip() + 2 {
                    storage.blocks.insert(block.hash(), block.clone());
                    let after_ms = self.random.below(8);
                    self.later(after_ms, Event::Execute { node: to, epoch, block: block.hash() });
                }
            }
            Frame::AskBlock(hash) => {
                if let Some(block) = self.nodes[to].storage.blocks.get(hash).cloned() {
                    self.send(to, from, Frame::Block(block));
                }
            }
            Frame::AskDecision(height) => self.answer_decision(to, from, *height),
            Frame::Decision(block, certificate) => {
                if block.height == self.nodes[to].storage.tip() + 1 {
                    self.commit(to, block.clone(), certificate.clone());
                    let height = Height::new(block.height);
                    self.step(to, Input::Committed { height });
                }
            }
        }
    }

    /// The entrance of every node; a pure function, so one result serves all.
    fn check(&mut self, bytes: &[u8]) -> Option<VerifiedMessage> {
        if let Some(known) = self.checked.get(bytes) {
            return known.clone();
        }
        let message = Message::decode(bytes).ok();
        let verified = message.and_then(|message| {
            let set = self.set(message.height().get());
            message.verify(&self.chain_id, &set).ok()
        });
        self.checked.insert(bytes.to_vec(), verified.clone());
        verified
    }

    fn answer_decision(&mut self, node: usize, to: usize, height: u64) {
        let decided = height.checked_sub(1).and_then(|index| self.nodes[node].storage.chain.get(index as usize));
        if let Some((block, certificate)) = decided.cloned() {
            self.send(node, to, Frame::Decision(block, certificate));
        }
    }

    fn execute(&mut self, node: usize, hash: BlockHash) {
        let it = &mut self.nodes[node];
        let Some(block) = it.storage.blocks.get(&hash) else { return };
        let parent = it.storage.chain.last().map_or(self.chain_id.genesis_hash(), |(block, _)| block.hash());
        if block.height != it.storage.tip() + 1 {
            return;
        }
        let valid = block.valid && block.parent == parent;
        it.executed.insert(hash);
        let height = Height::new(block.height);
        let validity = if valid { Validity::Valid } else { Validity::Invalid };
        self.step(node, Input::BlockExecuted { height, block: hash, validity });
    }

    pub(crate) fn make_block(&mut self, node: usize, valid: bool) -> Block {
        let storage = &self.nodes[node].storage;
        let parent = storage.chain.last().map_or(self.chain_id.genesis_hash(), |(block, _)| block.hash());
        let (height, salt) = (storage.tip() + 1, self.random.next());
        let block = Block { height, parent, salt, valid };
        self.nodes[node].storage.blocks.insert(block.hash(), block.clone());
        block
    }

    fn build(&mut self, node: usize, height: Height, round: cairn_types::Round) {
        let valid = self.nodes[node].villain != Some(Villain::ProposesInvalid);
        let block = self.make_block(node, valid);
        self.send_to_all(node, &Frame::Block(block.clone()));
        self.step(node, Input::BlockProposed { height, round, block: block.hash() });
    }

    fn commit(&mut self, node: usize, block: Block, certificate: Certificate) {
        let (height, hash) = (block.height, block.hash());
        let verdict = certificate.verify(&self.chain_id, Height::new(height), &hash, &self.set(height));
        assert_eq!(verdict, Ok(()), "seed {}: node {node} holds a bad certificate", self.seed);
        let first = *self.decided.entry(height).or_insert(hash);
        assert_eq!(first, hash, "seed {}: a fork at height {height}", self.seed);
        assert!(block.valid, "seed {}: an invalid block is final", self.seed);
        self.note(height);
        let it = &mut self.nodes[node];
        assert_eq!(it.storage.tip() + 1, height, "seed {}: node {node} skips a height", self.seed);
        it.storage.blocks.retain(|_, other| other.height > height);
        it.executed.clear();
        it.storage.chain.push((block, certificate));
    }

    fn note(&mut self, what: u64) {
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
