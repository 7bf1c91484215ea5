//! Transactions that wait for a block: *pending*, so a crash may lose them.
//!
//! The pool runs the very rules on the state as it would stand after everything that waits already. So whoever submits
//! hears at once which rule refuses, a device may send the next attestation before the last one is final, and a proposer
//! finds nearly every transaction valid. After each block what still waits is tried again, in the order in which it came.
//!
//! A proposer takes organizations in turn ([`lanes`]), so that one who floods does not delay the others. What rests on
//! another organization's transaction may so come before it; it then waits for the next block.
//!
//! The pool is bounded in number and bytes, and so is each organization's part of it; at a bound it refuses
//! ([`Rejection::Busy`]) and forgets nothing. The last part of each bound is kept for calls that take authority away.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use cairn_runtime::{Changes, Context, Overlay, SignatureCheck, State, apply};
use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{
    Body, DeviceId, Height, Interval, OrganizationId, Position, Rejection, SignedTransaction, TransactionId, codec,
};

use self::lanes::{Lanes, Payer};
use crate::chain::{Chain, Outcome, ReadError, RulesHistory, Snapshot};
use crate::signature_cache::SignatureCache;

mod lanes;

/// Most bytes of an interval of an owner: an id, and three positions of 13 B.
const OWNER_BYTES_MAX: usize = 128;

/// Most transactions that wait: five full blocks.
pub(crate) const MEMPOOL_TRANSACTIONS_MAX: usize = 20_480;

/// Most bytes of transactions that wait: 64 MiB, of which a node's memory limit leaves room for a few copies.
pub(crate) const MEMPOOL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// See the module.
pub(crate) struct Mempool {
    chain: Arc<Chain>,
    signatures: Arc<SignatureCache>,
    pending: Mutex<Pending>,
}

struct Pending {
    base: Arc<Snapshot>,
    /// What everything that waits would change, laid over the base.
    changes: Changes,
    /// In the order in which they came, which is the order in which each is valid.
    waiting: Vec<Arc<SignedTransaction>>,
    /// The same, by who pays.
    lanes: Lanes,
    by_id: HashMap<TransactionId, Arc<SignedTransaction>>,
    /// At which height of the base each began to wait here.
    since: HashMap<TransactionId, Height>,
    bytes: usize,
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
        let pending = Pending {
            base: chain.tip(),
            changes: Changes::new(),
            waiting: Vec::new(),
            lanes: Lanes::default(),
            by_id: HashMap::new(),
            since: HashMap::new(),
            bytes: 0,
        };
        Self { chain, signatures, pending: Mutex::new(pending) }
    }

    pub(crate) const fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    pub(crate) const fn signatures(&self) -> &Arc<SignatureCache> {
        &self.signatures
    }

    /// Judges a transaction and takes it.
    ///
    /// # Errors
    /// [`SubmitError`]: whoever signed or sent it is to blame, unless this node is busy or cannot read its disk.
    pub(crate) fn add(&self, transaction: Arc<SignedTransaction>) -> Result<TransactionId, SubmitError> {
        let id = transaction.id();
        if self.chain.position(&id)?.is_some() {
            return Err(Rejection::Duplicate { id }.into());
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has seen the newest block may build on it at once, before the driver has told us about it.
        let tip = self.chain.tip();
        if pending.base.header.height < tip.header.height {
            self.move_to(&mut pending, tip, |id| Ok(self.chain.position(id)?.is_some()))?;
        }
        if pending.by_id.contains_key(&id) {
            return Err(Rejection::Duplicate { id }.into());
        }
        pending.check_room(&transaction)?;
        let history = RulesHistory::new(&self.chain);
        let outcome = pending.try_add(&self.chain, &history, self.signatures.as_ref(), &transaction);
        history.finish()?;
        outcome?;
        pending.insert(transaction);
        Ok(id)
    }

    /// A block's worth of what waits, organization by organization.
    pub(crate) fn candidates(&self) -> Vec<Arc<SignedTransaction>> {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let parameters = &pending.base.parameters;
        let limit = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        let (transactions_max, bytes_max) =
            (limit(parameters.block_transactions_max), limit(parameters.block_bytes_max));
        pending.lanes.deal(pending.base.header.height.get(), transactions_max, bytes_max)
    }

    /// What has waited here for this many blocks or more, in the order in which it came, up to so many bytes.
    pub(crate) fn passed_over(&self, blocks: u64, bytes_max: usize) -> Vec<Arc<SignedTransaction>> {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |id: &TransactionId| {
            let since = pending.since.get(id).copied().unwrap_or(pending.base.header.height);
            pending.base.header.height.get().saturating_sub(since.get()) >= blocks
        };
        let mut bytes = 0usize;
        let old = pending.waiting.iter().filter(|transaction| is_old(&transaction.id()));
        old.take_while(|transaction| {
            bytes = bytes.saturating_add(transaction.bytes().len());
            bytes <= bytes_max
        })
        .cloned()
        .collect()
    }

    /// Moves on to a new tip: what stands in its block leaves, what cannot follow any more is settled as rejected.
    ///
    /// # Errors
    /// [`ReadError`]: this node's disk is to blame.
    pub(crate) fn follow(&self, tip: Arc<Snapshot>, included: &[Arc<SignedTransaction>]) -> Result<(), ReadError> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.base.header.height >= tip.header.height {
            return Ok(());
        }
        let included: HashSet<TransactionId> = included.iter().map(|transaction| transaction.id()).collect();
        self.move_to(&mut pending, tip, |id| Ok(included.contains(id)))
    }

    fn move_to(
        &self,
        pending: &mut Pending,
        tip: Arc<Snapshot>,
        is_included: impl Fn(&TransactionId) -> Result<bool, ReadError>,
    ) -> Result<(), ReadError> {
        let waiting = mem::take(&mut pending.waiting);
        pending.base = tip;
        pending.changes = Changes::new();
        pending.lanes = Lanes::default();
        pending.by_id.clear();
        let since = mem::take(&mut pending.since);
        pending.bytes = 0;
        let history = RulesHistory::new(&self.chain);
        for transaction in waiting {
            let id = transaction.id();
            if is_included(&id)? {
                continue;
            }
            match pending.try_add(&self.chain, &history, self.signatures.as_ref(), &transaction) {
                Ok(()) => {
                    pending.insert(transaction);
                    pending.since.extend(since.get(&id).map(|height| (id, *height)));
                }
                Err(rejection) => self.chain.settle(&id, &Outcome::Rejected(rejection)),
            }
        }
        history.finish()
    }

    /// Whether anything waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).waiting.is_empty()
    }

    /// How many transactions wait, and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        (pending.waiting.len(), pending.bytes)
    }

    /// Whether it waits or is final, as far as this node can read.
    pub(crate) fn is_known(&self, id: &TransactionId) -> bool {
        let waits = self.pending.lock().unwrap_or_else(PoisonError::into_inner).by_id.contains_key(id);
        waits || self.chain.position(id).is_ok_and(|position| position.is_some())
    }

    /// A transaction that waits.
    pub(crate) fn get(&self, id: &TransactionId) -> Option<Arc<SignedTransaction>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }
}

impl Pending {
    /// Checks the bounds of the pool and of the payer's part.
    fn check_room(&mut self, transaction: &SignedTransaction) -> Result<(), Rejection> {
        let (size, is_urgent) = (transaction.bytes().len(), lanes::is_urgent(&transaction.body().call));
        let is_full = !lanes::has_room(self.waiting.len(), 1, MEMPOOL_TRANSACTIONS_MAX, is_urgent)
            || !lanes::has_room(self.bytes, size, MEMPOOL_BYTES_MAX, is_urgent);
        if is_full {
            return Err(Rejection::Busy { reason: "its pool of waiting transactions is full; try again later" });
        }
        let payer = self.payer(transaction.body());
        if !self.lanes.has_room(payer, size, is_urgent) {
            return Err(Rejection::Busy {
                reason: "too many of this organization's transactions wait; try again later",
            });
        }
        Ok(())
    }

    /// Who pays, after everything that waits.
    fn payer(&mut self, body: &Body) -> Payer {
        let base = Arc::clone(&self.base);
        let overlay = Overlay::with(&base.state, mem::take(&mut self.changes));
        let payer = Payer::of(body, |device| owner(&overlay, device));
        self.changes = overlay.into_changes();
        payer
    }

    /// Tries a transaction after everything that waits, and lays its changes over the rest.
    fn try_add(
        &mut self,
        chain: &Chain,
        history: &RulesHistory<'_>,
        check: &dyn SignatureCheck,
        transaction: &SignedTransaction,
    ) -> Result<(), Rejection> {
        let base = Arc::clone(&self.base);
        let context = Context { chain: chain.id, parameters: &base.parameters, history };
        let height = base.header.height.next().unwrap_or(Height::new(u64::MAX));
        let index = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let mut overlay = Overlay::with(&base.state, mem::take(&mut self.changes));
        let outcome = apply(&overlay, context, check, transaction, Position { height, index });
        let outcome = outcome.map(|changes| overlay.extend(changes));
        self.changes = overlay.into_changes();
        outcome
    }

    fn insert(&mut self, transaction: Arc<SignedTransaction>) {
        let payer = self.payer(transaction.body());
        self.lanes.push(payer, Arc::clone(&transaction));
        self.bytes = self.bytes.saturating_add(transaction.bytes().len());
        self.by_id.insert(transaction.id(), Arc::clone(&transaction));
        self.since.insert(transaction.id(), self.base.header.height);
        self.waiting.push(transaction);
    }
}

/// Whose a device is.
fn owner(state: &impl State, device: &DeviceId) -> Option<OrganizationId> {
    let (_, value) = state.last_under(&state_key::device_facet(device, DeviceFacet::Owner))?;
    codec::decode::<Interval<OrganizationId>>(&value, OWNER_BYTES_MAX).ok().map(|interval| interval.value)
}

#[cfg(test)]
mod tests;
