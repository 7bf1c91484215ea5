//! This node's place among those who decide, and what changes with it.
//!
//! ```text
//! following ──► listening (a validator from the height after the next on) ──► voting ──► following
//! ```
//!
//! After every block it is looked up anew, so a node begins to vote when the council makes it a validator and ends when it
//! does no longer, with no restart, of its own or of anybody else. One height before its first it listens already, so that
//! it hears what is said early of that one.
//!
//! Nothing is kept about it: after a restart the same state says the same. The sign state and the write-ahead log go on
//! through all of it, because heights only rise, and a key that comes back signs at heights where it never did.

use cairn_network::PeerKey;
use cairn_types::{ValidatorIndex, ValidatorSet};

use super::Driver;
use crate::chain::Snapshot;

/// This node's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// No vote, now or next.
    Following,
    /// No vote on the next block, but one on the block after it.
    Listening,
    /// A vote on the next block.
    Voting(ValidatorIndex),
}

impl Seat {
    /// The place of whoever has the consensus key and the network key, after the block of `snapshot`. Both must be those of
    /// one validator: a consensus key with another network key belongs to another node by now, and must not vote here.
    pub(super) fn after(snapshot: &Snapshot, key: Option<&[u8; 32]>, peer: &[u8; 32]) -> Self {
        let place = |set: &ValidatorSet| {
            let index = set.index_of(key?)?;
            set.get(index).is_some_and(|validator| validator.peer == *peer).then_some(index)
        };
        match (place(&snapshot.deciders.next), place(&snapshot.deciders.after_next)) {
            (Some(index), _) => Self::Voting(index),
            (None, Some(_)) => Self::Listening,
            (None, None) => Self::Following,
        }
    }

    /// The place in the set that decides the next block.
    pub(super) const fn index(self) -> Option<ValidatorIndex> {
        match self {
            Self::Voting(index) => Some(index),
            Self::Following | Self::Listening => None,
        }
    }
}

impl Driver {
    /// Looks up this node's place, and lets in whoever belongs to the network after `snapshot`'s block.
    pub(super) fn follow_validators(&mut self, before: &Snapshot, snapshot: &Snapshot) {
        if before.deciders.is_same(&snapshot.deciders) {
            return;
        }
        let height = snapshot.next_height();
        let membership = self.admission.membership(&snapshot.deciders, &self.chain.validator_peers());
        self.surroundings.set_members(membership);
        tracing::info!(
            %height, validators = snapshot.deciders.next.len(), next = snapshot.deciders.after_next.len(),
            "the validators change"
        );
        let seat = Seat::after(snapshot, self.key.as_ref(), self.surroundings.own_key().as_bytes());
        if seat != self.seat {
            match seat {
                Seat::Voting(index) => tracing::info!(%height, index, "this node is a validator"),
                Seat::Listening => {
                    tracing::info!(%height, "this node becomes a validator with the block after this one")
                }
                Seat::Following => tracing::info!(%height, "this node is no validator any more, and follows"),
            }
        }
        self.seat = seat;
        warn_of_another_node(snapshot, self.key.as_ref(), &self.surroundings.own_key());
    }
}

/// Says that another node has this node's vote, as far as the ledger knows.
pub(super) fn warn_of_another_node(snapshot: &Snapshot, key: Option<&[u8; 32]>, peer: &PeerKey) {
    let validators = &snapshot.deciders.next;
    let entry = key.and_then(|key| validators.index_of(key)).and_then(|index| validators.get(index));
    if let Some(validator) = entry
        && validator.peer != *peer.as_bytes()
    {
        tracing::error!(
            entry = %PeerKey::from_bytes(validator.peer).peer_id(), own = %peer.peer_id(),
            "the validator with this node's consensus key has another node's network key, so this node does not vote"
        );
    }
}

#[cfg(test)]
mod tests {
    use cairn_types::governance::Measure;

    use super::Seat;
    use crate::testing::{World, validator_keys};

    #[test]
    fn a_node_listens_one_height_before_it_votes_and_follows_again_when_it_is_removed() {
        let mut world = World::new();
        let seats = |world: &World, seed: u8| {
            let (key, peer) = validator_keys(seed);
            Seat::after(&world.tip(), Some(&key), &peer)
        };
        let mut told = Vec::new();
        for seeds in [[12, 13, 14, 15], [11, 12, 13, 14]] {
            let change = world.govern(Measure::ChangeValidators(world.set(&seeds)));
            world.commit(vec![change]);
            told.push((seats(&world, 11), seats(&world, 15)));
            world.commit(Vec::new());
            told.push((seats(&world, 11), seats(&world, 15)));
        }
        let votes =
            |seed: u8, seeds: &[u8]| Seat::Voting(world.set(seeds).index_of(&validator_keys(seed).0).expect("in"));
        let (old, new) = ([11, 12, 13, 14], [12, 13, 14, 15]);
        assert_eq!(
            told,
            [
                (votes(11, &old), Seat::Listening),
                (Seat::Following, votes(15, &new)),
                (Seat::Listening, votes(15, &new)),
                (votes(11, &old), Seat::Following),
            ]
        );
    }

    #[test]
    fn a_consensus_key_without_its_network_key_has_no_seat() {
        let world = World::new();
        let (key, peer) = validator_keys(11);
        let (_, other) = validator_keys(12);
        assert!(matches!(Seat::after(&world.tip(), Some(&key), &peer), Seat::Voting(_)));
        assert_eq!(Seat::after(&world.tip(), Some(&key), &other), Seat::Following);
        assert_eq!(Seat::after(&world.tip(), None, &peer), Seat::Following);
    }
}
