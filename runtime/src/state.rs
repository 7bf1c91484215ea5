//! Reading the state, and collecting what changes.
//!
//! Rules read through [`State`] and answer with [`Changes`]; nobody writes in place. A block's transactions see each
//! other through an [`Overlay`]: the tree as it was before the block, and what the block has changed so far. An overlay also
//! keeps what is read of it again and again, decoded (`memo`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use borsh::BorshDeserialize;
use cairn_proofs::tree::StateTree;
use cairn_types::governance::Upgrade;
use cairn_types::record::{
    DeviceKey, DeviceRecord, GrantTerms, Interval, LotRecord, OrganizationKeys, OrganizationRecord, Recovery,
    StreamRecord, Superseded, Usage,
};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{
    AttestationRef, DeviceId, DeviceStatus, GrantId, Hash, LotId, OrganizationId, Parameters, Position, Principal,
    PublicKey, Rejection, StreamId, ValidatorSet, Zone, encode,
};

mod known;
pub(crate) mod memo;

pub use known::Known;
pub use memo::{Memo, owner_of};

/// What a transaction or a block does to the state: new values by key; `None` removes (only remembered ids and reminders of
/// recoveries ever are).
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key of the state and its value, borrowed where they stand in the state as they are.
pub type KeyAndValue<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// A state that can be read.
pub trait State {
    /// The value at `key`.
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>>;

    /// The last entry whose key begins with `prefix`.
    fn last_under(&self, prefix: &[u8]) -> Option<KeyAndValue<'_>>;

    /// The values of the last entries under several prefixes: `prefix` followed by each of these bytes.
    fn last_of_each<const N: usize>(&self, prefix: &[u8], bytes: [u8; N]) -> [Option<Cow<'_, [u8]>>; N] {
        bytes.map(|byte| self.last_under(&[prefix, &[byte]].concat()).map(|(_, value)| value))
    }

    /// The hash of a part of the state that holds all entries whose keys begin with `prefix`, if it has one: what is read
    /// there is the same wherever this hash is.
    fn hash_of_part(&self, _prefix: &[u8]) -> Option<Hash> {
        None
    }

    /// What was read of it before, if that is kept.
    fn memo(&self) -> Option<&Memo> {
        None
    }
}

impl State for StateTree {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        Self::get(self, key)
    }

    fn last_under(&self, prefix: &[u8]) -> Option<KeyAndValue<'_>> {
        let (key, value) = Self::last_under(self, prefix)?;
        Some((Cow::Owned(key), value))
    }

    fn last_of_each<const N: usize>(&self, prefix: &[u8], bytes: [u8; N]) -> [Option<Cow<'_, [u8]>>; N] {
        let part = self.part(prefix);
        bytes.map(|byte| part.last_value(&[prefix, &[byte]].concat()))
    }

    fn hash_of_part(&self, prefix: &[u8]) -> Option<Hash> {
        self.part(prefix).hash()
    }
}

/// A tree with changes laid over it.
#[derive(Clone, Debug)]
pub struct Overlay<'a> {
    base: &'a StateTree,
    changes: Changes,
    memo: Memo,
}

impl<'a> Overlay<'a> {
    /// Lays nothing over `base` yet.
    pub fn new(base: &'a StateTree) -> Self {
        Self::with(base, Changes::new())
    }

    /// Lays nothing over `base` yet, and shares with others what is found in it.
    pub fn knowing(base: &'a StateTree, known: &Arc<Known>) -> Self {
        Self { base, changes: Changes::new(), memo: Memo::knowing(known) }
    }

    /// Lays `changes` over `base`.
    pub fn with(base: &'a StateTree, changes: Changes) -> Self {
        Self { base, changes, memo: Memo::default() }
    }

    /// Adds what one more transaction changed.
    pub fn extend(&mut self, changes: Changes) {
        self.memo.forget(&changes);
        self.changes.extend(changes);
        #[cfg(test)]
        self.memo.check(self);
    }

    /// All that was changed.
    pub fn into_changes(self) -> Changes {
        self.changes
    }

    /// All keys that begin with `prefix` and do not exceed `last`, ascending, at most `limit` of them: of the tree and of
    /// what was changed, without what was removed.
    pub(crate) fn keys_up_to(&self, prefix: &[u8], last: &[u8], limit: usize) -> Vec<Vec<u8>> {
        let beneath = self.base.prefix(prefix).map(|(key, _)| key).take_while(|key| key.as_slice() <= last);
        let beneath = beneath.filter(|key| !self.changes.contains_key(key)).take(limit);
        let range = (std::ops::Bound::Included(prefix), std::ops::Bound::Included(last));
        let changed = self.changes.range::<[u8], _>(range).filter(|(_, value)| value.is_some());
        let mut keys: Vec<Vec<u8>> = beneath.chain(changed.map(|(key, _)| key.clone()).take(limit)).collect();
        keys.sort_unstable();
        keys.truncate(limit);
        keys
    }

    /// Whether something under a prefix was changed.
    fn is_changed(&self, prefix: &[u8]) -> bool {
        let from = (std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded);
        self.changes.range::<[u8], _>(from).next().is_some_and(|(key, _)| key.starts_with(prefix))
    }

    /// The tree beneath.
    pub const fn base(&self) -> &'a StateTree {
        self.base
    }
}

impl<'a> From<&'a StateTree> for Overlay<'a> {
    fn from(base: &'a StateTree) -> Self {
        Self::new(base)
    }
}

impl State for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self.changes.get(key) {
            Some(changed) => changed.as_deref().map(Cow::Borrowed),
            None => self.base.get(key),
        }
    }

    fn last_under(&self, prefix: &[u8]) -> Option<KeyAndValue<'_>> {
        // Only entries that are never removed are asked for in this way, so the greater of the two is the last.
        let upper = prefix_end(prefix);
        let range = match &upper {
            Some(end) => self
                .changes
                .range::<[u8], _>((std::ops::Bound::Included(prefix), std::ops::Bound::Excluded(end.as_slice()))),
            None => self.changes.range::<[u8], _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded)),
        };
        let changed = range
            .rev()
            .find_map(|(key, value)| Some((Cow::Borrowed(key.as_slice()), Cow::Borrowed(value.as_deref()?))));
        let beneath = State::last_under(self.base, prefix);
        // Of two entries with one key, `max_by` takes the later here: the changed one.
        [beneath, changed].into_iter().flatten().max_by(|(a, _), (b, _)| a.cmp(b))
    }

    fn last_of_each<const N: usize>(&self, prefix: &[u8], bytes: [u8; N]) -> [Option<Cow<'_, [u8]>>; N] {
        if self.is_changed(prefix) {
            bytes.map(|byte| self.last_under(&[prefix, &[byte]].concat()).map(|(_, value)| value))
        } else {
            self.base.last_of_each(prefix, bytes)
        }
    }

    fn hash_of_part(&self, prefix: &[u8]) -> Option<Hash> {
        if self.is_changed(prefix) { None } else { self.base.hash_of_part(prefix) }
    }

    fn memo(&self) -> Option<&Memo> {
        Some(&self.memo)
    }
}

/// The first byte string after all that begin with `prefix`.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Decodes what these rules have written.
fn read<T: BorshDeserialize>(bytes: impl AsRef<[u8]>) -> T {
    borsh::from_slice(bytes.as_ref()).expect("the state holds what these rules wrote: its root is certified")
}

/// One entry of a facet: which, and its interval.
#[derive(Clone, Debug)]
pub(crate) struct Entry<T> {
    pub(crate) key: Vec<u8>,
    pub(crate) ordinal: u32,
    pub(crate) interval: Interval<T>,
}

impl<T: borsh::BorshSerialize> Entry<T> {
    /// Writes the interval, closed at `at`.
    pub(crate) fn close(self, at: Position, changes: &mut Changes) {
        changes.insert(self.key, Some(encode(&self.interval.closed(at))));
    }

    /// Closes the interval at `at`, where the next of its kind opens: under `prefix`, with the value `next`.
    pub(crate) fn succeed(
        self,
        prefix: Vec<u8>,
        next: Interval<T>,
        at: Position,
        changes: &mut Changes,
    ) -> Result<(), Rejection> {
        let ordinal = after(Some(&self))?;
        self.close(at, changes);
        put(changes, state_key::ordinal(prefix, ordinal), &next);
        Ok(())
    }
}

/// The ordinal after an entry's; the first, if there is none. There is none after 2^32 entries of one kind, each a
/// transaction: whoever fills a device's file to that end has stopped the device, not the network.
pub(crate) fn after<T>(entry: Option<&Entry<T>>) -> Result<u32, Rejection> {
    let full = Rejection::FieldInvalid { field: "ordinal", reason: "none is left: this has changed 2^32 times" };
    entry.map_or(Ok(0), |entry| entry.ordinal.checked_add(1).ok_or(full))
}

/// Opens an interval after `last`, the last one of its kind, if there is one and it is closed.
pub(crate) fn open_after<T: borsh::BorshSerialize>(
    prefix: Vec<u8>,
    last: Option<&Entry<T>>,
    interval: &Interval<T>,
    changes: &mut Changes,
) -> Result<(), Rejection> {
    let ordinal = after(last)?;
    put(changes, state_key::ordinal(prefix, ordinal), interval);
    Ok(())
}

fn last_entry<T: BorshDeserialize>(state: &impl State, prefix: &[u8]) -> Option<Entry<T>> {
    let (key, value) = state.last_under(prefix)?;
    let ordinal = state_key::split_ordinal(&key).expect("the keys of intervals end in an ordinal");
    Some(Entry { key: key.into_owned(), ordinal, interval: read(value) })
}

/// The entry of a list of intervals with this ordinal.
pub(crate) fn entry<T: BorshDeserialize>(state: &impl State, prefix: Vec<u8>, ordinal: u32) -> Option<Entry<T>> {
    let key = state_key::ordinal(prefix, ordinal);
    let interval = read(state.get(&key)?);
    Some(Entry { key, ordinal, interval })
}

pub(crate) fn parameters_entry(state: &impl State) -> Entry<Parameters> {
    last_entry(state, &state_key::parameters()).expect("parameters are written at genesis")
}

/// The network's parameters.
pub fn parameters(state: &impl State) -> Parameters {
    parameters_entry(state).interval.value
}

pub(crate) fn council(state: &impl State) -> Option<Entry<Vec<OrganizationId>>> {
    last_entry(state, &state_key::council())
}

pub(crate) fn validators(state: &impl State) -> Entry<ValidatorSet> {
    last_entry(state, &state_key::validators()).expect("validators are written at genesis")
}

pub(crate) fn upgrade(state: &impl State) -> Option<Entry<Upgrade>> {
    last_entry(state, &state_key::upgrades())
}

pub(crate) fn lot(state: &impl State, id: &LotId) -> Option<Interval<LotRecord>> {
    state.get(&state_key::lot(id)).map(read)
}

pub(crate) fn lot_claim(state: &impl State, lot: &LotId, claim: &Hash) -> Option<DeviceId> {
    state.get(&state_key::lot_claim(lot, claim)).map(read)
}

pub(crate) fn superseded(state: &impl State, target: &AttestationRef) -> Option<Superseded> {
    state.get(&state_key::superseded(&target.stream, target.sequence)).map(read)
}

pub(crate) fn usage(state: &impl State, principal: &Principal) -> Option<Usage> {
    state.get(&state_key::usage(principal)).map(read)
}

pub(crate) fn organization(state: &impl State, id: &OrganizationId) -> Option<OrganizationRecord> {
    let prefix = state_key::organization_facet(id, OrganizationFacet::Record);
    state.get(&state_key::ordinal(prefix, 0)).map(read)
}

pub(crate) fn organization_keys(state: &impl State, id: &OrganizationId) -> Option<Entry<OrganizationKeys>> {
    last_entry(state, &state_key::organization_facet(id, OrganizationFacet::Keys))
}

pub(crate) fn device(state: &impl State, id: &DeviceId) -> Option<DeviceRecord> {
    let prefix = state_key::device_facet(id, DeviceFacet::Record);
    state.get(&state_key::ordinal(prefix, 0)).map(read)
}

pub(crate) fn device_key(state: &impl State, id: &DeviceId) -> Option<Entry<DeviceKey>> {
    last_entry(state, &state_key::device_facet(id, DeviceFacet::Key))
}

pub(crate) fn device_owner(state: &impl State, id: &DeviceId) -> Option<Entry<OrganizationId>> {
    last_entry(state, &state_key::device_facet(id, DeviceFacet::Owner))
}

pub(crate) fn device_status(state: &impl State, id: &DeviceId) -> Option<Entry<DeviceStatus>> {
    last_entry(state, &state_key::device_facet(id, DeviceFacet::Status))
}

pub(crate) fn device_placement(state: &impl State, id: &DeviceId) -> Option<Entry<Zone>> {
    last_entry(state, &state_key::device_facet(id, DeviceFacet::Placement))
}

/// The last recovery of a device; it is pending if it is open.
pub(crate) fn device_recovery(state: &impl State, id: &DeviceId) -> Option<Entry<Recovery>> {
    last_entry(state, &state_key::device_facet(id, DeviceFacet::Recovery))
}

/// The last offer of a device; it stands if it is open.
pub(crate) fn device_offer(state: &impl State, id: &DeviceId) -> Option<Entry<OrganizationId>> {
    last_entry(state, &state_key::device_facet(id, DeviceFacet::Offer))
}

pub(crate) fn grant(state: &impl State, id: &GrantId) -> Option<Interval<GrantTerms>> {
    state.get(&state_key::grant(id)).map(read)
}

pub(crate) fn stream(state: &impl State, id: &StreamId) -> Option<StreamRecord> {
    state.get(&state_key::stream(id)).map(read)
}

pub(crate) fn key_user(state: &impl State, key: &PublicKey) -> Option<Principal> {
    state.get(&state_key::key_use(key)).map(read)
}

/// What an interval becomes when somebody ends it: closed at `position` if it is open, and in doubt from `since` on. `None`
/// if it has ended already and the doubt does not move earlier.
pub(crate) fn ended<T>(interval: Interval<T>, since: Option<Position>, position: Position) -> Option<Interval<T>> {
    if interval.is_open() {
        let closed = interval.closed(position);
        return Some(match since {
            Some(since) => closed.suspected(since),
            None => closed,
        });
    }
    let earlier = since.filter(|since| !interval.is_suspect_at(*since))?;
    Some(interval.suspected(earlier))
}

/// Writes a value.
pub(crate) fn put<T: borsh::BorshSerialize>(changes: &mut Changes, key: Vec<u8>, value: &T) {
    changes.insert(key, Some(encode(value)));
}
