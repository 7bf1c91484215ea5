//! Devices as they stand, and their history.

use cairn_types::record::{DeviceKey, DeviceRecord};
use cairn_types::{DeviceId, DeviceStatus, KeyCommitment, OrganizationId, PublicKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{IntervalView, PositionView};
use super::text::Text;
use super::zone::{PrincipalView, ZoneView};

/// What a device may do at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StatusName {
    /// In service.
    Active,
    /// Out of service for now.
    Suspended,
    /// No longer trusted, for ever.
    Revoked,
    /// Taken out of service in good standing, for ever.
    Decommissioned,
}

impl From<DeviceStatus> for StatusName {
    fn from(status: DeviceStatus) -> Self {
        match status {
            DeviceStatus::Active => Self::Active,
            DeviceStatus::Suspended => Self::Suspended,
            DeviceStatus::Revoked => Self::Revoked,
            DeviceStatus::Decommissioned => Self::Decommissioned,
        }
    }
}

/// A device's key, and the commitment to the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceKeyView {
    /// The key.
    pub key: Text<PublicKey>,
    /// Commitment to the next key.
    pub next: Text<KeyCommitment>,
}

impl From<&DeviceKey> for DeviceKeyView {
    fn from(key: &DeviceKey) -> Self {
        Self { key: Text(key.key), next: Text(key.next) }
    }
}

/// A device as it stands. What is open has no end: its `to` is absent; the key of a device in a final status may be closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// Its id, which never changes.
    pub id: Text<DeviceId>,
    /// What it is, as its maker calls it.
    pub model: String,
    /// Where it was registered.
    pub registered: PositionView,
    /// Who registered it.
    pub registered_by: PrincipalView,
    /// The manufacturer that vouched for it; absent if it is unendorsed.
    pub endorsed_by: Option<Text<OrganizationId>>,
    /// Its latest key.
    pub key: IntervalView<DeviceKeyView>,
    /// Its latest owner.
    pub owner: Text<OrganizationId>,
    /// Its latest status.
    pub status: StatusName,
    /// Since when it has that status.
    pub status_since: PositionView,
    /// From when on its word is in doubt.
    pub suspect_since: Option<PositionView>,
    /// Where it stands.
    pub zone: ZoneView,
}

impl DeviceView {
    /// The parts of a device that its record holds, beside its latest facts.
    pub(crate) fn new(
        id: DeviceId,
        record: DeviceRecord,
        key: IntervalView<DeviceKeyView>,
        owner: OrganizationId,
        status: IntervalView<StatusName>,
        zone: ZoneView,
    ) -> Self {
        Self {
            id: Text(id),
            model: record.inception.model,
            registered: record.registered.into(),
            registered_by: record.registered_by.into(),
            endorsed_by: record.endorsed_by.map(Text),
            key,
            owner: Text(owner),
            status: status.value,
            status_since: status.from,
            suspect_since: status.suspect_since,
            zone,
        }
    }
}

/// Something that was so of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeviceFact {
    /// A key spoke for it.
    Key(DeviceKeyView),
    /// An organization owned it.
    Owner(Text<OrganizationId>),
    /// It had a status.
    Status(StatusName),
    /// It stood in a zone.
    Zone(ZoneView),
}

/// One line of a device's history: what was so, and when. It has one of the members `key`, `owner`, `status`, `zone`.
pub type DeviceFactView = IntervalView<DeviceFact>;
