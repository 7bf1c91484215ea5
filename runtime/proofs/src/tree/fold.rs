//! Folds a sorted sequence of subtrees into one, without recursion.
//!
//! The definition splits a list at the first bit in which its first and last key differ. Over a sorted list that bit is
//! the smallest of the first differences between neighbours, so the tree can be built from left to right: what waits for a
//! right side stands on a stack with rising fork positions, and a neighbour that forks off higher up closes all below.
//!
//! Knows positions, and neither keys nor what is folded: nodes when a tree is built, hashes when a proof is verified. How
//! two sides are joined, `join(p, left, right)`, is said anew each time; a right side is joined before anything behind it
//! comes.

/// A fold under way.
pub(super) struct Fold<T> {
    /// Left sides that wait for their right side; the fork positions strictly rise.
    open: Vec<(u16, T)>,
    last: Option<T>,
}

impl<T> Fold<T> {
    pub(super) const fn new() -> Self {
        Self { open: Vec::new(), last: None }
    }

    /// Adds the next item; `fork` is the first bit in which it differs from the item before (of the first item, anything).
    pub(super) fn push(&mut self, fork: u16, item: T, join: impl FnMut(u16, T, T) -> T) {
        if let Some(last) = self.last.take() {
            let left = self.close(last, fork, join);
            self.open.push((fork, left));
        }
        self.last = Some(item);
    }

    /// The whole, or `None` if there was no item.
    pub(super) fn finish(mut self, join: impl FnMut(u16, T, T) -> T) -> Option<T> {
        let last = self.last.take()?;
        Some(self.close(last, 0, join))
    }

    /// Joins `right` with everything that waits at a fork below `fork`.
    fn close(&mut self, mut right: T, fork: u16, mut join: impl FnMut(u16, T, T) -> T) -> T {
        while let Some((p, left)) = self.open.pop_if(|(p, _)| *p > fork) {
            right = join(p, left, right);
        }
        right
    }
}
