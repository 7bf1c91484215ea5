//! The bundle: one file with everything that an auditor needs to judge one attestation, with no network and no server.
//!
//! ```text
//! genesis ── validators ── changes ──► who may decide
//!                                         │ certificate
//!                                     checkpoint ── history_root ──► block, not_before, anchor
//!                                         │                            │ tx_root
//!                                     state_root                    transaction
//!                                         └──► device, stream, grants, placements, organizations, lot, superseded
//! ```
//!
//! A bundle says nothing by itself. [`crate::verdict::verify`] judges it against what the auditor brings along: the
//! network's genesis hash, the content, and, if wanted, a block that the auditor trusts and a limit on the bundle's age.
//! None of these is ever read from the bundle.
//!
//! It does not know where its parts come from: [`Bundle::assemble`] is given the state tree at the checkpoint and the rest
//! by the node.
//!
//! The invariant: a bundle has one encoding, and every byte of it is hashed or checked on the way to the verdict.

mod assemble;
mod device_file;
pub(crate) mod requirements;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::{BlockHash, DecodeError, Header, codec};

use crate::accumulator::InclusionProof;
use crate::checkpoint::CheckpointProof;
use crate::tree::StateProof;

pub use assemble::{AssembleError, Parts};
pub use device_file::{DeviceFile, DeviceFileError, standing_at};
pub(crate) use device_file::{push_in_order, read_placements};

/// The first bytes of every bundle.
pub const BUNDLE_MAGIC: [u8; 12] = *b"cairn bundle";

/// The version that this crate writes and reads.
pub const BUNDLE_VERSION: u16 = 2;

/// Most bytes of a bundle: a device moved ten thousand times and fifty changes of 32 validators fit. It bounds what a
/// hostile file can cost an auditor; checks stop at the first failure, so only real validators can make it costly.
pub const BUNDLE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Everything needed to judge one attestation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Bundle {
    /// [`BUNDLE_MAGIC`].
    pub magic: [u8; 12],
    /// [`BUNDLE_VERSION`].
    pub version: u16,
    /// The checkpoint, and the way to it from the genesis.
    pub finality: CheckpointProof,
    /// The block that holds the attestation; `None` exactly if that is the checkpoint.
    pub block: Option<PastBlock>,
    /// The block that the attestation names in `not_before`; `None` exactly if that is the genesis.
    pub not_before: Option<PastBlock>,
    /// One more block of the checkpoint's history, which connects the bundle to a block that its auditor trusts.
    pub anchor: Option<Anchor>,
    /// The signed transaction, in the bytes in which it stands in the ledger.
    pub transaction: Vec<u8>,
    /// Where in its block it stands.
    pub inclusion: TransactionInclusion,
    /// The device's file: the list under [`cairn_types::state_key::device`].
    pub device: StateProof,
    /// The stream's record: the key [`cairn_types::state_key::stream`].
    pub stream: StateProof,
    /// The grants on the path from the one that the attestation names up to the owner's: keys
    /// [`cairn_types::state_key::grant`].
    pub grants: Vec<StateProof>,
    /// The placements of other devices that passed on a grant which they held through a zone, in the order of the path:
    /// lists under [`cairn_types::state_key::device_facet`].
    pub placements: Vec<StateProof>,
    /// The records of the device's owners since `not_before`, of the organizations that gave the grants and of the
    /// manufacturer who vouched for the device, ascending by id: keys under
    /// [`cairn_types::state_key::organization_facet`] with ordinal 0.
    pub organizations: Vec<StateProof>,
    /// The lot that the device comes from, exactly if its record names one: the key [`cairn_types::state_key::lot`].
    pub lot: Option<StateProof>,
    /// Whether the attestation was superseded, or that it was not: the key [`cairn_types::state_key::superseded`].
    pub superseded: StateProof,
}

/// A block before the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PastBlock {
    /// Its header.
    pub header: Header,
    /// Its hash in the checkpoint's history, at the index of its height.
    pub history: InclusionProof,
}

/// A block before the checkpoint, by its hash alone; its height is the proof's index.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Anchor {
    /// The block.
    pub hash: BlockHash,
    /// The hash in the checkpoint's history.
    pub history: InclusionProof,
}

/// The place of a transaction in its block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TransactionInclusion {
    /// Transactions in the block; the block's `tx_root` commits to it.
    pub count: u32,
    /// The transaction among them.
    pub proof: InclusionProof,
}

/// Why bytes are not a bundle. Whoever made the file is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It begins as no bundle does.
    #[error("not a bundle")]
    NotABundle,
    /// A bundle of a version that this program does not know.
    #[error("a bundle of version {found}, but only version {BUNDLE_VERSION} is known here")]
    Version {
        /// The version it names.
        found: u16,
    },
    /// Too long, damaged, or not in its one encoding.
    #[error(transparent)]
    Encoding(#[from] DecodeError),
}

impl Bundle {
    /// The bundle's one encoding: the bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The bundle whose encoding is exactly `bytes`.
    ///
    /// # Errors
    /// [`BundleError`]; whoever made the file is to blame.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let rest = bytes.strip_prefix(&BUNDLE_MAGIC).ok_or(BundleError::NotABundle)?;
        let version = rest.first_chunk().map(|bytes| u16::from_le_bytes(*bytes)).ok_or(BundleError::NotABundle)?;
        if version != BUNDLE_VERSION {
            return Err(BundleError::Version { found: version });
        }
        Ok(codec::decode(bytes, BUNDLE_BYTES_MAX)?)
    }
}
