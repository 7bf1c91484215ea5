//! The entrance: what a message must show before the machine looks at it.
//!
//! Pure functions, so that the node can run them on many threads. The machine takes only [`VerifiedMessage`], and only
//! this module makes one. It does not know which height is being decided: the caller brings the validator set of the
//! message's height.

use cairn_types::key::verify_ed25519;
use cairn_types::{ChainId, Height, Power, Round, Validator, ValidatorIndex, ValidatorSet, has_quorum};

use crate::message::{
    Message, PolkaCertificate, ROUND_MAX, RoundCertificate, RoundCertificateKind, SignedProposal, SignedVote, VoteKind,
};

/// A message that was checked against the validator set of its height.
///
/// A proposal comes from the round's proposer and a vote from a validator, and their signature holds. Of a certificate
/// only shape and power are checked here: its signatures are left to the machine, which knows most of them already and
/// looks at none when it knows what the certificate proves. A false one costs it a single check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedMessage {
    message: Message,
    /// The key that the signature was checked with; none for a certificate.
    signer: Option<[u8; 32]>,
}

/// Why a message is not worth looking at. Its sender is to blame, unless the caller brought another height's validators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A round that no honest node reaches.
    #[error("round {round} is above {max}", max = ROUND_MAX)]
    Round {
        /// The round.
        round: Round,
    },
    /// A validator that the set does not have.
    #[error("height {height} has no validator {validator}")]
    UnknownValidator {
        /// The height.
        height: Height,
        /// The validator.
        validator: ValidatorIndex,
    },
    /// A proposal from a validator whose turn it is not.
    #[error("validator {found} proposes at {height}/{round}, but it is the turn of {expected}")]
    NotTheProposer {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// Who proposes.
        found: ValidatorIndex,
        /// Whose turn it is.
        expected: ValidatorIndex,
    },
    /// A proposal that refers to a round which is not earlier than its own.
    #[error("a proposal of round {round} refers to round {pol_round}")]
    PolRound {
        /// The proposal's round.
        round: Round,
        /// The round that it refers to.
        pol_round: Round,
    },
    /// A signature that does not verify.
    #[error("the signature of validator {validator} does not verify")]
    Signature {
        /// The signer.
        validator: ValidatorIndex,
    },
    /// Signers of a certificate are not strictly ascending.
    #[error("signers must be strictly ascending; {validator} is not")]
    Order {
        /// The signer out of order.
        validator: ValidatorIndex,
    },
    /// A prevote in a certificate of precommits.
    #[error("validator {validator} appears with a prevote among precommits")]
    Kind {
        /// The signer.
        validator: ValidatorIndex,
    },
    /// A certificate without the power that it needs.
    #[error("power {signed} of {total} is not enough for this certificate", signed = .signed.get(), total = .total.get())]
    Power {
        /// The signers' power.
        signed: Power,
        /// The set's power.
        total: Power,
    },
}

impl Message {
    /// Checks the message against the validators of its height.
    ///
    /// # Errors
    /// [`MessageError`]; the sender is to blame.
    pub fn verify(self, chain: &ChainId, validators: &ValidatorSet) -> Result<VerifiedMessage, MessageError> {
        if self.round().get() > ROUND_MAX {
            return Err(MessageError::Round { round: self.round() });
        }
        let signer = match &self {
            Self::Proposal(signed) => Some(signed.verify(chain, validators)?),
            Self::Vote(signed) | Self::Repeat(signed) => Some(signed.verify(chain, validators)?),
            Self::Polka(certificate) => {
                certificate.check_power(validators)?;
                None
            }
            Self::Round(certificate) => {
                certificate.check_power(validators)?;
                None
            }
        };
        Ok(VerifiedMessage { message: self, signer })
    }
}

impl SignedVote {
    /// Checks that a validator signed this vote; the key that did.
    ///
    /// # Errors
    /// [`MessageError`]; the sender is to blame.
    pub fn verify(&self, chain: &ChainId, validators: &ValidatorSet) -> Result<[u8; 32], MessageError> {
        let member = member(validators, self.vote.height, self.vote.validator)?;
        verify_ed25519(&member.key, &self.vote.sign_bytes(chain), &self.signature)
            .map_err(|_| MessageError::Signature { validator: self.vote.validator })?;
        Ok(member.key)
    }
}

impl SignedProposal {
    /// Checks that the round's proposer signed this proposal; the key that did.
    ///
    /// # Errors
    /// [`MessageError`]; the sender is to blame.
    pub fn verify(&self, chain: &ChainId, validators: &ValidatorSet) -> Result<[u8; 32], MessageError> {
        let proposal = &self.proposal;
        let member = member(validators, proposal.height, proposal.proposer)?;
        let expected = validators.proposer(proposal.height, proposal.round);
        if proposal.proposer != expected {
            let (height, round, found) = (proposal.height, proposal.round, proposal.proposer);
            return Err(MessageError::NotTheProposer { height, round, found, expected });
        }
        if let Some(pol_round) = proposal.pol_round.filter(|pol_round| *pol_round >= proposal.round) {
            return Err(MessageError::PolRound { round: proposal.round, pol_round });
        }
        verify_ed25519(&member.key, &proposal.sign_bytes(chain), &self.signature)
            .map_err(|_| MessageError::Signature { validator: proposal.proposer })?;
        Ok(member.key)
    }
}

impl PolkaCertificate {
    /// Checks signers and power, but no signature.
    fn check_power(&self, validators: &ValidatorSet) -> Result<(), MessageError> {
        let signers = self.signatures.iter().map(|(validator, _)| *validator);
        let (signed, total) = power_of(signers, self.height, validators)?;
        enough(has_quorum(signed, total), signed, total)
    }
}

impl RoundCertificate {
    /// Checks signers, kinds and power, but no signature.
    fn check_power(&self, validators: &ValidatorSet) -> Result<(), MessageError> {
        let (signed, total) = power_of(self.votes.iter().map(|vote| vote.validator), self.height, validators)?;
        match self.kind {
            RoundCertificateKind::Skip => enough(is_more_than_a_third(signed, total), signed, total),
            RoundCertificateKind::Precommit => {
                if let Some(vote) = self.votes.iter().find(|vote| vote.kind == VoteKind::Prevote) {
                    return Err(MessageError::Kind { validator: vote.validator });
                }
                enough(has_quorum(signed, total), signed, total)
            }
        }
    }
}

impl VerifiedMessage {
    /// The message.
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The message, if it was checked with this very set, as far as it speaks of the set.
    pub(crate) fn of(self, validators: &ValidatorSet) -> Option<Message> {
        let fits = |author| self.signer.is_some() && self.signer == validators.get(author).map(|member| member.key);
        let fits = match &self.message {
            Message::Proposal(signed) => fits(signed.proposal.proposer),
            Message::Vote(signed) | Message::Repeat(signed) => fits(signed.vote.validator),
            Message::Polka(certificate) => certificate.check_power(validators).is_ok(),
            Message::Round(certificate) => certificate.check_power(validators).is_ok(),
        };
        fits.then_some(self.message)
    }
}

/// Strictly more than a third: at least one of them is honest.
fn is_more_than_a_third(signed: Power, total: Power) -> bool {
    3 * u128::from(signed.get()) > u128::from(total.get())
}

fn enough(enough: bool, signed: Power, total: Power) -> Result<(), MessageError> {
    if enough { Ok(()) } else { Err(MessageError::Power { signed, total }) }
}

fn member(validators: &ValidatorSet, height: Height, validator: ValidatorIndex) -> Result<&Validator, MessageError> {
    validators.get(validator).ok_or(MessageError::UnknownValidator { height, validator })
}

/// The power of strictly ascending signers, and of the whole set.
fn power_of(
    signers: impl Iterator<Item = ValidatorIndex>,
    height: Height,
    validators: &ValidatorSet,
) -> Result<(Power, Power), MessageError> {
    let mut signed: u64 = 0;
    let mut previous: Option<ValidatorIndex> = None;
    for validator in signers {
        if previous.is_some_and(|previous| previous >= validator) {
            return Err(MessageError::Order { validator });
        }
        previous = Some(validator);
        signed = signed.saturating_add(member(validators, height, validator)?.power.get());
    }
    Ok((Power::new(signed), validators.total_power()))
}

#[cfg(test)]
mod tests;
