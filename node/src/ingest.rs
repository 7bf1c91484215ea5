//! Batches of transactions that were gossiped to this node: decoded, judged and taken, on a thread of its own.
//!
//! Batches that wait are taken together (together.rs). A batch goes further only if something in it was new and good: what
//! nobody would include is not worth anybody's bandwidth.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

use cairn_network::{BatchId, BatchVerdict, NetworkHandle, TRANSACTION_BATCH_BYTES_MAX};
use cairn_types::transaction::split_batch;
use cairn_types::{Call, Height, Rejection, SignedTransaction, record, state_key};
use tokio::sync::mpsc;

use crate::chain::Snapshot;
use crate::mempool::{Mempool, SubmitError};
use crate::together;

/// Batches that wait: 4 MiB, or 11,000 of the usual transactions, which is a second of the rate that we promise and a quarter
/// of a second of work. After that gossip is dropped and left to catch-up by blocks.
const BATCHES_MAX: usize = 64;

/// Bytes that are enough to be taken together: 1,400 of the usual transactions, which are five batches of the verifier, and
/// 30 ms of one core.
const TOGETHER_BYTES_MIN: usize = 512 * 1024;

/// Most transactions of a gossiped batch: as many of the smallest as its bytes hold. None is smaller than its signature.
const BATCH_TRANSACTIONS_MAX: usize = TRANSACTION_BATCH_BYTES_MAX / 64;

/// A batch as it came.
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) id: BatchId,
}

/// See the module.
pub(crate) struct Ingest {
    batches: SyncSender<Batch>,
    network: NetworkHandle,
}

impl Ingest {
    /// Starts the thread. `wake` tells the driver that something waits.
    pub(crate) fn start(network: NetworkHandle, mempool: Arc<Mempool>, wake: mpsc::Sender<()>) -> Self {
        let (batches, received) = sync_channel::<Batch>(BATCHES_MAX);
        let handle = network.clone();
        thread::Builder::new()
            .name("ingest".to_owned())
            .spawn(move || {
                for first in &received {
                    let size = |batch: &Batch| batch.bytes.len();
                    let batches = together::take(first, TOGETHER_BYTES_MIN, size, || received.try_recv().ok());
                    let bytes: Vec<&[u8]> = batches.iter().map(|batch| batch.bytes.as_slice()).collect();
                    let verdicts = take(&mempool, &bytes);
                    if verdicts.contains(&BatchVerdict::Accept) {
                        // A full channel has woken the driver already.
                        let _ = wake.try_send(());
                    }
                    for (batch, verdict) in batches.into_iter().zip(verdicts) {
                        handle.report(batch.id, verdict);
                    }
                }
            })
            .expect("the system can start a thread at startup");
        Self { batches, network }
    }

    /// Hands a batch over; without room it is dropped.
    pub(crate) fn offer(&self, batch: Batch) {
        match self.batches.try_send(batch) {
            Ok(()) => {}
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                self.network.report(batch.id, BatchVerdict::Ignore);
            }
        }
    }
}

/// Takes what is new and good of encoded batches; of each, whether it should go further.
pub(crate) fn take(mempool: &Mempool, batches: &[&[u8]]) -> Vec<BatchVerdict> {
    let tip = mempool.chain().tip();
    let decoded: Vec<Option<Vec<Arc<SignedTransaction>>>> = batches
        .iter()
        .map(|bytes| {
            let mut transactions = decode(bytes)?;
            // What waits already, or had its time, needs no look at its signatures: old batches may be sent again for ever.
            mempool.retain_unknown(&mut transactions);
            transactions.retain(|transaction| !is_past(&tip, transaction));
            Some(transactions)
        })
        .collect();
    let all: Vec<Arc<SignedTransaction>> = decoded.iter().flatten().flatten().cloned().collect();
    mempool.verify_ahead(&all);
    let mut outcomes = mempool.add_all(&all).into_iter();
    let verdict = |transactions: Option<Vec<Arc<SignedTransaction>>>| {
        let outcomes = outcomes.by_ref().take(transactions.as_ref()?.len());
        Some(outcomes.fold(BatchVerdict::Ignore, |verdict, outcome| match (verdict, outcome) {
            (BatchVerdict::Reject, _) => BatchVerdict::Reject,
            (_, Ok(())) => BatchVerdict::Accept,
            (_, Err(SubmitError::Rejected(Rejection::SignatureInvalid { .. } | Rejection::WrongChain { .. }))) => {
                BatchVerdict::Reject
            }
            (verdict, Err(error)) => {
                tracing::trace!(%error, "a gossiped transaction was not taken");
                verdict
            }
        }))
    };
    decoded.into_iter().map(verdict).map(|verdict| verdict.unwrap_or(BatchVerdict::Reject)).collect()
}

/// The transactions of a batch, if all of it is well-formed.
fn decode(bytes: &[u8]) -> Option<Vec<Arc<SignedTransaction>>> {
    if bytes.len() > TRANSACTION_BATCH_BYTES_MAX {
        return None;
    }
    let transactions = split_batch(bytes, BATCH_TRANSACTIONS_MAX).ok()?;
    let decode = |bytes: &[u8]| SignedTransaction::from_bytes(bytes.to_vec()).ok().map(Arc::new);
    transactions.into_iter().map(decode).collect()
}

/// Whether the state says at a glance that a transaction is final, or can never be. The rules say it too, but only after its
/// signatures were verified here.
fn is_past(tip: &Snapshot, transaction: &SignedTransaction) -> bool {
    let body = transaction.body();
    if let Call::Attest(call) = &body.call {
        let record = tip.state.get(&state_key::stream(&call.stream));
        let record = record.and_then(|bytes| borsh::from_slice::<record::StreamRecord>(&bytes).ok());
        return record.is_some_and(|record| call.sequence < record.count);
    }
    let is_remembered = |expires: Height| tip.state.get(&state_key::remembered(expires, &transaction.id())).is_some();
    body.expires.is_some_and(|expires| expires <= tip.header.height || is_remembered(expires))
}

#[cfg(test)]
mod tests;
