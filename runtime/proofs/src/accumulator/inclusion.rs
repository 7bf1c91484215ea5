//! Inclusion: this item stands at this index.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "indices are checked against the count, and every range lies within it"
)]

use std::io::{self, Read};

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::Hash;

use super::frontier::fold_peaks;
use super::{AccumulatorError, leaf_hash, node_hash, root_hash};

/// Most siblings in a proof: one for each bit of an index.
const SIBLINGS_MAX: u32 = 64;

/// Shows that an item stands at an index. In borsh: u64 index, u32 number of siblings (at most 64), siblings from the leaf
/// upwards. Says nothing until it is verified.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct InclusionProof {
    /// The item's index, from 0.
    pub index: u64,
    /// The hashes beside the way from the leaf up.
    pub siblings: Vec<Hash>,
}

impl InclusionProof {
    /// Proves item `index` of the first `count` items of a list. `lookup(level, index)` answers with nodes that
    /// [`Frontier::append`](super::Frontier::append) returned; the list may have grown since.
    ///
    /// # Errors
    /// [`AccumulatorError::NoSuchItem`], if `index` is not below `count`: whoever asks is to blame;
    /// [`AccumulatorError::NodeMissing`], if `lookup` does not have a node: the store is to blame.
    pub fn prove(index: u64, count: u64, lookup: impl Fn(u8, u64) -> Option<Hash>) -> Result<Self, AccumulatorError> {
        let mut siblings =
            way_down(index, count)?.map(|sibling| subtree(sibling, &lookup)).collect::<Result<Vec<_>, _>>()?;
        siblings.reverse();
        Ok(Self { index, siblings })
    }

    /// Checks that `item` stands at [`index`](Self::index) of the list with this count and root. Both must come from
    /// somewhere certified: a proof says nothing about the count that it is checked with.
    ///
    /// # Errors
    /// [`AccumulatorError`]: the proof does not show that. The prover is to blame.
    pub fn verify(&self, item: &Hash, count: u64, root: &Hash) -> Result<(), AccumulatorError> {
        let index = self.index;
        let expected = way_down(index, count)?.count();
        if self.siblings.len() != expected {
            return Err(AccumulatorError::WrongLength { index, count, expected, found: self.siblings.len() });
        }
        // RFC 9162, section 2.1.3.2: `own` is the index of the node on the way, `last` that of its level's last node.
        let mut own = index;
        let mut last = count - 1;
        let mut hash = leaf_hash(item);
        for sibling in &self.siblings {
            if own & 1 == 1 || own == last {
                hash = node_hash(sibling, &hash);
                // A last node without a right neighbour rises until it has a left one.
                let levels = own.trailing_zeros().min(63);
                own >>= levels;
                last >>= levels;
            } else {
                hash = node_hash(&hash, sibling);
            }
            own >>= 1;
            last >>= 1;
        }
        let found = root_hash(count, &hash);
        if found == *root { Ok(()) } else { Err(AccumulatorError::RootMismatch { found }) }
    }
}

/// Consecutive items.
#[derive(Clone, Copy)]
struct Range {
    start: u64,
    length: u64,
}

/// The ranges beside the way from the root down to an item.
fn way_down(index: u64, count: u64) -> Result<impl Iterator<Item = Range>, AccumulatorError> {
    if index >= count {
        return Err(AccumulatorError::NoSuchItem { index, count });
    }
    let mut own = Range { start: 0, length: count };
    Ok(std::iter::from_fn(move || {
        if own.length < 2 {
            return None;
        }
        // The largest power of two below the length.
        let half = 1 << (own.length - 1).ilog2();
        let left = Range { start: own.start, length: half };
        let right = Range { start: own.start + half, length: own.length - half };
        let sibling;
        (own, sibling) = if index < right.start { (left, right) } else { (right, left) };
        Some(sibling)
    }))
}

/// The MTH of a range that starts at a multiple of a power of two not below its length: the fold of its perfect parts.
fn subtree(range: Range, lookup: impl Fn(u8, u64) -> Option<Hash>) -> Result<Hash, AccumulatorError> {
    let mut start = range.start;
    let mut parts = Vec::new();
    for level in (0..=63_u8).rev().filter(|level| (range.length >> level) & 1 == 1) {
        let index = start >> level;
        parts.push(lookup(level, index).ok_or(AccumulatorError::NodeMissing { level, index })?);
        start += 1 << level;
    }
    Ok(fold_peaks(parts.into_iter()).expect("a range has at least one item"))
}

impl BorshDeserialize for InclusionProof {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let index = u64::deserialize_reader(reader)?;
        let length = u32::deserialize_reader(reader)?;
        if length > SIBLINGS_MAX {
            let reason = format!("{length} siblings, but at most {SIBLINGS_MAX} are possible");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let siblings = (0..length).map(|_| Hash::deserialize_reader(reader)).collect::<io::Result<_>>()?;
        Ok(Self { index, siblings })
    }
}
