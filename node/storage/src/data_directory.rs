//! A node's data directory: what is where, whose it is, and that one process has it.
//!
//! It does not open the files in it. It keeps one rule above all: files whose loss makes a node forget what it signed or is
//! locked on are made once, before the directory counts as initialized, and never silently again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_types::{ChainId, Height};

use crate::base::{BASE_FILE, BasePlace, BaseReader, LogExtent};
use crate::block_log::{BlockLog, LogRecovery};
use crate::disk::{self, Disk, DiskFile, Lock, real_disk};
use crate::error::StorageError;
use crate::index::{Engine, Index, IndexState};
use crate::places::Places;
use crate::sign_state::SignState;
use crate::write_ahead_log::{WalContents, WriteAheadLog};

/// The store's format: what the files and directories are called, and what they mean together. Each file states its own
/// format besides.
pub const STORE_FORMAT: u32 = 1;

/// The store's format once it has a base: older programs, which do not know that blocks may be missing before the log's
/// first, refuse it in words.
pub const BASED_STORE_FORMAT: u32 = 2;

/// How much of a `format` file is read, in bytes; ours has about 90.
const FORMAT_FILE_BYTES_MAX: usize = 1024;

/// An initialized data directory that this process alone has open, until the value is dropped.
#[derive(Debug)]
pub struct DataDirectory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    _lock: Box<dyn Lock>,
}

impl DataDirectory {
    /// Opens the directory for `chain` on the machine's own disk: see [`DataDirectory::open_on`].
    ///
    /// # Errors
    /// As [`DataDirectory::open_on`].
    pub fn open(path: &Path, chain: ChainId) -> Result<Self, StorageError> {
        Self::open_on(real_disk(), path, chain)
    }

    /// Opens the directory for `chain`, and initializes it if it is new.
    ///
    /// # Errors
    /// [`StorageError::DirectoryInUse`] if another process has it; [`StorageError::FormatUnknown`] if another version
    /// wrote it; [`StorageError::ChainForeign`] if it belongs to another network; [`StorageError::FileMissing`] if it
    /// holds blocks and does not say whose; [`StorageError::Io`].
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path, chain: ChainId) -> Result<Self, StorageError> {
        disk::create_directory(disk.as_ref(), path)?;
        let lock_path = path.join("lock");
        let lock = disk.lock(&lock_path).map_err(StorageError::io("lock", &lock_path))?;
        let lock = lock.ok_or(StorageError::DirectoryInUse { path: lock_path })?;
        let directory = Self { disk, path: path.to_path_buf(), _lock: lock };
        directory.check_or_initialize(chain)?;
        Ok(directory)
    }

    fn check_or_initialize(&self, chain: ChainId) -> Result<(), StorageError> {
        let path = self.path.join("format");
        let expected = format!("cairn store {STORE_FORMAT}\nchain {chain}\n");
        let disk = self.disk.as_ref();
        if !disk.exists(&path) {
            if disk.exists(&self.blocks()) {
                return Err(StorageError::FileMissing { path });
            }
            // Nothing was signed before the format was written, so leftovers of an interrupted start are empty.
            for made in [
                SignState::create_on(disk, &self.sign_state()),
                WriteAheadLog::create_on(disk, &self.write_ahead_log(), Height::GENESIS),
            ] {
                match made {
                    Ok(()) | Err(StorageError::FileExists { .. }) => {}
                    Err(other) => return Err(other),
                }
            }
            return disk::replace_file(disk, &path, expected.as_bytes());
        }
        disk::sync_directory(disk, &self.path)?;
        let file = DiskFile::open_to_read(disk, &path)?;
        let mut bytes = vec![0; FORMAT_FILE_BYTES_MAX];
        let got = file.read_at(&mut bytes, 0)?;
        let text = String::from_utf8_lossy(bytes.get(..got).unwrap_or_default());
        let mut lines = text.lines();
        let format = lines.next().unwrap_or_default();
        let known = [STORE_FORMAT, BASED_STORE_FORMAT];
        if !known.iter().any(|known| format.strip_prefix("cairn store ") == Some(&known.to_string())) {
            return Err(StorageError::FormatUnknown { path, found: format.to_owned(), expected: BASED_STORE_FORMAT });
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

    /// The disk that it is on.
    pub const fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Where a base is written, of the store of `chain`.
    pub fn base_place(&self, chain: ChainId) -> BasePlace {
        BasePlace { disk: Arc::clone(&self.disk), directory: self.path.clone(), chain }
    }

    /// Opens the base; `None` if the block log holds everything since block 1.
    ///
    /// # Errors
    /// [`StorageError::PreambleDamaged`]; [`StorageError::FormatUnknown`]; [`StorageError::Io`].
    pub fn open_base(&self) -> Result<Option<BaseReader>, StorageError> {
        BaseReader::open(self.disk.as_ref(), &self.base())
    }

    /// Opens the block log beside a base. What the base says is dropped is removed, if that was interrupted.
    ///
    /// # Errors
    /// As [`BlockLog::open_on`].
    pub fn open_based_block_log(&self, extent: LogExtent) -> Result<(BlockLog, LogRecovery), StorageError> {
        BlockLog::open_extent(Arc::clone(&self.disk), &self.blocks(), extent)
    }

    /// File of the base.
    pub fn base(&self) -> PathBuf {
        self.path.join(BASE_FILE)
    }

    /// Opens the block log, which starts at `first_height`.
    ///
    /// # Errors
    /// As [`BlockLog::open_on`].
    pub fn open_block_log(&self, first_height: Height) -> Result<(BlockLog, LogRecovery), StorageError> {
        BlockLog::open_on(Arc::clone(&self.disk), &self.blocks(), first_height)
    }

    /// Opens the write-ahead log.
    ///
    /// # Errors
    /// As [`WriteAheadLog::open_on`].
    pub fn open_write_ahead_log(&self) -> Result<(WriteAheadLog, WalContents), StorageError> {
        WriteAheadLog::open_on(Arc::clone(&self.disk), &self.write_ahead_log())
    }

    /// Opens the write-ahead log. One that is damaged before its end is moved to `consensus.wal.damaged`, and an empty one at
    /// `height` takes its place: whoever signs must not sign in heights of which the sign state knows a signature and the log
    /// no entry of it.
    ///
    /// # Errors
    /// As [`WriteAheadLog::open_on`], but for damage.
    pub fn open_or_replace_write_ahead_log(
        &self,
        height: Height,
    ) -> Result<(WriteAheadLog, WalContents), StorageError> {
        match self.open_write_ahead_log() {
            Err(error @ (StorageError::WalDamaged { .. } | StorageError::PreambleDamaged { .. })) => {
                let kept = self.path.join("consensus.wal.damaged");
                tracing::error!(%error, kept = %kept.display(), "the write-ahead log is damaged, and a new one takes its place");
                WriteAheadLog::replace_on(self.disk.as_ref(), &self.write_ahead_log(), &kept, height)?;
                self.open_write_ahead_log()
            }
            other => other,
        }
    }

    /// Opens the sign state.
    ///
    /// # Errors
    /// As [`SignState::open_on`].
    pub fn open_sign_state(&self) -> Result<SignState, StorageError> {
        SignState::open_on(self.disk.as_ref(), &self.sign_state())
    }

    /// Opens an engine's index; an index that works comes back, whatever was there.
    ///
    /// # Errors
    /// As [`crate::open_index`].
    pub fn open_index(&self, engine: Engine) -> Result<(Arc<dyn Index>, IndexState), StorageError> {
        self.disk.open_index(&self.index(engine), engine)
    }

    /// Removes an engine's index, so that the next opening makes an empty one. No handle of it may be in use.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn discard_index(&self, engine: Engine) -> Result<(), StorageError> {
        self.disk.discard_index(&self.index(engine))?;
        Places::discard(self.disk.as_ref(), &self.places(engine))
    }

    /// Opens the places of an engine's index, beside a block log that keeps the heights from `first` on and appends at
    /// `log_next`. The index is opened before.
    ///
    /// # Errors
    /// As [`Places::open`].
    pub fn open_places(&self, engine: Engine, first: Height, log_next: Height) -> Result<Places, StorageError> {
        Places::open(Arc::clone(&self.disk), &self.places(engine), first, log_next)
    }

    /// Directory of the places of an engine's index.
    pub fn places(&self, engine: Engine) -> PathBuf {
        self.index(engine).join("places")
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
        self.disk.free_bytes(&self.path).map_err(StorageError::io("measure", &self.path))
    }
}
