//! Grants: who may do what, where, and by whose leave.

use cairn_types::{GrantId, Height};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{ActionName, At, GrantCheckView, GrantView, Page, PrincipalView, ScopeView, Text};

/// Grants: who may do what, where, and by whose leave.
#[rpc(server, namespace = "grant")]
pub trait GrantApi {
    /// One grant as it stands.
    ///
    /// # Parameters
    /// - `grant`: the grant's id.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `GrantUnknown` (-33140): not given at or before `at`.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "get")]
    fn grant(&self, grant: Text<GrantId>, at: Option<Text<Height>>) -> Result<At<GrantView>, CallError>;

    /// Grants, by id; all, or those over exactly one scope. Revoked ones are among them.
    ///
    /// # Parameters
    /// - `scope`: a zone, a device or a stream.
    /// - `after`: begin after this grant; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "list")]
    fn grants(
        &self,
        scope: Option<ScopeView>,
        after: Option<Text<GrantId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<GrantView>, CallError>;

    /// Whether a principal may do something to a target in the block after `at`, by which grants, or which rule forbids it.
    ///
    /// The organization that owns the target needs no grant. A device always needs one, and must be active.
    ///
    /// # Parameters
    /// - `principal`: an organization or a device.
    /// - `action`: `register`, `place`, `attest`, `read`, `command` or `delegate`.
    /// - `target`: a zone, a device or a stream.
    /// - `grant`: try only this grant; if left out, all grants over the target that the principal may hold, up to 1,000.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `OrganizationUnknown` (-33120), `DeviceUnknown` (-33130), `GrantUnknown` (-33140), `StreamUnknown` (-33150).
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "check")]
    fn check(
        &self,
        principal: PrincipalView,
        action: ActionName,
        target: ScopeView,
        grant: Option<Text<GrantId>>,
        at: Option<Text<Height>>,
    ) -> Result<At<GrantCheckView>, CallError>;
}
