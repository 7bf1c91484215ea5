//! What the driver lets the rest of the program see while it works.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use cairn_types::BlockHash;

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
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            activity: AtomicU8::new(Activity::Starting as u8),
            undecided: Mutex::new(HashMap::new()),
            metrics: Metrics::new(),
        }
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
