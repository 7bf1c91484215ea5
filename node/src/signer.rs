//! The consensus key and what it has signed: the one thing that must never contradict itself.
//!
//! A signature is made when agreement asks, and leaves only after [`NodeSigner::sync`] has put what was signed last on
//! disk. For a place (height, round, step) that was signed already only the very same bytes are signed again, which
//! Ed25519 answers with the very same signature; for an earlier place nothing is signed at all. Of heights of which this node
//! has forgotten why it signed what, it signs nothing either ([`NodeSigner::abstain_to`]).
//!
//! It also tells whether a signature that somebody shows can be its own ([`NodeSigner::knows`]).

use std::collections::BTreeMap;
use std::fmt;

use cairn_consensus::{SignRequest, Signer, VoteKind};
use cairn_storage::{SignRecord, SignState, StorageError};
use cairn_types::{ChainId, Hash, Height, Round};
use ed25519_dalek::{Signer as _, SigningKey};

/// Most signatures of one height that are remembered: more than a thousand rounds. Beyond, only the last place is known.
const REMEMBERED_MAX: usize = 4_096;

/// Where a signature stands in the order of everything that a validator signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) height: Height,
    pub(crate) round: Round,
    /// 0 for a proposal, 1 for a prevote, 2 for a precommit.
    pub(crate) step: u8,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            0 => "proposal",
            1 => "prevote",
            _ => "precommit",
        };
        write!(f, "height {} round {} ({step})", self.height, self.round)
    }
}

impl Place {
    const fn of(request: &SignRequest) -> Self {
        let (height, round, step) = match request {
            SignRequest::Proposal(proposal) => (proposal.height, proposal.round, 0),
            SignRequest::Vote(vote) => match vote.kind {
                VoteKind::Prevote => (vote.height, vote.round, 1),
                VoteKind::Precommit => (vote.height, vote.round, 2),
            },
        };
        Self { height, round, step }
    }

    const fn of_record(record: &SignRecord) -> Self {
        Self { height: record.height, round: record.round, step: record.step }
    }
}

/// A message with the signature that somebody shows for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedMessage {
    pub(crate) place: Place,
    /// The bytes that are signed.
    pub(crate) message: Vec<u8>,
    pub(crate) signature: [u8; 64],
}

impl SignedMessage {
    pub(crate) fn new(chain: &ChainId, request: &SignRequest, signature: [u8; 64]) -> Self {
        Self { place: Place::of(request), message: request.sign_bytes(chain), signature }
    }
}

/// See the module.
pub(crate) struct NodeSigner {
    key: SigningKey,
    chain: ChainId,
    state: SignState,
    /// What was signed last, if it is not on disk yet.
    unsynced: Option<SignRecord>,
    /// Everything that was signed at the newest height, if this process signed there first.
    remembered: Option<(Height, BTreeMap<Place, Hash>)>,
    /// Up to this height nothing is signed.
    abstains_to: Option<Height>,
    /// Whether it takes every signature for its own: a twin that does not mind the other one.
    #[cfg(test)]
    is_reckless: bool,
}

impl NodeSigner {
    pub(crate) const fn new(key: SigningKey, chain: ChainId, state: SignState) -> Self {
        Self {
            key,
            chain,
            state,
            unsynced: None,
            remembered: None,
            abstains_to: None,
            #[cfg(test)]
            is_reckless: false,
        }
    }

    /// Goes on whatever else is signed with its key.
    #[cfg(test)]
    pub(crate) const fn be_reckless(&mut self) {
        self.is_reckless = true;
    }

    /// Puts what was signed last on disk.
    ///
    /// # Errors
    /// [`StorageError`]: the disk is to blame; nothing that was signed may leave, and the node stops.
    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        match self.unsynced.take() {
            Some(record) => self.state.store(record),
            None => Ok(()),
        }
    }

    /// The last place that was signed.
    pub(crate) fn place(&self) -> Option<Place> {
        self.last().map(Place::of_record)
    }

    /// Whether this signature can be one that was made here: it is not above the last place, and where what was signed is
    /// still known, it is that.
    pub(crate) fn knows(&self, signed: &SignedMessage) -> bool {
        #[cfg(test)]
        if self.is_reckless {
            return true;
        }
        let Some(last) = self.last() else { return false };
        let digest = Hash::plain(&signed.message);
        let known = Place::of_record(last);
        match &self.remembered {
            _ if signed.place > known => false,
            _ if signed.place == known => last.bytes == digest.as_bytes(),
            Some((height, places)) if *height == signed.place.height => places.get(&signed.place) == Some(&digest),
            _ => true,
        }
    }

    /// Of two signatures of this key that contradict each other, one that was not made here: at most one was.
    pub(crate) fn foreign_of(&self, [first, second]: [SignedMessage; 2]) -> Option<SignedMessage> {
        #[cfg(test)]
        if self.is_reckless {
            return None;
        }
        Some(if self.knows(&first) { second } else { first })
    }

    /// Counts a signature as made here, and puts that on disk: it stands in this node's own log.
    ///
    /// # Errors
    /// [`StorageError`]: the disk is to blame.
    pub(crate) fn take_over(&mut self, signed: &SignedMessage) -> Result<(), StorageError> {
        let Place { height, round, step } = signed.place;
        let digest = Hash::plain(&signed.message).as_bytes().to_vec();
        self.state.store(SignRecord { height, round, step, bytes: digest })
    }

    /// Signs nothing up to this height from now on.
    pub(crate) fn abstain_to(&mut self, height: Height) {
        self.abstains_to = self.abstains_to.max(Some(height));
    }

    /// Whether nothing is signed at this height.
    pub(crate) fn abstains(&self, height: Height) -> bool {
        self.abstains_to.is_some_and(|to| height <= to)
    }

    /// Whether something was signed that is not on disk yet.
    pub(crate) const fn is_unsynced(&self) -> bool {
        self.unsynced.is_some()
    }

    /// What was signed last.
    pub(crate) fn last(&self) -> Option<&SignRecord> {
        self.unsynced.as_ref().or_else(|| self.state.load())
    }

    fn remember(&mut self, place: Place, digest: Hash) {
        if self.place().is_none_or(|last| last.height < place.height) {
            self.remembered = Some((place.height, BTreeMap::new()));
        }
        match &mut self.remembered {
            Some((height, places)) if *height == place.height && places.len() < REMEMBERED_MAX => {
                places.insert(place, digest);
            }
            // What is not complete could take our own for another's.
            other => *other = None,
        }
    }
}

impl Signer for NodeSigner {
    fn sign(&mut self, request: &SignRequest) -> Option<[u8; 64]> {
        let message = request.sign_bytes(&self.chain);
        let place = Place::of(request);
        let digest = Hash::plain(&message);
        if self.abstains(place.height) {
            return None;
        }
        if let Some(last) = self.last() {
            let known = Place::of_record(last);
            if place < known || (place == known && last.bytes != digest.as_bytes()) {
                tracing::warn!(%place, "refused to sign: this place was signed differently, or is past");
                return None;
            }
        }
        self.remember(place, digest);
        let Place { height, round, step } = place;
        self.unsynced = Some(SignRecord { height, round, step, bytes: digest.as_bytes().to_vec() });
        Some(self.key.sign(&message).to_bytes())
    }
}

#[cfg(test)]
mod tests;
