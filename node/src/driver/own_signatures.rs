//! Signatures of this node's consensus key, wherever they are met, held against what its sign state knows.
//!
//! A signature leaves this node only after its place (height, round, step) is in the sign state, on disk. So one that stands
//! above the sign state's place, or at that place over something else, was not made with this sign state: a backup was
//! restored, or another node uses the key. Signing on could contradict what was signed, so the node stops and keeps the
//! evidence; it does not start again with that key.
//!
//! ```text
//! at the start   certificates of the block log, entries of the write-ahead log
//! catching up    the certificate of every block that is fetched
//! agreeing       votes, proposals and certificates that name this validator; contradictions of it that others noticed
//! ```
//!
//! What is no sign of that: a signature that was synced and never left; one in the last, interrupted write of the
//! write-ahead log, which is synced before the sign state, and is taken over into it; an old signature that a peer
//! repeats; and whatever is signed at heights at which the council gave the key another network key, because there it is
//! another node's.
//!
//! A node that was restored as a whole cannot see it on its own disk. So it votes only when it has heard where the others
//! are and has what they have (follow.rs): by then it has met its newer signatures in their certificates.
//!
//! What stays unnoticed: a backup that is taken and restored within one height, if nothing that was signed in between ever
//! comes back to this node. The sign state holds the last place and no history, so below it only the height that this
//! process began itself is known in full.

use cairn_consensus::{
    Evidence, Message, Proposal, SignRequest, SignedProposal, SignedVote, Vote, VoteKind, WalEntry, WalRecord,
};
use cairn_network::{Offence, PeerKey};
use cairn_storage::{StorageError, WalContents};
use cairn_types::certificate::CERTIFICATE_BYTES_MAX;
use cairn_types::key::verify_ed25519;
use cairn_types::{Certificate, ChainId, Height, ValidatorIndex, ValidatorSet, codec};

use super::wal::WAL_AGREEMENT;
use super::{Driver, DriverError};
use crate::chain::Chain;
use crate::evidence::EvidenceFile;
use crate::signer::{NodeSigner, Place, SignedMessage};

/// Who this node is as a validator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) chain: ChainId,
    /// The consensus key.
    pub(crate) key: [u8; 32],
    /// The network key.
    pub(crate) peer: [u8; 32],
}

/// A signature of this node's consensus key that this node did not make. The operator is to blame, or a thief.
#[derive(Debug, thiserror::Error)]
#[error(
    "{found_in} holds a signature of this node's consensus key at {found}, and this node's sign state knows {known}. Either \
     its data directory is an older copy, or another node uses the key; signing on could contradict what was signed, and \
     this node signs nothing. What to do: stop every other node with this key; to follow without a vote, take keys.consensus \
     out of the configuration; to vote again, have the council give this validator a new key (cairn council validators \
     --replace)"
)]
pub(crate) struct ForeignSignature {
    /// Where it was found.
    found_in: &'static str,
    found: Place,
    known: Known,
}

/// What the sign state knows, in words.
#[derive(Clone, Copy, Debug)]
enum Known {
    Nothing,
    UpTo(Place),
    Another(Place),
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("of none at all"),
            Self::UpTo(place) => write!(f, "of none after {place}"),
            Self::Another(place) => write!(f, "another one there, or none, and is at {place}"),
        }
    }
}

impl ForeignSignature {
    fn new(found_in: &'static str, found: Place, signer: &NodeSigner) -> Self {
        let known = match signer.place() {
            None => Known::Nothing,
            Some(place) if place < found => Known::UpTo(place),
            Some(place) => Known::Another(place),
        };
        Self { found_in, found, known }
    }
}

/// Why a node may not start with its consensus key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Foreign(#[from] ForeignSignature),
    #[error(
        "when this node last ran, it met a signature of its consensus key that it did not make, and stopped; the evidence file \
         {file} holds it. While the key may be in use elsewhere, this node signs nothing: take keys.consensus out of the \
         configuration to follow without a vote, and have the council give this validator a new key (cairn council validators \
         --replace)"
    )]
    Before {
        /// The evidence file's name.
        file: &'static str,
    },
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the evidence file cannot be read: {0}")]
    Evidence(std::io::Error),
}

impl Identity {
    /// This node's place in a set; none if the set gives the key another network key.
    pub(crate) fn index_in(&self, set: &ValidatorSet) -> Option<ValidatorIndex> {
        let index = set.index_of(&self.key)?;
        set.get(index).is_some_and(|validator| validator.peer == self.peer).then_some(index)
    }

    fn vote(&self, signed: &SignedVote) -> SignedMessage {
        SignedMessage::new(&self.chain, &SignRequest::Vote(signed.vote), signed.signature)
    }

    fn proposal(&self, signed: &SignedProposal) -> SignedMessage {
        SignedMessage::new(&self.chain, &SignRequest::Proposal(signed.proposal), signed.signature)
    }

    /// Two signatures at one place over different things, if they are ours in a height that `set` decides.
    fn in_contradiction(&self, evidence: &Evidence, set: &ValidatorSet) -> Option<[SignedMessage; 2]> {
        if self.index_in(set) != Some(evidence.validator()) {
            return None;
        }
        Some(match evidence {
            Evidence::Votes { first, second } => [self.vote(first), self.vote(second)],
            Evidence::Proposals { first, second } => [self.proposal(first), self.proposal(second)],
        })
    }

    /// Our signature in a certificate of a height that `set` decides.
    pub(crate) fn in_certificate(&self, certificate: &Certificate, set: &ValidatorSet) -> Option<SignedMessage> {
        let validator = self.index_in(set)?;
        let own = certificate.signatures.iter().find(|signed| signed.validator == validator)?;
        let vote = Vote {
            height: certificate.height,
            round: certificate.round,
            kind: VoteKind::Precommit,
            block: Some(certificate.block),
            validator,
        };
        Some(self.vote(&SignedVote { vote, signature: own.signature }))
    }

    /// Our signatures in a message of a height that `set` decides.
    fn in_message(&self, message: &Message, set: &ValidatorSet) -> Vec<SignedMessage> {
        let Some(own) = self.index_in(set) else { return Vec::new() };
        let of_votes = |votes: &mut dyn Iterator<Item = SignedVote>| {
            votes.filter(|signed| signed.vote.validator == own).map(|signed| self.vote(&signed)).collect()
        };
        match message {
            Message::Proposal(signed) => self.own_proposal(signed, own).into_iter().collect(),
            Message::Vote(signed) | Message::Repeat(signed) => of_votes(&mut std::iter::once(*signed)),
            Message::Polka(certificate) => of_votes(&mut certificate.votes()),
            Message::Round(certificate) => of_votes(&mut certificate.votes()),
        }
    }

    fn own_proposal(&self, signed: &SignedProposal, own: ValidatorIndex) -> Option<SignedMessage> {
        let Proposal { proposer, .. } = signed.proposal;
        (proposer == own).then(|| self.proposal(signed))
    }

    /// Our signatures in an entry of the write-ahead log; and whether this node wrote them as its own.
    fn in_record(&self, record: &WalRecord, set: &ValidatorSet) -> (Vec<SignedMessage>, bool) {
        let Some(own) = self.index_in(set) else { return (Vec::new(), false) };
        match record {
            WalRecord::Vote(signed) if signed.vote.validator == own => (vec![self.vote(signed)], true),
            WalRecord::Proposal(signed) => (self.own_proposal(signed, own).into_iter().collect(), true),
            WalRecord::Polka(polka) => {
                let own = polka.votes().filter(|signed| signed.vote.validator == own);
                (own.map(|signed| self.vote(&signed)).collect(), false)
            }
            WalRecord::Vote(_) | WalRecord::Executed { .. } | WalRecord::TimerFired { .. } => (Vec::new(), false),
        }
    }

    /// Whether the signature really is this key's. Signatures within certificates of agreement were not looked at before.
    fn made(&self, found: &SignedMessage) -> bool {
        verify_ed25519(&self.key, &found.message, &found.signature).is_ok()
    }

    /// Checks the sign state against everything on this node's disk, and brings it up to the write-ahead log's last write.
    ///
    /// # Errors
    /// [`StartError`]: the node must not start with this key.
    pub(crate) fn check_start(
        &self,
        chain: &Chain,
        signer: &mut NodeSigner,
        wal: &WalContents,
        evidence: &EvidenceFile,
    ) -> Result<(), StartError> {
        if evidence.names_foreign(&self.key).map_err(StartError::Evidence)? {
            return Err(StartError::Before { file: EvidenceFile::NAME });
        }
        self.check_block_log(chain, signer)?;
        self.check_write_ahead_log(chain, signer, wal)?;
        if let Some(place) = signer.place().filter(|place| place.height > wal.height) {
            // The log of that height is gone, and with it what this node is locked on.
            tracing::warn!(
                height = %place.height, log = %wal.height,
                "the write-ahead log is older than the sign state; this node does not vote up to this height"
            );
            signer.abstain_to(place.height);
        }
        Ok(())
    }

    /// The newest certificate with our signature tells all: older ones stand below it.
    fn check_block_log(&self, chain: &Chain, signer: &NodeSigner) -> Result<(), StartError> {
        let lowest = signer.place().map_or(Height::GENESIS, |place| place.height);
        let mut next = Some(chain.tip().header.height);
        while let Some(height) = next.filter(|height| *height >= lowest && *height > Height::GENESIS) {
            next = height.previous();
            let Some(set) = chain.validators_at(height).filter(|set| self.index_in(set).is_some()) else { continue };
            let record = match chain.log.read(height) {
                Ok(Some(record)) => record,
                // Older blocks are not kept here.
                Ok(None) => break,
                Err(StorageError::LogDamaged(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            let Ok(certificate) = codec::decode::<Certificate>(&record.certificate, CERTIFICATE_BYTES_MAX) else {
                continue;
            };
            if let Some(found) = self.in_certificate(&certificate, &set) {
                if !signer.knows(&found) {
                    return Err(ForeignSignature::new("the block log", found.place, signer).into());
                }
                break;
            }
        }
        Ok(())
    }

    fn check_write_ahead_log(
        &self,
        chain: &Chain,
        signer: &mut NodeSigner,
        wal: &WalContents,
    ) -> Result<(), StartError> {
        let Some(set) = chain.validators_at(wal.height) else { return Ok(()) };
        for (number, entry) in wal.entries.iter().enumerate() {
            let Some((&WAL_AGREEMENT, bytes)) = entry.split_first() else { continue };
            // Playing the log back refuses what does not decode.
            let Ok(entry) = WalEntry::decode(bytes) else { continue };
            let (found, is_ours) = self.in_record(&entry.record, &set);
            for found in found {
                // A vote that the signer refused stands there without a signature.
                if signer.knows(&found) || !self.made(&found) {
                    continue;
                }
                // The sign state is synced after the log, and before the log is written again.
                if is_ours && number >= wal.synced && signer.place().is_none_or(|place| place < found.place) {
                    signer.take_over(&found)?;
                } else {
                    return Err(ForeignSignature::new("the write-ahead log", found.place, signer).into());
                }
            }
        }
        Ok(())
    }
}

impl Driver {
    /// Looks for our signature in the certificate of the block after the tip.
    pub(super) fn check_certificate(&mut self, certificate: &Certificate) -> Result<(), DriverError> {
        let Some(identity) = self.identity else { return Ok(()) };
        match identity.in_certificate(certificate, self.chain.tip().validators()) {
            Some(found) => self.check_own(&identity, &found, "a certificate"),
            None => Ok(()),
        }
    }

    /// Looks for our signatures in a message of a height that `set` decides.
    pub(super) fn check_message(&mut self, message: &Message, set: &ValidatorSet) -> Result<(), DriverError> {
        let Some(identity) = self.identity else { return Ok(()) };
        for found in identity.in_message(message, set) {
            self.check_own(&identity, &found, "a message of another node")?;
        }
        Ok(())
    }

    /// A validator says that we contradicted ourselves. No honest node ever does, so the key is used elsewhere, whatever the
    /// sign state still knows of that height.
    ///
    /// # Errors
    /// [`DriverError::ForeignSignature`], if it is so; or this node's disk is to blame.
    pub(super) fn on_contradiction(&mut self, from: PeerKey, evidence: &Evidence) -> Result<(), DriverError> {
        let (Some(identity), Some(set)) = (self.identity, self.chain.validators_at(evidence.height())) else {
            return Ok(());
        };
        // Nobody sends us what others did.
        let Some(messages) = identity.in_contradiction(evidence, &set) else { return Ok(()) };
        if let Err(error) = evidence.verify(&identity.chain, &set) {
            tracing::warn!(peer = %from.peer_id(), %error, "a contradiction that is none");
            self.surroundings.blame(from, Offence::FalseMessage);
            return Ok(());
        }
        match self.signer.as_ref().and_then(|signer| signer.foreign_of(messages)) {
            Some(found) => self.stop_for(&identity, &found, "a contradiction that another node noticed"),
            None => Ok(()),
        }
    }

    fn check_own(
        &mut self,
        identity: &Identity,
        found: &SignedMessage,
        found_in: &'static str,
    ) -> Result<(), DriverError> {
        if self.signer.as_ref().is_none_or(|signer| signer.knows(found)) || !identity.made(found) {
            return Ok(());
        }
        self.stop_for(identity, found, found_in)
    }

    /// Keeps a signature that was not made here as evidence.
    ///
    /// # Errors
    /// [`DriverError::ForeignSignature`] always: the node stops; or this node's disk is to blame.
    fn stop_for(
        &mut self,
        identity: &Identity,
        found: &SignedMessage,
        found_in: &'static str,
    ) -> Result<(), DriverError> {
        let Some(signer) = &self.signer else { return Ok(()) };
        let foreign = ForeignSignature::new(found_in, found.place, signer);
        self.evidence.append_foreign(&identity.key, found).map_err(DriverError::Evidence)?;
        self.shared.metrics.evidence.inc();
        Err(DriverError::ForeignSignature(foreign))
    }
}

#[cfg(test)]
mod tests;
