//! Where each record stands in the state tree.
//!
//! A key is a family byte, the subject, and, for what a subject has several of, a facet byte and an ordinal (`u32`,
//! big-endian, so that the tree's order is the order of time). So one prefix proof gives a subject's whole file: the
//! record, every key epoch, owner, status and placement.

use crate::hash::{DeviceId, GrantId, Hash, OrganizationId, StreamId, TransactionId};
use crate::key::PublicKey;
use crate::name::Name;
use crate::position::Height;

/// First byte of a key: what kind of subject it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    /// The network's parameters: the byte alone. Value: [`crate::Parameters`].
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
}

/// Bytes of a key with subject, facet and ordinal.
pub const FACET_KEY_BYTES: usize = 1 + 32 + 1 + 4;

fn key(family: Family, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(FACET_KEY_BYTES.max(1 + parts.iter().map(|part| part.len()).sum::<usize>()));
    key.push(family as u8);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// The key of the parameters.
pub fn parameters() -> Vec<u8> {
    key(Family::Parameters, &[])
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
