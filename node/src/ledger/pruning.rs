//! Dropping old blocks, while the node runs or while it is stopped.
//!
//! ```text
//! base of the newest height written and synced ──► block log drops what lies below ──► files removed
//! ```
//!
//! Only blocks are dropped. Their headers stay in index and base, and so do the certificates by which the validators
//! changed, so checkpoint proofs, proofs of state and history, and bundles for what is kept are made as before. In what
//! was dropped nothing can be proven by this node any more, and it says so.
//!
//! A running node writes the base on a thread of its own and drops whole files only; it begins a new file with every
//! snapshot, so that there is one to drop. A stopped one has the time to copy what it keeps out of the oldest file.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use cairn_storage::BasePlace;
use cairn_types::Height;

use super::{Ledger, LedgerError};
use crate::chain::Snapshot;
use crate::snapshot::base;

/// A running node drops blocks once it can drop this part of what it keeps, because the base is written anew every time.
const PART_AT_ONCE: u64 = 4;

/// How a running node drops old blocks.
pub(crate) struct Pruning {
    /// The newest blocks that are kept at least.
    keep: u64,
    place: BasePlace,
    /// The base that is being written, and what is dropped after it.
    under_way: Option<(Height, JoinHandle<Result<(), LedgerError>>)>,
}

/// What was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Blocks begin here now.
    pub(crate) first: Height,
    /// Files that were removed.
    pub(crate) files: usize,
}

impl Ledger {
    /// Keeps about the newest `keep` blocks from now on.
    pub(crate) fn keep_blocks(&mut self, keep: u64, place: BasePlace) {
        self.pruning = Some(Pruning { keep: keep.max(1), place, under_way: None });
    }

    /// Goes on with pruning after a new block.
    pub(super) fn prune_if_time(&mut self, tip: &Arc<Snapshot>) -> Result<(), LedgerError> {
        let Some(pruning) = &mut self.pruning else { return Ok(()) };
        if let Some((first, written)) = pruning.under_way.take() {
            if !written.is_finished() {
                pruning.under_way = Some((first, written));
                return Ok(());
            }
            return match written.join() {
                Ok(Ok(())) => {
                    // Else a crash now would make the next start fill the index from the base.
                    self.settle_index()?;
                    let files = self.log.drop_below(first)?;
                    tracing::info!(%first, files, "dropped old blocks");
                    Ok(())
                }
                // Nothing was dropped; at the next snapshot it is tried again.
                Ok(Err(error)) => {
                    tracing::error!(%error, "old blocks are kept, because the base could not be written");
                    Ok(())
                }
                Err(_) => {
                    tracing::error!("old blocks are kept, because writing the base panicked; please report it");
                    Ok(())
                }
            };
        }
        if !self.chain.offers.is_due(tip.header.height) {
            return Ok(());
        }
        self.log.begin_file()?;
        let kept = Height::new(tip.header.height.get().saturating_sub(pruning.keep).saturating_add(1));
        let Some(first) = self.log.file_start(kept) else { return Ok(()) };
        let dropped = first.get().saturating_sub(self.log.first().get());
        if dropped < (pruning.keep / PART_AT_ONCE).max(1) {
            return Ok(());
        }
        let writer = pruning.place.create(self.log.extent_from(first))?;
        let (chain, tip) = (Arc::clone(&self.chain), Arc::clone(tip));
        let writing = thread::Builder::new()
            .name("prune".to_owned())
            .spawn(move || base::write_own(writer, &chain, &tip))
            .expect("the system can start a thread now and then");
        pruning.under_way = Some((first, writing));
        Ok(())
    }

    /// Waits until a base that is being written is finished.
    #[cfg(test)]
    pub(crate) fn wait_for_pruning(&mut self) {
        while self
            .pruning
            .as_ref()
            .is_some_and(|pruning| pruning.under_way.as_ref().is_some_and(|(_, written)| !written.is_finished()))
        {
            thread::yield_now();
        }
    }

    /// Keeps exactly the newest `keep` blocks, at once: for a node that is stopped. `None` if there are not more.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk is to blame. Base and log together are whole then too.
    pub(crate) fn prune_now(&mut self, keep: u64, place: &BasePlace) -> Result<Option<Pruned>, LedgerError> {
        let tip = self.chain.tip();
        let first = Height::new(tip.header.height.get().saturating_sub(keep.max(1)).saturating_add(1));
        if first <= self.log.first() {
            return Ok(None);
        }
        base::write_own(place.create(self.log.extent_from(first))?, &self.chain, &tip)?;
        self.log.split_at(first)?;
        let files = self.log.drop_below(first)?;
        Ok(Some(Pruned { first, files }))
    }
}
