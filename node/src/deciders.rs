//! Who decides which height, as far as final blocks tell.
//!
//! A change of the validators stands in the state from the block that holds it on, and takes effect two heights later. So
//! the state after block h names those who decide h + 1 and h + 2, and of no later height it is known who will: what is
//! said of one cannot be judged yet, and must not be judged by another height's set.
//!
//! It does not know the rule by which a set follows another; the state holds the answer. Invariant: a [`History`] holds
//! each set once, ascending by the first height that it decides, beginning with that of the genesis.

use std::collections::BTreeSet;
use std::sync::Arc;

use cairn_proofs::tree::StateTree;
use cairn_runtime::{Changes, governance};
use cairn_types::governance::VALIDATORS_DELAY;
use cairn_types::record::Interval;
use cairn_types::{DecodeError, Height, ValidatorSet, codec, state_key};

/// Most bytes of an interval of validators: 128 of 104 B, and the interval's positions.
const INTERVAL_BYTES_MAX: usize = 16 * 1024;

/// Those around one final block.
#[derive(Clone, Debug)]
pub(crate) struct Deciders {
    /// Who decided the block; of the genesis, who decides the first.
    pub(crate) block: Arc<ValidatorSet>,
    /// Who decides the next one.
    pub(crate) next: Arc<ValidatorSet>,
    /// Who decides the one after that.
    pub(crate) after_next: Arc<ValidatorSet>,
}

impl Deciders {
    /// Those around the block at `height`, after which `state` stands.
    pub(crate) fn of(state: &StateTree, height: Height) -> Self {
        let block = Arc::new(governance::validators_at(state, height));
        let next = shared(&block, governance::validators_at(state, above(height, 1)));
        let after_next = shared(&next, governance::validators_at(state, above(height, VALIDATORS_DELAY)));
        Self { block, next, after_next }
    }

    /// Those around the next block, which made `changes` and left `state` behind. Without a change of the validators no set
    /// is read: there is one in years, and a block every second.
    pub(crate) fn followed_by(&self, changes: &Changes, state: &StateTree, height: Height) -> Self {
        let prefix = state_key::validators();
        let has_changed = changes.range(prefix.clone()..).next().is_some_and(|(key, _)| key.starts_with(&prefix));
        let after_next = if has_changed {
            shared(&self.after_next, governance::validators_at(state, above(height, VALIDATORS_DELAY)))
        } else {
            Arc::clone(&self.after_next)
        };
        Self { block: Arc::clone(&self.next), next: Arc::clone(&self.after_next), after_next }
    }

    /// All network keys of those who decide the block, the next or the one after.
    pub(crate) fn peers(&self) -> BTreeSet<[u8; 32]> {
        let sets = [&self.block, &self.next, &self.after_next];
        sets.into_iter().flat_map(|set| set.iter()).map(|validator| validator.peer).collect()
    }

    /// Whether the same sets stand at the same places.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.block, &other.block)
            && Arc::ptr_eq(&self.next, &other.next)
            && Arc::ptr_eq(&self.after_next, &other.after_next)
    }
}

/// The set that is there already, if it is this one.
fn shared(known: &Arc<ValidatorSet>, set: ValidatorSet) -> Arc<ValidatorSet> {
    if **known == set { Arc::clone(known) } else { Arc::new(set) }
}

fn above(height: Height, by: u64) -> Height {
    Height::new(height.get().saturating_add(by))
}

/// Every set of a chain up to some height: 13 kB for each change of the largest kind.
#[derive(Clone, Debug)]
pub(crate) struct History {
    sets: Vec<(Height, Arc<ValidatorSet>)>,
    /// The last height of which it is known who decides it.
    known_to: Height,
}

impl History {
    /// What `state`, after the block at `height`, tells.
    ///
    /// # Errors
    /// The state does not hold what the rules write: this node's disk is to blame.
    pub(crate) fn of(state: &StateTree, height: Height) -> Result<Self, DecodeError> {
        let read = |value: &[u8]| codec::decode::<Interval<ValidatorSet>>(value, INTERVAL_BYTES_MAX);
        let entries = state.prefix(&state_key::validators()).map(|(_, value)| read(&value));
        let sets = entries.map(|entry| entry.map(|interval| (interval.from.height, Arc::new(interval.value))));
        Ok(Self { sets: sets.collect::<Result<_, _>>()?, known_to: above(height, VALIDATORS_DELAY) })
    }

    /// Goes on to the block at `height`.
    pub(crate) fn follow(&mut self, height: Height, deciders: &Deciders) {
        self.known_to = above(height, VALIDATORS_DELAY);
        if self.sets.last().is_none_or(|(_, last)| **last != *deciders.after_next) {
            self.sets.push((self.known_to, Arc::clone(&deciders.after_next)));
        }
    }

    /// Who decides `height`; `None` if nobody can know yet.
    pub(crate) fn at(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        if height > self.known_to {
            return None;
        }
        let index = self.sets.partition_point(|(from, _)| *from <= height).checked_sub(1)?;
        self.sets.get(index).map(|(_, set)| Arc::clone(set))
    }

    /// The changes, ascending: the first height that a new set decides, and the set. That of the genesis is none.
    pub(crate) fn changes(&self) -> impl ExactSizeIterator<Item = &(Height, Arc<ValidatorSet>)> {
        self.sets.iter().skip(1)
    }

    /// The network keys of all who ever validated, or soon will.
    pub(crate) fn peers(&self) -> BTreeSet<[u8; 32]> {
        self.sets.iter().flat_map(|(_, set)| set.iter()).map(|validator| validator.peer).collect()
    }
}
