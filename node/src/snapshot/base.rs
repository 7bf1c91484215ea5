//! The base of a store as the ledger uses it: writing one, and beginning with one.
//!
//! ```text
//! first piece    the checkpoint proof of S
//! then           headers 1 … S-1, then the state after S, as Pieces
//! ```
//!
//! It is written when a node has joined by a snapshot, and when it drops old blocks. It is not believed because it lies on
//! our disk: reading it, everything is checked against the genesis hash again, and a base that does not hold is refused.
//!
//! It does not know when blocks are dropped. Invariant: what `fill` leaves in the index is what executing all blocks
//! up to S would have left, but for the places of transactions, attestations and contents.

use cairn_genesis::GenesisBlock;
use cairn_proofs::checkpoint::{self, CheckpointProof};
use cairn_proofs::verdict::Reason;
use cairn_storage::{BaseReader, BaseWriter, Batch, DataDirectory, Index, Keyspace, LogExtent, StorageError};
use cairn_types::{DecodeError, Height, codec, encode};

use super::header_core::{HeaderCore, HeaderWalk, Restored};
use super::receive::Piece;
use super::{CHECKPOINT_BYTES_MAX, HEADERS_PER_PIECE_MAX, STATE_PIECE_BYTES};
use crate::chain::{Chain, ReadError, Snapshot, header_core_key, history_node_key};
use crate::deciders::Deciders;
use crate::ledger::{LedgerError, index_tip, loading};

/// Most bytes of an encoded piece.
const PIECE_BYTES_MAX: usize = cairn_storage::BASE_PIECE_BYTES_MAX;

/// Why a base is refused. Whoever wrote the file is to blame; it was not this program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    #[error("it has no checkpoint")]
    Empty,
    #[error("its checkpoint is not certified: {0}")]
    Checkpoint(Reason),
    #[error("a piece does not decode: {0}")]
    Malformed(#[from] DecodeError),
    #[error("its {what} is not the one of its checkpoint")]
    Other { what: &'static str },
}

/// A base that was opened, and whose checkpoint is certified.
pub(crate) struct Base {
    reader: BaseReader,
    pub(crate) proof: CheckpointProof,
}

impl Base {
    /// Opens the base of a store; `None` if its block log holds everything since block 1.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk, or whoever changed the file, is to blame.
    pub(crate) fn open(directory: &DataDirectory, genesis: &GenesisBlock) -> Result<Option<Self>, LedgerError> {
        let Some(mut reader) = directory.open_base()? else { return Ok(None) };
        let first = reader.next_piece()?.ok_or(BaseError::Empty)?;
        let proof: CheckpointProof = codec::decode(&first, CHECKPOINT_BYTES_MAX).map_err(BaseError::Malformed)?;
        checkpoint::establish(&proof, &genesis.chain).map_err(BaseError::Checkpoint)?;
        Ok(Some(Self { reader, proof }))
    }

    /// What it says of the block log.
    pub(crate) const fn extent(&self) -> LogExtent {
        self.reader.extent()
    }

    /// The height of its checkpoint.
    pub(crate) const fn height(&self) -> Height {
        self.proof.checkpoint.height
    }

    /// Fills an empty index from it, and answers with the ledger at its checkpoint.
    ///
    /// # Errors
    /// [`LedgerError`]: as [`Base::open`]; the index then has no tip, and counts as empty.
    pub(crate) fn fill(mut self, index: &dyn Index) -> Result<Snapshot, LedgerError> {
        let mut walk = HeaderWalk::new(&self.proof);
        let mut batch = Batch::new();
        let genesis = self.proof.genesis.hash();
        put_history(&mut batch, cairn_proofs::accumulator::Frontier::new().append(&genesis.hash()));
        batch.put(Keyspace::History, crate::chain::block_hash_key(Height::GENESIS), *genesis.hash().as_bytes());
        index.write(&batch)?;
        while let Some(bytes) = self.reader.next_piece()? {
            let mut batch = Batch::new();
            match codec::decode(&bytes, PIECE_BYTES_MAX).map_err(BaseError::Malformed)? {
                Piece::Headers(headers) => {
                    for core in headers {
                        let Restored { header, hash, nodes } = walk.push(&core);
                        put_history(&mut batch, nodes);
                        put_header(&mut batch, header.height, &core);
                        let key = crate::chain::block_hash_key(header.height);
                        batch.put(Keyspace::History, key, *hash.hash().as_bytes());
                    }
                }
                Piece::State(part) => {
                    for (key, value) in part {
                        batch.put(Keyspace::State, key, value);
                    }
                }
            }
            index.write(&batch)?;
        }
        let header = self.proof.checkpoint;
        let other_state = || BaseError::Other { what: "state" };
        let state = loading::state(index)?.ok_or_else(other_state)?;
        if walk.next() != header.height
            || walk.parent() != header.parent
            || walk.history().root() != header.history_root
        {
            return Err(BaseError::Other { what: "history" }.into());
        }
        if state.root() != header.state_root {
            return Err(other_state().into());
        }
        let (height, hash) = (header.height, header.hash());
        let mut history = walk.history().clone();
        let mut batch = Batch::new();
        put_history(&mut batch, history.append(&hash.hash()));
        put_header(&mut batch, height, &HeaderCore::of(&header));
        index_tip(&mut batch, height, &hash);
        index.write(&batch)?;
        Ok(Snapshot {
            parameters: std::sync::Arc::new(cairn_runtime::state::parameters(&state)),
            deciders: Deciders::of(&state, height),
            upgrade: cairn_runtime::governance::scheduled_upgrade(&state, height),
            header,
            hash,
            certificate: Some(self.proof.certificate),
            state,
            history,
            // The block itself is not here; nobody is told of it as new.
            transactions: 0,
        })
    }
}

fn put_history(batch: &mut Batch, nodes: Vec<cairn_proofs::accumulator::Node>) {
    for (level, index, hash) in nodes {
        batch.put(Keyspace::History, history_node_key(level, index), *hash.as_bytes());
    }
}

/// Keeps what does not follow from other headers.
pub(crate) fn put_header(batch: &mut Batch, height: Height, core: &HeaderCore) {
    batch.put(Keyspace::History, header_core_key(height), encode(core));
}

/// Writes the checkpoint proof that a base begins with.
///
/// # Errors
/// [`StorageError`]: the disk is to blame.
pub(crate) fn begin(writer: &mut BaseWriter, proof: &CheckpointProof) -> Result<(), StorageError> {
    writer.append(&encode(proof))
}

/// Writes a piece.
///
/// # Errors
/// [`StorageError`]: the disk is to blame.
pub(crate) fn append(writer: &mut BaseWriter, piece: &Piece) -> Result<(), StorageError> {
    writer.append(&encode(piece))
}

/// Writes the base of a height of this node's own ledger, whole and durable.
///
/// # Errors
/// [`LedgerError`]: this node's disk is to blame.
pub(crate) fn write_own(mut writer: BaseWriter, chain: &Chain, snapshot: &Snapshot) -> Result<(), LedgerError> {
    let no_checkpoint = || ReadError::IndexHole { what: "certificate of the genesis".to_owned() };
    let proof = chain.checkpoint_proof(snapshot)?.ok_or_else(no_checkpoint)?;
    begin(&mut writer, &proof)?;
    let height = snapshot.header.height.get();
    let mut next: u64 = 1;
    while next < height {
        let wanted = usize::try_from(height.saturating_sub(next)).unwrap_or(usize::MAX).min(HEADERS_PER_PIECE_MAX);
        let headers = chain.header_cores(Height::new(next), wanted)?;
        if headers.is_empty() {
            return Err(ReadError::IndexHole { what: format!("header of block {next}") }.into());
        }
        next = next.saturating_add(u64::try_from(headers.len()).unwrap_or(u64::MAX));
        append(&mut writer, &Piece::Headers(headers))?;
    }
    let mut part = Vec::new();
    let mut bytes: usize = 0;
    for (key, value) in snapshot.state.prefix(&[]) {
        bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
        part.push((key, value.into_owned()));
        if bytes >= STATE_PIECE_BYTES {
            append(&mut writer, &Piece::State(std::mem::take(&mut part)))?;
            bytes = 0;
        }
    }
    if !part.is_empty() {
        append(&mut writer, &Piece::State(part))?;
    }
    Ok(writer.finish()?)
}
