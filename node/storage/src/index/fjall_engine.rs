//! The index in fjall: one keyspace of the engine for each of ours, one journal under all of them.
//!
//! Reads go through a snapshot, so that they see whole batches. A batch stays whole over a power cut too: fjall syncs its
//! journal before it writes a keyspace's memtable out, so no keyspace is ever ahead of the journal. It keeps fjall small: what an idle node holds in memory
//! is the cache, and what a restart replays is the journal. None of fjall's types leave this file.

use std::ops::Bound;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::RwLock;

use fjall::{Database, Keyspace as Tree, KeyspaceCreateOptions, PersistMode, Readable};

use super::{Batch, CACHE_BYTES, Engine, Index, Keyspace, contained, place, range_start};
use crate::error::StorageError;

/// Memory for unsorted writes of a keyspace, in bytes: four of them, full, are 32 MiB, and an idle node fills none.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
/// Bound of the journals, in bytes: what a restart replays; the least that fjall allows.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// Threads for flushes and compaction. With two or more, the first passes compactions on in a busy loop while the others
/// work (fjall 3.1.13, `worker_pool.rs`), which on a small machine takes a core from the node.
const WORKER_THREADS: usize = 1;
/// Most table files kept open: a node has other uses for its 1,024 file descriptors.
const OPEN_FILES_MAX: usize = 128;

/// The engine, open.
pub(super) struct FjallIndex {
    database: Database,
    trees: Vec<Tree>,
    /// Whether it was closed; a writer holds the lock until its batch is in.
    closed: RwLock<bool>,
    directory: std::path::PathBuf,
}

impl std::fmt::Debug for FjallIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallIndex").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl FjallIndex {
    /// Opens or creates the engine's files.
    pub(super) fn open(directory: &Path) -> Result<Self, StorageError> {
        let files = place::engine_files(directory);
        contained(Engine::Fjall, "open", || -> Result<_, fjall::Error> {
            let database = Database::builder(&files)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES)
                .max_cached_files(Some(OPEN_FILES_MAX))
                .worker_threads(WORKER_THREADS)
                .open()?;
            let mut trees = Vec::with_capacity(Keyspace::ALL.len());
            for keyspace in Keyspace::ALL {
                let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
                trees.push(database.keyspace(keyspace.name(), options)?);
            }
            Ok(Self { database, trees, closed: RwLock::new(false), directory: directory.to_path_buf() })
        })
    }

    fn tree(&self, keyspace: Keyspace) -> &Tree {
        self.trees
            .get(usize::from(keyspace.tag()))
            .expect("open made one tree for every keyspace, in the order of tags")
    }
}

impl Index for FjallIndex {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        if key.is_empty() {
            return Ok(None);
        }
        contained(Engine::Fjall, "read", || -> Result<_, fjall::Error> {
            let value = self.database.snapshot().get(self.tree(keyspace), key)?;
            Ok(value.map(|value| value.to_vec()))
        })
    }

    fn visit(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        show: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StorageError> {
        contained(Engine::Fjall, "read", || -> Result<_, fjall::Error> {
            let snapshot = self.database.snapshot();
            let bounds = (range_start(prefix, start_after), Bound::<&[u8]>::Unbounded);
            for guard in snapshot.range::<&[u8], _>(self.tree(keyspace), bounds) {
                let (key, value) = guard.into_inner()?;
                if !key.starts_with(prefix) || !show(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn write(&self, batch: &Batch) -> Result<(), StorageError> {
        batch.check()?;
        let closed = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(StorageError::IndexClosed { engine: Engine::Fjall });
        }
        contained(Engine::Fjall, "write", || {
            let mut writing = self.database.batch();
            for (keyspace, key, value) in batch.iter() {
                match value {
                    Some(value) => writing.insert(self.tree(keyspace), key, value),
                    None => writing.remove(self.tree(keyspace), key),
                }
            }
            writing.commit()
        })
    }

    fn flush(&self) -> Result<(), StorageError> {
        contained(Engine::Fjall, "flush", || self.database.persist(PersistMode::SyncAll))
    }

    fn close(&self) -> Result<(), StorageError> {
        let mut closed = self.closed.write().unwrap_or_else(PoisonError::into_inner);
        *closed = true;
        self.flush()?;
        place::mark_closed(&self.directory)
    }

    fn engine(&self) -> Engine {
        Engine::Fjall
    }
}
