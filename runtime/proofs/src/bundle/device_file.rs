//! A device's file: its record and all its intervals, read from the entries under its prefix of the state.
//!
//! It does not know how the entries were proven. The invariant: the intervals of one kind ascend and never overlap, so
//! there is at most one at any position.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::record::{DeviceKey, DeviceRecord, Recovery};
use cairn_types::state_key::{self, DeviceFacet};
use cairn_types::{DeviceId, DeviceStatus, Interval, OrganizationId, Position, Zone, codec};

use crate::tree::VALUE_BYTES_MAX;

/// All that the state says about a device. Each list ascends in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFile {
    /// How it began.
    pub record: DeviceRecord,
    /// Its key epochs.
    pub keys: Vec<Interval<DeviceKey>>,
    /// Its owners.
    pub owners: Vec<Interval<OrganizationId>>,
    /// Its statuses.
    pub statuses: Vec<Interval<DeviceStatus>>,
    /// Where it stood.
    pub placements: Vec<Interval<Zone>>,
    /// Recoveries that were announced, each open while it is pending.
    pub recoveries: Vec<Interval<Recovery>>,
    /// To whom it was offered, each open while the offer stands.
    pub offers: Vec<Interval<OrganizationId>>,
}

/// Why entries are not the file of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceFileError {
    /// Nothing is known of such a device.
    #[error("no such device")]
    Absent,
    /// An entry does not decode, its intervals overlap, or the record is another device's: the state is to blame.
    #[error("an entry of facet {facet} is malformed")]
    Malformed {
        /// The entry's facet.
        facet: u8,
    },
    /// An entry of a kind that this program is too old to know.
    #[error("an entry of facet {facet}, which this program does not know")]
    UnknownFacet {
        /// The entry's facet.
        facet: u8,
    },
}

impl DeviceFile {
    /// Reads the file of `device` from all entries under its prefix, ascending by key.
    ///
    /// # Errors
    /// [`DeviceFileError`].
    pub fn read<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        device: &DeviceId,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, DeviceFileError> {
        let mut record: Option<DeviceRecord> = None;
        let (mut keys, mut owners, mut statuses, mut placements) = (vec![], vec![], vec![], vec![]);
        let (mut recoveries, mut offers) = (vec![], vec![]);
        for (key, value) in entries {
            let (key, value) = (key.as_ref(), value.as_ref());
            let (facet, _) = state_key::split_facet(key).ok_or(DeviceFileError::Malformed { facet: u8::MAX })?;
            let read = match facet {
                f if f == DeviceFacet::Record as u8 => record.replace(decode(value, facet)?).is_none(),
                f if f == DeviceFacet::Key as u8 => push_in_order(&mut keys, decode(value, facet)?),
                f if f == DeviceFacet::Owner as u8 => push_in_order(&mut owners, decode(value, facet)?),
                f if f == DeviceFacet::Status as u8 => push_in_order(&mut statuses, decode(value, facet)?),
                f if f == DeviceFacet::Placement as u8 => push_in_order(&mut placements, decode(value, facet)?),
                f if f == DeviceFacet::Recovery as u8 => push_in_order(&mut recoveries, decode(value, facet)?),
                f if f == DeviceFacet::Offer as u8 => push_in_order(&mut offers, decode(value, facet)?),
                facet => return Err(DeviceFileError::UnknownFacet { facet }),
            };
            if !read {
                return Err(DeviceFileError::Malformed { facet });
            }
        }
        let record = record.ok_or(DeviceFileError::Absent)?;
        if record.inception.id() != *device {
            return Err(DeviceFileError::Malformed { facet: DeviceFacet::Record as u8 });
        }
        Ok(Self { record, keys, owners, statuses, placements, recoveries, offers })
    }
}

/// Reads the placements of a device from all entries under that facet, ascending by key.
pub(crate) fn read_placements<'a>(
    entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Vec<Interval<Zone>>, DeviceFileError> {
    let facet = DeviceFacet::Placement as u8;
    let mut placements = Vec::new();
    for (_, value) in entries {
        if !push_in_order(&mut placements, decode(value, facet)?) {
            return Err(DeviceFileError::Malformed { facet });
        }
    }
    Ok(placements)
}

/// The one of these intervals that holds at `position`. They must ascend, as those of a [`DeviceFile`] do.
pub fn standing_at<T>(intervals: &[Interval<T>], position: Position) -> Option<&Interval<T>> {
    let begun = intervals.partition_point(|interval| interval.from <= position);
    intervals.get(begun.checked_sub(1)?).filter(|interval| interval.contains(position))
}

fn decode<T: BorshSerialize + BorshDeserialize>(value: &[u8], facet: u8) -> Result<T, DeviceFileError> {
    codec::decode(value, VALUE_BYTES_MAX).map_err(|_| DeviceFileError::Malformed { facet })
}

/// Appends an interval, unless it ends before it begins or begins before the last one ended.
pub(crate) fn push_in_order<T>(intervals: &mut Vec<Interval<T>>, interval: Interval<T>) -> bool {
    let in_order = match intervals.last() {
        None => true,
        Some(last) => last.to.is_some_and(|end| end <= interval.from),
    };
    let forward = interval.to.is_none_or(|end| interval.from <= end);
    intervals.push(interval);
    in_order && forward
}
