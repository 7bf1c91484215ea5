//! The ledger as this node has it, for reading: final blocks, and the state at the newest heights.
//!
//! Everybody who reads, JSON-RPC, catch-up and the driver itself, reads here; only [`crate::ledger`] writes. A
//! [`Snapshot`] is immutable and is of one height, so an answer is of one moment. The last [`SNAPSHOTS`] heights are kept,
//! fewer if their blocks changed much; older blocks are read from the block log, as far back as it reaches; older states
//! are not kept at all. Headers are there from block 1 on, whatever else was dropped.
//!
//! What is not final does not stand here.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cairn_genesis::GenesisBlock;
use cairn_proofs::accumulator::{self, Frontier, InclusionProof};
use cairn_proofs::checkpoint::{CheckpointProof, ValidatorChange};
use cairn_proofs::tree::StateTree;
use cairn_runtime::History;
use cairn_runtime::state::Known;
use cairn_storage::{BlockLogReader, Family, Index, Keyspace, LogRecord, Place as Stored, Places, StorageError};
use cairn_types::certificate::CERTIFICATE_BYTES_MAX;
use cairn_types::governance::Upgrade;
use cairn_types::{
    Block, BlockHash, Certificate, ChainId, ContentHash, DecodeError, Hash, Header, Height, Parameters, Position,
    Rejection, StreamId, TransactionId, ValidatorSet, codec,
};
use tokio::sync::{broadcast, oneshot};

use crate::deciders::{self, Deciders};
use crate::snapshot::HeaderCore;
use crate::snapshot::header_core::{HEADER_CORE_BYTES, Place};
use crate::snapshot::offer::Offers;

/// Most of the newest states that are kept: at a block a second, four minutes in which a reader can page through a list of
/// one height.
pub(crate) const SNAPSHOTS: usize = 256;

/// Fewest of the newest states that are kept, whatever their blocks changed.
const SNAPSHOTS_MIN: usize = 8;

/// Most keys that differ between the oldest and the newest state that is kept, counted once a block. A changed key keeps
/// 0.5 to 1.7 kB of the state before it, so all of this takes about 40 MB: 256 states under full load would take 640 and more.
const SNAPSHOT_KEYS_MAX: usize = 32_768;

/// How many of the newest block hashes are kept in memory: transactions name recent blocks, so most look-ups end here.
const RECENT_HASHES: usize = 4_096;

/// How many final blocks a slow subscriber may lag behind before it is told that it missed some.
const SUBSCRIPTION_BLOCKS: usize = 256;

/// Most transactions whose outcome is waited for at once: more waits than connections and batch items allow.
pub(crate) const WAITERS_MAX: usize = 32_768;

/// The ledger at one final height.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) header: Header,
    pub(crate) hash: BlockHash,
    /// None for the genesis, which needs none.
    pub(crate) certificate: Option<Certificate>,
    pub(crate) state: StateTree,
    /// Who decided the block, and who decides the two after it.
    pub(crate) deciders: Deciders,
    /// The hashes of all blocks up to this one.
    pub(crate) history: Frontier,
    pub(crate) parameters: Arc<Parameters>,
    /// The change of the rules that lies ahead, if one is scheduled.
    pub(crate) upgrade: Option<Upgrade>,
    /// How many transactions the block holds.
    pub(crate) transactions: u32,
}

impl Snapshot {
    /// Who decides the next block.
    pub(crate) const fn validators(&self) -> &Arc<ValidatorSet> {
        &self.deciders.next
    }

    /// The height of the next block.
    pub(crate) fn next_height(&self) -> Height {
        let next = self.header.height.next();
        next.expect("no chain reaches 2^64 blocks: at a thousand a second it takes 500 million years")
    }
}

/// Why something final cannot be read. This node's disk is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the stored {what} does not decode: {source}")]
    Decode { what: &'static str, source: DecodeError },
    #[error(
        "the index has no {what}, which it should have; stop the node, delete its index directory and start it again"
    )]
    IndexHole { what: String },
    /// Not this node's fault, nor the asker's.
    #[error("block {height} is not kept here; this node's blocks begin at {first}")]
    BlockPruned { height: Height, first: Height },
}

/// How a transaction ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Final(Position),
    Rejected(Rejection),
}

/// Everything that is final, to read.
pub(crate) struct Chain {
    pub(crate) id: ChainId,
    pub(crate) genesis: GenesisBlock,
    pub(crate) log: BlockLogReader,
    pub(crate) index: Arc<dyn Index>,
    pub(crate) places: Arc<Places>,
    /// What the rules found in any state, for whoever runs them.
    pub(crate) known: Arc<Known>,
    /// The snapshots that others may fetch.
    pub(crate) offers: Offers,
    /// The checkpoint that the store began with, if it did not begin with the genesis.
    base: Option<CheckpointProof>,
    snapshots: RwLock<Newest<Arc<Snapshot>>>,
    deciders: RwLock<deciders::History>,
    /// The changes of the validators as an auditor needs them, as many as were asked for so far.
    changes: Mutex<Vec<ValidatorChange>>,
    recent_hashes: RwLock<RecentHashes>,
    waiters: Mutex<HashMap<TransactionId, Vec<oneshot::Sender<Outcome>>>>,
    blocks: broadcast::Sender<Arc<Snapshot>>,
}

/// The newest states, as many as [`SNAPSHOTS`], [`SNAPSHOTS_MIN`] and [`SNAPSHOT_KEYS_MAX`] say, and at least one.
struct Newest<T> {
    first: T,
    /// Those above, each with the keys in which it differs from the one before.
    above: VecDeque<(T, usize)>,
    changed_keys: usize,
}

impl<T> Newest<T> {
    const fn of(first: T) -> Self {
        Self { first, above: VecDeque::new(), changed_keys: 0 }
    }

    const fn first(&self) -> &T {
        &self.first
    }

    fn last(&self) -> &T {
        self.above.back().map_or(&self.first, |(state, _)| state)
    }

    /// The state at this place, counted from the oldest.
    fn get(&self, place: usize) -> Option<&T> {
        match place.checked_sub(1) {
            None => Some(&self.first),
            Some(place) => self.above.get(place).map(|(state, _)| state),
        }
    }

    /// Adds a state, and answers with those that are kept no longer.
    fn push(&mut self, state: T, changed_keys: usize) -> Vec<T> {
        self.above.push_back((state, changed_keys));
        self.changed_keys = self.changed_keys.saturating_add(changed_keys);
        let mut dropped = Vec::new();
        while self.above.len() >= SNAPSHOTS
            || (self.changed_keys > SNAPSHOT_KEYS_MAX && self.above.len() >= SNAPSHOTS_MIN)
        {
            let Some((next, changed_keys)) = self.above.pop_front() else { break };
            self.changed_keys = self.changed_keys.saturating_sub(changed_keys);
            dropped.push(std::mem::replace(&mut self.first, next));
        }
        dropped
    }
}

#[derive(Default)]
struct RecentHashes {
    first: u64,
    hashes: VecDeque<BlockHash>,
}

impl Chain {
    /// # Errors
    /// [`ReadError::Decode`]: the index holds what the rules did not write.
    pub(crate) fn new(
        genesis: GenesisBlock,
        log: BlockLogReader,
        (index, places): (Arc<dyn Index>, Places),
        tip: Arc<Snapshot>,
        base: Option<CheckpointProof>,
    ) -> Result<Self, ReadError> {
        let deciders = deciders::History::of(&tip.state, tip.header.height)
            .map_err(|source| ReadError::Decode { what: "validator set", source })?;
        let recent = RecentHashes { first: tip.header.height.get(), hashes: VecDeque::from([tip.hash]) };
        Ok(Self {
            id: genesis.chain,
            genesis,
            log,
            index,
            places: Arc::new(places),
            known: Arc::default(),
            offers: Offers::new(&tip),
            snapshots: RwLock::new(Newest::of(tip)),
            deciders: RwLock::new(deciders),
            changes: Mutex::new(base.as_ref().map(|base| base.changes.clone()).unwrap_or_default()),
            base,
            recent_hashes: RwLock::new(recent),
            waiters: Mutex::new(HashMap::new()),
            blocks: broadcast::channel(SUBSCRIPTION_BLOCKS).0,
        })
    }

    /// The newest final height.
    pub(crate) fn tip(&self) -> Arc<Snapshot> {
        let snapshots = self.snapshots.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(snapshots.last())
    }

    /// The state at `height`, if it is among those that are kept.
    pub(crate) fn snapshot(&self, height: Height) -> Option<Arc<Snapshot>> {
        let snapshots = self.snapshots.read().unwrap_or_else(PoisonError::into_inner);
        let first = snapshots.first().header.height.get();
        let offset = usize::try_from(height.get().checked_sub(first)?).ok()?;
        snapshots.get(offset).cloned()
    }

    /// The oldest height whose state is kept.
    pub(crate) fn oldest_snapshot(&self) -> Height {
        let snapshots = self.snapshots.read().unwrap_or_else(PoisonError::into_inner);
        snapshots.first().header.height
    }

    /// Makes a block that is on disk visible: to readers, to those who wait for its transactions, to subscribers. It changed
    /// so many keys of the state.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>, transactions: &[TransactionId], changed_keys: usize) {
        {
            let mut recent = self.recent_hashes.write().unwrap_or_else(PoisonError::into_inner);
            recent.hashes.push_back(snapshot.hash);
            if recent.hashes.len() > RECENT_HASHES {
                recent.hashes.pop_front();
                recent.first += 1;
            }
        }
        self.offers.follow(&snapshot, changed_keys);
        let height = snapshot.header.height;
        self.deciders.write().unwrap_or_else(PoisonError::into_inner).follow(height, &snapshot.deciders);
        let dropped = {
            let mut snapshots = self.snapshots.write().unwrap_or_else(PoisonError::into_inner);
            snapshots.push(Arc::clone(&snapshot), changed_keys)
        };
        self.settle_all((0..).zip(transactions).map(|(index, id)| (id, Outcome::Final(Position { height, index }))));
        // Nobody need be subscribed.
        let _ = self.blocks.send(snapshot);
        // What only they had of the state is released when everybody has been told, and outside of the lock.
        drop(dropped);
    }

    /// Tells those who wait for a transaction how it ended.
    pub(crate) fn settle(&self, id: &TransactionId, outcome: &Outcome) {
        self.settle_all(std::iter::once((id, outcome.clone())));
    }

    /// Tells those who wait for transactions how those ended. If nobody waits, nothing is looked up.
    fn settle_all<'a>(&self, ended: impl Iterator<Item = (&'a TransactionId, Outcome)>) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if waiters.is_empty() {
            return;
        }
        for (id, outcome) in ended {
            for waiter in waiters.remove(id).into_iter().flatten() {
                // Whoever waited may have gone.
                let _ = waiter.send(outcome.clone());
            }
        }
    }

    /// Waits for a transaction's end; `None` if too many wait already. Ask [`Chain::position`] after this, or an end in
    /// between is missed.
    pub(crate) fn wait(&self, id: TransactionId) -> Option<oneshot::Receiver<Outcome>> {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if waiters.len() >= WAITERS_MAX {
            waiters.retain(|_, senders| {
                senders.retain(|sender| !sender.is_closed());
                !senders.is_empty()
            });
            if waiters.len() >= WAITERS_MAX {
                return None;
            }
        }
        let (sender, receiver) = oneshot::channel();
        let senders = waiters.entry(id).or_default();
        senders.retain(|sender| !sender.is_closed());
        senders.push(sender);
        Some(receiver)
    }

    /// Every block that becomes final from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Snapshot>> {
        self.blocks.subscribe()
    }

    /// Who decides `height`; `None` above the two next heights, of which nobody can know it yet.
    pub(crate) fn validators_at(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        self.deciders.read().unwrap_or_else(PoisonError::into_inner).at(height)
    }

    /// The network keys of all who ever validated, or soon will.
    pub(crate) fn validator_peers(&self) -> BTreeSet<[u8; 32]> {
        self.deciders.read().unwrap_or_else(PoisonError::into_inner).peers()
    }

    /// Every change of the validators in a block before the checkpoint, ascending: the last block that the old set decided,
    /// its certificate, and the new set. They never change, so each is read from the disk once.
    ///
    /// # Errors
    /// [`ReadError`]: this node's disk is to blame.
    pub(crate) fn changes_before(&self, checkpoint: Height) -> Result<Vec<ValidatorChange>, ReadError> {
        let wanted: Vec<(Height, Arc<ValidatorSet>)> = {
            let deciders = self.deciders.read().unwrap_or_else(PoisonError::into_inner);
            deciders.changes().take_while(|(from, _)| *from <= checkpoint).cloned().collect()
        };
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for (from, validators) in wanted.iter().skip(changes.len()) {
            let last = from.previous().unwrap_or(Height::GENESIS);
            let (header, certificate) = self.certified_header(last)?;
            let validators = ValidatorSet::clone(validators);
            changes.push(ValidatorChange { header, certificate, validators });
        }
        Ok(changes.iter().take(wanted.len()).cloned().collect())
    }

    fn certified_header(&self, height: Height) -> Result<(Header, Certificate), ReadError> {
        if let Some(base) = self.base.as_ref().filter(|base| base.checkpoint.height == height) {
            return Ok((base.checkpoint.clone(), base.certificate.clone()));
        }
        let hole = || ReadError::IndexHole { what: format!("certified block {height}") };
        let (block, certificate) = self.block(height)?.ok_or_else(hole)?;
        Ok((block.header, certificate.ok_or_else(hole)?))
    }

    /// A final height as a checkpoint, with the way to it from the genesis; none for block 0, which needs no certificate.
    ///
    /// # Errors
    /// [`ReadError`]: this node's disk is to blame.
    pub(crate) fn checkpoint_proof(&self, snapshot: &Snapshot) -> Result<Option<CheckpointProof>, ReadError> {
        let Some(certificate) = snapshot.certificate.clone() else { return Ok(None) };
        Ok(Some(CheckpointProof {
            genesis: self.genesis.block.header.clone(),
            validators: self.genesis.validators.clone(),
            changes: self.changes_before(snapshot.header.height)?,
            checkpoint: snapshot.header.clone(),
            certificate,
        }))
    }

    /// The first height whose block is here, apart from the genesis, which everybody has.
    pub(crate) fn first_block(&self) -> Height {
        self.log.first()
    }

    /// The hash of the final block at `height`.
    pub(crate) fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, ReadError> {
        if height == Height::GENESIS {
            return Ok(Some(self.id.genesis_hash()));
        }
        {
            let recent = self.recent_hashes.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(offset) = height.get().checked_sub(recent.first) {
                return Ok(usize::try_from(offset).ok().and_then(|offset| recent.hashes.get(offset)).copied());
            }
        }
        let stored = self.index.get(Keyspace::History, &block_hash_key(height))?;
        Ok(stored.and_then(|bytes| hash_of(&bytes)).map(BlockHash::from_hash))
    }

    /// The final block at `height` with its certificate; the genesis has none.
    pub(crate) fn block(&self, height: Height) -> Result<Option<(Block, Option<Certificate>)>, ReadError> {
        if height == Height::GENESIS {
            return Ok(Some((self.genesis.block.clone(), None)));
        }
        let Some(record) = self.record(height)? else { return Ok(None) };
        let block = Block::from_bytes(&record.block).map_err(|source| ReadError::Decode { what: "block", source })?;
        let certificate = codec::decode(&record.certificate, CERTIFICATE_BYTES_MAX)
            .map_err(|source| ReadError::Decode { what: "certificate", source })?;
        Ok(Some((block, Some(certificate))))
    }

    /// What the block log holds of a height after the genesis.
    fn record(&self, height: Height) -> Result<Option<LogRecord>, ReadError> {
        match self.log.read(height)? {
            Some(record) => Ok(Some(record)),
            None => {
                let first = self.first_block();
                if height < first { Err(ReadError::BlockPruned { height, first }) } else { Ok(None) }
            }
        }
    }

    /// The transaction at `position`, and the header of its block; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadError`]: this node's disk is to blame; or the block is not kept here.
    pub(crate) fn transaction_at(&self, position: Position) -> Result<Option<(Header, Vec<u8>)>, ReadError> {
        if position.height == Height::GENESIS {
            let Block { header, transactions } = &self.genesis.block;
            let index = usize::try_from(position.index).unwrap_or(usize::MAX);
            return Ok(transactions.get(index).map(|bytes| (header.clone(), bytes.clone())));
        }
        let Some(record) = self.record(position.height)? else { return Ok(None) };
        let (header, transaction) = Block::transaction_of(&record.block, position.index)
            .map_err(|source| ReadError::Decode { what: "block", source })?;
        Ok(transaction.map(|bytes| (header, bytes.to_vec())))
    }

    /// The header of the final block at `height`, whether or not the block is still here.
    ///
    /// # Errors
    /// [`ReadError`]: this node's disk is to blame.
    pub(crate) fn header(&self, height: Height) -> Result<Option<Header>, ReadError> {
        if height == Height::GENESIS {
            return Ok(Some(self.genesis.block.header.clone()));
        }
        if height >= self.first_block() {
            let Some(record) = self.record(height)? else { return Ok(None) };
            let header = Block::header_of(&record.block);
            return header.map(Some).map_err(|source| ReadError::Decode { what: "block", source });
        }
        let hole = || ReadError::IndexHole { what: format!("header of block {height}") };
        let parent = height.previous().ok_or_else(hole)?;
        let decides = |height| self.validators_at(height).map(|set| set.root()).ok_or_else(hole);
        let place = Place {
            chain: self.id,
            height,
            parent: self.hash_at(parent)?.ok_or_else(hole)?,
            history_root: history_of(self.index.as_ref(), parent)?.ok_or_else(hole)?.root(),
            validators_root: decides(height)?,
            next_validators_root: decides(height.next().ok_or_else(hole)?)?,
        };
        let core = self.header_cores(height, 1)?.into_iter().next().ok_or_else(hole)?;
        let header = core.at(place);
        if self.hash_at(height)? == Some(header.hash()) { Ok(Some(header)) } else { Err(hole()) }
    }

    /// What is kept of the headers from a height on, not the genesis, at most `limit` of them and without a gap.
    ///
    /// # Errors
    /// [`ReadError`]: this node's disk is to blame.
    pub(crate) fn header_cores(&self, from: Height, limit: usize) -> Result<Vec<HeaderCore>, ReadError> {
        let before = from.previous().map(header_core_key);
        let entries = self.index.range(Keyspace::History, &[HEADER_CORE_LEVEL], before.as_deref(), limit)?;
        let mut cores = Vec::with_capacity(entries.len());
        let mut expected = Some(from);
        for (key, value) in entries {
            let hole = || ReadError::IndexHole { what: format!("header after block {from}") };
            let height = expected.ok_or_else(hole)?;
            if key != header_core_key(height) {
                return Err(hole());
            }
            let core = codec::decode(&value, HEADER_CORE_BYTES);
            cores.push(core.map_err(|source| ReadError::Decode { what: "header", source })?);
            expected = height.next();
        }
        Ok(cores)
    }

    /// Where a transaction stands.
    pub(crate) fn position(&self, id: &TransactionId) -> Result<Option<Position>, ReadError> {
        Ok(self.places.first_of(Family::Transactions, id.as_bytes())?.map(position))
    }

    /// Where an attestation stands.
    pub(crate) fn attestation(&self, stream: &StreamId, sequence: u64) -> Result<Option<Position>, ReadError> {
        Ok(self.places.first_of(Family::Attestations, &attestation_name(stream, sequence))?.map(position))
    }

    /// Where content with this hash was attested, ascending, behind `after`.
    pub(crate) fn attestations_of(
        &self,
        content: &ContentHash,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, ReadError> {
        let after = after.map(|position| Stored { height: position.height, index: position.index });
        let found = self.places.all_of(Family::Contents, content.as_bytes(), after, limit)?;
        Ok(found.into_iter().map(position).collect())
    }

    /// Proves that the block at `height` is in the history of the block at `at`.
    pub(crate) fn history_proof(&self, height: Height, at: Height) -> Result<InclusionProof, ReadError> {
        let failed = RefCell::new(None);
        let lookup = |level: u8, index: u64| match self.index.get(Keyspace::History, &history_node_key(level, index)) {
            Ok(bytes) => bytes.and_then(|bytes| hash_of(&bytes)),
            Err(error) => {
                *failed.borrow_mut() = Some(error);
                None
            }
        };
        let proof = InclusionProof::prove(height.get(), at.get(), lookup);
        if let Some(error) = failed.into_inner() {
            return Err(error.into());
        }
        proof.map_err(|error| ReadError::IndexHole { what: format!("history of block {height}: {error}") })
    }

    /// Proves that transaction `index` stands in `block`.
    pub(crate) fn transaction_proof(block: &Block, index: u32) -> Result<InclusionProof, ReadError> {
        let leaves: Vec<Hash> =
            block.transactions.iter().map(|bytes| cairn_types::transaction::leaf_of(bytes)).collect();
        accumulator::prove_in(&leaves, u64::from(index))
            .map_err(|error| ReadError::IndexHole { what: format!("transaction {index}: {error}") })
    }
}

/// What the rules may ask about earlier blocks, and what went wrong when they asked. After a failed look-up the result of
/// the rules is worthless and must be thrown away: see [`RulesHistory::finish`].
pub(crate) struct RulesHistory<'a> {
    chain: &'a Chain,
    failed: RefCell<Option<ReadError>>,
}

impl<'a> RulesHistory<'a> {
    pub(crate) const fn new(chain: &'a Chain) -> Self {
        Self { chain, failed: RefCell::new(None) }
    }

    /// # Errors
    /// The first look-up that failed.
    pub(crate) fn finish(self) -> Result<(), ReadError> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }
}

impl History for RulesHistory<'_> {
    fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.chain.hash_at(height).unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            None
        })
    }
}

/// The history of the blocks `0..=height`: one stored node for each one bit of their number. `None` if one is missing.
///
/// # Errors
/// [`StorageError`]: the disk is to blame.
pub(crate) fn history_of(index: &dyn Index, height: Height) -> Result<Option<Frontier>, StorageError> {
    let Some(count) = height.get().checked_add(1) else { return Ok(None) };
    let mut peaks = Vec::new();
    let mut before: u64 = 0;
    for level in (0..64u8).rev().filter(|level| count >> level & 1 == 1) {
        let bytes = index.get(Keyspace::History, &history_node_key(level, before >> level))?;
        let Some(peak) = bytes.and_then(|bytes| hash_of(&bytes)) else { return Ok(None) };
        peaks.push(peak);
        before += 1 << level;
    }
    Ok(Frontier::from_parts(count, peaks))
}

fn hash_of(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok().map(Hash::from_bytes)
}

/// Key of a block's hash; levels of history nodes are below 64, so the first byte tells them apart.
pub(crate) fn block_hash_key(height: Height) -> Vec<u8> {
    history_node_key(0xff, height.get())
}

/// First byte of the keys of header cores, beside the levels of history nodes and the mark of block hashes.
const HEADER_CORE_LEVEL: u8 = 0xfe;

/// Key of what is kept of a block's header.
pub(crate) fn header_core_key(height: Height) -> Vec<u8> {
    history_node_key(HEADER_CORE_LEVEL, height.get())
}

/// Key of a node of the history accumulator.
pub(crate) fn history_node_key(level: u8, index: u64) -> Vec<u8> {
    [&[level][..], &index.to_be_bytes()].concat()
}

/// Name of an attestation by its place in its stream.
pub(crate) fn attestation_name(stream: &StreamId, sequence: u64) -> Vec<u8> {
    [&stream.as_bytes()[..], &sequence.to_be_bytes()].concat()
}

const fn position(stored: Stored) -> Position {
    Position { height: stored.height, index: stored.index }
}

#[cfg(test)]
mod tests;
