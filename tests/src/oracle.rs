//! The rules a second time, as naively as they can be told: section 17 of `runtime/SPECIFICATION.md`, written from that
//! text and not from the code that carries it out.
//!
//! The oracle keeps nothing but the list of what was accepted, and answers every question by reading that list from its
//! beginning: who owned a device, which key spoke for it, who held what, whether a transaction may follow and, if not,
//! which rule refuses it. There is no interval, no state tree, no overlay and no index, so a bug would have to be made
//! twice, in two ways.
//!
//! ```text
//! facts       what the list says of organizations, devices, grants, streams, lots, quotas
//! authority   who may do what by which grant
//! rules       what every call must satisfy: envelope, signers, quota, signatures
//! calls       what each call must satisfy besides, and governance
//! remains     the whole state that the list leaves behind
//! hindsight   what an auditor should be told of an attestation
//! ```
//!
//! It does not parse certificates: whoever made the chains tells it which of them are good ([`GoodChain`]). The words in
//! a refusal are not the oracle's to say; [`wordless`] takes them out of one, so that two can be compared.

mod authority;
mod calls;
mod facts;
mod governance;
mod hindsight;
mod remains;
mod rules;

use cairn_runtime::SignatureCheck;
use cairn_types::governance::Measure;
use cairn_types::{
    BlockHash, Call, ChainId, DeviceId, GrantId, LotId, OrganizationId, OrganizationInception, Parameters, Position,
    Principal, PublicKey, Rejection, Roles, SignedTransaction, StreamId, TransactionId, ValidatorSet,
};

pub use authority::Thing;
pub use facts::{Epoch, Given, Recovering, Said, Stretch};
pub use hindsight::{Hindsight, Now, Right};
pub use remains::Entries;
pub use rules::Asked;

/// An organization that is there from the start.
#[derive(Clone, Debug)]
pub struct FoundingMember {
    /// Its id.
    pub id: OrganizationId,
    /// How it begins.
    pub inception: OrganizationInception,
    /// What it does.
    pub roles: Roles,
}

/// A chain of certificates that section 17.8 accepts, and what it shows.
#[derive(Clone, Debug)]
pub struct GoodChain {
    /// The certificates, the device's own first.
    pub certificates: Vec<Vec<u8>>,
    /// The key that signed the last.
    pub issuer: PublicKey,
    /// The key that the first certifies.
    pub certified: PublicKey,
    /// The first's serial number, in lowercase hexadecimal.
    pub serial: String,
}

/// What an event made, if it made something, so that no id is hashed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Nothing that has an id.
    Nothing,
    /// An organization, admitted.
    Organization(OrganizationId),
    /// A device.
    Device(DeviceId),
    /// A grant.
    Grant(GrantId),
    /// A stream.
    Stream(StreamId),
    /// A lot.
    Lot(LotId),
}

/// Something that was accepted.
#[derive(Clone, Debug)]
pub struct Event {
    /// Where it stands.
    pub position: Position,
    /// What was said.
    pub transaction: SignedTransaction,
    /// What it made.
    pub made: Made,
}

impl Event {
    /// The transaction's id.
    pub fn id(&self) -> TransactionId {
        self.transaction.id()
    }

    /// In whose name it was said.
    pub fn signer(&self) -> Principal {
        self.transaction.body().signer
    }

    /// What was asked for.
    pub fn call(&self) -> &Call {
        &self.transaction.body().call
    }
}

/// See the module.
pub struct Oracle {
    /// The network.
    pub chain: ChainId,
    /// The hashes of the final blocks, by height.
    pub blocks: Vec<BlockHash>,
    founders: Vec<FoundingMember>,
    parameters: Parameters,
    validators: ValidatorSet,
    good_chains: &'static [GoodChain],
    /// All that was accepted, in order.
    events: Vec<Event>,
    flaw: Flaw,
}

/// A mistake that an oracle makes on purpose, to show that the comparison notices one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// None.
    #[default]
    None,
    /// It forgets that a sale ends the grants that were given over the device before.
    ForgetsEarlierOwners,
    /// It lets a recovery take effect one height late.
    RecoversLate,
    /// It counts a device's transactions for the device alone.
    ForgetsOwnersQuota,
    /// It takes two thirds of the council for more than two thirds.
    TakesTwoThirds,
}

impl Oracle {
    /// Nothing was accepted yet.
    pub fn new(
        chain: ChainId,
        founders: Vec<FoundingMember>,
        parameters: Parameters,
        validators: ValidatorSet,
        good_chains: &'static [GoodChain],
    ) -> Self {
        let blocks = vec![chain.genesis_hash()];
        Self { chain, blocks, founders, parameters, validators, good_chains, events: Vec::new(), flaw: Flaw::None }
    }

    /// The same with a mistake.
    #[must_use]
    pub fn with_flaw(mut self, flaw: Flaw) -> Self {
        self.flaw = flaw;
        self
    }

    /// Notes that `transaction` was accepted at `position`.
    pub fn accept(&mut self, position: Position, transaction: SignedTransaction) {
        let (id, body) = (transaction.id(), transaction.body());
        let made = match (&body.call, body.signer) {
            (Call::Govern(call), _) => match &call.measure {
                Measure::Admit(admit) => Made::Organization(admit.inception.id()),
                _ => Made::Nothing,
            },
            (Call::RegisterDevice(call), _) => Made::Device(call.inception.id()),
            (Call::Grant(_), _) => Made::Grant(GrantId::of(&id)),
            (Call::OpenStream(call), Principal::Device(device)) => Made::Stream(StreamId::of(&device, &call.name)),
            (Call::EndorseLot(_), _) => Made::Lot(LotId::of(&id)),
            _ => Made::Nothing,
        };
        self.events.push(Event { position, transaction, made });
    }

    /// All that was accepted, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What had happened before `position`: what a transaction that would stand there meets. Recoveries that take effect
    /// at the beginning of its height have taken effect.
    pub fn before(&self, position: Position) -> Past<'_> {
        let count = self.events.partition_point(|event| event.position < position);
        Past { oracle: self, events: &self.events[..count], at: position }
    }

    /// What had happened up to `position`, itself included.
    pub fn upto(&self, position: Position) -> Past<'_> {
        let count = self.events.partition_point(|event| event.position <= position);
        Past { oracle: self, events: &self.events[..count], at: position }
    }

    /// Whether `transaction` may stand at `position`, after all that was accepted so far.
    ///
    /// # Errors
    /// The refusal, with no words in it.
    pub fn judge(
        &self,
        transaction: &SignedTransaction,
        position: Position,
        check: &dyn SignatureCheck,
    ) -> Result<(), Rejection> {
        self.before(position).judge(transaction, check)
    }
}

/// What had happened before some position.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    oracle: &'a Oracle,
    events: &'a [Event],
    /// The position in question.
    at: Position,
}

/// The refusal without the words that only people read.
#[must_use]
pub fn wordless(rejection: Rejection) -> Rejection {
    match rejection {
        Rejection::FieldInvalid { field, .. } => Rejection::FieldInvalid { field, reason: "" },
        Rejection::SignerNotEntitled { signer, call, .. } => Rejection::SignerNotEntitled { signer, call, needed: "" },
        Rejection::MeasureInvalid { .. } => Rejection::MeasureInvalid { reason: "" },
        Rejection::SuspectSinceInvalid { .. } => Rejection::SuspectSinceInvalid { reason: "" },
        Rejection::ReplacementInvalid { .. } => Rejection::ReplacementInvalid { reason: "" },
        Rejection::ForkNotShown { .. } => Rejection::ForkNotShown { reason: "" },
        Rejection::EndorsementInvalid { .. } => Rejection::EndorsementInvalid { reason: "" },
        Rejection::OfferInvalid { device, .. } => Rejection::OfferInvalid { device, reason: "" },
        other => other,
    }
}
