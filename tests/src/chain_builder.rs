//! A whole network in this process: a genesis, four validators' keys, the real rules and the real proofs; no consensus, no
//! disk and no clock. What it makes is what a node would have made, byte for byte, so an auditor cannot tell.
//!
//! Blocks are a second apart. Whatever a story offers must be allowed by the rules: who wants to see a refusal asks the
//! rules themselves.

use cairn_genesis::{FoundingOrganization, FoundingValidator, Genesis, GenesisBlock};
use cairn_proofs::accumulator::{prove_in, root_of};
use cairn_proofs::bundle::{Anchor, Bundle, Parts, PastBlock, TransactionInclusion};
use cairn_proofs::checkpoint::CheckpointProof;
use cairn_proofs::lookup::{Lookup, Question};
use cairn_proofs::tree::StateTree;
use cairn_runtime::{CheckDirectly, Context, History, execute};
use cairn_types::block::HEADER_VERSION;
use cairn_types::certificate::{CertificateSignature, precommit_sign_bytes};
use cairn_types::{
    Block, BlockHash, BlockRef, Call, Certificate, ChainId, Hash, Header, Height, OrganizationId, Parameters, Position,
    Principal, PublicKey, Role, Round, SignedTransaction, TransactionId, state_key,
};
use ed25519_dalek::{Signer, SigningKey};

use crate::actor::{Actor, key, sign};

/// Milliseconds between blocks.
pub const BLOCK_MS: u64 = 1_000;

/// The time of block 0, in milliseconds since 1970: 2025-01-01T00:00:00Z.
const GENESIS_TIME_MS: u64 = 1_735_689_600_000;

/// The founding organizations.
pub const ORGANIZATIONS: [&str; 3] = ["water-works", "contractor", "city-audit"];

/// Heights until a recovery takes effect: few, so that a story need not wait.
pub const RECOVERY_DELAY: u64 = 4;

/// Seeds of the keys of organizations, validators and peers lie this far apart.
const SEEDS: u64 = 100;

/// A final block, and the state after it.
struct Made {
    header: Header,
    transactions: Vec<SignedTransaction>,
    state: StateTree,
}

/// See the module.
pub struct Chain {
    founding: Genesis,
    genesis: GenesisBlock,
    organizations: Vec<Actor>,
    /// In the order of the set.
    validators: Vec<SigningKey>,
    made: Vec<Made>,
    hashes: Vec<Hash>,
}

impl History for Chain {
    fn hash_at(&self, height: Height) -> Option<BlockHash> {
        Hashes(&self.hashes).hash_at(height)
    }
}

struct Hashes<'a>(&'a [Hash]);

impl History for Hashes<'_> {
    fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.0.get(index(height)).copied().map(BlockHash::from_hash)
    }
}

fn index(height: Height) -> usize {
    usize::try_from(height.get()).expect("a test's heights are few")
}

impl Chain {
    /// Block 0 of a network of its own for each seed.
    ///
    /// # Panics
    /// If the genesis is not allowed, which is a bug here.
    pub fn new(seed: u64) -> Self {
        Self::of(seed, 4)
    }

    /// The same with so many validators.
    ///
    /// # Panics
    /// As [`Chain::new`].
    pub fn of(seed: u64, validators: u64) -> Self {
        let base = 1_000_000_000 + seed * 10 * SEEDS;
        let secrets = |kind: u64, count: u64| (0..count).map(move |number| key(base + kind * SEEDS + number));
        let organization_keys: Vec<SigningKey> = secrets(0, 3).collect();
        let mut secret_keys: Vec<SigningKey> = secrets(1, validators).collect();
        let founding = |(name, secret): (&str, &SigningKey)| FoundingOrganization {
            name: name.parse().expect("a valid name"),
            title: format!("The {name}"),
            // All govern, and the contractor makes devices.
            roles: [Role::Council]
                .into_iter()
                .chain((name == ORGANIZATIONS[1]).then_some(Role::Manufacturer))
                .collect(),
            keys: vec![PublicKey::Ed25519(secret.verifying_key().to_bytes())],
            threshold: 1,
            next: None,
            recovery: None,
        };
        let voting = |(number, (secret, peer)): (usize, (&SigningKey, SigningKey))| FoundingValidator {
            key: secret.verifying_key().to_bytes(),
            peer: peer.verifying_key().to_bytes(),
            power: 1,
            organization: ORGANIZATIONS[number % ORGANIZATIONS.len()].parse().expect("a valid name"),
        };
        let founding = Genesis {
            name: "in-process".parse().expect("a valid name"),
            time_ms: GENESIS_TIME_MS,
            parameters: Parameters { recovery_delay: RECOVERY_DELAY, ..cairn_genesis::defaults() },
            organizations: ORGANIZATIONS.into_iter().zip(&organization_keys).map(founding).collect(),
            validators: secret_keys.iter().zip(secrets(2, validators)).enumerate().map(voting).collect(),
        };
        let genesis = founding.clone().build().expect("a valid genesis");
        secret_keys.sort_by_key(|secret| secret.verifying_key().to_bytes());
        let actor = |(name, key): (&str, SigningKey)| {
            let name = name.parse().expect("a valid name");
            let id = genesis.state.get(&state_key::organization_name(&name)).expect("the organization was founded");
            let id = Hash::from_bytes(id.as_ref().try_into().expect("an id has 32 bytes"));
            Actor { principal: Principal::Organization(OrganizationId::from_hash(id)), key }
        };
        let organizations = ORGANIZATIONS.into_iter().zip(organization_keys).map(actor).collect();
        let header = genesis.block.header.clone();
        let hashes = vec![header.hash().hash()];
        let made = vec![Made { header, transactions: vec![], state: genesis.state.clone() }];
        Self { founding, genesis, organizations, validators: secret_keys, made, hashes }
    }

    /// The network.
    pub const fn id(&self) -> ChainId {
        self.genesis.chain
    }

    /// The genesis file.
    pub const fn founding(&self) -> &Genesis {
        &self.founding
    }

    /// What the genesis file makes.
    pub const fn genesis(&self) -> &GenesisBlock {
        &self.genesis
    }

    /// The secret keys of the validators, in the order of their set.
    pub fn validators(&self) -> &[SigningKey] {
        &self.validators
    }

    /// How many blocks there are, block 0 among them.
    pub const fn len(&self) -> usize {
        self.made.len()
    }

    /// Never: block 0 is there.
    pub const fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// The state after the block at a height.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn state(&self, height: usize) -> &StateTree {
        &self.made[height].state
    }

    /// The block at a height, as nodes send it.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn encodable(&self, height: usize) -> Block {
        let Made { header, transactions, .. } = &self.made[height];
        let transactions = transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect();
        Block { header: header.clone(), transactions }
    }

    /// All transactions, in order.
    pub fn transactions(&self) -> impl Iterator<Item = &SignedTransaction> {
        self.made.iter().flat_map(|made| &made.transactions)
    }

    /// An organization, by its place in [`ORGANIZATIONS`].
    ///
    /// # Panics
    /// If there are not so many.
    pub fn organization(&self, number: usize) -> &Actor {
        &self.organizations[number]
    }

    /// The last block.
    pub fn tip(&self) -> BlockRef {
        self.at(self.made.len() - 1)
    }

    /// The block at a height.
    ///
    /// # Panics
    /// If there is none.
    pub fn at(&self, height: usize) -> BlockRef {
        let header = &self.made[height].header;
        BlockRef { height: header.height, hash: header.hash() }
    }

    /// The time of the last block, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.last().header.time_ms
    }

    /// Entries in the state.
    pub fn state_len(&self) -> u64 {
        self.last().state.len()
    }

    fn last(&self) -> &Made {
        self.made.last().expect("block 0 is there")
    }

    /// A call in the name of `signer`, who has seen the last block, signed also by `others`.
    pub fn signed(&self, signer: &Actor, call: Call, others: &[&Actor]) -> SignedTransaction {
        sign(self.id(), signer, self.tip(), call, others)
    }

    /// Makes a block of one call, and tells its transaction's id.
    pub fn submit(&mut self, signer: &Actor, call: Call, others: &[&Actor]) -> TransactionId {
        let signed = self.signed(signer, call, others);
        let id = signed.id();
        self.block(vec![signed]);
        id
    }

    /// Makes a block.
    ///
    /// # Panics
    /// If a rule refuses one of its transactions.
    pub fn block(&mut self, transactions: Vec<SignedTransaction>) {
        let height = Height::new(u64::try_from(self.made.len()).expect("a test's heights are few"));
        let history = Hashes(&self.hashes);
        let context = Context { chain: self.id(), parameters: &self.genesis.parameters, history: &history };
        let parent = self.last();
        let executed = execute(&parent.state, context, &CheckDirectly, height, &transactions);
        let state = executed.unwrap_or_else(|refused| panic!("block {height}: {refused}")).state;
        let leaves: Vec<Hash> = transactions.iter().map(SignedTransaction::leaf).collect();
        let validators_root = self.genesis.validators.root();
        let header = Header {
            version: HEADER_VERSION,
            chain: self.id(),
            height,
            time_ms: parent.header.time_ms + BLOCK_MS,
            parent: parent.header.hash(),
            history_root: root_of(&self.hashes),
            tx_root: root_of(&leaves),
            state_root: state.root(),
            validators_root,
            next_validators_root: validators_root,
            proposer: 0,
        };
        self.hashes.push(header.hash().hash());
        self.made.push(Made { header, transactions, state });
    }

    /// Makes blocks without a transaction.
    pub fn idle(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.block(Vec::new());
        }
    }

    /// Where a transaction stands.
    ///
    /// # Panics
    /// If it is in no block.
    pub fn position(&self, id: &TransactionId) -> Position {
        let in_block = |made: &Made| {
            let place = made.transactions.iter().position(|transaction| transaction.id() == *id)?;
            Some(Position { height: made.header.height, index: u32::try_from(place).expect("a block holds few") })
        };
        self.made.iter().find_map(in_block).unwrap_or_else(|| panic!("transaction {id} is in no block"))
    }

    /// A transaction of a block.
    ///
    /// # Panics
    /// If it is in no block.
    pub fn transaction(&self, id: &TransactionId) -> &SignedTransaction {
        let mut all = self.made.iter().flat_map(|made| &made.transactions);
        all.find(|transaction| transaction.id() == *id).unwrap_or_else(|| panic!("transaction {id} is in no block"))
    }

    /// The bundle of an attestation with the last block as its checkpoint and, if wanted, an anchor.
    ///
    /// # Panics
    /// If it is no attestation, or in no block.
    pub fn bundle(&self, id: &TransactionId, anchor: Option<BlockRef>) -> Bundle {
        self.bundle_at(self.made.len() - 1, id, anchor)
    }

    /// The same with the block at a height as its checkpoint.
    ///
    /// # Panics
    /// As [`Chain::bundle`], or if the checkpoint is below the attestation.
    pub fn bundle_at(&self, checkpoint: usize, id: &TransactionId, anchor: Option<BlockRef>) -> Bundle {
        let position = self.position(id);
        let checkpoint = &self.made[checkpoint];
        let at_checkpoint = checkpoint.header.height;
        let made = &self.made[index(position.height)];
        let transaction = made.transactions[usize::try_from(position.index).expect("small")].clone();
        let leaves: Vec<Hash> = made.transactions.iter().map(SignedTransaction::leaf).collect();
        let not_before = transaction.body().not_before.height;
        let history = |height: Height| {
            let before = &self.hashes[..index(at_checkpoint)];
            prove_in(before, height.get()).expect("the block is before the checkpoint")
        };
        let past =
            |height: Height| PastBlock { header: self.made[index(height)].header.clone(), history: history(height) };
        let parts = Parts {
            finality: self.finality(index(at_checkpoint)),
            block: (position.height != at_checkpoint).then(|| past(position.height)),
            not_before: (not_before != Height::GENESIS).then(|| past(not_before)),
            anchor: anchor.map(|block| Anchor { hash: block.hash, history: history(block.height) }),
            transaction,
            inclusion: TransactionInclusion {
                count: u32::try_from(leaves.len()).expect("small"),
                proof: prove_in(&leaves, u64::from(position.index)).expect("the transaction is in the block"),
            },
        };
        Bundle::assemble(&checkpoint.state, parts).expect("a final attestation has a bundle")
    }

    /// The lookup that answers a question as of the last block.
    ///
    /// # Panics
    /// If the answer is too long for a file.
    pub fn lookup(&self, question: Question) -> Lookup {
        let last = self.made.len() - 1;
        Lookup::prove(&self.last().state, self.finality(last), question).expect("the state answers every question")
    }

    /// The block at a height as a checkpoint, and the way to it.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn finality(&self, height: usize) -> CheckpointProof {
        let header = &self.made[height].header;
        CheckpointProof {
            genesis: self.genesis.block.header.clone(),
            validators: self.genesis.validators.clone(),
            changes: Vec::new(),
            checkpoint: header.clone(),
            certificate: self.certificate(header),
        }
    }

    fn certificate(&self, header: &Header) -> Certificate {
        let (height, round, block) = (header.height, Round::new(0), header.hash());
        let message = precommit_sign_bytes(&self.id(), height, round, &block);
        let precommit = |(validator, secret): (u16, &SigningKey)| CertificateSignature {
            validator,
            signature: secret.sign(&message).to_bytes(),
        };
        let quorum = self.validators.len() * 2 / 3 + 1;
        let signatures = (0..).zip(&self.validators).take(quorum).map(precommit).collect();
        Certificate { height, round, block, signatures }
    }
}
