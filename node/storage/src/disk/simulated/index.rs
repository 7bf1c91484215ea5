//! The index of the simulated disk: in memory, and a power cut undoes its latest batches, whole, back to the last flush
//! at most. That is all that [`crate::Index::write`] promises of any engine.
//!
//! It does not know what a batch means.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;

use super::{Seeded, SimulatedDisk, State};
use crate::error::StorageError;
use crate::index::{Batch, Engine, Entry, Index, Keyspace, range_start};

/// What a key was before a batch: its value, or nothing.
type Undo = Vec<(Keyspace, Vec<u8>, Option<Vec<u8>>)>;

/// What is stored of one index.
#[derive(Clone, Debug, Default)]
pub(super) struct StoredIndex {
    keyspaces: BTreeMap<Keyspace, BTreeMap<Vec<u8>, Vec<u8>>>,
    /// How to undo the batches since the last flush, in the order they were written.
    unflushed: Vec<Undo>,
    is_closed: bool,
}

impl StoredIndex {
    pub(super) fn reopen(&mut self) {
        self.is_closed = false;
    }

    pub(super) fn lose_unsynced(&mut self, random: &mut Seeded) {
        let lost = random.below(self.unflushed.len() as u64 + 1);
        for _ in 0..lost {
            for (keyspace, key, before) in self.unflushed.pop().unwrap_or_default() {
                self.set(keyspace, key, before);
            }
        }
        self.unflushed.clear();
    }

    /// Sets or removes a key; what it was before.
    fn set(&mut self, keyspace: Keyspace, key: Vec<u8>, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let keys = self.keyspaces.entry(keyspace).or_default();
        match value {
            Some(value) => keys.insert(key, value),
            None => keys.remove(&key),
        }
    }
}

/// An open index of the simulated disk.
#[derive(Debug)]
pub(super) struct SimulatedIndex {
    disk: SimulatedDisk,
    directory: PathBuf,
    life: u64,
}

impl SimulatedIndex {
    pub(super) const fn new(disk: SimulatedDisk, directory: PathBuf, life: u64) -> Self {
        Self { disk, directory, life }
    }

    /// Runs a piece on what is stored, unless the machine has stopped or the process that opened it is dead.
    fn with<T>(
        &self,
        operation: &'static str,
        run: impl FnOnce(&mut StoredIndex) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let failed = |reason: &str| {
            let reason = reason.to_owned();
            StorageError::Index { engine: Engine::Memory, operation, reason }
        };
        let mut state = self.disk.lock_state();
        if state.life != self.life {
            return Err(failed("the process that opened it is dead"));
        }
        let outcome = if operation == "read" { state.alive() } else { State::count(&mut state) };
        outcome.map_err(|error| failed(&error.to_string()))?;
        let stored = state.indexes.get_mut(&self.directory).ok_or_else(|| failed("it was discarded"))?;
        run(stored)
    }
}

impl Index for SimulatedIndex {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.with("read", |stored| Ok(stored.keyspaces.get(&keyspace).and_then(|keys| keys.get(key)).cloned()))
    }

    fn range(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        self.with("read", |stored| {
            let Some(keys) = stored.keyspaces.get(&keyspace) else { return Ok(Vec::new()) };
            Ok(keys
                .range::<[u8], _>((range_start(prefix, start_after), Bound::Unbounded))
                .take_while(|(key, _)| key.starts_with(prefix))
                .take(limit)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect())
        })
    }

    fn write(&self, batch: &Batch) -> Result<(), StorageError> {
        batch.check()?;
        self.with("write", |stored| {
            if stored.is_closed {
                return Err(StorageError::IndexClosed { engine: Engine::Memory });
            }
            let undo = batch
                .iter()
                .map(|(keyspace, key, value)| {
                    let before = stored.set(keyspace, key.to_vec(), value.map(<[u8]>::to_vec));
                    (keyspace, key.to_vec(), before)
                })
                .collect();
            stored.unflushed.push(undo);
            Ok(())
        })
    }

    fn flush(&self) -> Result<(), StorageError> {
        self.with("flush", |stored| {
            stored.unflushed.clear();
            Ok(())
        })
    }

    fn close(&self) -> Result<(), StorageError> {
        self.with("close", |stored| {
            stored.unflushed.clear();
            stored.is_closed = true;
            Ok(())
        })
    }

    fn engine(&self) -> Engine {
        Engine::Memory
    }
}
