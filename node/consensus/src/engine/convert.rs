//! Our types to the engine's and back.
//!
//! Only rounds and certificates are not one to one: the engine counts rounds from "nil", which in our messages can only
//! mean "no earlier round", and it does not sort a certificate's signers, which ours always are.

use arc_malachitebft_core_consensus::{Input, ProposedValue};
use arc_malachitebft_core_types as mt;
use cairn_types::certificate::CertificateSignature;
use cairn_types::{Certificate, ValidatorIndex};
use mt::{NilOrVal, SignedMessage, Timeout, TimeoutKind, ValueOrigin, VoteType};

use super::context::{Context, Height, Proposal, Seat, Value, Vote};
use crate::message::{
    self, PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundVote, SignedProposal, SignedVote, VoteKind,
};
use crate::timers::TimerKind;
use crate::wal::{Validity, WalRecord};

pub(super) fn round_in(round: cairn_types::Round) -> mt::Round {
    mt::Round::new(round.get())
}

/// A round that is known to be one: the engine is in a round whenever it says something.
pub(super) fn round_out(round: mt::Round) -> cairn_types::Round {
    cairn_types::Round::new(round.as_u32().expect("the engine speaks of rounds from 0 only"))
}

fn pol_round_in(round: Option<cairn_types::Round>) -> mt::Round {
    round.map_or(mt::Round::Nil, round_in)
}

fn pol_round_out(round: mt::Round) -> Option<cairn_types::Round> {
    round.as_u32().map(cairn_types::Round::new)
}

pub(super) fn height_in(height: cairn_types::Height) -> Height {
    Height(height.get())
}

fn height_out(height: Height) -> cairn_types::Height {
    cairn_types::Height::new(height.0)
}

fn kind_in(kind: VoteKind) -> VoteType {
    match kind {
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    }
}

fn kind_out(kind: VoteType) -> VoteKind {
    match kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

fn block_in(block: Option<cairn_types::BlockHash>) -> NilOrVal<Value> {
    block.map_or(NilOrVal::Nil, |block| NilOrVal::Val(Value(block)))
}

fn block_out(value: NilOrVal<Value>) -> Option<cairn_types::BlockHash> {
    match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(value) => Some(value.0),
    }
}

pub(super) fn vote_out(vote: &Vote) -> message::Vote {
    message::Vote {
        height: height_out(vote.height),
        round: round_out(vote.round),
        kind: kind_out(vote.kind),
        block: block_out(vote.value),
        validator: vote.validator.0,
    }
}

pub(super) fn proposal_out(proposal: &Proposal) -> message::Proposal {
    message::Proposal {
        height: height_out(proposal.height),
        round: round_out(proposal.round),
        pol_round: pol_round_out(proposal.pol_round),
        block: proposal.value.0,
        proposer: proposal.proposer.0,
    }
}

pub(super) fn signed_vote_in(signed: SignedVote) -> mt::SignedVote<Context> {
    let vote = Vote {
        height: height_in(signed.vote.height),
        round: round_in(signed.vote.round),
        kind: kind_in(signed.vote.kind),
        value: block_in(signed.vote.block),
        validator: Seat(signed.vote.validator),
    };
    SignedMessage::new(vote, signed.signature)
}

pub(super) fn signed_vote_out(signed: &mt::SignedVote<Context>) -> SignedVote {
    SignedVote { vote: vote_out(&signed.message), signature: signed.signature }
}

pub(super) fn signed_proposal_in(signed: SignedProposal) -> mt::SignedProposal<Context> {
    let proposal = Proposal {
        height: height_in(signed.proposal.height),
        round: round_in(signed.proposal.round),
        pol_round: pol_round_in(signed.proposal.pol_round),
        value: Value(signed.proposal.block),
        proposer: Seat(signed.proposal.proposer),
    };
    SignedMessage::new(proposal, signed.signature)
}

pub(super) fn signed_proposal_out(signed: &mt::SignedProposal<Context>) -> SignedProposal {
    SignedProposal { proposal: proposal_out(&signed.message), signature: signed.signature }
}

pub(super) fn polka_in(certificate: PolkaCertificate) -> mt::PolkaCertificate<Context> {
    mt::PolkaCertificate {
        height: height_in(certificate.height),
        round: round_in(certificate.round),
        value_id: Value(certificate.block),
        polka_signatures: certificate
            .signatures
            .into_iter()
            .map(|(validator, signature)| mt::PolkaSignature::new(Seat(validator), signature))
            .collect(),
    }
}

pub(super) fn polka_out(certificate: &mt::PolkaCertificate<Context>) -> PolkaCertificate {
    let mut signatures: Vec<(ValidatorIndex, [u8; 64])> =
        certificate.polka_signatures.iter().map(|signed| (signed.address.0, signed.signature)).collect();
    signatures.sort_unstable();
    signatures.dedup_by_key(|(validator, _)| *validator);
    PolkaCertificate {
        height: height_out(certificate.height),
        round: round_out(certificate.round),
        block: certificate.value_id.0,
        signatures,
    }
}

pub(super) fn round_certificate_in(certificate: RoundCertificate) -> mt::RoundCertificate<Context> {
    mt::RoundCertificate {
        height: height_in(certificate.height),
        round: round_in(certificate.round),
        cert_type: match certificate.kind {
            RoundCertificateKind::Skip => mt::RoundCertificateType::Skip,
            RoundCertificateKind::Precommit => mt::RoundCertificateType::Precommit,
        },
        round_signatures: certificate
            .votes
            .into_iter()
            .map(|vote| {
                mt::RoundSignature::new(kind_in(vote.kind), block_in(vote.block), Seat(vote.validator), vote.signature)
            })
            .collect(),
    }
}

pub(super) fn round_certificate_out(certificate: &mt::RoundCertificate<Context>) -> RoundCertificate {
    let mut votes: Vec<RoundVote> = certificate
        .round_signatures
        .iter()
        .map(|signed| RoundVote {
            validator: signed.address.0,
            kind: kind_out(signed.vote_type),
            block: block_out(signed.value_id),
            signature: signed.signature,
        })
        .collect();
    votes.sort_unstable();
    votes.dedup_by_key(|vote| vote.validator);
    RoundCertificate {
        height: height_out(certificate.height),
        round: round_out(certificate.round),
        kind: match certificate.cert_type {
            mt::RoundCertificateType::Skip => RoundCertificateKind::Skip,
            mt::RoundCertificateType::Precommit => RoundCertificateKind::Precommit,
        },
        votes,
    }
}

pub(super) fn certificate_out(certificate: &mt::CommitCertificate<Context>) -> Certificate {
    let mut signatures: Vec<CertificateSignature> = certificate
        .commit_signatures
        .iter()
        .map(|signed| CertificateSignature { validator: signed.address.0, signature: signed.signature })
        .collect();
    signatures.sort_unstable_by_key(|signed| signed.validator);
    signatures.dedup_by_key(|signed| signed.validator);
    Certificate {
        height: height_out(certificate.height),
        round: round_out(certificate.round),
        block: certificate.value_id.0,
        signatures,
    }
}

pub(super) fn timeout_in(round: cairn_types::Round, kind: TimerKind) -> Timeout {
    let kind = match kind {
        TimerKind::Propose => TimeoutKind::Propose,
        TimerKind::Prevote => TimeoutKind::Prevote,
        TimerKind::Precommit => TimeoutKind::Precommit,
        TimerKind::Rebroadcast => TimeoutKind::Rebroadcast,
    };
    Timeout::new(round_in(round), kind)
}

/// None for the engine's wait after a decision, which it only takes when it is given a target time, and we give none.
pub(super) fn timeout_out(timeout: Timeout) -> Option<(cairn_types::Round, TimerKind)> {
    let kind = match timeout.kind {
        TimeoutKind::Propose => TimerKind::Propose,
        TimeoutKind::Prevote => TimerKind::Prevote,
        TimeoutKind::Precommit => TimerKind::Precommit,
        TimeoutKind::Rebroadcast => TimerKind::Rebroadcast,
        TimeoutKind::FinalizeHeight(_) => return None,
    };
    Some((round_out(timeout.round), kind))
}

pub(super) fn record_in(height: cairn_types::Height, record: WalRecord) -> Input<Context> {
    match record {
        WalRecord::Vote(signed) => Input::Vote(signed_vote_in(signed)),
        WalRecord::Proposal(signed) => Input::Proposal(signed_proposal_in(signed)),
        WalRecord::Polka(certificate) => Input::PolkaCertificate(polka_in(certificate)),
        WalRecord::Executed { round, pol_round, proposer, block, validity } => {
            let value = ProposedValue {
                height: height_in(height),
                round: round_in(round),
                valid_round: pol_round_in(pol_round),
                proposer: Seat(proposer),
                value: Value(block),
                validity: match validity {
                    Validity::Valid => mt::Validity::Valid,
                    Validity::Invalid => mt::Validity::Invalid,
                },
            };
            Input::ProposedValue(value, ValueOrigin::Consensus)
        }
        WalRecord::TimerFired { round, kind } => Input::TimeoutElapsed(timeout_in(round, kind)),
    }
}

/// None for what the engine never asks to be logged.
pub(super) fn record_out(input: &Input<Context>) -> Option<WalRecord> {
    match input {
        Input::Vote(signed) => Some(WalRecord::Vote(signed_vote_out(signed))),
        Input::Proposal(signed) => Some(WalRecord::Proposal(signed_proposal_out(signed))),
        Input::PolkaCertificate(certificate) => Some(WalRecord::Polka(polka_out(certificate))),
        Input::ProposedValue(value, _) => Some(WalRecord::Executed {
            round: round_out(value.round),
            pol_round: pol_round_out(value.valid_round),
            proposer: value.proposer.0,
            block: value.value.0,
            validity: match value.validity {
                mt::Validity::Valid => Validity::Valid,
                mt::Validity::Invalid => Validity::Invalid,
            },
        }),
        Input::TimeoutElapsed(timeout) => {
            timeout_out(*timeout).map(|(round, kind)| WalRecord::TimerFired { round, kind })
        }
        Input::StartHeight(..) | Input::RoundCertificate(_) | Input::Propose(_) | Input::SyncValueResponse(_) => None,
    }
}
