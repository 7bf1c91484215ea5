//! Attestations: what devices said, found by place or by content.

use cairn_types::{ContentHash, Height, Position};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, AttestationSelector, AttestationView, Page, Text};

/// Attestations: what devices said, found by place or by content.
#[rpc(server, namespace = "attestation")]
pub trait AttestationApi {
    /// One attestation. Whether it is to be believed says `audit_verdict`.
    ///
    /// # Parameters
    /// - `attestation`: stream id, slash, sequence; or the id of its transaction.
    /// - `at`: height as of which to read; the latest final height if left out.
    ///
    /// # Errors
    /// - `AttestationUnknown` (-32043): nothing final there at `at`, or no attestation.
    /// - `BlockPruned` (-32051), `NotInKeptBlocks` (-32052): it stands, or may stand, in a block that this node does not keep.
    /// - `HeightUnknown` (-32040).
    #[method(name = "get", blocking)]
    fn attestation(
        &self,
        attestation: Text<AttestationSelector>,
        at: Option<Text<Height>>,
    ) -> Result<At<AttestationView>, CallError>;

    /// Who attested this content, in the order of the ledger.
    ///
    /// # Parameters
    /// - `content`: the content's hash; for plain content what `b3sum` prints.
    /// - `after`: begin after this position; the `next` of the page before.
    /// - `limit`: most items, 1 to 1,000; 100 if left out.
    /// - `at`: height as of which to read; the latest final height if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040).
    #[method(name = "findByContent", blocking)]
    fn find_by_content(
        &self,
        content: Text<ContentHash>,
        after: Option<Text<Position>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<AttestationView>, CallError>;
}
