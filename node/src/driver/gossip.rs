//! What this node gossips: what was submitted to it, and, without a vote, again what waits for long.

use std::sync::Arc;
use std::time::Duration;

use cairn_types::{SignedTransaction, encode};

use super::Driver;

/// How often a node without a vote gossips again what waits, in milliseconds.
const REPEAT_MS: u64 = 5_000;

/// Blocks that go by before a transaction that waits at a node without a vote is gossiped again: a proposer that has it takes
/// it into the next one, or the one after that.
const REPEAT_AFTER_BLOCKS: u64 = 2;

impl Driver {
    /// Gossips what was submitted here and taken, in batches.
    pub(crate) fn on_accepted(&mut self, transactions: &[Arc<SignedTransaction>]) {
        let mut batch: Vec<Vec<u8>> = Vec::new();
        let mut size = 4;
        for transaction in transactions {
            let bytes = transaction.bytes();
            if size + 4 + bytes.len() > cairn_network::TRANSACTION_BATCH_BYTES_MAX {
                self.publish(&batch);
                batch.clear();
                size = 4;
            }
            size += 4 + bytes.len();
            batch.push(bytes.to_vec());
        }
        self.publish(&batch);
    }

    fn publish(&self, batch: &Vec<Vec<u8>>) {
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.surroundings.publish(encode(batch)) {
            // It still waits here, and stands in the next block that this node proposes.
            tracing::debug!(%error, "a batch of transactions was not gossiped");
        }
    }

    /// Gossips again what waits here for long, if this node never proposes it itself: gossip is a hint and may have been lost.
    pub(super) fn repeat_waiting(&mut self, now: Duration) {
        let due = self.last_repeat + Duration::from_millis(REPEAT_MS);
        if self.seat.index().is_some() || now < due || self.mempool.is_empty() {
            return;
        }
        self.last_repeat = now;
        let bytes_max = cairn_network::TRANSACTION_BATCH_BYTES_MAX / 2;
        self.on_accepted(&self.mempool.passed_over(REPEAT_AFTER_BLOCKS, bytes_max));
    }
}
