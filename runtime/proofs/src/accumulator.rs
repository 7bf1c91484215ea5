//! The accumulator: an append-only list of items behind one hash.
//!
//! One type serves the history of blocks, the transactions of a block and the attestations of a stream. The tree is that of
//! RFC 9162, section 2.1 (over n > 1 items it splits at the largest power of two below n), hashed with BLAKE3 and Cairn's
//! own first bytes, which differ from those of the state tree:
//!
//! ```text
//! B3          = BLAKE3-256
//! leaf(item)  = B3(0x10 ‖ item)                     an item is a hash of 32 bytes
//! node        = B3(0x11 ‖ left ‖ right)
//! MTH([x])    = leaf(x)
//! MTH(list)   = node(MTH(first k), MTH(the others)), k being the largest power of two below the list's length
//! root        = B3(0x12 ‖ u64le count ‖ MTH), where MTH of the empty list is 32 zero bytes
//! ```
//!
//! [`Frontier`] is all that is needed to append and to know the root: the perfect subtrees along the right edge, at most
//! 64 hashes. [`InclusionProof`] shows that an item stands at an index of a list of known count and root. To prove, one
//! needs the nodes of perfect subtrees, each named by level and index: the node `(level, index)` covers the items from
//! `index · 2^level` on, 2^level of them. It never changes once it is complete, so a store keeps it forever.
//!
//! It does not know what the items are or where nodes are kept. Invariant: a frontier of count n has exactly as many peaks
//! as n has one bits, from the largest to the smallest.

use cairn_types::Hash;

mod frontier;
mod inclusion;

pub use frontier::{Frontier, Node};
pub use inclusion::InclusionProof;

/// Most items in a list that is read from outside: at a million items a second, 292,000 years. Below 2^64, so that no
/// count overflows however long a node runs.
pub const ITEMS_MAX: u64 = 1 << 63;

/// Why an accumulator's proof cannot be made, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccumulatorError {
    /// There is no such item: whoever names the index is to blame.
    #[error("no item {index} in a list of {count}")]
    NoSuchItem {
        /// The index asked for, from 0.
        index: u64,
        /// Items in the list.
        count: u64,
    },
    /// The proof has another number of siblings than its index and count demand: the prover is to blame.
    #[error("{found} siblings for item {index} of {count}, which takes {expected}")]
    WrongLength {
        /// The item's index, from 0.
        index: u64,
        /// Items in the list.
        count: u64,
        /// Siblings that belong to a proof of this item.
        expected: usize,
        /// Siblings in the proof.
        found: usize,
    },
    /// The proof leads to another root: the prover is to blame.
    #[error("the proof leads to root {found}")]
    RootMismatch {
        /// Where it leads.
        found: Hash,
    },
    /// A node that the proof needs is not kept: the store that was asked is to blame.
    #[error("node {index} of level {level} is missing")]
    NodeMissing {
        /// The node covers 2^level items.
        level: u8,
        /// The node's place in its level, from 0.
        index: u64,
    },
}

/// The root of these items.
pub fn root_of(items: &[Hash]) -> Hash {
    Frontier::from_items(items).root()
}

/// Proves that `items[index]` stands at `index`. Hashes all items, so it suits a list that is at hand, like the
/// transactions of a block; see [`InclusionProof::prove`] for a list whose nodes are kept.
///
/// # Errors
/// [`AccumulatorError::NoSuchItem`], if there is no such item: whoever asks is to blame.
pub fn prove_in(items: &[Hash], index: u64) -> Result<InclusionProof, AccumulatorError> {
    let count = u64::try_from(items.len()).expect("items in memory number less than 2^64");
    InclusionProof::prove(index, count, |level, node| {
        let length = 1_usize.checked_shl(u32::from(level))?;
        let start = usize::try_from(node).ok()?.checked_mul(length)?;
        let covered = items.get(start..start.checked_add(length)?)?;
        Frontier::from_items(covered).single_peak()
    })
}

/// `B3(0x10 ‖ item)`
fn leaf_hash(item: &Hash) -> Hash {
    let mut input = [0; 1 + 32];
    input[0] = 0x10;
    input[1..].copy_from_slice(item.as_bytes());
    Hash::plain(&input)
}

/// `B3(0x11 ‖ left ‖ right)`
fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [0; 1 + 32 + 32];
    input[0] = 0x11;
    input[1..33].copy_from_slice(left.as_bytes());
    input[33..].copy_from_slice(right.as_bytes());
    Hash::plain(&input)
}

/// `B3(0x12 ‖ u64le count ‖ MTH)`
fn root_hash(count: u64, mth: &Hash) -> Hash {
    let mut input = [0; 1 + 8 + 32];
    input[0] = 0x12;
    input[1..9].copy_from_slice(&count.to_le_bytes());
    input[9..].copy_from_slice(mth.as_bytes());
    Hash::plain(&input)
}

#[cfg(test)]
mod tests;
