//! The state tree: an authenticated, sorted map from keys to values.
//!
//! A key is 1 to [`KEY_BYTES_MAX`] bytes, a value 0 to [`VALUE_BYTES_MAX`]. [`StateTree`] is an immutable snapshot;
//! [`StateTree::apply`] makes the next one, which shares with it whatever did not change. The root depends on the content
//! alone, never on the order in which it was written.
//!
//! # Definition
//!
//! The *virtual bits* of a key: each byte gives `1 b7 b6 … b0`, and one `0` ends the key. Bit `p` lies in byte `p / 9` at
//! offset `p % 9`. No key's bits are a prefix of another's, and their order is the order of the bytes.
//!
//! ```text
//! B3          = BLAKE3-256
//! leaf(k, v)  = B3(0x00 ‖ u8 length of k ‖ k ‖ B3(v))
//! branch      = B3(0x01 ‖ u16le p ‖ left ‖ right)
//! T([x])      = leaf(x)
//! T(list)     = branch(p, T(those with bit p = 0), T(those with bit p = 1)),
//!               p being the first bit in which the first and the last key differ
//! state root  = B3(0x02 ‖ u64le count ‖ T), where T of the empty map is 32 zero bytes
//! ```
//!
//! # One proof type
//!
//! A [`Query`] is `(key, bits)`: the keys that begin with those bits. An exact key of n bytes is 9n + 1 bits, a prefix 9n.
//! [`StateProof`] answers any query with its complete list, which may be empty. [`StateProof::verify`] states the rules,
//! and [`StateProof::encode`] the bytes.
//!
//! # In memory
//!
//! Up to twenty entries that lie beside each other are one page in one allocation, in which what they repeat is kept
//! once: a device of six keys takes about 370 bytes with its share of the tree above, less than its keys and values have.
//! `cargo run --release --workspace --example tree_speed` measures it.
//!
//! # What it does not know
//!
//! What keys and values mean, where they are kept (the whole map is in memory), and which roots to trust.
//!
//! # Invariants
//!
//! On every path from the root down, `p` strictly increases, so no path has more than [`PATH_STEPS_MAX`] steps. Keys can
//! be chosen to make paths that long, so nothing here recurses: every walk, and even the release of a snapshot, is a loop.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cairn_types::Hash;

mod bits;
mod build;
mod fold;
mod hashing;
mod node;
mod page;
mod part;
mod pieces;
mod proof;
mod query;
mod update;
mod verify;
mod walk;

pub use pieces::{PIECE_BYTES_MAX, PieceError, PieceReader};
pub use proof::{LeafProof, LeafValue, ProofError, StateProof, Step};
pub use query::Query;
pub use verify::Proven;
pub use walk::Entries;

use build::Builder;
use node::Link;
use page::{Encoder, Found};

/// Most bytes in a key: its length is one byte of the leaf's hash.
pub const KEY_BYTES_MAX: usize = 255;

/// Most bytes in a value: its length is two bytes of a proof.
pub const VALUE_BYTES_MAX: usize = 65_535;

/// Most steps on a path. A key has at most 9 · 255 + 1 virtual bits, and the first is 1 in every key.
pub const PATH_STEPS_MAX: usize = 9 * KEY_BYTES_MAX;

/// Most bytes in an encoded proof: a list of ten thousand grants fits, and so does any single entry.
pub const PROOF_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most leaves in a proof: [`PROOF_BYTES_MAX`] filled with leaves of 64 bytes. It bounds the memory that a decoded proof
/// takes beyond its own bytes to about 8 MiB.
pub const PROOF_LEAVES_MAX: usize = 65_536;

const _: () = assert!(PROOF_LEAVES_MAX * 64 == PROOF_BYTES_MAX);
const _: () = assert!(PATH_STEPS_MAX * (2 + 32) + KEY_BYTES_MAX + VALUE_BYTES_MAX + 1024 < PROOF_BYTES_MAX);
const _: () = assert!(PATH_STEPS_MAX <= u16::MAX as usize);

/// Why a key or a value cannot be in a map. Whoever offers the entry is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The key has no bytes.
    #[error("a key has at least one byte")]
    KeyEmpty,
    /// The key is too long.
    #[error("a key of {bytes} bytes, but at most {max} are allowed", max = KEY_BYTES_MAX)]
    KeyTooLong {
        /// Bytes in the key.
        bytes: usize,
    },
    /// The value is too long.
    #[error("a value of {bytes} bytes, but at most {max} are allowed", max = VALUE_BYTES_MAX)]
    ValueTooLong {
        /// Bytes in the value.
        bytes: usize,
    },
    /// An entry's key is not above the key before it.
    #[error("entry {index} does not ascend: keys must be sorted, each once")]
    NotAscending {
        /// The entry's place in the input, from 0.
        index: u64,
    },
}

/// Checks that a key and a value may be in a map.
///
/// # Errors
/// [`TreeError::KeyEmpty`], [`TreeError::KeyTooLong`] or [`TreeError::ValueTooLong`].
pub fn check_entry(key: &[u8], value: &[u8]) -> Result<(), TreeError> {
    if key.is_empty() {
        return Err(TreeError::KeyEmpty);
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(TreeError::KeyTooLong { bytes: key.len() });
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(TreeError::ValueTooLong { bytes: value.len() });
    }
    Ok(())
}

/// An immutable snapshot of the map. Cloning is cheap and shares everything; so does [`StateTree::apply`], as far as the
/// content is the same.
#[derive(Clone)]
pub struct StateTree {
    top: Option<Link>,
    count: u64,
    root: Hash,
}

impl StateTree {
    /// The empty map.
    pub fn new() -> Self {
        Self::with(None, 0)
    }

    /// The map of these entries, which must ascend by key. Some tens of them are held at once.
    ///
    /// # Errors
    /// [`TreeError`], if an entry is not allowed in a map or does not ascend: whoever kept the entries is to blame.
    pub fn from_sorted<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, TreeError> {
        let mut encoder = Encoder::default();
        let mut builder = Builder::new(&mut encoder);
        let mut count: u64 = 0;
        for entry in entries {
            let (key, value) = (entry.0.as_ref(), entry.1.as_ref());
            check_entry(key, value)?;
            if key <= builder.previous() {
                return Err(TreeError::NotAscending { index: count });
            }
            builder.push(entry);
            count = count.checked_add(1).expect("entries that are in memory number less than 2^64");
        }
        Ok(Self::with(builder.finish(), count))
    }

    /// The state root, which commits to every key, every value and their number.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value of a key, or `None` if the map does not have the key.
    pub fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self.top.as_ref()?.nearest(key).search(key) {
            Found::Value(value) => Some(value.read()),
            Found::Fork(_) => None,
        }
    }

    /// All entries whose key begins with `prefix`, ascending by key. Lazy: an entry that is not taken costs nothing.
    pub fn prefix(&self, prefix: &[u8]) -> Entries<'_> {
        self.prefix_after(prefix, None)
    }

    /// The same list from the first key above `after`: the next page, if `after` is the last key of a page. `after` need
    /// not be in the map.
    pub fn prefix_after(&self, prefix: &[u8], after: Option<&[u8]>) -> Entries<'_> {
        Entries::under(self.top.as_ref(), Query::prefix(prefix), after)
    }

    /// The entry with the greatest key that begins with `prefix`.
    pub fn last_under(&self, prefix: &[u8]) -> Option<(Vec<u8>, Cow<'_, [u8]>)> {
        walk::descend(self.top.as_ref()?, &Query::prefix(prefix)).last().last_under(prefix)
    }

    /// The entries whose keys begin with `prefix`, for whoever asks several questions about them.
    pub fn part(&self, prefix: &[u8]) -> Part<'_> {
        Part(self.top.as_ref().map(|top| walk::descend(top, &Query::prefix(prefix))))
    }

    /// The map after these changes: a key is set to `Some` value or, with `None`, removed. This snapshot remains as it is.
    ///
    /// # Panics
    /// If a value is set that [`check_entry`] refuses. Changes come from our own rules, whose limits lie below.
    #[must_use = "the map itself does not change"]
    pub fn apply(&self, changes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Self {
        let (top, count) = update::apply(self.top.as_ref(), self.count, changes);
        Self::with(top, count)
    }

    /// Proves the complete list of entries that answer `query`.
    ///
    /// # Errors
    /// [`ProofError::TooLarge`] or [`ProofError::TooManyLeaves`], if the list does not fit in one proof: whoever asked is
    /// to blame, and may ask with more bits. A query for one key always fits.
    pub fn prove(&self, query: &Query) -> Result<StateProof, ProofError> {
        StateProof::build(self.top.as_ref(), self.count, query)
    }

    fn with(top: Option<Link>, count: u64) -> Self {
        let root = hashing::state_root(count, top.as_ref().map(|link| &link.hash));
        Self { top, count, root }
    }
}

/// A part of a snapshot: the entries whose keys begin with one prefix, and perhaps others that lie in one page with them. The
/// way to it is gone once.
#[derive(Clone, Copy)]
pub struct Part<'a>(Option<&'a Link>);

impl<'a> Part<'a> {
    /// The hash of the subtree that the part is: it commits to every key and value in it. `None` of the empty map. Two parts
    /// with one hash hold the same, whatever snapshots they are of.
    pub fn hash(&self) -> Option<Hash> {
        self.0.map(|link| link.hash)
    }

    /// The value of the entry with the greatest key that begins with `prefix`, which itself begins with the prefix of this
    /// part.
    pub fn last_value(&self, prefix: &[u8]) -> Option<Cow<'a, [u8]>> {
        walk::descend(self.0?, &Query::prefix(prefix)).last().last_value(prefix)
    }
}

impl Default for StateTree {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for StateTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateTree").field("count", &self.count).field("root", &self.root).finish()
    }
}

/// Two snapshots are equal if they have the same root, since the root commits to all of the content.
impl PartialEq for StateTree {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for StateTree {}

#[cfg(test)]
mod tests;
