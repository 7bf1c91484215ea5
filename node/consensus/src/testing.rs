//! Keys, sets and messages for this crate's unit tests.

use std::sync::Arc;

use cairn_types::{BlockHash, ChainId, Hash, Height, OrganizationId, Power, Round, Validator, ValidatorSet};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::interface::{Config, Effect, Input, SignRequest, Signer, Start};
use crate::machine::Machine;
use crate::message::{Message, Proposal, SignedProposal, SignedVote, Vote, VoteKind};
use crate::timers::Timeouts;
use crate::verify::VerifiedMessage;
use crate::wal::WalEntry;

pub(crate) const TIMEOUTS: Timeouts =
    Timeouts { propose_ms: 300, prevote_ms: 100, precommit_ms: 100, delta_ms: 50, rebroadcast_ms: 1_000 };

/// Four validators, in the order of their set.
pub(crate) struct Four {
    pub(crate) chain: ChainId,
    pub(crate) secrets: Vec<SigningKey>,
    pub(crate) set: Arc<ValidatorSet>,
}

/// Signs everything, or nothing.
pub(crate) struct TestSigner {
    pub(crate) chain: ChainId,
    pub(crate) secret: SigningKey,
    pub(crate) refuses: bool,
    pub(crate) asked: Vec<SignRequest>,
}

impl Signer for TestSigner {
    fn sign(&mut self, request: &SignRequest) -> Option<[u8; 64]> {
        self.asked.push(*request);
        (!self.refuses).then(|| self.secret.sign(&request.sign_bytes(&self.chain)).to_bytes())
    }
}

pub(crate) fn block(name: &str) -> BlockHash {
    BlockHash::from_hash(Hash::plain(name.as_bytes()))
}

pub(crate) fn vote(height: u64, round: u32, kind: VoteKind, block: Option<BlockHash>, validator: u16) -> Vote {
    Vote { height: Height::new(height), round: Round::new(round), kind, block, validator }
}

impl Four {
    pub(crate) fn new() -> Self {
        let mut secrets: Vec<SigningKey> = (1..=4).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect();
        secrets.sort_by_key(|secret| secret.verifying_key().to_bytes());
        let validators = secrets
            .iter()
            .map(|secret| Validator {
                key: secret.verifying_key().to_bytes(),
                peer: secret.verifying_key().to_bytes(),
                power: Power::new(1),
                organization: OrganizationId::from_hash(Hash::ZERO),
            })
            .collect();
        let set = Arc::new(ValidatorSet::new(validators).expect("four distinct keys"));
        Self { chain: ChainId::from_hash(Hash::plain(b"chain")), secrets, set }
    }

    pub(crate) fn signer(&self, index: u16) -> TestSigner {
        let secret = self.secrets[usize::from(index)].clone();
        TestSigner { chain: self.chain, secret, refuses: false, asked: Vec::new() }
    }

    pub(crate) fn machine(&self, index: u16, tip: u64, recovered: Vec<WalEntry>) -> Machine {
        let key = self.secrets[usize::from(index)].verifying_key().to_bytes();
        Machine::new(Config { chain: self.chain, key: Some(key) }, Height::new(tip), recovered)
    }

    pub(crate) fn start(&self, height: u64) -> Input {
        Input::Start(Start { height: Height::new(height), validators: Arc::clone(&self.set), timeouts: TIMEOUTS })
    }

    pub(crate) fn signed_vote(&self, vote: Vote) -> SignedVote {
        let secret = &self.secrets[usize::from(vote.validator)];
        SignedVote { vote, signature: secret.sign(&vote.sign_bytes(&self.chain)).to_bytes() }
    }

    /// A proposal by whoever's turn it is.
    pub(crate) fn signed_proposal(
        &self,
        height: u64,
        round: u32,
        pol_round: Option<u32>,
        block: BlockHash,
    ) -> SignedProposal {
        let (height, round) = (Height::new(height), Round::new(round));
        let proposer = self.set.proposer(height, round);
        let proposal = Proposal { height, round, pol_round: pol_round.map(Round::new), block, proposer };
        let secret = &self.secrets[usize::from(proposer)];
        SignedProposal { proposal, signature: secret.sign(&proposal.sign_bytes(&self.chain)).to_bytes() }
    }

    pub(crate) fn verified(&self, message: Message) -> VerifiedMessage {
        message.verify(&self.chain, &self.set).expect("a message of the tests is genuine")
    }

    pub(crate) fn say(&self, message: Message) -> Input {
        Input::Message(self.verified(message))
    }

    pub(crate) fn says(&self, vote: Vote) -> Input {
        self.say(Message::Vote(self.signed_vote(vote)))
    }
}

/// What is sent, in order.
pub(crate) fn broadcasts(effects: &[Effect]) -> Vec<&Message> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Broadcast(message) => Some(message),
            _ => None,
        })
        .collect()
}

/// What is appended, in order.
pub(crate) fn appended(effects: &[Effect]) -> Vec<WalEntry> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Append(entry) => Some(entry.clone()),
            _ => None,
        })
        .collect()
}
