//! The ledger on this node's disk, and the index that is made of it.
//!
//! Quick: the index is opened in a copy, as a node would open it, which compares its state with the root that validators
//! signed; then the newest blocks are read, with links and certificates. Deep: every block is executed again from the genesis
//! on, with certificates and signatures, into an empty index in memory, and the index on disk is compared with that, key by
//! key. Beside a running node the index is left alone, and the quick look has no validators to check certificates by.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_genesis::GenesisBlock;
use cairn_storage::{
    DataDirectory, Engine, Index, IndexState, Keyspace, LogRecovery, OverlayDisk, StorageError, open_index, real_disk,
};
use cairn_types::certificate::CERTIFICATE_BYTES_MAX;
use cairn_types::governance::PROTOCOL_VERSION;
use cairn_types::{Block, BlockHash, Certificate, ChainId, Height, codec};

mod places;

use super::{DoctorCommand, Findings, Presence};
use crate::cli::output::{counted, progress};
use crate::config::NodeConfig;
use crate::ledger::{self, Ledger, LedgerError};

/// How many of the newest blocks the quick look reads: a quarter of an hour, and a second's work.
const QUICK_BLOCKS: u64 = 1_000;

/// Blocks below which no progress is shown.
const PROGRESS_FROM: usize = 200;

/// Entries of an index that are compared at once.
const PAGE: usize = 4_096;

const CHECK: &str = "chain";
const INDEX: &str = "index";

const REFETCH: &str = "start the node: what its disk has lost it fetches from its peers again; if it does not start, move \
    everything but sign-state out of the data directory first";
const REBUILD: &str = "nothing to lose: stop the node, delete the index directory and start it again; it is filled from the \
    block log";

/// A ledger that was opened to be looked at.
pub(super) struct OpenedToLook {
    pub(super) directory: DataDirectory,
    pub(super) ledger: Ledger,
    /// Whether its chain reaches the end of the block log.
    pub(super) is_whole: bool,
}

pub(super) fn examine(
    command: &DoctorCommand,
    config: &NodeConfig,
    genesis: GenesisBlock,
    presence: &Presence,
    findings: &mut Findings,
) -> Option<OpenedToLook> {
    let engine = match config.engine(&command.config) {
        Ok(engine) => engine,
        Err(error) => {
            findings.broken("configuration", error.to_string(), "name fjall or sled");
            return None;
        }
    };
    if !config.data.join("format").exists() {
        findings.warn(CHECK, "the data directory holds no ledger yet", "start the node");
        return None;
    }
    let copy = if presence.is_running() { Ok(None) } else { IndexCopy::of(&config.data, engine).map(Some) };
    let copy = copy.unwrap_or_else(|error| {
        findings.warn(
            INDEX,
            format!("it could not be copied to be looked at: {error}"),
            "make room for temporary files",
        );
        None
    });
    if let Some(IndexState::Rebuilt { reason }) = copy.as_ref().map(|copy| &copy.state) {
        findings.broken(INDEX, format!("it cannot be used: {reason}"), REBUILD);
    }
    let index = copy.as_ref().filter(|copy| copy.is_usable()).and_then(|copy| copy.index.clone());
    let looks_deep = command.deep || presence.is_running();
    let disk = OverlayDisk::new(real_disk(), index.clone().filter(|_| !looks_deep));
    let directory = match DataDirectory::open_on(Arc::new(disk), &config.data, genesis.chain) {
        Ok(directory) => directory,
        Err(error) => {
            let advice = match &error {
                StorageError::ChainForeign { .. } => {
                    "name the genesis file of the chain that this directory was made for"
                }
                StorageError::FormatUnknown { .. } => "run the version of the program that wrote it",
                _ => REFETCH,
            };
            findings.broken(CHECK, error.to_string(), advice);
            return None;
        }
    };
    if command.deep {
        return deep(directory, genesis, engine, index.as_ref(), findings);
    }
    if presence.is_running() {
        beside_a_node(&directory, &genesis.chain, findings);
        return None;
    }
    quick(directory, genesis, engine, index.is_some(), findings)
}

/// Says what opening found; whether every block can be read as far as opening tells.
fn tell_recovery(recovery: &LogRecovery, findings: &mut Findings) -> bool {
    if let Some(cut) = &recovery.cut {
        findings.warn(
            CHECK,
            format!("{} of an unfinished record at height {}", counted(cut.bytes, "byte"), cut.height),
            "nothing: the node cuts them off when it starts; nobody was told of that block",
        );
    }
    for damage in &recovery.damaged {
        findings.broken(CHECK, damage.to_string(), REFETCH);
    }
    recovery.damaged.is_empty()
}

fn tell_error(error: &LedgerError, findings: &mut Findings) {
    let advice = match error {
        LedgerError::ProgramTooOld { .. } => "install a program that knows this version of the rules",
        _ => REFETCH,
    };
    findings.broken(CHECK, error.to_string(), advice);
}

fn quick(
    directory: DataDirectory,
    genesis: GenesisBlock,
    engine: Engine,
    has_index: bool,
    findings: &mut Findings,
) -> Option<OpenedToLook> {
    let chain = genesis.chain;
    let opened = match Ledger::open(&directory, engine, genesis, PROTOCOL_VERSION) {
        Ok(opened) => opened,
        Err(error) => {
            tell_error(&error, findings);
            return None;
        }
    };
    let is_readable = tell_recovery(&opened.recovery, findings);
    let ledger = opened.ledger;
    let tip = ledger.chain().tip().header.height;
    match &opened.index {
        IndexState::Rebuilt { reason } => {
            findings.broken(INDEX, format!("it does not fit the block log: {reason}"), REBUILD);
        }
        _ if has_index => {
            let behind = if opened.replayed == 0 {
                "at the newest block".to_owned()
            } else {
                format!("{} behind, which the node makes up for when it starts", counted(opened.replayed, "block"))
            };
            findings.ok(INDEX, format!("its state has the root that validators signed; {behind}"));
        }
        _ => {}
    }
    let from = Height::new(tip.get().saturating_sub(QUICK_BLOCKS).saturating_add(1)).max(ledger.chain().first_block());
    let bar = progress("checking", "blocks", count(from, tip), PROGRESS_FROM);
    let mut is_sound = is_readable;
    let mut next = Some(from).filter(|from| *from <= tip);
    while let Some(height) = next {
        if let Err(reason) = check_newest(&ledger, &chain, height) {
            findings.broken(CHECK, format!("block {height}: {reason}"), REFETCH);
            is_sound = false;
        }
        bar.inc(1);
        next = height.next().filter(|height| *height <= tip);
    }
    bar.finish_and_clear();
    if is_sound {
        let checked = counted(count(from, tip), "block");
        findings.ok(
            CHECK,
            format!("height {tip}; links and certificates of the newest {checked} hold (--deep checks all)"),
        );
    }
    Some(OpenedToLook { directory, ledger, is_whole: is_sound })
}

fn count(from: Height, to: Height) -> usize {
    usize::try_from(to.get().saturating_add(1).saturating_sub(from.get())).unwrap_or(usize::MAX)
}

/// Reads one block as it stands in the log, and checks its link and its certificate.
fn check_newest(ledger: &Ledger, id: &ChainId, height: Height) -> Result<(), String> {
    let chain = ledger.chain();
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let record = chain.log.read(height).map_err(|error| words(&error))?.ok_or("it is not kept here")?;
    let (header, certificate) = decode(&record.block, &record.certificate)?;
    let before = height.previous().ok_or("block 0 is not in the log")?;
    let parent = chain.hash_at(before).map_err(|error| words(&error))?;
    if parent != Some(header.parent) || header.height != height {
        return Err("it does not follow from the block before it".to_owned());
    }
    let validators = chain.validators_at(height).ok_or("who decides it is not known")?;
    certificate.verify(id, height, &header.hash(), &validators).map_err(|error| words(&error))
}

fn decode(block: &[u8], certificate: &[u8]) -> Result<(cairn_types::Header, Certificate), String> {
    let block = Block::from_bytes(block).map_err(|error| error.to_string())?;
    let certificate = codec::decode(certificate, CERTIFICATE_BYTES_MAX).map_err(|error| error.to_string())?;
    Ok((block.header, certificate))
}

/// Beside a running node: the newest blocks as they stand on disk, with their links.
fn beside_a_node(directory: &DataDirectory, id: &ChainId, findings: &mut Findings) {
    let first = Height::GENESIS.next().expect("there is a height after the genesis");
    let opened = match directory.open_base() {
        Ok(Some(base)) => directory.open_based_block_log(base.extent()),
        Ok(None) => directory.open_block_log(first),
        Err(error) => Err(error),
    };
    let (log, recovery) = match opened {
        Ok(opened) => opened,
        Err(error) => return findings.broken(CHECK, error.to_string(), REFETCH),
    };
    // A block may be on its way to the disk right now; what looks unfinished is no news.
    for damage in &recovery.damaged {
        findings.broken(CHECK, damage.to_string(), REFETCH);
    }
    let Some(tip) = log.tip() else { return findings.ok(CHECK, "no block yet") };
    let from = Height::new(tip.get().saturating_sub(QUICK_BLOCKS).saturating_add(1)).max(log.first());
    let mut parent: Option<BlockHash> = None;
    let mut is_sound = recovery.damaged.is_empty();
    let mut next = Some(from);
    while let Some(height) = next {
        let read = log.read(height).map_err(|error| error.to_string());
        let read = read.and_then(|record| {
            let record = record.ok_or("it is not kept here")?;
            let (header, certificate) = decode(&record.block, &record.certificate)?;
            let hash = header.hash();
            let links = parent.is_none_or(|parent| parent == header.parent);
            if header.chain == *id && links && certificate.block == hash {
                Ok(hash)
            } else {
                Err("it does not follow from the block before it, or its certificate is another block's".to_owned())
            }
        });
        match read {
            Ok(hash) => parent = Some(hash),
            Err(reason) => {
                findings.broken(CHECK, format!("block {height}: {reason}"), REFETCH);
                (parent, is_sound) = (None, false);
            }
        }
        next = height.next().filter(|height| *height <= tip);
    }
    if is_sound {
        let checked = counted(count(from, tip), "block");
        findings.ok(
            CHECK,
            format!("height {tip}; links of the newest {checked} hold (--deep checks all; a node runs, so its index is not read)"),
        );
    }
}

fn deep(
    directory: DataDirectory,
    genesis: GenesisBlock,
    engine: Engine,
    index: Option<&Arc<dyn Index>>,
    findings: &mut Findings,
) -> Option<OpenedToLook> {
    let (mut ledger, recovery) = match Ledger::at_genesis(&directory, genesis, PROTOCOL_VERSION) {
        Ok(opened) => opened,
        Err(error) => {
            tell_error(&error, findings);
            return None;
        }
    };
    let is_readable = tell_recovery(&recovery, findings);
    let blocks = usize::try_from(recovery.tip.map_or(0, Height::get)).unwrap_or(usize::MAX);
    let bar = progress("checking", "blocks", blocks, PROGRESS_FROM);
    let checked = loop {
        match ledger.check_next() {
            Ok(Some(_)) => bar.inc(1),
            Ok(None) => break ledger.settle_index(),
            Err(error) => break Err(error),
        }
    };
    bar.finish_and_clear();
    match &checked {
        Ok(()) if is_readable => {
            let tip = ledger.chain().tip().header.height;
            let first = ledger.chain().first_block();
            let words = if first <= Height::new(1) {
                "every block links, is certified and follows from the rules".to_owned()
            } else {
                format!(
                    "the base is certified and every block after it follows from the rules; none is kept before {first}"
                )
            };
            findings.ok(CHECK, format!("height {tip}; {words}"));
        }
        Ok(()) => {}
        // Damage that opening named needs no second word.
        Err(LedgerError::Storage(StorageError::LogDamaged(_))) if !is_readable => {}
        Err(error) => tell_error(error, findings),
    }
    if let (Ok(()), Some(index)) = (&checked, index) {
        compare(&ledger, index, engine, findings);
        places::compare(&directory, &ledger, engine, findings);
    }
    Some(OpenedToLook { directory, ledger, is_whole: checked.is_ok() && is_readable })
}

/// Compares the index on disk with the one that the blocks make.
fn compare(ledger: &Ledger, index: &Arc<dyn Index>, engine: Engine, findings: &mut Findings) {
    let rebuilt = &ledger.chain().index;
    let tip = ledger.chain().tip();
    match ledger::index_tip_of(index.as_ref()) {
        Ok(Some((height, hash))) if (height, hash) == (tip.header.height, tip.hash) => {}
        Ok(Some((height, _))) if height < tip.header.height => {
            let words = format!("it is at height {height} of {}; not compared", tip.header.height);
            return findings.ok(INDEX, words);
        }
        Ok(_) => return findings.broken(INDEX, "it is not of this block log", REBUILD),
        Err(error) => return findings.broken(INDEX, error.to_string(), REBUILD),
    }
    let mut entries: u64 = 0;
    for keyspace in Keyspace::ALL {
        match first_difference(rebuilt.as_ref(), index.as_ref(), keyspace) {
            Ok(Ok(same)) => entries = entries.saturating_add(same),
            Ok(Err(key)) => {
                let words =
                    format!("{} differs from what the blocks make, at key {}", keyspace.name(), hex::encode(key));
                return findings.broken(INDEX, words, REBUILD);
            }
            Err(error) => return findings.broken(INDEX, error.to_string(), REBUILD),
        }
    }
    findings.ok(INDEX, format!("{engine}: all {entries} entries are what the blocks make"));
}

/// How many entries two indexes share in a keyspace, or the first key at which they differ.
fn first_difference(
    one: &dyn Index,
    other: &dyn Index,
    keyspace: Keyspace,
) -> Result<Result<u64, Vec<u8>>, StorageError> {
    let mut after: Option<Vec<u8>> = None;
    let mut same: u64 = 0;
    loop {
        let page = |index: &dyn Index| index.range(keyspace, &[], after.as_deref(), PAGE);
        let (ours, theirs) = (page(one)?, page(other)?);
        if let Some(difference) = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs) {
            return Ok(Err(difference.0.0.clone().min(difference.1.0.clone())));
        }
        if ours.len() != theirs.len() {
            let longer = if ours.len() > theirs.len() { &ours } else { &theirs };
            let key = longer.get(ours.len().min(theirs.len())).map(|(key, _)| key.clone());
            return Ok(Err(key.unwrap_or_default()));
        }
        same = same.saturating_add(ours.len() as u64);
        match ours.last() {
            Some((key, _)) if ours.len() == PAGE => after = Some(key.clone()),
            _ => return Ok(Ok(same)),
        }
    }
}

/// A copy of the index, because opening one writes to it; removed when dropped.
struct IndexCopy {
    index: Option<Arc<dyn Index>>,
    state: IndexState,
    directory: PathBuf,
}

impl IndexCopy {
    fn of(data: &Path, engine: Engine) -> std::io::Result<Self> {
        let directory = std::env::temp_dir().join(format!("cairn-doctor-{:016x}", rand::random::<u64>()));
        let from = data.join(format!("index-{engine}"));
        let mut copy = Self { index: None, state: IndexState::Fresh, directory };
        if !from.is_dir() {
            return Ok(copy);
        }
        DirBuilder::new().mode(0o700).create(&copy.directory)?;
        let to = copy.directory.join("index");
        copy_directory(&from, &to)?;
        let (index, state) = open_index(&to, engine).map_err(|error| std::io::Error::other(error.to_string()))?;
        (copy.index, copy.state) = (Some(index), state);
        Ok(copy)
    }

    fn is_usable(&self) -> bool {
        self.state == IndexState::Opened
    }
}

impl Drop for IndexCopy {
    fn drop(&mut self) {
        if let Some(index) = self.index.take() {
            // It is thrown away in any case.
            let _ = index.close();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn copy_directory(from: &Path, to: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
