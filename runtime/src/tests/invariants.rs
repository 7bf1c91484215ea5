//! What holds of every state, and between every two states that follow each other (design.md, section 3).
//!
//! Nothing here asks the rules: keys are taken apart by the layout that [`Family`] documents, and every
//! relation is restated in its own arithmetic.

use std::collections::BTreeMap;
use std::fmt::Debug;

use borsh::BorshDeserialize;
use cairn_proofs::tree::StateTree;
use cairn_types::governance::Upgrade;
use cairn_types::record::{
    DeviceKey, DeviceRecord, GrantTerms, LotRecord, OrganizationKeys, OrganizationRecord, Recovery, StreamRecord,
    Superseded, Usage,
};
use cairn_types::state_key::{DeviceFacet, Family, OrganizationFacet};
use cairn_types::{
    Action, DeviceId, DeviceStatus, GrantId, Grantee, Hash, Height, Interval, LotId, OrganizationId, Parameters,
    Position, Principal, PublicKey, Role, Scope, StreamId, ValidatorSet, Zone,
};

/// A device's whole file.
pub(super) struct DeviceFile {
    pub(super) record: DeviceRecord,
    pub(super) keys: Vec<Interval<DeviceKey>>,
    pub(super) owners: Vec<Interval<OrganizationId>>,
    pub(super) statuses: Vec<Interval<DeviceStatus>>,
    pub(super) placements: Vec<Interval<Zone>>,
    pub(super) recoveries: Vec<Interval<Recovery>>,
    pub(super) offers: Vec<Interval<OrganizationId>>,
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
    pub(super) parameters: Vec<Interval<Parameters>>,
    pub(super) council: Vec<Interval<Vec<OrganizationId>>>,
    pub(super) validators: Vec<Interval<ValidatorSet>>,
    pub(super) upgrades: Vec<Interval<Upgrade>>,
    pub(super) lots: BTreeMap<LotId, Interval<LotRecord>>,
    pub(super) claims: BTreeMap<(Hash, Hash), DeviceId>,
    pub(super) superseded: BTreeMap<(StreamId, u64), Superseded>,
    /// Effective heights and devices of the recoveries that the state reminds of.
    pub(super) reminders: Vec<(u64, Hash)>,
}

fn decode<T: BorshDeserialize>(bytes: impl AsRef<[u8]>) -> T {
    borsh::from_slice(bytes.as_ref()).expect("a state holds nothing but records")
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
                f if f == Family::Parameters as u8 => facts.parameters.push(decode(value)),
                f if f == Family::Council as u8 => facts.council.push(decode(value)),
                f if f == Family::Validators as u8 => facts.validators.push(decode(value)),
                f if f == Family::Upgrade as u8 => facts.upgrades.push(decode(value)),
                f if f == Family::Lot as u8 => drop(facts.lots.insert(LotId::from_hash(hash(rest)), decode(value))),
                f if f == Family::LotClaim as u8 => {
                    facts.claims.insert((hash(&rest[..32]), hash(&rest[32..])), decode(value));
                }
                f if f == Family::Superseded as u8 => {
                    let sequence = u64::from_be_bytes(rest[32..].try_into().expect("eight bytes"));
                    facts.superseded.insert((StreamId::from_hash(hash(&rest[..32])), sequence), decode(value));
                }
                f if f == Family::Usage as u8 => assert!(decode::<Usage>(value).count > 0),
                f if f == Family::DueRecovery as u8 => {
                    assert!(value.is_empty());
                    let height = u64::from_be_bytes(rest[..8].try_into().expect("eight bytes"));
                    facts.reminders.push((height, hash(&rest[8..])));
                }
                f if f == Family::OrganizationName as u8 => {
                    let name: OrganizationRecord =
                        record(state, &[&[Family::Organization as u8][..], &value[..]].concat());
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
                f if f == Family::ScopeGrant as u8
                    || f == Family::DeviceStream as u8
                    || f == Family::ManufacturerLot as u8 =>
                {
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
            recoveries: intervals(state, subject, DeviceFacet::Recovery as u8),
            offers: intervals(state, subject, DeviceFacet::Offer as u8),
        };
        let without_gaps = 1 + file.keys.len() + file.owners.len() + file.statuses.len() + file.placements.len();
        let entries = without_gaps + file.recoveries.len() + file.offers.len();
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

/// In order and without overlap, and all but the last are closed; there may be gaps.
fn check_apart<T: Debug>(intervals: &[Interval<T>]) {
    for pair in intervals.windows(2) {
        assert!(pair[0].to.is_some_and(|to| to <= pair[1].from), "{pair:?}");
    }
}

/// Checks everything that holds of a state by itself.
pub(super) fn check_state(state: &StateTree) {
    let facts = Facts::of(state);
    let mut keys_in_use: Vec<(PublicKey, Principal)> = Vec::new();
    check_governance(&facts);
    for (id, (record, epochs)) in &facts.organizations {
        check_contiguous(epochs, record.admitted);
        let recovery = record.recovery.iter().flat_map(|set| set.keys.iter());
        let keys = epochs.iter().flat_map(|epoch| epoch.value.keys.keys.iter()).chain(recovery);
        keys_in_use.extend(keys.map(|key| (*key, Principal::Organization(*id))));
    }
    for (id, file) in &facts.devices {
        check_device(&facts, file);
        assert_eq!(file.record.inception.id(), *id, "an id is the hash of the inception");
        let announced = file.recoveries.iter().map(|recovery| recovery.value.key);
        let mut keys: Vec<PublicKey> = file.keys.iter().map(|epoch| epoch.value.key).chain(announced).collect();
        keys.sort_unstable();
        keys.dedup();
        keys_in_use.extend(keys.into_iter().map(|key| (key, Principal::Device(*id))));
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
        assert!(stream.owned_from <= stream.count);
        assert!(stream.closed.is_none_or(|closed| closed > stream.head_position));
        listed.push((stream.device.hash(), id.hash()));
    }
    check_list(&facts, Family::DeviceStream, listed);
    for ((stream, sequence), superseded) in &facts.superseded {
        assert!(*sequence < facts.streams[stream].count, "only what exists is superseded");
        if let Some(replacement) = superseded.replacement {
            assert!(replacement.sequence < facts.streams[&replacement.stream].count);
        }
    }
    check_lots(&facts);
}

/// Who governs, and whom that concerns.
fn check_governance(facts: &Facts) {
    let genesis = Position::default();
    check_contiguous(&facts.parameters, genesis);
    check_contiguous(&facts.council, genesis);
    check_contiguous(&facts.validators, genesis);
    let seats = &facts.council.last().expect("a council").value;
    assert!(!seats.is_empty() && seats.is_sorted_by(|a, b| a < b), "a council is never empty, and sorted");
    for (id, (record, _)) in &facts.organizations {
        let sits = record.roles.contains(Role::Council) && record.expelled.is_none();
        assert_eq!(seats.contains(id), sits, "the council is who has the role and was not expelled");
        assert!(record.expelled.is_none_or(|expelled| record.admitted < expelled));
    }
    let standing = &facts.validators.last().expect("validators").value;
    assert_eq!(standing.check(), Ok(()));
    for validator in standing.iter() {
        let (record, _) = &facts.organizations[&validator.organization];
        assert!(record.expelled.is_none(), "validators belong to members");
    }
    for pair in facts.validators.windows(2) {
        let power = |set: &ValidatorSet| set.total_power().get();
        let kept: u64 = pair[0]
            .value
            .iter()
            .filter_map(|old| {
                pair[1].value.iter().find(|new| new.key == old.key).map(|new| new.power.get().min(old.power.get()))
            })
            .sum();
        assert!(3 * (power(&pair[0].value) - kept) <= power(&pair[0].value), "at most a third leaves at once");
        assert!(3 * (power(&pair[1].value) - kept) <= power(&pair[1].value), "at most a third comes at once");
    }
}

fn check_lots(facts: &Facts) {
    let mut listed = Vec::new();
    for (id, lot) in &facts.lots {
        let (record, _) = &facts.organizations[&lot.value.manufacturer];
        assert!(record.roles.contains(Role::Manufacturer));
        listed.push((lot.value.manufacturer.hash(), id.hash()));
    }
    check_list(facts, Family::ManufacturerLot, listed);
    let endorsed = facts.devices.iter().filter_map(|(id, file)| Some((id, file.record.endorsement.as_ref()?)));
    let mut claimed: Vec<(Hash, DeviceId)> = facts.claims.iter().map(|((lot, _), device)| (*lot, *device)).collect();
    let mut expected: Vec<(Hash, DeviceId)> = endorsed.map(|(id, endorsement)| (endorsement.lot.hash(), *id)).collect();
    claimed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(claimed, expected, "each endorsed device has one claim, and each claim a device");
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
    for owner in file.owners.iter().skip(1) {
        assert!(
            file.offers.iter().any(|offer| offer.value == owner.value && offer.to == Some(owner.from)),
            "sold by offer"
        );
    }
    for interval in &file.statuses {
        assert!(interval.suspect_since.is_none() || interval.value == DeviceStatus::Revoked);
    }
    assert_eq!(file.keys[0].value.key, file.record.inception.key);
    for pair in file.keys.windows(2) {
        let committed = pair[1].value.key.commitment() == pair[0].value.next;
        let recovered = |recovery: &Interval<Recovery>| {
            recovery.value.key == pair[1].value.key
                && recovery.value.next == pair[1].value.next
                && recovery.to == Some(pair[1].from)
                && recovery.value.effective <= pair[1].from.height
        };
        assert!(committed || file.recoveries.iter().any(recovered), "a key was committed to, or recovered: {pair:?}");
    }
    check_apart(&file.recoveries);
    check_apart(&file.offers);
    let device = file.record.inception.id();
    for recovery in file.recoveries.iter().filter(|recovery| recovery.is_open()) {
        assert!(!status.value.is_final(), "nothing is pending for a device that is no more");
        let reminder = (recovery.value.effective.get(), device.hash());
        assert!(facts.reminders.contains(&reminder), "a pending recovery is not forgotten");
    }
    for offer in file.offers.iter().filter(|offer| offer.is_open()) {
        assert!(!status.value.is_final());
        assert_ne!(Some(&offer.value), file.owners.last().map(|owner| &owner.value));
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
            let until = u64::from_be_bytes(key[1..9].try_into().expect("8 bytes"));
            match key[0] {
                f if f == Family::Remembered as u8 => assert!(until <= height.get(), "remembered until it expires"),
                f if f == Family::DueRecovery as u8 => assert!(until <= height.get() + 1, "remembered until it is due"),
                _ => panic!("nothing is deleted but remembered ids and reminders: {key:x?}"),
            }
            continue;
        };
        if old != new {
            check_change(&key, &old, &new);
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
        f if f == Family::Device as u8 && key[33] == DeviceFacet::Recovery as u8 => {
            check_mutation::<Recovery>(old, new)
        }
        f if f == Family::Device as u8 && key[33] == DeviceFacet::Offer as u8 => {
            check_mutation::<OrganizationId>(old, new);
        }
        f if f == Family::Organization as u8 && key[33] == OrganizationFacet::Record as u8 => {
            let (old, new): (OrganizationRecord, OrganizationRecord) = (decode(old), decode(new));
            assert!(old.expelled.is_none() && new.expelled.is_some(), "an organization is expelled once");
            assert_eq!(OrganizationRecord { expelled: None, ..new }, old);
        }
        f if f == Family::Parameters as u8 => check_mutation::<Parameters>(old, new),
        f if f == Family::Council as u8 => check_mutation::<Vec<OrganizationId>>(old, new),
        f if f == Family::Validators as u8 => check_mutation::<ValidatorSet>(old, new),
        f if f == Family::Upgrade as u8 => check_mutation::<Upgrade>(old, new),
        f if f == Family::Lot as u8 => check_mutation::<LotRecord>(old, new),
        f if f == Family::Usage as u8 => {
            let (old, new): (Usage, Usage) = (decode(old), decode(new));
            assert!(old.window < new.window || (old.window == new.window && old.count < new.count));
        }
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
    let fixed = |stream: &StreamRecord| (stream.device, stream.name.clone(), stream.cadence_s, stream.opened);
    let head = |stream: &StreamRecord| (stream.count, stream.head, stream.head_position, stream.peaks.clone());
    assert_eq!(fixed(old), fixed(new));
    assert!(old.owned_from <= new.owned_from && new.owned_from <= new.count);
    assert!(old.closed.is_none() || old.closed == new.closed, "a stream is closed once");
    assert!(old.forked_at.is_none_or(|old| new.forked_at.is_some_and(|new| new <= old)), "a fork only moves earlier");
    if head(old) != head(new) {
        assert!(old.count < new.count && old.head_position < new.head_position && old.peaks != new.peaks);
        assert!(old.closed.is_none() && old.forked_at.is_none(), "what has ended does not grow");
    }
}
