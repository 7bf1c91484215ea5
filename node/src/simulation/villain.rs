//! Those who lie, each by name. They run the honest node, and lie when they speak.

use std::collections::BTreeMap;

use cairn_consensus::{Message, Proposal, SignedProposal, SignedVote, Vote, VoteKind};
use cairn_network::PeerKey;
use cairn_types::{Block, BlockHash, Certificate, ChainId, Hash, Height, Round, codec, encode};
use ed25519_dalek::{Signer, SigningKey};

use super::desk::Sent;
use super::random::Random;
use crate::frame::{FinalBlock, Frame, Response};

/// How a node lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Villain {
    /// It says nothing.
    Silent,
    /// Two nodes have its keys; each believes that it is honest. What is sent to one arrives at both.
    Twin,
    /// It proposes two blocks and votes for both, telling some this and others that.
    Equivocator,
    /// It sends the blocks that it proposes to some or to nobody, and refuses them when asked.
    Withholder,
    /// It claims heights that it has not, and answers who catches up with forged, torn, foreign and badly certified blocks.
    Liar,
    /// It says much that is false: far heights and rounds, other validators' turns, broken signatures, noise.
    Spammer,
    /// It proposes blocks that break the rules.
    ProposesInvalid,
    /// It sends other transactions under the header of its block first, and the block itself after.
    Substitutes,
}

/// A villain at work.
pub(super) struct Voice<'a> {
    pub(super) villain: Villain,
    pub(super) key: &'a SigningKey,
    pub(super) chain: ChainId,
    /// The validators that it is connected to.
    pub(super) peers: Vec<PeerKey>,
    /// The other block that it made for each of its own.
    pub(super) others: &'a mut BTreeMap<BlockHash, BlockHash>,
    pub(super) random: &'a mut Random,
}

impl Voice<'_> {
    /// What it sends instead of a frame to every validator.
    pub(super) fn tell(&mut self, bytes: Vec<u8>) -> Vec<Sent> {
        let Ok(frame) = Frame::decode(&bytes) else { return Vec::new() };
        match (self.villain, frame) {
            (Villain::Silent, _) => Vec::new(),
            (Villain::Withholder, Frame::Block(_)) => {
                let share = self.random.pick(&[0, 300, 600]);
                self.split(&[bytes], |random, _| random.chance(share))
            }
            (Villain::Equivocator, Frame::Block(block)) => {
                let Some(other) = self.change(&block, |header| header.time_ms += 1) else { return Vec::new() };
                self.split(&[bytes, encode(&Frame::Block(other))], |random, _| random.chance(700))
            }
            (Villain::ProposesInvalid, Frame::Block(block)) => {
                let way = self.random.below(5);
                let wrong = Hash::plain(b"wrong");
                let other = self.change(&block, |header| match way {
                    0 => header.state_root = wrong,
                    1 => header.tx_root = wrong,
                    2 => header.parent = BlockHash::from_hash(wrong),
                    3 => header.time_ms = 0,
                    _ => header.validators_root = wrong,
                });
                other.map(|other| Sent::ToValidators(encode(&Frame::Block(other)))).into_iter().collect()
            }
            (Villain::Substitutes, Frame::Block(block)) => {
                let Ok(mut false_block) = Block::from_bytes(&block) else { return Vec::new() };
                match self.random.below(3) {
                    0 => false_block.transactions.clear(),
                    1 => false_block.transactions.push(b"not a transaction".to_vec()),
                    _ => false_block.transactions = vec![b"not a transaction".to_vec()],
                }
                let false_frame = encode(&Frame::Block(encode(&false_block)));
                vec![Sent::ToValidators(false_frame), Sent::ToValidators(bytes)]
            }
            (Villain::Equivocator, Frame::Message(message)) => match self.contradict(&message) {
                Some(other) => self.split(&[bytes, encode(&Frame::Message(other))], |random, _| random.chance(600)),
                None => vec![Sent::ToValidators(bytes)],
            },
            (Villain::ProposesInvalid, Frame::Message(message)) => {
                let message = match Message::decode(&message) {
                    Ok(Message::Proposal(signed)) => {
                        let block = self.others.get(&signed.proposal.block).copied().unwrap_or(signed.proposal.block);
                        self.propose(Proposal { block, ..signed.proposal }).encode()
                    }
                    _ => message,
                };
                vec![Sent::ToValidators(encode(&Frame::Message(message)))]
            }
            (Villain::Spammer, Frame::Message(message)) => {
                let mut all = if self.random.chance(300) { self.falsehoods(&message) } else { Vec::new() };
                all.push(Sent::ToValidators(bytes));
                all
            }
            (Villain::Liar, frame) => {
                let mut all = vec![Sent::ToValidators(bytes)];
                if let Frame::Message(message) = frame
                    && let Ok(message) = Message::decode(&message)
                {
                    let ahead = self.random.pick(&[1, 2, 1_000, u64::MAX / 2]);
                    let head = Frame::Head(Height::new(message.height().get().saturating_add(ahead)));
                    let head = [encode(&head)];
                    all.extend(self.split(&head, |random, _| random.chance(200)));
                }
                all
            }
            _ => vec![Sent::ToValidators(bytes)],
        }
    }

    /// What it answers instead of the truth; `None` if it does not answer at all.
    pub(super) fn answer(&mut self, truth: Response) -> Option<Response> {
        match (self.villain, truth) {
            (Villain::Silent, _) => None,
            (Villain::Withholder, Response::Undecided(_)) => Some(Response::Undecided(None)),
            (Villain::Liar, Response::Head(height)) => {
                let ahead = self.random.pick(&[0, 1, 3, 1_000_000, u64::MAX / 2]);
                Some(Response::Head(Height::new(height.get().saturating_add(ahead))))
            }
            (Villain::Liar, Response::Blocks(blocks)) => self.forge(blocks).map(Response::Blocks),
            (_, truth) => Some(truth),
        }
    }

    fn forge(&mut self, mut blocks: Vec<FinalBlock>) -> Option<Vec<FinalBlock>> {
        let way = self.random.below(9);
        match way {
            0 => return None,
            1 => blocks.clear(),
            2 if !blocks.is_empty() => drop(blocks.remove(0)),
            3 => blocks.reverse(),
            _ => {}
        }
        for FinalBlock { block, certificate } in &mut blocks {
            if way == 4 {
                let place = self.random.below(block.len());
                block[place] ^= 1 << self.random.below(8);
                continue;
            }
            let Ok(mut proof) = codec::decode::<Certificate>(certificate, certificate.len()) else { continue };
            match way {
                5 => proof.signatures.truncate(1),
                6 => {
                    let first = proof.signatures.first().cloned();
                    proof
                        .signatures
                        .iter_mut()
                        .for_each(|signature| signature.clone_from(first.as_ref().expect("one")));
                }
                7 => {
                    if let Some(signature) = proof.signatures.last_mut() {
                        signature.signature[0] ^= 1;
                    }
                }
                8 => {
                    // A block that nobody decided, with the certificate of the one that was.
                    if let Some(other) = self.change(block, |header| header.time_ms += 7) {
                        proof.block = Block::from_bytes(&other).map_or(proof.block, |block| block.header.hash());
                        *block = other;
                    }
                }
                _ => {}
            }
            *certificate = encode(&proof);
        }
        Some(blocks)
    }

    /// Each of these frames to the peers that are drawn for it.
    fn split(&mut self, frames: &[Vec<u8>], draw: impl Fn(&mut Random, usize) -> bool) -> Vec<Sent> {
        let mut all = Vec::new();
        for peer in &self.peers {
            for (index, frame) in frames.iter().enumerate() {
                if draw(self.random, index) {
                    all.push(Sent::To(*peer, frame.clone()));
                }
            }
        }
        all
    }

    /// The same block with another header; remembered as the other one.
    fn change(&mut self, block: &[u8], change: impl FnOnce(&mut cairn_types::Header)) -> Option<Vec<u8>> {
        let mut block = Block::from_bytes(block).ok()?;
        let before = block.header.hash();
        change(&mut block.header);
        self.others.insert(before, block.header.hash());
        Some(encode(&block))
    }

    fn propose(&self, proposal: Proposal) -> Message {
        let signature = self.key.sign(&proposal.sign_bytes(&self.chain)).to_bytes();
        Message::Proposal(SignedProposal { proposal, signature })
    }

    fn vote(&self, vote: Vote) -> Message {
        Message::Vote(SignedVote { vote, signature: self.key.sign(&vote.sign_bytes(&self.chain)).to_bytes() })
    }

    /// The opposite of what its node said.
    fn contradict(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        match Message::decode(message).ok()? {
            Message::Proposal(signed) => {
                let block = self.others.get(&signed.proposal.block).copied()?;
                Some(self.propose(Proposal { block, ..signed.proposal }).encode())
            }
            Message::Vote(signed) => {
                let other = match signed.vote.block {
                    Some(block) => self.others.get(&block).copied(),
                    None => self.others.values().next_back().copied(),
                };
                let vote = Vote { block: other, ..signed.vote };
                (vote != signed.vote).then(|| self.vote(vote).encode())
            }
            Message::Repeat(_) | Message::Polka(_) | Message::Round(_) => None,
        }
    }

    fn falsehoods(&mut self, message: &[u8]) -> Vec<Sent> {
        let Ok(honest) = Message::decode(message) else { return Vec::new() };
        let noise = BlockHash::from_hash(Hash::plain(&self.random.next().to_le_bytes()));
        let me = match &honest {
            Message::Vote(signed) | Message::Repeat(signed) => signed.vote.validator,
            Message::Proposal(signed) => signed.proposal.proposer,
            Message::Polka(_) | Message::Round(_) => 0,
        };
        let ahead = self.random.pick(&[0, 0, 1, 2, 1_000_000]);
        let height = Height::new(honest.height().get().saturating_add(ahead));
        let round = Round::new(self.random.pick(&[0, 1, 2, 7, 500_000, u32::MAX]));
        let kind = if self.random.chance(500) { VoteKind::Prevote } else { VoteKind::Precommit };
        let vote = Vote { height, round, kind, block: Some(noise), validator: me };
        let pol_round = self.random.chance(500).then_some(Round::ZERO);
        let proposal = Proposal { height, round, pol_round, block: noise, proposer: me };
        let mut broken = message.to_vec();
        let last = self.random.below(broken.len());
        broken[last] ^= 1;
        let all = [self.vote(vote).encode(), self.propose(proposal).encode(), broken];
        let mut frames: Vec<Vec<u8>> = all.into_iter().map(|message| encode(&Frame::Message(message))).collect();
        frames.push((0..self.random.below(100)).map(|_| self.random.next().to_le_bytes()[0]).collect());
        frames.push(encode(&Frame::Block(vec![0; self.random.below(300)])));
        frames.into_iter().map(Sent::ToValidators).collect()
    }
}
