//! Calls as most scenarios want them; one that wants a call otherwise changes a field of it.
//!
//! It does not know who signs, nor whether the rules agree: a scenario may ask for what is refused.

use cairn_types::call::{
    AcceptDevice, CancelRecovery, DistrustLot, EndorseLot, Govern, Grant, OfferDevice, OpenStream, RecoverDeviceKey,
    ReportFork, RevokeGrant, RotateDeviceKey, SetDeviceStatus, Supersede,
};
use cairn_types::governance::{Admit, Measure};
use cairn_types::lot::LotBasis;
use cairn_types::{
    Action, AttestationRef, Call, DeviceId, DeviceStatus, GrantId, Grantee, KeySet, LotId, OrganizationId,
    OrganizationInception, Position, PublicKey, Role, Scope, Window, Zone,
};
use ed25519_dalek::SigningKey;

use crate::actor::{Signed, epoch_key, inception, public};

/// A measure of the council.
pub const fn govern(measure: Measure) -> Call {
    Call::Govern(Govern { measure })
}

/// How an organization with one key begins, which has a recovery set of one key too.
///
/// # Panics
/// If the name is none.
pub fn organization(name: &str, key: &SigningKey, recovery: &SigningKey) -> OrganizationInception {
    OrganizationInception {
        name: name.parse().expect("the test names a valid name"),
        title: format!("The {name}"),
        keys: KeySet::single(public(key)),
        next: None,
        recovery: Some(KeySet::single(public(recovery))),
    }
}

/// The admission of an organization.
pub fn admit(inception: OrganizationInception, roles: &[Role]) -> Call {
    govern(Measure::Admit(Admit { inception, roles: roles.iter().copied().collect() }))
}

/// The device of `seed` takes the key of an epoch.
pub fn rotate(seed: u64, epoch: u64) -> Call {
    Call::RotateDeviceKey(RotateDeviceKey {
        device: inception(seed).id(),
        key: public(&epoch_key(seed, epoch)),
        next: public(&epoch_key(seed, epoch + 1)).commitment(),
    })
}

/// A rotation to keys of one's choice, as a thief would try it.
pub fn rotate_to(device: DeviceId, key: PublicKey, next: PublicKey) -> Call {
    Call::RotateDeviceKey(RotateDeviceKey { device, key, next: next.commitment() })
}

/// The owner of a device announces `key` for it, and after that the key `next`.
pub fn recover(device: DeviceId, key: &SigningKey, next: &SigningKey, suspect_since: Option<Position>) -> Call {
    let next = public(next).commitment();
    Call::RecoverDeviceKey(RecoverDeviceKey { device, key: public(key), next, suspect_since })
}

/// The owner's recovery set calls an announced key off.
pub const fn cancel_recovery(device: DeviceId) -> Call {
    Call::CancelRecovery(CancelRecovery { device })
}

/// A device is offered.
pub const fn offer(device: DeviceId, to: OrganizationId) -> Call {
    Call::OfferDevice(OfferDevice { device, to: Some(to) })
}

/// An offered device is accepted, and placed.
pub const fn accept(device: DeviceId, zone: Zone) -> Call {
    Call::AcceptDevice(AcceptDevice { device, zone })
}

/// The device is not trusted any more, and is in doubt from some position on.
pub const fn revoke_device(device: DeviceId, suspect_since: Option<Position>) -> Call {
    Call::SetDeviceStatus(SetDeviceStatus { device, status: DeviceStatus::Revoked, suspect_since })
}

/// A grant for ever, by the owner of the scope, that may not be passed on.
pub fn grant(grantee: Grantee, actions: &[Action], scope: Scope) -> Grant {
    let actions = actions.iter().copied().collect();
    Grant { grantee, actions, scope, window: Window::ALWAYS, depth: 0, parent: None }
}

/// A grant to a manager: to attest in a zone, and to pass that on `depth` times.
pub fn delegation(to: OrganizationId, zone: Zone, depth: u8, parent: Option<GrantId>) -> Grant {
    let terms = grant(Grantee::Organization(to), &[Action::Attest, Action::Delegate], Scope::Zone(zone));
    Grant { depth, parent, ..terms }
}

/// The end of a grant, with doubt about what was done under it.
pub const fn revoke_grant_since(grant: GrantId, since: Position) -> Call {
    Call::RevokeGrant(RevokeGrant { grant, suspect_since: Some(since) })
}

/// A device begins a stream.
///
/// # Panics
/// If the name is none.
pub fn open_stream(name: &str, cadence_s: Option<u32>, authority: GrantId) -> Call {
    Call::OpenStream(OpenStream { name: name.parse().expect("the test names a valid stream"), cadence_s, authority })
}

/// A manufacturer vouches for a lot.
pub fn endorse(basis: LotBasis, label: &str) -> Call {
    Call::EndorseLot(EndorseLot { basis, label: label.to_owned() })
}

/// A manufacturer ends trust in a lot.
pub const fn distrust(lot: LotId, suspect_since: Option<Position>) -> Call {
    Call::DistrustLot(DistrustLot { lot, suspect_since })
}

/// An attestation is not to be used any more.
pub const fn supersede(target: AttestationRef, replacement: Option<AttestationRef>) -> Call {
    Call::Supersede(Supersede { target, replacement })
}

/// Two attestations show a fork, in whatever order they are given.
pub fn report_fork(one: &Signed, other: &Signed) -> Call {
    let (first, second) = if one.id() < other.id() { (one, other) } else { (other, one) };
    Call::ReportFork(ReportFork { first: first.bytes().to_vec(), second: second.bytes().to_vec() })
}
