//! The disk as everything durable here sees it: one small trait, the machine's own disk behind it, and a simulated one.
//!
//! ```text
//! block log, write-ahead log, sign state, data directory ──► Disk ──► RealDisk        the machine's files
//!                                                                ├──► SimulatedDisk   in memory: power cuts, rot, full
//!                                                                └──► OverlayDisk     a look at another, changing nothing
//! ```
//!
//! It does not know any format. It keeps two rules: a new or replaced file is visible under its name only when its bytes
//! and the name itself are durable, and every access passes through here, so that a simulation can cut the power at each.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StorageError;
use crate::index::{Engine, Index, IndexState};

mod overlay;
mod real;
pub mod simulated;

pub use overlay::OverlayDisk;
pub use real::{RealDisk, real_disk};

/// Suffix of a file that is being written and has no name yet; leftovers are of no use to anybody.
pub(crate) const TEMPORARY_SUFFIX: &str = ".new";

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// A disk: files, directories, and the one lock that keeps a second process away. Handles are shared between threads.
///
/// What was written is durable only after a sync: of the file for its bytes and its length, of the directory for names
/// that were created, renamed or removed in it. A power cut may undo any part of the rest.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens an existing file.
    ///
    /// # Errors
    /// What the operating system says; `NotFound` if there is none.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn OpenFile>>;

    /// Creates a file, or empties the one that is there, for reading and writing.
    ///
    /// # Errors
    /// What the operating system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn OpenFile>>;

    /// Renames a file, replacing what has the new name, in one step.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the operating system says; `NotFound` if there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// What the operating system says; `NotFound` if there is none.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, in no particular order.
    ///
    /// # Errors
    /// What the operating system says; `NotFound` if there is no such directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Whether a file or directory has this name.
    fn exists(&self, path: &Path) -> bool;

    /// Creates one directory, readable by the owner only; its parent exists.
    ///
    /// # Errors
    /// What the operating system says; `AlreadyExists` if there is one.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes names that were created, renamed or removed in a directory durable.
    ///
    /// # Errors
    /// What the operating system says; names may then be lost.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Takes the lock file, creating it if it is missing, until the value is dropped or the process ends; `None` if somebody
    /// else has it.
    ///
    /// # Errors
    /// What the operating system says.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;

    /// Bytes that can still be written below this directory.
    ///
    /// # Errors
    /// What the operating system says.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Bytes that no peer can guess, which key the checks of a new file.
    fn fresh_salt(&self) -> [u8; 16];

    /// Opens the index in a directory: its engines bring their own files, so the disk says where these are.
    ///
    /// # Errors
    /// As [`crate::open_index`].
    fn open_index(&self, directory: &Path, engine: Engine) -> Result<(Arc<dyn Index>, IndexState), StorageError>;

    /// Removes the index in a directory. No handle of it may be in use.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    fn discard_index(&self, directory: &Path) -> Result<(), StorageError>;
}

/// An open file. Offsets and lengths are in bytes.
pub trait OpenFile: Send + Sync + fmt::Debug {
    /// How long it is.
    ///
    /// # Errors
    /// What the operating system says.
    fn length(&self) -> io::Result<u64>;

    /// Reads from `offset` on; how many bytes came, zero only at the end or for an empty buffer.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`; durable only after [`OpenFile::sync`].
    ///
    /// # Errors
    /// What the operating system says; any part may have been written then.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or extends it with zeros; durable only after [`OpenFile::sync`].
    ///
    /// # Errors
    /// What the operating system says.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes everything written so far, and the length, durable (`fdatasync`).
    ///
    /// # Errors
    /// What the operating system says. What was written before may be lost, and a later sync need not say so again.
    fn sync(&self) -> io::Result<()>;
}

/// A lock that is held until it is dropped.
pub trait Lock: Send + Sync + fmt::Debug {}

/// An open file and its path, for error messages.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: Box<dyn OpenFile>,
    path: PathBuf,
}

impl DiskFile {
    /// Opens an existing file for reading and writing.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, StorageError> {
        let file = disk.open(path, Access::Write).map_err(StorageError::io("open", path))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Opens an existing file for reading.
    pub(crate) fn open_to_read(disk: &dyn Disk, path: &Path) -> Result<Self, StorageError> {
        let file = disk.open(path, Access::Read).map_err(StorageError::io("open", path))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> Result<u64, StorageError> {
        self.file.length().map_err(StorageError::io("measure", &self.path))
    }

    /// Fills `buffer` from `offset` on, as far as the file reaches; returns how many bytes it got.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, StorageError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StorageError::io("read", &self.path)(error)),
            }
        }
        Ok(filled)
    }

    /// Writes all of `bytes` at `offset`; durable only after [`DiskFile::sync`].
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StorageError> {
        self.file.write_at(bytes, offset).map_err(StorageError::io("write", &self.path))
    }

    /// Cuts or extends the file; durable only after [`DiskFile::sync`].
    pub(crate) fn set_length(&self, length: u64) -> Result<(), StorageError> {
        self.file.set_length(length).map_err(StorageError::io("truncate", &self.path))
    }

    /// Makes everything written so far, and the length, durable (`fdatasync`).
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        self.file.sync().map_err(StorageError::io("sync", &self.path))
    }
}

/// Makes names that were created, renamed or removed in a directory durable.
pub(crate) fn sync_directory(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    disk.sync_directory(path).map_err(StorageError::io("sync", path))
}

/// Makes what a file holds, and its name, durable before anybody acts on it. What an opening reads may be in the memory of the
/// machine only: a process that was killed between a write and its sync leaves it so, and a power cut would take it away again.
pub(crate) fn settle(disk: &dyn Disk, file: &DiskFile) -> Result<(), StorageError> {
    file.sync()?;
    sync_directory(disk, parent(&file.path))
}

/// Creates or replaces a file so that a crash leaves either the old one (or none) or the whole new one.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY_SUFFIX);
    let temporary = PathBuf::from(temporary);
    let file = disk.create(&temporary).map_err(StorageError::io("create", &temporary))?;
    let file = DiskFile { file, path: temporary };
    file.write_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&file.path, path).map_err(StorageError::io("rename", &file.path))?;
    sync_directory(disk, parent(path))
}

/// Creates a directory and its parents, readable by the owner only, and makes their names durable.
pub(crate) fn create_directory(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    if disk.exists(path) {
        return Ok(());
    }
    let parent = parent(path);
    create_directory(disk, parent)?;
    match disk.create_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(StorageError::io("create", path))?,
    }
    sync_directory(disk, parent)
}

/// The directory that a path's name is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
