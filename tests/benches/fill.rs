//! Makes large ledgers: valid blocks of signed transactions, written to a block log without nodes.
//!
//! ```text
//!   sign the next blocks, on all cores ──► execute by the rules, one after the other ──► block log, synced now and then
//! ```
//!
//! It has the keys of all validators, so what it writes is what they would have agreed on; it agrees on nothing, and checks
//! no signature, because it made them all. The nodes that start with a copy of the log check and index it themselves.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use cairn_genesis::{Genesis, GenesisBlock};
use cairn_proofs::accumulator::{Frontier, root_of};
use cairn_proofs::tree::StateTree;
use cairn_runtime::{Context, History, SignatureCheck, execute};
use cairn_storage::{BlockLog, DataDirectory, RecordRef, SignRecord};
use cairn_tests::{Network, Signed};
use cairn_types::block::HEADER_VERSION;
use cairn_types::certificate::{CertificateSignature, precommit_sign_bytes};
use cairn_types::{
    Block, BlockHash, BlockRef, Certificate, Hash, Header, Height, PublicKey, Round, SignatureBytes, TransactionId,
    encode,
};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};

use crate::fleet::{Fleet, Kind};
use crate::progress::Progress;

/// Blocks that are signed at once: enough work for all cores.
const BLOCKS_AT_ONCE: usize = 16;
/// The step of a precommit in a sign state.
const PRECOMMIT: u8 = 2;
/// Such groups that wait to be executed.
const GROUPS_WAITING: usize = 2;

/// Says yes: what is asked about was signed in this process.
struct SignedHere;

impl SignatureCheck for SignedHere {
    fn verifies(&self, _: &PublicKey, _: &TransactionId, _: &SignatureBytes) -> bool {
        true
    }
}

struct Hashes(Vec<BlockHash>);

impl History for Hashes {
    fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.0.get(usize::try_from(height.get()).ok()?).copied()
    }
}

/// A ledger that was made.
pub(crate) struct Filled {
    /// The devices, as they stand at its end.
    pub(crate) fleet: Fleet,
    /// Its height.
    pub(crate) height: u64,
    /// Its transactions.
    pub(crate) transactions: u64,
}

/// Fills the data directory `directory` for `network`: `devices` registered with a stream each, and as many
/// as are `silent` without, then `attestations`.
pub(crate) fn fill(
    network: &Network,
    directory: &Path,
    (devices, silent): (u64, u64),
    attestations: u64,
    progress: &Progress,
) -> Filled {
    let text = fs::read_to_string(network.directory().join("genesis.toml")).expect("the network has a genesis file");
    let genesis = Genesis::from_toml(&text).and_then(|genesis| genesis.build()).expect("it is a good one");
    let store = DataDirectory::open(directory, network.chain).expect("the directory is new");
    let first = Height::GENESIS.next().expect("there is a height after the genesis");
    let (log, _) = store.open_block_log(first).expect("the directory is new");
    let mut writer = Writer::new(genesis, validators(network), log);

    let (mut fleet, groups) = Fleet::new(network.chain, &network.organizations[0], (devices, silent), writer.tip());
    for group in groups {
        for block in writer.blocks(group) {
            writer.append(block);
        }
    }
    let bar = progress.bar("signing and executing attestations", attestations);
    // Signing runs ahead; what it names as seen is the newest block that there is by then.
    let tip = Mutex::new(writer.tip());
    std::thread::scope(|scope| {
        let (sender, groups) = sync_channel::<Vec<Signed>>(GROUPS_WAITING);
        let (fleet, tip, at_once) = (&mut fleet, &tip, BLOCKS_AT_ONCE * writer.attestations_per_block());
        scope.spawn(move || {
            let mut left = usize::try_from(attestations).expect("they fit a disk");
            while left > 0 {
                let count = left.min(at_once);
                let seen = *tip.lock().expect("nobody panics");
                let signed = fleet.sign(Kind::Attest, count, seen).into_iter().map(|offered| offered.signed).collect();
                left -= count;
                if sender.send(signed).is_err() {
                    return;
                }
            }
        });
        for group in groups {
            for block in writer.blocks(group) {
                bar.inc(block.len() as u64);
                writer.append(block);
            }
            writer.flush();
            *tip.lock().expect("nobody panics") = writer.tip();
        }
    });
    bar.finish_and_clear();
    writer.flush();
    // A validator that finds its signature in the log and does not know of it takes itself for a copy, and stops.
    let signed = store.open_sign_state().and_then(|mut state| state.store(writer.last_signature()));
    signed.expect("there is room on the disk");
    Filled { fleet, height: writer.parent.height.get(), transactions: writer.transactions }
}

/// The validators' secret keys, in the order of their set.
fn validators(network: &Network) -> Vec<SigningKey> {
    let voting = network.nodes.iter().filter(|node| node.votes.is_some());
    let mut keys: Vec<SigningKey> = voting
        .map(|node| {
            let pem = fs::read_to_string(node.directory.join("consensus.pem")).expect("a validator has its key");
            SigningKey::from_pkcs8_pem(&pem).expect("it is one")
        })
        .collect();
    keys.sort_by_key(|key| key.verifying_key().to_bytes());
    keys
}

struct Writer {
    genesis: GenesisBlock,
    validators: Vec<SigningKey>,
    log: BlockLog,
    parent: Header,
    state: StateTree,
    history: Frontier,
    hashes: Hashes,
    transactions: u64,
    /// Blocks with their certificates that are not written yet.
    waiting: Vec<(Height, Vec<u8>, Vec<u8>)>,
}

impl Writer {
    fn new(genesis: GenesisBlock, validators: Vec<SigningKey>, log: BlockLog) -> Self {
        let (parent, state) = (genesis.block.header.clone(), genesis.state.clone());
        let mut history = Frontier::new();
        history.append(&parent.hash().hash());
        let hashes = Hashes(vec![parent.hash()]);
        Self { genesis, validators, log, parent, state, history, hashes, transactions: 0, waiting: Vec::new() }
    }

    fn tip(&self) -> BlockRef {
        BlockRef { height: self.parent.height, hash: self.parent.hash() }
    }

    /// How many of the usual attestations fit a block.
    fn attestations_per_block(&self) -> usize {
        let bytes = usize::try_from(self.genesis.parameters.block_bytes_max).expect("a block fits memory");
        bytes / (crate::floors::TRANSACTION_BYTES + 32)
    }

    /// Cuts transactions into full blocks.
    fn blocks(&self, transactions: Vec<Signed>) -> Vec<Vec<Signed>> {
        let limit = |value: u32| usize::try_from(value).expect("a block fits memory");
        let parameters = &self.genesis.parameters;
        let (count_max, bytes_max) = (limit(parameters.block_transactions_max), limit(parameters.block_bytes_max));
        let (mut blocks, mut block, mut bytes) = (Vec::new(), Vec::new(), 0);
        for transaction in transactions {
            let length = transaction.bytes().len();
            if block.len() == count_max || bytes + length > bytes_max {
                blocks.push(std::mem::take(&mut block));
                bytes = 0;
            }
            bytes += length;
            block.push(transaction);
        }
        blocks.extend((!block.is_empty()).then_some(block));
        blocks
    }

    fn append(&mut self, transactions: Vec<Signed>) {
        let height = self.parent.height.next().expect("few blocks");
        let context =
            Context { chain: self.genesis.chain, parameters: &self.genesis.parameters, history: &self.hashes };
        let executed = execute(&self.state, context, &SignedHere, height, &transactions);
        self.state = executed.unwrap_or_else(|refused| panic!("block {height}: {refused}")).state;
        let leaves: Vec<Hash> = transactions.iter().map(Signed::leaf).collect();
        let validators_root = self.genesis.validators.root();
        let header = Header {
            version: HEADER_VERSION,
            chain: self.genesis.chain,
            height,
            time_ms: now_ms().max(self.parent.time_ms + 1),
            parent: self.parent.hash(),
            history_root: self.history.root(),
            tx_root: root_of(&leaves),
            state_root: self.state.root(),
            validators_root,
            next_validators_root: validators_root,
            proposer: 0,
        };
        let certificate = encode(&self.certificate(&header));
        let count = transactions.len() as u64;
        let transactions = transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect();
        let block = encode(&Block { header: header.clone(), transactions });
        self.history.append(&header.hash().hash());
        self.hashes.0.push(header.hash());
        self.parent = header;
        self.transactions += count;
        self.waiting.push((height, block, certificate));
    }

    fn flush(&mut self) {
        let records: Vec<RecordRef<'_>> = self
            .waiting
            .iter()
            .map(|(height, block, certificate)| RecordRef { height: *height, block, certificate })
            .collect();
        self.log.append_many(&records).expect("there is room on the disk");
        self.waiting.clear();
    }

    /// What a validator remembers of the last block, as its signer writes it.
    fn last_signature(&self) -> SignRecord {
        let (height, round, block) = (self.parent.height, Round::new(0), self.parent.hash());
        let message = precommit_sign_bytes(&self.genesis.chain, height, round, &block);
        SignRecord { height, round, step: PRECOMMIT, bytes: Hash::plain(&message).as_bytes().to_vec() }
    }

    fn certificate(&self, header: &Header) -> Certificate {
        let (height, round, block) = (header.height, Round::new(0), header.hash());
        let message = precommit_sign_bytes(&self.genesis.chain, height, round, &block);
        let precommit = |(validator, secret): (u16, &SigningKey)| CertificateSignature {
            validator,
            signature: secret.sign(&message).to_bytes(),
        };
        let quorum = self.validators.len() * 2 / 3 + 1;
        let signatures = (0..).zip(&self.validators).take(quorum).map(precommit).collect();
        Certificate { height, round, block, signatures }
    }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
