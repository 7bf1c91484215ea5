//! Blocks of the next height that are proposed and not decided.
//!
//! Valid ones are kept with what they make of the state, so that a decision commits without executing again; of invalid
//! ones only the hash. A validator gets a few judged in a height, so that one who floods cannot keep the others busy.
//!
//! A block whose time is far from this node's clock is held back: this node does not vote for it on its own judgement. It
//! counts as valid once it is proposed *again*, with the claim that two thirds prevoted for it in an earlier round;
//! agreement checks that claim, and two thirds of the clocks outvote one. Without this, a node that was away could keep a
//! block on which others are locked from ever being decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_consensus::Validity;
use cairn_network::PeerKey;
use cairn_types::BlockHash;

use super::lock;
use crate::ledger::JudgedBlock;
use crate::shared::Shared;

/// Most blocks of one sender that are judged in a height: its own in a few rounds, and some that it proposes again.
const JUDGED_PER_SENDER_MAX: u32 = 8;

/// See the module.
pub(super) struct Undecided {
    valid: BTreeMap<BlockHash, JudgedBlock>,
    /// Valid but for their time.
    held_back: BTreeMap<BlockHash, JudgedBlock>,
    /// Blocks that were proposed again.
    proposed_again: BTreeSet<BlockHash>,
    invalid: Vec<BlockHash>,
    judged: BTreeMap<PeerKey, u32>,
    /// The last block that each validator sent for the height after the next one.
    early: BTreeMap<PeerKey, Vec<u8>>,
    /// Where the answers to peers find the bytes.
    shared: Arc<Shared>,
}

impl Undecided {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            valid: BTreeMap::new(),
            held_back: BTreeMap::new(),
            proposed_again: BTreeSet::new(),
            invalid: Vec::new(),
            judged: BTreeMap::new(),
            early: BTreeMap::new(),
            shared,
        }
    }

    pub(super) fn insert(&mut self, judged: JudgedBlock) {
        lock(&self.shared.undecided).insert(judged.hash, Arc::new(judged.bytes.clone()));
        self.valid.insert(judged.hash, judged);
    }

    /// Keeps a block whose time is far from this node's clock.
    pub(super) fn hold_back(&mut self, judged: JudgedBlock) {
        self.held_back.insert(judged.hash, judged);
    }

    /// Notes that a block was proposed again; the block, if it was held back.
    pub(super) fn propose_again(&mut self, block: BlockHash) -> Option<JudgedBlock> {
        self.proposed_again.insert(block);
        self.held_back.remove(&block)
    }

    /// Whether a block's time is to be measured by this node's clock.
    pub(super) fn is_fresh(&self, block: &BlockHash) -> bool {
        !self.proposed_again.contains(block)
    }

    /// Whether this block was judged already, whatever came of it.
    pub(super) fn is_known(&self, block: &BlockHash) -> bool {
        self.validity(block).is_some() || self.held_back.contains_key(block)
    }

    pub(super) fn insert_invalid(&mut self, block: BlockHash) {
        self.invalid.push(block);
    }

    /// Counts a block of `from`; whether it may still be judged.
    pub(super) fn admit(&mut self, from: PeerKey) -> bool {
        let count = self.judged.entry(from).or_default();
        *count += 1;
        *count <= JUDGED_PER_SENDER_MAX
    }

    pub(super) fn validity(&self, block: &BlockHash) -> Option<Validity> {
        if self.valid.contains_key(block) {
            Some(Validity::Valid)
        } else {
            self.invalid.contains(block).then_some(Validity::Invalid)
        }
    }

    pub(super) fn bytes(&self, block: &BlockHash) -> Option<&[u8]> {
        self.valid.get(block).map(|judged| judged.bytes.as_slice())
    }

    /// Whether a block's time was far from this node's clock, and nobody has proposed it again.
    pub(super) fn is_held_back(&self, block: &BlockHash) -> bool {
        self.held_back.contains_key(block)
    }

    /// The block that was decided. Two thirds precommitted to it, so its time does not matter any more.
    pub(super) fn take(&mut self, block: &BlockHash) -> Option<JudgedBlock> {
        self.valid.remove(block).or_else(|| self.held_back.remove(block))
    }

    /// All verdicts so far.
    pub(super) fn verdicts(&self) -> Vec<(BlockHash, Validity)> {
        let valid = self.valid.keys().map(|block| (*block, Validity::Valid));
        valid.chain(self.invalid.iter().map(|block| (*block, Validity::Invalid))).collect()
    }

    pub(super) fn keep_early(&mut self, from: PeerKey, bytes: Vec<u8>) {
        self.early.insert(from, bytes);
    }

    pub(super) fn take_early(&mut self) -> Vec<(PeerKey, Vec<u8>)> {
        std::mem::take(&mut self.early).into_iter().collect()
    }

    /// How many blocks are kept, judged or early, and how many senders are counted.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let blocks = self.valid.len() + self.held_back.len() + self.invalid.len() + self.early.len();
        (blocks, self.judged.len())
    }

    /// Forgets everything but what came early: the height is decided.
    pub(super) fn clear(&mut self) {
        self.valid.clear();
        self.held_back.clear();
        self.proposed_again.clear();
        self.invalid.clear();
        self.judged.clear();
        lock(&self.shared.undecided).clear();
    }
}
