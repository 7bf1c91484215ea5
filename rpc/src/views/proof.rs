//! Proofs: bytes that check against a certified header.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::block::HeaderView;
use super::envelope::PositionView;
use super::text::{Hex, Text};
use cairn_proofs::lookup::Question;
use cairn_types::{Hash, TransactionId};

/// The complete list of state entries under a key or prefix, with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateProofView {
    /// The key or prefix that was asked for.
    pub key: Hex,
    /// Whether it was asked as a prefix.
    pub prefix: bool,
    /// Root of the state, as in the header.
    pub root: Text<Hash>,
    /// How many entries the answer has; none: it is proven absent.
    pub entries: u32,
    /// The encoded proof, which holds the entries.
    pub proof: Hex,
    /// The header whose state this is.
    pub header: HeaderView,
    /// The same header, encoded.
    pub encoded_header: Hex,
    /// The encoded certificate of that header; absent for block 0, which the chain id names.
    pub encoded_certificate: Option<Hex>,
}

/// One question about the state, and the file that answers it completely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LookupView {
    /// The question.
    pub question: Text<Question>,
    /// Length of the file in bytes.
    pub bytes: u32,
    /// The lookup file.
    pub proof: Hex,
}

/// A transaction, with the proof that its block holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionProofView {
    /// The transaction.
    pub id: Text<TransactionId>,
    /// Where it stands.
    pub position: PositionView,
    /// Its encoding, signatures included: the leaf is made from these bytes.
    pub encoded: Hex,
    /// How many transactions the block has; the proof is checked with this count.
    pub transactions: u32,
    /// The encoded inclusion proof, from the transaction to the header's `txRoot`.
    pub inclusion: Hex,
    /// The block's header.
    pub header: HeaderView,
    /// The same header, encoded.
    pub encoded_header: Hex,
    /// The encoded certificate of that header.
    pub encoded_certificate: Option<Hex>,
}
