//! State snapshots: how a node begins in the middle of the ledger without believing anybody.
//!
//! ```text
//! genesis hash ──► checkpoint proof ──► header S ──┬── history_root ──► the headers of blocks 1 … S-1
//!                  (validators since genesis,      └── state_root ────► every entry of the state after block S
//!                   each set certified by the one before)
//! ```
//!
//! A snapshot of height S is the checkpoint proof of S, the headers before it and the state after it. A node has snapshots
//! of the heights that are multiples of an interval, and of the height it was started at, in memory: the state is a
//! persistent tree, so an old one costs what has changed since. Whoever joins asks for
//!
//! ```text
//! Request::Snapshot                      the checkpoint proof of the newest snapshot
//! Request::SnapshotHeaders { S, from }   up to HEADERS_PER_PIECE_MAX headers from there on, and the place of the last one
//!                                        in the history of S
//! Request::SnapshotState { S, after }    the next piece of the state, about STATE_PIECE_BYTES, with its proof
//! ```
//!
//! and checks each answer as it comes ([`receive`]). A peer that lies is found out at that very answer, and another one is
//! asked; nothing is used before all of it has come and holds.
//!
//! A header is sent and kept as a [`HeaderCore`], 76 of its 246 bytes: the rest follows from the headers before it and from
//! the validators that the checkpoint proof names. All headers are needed: a device that was offline for a year names a
//! block of last year, and the rules compare its hash; a bundle for what it says shows that block's header.
//!
//! What comes in is kept in the *base* of the store ([`base`]), which also is what lets a node drop old blocks: the base
//! takes their place when the index is lost. What no snapshot holds are the blocks themselves: transactions before S cannot
//! be found by id, content or place on a node that joined, and it says so.
//!
//! Invariant: whatever the peers send, a node ends up with the state and history of a header that its genesis hash certifies,
//! or with nothing.

pub(crate) mod base;
pub(crate) mod header_core;
pub(crate) mod join;
pub(crate) mod offer;
pub(crate) mod receive;

pub(crate) use header_core::HeaderCore;

/// Heights between two snapshots of a node whose configuration does not say: a quarter of an hour at a block a second.
pub(crate) const SNAPSHOT_INTERVAL: u64 = 1_024;

/// How far the others must be ahead for an empty node to prefer a snapshot, in heights: fewer blocks are executed again
/// sooner than a snapshot is fetched.
pub(crate) const SNAPSHOT_MIN_LAG: u64 = 1_024;

/// Most headers in one answer: 0.6 MB.
pub(crate) const HEADERS_PER_PIECE_MAX: usize = 8_192;

/// About how many bytes of entries are in one piece of the state: proven and written in some milliseconds.
pub(crate) const STATE_PIECE_BYTES: usize = 512 * 1024;

/// Most bytes of an encoded checkpoint proof: 400 changes of 128 validators.
pub(crate) const CHECKPOINT_BYTES_MAX: usize = 7 * 1024 * 1024;

const _: () =
    assert!(CHECKPOINT_BYTES_MAX + 64 <= cairn_network::RESPONSE_BYTES_MAX, "a checkpoint proof fits an answer");
const _: () = assert!(
    cairn_proofs::tree::PROOF_BYTES_MAX + 64 <= cairn_network::RESPONSE_BYTES_MAX
        && HEADERS_PER_PIECE_MAX * header_core::HEADER_CORE_BYTES + 4_096 <= cairn_network::RESPONSE_BYTES_MAX,
    "every piece fits an answer"
);

#[cfg(test)]
mod tests;
