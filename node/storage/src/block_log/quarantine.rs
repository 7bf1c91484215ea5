//! Taking a damaged end off the block log, so that it can be fetched from peers again.
//!
//! ```text
//! blocks/damaged          the height that a read found damaged: the next opening looks there
//! blocks/quarantine/      what was cut off, until the log has passed its end with the same blocks
//! ```
//!
//! What is cut is never deleted before the log holds the same blocks again, because until then nobody knows that a peer has
//! them. Blocks that differ are kept for good: then this node was told something else to be final than the others.
//! It does not know peers, and does not fetch.
//!
//! Invariant: at every moment of the cutting, and after a crash at any of its operations, each byte that was in the log is in
//! it or in quarantine.

use std::io;
use std::path::{Path, PathBuf};

use cairn_types::Height;

use super::reader::{LOST, Shared};
use super::{BlockLog, CAPS, LogDamage, MAGIC};
use crate::disk::{self, Disk, DiskFile};
use crate::error::StorageError;
use crate::frame::scan::{Depth, Scan, Stretch};
use crate::frame::{Kind, Preamble};

const QUARANTINE_DIRECTORY: &str = "quarantine";
const SUFFIX: &str = ".blocks";
/// States in the quarantine how far the log reached when it was cut.
const UNTIL_FILE: &str = "until";
/// States beside the log which height a read found damaged.
const DAMAGED_FILE: &str = "damaged";
/// Longest of these two files, in bytes: a number of twenty digits and a line's end.
const NUMBER_FILE_BYTES_MAX: usize = 32;

/// What was cut off the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// What was found damaged, where the log was cut.
    pub damage: LogDamage,
    /// How far the log had reached.
    pub tip: Height,
    /// Where it lies now.
    pub directory: PathBuf,
}

/// What became of what was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuarantineState {
    /// Nothing is in quarantine.
    Empty,
    /// The log has not reached its old end again.
    Waiting {
        /// The old end.
        until: Height,
    },
    /// The log has passed its old end with the same blocks, and the quarantine was removed.
    Passed,
    /// The log has another block than was cut off. Both are kept.
    Contradicted {
        /// The first such height that was found.
        height: Height,
        /// Where the other block is.
        path: PathBuf,
    },
}

impl BlockLog {
    /// Cuts the log before what is damaged. All from there on is moved into quarantine, and the height is the next to append.
    ///
    /// # Errors
    /// [`StorageError::Io`] poisons the log: stop the node; the next opening finds the damage again.
    pub fn cut_before(&mut self, damage: &LogDamage) -> Result<Quarantined, StorageError> {
        self.refuse_if_poisoned()?;
        let result = self.cut(damage);
        if let Err(error) = &result {
            self.poisoned = Some(error.to_string());
        }
        result
    }

    /// Looks whether the log has reached its old end again, and removes what was cut off if the blocks are the same.
    ///
    /// # Errors
    /// [`StorageError::Io`]; [`StorageError::LogDamaged`] if a block of the log cannot be read to be compared.
    pub fn settle_quarantine(&self) -> Result<QuarantineState, StorageError> {
        let disk = self.shared.disk.as_ref();
        let directory = self.shared.quarantine();
        let files = files_in(disk, &directory)?;
        if files.is_empty() {
            return Ok(QuarantineState::Empty);
        }
        let until = read_number(disk, &directory.join(UNTIL_FILE))?.unwrap_or(u64::MAX);
        if self.next <= until {
            return Ok(QuarantineState::Waiting { until: Height::new(until) });
        }
        for path in &files {
            match self.compare(path)? {
                QuarantineState::Passed => {}
                other => return Ok(other),
            }
        }
        for path in files.iter().chain([&directory.join(UNTIL_FILE)]) {
            remove(disk, path)?;
        }
        disk::sync_directory(disk, &directory)?;
        disk.remove_directory(&directory).map_err(StorageError::io("remove", &directory))?;
        disk::sync_directory(disk, &self.shared.directory)?;
        Ok(QuarantineState::Passed)
    }

    fn cut(&mut self, damage: &LogDamage) -> Result<Quarantined, StorageError> {
        let height = damage.first.get();
        let directory = self.shared.quarantine();
        let tip = self.next.saturating_sub(1);
        let disk = self.shared.disk.as_ref();
        disk::create_directory(disk, &directory)?;
        let note = directory.join(UNTIL_FILE);
        let until = read_number(disk, &note)?.unwrap_or(0).max(tip);
        write_number(disk, &note, until)?;
        let Parts { kept, moved } = self.shared.parts(height, damage);
        if let Some((segment, offset)) = kept {
            let path = self.shared.segment_path(segment);
            let file = DiskFile::open(disk, &path)?;
            let length = file.length()?;
            if offset < length {
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
                let got = file.read_at(&mut bytes, 0)?;
                disk::replace_file(disk, &free_name(disk, &directory, segment), bytes.get(..got).unwrap_or_default())?;
            }
        }
        // The last first, so that what is left is a log without its end at every moment.
        for segment in moved.iter().rev() {
            let (from, to) = (self.shared.segment_path(*segment), free_name(disk, &directory, *segment));
            match disk.rename(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(StorageError::io("rename", &from))?,
            }
            disk::sync_directory(disk, &directory)?;
            disk::sync_directory(disk, &self.shared.directory)?;
        }
        self.shared.forget_from(height);
        self.next = height;
        match kept {
            Some((segment, offset)) => {
                self.active = DiskFile::open(disk, &self.shared.segment_path(segment))?;
                if offset < self.active.length()? {
                    self.active.set_length(offset)?;
                    self.active.sync()?;
                }
                self.active_first = segment;
                self.end = self.active.length()?;
            }
            None => self.start_segment(height)?,
        }
        self.shared.note_repaired()?;
        Ok(Quarantined { damage: damage.clone(), tip: Height::new(tip), directory })
    }

    /// Whether the log holds the same blocks as a file in quarantine.
    fn compare(&self, path: &Path) -> Result<QuarantineState, StorageError> {
        let file = DiskFile::open_to_read(self.shared.disk.as_ref(), path)?;
        let key = Preamble::read(&file, MAGIC)?.map_or_else(|| self.shared.key.clone(), |preamble| preamble.key());
        let mut scan = Scan::new(&file, &key, CAPS, Depth::Payloads)?;
        while let Some(found) = scan.next()? {
            let Stretch::Whole(header) = found.stretch else { continue };
            let frame = key.read(&file, found.offset, &CAPS)?;
            let Some(frame) = frame.filter(|frame| frame.header.kind == Kind::Block) else { continue };
            let height = Height::new(header.number);
            if height.get() >= self.next {
                return Ok(QuarantineState::Waiting { until: height });
            }
            // The log may keep no block of that height any more; then there is nothing to compare.
            if let Some(record) = self.read(height)?
                && record.block != frame.first
            {
                return Ok(QuarantineState::Contradicted { height, path: path.to_path_buf() });
            }
        }
        Ok(QuarantineState::Passed)
    }
}

/// What stays of the log and what goes, when it is cut.
struct Parts {
    /// The segment that is shortened, and its new length; none if the cut is between two.
    kept: Option<(u64, u64)>,
    /// The segments that go as a whole, ascending.
    moved: Vec<u64>,
}

impl Shared {
    fn quarantine(&self) -> PathBuf {
        self.directory.join(QUARANTINE_DIRECTORY)
    }

    fn parts(&self, height: u64, damage: &LogDamage) -> Parts {
        let index = self.read_index();
        let moved = index.segments.iter().map(|segment| segment.first).filter(|first| *first >= height).collect();
        let before = index.segments.iter().rev().find(|segment| segment.first < height);
        let kept = before.map(|segment| {
            let place = usize::try_from(height - segment.first).ok().and_then(|at| segment.offsets.get(at));
            let offset = place.copied().filter(|offset| *offset != LOST).map(u64::from);
            let is_here = damage.path == self.segment_path(segment.first);
            // Without a place in this segment the height was to begin another one, which is missing.
            (segment.first, offset.unwrap_or(if is_here { damage.offset } else { u64::MAX }))
        });
        Parts { kept, moved }
    }

    /// Hides all from `height` on from the readers.
    fn forget_from(&self, height: u64) {
        let first = self.first().get();
        let mut index = self.write_index();
        index.segments.retain(|segment| segment.first < height);
        for segment in &mut index.segments {
            segment.offsets.truncate(usize::try_from(height - segment.first).unwrap_or(usize::MAX));
        }
        index.damaged.retain(|damage| damage.last.get() < height);
        index.tip = height.checked_sub(1).filter(|tip| *tip >= first);
        drop(index);
        self.lock_files().clear();
    }

    /// Notes that a read found a height damaged, so that the next opening repairs it. The log stays readable around it.
    pub(super) fn note_damaged(&self, damage: &LogDamage) {
        let (disk, path) = (self.disk.as_ref(), self.directory.join(DAMAGED_FILE));
        let height = damage.first.get();
        if read_number(disk, &path).ok().flatten().is_some_and(|noted| noted <= height) {
            return;
        }
        tracing::error!(%damage, "damage found while reading; the node repairs it from its peers at its next start");
        if let Err(error) = write_number(disk, &path, height) {
            tracing::error!(%error, "the damage could not be noted");
        }
    }

    /// The height that was noted, if it is damaged indeed. A note without damage is removed.
    pub(super) fn noted_damage(&self) -> Result<Option<LogDamage>, StorageError> {
        let path = self.directory.join(DAMAGED_FILE);
        if !self.disk.exists(&path) {
            return Ok(None);
        }
        if let Some(height) = read_number(self.disk.as_ref(), &path)?
            && let Err(StorageError::LogDamaged(damage)) = self.read(Height::new(height))
        {
            return Ok(Some(damage));
        }
        self.note_repaired()?;
        Ok(None)
    }

    /// Removes the note. If it comes back with a power cut, the height is looked at once more.
    fn note_repaired(&self) -> Result<(), StorageError> {
        let path = self.directory.join(DAMAGED_FILE);
        if self.disk.exists(&path) { remove(self.disk.as_ref(), &path) } else { Ok(()) }
    }
}

/// The files of blocks in quarantine, in the order of their names.
fn files_in(disk: &dyn Disk, directory: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let names = match disk.list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(StorageError::io("list", directory))?,
    };
    let mut files = Vec::new();
    for name in names {
        let path = directory.join(&name);
        let name = name.to_string_lossy();
        if name.ends_with(disk::TEMPORARY_SUFFIX) {
            remove(disk, &path)?;
        } else if name.ends_with(SUFFIX) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A name in quarantine that nothing has, for what was cut off a segment.
fn free_name(disk: &dyn Disk, directory: &Path, segment: u64) -> PathBuf {
    let names = (0_u32..).map(|number| directory.join(format!("{segment:020}.{number}{SUFFIX}")));
    names.into_iter().find(|path| !disk.exists(path)).expect("no directory holds four billion files")
}

fn remove(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(StorageError::io("remove", path)),
    }
}

fn write_number(disk: &dyn Disk, path: &Path, number: u64) -> Result<(), StorageError> {
    disk::replace_file(disk, path, format!("{number}\n").as_bytes())
}

/// The number in a file; `None` if there is none, or something else.
fn read_number(disk: &dyn Disk, path: &Path) -> Result<Option<u64>, StorageError> {
    if !disk.exists(path) {
        return Ok(None);
    }
    let file = DiskFile::open_to_read(disk, path)?;
    let mut bytes = [0; NUMBER_FILE_BYTES_MAX];
    let got = file.read_at(&mut bytes, 0)?;
    let text = std::str::from_utf8(bytes.get(..got).unwrap_or_default()).unwrap_or_default();
    Ok(text.strip_suffix('\n').and_then(|digits| digits.parse().ok()))
}
