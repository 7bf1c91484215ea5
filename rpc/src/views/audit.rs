//! What an auditor takes along.

use cairn_types::{AttestationRef, TransactionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Hex, Text};

/// A bundle: everything to judge one attestation offline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleView {
    /// The attestation.
    pub attestation: Text<AttestationRef>,
    /// The transaction that made it.
    pub id: Text<TransactionId>,
    /// Length of the bundle in bytes.
    pub bytes: u32,
    /// The bundle.
    pub bundle: Hex,
}
