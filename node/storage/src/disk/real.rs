//! The machine's own disk, through the standard library. It adds nothing to the system calls it stands for.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use super::{Access, Disk, Lock, OpenFile};
use crate::error::StorageError;
use crate::index::{self, Engine, Index, IndexState};

/// The machine's own disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RealDisk;

/// The machine's own disk, to share.
pub fn real_disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn OpenFile>> {
        let file = match access {
            Access::Read => File::open(path)?,
            Access::Write => OpenOptions::new().read(true).write(true).open(path)?,
        };
        Ok(Box::new(file))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        // Nobody else has a say in what this node signed, or anything to read here.
        Ok(Box::new(OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().mode(0o700).create(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path).and_then(|directory| directory.sync_all())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(Some(Box::new(HeldFile { _file: file }))),
            Err(fs4::TryLockError::WouldBlock) => Ok(None),
            Err(fs4::TryLockError::Error(error)) => Err(error),
        }
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        fs4::available_space(path)
    }

    /// From the operating system's entropy behind the standard library's hasher keys. It keeps crafted blocks from passing
    /// for frames; no secret of any other kind depends on it.
    fn fresh_salt(&self) -> [u8; 16] {
        use std::hash::{BuildHasher, RandomState};
        let mut hasher = blake3::Hasher::new_derive_key("cairn storage salt v1");
        for _ in 0..4 {
            hasher.update(&RandomState::new().hash_one(std::process::id()).to_le_bytes());
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        hasher.update(&now.as_nanos().to_le_bytes());
        let mut salt = [0; 16];
        hasher.finalize_xof().fill(&mut salt);
        salt
    }

    fn open_index(&self, directory: &Path, engine: Engine) -> Result<(Arc<dyn Index>, IndexState), StorageError> {
        index::open_index(directory, engine)
    }

    fn discard_index(&self, directory: &Path) -> Result<(), StorageError> {
        index::discard_index(directory)
    }
}

impl OpenFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A lock file; closing it gives the lock up.
#[derive(Debug)]
struct HeldFile {
    _file: File,
}

impl Lock for HeldFile {}
