//! The write-ahead log: what a node must remember of a height so that it never contradicts itself after a crash.
//!
//! The machine says what to append and when it must be on disk; the node stores the bytes. After a crash it gives the
//! height's entries back in order, and the machine arrives where it was: it votes what it voted, and is locked on what it
//! was locked on. Entries of a height that is decided are of no use.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::{BlockHash, DecodeError, Height, Round, ValidatorIndex, codec};

use crate::message::{MESSAGE_BYTES_MAX, PolkaCertificate, SignedProposal, SignedVote};
use crate::timers::TimerKind;

/// Most bytes of an encoded entry: a polka certificate, which is smaller than the largest message.
pub const WAL_ENTRY_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// Whether the rules accept a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Validity {
    /// Every rule holds: we may vote for it.
    Valid = 0,
    /// Some rule is broken: we never vote for it.
    Invalid = 1,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct WalEntry {
    /// The height that it belongs to.
    pub height: Height,
    /// What happened.
    pub record: WalRecord,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum WalRecord {
    /// A vote was counted, ours or another's.
    Vote(SignedVote) = 0,
    /// A proposal was accepted, ours or another's.
    Proposal(SignedProposal) = 1,
    /// Proof of two thirds of prevotes was accepted.
    Polka(PolkaCertificate) = 2,
    /// A block was executed, or built by us.
    Executed {
        /// The round of its proposal.
        round: Round,
        /// The earlier round that its proposal refers to.
        pol_round: Option<Round>,
        /// Who proposed it in that round.
        proposer: ValidatorIndex,
        /// The block.
        block: BlockHash,
        /// What the rules say.
        validity: Validity,
    } = 3,
    /// A timer fired in time.
    TimerFired {
        /// Its round.
        round: Round,
        /// What it waited for.
        kind: TimerKind,
    } = 4,
}

/// The part of a recovered log that may be used at `height`, the one after the last block in the ledger. The node cuts its
/// file there before it appends again.
///
/// Entries that were never synced may survive a crash, and among them "this block is valid" without the block's bytes. We
/// must not vote for what we could not show to others, so the log ends before such an entry. Nothing that left this node
/// rests on what is cut: a sync makes log and bytes durable together. Entries of other heights are left alone; the bytes
/// of their blocks may rightly be gone.
pub fn usable(entries: &[WalEntry], height: Height, has_block: impl Fn(&BlockHash) -> bool) -> &[WalEntry] {
    let end = entries.iter().position(|entry| match &entry.record {
        WalRecord::Executed { block, validity: Validity::Valid, .. } => entry.height == height && !has_block(block),
        _ => false,
    });
    entries.get(..end.unwrap_or(entries.len())).unwrap_or(entries)
}

impl WalEntry {
    /// Its encoding.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The entry whose encoding is exactly `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`]; the disk, or a newer version of this program, is to blame.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, WAL_ENTRY_BYTES_MAX)
    }
}
