//! A network in this process: a genesis, blocks made by the real rules, and validators who can sign a checkpoint.
//!
//! Every block is built from candidates and then executed, as a proposer and a validator would; the two must agree.

use cairn_genesis::{FoundingKeys, FoundingOrganization, FoundingValidator, Genesis};
use cairn_proofs::accumulator::{Frontier, prove_in, root_of};
use cairn_proofs::bundle::{Bundle, Parts, PastBlock, TransactionInclusion};
use cairn_proofs::checkpoint::{CheckpointProof, ValidatorChange};
use cairn_proofs::tree::StateTree;
use cairn_runtime::{Built, Context, History, apply, build, execute, state};
use cairn_tests::oracle::{FoundingMember, Oracle};
use cairn_types::block::HEADER_VERSION;
use cairn_types::certificate::{CertificateSignature, precommit_sign_bytes};
use cairn_types::{
    BlockHash, Certificate, ChainId, Hash, Header, Height, KeySet, OrganizationInception, Parameters, Position,
    Rejection, Role, Round, SignedTransaction, ValidatorSet,
};
use ed25519_dalek::{Signer, SigningKey};

use crate::player::Memory;
use crate::pool::{Pool, Scheme};

/// Milliseconds between blocks.
pub(crate) const BLOCK_MS: u64 = 1_000;
/// The time of block 0: 2025-01-01T00:00:00Z.
const GENESIS_TIME_MS: u64 = 1_735_689_600_000;

/// Who founds a network.
struct FounderPlan {
    name: &'static str,
    roles: &'static [Role],
    threshold: u8,
    keys: usize,
    /// Whether it committed to its next keys.
    rotates: bool,
    /// Keys of its recovery set.
    recovering: usize,
}

const fn plan(
    name: &'static str,
    roles: &'static [Role],
    [threshold, keys, recovering]: [u8; 3],
    rotates: bool,
) -> FounderPlan {
    FounderPlan { name, roles, threshold, keys: keys as usize, rotates, recovering: recovering as usize }
}

const FOUNDERS: [FounderPlan; 6] = [
    plan("works", &[Role::Council, Role::Operator], [1, 1, 1], true),
    plan("contractor", &[Role::Operator], [1, 1, 0], true),
    plan("board", &[Role::Council, Role::Auditor], [2, 3, 2], false),
    plan("maker", &[Role::Council, Role::Manufacturer], [1, 1, 1], true),
    plan("city", &[Role::Council], [2, 2, 0], true),
    plan("supplier", &[Role::Manufacturer, Role::Operator], [1, 1, 1], false),
];

/// A key of a validator or of its node.
pub(crate) fn validator_key(kind: &str, number: usize) -> SigningKey {
    SigningKey::from_bytes(Hash::plain(format!("{kind} {number}").as_bytes()).as_bytes())
}

/// Validators that can take part at all.
pub(crate) const VALIDATORS: usize = 8;

/// The parameters of one of several kinds of network: with and without quotas, with short and long delays.
fn parameters(kind: usize) -> Parameters {
    let (quota_window, organization_quota, device_quota) = match kind % 3 {
        0 => (10, 0, 0),
        1 => (10, 12, 5),
        _ => (7, 30, 0),
    };
    Parameters {
        lifetime_max: if kind.is_multiple_of(2) { 40 } else { 15 },
        recovery_delay: [1, 4, 9, 2][kind % 4],
        block_bytes_max: 1024 * 1024,
        block_transactions_max: 4_096,
        heartbeat_ms: 10_000,
        clock_drift_ms: 2_000,
        propose_timeout_ms: 1_000,
        prevote_timeout_ms: 1_000,
        precommit_timeout_ms: 1_000,
        timeout_delta_ms: 500,
        quota_window,
        organization_quota,
        device_quota,
    }
}

struct Hashes<'a>(&'a [Hash]);

impl History for Hashes<'_> {
    fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.0.get(usize::try_from(height.get()).ok()?).copied().map(BlockHash::from_hash)
    }
}

/// See the module.
pub(crate) struct Ledger {
    pub(crate) scheme: Scheme,
    pub(crate) chain: ChainId,
    pub(crate) state: StateTree,
    pub(crate) headers: Vec<Header>,
    pub(crate) blocks: Vec<Vec<SignedTransaction>>,
    hashes: Vec<Hash>,
    history: Frontier,
    /// Every set, with the first height that it decides.
    sets: Vec<(u64, ValidatorSet)>,
}

impl Ledger {
    /// A network of one of several kinds, what the oracle knows of it, and what its people remember.
    pub(crate) fn new(kind: usize, scheme: Scheme) -> (Self, Oracle, Memory) {
        let pool = Pool::get();
        let mut memory = Memory::default();
        let mut founders = Vec::new();
        let mut organizations = Vec::new();
        for FounderPlan { name, roles, threshold, keys: count, rotates, recovering } in FOUNDERS {
            let council_of_three = kind % 2 == 1 && name == "city";
            let roles = roles.iter().copied().filter(|role| *role != Role::Council || !council_of_three).collect();
            let keys = memory.new_set(pool, threshold, count);
            let next = rotates.then(|| memory.new_set(pool, threshold, count)).map(|set| memory.commit(set));
            let recovery = (recovering > 0).then(|| memory.new_set(pool, 1, recovering));
            let in_file = |set: &KeySet| FoundingKeys { keys: set.keys.clone(), threshold: set.threshold };
            organizations.push(FoundingOrganization {
                name: name.parse().expect("a valid name"),
                title: format!("The {name}"),
                roles,
                keys: keys.keys.clone(),
                threshold,
                next,
                recovery: recovery.as_ref().map(in_file),
            });
            let inception = OrganizationInception {
                name: name.parse().expect("a valid name"),
                title: format!("The {name}"),
                keys,
                next,
                recovery,
            };
            founders.push(FoundingMember { id: inception.id(), inception, roles });
        }
        let validator = |number: usize| FoundingValidator {
            key: validator_key("validator", number).verifying_key().to_bytes(),
            peer: validator_key("peer", number).verifying_key().to_bytes(),
            power: [3, 2, 2, 3][number],
            organization: ["works", "board", "maker", "works"][number].parse().expect("a valid name"),
        };
        let genesis = Genesis {
            name: "in-process".parse().expect("a valid name"),
            time_ms: GENESIS_TIME_MS,
            parameters: parameters(kind),
            organizations,
            validators: (0..4).map(validator).collect(),
        };
        let genesis = genesis.build().expect("a valid genesis");
        let header = genesis.block.header.clone();
        let hash = header.hash().hash();
        let mut history = Frontier::new();
        history.append(&hash);
        let oracle = Oracle::new(
            genesis.chain,
            founders,
            genesis.parameters.clone(),
            genesis.validators.clone(),
            pool.good_chains(),
        );
        let ledger = Self {
            scheme,
            chain: genesis.chain,
            state: genesis.state,
            headers: vec![header],
            blocks: vec![vec![]],
            hashes: vec![hash],
            history,
            sets: vec![(0, genesis.validators)],
        };
        (ledger, oracle, memory)
    }

    /// The height of the next block.
    pub(crate) fn height(&self) -> Height {
        Height::new(self.headers.len() as u64)
    }

    /// Makes the next block of what succeeds among `candidates`; `oracle` has decided on them before and tells the
    /// validators.
    pub(crate) fn block(
        &mut self,
        candidates: Vec<SignedTransaction>,
        oracle: &mut Oracle,
    ) -> Built<SignedTransaction> {
        let height = self.height();
        let parameters = state::parameters(&self.state);
        let hashes = Hashes(&self.hashes);
        let context = Context { chain: self.chain, parameters: &parameters, history: &hashes };
        let built = build(&self.state, context, &self.scheme, height, candidates);
        let context = Context { chain: self.chain, parameters: &parameters, history: &hashes };
        let executed = execute(&self.state, context, &self.scheme, height, &built.included)
            .expect("what an honest proposer built is valid");
        assert_eq!(built.executed.changes, executed.changes, "build and execute agree");
        assert_eq!(built.executed.state.root(), executed.state.root(), "build and execute agree");
        let sets = oracle.before(Position::start_of(Height::new(height.get() + 1))).validator_sets();
        self.sets = sets.into_iter().map(|(from, set)| (from, set.clone())).collect();
        let parent = self.headers.last().expect("block 0 is there");
        let leaves: Vec<Hash> = built.included.iter().map(SignedTransaction::leaf).collect();
        let header = Header {
            version: HEADER_VERSION,
            chain: self.chain,
            height,
            time_ms: parent.time_ms + BLOCK_MS,
            parent: parent.hash(),
            history_root: self.history.root(),
            tx_root: root_of(&leaves),
            state_root: executed.state.root(),
            validators_root: self.deciding(height.get()).root(),
            next_validators_root: self.deciding(height.get() + 1).root(),
            proposer: 0,
        };
        let hash = header.hash();
        oracle.blocks.push(hash);
        self.hashes.push(hash.hash());
        self.history.append(&hash.hash());
        self.headers.push(header);
        self.blocks.push(built.included.clone());
        self.state = executed.state;
        built
    }

    /// What the rules say of a transaction that would stand first in the next block.
    pub(crate) fn try_next(&self, transaction: &SignedTransaction) -> Result<(), Rejection> {
        let parameters = state::parameters(&self.state);
        let hashes = Hashes(&self.hashes);
        let context = Context { chain: self.chain, parameters: &parameters, history: &hashes };
        apply(&self.state, context, &self.scheme, transaction, Position::start_of(self.height())).map(|_| ())
    }

    /// The set that decides a height.
    fn deciding(&self, height: u64) -> &ValidatorSet {
        let set = self.sets.iter().rfind(|(from, _)| *from <= height);
        set.map(|(_, set)| set).expect("the first decides from the start")
    }

    fn certificate(&self, header: &Header) -> Certificate {
        let (height, round, block) = (header.height, Round::new(0), header.hash());
        let message = precommit_sign_bytes(&self.chain, height, round, &block);
        let secrets: Vec<SigningKey> = (0..VALIDATORS).map(|number| validator_key("validator", number)).collect();
        let precommit = |(validator, member): (u16, &cairn_types::Validator)| {
            let secret = secrets.iter().find(|secret| secret.verifying_key().to_bytes() == member.key);
            let secret = secret.expect("all validators have one of these keys");
            CertificateSignature { validator, signature: secret.sign(&message).to_bytes() }
        };
        let signatures = (0..).zip(self.deciding(height.get()).iter()).map(precommit).collect();
        Certificate { height, round, block, signatures }
    }

    /// The bundle of an attestation, with the last block as its checkpoint.
    pub(crate) fn bundle(&self, position: Position) -> Bundle {
        let checkpoint = self.headers.last().expect("block 0 is there");
        let place = |height: Height| usize::try_from(height.get()).expect("few");
        let transactions = &self.blocks[place(position.height)];
        let index = usize::try_from(position.index).expect("few");
        let transaction = transactions[index].clone();
        let leaves: Vec<Hash> = transactions.iter().map(SignedTransaction::leaf).collect();
        let not_before = transaction.body().not_before.height;
        let past = |height: Height| PastBlock {
            header: self.headers[place(height)].clone(),
            history: prove_in(&self.hashes[..place(checkpoint.height)], height.get()).expect("it is before"),
        };
        let changes = self.headers[1..place(checkpoint.height)]
            .iter()
            .filter(|header| header.next_validators_root != header.validators_root)
            .map(|header| ValidatorChange {
                header: header.clone(),
                certificate: self.certificate(header),
                validators: self.deciding(header.height.get() + 1).clone(),
            })
            .collect();
        let parts = Parts {
            finality: CheckpointProof {
                genesis: self.headers[0].clone(),
                validators: self.sets[0].1.clone(),
                changes,
                checkpoint: checkpoint.clone(),
                certificate: self.certificate(checkpoint),
            },
            block: (position.height != checkpoint.height).then(|| past(position.height)),
            not_before: (not_before != Height::GENESIS).then(|| past(not_before)),
            anchor: None,
            transaction,
            inclusion: TransactionInclusion {
                count: u32::try_from(leaves.len()).expect("few"),
                proof: prove_in(&leaves, u64::from(position.index)).expect("it is in the block"),
            },
        };
        Bundle::assemble(&self.state, parts).expect("a final attestation has a bundle")
    }
}
