//! The snapshots that this node offers, and its answers to those who fetch one.
//!
//! A snapshot is the whole state of one height. It shares with the newest state what has not changed since, so it costs the
//! rest: one that is old pins, under load, as much memory as the state itself. So the newest one is replaced when much has
//! changed, and older ones stay only while somebody fetches them. The work of one answer is bounded by its size.
//!
//! Time is counted in heights here: where none pass, nothing changes and a snapshot costs nothing. It does not know who asks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use cairn_types::{Height, encode};

use super::receive::HeadersPiece;
use super::{CHECKPOINT_BYTES_MAX, HEADERS_PER_PIECE_MAX, SNAPSHOT_INTERVAL, STATE_PIECE_BYTES};
use crate::chain::{Chain, ReadError, Snapshot};

/// Most snapshots that are kept: several may be fetched at once.
const OFFERS_MAX: usize = 4;

/// Keys that may change before there is another snapshot ahead of the interval. Each keeps 0.5 to 1.7 kB of the state before
/// it; so many are kept anyway, for those who read old states, so that the newest snapshot costs next to nothing.
const CHANGED_KEYS_MAX: usize = 16_384;

/// Into how many parts an interval is divided by the heights at which that may be. All nodes count the same changes at the
/// same heights, so most of the time they offer the same snapshots, and whoever fetches one has several to ask.
const INTERVAL_PARTS: u64 = 64;

/// For how many heights an older snapshot stays after somebody asked for a part of it: about a minute of a busy chain with full
/// blocks. It is looked at when another one is made. Pieces are asked for one after the other, some in a second.
const USE_HEIGHTS: u64 = 256;

/// For how many intervals an older snapshot stays at most, whoever asks.
const INTERVALS_MAX: u64 = 4;

/// A snapshot, and the height at which it was last asked for.
struct Offer {
    snapshot: Arc<Snapshot>,
    asked: AtomicU64,
}

impl Offer {
    const fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, asked: AtomicU64::new(0) }
    }

    fn height(&self) -> u64 {
        self.snapshot.header.height.get()
    }

    fn give(&self, tip: u64) -> Arc<Snapshot> {
        self.asked.store(tip, Ordering::Relaxed);
        Arc::clone(&self.snapshot)
    }
}

struct Kept {
    offers: VecDeque<Offer>,
    /// The newest height.
    tip: u64,
    /// Keys that have changed since the newest snapshot, counted once a block.
    changed_keys: usize,
}

/// See the module.
pub(crate) struct Offers {
    interval: AtomicU64,
    kept: RwLock<Kept>,
}

impl Offers {
    /// Offers the height that the node was started at, and those to come.
    pub(crate) fn new(tip: &Arc<Snapshot>) -> Self {
        let first = tip.certificate.is_some().then(|| Offer::new(Arc::clone(tip)));
        let kept = Kept { offers: first.into_iter().collect(), tip: tip.header.height.get(), changed_keys: 0 };
        Self { interval: AtomicU64::new(SNAPSHOT_INTERVAL), kept: RwLock::new(kept) }
    }

    /// Sets the heights between two snapshots; at least 1.
    pub(crate) fn set_interval(&self, heights: u64) {
        self.interval.store(heights.max(1), Ordering::Relaxed);
    }

    fn interval(&self) -> u64 {
        self.interval.load(Ordering::Relaxed).max(1)
    }

    /// Whether a snapshot is made at this height, however little has changed.
    pub(crate) fn is_due(&self, height: Height) -> bool {
        height.get().is_multiple_of(self.interval())
    }

    /// Looks at a new height, whose block changed so many keys.
    pub(crate) fn follow(&self, snapshot: &Arc<Snapshot>, changed_keys: usize) {
        let (height, interval) = (snapshot.header.height, self.interval());
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.tip = height.get();
        kept.changed_keys = kept.changed_keys.saturating_add(changed_keys);
        let is_early =
            kept.changed_keys > CHANGED_KEYS_MAX && height.get().is_multiple_of((interval / INTERVAL_PARTS).max(1));
        if !is_early && !self.is_due(height) {
            return;
        }
        let dropped = kept.replace(Arc::clone(snapshot), interval);
        drop(kept);
        if !dropped.is_empty() {
            // What only they had of the state takes long to release. Where no thread can be started it happens here.
            let _ = thread::Builder::new().name("release".to_owned()).spawn(move || drop(dropped));
        }
    }

    fn newest(&self) -> Option<Arc<Snapshot>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.offers.back().map(|offer| offer.give(kept.tip))
    }

    fn of(&self, height: Height) -> Option<Arc<Snapshot>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let offer = kept.offers.iter().find(|offer| offer.height() == height.get());
        offer.map(|offer| offer.give(kept.tip))
    }
}

impl Kept {
    /// Adds the newest snapshot, and answers with those that are kept no longer.
    fn replace(&mut self, newest: Arc<Snapshot>, interval: u64) -> VecDeque<Offer> {
        let tip = self.tip;
        let is_fetched = |offer: &Offer| -> bool {
            let asked = offer.asked.load(Ordering::Relaxed);
            asked > 0
                && tip.saturating_sub(asked) <= USE_HEIGHTS
                && tip.saturating_sub(offer.height()) < interval.saturating_mul(INTERVALS_MAX)
        };
        let (fetched, mut dropped): (VecDeque<Offer>, VecDeque<Offer>) = self.offers.drain(..).partition(is_fetched);
        self.offers = fetched;
        self.offers.push_back(Offer::new(newest));
        self.changed_keys = 0;
        if self.offers.len() > OFFERS_MAX {
            dropped.extend(self.offers.pop_front());
        }
        dropped
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

#[cfg(test)]
mod tests;
