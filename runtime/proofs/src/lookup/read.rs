//! Reads the entries of a list as records. Every key and every value must be in its one form, or the list is malformed.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::record::{OrganizationRecord, Superseded};
use cairn_types::state_key::{self, OrganizationFacet};
use cairn_types::{DeviceId, Hash, Interval, Name, OrganizationId, codec};

use super::answer::OrganizationFile;
use super::{Entry, Fault};
use crate::bundle::push_in_order;
use crate::tree::VALUE_BYTES_MAX;

fn malformed(key: &[u8]) -> Fault {
    Fault::Malformed { key: key.to_vec() }
}

/// A value as its record.
pub(super) fn record<T: BorshSerialize + BorshDeserialize>(key: &[u8], value: &[u8]) -> Result<T, Fault> {
    codec::decode(value, VALUE_BYTES_MAX).map_err(|_| malformed(key))
}

/// What follows the prefix in a key.
fn rest<'a>(prefix: &[u8], key: &'a [u8]) -> Result<&'a [u8], Fault> {
    key.strip_prefix(prefix).ok_or_else(|| malformed(key))
}

/// The same, if it is exactly so long.
fn rest_of<const N: usize>(prefix: &[u8], key: &[u8]) -> Result<[u8; N], Fault> {
    rest(prefix, key)?.try_into().map_err(|_| malformed(key))
}

/// A list of ids with empty values.
pub(super) fn ids(prefix: &[u8], entries: &[Entry]) -> Result<Vec<Hash>, Fault> {
    let id = |(key, value): &Entry| {
        record::<()>(key, value)?;
        rest_of(prefix, key).map(Hash::from_bytes)
    };
    entries.iter().map(id).collect()
}

/// The names of organizations.
pub(super) fn names(prefix: &[u8], entries: &[Entry]) -> Result<Vec<(Name, OrganizationId)>, Fault> {
    let name = |(key, value): &Entry| {
        let text = std::str::from_utf8(rest(prefix, key)?).ok();
        let name = text.and_then(|text| text.parse().ok()).ok_or_else(|| malformed(key))?;
        Ok((name, record(key, value)?))
    };
    entries.iter().map(name).collect()
}

/// The claims on a lot.
pub(super) fn claims(prefix: &[u8], entries: &[Entry]) -> Result<Vec<(Hash, DeviceId)>, Fault> {
    let claim = |(key, value): &Entry| Ok((Hash::from_bytes(rest_of(prefix, key)?), record(key, value)?));
    entries.iter().map(claim).collect()
}

/// What was superseded in a stream.
pub(super) fn superseded(prefix: &[u8], entries: &[Entry]) -> Result<Vec<(u64, Superseded)>, Fault> {
    let one = |(key, value): &Entry| Ok((u64::from_be_bytes(rest_of(prefix, key)?), record(key, value)?));
    entries.iter().map(one).collect()
}

/// Intervals of one kind, in order.
pub(super) fn intervals<T: BorshSerialize + BorshDeserialize>(
    prefix: &[u8],
    entries: &[Entry],
) -> Result<Vec<Interval<T>>, Fault> {
    let mut intervals = Vec::new();
    for (key, value) in entries {
        let _ordinal: [u8; 4] = rest_of(prefix, key)?;
        if !push_in_order(&mut intervals, record(key, value)?) {
            return Err(malformed(key));
        }
    }
    Ok(intervals)
}

/// An organization's record and key epochs.
pub(super) fn organization(id: &OrganizationId, entries: &[Entry]) -> Result<OrganizationFile, Fault> {
    let mut found: Option<OrganizationRecord> = None;
    let mut keys = Vec::new();
    for (key, value) in entries {
        let (facet, _) = state_key::split_facet(key).ok_or_else(|| malformed(key))?;
        let in_order = match facet {
            f if f == OrganizationFacet::Record as u8 => found.replace(record(key, value)?).is_none(),
            f if f == OrganizationFacet::Keys as u8 => push_in_order(&mut keys, record(key, value)?),
            _ => return Err(Fault::Unknown { key: key.clone() }),
        };
        if !in_order {
            return Err(malformed(key));
        }
    }
    let record = found.ok_or_else(|| Fault::Absent { key: state_key::organization(id) })?;
    Ok(OrganizationFile { record, keys })
}
