//! Who may connect to this node, and whose word in agreement it hears.
//!
//! ```text
//! validators   who decides the newest block or one of the two after it: they vote, or are about to, or just did
//! members      those; the observers of the configuration; and the peers that it names by address, unless they have
//!              validated before and do no longer
//! ```
//!
//! A named peer is let in because a new node begins with the validators of the genesis: if they were all replaced since,
//! nobody else could bring it the blocks that say so. It need not be trusted for that, every block carries its certificate.
//! A validator that was removed is not let in by its old address, because the council may have removed it for a reason; who
//! wants it as an observer says so.

use std::collections::BTreeSet;

use cairn_network::PeerKey;

use crate::deciders::Deciders;

/// What the configuration says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    /// Nodes that may follow.
    pub(crate) observers: BTreeSet<PeerKey>,
    /// Nodes whose addresses it knows.
    pub(crate) named: BTreeSet<PeerKey>,
}

/// What the network is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) members: BTreeSet<PeerKey>,
    pub(crate) validators: BTreeSet<PeerKey>,
}

impl Admission {
    /// Who is in, with these sets around the newest block. `former` are the network keys of all who ever validated.
    pub(crate) fn membership(&self, deciders: &Deciders, former: &BTreeSet<[u8; 32]>) -> Membership {
        let validators: BTreeSet<PeerKey> = deciders.peers().into_iter().map(PeerKey::from_bytes).collect();
        let named = self.named.iter().filter(|peer| !former.contains(peer.as_bytes()));
        let members = validators.iter().chain(&self.observers).chain(named).copied().collect();
        Membership { members, validators }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use cairn_network::PeerKey;
    use cairn_types::{Hash, OrganizationId, Power, Validator, ValidatorSet};
    use ed25519_dalek::SigningKey;

    use super::Admission;
    use crate::deciders::Deciders;

    fn public(seed: u8) -> [u8; 32] {
        SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()
    }

    fn peer(seed: u8) -> PeerKey {
        PeerKey::from_bytes(public(seed + 100))
    }

    fn peers(seeds: &[u8]) -> BTreeSet<PeerKey> {
        seeds.iter().copied().map(peer).collect()
    }

    fn set(seeds: &[u8]) -> Arc<ValidatorSet> {
        let validator = |seed: &u8| Validator {
            key: public(*seed),
            peer: public(seed + 100),
            power: Power::new(1),
            organization: OrganizationId::from_hash(Hash::ZERO),
        };
        let mut validators: Vec<Validator> = seeds.iter().map(validator).collect();
        validators.sort_by_key(|validator| validator.key);
        Arc::new(ValidatorSet::new(validators).expect("different keys in order"))
    }

    #[test]
    fn who_comes_and_who_goes_is_heard_around_the_change_and_named_strangers_may_follow() {
        let admission = Admission { observers: peers(&[8]), named: peers(&[1, 5, 9]) };
        let former = |seeds: &[u8]| seeds.iter().map(|seed| public(seed + 100)).collect::<BTreeSet<_>>();
        let (old, new) = (set(&[1, 2, 3, 4]), set(&[2, 3, 4, 5]));

        let before = Deciders { block: Arc::clone(&old), next: Arc::clone(&old), after_next: Arc::clone(&new) };
        let membership = admission.membership(&before, &former(&[1, 2, 3, 4, 5]));
        assert_eq!(membership.validators, peers(&[1, 2, 3, 4, 5]), "the new one may speak one height early");
        assert_eq!(membership.members, peers(&[1, 2, 3, 4, 5, 8, 9]));

        let after = Deciders { block: Arc::clone(&new), next: Arc::clone(&new), after_next: new };
        let membership = admission.membership(&after, &former(&[1, 2, 3, 4, 5]));
        assert_eq!(membership.validators, peers(&[2, 3, 4, 5]));
        assert_eq!(membership.members, peers(&[2, 3, 4, 5, 8, 9]), "its address does not let a removed validator in");

        let young = Deciders { block: Arc::clone(&old), next: Arc::clone(&old), after_next: old };
        let membership = admission.membership(&young, &former(&[1, 2, 3, 4]));
        assert!(membership.members.contains(&peer(5)), "a node that knows nothing yet lets in whom it was told of");
    }
}
