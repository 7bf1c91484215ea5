//! Transactions: offered, waited for, found again.

use cairn_types::{Height, TransactionId};
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, Hex, ReceiptView, SubmissionsView, SubmittedView, Text, TransactionStateView};

/// Transactions: offered, waited for, found again. The node never signs: it takes what is signed already.
#[rpc(server, namespace = "tx")]
pub trait TxApi {
    /// Offers a signed transaction. The answer comes when it is accepted to wait for a block, not when it is final.
    ///
    /// # Parameters
    /// - `transaction`: its encoding, signatures included.
    ///
    /// # Errors
    /// - Any rejection (-33100 to -33190), with its name and number in `data`.
    #[method(name = "submit")]
    async fn submit(&self, transaction: Hex) -> Result<At<SubmittedView>, CallError>;

    /// Offers many signed transactions, of which each is accepted or refused by itself.
    ///
    /// `POST /tx` takes the same as raw bytes, at a fraction of the cost: the body is the encoded list of byte strings, of type
    /// `application/octet-stream`; the answer tells how many were taken, and the refusals in runs of equal ones. Its status
    /// is 503, with `Retry-After`, if the node is too busy to take any.
    ///
    /// # Parameters
    /// - `transactions`: their encodings, signatures included; at most 4,096.
    ///
    /// # Errors
    /// - `InvalidParameter` (-32602): too many. What is wrong with one transaction stands in its own result.
    #[method(name = "submitMany")]
    async fn submit_many(&self, transactions: Vec<Hex>) -> Result<At<SubmissionsView>, CallError>;

    /// A transaction, pending or final.
    ///
    /// # Parameters
    /// - `id`: the transaction's id.
    /// - `at`: height as of which to read, when only what was final then is known; now if left out.
    ///
    /// # Errors
    /// - `TransactionUnknown` (-32042): neither pending nor final here, or, with `at`, not final then.
    /// - `BlockPruned` (-32051), `NotInKeptBlocks` (-32052): it stands, or may stand, in a block that this node does not keep.
    /// - `HeightUnknown` (-32040).
    #[method(name = "get", blocking)]
    fn transaction(
        &self,
        id: Text<TransactionId>,
        at: Option<Text<Height>>,
    ) -> Result<At<TransactionStateView>, CallError>;

    /// Waits until a transaction is final, and answers with its position and what it made.
    ///
    /// # Parameters
    /// - `id`: the transaction's id. It may be offered later.
    /// - `timeoutMs`: how long to wait, at most 60,000; 30,000 if left out.
    ///
    /// # Errors
    /// - `NotFinal` (-32044): not yet. It may still become final: ask again.
    /// - Any rejection (-33100 to -33190): it was refused or has expired.
    #[method(name = "wait")]
    async fn wait(
        &self,
        id: Text<TransactionId>,
        #[argument(rename = "timeoutMs")] timeout_ms: Option<u32>,
    ) -> Result<At<ReceiptView>, CallError>;
}
