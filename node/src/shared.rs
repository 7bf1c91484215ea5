//! What the driver lets the rest of the program see while it works.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use cairn_types::BlockHash;

use crate::low_water::LowWater;
use crate::metrics::Metrics;

/// What this node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Activity {
    /// Opening its files.
    Starting = 0,
    /// Connected to too few validators to decide anything.
    Waiting = 1,
    /// Fetching blocks that others have.
    Syncing = 2,
    /// Up to date, without a vote.
    Following = 3,
    /// Up to date, with a vote.
    Validating = 4,
}

/// See the module.
pub(crate) struct Shared {
    activity: AtomicU8,
    /// The bytes of blocks that are proposed and not decided, for peers that miss them.
    pub(crate) undecided: Mutex<HashMap<BlockHash, Arc<Vec<u8>>>>,
    pub(crate) metrics: Metrics,
    pub(crate) low_water: LowWater,
    clock_off_ms: AtomicI64,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            activity: AtomicU8::new(Activity::Starting as u8),
            undecided: Mutex::new(HashMap::new()),
            metrics: Metrics::new(),
            low_water: LowWater::new(),
            clock_off_ms: AtomicI64::new(0),
        }
    }

    /// Notes by how many milliseconds this node's clock is ahead of the others' (negative: behind); what it was before.
    pub(crate) fn set_clock_off_ms(&self, off_ms: i64) -> i64 {
        self.metrics.clock_off_ms.set(off_ms);
        self.clock_off_ms.swap(off_ms, Ordering::Relaxed)
    }

    /// By how many milliseconds this node's clock is ahead of the others'; 0 if it may well be right.
    pub(crate) fn clock_off_ms(&self) -> i64 {
        self.clock_off_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_activity(&self, activity: Activity) {
        self.activity.store(activity as u8, Ordering::Relaxed);
    }

    pub(crate) fn activity(&self) -> Activity {
        match self.activity.load(Ordering::Relaxed) {
            1 => Activity::Waiting,
            2 => Activity::Syncing,
            3 => Activity::Following,
            4 => Activity::Validating,
            _ => Activity::Starting,
        }
    }
}
