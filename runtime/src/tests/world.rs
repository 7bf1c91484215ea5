//! A network in miniature: a state, the blocks before it, and people with keys.
//!
//! Every block is built from candidates and then executed, as a proposer and a validator would; the two must agree, and
//! what was rejected must have left no trace. After every block the invariants of the state are checked.

use cairn_proofs::tree::StateTree;
use cairn_types::governance::{Admit, Measure};
use cairn_types::{
    BlockHash, BlockRef, Body, Call, ChainId, GrantId, Hash, Height, Parameters, Position, Rejection, Role,
    SignedTransaction, StreamId, Transaction, TransactionId, Zone, state_key,
};

use super::invariants;
use crate::{Built, Changes, CheckDirectly, Context, Founder, History, build, execute, found, governance, state};

mod actor;
mod calls;
pub(super) mod x509;

pub(super) use actor::{Actor, Device, Key, Recoverable, organization, validator_set};
pub(super) use calls::{
    accept, attest, endorse, give, govern, offer, open, place, recover, register, revoke, rotate, set_status,
};

/// The blocks so far. Nothing but their hashes matters to the rules.
pub(super) struct Chain(Vec<BlockHash>);

impl History for Chain {
    fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.0.get(usize::try_from(height.get()).ok()?).copied()
    }
}

/// See the module.
pub(super) struct World {
    pub(super) state: StateTree,
    pub(super) parameters: Parameters,
    pub(super) chain: Chain,
    /// The water works: owns the devices of most stories.
    pub(super) works: Actor,
    /// A contractor of the works.
    pub(super) contractor: Actor,
    /// An organization that signs with two of its three keys.
    pub(super) board: Actor,
}

impl World {
    /// Three organizations, no device, and block 0.
    pub(super) fn new() -> Self {
        let parameters = Parameters {
            lifetime_max: 100,
            recovery_delay: 10,
            block_bytes_max: 256 * 1024,
            block_transactions_max: 64,
            heartbeat_ms: 10_000,
            clock_drift_ms: 2_000,
            propose_timeout_ms: 1_000,
            prevote_timeout_ms: 1_000,
            precommit_timeout_ms: 1_000,
            timeout_delta_ms: 500,
            quota_window: 20,
            organization_quota: 0,
            device_quota: 0,
        };
        let mut state = StateTree::new();
        let mut join = |name: &str, threshold: u8, keys: u8| {
            let (inception, actor) = organization(name, threshold, keys);
            let founder = Founder { inception, roles: [Role::Council, Role::Manufacturer].into_iter().collect() };
            let (_, changes) = found(&state, &founder, Position::start_of(Height::GENESIS)).expect("a good founder");
            state = state.apply(&changes);
            actor
        };
        let (works, contractor, board) = (join("works", 1, 1), join("contractor", 1, 1), join("board", 2, 3));
        let mut council = [&works, &contractor, &board].map(Actor::organization);
        council.sort_unstable();
        let state = state.apply(&governance::genesis(&parameters, &council, &validator_set(&works, &[1, 2, 3, 4])));
        let chain = Chain(vec![block_hash(0, &state)]);
        Self { state, parameters, chain, works, contractor, board }
    }

    /// A world with the meter of most stories: it stands in `north` and may attest there, by a grant to the zone.
    pub(super) fn with_meter() -> (Self, Device, GrantId) {
        let mut world = Self::new();
        let meter = world.registered("meter", "north");
        let works = world.works.clone();
        let terms = give(world.in_zone("north"), [cairn_types::Action::Attest], world.over_zone("north"));
        let grant = world.given(&works, terms);
        (world, meter, grant)
    }

    pub(super) fn chain_id(&self) -> ChainId {
        ChainId::from_hash(self.chain.0[0].hash())
    }

    /// The height of the next block.
    pub(super) fn height(&self) -> Height {
        Height::new(self.chain.0.len() as u64)
    }

    /// The first position of the next block: where [`World::submit`] puts a transaction.
    pub(super) fn now(&self) -> Position {
        Position::start_of(self.height())
    }

    /// The final block at `height`.
    pub(super) fn block_ref(&self, height: u64) -> BlockRef {
        let height = Height::new(height);
        BlockRef { height, hash: self.chain.hash_at(height).expect("a final block") }
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context { chain: self.chain_id(), parameters: &self.parameters, history: &self.chain }
    }

    /// A zone of the works.
    pub(super) fn zone(&self, path: &str) -> Zone {
        self.works.zone(path)
    }

    pub(super) fn in_zone(&self, path: &str) -> cairn_types::Grantee {
        cairn_types::Grantee::Zone(self.zone(path))
    }

    pub(super) fn over_zone(&self, path: &str) -> cairn_types::Scope {
        cairn_types::Scope::Zone(self.zone(path))
    }

    /// What `signer` would say now, in a good envelope.
    pub(super) fn body(&self, signer: &Actor, call: Call) -> Body {
        let last = self.height().previous().expect("block 0 is there");
        let expires = (!call.is_stream_call()).then(|| Height::new(last.get() + 10));
        Body { chain: self.chain_id(), signer: signer.principal, not_before: self.block_ref(last.get()), expires, call }
    }

    /// A call in the name of the first of `signers`, signed by all of them.
    pub(super) fn transaction(&self, signers: &[&Actor], call: Call) -> SignedTransaction {
        self.sign(signers, self.body(signers[0], call))
    }

    pub(super) fn sign(&self, signers: &[&Actor], body: Body) -> SignedTransaction {
        let id = body.id();
        let mut signatures: Vec<_> = signers.iter().flat_map(|actor| actor.sign(&id)).collect();
        signatures.sort_by_key(|signature| (signature.signer, signature.key));
        SignedTransaction::new(Transaction { body, signatures })
    }

    /// Offers a call as the only candidate of the next block.
    pub(super) fn submit(&mut self, signers: &[&Actor], call: Call) -> Result<TransactionId, Rejection> {
        self.offer(self.transaction(signers, call))
    }

    /// Offers a transaction as the only candidate of the next block.
    pub(super) fn offer(&mut self, transaction: SignedTransaction) -> Result<TransactionId, Rejection> {
        let id = transaction.id();
        match self.block(vec![transaction]).rejected.pop() {
            Some((_, rejection)) => Err(rejection),
            None => Ok(id),
        }
    }

    /// Makes the next block of what succeeds among `candidates`.
    pub(super) fn block(&mut self, candidates: Vec<SignedTransaction>) -> Built<SignedTransaction> {
        let height = self.height();
        let built = build(&self.state, self.context(), &CheckDirectly, height, candidates);
        let executed = execute(&self.state, self.context(), &CheckDirectly, height, &built.included)
            .expect("what an honest proposer built is valid");
        assert_eq!(built.executed.changes, executed.changes, "build and execute agree");
        assert_eq!(built.executed.state.root(), executed.state.root(), "build and execute agree");
        invariants::check_step(&self.state, &executed.state, height);
        self.state = executed.state;
        self.chain.0.push(block_hash(height.get(), &self.state));
        invariants::check_state(&self.state);
        built
    }

    /// Makes `count` blocks without a transaction.
    pub(super) fn idle(&mut self, count: u64) {
        for _ in 0..count {
            self.block(Vec::new());
        }
    }

    /// A device of the works that was registered in `zone`.
    pub(super) fn registered(&mut self, label: &str, zone: &str) -> Device {
        let device = Device::called(label);
        let works = self.works.clone();
        let call = register(&device, &works, self.zone(zone));
        self.submit(&[&works, &device.actor()], call).expect("the owner registers a new device");
        device
    }

    /// A grant that `grantor` gave.
    pub(super) fn given(&mut self, grantor: &Actor, terms: cairn_types::call::Grant) -> GrantId {
        let id = self.submit(&[grantor], Call::Grant(terms)).expect("the grantor may give this");
        GrantId::of(&id)
    }

    /// A stream that `device` opened.
    pub(super) fn opened(&mut self, device: &Device, name: &str, grant: GrantId) -> StreamId {
        self.submit(&[&device.actor()], open(name, grant)).expect("the device may open a stream");
        device.stream(name)
    }

    /// Changes a record by hand, where no call leads to yet.
    pub(super) fn overwrite<T: borsh::BorshSerialize>(&mut self, key: Vec<u8>, value: &T) {
        self.state = self.state.apply(&Changes::from([(key, Some(cairn_types::encode(value)))]));
    }

    /// Lets a grant be over something else. As long as devices cannot be sold, whoever gives a grant without a parent owns
    /// its scope and stays its owner, so only a hand leads to a grant over what another owns.
    pub(super) fn overwrite_scope(&mut self, grant: GrantId, scope: cairn_types::Scope) {
        let mut interval = state::grant(&self.state, &grant).expect("the grant was given");
        interval.value.scope = scope;
        self.overwrite(state_key::grant(&grant), &interval);
    }

    /// A measure of the council, which all three organizations sign.
    pub(super) fn governed(&mut self, measure: Measure) -> Result<TransactionId, Rejection> {
        let (works, contractor, board) = (self.works.clone(), self.contractor.clone(), self.board.clone());
        let done = self.submit(&[&works, &contractor, &board], govern(measure));
        self.parameters = state::parameters(&self.state);
        done
    }

    /// An organization with a recovery set, admitted by the council.
    pub(super) fn admitted(&mut self, name: &str, roles: &[Role]) -> Recoverable {
        let organization = Recoverable::called(name);
        let roles = roles.iter().copied().collect();
        let measure = Measure::Admit(Admit { inception: organization.inception.clone(), roles });
        self.governed(measure).expect("the council admits");
        organization
    }

    /// The next attestation of `stream`, with content of this text.
    pub(super) fn next(&self, stream: StreamId, text: &str, grant: GrantId) -> Call {
        let record = state::stream(&self.state, &stream).expect("the stream is open");
        Call::Attest(attest(stream, record.count, record.head, text, grant))
    }
}

fn block_hash(height: u64, state: &StateTree) -> BlockHash {
    BlockHash::from_hash(Hash::plain(&[&height.to_le_bytes()[..], state.root().as_bytes()].concat()))
}
