//! Blocks: a header that commits to everything, and the transactions.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::{self, DecodeError, encode};
use crate::domain;
use crate::hash::{BlockHash, ChainId, Hash};
use crate::limits::{BLOCK_TRANSACTIONS_MAX, ENCODED_BLOCK_BYTES_MAX};
use crate::position::Height;
use crate::validators::ValidatorIndex;

/// The header version that this crate writes and reads.
pub const HEADER_VERSION: u16 = 1;

/// What a block commits to. Its hash is the block's hash.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// Format of the header: [`HEADER_VERSION`].
    pub version: u16,
    /// The network; in block 0 itself, [`ChainId::NONE`].
    pub chain: ChainId,
    /// The block's place.
    pub height: Height,
    /// When it was proposed, in milliseconds since 1970-01-01T00:00:00Z, by the proposer's clock within bounds of every
    /// voter's. It rises from block to block. No rule reads it.
    pub time_ms: u64,
    /// The hash of the block before; of block 0, zeros.
    pub parent: BlockHash,
    /// Accumulator root over the hashes of all earlier blocks.
    pub history_root: Hash,
    /// Accumulator root over this block's signed transactions.
    pub tx_root: Hash,
    /// Root of the state after this block.
    pub state_root: Hash,
    /// Root of the validators who decide this block.
    pub validators_root: Hash,
    /// Root of the validators who decide the next one.
    pub next_validators_root: Hash,
    /// Who proposed it first.
    pub proposer: ValidatorIndex,
}

impl Header {
    /// The block's hash.
    pub fn hash(&self) -> BlockHash {
        BlockHash::from_hash(Hash::derive(domain::BLOCK, &encode(self)))
    }

    /// The network that this header belongs to; of block 0, its own hash.
    pub fn chain_id(&self) -> ChainId {
        if self.height == Height::GENESIS { ChainId::from_hash(self.hash().hash()) } else { self.chain }
    }
}

/// A header and the bytes of its signed transactions.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Each an encoded [`crate::Transaction`].
    pub transactions: Vec<Vec<u8>>,
}

impl Block {
    /// The header with which an encoded block begins; what stands behind it may be anything.
    ///
    /// # Errors
    /// [`DecodeError`]; whoever sent the bytes is to blame.
    pub fn header_of(mut bytes: &[u8]) -> Result<Header, DecodeError> {
        Header::deserialize(&mut bytes).map_err(|error| DecodeError::Malformed { reason: error.to_string() })
    }

    /// Decodes a block from bytes that anybody may have sent. It checks the encoding and the number of transactions, not
    /// what they say.
    ///
    /// # Errors
    /// [`DecodeError`]; whoever sent the bytes is to blame.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let block: Self = codec::decode(bytes, ENCODED_BLOCK_BYTES_MAX)?;
        if block.transactions.len() > BLOCK_TRANSACTIONS_MAX {
            return Err(DecodeError::TooLong { length: block.transactions.len(), max: BLOCK_TRANSACTIONS_MAX });
        }
        Ok(block)
    }
}
