//! Proofs: bytes that check against a certified header, for those who do not trust this node.

use cairn_proofs::lookup::Question;
use cairn_types::{Height, TransactionId};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, Hex, LookupView, StateProofView, Text, TransactionProofView};

/// Proofs: bytes that check against a certified header, for those who do not trust this node.
#[rpc(server, namespace = "proof")]
pub trait ProofApi {
    /// The complete list of state entries under a key or a prefix, or the proof that there is none.
    ///
    /// # Parameters
    /// - `key`: the key, or the beginning of keys, 1 to 255 bytes.
    /// - `prefix`: whether `key` is the beginning of keys; false if left out.
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `TooLarge` (-32045): more entries than one proof may have; ask with a longer prefix.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getState", blocking)]
    fn state(&self, key: Hex, prefix: Option<bool>, at: Option<Text<Height>>) -> Result<At<StateProofView>, CallError>;

    /// One question about the state, answered completely in a file that is judged offline.
    ///
    /// Whoever judges it knows the genesis hash alone. The answer may be that there is nothing, which is proven like
    /// anything else.
    ///
    /// # Parameters
    /// - `question`: a kind and, after a colon, its subject: `checkpoint`, `organizations`, `council`, `validators`,
    ///   `parameters`, `organization:ID`, `device:ID`, `deviceStreams:ID`, `grant:ID`, `grants:zone:ORGANIZATION/PATH`,
    ///   `grants:device:ID`, `grants:stream:ID`, `deviceGrants:ID`, `stream:ID`, `lot:ID`, `lots:ORGANIZATION` or
    ///   `superseded:STREAM`.
    /// - `at`: height of the checkpoint; the latest one if left out.
    ///
    /// # Errors
    /// - `TooLarge` (-32045): a longer answer than a lookup can hold; ask for parts of it.
    /// - `InvalidParameter` (-32602): block 0 has no certificate.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "lookup", blocking)]
    fn lookup(&self, question: Text<Question>, at: Option<Text<Height>>) -> Result<At<LookupView>, CallError>;

    /// A certified block, with the way to it from the genesis: what a light client needs.
    ///
    /// It knows the genesis hash alone, and however often the validators have changed since, it need not trust this node.
    ///
    /// # Parameters
    /// - `at`: height of the checkpoint; the latest one if left out.
    ///
    /// # Errors
    /// - `InvalidParameter` (-32602): block 0 has no certificate.
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getCheckpoint", blocking)]
    fn checkpoint(&self, at: Option<Text<Height>>) -> Result<At<LookupView>, CallError>;

    /// A final transaction, with the proof that its block holds it.
    ///
    /// # Parameters
    /// - `id`: the transaction's id.
    /// - `at`: height as of which to read; the latest final height if left out.
    ///
    /// # Errors
    /// - `TransactionUnknown` (-32042): not final here at `at`.
    /// - `BlockPruned` (-32051), `NotInKeptBlocks` (-32052): it stands, or may stand, in a block that this node does not keep.
    /// - `HeightUnknown` (-32040).
    #[method(name = "getTransaction", blocking)]
    fn transaction(
        &self,
        id: Text<TransactionId>,
        at: Option<Text<Height>>,
    ) -> Result<At<TransactionProofView>, CallError>;
}
