//! Calls as most stories want them; a story that wants one otherwise changes a field.

use cairn_types::call::{
    AcceptDevice, Attest, EndorseLot, Govern, Grant, OfferDevice, OpenStream, PlaceDevice, RecoverDeviceKey,
    RegisterDevice, RevokeGrant, RotateDeviceKey, SetDeviceStatus,
};
use cairn_types::governance::Measure;
use cairn_types::lot::LotBasis;
use cairn_types::{
    Action, Call, Content, ContentForm, ContentHash, DeviceStatus, GrantId, Grantee, Position, Scope, StreamId,
    TransactionId, Window, Zone,
};

use super::{Actor, Device, Key};

pub(in crate::tests) fn govern(measure: Measure) -> Call {
    Call::Govern(Govern { measure })
}

pub(in crate::tests) fn endorse(basis: LotBasis) -> Call {
    Call::EndorseLot(EndorseLot { basis, label: "FM-100, week 7".to_owned() })
}

/// The owner announces a new key.
pub(in crate::tests) fn recover(device: &Device, key: &Key, suspect_since: Option<Position>) -> Call {
    let next = device.commitment(device.keys.len());
    Call::RecoverDeviceKey(RecoverDeviceKey { device: device.id, key: key.public, next, suspect_since })
}

pub(in crate::tests) fn offer(device: &Device, to: Option<&Actor>) -> Call {
    Call::OfferDevice(OfferDevice { device: device.id, to: to.map(Actor::organization) })
}

pub(in crate::tests) fn accept(device: &Device, zone: Zone) -> Call {
    Call::AcceptDevice(AcceptDevice { device: device.id, zone })
}

/// `owner` registers its device.
pub(in crate::tests) fn register(device: &Device, owner: &Actor, zone: Zone) -> Call {
    let owner = owner.organization();
    Call::RegisterDevice(RegisterDevice {
        inception: device.inception(),
        owner,
        zone,
        endorsement: None,
        authority: None,
    })
}

/// The device's key of epoch `to` takes over.
pub(in crate::tests) fn rotate(device: &Device, to: usize) -> Call {
    Call::RotateDeviceKey(RotateDeviceKey { device: device.id, key: device.key(to), next: device.commitment(to + 1) })
}

pub(in crate::tests) fn place(device: &Device, zone: Zone, authority: Option<GrantId>) -> Call {
    Call::PlaceDevice(PlaceDevice { device: device.id, zone, authority })
}

pub(in crate::tests) fn set_status(device: &Device, status: DeviceStatus, suspect_since: Option<Position>) -> Call {
    Call::SetDeviceStatus(SetDeviceStatus { device: device.id, status, suspect_since })
}

/// A grant by the owner, for ever, that may not be passed on.
pub(in crate::tests) fn give(grantee: Grantee, actions: impl IntoIterator<Item = Action>, scope: Scope) -> Grant {
    let actions = actions.into_iter().collect();
    Grant { grantee, actions, scope, window: Window::ALWAYS, depth: 0, parent: None }
}

pub(in crate::tests) fn revoke(grant: GrantId) -> Call {
    Call::RevokeGrant(RevokeGrant { grant, suspect_since: None })
}

pub(in crate::tests) fn open(name: &str, authority: GrantId) -> Call {
    Call::OpenStream(OpenStream { name: name.parse().expect("a valid name"), cadence_s: None, authority })
}

pub(in crate::tests) fn attest(
    stream: StreamId,
    sequence: u64,
    previous: TransactionId,
    text: &str,
    authority: GrantId,
) -> Attest {
    let content = Content {
        form: ContentForm::Plain,
        hash: ContentHash::plain(text.as_bytes()),
        bytes: text.len() as u64,
        readings: 1,
    };
    Attest { stream, sequence, previous, content, claimed: None, derived_from: Vec::new(), authority }
}
