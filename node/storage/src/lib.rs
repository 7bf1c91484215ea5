//! Everything that Cairn keeps on disk.
//!
//! ```text
//! data directory
//! ├── format            store version and chain          refused in words if foreign
//! ├── lock              one process at a time
//! ├── blocks/           BlockLog: THE LEDGER             fdatasync before anyone hears of a block
//! │   └── quarantine/   what was cut off before damage   until the log has the same blocks again
//! ├── base              Base: in the place of old blocks  only of a node that joined by snapshot or pruned
//! ├── consensus.wal     WriteAheadLog: current height    fdatasync before a vote leaves
//! ├── sign-state        SignState: what was signed last  fdatasync before a signature leaves
//! └── index-<engine>/   Index: derived, deletable        rebuilt from the block log
//!     └── places/       Places: where what stands        the part that grows with every transaction
//! ```
//!
//! The order that keeps a node honest through a power cut: log entry synced → sign state synced → signature leaves →
//! block synced → index written. After a failed write or sync nothing more is written: the node has to stop, because
//! the kernel may have dropped the very pages that it failed to write.
//!
//! All of it stands on one small trait, the [`Disk`]: the machine's own, or a simulated one that loses power, fails, fills up
//! and rots on demand.
//!
//! This crate is synchronous and works on bytes: it does not know what a block, a vote or a key of the index means, does
//! not decode any of them, and starts no task. It is the only crate that names sled or fjall, and none of their types
//! leave it.
//!
//! The invariants it keeps: bytes that were not written are never served as if they had been (every frame is checked at
//! every read); what was acknowledged survives a power cut; what is damaged is named, with its place.

pub mod base;
pub mod block_log;
pub mod data_directory;
pub mod disk;
pub mod error;
mod frame;
pub mod index;
pub mod places;
pub mod sign_state;
pub mod write_ahead_log;

pub use base::{BASE_PIECE_BYTES_MAX, BasePlace, BaseReader, BaseWriter, LogExtent};
pub use block_log::{
    BlockLog, BlockLogReader, CutTail, DamageReason, Location, LogDamage, LogRecord, LogRecovery, QuarantineState,
    Quarantined, RecordRef,
};
pub use data_directory::DataDirectory;
pub use disk::simulated::{Seeded, SimulatedDisk};
pub use disk::{Disk, OverlayDisk, RealDisk, real_disk};
pub use error::StorageError;
pub use index::{Batch, Engine, Index, IndexState, Keyspace, discard_index, memory_index, open_index};
pub use places::{BlockPlaces, Family, Place, Places};
pub use sign_state::{SignRecord, SignState};
pub use write_ahead_log::{WalContents, WriteAheadLog};
