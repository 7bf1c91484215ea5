//! What a device may do, and what may be done to it: register, rotate, place, change status. How it is recovered is in
//! `recovery`, how it changes hands in `transfer`.

use cairn_types::call::{PlaceDevice, RegisterDevice, RotateDeviceKey, SetDeviceStatus};
use cairn_types::record::{DeviceKey, DeviceRecord, Interval};
use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{
    Action, DeviceId, DeviceStatus, OrganizationId, Position, Principal, PublicKey, Rejection, Target, Zone,
};

use crate::grant;
use crate::lot;
use crate::organization;
use crate::signatures::Signer;
use crate::state::{self, Changes, Entry, State, memo};

mod recovery;
mod transfer;

pub(crate) use recovery::{cancel_recovery, cancellation_signer, recover, recovery_signers, take_effect};
pub(crate) use transfer::{accept, offer};

/// The device's owner, and since when.
pub(crate) fn owner_entry(state: &impl State, device: &DeviceId) -> Result<Entry<OrganizationId>, Rejection> {
    state::device_owner(state, device).ok_or(Rejection::DeviceUnknown { device: *device })
}

/// The device's status.
pub(crate) fn status_of(state: &impl State, device: &DeviceId) -> Result<DeviceStatus, Rejection> {
    memo::device_facts(state, device).status.ok_or(Rejection::DeviceUnknown { device: *device })
}

/// The device as a target of authority, as it stands.
pub(crate) fn target_of(state: &impl State, device: &DeviceId) -> Result<Target, Rejection> {
    let facts = memo::device_facts(state, device);
    let (owner, owned_since) = facts.owner.ok_or(Rejection::DeviceUnknown { device: *device })?;
    Ok(Target { owner, owned_since, zone: facts.zone.clone(), device: Some(*device), stream: None })
}

/// Checks that a device may sign with its current key.
pub(crate) fn check_active(state: &impl State, device: &DeviceId) -> Result<(), Rejection> {
    match status_of(state, device)? {
        DeviceStatus::Active => Ok(()),
        status => Err(Rejection::DeviceStatusForbids { device: *device, status }),
    }
}

fn check_not_final(state: &impl State, device: &DeviceId) -> Result<(), Rejection> {
    let status = status_of(state, device)?;
    if status.is_final() { Err(Rejection::DeviceStatusForbids { device: *device, status }) } else { Ok(()) }
}

fn check_new_key(state: &impl State, key: &PublicKey) -> Result<(), Rejection> {
    key.check().map_err(|reason| Rejection::KeyInvalid { reason })?;
    match state::key_user(state, key) {
        Some(by) => Err(Rejection::KeyUsed { by }),
        None => Ok(()),
    }
}

fn check_zone(zone: &Zone, owner: OrganizationId) -> Result<(), Rejection> {
    if zone.organization == owner {
        Ok(())
    } else {
        Err(Rejection::ZoneForeign { organization: zone.organization, owner })
    }
}

fn facet(device: &DeviceId, facet: DeviceFacet, ordinal: u32) -> Vec<u8> {
    state_key::ordinal(state_key::device_facet(device, facet), ordinal)
}

/// Closes what stands in `facet` of the device's file, and opens what follows it.
fn succeed<T: borsh::BorshSerialize>(
    device: &DeviceId,
    of: DeviceFacet,
    last: Entry<T>,
    next: Interval<T>,
    position: Position,
    changes: &mut Changes,
) -> Result<(), Rejection> {
    last.succeed(state_key::device_facet(device, of), next, position, changes)
}

/// Who must sign a registration: the device's key and the signer.
pub(crate) fn registration_signers(
    state: &impl State,
    signer: Principal,
    call: &RegisterDevice,
) -> Result<Vec<Signer>, Rejection> {
    let device = Principal::Device(call.inception.id());
    Ok(vec![Signer::current(state, signer)?, Signer::with_key(device, call.inception.key)])
}

pub(crate) fn register(
    state: &impl State,
    signer: Principal,
    call: &RegisterDevice,
    position: Position,
) -> Result<Changes, Rejection> {
    let RegisterDevice { inception, owner, zone, endorsement, authority } = call;
    let id = inception.id();
    if !inception.model_is_valid() {
        return Err(Rejection::FieldInvalid {
            field: "inception.model",
            reason: "longer than 64 bytes, or holds control characters",
        });
    }
    organization::check_member(state, owner)?;
    if state::device(state, &id).is_some() {
        return Err(Rejection::DeviceExists { device: id });
    }
    check_new_key(state, &inception.key)?;
    check_zone(zone, *owner)?;
    grant::check(state, signer, Action::Register, &Target::zone(zone.clone()), authority.as_ref(), position)?;
    let mut changes = Changes::new();
    let endorsement = match endorsement {
        Some(endorsement) => Some(lot::claim(state, endorsement, inception, &mut changes)?),
        None => None,
    };

    let record =
        DeviceRecord { inception: inception.clone(), registered: position, registered_by: signer, endorsement };
    let key = DeviceKey { key: inception.key, next: inception.next };
    state::put(&mut changes, facet(&id, DeviceFacet::Record, 0), &record);
    state::put(&mut changes, facet(&id, DeviceFacet::Key, 0), &Interval::open(key, position));
    state::put(&mut changes, facet(&id, DeviceFacet::Owner, 0), &Interval::open(*owner, position));
    state::put(&mut changes, facet(&id, DeviceFacet::Status, 0), &Interval::open(DeviceStatus::Active, position));
    state::put(&mut changes, facet(&id, DeviceFacet::Placement, 0), &Interval::open(zone.clone(), position));
    state::put(&mut changes, state_key::key_use(&inception.key), &Principal::Device(id));
    Ok(changes)
}

/// Who must sign a rotation: the new key alone. A thief who has the old one has nothing.
pub(crate) fn rotation_signers(signer: Principal, call: &RotateDeviceKey) -> Result<Vec<Signer>, Rejection> {
    if signer != Principal::Device(call.device) {
        return Err(Rejection::SignerNotEntitled {
            signer,
            call: "RotateDeviceKey",
            needed: "the device itself does, with its new key",
        });
    }
    Ok(vec![Signer::with_key(signer, call.key)])
}

pub(crate) fn rotate(state: &impl State, call: &RotateDeviceKey, position: Position) -> Result<Changes, Rejection> {
    let RotateDeviceKey { device, key, next } = call;
    check_not_final(state, device)?;
    let epoch = state::device_key(state, device).ok_or(Rejection::DeviceUnknown { device: *device })?;
    if key.commitment() != epoch.interval.value.next {
        return Err(Rejection::KeyNotCommitted { device: *device });
    }
    check_new_key(state, key)?;

    let opened = Interval::open(DeviceKey { key: *key, next: *next }, position);
    let mut changes = Changes::new();
    succeed(device, DeviceFacet::Key, epoch, opened, position, &mut changes)?;
    state::put(&mut changes, state_key::key_use(key), &Principal::Device(*device));
    Ok(changes)
}

pub(crate) fn place(
    state: &impl State,
    signer: Principal,
    call: &PlaceDevice,
    position: Position,
) -> Result<Changes, Rejection> {
    let PlaceDevice { device, zone, authority } = call;
    check_not_final(state, device)?;
    let from = target_of(state, device)?;
    check_zone(zone, from.owner)?;
    let placement = state::device_placement(state, device).ok_or(Rejection::DeviceUnknown { device: *device })?;
    if placement.interval.value == *zone {
        return Err(Rejection::PlacementUnchanged { device: *device });
    }
    // A grant must cover both ends: who may place in one ward may not fetch devices from another.
    let to = Target { zone: Some(zone.clone()), ..from.clone() };
    grant::check(state, signer, Action::Place, &from, authority.as_ref(), position)?;
    grant::check(state, signer, Action::Place, &to, authority.as_ref(), position)?;

    let mut changes = Changes::new();
    let opened = Interval::open(zone.clone(), position);
    succeed(device, DeviceFacet::Placement, placement, opened, position, &mut changes)?;
    Ok(changes)
}

pub(crate) fn set_status(
    state: &impl State,
    signer: Principal,
    call: &SetDeviceStatus,
    position: Position,
) -> Result<Changes, Rejection> {
    let SetDeviceStatus { device, status: to, suspect_since } = *call;
    let owner = owner_entry(state, &device)?.interval;
    let suspends_itself = signer == Principal::Device(device) && to == DeviceStatus::Suspended;
    if signer != Principal::Organization(owner.value) && !suspends_itself {
        return Err(Rejection::SignerNotEntitled {
            signer,
            call: "SetDeviceStatus",
            needed: "the device's owner does; the device may suspend itself",
        });
    }
    if let Some(since) = suspect_since {
        if to != DeviceStatus::Revoked {
            return Err(Rejection::SuspectSinceInvalid { reason: "is given with revocation only" });
        }
        if since > position {
            return Err(Rejection::SuspectSinceInvalid { reason: "lies in the future" });
        }
        check_owned(since, &owner)?;
    }
    let current = state::device_status(state, &device).ok_or(Rejection::DeviceUnknown { device })?;
    let from = current.interval.value;
    let mut changes = Changes::new();
    if from == DeviceStatus::Revoked && to == DeviceStatus::Revoked {
        let earlier = suspect_since.filter(|since| !current.interval.is_suspect_at(*since));
        let since =
            earlier.ok_or(Rejection::SuspectSinceInvalid { reason: "of a revoked device may only move earlier" })?;
        state::put(&mut changes, current.key, &current.interval.suspected(since));
        return Ok(changes);
    }
    if from.is_final() || from == to {
        return Err(Rejection::StatusTransition { device, from, to });
    }
    let opened = Interval { suspect_since, ..Interval::open(to, position) };
    succeed(&device, DeviceFacet::Status, current, opened, position, &mut changes)?;
    if to.is_final() {
        let epoch = state::device_key(state, &device).ok_or(Rejection::DeviceUnknown { device })?;
        epoch.close(position, &mut changes);
        recovery::end_pending(state, &device, position, &mut changes);
        transfer::end_offer(state, &device, position, &mut changes);
    }
    Ok(changes)
}

/// Whoever owns a device casts no doubt on what was said before its time.
fn check_owned(since: Position, owner: &Interval<OrganizationId>) -> Result<(), Rejection> {
    if since < owner.from {
        return Err(Rejection::SuspectSinceInvalid { reason: "lies before the signer owned the device" });
    }
    Ok(())
}
