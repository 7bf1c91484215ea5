//! Nodes in memory: shared, immutable, released without recursion.
//!
//! A node's hash lies in the link that leads to it, not in the node. So a changed path is hashed, and a proof is made,
//! without touching the nodes beside it.

use std::mem;
use std::sync::Arc;

use cairn_types::Hash;

use super::{bits, hashing};

/// A node and its hash.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) hash: Hash,
    pub(super) node: Node,
}

#[derive(Clone)]
pub(super) enum Node {
    Leaf(Leaf),
    Branch(Arc<Branch>),
}

/// One entry in one allocation: the key's length in one byte, the key, the value.
#[derive(Clone, Default)]
pub(super) struct Leaf(Arc<[u8]>);

/// Where keys part: those with bit `bit` = 0 on the left, the others on the right.
pub(super) struct Branch {
    pub(super) bit: u16,
    pub(super) left: Link,
    pub(super) right: Link,
}

impl Leaf {
    /// # Panics
    /// If the key has more than 255 bytes.
    pub(super) fn new(key: &[u8], value: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(key.len().saturating_add(value.len()).saturating_add(1));
        bytes.push(u8::try_from(key.len()).expect("entries are checked before a leaf is made"));
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        Self(bytes.into())
    }

    pub(super) fn entry(&self) -> (&[u8], &[u8]) {
        self.0
            .split_first()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)))
            .expect("a leaf in a tree was made by `new`")
    }

    pub(super) fn key(&self) -> &[u8] {
        self.entry().0
    }

    pub(super) fn value(&self) -> &[u8] {
        self.entry().1
    }
}

impl Link {
    pub(super) fn leaf(leaf: Leaf) -> Self {
        let (key, value) = leaf.entry();
        Self { hash: hashing::leaf(key, &hashing::value(value)), node: Node::Leaf(leaf) }
    }

    pub(super) fn branch(bit: u16, left: Self, right: Self) -> Self {
        let hash = hashing::branch(bit, &left.hash, &right.hash);
        Self { hash, node: Node::Branch(Arc::new(Branch { bit, left, right })) }
    }

    /// The leaf with the lowest key.
    pub(super) fn first(&self) -> &Leaf {
        self.follow(|_| false)
    }

    /// The leaf with the highest key.
    pub(super) fn last(&self) -> &Leaf {
        self.follow(|_| true)
    }

    /// The leaf that `key` leads to. No leaf here agrees with `key` in more bits, so this one is the key's own if there is
    /// one, and otherwise tells at which bit the key would fork off.
    pub(super) fn nearest(&self, key: &[u8]) -> &Leaf {
        self.follow(|bit| bits::bit(key, bit))
    }

    /// The leaf that is reached by going right wherever `right` says so.
    fn follow(&self, right: impl Fn(u16) -> bool) -> &Leaf {
        let mut link = self;
        loop {
            match &link.node {
                Node::Leaf(leaf) => return leaf,
                Node::Branch(branch) => link = branch.side(right(branch.bit)),
            }
        }
    }
}

impl Branch {
    pub(super) fn side(&self, right: bool) -> &Link {
        if right { &self.right } else { &self.left }
    }

    /// Takes the branches below out of this one, leaving leaves that own nothing.
    fn take_branches(&mut self, into: &mut Vec<Arc<Self>>) {
        for link in [&mut self.left, &mut self.right] {
            if matches!(link.node, Node::Branch(_))
                && let Node::Branch(branch) = mem::replace(&mut link.node, Node::Leaf(Leaf::default()))
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
