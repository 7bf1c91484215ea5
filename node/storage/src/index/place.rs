//! An index's place on disk, and whether what lies there can be trusted.
//!
//! ```text
//! index-<engine>/format    "cairn index 3 <engine>": written last, so without it the making was interrupted
//! index-<engine>/open      boot id of the machine while the index is open; gone after an orderly close
//! index-<engine>/files/    the engine's own
//! index-<engine>/places/   see [`crate::places`]: older indexes have none
//! ```
//!
//! The `open` mark is for sled: its files survive a killed process, whose writes the kernel keeps, but not a machine that
//! lost power. A mark of another boot means that; such an index is thrown away rather than half believed. fjall's journal
//! is built for it. It does not know what an index holds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Engine, Index, IndexState, open_engine};
use crate::disk::{self, RealDisk};
use crate::error::StorageError;

/// The meaning of keys, values and keyspaces. Raise it when any of it changes: older indexes are rebuilt by themselves.
const INDEX_FORMAT: u32 = 3;

const FORMAT_FILE: &str = "format";
const OPEN_FILE: &str = "open";
const FILES_DIRECTORY: &str = "files";
/// Added to the name of a directory that is being removed.
const DISCARDED_SUFFIX: &str = ".discarded";

/// Where the engine's own files are.
pub(super) fn engine_files(directory: &Path) -> PathBuf {
    directory.join(FILES_DIRECTORY)
}

pub(super) fn open(directory: &Path, engine: Engine) -> Result<(Arc<dyn Index>, IndexState), StorageError> {
    remove_if_there(&discarded(directory))?;
    let is_empty = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        other => other.map_err(StorageError::io("list", directory))?.next().is_none(),
    };
    let distrust = if is_empty { None } else { reason_to_distrust(directory, engine) };
    if !is_empty && distrust.is_none() {
        // The mark goes first: a crash while opening must leave it.
        match mark_open(directory).and_then(|()| open_engine(directory, engine)) {
            Ok(index) => return Ok((index, IndexState::Opened)),
            Err(StorageError::Index { reason, .. }) => return start_anew(directory, engine, reason),
            Err(other) => return Err(other),
        }
    }
    match distrust {
        Some(reason) => start_anew(directory, engine, reason),
        None => Ok((create(directory, engine)?, IndexState::Fresh)),
    }
}

/// Removes the index in `directory`, so that the next opening makes an empty one: for an index that opens and still
/// contradicts the block log. No handle of it may be in use.
///
/// # Errors
/// [`StorageError::Io`].
pub fn discard_index(directory: &Path) -> Result<(), StorageError> {
    let discarded = discarded(directory);
    remove_if_there(&discarded)?;
    match fs::rename(directory, &discarded) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => {
            other.map_err(StorageError::io("move away", directory))?;
            remove_if_there(&discarded)
        }
    }
}

/// Notes that the index was closed in order, and everything in it is durable.
pub(super) fn mark_closed(directory: &Path) -> Result<(), StorageError> {
    let path = directory.join(OPEN_FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => other.map_err(StorageError::io("remove", &path))?,
    }
    disk::sync_directory(&RealDisk, directory)
}

fn start_anew(directory: &Path, engine: Engine, reason: String) -> Result<(Arc<dyn Index>, IndexState), StorageError> {
    tracing::warn!(%engine, directory = %directory.display(), reason, "the index cannot be used and is built anew");
    discard_index(directory)?;
    Ok((create(directory, engine)?, IndexState::Rebuilt { reason }))
}

fn create(directory: &Path, engine: Engine) -> Result<Arc<dyn Index>, StorageError> {
    disk::create_directory(&RealDisk, directory)?;
    mark_open(directory)?;
    let index = open_engine(directory, engine)?;
    disk::replace_file(&RealDisk, &directory.join(FORMAT_FILE), format_line(engine).as_bytes())?;
    Ok(index)
}

fn mark_open(directory: &Path) -> Result<(), StorageError> {
    disk::replace_file(&RealDisk, &directory.join(OPEN_FILE), boot_id().as_bytes())
}

/// Why what is in the directory must not be believed, if there is a reason.
fn reason_to_distrust(directory: &Path, engine: Engine) -> Option<String> {
    let expected = format_line(engine);
    match fs::read(directory.join(FORMAT_FILE)) {
        Ok(found) if found == expected.as_bytes() => {}
        Ok(found) => {
            let found = String::from_utf8_lossy(found.get(..64).unwrap_or(&found)).into_owned();
            return Some(format!("its format is {:?}, not {:?}", found.trim_end(), expected.trim_end()));
        }
        Err(error) => return Some(format!("its format is not stated: {error}")),
    }
    if engine == Engine::Sled {
        let boot = boot_id();
        match fs::read_to_string(directory.join(OPEN_FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(mark) if mark == boot && !boot.is_empty() => {}
            _ => return Some("the machine stopped while it was open, and sled's flush is no barrier".to_owned()),
        }
    }
    None
}

fn format_line(engine: Engine) -> String {
    format!("cairn index {INDEX_FORMAT} {engine}\n")
}

/// What tells one start of the machine from another; empty where the system does not say, which then equals nothing.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn discarded(directory: &Path) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(DISCARDED_SUFFIX);
    PathBuf::from(name)
}

fn remove_if_there(path: &Path) -> Result<(), StorageError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(StorageError::io("remove", path)),
    }
}
