//! What clients asked and what nodes answered: all that the checker knows.
//!
//! Nothing here knows a process, a file or a log of a node. Times are of the one clock of this program, in microseconds
//! since 1970, so that block times can be held against them.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cairn_types::{BlockHash, Position, StreamId, TransactionId};

/// One question and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Which node was asked.
    pub(crate) node: usize,
    /// When it was asked.
    pub(crate) began_us: u64,
    /// When the answer was there.
    pub(crate) ended_us: u64,
    pub(crate) seen: Seen,
}

/// What a node answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Its newest final block.
    Tip { height: u64, hash: BlockHash },
    /// A final block.
    Block(SeenBlock),
    /// It took a transaction.
    Taken(TransactionId),
    /// It refused one, by this rule.
    Refused { id: TransactionId, rule: String },
    /// It was offered one and did not answer: it may have taken it.
    Unanswered(TransactionId),
    /// It says that a transaction is final.
    Final { id: TransactionId, position: Position, block: BlockHash },
    /// It says that a transaction waits.
    Pending(TransactionId),
    /// It knows no such transaction.
    Unknown(TransactionId),
    /// A stream as it stood after the block `at`.
    Stream { stream: StreamId, at: u64, count: u64, head: TransactionId },
}

/// A final block as a node shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenBlock {
    pub(crate) height: u64,
    pub(crate) hash: BlockHash,
    pub(crate) parent: BlockHash,
    pub(crate) time_ms: u64,
    /// Whether its certificate verifies.
    pub(crate) is_certified: bool,
    pub(crate) transactions: Vec<TransactionId>,
}

/// The history while it is written, by many at once.
pub(crate) struct Recorder {
    began: Instant,
    began_us: u64,
    events: Mutex<Vec<Event>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        let began_us = u64::try_from(since_1970.as_micros()).expect("it is earlier than the year 500,000");
        Self { began: Instant::now(), began_us, events: Mutex::new(Vec::new()) }
    }

    /// Now, on a clock that nobody sets.
    pub(crate) fn now_us(&self) -> u64 {
        self.began_us + u64::try_from(self.began.elapsed().as_micros()).expect("a test ends in time")
    }

    pub(crate) fn add(&self, node: usize, began_us: u64, seen: Seen) {
        let event = Event { node, began_us, ended_us: self.now_us(), seen };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// How many questions were answered, or offers made.
    pub(crate) fn len(&self) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Everything, in the order in which it ended.
    pub(crate) fn take(&self) -> Vec<Event> {
        let mut events = std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
        events.sort_by_key(|event| event.ended_us);
        events
    }
}
