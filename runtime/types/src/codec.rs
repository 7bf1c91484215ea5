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
    if is_encoding(&value, bytes) { Ok(value) } else { Err(DecodeError::NotCanonical) }
}

/// The value that stands at the beginning of `bytes`, which then begin behind it.
///
/// # Errors
/// [`DecodeError`], if it is malformed or not canonical.
pub(crate) fn decode_next<T: BorshSerialize + BorshDeserialize>(bytes: &mut &[u8]) -> Result<T, DecodeError> {
    let all = *bytes;
    let value = T::deserialize(bytes).map_err(|error| DecodeError::Malformed { reason: error.to_string() })?;
    let used = all.len().saturating_sub(bytes.len());
    let is_canonical = all.get(..used).is_some_and(|used| is_encoding(&value, used));
    if is_canonical { Ok(value) } else { Err(DecodeError::NotCanonical) }
}

/// Whether `bytes` are the encoding of `value`. They are compared as the encoder writes, so that nothing is allocated.
fn is_encoding<T: BorshSerialize>(value: &T, bytes: &[u8]) -> bool {
    let mut expected = Expected { rest: bytes };
    value.serialize(&mut expected).is_ok() && expected.rest.is_empty()
}

/// Takes only the bytes that it expects.
struct Expected<'a> {
    rest: &'a [u8],
}

impl borsh::io::Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> borsh::io::Result<usize> {
        self.rest = self.rest.strip_prefix(bytes).ok_or(borsh::io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> borsh::io::Result<()> {
        Ok(())
    }
}
