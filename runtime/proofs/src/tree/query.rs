//! What is asked of the tree: all entries whose virtual bits begin with given ones.

use super::bits::{self, BITS_PER_BYTE};
use super::{KEY_BYTES_MAX, ProofError};

/// Most bits in a query: those of the longest key.
const QUERY_BITS_MAX: usize = BITS_PER_BYTE * KEY_BYTES_MAX + 1;

/// Asks for all entries whose virtual bits begin with the first `bits` virtual bits of `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    key: Vec<u8>,
    bits: u16,
}

impl Query {
    /// Asks for one key. A key that no map can hold (empty, or too long) is a question like any other; the answer is
    /// always that it is absent.
    pub fn key(key: &[u8]) -> Self {
        Self::cut(key, key.len().saturating_mul(BITS_PER_BYTE).saturating_add(1))
    }

    /// Asks for all keys that begin with `prefix`. The empty prefix asks for the whole map.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self::cut(prefix, prefix.len().saturating_mul(BITS_PER_BYTE))
    }

    /// Asks for all keys whose virtual bits begin with the first `bits` of those of `key`: the general form, which can
    /// also split a large list into halves.
    ///
    /// # Errors
    /// [`ProofError::QueryTooLong`], if `key` has fewer virtual bits than that, or more than 255 bytes: whoever asks is to
    /// blame.
    pub fn bits(key: &[u8], bits: u16) -> Result<Self, ProofError> {
        if key.len() > KEY_BYTES_MAX || usize::from(bits) > key.len().saturating_mul(BITS_PER_BYTE).saturating_add(1) {
            return Err(ProofError::QueryTooLong { key_bytes: key.len(), bits });
        }
        Ok(Self::cut(key, usize::from(bits)))
    }

    /// The key whose first bits are asked for.
    pub fn key_bytes(&self) -> &[u8] {
        &self.key
    }

    /// How many virtual bits of the key are asked for.
    pub fn bit_count(&self) -> u16 {
        self.bits
    }

    /// Whether an entry with this key answers the query.
    pub fn matches(&self, key: &[u8]) -> bool {
        bits::first_difference(key, &self.key).is_none_or(|position| position >= self.bits)
    }

    /// The query's own virtual bit at position `p`.
    pub(super) fn bit(&self, p: u16) -> bool {
        bits::bit(&self.key, p)
    }

    /// One byte more than a key can have is kept, and its first virtual bit: enough to differ from every key of a map.
    fn cut(key: &[u8], bits: usize) -> Self {
        let key = key.get(..KEY_BYTES_MAX + 1).unwrap_or(key).to_vec();
        let bits = u16::try_from(bits.min(QUERY_BITS_MAX)).expect("2,296 fits in 16 bits");
        Self { key, bits }
    }
}
