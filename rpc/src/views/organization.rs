//! Organizations.

use cairn_types::record::{OrganizationKeys, OrganizationRecord};
use cairn_types::{Interval, KeyCommitment, KeySet, Name, OrganizationId, PublicKey, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{IntervalView, PositionView};
use super::text::Text;

/// What an organization does in this network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RoleName {
    /// Has a voice in the council.
    Council,
    /// Makes devices and endorses them.
    Manufacturer,
    /// Owns devices and runs them.
    Operator,
    /// Reads and judges.
    Auditor,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Council => Self::Council,
            Role::Manufacturer => Self::Manufacturer,
            Role::Operator => Self::Operator,
            Role::Auditor => Self::Auditor,
        }
    }
}

/// Keys, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeySetView {
    /// How many keys must sign.
    pub threshold: u8,
    /// The keys in their order; signatures name them by their place, from 0.
    pub keys: Vec<Text<PublicKey>>,
}

impl From<&KeySet> for KeySetView {
    fn from(set: &KeySet) -> Self {
        Self { threshold: set.threshold, keys: set.keys.iter().copied().map(Text).collect() }
    }
}

/// An organization as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationView {
    /// Its id.
    pub id: Text<OrganizationId>,
    /// Its short name, unique in the network.
    pub name: Text<Name>,
    /// Its legal name.
    pub title: String,
    /// What it does here.
    pub roles: Vec<RoleName>,
    /// Its keys.
    pub keys: KeySetView,
    /// Since when these keys speak for it.
    pub keys_since: PositionView,
    /// Commitment to its next keys; without one, its keys never rotate.
    pub next: Option<Text<KeyCommitment>>,
    /// Keys that can recover it.
    pub recovery: Option<KeySetView>,
    /// How many key epochs it has had, this one included.
    pub key_epochs: u32,
    /// Where it was admitted.
    pub admitted: PositionView,
    /// Where it was expelled; absent while it takes part.
    pub expelled: Option<PositionView>,
    /// Whether it is in the council now.
    pub council: bool,
}

impl OrganizationView {
    /// The organization of these records, whose latest key epoch has the ordinal `epoch`.
    pub fn new(
        id: OrganizationId,
        record: OrganizationRecord,
        epoch: u32,
        keys: &Interval<OrganizationKeys>,
        council: bool,
    ) -> Self {
        Self {
            id: Text(id),
            name: Text(record.name),
            title: record.title,
            roles: record.roles.iter().map(RoleName::from).collect(),
            keys: KeySetView::from(&keys.value.keys),
            keys_since: keys.from.into(),
            next: keys.value.next.map(Text),
            recovery: record.recovery.as_ref().map(KeySetView::from),
            key_epochs: epoch.saturating_add(1),
            admitted: record.admitted.into(),
            expelled: record.expelled.map(Into::into),
            council,
        }
    }
}

/// An organization's keys, and the commitment to those after them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrganizationKeysView {
    /// The keys.
    pub keys: KeySetView,
    /// Commitment to the next keys; without one, they never rotate.
    pub next: Option<Text<KeyCommitment>>,
}

impl From<&OrganizationKeys> for OrganizationKeysView {
    fn from(keys: &OrganizationKeys) -> Self {
        Self { keys: KeySetView::from(&keys.keys), next: keys.next.map(Text) }
    }
}

/// One key epoch of an organization: its keys, and when they spoke for it.
pub type OrganizationEpochView = IntervalView<OrganizationKeysView>;
