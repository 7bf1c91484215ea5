//! Proofs: bytes that check against a certified header, for those who do not trust this node.

use cairn_types::{Height, TransactionId};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, Hex, StateProofView, Text, TransactionProofView};

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

    /// A final transaction, with the proof that its block holds it.
    ///
    /// # Parameters
    /// - `id`: the transaction's id.
    /// - `at`: height as of which to read; the latest final height if left out.
    ///
    /// # Errors
    /// - `TransactionUnknown` (-32042): not final here at `at`.
    /// - `HeightUnknown` (-32040).
    #[method(name = "getTransaction", blocking)]
    fn transaction(
        &self,
        id: Text<TransactionId>,
        at: Option<Text<Height>>,
    ) -> Result<At<TransactionProofView>, CallError>;
}
