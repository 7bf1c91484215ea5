//! Grants: who may do what, where, and by whose leave.

use cairn_types::{DeviceId, GrantId, Height};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{ActionName, At, GrantCheckView, GrantView, Page, PrincipalView, Provable, ScopeView, Text};

/// Grants: who may do what, where, and by whose leave.
#[rpc(server, namespace = "grant")]
pub trait GrantApi {
    /// One grant as it stands.
    ///
    /// # Parameters
    /// - `grant`: the grant's id.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the proof is wanted too: the grant and all above it.
    ///
    /// # Errors
    /// - `GrantUnknown` (-33140): not given at or before `at`; `proof_lookup` proves that.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "get", blocking)]
    fn grant(
        &self,
        grant: Text<GrantId>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<GrantView>>, CallError>;

    /// Grants, by id: all, or those over exactly one scope, or all that bear on one device.
    ///
    /// These last are the grants over the device, its streams, the zone where it is and the zones above. Revoked grants are
    /// listed too, and those of earlier owners.
    ///
    /// # Parameters
    /// - `scope`: a zone, a device or a stream.
    /// - `after`: begin after this grant; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    /// - `device`: a device's id; excludes `scope`.
    /// - `prove`: whether the whole list is wanted, with its proof; needs `scope` or `device`, and neither `after` nor `limit`.
    ///
    /// # Errors
    /// - `DeviceUnknown` (-33130): not registered at or before `at`.
    /// - `TooLarge` (-32045): more items than are shown at once with a proof, or a device with too many streams.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "list", blocking)]
    fn grants(
        &self,
        scope: Option<ScopeView>,
        after: Option<Text<GrantId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        device: Option<Text<DeviceId>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<GrantView>>, CallError>;

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
