//! The ledger as this node writes it: opening, judging a block, committing one.
//!
//! ```text
//! commit:   block log, synced ──► index ──► Chain::publish: readers, waiters, subscribers
//! open:     genesis or base + index at its height ──► blocks of the log above it, executed again
//! ```
//!
//! The block log is the ledger; the index, the state in it and everything in [`Chain`] follow from it. So an index that
//! is missing, behind, ahead or of another history is filled again from the log, and nobody has to ask for it. Of a node that
//! joined by a snapshot, or dropped old blocks, base and log together are the ledger ([`crate::snapshot::base`]).

use std::sync::Arc;

use cairn_genesis::GenesisBlock;
use cairn_proofs::accumulator::{self, Frontier};
use cairn_proofs::checkpoint::CheckpointProof;
use cairn_proofs::tree::{StateTree, TreeError};
use cairn_runtime::{Candidate, Changes, CheckDirectly, Context, Executed, InvalidBlock, SignatureCheck, governance};
use cairn_storage::{
    Batch, BlockLog, DataDirectory, Engine, Index, IndexState, Keyspace, LogDamage, LogRecovery, RecordRef,
    StorageError,
};
use cairn_types::{
    Block, BlockHash, Call, Certificate, CertificateError, DecodeError, Hash, Header, Height, Position, PublicKey,
    SignatureBytes, SignedTransaction, TransactionId, ValidatorIndex, codec, encode,
};

use crate::chain::{
    Chain, ReadError, RulesHistory, Snapshot, attestation_key, block_hash_key, content_key, history_node_key,
    history_of,
};
use crate::deciders::Deciders;
use crate::snapshot::HeaderCore;
use crate::snapshot::base::{self, Base, BaseError};

mod pruning;

pub(crate) use pruning::{Pruned, Pruning};

mod repair;

/// Key in [`Keyspace::Meta`] of the height and hash that the index stands at.
const TIP_KEY: &[u8] = b"tip";

/// Entries that are read from the index at once when the state is loaded: 4 MB of the usual records.
const STATE_PAGE: usize = 16_384;

/// Blocks between two progress lines while blocks are executed again.
const REPLAY_PROGRESS_BLOCKS: u64 = 1_000;

/// Why a block is not the next one. Its proposer, or whoever sent it, is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("not a block: {0}")]
    Malformed(#[from] DecodeError),
    #[error("the header's {field} is not what it must be")]
    Header { field: &'static str },
    #[error("transaction {index} is not a transaction: {source}")]
    Transaction { index: u32, source: DecodeError },
    #[error(transparent)]
    Rules(#[from] InvalidBlock),
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// Not the block's fault: this node could not judge it.
    #[error("could not be judged here: {0}")]
    Unreadable(#[from] ReadError),
}

/// Why the ledger cannot be opened or written. This node's disk, or its operator, is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "block {height} of the block log is damaged; move everything but sign-state out of the data directory and start the node \
         again: it fetches the ledger from its peers"
    )]
    Damaged { height: Height },
    #[error("block {height} of the block log does not follow from the blocks before it: {source}")]
    Inconsistent { height: Height, source: BlockError },
    #[error(
        "the base of this store cannot be used: {0}; move base, blocks and index away, leave the rest, and start the node \
         again: it joins anew"
    )]
    Base(#[from] BaseError),
    #[error(
        "the block log ends before height {next}, and the base of this store is of height {base}: blocks were lost; move \
         base, blocks and index away, leave the rest, and start the node again: it joins anew"
    )]
    LogBehindBase { next: Height, base: Height },
    #[error("the index holds keys that the state tree refuses: {0}")]
    State(#[from] TreeError),
    #[error(
        "from block {height} on this network follows version {version} of the rules, and this program knows up to version \
         {known}; nothing is lost: install a program that knows version {version} and start the node again"
    )]
    ProgramTooOld { height: Height, version: u16, known: u16 },
}

/// A block that was judged valid, with what it makes of the state.
pub(crate) struct JudgedBlock {
    pub(crate) header: Header,
    pub(crate) hash: BlockHash,
    pub(crate) bytes: Vec<u8>,
    pub(crate) transactions: Vec<Arc<SignedTransaction>>,
    pub(crate) executed: Executed,
}

/// The writing end of the ledger. There is one.
pub(crate) struct Ledger {
    chain: Arc<Chain>,
    log: BlockLog,
    /// The height at which what was cut off the log may be in it again.
    quarantine: Option<Height>,
    /// The newest version of the rules that this program knows.
    known_version: u16,
    /// Whether and how old blocks are dropped.
    pruning: Option<Pruning>,
}

/// How an opened ledger was found.
pub(crate) struct Opened {
    pub(crate) ledger: Ledger,
    pub(crate) recovery: LogRecovery,
    pub(crate) index: IndexState,
    /// Blocks that were executed again to bring the index up to the log.
    pub(crate) replayed: u64,
}

/// Accepts every signature: for blocks whose certificate says that two thirds of the validators checked them.
struct CheckedBefore;

impl SignatureCheck for CheckedBefore {
    fn verifies(&self, _: &PublicKey, _: &TransactionId, _: &SignatureBytes) -> bool {
        true
    }
}

impl Ledger {
    /// Opens the ledger in `directory`, filling the index from the block log where it must. The program knows the rules up
    /// to `known_version`.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk or the operator is to blame.
    pub(crate) fn open(
        directory: &DataDirectory,
        engine: Engine,
        genesis: GenesisBlock,
        known_version: u16,
    ) -> Result<Opened, LedgerError> {
        let (mut log, recovery, base) = open_log(directory, &genesis)?;
        // What lies below the base is needed by nobody to go on; it stays damaged.
        let base_height = base.as_ref().map(Base::height);
        let is_above = |damage: &LogDamage| base_height.is_none_or(|base| damage.first > base);
        if let Some(damage) = recovery.damaged.iter().find(|damage| is_above(damage)) {
            repair::cut(&mut log, damage)?;
        }
        let proof = base.as_ref().map(|base| base.proof.clone());
        let (index, mut index_state) = directory.open_index(engine)?;
        let loaded = match load(&index, &log, &genesis, proof.as_ref()) {
            Err(LedgerError::Storage(StorageError::LogDamaged(damage))) => {
                if is_above(&damage) {
                    repair::cut(&mut log, &damage)?;
                }
                None
            }
            other => other?,
        };
        let (index, tip) = match loaded {
            Some(tip) => (index, tip),
            None => {
                // Without a tip but with a state: filling it was interrupted.
                let is_used = index.get(Keyspace::Meta, TIP_KEY)?.is_some()
                    || !index.range(Keyspace::State, &[], None, 1)?.is_empty();
                let index = if is_used {
                    index_state = IndexState::Rebuilt { reason: "it is not of this block log".to_owned() };
                    restart(index, directory, engine)?
                } else {
                    index
                };
                let tip = begin(base, &index, &log, &genesis)?;
                (index, tip)
            }
        };
        let chain = Arc::new(Chain::new(genesis, log.reader(), index, Arc::new(tip), proof)?);
        let quarantine = repair::settle(&log)?;
        let mut ledger = Self { chain, log, quarantine, known_version, pruning: None };
        let before = ledger.chain.tip().header.height.get();
        match ledger.replay() {
            Err(LedgerError::Storage(StorageError::LogDamaged(damage))) => {
                repair::cut(&mut ledger.log, &damage)?;
                ledger.quarantine = repair::settle(&ledger.log)?;
            }
            other => drop(other?),
        }
        let replayed = ledger.chain.tip().header.height.get().saturating_sub(before);
        ledger.check_version()?;
        Ok(Opened { ledger, recovery, index: index_state, replayed })
    }

    /// The reading side.
    pub(crate) const fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// The ledger at its genesis, or at its base, with an index in memory and the blocks of the log still to come: for whoever
    /// checks every one of them.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk or the operator is to blame.
    pub(crate) fn at_genesis(
        directory: &DataDirectory,
        genesis: GenesisBlock,
        known_version: u16,
    ) -> Result<(Self, LogRecovery), LedgerError> {
        let index = cairn_storage::memory_index();
        let (log, recovery, base) = open_log(directory, &genesis)?;
        let proof = base.as_ref().map(|base| base.proof.clone());
        let tip = begin(base, &index, &log, &genesis)?;
        let chain = Arc::new(Chain::new(genesis, log.reader(), index, Arc::new(tip), proof)?);
        Ok((Self { chain, log, quarantine: None, known_version, pruning: None }, recovery))
    }

    /// Reads the block after the tip from the log, checks everything about it, certificate and signatures included, and
    /// makes it the tip; its height, or `None` if the log holds no more.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk is to blame, and the tip stays.
    pub(crate) fn check_next(&self) -> Result<Option<Height>, LedgerError> {
        self.replay_next(&CheckDirectly, |height, judged, certificate, tip| {
            Ok(certificate.verify(&self.chain.id, height, &judged.hash, tip.validators())?)
        })
    }

    fn replay_next(
        &self,
        check: &dyn SignatureCheck,
        check_certificate: impl Fn(Height, &JudgedBlock, &Certificate, &Snapshot) -> Result<(), BlockError>,
    ) -> Result<Option<Height>, LedgerError> {
        let tip = self.chain.tip();
        let height = tip.header.height.next().filter(|height| self.log.tip().is_some_and(|tip| *height <= tip));
        let Some(height) = height else { return Ok(None) };
        self.check_version()?;
        let record = self.log.read(height)?.ok_or(LedgerError::Damaged { height })?;
        let inconsistent = |source| LedgerError::Inconsistent { height, source };
        let judged = judge(&self.chain, &record.block, check).map_err(inconsistent)?;
        let certificate: Certificate = codec::decode(&record.certificate, record.certificate.len())
            .map_err(|source| inconsistent(source.into()))?;
        check_certificate(height, &judged, &certificate, &tip).map_err(inconsistent)?;
        self.index_and_publish(judged, certificate)?;
        Ok(Some(height))
    }

    fn replay(&mut self) -> Result<u64, LedgerError> {
        let Some(tip) = self.log.tip() else { return Ok(0) };
        let mut replayed = 0;
        loop {
            let Some(height) = self.replay_next(&CheckedBefore, |_, _, _, _| Ok(()))? else { return Ok(replayed) };
            replayed += 1;
            if replayed % REPLAY_PROGRESS_BLOCKS == 0 {
                tracing::info!(%height, %tip, "filling the index from the block log");
            }
        }
    }

    /// Commits a judged block: on disk first, then in the index, then to everybody.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk is to blame, and the node must stop.
    ///
    /// # Panics
    /// If the block is not the one after the tip: the driver commits in order.
    pub(crate) fn commit(
        &mut self,
        judged: JudgedBlock,
        certificate: Certificate,
    ) -> Result<Arc<Snapshot>, LedgerError> {
        assert_eq!(Some(judged.header.height), self.chain.tip().header.height.next(), "blocks are committed in order");
        assert_eq!(certificate.block, judged.hash, "a certificate is of its block");
        let record =
            RecordRef { height: judged.header.height, block: &judged.bytes, certificate: &encode(&certificate) };
        self.log.append_many(&[record])?;
        let snapshot = self.index_and_publish(judged, certificate)?;
        self.settle_quarantine()?;
        self.prune_if_time(&snapshot)?;
        Ok(snapshot)
    }

    fn index_and_publish(&self, judged: JudgedBlock, certificate: Certificate) -> Result<Arc<Snapshot>, LedgerError> {
        let parent = self.chain.tip();
        let mut history = parent.history.clone();
        let mut batch = Batch::new();
        index_block(&mut batch, &judged);
        for (level, index, hash) in history.append(&judged.hash.hash()) {
            batch.put(Keyspace::History, history_node_key(level, index), *hash.as_bytes());
        }
        self.chain.index.write(&batch)?;
        let height = judged.header.height;
        let deciders = parent.deciders.followed_by(&judged.executed.changes, &judged.executed.state, height);
        let state = judged.executed.state;
        let snapshot = Arc::new(Snapshot {
            upgrade: governance::scheduled_upgrade(&state, height),
            parameters: Arc::new(cairn_runtime::state::parameters(&state)),
            header: judged.header,
            hash: judged.hash,
            certificate: Some(certificate),
            state,
            deciders,
            history,
            transactions: u32::try_from(judged.transactions.len()).unwrap_or(u32::MAX),
        });
        let ids: Vec<TransactionId> = judged.transactions.iter().map(|transaction| transaction.id()).collect();
        self.chain.publish(Arc::clone(&snapshot), &ids);
        Ok(snapshot)
    }

    /// The newest version of the rules that this program knows.
    pub(crate) const fn known_version(&self) -> u16 {
        self.known_version
    }

    /// Checks that this program knows the rules of the next block.
    ///
    /// # Errors
    /// [`LedgerError::ProgramTooOld`]: the operator must install a newer one.
    pub(crate) fn check_version(&self) -> Result<(), LedgerError> {
        let tip = self.chain.tip();
        let (height, known) = (tip.next_height(), self.known_version);
        let version = governance::version_at(&tip.state, height);
        if version > known { Err(LedgerError::ProgramTooOld { height, version, known }) } else { Ok(()) }
    }

    /// Makes what was written to the index durable, at an orderly shutdown.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]: the disk is to blame.
    pub(crate) fn close(&self) -> Result<(), LedgerError> {
        Ok(self.chain.index.close()?)
    }
}

/// Builds the block after the tip from `candidates`, in their order. Answers with the block and the candidates that the
/// rules refuse.
///
/// # Errors
/// [`ReadError`]: this node's disk is to blame.
pub(crate) fn build<T: Candidate + Into<Arc<SignedTransaction>>>(
    chain: &Chain,
    check: &dyn SignatureCheck,
    proposer: ValidatorIndex,
    now_ms: u64,
    candidates: Vec<T>,
) -> Result<(JudgedBlock, Vec<(T, cairn_types::Rejection)>), ReadError> {
    let parent = chain.tip();
    let history = RulesHistory::new(chain);
    let context = Context { chain: chain.id, parameters: &parent.parameters, history: &history };
    let height = parent.header.height.next().ok_or(ReadError::IndexHole { what: "next height".to_owned() })?;
    let built = cairn_runtime::build(&parent.state, context, check, height, candidates);
    history.finish()?;
    let transactions: Vec<Arc<SignedTransaction>> = built.included.into_iter().map(Into::into).collect();
    let header = Header {
        time_ms: now_ms.max(parent.header.time_ms.saturating_add(1)),
        tx_root: tx_root(&transactions),
        state_root: built.executed.state.root(),
        proposer,
        ..expected_header(chain, &parent, height)
    };
    let hash = header.hash();
    let block =
        Block { header, transactions: transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect() };
    let bytes = encode(&block);
    Ok((JudgedBlock { header: block.header, hash, bytes, transactions, executed: built.executed }, built.rejected))
}

/// Judges bytes that should be the block after the tip. Whether its time is near a voter's clock is the voter's to say.
///
/// # Errors
/// [`BlockError`]: whoever made the block is to blame, but for [`BlockError::Unreadable`].
pub(crate) fn judge(chain: &Chain, bytes: &[u8], check: &dyn SignatureCheck) -> Result<JudgedBlock, BlockError> {
    let block = Block::from_bytes(bytes)?;
    let parent = chain.tip();
    let header = block.header;
    let height = parent.header.height.next().ok_or(BlockError::Header { field: "height" })?;
    let expected = expected_header(chain, &parent, height);
    let fields = [
        ("version", header.version == expected.version),
        ("chain", header.chain == expected.chain),
        ("height", header.height == expected.height),
        ("time_ms", header.time_ms > parent.header.time_ms),
        ("parent", header.parent == expected.parent),
        ("history_root", header.history_root == expected.history_root),
        ("validators_root", header.validators_root == expected.validators_root),
        ("next_validators_root", header.next_validators_root == expected.next_validators_root),
        ("proposer", parent.validators().get(header.proposer).is_some()),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, holds)| !holds) {
        return Err(BlockError::Header { field });
    }
    let mut transactions = Vec::with_capacity(block.transactions.len());
    for (index, bytes) in (0..).zip(block.transactions) {
        let transaction =
            SignedTransaction::from_bytes(bytes).map_err(|source| BlockError::Transaction { index, source })?;
        transactions.push(Arc::new(transaction));
    }
    if header.tx_root != tx_root(&transactions) {
        return Err(BlockError::Header { field: "tx_root" });
    }
    let history = RulesHistory::new(chain);
    let context = Context { chain: chain.id, parameters: &parent.parameters, history: &history };
    let executed = cairn_runtime::execute(&parent.state, context, check, height, &transactions);
    history.finish()?;
    let executed = executed?;
    if header.state_root != executed.state.root() {
        return Err(BlockError::Header { field: "state_root" });
    }
    Ok(JudgedBlock { hash: header.hash(), header, bytes: bytes.to_vec(), transactions, executed })
}

/// The header of the block after `parent`, with zeros where its content decides.
fn expected_header(chain: &Chain, parent: &Snapshot, height: Height) -> Header {
    Header {
        version: governance::version_at(&parent.state, height),
        chain: chain.id,
        height,
        time_ms: 0,
        parent: parent.hash,
        history_root: parent.history.root(),
        tx_root: Hash::ZERO,
        state_root: Hash::ZERO,
        validators_root: parent.deciders.next.root(),
        next_validators_root: parent.deciders.after_next.root(),
        proposer: 0,
    }
}

fn tx_root(transactions: &[Arc<SignedTransaction>]) -> Hash {
    let leaves: Vec<Hash> = transactions.iter().map(|transaction| transaction.leaf()).collect();
    accumulator::root_of(&leaves)
}

/// Opens the block log, and the base beside it if there is one.
fn open_log(
    directory: &DataDirectory,
    genesis: &GenesisBlock,
) -> Result<(BlockLog, LogRecovery, Option<Base>), LedgerError> {
    let base = Base::open(directory, genesis)?;
    let first = Height::GENESIS.next().expect("there is a height after the genesis");
    let (log, recovery) = match &base {
        Some(base) => directory.open_based_block_log(base.extent())?,
        None => directory.open_block_log(first)?,
    };
    match base.as_ref().map(Base::height).filter(|base| log.next() <= *base) {
        Some(base) => Err(LedgerError::LogBehindBase { next: log.next(), base }),
        None => Ok((log, recovery, base)),
    }
}

/// Fills an empty index with what stands before the blocks that can be executed.
fn begin(
    base: Option<Base>,
    index: &Arc<dyn Index>,
    log: &BlockLog,
    genesis: &GenesisBlock,
) -> Result<Snapshot, LedgerError> {
    if let Some(base) = base {
        let tip = base.fill(index.as_ref())?;
        index_kept_blocks(index, log, tip.header.height)?;
        return Ok(tip);
    }
    let tip = genesis_snapshot(genesis);
    index.write(&genesis_batch(genesis, &tip))?;
    Ok(tip)
}

fn genesis_snapshot(genesis: &GenesisBlock) -> Snapshot {
    let hash = genesis.block.header.hash();
    let mut history = Frontier::new();
    history.append(&hash.hash());
    Snapshot {
        header: genesis.block.header.clone(),
        hash,
        certificate: None,
        state: genesis.state.clone(),
        deciders: Deciders::of(&genesis.state, Height::GENESIS),
        upgrade: None,
        history,
        parameters: Arc::new(genesis.parameters.clone()),
        transactions: 0,
    }
}

fn genesis_batch(genesis: &GenesisBlock, tip: &Snapshot) -> Batch {
    let mut batch = Batch::new();
    index_state(&mut batch, &genesis.changes);
    for (level, index, hash) in Frontier::new().append(&tip.hash.hash()) {
        batch.put(Keyspace::History, history_node_key(level, index), *hash.as_bytes());
    }
    index_tip(&mut batch, Height::GENESIS, &tip.hash);
    batch
}

pub(crate) fn index_tip(batch: &mut Batch, height: Height, hash: &BlockHash) {
    batch.put(Keyspace::Meta, TIP_KEY, encode(&(height, hash)));
    batch.put(Keyspace::History, block_hash_key(height), *hash.as_bytes());
}

fn index_state(batch: &mut Batch, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => batch.put(Keyspace::State, key.clone(), value.clone()),
            None => batch.remove(Keyspace::State, key.clone()),
        }
    }
}

fn index_block(batch: &mut Batch, judged: &JudgedBlock) {
    let height = judged.header.height;
    index_state(batch, &judged.executed.changes);
    for (index, transaction) in (0u32..).zip(&judged.transactions) {
        index_transaction(batch, Position { height, index }, transaction);
    }
    base::put_header(batch, height, &HeaderCore::of(&judged.header));
    index_tip(batch, height, &judged.hash);
}

/// Where a transaction stands, and what it attests.
fn index_transaction(batch: &mut Batch, position: Position, transaction: &SignedTransaction) {
    batch.put(Keyspace::Transactions, *transaction.id().as_bytes(), encode(&position));
    if let Call::Attest(attest) = &transaction.body().call {
        batch.put(Keyspace::Attestations, attestation_key(&attest.stream, attest.sequence), encode(&position));
        batch.put(Keyspace::Contents, content_key(&attest.content.hash, position), Vec::new());
    }
}

/// Finds the transactions of the blocks up to the base again: the base holds what they did, not where they stand. Each must
/// be the block that the certified history names.
fn index_kept_blocks(index: &Arc<dyn Index>, log: &BlockLog, base: Height) -> Result<(), LedgerError> {
    let mut next = Some(log.first());
    while let Some(height) = next.filter(|height| *height <= base) {
        next = height.next();
        let record = match log.read(height) {
            Err(StorageError::LogDamaged(damage)) => {
                tracing::error!(%damage, "what stands in this block cannot be found again");
                continue;
            }
            other => other?.ok_or(LedgerError::Damaged { height })?,
        };
        let inconsistent = |source: DecodeError| LedgerError::Inconsistent { height, source: source.into() };
        let block = Block::from_bytes(&record.block).map_err(inconsistent)?;
        let mut batch = Batch::new();
        let mut transactions = Vec::with_capacity(block.transactions.len());
        for (place, bytes) in (0u32..).zip(block.transactions) {
            let transaction = Arc::new(SignedTransaction::from_bytes(bytes).map_err(inconsistent)?);
            index_transaction(&mut batch, Position { height, index: place }, &transaction);
            transactions.push(transaction);
        }
        let named = index.get(Keyspace::History, &block_hash_key(height))?;
        let checks = [
            ("hash", named.as_deref() == Some(&block.header.hash().as_bytes()[..])),
            ("tx_root", block.header.tx_root == tx_root(&transactions)),
        ];
        if let Some((field, _)) = checks.into_iter().find(|(_, holds)| !holds) {
            return Err(LedgerError::Inconsistent { height, source: BlockError::Header { field } });
        }
        index.write(&batch)?;
    }
    Ok(())
}

/// The tip that the index stands at; `None` if it is empty or not of this log.
fn load(
    index: &Arc<dyn Index>,
    log: &BlockLog,
    genesis: &GenesisBlock,
    base: Option<&CheckpointProof>,
) -> Result<Option<Snapshot>, LedgerError> {
    let Some(bytes) = index.get(Keyspace::Meta, TIP_KEY)? else { return Ok(None) };
    let Ok((height, hash)) = codec::decode::<(Height, BlockHash)>(&bytes, 40) else { return Ok(None) };
    // The blocks between are dropped, so it cannot be brought up to the log.
    if height.next().is_none_or(|next| next < log.first()) {
        return Ok(None);
    }
    let of_base = base.filter(|base| base.checkpoint.height == height && height < log.first());
    let (header, transactions, certificate) = if height == Height::GENESIS {
        (genesis.block.header.clone(), 0, None)
    } else if let Some(base) = of_base {
        (base.checkpoint.clone(), 0, Some(base.certificate.clone()))
    } else {
        // An index ahead of the log means that the log lost its tail; what it knows is then not known to be final.
        if log.tip().is_none_or(|tip| tip < height) {
            return Ok(None);
        }
        let Some(record) = log.read(height)? else { return Ok(None) };
        let (Ok(block), Ok(certificate)) = (
            Block::from_bytes(&record.block),
            codec::decode::<Certificate>(&record.certificate, record.certificate.len()),
        ) else {
            return Ok(None);
        };
        (block.header, u32::try_from(block.transactions.len()).unwrap_or(u32::MAX), Some(certificate))
    };
    if header.hash() != hash {
        return Ok(None);
    }
    let Some(history) = history_of(index.as_ref(), height)? else { return Ok(None) };
    let Some(state) = load_state(index)? else { return Ok(None) };
    if state.root() != header.state_root {
        return Ok(None);
    }
    Ok(Some(Snapshot {
        parameters: Arc::new(cairn_runtime::state::parameters(&state)),
        deciders: Deciders::of(&state, height),
        upgrade: governance::scheduled_upgrade(&state, height),
        header,
        hash,
        certificate,
        state,
        history,
        transactions,
    }))
}

/// The height and the block that an index says it stands at; `None` if it does not say.
///
/// # Errors
/// [`StorageError`]: the disk is to blame.
pub(crate) fn index_tip_of(index: &dyn Index) -> Result<Option<(Height, BlockHash)>, StorageError> {
    let tip = index.get(Keyspace::Meta, TIP_KEY)?;
    Ok(tip.and_then(|bytes| codec::decode(&bytes, 40).ok()))
}

fn load_state(index: &Arc<dyn Index>) -> Result<Option<StateTree>, LedgerError> {
    let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    loop {
        let after = entries.last().map(|(key, _)| key.clone());
        let page = index.range(Keyspace::State, &[], after.as_deref(), STATE_PAGE)?;
        let is_last = page.len() < STATE_PAGE;
        entries.extend(page);
        if is_last {
            return Ok(StateTree::from_sorted(entries).ok());
        }
    }
}

fn restart(index: Arc<dyn Index>, directory: &DataDirectory, engine: Engine) -> Result<Arc<dyn Index>, LedgerError> {
    index.close()?;
    drop(index);
    directory.discard_index(engine)?;
    Ok(directory.open_index(engine)?.0)
}

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod tests;
