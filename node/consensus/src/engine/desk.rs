//! The engine's counterpart during one step: it answers what the engine must know at once, and notes the rest.
//!
//! Answered at once: signatures, ours and others'. Every signature that the engine accepted, and our own of this step, are
//! remembered for the height, so that none is checked twice: not when it comes back in a certificate, and not when our own
//! certificate is checked before a decision.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, LivenessMsg, MisbehaviorEvidence, Resumable, Resume, SignedConsensusMsg, VoteExtensionError,
};
use arc_malachitebft_core_types::{CertificateError, SignedMessage};
use cairn_types::{BlockHash, Certificate, ChainId, Round, ValidatorIndex, ValidatorSet};

use super::context::Context;
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

impl Checked {
    const fn of(message: &Message) -> Option<Self> {
        match message {
            Message::Vote(signed) | Message::Repeat(signed) => Some(Self::Vote(*signed)),
            Message::Proposal(signed) => Some(Self::Proposal(*signed)),
            Message::Polka(_) | Message::Round(_) => None,
        }
    }
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
    /// What we signed in this step. The engine asks about it before it accepts it.
    ours: Vec<Checked>,
    said: Vec<Said>,
}

impl Desk {
    pub(super) fn new(chain: ChainId, set: Arc<ValidatorSet>) -> Self {
        Self { chain, set, accepted: BTreeSet::new(), entrance: None, ours: Vec::new(), said: Vec::new() }
    }

    /// Remembers that the message which comes next was checked at the entrance.
    pub(super) fn expect(&mut self, message: &Message) {
        self.entrance = Checked::of(message);
    }

    /// Whether this very vote or proposal was accepted at this height.
    pub(super) fn accepted(&self, message: &Message) -> bool {
        Checked::of(message).is_some_and(|checked| self.accepted.contains(&checked))
    }

    /// What was said since the last time.
    pub(super) fn take(&mut self) -> Vec<Said> {
        self.entrance = None;
        self.ours.clear();
        std::mem::take(&mut self.said)
    }

    /// Does or notes what the engine wants, and says how it goes on.
    pub(super) fn answer(&mut self, effect: Effect<Context>, signer: &mut dyn Signer) -> Resume<Context> {
        match effect {
            Effect::CancelAllTimeouts(_) => self.note([Said::CancelAllTimers]),
            Effect::CancelTimeout(timeout, _) => {
                self.note(convert::timeout_out(timeout).map(|(round, kind)| Said::CancelTimer(round, kind)))
            }
            Effect::ScheduleTimeout(timeout, _) => {
                self.note(convert::timeout_out(timeout).map(|(round, kind)| Said::StartTimer(round, kind)))
            }
            Effect::StartRound(_, round, proposer, _, _) => {
                self.note([Said::RoundStarted { round: convert::round_out(round), proposer: proposer.0 }])
            }
            Effect::GetValue(_, round, _, _) => self.note([Said::Propose { round: convert::round_out(round) }]),
            Effect::RestreamProposal(_, round, _, _, value, _) => {
                self.note([Said::Restream { round: convert::round_out(round), block: value.0 }])
            }
            Effect::PublishConsensusMsg(SignedConsensusMsg::Proposal(signed), _) => {
                let signed = convert::signed_proposal_out(&signed);
                self.note((signed.signature != REFUSED).then_some(Said::Publish(Message::Proposal(signed))))
            }
            Effect::PublishConsensusMsg(SignedConsensusMsg::Vote(signed), _) => {
                let signed = convert::signed_vote_out(&signed);
                self.note((signed.signature != REFUSED).then_some(Said::Publish(Message::Vote(signed))))
            }
            Effect::RepublishVote(signed, _) | Effect::PublishLivenessMsg(LivenessMsg::Vote(signed), _) => {
                let signed = convert::signed_vote_out(&signed);
                self.note((signed.signature != REFUSED).then_some(Said::Publish(Message::Repeat(signed))))
            }
            Effect::PublishLivenessMsg(LivenessMsg::PolkaCertificate(certificate), _) => {
                self.note([Said::Publish(Message::Polka(convert::polka_out(&certificate)))])
            }
            Effect::PublishLivenessMsg(LivenessMsg::SkipRoundCertificate(certificate), _)
            | Effect::RepublishRoundCertificate(certificate, _) => {
                self.note([Said::Publish(Message::Round(convert::round_certificate_out(&certificate)))])
            }
            Effect::Decide(certificate, _, _) => self.note([Said::Decided(convert::certificate_out(&certificate))]),
            Effect::Finalize(_, _, evidence, _) => self.note(evidence_of(&evidence)),
            Effect::WalAppend(_, input, _) => {
                let record = convert::record_out(&input);
                record.iter().for_each(|record| self.remember(record));
                self.note(record.map(Said::Record))
            }

            Effect::SignVote(vote, resume) => {
                let ours = convert::vote_out(&vote);
                let signature = signer.sign(&SignRequest::Vote(ours));
                self.ours.extend(signature.map(|signature| Checked::Vote(SignedVote { vote: ours, signature })));
                resume.resume_with(SignedMessage::new(vote, signature.unwrap_or(REFUSED)))
            }
            Effect::SignProposal(proposal, resume) => {
                let ours = convert::proposal_out(&proposal);
                let signature = signer.sign(&SignRequest::Proposal(ours));
                let signed = signature.map(|signature| SignedProposal { proposal: ours, signature });
                self.ours.extend(signed.map(Checked::Proposal));
                resume.resume_with(SignedMessage::new(proposal, signature.unwrap_or(REFUSED)))
            }
            Effect::VerifySignature(message, _, resume) => {
                let signature = message.signature;
                resume.resume_with(match message.message {
                    ConsensusMsg::Vote(vote) => {
                        self.holds(Checked::Vote(SignedVote { vote: convert::vote_out(&vote), signature }))
                    }
                    ConsensusMsg::Proposal(proposal) => {
                        let proposal = convert::proposal_out(&proposal);
                        self.holds(Checked::Proposal(SignedProposal { proposal, signature }))
                    }
                })
            }
            // Of what is wrong with a certificate the engine only logs. That its signers are members, each at most once
            // and enough of them, was checked at the entrance, or is the engine's own tally.
            Effect::VerifyPolkaCertificate(certificate, _, _, resume) => {
                resume.resume_with(self.all_hold(convert::polka_out(&certificate).votes()))
            }
            Effect::VerifyRoundCertificate(certificate, _, _, resume) => {
                resume.resume_with(self.all_hold(convert::round_certificate_out(&certificate).votes()))
            }
            // The engine made this one of precommits that it accepted, and panics if we reject it.
            Effect::VerifyCommitCertificate(certificate, _, _, resume) => {
                resume.resume_with(self.all_hold(precommits(&convert::certificate_out(&certificate))))
            }

            // Catch-up runs beside the engine, and votes carry no extensions, so these are never asked. If they were, the
            // answer is the one that changes nothing.
            Effect::CertVerifiedSyncValue(..) | Effect::CertRejectedSyncValue(..) => Resume::Continue,
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
        self.said.extend(evidence_of(evidence));
    }

    fn note(&mut self, said: impl IntoIterator<Item = Said>) -> Resume<Context> {
        self.said.extend(said);
        Resume::Continue
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
        if self.entrance == Some(checked) || self.ours.contains(&checked) || self.accepted.contains(&checked) {
            return true;
        }
        match checked {
            Checked::Vote(signed) => signed.signature != REFUSED && signed.verify(&self.chain, &self.set).is_ok(),
            Checked::Proposal(signed) => signed.signature != REFUSED && signed.verify(&self.chain, &self.set).is_ok(),
        }
    }

    fn all_hold(&self, mut votes: impl Iterator<Item = SignedVote>) -> Result<(), CertificateError<Context>> {
        let all = votes.all(|vote| self.holds(Checked::Vote(vote)));
        if all { Ok(()) } else { Err(CertificateError::VerificationError(None)) }
    }
}

/// A certificate's precommits in full.
fn precommits(certificate: &Certificate) -> impl Iterator<Item = SignedVote> + '_ {
    let Certificate { height, round, block, signatures } = certificate;
    signatures.iter().map(|signed| SignedVote {
        vote: Vote {
            height: *height,
            round: *round,
            kind: VoteKind::Precommit,
            block: Some(*block),
            validator: signed.validator,
        },
        signature: signed.signature,
    })
}

fn evidence_of(evidence: &MisbehaviorEvidence<Context>) -> Vec<Said> {
    let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs).map(|(first, second)| Evidence::Votes {
        first: convert::signed_vote_out(first),
        second: convert::signed_vote_out(second),
    });
    let proposals = evidence.proposals.iter().flat_map(|(_, pairs)| pairs).map(|(first, second)| Evidence::Proposals {
        first: convert::signed_proposal_out(first),
        second: convert::signed_proposal_out(second),
    });
    votes.chain(proposals).map(Said::Evidence).collect()
}
