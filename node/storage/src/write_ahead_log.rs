//! The consensus write-ahead log: what this node has heard and said in the current height, so that after a crash it goes
//! on where it stopped and contradicts nothing.
//!
//! One file of frames (`frame.rs`): a height mark, its entries, the next height mark, and so on. Only what follows the
//! last mark counts. Starting a height appends a mark, one sync; a file that has grown is replaced as a whole instead.
//! Either way a crash leaves the old height with all its entries, or the new one with none.
//!
//! It does not know what an entry means, nor when it has to be durable: the caller syncs before anything that rests on an
//! entry leaves the node.
//!
//! Invariants: entries come back in the order they were appended, each whole, none missing before another; what
//! [`WriteAheadLog::sync`] acknowledged comes back; damage that is not an unfinished last write is an error.

use std::path::Path;
use std::sync::Arc;

use cairn_types::Height;

use crate::disk::{self, Disk, DiskFile, real_disk};
use crate::error::StorageError;
use crate::frame::scan::{Depth, Scan, Stretch};
use crate::frame::{Caps, FRAMES_START, FrameKey, Kind, Preamble, read_u64};

#[cfg(test)]
mod tests;

/// Longest entry in bytes: the longest block that the block log takes, and what consensus writes around it.
pub const WAL_ENTRY_BYTES_MAX: usize = crate::block_log::RECORD_BLOCK_BYTES_MAX + 64 * 1024;

/// Longest log of one height in bytes: a thousand rounds of full blocks. It bounds what opening loads; a node that
/// reaches it has been without agreement for hours, and stops.
pub const WAL_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Length above which starting a height replaces the file, in bytes: the replacing takes three syncs instead of one, so it
/// should be rare, and the dead entries are read at every opening, so it should not be too rare.
pub const WAL_REPLACE_BYTES: u64 = 8 * 1024 * 1024;

/// What an empty buffer keeps of its memory, in bytes: the votes of a round fit, a block does not.
const BUFFER_KEPT_BYTES: usize = 64 * 1024;

const MAGIC: [u8; 8] = *b"cairnwal";
const CAPS: Caps = Caps { first_bytes_max: WAL_ENTRY_BYTES_MAX, second_bytes_max: 0 };

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalContents {
    /// The height that the entries belong to.
    pub height: Height,
    /// The entries in the order they were appended.
    pub entries: Vec<Vec<u8>>,
    /// How many of them were synced before the last write began. What that write held may have been on its way when the
    /// machine stopped, so nothing need have followed from it.
    pub synced: usize,
    /// How many bytes of an unfinished last write were dropped.
    pub dropped_bytes: u64,
}

/// The log, open for appending.
#[derive(Debug)]
pub struct WriteAheadLog {
    disk: Arc<dyn Disk>,
    file: DiskFile,
    key: FrameKey,
    height: Height,
    /// Length of what is synced, in bytes.
    end: u64,
    /// Frames in the file.
    count: u64,
    /// Appended and not written yet.
    buffer: Vec<u8>,
    /// Frames in the buffer.
    buffered: u64,
    /// [`WAL_REPLACE_BYTES`], but for short histories.
    replace_bytes: u64,
    poisoned: Option<String>,
}

impl WriteAheadLog {
    /// Creates an empty log at `height` on the machine's own disk.
    ///
    /// # Errors
    /// As [`WriteAheadLog::create_on`].
    pub fn create(path: &Path, height: Height) -> Result<(), StorageError> {
        Self::create_on(real_disk().as_ref(), path, height)
    }

    /// Creates an empty log at `height`.
    ///
    /// # Errors
    /// [`StorageError::FileExists`]; [`StorageError::Io`].
    pub fn create_on(disk: &dyn Disk, path: &Path, height: Height) -> Result<(), StorageError> {
        if disk.exists(path) {
            return Err(StorageError::FileExists { path: path.to_path_buf() });
        }
        disk::replace_file(disk, path, &fresh_file(disk, height))
    }

    /// Copies a damaged log to `kept`, and puts an empty one at `height` in its place. A crash leaves the one or the other.
    pub(crate) fn replace_on(disk: &dyn Disk, path: &Path, kept: &Path, height: Height) -> Result<(), StorageError> {
        let file = DiskFile::open_to_read(disk, path)?;
        let mut bytes = vec![0; usize::try_from(file.length()?).unwrap_or(usize::MAX)];
        let got = file.read_at(&mut bytes, 0)?;
        disk::replace_file(disk, kept, bytes.get(..got).unwrap_or_default())?;
        disk::replace_file(disk, path, &fresh_file(disk, height))
    }

    /// Opens the log on the machine's own disk: see [`WriteAheadLog::open_on`].
    ///
    /// # Errors
    /// As [`WriteAheadLog::open_on`].
    pub fn open(path: &Path) -> Result<(Self, WalContents), StorageError> {
        Self::open_on(real_disk(), path)
    }

    /// Opens the log and returns the entries of its height, for consensus to hear again.
    ///
    /// # Errors
    /// [`StorageError::FileMissing`] if there is none: a new one would forget what this node is locked on.
    /// [`StorageError::WalDamaged`] or [`StorageError::PreambleDamaged`] if entries of its height are lost;
    /// [`StorageError::Io`].
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<(Self, WalContents), StorageError> {
        if !disk.exists(path) {
            return Err(StorageError::FileMissing { path: path.to_path_buf() });
        }
        let file = DiskFile::open(disk.as_ref(), path)?;
        let preamble = Preamble::read(&file, MAGIC)?;
        let preamble = preamble.ok_or_else(|| StorageError::PreambleDamaged { path: path.to_path_buf() })?;
        let key = preamble.key();
        let survey = survey(&file, &key)?;
        let damaged = |offset| StorageError::WalDamaged { path: path.to_path_buf(), offset };
        let length = file.length()?;
        if survey.end < length {
            file.set_length(survey.end)?;
        }
        disk::settle(disk.as_ref(), &file)?;
        let Some((mark, rest)) = survey.live.split_first() else { return Err(damaged(FRAMES_START)) };
        let mark = key.read(&file, *mark, &CAPS)?;
        let height = mark.and_then(|frame| read_u64(&frame.first, 0)).ok_or_else(|| damaged(FRAMES_START))?;
        let mut entries = Vec::with_capacity(rest.len());
        for &offset in rest {
            let frame = key.read(&file, offset, &CAPS)?.ok_or_else(|| damaged(offset))?;
            entries.push(frame.first);
        }
        let synced = rest.iter().take_while(|offset| **offset < survey.last_write).count();
        let height = Height::new(height);
        let dropped_bytes = length.saturating_sub(survey.end);
        let end = survey.end;
        let count = survey.count;
        let log = Self {
            disk,
            file,
            key,
            height,
            end,
            count,
            buffer: Vec::new(),
            buffered: 0,
            replace_bytes: WAL_REPLACE_BYTES,
            poisoned: None,
        };
        Ok((log, WalContents { height, entries, synced, dropped_bytes }))
    }

    /// Replaces the file at this length in bytes instead of [`WAL_REPLACE_BYTES`], for as long as it is open: short
    /// histories are to do that too.
    pub const fn replace_above(&mut self, bytes: u64) {
        self.replace_bytes = bytes;
    }

    /// The height that entries are appended to.
    pub const fn height(&self) -> Height {
        self.height
    }

    /// Appends an entry to the buffer. It is neither written nor durable before [`WriteAheadLog::sync`].
    ///
    /// # Errors
    /// [`StorageError::TooLong`] if the entry or the whole log would exceed its cap; [`StorageError::Poisoned`].
    pub fn append(&mut self, entry: &[u8]) -> Result<(), StorageError> {
        self.refuse_if_poisoned()?;
        if entry.len() > WAL_ENTRY_BYTES_MAX {
            let what = "an entry of the write-ahead log";
            return Err(StorageError::TooLong { what, bytes: entry.len(), bytes_max: WAL_ENTRY_BYTES_MAX });
        }
        let offset = self.end + self.buffer.len() as u64;
        if offset + entry.len() as u64 > WAL_BYTES_MAX {
            let bytes = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(entry.len());
            let bytes_max = usize::try_from(WAL_BYTES_MAX).unwrap_or(usize::MAX);
            return Err(StorageError::TooLong { what: "the write-ahead log", bytes, bytes_max });
        }
        let number = self.count + self.buffered;
        self.key.encode(offset, Kind::Entry, number, self.end, [entry, &[]], &mut self.buffer);
        self.buffered += 1;
        Ok(())
    }

    /// Writes all buffered entries and makes them durable with one sync; does nothing if there are none.
    ///
    /// # Errors
    /// [`StorageError::Io`] poisons the log, and from then on every call is [`StorageError::Poisoned`]: stop the node.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.refuse_if_poisoned()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.file.write_at(&self.buffer, self.end).and_then(|()| self.file.sync());
        self.poison_on_error(&result);
        result?;
        self.end += self.buffer.len() as u64;
        self.count += self.buffered;
        self.drop_buffer();
        Ok(())
    }

    /// Starts `height` with no entries, durably. Buffered entries of the height before are dropped.
    ///
    /// # Errors
    /// [`StorageError::WalHeightNotNewer`] unless `height` is greater than the current one, whose entries may still bind
    /// this node; [`StorageError::Io`] poisons the log.
    pub fn reset(&mut self, height: Height) -> Result<(), StorageError> {
        self.refuse_if_poisoned()?;
        if height <= self.height {
            return Err(StorageError::WalHeightNotNewer { current: self.height, requested: height });
        }
        self.drop_buffer();
        let result = if self.end > self.replace_bytes { self.replace(height) } else { self.mark(height) };
        self.poison_on_error(&result);
        result?;
        self.height = height;
        Ok(())
    }

    /// Empties the buffer, and keeps little of its memory.
    fn drop_buffer(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_BYTES);
        self.buffered = 0;
    }

    fn mark(&mut self, height: Height) -> Result<(), StorageError> {
        let mut bytes = Vec::new();
        self.key.encode(self.end, Kind::Height, self.count, self.end, [&height.get().to_le_bytes(), &[]], &mut bytes);
        self.file.write_at(&bytes, self.end)?;
        self.file.sync()?;
        self.end += bytes.len() as u64;
        self.count += 1;
        Ok(())
    }

    fn replace(&mut self, height: Height) -> Result<(), StorageError> {
        let path = self.file.path().to_path_buf();
        let disk = Arc::clone(&self.disk);
        disk::replace_file(disk.as_ref(), &path, &fresh_file(disk.as_ref(), height))?;
        let (fresh, _) = Self::open_on(disk, &path)?;
        *self = Self { replace_bytes: self.replace_bytes, ..fresh };
        Ok(())
    }

    fn refuse_if_poisoned(&self) -> Result<(), StorageError> {
        match &self.poisoned {
            Some(reason) => {
                Err(StorageError::Poisoned { path: self.file.path().to_path_buf(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    fn poison_on_error(&mut self, result: &Result<(), StorageError>) {
        if let Err(error) = result {
            self.poisoned = Some(error.to_string());
        }
    }
}

/// A file with one height mark and nothing else.
fn fresh_file(disk: &dyn Disk, height: Height) -> Vec<u8> {
    let preamble = Preamble { magic: MAGIC, salt: disk.fresh_salt(), numbers: [0, 0] };
    let mut bytes = preamble.encode();
    let mark = height.get().to_le_bytes();
    preamble.key().encode(FRAMES_START, Kind::Height, 0, FRAMES_START, [&mark, &[]], &mut bytes);
    bytes
}

/// What a file holds.
struct Survey {
    /// Where the last height mark and the entries behind it begin.
    live: Vec<u64>,
    /// Number of frames before `end`.
    count: u64,
    /// Where the next frame goes: behind the last whole one that counts.
    end: u64,
    /// Where the write began that the last of them belongs to.
    last_write: u64,
}

/// Finds the live frames. Damage before the last mark is dead matter; damage behind it that a later frame proves to have
/// been synced is an error; damage at the end is an unfinished write.
fn survey(file: &DiskFile, key: &FrameKey) -> Result<Survey, StorageError> {
    let mut survey = Survey { live: Vec::new(), count: 0, end: FRAMES_START, last_write: FRAMES_START };
    let mut broken: Option<u64> = None;
    // What lies behind the first break counts only if it proves that the break is a loss.
    let mut durable = FRAMES_START;
    let mut scan = Scan::new(file, key, CAPS, Depth::Payloads)?;
    while let Some(found) = scan.next()? {
        let Stretch::Whole(header) = found.stretch else {
            if let Stretch::Torn(header) = found.stretch {
                durable = durable.max(header.durable);
            }
            broken.get_or_insert(found.offset);
            continue;
        };
        durable = durable.max(header.durable);
        let synced_over_the_break = broken.is_none_or(|offset| offset < header.durable);
        if header.kind == Kind::Height && synced_over_the_break {
            survey.live.clear();
            broken = None;
        } else if broken.is_none() && header.number != survey.count {
            broken = Some(found.offset);
        }
        if broken.is_none() {
            survey.live.push(found.offset);
            survey.count = header.number.saturating_add(1);
            survey.end = found.offset.saturating_add(header.frame_bytes());
            survey.last_write = header.durable;
        }
    }
    match broken {
        Some(offset) if offset < durable => Err(StorageError::WalDamaged { path: file.path().to_path_buf(), offset }),
        _ => Ok(survey),
    }
}
