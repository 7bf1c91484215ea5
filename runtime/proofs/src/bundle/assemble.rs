//! Making a bundle: from what the node kept, and the state at the checkpoint.

use cairn_types::record::GrantTerms;
use cairn_types::{
    Call, DecodeError, GrantId, Interval, Principal, SignedTransaction, TransactionId, codec, state_key,
};

use super::requirements::{device_query, organization_query, organizations, placements_query, zone_grantors};
use super::{
    Anchor, BUNDLE_BYTES_MAX, BUNDLE_MAGIC, BUNDLE_VERSION, Bundle, DeviceFile, DeviceFileError, PastBlock,
    TransactionInclusion,
};
use crate::authority::{self, AuthorityFailure};
use crate::checkpoint::CheckpointProof;
use crate::tree::{ProofError, Query, StateProof, StateTree, VALUE_BYTES_MAX};

/// What the node supplies beside the state tree: everything that stands in its log of blocks or is computed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// A final block, at or after the attestation's, with all changes of the validators before it. The state tree must be
    /// the one after this block.
    pub finality: CheckpointProof,
    /// The attestation's block, with the proof of its hash among the first `checkpoint.height` block hashes; `None` exactly
    /// if it is the checkpoint.
    pub block: Option<PastBlock>,
    /// The block of the attestation's `not_before`, likewise; `None` exactly if it is the genesis.
    pub not_before: Option<PastBlock>,
    /// A block that the auditor asked to find in the checkpoint's history.
    pub anchor: Option<Anchor>,
    /// The attestation, as it stands in its block.
    pub transaction: SignedTransaction,
    /// Its place among the block's transactions; the items are [`cairn_types::transaction::leaf_of`] their bytes.
    pub inclusion: TransactionInclusion,
}

/// Why a bundle cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// The state tree is not the one after the checkpoint: the caller is to blame.
    #[error("the state is not that after block {height}")]
    WrongState {
        /// The checkpoint's height.
        height: cairn_types::Height,
    },
    /// Bundles are about attestations: whoever asks is to blame.
    #[error("transaction {id} is not an attestation by a device")]
    NotAnAttestation {
        /// The transaction.
        id: TransactionId,
    },
    /// The state does not hold what the attestation needs, or not in a form known here. With a final attestation and its
    /// own state this is a bug.
    #[error("the device's file: {0}")]
    Device(#[from] DeviceFileError),
    /// Likewise, for a grant.
    #[error("the authority: {0}")]
    Authority(#[from] AuthorityFailure),
    /// A list is too long to be proven.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The device's file is so long that no bundle can hold it.
    #[error("a bundle of {bytes} bytes, but at most {max} are allowed", max = BUNDLE_BYTES_MAX)]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl Bundle {
    /// Makes the bundle of `parts.transaction` at `parts.finality`, taking every state proof from `state`.
    ///
    /// It does not judge: headers, certificates and proofs that the caller supplies are taken as they are. A caller that
    /// wants to know passes the bundle to [`crate::verdict::verify`].
    ///
    /// # Errors
    /// [`AssembleError`].
    pub fn assemble(state: &StateTree, parts: Parts) -> Result<Self, AssembleError> {
        let Parts { finality, transaction, inclusion, .. } = parts;
        let checkpoint = &finality.checkpoint;
        if state.root() != checkpoint.state_root {
            return Err(AssembleError::WrongState { height: checkpoint.height });
        }
        let body = transaction.body();
        let (Principal::Device(device), Call::Attest(attest)) = (body.signer, &body.call) else {
            return Err(AssembleError::NotAnAttestation { id: transaction.id() });
        };
        let file = DeviceFile::read(&device, state.prefix(&state_key::device(&device)))?;
        let path = authority::path(&attest.authority, |id| grant_of(state, id))?;

        let prove = |query: Query| -> Result<StateProof, ProofError> { state.prove(&query) };
        let grants = path.iter().map(|(id, _)| prove(Query::key(&state_key::grant(id)))).collect::<Result<_, _>>()?;
        let placements =
            zone_grantors(&path, &device).iter().map(|id| prove(placements_query(id))).collect::<Result<_, _>>()?;
        let organizations = organizations(&file, body.not_before.height, &path)
            .iter()
            .map(|id| prove(organization_query(id)))
            .collect::<Result<_, _>>()?;

        let lot = file.record.endorsement.as_ref().map(|word| Query::key(&state_key::lot(&word.lot)));

        let bundle = Self {
            magic: BUNDLE_MAGIC,
            version: BUNDLE_VERSION,
            finality,
            block: parts.block,
            not_before: parts.not_before,
            anchor: parts.anchor,
            transaction: transaction.bytes().to_vec(),
            inclusion,
            device: prove(device_query(&device))?,
            stream: prove(Query::key(&state_key::stream(&attest.stream)))?,
            grants,
            placements,
            organizations,
            lot: lot.map(prove).transpose()?,
            superseded: prove(Query::key(&state_key::superseded(&attest.stream, attest.sequence)))?,
        };
        match bundle.encode().len() {
            bytes if bytes > BUNDLE_BYTES_MAX => Err(AssembleError::TooLarge { bytes }),
            _ => Ok(bundle),
        }
    }
}

fn grant_of(state: &StateTree, id: &GrantId) -> Option<Interval<GrantTerms>> {
    let decode = |value: &[u8]| -> Result<_, DecodeError> { codec::decode(value, VALUE_BYTES_MAX) };
    decode(&state.get(&state_key::grant(id))?).ok()
}
