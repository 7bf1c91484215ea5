//! The driver's part in agreement: what comes in is checked and fed to the machine, what the machine asks for is done.

use cairn_consensus::{Effect, Input, Message, Validity};
use cairn_network::PeerKey;
use cairn_types::{Block, BlockHash, Certificate, Height, encode};
use std::time::Duration;
use tokio::time::Instant;

use super::{Driver, DriverError, Frame, Request, WAL_AGREEMENT, WAL_BLOCK};
use crate::clock::now_ms;
use crate::ledger::{self, BlockError};

impl Driver {
    /// Does one thing that the machine asks for.
    pub(super) fn perform(&mut self, effect: Effect) -> Result<(), DriverError> {
        match effect {
            Effect::Append(entry) => self.append(WAL_AGREEMENT, &entry.encode())?,
            Effect::Sync => {
                self.wal.sync()?;
                if let Some(signer) = &mut self.signer {
                    signer.sync()?;
                }
            }
            Effect::Broadcast(message) => self.broadcast(&Frame::Message(message.encode())),
            Effect::Restream { block, .. } => {
                if let Some(bytes) = self.undecided.bytes(&block) {
                    self.broadcast(&Frame::Block(bytes.to_vec()));
                }
            }
            Effect::StartTimer { timer, after_ms } => {
                self.timers.insert(timer, Instant::now() + Duration::from_millis(after_ms));
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
                if let Some(index) = self.index {
                    let judged = self.build(index)?;
                    let block = judged.hash;
                    self.append(WAL_BLOCK, &judged.bytes)?;
                    self.broadcast(&Frame::Block(judged.bytes.clone()));
                    self.undecided.insert(judged);
                    self.inputs.push_back(Input::BlockProposed { height, round, block });
                }
            }
            Effect::NeedBlock { height, block, proposer, .. } => match self.undecided.validity(&block) {
                Some(validity) => self.inputs.push_back(Input::BlockExecuted { height, block, validity }),
                None => {
                    if let Some(peer) = self.peer_of(proposer) {
                        self.request(peer, Request::Undecided { block });
                    }
                }
            },
            Effect::Decide(certificate) => self.decide(certificate)?,
            Effect::Evidence(evidence) => {
                tracing::error!(validator = evidence.validator(), height = %evidence.height(), "a validator contradicted itself; the evidence is kept");
                self.evidence.append(&evidence).map_err(DriverError::Evidence)?;
                self.shared.metrics.evidence.inc();
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
            Effect::PeerBehind { validator, .. } => {
                if let Some(peer) = self.peer_of(validator) {
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

    fn decide(&mut self, certificate: Certificate) -> Result<(), DriverError> {
        match self.undecided.take(&certificate.block) {
            Some(judged) => self.commit(judged, certificate),
            None => {
                // The others have the block: two thirds voted for it.
                self.ask_for_heads_now();
                self.decided_without_block = Some(certificate);
                Ok(())
            }
        }
    }

    pub(super) fn on_frame(&mut self, from: PeerKey, bytes: &[u8]) -> Result<(), DriverError> {
        match Frame::decode(bytes) {
            Ok(Frame::Message(bytes)) => self.on_message(from, &bytes),
            Ok(Frame::Block(bytes)) => self.on_block(from, bytes)?,
            Ok(Frame::Head(height)) => self.on_head(from, height),
            Err(error) => tracing::warn!(peer = %from.peer_id(), %error, "a frame that does not decode"),
        }
        Ok(())
    }

    fn on_message(&mut self, from: PeerKey, bytes: &[u8]) {
        let validators = self.chain.tip().validators.clone();
        let verified = match Message::decode(bytes) {
            Ok(message) => message.verify(&self.chain.id, &validators),
            Err(error) => {
                tracing::warn!(peer = %from.peer_id(), %error, "a message that does not decode");
                return;
            }
        };
        match verified {
            Ok(message) => self.inputs.push_back(Input::Message(message)),
            Err(error) => tracing::warn!(peer = %from.peer_id(), %error, "a message that does not verify"),
        }
    }

    /// Judges the bytes of a proposed block, or keeps them until the block before it is final.
    pub(super) fn on_block(&mut self, from: PeerKey, bytes: Vec<u8>) -> Result<(), DriverError> {
        // Only the header's place is needed here; judging decodes the rest.
        let Ok(header) = Block::from_bytes(&bytes).map(|block| block.header) else {
            tracing::warn!(peer = %from.peer_id(), "a block that does not decode");
            return Ok(());
        };
        let next = self.next_height();
        if header.height == next {
            let block = header.hash();
            if self.undecided.validity(&block).is_none() && self.undecided.admit(from) {
                self.judge(block, header.height, &bytes)?;
            }
        } else if Some(header.height) == next.next() {
            self.undecided.keep_early(from, bytes);
        }
        Ok(())
    }

    fn judge(&mut self, block: BlockHash, height: Height, bytes: &[u8]) -> Result<(), DriverError> {
        let validity = match ledger::judge(&self.chain, bytes, self.signatures.as_ref(), Some(now_ms())) {
            Ok(judged) => {
                self.append(WAL_BLOCK, bytes)?;
                self.undecided.insert(judged);
                Validity::Valid
            }
            Err(BlockError::Unreadable(error)) => return Err(error.into()),
            Err(error @ BlockError::Time { .. }) => {
                // Not a broken rule: one of the two clocks is wrong, and we say nothing.
                tracing::warn!(%height, %block, %error, "not voted for");
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(%height, %block, %error, "an invalid block was proposed");
                self.undecided.insert_invalid(block);
                Validity::Invalid
            }
        };
        self.inputs.push_back(Input::BlockExecuted { height, block, validity });
        let certificate = self.decided_without_block.take();
        match certificate {
            Some(certificate) if certificate.block == block => self.decide(certificate),
            other => {
                self.decided_without_block = other;
                Ok(())
            }
        }
    }

    /// After a commit: blocks that came too early may be judged now.
    pub(super) fn judge_early_blocks(&mut self) -> Result<(), DriverError> {
        for (from, bytes) in self.undecided.take_early() {
            self.on_block(from, bytes)?;
        }
        Ok(())
    }

    /// Sends a request, whose answer comes back through the loop.
    pub(super) fn request(&self, to: PeerKey, request: Request) {
        self.follow.send(&self.network, to, encode(&request), request);
    }
}
