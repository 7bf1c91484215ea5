//! A node's data directory: what is where, whose it is, and that one process has it.
//!
//! It does not open the files in it. It keeps one rule above all: files whose loss makes a node forget what it signed or is
//! locked on are made once, before the directory counts as initialized, and never silently again.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use cairn_types::{ChainId, Height};

use crate::disk;
use crate::error::StorageError;
use crate::index::Engine;
use crate::sign_state::SignState;
use crate::write_ahead_log::WriteAheadLog;

/// The store's format: what the files and directories are called, and what they mean together. Each file states its own
/// format besides.
pub const STORE_FORMAT: u32 = 1;

/// Longest `format` file that is read, in bytes; ours has about 90.
const FORMAT_FILE_BYTES_MAX: u64 = 1024;

/// An initialized data directory that this process alone has open, until the value is dropped.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// Holds the lock; closing it gives the lock up.
    _lock: File,
}

impl DataDirectory {
    /// Opens the directory for `chain`, and initializes it if it is new.
    ///
    /// # Errors
    /// [`StorageError::DirectoryInUse`] if another process has it; [`StorageError::FormatUnknown`] if another version
    /// wrote it; [`StorageError::ChainForeign`] if it belongs to another network; [`StorageError::FileMissing`] if it
    /// holds blocks and does not say whose; [`StorageError::Io`].
    pub fn open(path: &Path, chain: ChainId) -> Result<Self, StorageError> {
        disk::create_directory(path)?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(StorageError::io("open", &lock_path))?;
        match fs4::FileExt::try_lock(&lock) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Err(StorageError::DirectoryInUse { path: lock_path }),
            Err(fs4::TryLockError::Error(source)) => return Err(StorageError::io("lock", &lock_path)(source)),
        }
        let directory = Self { path: path.to_path_buf(), _lock: lock };
        directory.check_or_initialize(chain)?;
        Ok(directory)
    }

    fn check_or_initialize(&self, chain: ChainId) -> Result<(), StorageError> {
        let path = self.path.join("format");
        let expected = format!("cairn store {STORE_FORMAT}\nchain {chain}\n");
        let found = match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if self.blocks().exists() {
                    return Err(StorageError::FileMissing { path });
                }
                // Nothing was signed before the format was written, so leftovers of an interrupted start are empty.
                for made in [
                    SignState::create(&self.sign_state()),
                    WriteAheadLog::create(&self.write_ahead_log(), Height::GENESIS),
                ] {
                    match made {
                        Ok(()) | Err(StorageError::FileExists { .. }) => {}
                        Err(other) => return Err(other),
                    }
                }
                return disk::replace_file(&path, expected.as_bytes());
            }
            other => other.map_err(StorageError::io("measure", &path))?,
        };
        let text = if found.len() <= FORMAT_FILE_BYTES_MAX {
            String::from_utf8_lossy(&fs::read(&path).map_err(StorageError::io("read", &path))?).into_owned()
        } else {
            format!("a file of {} bytes", found.len())
        };
        let mut lines = text.lines();
        let format = lines.next().unwrap_or_default();
        if format.strip_prefix("cairn store ") != Some(&STORE_FORMAT.to_string()) {
            return Err(StorageError::FormatUnknown { path, found: format.to_owned(), expected: STORE_FORMAT });
        }
        let found = lines.next().and_then(|line| line.strip_prefix("chain ")).unwrap_or("none").to_owned();
        if found != chain.to_string() {
            return Err(StorageError::ChainForeign { path: self.path.clone(), found, expected: chain.to_string() });
        }
        Ok(())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Directory of the block log.
    pub fn blocks(&self) -> PathBuf {
        self.path.join("blocks")
    }

    /// File of the consensus write-ahead log.
    pub fn write_ahead_log(&self) -> PathBuf {
        self.path.join("consensus.wal")
    }

    /// File of the sign state.
    pub fn sign_state(&self) -> PathBuf {
        self.path.join("sign-state")
    }

    /// Directory of an engine's index.
    pub fn index(&self, engine: Engine) -> PathBuf {
        self.path.join(format!("index-{engine}"))
    }

    /// Bytes that the file system still gives to this user: below the low-water mark the node stops accepting.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn free_bytes(&self) -> Result<u64, StorageError> {
        fs4::available_space(&self.path).map_err(StorageError::io("measure", &self.path))
    }
}
