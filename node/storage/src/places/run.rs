//! A run: the places of consecutive blocks in one file that is written once, sorted.
//!
//! ```text
//! file   preamble (salt, first height, last height), twice · page · page · …
//! page   4,080 bytes · check 16 B                         BLAKE3, keyed with the salt, over its number and its bytes
//! pages  one with the counts · records, 170 in each (name 16 B, place 8 B, little-endian) · words of the filter ·
//!        words of the fences: the first half of the first name of each page
//! ```
//!
//! Filter and fences are in memory, so that a look-up reads one page, or none. It does not know which other runs there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::filter::Filter;
use super::tail::Tail;
use super::{Key, Record};
use crate::disk::{self, Disk, DiskFile, TEMPORARY_SUFFIX};
use crate::error::StorageError;
use crate::frame::{FRAMES_START, Preamble, read_u64};

/// Length of a page in bytes, as the machine reads.
const PAGE_BYTES: usize = 4_096;
const CHECK_BYTES: usize = 16;
const RECORD_BYTES: usize = 24;
const RECORDS_PER_PAGE: usize = (PAGE_BYTES - CHECK_BYTES) / RECORD_BYTES;
const WORDS_PER_PAGE: usize = (PAGE_BYTES - CHECK_BYTES) / 8;

/// Pages that are read at once while runs are merged: 64 KiB of each of eight.
const MERGE_PAGES: usize = 16;
/// Pages that are written at once.
const WRITE_PAGES: usize = 128;
/// Bytes after which a run that is being written is synced: a longer sync would make the block log wait behind it.
const SYNC_EVERY_BYTES: u64 = 4 * 1024 * 1024;

const MAGIC: [u8; 8] = *b"cairnplc";
/// Domain of the key of the pages' checks.
const PAGE_DOMAIN: &str = "cairn storage places v1 page";

/// See the module.
#[derive(Debug)]
pub(super) struct Run {
    file: DiskFile,
    salt: [u8; 16],
    page_key: [u8; 32],
    first: u64,
    last: u64,
    records: u64,
    filter: Filter,
    fences: Vec<u64>,
}

impl Run {
    /// Opens a run; `None` if it is damaged or of other heights than its name says.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub(super) fn open(disk: &dyn Disk, path: &Path, first: u64, last: u64) -> Result<Option<Self>, StorageError> {
        let file = DiskFile::open_to_read(disk, path)?;
        let preamble = match Preamble::read(&file, MAGIC) {
            Err(StorageError::FormatUnknown { .. }) => None,
            other => other?,
        };
        let Some(preamble) = preamble.filter(|preamble| preamble.numbers == [first, last] && first <= last) else {
            return Ok(None);
        };
        let page_key = blake3::derive_key(PAGE_DOMAIN, &preamble.salt);
        let salt = preamble.salt;
        let mut run =
            Self { file, salt, page_key, first, last, records: 0, filter: Filter::new(0), fences: Vec::new() };
        match run.read_counts() {
            Ok(()) => Ok(Some(run)),
            Err(StorageError::PlacesDamaged { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn read_counts(&mut self) -> Result<(), StorageError> {
        let mut page = vec![0; PAGE_BYTES];
        self.read_pages(0, &mut page)?;
        let count = |at: usize| read_u64(&page, at).unwrap_or(u64::MAX);
        let (records, words) = (count(0), count(8));
        let pages_of = |count: u64, per_page: usize| count.div_ceil(per_page as u64);
        let record_pages = pages_of(records, RECORDS_PER_PAGE);
        let word_pages = pages_of(words, WORDS_PER_PAGE);
        let fence_pages = pages_of(record_pages, WORDS_PER_PAGE);
        let pages = [1, record_pages, word_pages, fence_pages].into_iter().fold(0_u64, u64::saturating_add);
        // Counts are believed once the file is as long as they say: nothing is allocated by a wrong one.
        if self.file.length()? != pages.saturating_mul(PAGE_BYTES as u64).saturating_add(FRAMES_START) {
            return Err(self.damaged(0));
        }
        self.records = records;
        self.filter = Filter::from_words(self.read_words(1 + record_pages, words)?);
        self.fences = self.read_words(1 + record_pages + word_pages, record_pages)?;
        Ok(())
    }

    fn read_words(&self, mut number: u64, count: u64) -> Result<Vec<u64>, StorageError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut words = Vec::with_capacity(count);
        let mut page = vec![0; PAGE_BYTES];
        while words.len() < count {
            self.read_pages(number, &mut page)?;
            let wanted = (count - words.len()).min(WORDS_PER_PAGE);
            words.extend((0..wanted).map(|at| read_u64(&page, at * 8).unwrap_or(0)));
            number = number.saturating_add(1);
        }
        Ok(words)
    }

    /// Writes a full tail as a run and opens it. It counts once it is durable.
    ///
    /// # Errors
    /// [`StorageError::Io`]; nothing counts then.
    pub(super) fn write(
        disk: &Arc<dyn Disk>,
        path: &Path,
        salt: [u8; 16],
        heights: (u64, u64),
        tail: &Tail,
    ) -> Result<Self, StorageError> {
        let records = tail.sorted();
        let mut writer = Writer::create(disk, path, salt, heights, records.len() as u64)?;
        records.into_iter().try_for_each(|record| writer.push(record))?;
        writer.finish()
    }

    /// Writes one run out of several that follow each other.
    ///
    /// # Errors
    /// [`StorageError::Io`]; [`StorageError::PlacesDamaged`]: the damaged one is removed.
    pub(super) fn merge(
        disk: &Arc<dyn Disk>,
        path: &Path,
        salt: [u8; 16],
        heights: (u64, u64),
        runs: &[Arc<Self>],
    ) -> Result<Self, StorageError> {
        let records = runs.iter().map(|run| run.records).sum();
        let mut writer = Writer::create(disk, path, salt, heights, records)?;
        let mut cursors: Vec<Cursor<'_>> = runs.iter().map(|run| Cursor::new(run)).collect();
        let mut heads = BinaryHeap::new();
        for (at, cursor) in cursors.iter_mut().enumerate() {
            heads.extend(cursor.next(disk.as_ref())?.map(|record| Reverse((record, at))));
        }
        while let Some(Reverse((record, at))) = heads.pop() {
            writer.push(record)?;
            let Some(cursor) = cursors.get_mut(at) else { continue };
            heads.extend(cursor.next(disk.as_ref())?.map(|record| Reverse((record, at))));
        }
        writer.finish()
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    pub(super) const fn salt(&self) -> [u8; 16] {
        self.salt
    }

    pub(super) const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Appends the records of a name from `from` on, ascending, at most `limit`.
    pub(super) fn find(&self, from: Record, limit: usize, found: &mut Vec<Record>) -> Result<(), StorageError> {
        // Names that begin alike may end the page before the first fence that says so.
        let mut at = self.fences.partition_point(|fence| *fence < from.key.0).saturating_sub(1);
        let mut page = vec![0; PAGE_BYTES];
        let mut left = limit;
        while at < self.fences.len() {
            self.read_pages(1 + at as u64, &mut page)?;
            for record in self.records_of(at, &page).filter(|record| *record >= from) {
                if record.key != from.key || left == 0 {
                    return Ok(());
                }
                found.push(record);
                left -= 1;
            }
            at += 1;
        }
        Ok(())
    }

    /// The records in a page of them, which has been checked.
    fn records_of<'a>(&self, at: usize, page: &'a [u8]) -> impl Iterator<Item = Record> + use<'a> {
        let before = (at as u64).saturating_mul(RECORDS_PER_PAGE as u64);
        let count = usize::try_from(self.records.saturating_sub(before)).unwrap_or(usize::MAX);
        page.chunks_exact(RECORD_BYTES).take(count.min(RECORDS_PER_PAGE)).map(|bytes| {
            let word = |at: usize| read_u64(bytes, at).unwrap_or(0);
            Record { key: Key(word(0), word(8)), place: word(16) }
        })
    }

    /// Fills `pages`, whose length is that of some pages, from page `number` on, and checks each.
    fn read_pages(&self, number: u64, pages: &mut [u8]) -> Result<(), StorageError> {
        let offset = number.saturating_mul(PAGE_BYTES as u64).saturating_add(FRAMES_START);
        let whole = self.file.read_at(pages, offset)? == pages.len();
        let mut numbers = number..;
        let holds = |page: &[u8]| {
            let number = numbers.next().unwrap_or(u64::MAX);
            page.split_last_chunk::<CHECK_BYTES>()
                .is_some_and(|(bytes, check)| page_check(&self.page_key, number, bytes) == *check)
        };
        if whole && pages.chunks_exact(PAGE_BYTES).all(holds) { Ok(()) } else { Err(self.damaged(offset)) }
    }

    fn damaged(&self, offset: u64) -> StorageError {
        StorageError::PlacesDamaged { path: self.file.path().to_path_buf(), offset }
    }
}

fn page_check(key: &[u8; 32], number: u64, bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&number.to_le_bytes()).update(bytes);
    let mut check = [0; CHECK_BYTES];
    hasher.finalize_xof().fill(&mut check);
    check
}

/// Reads a run from front to back.
struct Cursor<'a> {
    run: &'a Run,
    buffer: std::vec::IntoIter<Record>,
    /// The next page of records.
    page: usize,
}

impl<'a> Cursor<'a> {
    fn new(run: &'a Run) -> Self {
        Self { run, buffer: Vec::new().into_iter(), page: 0 }
    }

    fn next(&mut self, disk: &dyn Disk) -> Result<Option<Record>, StorageError> {
        if let Some(record) = self.buffer.next() {
            return Ok(Some(record));
        }
        let count = self.run.fences.len().saturating_sub(self.page).min(MERGE_PAGES);
        if count == 0 {
            return Ok(None);
        }
        let mut pages = vec![0; count * PAGE_BYTES];
        if let Err(error) = self.run.read_pages(1 + self.page as u64, &mut pages) {
            if matches!(error, StorageError::PlacesDamaged { .. }) {
                // The next opening finds its heights missing. The damage is told already.
                let _ = disk.remove(self.run.file.path());
            }
            return Err(error);
        }
        let mut records = Vec::with_capacity(count * RECORDS_PER_PAGE);
        for (at, page) in (self.page..).zip(pages.chunks_exact(PAGE_BYTES)) {
            records.extend(self.run.records_of(at, page));
        }
        self.page += count;
        self.buffer = records.into_iter();
        Ok(self.buffer.next())
    }
}

/// Writes a run under a name that does not count, until it is whole and durable.
struct Writer<'a> {
    disk: &'a Arc<dyn Disk>,
    path: PathBuf,
    run: Run,
    number: u64,
    buffer: Vec<u8>,
    /// Length of the buffer without the page that is being filled.
    whole: usize,
    end: u64,
    unsynced: u64,
}

impl<'a> Writer<'a> {
    fn create(
        disk: &'a Arc<dyn Disk>,
        path: &Path,
        salt: [u8; 16],
        (first, last): (u64, u64),
        records: u64,
    ) -> Result<Self, StorageError> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(TEMPORARY_SUFFIX);
        let temporary = PathBuf::from(temporary);
        disk.create(&temporary).map_err(StorageError::io("create", &temporary))?;
        let file = DiskFile::open(disk.as_ref(), &temporary)?;
        file.write_at(&Preamble { magic: MAGIC, salt, numbers: [first, last] }.encode(), 0)?;
        // A third of the records of a ledger of attestations are ids; a filter that is a little large or small is a filter.
        let filter = Filter::new(usize::try_from(records / 3).unwrap_or(usize::MAX));
        let page_key = blake3::derive_key(PAGE_DOMAIN, &salt);
        let run = Run { file, salt, page_key, first, last, records, filter, fences: Vec::new() };
        let (buffer, path) = (Vec::with_capacity(WRITE_PAGES * PAGE_BYTES), path.to_path_buf());
        let mut writer = Self { disk, path, run, number: 0, buffer, whole: 0, end: FRAMES_START, unsynced: 0 };
        writer.buffer.extend_from_slice(&records.to_le_bytes());
        writer.buffer.extend_from_slice(&(writer.run.filter.words().len() as u64).to_le_bytes());
        writer.end_page()?;
        Ok(writer)
    }

    fn push(&mut self, record: Record) -> Result<(), StorageError> {
        if self.buffer.len() == self.whole {
            self.run.fences.push(record.key.0);
        }
        if record.is_filtered() {
            self.run.filter.insert(record.key);
        }
        for word in [record.key.0, record.key.1, record.place] {
            self.buffer.extend_from_slice(&word.to_le_bytes());
        }
        self.end_page_if_full()
    }

    fn end_page_if_full(&mut self) -> Result<(), StorageError> {
        if self.buffer.len() - self.whole + CHECK_BYTES >= PAGE_BYTES { self.end_page() } else { Ok(()) }
    }

    /// Ends a page, if one was begun.
    fn end_page(&mut self) -> Result<(), StorageError> {
        if self.buffer.len() == self.whole {
            return Ok(());
        }
        self.buffer.resize(self.whole + PAGE_BYTES - CHECK_BYTES, 0);
        let bytes = self.buffer.get(self.whole..).unwrap_or_default();
        let check = page_check(&self.run.page_key, self.number, bytes);
        self.buffer.extend_from_slice(&check);
        self.whole = self.buffer.len();
        self.number = self.number.saturating_add(1);
        if self.whole >= WRITE_PAGES * PAGE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.run.file.write_at(&self.buffer, self.end)?;
        let written = self.buffer.len() as u64;
        self.end = self.end.saturating_add(written);
        self.unsynced = self.unsynced.saturating_add(written);
        if self.unsynced >= SYNC_EVERY_BYTES {
            self.run.file.sync()?;
            self.unsynced = 0;
        }
        self.buffer.clear();
        self.whole = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<Run, StorageError> {
        self.end_page()?;
        let words = [self.run.filter.words().to_vec(), self.run.fences.clone()];
        for words in &words {
            for word in words {
                self.buffer.extend_from_slice(&word.to_le_bytes());
                self.end_page_if_full()?;
            }
            self.end_page()?;
        }
        self.flush()?;
        self.run.file.sync()?;
        let from = self.run.file.path().to_path_buf();
        self.disk.rename(&from, &self.path).map_err(StorageError::io("rename", &from))?;
        disk::sync_directory(self.disk.as_ref(), disk::parent(&self.path))?;
        self.run.file = DiskFile::open_to_read(self.disk.as_ref(), &self.path)?;
        Ok(self.run)
    }
}
