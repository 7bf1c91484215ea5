//! Organizations: who takes part, and with which keys.

use cairn_types::{Height, Name};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, OrganizationSelector, OrganizationView, Page, Text};

/// Organizations: who takes part, and with which keys.
#[rpc(server, namespace = "organization")]
pub trait OrganizationApi {
    /// One organization as it stands.
    ///
    /// # Parameters
    /// - `organization`: its id or its name.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `OrganizationUnknown` (-33120): no organization of this id at `at`.
    /// - `NameUnknown` (-32050): no organization of this name at `at`.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "get")]
    fn organization(
        &self,
        organization: Text<OrganizationSelector>,
        at: Option<Text<Height>>,
    ) -> Result<At<OrganizationView>, CallError>;

    /// All organizations, by name.
    ///
    /// # Parameters
    /// - `after`: begin after this name; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "list")]
    fn organizations(
        &self,
        after: Option<Text<Name>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<OrganizationView>, CallError>;
}
