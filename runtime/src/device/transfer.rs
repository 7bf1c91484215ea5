//! How a device changes hands: its owner offers it, and the new one accepts.
//!
//! There is one owner at every position. With the sale ends what the old owner gave over the device, because a grant over a
//! device is only worth something under the owner under whom it was given (see [`cairn_proofs::authority`]). The past
//! stays: the new owner casts no doubt on what was said before its time.

use cairn_types::call::{AcceptDevice, OfferDevice};
use cairn_types::record::Interval;
use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{DeviceId, Position, Principal, Rejection};

use crate::organization;
use crate::state::{self, Changes, State};

use super::{check_not_final, check_zone, owner_entry, recovery, succeed};

pub(crate) fn offer(
    state: &impl State,
    signer: Principal,
    call: &OfferDevice,
    position: Position,
) -> Result<Changes, Rejection> {
    let device = call.device;
    let owner = owner_entry(state, &device)?.interval.value;
    if signer != Principal::Organization(owner) {
        return Err(Rejection::SignerNotEntitled { signer, call: "OfferDevice", needed: "the device's owner does" });
    }
    check_not_final(state, &device)?;
    let last = state::device_offer(state, &device);
    let standing = last.as_ref().filter(|entry| entry.interval.is_open()).map(|entry| entry.interval.value);
    match call.to {
        Some(to) if to == owner => return Err(Rejection::OfferInvalid { device, reason: "it is its owner's already" }),
        Some(to) => {
            organization::check_member(state, &to)?;
            if standing == Some(to) {
                return Err(Rejection::OfferInvalid { device, reason: "it is offered to that organization already" });
            }
        }
        None if standing.is_none() => return Err(Rejection::DeviceNotOffered { device }),
        None => {}
    }
    let mut changes = Changes::new();
    if let Some(to) = call.to {
        let prefix = state_key::device_facet(&device, DeviceFacet::Offer);
        state::open_after(prefix, last.as_ref(), &Interval::open(to, position), &mut changes)?;
    }
    end_offer(state, &device, position, &mut changes);
    Ok(changes)
}

/// Closes an offer that stands.
pub(super) fn end_offer(state: &impl State, device: &DeviceId, position: Position, changes: &mut Changes) {
    if let Some(entry) = state::device_offer(state, device).filter(|entry| entry.interval.is_open()) {
        entry.close(position, changes);
    }
}

pub(crate) fn accept(
    state: &impl State,
    signer: Principal,
    call: &AcceptDevice,
    position: Position,
) -> Result<Changes, Rejection> {
    let device = call.device;
    let owner = owner_entry(state, &device)?;
    let offer = state::device_offer(state, &device).filter(|entry| entry.interval.is_open());
    let to = offer.map(|entry| entry.interval.value).ok_or(Rejection::DeviceNotOffered { device })?;
    if signer != Principal::Organization(to) {
        return Err(Rejection::DeviceNotOffered { device });
    }
    check_not_final(state, &device)?;
    check_zone(&call.zone, to)?;
    let placement = state::device_placement(state, &device).ok_or(Rejection::DeviceUnknown { device })?;

    let mut changes = Changes::new();
    end_offer(state, &device, position, &mut changes);
    recovery::end_pending(state, &device, position, &mut changes);
    succeed(&device, DeviceFacet::Owner, owner, Interval::open(to, position), position, &mut changes)?;
    let place = Interval::open(call.zone.clone(), position);
    succeed(&device, DeviceFacet::Placement, placement, place, position, &mut changes)?;
    Ok(changes)
}
