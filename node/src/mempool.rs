//! Transactions that wait for a block: *pending*, so a crash may lose them.
//!
//! The pool runs the very rules on the state as it would stand after everything that waits already. So whoever submits
//! hears at once which rule refuses, a device may send the next attestation before the last one is final, and a proposer
//! finds nearly every transaction valid. After each block what it cannot have disturbed is kept, and otherwise what still
//! waits is tried again, in the order in which it came ([`pending`]).
//!
//! A proposer takes organizations in turn ([`lanes`]), so that one who floods does not delay the others. What rests on
//! another organization's transaction may so come before it; it then waits for the next block.
//!
//! The pool is bounded in number and bytes, and so is each organization's part of it; at a bound it refuses
//! ([`Rejection::Busy`]) and forgets nothing. The last part of each bound is kept for calls that take authority away.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_types::{Hash, Rejection, SignedTransaction, TransactionId};

use self::pending::Pending;
use crate::chain::{Chain, Outcome, ReadError, RulesHistory, Snapshot};
use crate::signature_cache::SignatureCache;
use crate::verify::verify_all;

mod laid;
mod lanes;
mod pending;

/// Most transactions that wait: six full blocks, or two seconds at 12,000 a second. Each takes about 2 kB.
pub(crate) const MEMPOOL_TRANSACTIONS_MAX: usize = 24_576;

/// Most bytes of transactions that wait: 64 MiB, of which a node's memory limit leaves room for a few copies.
pub(crate) const MEMPOOL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most transactions that are judged while others wait for the pool: about a millisecond.
const JUDGED_AT_ONCE_MAX: usize = 128;

/// See the module.
pub(crate) struct Mempool {
    chain: Arc<Chain>,
    signatures: Arc<SignatureCache>,
    pending: Mutex<Pending>,
    /// How many wait and their bytes, for those who only want to know that.
    count: AtomicUsize,
    bytes: AtomicUsize,
}

/// Why a transaction was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// This node could not judge it.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
}

impl Mempool {
    pub(crate) fn new(chain: Arc<Chain>, signatures: Arc<SignatureCache>) -> Self {
        let pending = Mutex::new(Pending::new(chain.id, chain.tip(), &chain.known));
        Self { chain, signatures, pending, count: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    pub(crate) const fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    pub(crate) const fn signatures(&self) -> &Arc<SignatureCache> {
        &self.signatures
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who do not lock how much waits. Comes after every change.
    fn count(&self, pending: &Pending) {
        self.count.store(pending.len(), Ordering::Release);
        self.bytes.store(pending.bytes(), Ordering::Release);
    }

    /// Verifies the signatures of transactions that are about to be judged, many at once, without holding anybody up.
    pub(crate) fn verify_ahead(&self, transactions: &[Arc<SignedTransaction>]) {
        let of = |transactions: &[Arc<SignedTransaction>]| self.lock().claims(transactions);
        let claims = transactions.chunks(JUDGED_AT_ONCE_MAX).flat_map(of).collect();
        verify_all(&self.signatures, claims);
    }

    /// Judges transactions in their order and takes those that keep the rules.
    ///
    /// Whether one that is refused is final already is not looked up: the rules refuse it by its place in a stream, or because
    /// the state remembers it. [`Mempool::explain`] finds that out.
    ///
    /// # Errors
    /// [`SubmitError`]: whoever signed or sent it is to blame, unless this node is busy or cannot read its disk.
    pub(crate) fn add_all(&self, transactions: &[Arc<SignedTransaction>]) -> Vec<Result<(), SubmitError>> {
        let mut outcomes = Vec::with_capacity(transactions.len());
        for transactions in transactions.chunks(JUDGED_AT_ONCE_MAX) {
            let mut pending = self.lock();
            outcomes.extend(transactions.iter().map(|transaction| self.judge(&mut pending, transaction)));
            self.count(&pending);
        }
        outcomes
    }

    fn judge(&self, pending: &mut Pending, transaction: &Arc<SignedTransaction>) -> Result<(), SubmitError> {
        loop {
            let history = RulesHistory::new(&self.chain);
            let outcome = pending.add(&history, self.signatures.as_ref(), transaction);
            history.finish()?;
            let tip = self.chain.tip();
            match outcome {
                // Whoever has seen the newest block may build on it at once, before the driver has told us about it.
                Err(rejection)
                    if !matches!(rejection, Rejection::Busy { .. } | Rejection::Duplicate { .. })
                        && pending.base().header.height < tip.header.height =>
                {
                    self.try_all(pending, tip, |_| false)?;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Judges a transaction and takes it.
    ///
    /// # Errors
    /// [`SubmitError`]: whoever signed or sent it is to blame, unless this node is busy or cannot read its disk.
    #[cfg(test)]
    pub(crate) fn add(&self, transaction: Arc<SignedTransaction>) -> Result<TransactionId, SubmitError> {
        let id = transaction.id();
        let outcome = self.add_all(&[transaction]).into_iter().next().unwrap_or(Ok(()));
        match outcome {
            Err(SubmitError::Rejected(rejection)) => Err(self.explain(&id, rejection)?.into()),
            outcome => outcome.map(|()| id),
        }
    }

    /// Why a transaction was really refused: because it is final already, or for the reason that the rules gave.
    ///
    /// # Errors
    /// [`ReadError`]: this node's disk is to blame.
    pub(crate) fn explain(&self, id: &TransactionId, rejection: Rejection) -> Result<Rejection, ReadError> {
        let is_final = !matches!(rejection, Rejection::Busy { .. }) && self.chain.position(id)?.is_some();
        Ok(if is_final { Rejection::Duplicate { id: *id } } else { rejection })
    }

    /// A block's worth of what waits, organization by organization.
    pub(crate) fn candidates(&self) -> Vec<Arc<SignedTransaction>> {
        let pending = self.lock();
        let parameters = &pending.base().parameters;
        let limit = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        let (transactions_max, bytes_max) =
            (limit(parameters.block_transactions_max), limit(parameters.block_bytes_max));
        pending.lanes().deal(pending.base().header.height.get(), transactions_max, bytes_max)
    }

    /// What has waited here for this many blocks or more, in the order in which it came, up to so many bytes.
    pub(crate) fn passed_over(&self, blocks: u64, bytes_max: usize) -> Vec<Arc<SignedTransaction>> {
        let pending = self.lock();
        let mut bytes = 0usize;
        let fits = |transaction: &&Arc<SignedTransaction>| {
            bytes = bytes.saturating_add(transaction.bytes().len());
            bytes <= bytes_max
        };
        pending.waiting_for(blocks).take_while(fits).cloned().collect()
    }

    /// Moves on to a new tip: what stands in its block leaves, what cannot follow any more is settled as rejected.
    ///
    /// # Errors
    /// [`ReadError`]: this node's disk is to blame.
    pub(crate) fn follow(&self, tip: Arc<Snapshot>, included: &[Arc<SignedTransaction>]) -> Result<(), ReadError> {
        let mut pending = self.lock();
        if pending.base().header.height >= tip.header.height {
            return Ok(());
        }
        if !pending.keep(&tip, included) {
            let included: HashSet<TransactionId> = included.iter().map(|transaction| transaction.id()).collect();
            self.try_all(&mut pending, tip, |id| included.contains(id))?;
        }
        self.count(&pending);
        Ok(())
    }

    /// Like [`Mempool::follow`], but tries everything.
    #[cfg(test)]
    pub(crate) fn follow_by_trying(
        &self,
        tip: Arc<Snapshot>,
        included: &[Arc<SignedTransaction>],
    ) -> Result<(), ReadError> {
        let mut pending = self.lock();
        let included: HashSet<TransactionId> = included.iter().map(|transaction| transaction.id()).collect();
        self.try_all(&mut pending, tip, |id| included.contains(id))?;
        self.count(&pending);
        Ok(())
    }

    /// Blocks since everything was tried.
    #[cfg(test)]
    pub(crate) fn kept_blocks(&self) -> u32 {
        self.lock().kept_blocks()
    }

    /// Moves on to a tip and tries everything again.
    fn try_all(
        &self,
        pending: &mut Pending,
        tip: Arc<Snapshot>,
        is_included: impl Fn(&TransactionId) -> bool,
    ) -> Result<(), ReadError> {
        let history = RulesHistory::new(&self.chain);
        let refused = pending.try_all(tip, &history, self.signatures.as_ref(), is_included);
        history.finish()?;
        for (transaction, rejection) in refused {
            let id = transaction.id();
            // One that is final was settled when its block was told of.
            if self.chain.position(&id)?.is_none() {
                self.chain.settle(&id, &Outcome::Rejected(rejection));
            }
        }
        Ok(())
    }

    /// Whether anything waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// How many transactions wait, and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.count.load(Ordering::Acquire), self.bytes.load(Ordering::Acquire))
    }

    /// Keeps those that do not wait here.
    pub(crate) fn retain_unknown(&self, transactions: &mut Vec<Arc<SignedTransaction>>) {
        let pending = self.lock();
        transactions.retain(|transaction| !pending.contains(&transaction.id()));
    }

    /// A transaction that waits.
    pub(crate) fn get(&self, id: &TransactionId) -> Option<Arc<SignedTransaction>> {
        self.lock().get(id).cloned()
    }

    /// Those that wait with these leaves, each in its place: decoded, named and verified, so that nobody need do it again.
    pub(crate) fn find(&self, leaves: &[Hash]) -> Vec<Option<Arc<SignedTransaction>>> {
        let pending = self.lock();
        leaves.iter().map(|leaf| pending.by_leaf(leaf).cloned()).collect()
    }
}

#[cfg(test)]
mod tests;
