//! A disk that is looked at and never changed: what is written over it stays in memory and is gone with the value.
//!
//! Opening a log mends it: an unfinished write is cut, a copy is written again. Whoever only looks, beside a running node
//! perhaps, opens it through this disk: it reads the disk below and lays every change over it. So the same code that a
//! node starts with can be asked what it would find.
//!
//! It takes no lock and removes nothing. The index comes from whoever looks, because its engine would write to its own
//! files. Invariant: no method of the disk below that changes anything is ever called.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, Disk, Lock, OpenFile};
use crate::error::StorageError;
use crate::index::{Engine, Index, IndexState, memory_index};

/// See the module.
#[derive(Debug)]
pub struct OverlayDisk {
    below: Arc<dyn Disk>,
    names: Mutex<Names>,
    /// The index that whoever looks has brought, until it is discarded.
    index: Mutex<Option<Arc<dyn Index>>>,
}

/// What is different from the disk below.
#[derive(Debug, Default)]
struct Names {
    /// Files that were opened for writing, made, or removed.
    files: BTreeMap<PathBuf, Option<Arc<Content>>>,
    directories: BTreeSet<PathBuf>,
}

/// A file's content: what is below, with what was written over it.
#[derive(Debug)]
struct Content {
    below: Option<Box<dyn OpenFile>>,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    length: u64,
    /// Up to here the file below still shines through.
    below: u64,
    /// What was written, in its order.
    writes: Vec<(u64, Vec<u8>)>,
}

/// An open file of an [`OverlayDisk`].
#[derive(Debug)]
struct OverlayFile(Arc<Content>);

/// A lock that keeps nobody away.
#[derive(Debug)]
struct NoLock;

impl Lock for NoLock {}

impl OverlayDisk {
    /// A look at `below`, with this index in the place of whatever index is there; an empty one if there is none.
    pub fn new(below: Arc<dyn Disk>, index: Option<Arc<dyn Index>>) -> Self {
        Self { below, names: Mutex::new(Names::default()), index: Mutex::new(index) }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of this name as it is laid over, reaching down for it if it is not.
    fn content(&self, names: &mut Names, path: &Path) -> io::Result<Arc<Content>> {
        match names.files.get(path) {
            Some(Some(content)) => Ok(Arc::clone(content)),
            Some(None) => Err(io::ErrorKind::NotFound.into()),
            None => {
                let below = self.below.open(path, Access::Read)?;
                let length = below.length()?;
                let over = Mutex::new(Over { length, below: length, writes: Vec::new() });
                let content = Arc::new(Content { below: Some(below), over });
                names.files.insert(path.to_path_buf(), Some(Arc::clone(&content)));
                Ok(content)
            }
        }
    }
}

impl Disk for OverlayDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn OpenFile>> {
        let mut names = self.names();
        if access == Access::Read && !names.files.contains_key(path) {
            return self.below.open(path, Access::Read);
        }
        Ok(Box::new(OverlayFile(self.content(&mut names, path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let over = Mutex::new(Over { length: 0, below: 0, writes: Vec::new() });
        let content = Arc::new(Content { below: None, over });
        self.names().files.insert(path.to_path_buf(), Some(Arc::clone(&content)));
        Ok(Box::new(OverlayFile(content)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names();
        let content = self.content(&mut names, from)?;
        names.files.insert(from.to_path_buf(), None);
        names.files.insert(to.to_path_buf(), Some(content));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !self.exists(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.names().files.insert(path.to_path_buf(), None);
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.names().directories.remove(path);
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let names = self.names();
        let mut found: BTreeSet<OsString> = match self.below.list(directory) {
            Ok(found) => found.into_iter().collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound && names.directories.contains(directory) => {
                BTreeSet::new()
            }
            Err(error) => return Err(error),
        };
        for (path, content) in names.files.iter().filter(|(path, _)| path.parent() == Some(directory)) {
            let Some(name) = path.file_name() else { continue };
            match content {
                Some(_) => found.insert(name.to_owned()),
                None => found.remove(name),
            };
        }
        Ok(found.into_iter().collect())
    }

    fn exists(&self, path: &Path) -> bool {
        let names = self.names();
        match names.files.get(path) {
            Some(content) => content.is_some(),
            None => names.directories.contains(path) || self.below.exists(path),
        }
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        if self.exists(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.names().directories.insert(path.to_path_buf());
        Ok(())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        Ok(Some(Box::new(NoLock)))
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.below.free_bytes(path)
    }

    fn fresh_salt(&self) -> [u8; 16] {
        self.below.fresh_salt()
    }

    fn open_index(&self, _: &Path, _: Engine) -> Result<(Arc<dyn Index>, IndexState), StorageError> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(index.map_or_else(|| (memory_index(), IndexState::Fresh), |index| (index, IndexState::Opened)))
    }

    fn discard_index(&self, _: &Path) -> Result<(), StorageError> {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

impl OverlayFile {
    fn over(&self) -> MutexGuard<'_, Over> {
        self.0.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenFile for OverlayFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.over().length)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let over = self.over();
        let rest = usize::try_from(over.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = rest.min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted) else { return Ok(0) };
        buffer.fill(0);
        if let Some(below) = &self.0.below {
            let through = usize::try_from(over.below.saturating_sub(offset)).unwrap_or(usize::MAX).min(wanted);
            let mut filled = 0;
            while let Some(rest) = buffer.get_mut(filled..through).filter(|rest| !rest.is_empty()) {
                match below.read_at(rest, offset.saturating_add(filled as u64))? {
                    0 => break,
                    count => filled += count,
                }
            }
        }
        let end = offset.saturating_add(wanted as u64);
        for (at, bytes) in &over.writes {
            let (from, to) = ((*at).max(offset), at.saturating_add(bytes.len() as u64).min(end));
            if from >= to {
                continue;
            }
            let place = |position: u64, start: u64| usize::try_from(position - start).unwrap_or(usize::MAX);
            let source = bytes.get(place(from, *at)..place(to, *at));
            let target = buffer.get_mut(place(from, offset)..place(to, offset));
            if let (Some(source), Some(target)) = (source, target) {
                target.copy_from_slice(source);
            }
        }
        Ok(wanted)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut over = self.over();
        over.length = over.length.max(offset.saturating_add(bytes.len() as u64));
        over.writes.push((offset, bytes.to_vec()));
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut over = self.over();
        over.length = length;
        over.below = over.below.min(length);
        over.writes.retain_mut(|(at, bytes)| {
            let kept = usize::try_from(length.saturating_sub(*at)).unwrap_or(usize::MAX);
            bytes.truncate(kept);
            !bytes.is_empty()
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use cairn_types::Height;

    use super::OverlayDisk;
    use crate::disk::{Access, Disk, OpenFile, real_disk};
    use crate::{BlockLog, SignRecord, SignState, WriteAheadLog};

    fn read(disk: &dyn Disk, path: &Path) -> Vec<u8> {
        let file = disk.open(path, Access::Read).expect("it is there");
        let mut bytes = vec![0; usize::try_from(file.length().expect("measured")).expect("small")];
        assert_eq!(file.read_at(&mut bytes, 0).expect("reads"), bytes.len());
        bytes
    }

    #[test]
    fn what_is_written_over_is_read_back_and_nothing_reaches_the_disk_below() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("file");
        std::fs::write(&path, b"0123456789").expect("writes");
        let disk = OverlayDisk::new(real_disk(), None);
        let file: Box<dyn OpenFile> = disk.open(&path, Access::Write).expect("it is there");
        file.write_at(b"abc", 8).expect("memory takes it");
        assert_eq!(read(&disk, &path), b"01234567abc");
        file.set_length(9).expect("memory takes it");
        file.write_at(b"-", 2).expect("memory takes it");
        assert_eq!(read(&disk, &path), b"01-34567a");
        file.set_length(4).expect("memory takes it");
        file.set_length(6).expect("memory takes it");
        assert_eq!(read(&disk, &path), b"01-3\0\0");

        let (made, moved) = (directory.path().join("made"), directory.path().join("moved"));
        disk.create(&made).expect("memory takes it").write_at(b"new", 0).expect("memory takes it");
        disk.rename(&made, &moved).expect("it is there");
        disk.remove(&path).expect("it is there");
        assert_eq!(disk.list(directory.path()).expect("listed"), ["moved"]);
        assert!(disk.exists(&moved) && !disk.exists(&made) && !disk.exists(&path));
        assert_eq!(read(&disk, &moved), b"new");

        assert_eq!(std::fs::read(&path).expect("reads"), b"0123456789");
        assert_eq!(std::fs::read_dir(directory.path()).expect("listed").count(), 1);
    }

    #[test]
    fn logs_open_and_mend_themselves_over_a_disk_that_stays_as_it_was() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (blocks, wal, sign) =
            (directory.path().join("blocks"), directory.path().join("wal"), directory.path().join("sign"));
        let first = Height::new(1);
        let (mut log, _) = BlockLog::open(&blocks, first).expect("opens");
        log.append(first, b"block", b"certificate").expect("appends");
        drop(log);
        WriteAheadLog::create(&wal, first).expect("creates");
        SignState::create(&sign).expect("creates");
        let segment = std::fs::read_dir(&blocks).expect("listed").next().expect("a segment").expect("read").path();
        let mut torn = std::fs::read(&segment).expect("reads");
        torn.extend_from_slice(&[7; 100]);
        std::fs::write(&segment, &torn).expect("writes");

        let disk: Arc<dyn Disk> = Arc::new(OverlayDisk::new(real_disk(), None));
        let (mut log, recovery) = BlockLog::open_on(Arc::clone(&disk), &blocks, first).expect("opens");
        assert!(recovery.cut.is_some(), "what a node would cut is told");
        log.append(Height::new(2), b"block", b"certificate").expect("appends");
        assert!(log.read(Height::new(2)).expect("reads").is_some());
        let (mut log, _) = WriteAheadLog::open_on(Arc::clone(&disk), &wal).expect("opens");
        log.reset(Height::new(2)).expect("it rises");
        let mut state = SignState::open_on(disk.as_ref(), &sign).expect("opens");
        let record = SignRecord { height: first, round: cairn_types::Round::ZERO, step: 1, bytes: b"vote".to_vec() };
        state.store(record).expect("stores");

        assert_eq!(std::fs::read(&segment).expect("reads"), torn);
        let state = SignState::open(&sign).expect("opens");
        assert_eq!(state.load(), None);
        assert_eq!(WriteAheadLog::open(&wal).expect("opens").0.height(), first);
    }
}
