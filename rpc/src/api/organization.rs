//! Organizations: who takes part, and with which keys.

use cairn_types::{Height, Name};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{
    At, OrganizationEpochView, OrganizationSelector, OrganizationView, Page, Provable, Text, UsageView,
};

/// Organizations: who takes part, and with which keys.
#[rpc(server, namespace = "organization")]
pub trait OrganizationApi {
    /// One organization as it stands.
    ///
    /// # Parameters
    /// - `organization`: its id or its name.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the proof is wanted too: a lookup file at the height of the answer.
    ///
    /// # Errors
    /// - `OrganizationUnknown` (-33120): no organization of this id at `at`; `proof_lookup` proves that.
    /// - `NameUnknown` (-32050): no organization of this name at `at`.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "get", blocking)]
    fn organization(
        &self,
        organization: Text<OrganizationSelector>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<OrganizationView>>, CallError>;

    /// All organizations, by name.
    ///
    /// # Parameters
    /// - `after`: begin after this name; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the whole list is wanted, with the proof of its names and ids; needs neither `after` nor `limit`.
    ///
    /// # Errors
    /// - `TooLarge` (-32045): more items than are shown at once with a proof.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "list", blocking)]
    fn organizations(
        &self,
        after: Option<Text<Name>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<OrganizationView>>, CallError>;

    /// All keys with which an organization has ever signed, each with the interval in which they spoke for it.
    ///
    /// # Parameters
    /// - `organization`: its id or its name.
    /// - `after`: begin after this epoch, counted from 0; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the whole list is wanted, with its proof; needs neither `after` nor `limit`.
    ///
    /// # Errors
    /// - `OrganizationUnknown` (-33120): no organization of this id at `at`.
    /// - `NameUnknown` (-32050): no organization of this name at `at`.
    /// - `TooLarge` (-32045): more items than are shown at once with a proof.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getHistory", blocking)]
    fn organization_history(
        &self,
        organization: Text<OrganizationSelector>,
        after: Option<Text<u64>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<OrganizationEpochView>>, CallError>;

    /// What an organization and its devices have used of its quota.
    ///
    /// # Parameters
    /// - `organization`: its id or its name.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `OrganizationUnknown` (-33120): no organization of this id at `at`.
    /// - `NameUnknown` (-32050): no organization of this name at `at`.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getUsage")]
    fn organization_usage(
        &self,
        organization: Text<OrganizationSelector>,
        at: Option<Text<Height>>,
    ) -> Result<At<UsageView>, CallError>;
}
