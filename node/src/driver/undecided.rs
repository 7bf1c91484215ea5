//! Blocks of the next height that are proposed and not decided.
//!
//! Valid ones are kept with what they make of the state, so that a decision commits without executing again; of invalid
//! ones only the hash. A validator gets a few judged in a height, and one more with each round, so that one who floods cannot
//! keep the others busy, and a height that takes long stays open to everybody.
//!
//! Every valid block is kept in memory and in the write-ahead log until its height is decided, which may take days. So there
//! is room for so many bytes ([`Undecided::has_room`]): beyond a part of it this node proposes blocks without transactions,
//! beyond all of it it judges no others. Honest proposers stop long before, so nobody is shut out.
//!
//! A block whose time is far from this node's clock is held back: this node does not vote for it on its own judgement. It
//! counts as valid once it is proposed *again*, with the claim that two thirds prevoted for it in an earlier round;
//! agreement checks that claim, and two thirds of the clocks outvote one. Without this, a node that was away could keep a
//! block on which others are locked from ever being decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_consensus::Validity;
use cairn_network::PeerKey;
use cairn_types::{BlockHash, Round, ValidatorIndex};

use super::lock;
use crate::ledger::JudgedBlock;
use crate::shared::Shared;

/// Most blocks of one sender that are judged in round 0 of a height, one more in each later round: its own, and some that it
/// proposes again.
const JUDGED_PER_SENDER_MAX: u32 = 8;

/// Most blocks that are held back: those of a few rounds. An older one that is decided comes again by catch-up.
const HELD_BACK_MAX: usize = 16;

/// Bytes of undecided blocks that there is room for: a hundred rounds of full blocks, and an eighth of what the write-ahead
/// log takes.
pub(crate) const UNDECIDED_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The part of it in which this node still proposes transactions; the rest is for those who have less in their logs.
const OWN_PART: usize = 4;

/// See the module.
pub(super) struct Undecided {
    valid: BTreeMap<BlockHash, JudgedBlock>,
    /// Valid but for their time.
    held_back: BTreeMap<BlockHash, JudgedBlock>,
    /// The block that each validator proposed again last.
    proposed_again: BTreeMap<ValidatorIndex, BlockHash>,
    invalid: Vec<BlockHash>,
    judged: BTreeMap<PeerKey, u32>,
    /// The last block that each validator sent for the height after the next one.
    early: BTreeMap<PeerKey, Vec<u8>>,
    /// What we proposed last.
    own: Option<BlockHash>,
    /// Bytes of the valid blocks, and how many there may be.
    bytes: usize,
    bytes_max: usize,
    /// Where the answers to peers find the bytes.
    shared: Arc<Shared>,
}

impl Undecided {
    pub(super) fn new(shared: Arc<Shared>, bytes_max: usize) -> Self {
        Self {
            valid: BTreeMap::new(),
            held_back: BTreeMap::new(),
            proposed_again: BTreeMap::new(),
            invalid: Vec::new(),
            judged: BTreeMap::new(),
            early: BTreeMap::new(),
            own: None,
            bytes: 0,
            bytes_max,
            shared,
        }
    }

    pub(super) fn insert(&mut self, judged: JudgedBlock) {
        lock(&self.shared.undecided).insert(judged.hash, Arc::new(judged.bytes.clone()));
        let bytes = judged.bytes.len();
        if self.valid.insert(judged.hash, judged).is_none() {
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Keeps a block that this node proposes.
    pub(super) fn insert_own(&mut self, judged: JudgedBlock) {
        self.own = Some(judged.hash);
        self.insert(judged);
    }

    /// What this node proposed last, if it is no older than this.
    pub(super) fn own(&self, now_ms: u64, age_ms_max: u64) -> Option<&JudgedBlock> {
        let own = self.valid.get(self.own.as_ref()?)?;
        (now_ms.abs_diff(own.header.time_ms) <= age_ms_max).then_some(own)
    }

    /// Whether there is room for more transactions in the blocks that this node proposes.
    pub(super) const fn has_room_for_own(&self) -> bool {
        self.bytes < self.bytes_max / OWN_PART
    }

    /// Whether there is room for another block.
    pub(super) const fn has_room(&self) -> bool {
        self.bytes < self.bytes_max
    }

    /// Keeps a block whose time is far from this node's clock.
    pub(super) fn hold_back(&mut self, judged: JudgedBlock) {
        if self.held_back.len() >= HELD_BACK_MAX {
            let oldest = self.held_back.values().min_by_key(|judged| judged.header.time_ms).map(|judged| judged.hash);
            oldest.map(|hash| self.held_back.remove(&hash));
        }
        self.held_back.insert(judged.hash, judged);
    }

    /// Notes that a block was proposed again; the block, if it was held back.
    pub(super) fn propose_again(&mut self, proposer: ValidatorIndex, block: BlockHash) -> Option<JudgedBlock> {
        self.proposed_again.insert(proposer, block);
        self.held_back.remove(&block)
    }

    /// Whether a block's time is to be measured by this node's clock.
    pub(super) fn is_fresh(&self, block: &BlockHash) -> bool {
        !self.proposed_again.values().any(|again| again == block)
    }

    /// Whether this block was judged already, whatever came of it.
    pub(super) fn is_known(&self, block: &BlockHash) -> bool {
        self.validity(block).is_some() || self.held_back.contains_key(block)
    }

    pub(super) fn insert_invalid(&mut self, block: BlockHash) {
        self.invalid.push(block);
    }

    /// Counts a block of `from`, which came in this round; whether it may still be judged.
    pub(super) fn admit(&mut self, from: PeerKey, round: Round) -> bool {
        let count = self.judged.entry(from).or_default();
        let is_admitted = *count < JUDGED_PER_SENDER_MAX.saturating_add(round.get());
        *count += u32::from(is_admitted);
        is_admitted
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

    /// How many blocks are kept, judged or early, and how many senders and proposers something is kept of.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let blocks = self.valid.len() + self.held_back.len() + self.invalid.len() + self.early.len();
        (blocks, self.judged.len() + self.proposed_again.len())
    }

    /// Forgets everything but what came early: the height is decided.
    pub(super) fn clear(&mut self) {
        self.valid.clear();
        self.held_back.clear();
        self.proposed_again.clear();
        self.invalid.clear();
        self.judged.clear();
        (self.own, self.bytes) = (None, 0);
        lock(&self.shared.undecided).clear();
    }
}
