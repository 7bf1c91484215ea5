//! Subtrees as the definition has them, whether a node stands for them or they lie within a page.
//!
//! Proofs, and pieces of the whole map, walk these, for they need the hash of every subtree that they pass. A page is
//! opened, and its hashes computed, when a walk goes into it. Whoever only reads walks pages as they are: see `walk`.

use std::borrow::Cow;
use std::rc::Rc;

use cairn_types::Hash;

use super::build::Plain;
use super::fold::Fold;
use super::node::{Link, Node};
use super::page::Page;
use super::query::Query;
use super::walk::{Entries, Shown};
use super::{bits, hashing};

/// A subtree.
#[derive(Clone)]
pub(super) enum Part<'a> {
    Whole(&'a Link),
    Within(Rc<Opened>, Subtree),
}

/// Where a subtree's keys part, and both sides.
pub(super) struct Split<'a> {
    pub(super) bit: u16,
    pub(super) left: Part<'a>,
    pub(super) right: Part<'a>,
}

/// A page with all its subtrees.
pub(super) struct Opened {
    entries: Plain,
    subtrees: Vec<Subtree>,
}

/// A subtree of a page.
#[derive(Clone, Copy)]
pub(super) struct Subtree {
    hash: Hash,
    /// The places of the first and the last entry.
    first: usize,
    last: usize,
    /// Where it parts, and the places of both sides; `None` of a single entry.
    sides: Option<(u16, usize, usize)>,
}

impl Opened {
    /// The page, and the subtree that is all of it.
    fn of(page: &Page) -> Option<(Self, Subtree)> {
        let mut entries = Plain::default();
        entries.read(page);
        let mut subtrees: Vec<Subtree> = Vec::new();
        let mut join = |bit: u16, left: Subtree, right: Subtree| {
            let first = subtrees.len();
            subtrees.extend([left, right]);
            let hash = hashing::branch(bit, &left.hash, &right.hash);
            Subtree { hash, first: left.first, last: right.last, sides: Some((bit, first, first.saturating_add(1))) }
        };
        let mut fold = Fold::new();
        let mut previous: &[u8] = &[];
        for (place, (key, value)) in entries.iter().enumerate() {
            let fork = bits::first_difference(previous, key).expect("keys ascend, and the first is not empty");
            let hash = hashing::leaf(key, &hashing::value(value));
            fold.push(fork, Subtree { hash, first: place, last: place, sides: None }, &mut join);
            previous = key;
        }
        let whole = fold.finish(&mut join)?;
        Some((Self { entries, subtrees }, whole))
    }
}

impl<'a> Part<'a> {
    pub(super) fn hash(&self) -> Hash {
        match self {
            Self::Whole(link) => link.hash,
            Self::Within(_, subtree) => subtree.hash,
        }
    }

    /// Both sides; `None` of a single entry.
    pub(super) fn split(&self) -> Option<Split<'a>> {
        let (opened, subtree) = match self {
            Self::Whole(Link { node: Node::Branch(branch), .. }) => {
                let (left, right) = (Part::Whole(&branch.left), Part::Whole(&branch.right));
                return Some(Split { bit: branch.bit, left, right });
            }
            Self::Whole(Link { node: Node::Page(page), .. }) => {
                let (opened, whole) = Opened::of(page)?;
                (Rc::new(opened), whole)
            }
            Self::Within(opened, subtree) => (Rc::clone(opened), *subtree),
        };
        let (bit, left, right) = subtree.sides?;
        let side = |place: usize| Some(Part::Within(Rc::clone(&opened), *opened.subtrees.get(place)?));
        Some(Split { bit, left: side(left)?, right: side(right)? })
    }

    /// Goes down to the subtree that holds every entry that answers `query`, if any entry does: the first one whose keys
    /// part at or after the query's last bit. `on_step` sees the bit of each branch that is passed, and its other side.
    pub(super) fn descend(self, query: &Query, mut on_step: impl FnMut(u16, &Self)) -> Self {
        self.follow(|bit| (bit < query.bit_count()).then(|| query.bit(bit)), |bit, _, _, beside| on_step(bit, beside))
    }

    /// Goes down to the entry with the lowest key; `on_step` as for [`Part::descend`].
    pub(super) fn leftmost(self, mut on_step: impl FnMut(u16, &Self)) -> Self {
        self.follow(|_| Some(false), |bit, _, _, beside| on_step(bit, beside))
    }

    /// Goes down the way that `right` says, until it says none; `on_step` sees the bit of each branch, whether the way goes
    /// right, the side that it takes and the other one.
    pub(super) fn follow(
        self,
        right: impl Fn(u16) -> Option<bool>,
        mut on_step: impl FnMut(u16, bool, &Self, &Self),
    ) -> Self {
        let mut part = self;
        while let Some(split) = part.split()
            && let Some(right) = right(split.bit)
        {
            let (way, beside) = if right { (split.right, split.left) } else { (split.left, split.right) };
            on_step(split.bit, right, &way, &beside);
            part = way;
        }
        part
    }

    /// Its entries, ascending by key; there is at least one.
    pub(super) fn entries(&self) -> Box<dyn Iterator<Item = Shown<'a>> + 'a> {
        match self {
            Self::Whole(link) => Box::new(Entries::all(link)),
            Self::Within(opened, subtree) => {
                let entries = opened.entries.iter().skip(subtree.first);
                let entries = entries.take(subtree.last.saturating_sub(subtree.first).saturating_add(1));
                let entries: Vec<_> = entries.map(|(key, value)| (key.to_vec(), Cow::Owned(value.to_vec()))).collect();
                Box::new(entries.into_iter())
            }
        }
    }

    /// Its entry with the lowest key.
    pub(super) fn first(&self) -> Shown<'a> {
        self.entries().next().expect("a subtree has an entry")
    }
}
