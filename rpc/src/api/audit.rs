//! Audits: where data comes from, whether it is to be believed, and a file to take along.

use cairn_types::Height;
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{
    At, AttestationSelector, BundleView, ContentEvidenceView, Text, TraceFormat, TraceView, VerdictView,
};

/// Audits: where data comes from, whether it is to be believed, and a file to take along.
#[rpc(server, namespace = "audit")]
pub trait AuditApi {
    /// Where an attestation comes from: what it was derived from, who said it, and whose the devices were.
    ///
    /// # Parameters
    /// - `attestation`: stream id, slash, sequence; or the id of its transaction.
    /// - `depth`: generations of derivation, up to 64; 8 if left out.
    /// - `format`: `prov` (W3C PROV-JSON) or `dot` (Graphviz), to have the graph as a document too.
    /// - `at`: height as of which to read; the latest final height if left out.
    ///
    /// # Errors
    /// - `AttestationUnknown` (-32043): nothing final there at `at`, or no attestation.
    /// - `BlockPruned` (-32051), `NotInKeptBlocks` (-32052): it stands, or may stand, in a block that this node does not keep.
    /// - `HeightUnknown` (-32040).
    #[method(name = "trace", blocking)]
    fn trace(
        &self,
        attestation: Text<AttestationSelector>,
        depth: Option<u32>,
        format: Option<TraceFormat>,
        at: Option<Text<Height>>,
    ) -> Result<At<TraceView>, CallError>;

    /// What an auditor would say of an attestation.
    ///
    /// The node makes the bundle and judges it as `cairn verify` does; who does not trust the node asks for the bundle
    /// instead.
    ///
    /// # Parameters
    /// - `attestation`: stream id, slash, sequence; or the id of its transaction.
    /// - `content`: form, hash and length of the content at hand; without it no verdict is VALID.
    /// - `ageMaxMs`: how old the latest checkpoint may be by the node's clock, in milliseconds; any age if left out.
    /// - `at`: height of the checkpoint; the latest one if left out.
    ///
    /// # Errors
    /// - `AttestationUnknown` (-32043): nothing final there at `at`, or no attestation.
    /// - `BlockPruned` (-32051), `NotInKeptBlocks` (-32052): it stands, or may stand, in a block that this node does not keep.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "verdict", blocking)]
    fn verdict(
        &self,
        attestation: Text<AttestationSelector>,
        content: Option<ContentEvidenceView>,
        #[argument(rename = "ageMaxMs")] age_max_ms: Option<Text<u64>>,
        at: Option<Text<Height>>,
    ) -> Result<At<VerdictView>, CallError>;

    /// Everything to judge an attestation offline, at a checkpoint.
    ///
    /// # Parameters
    /// - `attestation`: stream id, slash, sequence; or the id of its transaction.
    /// - `anchor`: height of a block that the auditor trusts, to be shown in the checkpoint's history; none if left out.
    /// - `at`: height of the checkpoint; the latest one if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040): the checkpoint is not final yet, or the anchor above it.
    /// - `HeightPruned` (-32041): the state of the checkpoint is no longer kept.
    /// - `AttestationUnknown` (-32043): nothing final there at `at`, or no attestation.
    /// - `BlockPruned` (-32051), `NotInKeptBlocks` (-32052): it stands, or may stand, in a block that this node does not keep.
    /// - `TooLarge` (-32045): the device's history does not fit in a bundle.
    #[method(name = "bundle", blocking)]
    fn bundle(
        &self,
        attestation: Text<AttestationSelector>,
        anchor: Option<Text<Height>>,
        at: Option<Text<Height>>,
    ) -> Result<At<BundleView>, CallError>;
}
