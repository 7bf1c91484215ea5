//! What nodes say to each other: frames on the consensus streams, and catch-up requests with their answers.
//!
//! The network moves these as bytes. Decoding checks the encoding and the sizes; who may be believed is decided where a
//! frame is used.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_consensus::Evidence;
use cairn_types::certificate::CERTIFICATE_BYTES_MAX;
use cairn_types::limits::ENCODED_BLOCK_BYTES_MAX;
use cairn_types::{BlockHash, DecodeError, Height, codec};

use crate::snapshot::receive::HeadersPiece;

/// A frame between validators, or from a validator to a node that follows.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(crate) enum Frame {
    /// An encoded message of agreement.
    Message(Vec<u8>) = 0,
    /// The bytes of a block that is proposed; sent before its proposal.
    Block(Vec<u8>) = 1,
    /// The newest final height of the sender: a hint to catch up.
    Head(Height) = 2,
    /// Two messages with the receiver's signature that contradict each other: another node has its key.
    Contradiction(Box<Evidence>) = 3,
}

/// A catch-up request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(crate) enum Request {
    /// Which is your newest final height?
    Head = 0,
    /// Final blocks from this height on, as many as fit.
    Blocks {
        /// The first height.
        from: Height,
    } = 1,
    /// The bytes of a block that is proposed and not decided.
    Undecided {
        /// The block.
        block: BlockHash,
    } = 2,
    /// Which is your newest snapshot? This and what follows: [`crate::snapshot`].
    Snapshot = 3,
    /// Headers of a snapshot's history, from this height on, as many as fit.
    SnapshotHeaders {
        /// The snapshot's height.
        snapshot: Height,
        /// The first height.
        from: Height,
    } = 4,
    /// The next piece of a snapshot's state.
    SnapshotState {
        /// The snapshot's height.
        snapshot: Height,
        /// The last key that the asker has.
        after: Option<Vec<u8>>,
    } = 5,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(crate) enum Response {
    /// The newest final height.
    Head(Height) = 0,
    /// Blocks with their certificates, in order, without a gap; empty if there are none from that height on.
    Blocks(Vec<FinalBlock>) = 1,
    /// The block's bytes, if they are here.
    Undecided(Option<Vec<u8>>) = 2,
    /// The encoded checkpoint proof of the newest snapshot, if there is one.
    Snapshot(Option<Vec<u8>>) = 3,
    /// Headers, if that snapshot is here.
    SnapshotHeaders(Option<HeadersPiece>) = 4,
    /// An encoded proof, if that snapshot is here and there is more of it.
    SnapshotState(Option<Vec<u8>>) = 5,
}

/// A final block as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct FinalBlock {
    /// The encoded block.
    pub(crate) block: Vec<u8>,
    /// The encoded certificate.
    pub(crate) certificate: Vec<u8>,
}

/// Most blocks in one answer: small ones take time to execute, and progress should be seen.
pub(crate) const BLOCKS_PER_ANSWER_MAX: usize = 256;

/// Most bytes of blocks in one answer: half of what the network takes, so that one more block of any size fits.
pub(crate) const BLOCK_BYTES_PER_ANSWER: usize = 4 * 1024 * 1024;

/// First byte of an encoded [`Response::Blocks`].
const BLOCKS_TAG: u8 = 1;

/// Largest encoded frame: a block.
const FRAME_BYTES_MAX: usize = ENCODED_BLOCK_BYTES_MAX + 8;

const _: () = assert!(FRAME_BYTES_MAX <= cairn_network::CONSENSUS_FRAME_BYTES_MAX, "every block fits a frame");
const _: () = assert!(
    BLOCK_BYTES_PER_ANSWER + ENCODED_BLOCK_BYTES_MAX + (CERTIFICATE_BYTES_MAX + 16) * BLOCKS_PER_ANSWER_MAX
        <= cairn_network::RESPONSE_BYTES_MAX,
    "an answer fits the network's limit"
);

impl Frame {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, FRAME_BYTES_MAX)
    }
}

impl Request {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, cairn_network::REQUEST_BYTES_MAX)
    }
}

impl Response {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        // The count is looked at before anything is allocated by it: a million empty blocks take 8 MiB to send and 48 to keep.
        if let Some((&BLOCKS_TAG, rest)) = bytes.split_first()
            && let Some((count, _)) = rest.split_first_chunk::<4>()
            && u32::from_le_bytes(*count) as usize > BLOCKS_PER_ANSWER_MAX
        {
            return Err(DecodeError::Malformed { reason: "more blocks than an answer may have".to_owned() });
        }
        codec::decode(bytes, cairn_network::RESPONSE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use cairn_types::encode;

    use super::{BLOCKS_PER_ANSWER_MAX, FinalBlock, Response};

    #[test]
    fn an_answer_with_more_blocks_than_asked_for_is_refused_before_it_is_kept() {
        let answer = |count: usize| {
            let empty = FinalBlock { block: Vec::new(), certificate: Vec::new() };
            Response::decode(&encode(&Response::Blocks(vec![empty; count])))
        };
        assert!(answer(BLOCKS_PER_ANSWER_MAX).is_ok());
        let refused = answer(BLOCKS_PER_ANSWER_MAX + 1).expect_err("it is too many");
        assert!(refused.to_string().contains("more blocks"), "{refused}");
    }
}
