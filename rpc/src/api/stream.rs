//! Streams: a device's gap-free sequences of attestations.

use cairn_types::{DeviceId, Height, StreamId};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, AttestationView, Page, Provable, StreamView, Text};

/// Streams: a device's gap-free sequences of attestations.
#[rpc(server, namespace = "stream")]
pub trait StreamApi {
    /// One stream as it stands: how many attestations it has, and the last.
    ///
    /// # Parameters
    /// - `stream`: the stream's id.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the proof is wanted too: a lookup file at the height of the answer.
    ///
    /// # Errors
    /// - `StreamUnknown` (-33150): not opened at or before `at`; `proof_lookup` proves that.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "get", blocking)]
    fn stream(
        &self,
        stream: Text<StreamId>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<StreamView>>, CallError>;

    /// Streams, by id; all, or those of one device.
    ///
    /// # Parameters
    /// - `device`: the device's id.
    /// - `after`: begin after this stream; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the whole list is wanted, with its proof; needs `device`, and neither `after` nor `limit`.
    ///
    /// # Errors
    /// - `DeviceUnknown` (-33130): not registered at or before `at`.
    /// - `TooLarge` (-32045): more items than are shown at once with a proof.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "list", blocking)]
    fn streams(
        &self,
        device: Option<Text<DeviceId>>,
        after: Option<Text<StreamId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<StreamView>>, CallError>;

    /// Attestations of a stream, in sequence.
    ///
    /// # Parameters
    /// - `stream`: the stream's id.
    /// - `from`: the first sequence; 0 if left out. The `next` of a page is the `from` of the page after.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height as of which to read; the latest final height if left out.
    ///
    /// # Errors
    /// - `StreamUnknown` (-33150): not opened at or before `at`.
    /// - `HeightUnknown` (-32040).
    #[method(name = "getRange", blocking)]
    fn range(
        &self,
        stream: Text<StreamId>,
        from: Option<Text<u64>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<AttestationView>, CallError>;
}
