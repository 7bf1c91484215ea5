//! The one encoding: borsh, made strict.
//!
//! borsh (borsh.io) has one encoding for each value, but its decoders are a little more generous than that. [`decode`]
//! closes the gap: a length cap before anything is allocated, no trailing bytes, and what was decoded must encode to the
//! very bytes that were given.

use borsh::{BorshDeserialize, BorshSerialize};

/// Why bytes are not one of our values. Whoever sent the bytes is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than such a value may have.
    #[error("{length} bytes, but at most {max} are allowed")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// The cap.
        max: usize,
    },
    /// Not an encoding of such a value.
    #[error("not a valid encoding: {reason}")]
    Malformed {
        /// What the decoder stumbled over.
        reason: String,
    },
    /// Decodes, but is not the one encoding of what it decodes to.
    #[error("decodes, but is not the canonical encoding of its value")]
    NotCanonical,
}

/// The encoding of `value`.
///
/// # Panics
/// If a collection in `value` has 2^32 items or more, which our limits exclude.
pub fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("a Vec takes every write, and our limits keep lengths below 2^32")
}

/// The value whose encoding is exactly `bytes`, of which there may be at most `max`.
///
/// # Errors
/// [`DecodeError`], if the bytes are too many, malformed or not canonical.
pub fn decode<T: BorshSerialize + BorshDeserialize>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLong { length: bytes.len(), max });
    }
    let value = T::try_from_slice(bytes).map_err(|error| DecodeError::Malformed { reason: error.to_string() })?;
    if encode(&value) == bytes { Ok(value) } else { Err(DecodeError::NotCanonical) }
}
