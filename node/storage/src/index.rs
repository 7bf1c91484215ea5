//! The index: what a node looks up and could compute again from the block log, but for where transactions stand, which
//! [`crate::places`] knows.
//!
//! One small trait, three engines: fjall, sled, and memory for tests. It does not know what a key means, nor which height it
//! reflects: the node writes that into [`Keyspace::Meta`] in the same batch, and at its start replays from the block log
//! what is missing, or discards an index that is ahead of the log ([`discard_index`]).
//!
//! Invariants: a batch is there as a whole or not at all, for every reader and after every crash; an index that cannot
//! be trusted (missing, broken, of another version, or written by sled when the machine lost power) is replaced by an empty
//! one and never half believed; an engine's panic stays inside and becomes an error. No write needs a sync, because
//! nothing here is the only copy.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::StorageError;

mod fjall_engine;
pub(crate) mod memory;
mod place;
mod sled_engine;

pub use place::discard_index;

/// Longest key in bytes; the engines allow 64 KiB, and ours are a hash or two and a number.
pub const INDEX_KEY_BYTES_MAX: usize = 1024;

/// Longest value in bytes: bodies live in the block log, and a record of the state stays far below.
pub const INDEX_VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Memory for cached blocks of an engine, in bytes. A running node reads hashes and headers of old blocks, some 200 bytes a
/// block; the state is read once, at the start, which fills any cache and never comes back to it.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// Which family of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keyspace {
    /// What the index says of itself: the height it reflects.
    Meta,
    /// The state: nodes and records of the state tree.
    State,
    /// Earlier versions and events of a subject, by position.
    History,
    /// Sorted lists that the node's interface pages through.
    Lists,
}

impl Keyspace {
    /// All of them, in the order of their tags.
    pub const ALL: [Self; 4] = [Self::Meta, Self::State, Self::History, Self::Lists];

    /// The name that an engine stores it under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::State => "state",
            Self::History => "history",
            Self::Lists => "lists",
        }
    }

    /// The byte that an engine without keyspaces stores before its keys.
    const fn tag(self) -> u8 {
        self as u8
    }
}

/// Which engine keeps the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// fjall 3: a log-structured merge tree with a journal.
    Fjall,
    /// sled 0.34: a B-tree over a log.
    Sled,
    /// Nothing on disk: for tests, and gone with the process.
    Memory,
}

impl Engine {
    /// The engines that keep something on disk.
    pub const ON_DISK: [Self; 2] = [Self::Fjall, Self::Sled];

    /// Its name, as in the configuration and in the directory's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fjall => "fjall",
            Self::Sled => "sled",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no engine's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no index engine; there are fjall and sled")]
pub struct EngineUnknown {
    /// The name.
    pub name: String,
}

impl FromStr for Engine {
    type Err = EngineUnknown;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ON_DISK
            .into_iter()
            .find(|engine| engine.name() == name)
            .ok_or_else(|| EngineUnknown { name: name.to_owned() })
    }
}

/// Changes that happen together. Of several changes to one key the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// `None` removes the key.
    changes: BTreeMap<(Keyspace, Vec<u8>), Option<Vec<u8>>>,
}

impl Batch {
    /// No changes.
    pub const fn new() -> Self {
        Self { changes: BTreeMap::new() }
    }

    /// Sets the value of a key.
    pub fn put(&mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changes.insert((keyspace, key.into()), Some(value.into()));
    }

    /// Removes a key; it need not exist.
    pub fn remove(&mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>) {
        self.changes.insert((keyspace, key.into()), None);
    }

    /// Number of keys that change.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes in the order of keyspace and key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Keyspace, &[u8], Option<&[u8]>)> {
        self.changes.iter().map(|((keyspace, key), value)| (*keyspace, key.as_slice(), value.as_deref()))
    }

    /// Refuses keys and values that an engine may not take.
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        for (_, key, value) in self.iter() {
            if key.is_empty() {
                return Err(StorageError::IndexKeyEmpty);
            }
            for (what, bytes, bytes_max) in [
                ("a key of the index", key.len(), INDEX_KEY_BYTES_MAX),
                ("a value of the index", value.map_or(0, <[u8]>::len), INDEX_VALUE_BYTES_MAX),
            ] {
                if bytes > bytes_max {
                    return Err(StorageError::TooLong { what, bytes, bytes_max });
                }
            }
        }
        Ok(())
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// An ordered map of bytes in a few keyspaces, shared by the threads of a node.
pub trait Index: Send + Sync + fmt::Debug {
    /// The value of a key.
    ///
    /// # Errors
    /// [`StorageError::Index`] if the engine fails; the node stops and opens the index anew.
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Shows the entries whose keys begin with `prefix`, ascending, as long as `show(key, value)` asks for more; with
    /// `start_after`, only those behind that key, which is a whole key and need not exist. All of them are of one moment.
    ///
    /// # Errors
    /// As [`Index::get`]; some of the entries may have been shown then.
    fn visit(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        show: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StorageError>;

    /// The same entries, at most `limit`.
    ///
    /// # Errors
    /// As [`Index::get`].
    fn range(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        let mut entries = Vec::new();
        if limit > 0 {
            self.visit(keyspace, prefix, start_after, &mut |key, value| {
                entries.push((key.to_vec(), value.to_vec()));
                entries.len() < limit
            })?;
        }
        Ok(entries)
    }

    /// Makes all changes of a batch at once. A crash later on may undo whole batches, the latest first.
    ///
    /// # Errors
    /// [`StorageError::IndexKeyEmpty`] and [`StorageError::TooLong`] are the caller's mistakes, and nothing was written;
    /// [`StorageError::Index`] if the engine fails; [`StorageError::IndexClosed`].
    fn write(&self, batch: &Batch) -> Result<(), StorageError>;

    /// Makes everything written so far durable. It only saves replaying at the next start.
    ///
    /// # Errors
    /// As [`Index::get`]; [`StorageError::Io`].
    fn flush(&self) -> Result<(), StorageError>;

    /// Flushes, and takes no more writes: the last step of an orderly shutdown.
    ///
    /// # Errors
    /// As [`Index::flush`].
    fn close(&self) -> Result<(), StorageError>;

    /// Which engine this is.
    fn engine(&self) -> Engine;
}

/// What opening an index came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// There was none; it is empty.
    Fresh,
    /// It was there, and holds the first of the batches that were written: after an orderly close all of them, after a
    /// crash possibly fewer, even none. The node compares its height with the block log's.
    Opened,
    /// It was there and could not be used; it was removed, and an empty one stands in its place.
    Rebuilt {
        /// Why it could not be used.
        reason: String,
    },
}

/// An empty index that keeps nothing on disk, for tests.
pub fn memory_index() -> Arc<dyn Index> {
    Arc::new(memory::MemoryIndex::default())
}

/// Opens the index in `directory`, which belongs to that engine alone. Whatever is wrong with what is there, an index
/// that works comes back; the state says whether it is to be filled from the block log.
///
/// # Errors
/// [`StorageError::Io`] or [`StorageError::Index`] if not even an empty index can be made there.
pub fn open_index(directory: &Path, engine: Engine) -> Result<(Arc<dyn Index>, IndexState), StorageError> {
    match engine {
        Engine::Memory => Ok((memory_index(), IndexState::Fresh)),
        Engine::Fjall | Engine::Sled => place::open(directory, engine),
    }
}

/// Opens an engine's own files. Only [`place`] calls it: it knows whether they can be trusted.
fn open_engine(directory: &Path, engine: Engine) -> Result<Arc<dyn Index>, StorageError> {
    match engine {
        Engine::Fjall => Ok(Arc::new(fjall_engine::FjallIndex::open(directory)?)),
        Engine::Sled => Ok(Arc::new(sled_engine::SledIndex::open(directory)?)),
        Engine::Memory => Ok(memory_index()),
    }
}

/// Runs a piece of an engine, and turns its errors and its panics into ours: damaged files make sled, and in places fjall,
/// panic.
fn contained<T, E: fmt::Display>(
    engine: Engine,
    operation: &'static str,
    run: impl FnOnce() -> Result<T, E>,
) -> Result<T, StorageError> {
    let reason = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            format!("it panicked: {text}")
        }
    };
    Err(StorageError::Index { engine, operation, reason })
}

/// Where a range begins: at the first key with the prefix, or behind `start_after` if that is later.
pub(crate) fn range_start<'a>(prefix: &'a [u8], start_after: Option<&'a [u8]>) -> std::ops::Bound<&'a [u8]> {
    match start_after {
        Some(after) if after >= prefix => std::ops::Bound::Excluded(after),
        _ => std::ops::Bound::Included(prefix),
    }
}
