//! How an entry of the state may change: every value reads back in its one encoding, and what was known stays known.

use std::fmt::Debug;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::governance::Upgrade;
use cairn_types::record::{
    DeviceKey, DeviceRecord, GrantTerms, LotRecord, OrganizationKeys, OrganizationRecord, Recovery, StreamRecord,
    Superseded, Usage,
};
use cairn_types::state_key::{Family, split_facet};
use cairn_types::{
    DeviceId, DeviceStatus, Interval, OrganizationId, Parameters, Principal, ValidatorSet, Zone, decode,
};

use super::hold;

/// Most bytes of a value.
const VALUE_BYTES_MAX: usize = 65_535;

fn read<T: BorshSerialize + BorshDeserialize>(key: &[u8], value: &[u8]) -> Result<T, String> {
    decode(value, VALUE_BYTES_MAX)
        .map_err(|error| format!("an entry that does not read: {}: {error}", hex::encode(key)))
}

/// An interval is closed once, and doubt moves earlier; nothing else about it changes.
fn interval<T>(key: &[u8], old: Option<&[u8]>, new: &[u8]) -> Result<(), String>
where
    T: BorshSerialize + BorshDeserialize + PartialEq + Debug,
{
    let new: Interval<T> = read(key, new)?;
    hold(new.to.is_none_or(|to| new.from <= to), "an interval that ends before it begins", || format!("{new:?}"))?;
    let Some(old) = old else { return Ok(()) };
    let old: Interval<T> = read(key, old)?;
    let doubt = match (old.suspect_since, new.suspect_since) {
        (Some(old), Some(new)) => new <= old,
        (old, _) => old.is_none(),
    };
    let ends = old.to == new.to || old.to.is_none();
    let kept = old.value == new.value && old.from == new.from && ends && doubt;
    hold(kept, "an interval that changed", || format!("{old:?} to {new:?}"))
}

/// Written once.
fn fixed<T>(key: &[u8], old: Option<&[u8]>, new: &[u8]) -> Result<(), String>
where
    T: BorshSerialize + BorshDeserialize,
{
    read::<T>(key, new)?;
    hold(old.is_none_or(|old| old == new), "an entry that changed", || hex::encode(key))
}

fn stream(key: &[u8], old: Option<&[u8]>, new: &[u8]) -> Result<(), String> {
    let new: StreamRecord = read(key, new)?;
    let peaks = u32::try_from(new.peaks.len()).ok() == Some(new.count.count_ones());
    hold(peaks, "a stream whose peaks do not fit its count", || format!("{new:?}"))?;
    let Some(old) = old else { return Ok(()) };
    let old: StreamRecord = read(key, old)?;
    let kept = new.count >= old.count && (old.closed.is_none() || old.closed == new.closed) && old.device == new.device;
    hold(kept, "a stream that lost something", || format!("{old:?} to {new:?}"))
}

fn organization(key: &[u8], old: Option<&[u8]>, new: &[u8]) -> Result<(), String> {
    let new: OrganizationRecord = read(key, new)?;
    let Some(old) = old else { return Ok(()) };
    let old: OrganizationRecord = read(key, old)?;
    let kept = (old.expelled.is_none() || old.expelled == new.expelled)
        && OrganizationRecord { expelled: new.expelled, ..old.clone() } == new;
    hold(kept, "an organization that changed", || format!("{old:?} to {new:?}"))
}

/// Whether an entry of this key may leave the state.
pub(super) fn may_leave(key: &[u8]) -> bool {
    key.first().is_some_and(|family| [Family::Remembered as u8, Family::DueRecovery as u8].contains(family))
}

/// Checks what became of an entry.
pub(super) fn check(key: &[u8], old: Option<&[u8]>, new: &[u8]) -> Result<(), String> {
    let family = key.first().copied().unwrap_or(0);
    let facet = split_facet(key).map(|(facet, _)| facet);
    let empty = |new: &[u8]| hold(new.is_empty(), "a value where none belongs", || hex::encode(key));
    match (family, facet) {
        (0x01, _) => interval::<Parameters>(key, old, new),
        (0x02, Some(0)) => organization(key, old, new),
        (0x02, Some(1)) => interval::<OrganizationKeys>(key, old, new),
        (0x03, _) => fixed::<OrganizationId>(key, old, new),
        (0x04, Some(0)) => fixed::<DeviceRecord>(key, old, new),
        (0x04, Some(1)) => interval::<DeviceKey>(key, old, new),
        (0x04, Some(2) | Some(6)) => interval::<OrganizationId>(key, old, new),
        (0x04, Some(3)) => interval::<DeviceStatus>(key, old, new),
        (0x04, Some(4)) => interval::<Zone>(key, old, new),
        (0x04, Some(5)) => interval::<Recovery>(key, old, new),
        (0x05, _) => fixed::<Principal>(key, old, new),
        (0x06, _) => interval::<GrantTerms>(key, old, new),
        (0x07 | 0x09 | 0x0a | 0x10 | 0x13, _) => empty(new),
        (0x08, _) => stream(key, old, new),
        (0x0b, _) => interval::<Vec<OrganizationId>>(key, old, new),
        (0x0c, _) => interval::<ValidatorSet>(key, old, new),
        (0x0d, _) => interval::<Upgrade>(key, old, new),
        (0x0e, _) => interval::<LotRecord>(key, old, new),
        (0x0f, _) => fixed::<DeviceId>(key, old, new),
        (0x11, _) => fixed::<Superseded>(key, old, new),
        (0x12, _) => read::<Usage>(key, new).map(drop),
        _ => Err(format!("an entry of no family: {}", hex::encode(key))),
    }
}
