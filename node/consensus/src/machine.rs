//! The machine: which height is under way, what came early, and what the engine's words mean for the node.
//!
//! ```text
//!            Start(h)                      Decide(h) or Committed(h)
//!   quiet ─────────────► under way: h ─────────────────────────────► quiet
//!     ▲  keeps messages of the next height: PeerAhead     answers repeated votes: PeerBehind  │
//!     └──────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Invariants: at most one height is under way, and it is above everything decided. Between heights no timer runs. The
//! engine is told of a block only when its proposal was accepted, under the round of that proposal, so that nobody can use
//! up the two places that a round has. Nothing leaves before what it rests on is on disk: [`arrange`] puts one
//! [`Effect::Sync`] before the first effect that leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_types::{BlockHash, Height, Round};

use crate::engine::{Engine, Failure, Said, Tell};
use crate::interface::{Config, Effect, Fault, Input, Signer, Start};
use crate::message::{Message, Proposal, VoteKind};
use crate::next_height::NextHeight;
use crate::timers::{Timeouts, Timer};
use crate::verify::VerifiedMessage;
use crate::wal::{Validity, WalEntry, WalRecord};

/// Most blocks whose validity is remembered before their proposal comes. Bytes travel before their proposal, so an honest
/// sender has one at a time; what is dropped is asked for again when its proposal comes.
const UNPROPOSED_BLOCKS_MAX: usize = 16;

/// Byzantine agreement as a machine without I/O: [`Machine::step`] takes what happened and returns what to do.
pub struct Machine {
    config: Config,
    /// The last height that is decided.
    tip: Height,
    under_way: Option<UnderWay>,
    next: NextHeight,
    /// What the log held when the program began, until its height starts.
    recovered: Vec<WalEntry>,
    /// Something was appended or signed since the last sync.
    unsynced: bool,
    /// A fatal fault happened.
    halted: bool,
}

/// A height under way.
struct UnderWay {
    height: Height,
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
    proposed: BTreeSet<Round>,
}

impl Machine {
    /// A quiet machine. `tip` is the height of the last block in the ledger, and `recovered` what the write-ahead log
    /// holds, in its order, cut by [`crate::usable`]; entries of other heights than the next are ignored. They are played
    /// back when that height starts, which should be at once if there are any: see [`Machine::unfinished`].
    pub fn new(config: Config, tip: Height, recovered: Vec<WalEntry>) -> Self {
        let next = after(tip);
        let recovered = recovered.into_iter().filter(|entry| entry.height == next).collect();
        Self { config, tip, under_way: None, next: NextHeight::new(next), recovered, unsynced: false, halted: false }
    }

    /// A height that was under way when the program last ended, and was not started since. Others may have ended with us
    /// and wait, so start it at once.
    pub fn unfinished(&self) -> Option<Height> {
        self.recovered.first().map(|entry| entry.height)
    }

    /// The last height that is decided, as far as this machine was told.
    pub const fn tip(&self) -> Height {
        self.tip
    }

    /// Height and round under way; none between heights.
    pub fn under_way(&self) -> Option<(Height, Round)> {
        self.under_way.as_ref().map(|under_way| (under_way.height, under_way.engine.round()))
    }

    /// Takes what happened; returns what to do, in order. `signer` may be asked for our signatures on the way.
    ///
    /// Total: no message, however false, makes it panic or fail.
    pub fn step(&mut self, input: Input, signer: &mut dyn Signer) -> Vec<Effect> {
        if self.halted {
            return Vec::new();
        }
        let mut signer = Watched { signer, signed: false };
        let mut effects = match input {
            Input::Start(start) => self.start(start, &mut signer),
            Input::Committed { height } => self.committed(height),
            Input::Message(message) => self.message(message, &mut signer),
            Input::BlockProposed { height, round, block } => self.with_height(height, |under_way, effects| {
                under_way.validity.insert(block, Validity::Valid);
                under_way.tell(Tell::Propose { round, block }, &mut signer, effects)
            }),
            Input::BlockExecuted { height, block, validity } => {
                self.with_height(height, |under_way, effects| under_way.executed(block, validity, &mut signer, effects))
            }
            Input::TimerFired(timer) => self.with_height(timer.height, |under_way, effects| {
                let fired = Tell::TimerFired { round: timer.round, kind: timer.kind };
                under_way.tell(fired, &mut signer, effects)
            }),
        };
        self.unsynced |= signer.signed;
        self.end_of_height(&mut effects);
        self.arrange(effects)
    }

    fn start(&mut self, start: Start, signer: &mut dyn Signer) -> Vec<Effect> {
        let Start { height, validators, timeouts } = start;
        let floor = self.under_way.as_ref().map_or(self.tip, |under_way| under_way.height);
        let Some(tip) = height.previous().filter(|_| height > floor) else { return Vec::new() };
        let mut effects = self.leave();
        self.tip = tip;

        let seat = self.config.key.and_then(|key| validators.index_of(&key));
        let mut under_way = UnderWay {
            height,
            timeouts,
            engine: Engine::new(self.config.chain, height, Arc::clone(&validators), seat),
            votes: seat.is_some(),
            proposals: BTreeMap::new(),
            validity: BTreeMap::new(),
            told: BTreeSet::new(),
            proposed: BTreeSet::new(),
        };
        let recovered: Vec<WalRecord> = std::mem::take(&mut self.recovered)
            .into_iter()
            .filter(|entry| entry.height == height)
            .map(|entry| entry.record)
            .collect();
        let result = under_way.recover(recovered, signer, &mut effects);

        let early = std::mem::replace(&mut self.next, NextHeight::new(after(height)));
        self.under_way = Some(under_way);
        if let Err(Failure { reason }) = result {
            self.halt(Fault::Replay { height, reason }, &mut effects);
            return effects;
        }
        if early.height() == height {
            for message in early.into_messages() {
                self.feed(message, signer, &mut effects);
            }
        }
        effects
    }

    fn committed(&mut self, height: Height) -> Vec<Effect> {
        if height <= self.tip {
            return Vec::new();
        }
        let over = self.under_way.as_ref().is_some_and(|under_way| under_way.height <= height);
        let mut effects = if over { self.leave() } else { Vec::new() };
        self.decided(height, &mut effects);
        effects
    }

    fn message(&mut self, message: VerifiedMessage, signer: &mut dyn Signer) -> Vec<Effect> {
        let height = message.message().height();
        let mut effects = Vec::new();
        if self.under_way.as_ref().is_some_and(|under_way| under_way.height == height) {
            self.feed(message, signer, &mut effects);
        } else if height <= self.tip {
            if let Message::Repeat(signed) = message.message() {
                effects.push(Effect::PeerBehind { validator: signed.vote.validator, height });
            }
        } else {
            if height == self.next.height() {
                self.next.keep(message);
            }
            effects.push(Effect::PeerAhead { height });
        }
        effects
    }

    /// Tells the engine a message of the height under way, if it was checked with the validators of that height.
    fn feed(&mut self, message: VerifiedMessage, signer: &mut dyn Signer, effects: &mut Vec<Effect>) {
        let Some(under_way) = &mut self.under_way else { return };
        let Some(message) = message.of(under_way.engine.validators()) else { return };
        if under_way.engine.is_ours(&message) {
            // Echoes of what we said are nothing new.
            if !under_way.engine.accepted(&message) {
                let fault = Fault::KeyUsedElsewhere { height: under_way.height, round: message.round() };
                effects.push(Effect::Fault(fault));
            }
            return;
        }
        if let Err(Failure { reason }) = under_way.tell(Tell::Message(message), signer, effects) {
            effects.push(Effect::Fault(Fault::Engine { height: under_way.height, reason }));
        }
    }

    /// Does something with the height under way, if it is this one.
    fn with_height(
        &mut self,
        height: Height,
        act: impl FnOnce(&mut UnderWay, &mut Vec<Effect>) -> Result<(), Failure>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(under_way) = self.under_way.as_mut().filter(|under_way| under_way.height == height)
            && let Err(Failure { reason }) = act(under_way, &mut effects)
        {
            effects.push(Effect::Fault(Fault::Engine { height, reason }));
        }
        effects
    }

    /// Gives up the height under way, if there is one.
    fn leave(&mut self) -> Vec<Effect> {
        let Some(under_way) = self.under_way.take() else { return Vec::new() };
        let mut effects = vec![Effect::CancelAllTimers];
        effects.extend(under_way.engine.abandon().into_iter().filter_map(|said| match said {
            Said::Evidence(evidence) => Some(Effect::Evidence(evidence)),
            _ => None,
        }));
        effects
    }

    /// Becomes quiet if the effects decide the height under way.
    fn end_of_height(&mut self, effects: &mut Vec<Effect>) {
        let Some(height) = effects.iter().find_map(|effect| match effect {
            Effect::Decide(certificate) => Some(certificate.height),
            _ => None,
        }) else {
            return;
        };
        // The engine goes on a little after it decided, and would arm timers again.
        effects.retain(|effect| !matches!(effect, Effect::StartTimer { .. } | Effect::CancelTimer(_)));
        effects.push(Effect::CancelAllTimers);
        self.under_way = None;
        self.decided(height, effects);
    }

    fn decided(&mut self, height: Height, effects: &mut Vec<Effect>) {
        self.tip = height;
        self.recovered.retain(|entry| entry.height > height);
        if self.next.height() <= height {
            self.next = NextHeight::new(after(height));
        }
        if self.under_way.is_none() && !self.next.is_empty() {
            effects.push(Effect::PeerAhead { height: self.next.height() });
        }
    }

    fn halt(&mut self, fault: Fault, effects: &mut Vec<Effect>) {
        self.halted = true;
        self.under_way = None;
        effects.clear();
        effects.extend([Effect::CancelAllTimers, Effect::Fault(fault)]);
    }

    /// Puts effects into their final order: everything appended; one sync if anything leaves; what leaves, in the order
    /// in which others can use it; the rest as it came; and the decision last, because writing it takes longest and others
    /// wait for our vote.
    ///
    /// A decision needs no sync of the log: it stands by its certificate, and our own vote in it leaves by `Broadcast`.
    fn arrange(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let (mut arranged, mut leaving, mut rest, mut end) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for effect in effects {
            match &effect {
                Effect::Append(_) => arranged.push(effect),
                Effect::Broadcast(_) | Effect::Restream { .. } => leaving.push(effect),
                Effect::Decide(_) | Effect::Evidence(_) | Effect::PeerAhead { .. } | Effect::Fault(_) => {
                    end.push(effect);
                }
                _ => rest.push(effect),
            }
        }
        self.unsynced |= !arranged.is_empty();
        if !leaving.is_empty() && self.unsynced {
            arranged.push(Effect::Sync);
            self.unsynced = false;
        }
        leaving.sort_by_key(place_in_round);
        arranged.extend(leaving.into_iter().chain(rest).chain(end));
        arranged
    }
}

/// Why a round is entered, then the block's bytes, why it may be proposed again, its proposal, and the votes. The engine
/// says them from the inside out.
const fn place_in_round(effect: &Effect) -> (u32, u8) {
    match effect {
        Effect::Restream { round, .. } => (round.get(), 1),
        Effect::Broadcast(message) => {
            let place = match message {
                Message::Round(_) => 0,
                Message::Polka(_) => 2,
                Message::Proposal(_) => 3,
                Message::Vote(signed) | Message::Repeat(signed) => match signed.vote.kind {
                    VoteKind::Prevote => 4,
                    VoteKind::Precommit => 5,
                },
            };
            (message.round().get(), place)
        }
        _ => (u32::MAX, u8::MAX),
    }
}

impl UnderWay {
    /// Enters round 0 and plays back the log. Of what the engine says on the way, only what still matters comes out: what
    /// is not in the log yet, what the present round sends, and the timers that still run.
    fn recover(
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
            let proposed = std::mem::take(&mut self.proposed);
            all = still_of_use(all, self.engine.round(), &logged, &proposed);
            self.proposed = proposed;
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
    fn executed(
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
    }

    /// Notes an accepted proposal or a block that the engine knows; asks for the block of a proposal that it lacks.
    fn note(&mut self, record: &WalRecord) -> Option<Effect> {
        match record {
            WalRecord::Proposal(signed) => {
                let proposal = signed.proposal;
                self.proposals.entry(proposal.block).or_insert(proposal);
                if self.engine.seat() == Some(proposal.proposer) {
                    self.proposed.insert(proposal.round);
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

/// What a playback said that still matters when it is over.
fn still_of_use(
    said: Vec<Effect>,
    round: Round,
    logged: &BTreeSet<WalRecord>,
    proposed: &BTreeSet<Round>,
) -> Vec<Effect> {
    let mut timers: BTreeMap<Timer, u64> = BTreeMap::new();
    let mut kept = Vec::new();
    for effect in said {
        match effect {
            Effect::Append(entry) => {
                if let WalRecord::TimerFired { round, kind } = entry.record {
                    timers.remove(&Timer { height: entry.height, round, kind });
                }
                if !logged.contains(&entry.record) {
                    kept.push(Effect::Append(entry));
                }
            }
            Effect::StartTimer { timer, after_ms } => {
                timers.insert(timer, after_ms);
            }
            Effect::CancelTimer(timer) => {
                timers.remove(&timer);
            }
            Effect::CancelAllTimers => timers.clear(),
            // A certificate for entering the present round speaks of the round before.
            Effect::Broadcast(message) if message.round().get().saturating_add(1) >= round.get() => {
                kept.push(Effect::Broadcast(message));
            }
            Effect::Restream { round: at, .. } | Effect::RoundStarted { round: at, .. } if at == round => {
                kept.push(effect);
            }
            Effect::Propose { round: at, .. } if at == round && !proposed.contains(&at) => kept.push(effect),
            Effect::Broadcast(_) | Effect::Restream { .. } | Effect::RoundStarted { .. } | Effect::Propose { .. } => {}
            other => kept.push(other),
        }
    }
    kept.extend(timers.into_iter().map(|(timer, after_ms)| Effect::StartTimer { timer, after_ms }));
    kept
}

/// Notices whether anything was signed.
struct Watched<'a> {
    signer: &'a mut dyn Signer,
    signed: bool,
}

impl Signer for Watched<'_> {
    fn sign(&mut self, request: &crate::interface::SignRequest) -> Option<[u8; 64]> {
        self.signed = true;
        self.signer.sign(request)
    }
}

/// The height after `height`. A chain of one block a millisecond would take 584 million years to the last.
fn after(height: Height) -> Height {
    height.next().unwrap_or(height)
}

#[cfg(test)]
mod tests;
