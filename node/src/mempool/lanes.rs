//! Whose turn it is: transactions that wait, a lane for each organization that pays for them.
//!
//! ```text
//!   organization A   urgent │ ordinary ordinary ordinary …      first the urgent of all lanes in turn, for a quarter of a
//!   organization B   urgent │ ordinary                    ──►   block at most; then all lanes in turn, each as many bytes
//!   organization C          │ ordinary ordinary                 as the others
//! ```
//!
//! Who floods fills its own lane, and delays the others by no more than its share of a block. Within a lane what one
//! signer sent keeps its order, because streams and key epochs depend on it. A protective call is urgent: it goes before
//! what others of its organization sent, so that a stolen device is stopped before its flood.
//!
//! It does not know the rules, nor whether anything is valid. Invariants: a lane is no larger than its bounds; taking a
//! block's worth looks at no more than that, and sorts nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use cairn_types::{Body, Call, OrganizationId, Principal, SignedTransaction, TransactionId};

/// Most transactions of one organization that wait: three blocks of the largest number. One is being decided while 12,000 a
/// second come for half a second, in which no block is made; so a fleet of one organization reaches the full rate. And half of
/// the pool, so that one cannot fill it.
pub(crate) const ORGANIZATION_TRANSACTIONS_MAX: usize = 12_288;

const _: () = assert!(ORGANIZATION_TRANSACTIONS_MAX - ORGANIZATION_TRANSACTIONS_MAX / RESERVE >= 4_096 + 12_000 / 2);
const _: () = assert!(2 * ORGANIZATION_TRANSACTIONS_MAX <= super::MEMPOOL_TRANSACTIONS_MAX);

/// Most bytes of them: a quarter of the pool, sixteen blocks of the largest size.
pub(crate) const ORGANIZATION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Ordinary calls leave this part of every bound to protective ones.
const RESERVE: usize = 16;

/// How many bytes of a lane go in one turn: sixteen of the usual attestations. Less would look at the lanes more often; more
/// would give the first lanes of a full block more than the last.
const TURN_BYTES: usize = 4 * 1024;

/// Urgent calls of all lanes come first in this part of a block. The rest of them wait in their lanes, or whoever sends
/// many would keep everybody else out.
const URGENT_PART: usize = 4;

/// Who pays for a transaction, as quotas count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Payer {
    /// Nobody: a measure of the council.
    Nobody,
    /// An organization, for itself or for its device.
    Organization(OrganizationId),
}

impl Payer {
    /// Who pays for `body`; `owner` tells whose a device is.
    pub(crate) fn of(body: &Body, owner: impl FnOnce(&cairn_types::DeviceId) -> Option<OrganizationId>) -> Self {
        if matches!(body.call, Call::Govern(_)) {
            return Self::Nobody;
        }
        match body.signer {
            Principal::Organization(id) => Self::Organization(id),
            // The rules refuse what a device signs that nobody owns.
            Principal::Device(id) => owner(&id).map_or(Self::Nobody, Self::Organization),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Payer, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    urgent: Vec<Arc<SignedTransaction>>,
    ordinary: Vec<Arc<SignedTransaction>>,
    /// Who signed something ordinary, and how many of them wait: what it sends later goes behind that.
    ordinary_signers: HashMap<Principal, usize>,
    bytes: usize,
}

/// Whether `used` and what comes stay within a bound, of which ordinary calls leave a part.
pub(crate) const fn has_room(used: usize, more: usize, max: usize, is_urgent: bool) -> bool {
    let bound = if is_urgent { max } else { max - max / RESERVE };
    used.saturating_add(more) <= bound
}

/// Whether a call goes first where it can: it takes authority away, or the council decided it.
pub(crate) const fn is_urgent(call: &Call) -> bool {
    call.is_protective() || matches!(call, Call::Govern(_))
}

impl Lanes {
    /// Whether the payer's lane takes one more of this size.
    pub(crate) fn has_room(&self, payer: Payer, bytes: usize, is_urgent: bool) -> bool {
        self.lanes.get(&payer).is_none_or(|lane| {
            let count = lane.urgent.len().saturating_add(lane.ordinary.len());
            has_room(count, 1, ORGANIZATION_TRANSACTIONS_MAX, is_urgent)
                && has_room(lane.bytes, bytes, ORGANIZATION_BYTES_MAX, is_urgent)
        })
    }

    /// Puts one at the end of its lane.
    pub(crate) fn push(&mut self, payer: Payer, transaction: Arc<SignedTransaction>) {
        let lane = self.lanes.entry(payer).or_default();
        lane.bytes = lane.bytes.saturating_add(transaction.bytes().len());
        let body = transaction.body();
        if is_urgent(&body.call) && !lane.ordinary_signers.contains_key(&body.signer) {
            lane.urgent.push(transaction);
        } else {
            let signed = lane.ordinary_signers.entry(body.signer).or_default();
            *signed = signed.saturating_add(1);
            lane.ordinary.push(transaction);
        }
    }

    /// Takes those that are gone out of the lanes of these payers.
    pub(crate) fn leave(&mut self, payers: &BTreeSet<Payer>, gone: &HashSet<TransactionId>) {
        for payer in payers {
            let Some(lane) = self.lanes.get_mut(payer) else { continue };
            let Lane { urgent, ordinary, ordinary_signers, bytes } = lane;
            urgent.retain(|transaction| {
                let stays = !gone.contains(&transaction.id());
                *bytes = bytes.saturating_sub(if stays { 0 } else { transaction.bytes().len() });
                stays
            });
            ordinary.retain(|transaction| {
                let stays = !gone.contains(&transaction.id());
                if !stays {
                    *bytes = bytes.saturating_sub(transaction.bytes().len());
                    let signer = transaction.body().signer;
                    if let Some(signed) = ordinary_signers.get_mut(&signer) {
                        *signed = signed.saturating_sub(1);
                        if *signed == 0 {
                            ordinary_signers.remove(&signer);
                        }
                    }
                }
                stays
            });
            if lane.urgent.is_empty() && lane.ordinary.is_empty() {
                self.lanes.remove(payer);
            }
        }
    }

    /// A block's worth, as many and as much as fit. The lanes begin in turn, so that none is always the first.
    pub(crate) fn deal(&self, turn: u64, transactions_max: usize, bytes_max: usize) -> Vec<Arc<SignedTransaction>> {
        let mut hands: Vec<Hand<'_>> = self.lanes.values().map(Hand::new).collect();
        let count = u64::try_from(hands.len()).unwrap_or(u64::MAX);
        let first = turn.checked_rem(count).and_then(|first| usize::try_from(first).ok()).unwrap_or(0);
        hands.rotate_left(first);
        let mut dealt = Dealt { transactions: Vec::new(), bytes: 0 };
        dealt.deal(&mut hands, Which::Urgent, transactions_max / URGENT_PART, bytes_max / URGENT_PART);
        dealt.deal(&mut hands, Which::All, transactions_max, bytes_max);
        dealt.transactions
    }
}

#[derive(Clone, Copy)]
enum Which {
    Urgent,
    All,
}

/// How far a lane is dealt.
struct Hand<'a> {
    lane: &'a Lane,
    urgent: usize,
    ordinary: usize,
    /// Bytes that it may still send in its turn; what it does not use it keeps, so that large ones get their turn too.
    credit: usize,
}

impl<'a> Hand<'a> {
    const fn new(lane: &'a Lane) -> Self {
        Self { lane, urgent: 0, ordinary: 0, credit: 0 }
    }

    fn next(&self, which: Which) -> Option<&'a Arc<SignedTransaction>> {
        let urgent = self.lane.urgent.get(self.urgent);
        match which {
            Which::Urgent => urgent,
            Which::All => urgent.or_else(|| self.lane.ordinary.get(self.ordinary)),
        }
    }

    const fn advance(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub(bytes);
        if self.urgent < self.lane.urgent.len() {
            self.urgent += 1;
        } else {
            self.ordinary += 1;
        }
    }
}

struct Dealt {
    transactions: Vec<Arc<SignedTransaction>>,
    bytes: usize,
}

impl Dealt {
    /// Deals from all hands in turn, until nothing is left or the next one does not fit.
    fn deal(&mut self, hands: &mut [Hand<'_>], which: Which, transactions_max: usize, bytes_max: usize) {
        loop {
            let mut is_over = true;
            for hand in &mut *hands {
                hand.credit = hand.credit.saturating_add(TURN_BYTES);
                while let Some(next) = hand.next(which) {
                    is_over = false;
                    let bytes = next.bytes().len();
                    if bytes > hand.credit {
                        break;
                    }
                    if self.transactions.len() >= transactions_max || self.bytes.saturating_add(bytes) > bytes_max {
                        return;
                    }
                    self.transactions.push(Arc::clone(next));
                    self.bytes = self.bytes.saturating_add(bytes);
                    hand.advance(bytes);
                }
                if hand.next(which).is_none() {
                    hand.credit = 0;
                }
            }
            if is_over {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
