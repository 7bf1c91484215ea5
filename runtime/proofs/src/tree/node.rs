//! Nodes in memory: shared, immutable, released without recursion.
//!
//! A node's hash lies in the link that leads to it, not in the node. So a changed path is hashed, and a proof is made,
//! without touching the nodes beside it. The lowest nodes are [pages](super::page), which hold several entries each.

use std::mem;
use std::sync::Arc;

use cairn_types::Hash;

use super::bits;
use super::hashing;
use super::page::Page;

/// A node and its hash.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) hash: Hash,
    pub(super) node: Node,
}

#[derive(Clone)]
pub(super) enum Node {
    Page(Page),
    Branch(Arc<Branch>),
}

/// Where keys part: those with bit `bit` = 0 on the left, the others on the right. Together they do not fit in a page.
pub(super) struct Branch {
    pub(super) bit: u16,
    pub(super) left: Link,
    pub(super) right: Link,
}

impl Link {
    pub(super) fn branch(bit: u16, left: Self, right: Self) -> Self {
        let hash = hashing::branch(bit, &left.hash, &right.hash);
        Self { hash, node: Node::Branch(Arc::new(Branch { bit, left, right })) }
    }

    /// The page with the lowest keys.
    pub(super) fn first(&self) -> &Page {
        self.follow(|_| false)
    }

    /// The page with the highest keys.
    pub(super) fn last(&self) -> &Page {
        self.follow(|_| true)
    }

    /// The page that `key` leads to. No entry here agrees with `key` in more bits than one in that page does: the key's own
    /// if there is one, and otherwise one that tells at which bit the key would fork off.
    pub(super) fn nearest(&self, key: &[u8]) -> &Page {
        self.follow(|bit| bits::bit(key, bit))
    }

    /// The page that is reached by going right wherever `right` says so.
    fn follow(&self, right: impl Fn(u16) -> bool) -> &Page {
        let mut link = self;
        loop {
            match &link.node {
                Node::Page(page) => return page,
                Node::Branch(branch) => link = branch.side(right(branch.bit)),
            }
        }
    }
}

impl Branch {
    pub(super) fn side(&self, right: bool) -> &Link {
        if right { &self.right } else { &self.left }
    }

    /// Takes the branches below out of this one, leaving pages that own nothing.
    fn take_branches(&mut self, into: &mut Vec<Arc<Self>>) {
        for link in [&mut self.left, &mut self.right] {
            if matches!(link.node, Node::Branch(_))
                && let Node::Branch(branch) = mem::replace(&mut link.node, Node::Page(Page::default()))
            {
                into.push(branch);
            }
        }
    }
}

/// The compiler's own drop would recurse once a level, and keys can be chosen to make two thousand levels.
impl Drop for Branch {
    fn drop(&mut self) {
        let mut pending = Vec::new();
        self.take_branches(&mut pending);
        while let Some(branch) = pending.pop() {
            // `into_inner` gives the branch to exactly one of those who release it at the same time.
            if let Some(mut branch) = Arc::into_inner(branch) {
                branch.take_branches(&mut pending);
            }
        }
    }
}
