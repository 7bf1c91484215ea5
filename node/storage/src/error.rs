//! What can go wrong on disk, to which file, and what to do about it.
//!
//! One type for the crate, because every caller treats these alike: stop the node, refuse to start, or fetch from a peer.
//! It does not know who asked.

use std::io;
use std::path::{Path, PathBuf};

use cairn_types::{Height, Round};

use crate::block_log::LogDamage;
use crate::index::Engine;

/// What the disk, its contents, or the caller of this crate did wrong.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused an operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An earlier write or sync of this file failed, so what it holds is unknown until it is opened again.
    #[error("{} takes no more writes since one failed ({reason}); stop the node and look at the disk", path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The first failure.
        reason: String,
    },
    /// The data directory was written by a version whose format this one does not know.
    #[error("{} has store format {found:?}, and this version reads format {expected}", path.display())]
    FormatUnknown {
        /// The file that states the format.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What this version reads and writes.
        expected: u32,
    },
    /// The data directory belongs to another network.
    #[error("{} belongs to chain {found}, not to {expected}", path.display())]
    ChainForeign {
        /// The data directory.
        path: PathBuf,
        /// The chain it was made for.
        found: String,
        /// The chain that the node was started for.
        expected: String,
    },
    /// Another process has the data directory open.
    #[error("{} is in use by another process", path.display())]
    DirectoryInUse {
        /// The lock file.
        path: PathBuf,
    },
    /// A file that an initialized data directory must have is gone. Making a new one would forget what was signed.
    #[error(
        "{} is missing from an initialized data directory; put back the very file if it was moved, never an older copy; otherwise \
         start with a new directory and new keys",
        path.display()
    )]
    FileMissing {
        /// The file.
        path: PathBuf,
    },
    /// A file exists where a new one was to be made.
    #[error("{} exists already", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// Both copies of a file's preamble are damaged.
    #[error("{} has lost both copies of its preamble, without which none of its frames can be checked", path.display())]
    PreambleDamaged {
        /// The file.
        path: PathBuf,
    },
    /// A file's preamble contradicts its name or its siblings: it was renamed, or copied from elsewhere.
    #[error("{} does not belong here: {reason}", path.display())]
    FileMisplaced {
        /// The file.
        path: PathBuf,
        /// What contradicts what.
        reason: String,
    },
    /// The block log starts at another height than the caller expects.
    #[error("the block log in {} starts at height {found}, not at {expected}", path.display())]
    FirstHeightMismatch {
        /// The log's directory.
        path: PathBuf,
        /// Where it starts.
        found: Height,
        /// Where the caller said it starts.
        expected: Height,
    },
    /// A record of the block log is damaged. The rest of the log stays readable; a peer can supply the block.
    #[error("{0}")]
    LogDamaged(LogDamage),
    /// The base is damaged: it stands for blocks that are not here, so nothing on this disk can replace it.
    #[error("{} is damaged at byte {offset}, and stands for blocks that are not here; move it, the blocks and the index away, leave the rest, and start the node again: it joins anew", path.display())]
    BaseDamaged {
        /// The file.
        path: PathBuf,
        /// Where the damage begins, in bytes.
        offset: u64,
    },
    /// A file of places, which are derived from the block log, is not what was written. The next start finds them again.
    #[error("{} is not what was written, at byte {offset}; start the node again: it fills its index from the block log", path.display())]
    PlacesDamaged {
        /// The file.
        path: PathBuf,
        /// Where the damage begins, in bytes.
        offset: u64,
    },
    /// The caller named a place that no block log reaches.
    #[error("transaction {index} of block {height} is beyond what places can name")]
    PlaceTooFar {
        /// The height.
        height: Height,
        /// The index in the block.
        index: u32,
    },
    /// Heights of the block log are contiguous, and this one is not next.
    #[error("the block log continues with height {expected}, not with {found}")]
    HeightNotNext {
        /// The height to append.
        expected: Height,
        /// The height that was given.
        found: Height,
    },
    /// The log has reached the last height that 64 bits can name.
    #[error("no height follows {height}")]
    HeightsExhausted {
        /// The last height.
        height: Height,
    },
    /// Something is longer than its cap.
    #[error("{what} of {bytes} bytes exceeds the cap of {bytes_max}")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The cap.
        bytes_max: usize,
    },
    /// The write-ahead log is damaged before its end: entries that other nodes may have acted upon are lost.
    #[error(
        "{} is damaged at byte {offset}, before its last whole entry; this node may have voted by entries that are lost, so it must not vote in this height",
        path.display()
    )]
    WalDamaged {
        /// The file.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
    },
    /// The write-ahead log only moves to greater heights.
    #[error("the write-ahead log is at height {current} and cannot start height {requested}")]
    WalHeightNotNewer {
        /// Its height.
        current: Height,
        /// The height it was told to start.
        requested: Height,
    },
    /// The sign state cannot prove which of its records is the last.
    #[error(
        "{} cannot prove what was signed last: {reason}. Signing from an older record could sign twice, so this node must not sign; \
         restore nothing from a backup, give the validator a new key",
        path.display()
    )]
    SignStateUnprovable {
        /// The file.
        path: PathBuf,
        /// Which slot is damaged.
        reason: String,
    },
    /// Something of a later height, round or step was signed before.
    #[error(
        "refused to sign height {} round {} step {}: height {} round {} step {} was signed before",
        requested.0, requested.1.get(), requested.2, current.0, current.1.get(), current.2
    )]
    SignStateOlder {
        /// Height, round and step of the last signature.
        current: (Height, Round, u8),
        /// Height, round and step that was to be signed.
        requested: (Height, Round, u8),
    },
    /// Something else was signed before at the same height, round and step.
    #[error("refused to sign a second value at height {height} round {} step {step}", round.get())]
    SignStateConflict {
        /// Height of both.
        height: Height,
        /// Round of both.
        round: Round,
        /// Step of both.
        step: u8,
    },
    /// The index engine failed. The index is derived: restart the node, and it is rebuilt if it cannot be opened.
    #[error("the {engine} index cannot {operation}: {reason}")]
    Index {
        /// The engine.
        engine: Engine,
        /// What was attempted, as a verb.
        operation: &'static str,
        /// What the engine said, or how it panicked.
        reason: String,
    },
    /// A key of the index is empty, which not every engine can store.
    #[error("keys of the index must not be empty")]
    IndexKeyEmpty,
    /// The index was closed and takes no more writes.
    #[error("the {engine} index is closed")]
    IndexClosed {
        /// The engine.
        engine: Engine,
    },
}

impl StorageError {
    /// Whether the node has to stop: what the disk holds is no longer known.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Poisoned { .. })
    }

    /// Wraps an I/O error with what was attempted and where; made for `map_err`.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_path_buf(), source }
    }
}
