//! What one node does: it performs its machine's effects, each at its place, and answers frames.
//!
//! This is a node in miniature, and shows how [`cairn_consensus::Machine`] is driven.

use std::collections::{BTreeMap, BTreeSet};

use cairn_consensus::{
    Effect, Evidence, Input, Machine, Message, Start, Timer, Validity, VerifiedMessage, VoteKind, WalEntry, WalRecord,
};
use cairn_types::{BlockHash, Certificate, Hash, Height, Round};
use ed25519_dalek::SigningKey;

use crate::cluster::{Cluster, Event, Frame};
use crate::disk::{Disk, Keys, Storage};
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

pub(crate) struct Node {
    pub(crate) secret: SigningKey,
    pub(crate) key: [u8; 32],
    pub(crate) villain: Option<Villain>,
    pub(crate) machine: Option<Machine>,
    pub(crate) storage: Storage,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) epoch: u64,
    pub(crate) timers: BTreeMap<Timer, u64>,
    pub(crate) executed: BTreeSet<BlockHash>,
}

impl Node {
    pub(crate) fn new(secret: SigningKey, villain: Option<Villain>) -> Self {
        Self {
            key: secret.verifying_key().to_bytes(),
            secret,
            villain,
            machine: None,
            storage: Storage::default(),
            evidence: Vec::new(),
            epoch: 0,
            timers: BTreeMap::new(),
            executed: BTreeSet::new(),
        }
    }
}

impl Cluster {
    pub(crate) fn start(&mut self, node: usize) {
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

    pub(crate) fn perform(&mut self, node: usize, effect: Effect) {
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

    pub(crate) fn broadcast(&mut self, node: usize, message: Message) {
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

    pub(crate) fn deliver(&mut self, from: usize, to: usize, frame: &Frame) {
        if self.nodes[to].machine.is_none() || self.side[from] != self.side[to] {
            return;
        }
        self.note(to as u64);
        let epoch = self.nodes[to].epoch;
        match frame {
            Frame::Message(bytes) => {
                // Who decides the next two heights is settled; of a later one no node can know it, so the message is only a
                // hint that somebody is ahead.
                let tip = self.nodes[to].storage.tip();
                if Message::decode(bytes).is_ok_and(|message| message.height().get() > tip + 2) {
                    self.send(to, from, Frame::AskDecision(tip + 1));
                } else if let Some(message) = self.check(bytes) {
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
    pub(crate) fn check(&mut self, bytes: &[u8]) -> Option<VerifiedMessage> {
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

    pub(crate) fn answer_decision(&mut self, node: usize, to: usize, height: u64) {
        let decided = height.checked_sub(1).and_then(|index| self.nodes[node].storage.chain.get(index as usize));
        if let Some((block, certificate)) = decided.cloned() {
            self.send(node, to, Frame::Decision(block, certificate));
        }
    }

    pub(crate) fn execute(&mut self, node: usize, hash: BlockHash) {
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

    pub(crate) fn build(&mut self, node: usize, height: Height, round: Round) {
        let valid = self.nodes[node].villain != Some(Villain::ProposesInvalid);
        let block = self.make_block(node, valid);
        self.send_to_all(node, &Frame::Block(block.clone()));
        self.step(node, Input::BlockProposed { height, round, block: block.hash() });
    }

    pub(crate) fn commit(&mut self, node: usize, block: Block, certificate: Certificate) {
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
}
