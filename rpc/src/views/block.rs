//! Blocks, certificates, validators and the genesis.

use cairn_types::certificate::CertificateSignature;
use cairn_types::{
    BlockHash, Certificate, ChainId, Hash, Header, Height, OrganizationId, TransactionId, Validator, ValidatorSet,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::PositionView;
use super::text::{Hex, Text};
use super::zone::PrincipalView;

/// A block's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderView {
    /// The block's hash, which is the hash of this header.
    pub hash: Text<BlockHash>,
    /// Format of the header.
    pub version: u16,
    /// The network; in block 0 itself, zeros.
    pub chain: Text<ChainId>,
    /// The block's height.
    pub height: Text<Height>,
    /// When it was proposed, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: Text<u64>,
    /// The hash of the block before.
    pub parent: Text<BlockHash>,
    /// Accumulator root over the hashes of all earlier blocks.
    pub history_root: Text<Hash>,
    /// Accumulator root over this block's signed transactions.
    pub tx_root: Text<Hash>,
    /// Root of the state after this block.
    pub state_root: Text<Hash>,
    /// Root of the validators who decide this block.
    pub validators_root: Text<Hash>,
    /// Root of the validators who decide the next one.
    pub next_validators_root: Text<Hash>,
    /// Who proposed it first: a place in the validator set.
    pub proposer: u16,
}

impl From<&Header> for HeaderView {
    fn from(header: &Header) -> Self {
        Self {
            hash: Text(header.hash()),
            version: header.version,
            chain: Text(header.chain),
            height: Text(header.height),
            time_ms: Text(header.time_ms),
            parent: Text(header.parent),
            history_root: Text(header.history_root),
            tx_root: Text(header.tx_root),
            state_root: Text(header.state_root),
            validators_root: Text(header.validators_root),
            next_validators_root: Text(header.next_validators_root),
            proposer: header.proposer,
        }
    }
}

/// A header, under a name of its own: its `height` is not the height at which it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeaderAnswer {
    /// The header.
    pub header: HeaderView,
}

/// The precommits by which a block became final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateView {
    /// The block's height.
    pub block_height: Text<Height>,
    /// The block's hash.
    pub block: Text<BlockHash>,
    /// The round that decided.
    pub round: u32,
    /// The precommits, ascending by validator.
    pub signatures: Vec<CertificateSignatureView>,
}

/// One validator's precommit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateSignatureView {
    /// The validator's place in the set that decided.
    pub validator: u16,
    /// Its Ed25519 signature.
    pub signature: Hex,
}

impl From<&Certificate> for CertificateView {
    fn from(certificate: &Certificate) -> Self {
        let view = |one: &CertificateSignature| CertificateSignatureView {
            validator: one.validator,
            signature: Text(one.signature.to_vec()),
        };
        Self {
            block_height: Text(certificate.height),
            block: Text(certificate.block),
            round: certificate.round.get(),
            signatures: certificate.signatures.iter().map(view).collect(),
        }
    }
}

/// A block, with a line for each transaction; `tx_get` has the whole of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockView {
    /// The header.
    pub header: HeaderView,
    /// Who decided it; the genesis block has no certificate.
    pub certificate: Option<CertificateView>,
    /// The transactions, in order.
    pub transactions: Vec<TransactionLineView>,
}

/// A transaction in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransactionLineView {
    /// Its id.
    pub id: Text<TransactionId>,
    /// The call's name.
    pub call: String,
    /// In whose name.
    pub signer: PrincipalView,
    /// Length of its encoding in bytes, signatures included.
    pub bytes: u32,
}

/// A block that has just become final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinalBlockView {
    /// The block's height, at which this was read as well.
    pub height: Text<Height>,
    /// The block's hash.
    pub hash: Text<BlockHash>,
    /// When it was proposed, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: Text<u64>,
    /// How many transactions it holds.
    pub transactions: u32,
    /// Who proposed it first: a place in the validator set.
    pub proposer: u16,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidatorView {
    /// The Ed25519 key that signs proposals and votes.
    pub key: Hex,
    /// The Ed25519 key that names its node in the network.
    pub peer: Hex,
    /// Its weight.
    pub power: Text<u64>,
    /// Whose it is.
    pub organization: Text<OrganizationId>,
}

impl From<&Validator> for ValidatorView {
    fn from(validator: &Validator) -> Self {
        Self {
            key: Text(validator.key.to_vec()),
            peer: Text(validator.peer.to_vec()),
            power: Text(validator.power.get()),
            organization: Text(validator.organization),
        }
    }
}

/// The validators who decide a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidatorsView {
    /// The root by which headers know the set.
    pub root: Text<Hash>,
    /// Power of all together; a block needs more than two thirds of it.
    pub total_power: Text<u64>,
    /// The validators in their order; certificates name them by their place, from 0.
    pub validators: Vec<ValidatorView>,
}

impl From<&ValidatorSet> for ValidatorsView {
    fn from(set: &ValidatorSet) -> Self {
        Self {
            root: Text(set.root()),
            total_power: Text(set.total_power().get()),
            validators: set.iter().map(ValidatorView::from).collect(),
        }
    }
}

/// The validators who decide a block, and those who are to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidatorsAnswer {
    /// Who decides the block.
    #[serde(flatten)]
    pub validators: ValidatorsView,
    /// The first block that they decide.
    pub since: PositionView,
    /// How often the validators have changed since the genesis.
    pub changes: u32,
    /// Those who are to come, if a change is decided and has not taken effect.
    pub scheduled: Option<ScheduledValidatorsView>,
}

/// Validators who are to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduledValidatorsView {
    /// The first height that they decide.
    pub effective: Text<Height>,
    /// Who they are.
    #[serde(flatten)]
    pub validators: ValidatorsView,
}

/// What every node of the network was started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GenesisView {
    /// The network: the hash of block 0.
    pub chain: Text<ChainId>,
    /// The genesis file, as this node holds it.
    pub text: String,
    /// Block 0.
    pub header: HeaderView,
    /// The validators of block 1.
    pub validators: ValidatorsView,
}
