//! What a block leaves in the index.
//!
//! It does not write: it fills batches. Invariant: the entries of a block follow from the block and its parent alone, so that
//! a rebuilt index holds the same.

use cairn_runtime::Changes;
use cairn_storage::{Batch, Index, Keyspace, StorageError};
use cairn_types::{BlockHash, Call, Height, Position, SignedTransaction, codec, encode};

use super::JudgedBlock;
use crate::chain::{attestation_key, block_hash_key, content_key};
use crate::snapshot::HeaderCore;
use crate::snapshot::base;

/// Key in [`Keyspace::Meta`] of the height and hash that the index stands at.
pub(super) const TIP_KEY: &[u8] = b"tip";

pub(crate) fn index_tip(batch: &mut Batch, height: Height, hash: &BlockHash) {
    batch.put(Keyspace::Meta, TIP_KEY, encode(&(height, hash)));
    batch.put(Keyspace::History, block_hash_key(height), *hash.as_bytes());
}

pub(super) fn index_state(batch: &mut Batch, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => batch.put(Keyspace::State, key.clone(), value.clone()),
            None => batch.remove(Keyspace::State, key.clone()),
        }
    }
}

pub(super) fn index_block(batch: &mut Batch, judged: &JudgedBlock) {
    let height = judged.header.height;
    index_state(batch, &judged.executed.changes);
    for (index, transaction) in (0u32..).zip(&judged.transactions) {
        index_transaction(batch, Position { height, index }, transaction);
    }
    base::put_header(batch, height, &HeaderCore::of(&judged.header));
    index_tip(batch, height, &judged.hash);
}

/// Where a transaction stands, and what it attests.
pub(super) fn index_transaction(batch: &mut Batch, position: Position, transaction: &SignedTransaction) {
    batch.put(Keyspace::Transactions, *transaction.id().as_bytes(), encode(&position));
    if let Call::Attest(attest) = &transaction.body().call {
        batch.put(Keyspace::Attestations, attestation_key(&attest.stream, attest.sequence), encode(&position));
        batch.put(Keyspace::Contents, content_key(&attest.content.hash, position), Vec::new());
    }
}

/// The height and the block that an index says it stands at; `None` if it does not say.
///
/// # Errors
/// [`StorageError`]: the disk is to blame.
pub(crate) fn index_tip_of(index: &dyn Index) -> Result<Option<(Height, BlockHash)>, StorageError> {
    let tip = index.get(Keyspace::Meta, TIP_KEY)?;
    Ok(tip.and_then(|bytes| codec::decode(&bytes, 40).ok()))
}
