//! The index in memory: the plainest reading of the trait's contract, against which tests compare the engines.
//! It does not touch the disk. The simulated disk keeps the same [`Contents`], and lets power cuts undo batches.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use super::{Batch, Engine, Index, Keyspace, range_start};
use crate::error::StorageError;

/// Everything in one sorted map for each keyspace, until it is closed to writing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    keyspaces: BTreeMap<Keyspace, BTreeMap<Vec<u8>, Vec<u8>>>,
    pub(crate) is_closed: bool,
}

/// What a key was before a batch: its value, or nothing.
pub(crate) type Undo = Vec<(Keyspace, Vec<u8>, Option<Vec<u8>>)>;

impl Contents {
    pub(crate) fn get(&self, keyspace: Keyspace, key: &[u8]) -> Option<Vec<u8>> {
        self.keyspaces.get(&keyspace).and_then(|keys| keys.get(key)).cloned()
    }

    /// As [`Index::visit`].
    pub(crate) fn visit(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        show: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) {
        let Some(keys) = self.keyspaces.get(&keyspace) else { return };
        for (key, value) in keys.range::<[u8], _>((range_start(prefix, start_after), Bound::Unbounded)) {
            if !key.starts_with(prefix) || !show(key, value) {
                break;
            }
        }
    }

    /// As [`Index::write`]; what it takes to undo it.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<Undo, StorageError> {
        if self.is_closed {
            return Err(StorageError::IndexClosed { engine: Engine::Memory });
        }
        let set = |(keyspace, key, value): (Keyspace, &[u8], Option<&[u8]>)| {
            (keyspace, key.to_vec(), self.set(keyspace, key.to_vec(), value.map(<[u8]>::to_vec)))
        };
        Ok(batch.iter().map(set).collect())
    }

    /// Makes the latest batch as if it had never been written.
    pub(crate) fn undo(&mut self, undo: Undo) {
        for (keyspace, key, before) in undo {
            self.set(keyspace, key, before);
        }
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

/// See the module.
#[derive(Debug, Default)]
pub(super) struct MemoryIndex {
    contents: RwLock<Contents>,
}

impl Index for MemoryIndex {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.contents.read().unwrap_or_else(PoisonError::into_inner).get(keyspace, key))
    }

    fn visit(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        show: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StorageError> {
        let contents = self.contents.read().unwrap_or_else(PoisonError::into_inner);
        contents.visit(keyspace, prefix, start_after, show);
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), StorageError> {
        batch.check()?;
        self.contents.write().unwrap_or_else(PoisonError::into_inner).write(batch).map(drop)
    }

    fn flush(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn close(&self) -> Result<(), StorageError> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        Ok(())
    }

    fn engine(&self) -> Engine {
        Engine::Memory
    }
}
