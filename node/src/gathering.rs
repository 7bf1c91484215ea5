//! Transactions that were submitted here and are about to be gossiped.
//!
//! Gossiped ten in a batch, a transaction costs each of four validators 9 us of CPU, and 170 in a batch 2.6: so under load
//! what was submitted waits some milliseconds for company. When it is quiet it goes at once, and so does what fills a batch.
//!
//! It has no clock and no network: it is told the time. The invariant: nothing waits longer than [`GATHER`] after the last
//! batch, and less than a full batch waits.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use cairn_types::SignedTransaction;

/// How long after a batch went out the next one waits for more: a quarter of the time between blocks under load.
const GATHER: Duration = Duration::from_millis(25);

/// See the module.
#[derive(Default)]
pub(crate) struct Gathering {
    waiting: Vec<Arc<SignedTransaction>>,
    bytes: usize,
    /// When what waited went out last.
    sent: Option<Duration>,
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
        if self.waiting.is_empty() {
            return None;
        }
        let is_full = self.bytes >= cairn_network::TRANSACTION_BATCH_BYTES_MAX;
        Some(self.sent.filter(|_| !is_full).map_or(Duration::ZERO, |sent| sent + GATHER))
    }

    /// What is to go out now; empty if nothing is.
    pub(crate) fn take(&mut self, now: Duration) -> Vec<Arc<SignedTransaction>> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        (self.sent, self.bytes) = (Some(now), 0);
        mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{GATHER, Gathering};
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
        assert_eq!(gathering.due(), Some(began + GATHER));
        assert!(gathering.take(began + GATHER / 2).is_empty(), "others may come");
        assert_eq!(gathering.take(began + GATHER).len(), 2);
        assert_eq!(gathering.due(), None);

        let full = cairn_network::TRANSACTION_BATCH_BYTES_MAX.div_ceil(transaction.bytes().len());
        for _ in 0..full {
            assert!(gathering.take(began + GATHER).is_empty(), "less than a batch waits");
            gathering.put([Arc::clone(&transaction)]);
        }
        assert_eq!(gathering.take(began + GATHER).len(), full);
    }
}
