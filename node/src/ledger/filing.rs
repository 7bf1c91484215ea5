//! What follows from a block and is put on disk behind it: the state in the index, and where transactions stand.
//!
//! ```text
//! a block's names ────► Places, in memory ──┐
//! a block's changes ──► Unwritten ──────────┴──► enough of them: a thread writes them ──► commits go on meanwhile
//! ```
//!
//! Nobody reads the state out of the index but the next start, which executes again what was not written: so a key that
//! changes with every block is written once for many. The tip that the index names is written with the state in one batch.
//!
//! It does not know how index and places are kept. Invariants: the places of a block are there before the block is
//! published, whether it came from the network or from our own log; what is not written is bounded.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use cairn_proofs::accumulator;
use cairn_storage::{Batch, BlockLog, Index, Keyspace, Places, StorageError};
use cairn_types::{Block, DecodeError, Hash, Height, SignedTransaction};

use super::entries::{index_state, index_tip, name_transaction};
use super::{BlockError, JudgedBlock, Ledger, LedgerError};
use crate::chain::block_hash_key;

/// Transactions after which the state is written: to execute as many again takes a start about a second.
const UNWRITTEN_TRANSACTIONS: usize = 32_768;

/// Blocks after which it is written, for a chain of small ones.
const UNWRITTEN_BLOCKS: usize = 512;

/// How many times as much may wait while a write is under way, before a commit waits for it.
const UNWRITTEN_GROUPS: usize = 2;

/// Writing and merging, under way.
pub(super) type Filing = JoinHandle<Result<(), StorageError>>;

/// What blocks did to the state, and the newest of them as the tip of the index.
#[derive(Default)]
pub(super) struct Unwritten {
    batch: Batch,
    blocks: usize,
    transactions: usize,
}

impl Unwritten {
    /// Takes what the next block does.
    pub(super) fn follow(&mut self, judged: &JudgedBlock) {
        index_state(&mut self.batch, &judged.executed.changes);
        index_tip(&mut self.batch, judged.header.height, &judged.hash);
        self.blocks = self.blocks.saturating_add(1);
        self.transactions = self.transactions.saturating_add(judged.transactions.len());
    }

    fn reaches(&self, groups: usize) -> bool {
        self.blocks >= groups * UNWRITTEN_BLOCKS || self.transactions >= groups * UNWRITTEN_TRANSACTIONS
    }
}

impl Ledger {
    /// Adds the places of the block that is about to be published, unless they are there since an earlier start.
    pub(super) fn add_places(
        &self,
        height: Height,
        transactions: &[Arc<SignedTransaction>],
    ) -> Result<(), StorageError> {
        let places = &self.chain.places;
        if places.next() > height {
            return Ok(());
        }
        let mut block = places.begin(height);
        for (index, transaction) in (0..).zip(transactions) {
            name_transaction(&mut block, index, transaction);
        }
        places.add(block)
    }

    /// Has state and places written, each if there is enough to write, and waits only if too much waits already. Each has a
    /// thread of its own: merging places may take seconds, and the state need not wait for it.
    pub(super) fn write_behind(&mut self) -> Result<(), LedgerError> {
        let too_much = self.unwritten.reaches(UNWRITTEN_GROUPS);
        if let Some(filing) = self.filing_state.take_if(|filing| filing.is_finished() || too_much) {
            ended(filing)?;
        }
        if self.filing_state.is_none() && self.unwritten.reaches(1) {
            let batch = std::mem::take(&mut self.unwritten).batch;
            let index = Arc::clone(&self.chain.index);
            self.filing_state = Some(begin("index", move || index.write(&batch)));
        }
        let places = &self.chain.places;
        if let Some(filing) = self.filing_places.take_if(|filing| filing.is_finished() || places.is_full()) {
            ended(filing)?;
        }
        if self.filing_places.is_none() && places.is_due() {
            let places = Arc::clone(places);
            self.filing_places = Some(begin("places", move || places.work()));
        }
        Ok(())
    }

    /// Brings the index up to the tip, and waits for it.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk is to blame.
    pub(crate) fn settle_index(&mut self) -> Result<(), LedgerError> {
        if let Some(filing) = self.filing_state.take() {
            ended(filing)?;
        }
        let batch = std::mem::take(&mut self.unwritten).batch;
        if !batch.is_empty() {
            self.chain.index.write(&batch)?;
        }
        Ok(())
    }
}

fn begin(name: &str, work: impl FnOnce() -> Result<(), StorageError> + Send + 'static) -> Filing {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.expect("the system can start a thread now and then")
}

fn ended(filing: Filing) -> Result<(), StorageError> {
    filing.join().expect("engines and places contain their panics, whatever the disk holds")
}

/// Finds what stands in the blocks of the log up to `tip`, as far as it is not known yet. Each must be the block that the index
/// names.
pub(super) fn fill(places: &Places, index: &dyn Index, log: &BlockLog, tip: Height) -> Result<(), LedgerError> {
    loop {
        let height = places.next();
        if height > tip {
            return Ok(());
        }
        let mut block_places = places.begin(height);
        match log.read(height) {
            Err(StorageError::LogDamaged(damage)) => {
                tracing::error!(%damage, "what stands in this block cannot be found again");
            }
            other => {
                let record = other?.ok_or(LedgerError::Damaged { height })?;
                let named = index.get(Keyspace::History, &block_hash_key(height))?;
                let inconsistent = |source| LedgerError::Inconsistent { height, source };
                for (place, transaction) in (0..).zip(read(&record.block, named.as_deref()).map_err(inconsistent)?) {
                    name_transaction(&mut block_places, place, &transaction);
                }
            }
        }
        places.add(block_places)?;
        if places.is_due() {
            places.work()?;
        }
    }
}

/// The transactions of a block, which must have this hash.
fn read(bytes: &[u8], hash: Option<&[u8]>) -> Result<Vec<SignedTransaction>, BlockError> {
    let block = Block::from_bytes(bytes)?;
    let transactions: Result<Vec<SignedTransaction>, DecodeError> =
        block.transactions.into_iter().map(SignedTransaction::from_bytes).collect();
    let transactions = transactions?;
    let leaves: Vec<Hash> = transactions.iter().map(SignedTransaction::leaf).collect();
    let checks = [
        ("hash", hash == Some(&block.header.hash().as_bytes()[..])),
        ("tx_root", block.header.tx_root == accumulator::root_of(&leaves)),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(BlockError::Header { field }),
        None => Ok(transactions),
    }
}
