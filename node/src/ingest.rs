//! Batches of transactions that were gossiped to this node: decoded, judged and taken, on a thread of its own.
//!
//! A batch goes further only if something in it was new and good, or known and good: what nobody would include is not
//! worth anybody's bandwidth.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

use cairn_network::{BatchId, BatchVerdict, NetworkHandle};
use cairn_types::{Rejection, SignedTransaction, codec};
use tokio::sync::mpsc;

use crate::mempool::{Mempool, SubmitError};
use crate::verify::verify_ahead;

/// Batches that wait: half a second of work, after which gossip is dropped and left to catch-up by blocks.
const BATCHES_MAX: usize = 64;

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
                for Batch { bytes, id } in received {
                    let verdict = take(&mempool, &bytes);
                    if verdict == BatchVerdict::Accept {
                        // A full channel has woken the driver already.
                        let _ = wake.try_send(());
                    }
                    handle.report(id, verdict);
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

/// Takes what is new and good of an encoded batch; whether the batch should go further.
pub(crate) fn take(mempool: &Mempool, bytes: &[u8]) -> BatchVerdict {
    let Ok(encoded) = codec::decode::<Vec<Vec<u8>>>(bytes, cairn_network::TRANSACTION_BATCH_BYTES_MAX) else {
        return BatchVerdict::Reject;
    };
    let mut transactions = Vec::with_capacity(encoded.len());
    for bytes in encoded {
        match SignedTransaction::from_bytes(bytes) {
            // What waits already, or is final, needs no look at its signatures: old batches may be sent again for ever.
            Ok(transaction) if mempool.is_known(&transaction.id()) => {}
            Ok(transaction) => transactions.push(Arc::new(transaction)),
            Err(_) => return BatchVerdict::Reject,
        }
    }
    verify_ahead(mempool, &transactions);
    let mut verdict = BatchVerdict::Ignore;
    for transaction in transactions {
        match mempool.add(transaction) {
            Ok(_) => verdict = BatchVerdict::Accept,
            Err(SubmitError::Rejected(Rejection::SignatureInvalid { .. } | Rejection::WrongChain { .. })) => {
                return BatchVerdict::Reject;
            }
            Err(error) => tracing::trace!(%error, "a gossiped transaction was not taken"),
        }
    }
    verdict
}
