//! Reading the block log, from any thread, while it is written.
//!
//! It knows where each height begins, and believes nothing that it reads there until the checks hold. It never writes.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cairn_types::Height;

use super::{CAPS, DamageReason, Location, LogDamage, LogRecord};
use crate::disk::{Disk, DiskFile};
use crate::error::StorageError;
use crate::frame::{FrameKey, Kind};

/// Most segments kept open for reading: catch-up reads forward and lookups cluster near the tip, and a node has other uses
/// for its 1,024 file descriptors.
const OPEN_SEGMENTS_MAX: usize = 16;

/// The mark for a height whose place in its segment is lost.
pub(super) const LOST: u32 = u32::MAX;

/// A cheap handle that reads the log from any thread, while the writer appends.
#[derive(Clone, Debug)]
pub struct BlockLogReader {
    shared: Arc<Shared>,
}

impl BlockLogReader {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The record at `height`; `None` if the log does not reach it, or it is not durable yet.
    ///
    /// # Errors
    /// [`StorageError::LogDamaged`] if what is on disk is not what was written; [`StorageError::Io`].
    pub fn read(&self, height: Height) -> Result<Option<LogRecord>, StorageError> {
        self.shared.read(height)
    }

    /// The height that the log starts at.
    pub fn first(&self) -> Height {
        self.shared.first()
    }

    /// The greatest durable height; `None` while the log is empty.
    pub fn tip(&self) -> Option<Height> {
        self.shared.tip()
    }

    /// Reads every record of `heights` that the log reaches, and returns those that are damaged.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn verify(&self, heights: RangeInclusive<Height>) -> Result<Vec<LogDamage>, StorageError> {
        let mut damaged = Vec::new();
        let Some(tip) = self.tip() else { return Ok(damaged) };
        let mut next = Some((*heights.start()).max(self.first()));
        while let Some(height) = next.filter(|height| *height <= tip && height <= heights.end()) {
            match self.read(height) {
                Ok(_) => {}
                Err(StorageError::LogDamaged(damage)) => damaged.push(damage),
                Err(other) => return Err(other),
            }
            next = height.next();
        }
        Ok(damaged)
    }
}

/// One segment's index.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    /// Where each height from `first` on begins, or [`LOST`].
    pub(super) offsets: Vec<u32>,
}

/// What writer and readers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: PathBuf,
    /// The height that the log was begun at, as every preamble says.
    pub(super) origin: u64,
    pub(super) salt: [u8; 16],
    pub(super) key: FrameKey,
    pub(super) index: RwLock<LogIndex>,
    pub(super) open_files: Mutex<VecDeque<(u64, Arc<DiskFile>)>>,
}

/// Where every height is.
#[derive(Debug)]
pub(super) struct LogIndex {
    /// The first height that is kept.
    pub(super) first: u64,
    /// In ascending order, never empty.
    pub(super) segments: Vec<Segment>,
    /// What opening found damaged, in ascending order.
    pub(super) damaged: Vec<LogDamage>,
    pub(super) tip: Option<u64>,
}

enum Place {
    Beyond,
    Lost(LogDamage),
    At { segment: u64, offset: u64 },
}

impl Shared {
    pub(super) fn first(&self) -> Height {
        Height::new(self.read_index().first)
    }

    pub(super) fn tip(&self) -> Option<Height> {
        self.read_index().tip.map(Height::new)
    }

    pub(super) fn segment_path(&self, first: u64) -> PathBuf {
        self.directory.join(super::recovery::file_name(first))
    }

    pub(super) fn add_segment(&self, segment: Segment) {
        self.write_index().segments.push(segment);
    }

    /// Hides all heights below `first` from the readers, and names the segments that only hold such.
    pub(super) fn hide_below(&self, first: u64) -> Vec<u64> {
        let mut index = self.write_index();
        index.first = index.first.max(first);
        let second_starts = index.segments.iter().skip(1).take_while(|segment| segment.first <= first).count();
        let hidden: Vec<u64> = index.segments.drain(..second_starts).map(|segment| segment.first).collect();
        index.damaged.retain(|damage| damage.last.get() >= first);
        drop(index);
        self.lock_files().retain(|(segment, _)| !hidden.contains(segment));
        hidden
    }

    /// The first height of the segment that holds `height`, and how many heights are in it.
    pub(super) fn segment_of(&self, height: u64) -> Option<(u64, usize)> {
        let index = self.read_index();
        let position = index.segments.partition_point(|segment| segment.first <= height);
        let segment = position.checked_sub(1).and_then(|last| index.segments.get(last))?;
        Some((segment.first, segment.offsets.len()))
    }

    /// Lets a new segment stand for the end of the one that held its heights.
    pub(super) fn split(&self, at: Segment) {
        let mut index = self.write_index();
        let position = index.segments.partition_point(|segment| segment.first < at.first);
        if let Some(before) = position.checked_sub(1).and_then(|last| index.segments.get_mut(last)) {
            let kept = usize::try_from(at.first - before.first).unwrap_or(usize::MAX);
            before.offsets.truncate(kept);
        }
        index.segments.insert(position, at);
    }

    /// Shows records that have become durable to the readers.
    pub(super) fn publish(&self, locations: &[Location]) {
        let mut index = self.write_index();
        let mut tip = index.tip;
        for location in locations {
            let offset = u32::try_from(location.offset).expect("a record begins within SEGMENT_BYTES_MAX");
            let position = index.segments.partition_point(|segment| segment.first <= location.segment.get());
            let segment = position.checked_sub(1).and_then(|last| index.segments.get_mut(last));
            let segment = segment.expect("the writer adds a segment before its records");
            segment.offsets.push(offset);
            tip = Some(segment.first + segment.offsets.len() as u64 - 1);
        }
        index.tip = tip;
    }

    pub(super) fn read(&self, height: Height) -> Result<Option<LogRecord>, StorageError> {
        let damage = match self.place(height.get()) {
            Place::Beyond => return Ok(None),
            Place::Lost(damage) => damage,
            Place::At { segment, offset } => match self.read_at(segment, offset, height)? {
                Some(record) => return Ok(Some(record)),
                None => LogDamage {
                    first: height,
                    last: height,
                    path: self.segment_path(segment),
                    offset,
                    reason: DamageReason::Content,
                },
            },
        };
        self.note_damaged(&damage);
        Err(StorageError::LogDamaged(damage))
    }

    fn place(&self, height: u64) -> Place {
        let index = self.read_index();
        if height < index.first || index.tip.is_none_or(|tip| height > tip) {
            return Place::Beyond;
        }
        let position = index.segments.partition_point(|segment| segment.first <= height);
        let segment = position.checked_sub(1).and_then(|last| index.segments.get(last));
        let offset = segment.and_then(|segment| {
            let at = usize::try_from(height - segment.first).ok()?;
            segment.offsets.get(at).copied().filter(|offset| *offset != LOST).map(|offset| (segment.first, offset))
        });
        if let Some((segment, offset)) = offset {
            return Place::At { segment, offset: u64::from(offset) };
        }
        let found = index.damaged.iter().find(|damage| damage.first.get() <= height && height <= damage.last.get());
        let found = found.expect("a height without a place was reported at opening");
        let height = Height::new(height);
        Place::Lost(LogDamage { first: height, last: height, ..found.clone() })
    }

    fn read_at(&self, segment: u64, offset: u64, height: Height) -> Result<Option<LogRecord>, StorageError> {
        let file = match self.file(segment) {
            Err(StorageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        record(&self.key, &file, offset, height)
    }

    fn file(&self, segment: u64) -> Result<Arc<DiskFile>, StorageError> {
        let mut open = self.lock_files();
        if let Some(at) = open.iter().position(|(first, _)| *first == segment)
            && let Some(entry) = open.remove(at)
        {
            let file = Arc::clone(&entry.1);
            open.push_back(entry);
            return Ok(file);
        }
        let file = Arc::new(DiskFile::open_to_read(self.disk.as_ref(), &self.segment_path(segment))?);
        if open.len() >= OPEN_SEGMENTS_MAX {
            open.pop_front();
        }
        open.push_back((segment, Arc::clone(&file)));
        Ok(file)
    }

    // The index and the file table are changed in single steps, so a panic elsewhere cannot leave them half changed.

    pub(super) fn read_index(&self) -> RwLockReadGuard<'_, LogIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write_index(&self) -> RwLockWriteGuard<'_, LogIndex> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_files(&self) -> MutexGuard<'_, VecDeque<(u64, Arc<DiskFile>)>> {
        self.open_files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record(key: &FrameKey, file: &DiskFile, offset: u64, height: Height) -> Result<Option<LogRecord>, StorageError> {
    let frame = key.read(file, offset, &CAPS)?;
    let frame = frame.filter(|frame| frame.header.kind == Kind::Block && frame.header.number == height.get());
    Ok(frame.map(|frame| LogRecord { height, block: frame.first, certificate: frame.second }))
}
