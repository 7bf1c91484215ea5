//! Evidence: two signed messages of one validator that no honest node can both have sent.
//!
//! Anyone can check it with the validator set of its height. What follows from it is for the council, not for this crate.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::{ChainId, Height, ValidatorIndex, ValidatorSet};

use crate::message::{SignedProposal, SignedVote};
use crate::verify::MessageError;

/// A validator contradicted itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Evidence {
    /// Two votes of one kind in one round.
    Votes {
        /// The one that we counted.
        first: SignedVote,
        /// The one that contradicts it.
        second: SignedVote,
    } = 0,
    /// Two proposals in one round.
    Proposals {
        /// The one that came first.
        first: SignedProposal,
        /// The one that contradicts it.
        second: SignedProposal,
    } = 1,
}

/// Why something is not evidence. Whoever offers it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The two do not contradict each other: one node may honestly have sent both.
    #[error("the two messages do not contradict each other")]
    NoContradiction,
    /// One of them is not the validator's.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl Evidence {
    /// Who contradicted itself.
    pub const fn validator(&self) -> ValidatorIndex {
        match self {
            Self::Votes { first, .. } => first.vote.validator,
            Self::Proposals { first, .. } => first.proposal.proposer,
        }
    }

    /// At which height.
    pub const fn height(&self) -> Height {
        match self {
            Self::Votes { first, .. } => first.vote.height,
            Self::Proposals { first, .. } => first.proposal.height,
        }
    }

    /// Checks the evidence against the validators of its height.
    ///
    /// # Errors
    /// [`EvidenceError`]; whoever offers it is to blame.
    pub fn verify(&self, chain: &ChainId, validators: &ValidatorSet) -> Result<(), EvidenceError> {
        match self {
            Self::Votes { first, second } => {
                let (a, b) = (&first.vote, &second.vote);
                let same_place = (a.height, a.round, a.kind, a.validator) == (b.height, b.round, b.kind, b.validator);
                if !same_place || a.block == b.block {
                    return Err(EvidenceError::NoContradiction);
                }
                first.verify(chain, validators)?;
                second.verify(chain, validators)?;
            }
            Self::Proposals { first, second } => {
                let (a, b) = (&first.proposal, &second.proposal);
                let same_place = (a.height, a.round, a.proposer) == (b.height, b.round, b.proposer);
                if !same_place || (a.block, a.pol_round) == (b.block, b.pol_round) {
                    return Err(EvidenceError::NoContradiction);
                }
                first.verify(chain, validators)?;
                second.verify(chain, validators)?;
            }
        }
        Ok(())
    }
}
