//! The axis *device*: its status, owner and place when the attestation can have been said, and who vouched for it.

use cairn_types::{DeviceStatus, Interval, LotId, OrganizationId, Position, Zone};

/// The device, from the earlier bound up to the inclusion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// How it stands.
    pub standing: DeviceStanding,
    /// What it is, as its maker calls it.
    pub model: String,
    /// Where it was registered.
    pub registered: Position,
    /// Who vouched for it; without anybody it is unendorsed.
    pub endorsement: Option<Endorsement>,
    /// Its statuses within the bounds.
    pub statuses: Vec<Interval<DeviceStatus>>,
    /// Its owners within the bounds.
    pub owners: Vec<Interval<OrganizationId>>,
    /// Its places within the bounds.
    pub zones: Vec<Interval<Zone>>,
}

/// That a manufacturer vouched for a device. The fact stays; the trust in it may end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// Who vouched.
    pub manufacturer: OrganizationId,
    /// The lot that the device comes from.
    pub lot: LotId,
    /// What the manufacturer calls the lot's devices.
    pub label: String,
    /// The device's serial number.
    pub serial: String,
    /// Whether that is still trusted, as of the checkpoint.
    pub trust: EndorsementTrust,
}

/// Whether a manufacturer's word for a device is still trusted. It leaves the outcome as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndorsementTrust {
    /// It is.
    Trusted,
    /// The manufacturer ended trust in the lot, or was expelled.
    Distrusted {
        /// Where.
        since: Position,
    },
    /// The manufacturer ended trust in the lot, and doubts what claimed it when this device did.
    Suspect {
        /// Since when claims on the lot are in doubt.
        since: Position,
    },
}

impl EndorsementTrust {
    /// The trust in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Distrusted { .. } => "distrusted",
            Self::Suspect { .. } => "suspect",
        }
    }
}

/// How a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStanding {
    /// In service all the time in which it can have been said.
    Active,
    /// In service when the attestation was included, but not all the time before.
    ActiveAtInclusion,
    /// Not in service, or without an owner, when the attestation was included.
    NotActive,
}

impl DeviceStanding {
    /// The standing in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ActiveAtInclusion => "active_at_inclusion",
            Self::NotActive => "not_active",
        }
    }
}
