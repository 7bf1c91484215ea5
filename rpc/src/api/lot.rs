//! Lots: what manufacturers vouch for, and what devices have claimed of it.

use cairn_types::{Hash, Height, LotId};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, LotAnswer, LotClaimView, LotView, OrganizationSelector, Page, Provable, Text};

/// Lots: what manufacturers vouch for, and what devices have claimed of it.
#[rpc(server, namespace = "lot")]
pub trait LotApi {
    /// One lot as it stands: who vouches, by what its devices are known, and whether it is trusted.
    ///
    /// # Parameters
    /// - `lot`: the lot's id.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the proof is wanted too: the lot and all claims on it.
    ///
    /// # Errors
    /// - `LotUnknown` (-33170): not endorsed at or before `at`; `proof_lookup` proves that.
    /// - `TooLarge` (-32045): more claims than one proof may have.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "get", blocking)]
    fn lot(
        &self,
        lot: Text<LotId>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<LotAnswer>>, CallError>;

    /// Lots, by id; all, or those of one manufacturer. Distrusted ones are among them.
    ///
    /// # Parameters
    /// - `manufacturer`: the manufacturer's id or name.
    /// - `after`: begin after this lot; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the whole list is wanted, with its proof; needs `manufacturer`, and neither `after` nor `limit`.
    ///
    /// # Errors
    /// - `NameUnknown` (-32050): no organization of this name at `at`.
    /// - `TooLarge` (-32045): more items than are shown at once with a proof.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "list", blocking)]
    fn lots(
        &self,
        manufacturer: Option<Text<OrganizationSelector>>,
        after: Option<Text<LotId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<LotView>>, CallError>;

    /// Which places of a lot were claimed, by which devices, in the order of the claims' hashes.
    ///
    /// # Parameters
    /// - `lot`: the lot's id.
    /// - `after`: begin after this claim; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the whole list is wanted, with its proof; needs neither `after` nor `limit`.
    ///
    /// # Errors
    /// - `LotUnknown` (-33170): not endorsed at or before `at`.
    /// - `TooLarge` (-32045): more items than are shown at once with a proof.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getClaims", blocking)]
    fn claims(
        &self,
        lot: Text<LotId>,
        after: Option<Text<Hash>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<LotClaimView>>, CallError>;
}
