//! What validators say to each other, and the bytes that they sign.
//!
//! A block's bytes are not here: they travel beside its proposal in the node's frames, and are sent **before** it. A
//! message names a block by its hash alone.
//!
//! Invariant: signed bytes are domain-separated, of fixed layout, and carry chain, height and round, so that no signature
//! can be used in another place. Votes use the layout of [`cairn_types::certificate::vote_sign_bytes`]; the bytes of a
//! precommit are those that a [`cairn_types::Certificate`] proves.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::certificate::vote_sign_bytes;
use cairn_types::limits::VALIDATORS_MAX;
use cairn_types::{BlockHash, ChainId, DecodeError, Height, Round, ValidatorIndex, codec, domain};

/// Most bytes of an encoded message: a round certificate of 128 votes, 100 B each, and the fields before them.
pub const MESSAGE_BYTES_MAX: usize = VALIDATORS_MAX * 100 + 128;

/// Highest round that a message may name. Waits grow with the round, so an honest height ends long before; and a round
/// below it can always be counted up.
pub const ROUND_MAX: u32 = 1 << 20;

/// The two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum VoteKind {
    /// "This block could be decided in this round."
    Prevote = 0,
    /// "I have seen two thirds prevote for it, and am locked on it."
    Precommit = 1,
}

/// One validator's vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Vote {
    /// The height voted on.
    pub height: Height,
    /// The round voted in.
    pub round: Round,
    /// Which of the round's two votes.
    pub kind: VoteKind,
    /// The block, or none of them.
    pub block: Option<BlockHash>,
    /// Who votes: a place in the height's validator set.
    pub validator: ValidatorIndex,
}

/// A vote with its signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct SignedVote {
    /// The vote.
    pub vote: Vote,
    /// Ed25519 over [`Vote::sign_bytes`].
    pub signature: [u8; 64],
}

/// The proposer's choice for a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// The height to decide.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// The earlier round in which two thirds prevoted for this very block, if it is proposed again.
    pub pol_round: Option<Round>,
    /// The block.
    pub block: BlockHash,
    /// Who proposes: a place in the height's validator set.
    pub proposer: ValidatorIndex,
}

/// A proposal with its signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct SignedProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// Ed25519 over [`Proposal::sign_bytes`].
    pub signature: [u8; 64],
}

/// Proof that two thirds prevoted for a block in a round: it lets others accept a block that is proposed again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct PolkaCertificate {
    /// The height.
    pub height: Height,
    /// The round of the prevotes.
    pub round: Round,
    /// The block.
    pub block: BlockHash,
    /// The prevotes' signatures, strictly ascending by validator; at most [`VALIDATORS_MAX`].
    #[borsh(deserialize_with = "at_most_one_each")]
    pub signatures: Vec<(ValidatorIndex, [u8; 64])>,
}

/// What a round certificate shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum RoundCertificateKind {
    /// More than a third voted in this round: whoever is in an earlier one may enter it.
    Skip = 0,
    /// More than two thirds precommitted in this round: the next one may start.
    Precommit = 1,
}

/// One vote in a round certificate; height and round are the certificate's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct RoundVote {
    /// Who voted.
    pub validator: ValidatorIndex,
    /// Which vote.
    pub kind: VoteKind,
    /// For which block.
    pub block: Option<BlockHash>,
    /// Ed25519 over [`Vote::sign_bytes`].
    pub signature: [u8; 64],
}

/// Proof that a round was reached: it brings those who missed votes to the round of the others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct RoundCertificate {
    /// The height.
    pub height: Height,
    /// The round of the votes.
    pub round: Round,
    /// What it shows.
    pub kind: RoundCertificateKind,
    /// The votes, strictly ascending by validator; at most [`VALIDATORS_MAX`].
    #[borsh(deserialize_with = "at_most_one_each")]
    pub votes: Vec<RoundVote>,
}

/// A message between validators.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Message {
    /// The proposer's choice; the block's bytes were sent before it.
    Proposal(SignedProposal) = 0,
    /// A vote, said for the first time.
    Vote(SignedVote) = 1,
    /// A vote said again, because its sender waits: whoever has decided that height answers with the decision.
    Repeat(SignedVote) = 2,
    /// Why a block may be proposed again.
    Polka(PolkaCertificate) = 3,
    /// Why a round may be entered.
    Round(RoundCertificate) = 4,
}

/// Refuses a longer list before its items are read: one entry per validator of the largest set.
fn at_most_one_each<R: borsh::io::Read, T: BorshDeserialize>(reader: &mut R) -> borsh::io::Result<Vec<T>> {
    let count = u32::deserialize_reader(reader)?;
    let fits = usize::try_from(count).is_ok_and(|count| count <= VALIDATORS_MAX);
    if !fits {
        let reason = format!("{count} entries, but a set has at most {VALIDATORS_MAX} validators");
        return Err(borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, reason));
    }
    (0..count).map(|_| T::deserialize_reader(reader)).collect()
}

impl Vote {
    /// The bytes that are signed: prefix ‖ chain ‖ u64le height ‖ u32le round ‖ block hash, if there is a block. The
    /// prefix tells the four kinds of vote apart.
    pub fn sign_bytes(&self, chain: &ChainId) -> Vec<u8> {
        let domain = match (self.kind, self.block) {
            (VoteKind::Prevote, Some(_)) => domain::SIGN_PREVOTE,
            (VoteKind::Prevote, None) => domain::SIGN_PREVOTE_NIL,
            (VoteKind::Precommit, Some(_)) => domain::SIGN_PRECOMMIT,
            (VoteKind::Precommit, None) => domain::SIGN_PRECOMMIT_NIL,
        };
        vote_sign_bytes(domain, chain, self.height, self.round, self.block.as_ref())
    }
}

impl Proposal {
    /// The bytes that are signed: prefix ‖ chain ‖ u64le height ‖ u32le round ‖ u8 1 ‖ u32le pol round ‖ block hash, or
    /// five zero bytes in the place of the pol round if there is none.
    pub fn sign_bytes(&self, chain: &ChainId) -> Vec<u8> {
        let mut bytes = vote_sign_bytes(domain::SIGN_PROPOSAL, chain, self.height, self.round, None);
        bytes.push(u8::from(self.pol_round.is_some()));
        bytes.extend_from_slice(&self.pol_round.unwrap_or_default().get().to_le_bytes());
        bytes.extend_from_slice(self.block.as_bytes());
        bytes
    }
}

impl RoundCertificate {
    /// The certificate's votes in full.
    pub fn votes(&self) -> impl Iterator<Item = SignedVote> + '_ {
        self.votes.iter().map(|vote| SignedVote {
            vote: Vote {
                height: self.height,
                round: self.round,
                kind: vote.kind,
                block: vote.block,
                validator: vote.validator,
            },
            signature: vote.signature,
        })
    }
}

impl PolkaCertificate {
    /// The certificate's prevotes in full.
    pub fn votes(&self) -> impl Iterator<Item = SignedVote> + '_ {
        self.signatures.iter().map(|(validator, signature)| SignedVote {
            vote: Vote {
                height: self.height,
                round: self.round,
                kind: VoteKind::Prevote,
                block: Some(self.block),
                validator: *validator,
            },
            signature: *signature,
        })
    }
}

impl Message {
    /// The height it speaks of. Nothing else may be believed before [`Message::verify`].
    pub const fn height(&self) -> Height {
        match self {
            Self::Proposal(signed) => signed.proposal.height,
            Self::Vote(signed) | Self::Repeat(signed) => signed.vote.height,
            Self::Polka(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
        }
    }

    /// The round it speaks of.
    pub const fn round(&self) -> Round {
        match self {
            Self::Proposal(signed) => signed.proposal.round,
            Self::Vote(signed) | Self::Repeat(signed) => signed.vote.round,
            Self::Polka(certificate) => certificate.round,
            Self::Round(certificate) => certificate.round,
        }
    }

    /// Its encoding.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The message whose encoding is exactly `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`]; whoever sent the bytes is to blame.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MESSAGE_BYTES_MAX)
    }
}

impl fmt::Debug for SignedVote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.vote.fmt(f)
    }
}

impl fmt::Debug for SignedProposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.proposal.fmt(f)
    }
}

impl fmt::Debug for RoundVote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} for {:?}", self.kind, self.validator, self.block)
    }
}

impl fmt::Debug for PolkaCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolkaCertificate")
            .field("height", &self.height)
            .field("round", &self.round)
            .field("block", &self.block)
            .field("signers", &self.signatures.iter().map(|(validator, _)| *validator).collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for RoundCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoundCertificate")
            .field("height", &self.height)
            .field("round", &self.round)
            .field("kind", &self.kind)
            .field("votes", &self.votes)
            .finish()
    }
}

#[cfg(test)]
mod tests;
