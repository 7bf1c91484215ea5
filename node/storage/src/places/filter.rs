//! A filter in memory that says which names are surely not in a run: a Bloom filter in which all bits of a name lie in one word,
//! so that asking costs one look at memory.
//!
//! It never says of a name that was inserted that it is not there. Of one that was not it says so 97 times in a hundred.

use super::Key;

/// Bits of the filter for each name: 12 MB at ten million transactions.
const BITS_PER_NAME: usize = 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// An empty one for this many names.
    pub(super) fn new(names: usize) -> Self {
        let words = (names.saturating_mul(BITS_PER_NAME) / 64).saturating_add(1);
        Self { words: vec![0; words] }
    }

    /// One that was kept.
    pub(super) const fn from_words(words: Vec<u64>) -> Self {
        Self { words }
    }

    /// What is to be kept.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The word of a name, by the bits that do not order the records, and its bits in there.
    fn place_of(&self, key: Key) -> (usize, u64) {
        let at = (u128::from(key.1) * self.words.len() as u128) >> 64;
        let bit = |shift: u32| 1_u64 << (key.0 >> shift & 63);
        (usize::try_from(at).unwrap_or(0), bit(0) | bit(6) | bit(12) | bit(18))
    }

    /// Notes a name.
    pub(super) fn insert(&mut self, key: Key) {
        let (at, bits) = self.place_of(key);
        if let Some(word) = self.words.get_mut(at) {
            *word |= bits;
        }
    }

    /// Whether the name may have been noted.
    pub(super) fn may_hold(&self, key: Key) -> bool {
        let (at, bits) = self.place_of(key);
        self.words.get(at).is_some_and(|word| word & bits == bits)
    }
}
