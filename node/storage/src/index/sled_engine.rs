//! The index in sled 0.34: one tree, our keyspaces as the first byte of its keys, because only a batch on one tree is
//! atomic without a transaction's cost.
//!
//! sled's iterators see half of a batch that is being applied, so a lock stands before them. Its `flush` is no barrier
//! on this platform (it asks for `sync_file_range`), so flushing here syncs its files from outside as well, and `place`
//! does not trust what a machine that lost power left behind. None of sled's types leave this file.

use std::fs::{self, File};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use super::{Batch, CACHE_BYTES, Engine, Index, Keyspace, contained, place, range_start};
use crate::error::StorageError;

/// How often sled writes out by itself, in milliseconds: what a kill may undo, and the node replays.
const FLUSH_EVERY_MS: u64 = 1_000;

/// Keys of a batch for which sled's garbage is collected once more. A batch replaces a page for every key and sled frees old
/// pages only as its threads come and go, so the batches of a busy chain piled up garbage without end: 100,000
/// transactions in batches of 4,000 keys left 1,195 MB in use, and 130 MB with this.
const KEYS_PER_COLLECTION: usize = 128;

/// The engine, open.
pub(super) struct SledIndex {
    /// Keeps sled's threads running; reads and writes go through the tree.
    database: sled::Db,
    tree: sled::Tree,
    /// Readers share it; a writer holds it alone until its batch is in. Says whether the index was closed.
    closed: RwLock<bool>,
    directory: PathBuf,
}

impl std::fmt::Debug for SledIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledIndex").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl SledIndex {
    /// Opens or creates the engine's files.
    pub(super) fn open(directory: &Path) -> Result<Self, StorageError> {
        let files = place::engine_files(directory);
        contained(Engine::Sled, "open", || -> Result<_, sled::Error> {
            let database = sled::Config::new()
                .path(&files)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(Some(FLUSH_EVERY_MS))
                .open()?;
            let tree = database.open_tree(b"index")?;
            Ok(Self { database, tree, closed: RwLock::new(false), directory: directory.to_path_buf() })
        })
    }

    fn sync_files(&self, directory: &Path) -> Result<(), StorageError> {
        for entry in fs::read_dir(directory).map_err(StorageError::io("list", directory))? {
            let path = entry.map_err(StorageError::io("list", directory))?.path();
            if path.is_dir() {
                self.sync_files(&path)?;
                continue;
            }
            match File::open(&path).and_then(|file| file.sync_data()) {
                // sled replaces its snapshot whenever it likes.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => other.map_err(StorageError::io("sync", &path))?,
            }
        }
        crate::disk::sync_directory(&crate::disk::RealDisk, directory)
    }
}

impl Index for SledIndex {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        if key.is_empty() {
            return Ok(None);
        }
        let _whole_batches_only = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        contained(Engine::Sled, "read", || self.tree.get(tagged(keyspace, key)))
            .map(|value| value.map(|value| value.to_vec()))
    }

    fn visit(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        show: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StorageError> {
        let start = range_start(prefix, start_after).map(|key| tagged(keyspace, key));
        let prefix = tagged(keyspace, prefix);
        let _whole_batches_only = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        contained(Engine::Sled, "read", || -> Result<_, sled::Error> {
            for entry in self.tree.range((start, Bound::<Vec<u8>>::Unbounded)) {
                let (key, value) = entry?;
                if !key.starts_with(&prefix) || !show(key.get(1..).unwrap_or_default(), &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn write(&self, batch: &Batch) -> Result<(), StorageError> {
        batch.check()?;
        let mut writing = sled::Batch::default();
        for (keyspace, key, value) in batch.iter() {
            match value {
                Some(value) => writing.insert(tagged(keyspace, key), value),
                None => writing.remove(tagged(keyspace, key)),
            }
        }
        let closed = self.closed.write().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(StorageError::IndexClosed { engine: Engine::Sled });
        }
        contained(Engine::Sled, "write", || self.tree.apply_batch(writing))?;
        drop(closed);
        (0..4 + batch.len() / KEYS_PER_COLLECTION).for_each(|_| sled::pin().flush());
        Ok(())
    }

    fn flush(&self) -> Result<(), StorageError> {
        contained(Engine::Sled, "flush", || self.database.flush())?;
        self.sync_files(&place::engine_files(&self.directory))
    }

    fn close(&self) -> Result<(), StorageError> {
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = true;
        self.flush()?;
        place::mark_closed(&self.directory)
    }

    fn engine(&self) -> Engine {
        Engine::Sled
    }
}

fn tagged(keyspace: Keyspace, key: &[u8]) -> Vec<u8> {
    let mut tagged = Vec::with_capacity(1 + key.len());
    tagged.push(keyspace.tag());
    tagged.extend_from_slice(key);
    tagged
}
