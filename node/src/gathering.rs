//! Transactions that were submitted here and are about to be gossiped.
//!
//! Gossiped ten in a batch, a transaction costs each of four validators 9 us of CPU, and 170 in a batch 2.6; and its
//! signature costs 4 us more in a batch of less than 96 than in a longer one. So under load what was submitted waits for
//! company. When it is quiet it goes nearly at once, and so does what fills a batch.
//!
//! It has no clock and no network: it is told the time. The invariant: nothing waits longer than [`GATHER_MAX`] after the last
//! batch, and less than a full batch waits.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use cairn_types::SignedTransaction;

/// How long the next batch waits for each transaction of the last one. So from 250 a second on the waiting feeds itself, up to
/// its bound, and below that it dies away.
const GATHER_EACH: Duration = Duration::from_millis(4);

/// Longest that a batch waits, less than the time between blocks under load. At 1,500 transactions a second it then has 110.
const GATHER_MAX: Duration = Duration::from_millis(75);

/// See the module.
#[derive(Default)]
pub(crate) struct Gathering {
    waiting: Vec<Arc<SignedTransaction>>,
    bytes: usize,
    /// When the next batch may go out, if it is not full before.
    next: Duration,
}

impl Gathering {
    /// Puts transactions to those that wait.
    pub(crate) fn put(&mut self, transactions: impl IntoIterator<Item = Arc<SignedTransaction>>) {
        for transaction in transactions {
            self.bytes = self.bytes.saturating_add(transaction.bytes().len());
            self.waiting.push(transaction);
        }
    }

    /// When what waits is to go out; `None` if nothing waits.
    pub(crate) fn due(&self) -> Option<Duration> {
        let is_full = self.bytes >= cairn_network::TRANSACTION_BATCH_BYTES_MAX;
        (!self.waiting.is_empty()).then_some(if is_full { Duration::ZERO } else { self.next })
    }

    /// What is to go out now; empty if nothing is.
    pub(crate) fn take(&mut self, now: Duration) -> Vec<Arc<SignedTransaction>> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        let count = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        self.next = now.saturating_add(GATHER_EACH.saturating_mul(count).min(GATHER_MAX));
        self.bytes = 0;
        mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{GATHER_EACH, GATHER_MAX, Gathering};
    use crate::testing::World;

    #[test]
    fn the_first_goes_at_once_the_next_waits_for_company_and_a_full_batch_for_nobody() {
        let world = World::new();
        let (_, registration) = world.register(0, 50);
        let transaction = Arc::new(registration);
        let mut gathering = Gathering::default();
        assert_eq!(gathering.due(), None, "there is nothing to wait for");

        let began = Duration::from_secs(7);
        gathering.put([Arc::clone(&transaction)]);
        assert_eq!(gathering.take(began).len(), 1, "it is quiet");
        gathering.put(vec![Arc::clone(&transaction); 2]);
        let next = began + GATHER_EACH;
        assert_eq!(gathering.due(), Some(next), "one went before");
        assert!(gathering.take(next - GATHER_EACH / 2).is_empty(), "others may come");
        assert_eq!(gathering.take(next).len(), 2);
        assert_eq!(gathering.due(), None);

        gathering.put(vec![Arc::clone(&transaction); 60]);
        let next = next + 2 * GATHER_EACH;
        assert_eq!(gathering.take(next).len(), 60);
        gathering.put([Arc::clone(&transaction)]);
        assert_eq!(gathering.due(), Some(next + GATHER_MAX), "many went before, but nobody waits longer than that");
        let next = next + GATHER_MAX;
        assert_eq!(gathering.take(next).len(), 1);

        let full = cairn_network::TRANSACTION_BATCH_BYTES_MAX.div_ceil(transaction.bytes().len());
        for _ in 0..full {
            assert!(gathering.take(next).is_empty(), "less than a batch waits");
            gathering.put([Arc::clone(&transaction)]);
        }
        assert_eq!(gathering.take(next).len(), full);
    }
}
