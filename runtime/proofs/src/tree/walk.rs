//! Ways down the tree: to the subtree that answers a query, and along its entries in key order.

use std::borrow::Cow;

use super::bits::{self, BEYOND};
use super::node::{Branch, Leaf, Link, Node};
use super::query::Query;

/// Goes down to the subtree that holds every entry that answers `query`, if any entry does: the first node whose keys part
/// at or after the query's last bit. `on_step` sees each branch that is passed, and whether the way goes right.
pub(super) fn descend<'a>(top: &'a Link, query: &Query, mut on_step: impl FnMut(&'a Branch, bool)) -> &'a Link {
    let mut link = top;
    while let Node::Branch(branch) = &link.node
        && branch.bit < query.bit_count()
    {
        let right = query.bit(branch.bit);
        on_step(branch, right);
        link = branch.side(right);
    }
    link
}

/// Goes down to the leaf with the lowest key; `on_step` sees each branch that is passed.
pub(super) fn leftmost<'a>(top: &'a Link, mut on_step: impl FnMut(&'a Branch)) -> &'a Leaf {
    let mut link = top;
    loop {
        match &link.node {
            Node::Leaf(leaf) => return leaf,
            Node::Branch(branch) => {
                on_step(branch);
                link = &branch.left;
            }
        }
    }
}

/// Entries of a snapshot, `(key, value)`, ascending by key. Dropping it early is free.
pub struct Entries<'a> {
    /// Subtrees yet to be walked, the next on top.
    pending: Vec<&'a Link>,
}

impl<'a> Entries<'a> {
    pub(super) fn all(link: Option<&'a Link>) -> Self {
        Self { pending: link.into_iter().collect() }
    }

    /// Those in `link` with a key above `after`.
    pub(super) fn above(link: &'a Link, after: &[u8]) -> Self {
        let fork = bits::first_difference(link.nearest(after).key(), after).unwrap_or(BEYOND);
        let mut pending = Vec::new();
        let mut link = link;
        // Down the way of `after` to where it forks off; what lies right of that way is above it.
        while let Node::Branch(branch) = &link.node
            && branch.bit < fork
        {
            let right = bits::bit(after, branch.bit);
            if !right {
                pending.push(&branch.right);
            }
            link = branch.side(right);
        }
        // From the fork on, the whole subtree lies on one side of `after`; without a fork it is the leaf of `after` itself.
        if fork != BEYOND && !bits::bit(after, fork) {
            pending.push(link);
        }
        Self { pending }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Vec<u8>, Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut link = self.pending.pop()?;
        loop {
            match &link.node {
                Node::Leaf(leaf) => {
                    let (key, value) = leaf.entry();
                    return Some((key.to_vec(), Cow::Borrowed(value)));
                }
                Node::Branch(branch) => {
                    self.pending.push(&branch.right);
                    link = &branch.left;
                }
            }
        }
    }
}

impl std::iter::FusedIterator for Entries<'_> {}
