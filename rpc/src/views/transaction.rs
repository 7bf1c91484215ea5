//! Transactions: submitted, pending, final.

use cairn_types::call::Govern;
use cairn_types::governance::Measure;
use cairn_types::{
    AttestationRef, BlockHash, Call, ChainId, DeviceId, GrantId, Height, LotId, OrganizationId, Principal,
    SignatureBytes, SignedTransaction, StreamId, TransactionId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::call::CallView;
use super::envelope::{BlockRefView, PositionView};
use super::lot::signature_bytes;
use super::text::{Hex, Text};
use super::zone::PrincipalView;
use crate::backend::Located;
use crate::error::ErrorView;

/// Where a transaction is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TransactionStateName {
    /// Accepted by this node and not yet in a final block: a crash may lose it.
    Pending,
    /// In a final block: it never reverts.
    Final,
}

/// A transaction that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubmittedView {
    /// Its id.
    pub id: Text<TransactionId>,
    /// Where it is in its life.
    pub state: TransactionStateName,
}

impl SubmittedView {
    /// A transaction that waits for a block.
    pub const fn pending(id: TransactionId) -> Self {
        Self { id: Text(id), state: TransactionStateName::Pending }
    }
}

/// What became of one transaction among many: it has either `accepted` or `error`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SubmissionView {
    /// It was accepted.
    Accepted(SubmittedView),
    /// It was refused.
    Error(ErrorView),
}

/// What became of many transactions, in the order in which they were offered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubmissionsView {
    /// One result for each.
    pub results: Vec<SubmissionView>,
}

/// What became of the transactions of one `POST /tx`. Whoever sent them knows their ids, so only what was refused is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenView {
    /// How many wait for a block now.
    pub taken: u32,
    /// The others, ascending.
    pub refused: Vec<RefusedView>,
}

/// Transactions that stood one after the other and were refused with the same words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedView {
    /// The place of the first of them in the batch, from 0.
    pub first: u32,
    /// How many they are.
    pub count: u32,
    /// Why.
    pub error: ErrorView,
}

/// What a transaction made, named as other calls name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CreatedView {
    /// A device.
    Device(Text<DeviceId>),
    /// A grant.
    Grant(Text<GrantId>),
    /// A stream.
    Stream(Text<StreamId>),
    /// An attestation.
    Attestation(Text<AttestationRef>),
    /// An organization.
    Organization(Text<OrganizationId>),
    /// A lot.
    Lot(Text<LotId>),
}

impl CreatedView {
    /// What `transaction` makes; `None` if it changes what there is.
    pub fn of(transaction: &SignedTransaction) -> Option<Self> {
        let body = transaction.body();
        match (&body.call, &body.signer) {
            (Call::Govern(Govern { measure: Measure::Admit(admit) }), _) => {
                Some(Self::Organization(Text(admit.inception.id())))
            }
            (Call::EndorseLot(_), _) => Some(Self::Lot(Text(LotId::of(&transaction.id())))),
            (Call::RegisterDevice(call), _) => Some(Self::Device(Text(call.inception.id()))),
            (Call::Grant(_), _) => Some(Self::Grant(Text(GrantId::of(&transaction.id())))),
            (Call::OpenStream(call), Principal::Device(device)) => {
                Some(Self::Stream(Text(StreamId::of(device, &call.name))))
            }
            (Call::Attest(call), _) => {
                Some(Self::Attestation(Text(AttestationRef { stream: call.stream, sequence: call.sequence })))
            }
            _ => None,
        }
    }
}

/// The proof in words that a transaction is final; `proof_getTransaction` has the one in hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptView {
    /// The transaction.
    pub id: Text<TransactionId>,
    /// Where it stands.
    pub position: PositionView,
    /// The block that holds it.
    pub block: Text<BlockHash>,
    /// That block's time, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: Text<u64>,
    /// The call's name.
    pub call: String,
    /// What it made; absent if it changed what there was.
    pub created: Option<CreatedView>,
}

impl ReceiptView {
    /// The receipt of `transaction`, found at `located`.
    pub fn new(transaction: &SignedTransaction, located: &Located) -> Self {
        Self {
            id: Text(transaction.id()),
            position: located.position.into(),
            block: Text(located.block),
            time_ms: Text(located.time_ms),
            call: transaction.body().call.name().to_owned(),
            created: CreatedView::of(transaction),
        }
    }
}

/// By what rule a signature is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AlgorithmName {
    /// Ed25519 by ZIP 215.
    Ed25519,
    /// ECDSA P-256 with SHA-256.
    P256,
}

/// One key's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignatureView {
    /// Whose key.
    pub signer: PrincipalView,
    /// Which key of an organization's set, from 0; 0 for a device.
    pub key: u8,
    /// By what rule it is checked: the key's.
    pub algorithm: AlgorithmName,
    /// The signature.
    pub signature: Hex,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionView {
    /// Its id.
    pub id: Text<TransactionId>,
    /// The network it is for.
    pub chain: Text<ChainId>,
    /// In whose name.
    pub signer: PrincipalView,
    /// A final block that the signer had seen.
    pub not_before: BlockRefView,
    /// The last height at which it may be included; absent if its place in a stream protects it.
    pub expires: Option<Text<Height>>,
    /// What to do.
    pub call: CallView,
    /// Who signed it.
    pub signatures: Vec<SignatureView>,
    /// Its encoding, signatures included.
    pub encoded: Hex,
}

impl From<&SignedTransaction> for TransactionView {
    fn from(transaction: &SignedTransaction) -> Self {
        let body = transaction.body();
        let signature = |one: &cairn_types::Signature| {
            let algorithm = match one.bytes {
                SignatureBytes::Ed25519(_) => AlgorithmName::Ed25519,
                SignatureBytes::P256(_) => AlgorithmName::P256,
            };
            SignatureView { signer: one.signer.into(), key: one.key, algorithm, signature: signature_bytes(&one.bytes) }
        };
        Self {
            id: Text(transaction.id()),
            chain: Text(body.chain),
            signer: body.signer.into(),
            not_before: body.not_before.into(),
            expires: body.expires.map(Text),
            call: body.call.clone().into(),
            signatures: transaction.transaction().signatures.iter().map(signature).collect(),
            encoded: Text(transaction.bytes().to_vec()),
        }
    }
}

/// A transaction, and where it is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransactionStateView {
    /// Where it is in its life.
    pub state: TransactionStateName,
    /// Where it stands, once it is final.
    pub receipt: Option<ReceiptView>,
    /// The transaction.
    pub transaction: TransactionView,
}
