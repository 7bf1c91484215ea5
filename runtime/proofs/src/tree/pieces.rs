//! The whole map in pieces, each of which is proven as it comes.
//!
//! Somebody who holds only a state root gets the map from whoever has it, a few hundred kilobytes at a time. A piece is a
//! subtree: a [`StateProof`] of all entries below one node. [`PieceReader`] believes it if the proof holds and if the
//! piece begins exactly where the last one ended, so a sender who alters, leaves out or repeats an entry is found out at
//! that very piece, and the next one may come from somebody else.
//!
//! Why nothing can lie between two pieces: the branches on a piece's path are hashed with their positions, so the path
//! says which side of each branch the piece is on. Behind a piece comes the other side of the last branch that it lies
//! left of, and in there only lefts lead to the first entry.
//!
//! It does not know who sends pieces, nor how large they should be.

use super::bits;
use super::part::Part;
use super::proof::{LeafProof, LeafValue, ProofError, StateProof, Step};
use super::query::Query;
use super::verify::Entry;
use super::walk::Shown;
use super::{PROOF_BYTES_MAX, PROOF_LEAVES_MAX, StateTree};
use cairn_types::Hash;

/// Most bytes that a piece may be asked to have: half of what a proof may have, so that any path fits beside them.
pub const PIECE_BYTES_MAX: usize = PROOF_BYTES_MAX / 2;

/// A branch on the way from the root down, and whether the way goes right.
type Turn = (u16, bool);

/// Why a piece is not the next one. Whoever sent it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    /// The proof does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The proof holds, but its piece does not begin where the one before ended.
    #[error("the piece does not begin where the one before it ended")]
    NotNext,
    /// The map is complete already.
    #[error("a piece behind the last one")]
    Complete,
}

/// Takes the pieces of the map with one root, in order.
#[derive(Clone, Debug)]
pub struct PieceReader {
    root: Hash,
    /// How the next path begins, after which it only goes left; `None` once the map is complete.
    next: Option<Vec<Turn>>,
    /// The last key of the last piece.
    last: Option<Vec<u8>>,
}

impl PieceReader {
    /// Begins with the first piece of the map with this root, which must be certified.
    pub const fn new(root: Hash) -> Self {
        Self { root, next: Some(Vec::new()), last: None }
    }

    /// The key behind which the next piece begins; `None` before the first piece.
    pub fn after(&self) -> Option<&[u8]> {
        self.last.as_deref()
    }

    /// Whether every entry of the map has come.
    pub const fn is_complete(&self) -> bool {
        self.next.is_none()
    }

    /// Takes the next piece, and answers with its entries `(key, value)`, ascending by key.
    ///
    /// # Errors
    /// [`PieceError`]: it is not the next piece of this map, and nothing has changed. Whoever sent it is to blame.
    pub fn accept(&mut self, proof: &StateProof) -> Result<Vec<Entry>, PieceError> {
        let expected = self.next.as_ref().ok_or(PieceError::Complete)?;
        let Some(first) = proof.leaves.first() else {
            // The empty map is its own only piece.
            let entries = proof.verify(&self.root, &Query::prefix(&[]))?.into_entries();
            self.next = None;
            return Ok(entries);
        };
        // All that lies below the last branch of the path.
        let bits = proof.path.last().map_or(0, |step| step.bit.saturating_add(1));
        let entries = proof.verify(&self.root, &Query::bits(&first.key, bits)?)?.into_entries();
        let way: Vec<Turn> = proof.path.iter().map(|step| (step.bit, bits::bit(&first.key, step.bit))).collect();
        let (begin, rest) = way.split_at_checked(expected.len()).ok_or(PieceError::NotNext)?;
        if begin != expected.as_slice() || rest.iter().any(|(_, right)| *right) || entries.is_empty() {
            return Err(PieceError::NotNext);
        }
        self.last = entries.last().map(|(key, _)| key.clone());
        self.next = behind(way);
        Ok(entries)
    }
}

/// How the path of what comes next begins; `None` if nothing does.
fn behind(mut way: Vec<Turn>) -> Option<Vec<Turn>> {
    while way.pop_if(|(_, right)| *right).is_some() {}
    way.last_mut()?.1 = true;
    Some(way)
}

impl StateTree {
    /// The next piece of the map behind the key `after`, which ends a piece; the first one, if it is `None`. It has about
    /// `bytes_max` bytes of entries at most, and always one entry. `None` if nothing follows, or no entry has that key.
    ///
    /// The work is bounded by the size of the piece.
    pub fn piece_after(&self, after: Option<&[u8]>, bytes_max: usize) -> Option<StateProof> {
        let Some(top) = self.top.as_ref().map(Part::Whole) else {
            return after.is_none().then(|| StateProof { count: self.count, path: Vec::new(), leaves: Vec::new() });
        };
        let (mut path, part) = match after {
            None => (Vec::new(), top),
            Some(after) => way_behind(top, after)?,
        };
        // From the first entry up, as long as what is added fits.
        let mut spine = Vec::new();
        let first = part.leftmost(|bit, beside| spine.push((bit, beside.clone())));
        let mut room = Room { bytes: bytes_max.min(PIECE_BYTES_MAX), leaves: PROOF_LEAVES_MAX };
        let mut piece: Vec<Shown<'_>> = first.entries().collect();
        for entry in &piece {
            room.take(entry);
        }
        while let Some((_, beside)) = spine.last() {
            let kept = piece.len();
            for entry in beside.entries() {
                if !room.take(&entry) {
                    piece.truncate(kept);
                    break;
                }
                piece.push(entry);
            }
            if piece.len() == kept {
                break;
            }
            spine.pop();
        }
        path.extend(spine.into_iter().map(|(bit, beside)| Step { bit, sibling: beside.hash() }));
        let leaf = |(key, value): Shown<'_>| LeafProof { key, value: LeafValue::Full(value.into_owned()) };
        let leaves = piece.into_iter().map(leaf).collect();
        Some(StateProof { count: self.count, path, leaves })
    }
}

/// The greatest subtree all of whose keys are above `after` and in which the next one is, and the path to it.
fn way_behind<'a>(top: Part<'a>, after: &[u8]) -> Option<(Vec<Step>, Part<'a>)> {
    // Of each branch: its bit, whether the way goes right, the hash of the side that it takes, and the other side.
    let mut way = Vec::new();
    let end = top.follow(
        |bit| Some(bits::bit(after, bit)),
        |bit, right, taken, beside| way.push((bit, right, taken.hash(), beside.clone())),
    );
    if end.first().0 != after {
        return None;
    }
    while way.pop_if(|(_, right, ..)| *right).is_some() {}
    let (bit, _, left, next) = way.pop()?;
    let path = way.into_iter().map(|(bit, _, _, beside)| Step { bit, sibling: beside.hash() });
    Some((path.chain([Step { bit, sibling: left }]).collect(), next))
}

/// What a piece can still take.
struct Room {
    bytes: usize,
    leaves: usize,
}

impl Room {
    /// Whether there was room.
    fn take(&mut self, (key, value): &Shown<'_>) -> bool {
        /// Length of the key, tag, and length of the value.
        const OVERHEAD_BYTES: usize = 4;
        let wanted = key.len().saturating_add(value.len()).saturating_add(OVERHEAD_BYTES);
        let fits = wanted <= self.bytes && self.leaves > 0;
        self.bytes = self.bytes.saturating_sub(wanted);
        self.leaves = self.leaves.saturating_sub(1);
        fits
    }
}
