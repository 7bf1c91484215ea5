//! The few operations on files that everything durable here is made of: positioned reads and writes, sync, and atomic
//! replacement of a whole file.
//!
//! It does not know any format. It keeps two rules: a new or replaced file is visible under its name only when its bytes
//! and the name itself are durable, and every mutation passes through here, so that tests can cut the power at each.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::StorageError;

#[cfg(test)]
pub(crate) mod faults;

/// Suffix of a file that is being written and has no name yet; leftovers are of no use to anybody.
pub(crate) const TEMPORARY_SUFFIX: &str = ".new";

/// An open file and its path, for error messages.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Opens an existing file for reading and writing.
    pub(crate) fn open(path: &Path) -> Result<Self, StorageError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(StorageError::io("open", path))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Opens an existing file for reading.
    pub(crate) fn open_to_read(path: &Path) -> Result<Self, StorageError> {
        let file = File::open(path).map_err(StorageError::io("open", path))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> Result<u64, StorageError> {
        Ok(self.file.metadata().map_err(StorageError::io("measure", &self.path))?.len())
    }

    /// Fills `buffer` from `offset` on, as far as the file reaches; returns how many bytes it got.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, StorageError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StorageError::io("read", &self.path)(error)),
            }
        }
        Ok(filled)
    }

    /// Writes all of `bytes` at `offset`; durable only after [`DiskFile::sync`].
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StorageError> {
        #[cfg(test)]
        faults::before_write(&self.file, &self.path, bytes, offset).map_err(StorageError::io("write", &self.path))?;
        self.file.write_all_at(bytes, offset).map_err(StorageError::io("write", &self.path))
    }

    /// Cuts or extends the file; durable only after [`DiskFile::sync`].
    pub(crate) fn set_length(&self, length: u64) -> Result<(), StorageError> {
        #[cfg(test)]
        faults::before_change(&self.path).map_err(StorageError::io("truncate", &self.path))?;
        self.file.set_len(length).map_err(StorageError::io("truncate", &self.path))
    }

    /// Makes everything written so far, and the length, durable (`fdatasync`).
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        #[cfg(test)]
        if faults::sync(&self.path).map_err(StorageError::io("sync", &self.path))? {
            return Ok(());
        }
        self.file.sync_data().map_err(StorageError::io("sync", &self.path))
    }
}

/// Makes names that were created, renamed or removed in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StorageError> {
    #[cfg(test)]
    if faults::sync_directory(path).map_err(StorageError::io("sync", path))? {
        return Ok(());
    }
    File::open(path).and_then(|directory| directory.sync_all()).map_err(StorageError::io("sync", path))
}

/// Creates or replaces a file so that a crash leaves either the old one (or none) or the whole new one.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY_SUFFIX);
    let temporary = PathBuf::from(temporary);
    File::create(&temporary).map_err(StorageError::io("create", &temporary))?;
    let file = DiskFile::open(&temporary)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    #[cfg(test)]
    faults::before_rename(&temporary, path).map_err(StorageError::io("rename", &temporary))?;
    fs::rename(&temporary, path).map_err(StorageError::io("rename", &temporary))?;
    sync_directory(parent(path))
}

/// Creates a directory and its parents, readable by the owner only, and makes their names durable.
pub(crate) fn create_directory(path: &Path) -> Result<(), StorageError> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StorageError::io("create", path))?;
    sync_directory(parent(path))
}

/// The directory that a path's name is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
