//! Reading the state, and collecting what changes.
//!
//! Rules read through [`State`] and answer with [`Changes`]; nobody writes in place. A block's transactions see each
//! other through an [`Overlay`]: the tree as it was before the block, and what the block has changed so far.

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use cairn_proofs::tree::StateTree;
use cairn_types::record::{
    DeviceKey, DeviceRecord, GrantTerms, Interval, OrganizationKeys, OrganizationRecord, StreamRecord,
};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{
    DeviceId, DeviceStatus, GrantId, OrganizationId, Parameters, Principal, PublicKey, StreamId, Zone, encode,
};

/// What a transaction or a block does to the state: new values by key; `None` removes (only remembered ids ever are).
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A state that can be read.
pub trait State {
    /// The value at `key`.
    fn get(&self, key: &[u8]) -> Option<&[u8]>;

    /// The last entry whose key begins with `prefix`.
    fn last_under(&self, prefix: &[u8]) -> Option<(&[u8], &[u8])>;
}

impl State for StateTree {
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        Self::get(self, key)
    }

    fn last_under(&self, prefix: &[u8]) -> Option<(&[u8], &[u8])> {
        Self::last_under(self, prefix)
    }
}

/// A tree with changes laid over it.
#[derive(Clone, Debug)]
pub struct Overlay<'a> {
    base: &'a StateTree,
    changes: Changes,
}

impl<'a> Overlay<'a> {
    /// Lays nothing over `base` yet.
    pub const fn new(base: &'a StateTree) -> Self {
        Self { base, changes: Changes::new() }
    }

    /// Lays `changes` over `base`.
    pub const fn with(base: &'a StateTree, changes: Changes) -> Self {
        Self { base, changes }
    }

    /// Adds what one more transaction changed.
    pub fn extend(&mut self, changes: Changes) {
        self.changes.extend(changes);
    }

    /// All that was changed.
    pub fn into_changes(self) -> Changes {
        self.changes
    }

    /// The tree beneath.
    pub const fn base(&self) -> &'a StateTree {
        self.base
    }
}

impl State for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        match self.changes.get(key) {
            Some(changed) => changed.as_deref(),
            None => self.base.get(key),
        }
    }

    fn last_under(&self, prefix: &[u8]) -> Option<(&[u8], &[u8])> {
        // Only entries that are never removed are asked for in this way, so the greater of the two is the last.
        let upper = prefix_end(prefix);
        let range = match &upper {
            Some(end) => self
                .changes
                .range::<[u8], _>((std::ops::Bound::Included(prefix), std::ops::Bound::Excluded(end.as_slice()))),
            None => self.changes.range::<[u8], _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded)),
        };
        let changed = range.rev().find_map(|(key, value)| Some((key.as_slice(), value.as_deref()?)));
        // Of two entries with one key, `max_by_key` takes the later here: the changed one.
        [self.base.last_under(prefix), changed].into_iter().flatten().max_by_key(|(key, _)| *key)
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
fn read<T: BorshDeserialize>(bytes: &[u8]) -> T {
    borsh::from_slice(bytes).expect("the state holds what these rules wrote: its root is certified")
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
    pub(crate) fn close(self, at: cairn_types::Position, changes: &mut Changes) {
        changes.insert(self.key, Some(encode(&self.interval.closed(at))));
    }
}

fn last_entry<T: BorshDeserialize>(state: &impl State, prefix: &[u8]) -> Option<Entry<T>> {
    let (key, value) = state.last_under(prefix)?;
    let (_, ordinal) = state_key::split_facet(key).expect("a facet's keys end in facet and ordinal");
    Some(Entry { key: key.to_vec(), ordinal, interval: read(value) })
}

/// The network's parameters.
pub fn parameters(state: &impl State) -> Parameters {
    read(state.get(&state_key::parameters()).expect("parameters are written at genesis"))
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

pub(crate) fn grant(state: &impl State, id: &GrantId) -> Option<Interval<GrantTerms>> {
    state.get(&state_key::grant(id)).map(read)
}

pub(crate) fn stream(state: &impl State, id: &StreamId) -> Option<StreamRecord> {
    state.get(&state_key::stream(id)).map(read)
}

pub(crate) fn key_user(state: &impl State, key: &PublicKey) -> Option<Principal> {
    state.get(&state_key::key_use(key)).map(read)
}

/// Writes a value.
pub(crate) fn put<T: borsh::BorshSerialize>(changes: &mut Changes, key: Vec<u8>, value: &T) {
    changes.insert(key, Some(encode(value)));
}
