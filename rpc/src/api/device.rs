//! Device identities: who a device is, who owns it, and since when.

use cairn_types::{DeviceId, Height};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, DeviceFactView, DeviceView, HistoryCursor, Page, Provable, Text, UsageView, ZoneView};

/// Device identities: who a device is, who owns it, and since when.
#[rpc(server, namespace = "device")]
pub trait DeviceApi {
    /// One device as it stands.
    ///
    /// # Parameters
    /// - `device`: the device's id, 64 lowercase hex digits.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the proof is wanted too: a lookup file at the height of the answer.
    ///
    /// # Errors
    /// - `DeviceUnknown` (-33130): not registered at or before `at`; `proof_lookup` proves that.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "get", blocking)]
    fn device(
        &self,
        device: Text<DeviceId>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<DeviceView>>, CallError>;

    /// Devices, by id; all, or those that stand in a zone or below.
    ///
    /// # Parameters
    /// - `zone`: organization and path; an empty path is all of the organization's namespace.
    /// - `after`: begin after this device; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "list")]
    fn devices(
        &self,
        zone: Option<ZoneView>,
        after: Option<Text<DeviceId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<DeviceView>, CallError>;

    /// Everything that was ever so of a device, each with its interval.
    ///
    /// Keys come first, then owners, statuses, zones, recoveries and offers.
    ///
    /// # Parameters
    /// - `device`: the device's id.
    /// - `after`: begin after this line; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the whole list is wanted, with its proof; needs neither `after` nor `limit`.
    ///
    /// # Errors
    /// - `DeviceUnknown` (-33130): not registered at or before `at`.
    /// - `TooLarge` (-32045): more items than are shown at once with a proof.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getHistory", blocking)]
    fn history(
        &self,
        device: Text<DeviceId>,
        after: Option<Text<HistoryCursor>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<DeviceFactView>>, CallError>;

    /// What a device has used of its own quota. What it does counts for its owner's quota too.
    ///
    /// # Parameters
    /// - `device`: the device's id.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `DeviceUnknown` (-33130): not registered at or before `at`.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getUsage")]
    fn device_usage(&self, device: Text<DeviceId>, at: Option<Text<Height>>) -> Result<At<UsageView>, CallError>;
}
