//! The index in memory: the plainest reading of the trait's contract, against which tests compare the engines.
//! It does not touch the disk.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use super::{Batch, Engine, Entry, Index, Keyspace, range_start};
use crate::error::StorageError;

/// Everything in one sorted map for each keyspace.
#[derive(Debug, Default)]
pub(super) struct MemoryIndex {
    contents: RwLock<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    keyspaces: BTreeMap<Keyspace, BTreeMap<Vec<u8>, Vec<u8>>>,
    closed: bool,
}

impl Index for MemoryIndex {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let contents = self.contents.read().unwrap_or_else(PoisonError::into_inner);
        Ok(contents.keyspaces.get(&keyspace).and_then(|keys| keys.get(key)).cloned())
    }

    fn range(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        let contents = self.contents.read().unwrap_or_else(PoisonError::into_inner);
        let Some(keys) = contents.keyspaces.get(&keyspace) else { return Ok(Vec::new()) };
        Ok(keys
            .range::<[u8], _>((range_start(prefix, start_after), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn write(&self, batch: &Batch) -> Result<(), StorageError> {
        batch.check()?;
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        if contents.closed {
            return Err(StorageError::IndexClosed { engine: Engine::Memory });
        }
        for (keyspace, key, value) in batch.iter() {
            let keys = contents.keyspaces.entry(keyspace).or_default();
            match value {
                Some(value) => keys.insert(key.to_vec(), value.to_vec()),
                None => keys.remove(key),
            };
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn close(&self) -> Result<(), StorageError> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner).closed = true;
        Ok(())
    }

    fn engine(&self) -> Engine {
        Engine::Memory
    }
}
