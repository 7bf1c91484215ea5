//! The engine's counterpart during one step: it answers what the engine must know at once, and notes the rest.
//!
//! Answered at once: signatures, ours and others'. Every signature that the engine accepted is remembered for the
//! height, so that none is checked twice: not when it comes back in a certificate, and not when our own certificate is
//! checked before a decision.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, LivenessMsg, MisbehaviorEvidence, Resumable, Resume, SignedConsensusMsg, VoteExtensionError,
};
use arc_malachitebft_core_types::{
    CertificateError, CommitCertificate, CommitSignature, PolkaSignature, SignedMessage,
};
use cairn_types::{BlockHash, Certificate, ChainId, Round, ValidatorIndex, ValidatorSet};

use super::context::{Context, Seat};
use super::convert;
use crate::evidence::Evidence;
use crate::interface::{SignRequest, Signer};
use crate::message::{Message, SignedProposal, SignedVote, Vote, VoteKind};
use crate::timers::TimerKind;
use crate::wal::WalRecord;

/// What the engine says during a step, in its order.
#[derive(Debug)]
pub(crate) enum Said {
    Record(WalRecord),
    Publish(Message),
    Restream { round: Round, block: BlockHash },
    StartTimer(Round, TimerKind),
    CancelTimer(Round, TimerKind),
    CancelAllTimers,
    RoundStarted { round: Round, proposer: ValidatorIndex },
    Propose { round: Round },
    Decided(Certificate),
    Evidence(Evidence),
}

/// Stands in for a signature that the signer refused. With it a message is neither counted nor sent.
const REFUSED: [u8; 64] = [0; 64];

/// A signature that was checked, with what it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Checked {
    Vote(SignedVote),
    Proposal(SignedProposal),
}

#[derive(Debug)]
pub(super) struct Desk {
    chain: ChainId,
    set: Arc<ValidatorSet>,
    /// Signatures of what the engine accepted at this height. The engine bounds it: two votes a validator and round, a
    /// few more as evidence, and two proposals a round, in rounds up to ten above the present one.
    accepted: BTreeSet<Checked>,
    /// The message of this step, checked at the entrance.
    entrance: Option<Checked>,
    said: Vec<Said>,
}

impl Desk {
    pub(super) fn new(chain: ChainId, set: Arc<ValidatorSet>) -> Self {
        Self { chain, set, accepted: BTreeSet::new(), entrance: None, said: Vec::new() }
    }

    /// Remembers that the message which comes next was checked at the entrance.
    pub(super) fn expect(&mut self, message: &Message) {
        self.entrance = match message {
            Message::Vote(signed) | Message::Repeat(signed) => Some(Checked::Vote(*signed)),
            Message::Proposal(signed) => Some(Checked::Proposal(*signed)),
            Message::Polka(_) | Message::Round(_) => None,
        };
    }

    /// What was said since the last time.
    pub(super) fn take(&mut self) -> Vec<Said> {
        self.entrance = None;
        std::mem::take(&mut self.said)
    }

    /// Does or notes what the engine wants, and says how it goes on.
    pub(super) fn answer(&mut self, effect: Effect<Context>, signer: &mut dyn Signer) -> Resume<Context> {
        match effect {
            Effect::CancelAllTimeouts(resume) => resume.resume_with(self.say(Said::CancelAllTimers)),
            Effect::CancelTimeout(timeout, resume) => {
                if let Some((round, kind)) = convert::timeout_out(timeout) {
                    self.say(Said::CancelTimer(round, kind));
                }
                resume.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, resume) => {
                if let Some((round, kind)) = convert::timeout_out(timeout) {
                    self.say(Said::StartTimer(round, kind));
                }
                resume.resume_with(())
            }
            Effect::StartRound(_, round, proposer, _, resume) => {
                let round = convert::round_out(round);
                resume.resume_with(self.say(Said::RoundStarted { round, proposer: proposer.0 }))
            }
            Effect::PublishConsensusMsg(message, resume) => {
                if *message.signature() != REFUSED {
                    self.say(Said::Publish(match message {
                        SignedConsensusMsg::Vote(signed) => Message::Vote(convert::signed_vote_out(&signed)),
                        SignedConsensusMsg::Proposal(signed) => {
                            Message::Proposal(convert::signed_proposal_out(&signed))
                        }
                    }));
                }
                resume.resume_with(())
            }
            Effect::PublishLivenessMsg(message, resume) => {
                match message {
                    LivenessMsg::Vote(signed) => self.repeat(&convert::signed_vote_out(&signed)),
                    LivenessMsg::PolkaCertificate(certificate) => {
                        self.say(Said::Publish(Message::Polka(convert::polka_out(&certificate))));
                    }
                    LivenessMsg::SkipRoundCertificate(certificate) => {
                        self.say(Said::Publish(Message::Round(convert::round_certificate_out(&certificate))));
                    }
                }
                resume.resume_with(())
            }
            Effect::RepublishVote(signed, resume) => {
                resume.resume_with(self.repeat(&convert::signed_vote_out(&signed)))
            }
            Effect::RepublishRoundCertificate(certificate, resume) => {
                let message = Message::Round(convert::round_certificate_out(&certificate));
                resume.resume_with(self.say(Said::Publish(message)))
            }
            Effect::GetValue(_, round, _, resume) => {
                let round = convert::round_out(round);
                resume.resume_with(self.say(Said::Propose { round }))
            }
            Effect::RestreamProposal(_, round, _, _, value, resume) => {
                let round = convert::round_out(round);
                resume.resume_with(self.say(Said::Restream { round, block: value.0 }))
            }
            Effect::Decide(certificate, _, resume) => {
                resume.resume_with(self.say(Said::Decided(convert::certificate_out(&certificate))))
            }
            Effect::Finalize(_, _, evidence, resume) => resume.resume_with(self.note_evidence(&evidence)),
            Effect::WalAppend(_, input, resume) => {
                if let Some(record) = convert::record_out(&input) {
                    self.remember(&record);
                    self.say(Said::Record(record));
                }
                resume.resume_with(())
            }
            Effect::SignVote(vote, resume) => {
                let request = SignRequest::Vote(convert::vote_out(&vote));
                let signature = signer.sign(&request).unwrap_or(REFUSED);
                resume.resume_with(SignedMessage::new(vote, signature))
            }
            Effect::SignProposal(proposal, resume) => {
                let request = SignRequest::Proposal(convert::proposal_out(&proposal));
                let signature = signer.sign(&request).unwrap_or(REFUSED);
                resume.resume_with(SignedMessage::new(proposal, signature))
            }
            Effect::VerifySignature(message, _, resume) => {
                let signature = message.signature;
                let checked = match message.message {
                    ConsensusMsg::Vote(vote) => Checked::Vote(SignedVote { vote: convert::vote_out(&vote), signature }),
                    ConsensusMsg::Proposal(proposal) => {
                        Checked::Proposal(SignedProposal { proposal: convert::proposal_out(&proposal), signature })
                    }
                };
                resume.resume_with(self.holds(checked))
            }
            Effect::VerifyCommitCertificate(certificate, _, _, resume) => {
                resume.resume_with(self.check_commit(&certificate))
            }
            Effect::VerifyPolkaCertificate(certificate, _, _, resume) => {
                let wrong = convert::polka_out(&certificate).votes().find(|vote| !self.holds(Checked::Vote(*vote)));
                resume.resume_with(wrong.map_or(Ok(()), |wrong| {
                    let signature = PolkaSignature::new(Seat(wrong.vote.validator), wrong.signature);
                    Err(CertificateError::InvalidPolkaSignature(signature))
                }))
            }
            Effect::VerifyRoundCertificate(certificate, _, _, resume) => {
                let wrong =
                    convert::round_certificate_out(&certificate).votes().find(|vote| !self.holds(Checked::Vote(*vote)));
                // The error is only logged, so it need not repeat the signature.
                resume.resume_with(wrong.map_or(Ok(()), |_| Err(CertificateError::VerificationError(None))))
            }
            // Catch-up runs beside the engine, and votes carry no extensions: the four below are never asked. If they
            // were, the answer is the one that changes nothing.
            Effect::CertVerifiedSyncValue(_, _, resume) | Effect::CertRejectedSyncValue(_, _, _, resume) => {
                resume.resume_with(())
            }
            Effect::VerifyExtendedCommitCertificate(_, _, _, _, resume) => {
                resume.resume_with(Err(CertificateError::VerificationError(None)))
            }
            Effect::ExtendVote(_, _, _, _, resume) => resume.resume_with(None),
            Effect::VerifyVoteExtension(_, _, _, _, _, _, resume) => {
                resume.resume_with(Err(VoteExtensionError::InvalidVoteExtension))
            }
        }
    }

    /// Notes evidence that the engine collected.
    pub(super) fn note_evidence(&mut self, evidence: &MisbehaviorEvidence<Context>) {
        let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs).map(|(first, second)| Evidence::Votes {
            first: convert::signed_vote_out(first),
            second: convert::signed_vote_out(second),
        });
        let proposals =
            evidence.proposals.iter().flat_map(|(_, pairs)| pairs).map(|(first, second)| Evidence::Proposals {
                first: convert::signed_proposal_out(first),
                second: convert::signed_proposal_out(second),
            });
        self.said.extend(votes.chain(proposals).map(Said::Evidence));
    }

    fn say(&mut self, said: Said) {
        self.said.push(said);
    }

    fn repeat(&mut self, signed: &SignedVote) {
        if signed.signature != REFUSED {
            self.say(Said::Publish(Message::Repeat(*signed)));
        }
    }

    /// Remembers the signatures of what the engine accepted.
    fn remember(&mut self, record: &WalRecord) {
        match record {
            WalRecord::Vote(signed) => {
                self.accepted.insert(Checked::Vote(*signed));
            }
            WalRecord::Proposal(signed) => {
                self.accepted.insert(Checked::Proposal(*signed));
            }
            WalRecord::Polka(certificate) => self.accepted.extend(certificate.votes().map(Checked::Vote)),
            WalRecord::Executed { .. } | WalRecord::TimerFired { .. } => {}
        }
    }

    /// Whether a signature is valid, by memory if possible.
    fn holds(&self, checked: Checked) -> bool {
        if self.entrance == Some(checked) || self.accepted.contains(&checked) {
            return true;
        }
        match checked {
            Checked::Vote(signed) => signed.signature != REFUSED && signed.verify(&self.chain, &self.set).is_ok(),
            Checked::Proposal(signed) => signed.signature != REFUSED && signed.verify(&self.chain, &self.set).is_ok(),
        }
    }

    /// Checks the certificate that the engine made of accepted precommits. It panics if we reject it: then it has a bug,
    /// or we do.
    fn check_commit(&self, certificate: &CommitCertificate<Context>) -> Result<(), CertificateError<Context>> {
        for CommitSignature { address, signature } in &certificate.commit_signatures {
            let vote = Vote {
                height: cairn_types::Height::new(certificate.height.0),
                round: convert::round_out(certificate.round),
                kind: VoteKind::Precommit,
                block: Some(certificate.value_id.0),
                validator: address.0,
            };
            if !self.holds(Checked::Vote(SignedVote { vote, signature: *signature })) {
                let signature = CommitSignature::new(*address, *signature);
                return Err(CertificateError::InvalidCommitSignature(signature));
            }
        }
        Ok(())
    }
}
