//! Receiving a snapshot: what to ask for next, and whether an answer is true.
//!
//! It asks nobody itself and writes nothing; [`super::join`] does. Every answer is checked by itself against the header
//! that the genesis hash certifies, so whoever sent a wrong one is known.
//!
//! Invariant: [`Piece`]s come out in order and without a gap, and each holds.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_proofs::accumulator::{AccumulatorError, InclusionProof};
use cairn_proofs::checkpoint::{self, CheckpointProof};
use cairn_proofs::tree::{PieceError, PieceReader, ProofError, StateProof};
use cairn_proofs::verdict::Reason;
use cairn_types::{ChainId, DecodeError, Height, codec};

use super::header_core::{HeaderCore, HeaderWalk};
use super::{CHECKPOINT_BYTES_MAX, HEADERS_PER_PIECE_MAX};
use crate::frame::{Request, Response};

/// A part of a snapshot that holds: as it is received, and as it is kept in the base of a store.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(crate) enum Piece {
    /// Headers, from the last piece's on.
    Headers(Vec<HeaderCore>) = 0,
    /// Entries of the state, ascending from the last piece's on.
    State(Vec<(Vec<u8>, Vec<u8>)>) = 1,
}

/// Headers as they are sent.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct HeadersPiece {
    /// From the height on that was asked for.
    pub(crate) headers: Vec<HeaderCore>,
    /// The last of them in the history of the snapshot's block.
    pub(crate) last: InclusionProof,
}

/// Why an answer is not believed. The peer that sent it is to blame, but for [`ReceiveError::NotHere`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error("its checkpoint is not certified: {0}")]
    Checkpoint(Reason),
    #[error("it does not decode: {0}")]
    Malformed(#[from] DecodeError),
    #[error("it is no proof: {0}")]
    Proof(#[from] ProofError),
    #[error("{0}")]
    State(#[from] PieceError),
    #[error("its headers are not those of the history: {0}")]
    History(#[from] AccumulatorError),
    #[error("{count} headers from height {from} on were not asked for")]
    Headers { from: Height, count: usize },
    #[error("it answers another question")]
    Unexpected,
    /// It does not have this snapshot, or no longer.
    #[error("it does not have the snapshot")]
    NotHere,
}

impl ReceiveError {
    /// Whether the peer said something false; otherwise it has nothing.
    pub(crate) const fn is_lie(&self) -> bool {
        !matches!(self, Self::NotHere)
    }
}

/// Reads and checks an offered snapshot's checkpoint proof.
///
/// # Errors
/// [`ReceiveError`]: the peer that sent it is to blame.
pub(crate) fn checkpoint(bytes: &[u8], chain: &ChainId) -> Result<CheckpointProof, ReceiveError> {
    let proof: CheckpointProof = codec::decode(bytes, CHECKPOINT_BYTES_MAX)?;
    checkpoint::establish(&proof, chain).map_err(ReceiveError::Checkpoint)?;
    Ok(proof)
}

/// See the module.
pub(crate) struct Receiver {
    proof: CheckpointProof,
    walk: HeaderWalk,
    state: PieceReader,
    /// Entries in the whole state, as every proof says; 0 before the first.
    entries: u64,
    received: u64,
}

impl Receiver {
    /// Begins to receive the snapshot of a checkpoint that has been checked.
    pub(crate) fn new(proof: CheckpointProof) -> Self {
        let walk = HeaderWalk::new(&proof);
        let state = PieceReader::new(proof.checkpoint.state_root);
        Self { proof, walk, state, entries: 0, received: 0 }
    }

    /// The checkpoint.
    pub(crate) const fn proof(&self) -> &CheckpointProof {
        &self.proof
    }

    /// What to ask for next; `None` if everything has come.
    pub(crate) fn want(&self) -> Option<Request> {
        let snapshot = self.proof.checkpoint.height;
        if self.walk.next() < snapshot {
            return Some(Request::SnapshotHeaders { snapshot, from: self.walk.next() });
        }
        let after = self.state.after().map(<[u8]>::to_vec);
        (!self.state.is_complete()).then_some(Request::SnapshotState { snapshot, after })
    }

    /// Takes the answer to what was wanted.
    ///
    /// # Errors
    /// [`ReceiveError`]: nothing has changed, and another peer may be asked the same.
    pub(crate) fn accept(&mut self, response: Response) -> Result<Piece, ReceiveError> {
        match (self.want(), response) {
            (Some(Request::SnapshotHeaders { from, .. }), Response::SnapshotHeaders(piece)) => {
                self.accept_headers(from, piece.ok_or(ReceiveError::NotHere)?)
            }
            (Some(Request::SnapshotState { .. }), Response::SnapshotState(piece)) => {
                let proof = StateProof::decode(&piece.ok_or(ReceiveError::NotHere)?)?;
                let entries = self.state.accept(&proof)?;
                self.entries = proof.count();
                self.received = self.received.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
                Ok(Piece::State(entries))
            }
            _ => Err(ReceiveError::Unexpected),
        }
    }

    fn accept_headers(&mut self, from: Height, piece: HeadersPiece) -> Result<Piece, ReceiveError> {
        let HeadersPiece { headers, last } = piece;
        let count = headers.len();
        let checkpoint = &self.proof.checkpoint;
        let room = checkpoint.height.get().saturating_sub(from.get());
        if count == 0 || count > HEADERS_PER_PIECE_MAX || u64::try_from(count).unwrap_or(u64::MAX) > room {
            return Err(ReceiveError::Headers { from, count });
        }
        // Each header holds the hash of the one before, so the last one vouches for all.
        let mut walk = self.walk.clone();
        for core in &headers {
            walk.push(core);
        }
        let expected = walk.next().get().saturating_sub(1);
        if last.index != expected {
            return Err(ReceiveError::Headers { from, count });
        }
        last.verify(&walk.parent().hash(), checkpoint.height.get(), &checkpoint.history_root)?;
        self.walk = walk;
        Ok(Piece::Headers(headers))
    }

    /// How far it is, in words.
    pub(crate) fn progress(&self) -> String {
        let snapshot = self.proof.checkpoint.height;
        if self.walk.next() < snapshot {
            format!("headers up to {} of {snapshot}", self.walk.next())
        } else {
            format!("{} of {} entries of the state", self.received, self.entries)
        }
    }
}
