//! The index of the simulated disk: in memory, and a power cut undoes its latest batches, whole, back to the last flush
//! at most. That is all that [`crate::Index::write`] promises of any engine.
//!
//! It does not know what a batch means.

use std::path::PathBuf;

use super::{Seeded, SimulatedDisk, State};
use crate::error::StorageError;
use crate::index::memory::{Contents, Undo};
use crate::index::{Batch, Engine, Index, Keyspace};

/// What is stored of one index.
#[derive(Clone, Debug, Default)]
pub(super) struct StoredIndex {
    contents: Contents,
    /// How to undo the batches since the last flush, in the order they were written.
    unflushed: Vec<Undo>,
}

impl StoredIndex {
    pub(super) fn reopen(&mut self) {
        self.contents.is_closed = false;
    }

    pub(super) fn lose_unsynced(&mut self, random: &mut Seeded) {
        let lost = random.below(self.unflushed.len() as u64 + 1);
        for _ in 0..lost {
            if let Some(undo) = self.unflushed.pop() {
                self.contents.undo(undo);
            }
        }
        self.unflushed.clear();
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
        self.with("read", |stored| Ok(stored.contents.get(keyspace, key)))
    }

    fn visit(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        show: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StorageError> {
        self.with("read", |stored| {
            stored.contents.visit(keyspace, prefix, start_after, show);
            Ok(())
        })
    }

    fn write(&self, batch: &Batch) -> Result<(), StorageError> {
        batch.check()?;
        self.with("write", |stored| {
            let undo = stored.contents.write(batch)?;
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
            stored.contents.is_closed = true;
            Ok(())
        })
    }

    fn engine(&self) -> Engine {
        Engine::Memory
    }
}
