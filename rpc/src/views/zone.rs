//! Who and where: principals, zones and scopes.

use cairn_types::{DeviceId, OrganizationId, Principal, Scope, StreamId, Zone, ZonePath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Text;

/// A place in an organization's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneView {
    /// Whose namespace.
    pub organization: Text<OrganizationId>,
    /// Where in it; empty for all of it.
    pub path: Text<ZonePath>,
}

impl From<Zone> for ZoneView {
    fn from(zone: Zone) -> Self {
        Self { organization: Text(zone.organization), path: Text(zone.path) }
    }
}

impl From<ZoneView> for Zone {
    fn from(view: ZoneView) -> Self {
        Self { organization: view.organization.0, path: view.path.0 }
    }
}

/// Whoever can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PrincipalView {
    /// An organization.
    Organization(Text<OrganizationId>),
    /// A device.
    Device(Text<DeviceId>),
}

impl From<Principal> for PrincipalView {
    fn from(principal: Principal) -> Self {
        match principal {
            Principal::Organization(id) => Self::Organization(Text(id)),
            Principal::Device(id) => Self::Device(Text(id)),
        }
    }
}

impl From<PrincipalView> for Principal {
    fn from(view: PrincipalView) -> Self {
        match view {
            PrincipalView::Organization(id) => Self::Organization(id.0),
            PrincipalView::Device(id) => Self::Device(id.0),
        }
    }
}

/// Over what a grant gives authority, or what is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ScopeView {
    /// A zone and all below it.
    Zone(ZoneView),
    /// One device, wherever it is.
    Device(Text<DeviceId>),
    /// One stream.
    Stream(Text<StreamId>),
}

impl From<Scope> for ScopeView {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Zone(zone) => Self::Zone(zone.into()),
            Scope::Device(id) => Self::Device(Text(id)),
            Scope::Stream(id) => Self::Stream(Text(id)),
        }
    }
}

impl From<ScopeView> for Scope {
    fn from(view: ScopeView) -> Self {
        match view {
            ScopeView::Zone(zone) => Self::Zone(zone.into()),
            ScopeView::Device(id) => Self::Device(id.0),
            ScopeView::Stream(id) => Self::Stream(id.0),
        }
    }
}
