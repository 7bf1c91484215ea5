//! Where each record stands in the state tree.
//!
//! A key is a family byte, the subject, and, for what a subject has several of, a facet byte and an ordinal (`u32`,
//! big-endian, so that the tree's order is the order of time). So one prefix proof gives a subject's whole file: the
//! record, every key epoch, owner, status and placement.

use crate::codec::encode;
use crate::hash::{DeviceId, GrantId, Hash, LotId, OrganizationId, StreamId, TransactionId};
use crate::key::PublicKey;
use crate::name::Name;
use crate::organization::Principal;
use crate::position::Height;

/// First byte of a key: what kind of subject it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    /// The network's parameters: ordinal. Value: an interval of [`crate::Parameters`].
    Parameters = 0x01,
    /// Organization id, facet, ordinal.
    Organization = 0x02,
    /// Organization name. Value: its id.
    OrganizationName = 0x03,
    /// Device id, facet, ordinal.
    Device = 0x04,
    /// Commitment of a key that was ever used. Value: the [`crate::Principal`] that used it.
    KeyUse = 0x05,
    /// Grant id. Value: an interval of [`crate::record::GrantTerms`].
    Grant = 0x06,
    /// Scope key, grant id: the list of grants over a scope. Value: empty.
    ScopeGrant = 0x07,
    /// Stream id. Value: a [`crate::record::StreamRecord`].
    Stream = 0x08,
    /// Device id, stream id: the list of a device's streams. Value: empty.
    DeviceStream = 0x09,
    /// Expiry height (`u64`, big-endian), transaction id: what replay protection remembers. Value: empty.
    Remembered = 0x0a,
    /// The council: ordinal. Value: an interval of the ids of its organizations, strictly ascending.
    Council = 0x0b,
    /// The validators: ordinal. Value: an interval of [`crate::ValidatorSet`], from the first height that they decide.
    Validators = 0x0c,
    /// Scheduled changes of the rules: ordinal. Value: an interval of [`crate::governance::Upgrade`], closed if called off.
    Upgrade = 0x0d,
    /// Lot id. Value: an interval of [`crate::record::LotRecord`], closed when trust in it ends.
    Lot = 0x0e,
    /// Lot id, then the item of its leaf or the commitment of its certified key. Value: the [`DeviceId`] that claimed it.
    LotClaim = 0x0f,
    /// Organization id, lot id: the list of a manufacturer's lots. Value: empty.
    ManufacturerLot = 0x10,
    /// Stream id, sequence (`u64`, big-endian). Value: a [`crate::record::Superseded`].
    Superseded = 0x11,
    /// An encoded [`Principal`]. Value: a [`crate::record::Usage`].
    Usage = 0x12,
    /// Effective height (`u64`, big-endian), device id: recoveries to come. Value: empty.
    DueRecovery = 0x13,
}

/// What of an organization a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrganizationFacet {
    /// [`crate::record::OrganizationRecord`], ordinal 0.
    Record = 0,
    /// Intervals of [`crate::record::OrganizationKeys`].
    Keys = 1,
}

/// What of a device a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DeviceFacet {
    /// [`crate::record::DeviceRecord`], ordinal 0.
    Record = 0,
    /// Intervals of [`crate::record::DeviceKey`].
    Key = 1,
    /// Intervals of [`OrganizationId`].
    Owner = 2,
    /// Intervals of [`crate::DeviceStatus`].
    Status = 3,
    /// Intervals of [`crate::Zone`].
    Placement = 4,
    /// Intervals of [`crate::record::Recovery`].
    Recovery = 5,
    /// Intervals of the [`OrganizationId`] that it is offered to.
    Offer = 6,
}

/// Bytes of a key with subject, facet and ordinal.
pub const FACET_KEY_BYTES: usize = 1 + 32 + 1 + 4;

fn key(family: Family, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().fold(1, |sum: usize, part| sum.saturating_add(part.len()));
    let mut key = Vec::with_capacity(FACET_KEY_BYTES.max(length));
    key.push(family as u8);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// The prefix of the parameters' intervals.
pub fn parameters() -> Vec<u8> {
    key(Family::Parameters, &[])
}

/// The prefix of the council's intervals.
pub fn council() -> Vec<u8> {
    key(Family::Council, &[])
}

/// The prefix of the validator sets' intervals.
pub fn validators() -> Vec<u8> {
    key(Family::Validators, &[])
}

/// The prefix of the scheduled upgrades' intervals.
pub fn upgrades() -> Vec<u8> {
    key(Family::Upgrade, &[])
}

/// The prefix of everything about an organization.
pub fn organization(id: &OrganizationId) -> Vec<u8> {
    key(Family::Organization, &[id.as_bytes()])
}

/// The prefix of one facet of an organization.
pub fn organization_facet(id: &OrganizationId, facet: OrganizationFacet) -> Vec<u8> {
    key(Family::Organization, &[id.as_bytes(), &[facet as u8]])
}

/// The prefix of all organizations' names.
pub fn organization_names() -> Vec<u8> {
    key(Family::OrganizationName, &[])
}

/// The key of an organization's name.
pub fn organization_name(name: &Name) -> Vec<u8> {
    key(Family::OrganizationName, &[name.as_str().as_bytes()])
}

/// The prefix of all devices.
pub fn devices() -> Vec<u8> {
    key(Family::Device, &[])
}

/// The prefix of everything about a device: its file.
pub fn device(id: &DeviceId) -> Vec<u8> {
    key(Family::Device, &[id.as_bytes()])
}

/// The prefix of one facet of a device.
pub fn device_facet(id: &DeviceId, facet: DeviceFacet) -> Vec<u8> {
    key(Family::Device, &[id.as_bytes(), &[facet as u8]])
}

/// The key of one entry under a facet's prefix.
pub fn ordinal(mut facet_prefix: Vec<u8>, ordinal: u32) -> Vec<u8> {
    facet_prefix.extend_from_slice(&ordinal.to_be_bytes());
    facet_prefix
}

/// The ordinal at the end of a key; `None` if it is too short to have one.
pub fn split_ordinal(key: &[u8]) -> Option<u32> {
    key.last_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The facet byte and the ordinal at the end of a subject's key; `None` if it is not such a key.
pub fn split_facet(key: &[u8]) -> Option<(u8, u32)> {
    let tail: &[u8; 5] = key.get(FACET_KEY_BYTES - 5..)?.try_into().ok()?;
    let [facet, a, b, c, d] = *tail;
    Some((facet, u32::from_be_bytes([a, b, c, d])))
}

/// The key that remembers a public key's use.
pub fn key_use(used: &PublicKey) -> Vec<u8> {
    key(Family::KeyUse, &[used.commitment().as_bytes()])
}

/// The key of a grant.
pub fn grant(id: &GrantId) -> Vec<u8> {
    key(Family::Grant, &[id.as_bytes()])
}

/// The prefix of all grants.
pub fn grants() -> Vec<u8> {
    key(Family::Grant, &[])
}

/// The prefix of the list of grants over a scope.
pub fn scope_grants(scope_key: &Hash) -> Vec<u8> {
    key(Family::ScopeGrant, &[scope_key.as_bytes()])
}

/// The entry of one grant in the list of a scope's grants.
pub fn scope_grant(scope_key: &Hash, grant: &GrantId) -> Vec<u8> {
    key(Family::ScopeGrant, &[scope_key.as_bytes(), grant.as_bytes()])
}

/// The key of a stream.
pub fn stream(id: &StreamId) -> Vec<u8> {
    key(Family::Stream, &[id.as_bytes()])
}

/// The prefix of all streams.
pub fn streams() -> Vec<u8> {
    key(Family::Stream, &[])
}

/// The prefix of the list of a device's streams.
pub fn device_streams(device: &DeviceId) -> Vec<u8> {
    key(Family::DeviceStream, &[device.as_bytes()])
}

/// The entry of one stream in the list of a device's streams.
pub fn device_stream(device: &DeviceId, stream: &StreamId) -> Vec<u8> {
    key(Family::DeviceStream, &[device.as_bytes(), stream.as_bytes()])
}

/// The prefix of all lots.
pub fn lots() -> Vec<u8> {
    key(Family::Lot, &[])
}

/// The key of a lot.
pub fn lot(id: &LotId) -> Vec<u8> {
    key(Family::Lot, &[id.as_bytes()])
}

/// The key of one claim on a lot: by the item of a leaf, or by the commitment of a certified key.
pub fn lot_claim(lot: &LotId, claim: &Hash) -> Vec<u8> {
    key(Family::LotClaim, &[lot.as_bytes(), claim.as_bytes()])
}

/// The prefix of all claims on a lot.
pub fn lot_claims(lot: &LotId) -> Vec<u8> {
    key(Family::LotClaim, &[lot.as_bytes()])
}

/// The prefix of the list of a manufacturer's lots.
pub fn manufacturer_lots(manufacturer: &OrganizationId) -> Vec<u8> {
    key(Family::ManufacturerLot, &[manufacturer.as_bytes()])
}

/// The entry of one lot in the list of a manufacturer's lots.
pub fn manufacturer_lot(manufacturer: &OrganizationId, lot: &LotId) -> Vec<u8> {
    key(Family::ManufacturerLot, &[manufacturer.as_bytes(), lot.as_bytes()])
}

/// The key that says whether an attestation was superseded.
pub fn superseded(stream: &StreamId, sequence: u64) -> Vec<u8> {
    key(Family::Superseded, &[stream.as_bytes(), &sequence.to_be_bytes()])
}

/// The prefix of everything in a stream that was superseded.
pub fn superseded_in(stream: &StreamId) -> Vec<u8> {
    key(Family::Superseded, &[stream.as_bytes()])
}

/// The key that counts what a principal has used of its quota.
pub fn usage(principal: &Principal) -> Vec<u8> {
    key(Family::Usage, &[&encode(principal)])
}

/// The prefix of all recoveries to come.
pub fn due_recoveries() -> Vec<u8> {
    key(Family::DueRecovery, &[])
}

/// The key that reminds of a recovery to come.
pub fn due_recovery(effective: Height, device: &DeviceId) -> Vec<u8> {
    key(Family::DueRecovery, &[&effective.get().to_be_bytes(), device.as_bytes()])
}

/// The height and the device in a key that reminds of a recovery; `None` if it is not such a key.
pub fn split_due_recovery(key: &[u8]) -> Option<(Height, DeviceId)> {
    let height: [u8; 8] = key.get(1..9)?.try_into().ok()?;
    let device: [u8; 32] = key.get(9..)?.try_into().ok()?;
    Some((Height::new(u64::from_be_bytes(height)), DeviceId::from_hash(Hash::from_bytes(device))))
}

/// The prefix of all remembered transactions.
pub fn remembered_all() -> Vec<u8> {
    key(Family::Remembered, &[])
}

/// The key that remembers a transaction until it expires.
pub fn remembered(expires: Height, id: &TransactionId) -> Vec<u8> {
    key(Family::Remembered, &[&expires.get().to_be_bytes(), id.as_bytes()])
}

/// The expiry in a key that remembers a transaction; `None` if it is not such a key.
pub fn remembered_expiry(key: &[u8]) -> Option<Height> {
    let bytes: [u8; 8] = key.get(1..9)?.try_into().ok()?;
    Some(Height::new(u64::from_be_bytes(bytes)))
}
