//! Opening the block log: which heights are where, what to cut, and what is damaged.
//!
//! Older segments are walked by their headers; the last one is checked in full, because only there a write can have been
//! interrupted. A segment exists only when all before it are synced, and a frame's `durable` mark proves that what
//! lies before it was synced: whatever is broken beyond the greatest mark of the last segment was never acknowledged.
//! It does not know how records are read or appended.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use cairn_types::Height;

use super::reader::{LOST, LogIndex, Segment, Shared};
use super::{BlockLog, CAPS, CutTail, DamageReason, LogDamage, LogRecovery, MAGIC, SEGMENT_BYTES_MAX};
use crate::base::LogExtent;
use crate::disk::{self, Disk, DiskFile, TEMPORARY_SUFFIX, sync_directory};
use crate::error::StorageError;
use crate::frame::scan::{Depth, Scan, Stretch};
use crate::frame::{FRAMES_START, FrameKey, HEADER_BYTES, Kind, Preamble, TRAILER_BYTES};

const SUFFIX: &str = ".blocks";
/// Digits in a file's name: the longest `u64` has twenty, so names sort like heights.
const NAME_DIGITS: usize = 20;

/// The name of the file that starts at `first`.
pub(super) fn file_name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

pub(super) fn open(
    handle: Arc<dyn Disk>,
    directory: &Path,
    extent: LogExtent,
) -> Result<(BlockLog, LogRecovery), StorageError> {
    let (origin, first) = (extent.origin.get(), extent.first.get());
    let disk = handle.as_ref();
    disk::create_directory(disk, directory)?;
    let mut names = heights_in(disk, directory)?;
    finish_dropping(disk, directory, &mut names, extent)?;
    if names.is_empty() {
        let preamble = Preamble { magic: MAGIC, salt: disk.fresh_salt(), numbers: [origin, first] };
        disk::replace_file(disk, &directory.join(file_name(first)), &preamble.encode())?;
        names.push(first);
    }
    let salt = agree_on_salt(disk, directory, &names, origin)?;
    let key = Preamble { magic: MAGIC, salt, numbers: [origin, first] }.key();

    let mut segments = Vec::with_capacity(names.len());
    let mut damaged = Vec::new();
    // The oldest file may begin with heights that are dropped.
    let mut expected = names.first().map_or(first, |oldest| first.min(*oldest)).max(origin);
    let mut cut = None;
    for (at, &segment_first) in names.iter().enumerate() {
        let path = directory.join(file_name(segment_first));
        if segment_first < expected {
            let reason = format!("the segment before it reaches height {}", expected.saturating_sub(1));
            return Err(StorageError::FileMisplaced { path, reason });
        }
        if segment_first > expected {
            // Only the first name can leave a gap here: `Walk::close` reports those behind it.
            let missing = directory.join(file_name(expected));
            damaged.push(damage(expected, segment_first - 1, &missing, 0, DamageReason::Missing));
        }
        let file = DiskFile::open(disk, &path)?;
        let next_first = names.get(at + 1).copied();
        let depth = if next_first.is_some() { Depth::Headers } else { Depth::Payloads };
        let mut walk = Walk::over(&file, &key, segment_first, depth)?;
        match next_first {
            Some(next_first) => walk.close(next_first)?,
            None => cut = walk.cut_tail()?,
        }
        damaged.append(&mut walk.damaged);
        expected = walk.expected.max(next_first.unwrap_or(0));
        segments.push(Segment { first: segment_first, offsets: walk.offsets });
    }

    let active_first = segments.last().map_or(first, |segment| segment.first);
    let active = DiskFile::open(disk, &directory.join(file_name(active_first)))?;
    if Preamble::read(&active, MAGIC)?.is_none() {
        active.write_at(&Preamble { magic: MAGIC, salt, numbers: [origin, active_first] }.encode(), 0)?;
        active.sync()?;
    }
    disk::settle(disk, &active)?;
    sync_directory(disk, disk::parent(directory))?;
    let end = active.length()?;
    let tip = if expected > first { Some(expected - 1) } else { None };
    damaged.retain(|damage| damage.last.get() >= first);
    let mut recovery =
        LogRecovery { tip: tip.map(Height::new), segments: segments.len(), cut, damaged: damaged.clone() };
    let shared = Shared {
        disk: Arc::clone(&handle),
        directory: directory.to_path_buf(),
        origin,
        salt,
        key,
        index: RwLock::new(LogIndex { first, segments, damaged, tip }),
        open_files: Mutex::new(VecDeque::new()),
    };
    if let Some(noted) = shared.noted_damage()?
        && recovery.damaged.iter().all(|damage| damage.first != noted.first)
    {
        recovery.damaged.push(noted);
        recovery.damaged.sort_by_key(|damage| damage.first);
    }
    let log = BlockLog {
        shared: Arc::new(shared),
        active,
        active_first,
        end,
        next: expected,
        segment_bytes_max: SEGMENT_BYTES_MAX,
        poisoned: None,
    };
    Ok((log, recovery))
}

/// Removes what a base says is dropped, and a log that was begun elsewhere and never written: its node joined by a
/// snapshot before it had a block.
fn finish_dropping(
    disk: &dyn Disk,
    directory: &Path,
    names: &mut Vec<u64>,
    extent: LogExtent,
) -> Result<(), StorageError> {
    let before = names.len();
    while names.get(1).is_some_and(|second| *second <= extent.first.get()) {
        let path = directory.join(file_name(names.remove(0)));
        disk.remove(&path).map_err(StorageError::io("remove", &path))?;
    }
    if let [only] = names.as_slice() {
        let path = directory.join(file_name(*only));
        let file = DiskFile::open_to_read(disk, &path)?;
        let is_elsewhere =
            Preamble::read(&file, MAGIC)?.is_some_and(|preamble| preamble.numbers[0] != extent.origin.get());
        // With a base only: without one, a log that begins elsewhere is somebody's mistake.
        if is_elsewhere && extent.origin > Height::new(1) && file.length()? <= FRAMES_START {
            disk.remove(&path).map_err(StorageError::io("remove", &path))?;
            names.clear();
        }
    }
    if names.len() < before { disk::sync_directory(disk, directory) } else { Ok(()) }
}

/// The heights that files in `directory` are named after, ascending. Files that were never finished are removed.
fn heights_in(disk: &dyn Disk, directory: &Path) -> Result<Vec<u64>, StorageError> {
    let mut heights = Vec::new();
    let names = match disk.list(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(heights),
        other => other.map_err(StorageError::io("list", directory))?,
    };
    for name in names {
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(TEMPORARY_SUFFIX) {
            let path = directory.join(name);
            disk.remove(&path).map_err(StorageError::io("remove", &path))?;
        } else if let Some(digits) = name.strip_suffix(SUFFIX)
            && digits.len() == NAME_DIGITS
            && let Ok(height) = digits.parse()
        {
            heights.push(height);
        }
    }
    heights.sort_unstable();
    Ok(heights)
}

/// The salt that all segments share. One whole preamble is enough, since a damaged one is the same but for its own height.
fn agree_on_salt(disk: &dyn Disk, directory: &Path, names: &[u64], first: u64) -> Result<[u8; 16], StorageError> {
    let mut agreed = None;
    for &segment_first in names {
        let path = directory.join(file_name(segment_first));
        let Some(preamble) = Preamble::read(&DiskFile::open_to_read(disk, &path)?, MAGIC)? else {
            tracing::warn!(path = %path.display(), "both copies of a segment's preamble are damaged");
            continue;
        };
        let [log_first, own_first] = preamble.numbers;
        if log_first != first {
            return Err(StorageError::FirstHeightMismatch {
                path: directory.to_path_buf(),
                found: Height::new(log_first),
                expected: Height::new(first),
            });
        }
        if own_first != segment_first {
            let reason = format!("its preamble says that it starts at height {own_first}");
            return Err(StorageError::FileMisplaced { path, reason });
        }
        if *agreed.get_or_insert(preamble.salt) != preamble.salt {
            return Err(StorageError::FileMisplaced { path, reason: "it is a segment of another log".to_owned() });
        }
    }
    agreed.ok_or_else(|| StorageError::PreambleDamaged { path: directory.join(file_name(first)) })
}

/// What a walk over one segment has found so far.
struct Walk<'a> {
    file: &'a DiskFile,
    first: u64,
    offsets: Vec<u32>,
    /// The height that comes next.
    expected: u64,
    damaged: Vec<LogDamage>,
    /// Up to where a frame proves that the file was synced.
    durable: u64,
    /// Where a stretch began that is no frame, and of which no later frame has told the heights yet.
    unknown: Option<u64>,
}

impl<'a> Walk<'a> {
    fn over(file: &'a DiskFile, key: &'a FrameKey, first: u64, depth: Depth) -> Result<Self, StorageError> {
        let mut walk = Self {
            file,
            first,
            offsets: Vec::new(),
            expected: first,
            damaged: Vec::new(),
            durable: FRAMES_START,
            unknown: None,
        };
        let mut scan = Scan::new(file, key, CAPS, depth)?;
        while let Some(found) = scan.next()? {
            let (header, whole) = match found.stretch {
                Stretch::Whole(header) => (header, true),
                Stretch::Torn(header) => (header, false),
                Stretch::Unknown => {
                    walk.unknown.get_or_insert(found.offset);
                    continue;
                }
            };
            if header.kind != Kind::Block {
                return Err(walk.misplaced(format!("the frame at byte {} is no block", found.offset)));
            }
            walk.durable = walk.durable.max(header.durable);
            walk.reach(header.number, found.offset)?;
            let offset = u32::try_from(found.offset).ok().filter(|offset| *offset != LOST);
            let offset = offset.ok_or_else(|| walk.misplaced("it is longer than a segment can be".to_owned()))?;
            walk.offsets.push(if whole { offset } else { LOST });
            if !whole {
                let reason = DamageReason::Content;
                walk.damaged.push(damage(header.number, header.number, file.path(), found.offset, reason));
            }
            let next = header.number.checked_add(1);
            walk.expected = next.ok_or(StorageError::HeightsExhausted { height: Height::new(header.number) })?;
        }
        Ok(walk)
    }

    /// A frame says that it is `height`: whatever lies between the expected height and this one was in the unknown stretch.
    fn reach(&mut self, height: u64, offset: u64) -> Result<(), StorageError> {
        let unknown = self.unknown.take();
        if height == self.expected {
            return Ok(());
        }
        let lost = height.checked_sub(self.expected);
        // No more records can have been lost than had room there, so a lying header cannot make us allocate.
        let room = unknown.map_or(0, |from| (offset - from) / (HEADER_BYTES + TRAILER_BYTES) as u64);
        match (lost, unknown) {
            (Some(lost), Some(from)) if lost <= room => {
                let path = self.file.path();
                self.damaged.push(damage(self.expected, height - 1, path, from, DamageReason::Header));
                self.offsets.extend((0..lost).map(|_| LOST));
                self.expected = height;
                Ok(())
            }
            _ => Err(self.misplaced(format!(
                "the frame at byte {offset} has height {height}, where {} was to follow",
                self.expected
            ))),
        }
    }

    /// Ends a segment that another follows: every height before that one was in here.
    fn close(&mut self, next_first: u64) -> Result<(), StorageError> {
        if self.expected < next_first {
            let (offset, reason) = match self.unknown.take() {
                Some(from) => (from, DamageReason::Header),
                None => (self.file.length()?, DamageReason::Missing),
            };
            self.damaged.push(damage(self.expected, next_first - 1, self.file.path(), offset, reason));
        }
        Ok(())
    }

    /// Ends the last segment: cuts from the first broken frame on of which nothing proves that it was ever synced.
    fn cut_tail(&mut self) -> Result<Option<CutTail>, StorageError> {
        let torn = self.damaged.iter().find(|damage| damage.offset >= self.durable);
        let (height, offset) = match (torn, self.unknown) {
            (Some(damage), _) => (damage.first.get(), damage.offset),
            (None, Some(from)) => (self.expected, from),
            (None, None) => return Ok(None),
        };
        let bytes = self.file.length()?.saturating_sub(offset);
        self.file.set_length(offset)?;
        self.file.sync()?;
        self.damaged.retain(|damage| damage.offset < offset);
        self.offsets.truncate(usize::try_from(height - self.first).unwrap_or(usize::MAX));
        self.expected = height;
        self.unknown = None;
        Ok(Some(CutTail { height: Height::new(height), path: self.file.path().to_path_buf(), offset, bytes }))
    }

    fn misplaced(&self, reason: String) -> StorageError {
        StorageError::FileMisplaced { path: self.file.path().to_path_buf(), reason }
    }
}

fn damage(first: u64, last: u64, path: &Path, offset: u64, reason: DamageReason) -> LogDamage {
    LogDamage { first: Height::new(first), last: Height::new(last), path: PathBuf::from(path), offset, reason }
}
