//! Opening the ledger: what a start finds in log, base and index, and how it becomes a tip.
//!
//! It does not execute blocks: what the log holds above the tip that is found here is for [`super::replay`]. Invariant: a tip
//! comes out of the index only if the block log holds the very block that the index names, and the state is the one that
//! this block's header commits to.

use std::sync::Arc;

use cairn_genesis::GenesisBlock;
use cairn_proofs::accumulator::Frontier;
use cairn_proofs::checkpoint::CheckpointProof;
use cairn_runtime::governance;
use cairn_storage::{
    Batch, BlockLog, DataDirectory, Engine, Index, IndexState, Keyspace, LogDamage, LogRecovery, Places, StorageError,
};
use cairn_types::{Block, BlockHash, Certificate, Height, codec};

use super::entries::{TIP_KEY, forget_history_above, index_state};
use super::filing::{self, Unwritten};
use super::{Ledger, LedgerError, Opened, index_tip, loading, repair};
use crate::chain::{Chain, Snapshot, history_node_key, history_of};
use crate::deciders::Deciders;
use crate::snapshot::base::Base;

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
            Some(tip) => {
                forget_history_above(index.as_ref(), tip.header.height)?;
                (index, tip)
            }
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
                let tip = begin(base, &index, &genesis)?;
                (index, tip)
            }
        };
        let places = directory.open_places(engine, log.first(), log.next())?;
        filing::fill(&places, index.as_ref(), &log, tip.header.height)?;
        let chain = Chain::new(genesis.clone(), log.reader(), (index, places), Arc::new(tip), proof)?;
        let chain = Arc::new(chain);
        let quarantine = repair::settle(&log)?;
        let mut ledger = Self {
            chain,
            log,
            quarantine,
            known_version,
            pruning: None,
            unwritten: Unwritten::default(),
            filing_state: None,
            filing_places: None,
        };
        let before = ledger.chain.tip().header.height.get();
        match ledger.replay() {
            Err(LedgerError::Storage(StorageError::LogDamaged(damage))) => {
                repair::cut(&mut ledger.log, &damage)?;
                if ledger.chain.places.next() > ledger.log.next() {
                    // They know more than the log now holds, so everything is opened anew.
                    ledger.close()?;
                    drop(ledger);
                    return Self::open(directory, engine, genesis, known_version);
                }
                ledger.quarantine = repair::settle(&ledger.log)?;
            }
            other => drop(other?),
        }
        ledger.settle_index()?;
        let replayed = ledger.chain.tip().header.height.get().saturating_sub(before);
        ledger.check_version()?;
        Ok(Opened { ledger, recovery, index: index_state, replayed })
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
        let tip = begin(base, &index, &genesis)?;
        let places = Places::in_memory(log.first());
        filing::fill(&places, index.as_ref(), &log, tip.header.height)?;
        let chain = Arc::new(Chain::new(genesis, log.reader(), (index, places), Arc::new(tip), proof)?);
        Ok((
            Self {
                chain,
                log,
                quarantine: None,
                known_version,
                pruning: None,
                unwritten: Unwritten::default(),
                filing_state: None,
                filing_places: None,
            },
            recovery,
        ))
    }
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
fn begin(base: Option<Base>, index: &Arc<dyn Index>, genesis: &GenesisBlock) -> Result<Snapshot, LedgerError> {
    if let Some(base) = base {
        let tip = base.fill(index.as_ref())?;
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
    let Some(state) = loading::state(index.as_ref())? else { return Ok(None) };
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

fn restart(index: Arc<dyn Index>, directory: &DataDirectory, engine: Engine) -> Result<Arc<dyn Index>, LedgerError> {
    index.close()?;
    drop(index);
    directory.discard_index(engine)?;
    Ok(directory.open_index(engine)?.0)
}
