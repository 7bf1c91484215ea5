//! Devices as they stand, and their history.

use cairn_types::record::{DeviceKey, DeviceRecord, Recovery};
use cairn_types::{DeviceId, DeviceStatus, Height, Interval, KeyCommitment, OrganizationId, PublicKey, Zone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{IntervalView, PositionView};
use super::lot::EndorsementView;
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

/// A new key that was announced for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryView {
    /// The new key.
    pub key: Text<PublicKey>,
    /// Commitment to the key after it.
    pub next: Text<KeyCommitment>,
    /// The first height at which the new key speaks, if nobody calls it off.
    pub effective: Text<Height>,
}

impl From<&Recovery> for RecoveryView {
    fn from(recovery: &Recovery) -> Self {
        Self { key: Text(recovery.key), next: Text(recovery.next), effective: Text(recovery.effective) }
    }
}

/// A recovery that is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PendingRecoveryView {
    /// What is to come.
    #[serde(flatten)]
    pub recovery: RecoveryView,
    /// Where it was announced.
    pub announced: PositionView,
}

/// An offer that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PendingOfferView {
    /// Who may accept it.
    pub to: Text<OrganizationId>,
    /// Since when.
    pub since: PositionView,
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
    /// How it was vouched for, and whether that word still stands; absent if it is unendorsed.
    pub endorsement: Option<EndorsementView>,
    /// Its latest key.
    pub key: IntervalView<DeviceKeyView>,
    /// Its latest owner.
    pub owner: Text<OrganizationId>,
    /// Since when that is its owner.
    pub owner_since: PositionView,
    /// Its latest status.
    pub status: StatusName,
    /// Since when it has that status.
    pub status_since: PositionView,
    /// From when on its word is in doubt.
    pub suspect_since: Option<PositionView>,
    /// Where it stands.
    pub zone: ZoneView,
    /// Since when it stands there.
    pub zone_since: PositionView,
    /// The recovery that is pending.
    pub recovery: Option<PendingRecoveryView>,
    /// The offer that stands.
    pub offer: Option<PendingOfferView>,
}

/// The latest facts about a device, of which its view is made.
pub(crate) struct DeviceFacts {
    pub(crate) endorsement: Option<EndorsementView>,
    pub(crate) key: Interval<DeviceKey>,
    pub(crate) owner: Interval<OrganizationId>,
    pub(crate) status: Interval<DeviceStatus>,
    pub(crate) zone: Interval<Zone>,
    pub(crate) recovery: Option<Interval<Recovery>>,
    pub(crate) offer: Option<Interval<OrganizationId>>,
}

impl DeviceView {
    /// The device of this record, of which these are the latest facts.
    pub(crate) fn new(id: DeviceId, record: DeviceRecord, facts: DeviceFacts) -> Self {
        let recovery = facts.recovery.filter(Interval::is_open).map(|interval| PendingRecoveryView {
            recovery: RecoveryView::from(&interval.value),
            announced: interval.from.into(),
        });
        let offer = facts
            .offer
            .filter(Interval::is_open)
            .map(|interval| PendingOfferView { to: Text(interval.value), since: interval.from.into() });
        Self {
            id: Text(id),
            model: record.inception.model,
            registered: record.registered.into(),
            registered_by: record.registered_by.into(),
            endorsed_by: record.endorsement.map(|endorsement| Text(endorsement.manufacturer)),
            endorsement: facts.endorsement,
            key: IntervalView::around(&facts.key, DeviceKeyView::from(&facts.key.value)),
            owner: Text(facts.owner.value),
            owner_since: facts.owner.from.into(),
            status: facts.status.value.into(),
            status_since: facts.status.from.into(),
            suspect_since: facts.status.suspect_since.map(Into::into),
            zone: facts.zone.value.into(),
            zone_since: facts.zone.from.into(),
            recovery,
            offer,
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
    /// A recovery was pending.
    Recovery(RecoveryView),
    /// It was offered to an organization.
    Offer(Text<OrganizationId>),
}

/// One line of a device's history: what was so, and when. It has one of the members `key`, `owner`, `status`, `zone`,
/// `recovery`, `offer`.
pub type DeviceFactView = IntervalView<DeviceFact>;
