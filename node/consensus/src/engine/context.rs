//! The engine's vocabulary, spelled in ours.
//!
//! The engine is generic over a `Context`. These newtypes fill it in and stay inside: nothing outside `engine` names
//! them. An address is a place in the validator set, because one engine serves one height.

use std::fmt;
use std::sync::Arc;

use arc_malachitebft_core_types as mt;
use cairn_types::{BlockHash, ValidatorIndex, ValidatorSet};
use mt::{NilOrVal, Round, SignedExtension, VoteType};

/// Ties the types below together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context;

/// A place in the validator set; of a node without one, [`Seat::NONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seat(pub(crate) ValidatorIndex);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Height(pub(crate) u64);

/// What is agreed on: the hash of a block, whose bytes travel beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value(pub(crate) BlockHash);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    seat: Seat,
    key: [u8; 32],
    power: u64,
}

/// The set as the engine wants it, shared because the engine clones it into effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members(Arc<MembersInner>);

#[derive(Debug, PartialEq, Eq)]
struct MembersInner {
    members: Vec<Member>,
    total: u64,
    set: Arc<ValidatorSet>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) pol_round: Round,
    pub(crate) value: Value,
    pub(crate) proposer: Seat,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vote {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) kind: VoteType,
    pub(crate) value: NilOrVal<Value>,
    pub(crate) validator: Seat,
}

/// Proposals are not sent in parts: the node moves a block's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoPart {}

/// Votes carry nothing but what certificates prove.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NoExtension {}

/// Ed25519, whose private keys the engine never sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ed25519;

impl Seat {
    /// Larger than any place in a set.
    pub(crate) const NONE: Self = Self(ValidatorIndex::MAX);
}

impl Members {
    pub(crate) fn new(set: Arc<ValidatorSet>) -> Self {
        let members = (0..)
            .zip(set.iter())
            .map(|(index, member)| Member { seat: Seat(index), key: member.key, power: member.power.get() })
            .collect();
        let total = set.total_power().get();
        Self(Arc::new(MembersInner { members, total, set }))
    }

    pub(crate) fn set(&self) -> &ValidatorSet {
        &self.0.set
    }
}

impl mt::Context for Context {
    type Address = Seat;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = Proposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = mt::LinearTimeouts;
    type Value = Value;
    type Vote = Vote;
    type Extension = NoExtension;
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, members: &'a Members, height: Height, round: Round) -> &'a Member {
        let round = cairn_types::Round::new(round.as_u32().unwrap_or_default());
        let index = members.set().proposer(cairn_types::Height::new(height.0), round);
        members.0.members.get(usize::from(index)).expect("the proposer is an index into the same set")
    }

    fn new_proposal(&self, height: Height, round: Round, value: Value, pol_round: Round, proposer: Seat) -> Proposal {
        Proposal { height, round, pol_round, value, proposer }
    }

    fn new_prevote(&self, height: Height, round: Round, value: NilOrVal<Value>, validator: Seat) -> Vote {
        Vote { height, round, kind: VoteType::Prevote, value, validator }
    }

    fn new_precommit(&self, height: Height, round: Round, value: NilOrVal<Value>, validator: Seat) -> Vote {
        Vote { height, round, kind: VoteType::Precommit, value, validator }
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl mt::Address for Seat {}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl mt::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl mt::Value for Value {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

impl mt::Validator<Context> for Member {
    fn address(&self) -> &Seat {
        &self.seat
    }

    fn public_key(&self) -> &[u8; 32] {
        &self.key
    }

    fn voting_power(&self) -> u64 {
        self.power
    }
}

impl mt::ValidatorSet<Context> for Members {
    fn count(&self) -> usize {
        self.0.members.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.0.total
    }

    fn get_by_address(&self, address: &Seat) -> Option<&Member> {
        self.0.members.get(usize::from(address.0))
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.0.members.get(index)
    }
}

impl mt::Proposal<Context> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &Value {
        &self.value
    }

    fn take_value(self) -> Value {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Seat {
        &self.proposer
    }
}

impl mt::Vote<Context> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<Value> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<Value> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Seat {
        &self.validator
    }

    fn extension(&self) -> Option<&SignedExtension<Context>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Context>> {
        None
    }

    fn extend(self, extension: SignedExtension<Context>) -> Self {
        match extension.message {}
    }
}

impl mt::ProposalPart<Context> for NoPart {
    fn is_first(&self) -> bool {
        match *self {}
    }

    fn is_last(&self) -> bool {
        match *self {}
    }
}

impl mt::Extension for NoExtension {
    fn size_bytes(&self) -> usize {
        match *self {}
    }
}

/// Bytes of the wrong length for an Ed25519 key or signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the length of an Ed25519 key or signature")]
pub(crate) struct WrongLength;

impl mt::SigningScheme for Ed25519 {
    type DecodingError = WrongLength;
    type Signature = [u8; 64];
    type PublicKey = [u8; 32];
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<[u8; 64], WrongLength> {
        bytes.try_into().map_err(|_| WrongLength)
    }

    fn encode_signature(signature: &[u8; 64]) -> Vec<u8> {
        signature.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<[u8; 32], WrongLength> {
        bytes.try_into().map_err(|_| WrongLength)
    }

    fn encode_public_key(key: &[u8; 32]) -> Vec<u8> {
        key.to_vec()
    }
}
