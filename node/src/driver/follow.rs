//! Catch-up: asking peers for their newest height, and for the blocks that this node has not.
//!
//! What a peer says of its height is a claim. A claim above our tip makes this node ask that peer for blocks; one that is
//! not followed by a block which links, verifies and executes is dropped, and the peer is not believed for a while. So a
//! liar costs one request now and then. Only claims of more than a third of the power, or blocks that really came, keep
//! this node from starting heights on its own: else one liar who answers slowly could keep everybody waiting.
//!
//! The blocks of an answer are read on all cores, and so are the signatures of those whose certificates hold; then they are
//! executed one after the other. What follows an answer is asked for before it is executed, so that the network and the
//! peer's disk work meanwhile; one answer at most waits here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cairn_consensus::Input;
use cairn_network::{Offence, PeerKey};
use cairn_runtime::Overlay;
use cairn_types::certificate::CERTIFICATE_BYTES_MAX;
use cairn_types::{Certificate, ChainId, Height, SignedTransaction, ValidatorSet, codec};
use rayon::prelude::*;

use super::own_clock::Heard;
use super::{Answer, Driver, DriverError};
use crate::frame::{FinalBlock, Request, Response};
use crate::ledger::{self, BlockError, JudgedBlock, ReadBlock};
use crate::verify::verify_ahead;

/// How often a quiet node asks one of its peers for its height, in milliseconds.
const HEAD_POLL_MS: u64 = 2_000;

/// Shortest time between two questions to all peers, in milliseconds: what makes us ask comes with every vote that we are
/// too late for.
const ASK_ALL_MS: u64 = 100;

/// How long a peer whose claim was empty is not believed, in milliseconds.
const DISBELIEF_MS: u64 = 3_000;

/// How long a node that has just started and has heard enough looks for blocks that somebody claims, before it votes, in
/// milliseconds: an honest peer has sent some by then, and liars shall not keep it from voting.
const INFORM_MS: u64 = 5_000;

/// See the module.
pub(super) struct Follow {
    /// Who told its height since this process began, and since when they are enough; until this node is informed.
    heard: BTreeSet<PeerKey>,
    heard_enough: Option<Duration>,
    is_informed: bool,
    /// What peers said of their height, if it was above ours.
    claims: BTreeMap<PeerKey, Height>,
    disbelieved: BTreeMap<PeerKey, Duration>,
    /// Whom we asked for blocks.
    asked: Option<PeerKey>,
    next_poll: Duration,
    next_ask_all: Duration,
    /// Whose turn it is to be polled.
    turn: usize,
    /// Whether the last answer brought blocks.
    is_moving: bool,
}

impl Follow {
    pub(super) fn new() -> Self {
        Self {
            heard: BTreeSet::new(),
            heard_enough: None,
            is_informed: false,
            claims: BTreeMap::new(),
            disbelieved: BTreeMap::new(),
            asked: None,
            next_poll: Duration::ZERO,
            next_ask_all: Duration::ZERO,
            turn: 0,
            is_moving: false,
        }
    }

    /// Whether this node should catch up before it starts a height: blocks came and there are more, or peers with more
    /// than a third of the power say that they are ahead, one of whom at least is honest.
    pub(super) fn is_behind(&self, tip: Height, validators: &ValidatorSet) -> bool {
        let claimants = || self.claims.iter().filter(|(_, claim)| **claim > tip).map(|(peer, _)| peer);
        let power = |peer: &PeerKey| {
            let index = validators.index_of_peer(peer.as_bytes())?;
            validators.get(index).map(|validator| u128::from(validator.power.get()))
        };
        let claimed: u128 = claimants().filter_map(power).sum();
        self.is_moving && claimants().next().is_some() || 3 * claimed > u128::from(validators.total_power().get())
    }

    /// How many peers something is kept of.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.claims.len() + self.disbelieved.len()
    }

    pub(super) fn forget(&mut self, peer: &PeerKey) {
        self.claims.remove(peer);
    }

    fn disbelieve(&mut self, peer: PeerKey, now: Duration) {
        self.claims.remove(&peer);
        self.disbelieved.insert(peer, now + Duration::from_millis(DISBELIEF_MS));
    }
}

impl Driver {
    /// Notes what a peer says of its height.
    pub(super) fn on_head(&mut self, from: PeerKey, height: Height) {
        let now = self.surroundings.elapsed();
        if !self.follow.is_informed {
            self.follow.heard.insert(from);
        }
        self.follow.disbelieved.retain(|_, until| *until > now);
        if height > self.chain.tip().header.height && !self.follow.disbelieved.contains_key(&from) {
            let claim = self.follow.claims.entry(from).or_insert(height);
            *claim = height.max(*claim);
        }
    }

    /// Whether this node may vote: since it started, it has heard the heights of enough validators to decide with them, and
    /// has what they have. Before that it cannot know whether its directory is an older copy of itself, and what it signs
    /// could contradict what it signed.
    pub(super) fn is_informed(&mut self) -> bool {
        if self.follow.is_informed {
            return true;
        }
        let tip = self.chain.tip();
        let validators = tip.validators();
        let told = (0u16..).zip(validators.iter()).filter(|(index, validator)| {
            Some(*index) == self.seat.index() || self.follow.heard.contains(&PeerKey::from_bytes(validator.peer))
        });
        let power: u64 = told.map(|(_, validator)| validator.power.get()).sum();
        if !cairn_types::has_quorum(cairn_types::Power::new(power), validators.total_power()) {
            return false;
        }
        let now = self.surroundings.elapsed();
        let since = *self.follow.heard_enough.get_or_insert(now);
        let has_all = self.follow.claims.is_empty() && self.follow.asked.is_none();
        if has_all || now >= since + Duration::from_millis(INFORM_MS) {
            self.follow.is_informed = true;
            self.follow.heard.clear();
        }
        self.follow.is_informed
    }

    /// Asks for blocks, if a peer says that it has more and nobody is asked already.
    pub(super) fn catch_up(&mut self) {
        let tip = self.chain.tip().header.height;
        self.follow.claims.retain(|_, claim| *claim > tip);
        if self.follow.asked.is_some() || self.ending.is_some() {
            return;
        }
        let best = self.follow.claims.iter().max_by_key(|(peer, claim)| (**claim, **peer)).map(|(peer, _)| *peer);
        if let Some(peer) = best {
            self.follow.asked = Some(peer);
            self.request(peer, Request::Blocks { from: self.next_height() });
        }
    }

    /// Asks one peer for its height, now and then.
    pub(super) fn ask_for_heads(&mut self) {
        if !self.follow.is_informed && self.seat.index().is_some() {
            self.ask_for_heads_now();
        }
        let now = self.surroundings.elapsed();
        if now < self.follow.next_poll {
            return;
        }
        self.follow.next_poll = now + Duration::from_millis(HEAD_POLL_MS);
        let peers = self.surroundings.peers();
        self.follow.turn = self.follow.turn.wrapping_add(1);
        if let Some(peer) = peers.get(self.follow.turn.checked_rem(peers.len()).unwrap_or(0)) {
            self.request(*peer, Request::Head);
        }
    }

    /// Asks every peer for its height: something was said that shows that we are behind.
    pub(super) fn ask_for_heads_now(&mut self) {
        let now = self.surroundings.elapsed();
        if self.follow.asked.is_some() || now < self.follow.next_ask_all {
            return;
        }
        self.follow.next_ask_all = now + Duration::from_millis(ASK_ALL_MS);
        for peer in self.surroundings.peers() {
            self.request(peer, Request::Head);
        }
    }

    /// A peer answered, or did not.
    ///
    /// # Errors
    /// [`DriverError`]: this node's disk is to blame, never the answer.
    pub(crate) fn on_answer(&mut self, answer: Answer) -> Result<(), DriverError> {
        let Answer { from, request, result } = answer;
        let response = result
            .map_err(|error| error.to_string())
            .and_then(|bytes| Response::decode(&bytes).map_err(|error| error.to_string()));
        match (request, response) {
            (Request::Head, Ok(Response::Head(height))) => self.on_head(from, height),
            (Request::Undecided { .. }, Ok(Response::Undecided(bytes))) => {
                if let Some(bytes) = bytes {
                    self.on_block(from, bytes)?;
                }
            }
            (Request::Blocks { from: first }, Ok(Response::Blocks(blocks))) => {
                self.follow.asked.take_if(|asked| *asked == from);
                self.ask_for_more(from, first, blocks.len());
                self.on_blocks(from, blocks)?;
            }
            (Request::Blocks { .. }, outcome) => {
                self.follow.asked.take_if(|asked| *asked == from);
                tracing::debug!(peer = %from.peer_id(), ?outcome, "catch-up was not answered");
                self.follow.is_moving = false;
                self.follow.disbelieve(from, self.surroundings.elapsed());
            }
            (request, outcome) => {
                tracing::debug!(peer = %from.peer_id(), ?request, ?outcome, "a request was not answered");
            }
        }
        Ok(())
    }

    /// Asks for what follows an answer that is still to be executed, if the peer says that it has it.
    fn ask_for_more(&mut self, from: PeerKey, first: Height, blocks: usize) {
        let after = u64::try_from(blocks).ok().and_then(|blocks| first.get().checked_add(blocks)).map(Height::new);
        let Some(after) = after.filter(|after| blocks > 0 && *after > self.next_height()) else { return };
        let has_more = self.follow.claims.get(&from).is_some_and(|claim| *claim >= after);
        if has_more && self.follow.asked.is_none() && self.ending.is_none() {
            self.follow.asked = Some(from);
            self.request(from, Request::Blocks { from: after });
        }
    }

    /// Reads the blocks of an answer, and verifies the signatures in those whose certificates the present validators made: a
    /// certificate is dear to forge, so nobody makes us verify what he made up.
    fn look_ahead(&self, blocks: Vec<FinalBlock>) -> Vec<Result<Ahead, BlockError>> {
        let tip = self.chain.tip();
        let (chain, height, validators) = (self.chain.id, tip.header.height, tip.validators());
        let read = |block: FinalBlock| Ahead::read(block, &chain, height, validators);
        let ahead: Vec<Result<Ahead, BlockError>> = blocks.into_par_iter().map(read).collect();
        let certified = ahead.iter().flatten().filter(|ahead| ahead.certified_by.is_some());
        let certified = certified.filter_map(|ahead| ahead.block.as_ref());
        let transactions: Vec<Arc<SignedTransaction>> =
            certified.flat_map(ReadBlock::transactions).map(Arc::clone).collect();
        verify_ahead(&Overlay::knowing(&tip.state, &self.chain.known), self.signatures.as_ref(), &transactions);
        ahead
    }

    fn on_blocks(&mut self, from: PeerKey, blocks: Vec<FinalBlock>) -> Result<(), DriverError> {
        let before = self.chain.tip().header.height;
        for ahead in self.look_ahead(blocks) {
            if self.ending.is_some() {
                break;
            }
            match ahead.and_then(|ahead| self.check_final(ahead)) {
                Ok(Some((judged, certificate))) => {
                    let height = judged.header.height;
                    // Who held a block back does not decide it by itself: the block comes this way.
                    let held_back = self.undecided.is_held_back(&judged.hash);
                    self.look_at_clock(judged.header.time_ms, if held_back { Heard::HeldBack } else { Heard::Later });
                    self.commit(judged, certificate)?;
                    self.inputs.push_back(Input::Committed { height });
                }
                // The block was committed in another way while the answer was on its way.
                Ok(None) => {}
                Err(BlockError::Unreadable(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(peer = %from.peer_id(), %error, "a peer sent a block that is not the next one");
                    self.surroundings.blame(from, Offence::InvalidBlock);
                    self.follow.is_moving = false;
                    // What it was asked for after these is not waited for.
                    self.follow.asked.take_if(|asked| *asked == from);
                    self.follow.disbelieve(from, self.surroundings.elapsed());
                    return Ok(());
                }
            }
        }
        let tip = self.chain.tip().header.height;
        self.follow.is_moving = tip > before;
        if tip == before && self.follow.claims.get(&from).is_some_and(|claim| *claim > tip) {
            self.follow.disbelieve(from, self.surroundings.elapsed());
        }
        Ok(())
    }

    /// Checks link, certificate and rules of a block that should be final; `None` if it is final here already.
    fn check_final(&self, ahead: Ahead) -> Result<Option<(JudgedBlock, Certificate)>, BlockError> {
        let Ahead { certificate, block, certified_by } = ahead;
        let tip = self.chain.tip();
        let Some(block) = block.filter(|_| certificate.height > tip.header.height) else { return Ok(None) };
        if certified_by.is_none_or(|validators| validators != *tip.validators()) {
            let header = block.header();
            certificate.verify(&self.chain.id, header.height, &header.hash(), tip.validators())?;
        }
        Ok(Some((ledger::judge_read(&self.chain, block, self.signatures.as_ref())?, certificate)))
    }
}

/// A block of an answer that was read before its turn.
struct Ahead {
    certificate: Certificate,
    /// None if it was final here already.
    block: Option<ReadBlock>,
    /// The validators whose certificate it was found to have; none if these did not decide it.
    certified_by: Option<Arc<ValidatorSet>>,
}

impl Ahead {
    fn read(
        block: FinalBlock,
        chain: &ChainId,
        tip: Height,
        validators: &Arc<ValidatorSet>,
    ) -> Result<Self, BlockError> {
        let certificate: Certificate = codec::decode(&block.certificate, CERTIFICATE_BYTES_MAX)?;
        if certificate.height <= tip {
            return Ok(Self { certificate, block: None, certified_by: None });
        }
        let block = ReadBlock::read(block.block)?;
        let header = block.header();
        let verified = certificate.verify(chain, header.height, &header.hash(), validators);
        let certified_by = verified.is_ok().then(|| Arc::clone(validators));
        Ok(Self { certificate, block: Some(block), certified_by })
    }
}

#[cfg(test)]
mod tests {
    use cairn_network::PeerKey;
    use cairn_types::{Hash, Height, OrganizationId, Power, Validator, ValidatorSet};
    use ed25519_dalek::SigningKey;

    use super::Follow;

    fn of_four() -> ValidatorSet {
        let public = |seed: u8| SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();
        let mut validators: Vec<Validator> = (1..=4)
            .map(|seed| Validator {
                key: public(seed),
                peer: public(seed + 100),
                power: Power::new(1),
                organization: OrganizationId::from_hash(Hash::ZERO),
            })
            .collect();
        validators.sort_by_key(|validator| validator.key);
        ValidatorSet::new(validators).expect("four different validators")
    }

    #[test]
    fn one_liar_does_not_keep_a_node_waiting_and_two_of_four_do() {
        let validators = of_four();
        let peer = |index| PeerKey::from_bytes(validators.get(index).expect("one of four").peer);
        let (tip, above) = (Height::new(7), Height::new(9));
        let mut follow = Follow::new();
        follow.claims.insert(PeerKey::from_bytes([9; 32]), above);
        assert!(!follow.is_behind(tip, &validators), "who has no vote has no say");
        follow.claims.insert(peer(0), above);
        assert!(!follow.is_behind(tip, &validators), "one of four may lie");
        follow.claims.insert(peer(1), above);
        assert!(follow.is_behind(tip, &validators), "of two of four one is honest");
        assert!(!follow.is_behind(above, &validators), "what was claimed is reached");
    }

    #[test]
    fn who_really_gets_blocks_goes_on_getting_them() {
        let validators = of_four();
        let mut follow = Follow::new();
        follow.claims.insert(PeerKey::from_bytes([9; 32]), Height::new(9));
        follow.is_moving = true;
        assert!(follow.is_behind(Height::new(7), &validators));
        follow.disbelieve(PeerKey::from_bytes([9; 32]), std::time::Duration::ZERO);
        assert!(!follow.is_behind(Height::new(7), &validators));
    }
}
