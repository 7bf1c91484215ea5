//! What holds of every state, and between every two states that follow each other (design.md, section 3).
//!
//! Nothing here asks the rules: keys are taken apart by the layout that [`Family`] documents, and every
//! relation is restated in its own arithmetic.

use std::collections::BTreeMap;
use std::fmt::Debug;

use borsh::BorshDeserialize;
use cairn_proofs::tree::StateTree;
use cairn_types::record::{DeviceKey, DeviceRecord, GrantTerms, OrganizationKeys, OrganizationRecord, StreamRecord};
use cairn_types::state_key::{DeviceFacet, Family, OrganizationFacet};
use cairn_types::{
    Action, DeviceId, DeviceStatus, GrantId, Grantee, Hash, Height, Interval, OrganizationId, Parameters, Position,
    Principal, PublicKey, Scope, StreamId, Zone,
};

/// A device's whole file.
pub(super) struct DeviceFile {
    pub(super) record: DeviceRecord,
    pub(super) keys: Vec<Interval<DeviceKey>>,
    pub(super) owners: Vec<Interval<OrganizationId>>,
    pub(super) statuses: Vec<Interval<DeviceStatus>>,
    pub(super) placements: Vec<Interval<Zone>>,
}

/// The whole state, decoded.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) organizations: BTreeMap<OrganizationId, (OrganizationRecord, Vec<Interval<OrganizationKeys>>)>,
    pub(super) devices: BTreeMap<DeviceId, DeviceFile>,
    pub(super) key_uses: BTreeMap<Hash, Principal>,
    pub(super) grants: BTreeMap<GrantId, Interval<GrantTerms>>,
    pub(super) streams: BTreeMap<StreamId, StreamRecord>,
    pub(super) lists: BTreeMap<u8, Vec<(Hash, Hash)>>,
}

fn decode<T: BorshDeserialize>(bytes: &[u8]) -> T {
    borsh::from_slice(bytes).expect("a state holds nothing but records")
}

fn hash(bytes: &[u8]) -> Hash {
    Hash::from_bytes(bytes.try_into().expect("32 bytes"))
}

/// The intervals of one facet, whose ordinals count from 0.
fn intervals<T: BorshDeserialize>(state: &StateTree, subject: &[u8], facet: u8) -> Vec<Interval<T>> {
    let prefix = [subject, &[facet]].concat();
    let entries = state.prefix(&prefix).enumerate().map(|(ordinal, (key, value))| {
        assert_eq!(key[prefix.len()..], u32::try_from(ordinal).expect("few").to_be_bytes(), "ordinals are dense");
        decode(value)
    });
    entries.collect()
}

fn record<T: BorshDeserialize>(state: &StateTree, subject: &[u8]) -> T {
    decode(state.get(&[subject, &[0; 5]].concat()).expect("whoever has a file has a record"))
}

impl Facts {
    pub(super) fn of(state: &StateTree) -> Self {
        let mut facts = Self::default();
        for (key, value) in state.prefix(&[]) {
            let (family, rest) = key.split_first().expect("no key is empty");
            match *family {
                f if f == Family::Parameters as u8 => assert!(decode::<Parameters>(value).lifetime_max > 0),
                f if f == Family::OrganizationName as u8 => {
                    let name: OrganizationRecord = record(state, &[&[Family::Organization as u8], value].concat());
                    assert_eq!(name.name.as_str().as_bytes(), rest, "a name leads to who bears it");
                }
                f if f == Family::Organization as u8 => {
                    let (id, tail) = rest.split_at(32);
                    if tail == [0; 5] {
                        let keys = intervals(state, &key[..33], OrganizationFacet::Keys as u8);
                        facts.organizations.insert(OrganizationId::from_hash(hash(id)), (decode(value), keys));
                    }
                }
                f if f == Family::Device as u8 => {
                    let (id, tail) = rest.split_at(32);
                    if tail == [0; 5] {
                        facts.devices.insert(DeviceId::from_hash(hash(id)), DeviceFile::of(state, &key[..33]));
                    }
                }
                f if f == Family::KeyUse as u8 => drop(facts.key_uses.insert(hash(rest), decode(value))),
                f if f == Family::Grant as u8 => {
                    facts.grants.insert(GrantId::from_hash(hash(rest)), decode(value));
                }
                f if f == Family::Stream as u8 => {
                    facts.streams.insert(StreamId::from_hash(hash(rest)), decode(value));
                }
                f if f == Family::ScopeGrant as u8 || f == Family::DeviceStream as u8 => {
                    assert!(value.is_empty());
                    facts.lists.entry(f).or_default().push((hash(&rest[..32]), hash(&rest[32..])));
                }
                f if f == Family::Remembered as u8 => assert!(value.is_empty() && rest.len() == 8 + 32),
                other => panic!("no family {other:#x}"),
            }
        }
        facts
    }
}

impl DeviceFile {
    fn of(state: &StateTree, subject: &[u8]) -> Self {
        let file = Self {
            record: record(state, subject),
            keys: intervals(state, subject, DeviceFacet::Key as u8),
            owners: intervals(state, subject, DeviceFacet::Owner as u8),
            statuses: intervals(state, subject, DeviceFacet::Status as u8),
            placements: intervals(state, subject, DeviceFacet::Placement as u8),
        };
        let entries = 1 + file.keys.len() + file.owners.len() + file.statuses.len() + file.placements.len();
        assert_eq!(state.prefix(subject).count(), entries, "a device's file holds nothing else");
        file
    }
}

/// The fact that holds at `position`.
pub(super) fn at<T>(intervals: &[Interval<T>], position: Position) -> Option<&Interval<T>> {
    let mut holding = intervals.iter().filter(|i| i.from <= position && i.to.is_none_or(|to| position < to));
    let found = holding.next();
    assert!(holding.next().is_none(), "two intervals of one kind and subject overlap");
    found
}

/// The first begins at `from`, each of the others where the one before ends, and all but the last are closed.
fn check_contiguous<T: Debug>(intervals: &[Interval<T>], from: Position) {
    let mut expected = from;
    for (index, interval) in intervals.iter().enumerate() {
        assert_eq!(interval.from, expected, "no gap and no overlap: {intervals:?}");
        match interval.to {
            Some(to) => assert!(to > interval.from, "no interval is empty: {interval:?}"),
            None => assert_eq!(index + 1, intervals.len(), "only the last is open: {intervals:?}"),
        }
        expected = interval.to.unwrap_or(expected);
    }
    assert!(!intervals.is_empty());
}

/// Checks everything that holds of a state by itself.
pub(super) fn check_state(state: &StateTree) {
    let facts = Facts::of(state);
    let mut keys_in_use: Vec<(PublicKey, Principal)> = Vec::new();
    for (id, (_, epochs)) in &facts.organizations {
        check_contiguous(epochs, Position::default());
        let keys = epochs.iter().flat_map(|epoch| epoch.value.keys.keys.iter());
        keys_in_use.extend(keys.map(|key| (*key, Principal::Organization(*id))));
    }
    for (id, file) in &facts.devices {
        check_device(&facts, file);
        assert_eq!(file.record.inception.id(), *id, "an id is the hash of the inception");
        keys_in_use.extend(file.keys.iter().map(|epoch| (epoch.value.key, Principal::Device(*id))));
    }
    assert_eq!(keys_in_use.len(), facts.key_uses.len(), "every key is used once, and every use is remembered");
    for (key, principal) in keys_in_use {
        assert_eq!(facts.key_uses.get(&key.commitment().hash()), Some(&principal));
    }
    let mut listed = Vec::new();
    for (id, grant) in &facts.grants {
        check_grant(&facts, grant);
        listed.push((grant.value.scope.key(), id.hash()));
    }
    check_list(&facts, Family::ScopeGrant, listed);
    let mut listed = Vec::new();
    for (id, stream) in &facts.streams {
        assert_eq!(StreamId::of(&stream.device, &stream.name), *id);
        assert_eq!(stream.peaks.len(), stream.count.count_ones() as usize);
        assert!(stream.opened <= stream.head_position);
        listed.push((stream.device.hash(), id.hash()));
    }
    check_list(&facts, Family::DeviceStream, listed);
}

fn check_list(facts: &Facts, family: Family, mut expected: Vec<(Hash, Hash)>) {
    expected.sort_unstable();
    assert_eq!(facts.lists.get(&(family as u8)).cloned().unwrap_or_default(), expected, "lists are complete");
}

fn check_device(facts: &Facts, file: &DeviceFile) {
    let registered = file.record.registered;
    check_contiguous(&file.keys, registered);
    check_contiguous(&file.owners, registered);
    check_contiguous(&file.statuses, registered);
    check_contiguous(&file.placements, registered);

    assert!(file.owners.last().is_some_and(Interval::is_open), "there is an owner at every position");
    assert!(file.placements.last().is_some_and(Interval::is_open), "a device is somewhere at every position");
    let status = file.statuses.last().expect("a device has a status");
    assert!(status.is_open(), "there is a status at every position");
    let final_since = status.value.is_final().then_some(status.from);
    assert_eq!(file.keys.last().expect("a device has a key").to, final_since, "one key is open, unless final");

    assert_eq!(file.statuses[0].value, DeviceStatus::Active);
    for pair in file.statuses.windows(2) {
        assert!(!pair[0].value.is_final() && pair[0].value != pair[1].value, "statuses alternate: {pair:?}");
    }
    for interval in &file.statuses {
        assert!(interval.suspect_since.is_none() || interval.value == DeviceStatus::Revoked);
    }
    assert_eq!(file.keys[0].value.key, file.record.inception.key);
    for pair in file.keys.windows(2) {
        assert_eq!(pair[1].value.key.commitment(), pair[0].value.next, "each key was committed to one epoch ahead");
    }
    for placement in &file.placements {
        let owner = at(&file.owners, placement.from).expect("an owner at every position").value;
        assert_eq!(placement.value.organization, owner, "a device is placed in its owner's namespace");
        assert!(facts.organizations.contains_key(&owner));
    }
}

/// A grant stays within its parent in everything, and was given by its holder.
fn check_grant(facts: &Facts, grant: &Interval<GrantTerms>) {
    let GrantTerms { grantor, actions, scope, window, depth, parent, .. } = &grant.value;
    let given = grant.from;
    assert!(!actions.is_empty() && window.to.is_none_or(|to| window.from < to) && *depth < 8);
    assert_eq!(actions.contains(Action::Delegate), *depth > 0);
    let (device, zone) = place_of(facts, scope, given);
    let Some(parent) = parent else {
        let owner = match (scope, device) {
            (Scope::Zone(zone), _) => zone.organization,
            (_, Some(device)) => at(&facts.devices[&device].owners, given).expect("an owner").value,
            (_, None) => unreachable!("devices and streams have a device"),
        };
        assert_eq!(*grantor, Principal::Organization(owner), "without a parent, the owner gave it");
        return;
    };
    let parent = &facts.grants[parent];
    let above = &parent.value;
    assert!(parent.from < given && parent.to.is_none_or(|to| given < to), "the parent held when the child was given");
    assert!(actions.iter().all(|action| above.actions.contains(action)) && above.actions.contains(Action::Delegate));
    assert!(*depth < above.depth);
    assert!(above.window.from <= window.from && above.window.from <= given.height);
    if let Some(end) = above.window.to {
        assert!(window.to.is_some_and(|to| to <= end) && given.height < end);
    }
    let covered = match &above.scope {
        Scope::Zone(outer) => lies_in(&zone, outer),
        Scope::Device(outer) => device == Some(*outer),
        same @ Scope::Stream(_) => same == scope,
    };
    assert!(covered, "the child's scope lay within the parent's when it was given");
    let holds = match (&above.grantee, grantor) {
        (Grantee::Organization(id), Principal::Organization(grantor)) => id == grantor,
        (Grantee::Device(id), Principal::Device(grantor)) => id == grantor,
        (Grantee::Zone(zone), Principal::Device(grantor)) => {
            at(&facts.devices[grantor].placements, given).is_some_and(|placed| lies_in(&placed.value, zone))
        }
        _ => false,
    };
    assert!(holds, "whoever passes a grant on holds it");
}

/// Of which device a scope speaks, and where that is at `position`.
fn place_of(facts: &Facts, scope: &Scope, position: Position) -> (Option<DeviceId>, Zone) {
    let device = match scope {
        Scope::Zone(zone) => return (None, zone.clone()),
        Scope::Device(device) => *device,
        Scope::Stream(stream) => facts.streams[stream].device,
    };
    let zone = at(&facts.devices[&device].placements, position).expect("a place at every position");
    (Some(device), zone.value.clone())
}

/// Compares segment by segment.
pub(super) fn lies_in(inner: &Zone, outer: &Zone) -> bool {
    let segments =
        |zone: &Zone| zone.path.as_str().split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    inner.organization == outer.organization && segments(inner).starts_with(&segments(outer))
}

/// Checks what holds between the states before and after the block at `height`: nothing is deleted but remembered ids
/// whose time is up, and an interval knows two mutations.
pub(super) fn check_step(before: &StateTree, after: &StateTree, height: Height) {
    let mut later = after.prefix(&[]).peekable();
    for (key, old) in before.prefix(&[]) {
        while later.next_if(|(candidate, _)| *candidate < key).is_some() {}
        let new = later.next_if(|(candidate, _)| *candidate == key).map(|(_, value)| value);
        let Some(new) = new else {
            let expiry = (key[0] == Family::Remembered as u8).then(|| key[1..9].try_into().expect("8 bytes"));
            let expiry = expiry.map(u64::from_be_bytes).expect("nothing is deleted but remembered ids");
            assert!(expiry <= height.get(), "an id is remembered until it expires");
            continue;
        };
        if old != new {
            check_change(key, old, new);
        }
    }
}

fn check_change(key: &[u8], old: &[u8], new: &[u8]) {
    match key[0] {
        f if f == Family::Organization as u8 && key[33] == OrganizationFacet::Keys as u8 => {
            check_mutation::<OrganizationKeys>(old, new);
        }
        f if f == Family::Device as u8 && key[33] == DeviceFacet::Key as u8 => check_mutation::<DeviceKey>(old, new),
        f if f == Family::Device as u8 && key[33] == DeviceFacet::Owner as u8 => {
            check_mutation::<OrganizationId>(old, new);
        }
        f if f == Family::Device as u8 && key[33] == DeviceFacet::Status as u8 => {
            check_mutation::<DeviceStatus>(old, new);
        }
        f if f == Family::Device as u8 && key[33] == DeviceFacet::Placement as u8 => check_mutation::<Zone>(old, new),
        f if f == Family::Grant as u8 => check_mutation::<GrantTerms>(old, new),
        f if f == Family::Stream as u8 => check_growth(&decode(old), &decode(new)),
        _ => panic!("entry {key:x?} never changes"),
    }
}

/// Closed once, and `suspect_since` moves earlier.
fn check_mutation<T: BorshDeserialize + PartialEq + Debug>(old: &[u8], new: &[u8]) {
    let (old, new): (Interval<T>, Interval<T>) = (decode(old), decode(new));
    let same = old.value == new.value && old.from == new.from;
    let closed_once = old.to.is_none() || new.to == old.to;
    let doubt_grows = old.suspect_since.is_none_or(|old| new.suspect_since.is_some_and(|new| new <= old));
    assert!(same && closed_once && doubt_grows, "{old:?} may not become {new:?}");
}

/// A stream only grows.
fn check_growth(old: &StreamRecord, new: &StreamRecord) {
    let head = |stream: &StreamRecord| (stream.head, stream.head_position, stream.peaks.clone());
    assert_eq!((old.device, &old.name, old.cadence_s, old.opened), (new.device, &new.name, new.cadence_s, new.opened));
    assert!(old.count < new.count && old.head_position < new.head_position && head(old) != head(new));
    assert_eq!((old.closed, old.forked_at), (new.closed, new.forked_at), "no call ends a stream yet");
}
