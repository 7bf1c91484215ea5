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
        read_header(&mut bytes)
    }

    /// The header of an encoded block and the transaction at `index` in it, `None` if there are fewer, without decoding the
    /// others: a full block has thousands.
    ///
    /// # Errors
    /// [`DecodeError`], if the encoding is broken up to there; whoever sent the bytes is to blame.
    pub fn transaction_of(mut bytes: &[u8], index: u32) -> Result<(Header, Option<&[u8]>), DecodeError> {
        let cut = || DecodeError::Malformed { reason: "the block ends within a transaction".to_owned() };
        let header = read_header(&mut bytes)?;
        let (count, mut rest) = split_length(bytes).ok_or_else(cut)?;
        if index as usize >= count {
            return Ok((header, None));
        }
        for _ in 0..index {
            let (length, behind) = split_length(rest).ok_or_else(cut)?;
            rest = behind.get(length..).ok_or_else(cut)?;
        }
        let (length, behind) = split_length(rest).ok_or_else(cut)?;
        Ok((header, Some(behind.get(..length).ok_or_else(cut)?)))
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

fn read_header(bytes: &mut &[u8]) -> Result<Header, DecodeError> {
    Header::deserialize(bytes).map_err(|error| DecodeError::Malformed { reason: error.to_string() })
}

/// The length that stands before what Borsh encodes as a list, and what follows it.
fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*length) as usize, rest))
}

#[cfg(test)]
mod tests {
    use super::{Block, HEADER_VERSION, Header};
    use crate::codec::encode;
    use crate::hash::{BlockHash, ChainId, Hash};
    use crate::position::Height;

    fn block(transactions: Vec<Vec<u8>>) -> Block {
        let header = Header {
            version: HEADER_VERSION,
            chain: ChainId::NONE,
            height: Height::new(7),
            time_ms: 1,
            parent: BlockHash::from_hash(Hash::plain(b"parent")),
            history_root: Hash::plain(b"history"),
            tx_root: Hash::plain(b"transactions"),
            state_root: Hash::plain(b"state"),
            validators_root: Hash::plain(b"validators"),
            next_validators_root: Hash::plain(b"next"),
            proposer: 2,
        };
        Block { header, transactions }
    }

    #[test]
    fn one_transaction_is_found_as_decoding_the_whole_block_finds_it_and_a_cut_one_is_not() {
        let block = block((0..40u8).map(|byte| vec![byte; usize::from(byte) * 7 % 50]).collect());
        let bytes = encode(&block);
        for (index, transaction) in (0u32..).zip(&block.transactions) {
            let found = Block::transaction_of(&bytes, index).expect("it is whole");
            assert_eq!(found, (block.header.clone(), Some(transaction.as_slice())));
        }
        for index in [40, 41, u32::MAX] {
            assert_eq!(Block::transaction_of(&bytes, index), Ok((block.header.clone(), None)));
        }
        for end in 0..bytes.len() {
            assert!(Block::transaction_of(&bytes[..end], 39).is_err(), "cut to {end} bytes");
        }
        let mut lying = bytes;
        let at = lying.len() - 23 - 4;
        lying[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Block::transaction_of(&lying, 39).is_err(), "a length beyond the end");
    }
}
