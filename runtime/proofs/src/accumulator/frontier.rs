//! The right edge of an accumulator: enough to append and to know the root.

use std::io::{self, Read};

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::Hash;

use super::{ITEMS_MAX, leaf_hash, node_hash, root_hash};

/// A complete node as a store keeps it: level, index in the level, hash.
pub type Node = (u8, u64, Hash);

/// Count and peaks, a peak being the root of a perfect subtree. In borsh: u64 count, u32 number of peaks, peaks from the
/// largest to the smallest; the decoder demands as many peaks as the count has one bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize)]
pub struct Frontier {
    count: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of these items.
    pub fn from_items(items: &[Hash]) -> Self {
        let mut frontier = Self::new();
        for item in items {
            frontier.add(item);
        }
        frontier
    }

    /// The frontier with this count and these peaks, as a record keeps them; `None` unless there is one peak for each one
    /// bit of the count, and the count is within [`ITEMS_MAX`].
    pub fn from_parts(count: u64, peaks: Vec<Hash>) -> Option<Self> {
        let fits = count <= ITEMS_MAX && u32::try_from(peaks.len()) == Ok(count.count_ones());
        fits.then_some(Self { count, peaks })
    }

    /// Appends an item. Returns the nodes that are complete now, the leaf first and each one's parent after it: all that a
    /// store must keep for proofs.
    pub fn append(&mut self, item: &Hash) -> Vec<Node> {
        let mut complete = Vec::new();
        self.push(item, |node| complete.push(node));
        complete
    }

    /// The same for who only needs roots: what is complete is dropped.
    pub fn add(&mut self, item: &Hash) {
        self.push(item, |_| ());
    }

    /// Count and peaks, as a record keeps them.
    pub fn into_parts(self) -> (u64, Vec<Hash>) {
        (self.count, self.peaks)
    }

    /// Number of items.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The roots of the perfect subtrees, from the largest to the smallest.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The root, which commits to every item and to their number.
    pub fn root(&self) -> Hash {
        let mth = fold_peaks(self.peaks.iter().copied()).unwrap_or(Hash::ZERO);
        root_hash(self.count, &mth)
    }

    /// The one peak of a list whose length is a power of two.
    pub(super) fn single_peak(&self) -> Option<Hash> {
        match self.peaks.as_slice() {
            [peak] => Some(*peak),
            _ => None,
        }
    }

    fn push(&mut self, item: &Hash, mut on_complete: impl FnMut(Node)) {
        let mut hash = leaf_hash(item);
        let mut index = self.count;
        on_complete((0, index, hash));
        // Each one bit at the low end of the count is a peak that this item completes to the next size.
        for level in 1..=self.count.trailing_ones() {
            let left = self.peaks.pop().expect("there is a peak for each one bit of the count");
            hash = node_hash(&left, &hash);
            index >>= 1;
            on_complete((u8::try_from(level).expect("a count has 64 bits"), index, hash));
        }
        self.peaks.push(hash);
        self.count = self.count.checked_add(1).expect("a list starts below 2^63 and grows by one");
    }
}

/// The MTH over perfect subtrees, given from the largest to the smallest; `None` if there is none.
pub(super) fn fold_peaks(peaks: impl DoubleEndedIterator<Item = Hash>) -> Option<Hash> {
    peaks.rev().reduce(|right, left| node_hash(&left, &right))
}

impl BorshDeserialize for Frontier {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let count = u64::deserialize_reader(reader)?;
        if count > ITEMS_MAX {
            return Err(invalid(format!("a list of {count} items, but at most {ITEMS_MAX} are allowed")));
        }
        let length = u32::deserialize_reader(reader)?;
        if length != count.count_ones() {
            return Err(invalid(format!("{length} peaks for {count} items")));
        }
        let peaks = (0..length).map(|_| Hash::deserialize_reader(reader)).collect::<io::Result<_>>()?;
        Ok(Self { count, peaks })
    }
}
