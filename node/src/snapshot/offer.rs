//! The snapshots that this node offers, and its answers to those who fetch one.
//!
//! It keeps whole states of a few heights, which share with each other and with the newest one what has not changed. The
//! work of one answer is bounded by its size. It does not know who asks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use cairn_types::{Height, encode};

use super::receive::HeadersPiece;
use super::{CHECKPOINT_BYTES_MAX, HEADERS_PER_PIECE_MAX, SNAPSHOT_INTERVAL, STATE_PIECE_BYTES};
use crate::chain::{Chain, ReadError, Snapshot};

/// Most snapshots that are kept: whoever fetches one has the time of three intervals.
const OFFERS_MAX: usize = 4;

/// See the module.
pub(crate) struct Offers {
    interval: AtomicU64,
    kept: RwLock<VecDeque<Arc<Snapshot>>>,
}

impl Offers {
    /// Offers the height that the node was started at, and those to come.
    pub(crate) fn new(tip: &Arc<Snapshot>) -> Self {
        let first = tip.certificate.is_some().then(|| Arc::clone(tip));
        Self { interval: AtomicU64::new(SNAPSHOT_INTERVAL), kept: RwLock::new(first.into_iter().collect()) }
    }

    /// Sets the heights between two snapshots; at least 1.
    pub(crate) fn set_interval(&self, heights: u64) {
        self.interval.store(heights.max(1), Ordering::Relaxed);
    }

    /// Whether a snapshot is made at this height.
    pub(crate) fn is_due(&self, height: Height) -> bool {
        height.get().is_multiple_of(self.interval.load(Ordering::Relaxed).max(1))
    }

    /// Looks at a new height.
    pub(crate) fn follow(&self, snapshot: &Arc<Snapshot>) {
        if !self.is_due(snapshot.header.height) {
            return;
        }
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Arc::clone(snapshot));
        if kept.len() > OFFERS_MAX {
            kept.pop_front();
        }
    }

    fn newest(&self) -> Option<Arc<Snapshot>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }

    fn of(&self, height: Height) -> Option<Arc<Snapshot>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|snapshot| snapshot.header.height == height).cloned()
    }
}

/// The encoded checkpoint proof of the newest snapshot.
///
/// # Errors
/// [`ReadError`]: this node's disk is to blame.
pub(crate) fn newest(chain: &Chain) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(snapshot) = chain.offers.newest() else { return Ok(None) };
    let proof = chain.checkpoint_proof(&snapshot)?.map(|proof| encode(&proof));
    Ok(proof.filter(|bytes| bytes.len() <= CHECKPOINT_BYTES_MAX))
}

/// Headers of the history of a snapshot, from a height on; `None` if there is no such snapshot or none of its headers is
/// there.
///
/// # Errors
/// [`ReadError`]: this node's disk is to blame.
pub(crate) fn headers(chain: &Chain, snapshot: Height, from: Height) -> Result<Option<HeadersPiece>, ReadError> {
    if chain.offers.of(snapshot).is_none() || from == Height::GENESIS || from >= snapshot {
        return Ok(None);
    }
    let left = usize::try_from(snapshot.get().saturating_sub(from.get())).unwrap_or(usize::MAX);
    let headers = chain.header_cores(from, left.min(HEADERS_PER_PIECE_MAX))?;
    let Some(more) = headers.len().checked_sub(1) else { return Ok(None) };
    let last = Height::new(from.get().saturating_add(u64::try_from(more).unwrap_or(u64::MAX)));
    let last = chain.history_proof(last, snapshot)?;
    Ok(Some(HeadersPiece { headers, last }))
}

/// The next encoded piece of a snapshot's state.
pub(crate) fn state(chain: &Chain, snapshot: Height, after: Option<&[u8]>) -> Option<Vec<u8>> {
    let snapshot = chain.offers.of(snapshot)?;
    snapshot.state.piece_after(after, STATE_PIECE_BYTES).map(|proof| proof.encode())
}
