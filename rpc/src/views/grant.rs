//! Grants, and whether authority is held.

use cairn_types::record::GrantTerms;
use cairn_types::{Action, DeviceId, GrantId, Grantee, Height, Interval, OrganizationId, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::PositionView;
use super::text::Text;
use super::zone::{PrincipalView, ScopeView, ZoneView};

/// Something that a grant can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ActionName {
    /// Register devices into the scope.
    Register,
    /// Move devices within the scope.
    Place,
    /// Attest data as a device in the scope.
    Attest,
    /// Read what is kept off the ledger.
    Read,
    /// Command devices.
    Command,
    /// Pass the grant on.
    Delegate,
}

impl From<Action> for ActionName {
    fn from(action: Action) -> Self {
        match action {
            Action::Register => Self::Register,
            Action::Place => Self::Place,
            Action::Attest => Self::Attest,
            Action::Read => Self::Read,
            Action::Command => Self::Command,
            Action::Delegate => Self::Delegate,
        }
    }
}

impl From<ActionName> for Action {
    fn from(name: ActionName) -> Self {
        match name {
            ActionName::Register => Self::Register,
            ActionName::Place => Self::Place,
            ActionName::Attest => Self::Attest,
            ActionName::Read => Self::Read,
            ActionName::Command => Self::Command,
            ActionName::Delegate => Self::Delegate,
        }
    }
}

/// Who holds a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum GranteeView {
    /// One organization.
    Organization(Text<OrganizationId>),
    /// One device.
    Device(Text<DeviceId>),
    /// Every device placed in this zone or below, for as long as it is there.
    Zone(ZoneView),
}

impl From<Grantee> for GranteeView {
    fn from(grantee: Grantee) -> Self {
        match grantee {
            Grantee::Organization(id) => Self::Organization(Text(id)),
            Grantee::Device(id) => Self::Device(Text(id)),
            Grantee::Zone(zone) => Self::Zone(zone.into()),
        }
    }
}

/// When a grant may be used, in heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowView {
    /// The first height.
    pub from: Text<Height>,
    /// The first height after it; absent if it does not end.
    pub to: Option<Text<Height>>,
}

impl From<Window> for WindowView {
    fn from(window: Window) -> Self {
        Self { from: Text(window.from), to: window.to.map(Text) }
    }
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantView {
    /// Its id.
    pub id: Text<GrantId>,
    /// Who gave it.
    pub grantor: PrincipalView,
    /// Who holds it.
    pub grantee: GranteeView,
    /// What may be done.
    pub actions: Vec<ActionName>,
    /// To what.
    pub scope: ScopeView,
    /// When.
    pub window: WindowView,
    /// How many times it may still be passed on.
    pub depth: u8,
    /// The grant that it passes on; absent if the grantor owned the scope.
    pub parent: Option<Text<GrantId>>,
    /// Where it was given.
    pub from: PositionView,
    /// Where it was revoked; absent while it stands.
    pub to: Option<PositionView>,
    /// From when on what was done under it is in doubt.
    pub suspect_since: Option<PositionView>,
}

impl GrantView {
    /// The grant of this record.
    pub fn new(id: GrantId, interval: Interval<GrantTerms>) -> Self {
        let terms = interval.value;
        Self {
            id: Text(id),
            grantor: terms.grantor.into(),
            grantee: terms.grantee.into(),
            actions: terms.actions.iter().map(ActionName::from).collect(),
            scope: terms.scope.into(),
            window: terms.window.into(),
            depth: terms.depth,
            parent: terms.parent.map(Text),
            from: interval.from.into(),
            to: interval.to.map(Into::into),
            suspect_since: interval.suspect_since.map(Into::into),
        }
    }
}

/// Whether a principal may do something in the next block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantCheckView {
    /// Whether the authority is held.
    pub held: bool,
    /// Whether it is held because the principal owns the target: then it needs no grant.
    pub owner: bool,
    /// The position that was judged: the first of the next block.
    pub position: PositionView,
    /// The grants by which it is held, from the principal's up to the owner's; empty without a grant.
    pub path: Vec<GrantView>,
    /// Why it is not held: one line for each grant that was tried, up to 16.
    pub failures: Vec<GrantFailureView>,
}

/// Why a grant does not give the authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantFailureView {
    /// The grant that was tried; absent if no grant can help.
    pub grant: Option<Text<GrantId>>,
    /// The rule that does not hold, by its name in the table of errors.
    pub rule: String,
    /// The same in words.
    pub reason: String,
}
