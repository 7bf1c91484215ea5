//! Ways down the tree for those who read: to the entries that answer a query, and along them in key order.

use std::borrow::Cow;

use super::bits::{self, BEYOND};
use super::node::{Link, Node};
use super::page::{Found, PageEntries};
use super::query::Query;

/// A key and its value.
pub(super) type Shown<'a> = (Vec<u8>, Cow<'a, [u8]>);

/// Goes down to the node that holds every entry that answers `query`, if any entry does: the first branch whose keys part
/// at or after the query's last bit, or a page. Either all entries of that branch answer the query or none.
pub(super) fn descend<'a>(top: &'a Link, query: &Query) -> &'a Link {
    let mut link = top;
    while let Node::Branch(branch) = &link.node
        && branch.bit < query.bit_count()
    {
        link = branch.side(query.bit(branch.bit));
    }
    link
}

/// Entries of a snapshot, `(key, value)`, ascending by key. Dropping it early is free.
pub struct Entries<'a> {
    /// Subtrees yet to be walked, the next on top.
    pending: Vec<&'a Link>,
    /// The page that is being walked.
    page: Option<PageEntries<'a>>,
    /// What is asked for, if a page may hold other entries too.
    query: Option<Query>,
    /// The key above which it begins.
    after: Option<Vec<u8>>,
}

impl<'a> Entries<'a> {
    /// All of `link`.
    pub(super) fn all(link: &'a Link) -> Self {
        Self { pending: vec![link], page: None, query: None, after: None }
    }

    /// Those under `top` that answer `query`, and, with `after`, have a key above it.
    pub(super) fn under(top: Option<&'a Link>, query: Query, after: Option<&[u8]>) -> Self {
        let mut entries = Self { pending: Vec::new(), page: None, query: None, after: after.map(<[u8]>::to_vec) };
        let Some(link) = top.map(|top| descend(top, &query)) else { return entries };
        if matches!(link.node, Node::Page(_)) {
            entries.query = Some(query);
        } else if !query.matches(link.first().first_key()) {
            return entries;
        }
        match after {
            Some(after) => entries.above(link, after),
            None => entries.pending.push(link),
        }
        entries
    }

    /// Goes down the way of `after` in `link`, to where it forks off; what lies right of that way is above it.
    fn above(&mut self, mut link: &'a Link, after: &[u8]) {
        let fork = match link.nearest(after).search(after) {
            Found::Value(_) => BEYOND,
            Found::Fork(fork) => fork,
        };
        while let Node::Branch(branch) = &link.node
            && branch.bit < fork
        {
            let right = bits::bit(after, branch.bit);
            if !right {
                self.pending.push(&branch.right);
            }
            link = branch.side(right);
        }
        // A page is looked through. Of a branch that `after` forks off above, everything is on one side of it.
        if matches!(link.node, Node::Page(_)) || !bits::bit(after, fork) {
            self.pending.push(link);
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Vec<u8>, Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some((key, value)) = self.page.as_mut().and_then(PageEntries::step) {
                let is_above = self.after.as_ref().is_none_or(|after| key > after.as_slice());
                if is_above && self.query.as_ref().is_none_or(|query| query.matches(key)) {
                    return Some((key.to_vec(), value.read()));
                }
            }
            let mut link = self.pending.pop()?;
            loop {
                match &link.node {
                    Node::Page(page) => {
                        self.page = Some(page.entries());
                        break;
                    }
                    Node::Branch(branch) => {
                        self.pending.push(&branch.right);
                        link = &branch.left;
                    }
                }
            }
        }
    }
}

impl std::iter::FusedIterator for Entries<'_> {}
