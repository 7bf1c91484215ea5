//! What the rules read of the same subjects in nearly every transaction, found and decoded once.
//!
//! Who signs for a device, whose it is, whether it is active and where it stands; the path of a grant; whether an organization
//! takes part. A device says much and changes seldom, so a block asks the same again and again.
//!
//! It decides nothing and holds nothing that the state does not say. The invariant: each entry is what the state says now.
//! It holds because an entry rests on the keys of its own subject alone, and [`Memo::forget`] drops it with any change under
//! them; only what was found is kept, so nothing that comes to be is missed. What outlives a block is [`Known`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_proofs::authority::{AuthorityFailure, Link};
use cairn_types::record::DeviceKey;
use cairn_types::state_key::{self, DeviceFacet, Family};
use cairn_types::{DeviceId, DeviceStatus, GrantId, Hash, Interval, OrganizationId, Position, PublicKey, Zone};

use super::{Changes, Known, State, read};

/// What a device's file says last of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceFacts {
    /// The key of its last epoch.
    pub(crate) key: Option<PublicKey>,
    /// Its owner, and since when.
    pub(crate) owner: Option<(OrganizationId, Position)>,
    pub(crate) status: Option<DeviceStatus>,
    pub(crate) zone: Option<Zone>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    devices: RefCell<BTreeMap<DeviceId, Arc<DeviceFacts>>>,
    /// The one that was asked for last: a transaction asks for its signer several times.
    latest: RefCell<Option<(DeviceId, Arc<DeviceFacts>)>>,
    /// The path that begins with each grant. It rests on all grants of the path, so one change of a grant drops them all.
    paths: RefCell<BTreeMap<GrantId, Arc<[Link]>>>,
    members: RefCell<BTreeSet<OrganizationId>>,
    /// What others found, where this finds nothing.
    known: Option<Arc<Known>>,
}

impl Memo {
    /// Holds nothing yet, and shares with others what is found.
    pub fn knowing(known: &Arc<Known>) -> Self {
        Self { known: Some(Arc::clone(known)), ..Self::default() }
    }

    /// Drops what rests on keys that change.
    pub fn forget(&mut self, changes: &Changes) {
        for key in changes.keys() {
            match key.split_first() {
                Some((&family, id)) if family == Family::Device as u8 => {
                    let id = id.first_chunk().expect("the key of a device's facet begins with its id");
                    *self.latest.get_mut() = None;
                    self.devices.get_mut().remove(&DeviceId::from_hash(Hash::from_bytes(*id)));
                }
                Some((&family, _)) if family == Family::Grant as u8 => self.paths.get_mut().clear(),
                Some((&family, _)) if family == Family::Organization as u8 => self.members.get_mut().clear(),
                _ => {}
            }
        }
    }

    /// Panics if an entry is not what `state` says.
    #[cfg(test)]
    pub(crate) fn check(&self, state: &impl State) {
        let latest = self.latest.borrow();
        let latest = latest.as_ref().map(|(id, facts)| (id, facts));
        for (id, facts) in self.devices.borrow().iter().chain(latest) {
            assert_eq!(**facts, read_facts(state, id), "device {id}");
        }
        for (id, path) in self.paths.borrow().iter() {
            let read = cairn_proofs::authority::path(id, |id| super::grant(state, id)).expect("it was found before");
            assert_eq!(**path, *read, "the path of grant {id}");
        }
        for id in self.members.borrow().iter() {
            let record = super::organization(state, id).expect("it was found before");
            assert_eq!(record.expelled, None, "organization {id}");
        }
    }
}

/// Whose a device is.
pub fn owner_of(state: &impl State, device: &DeviceId) -> Option<OrganizationId> {
    device_facts(state, device).owner.map(|(owner, _)| owner)
}

/// What the state says last of a device; of a device that it does not know, nothing.
pub(crate) fn device_facts(state: &impl State, id: &DeviceId) -> Arc<DeviceFacts> {
    let Some(memo) = state.memo() else { return Arc::new(read_facts(state, id)) };
    if let Some((latest, facts)) = &*memo.latest.borrow()
        && latest == id
    {
        return Arc::clone(facts);
    }
    let kept = memo.devices.borrow().get(id).map(Arc::clone);
    let facts = kept.unwrap_or_else(|| {
        let facts = match &memo.known {
            Some(known) => known.facts(state, id, || read_facts(state, id)),
            None => Arc::new(read_facts(state, id)),
        };
        if facts.owner.is_some() {
            memo.devices.borrow_mut().insert(*id, Arc::clone(&facts));
        }
        facts
    });
    if facts.owner.is_some() {
        *memo.latest.borrow_mut() = Some((*id, Arc::clone(&facts)));
    }
    facts
}

fn read_facts(state: &impl State, id: &DeviceId) -> DeviceFacts {
    let facets = [DeviceFacet::Key, DeviceFacet::Owner, DeviceFacet::Status, DeviceFacet::Placement];
    let [key, owner, status, zone] = state.last_of_each(&state_key::device(id), facets.map(|facet| facet as u8));
    DeviceFacts {
        key: key.map(|bytes| read::<Interval<DeviceKey>>(bytes).value.key),
        owner: owner.map(read::<Interval<OrganizationId>>).map(|owner| (owner.value, owner.from)),
        status: status.map(|bytes| read::<Interval<DeviceStatus>>(bytes).value),
        zone: zone.map(|bytes| read::<Interval<Zone>>(bytes).value),
    }
}

/// The path that begins with `grant`; `find` is asked for it if it is not known yet.
///
/// # Errors
/// What `find` says.
pub(crate) fn path(
    state: &impl State,
    grant: &GrantId,
    find: impl FnOnce() -> Result<Vec<Link>, AuthorityFailure>,
) -> Result<Arc<[Link]>, AuthorityFailure> {
    let Some(memo) = state.memo() else { return find().map(Arc::from) };
    if let Some(known) = memo.paths.borrow().get(grant) {
        return Ok(Arc::clone(known));
    }
    let path: Arc<[Link]> = find()?.into();
    memo.paths.borrow_mut().insert(*grant, Arc::clone(&path));
    Ok(path)
}

/// Whether an organization takes part; `find` is asked if it is not known yet.
pub(crate) fn is_member(state: &impl State, id: &OrganizationId, find: impl FnOnce() -> bool) -> bool {
    let Some(memo) = state.memo() else { return find() };
    if memo.members.borrow().contains(id) {
        return true;
    }
    let is_member = find();
    if is_member {
        memo.members.borrow_mut().insert(*id);
    }
    is_member
}
