//! Applies a batch of changes: one pass over the changed paths, each new node hashed once.
//!
//! First every change is led to its nearest leaf, which tells whether the key is there and, if not, at which bit it forks
//! off. Then one walk splits the sorted changes at each branch, as the branch splits its keys; a subtree without changes is
//! shared, not visited. The walk is a loop over two stacks, because paths may have thousands of steps.

use std::collections::BTreeMap;

use super::bits::{self, BEYOND};
use super::check_entry;
use super::fold::Fold;
use super::node::{Leaf, Link, Node};

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
    let Some(top) = top else {
        return (build(&changes), count);
    };
    let mut tasks = vec![Task::Visit { link: top, changes: &changes }];
    let mut results: Vec<Option<Link>> = Vec::new();
    while let Some(task) = tasks.pop() {
        match task {
            Task::Visit { link, changes } => visit(link, changes, &mut tasks, &mut results),
            Task::Build { changes } => results.push(build(changes)),
            Task::Join { bit } => {
                let right = results.pop().expect("a right side was left");
                let left = results.pop().expect("a left side was left");
                results.push(match (left, right) {
                    (Some(left), Some(right)) => Some(Link::branch(bit, left, right)),
                    (one, other) => one.or(other),
                });
            }
        }
    }
    let new_top = results.pop().expect("the first task left a result");
    assert!(results.is_empty(), "each join takes two results");
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
        let nearest = top.map(|top| top.nearest(key));
        let fork = match nearest {
            None => Some(0),
            Some(leaf) => bits::first_difference(leaf.key(), key),
        };
        match (fork, value) {
            (Some(_), None) => continue,
            (None, Some(value)) if nearest.is_some_and(|leaf| leaf.value() == value) => continue,
            (Some(_), Some(_)) => count = count.checked_add(1).expect("entries in memory number less than 2^64"),
            (None, None) => count = count.checked_sub(1).expect("a key that is removed was counted"),
            (None, Some(_)) => {}
        }
        effective.push(Change { key, value, fork: fork.unwrap_or(BEYOND) });
    }
    (effective, count)
}

/// Splits the changes to one subtree. They and its keys agree in all bits above the lowest of their forks and its own bit.
fn visit<'t, 'c>(
    link: &'t Link,
    changes: &'c [Change<'c>],
    tasks: &mut Vec<Task<'t, 'c>>,
    results: &mut Vec<Option<Link>>,
) {
    let Some(highest) = changes.iter().min_by_key(|change| change.fork) else {
        results.push(Some(link.clone()));
        return;
    };
    let branch = match &link.node {
        Node::Branch(branch) => Some(branch),
        Node::Leaf(_) => None,
    };
    if highest.fork < branch.map_or(BEYOND, |branch| branch.bit) {
        // New keys fork off above this node: it stays together, on the side where they are not.
        let (zeros, ones) = split(changes, highest.fork);
        tasks.push(Task::Join { bit: highest.fork });
        if bits::bit(highest.key, highest.fork) {
            tasks.push(Task::Build { changes: ones });
            tasks.push(Task::Visit { link, changes: zeros });
        } else {
            tasks.push(Task::Visit { link, changes: ones });
            tasks.push(Task::Build { changes: zeros });
        }
    } else if let Some(branch) = branch {
        let (zeros, ones) = split(changes, branch.bit);
        tasks.push(Task::Join { bit: branch.bit });
        tasks.push(Task::Visit { link: &branch.right, changes: ones });
        tasks.push(Task::Visit { link: &branch.left, changes: zeros });
    } else {
        // No fork is left, so the one change is to this very key.
        assert_eq!(changes.len(), 1, "a key changes once in a batch");
        results.push(build(changes));
    }
}

fn split<'c>(changes: &'c [Change<'c>], bit: u16) -> (&'c [Change<'c>], &'c [Change<'c>]) {
    let middle = changes.partition_point(|change| !bits::bit(change.key, bit));
    changes.split_at_checked(middle).expect("a partition point lies within its slice")
}

/// The subtree of the keys that are set.
fn build(changes: &[Change<'_>]) -> Option<Link> {
    let mut fold = Fold::new(Link::branch);
    let mut previous: Option<&[u8]> = None;
    for change in changes {
        if let Some(value) = change.value {
            let fork = previous.and_then(|previous| bits::first_difference(previous, change.key));
            fold.push(fork.unwrap_or(0), Link::leaf(Leaf::new(change.key, value)));
            previous = Some(change.key);
        }
    }
    fold.finish()
}
