//! The engine that agrees on one height: Malachite's core, behind types of our own.
//!
//! This file and those below it are the only ones that name the engine's crates. An engine serves one height and is
//! dropped with it, so nothing of one height can leak into the next. It is driven by coroutines: each input runs until
//! the engine has nothing more to say, and the [`desk`] answers or notes what it says.

mod context;
mod convert;
mod desk;

use std::convert::Infallible;
use std::sync::Arc;

use arc_malachitebft_core_consensus::{
    Error, Input, LocallyProposedValue, MisbehaviorEvidence, Params, State, ThresholdParams, process,
};
use arc_malachitebft_core_types::{NilOrVal, ValuePayload, VoteExtensionPolicy, VoteType};
use cairn_types::{BlockHash, ChainId, Height, Power, Round, ValidatorIndex, ValidatorSet, has_quorum};

use crate::interface::Signer;
use crate::message::Message;
use crate::timers::TimerKind;
use crate::wal::WalRecord;
use context::{Context, Members, Seat, Value};
use desk::Desk;
pub(crate) use desk::Said;

/// Room in the engine's own queue for later heights. We never feed it one, so it stays empty.
const QUEUE_HEIGHTS: usize = 1;

/// What to tell the engine.
pub(crate) enum Tell {
    Message(Message),
    Record(WalRecord),
    Propose { round: Round, block: BlockHash },
    TimerFired { round: Round, kind: TimerKind },
}

/// Why the engine could not take an input.
pub(crate) struct Failure {
    pub(crate) reason: String,
}

pub(crate) struct Engine {
    height: Height,
    members: Members,
    state: State<Context>,
    desk: Desk,
}

impl Engine {
    pub(crate) fn new(chain: ChainId, height: Height, set: Arc<ValidatorSet>, seat: Option<ValidatorIndex>) -> Self {
        let members = Members::new(Arc::clone(&set));
        let params = Params {
            address: seat.map_or(Seat::NONE, Seat),
            threshold_params: ThresholdParams::default(),
            value_payload: ValuePayload::ProposalAndParts,
            enabled: seat.is_some(),
        };
        let height_in = convert::height_in(height);
        let state = State::new(Context, height_in, members.clone(), params, QUEUE_HEIGHTS, QUEUE_HEIGHTS);
        Self { height, members, state, desk: Desk::new(chain, set) }
    }

    /// Enters round 0, then plays back what the log holds.
    pub(crate) fn start(&mut self, recovered: Vec<WalRecord>, signer: &mut dyn Signer) -> Result<Vec<Said>, Failure> {
        let height = convert::height_in(self.height);
        let start = Input::StartHeight(height, self.members.clone(), false, None, VoteExtensionPolicy::Disabled);
        self.process(start, signer)?;
        if !recovered.is_empty() {
            let inputs: Vec<_> = recovered.into_iter().map(|record| convert::record_in(self.height, record)).collect();
            self.state.record_recovered_own_precommit_extensions(&inputs);
            self.state.index_wal_entries(&inputs);
            for input in inputs {
                self.process(input, signer)?;
            }
            self.state.reset_entries_index();
        }
        Ok(self.desk.take())
    }

    /// Processes one input to its end. What was said counts even if it fails half-way.
    pub(crate) fn tell(&mut self, tell: Tell, signer: &mut dyn Signer) -> (Vec<Said>, Result<(), Failure>) {
        let input = match tell {
            Tell::Message(message) => {
                self.desk.expect(&message);
                match message {
                    Message::Proposal(signed) => Input::Proposal(convert::signed_proposal_in(signed)),
                    Message::Vote(signed) | Message::Repeat(signed) => Input::Vote(convert::signed_vote_in(signed)),
                    Message::Polka(certificate) => Input::PolkaCertificate(convert::polka_in(certificate)),
                    Message::Round(certificate) => Input::RoundCertificate(convert::round_certificate_in(certificate)),
                }
            }
            Tell::Record(record) => convert::record_in(self.height, record),
            Tell::Propose { round, block } => Input::Propose(LocallyProposedValue::new(
                convert::height_in(self.height),
                convert::round_in(round),
                Value(block),
            )),
            Tell::TimerFired { round, kind } => Input::TimeoutElapsed(convert::timeout_in(round, kind)),
        };
        let result = self.process(input, signer);
        (self.desk.take(), result)
    }

    /// The round under way.
    pub(crate) fn round(&self) -> Round {
        self.state.round().as_u32().map(Round::new).unwrap_or_default()
    }

    /// Whether the round under way can no longer lead anywhere: a quorum prevoted for no block, so nobody is locked by this
    /// round, and a quorum precommitted no block, so nobody decides by it.
    pub(crate) fn is_round_empty(&self) -> bool {
        let Some(round) = self.state.driver.votes().per_round(self.state.round()) else { return false };
        let total = self.members.set().total_power();
        [VoteType::Prevote, VoteType::Precommit].into_iter().all(|kind| {
            let power = round.votes().get_weight(kind, &NilOrVal::Nil);
            has_quorum(Power::new(power), total)
        })
    }

    /// The set that decides this height.
    pub(crate) fn validators(&self) -> &ValidatorSet {
        self.members.set()
    }

    /// Our place in the set.
    pub(crate) fn seat(&self) -> Option<ValidatorIndex> {
        Some(self.state.params.address).filter(|seat| *seat != Seat::NONE).map(|seat| seat.0)
    }

    /// Whether a message is a vote or proposal under our name.
    pub(crate) fn is_ours(&self, message: &Message) -> bool {
        let author = match message {
            Message::Proposal(signed) => signed.proposal.proposer,
            Message::Vote(signed) | Message::Repeat(signed) => signed.vote.validator,
            Message::Polka(_) | Message::Round(_) => return false,
        };
        self.seat() == Some(author)
    }

    /// Whether this very vote or proposal was accepted at this height.
    pub(crate) fn accepted(&self, message: &Message) -> bool {
        self.desk.accepted(message)
    }

    /// Ends the height without a decision; what is left is the evidence.
    pub(crate) fn abandon(mut self) -> Vec<Said> {
        let evidence = MisbehaviorEvidence {
            proposals: self.state.driver.take_proposal_evidence(),
            votes: self.state.driver.take_vote_evidence(),
        };
        self.desk.note_evidence(&evidence);
        self.desk.take()
    }

    fn process(&mut self, input: Input<Context>, signer: &mut dyn Signer) -> Result<(), Failure> {
        let Self { state, desk, .. } = self;
        let result: Result<(), Error<Context>> = process!(
            input: input,
            state: state,
            metrics: &(),
            with: effect => Ok::<_, Infallible>(desk.answer(effect, signer))
        );
        result.map_err(|error| Failure { reason: error.to_string() })
    }
}
