//! The ledger as this node writes it: opening, judging a block, committing one.
//!
//! ```text
//! commit:   block log, synced ──► index, places ──► Chain::publish: readers, waiters, subscribers
//! open:     genesis or base + index at its height ──► places up to there ──► blocks of the log above it, executed again
//! ```
//!
//! The block log is the ledger; the index, the state in it and everything in [`Chain`] follow from it. So an index that
//! is missing, behind, ahead or of another history is filled again from the log, and nobody has to ask for it. Of a node that
//! joined by a snapshot, or dropped old blocks, base and log together are the ledger ([`crate::snapshot::base`]).

use std::sync::Arc;

use cairn_runtime::{Executed, InvalidBlock, governance};
use cairn_storage::{Batch, BlockLog, IndexState, LogRecovery, RecordRef, StorageError};
use cairn_types::{
    BlockHash, Certificate, CertificateError, DecodeError, Header, Height, SignedTransaction, TransactionId, encode,
};

use crate::chain::{Chain, ReadError, Snapshot};
use crate::snapshot::base::BaseError;

mod opening;

pub(crate) mod loading;

mod judge;

pub(crate) use judge::{ReadBlock, build, judge, judge_pooled, judge_read};

mod replay;

mod entries;

pub(crate) use entries::{index_tip, index_tip_of, names};

mod filing;

use filing::{Filing, Unwritten};

mod pruning;

pub(crate) use pruning::{Pruned, Pruning};

mod repair;

/// Why a block is not the next one. Its proposer, or whoever sent it, is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("not a block: {0}")]
    Malformed(#[from] DecodeError),
    /// Whoever sent it may be to blame alone: the block of that header may be good.
    #[error("its transactions are not those that its header commits to")]
    Substituted,
    #[error("the header's {field} is not what it must be")]
    Header { field: &'static str },
    #[error("transaction {index} is not a transaction: {source}")]
    Transaction { index: u32, source: DecodeError },
    #[error(transparent)]
    Rules(#[from] InvalidBlock),
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// Not the block's fault: this node could not judge it.
    #[error("could not be judged here: {0}")]
    Unreadable(#[from] ReadError),
}

/// Why the ledger cannot be opened or written. This node's disk, or its operator, is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "block {height} of the block log is damaged; move everything but sign-state out of the data directory and start the node \
         again: it fetches the ledger from its peers"
    )]
    Damaged { height: Height },
    #[error("block {height} of the block log does not follow from the blocks before it: {source}")]
    Inconsistent { height: Height, source: BlockError },
    #[error(
        "the base of this store cannot be used: {0}; move base, blocks and index away, leave the rest, and start the node \
         again: it joins anew"
    )]
    Base(#[from] BaseError),
    #[error(
        "the block log ends before height {next}, and the base of this store is of height {base}: blocks were lost; move \
         base, blocks and index away, leave the rest, and start the node again: it joins anew"
    )]
    LogBehindBase { next: Height, base: Height },
    #[error(
        "from block {height} on this network follows version {version} of the rules, and this program knows up to version \
         {known}; nothing is lost: install a program that knows version {version} and start the node again"
    )]
    ProgramTooOld { height: Height, version: u16, known: u16 },
}

/// A block that was judged valid, with what it makes of the state.
pub(crate) struct JudgedBlock {
    pub(crate) header: Header,
    pub(crate) hash: BlockHash,
    pub(crate) bytes: Vec<u8>,
    pub(crate) transactions: Vec<Arc<SignedTransaction>>,
    pub(crate) executed: Executed,
}

/// The writing end of the ledger. There is one.
pub(crate) struct Ledger {
    chain: Arc<Chain>,
    log: BlockLog,
    /// The height at which what was cut off the log may be in it again.
    quarantine: Option<Height>,
    /// The newest version of the rules that this program knows.
    known_version: u16,
    /// Whether and how old blocks are dropped.
    pruning: Option<Pruning>,
    /// What the index has still to be told.
    unwritten: Unwritten,
    /// State on its way to the index.
    filing_state: Option<Filing>,
    /// Places on their way to the disk.
    filing_places: Option<Filing>,
}

/// How an opened ledger was found.
pub(crate) struct Opened {
    pub(crate) ledger: Ledger,
    pub(crate) recovery: LogRecovery,
    pub(crate) index: IndexState,
    /// Blocks that were executed again to bring the index up to the log.
    pub(crate) replayed: u64,
}

impl Ledger {
    /// The reading side.
    pub(crate) const fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Commits a judged block: on disk first, then in the index, then to everybody.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk is to blame, and the node must stop.
    ///
    /// # Panics
    /// If the block is not the one after the tip: the driver commits in order.
    pub(crate) fn commit(
        &mut self,
        judged: JudgedBlock,
        certificate: Certificate,
    ) -> Result<Arc<Snapshot>, LedgerError> {
        assert_eq!(Some(judged.header.height), self.chain.tip().header.height.next(), "blocks are committed in order");
        assert_eq!(certificate.block, judged.hash, "a certificate is of its block");
        let record =
            RecordRef { height: judged.header.height, block: &judged.bytes, certificate: &encode(&certificate) };
        self.log.append_many(&[record])?;
        let snapshot = self.index_and_publish(judged, certificate)?;
        self.write_behind()?;
        self.settle_quarantine()?;
        self.prune_if_time(&snapshot)?;
        Ok(snapshot)
    }

    fn index_and_publish(
        &mut self,
        judged: JudgedBlock,
        certificate: Certificate,
    ) -> Result<Arc<Snapshot>, LedgerError> {
        let parent = self.chain.tip();
        let mut history = parent.history.clone();
        let mut batch = Batch::new();
        entries::index_history(&mut batch, &judged, history.append(&judged.hash.hash()));
        self.chain.index.write(&batch)?;
        let height = judged.header.height;
        self.unwritten.follow(&judged);
        self.add_places(height, &judged.transactions)?;
        let deciders = parent.deciders.followed_by(&judged.executed.changes, &judged.executed.state, height);
        let changed_keys = judged.executed.changes.len();
        let state = judged.executed.state;
        let snapshot = Arc::new(Snapshot {
            upgrade: governance::scheduled_upgrade(&state, height),
            parameters: Arc::new(cairn_runtime::state::parameters(&state)),
            header: judged.header,
            hash: judged.hash,
            certificate: Some(certificate),
            state,
            deciders,
            history,
            transactions: u32::try_from(judged.transactions.len()).unwrap_or(u32::MAX),
        });
        let ids: Vec<TransactionId> = judged.transactions.iter().map(|transaction| transaction.id()).collect();
        self.chain.publish(Arc::clone(&snapshot), &ids, changed_keys);
        Ok(snapshot)
    }

    /// The newest version of the rules that this program knows.
    pub(crate) const fn known_version(&self) -> u16 {
        self.known_version
    }

    /// Checks that this program knows the rules of the next block.
    ///
    /// # Errors
    /// [`LedgerError::ProgramTooOld`]: the operator must install a newer one.
    pub(crate) fn check_version(&self) -> Result<(), LedgerError> {
        let tip = self.chain.tip();
        let (height, known) = (tip.next_height(), self.known_version);
        let version = governance::version_at(&tip.state, height);
        if version > known { Err(LedgerError::ProgramTooOld { height, version, known }) } else { Ok(()) }
    }

    /// Makes what was written to index and places durable, at an orderly shutdown.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]: the disk is to blame.
    pub(crate) fn close(&mut self) -> Result<(), LedgerError> {
        self.settle_index()?;
        self.chain.places.close()?;
        Ok(self.chain.index.close()?)
    }
}

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod tests;
