//! What is submitted to this node: decoded, judged and taken, on a thread of its own.
//!
//! Submissions that wait are judged together (together.rs): alone a signature costs twice as much as among a hundred. Who comes
//! while nothing is judged is judged at once, and so it costs time only where it saves more.
//!
//! Each submission gets an answer for each of its transactions, in its order, whatever came with it.

use std::sync::Arc;
use std::thread;

use cairn_types::limits::TRANSACTION_BYTES_MAX;
use cairn_types::{Rejection, SignedTransaction, TransactionId};
use tokio::sync::{mpsc, oneshot};

use crate::mempool::{Mempool, SubmitError};
use crate::together;

/// Submissions that wait before the next one has to: JSON-RPC serves no more calls at once than a few hundred.
const WAITING_MAX: usize = 256;

/// Transactions that are enough to be judged together: four batches of the verifier, and 20 ms of one core.
const TOGETHER_MIN: usize = 1_024;

/// What was taken, and what became of each.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) taken: Vec<Arc<SignedTransaction>>,
    pub(crate) outcomes: Vec<Result<TransactionId, Rejection>>,
}

struct Submission {
    transactions: Vec<Vec<u8>>,
    answer: oneshot::Sender<Judged>,
}

/// See the module.
pub(crate) struct Submissions(mpsc::Sender<Submission>);

impl Submissions {
    /// Starts the thread. It ends with the last one who may submit.
    pub(crate) fn start(mempool: Arc<Mempool>) -> Self {
        let (submissions, mut received) = mpsc::channel::<Submission>(WAITING_MAX);
        thread::Builder::new()
            .name("submissions".to_owned())
            .spawn(move || {
                while let Some(first) = received.blocking_recv() {
                    let size = |submission: &Submission| submission.transactions.len();
                    let together = together::take(first, TOGETHER_MIN, size, || received.try_recv().ok());
                    judge_together(&mempool, together);
                }
            })
            .expect("the system can start a thread at startup");
        Self(submissions)
    }

    /// Judges transactions, and takes those that keep the rules.
    pub(crate) async fn judge(&self, transactions: Vec<Vec<u8>>) -> Judged {
        let (answer, judged) = oneshot::channel();
        let is_sent = self.0.send(Submission { transactions, answer }).await.is_ok();
        assert!(is_sent, "judging does not panic, whatever it is given");
        judged.await.expect("judging does not panic, whatever it is given")
    }
}

fn judge_together(mempool: &Mempool, submissions: Vec<Submission>) {
    let mut all = Vec::new();
    let mut askers = Vec::with_capacity(submissions.len());
    for Submission { transactions, answer } in submissions {
        askers.push((transactions.len(), answer));
        all.extend(transactions);
    }
    let mut judged = judge(mempool, all).into_iter();
    for (count, answer) in askers {
        let mut own = Judged::default();
        for (taken, outcome) in judged.by_ref().take(count) {
            own.taken.extend(taken);
            own.outcomes.push(outcome);
        }
        // Who has gone needs no answer. What was taken of it waits here all the same, for this node to propose.
        let _ = answer.send(own);
    }
}

/// What became of one: what was taken, if it was, and the answer.
type Outcome = (Option<Arc<SignedTransaction>>, Result<TransactionId, Rejection>);

/// Decodes, verifies on all cores, and offers to the mempool in order.
fn judge(mempool: &Mempool, encoded: Vec<Vec<u8>>) -> Vec<Outcome> {
    let decoded: Vec<Result<Arc<SignedTransaction>, Rejection>> = encoded.into_iter().map(decode).collect();
    let good: Vec<Arc<SignedTransaction>> = decoded.iter().filter_map(|d| d.as_ref().ok()).cloned().collect();
    mempool.verify_ahead(&good);
    let mut offered = mempool.add_all(&good).into_iter();
    let mut settle = |transaction: Arc<SignedTransaction>| -> Outcome {
        let id = transaction.id();
        let outcome = match offered.next().unwrap_or(Ok(())) {
            Err(SubmitError::Rejected(rejection)) => {
                mempool.explain(&id, rejection).map_err(SubmitError::from).and_then(|rejection| Err(rejection.into()))
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => (Some(transaction), Ok(id)),
            Err(SubmitError::Rejected(rejection)) => (None, Err(rejection)),
            Err(SubmitError::Unreadable(error)) => {
                tracing::error!(%error, "a transaction could not be judged");
                (None, Err(Rejection::Busy { reason: "it cannot read its own ledger; ask another node" }))
            }
        }
    };
    decoded.into_iter().map(|decoded| decoded.map_or_else(|rejection| (None, Err(rejection)), &mut settle)).collect()
}

fn decode(bytes: Vec<u8>) -> Result<Arc<SignedTransaction>, Rejection> {
    let length = bytes.len();
    if length > TRANSACTION_BYTES_MAX {
        return Err(Rejection::Oversized { length, max: TRANSACTION_BYTES_MAX });
    }
    let decoded = SignedTransaction::from_bytes(bytes);
    decoded.map(Arc::new).map_err(|error| Rejection::Malformed { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cairn_types::Rejection;

    use super::{Submissions, TOGETHER_MIN};
    use crate::mempool::Mempool;
    use crate::signature_cache::SignatureCache;
    use crate::testing::World;

    #[tokio::test]
    async fn each_submission_is_answered_in_its_order_whatever_comes_with_it() {
        let mut world = World::new();
        world.commit(Vec::new());
        let mempool = Arc::new(Mempool::new(Arc::clone(world.chain()), Arc::new(SignatureCache::default())));
        let submissions = Submissions::start(Arc::clone(&mempool));
        let registrations: Vec<_> = (0..60).map(|index| world.register(usize::from(index % 3), 50 + index).1).collect();
        // Sixty callers at once: each with a good one between noise, and every third with nothing more at all.
        let asked = registrations.iter().enumerate().map(|(place, registration)| {
            let noise = || vec![u8::try_from(place).expect("small"); place + 1];
            let transactions = match place % 3 {
                0 => vec![registration.bytes().to_vec()],
                1 => vec![noise(), registration.bytes().to_vec(), noise()],
                _ => vec![noise(); TOGETHER_MIN / 16],
            };
            submissions.judge(transactions)
        });
        let answers = futures::future::join_all(asked).await;
        for (place, (judged, registration)) in answers.into_iter().zip(&registrations).enumerate() {
            let is_malformed = |place: usize| matches!(judged.outcomes[place], Err(Rejection::Malformed { .. }));
            let taken: Vec<_> = judged.taken.iter().map(|transaction| transaction.id()).collect();
            match place % 3 {
                0 => assert_eq!(
                    (judged.outcomes.as_slice(), taken),
                    (&[Ok(registration.id())][..], vec![registration.id()])
                ),
                1 => {
                    assert_eq!(
                        (judged.outcomes.len(), &judged.outcomes[1], taken),
                        (3, &Ok(registration.id()), vec![registration.id()])
                    );
                    assert!(is_malformed(0) && is_malformed(2));
                }
                _ => {
                    assert_eq!((judged.outcomes.len(), taken), (TOGETHER_MIN / 16, Vec::new()));
                    assert!((0..TOGETHER_MIN / 16).all(is_malformed));
                }
            }
        }
        assert_eq!(mempool.size().0, 40);
    }
}
