//! Recovery: a new key for a device whose key is lost or stolen.
//!
//! The owner announces it, and it takes effect after a delay in which the owner's recovery set can call it off: so neither
//! a thief of the device's key nor one of the owner's keys takes a device over unseen. It needs no further transaction:
//! the block before the effective height changes the key at its end.

use cairn_types::call::{CancelRecovery, RecoverDeviceKey};
use cairn_types::limits::RECOVERIES_PER_BLOCK_MAX;
use cairn_types::record::{DeviceKey, Interval, Recovery};
use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{DeviceId, Height, Parameters, Position, Principal, Rejection};

use crate::organization;
use crate::signatures::Signer;
use crate::state::{self, Changes, Overlay, State};

use super::{check_new_key, check_not_final, check_owned, owner_entry, succeed};

/// Who must sign a recovery: the owner, and the new key, which shows that somebody has it.
pub(crate) fn recovery_signers(
    state: &impl State,
    signer: Principal,
    call: &RecoverDeviceKey,
) -> Result<Vec<Signer>, Rejection> {
    Ok(vec![Signer::current(state, signer)?, Signer::with_key(Principal::Device(call.device), call.key)])
}

pub(crate) fn recover(
    state: &impl State,
    signer: Principal,
    call: &RecoverDeviceKey,
    parameters: &Parameters,
    position: Position,
) -> Result<Changes, Rejection> {
    let RecoverDeviceKey { device, key, next, suspect_since } = call;
    let owner = owner_entry(state, device)?.interval;
    if signer != Principal::Organization(owner.value) {
        let needed = "the device's owner does, with the new key";
        return Err(Rejection::SignerNotEntitled { signer, call: "RecoverDeviceKey", needed });
    }
    check_not_final(state, device)?;
    let last = state::device_recovery(state, device);
    if let Some(pending) = last.as_ref().filter(|entry| entry.interval.is_open()) {
        let effective = pending.interval.value.effective;
        return Err(Rejection::RecoveryPending { device: *device, effective });
    }
    check_new_key(state, key)?;
    let epoch = state::device_key(state, device).ok_or(Rejection::DeviceUnknown { device: *device })?;
    if let Some(since) = *suspect_since {
        if since > position {
            return Err(Rejection::SuspectSinceInvalid { reason: "lies in the future" });
        }
        if since < epoch.interval.from {
            return Err(Rejection::SuspectSinceInvalid { reason: "lies before the key's epoch" });
        }
        check_owned(since, &owner)?;
    }
    // No chain reaches the last height, so a delay that would pass it ends there.
    let effective = Height::new(position.height.get().saturating_add(parameters.recovery_delay));
    let recovery = Recovery { key: *key, next: *next, effective };
    let mut changes = Changes::new();
    let prefix = state_key::device_facet(device, DeviceFacet::Recovery);
    state::open_after(prefix, last.as_ref(), &Interval::open(recovery, position), &mut changes)?;
    changes.insert(state_key::due_recovery(effective, device), Some(Vec::new()));
    state::put(&mut changes, state_key::key_use(key), &Principal::Device(*device));
    if let Some(since) = *suspect_since {
        state::put(&mut changes, epoch.key, &epoch.interval.suspected(since));
    }
    Ok(changes)
}

/// Who must sign a cancellation: the signer's recovery set. That the signer owns the device is checked with the call.
pub(crate) fn cancellation_signer(state: &impl State, signer: Principal) -> Result<Signer, Rejection> {
    match signer {
        Principal::Organization(id) => organization::recovery_signer(state, &id),
        Principal::Device(_) => Err(not_entitled_to_cancel(signer)),
    }
}

const fn not_entitled_to_cancel(signer: Principal) -> Rejection {
    Rejection::SignerNotEntitled {
        signer,
        call: "CancelRecovery",
        needed: "the recovery set of the device's owner does",
    }
}

pub(crate) fn cancel_recovery(
    state: &impl State,
    signer: Principal,
    call: &CancelRecovery,
    position: Position,
) -> Result<Changes, Rejection> {
    let device = call.device;
    let owner = owner_entry(state, &device)?.interval.value;
    if signer != Principal::Organization(owner) {
        return Err(not_entitled_to_cancel(signer));
    }
    let mut changes = Changes::new();
    if end_pending(state, &device, position, &mut changes) {
        Ok(changes)
    } else {
        Err(Rejection::RecoveryNotPending { device })
    }
}

/// Closes a recovery that is pending; answers whether there was one.
pub(super) fn end_pending(state: &impl State, device: &DeviceId, position: Position, changes: &mut Changes) -> bool {
    let pending = state::device_recovery(state, device).filter(|entry| entry.interval.is_open());
    let is_pending = pending.is_some();
    if let Some(entry) = pending {
        entry.close(position, changes);
    }
    is_pending
}

/// At the end of the block at `height`: recoveries that are effective from the next height on change their devices' keys.
pub(crate) fn take_effect(overlay: &mut Overlay<'_>, height: Height) {
    let Some(next) = height.next() else { return };
    let position = Position::start_of(next);
    let last = state_key::due_recovery(next, &DeviceId::from_hash(cairn_types::Hash::from_bytes([0xff; 32])));
    for key in overlay.keys_up_to(&state_key::due_recoveries(), &last, RECOVERIES_PER_BLOCK_MAX) {
        let mut changes = Changes::new();
        if let Some((effective, device)) = state_key::split_due_recovery(&key) {
            change_key(overlay, &device, effective, position, &mut changes);
        }
        changes.insert(key, None);
        overlay.extend(changes);
    }
}

/// Gives a device the key of its pending recovery. A reminder of one that was called off, or replaced since, does nothing.
fn change_key(state: &impl State, device: &DeviceId, effective: Height, position: Position, changes: &mut Changes) {
    let pending = state::device_recovery(state, device).filter(|entry| entry.interval.is_open());
    let pending = pending.filter(|entry| entry.interval.value.effective == effective);
    let (Some(recovery), Some(epoch)) = (pending, state::device_key(state, device)) else { return };
    let Recovery { key, next, .. } = recovery.interval.value;
    let opened = Interval::open(DeviceKey { key, next }, position);
    // A file that is full keeps its key: the recovery stays pending, and every block goes on.
    if succeed(device, DeviceFacet::Key, epoch, opened, position, changes).is_ok() {
        recovery.close(position, changes);
    }
}
