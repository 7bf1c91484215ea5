//! The block log: the ledger itself, as append-only segment files of blocks with their certificates.
//!
//! ```text
//! blocks/00000000000000000000.blocks     heights 0 …, up to 64 MiB
//! blocks/00000000000000048211.blocks     the last segment is the one that is written
//! ```
//!
//! A log may begin above block 1, and old blocks may be dropped: see [`crate::base`].
//!
//! It does not know what is in a block or a certificate: whoever appends has verified both. It keeps a frame for each
//! height (`frame.rs` has the bytes and why they are so), heights contiguous, and four bytes of memory a height.
//!
//! Invariants:
//! - [`BlockLog::append`] returns after `fdatasync`, and readers see a record only then.
//! - Bytes that are not what was written are never returned: header and content are checked at every read.
//! - At opening, bytes are cut only at the end of the last segment, and only if no frame proves that they were synced.
//!   Every other damage is named with height, file and offset, and the log stays readable around it, until it is cut there
//!   ([`BlockLog::cut_before`]) and fetched again.
//! - After a failed write or sync nothing more is written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_types::Height;
use cairn_types::limits::ENCODED_BLOCK_BYTES_MAX;

use crate::base::LogExtent;
use crate::disk::{self, Disk, DiskFile, real_disk};
use crate::error::StorageError;
use crate::frame::{Caps, FRAMES_START, HEADER_BYTES, Kind, Preamble, TRAILER_BYTES};

mod quarantine;
mod reader;
mod recovery;
#[cfg(test)]
mod tests;

pub use quarantine::{QuarantineState, Quarantined};
pub use reader::BlockLogReader;
use reader::{Segment, Shared};

/// Longest block in bytes: eight times what the rules allow today, so that raising their limit changes no format. A greater
/// length on disk is damage.
pub const RECORD_BLOCK_BYTES_MAX: usize = 8 * 1024 * 1024;
const _: () = assert!(ENCODED_BLOCK_BYTES_MAX <= RECORD_BLOCK_BYTES_MAX, "every valid block fits a record");

/// Longest certificate in bytes: a hundred times one of 128 signatures.
pub const RECORD_CERTIFICATE_BYTES_MAX: usize = 1024 * 1024;

/// Length at which a segment is followed by the next, in bytes: few files for a large ledger, and what one opening
/// has to check in full, about 0.1 s.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
const _: () =
    assert!(SEGMENT_BYTES_MAX < u32::MAX as u64, "offsets are kept in four bytes, of which one value is a mark");

/// What is collected in memory before it is written, while many records are appended at once, in bytes.
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;

const MAGIC: [u8; 8] = *b"cairnblk";
const CAPS: Caps = Caps { first_bytes_max: RECORD_BLOCK_BYTES_MAX, second_bytes_max: RECORD_CERTIFICATE_BYTES_MAX };

/// One height as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// The height.
    pub height: Height,
    /// The block's bytes, as appended.
    pub block: Vec<u8>,
    /// The certificate's bytes, as appended.
    pub certificate: Vec<u8>,
}

/// One height to append.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// The height.
    pub height: Height,
    /// The block's bytes.
    pub block: &'a [u8],
    /// The bytes of its certificate; the genesis block has none.
    pub certificate: &'a [u8],
}

/// Where a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// First height of the segment, which names its file.
    pub segment: Height,
    /// Where the record begins in the file, in bytes.
    pub offset: u64,
    /// Length of the record in the file, in bytes.
    pub bytes: u64,
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRecovery {
    /// Greatest height in the log.
    pub tip: Option<Height>,
    /// Number of segment files.
    pub segments: usize,
    /// What was cut from the end: an append that had not returned when the machine stopped.
    pub cut: Option<CutTail>,
    /// Heights that were written and can no longer be read, in ascending order. The log is to be cut before the first of them
    /// ([`BlockLog::cut_before`]) and fetched from a peer again. Content of older segments is checked when it is read, or by
    /// [`BlockLogReader::verify`].
    pub damaged: Vec<LogDamage>,
}

/// The unfinished end of the last segment, which was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutTail {
    /// The height that it would have been; now the next to append.
    pub height: Height,
    /// The segment's file.
    pub path: PathBuf,
    /// Where it was cut, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes were cut.
    pub bytes: u64,
}

/// Heights that can no longer be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDamage {
    /// The first of them.
    pub first: Height,
    /// The last of them.
    pub last: Height,
    /// The file that should hold them.
    pub path: PathBuf,
    /// Where the damage begins, in bytes from the start of the file.
    pub offset: u64,
    /// What is wrong there.
    pub reason: DamageReason,
}

impl fmt::Display for LogDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the block log is damaged at height {}", self.first)?;
        if self.last != self.first {
            write!(f, " to {}", self.last)?;
        }
        write!(f, ": {} in {} at byte {}", self.reason, self.path.display(), self.offset)
    }
}

/// In which way a record is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageReason {
    /// Its header is not what was written.
    Header,
    /// Its content is not what was written.
    Content,
    /// The file ends before it, or is gone.
    Missing,
}

impl fmt::Display for DamageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the header is not what was written",
            Self::Content => "the content is not what was written",
            Self::Missing => "the record is missing",
        })
    }
}

/// The writing end of the log; there is one.
#[derive(Debug)]
pub struct BlockLog {
    shared: Arc<Shared>,
    active: DiskFile,
    /// First height of the active segment.
    active_first: u64,
    /// Length of the active segment, in bytes.
    end: u64,
    /// The height to append.
    next: u64,
    /// [`SEGMENT_BYTES_MAX`], but for short histories.
    segment_bytes_max: u64,
    poisoned: Option<String>,
}

impl BlockLog {
    /// Opens the log in `directory` of the machine's own disk: see [`BlockLog::open_on`].
    ///
    /// # Errors
    /// As [`BlockLog::open_on`].
    pub fn open(directory: &Path, first_height: Height) -> Result<(Self, LogRecovery), StorageError> {
        Self::open_on(real_disk(), directory, first_height)
    }

    /// Opens the log in `directory`, which is created if it is missing; `first_height` is the height it starts at.
    ///
    /// # Errors
    /// [`StorageError::FirstHeightMismatch`] if the log starts elsewhere; [`StorageError::PreambleDamaged`],
    /// [`StorageError::FileMisplaced`] or [`StorageError::FormatUnknown`] if its files cannot be a log of ours;
    /// [`StorageError::Io`]. A damaged record is no error here: see [`LogRecovery::damaged`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        first_height: Height,
    ) -> Result<(Self, LogRecovery), StorageError> {
        Self::open_extent(disk, directory, LogExtent { origin: first_height, first: first_height })
    }

    /// Opens the log in `directory` beside a base, which says where it was begun and which heights it keeps. Files that
    /// only hold lower heights are removed.
    ///
    /// # Errors
    /// As [`BlockLog::open_on`].
    pub fn open_extent(
        disk: Arc<dyn Disk>,
        directory: &Path,
        extent: LogExtent,
    ) -> Result<(Self, LogRecovery), StorageError> {
        recovery::open(disk, directory, extent)
    }

    /// The height to append.
    pub const fn next(&self) -> Height {
        Height::new(self.next)
    }

    /// What a base beside this log must say if it keeps the heights from `first` on.
    pub fn extent_from(&self, first: Height) -> LogExtent {
        LogExtent { origin: Height::new(self.shared.origin), first }
    }

    /// The first height of the file that holds `height`: what can be dropped without copying ends before it.
    pub fn file_start(&self, height: Height) -> Option<Height> {
        self.shared.segment_of(height.get()).map(|(first, _)| Height::new(first))
    }

    /// Begins a new file, so that what was appended so far can be dropped without copying.
    ///
    /// # Errors
    /// As [`BlockLog::append`].
    pub fn begin_file(&mut self) -> Result<(), StorageError> {
        self.refuse_if_poisoned()?;
        if self.end <= FRAMES_START {
            return Ok(());
        }
        let result = self.start_segment(self.next);
        if let Err(error) = &result {
            self.poisoned = Some(error.to_string());
        }
        result
    }

    /// Drops the blocks below `first`, and removes the files that only hold such; how many. The base beside the log must
    /// say so already.
    ///
    /// # Errors
    /// [`StorageError::Io`]: what could not be removed is at the next opening.
    pub fn drop_below(&mut self, first: Height) -> Result<usize, StorageError> {
        let hidden = self.shared.hide_below(first.get());
        let disk = self.shared.disk.as_ref();
        for segment in &hidden {
            let path = self.shared.segment_path(*segment);
            disk.remove(&path).map_err(StorageError::io("remove", &path))?;
        }
        if !hidden.is_empty() {
            disk::sync_directory(disk, &self.shared.directory)?;
        }
        Ok(hidden.len())
    }

    /// Copies the blocks from `at` on out of the file that holds it into one of their own, so that [`BlockLog::drop_below`]
    /// can remove the old one. The base beside the log must say already that lower heights are dropped.
    ///
    /// # Errors
    /// [`StorageError::LogDamaged`] if one of them cannot be read; [`StorageError::Io`]. Nothing is lost then.
    pub fn split_at(&mut self, at: Height) -> Result<(), StorageError> {
        self.refuse_if_poisoned()?;
        let Some((first, count)) = self.shared.segment_of(at.get()) else { return Ok(()) };
        let end = first.saturating_add(count as u64);
        if first == at.get() || at.get() >= end {
            return Ok(());
        }
        let preamble = Preamble { magic: MAGIC, salt: self.shared.salt, numbers: [self.shared.origin, at.get()] };
        let mut bytes = preamble.encode();
        let mut offsets = Vec::new();
        for height in at.get()..end {
            let height = Height::new(height);
            let record = self.read(height)?;
            let record = record.ok_or(StorageError::HeightNotNext { expected: height, found: Height::new(end) })?;
            let offset = bytes.len() as u64;
            offsets.push(u32::try_from(offset).expect("a part of a segment is within SEGMENT_BYTES_MAX"));
            let parts = [record.block.as_slice(), record.certificate.as_slice()];
            self.shared.key.encode(offset, Kind::Block, height.get(), offset, parts, &mut bytes);
        }
        let path = self.shared.segment_path(at.get());
        let disk = self.shared.disk.as_ref();
        disk::replace_file(disk, &path, &bytes)?;
        if first == self.active_first {
            self.active = DiskFile::open(disk, &path)?;
            self.active_first = at.get();
            self.end = bytes.len() as u64;
        }
        self.shared.split(Segment { first: at.get(), offsets });
        Ok(())
    }

    /// Begins a new segment at this length in bytes instead of [`SEGMENT_BYTES_MAX`], for as long as the log is open: short
    /// histories are to cross segments too.
    pub const fn limit_segments(&mut self, bytes_max: u64) {
        self.segment_bytes_max = bytes_max;
    }

    /// A reader for other threads; clone it freely.
    pub fn reader(&self) -> BlockLogReader {
        BlockLogReader::new(Arc::clone(&self.shared))
    }

    /// The height that the log starts at.
    pub fn first(&self) -> Height {
        self.shared.first()
    }

    /// The greatest height in the log; `None` while it is empty.
    pub fn tip(&self) -> Option<Height> {
        self.shared.tip()
    }

    /// The record at `height`; `None` if the log does not reach it.
    ///
    /// # Errors
    /// [`StorageError::LogDamaged`] if what is on disk is not what was written; [`StorageError::Io`].
    pub fn read(&self, height: Height) -> Result<Option<LogRecord>, StorageError> {
        self.shared.read(height)
    }

    /// Appends the next height. When this returns, the record is durable and readers see it.
    ///
    /// # Errors
    /// [`StorageError::HeightNotNext`] and [`StorageError::TooLong`] are the caller's mistakes, and nothing was written;
    /// [`StorageError::Io`] poisons the log, and from then on every append is [`StorageError::Poisoned`]: stop the node.
    pub fn append(&mut self, height: Height, block: &[u8], certificate: &[u8]) -> Result<Location, StorageError> {
        let written = self.append_many(&[RecordRef { height, block, certificate }])?;
        Ok(written.into_iter().next().expect("one record in, one location out"))
    }

    /// Appends consecutive heights with a single sync. When this returns, all of them are durable; if the machine stops before,
    /// any number of the first of them may be.
    ///
    /// # Errors
    /// As [`BlockLog::append`]; a wrong height or length anywhere means that nothing was written.
    pub fn append_many(&mut self, records: &[RecordRef<'_>]) -> Result<Vec<Location>, StorageError> {
        self.refuse_if_poisoned()?;
        let mut expected = self.next;
        for record in records {
            if record.height.get() != expected {
                return Err(StorageError::HeightNotNext { expected: Height::new(expected), found: record.height });
            }
            check_lengths(record.block, record.certificate)?;
            expected = expected.checked_add(1).ok_or(StorageError::HeightsExhausted { height: record.height })?;
        }
        let result = self.write_all(records);
        if let Err(error) = &result {
            self.poisoned = Some(error.to_string());
        }
        result
    }

    fn refuse_if_poisoned(&self) -> Result<(), StorageError> {
        match &self.poisoned {
            Some(reason) => {
                Err(StorageError::Poisoned { path: self.active.path().to_path_buf(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    fn write_all(&mut self, records: &[RecordRef<'_>]) -> Result<Vec<Location>, StorageError> {
        let mut locations = Vec::with_capacity(records.len());
        let mut buffer = Vec::new();
        // The buffer begins here, and what lies before `durable` has been synced.
        let mut durable = self.end;
        for record in records {
            let bytes = (HEADER_BYTES + record.block.len() + record.certificate.len() + TRAILER_BYTES) as u64;
            let mut offset = self.end + buffer.len() as u64;
            if offset > FRAMES_START && offset + bytes > self.segment_bytes_max {
                self.flush(&mut buffer)?;
                self.active.sync()?;
                self.start_segment(record.height.get())?;
                offset = self.end;
                durable = self.end;
            }
            let parts = [record.block, record.certificate];
            self.shared.key.encode(offset, Kind::Block, record.height.get(), durable, parts, &mut buffer);
            locations.push(Location { segment: Height::new(self.active_first), offset, bytes });
            if buffer.len() >= WRITE_BUFFER_BYTES {
                self.flush(&mut buffer)?;
            }
        }
        if records.is_empty() {
            return Ok(locations);
        }
        self.flush(&mut buffer)?;
        self.active.sync()?;
        self.shared.publish(&locations);
        self.next += records.len() as u64;
        Ok(locations)
    }

    fn flush(&mut self, buffer: &mut Vec<u8>) -> Result<(), StorageError> {
        self.active.write_at(buffer, self.end)?;
        self.end += buffer.len() as u64;
        buffer.clear();
        Ok(())
    }

    fn start_segment(&mut self, first: u64) -> Result<(), StorageError> {
        let path = self.shared.segment_path(first);
        let preamble = Preamble { magic: MAGIC, salt: self.shared.salt, numbers: [self.shared.origin, first] };
        let disk = self.shared.disk.as_ref();
        disk::replace_file(disk, &path, &preamble.encode())?;
        self.active = DiskFile::open(disk, &path)?;
        self.active_first = first;
        self.end = FRAMES_START;
        self.shared.add_segment(Segment { first, offsets: Vec::new() });
        Ok(())
    }
}

fn check_lengths(block: &[u8], certificate: &[u8]) -> Result<(), StorageError> {
    for (what, bytes, bytes_max) in [
        ("a block", block.len(), RECORD_BLOCK_BYTES_MAX),
        ("a certificate", certificate.len(), RECORD_CERTIFICATE_BYTES_MAX),
    ] {
        if bytes > bytes_max {
            return Err(StorageError::TooLong { what, bytes, bytes_max });
        }
    }
    Ok(())
}
