//! The machine: which height is under way, what came early, and what is decided.
//!
//! ```text
//!            Start(h)                     Decide(h) or Committed(h)
//!   quiet ──────────────► under way: h ──────────────────────────────► quiet
//!
//!   always: keeps messages of the next height (PeerAhead), answers repeated votes for decided ones (PeerBehind)
//! ```
//!
//! Invariants: at most one height is under way, and it is above everything decided. Between heights no timer runs and
//! nothing is sent.

mod order;
mod under_way;

use cairn_types::{Height, Round};

use crate::engine::Failure;
use crate::interface::{Config, Effect, Fault, Input, SignRequest, Signer, Start};
use crate::message::Message;
use crate::next_height::NextHeight;
use crate::verify::VerifiedMessage;
use crate::wal::{WalEntry, WalRecord};
use order::arrange;
use under_way::UnderWay;

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
        self.under_way.as_ref().map(|under_way| (under_way.height, under_way.round()))
    }

    /// Takes what happened; returns what to do, in order. `signer` may be asked for our signatures on the way.
    ///
    /// Total: no message, however false, makes it panic or fail.
    pub fn step(&mut self, input: Input, signer: &mut dyn Signer) -> Vec<Effect> {
        if self.halted {
            return Vec::new();
        }
        let mut signer = Watched { signer, signed: false };
        let mut effects = Vec::new();
        match input {
            Input::Start(start) => self.start(start, &mut signer, &mut effects),
            Input::Committed { height } => self.committed(height, &mut effects),
            Input::Message(message) => self.message(message, &mut signer, &mut effects),
            Input::BlockProposed { height, round, block } => self.with(height, &mut effects, |under_way, effects| {
                under_way.proposed(round, block, &mut signer, effects)
            }),
            Input::BlockExecuted { height, block, validity } => {
                self.with(height, &mut effects, |under_way, effects| {
                    under_way.executed(block, validity, &mut signer, effects)
                })
            }
            Input::TimerFired(timer) => {
                self.with(timer.height, &mut effects, |under_way, effects| under_way.fired(timer, &mut signer, effects))
            }
        }
        self.unsynced |= signer.signed;
        self.end_height_if_decided(&mut effects);
        arrange(effects, &mut self.unsynced)
    }

    fn start(&mut self, start: Start, signer: &mut dyn Signer, effects: &mut Vec<Effect>) {
        let height = start.height;
        let floor = self.under_way.as_ref().map_or(self.tip, |under_way| under_way.height);
        let Some(tip) = height.previous().filter(|_| height > floor) else { return };
        self.leave(effects);
        self.tip = tip;

        let seat = self.config.key.and_then(|key| start.validators.index_of(&key));
        let recovered: Vec<WalRecord> = std::mem::take(&mut self.recovered)
            .into_iter()
            .filter(|entry| entry.height == height)
            .map(|entry| entry.record)
            .collect();
        let mut under_way = UnderWay::new(self.config.chain, start, seat);
        if let Err(Failure { reason }) = under_way.recover(recovered, signer, effects) {
            self.halted = true;
            effects.clear();
            effects.extend([Effect::CancelAllTimers, Effect::Fault(Fault::Replay { height, reason })]);
            return;
        }
        self.under_way = Some(under_way);

        let early = std::mem::replace(&mut self.next, NextHeight::new(after(height)));
        if early.height() == height {
            for message in early.into_messages() {
                self.with(height, effects, |under_way, effects| under_way.message(message, signer, effects));
            }
        }
    }

    fn committed(&mut self, height: Height, effects: &mut Vec<Effect>) {
        if height <= self.tip {
            return;
        }
        if self.under_way.as_ref().is_some_and(|under_way| under_way.height <= height) {
            self.leave(effects);
        }
        self.decided(height, effects);
    }

    fn message(&mut self, message: VerifiedMessage, signer: &mut dyn Signer, effects: &mut Vec<Effect>) {
        let height = message.message().height();
        if self.under_way.as_ref().is_some_and(|under_way| under_way.height == height) {
            self.with(height, effects, |under_way, effects| under_way.message(message, signer, effects));
        } else if height <= self.tip {
            // A vote for a decided height is late; one that is repeated waits for the decision.
            if let Message::Repeat(signed) = message.message() {
                effects.push(Effect::PeerBehind { validator: signed.vote.validator, height });
            }
        } else {
            if height == self.next.height() {
                self.next.keep(message);
            }
            effects.push(Effect::PeerAhead { height });
        }
    }

    /// Does something with the height under way, if it is this one.
    fn with(
        &mut self,
        height: Height,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut UnderWay, &mut Vec<Effect>) -> Result<(), Failure>,
    ) {
        let Some(under_way) = self.under_way.as_mut().filter(|under_way| under_way.height == height) else { return };
        if let Err(Failure { reason }) = act(under_way, effects) {
            effects.push(Effect::Fault(Fault::Engine { height, reason }));
        }
    }

    /// Gives up the height under way, if there is one.
    fn leave(&mut self, effects: &mut Vec<Effect>) {
        if let Some(under_way) = self.under_way.take() {
            effects.push(Effect::CancelAllTimers);
            effects.extend(under_way.abandon().map(Effect::Evidence));
        }
    }

    /// Becomes quiet if the effects decide the height under way.
    fn end_height_if_decided(&mut self, effects: &mut Vec<Effect>) {
        let decided = effects.iter().find_map(|effect| match effect {
            Effect::Decide(certificate) => Some(certificate.height),
            _ => None,
        });
        let Some(height) = decided else { return };
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
}

/// Notices whether anything was signed.
struct Watched<'a> {
    signer: &'a mut dyn Signer,
    signed: bool,
}

impl Signer for Watched<'_> {
    fn sign(&mut self, request: &SignRequest) -> Option<[u8; 64]> {
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
