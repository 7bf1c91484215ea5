//! The low-water mark: with little room left on its disk, a node takes no more transactions.
//!
//! ```text
//! free ≥ mark                    takes transactions
//! free < mark                    refuses them, says so in health, metrics and log; votes and follows as before
//! free ≥ mark and some           takes them again, by itself
//! ```
//!
//! Only what is submitted to this node is refused. What other nodes took comes by gossip and in blocks, and is theirs to
//! refuse; so one node with a small disk does not stop a network, and when all of them are low, only heartbeats are written.
//! It measures and decides; a write that fails nevertheless stops the node, as always.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cairn_storage::{DataDirectory, StorageError};

use crate::shared::Shared;

/// The mark if the configuration names none, in MiB: a thousand attestations a second write it full in about a quarter of
/// an hour, in which an operator can make room while the node goes on.
pub(crate) const LOW_WATER_MIB: u64 = 512;

/// How often the free space is measured: at the highest rate of blocks some 20 MB are written meanwhile.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Bytes in a MiB.
const MIB: u64 = 1024 * 1024;

/// How much more room than the mark there must be before transactions are taken again: an eighth of the mark, and at most
/// this, in bytes. With nothing more it would take and refuse in turns.
const RETURN_BYTES_MAX: u64 = 64 * MIB;

/// See the module.
pub(crate) struct LowWater {
    mark_bytes: AtomicU64,
    free_bytes: AtomicU64,
    is_low: AtomicBool,
}

impl LowWater {
    /// Nothing is measured yet, so there is room.
    pub(crate) const fn new() -> Self {
        Self { mark_bytes: AtomicU64::new(0), free_bytes: AtomicU64::new(u64::MAX), is_low: AtomicBool::new(false) }
    }

    /// Whether there is too little room to take transactions.
    pub(crate) fn is_low(&self) -> bool {
        self.is_low.load(Ordering::Relaxed)
    }

    /// Free bytes, as last measured, and the mark.
    pub(crate) fn measured(&self) -> (u64, u64) {
        (self.free_bytes.load(Ordering::Relaxed), self.mark_bytes.load(Ordering::Relaxed))
    }

    /// Notes the free bytes; whether there is too little room, if that changed.
    fn note(&self, free_bytes: u64, mark_bytes: u64) -> Option<bool> {
        self.mark_bytes.store(mark_bytes, Ordering::Relaxed);
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        let was_low = self.is_low();
        let more = (mark_bytes / 8).min(RETURN_BYTES_MAX);
        let enough = if was_low { mark_bytes.saturating_add(more) } else { mark_bytes };
        let is_low = free_bytes < enough;
        self.is_low.store(is_low, Ordering::Relaxed);
        (is_low != was_low).then_some(is_low)
    }
}

/// Measures now.
///
/// # Errors
/// [`StorageError`]: the disk does not tell.
pub(crate) fn measure(directory: &DataDirectory, mark_mib: u64, shared: &Shared) -> Result<(), StorageError> {
    let free_bytes = directory.free_bytes()?;
    let free_mib = free_bytes / MIB;
    shared.metrics.free_bytes.set(free_bytes);
    match shared.low_water.note(free_bytes, mark_mib.saturating_mul(MIB)) {
        Some(true) => tracing::error!(
            free_mib,
            mark_mib,
            "the disk is nearly full: this node takes no more transactions until there is room"
        ),
        Some(false) => {
            tracing::info!(free_mib, mark_mib, "there is room on the disk again: this node takes transactions")
        }
        None => {}
    }
    Ok(())
}

/// Measures for as long as the node runs.
pub(crate) async fn watch(directory: Arc<DataDirectory>, mark_mib: u64, shared: Arc<Shared>) -> Infallible {
    let mut ticks = tokio::time::interval(MEASURE_EVERY);
    let mut failed = false;
    loop {
        ticks.tick().await;
        let (directory, shared) = (Arc::clone(&directory), Arc::clone(&shared));
        let measured = tokio::task::spawn_blocking(move || measure(&directory, mark_mib, &shared)).await;
        let measured = measured.expect("measuring does not panic, and is not aborted");
        if let Err(error) = &measured
            && !failed
        {
            tracing::warn!(%error, "the free space of the disk is not known");
        }
        failed = measured.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::LowWater;

    #[test]
    fn below_the_mark_it_is_low_until_there_is_an_eighth_more() {
        let low_water = LowWater::new();
        let told: Vec<(Option<bool>, bool)> = [900, 800, 799, 850, 899, 900, 801, 800, 0]
            .into_iter()
            .map(|free| (low_water.note(free, 800), low_water.is_low()))
            .collect();
        let (same, became) = (None, Some);
        assert_eq!(
            told,
            [
                (same, false),
                (same, false),
                (became(true), true),
                (same, true),
                (same, true),
                (became(false), false),
                (same, false),
                (same, false),
                (became(true), true),
            ]
        );
        assert_eq!(low_water.measured(), (0, 800));
    }

    #[test]
    fn a_mark_of_nothing_is_never_reached() {
        assert_eq!(LowWater::new().note(0, 0), None);
    }
}
