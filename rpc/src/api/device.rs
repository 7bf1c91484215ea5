//! Device identities: who a device is, who owns it, and since when.

use cairn_types::{DeviceId, Height};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, DeviceFactView, DeviceView, HistoryCursor, Page, Text, ZoneView};

/// Device identities: who a device is, who owns it, and since when.
#[rpc(server, namespace = "device")]
pub trait DeviceApi {
    /// One device as it stands.
    ///
    /// # Parameters
    /// - `device`: the device's id, 64 lowercase hex digits.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `DeviceUnknown` (-33130): not registered at or before `at`.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "get")]
    fn device(&self, device: Text<DeviceId>, at: Option<Text<Height>>) -> Result<At<DeviceView>, CallError>;

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

    /// Everything that was ever so of a device: keys, then owners, statuses and zones, each with its interval.
    ///
    /// # Parameters
    /// - `device`: the device's id.
    /// - `after`: begin after this line; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `DeviceUnknown` (-33130): not registered at or before `at`.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getHistory")]
    fn history(
        &self,
        device: Text<DeviceId>,
        after: Option<Text<HistoryCursor>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<DeviceFactView>, CallError>;
}
