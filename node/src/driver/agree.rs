//! The driver's part in agreement: what comes in is checked and fed to the machine, what the machine asks for is done.

use cairn_consensus::{Effect, Input, Message, Timer, TimerKind, Validity};
use cairn_network::{Offence, PeerKey};
use cairn_types::{Block, BlockHash, Certificate, Height, Round, ValidatorIndex};
use std::time::Duration;

use super::own_clock::Heard;
use super::wal::{WAL_AGREEMENT, WAL_BLOCK};
use super::{Driver, DriverError, Frame, Request, Seat};
use crate::ledger::{self, BlockError, JudgedBlock};

impl Driver {
    /// Does one thing that the machine asks for.
    pub(super) fn perform(&mut self, effect: Effect) -> Result<(), DriverError> {
        match effect {
            Effect::Append(entry) => self.append(WAL_AGREEMENT, &entry.encode())?,
            Effect::Sync => self.sync()?,
            Effect::Broadcast(message) => self.broadcast(&Frame::Message(message.encode())),
            Effect::Restream { block, .. } => {
                if let Some(bytes) = self.undecided.bytes(&block) {
                    self.broadcast(&Frame::Block(bytes.to_vec()));
                }
            }
            Effect::StartTimer { timer, after_ms } => {
                let after_ms = if self.waits_in_vain(&timer) { 0 } else { after_ms };
                self.timers.insert(timer, self.surroundings.elapsed() + Duration::from_millis(after_ms));
            }
            Effect::CancelTimer(timer) => {
                self.timers.remove(&timer);
            }
            Effect::CancelAllTimers => self.timers.clear(),
            Effect::RoundStarted { height, round, proposer } => {
                if round.get() > 0 {
                    tracing::info!(%height, %round, proposer, "a new round");
                }
                self.shared.metrics.round_started(round);
            }
            Effect::Propose { height, round } => {
                if let Some(index) = self.seat.index() {
                    let block = self.propose(index)?;
                    self.inputs.push_back(Input::BlockProposed { height, round, block });
                }
            }
            Effect::NeedBlock { height, block, proposer, .. } => match self.undecided.validity(&block) {
                Some(validity) => self.inputs.push_back(Input::BlockExecuted { height, block, validity }),
                None => {
                    if let Some(peer) = self.peer_of(height, proposer) {
                        self.request(peer, Request::Undecided { block });
                    }
                }
            },
            Effect::Decide(certificate) => self.decide(certificate)?,
            Effect::Evidence(evidence) => {
                tracing::error!(validator = evidence.validator(), height = %evidence.height(), "a validator contradicted itself; the evidence is kept");
                self.evidence.append(&evidence).map_err(DriverError::Evidence)?;
                self.shared.metrics.evidence.inc();
                // If it is honest, another node has its key, and the two hear of each other from us alone.
                if let Some(peer) = self.peer_of(evidence.height(), evidence.validator()) {
                    self.send(peer, &Frame::Contradiction(Box::new(evidence)));
                }
            }
            Effect::PeerAhead { height } => {
                let next = self.next_height();
                if height == next {
                    self.next_is_wanted = true;
                } else if height > next {
                    // Somebody votes above the next height, so the next one is decided; any peer may have it.
                    self.ask_for_heads_now();
                }
            }
            Effect::PeerBehind { validator, height } => {
                if let Some(peer) = self.peer_of(height, validator) {
                    self.send(peer, &Frame::Head(self.chain.tip().header.height));
                }
            }
            Effect::Fault(fault) => {
                if fault.is_fatal() {
                    return Err(fault.into());
                }
                tracing::error!(%fault, "agreement stumbled");
            }
        }
        Ok(())
    }

    /// Sends a block to propose: what this node proposed last as long as every clock takes it, or a new one.
    fn propose(&mut self, index: ValidatorIndex) -> Result<BlockHash, DriverError> {
        let age_ms_max = self.chain.tip().parameters.clock_drift_ms / 2;
        if let Some(own) = self.undecided.own(self.surroundings.now_ms(), age_ms_max)
            && (!own.transactions.is_empty() || self.mempool.is_empty())
        {
            self.broadcast(&Frame::Block(own.bytes.clone()));
            return Ok(own.hash);
        }
        let judged = self.build(index)?;
        let block = judged.hash;
        self.append(WAL_BLOCK, &judged.bytes)?;
        self.broadcast(&Frame::Block(judged.bytes.clone()));
        self.undecided.insert_own(judged);
        Ok(block)
    }

    fn decide(&mut self, certificate: Certificate) -> Result<(), DriverError> {
        let held_back = self.undecided.is_held_back(&certificate.block);
        let heard = if held_back { Heard::HeldBack } else { Heard::InTime };
        match self.undecided.take(&certificate.block) {
            Some(judged) => {
                self.look_at_clock(judged.header.time_ms, heard);
                self.commit(judged, certificate)
            }
            None => {
                // The others have the block: two thirds voted for it.
                self.ask_for_heads_now();
                self.decided_without_block = Some(certificate);
                Ok(())
            }
        }
    }

    /// A frame came from a validator.
    ///
    /// # Errors
    /// [`DriverError`]: this node's disk is to blame, never the frame.
    pub(crate) fn on_frame(&mut self, from: PeerKey, bytes: &[u8]) -> Result<(), DriverError> {
        match Frame::decode(bytes) {
            Ok(Frame::Message(bytes)) => self.on_message(from, &bytes)?,
            Ok(Frame::Block(bytes)) => self.on_block(from, bytes)?,
            Ok(Frame::Head(height)) => self.on_head(from, height),
            Ok(Frame::Contradiction(evidence)) => self.on_contradiction(from, &evidence)?,
            Err(error) => {
                tracing::warn!(peer = %from.peer_id(), %error, "a frame that does not decode");
                self.surroundings.blame(from, Offence::Malformed);
            }
        }
        Ok(())
    }

    fn on_message(&mut self, from: PeerKey, bytes: &[u8]) -> Result<(), DriverError> {
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(peer = %from.peer_id(), %error, "a message that does not decode");
                self.surroundings.blame(from, Offence::Malformed);
                return Ok(());
            }
        };
        let Some(validators) = self.chain.validators_at(message.height()) else {
            // Nobody here can know who decides that height, so nothing in the message can be judged. Either its sender lies,
            // or this node is behind.
            self.ask_for_heads_now();
            return Ok(());
        };
        match self.surroundings.verify(message, &self.chain.id, &validators) {
            Ok(message) => {
                self.check_message(message.message(), &validators)?;
                let round = self.machine.under_way().map_or(Round::ZERO, |(_, round)| round);
                self.turnout.note(message.message(), self.next_height(), round);
                self.stop_vain_waits();
                if let Message::Proposal(signed) = message.message()
                    && signed.proposal.pol_round.is_some()
                    && signed.proposal.height == self.next_height()
                    && let Some(judged) = self.undecided.propose_again(signed.proposal.proposer, signed.proposal.block)
                {
                    self.accept(judged)?;
                }
                self.inputs.push_back(Input::Message(message));
            }
            Err(error) => {
                tracing::warn!(peer = %from.peer_id(), %error, "a message that does not verify");
                self.surroundings.blame(from, Offence::FalseMessage);
            }
        }
        Ok(())
    }

    /// Judges the bytes of a proposed block, or keeps them until the block before it is final.
    pub(super) fn on_block(&mut self, from: PeerKey, bytes: Vec<u8>) -> Result<(), DriverError> {
        // Only the header's place is needed here; judging decodes the rest.
        let header = match Block::header_of(&bytes) {
            Ok(header) => header,
            Err(error) => {
                self.blame_malformed(from, &error.into());
                return Ok(());
            }
        };
        // Who follows fetches blocks when they are final, and who ends wants none.
        if self.seat == Seat::Following || self.ending.is_some() {
            return Ok(());
        }
        let next = self.next_height();
        if header.height == next {
            let block = header.hash();
            let round = self.machine.under_way().map_or(Round::ZERO, |(_, round)| round);
            let is_wanted = !self.undecided.is_fresh(&block) || self.undecided.has_room();
            if !self.undecided.is_known(&block) && is_wanted && self.undecided.admit(from, round) {
                self.judge(from, block, header.height, &bytes)?;
            }
        } else if Some(header.height) == next.next() {
            self.undecided.keep_early(from, bytes);
        }
        Ok(())
    }

    fn judge(&mut self, from: PeerKey, block: BlockHash, height: Height, bytes: &[u8]) -> Result<(), DriverError> {
        match ledger::judge_pooled(&self.mempool, bytes) {
            Ok(judged) => {
                let drift = self.undecided.is_fresh(&block).then(|| self.drift(&judged)).flatten();
                match drift {
                    Some(drift_ms) => {
                        // Not a broken rule: one of the two clocks is wrong, and we say nothing.
                        tracing::warn!(%height, %block, drift_ms, "not voted for: its time is far from this node's clock");
                        self.undecided.hold_back(judged);
                    }
                    None => self.accept(judged)?,
                }
            }
            Err(BlockError::Unreadable(error)) => return Err(error.into()),
            // Not the block of that header, which may still come.
            Err(error @ (BlockError::Malformed(_) | BlockError::Substituted)) => {
                self.blame_malformed(from, &error);
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(%height, %block, %error, "an invalid block was proposed");
                self.surroundings.blame(from, Offence::InvalidBlock);
                self.undecided.insert_invalid(block);
                self.inputs.push_back(Input::BlockExecuted { height, block, validity: Validity::Invalid });
            }
        }
        let certificate = self.decided_without_block.take();
        match certificate {
            Some(certificate) if certificate.block == block => self.decide(certificate),
            other => {
                self.decided_without_block = other;
                Ok(())
            }
        }
    }

    fn blame_malformed(&self, from: PeerKey, error: &BlockError) {
        tracing::warn!(peer = %from.peer_id(), %error, "bytes that are no block");
        self.surroundings.blame(from, Offence::Malformed);
    }

    /// By how many milliseconds a block's time is too far from this node's clock.
    fn drift(&self, judged: &JudgedBlock) -> Option<u64> {
        let drift_ms = judged.header.time_ms.abs_diff(self.surroundings.now_ms());
        (drift_ms > self.chain.tip().parameters.clock_drift_ms).then_some(drift_ms)
    }

    /// Keeps a valid block, in the log too, and says that it is valid.
    fn accept(&mut self, judged: JudgedBlock) -> Result<(), DriverError> {
        let (height, block) = (judged.header.height, judged.hash);
        self.append(WAL_BLOCK, &judged.bytes)?;
        self.undecided.insert(judged);
        self.inputs.push_back(Input::BlockExecuted { height, block, validity: Validity::Valid });
        Ok(())
    }

    /// Whether a timer waits for nobody who is connected: for the proposal of a validator that is not, or for votes when all
    /// who are have voted. To vote for no block and to go on to the next round are always safe, and the sooner it is done,
    /// the sooner the next proposer has its turn.
    fn waits_in_vain(&self, timer: &Timer) -> bool {
        let Some(validators) = self.chain.validators_at(timer.height) else { return false };
        let own = self.seat.index();
        let is_here = |index| {
            let peer = validators.get(index).map(|validator| PeerKey::from_bytes(validator.peer));
            peer.is_some_and(|peer| self.surroundings.is_connected(&peer))
        };
        if timer.kind == TimerKind::Propose {
            let proposer = validators.proposer(timer.height, timer.round);
            return Some(proposer) != own && !is_here(proposer);
        }
        let missing = self.turnout.missing((timer.height, timer.round, timer.kind), &validators);
        missing.is_some_and(|mut missing| !missing.any(|index| Some(index) != own && is_here(index)))
    }

    /// Ends the waits that nobody who is connected can end any more.
    pub(super) fn stop_vain_waits(&mut self) {
        let now = self.surroundings.elapsed();
        let vain: Vec<Timer> = self
            .timers
            .iter()
            .filter(|(timer, at)| **at > now && self.waits_in_vain(timer))
            .map(|(timer, _)| *timer)
            .collect();
        self.timers.extend(vain.into_iter().map(|timer| (timer, now)));
    }

    /// After a commit: blocks that came too early may be judged now.
    pub(super) fn judge_early_blocks(&mut self) -> Result<(), DriverError> {
        for (from, bytes) in self.undecided.take_early() {
            self.on_block(from, bytes)?;
        }
        Ok(())
    }

    /// Asks a peer; its answer comes back through [`Driver::on_answer`].
    pub(super) fn request(&self, to: PeerKey, request: Request) {
        self.surroundings.request(to, request);
    }
}
