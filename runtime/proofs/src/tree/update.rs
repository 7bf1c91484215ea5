//! Applies a batch of changes: one pass over the changed paths, each new node hashed once.
//!
//! First every change is led to its nearest page, which tells whether the key is there and, if not, at which bit it forks
//! off. Then one walk splits the sorted changes at each branch, as the branch splits its keys; a subtree without changes is
//! shared, not visited, and a page with changes is made anew. The walk is a loop over two stacks, because paths may have
//! thousands of steps.

use std::collections::BTreeMap;

use super::bits::{self, BEYOND};
use super::build::{self, Builder, Plain};
use super::check_entry;
use super::node::{Link, Node};
use super::page::{Encoder, Found, Page};

/// A change that has an effect.
struct Change<'a> {
    key: &'a [u8],
    /// `None` removes the key.
    value: Option<&'a [u8]>,
    /// The bit at which the key forks off from the keys of the tree; [`BEYOND`] if it is one of them.
    fork: u16,
}

/// What remains to be done, the next on top. Results are left on a second stack, a left side before its right side.
enum Task<'t, 'c> {
    /// Apply these changes to this subtree.
    Visit { link: &'t Link, changes: &'c [Change<'c>] },
    /// Make a subtree of these new keys.
    Build { changes: &'c [Change<'c>] },
    /// Join the two latest results at this bit.
    Join { bit: u16 },
}

/// A walk under way.
#[derive(Default)]
struct Walk<'t, 'c> {
    tasks: Vec<Task<'t, 'c>>,
    results: Vec<Option<Link>>,
    encoder: Encoder,
    /// The entries of the page that is being changed.
    plain: Plain,
}

/// The new top and count.
///
/// # Panics
/// If a value is set that [`check_entry`] refuses.
pub(super) fn apply(
    top: Option<&Link>,
    count: u64,
    changes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>,
) -> (Option<Link>, u64) {
    let (changes, count) = effective(top, count, changes);
    let mut walk = Walk::default();
    let Some(top) = top else {
        return (walk.build(&changes), count);
    };
    walk.tasks.push(Task::Visit { link: top, changes: &changes });
    while let Some(task) = walk.tasks.pop() {
        match task {
            Task::Visit { link, changes } => walk.visit(link, changes),
            Task::Build { changes } => {
                let built = walk.build(changes);
                walk.results.push(built);
            }
            Task::Join { bit } => {
                let right = walk.results.pop().expect("a right side was left");
                let left = walk.results.pop().expect("a left side was left");
                let joined = match (left, right) {
                    (Some(left), Some(right)) => Some(build::join(bit, left, right, &mut walk.encoder)),
                    (one, other) => one.or(other),
                };
                walk.results.push(joined);
            }
        }
    }
    let new_top = walk.results.pop().expect("the first task left a result");
    assert!(walk.results.is_empty(), "each join takes two results");
    (new_top, count)
}

/// The changes that have an effect, each with its fork, and the count after them.
fn effective<'a>(
    top: Option<&Link>,
    mut count: u64,
    changes: &'a BTreeMap<Vec<u8>, Option<Vec<u8>>>,
) -> (Vec<Change<'a>>, u64) {
    let mut effective = Vec::with_capacity(changes.len());
    for (key, value) in changes {
        let value = value.as_deref();
        check_entry(key, value.unwrap_or_default()).expect("the rules bound the keys and values that they write");
        let found = top.map_or(Found::Fork(0), |top| top.nearest(key).search(key));
        let fork = match (found, value) {
            (Found::Fork(_), None) => continue,
            (Found::Value(old), Some(value)) if old.is(value) => continue,
            (Found::Fork(fork), Some(_)) => {
                count = count.checked_add(1).expect("entries in memory number less than 2^64");
                fork
            }
            (Found::Value(_), None) => {
                count = count.checked_sub(1).expect("a key that is removed was counted");
                BEYOND
            }
            (Found::Value(_), Some(_)) => BEYOND,
        };
        effective.push(Change { key, value, fork });
    }
    (effective, count)
}

impl<'t, 'c> Walk<'t, 'c> {
    /// Splits the changes to one subtree. They and its keys agree in all bits above the lowest of their forks and its own
    /// bit.
    fn visit(&mut self, link: &'t Link, changes: &'c [Change<'c>]) {
        let Some(highest) = changes.iter().min_by_key(|change| change.fork) else {
            self.results.push(Some(link.clone()));
            return;
        };
        let branch = match &link.node {
            Node::Branch(branch) => branch,
            Node::Page(page) => {
                // New keys may fork off above its own; whatever comes of it is built from all of them.
                let changed = self.change(page, changes);
                self.results.push(changed);
                return;
            }
        };
        if highest.fork < branch.bit {
            // New keys fork off above this node: it stays together, on the side where they are not.
            let (zeros, ones) = split(changes, highest.fork);
            self.tasks.push(Task::Join { bit: highest.fork });
            if bits::bit(highest.key, highest.fork) {
                self.tasks.push(Task::Build { changes: ones });
                self.tasks.push(Task::Visit { link, changes: zeros });
            } else {
                self.tasks.push(Task::Visit { link, changes: ones });
                self.tasks.push(Task::Build { changes: zeros });
            }
        } else {
            let (zeros, ones) = split(changes, branch.bit);
            self.tasks.push(Task::Join { bit: branch.bit });
            self.tasks.push(Task::Visit { link: &branch.right, changes: ones });
            self.tasks.push(Task::Visit { link: &branch.left, changes: zeros });
        }
    }

    /// The subtree of a page's entries after these changes.
    fn change(&mut self, page: &Page, changes: &[Change<'_>]) -> Option<Link> {
        self.plain.clear();
        self.plain.read(page);
        let mut builder = Builder::new(&mut self.encoder);
        let mut old = self.plain.iter().peekable();
        for change in changes {
            while let Some(entry) = old.next_if(|(key, _)| *key < change.key) {
                builder.push(entry);
            }
            old.next_if(|(key, _)| *key == change.key);
            if let Some(value) = change.value {
                builder.push((change.key, value));
            }
        }
        old.for_each(|entry| builder.push(entry));
        builder.finish()
    }

    /// The subtree of the keys that are set.
    fn build(&mut self, changes: &[Change<'_>]) -> Option<Link> {
        let mut builder = Builder::new(&mut self.encoder);
        for change in changes {
            if let Some(value) = change.value {
                builder.push((change.key, value));
            }
        }
        builder.finish()
    }
}

fn split<'c>(changes: &'c [Change<'c>], bit: u16) -> (&'c [Change<'c>], &'c [Change<'c>]) {
    let middle = changes.partition_point(|change| !bits::bit(change.key, bit));
    changes.split_at_checked(middle).expect("a partition point lies within its slice")
}
