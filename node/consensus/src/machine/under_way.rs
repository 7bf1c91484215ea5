//! A height under way: the engine that agrees on it, and what is known of its proposals and blocks.
//!
//! The engine has room for two blocks a round, and drops what comes third. So it is told of a block only when its proposal
//! was accepted, under the round of that proposal; until then the block's validity waits here, bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_types::{BlockHash, ChainId, Height, Round, ValidatorIndex};

use super::order::still_of_use;
use crate::engine::{Engine, Failure, Said, Tell};
use crate::evidence::Evidence;
use crate::interface::{Effect, Fault, Signer, Start};
use crate::message::Proposal;
use crate::timers::{Timeouts, Timer, TimerKind};
use crate::verify::VerifiedMessage;
use crate::wal::{Validity, WalEntry, WalRecord};

/// Most blocks whose validity is remembered before their proposal comes. Bytes travel before their proposal, so an honest
/// sender has one at a time; what is dropped is asked for again when its proposal comes.
pub(super) const UNPROPOSED_BLOCKS_MAX: usize = 16;

/// A height under way.
pub(super) struct UnderWay {
    pub(super) height: Height,
    timeouts: Timeouts,
    engine: Engine,
    /// Without a place in the set we have nothing to remember, and write no log.
    votes: bool,
    /// Accepted proposals by block; of several for one block, the first.
    proposals: BTreeMap<BlockHash, Proposal>,
    /// What the rules say of blocks that were executed.
    validity: BTreeMap<BlockHash, Validity>,
    /// Blocks whose validity the engine knows.
    told: BTreeSet<BlockHash>,
    /// Rounds in which we proposed.
    own_rounds: BTreeSet<Round>,
    /// The round whose wait for more precommits has begun, and was not cut short.
    waiting: Option<Round>,
}

impl UnderWay {
    /// A height that nothing was said of yet. `seat` is our place in the set, if we have one.
    pub(super) fn new(chain: ChainId, start: Start, seat: Option<ValidatorIndex>) -> Self {
        let Start { height, validators, timeouts } = start;
        Self {
            height,
            timeouts,
            engine: Engine::new(chain, height, Arc::clone(&validators), seat),
            votes: seat.is_some(),
            proposals: BTreeMap::new(),
            validity: BTreeMap::new(),
            told: BTreeSet::new(),
            own_rounds: BTreeSet::new(),
            waiting: None,
        }
    }

    pub(super) fn round(&self) -> Round {
        self.engine.round()
    }

    /// Ends the height without a decision; what is left is the evidence.
    pub(super) fn abandon(self) -> impl Iterator<Item = Evidence> {
        self.engine.abandon().into_iter().filter_map(|said| match said {
            Said::Evidence(evidence) => Some(evidence),
            _ => None,
        })
    }

    /// Takes a message of this height, if it was checked with the validators of this height.
    pub(super) fn message(
        &mut self,
        message: VerifiedMessage,
        signer: &mut dyn Signer,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let Some(message) = message.of(self.engine.validators()) else { return Ok(()) };
        if self.engine.is_ours(&message) {
            // Echoes of what we said are nothing new.
            if !self.engine.accepted(&message) {
                let fault = Fault::KeyUsedElsewhere { height: self.height, round: message.round() };
                effects.push(Effect::Fault(fault));
            }
            return Ok(());
        }
        self.tell(Tell::Message(message), signer, effects)
    }

    /// We built a block.
    pub(super) fn proposed(
        &mut self,
        round: Round,
        block: BlockHash,
        signer: &mut dyn Signer,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        self.validity.insert(block, Validity::Valid);
        self.tell(Tell::Propose { round, block }, signer, effects)
    }

    /// A timer of this height fired.
    pub(super) fn fired(
        &mut self,
        timer: Timer,
        signer: &mut dyn Signer,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        self.tell(Tell::TimerFired { round: timer.round, kind: timer.kind }, signer, effects)
    }

    /// Enters round 0 and plays back the log. Of what the engine says on the way, only what still matters comes out: what
    /// is not in the log yet, what the present round sends, and the timers that still run.
    pub(super) fn recover(
        &mut self,
        recovered: Vec<WalRecord>,
        signer: &mut dyn Signer,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let logged: BTreeSet<WalRecord> = recovered.iter().cloned().collect();
        let replayed = !logged.is_empty();
        let said = self.engine.start(recovered, signer)?;
        let mut all = Vec::new();
        self.interpret(said, &mut all);
        if replayed {
            all = still_of_use(all, self.engine.round(), &logged, &self.own_rounds);
            // What the log holds of blocks without a verdict is asked again.
            all.retain(|effect| !matches!(effect, Effect::NeedBlock { .. }));
            for proposal in self.proposals.values().filter(|proposal| !self.told.contains(&proposal.block)) {
                all.push(self.need(proposal));
            }
        }
        effects.extend(all);
        Ok(())
    }

    /// A block was executed. The engine hears of it when its proposal is there.
    pub(super) fn executed(
        &mut self,
        block: BlockHash,
        validity: Validity,
        signer: &mut dyn Signer,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        let unproposed = self.validity.keys().filter(|block| !self.proposals.contains_key(*block)).count();
        if !self.proposals.contains_key(&block) && unproposed >= UNPROPOSED_BLOCKS_MAX {
            return Ok(());
        }
        self.validity.entry(block).or_insert(validity);
        self.tell_executed(signer, effects)
    }

    /// Tells the engine one thing, and then of every block that thereby has both proposal and validity.
    fn tell(&mut self, tell: Tell, signer: &mut dyn Signer, effects: &mut Vec<Effect>) -> Result<(), Failure> {
        let (said, result) = self.engine.tell(tell, signer);
        self.interpret(said, effects);
        result?;
        self.tell_executed(signer, effects)
    }

    fn tell_executed(&mut self, signer: &mut dyn Signer, effects: &mut Vec<Effect>) -> Result<(), Failure> {
        while let Some((proposal, validity)) = self.next_to_tell() {
            self.told.insert(proposal.block);
            let record = WalRecord::Executed {
                round: proposal.round,
                pol_round: proposal.pol_round,
                proposer: proposal.proposer,
                block: proposal.block,
                validity,
            };
            let (said, result) = self.engine.tell(Tell::Record(record), signer);
            self.interpret(said, effects);
            result?;
        }
        Ok(())
    }

    fn next_to_tell(&self) -> Option<(Proposal, Validity)> {
        self.proposals
            .values()
            .filter(|proposal| !self.told.contains(&proposal.block))
            .find_map(|proposal| self.validity.get(&proposal.block).map(|validity| (*proposal, *validity)))
    }

    /// Turns what the engine said into effects, and notes what it says about proposals and blocks.
    fn interpret(&mut self, said: Vec<Said>, effects: &mut Vec<Effect>) {
        let height = self.height;
        for said in said {
            match said {
                Said::Record(record) => {
                    let need = self.note(&record);
                    if self.votes {
                        effects.push(Effect::Append(WalEntry { height, record }));
                    }
                    effects.extend(need);
                }
                Said::Publish(message) => effects.push(Effect::Broadcast(message)),
                Said::Restream { round, block } => effects.push(Effect::Restream { height, round, block }),
                Said::StartTimer(round, kind) => {
                    if kind == TimerKind::Precommit {
                        self.waiting = Some(round);
                    }
                    let timer = Timer { height, round, kind };
                    effects.push(Effect::StartTimer { timer, after_ms: self.timeouts.duration_ms(&timer) });
                }
                Said::CancelTimer(round, kind) => effects.push(Effect::CancelTimer(Timer { height, round, kind })),
                Said::CancelAllTimers => effects.push(Effect::CancelAllTimers),
                Said::RoundStarted { round, proposer } => {
                    effects.push(Effect::RoundStarted { height, round, proposer });
                }
                Said::Propose { round } => effects.push(Effect::Propose { height, round }),
                Said::Decided(certificate) => effects.push(Effect::Decide(certificate)),
                Said::Evidence(evidence) => effects.push(Effect::Evidence(evidence)),
            }
        }
        effects.extend(self.end_empty_round());
    }

    /// Ends the wait for more precommits once they can change nothing: the timer fires at once. So a proposer that is gone
    /// costs the exchange of two votes, and not that wait as well.
    fn end_empty_round(&mut self) -> Option<Effect> {
        let round = self.engine.round();
        self.waiting.take_if(|waiting| *waiting == round && self.engine.is_round_empty())?;
        let timer = Timer { height: self.height, round, kind: TimerKind::Precommit };
        Some(Effect::StartTimer { timer, after_ms: 0 })
    }

    /// Notes an accepted proposal or a block that the engine knows; asks for the block of a proposal that it lacks.
    fn note(&mut self, record: &WalRecord) -> Option<Effect> {
        match record {
            WalRecord::Proposal(signed) => {
                let proposal = signed.proposal;
                self.proposals.entry(proposal.block).or_insert(proposal);
                if self.engine.seat() == Some(proposal.proposer) {
                    self.own_rounds.insert(proposal.round);
                }
                (!self.validity.contains_key(&proposal.block)).then(|| self.need(&proposal))
            }
            WalRecord::Executed { block, validity, .. } => {
                self.validity.insert(*block, *validity);
                self.told.insert(*block);
                None
            }
            WalRecord::Vote(_) | WalRecord::Polka(_) | WalRecord::TimerFired { .. } => None,
        }
    }

    const fn need(&self, proposal: &Proposal) -> Effect {
        Effect::NeedBlock {
            height: self.height,
            round: proposal.round,
            block: proposal.block,
            proposer: proposal.proposer,
        }
    }
}
