//! What waits, and what it would change: the inside of the pool, behind its lock.
//!
//! After a block most of what waits is as valid as before. So [`Pending::keep`] looks at what the block did, and if that
//! cannot have disturbed what waits, takes out what the block included and leaves the rest as it is; trying everything again,
//! as the pool does otherwise, costs as much as the blocks themselves. What may be kept without being tried:
//!
//! - the block did nothing but add: attestations, streams, devices, grants; and so does everything that waits. What one adds
//!   is in nobody else's way, but for two that add the same thing, and those are looked for;
//! - nothing changed by itself: no recovery took effect, no parameter changed, nothing that waits has expired;
//! - nothing that waits rests on an order of positions that the block has decided otherwise (a grant over a device).
//!
//! What is kept may be too much by this: what only the passing of heights ends, such as the window of a grant; and what two
//! add under different names, such as one key for two devices. A proposer leaves that out, and it goes when everything is
//! tried again, which happens every [`KEPT_BLOCKS_MAX`] blocks at the latest. Nothing that is valid is ever lost.
//!
//! It knows neither the network nor the disk.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use cairn_runtime::state::{Known, Memo, owner_of};
use cairn_runtime::{Context, History, SignatureCheck, apply};
use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{
    Body, Call, ChainId, Hash, Height, Position, Principal, Rejection, SignedTransaction, StreamId, TransactionId,
};

use super::laid::{Laid, Number, Over};
use super::lanes::{self, Lanes, Payer};
use super::{MEMPOOL_BYTES_MAX, MEMPOOL_TRANSACTIONS_MAX};
use crate::chain::Snapshot;
use crate::signature_cache::Claim;
use crate::verify::claims;

/// Blocks after which everything that waits is tried again, whatever they did: a sixteenth of the cost of doing it after each,
/// and a second or two in which something may wait that no block will take.
pub(crate) const KEPT_BLOCKS_MAX: u32 = 16;

/// Index of the first that waits, in the positions that the rules are shown. What a block holds stands before all of them, so
/// that in what is kept no position is before one that it was after.
const FIRST_INDEX: u32 = 1 << 31;

/// One that waits.
struct Waiting {
    transaction: Arc<SignedTransaction>,
    payer: Payer,
    /// The keys that it would write.
    writes: Box<[Arc<[u8]>]>,
    /// The height of the base when it began to wait here.
    since: Height,
}

/// See the module.
pub(crate) struct Pending {
    chain: ChainId,
    base: Arc<Snapshot>,
    /// What everything that waits would change, over the base.
    laid: Laid,
    /// What the rules read of that again and again. What a block adds is not in it, apart from devices and grants that waited
    /// here, whose positions the block has decided; so it goes when a block holds one, and when everything is tried.
    memo: Memo,
    known: Arc<Known>,
    /// In the order in which they came, which is the order in which each is valid.
    waiting: BTreeMap<Number, Waiting>,
    next: Number,
    /// The same, by who pays.
    lanes: Lanes,
    by_id: HashMap<TransactionId, Number>,
    by_leaf: HashMap<Hash, Number>,
    /// How many expire at each height.
    expiries: BTreeMap<Height, usize>,
    /// How many are grants, and how many do something else than add.
    grants: usize,
    others: usize,
    bytes: usize,
    /// Blocks since everything was tried.
    kept_blocks: u32,
}

/// Whether a call only adds something of its own.
const fn adds(call: &Call) -> bool {
    matches!(call, Call::Attest(_) | Call::OpenStream(_) | Call::RegisterDevice(_) | Call::Grant(_))
}

/// The key of what a call that adds makes or goes on with, of which there is one; a grant is like no other.
fn subject(body: &Body) -> Option<Vec<u8>> {
    match (&body.call, body.signer) {
        (Call::Attest(call), _) => Some(state_key::stream(&call.stream)),
        (Call::OpenStream(call), Principal::Device(device)) => {
            Some(state_key::stream(&StreamId::of(&device, &call.name)))
        }
        (Call::RegisterDevice(call), _) => {
            let record = state_key::device_facet(&call.inception.id(), DeviceFacet::Record);
            Some(state_key::ordinal(record, 0))
        }
        _ => None,
    }
}

impl Pending {
    /// An empty pool at `base`; what is read of the state is shared through `known`.
    pub(crate) fn new(chain: ChainId, base: Arc<Snapshot>, known: &Arc<Known>) -> Self {
        Self {
            chain,
            base,
            laid: Laid::default(),
            memo: Memo::knowing(known),
            known: Arc::clone(known),
            waiting: BTreeMap::new(),
            next: 0,
            lanes: Lanes::default(),
            by_id: HashMap::new(),
            by_leaf: HashMap::new(),
            expiries: BTreeMap::new(),
            grants: 0,
            others: 0,
            bytes: 0,
            kept_blocks: 0,
        }
    }

    #[cfg(test)]
    pub(super) const fn kept_blocks(&self) -> u32 {
        self.kept_blocks
    }

    pub(crate) const fn base(&self) -> &Arc<Snapshot> {
        &self.base
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn contains(&self, id: &TransactionId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn get(&self, id: &TransactionId) -> Option<&Arc<SignedTransaction>> {
        self.waiting.get(self.by_id.get(id)?).map(|waiting| &waiting.transaction)
    }

    /// The one that waits with these very bytes, signatures included.
    pub(crate) fn by_leaf(&self, leaf: &Hash) -> Option<&Arc<SignedTransaction>> {
        self.waiting.get(self.by_leaf.get(leaf)?).map(|waiting| &waiting.transaction)
    }

    pub(crate) const fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// What has waited here for this many blocks or more, in the order in which it came.
    pub(crate) fn waiting_for(&self, blocks: u64) -> impl Iterator<Item = &Arc<SignedTransaction>> {
        let height = self.base.header.height.get();
        let old = self.waiting.values().filter(move |one| height.saturating_sub(one.since.get()) >= blocks);
        old.map(|waiting| &waiting.transaction)
    }

    /// Judges a transaction after everything that waits, and takes it.
    ///
    /// # Errors
    /// [`Rejection`]: whoever signed or sent it is to blame, unless there is no room.
    pub(crate) fn add(
        &mut self,
        history: &dyn History,
        check: &dyn SignatureCheck,
        transaction: &Arc<SignedTransaction>,
    ) -> Result<(), Rejection> {
        let id = transaction.id();
        if self.contains(&id) {
            return Err(Rejection::Duplicate { id });
        }
        let payer = self.check_room(transaction)?;
        self.try_add(history, check, transaction, payer, self.base.header.height)
    }

    /// Checks the bounds of the pool and of the payer's part; who pays.
    fn check_room(&self, transaction: &SignedTransaction) -> Result<Payer, Rejection> {
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
        Ok(payer)
    }

    fn over(&self) -> Over<'_> {
        Over { base: &self.base.state, laid: &self.laid, memo: &self.memo }
    }

    /// The signatures of transactions, with the keys that they will probably be checked with after everything that waits.
    pub(crate) fn claims(&self, transactions: &[Arc<SignedTransaction>]) -> Vec<Claim> {
        claims(&self.over(), transactions)
    }

    /// Who pays, after everything that waits.
    fn payer(&self, body: &Body) -> Payer {
        Payer::of(body, |device| owner_of(&self.over(), device))
    }

    /// Tries a transaction after everything that waits, and lays its changes over the rest.
    fn try_add(
        &mut self,
        history: &dyn History,
        check: &dyn SignatureCheck,
        transaction: &Arc<SignedTransaction>,
        payer: Payer,
        since: Height,
    ) -> Result<(), Rejection> {
        let context = Context { chain: self.chain, parameters: &self.base.parameters, history };
        let height = self.base.header.height.next().unwrap_or(Height::new(u64::MAX));
        let number = self.next;
        let position = Position { height, index: FIRST_INDEX.saturating_add(number) };
        let changes = apply(&self.over(), context, check, transaction, position)?;
        self.memo.forget(&changes);
        let writes = self.laid.lay(changes, number);
        // There are far fewer between two tries of everything, which begin at 0 again.
        self.next = self.next.saturating_add(1);
        let body = transaction.body();
        self.lanes.push(payer, Arc::clone(transaction));
        self.bytes = self.bytes.saturating_add(transaction.bytes().len());
        if let Some(expires) = body.expires {
            let expiring = self.expiries.entry(expires).or_default();
            *expiring = expiring.saturating_add(1);
        }
        self.grants = self.grants.saturating_add(usize::from(matches!(body.call, Call::Grant(_))));
        self.others = self.others.saturating_add(usize::from(!adds(&body.call)));
        self.by_id.insert(transaction.id(), number);
        self.by_leaf.insert(transaction.leaf(), number);
        let transaction = Arc::clone(transaction);
        self.waiting.insert(number, Waiting { transaction, payer, writes, since });
        Ok(())
    }

    /// Moves on to the block after the base and keeps what waits without trying it, if nothing of it can be disturbed.
    /// Whether it did.
    pub(crate) fn keep(&mut self, tip: &Arc<Snapshot>, included: &[Arc<SignedTransaction>]) -> bool {
        if self.waiting.is_empty() || !self.is_undisturbed(tip, included) {
            return false;
        }
        let mut gone = HashSet::with_capacity(included.len());
        let mut payers = BTreeSet::new();
        for transaction in included {
            let number = self.by_id.remove(&transaction.id());
            let Some((number, left)) = number.and_then(|number| self.waiting.remove_entry(&number)) else { continue };
            let body = left.transaction.body();
            self.by_leaf.remove(&left.transaction.leaf());
            self.laid.lift(&left.writes, number);
            self.bytes = self.bytes.saturating_sub(left.transaction.bytes().len());
            self.grants = self.grants.saturating_sub(usize::from(matches!(body.call, Call::Grant(_))));
            if let Some(expires) = body.expires
                && let Some(expiring) = self.expiries.get_mut(&expires)
            {
                *expiring = expiring.saturating_sub(1);
                if *expiring == 0 {
                    self.expiries.remove(&expires);
                }
            }
            payers.insert(left.payer);
            gone.insert(left.transaction.id());
        }
        self.lanes.leave(&payers, &gone);
        let is_decided =
            |one: &Arc<SignedTransaction>| matches!(one.body().call, Call::RegisterDevice(_) | Call::Grant(_));
        if included.iter().any(is_decided) {
            self.memo = Memo::knowing(&self.known);
        }
        self.base = Arc::clone(tip);
        self.kept_blocks = self.kept_blocks.saturating_add(1);
        true
    }

    /// Whether the block of `tip` cannot have disturbed what waits and is not in it. See the module.
    fn is_undisturbed(&self, tip: &Snapshot, included: &[Arc<SignedTransaction>]) -> bool {
        let height = tip.header.height;
        let parameters = &tip.parameters;
        let due = self.base.state.prefix(&state_key::due_recoveries()).next();
        let takes_effect = due
            .and_then(|(key, _)| state_key::split_due_recovery(&key))
            .is_some_and(|(effective, _)| effective <= height);
        let expires = self.expiries.first_key_value().is_some_and(|(expires, _)| *expires <= height);
        if self.others > 0
            || self.base.header.height.next() != Some(height)
            || self.kept_blocks >= KEPT_BLOCKS_MAX
            || self.base.parameters != *parameters
            || takes_effect
            || expires
        {
            return false;
        }
        let mut own: Vec<Number> = included.iter().filter_map(|one| self.by_id.get(&one.id()).copied()).collect();
        own.sort_unstable();
        let stays = |number: &Number| own.binary_search(number).is_err();
        let has_quota = parameters.organization_quota > 0 || parameters.device_quota > 0;
        let (mut grants, mut devices) = (self.grants, false);
        for transaction in included {
            let body = transaction.body();
            let is_own = self.contains(&transaction.id());
            match &body.call {
                call if !adds(call) => return false,
                Call::Grant(_) => grants = grants.saturating_sub(usize::from(is_own)),
                Call::RegisterDevice(_) => devices |= is_own,
                _ => {}
            }
            if !is_own {
                let writer = subject(body).and_then(|key| self.laid.writer(&key));
                if has_quota || writer.is_some_and(|writer| stays(&writer)) {
                    return false;
                }
            }
        }
        !(devices && grants > 0)
    }

    /// Moves on to a tip and tries again everything that waits and is not included, in the order in which it came; what the
    /// rules refuse now.
    pub(crate) fn try_all(
        &mut self,
        tip: Arc<Snapshot>,
        history: &dyn History,
        check: &dyn SignatureCheck,
        is_included: impl Fn(&TransactionId) -> bool,
    ) -> Vec<(Arc<SignedTransaction>, Rejection)> {
        let empty = Self::new(self.chain, tip, &self.known);
        let before = std::mem::replace(self, empty);
        let mut refused = Vec::new();
        for Waiting { transaction, since, .. } in before.waiting.into_values() {
            if is_included(&transaction.id()) {
                continue;
            }
            let payer = self.payer(transaction.body());
            if let Err(rejection) = self.try_add(history, check, &transaction, payer, since) {
                refused.push((transaction, rejection));
            }
        }
        refused
    }
}

#[cfg(test)]
mod tests;
