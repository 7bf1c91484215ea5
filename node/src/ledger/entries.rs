//! What a block leaves in the index.
//!
//! It does not write: it fills batches, and tells names. Invariant: the entries of a block follow from the block and its parent alone, so that
//! a rebuilt index holds the same.

use cairn_proofs::accumulator::Node;
use cairn_runtime::Changes;
use cairn_storage::{Batch, BlockPlaces, Family, Index, Keyspace, StorageError};
use cairn_types::{BlockHash, Call, Height, SignedTransaction, codec, encode};

use super::JudgedBlock;
use crate::chain::{attestation_name, block_hash_key, header_core_key, history_node_key};
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

/// What a block adds to the history: readers need it at once.
pub(super) fn index_history(batch: &mut Batch, judged: &JudgedBlock, nodes: Vec<Node>) {
    let height = judged.header.height;
    base::put_header(batch, height, &HeaderCore::of(&judged.header));
    batch.put(Keyspace::History, block_hash_key(height), *judged.hash.as_bytes());
    for (level, index, hash) in nodes {
        batch.put(Keyspace::History, history_node_key(level, index), *hash.as_bytes());
    }
}

/// Removes what the history holds above `height`: it is written before the tip that it belongs to.
///
/// # Errors
/// [`StorageError`]: the disk is to blame.
pub(super) fn forget_history_above(index: &dyn Index, height: Height) -> Result<(), StorageError> {
    let count = height.get().saturating_add(1);
    let levels = (0..64).map(|level: u8| (level, (count >> level).checked_sub(1)));
    let marks = [block_hash_key(height), header_core_key(height)].map(|key| (key.first().copied(), Some(height.get())));
    let marks = marks.into_iter().filter_map(|(mark, last)| Some((mark?, last)));
    let mut batch = Batch::new();
    for (level, last) in levels.chain(marks) {
        let last = last.map(|last| history_node_key(level, last));
        for (key, _) in index.range(Keyspace::History, &[level], last.as_deref(), usize::MAX)? {
            batch.remove(Keyspace::History, key);
        }
    }
    if batch.is_empty() { Ok(()) } else { index.write(&batch) }
}

/// The names by which a transaction, transaction `index` of its block, is found.
pub(super) fn name_transaction(block: &mut BlockPlaces, index: u32, transaction: &SignedTransaction) {
    names(transaction, |family, name| block.push(family, name, index));
}

/// Tells the names by which a transaction is found.
pub(crate) fn names(transaction: &SignedTransaction, mut tell: impl FnMut(Family, &[u8])) {
    tell(Family::Transactions, transaction.id().as_bytes());
    if let Call::Attest(attest) = &transaction.body().call {
        tell(Family::Attestations, &attestation_name(&attest.stream, attest.sequence));
        tell(Family::Contents, attest.content.hash.as_bytes());
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
