//! Which state proofs a bundle must hold beyond those of device, stream and grants. Assembly and verification both ask
//! here, so that a bundle holds what is needed and nothing else.

use std::collections::BTreeSet;

use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{DeviceId, Grantee, Height, Interval, OrganizationId, Position, Principal};

use super::DeviceFile;
use crate::authority::Link;
use crate::tree::Query;

/// The end of block `height`: what the state was after it. An interval contains it if it began in that block or before and
/// did not end by then.
pub(crate) const fn end_of(height: Height) -> Position {
    Position { height, index: u32::MAX }
}

/// The intervals that held anywhere from the end of block `after` up to `until`.
pub(crate) fn within<T>(
    intervals: &[Interval<T>],
    after: Height,
    until: Position,
) -> impl Iterator<Item = &Interval<T>> {
    intervals.iter().filter(move |interval| interval.from <= until && interval.to.is_none_or(|to| end_of(after) < to))
}

/// The devices other than `device` that passed on a grant which was given to a zone, in the order of the path, each once.
pub(crate) fn zone_grantors(path: &[Link], device: &DeviceId) -> Vec<DeviceId> {
    let mut found: Vec<DeviceId> = Vec::new();
    for ((_, below), (_, link)) in path.iter().zip(path.iter().skip(1)) {
        if let (Grantee::Zone(_), Principal::Device(grantor)) = (&link.value.grantee, &below.value.grantor)
            && grantor != device
            && !found.contains(grantor)
        {
            found.push(*grantor);
        }
    }
    found
}

/// The organizations to name: owners of the device at or after the end of block `after`, grantors on the path, and the
/// manufacturer who vouched; ascending.
pub(crate) fn organizations(file: &DeviceFile, after: Height, path: &[Link]) -> BTreeSet<OrganizationId> {
    let grantors = path.iter().filter_map(|(_, link)| match link.value.grantor {
        Principal::Organization(id) => Some(id),
        Principal::Device(_) => None,
    });
    let manufacturer = file.record.endorsement.as_ref().map(|endorsement| endorsement.manufacturer);
    let owners = file.owners.iter().filter(|owner| owner.to.is_none_or(|to| end_of(after) < to));
    owners.map(|owner| owner.value).chain(grantors).chain(manufacturer).collect()
}

/// The question for a device's file.
pub(crate) fn device_query(id: &DeviceId) -> Query {
    Query::prefix(&state_key::device(id))
}

/// The question for a device's placements.
pub(crate) fn placements_query(id: &DeviceId) -> Query {
    Query::prefix(&state_key::device_facet(id, DeviceFacet::Placement))
}

/// The question for an organization's record.
pub(crate) fn organization_query(id: &OrganizationId) -> Query {
    Query::key(&state_key::ordinal(state_key::organization_facet(id, OrganizationFacet::Record), 0))
}
