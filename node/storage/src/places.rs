//! Where things stand in the block log: the part of the index that grows with every transaction.
//!
//! ```text
//! add ──► tail: sorted parts in memory ──► full: frozen ──► work: a run on disk ──► work: eight runs become one
//! index-<engine>/places/00000000000000000001-00000000000000000412.places      heights 1 to 412
//! ```
//!
//! A name (a transaction's id, an attestation's place in its stream, the hash of a content) leads to positions. Nothing is
//! ever changed or removed, so this needs no engine: names are hashed to numbers of one length, the numbers of many blocks
//! are sorted and written at once, and eight runs of a size are merged into one of the next. A name is hashed with a secret
//! salt to 128 bits: nobody can make two that meet, and they are spread evenly whoever chose the names.
//!
//! It does not know what a name means, nor what is in a block: whoever adds has read it there. It starts no thread: [`work`]
//! is called from wherever there is time. What is not in a run is lost with the process, and is added again from the block
//! log: [`Places::next`] says from where.
//!
//! Invariants: the heights of the runs follow each other without a gap; readers see a block's places whole as soon as
//! [`Places::add`] returns; bytes that were not written are never believed, because every page is checked when it is read.
//!
//! [`work`]: Places::work

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cairn_types::Height;

use crate::disk::{self, Disk, TEMPORARY_SUFFIX};
use crate::error::StorageError;

mod filter;
mod run;
mod tail;
#[cfg(test)]
mod tests;

use run::Run;
use tail::Tail;

/// Records of the tail that become a run: 6 MiB, of 87,000 attestations. After a crash as many are read from the block log
/// again, in about 0.2 s.
const RUN_RECORDS: usize = 1 << 18;

/// How many runs are written by the time that one more has to wait for the disk: the tail is then twice as long as a run.
const TAIL_RECORDS_MAX: usize = 2 * RUN_RECORDS;

/// Runs of a size that are merged into one of the next: a record is written again at each eightfold growth, and a look-up
/// asks seven runs of each size at most.
const MERGED_RUNS: usize = 8;

/// Bits of a place for the height: a thousand blocks a second fill them in 35 years.
const HEIGHT_BITS: u32 = 40;
/// Bits of a place for the index in the block: a block of the longest record has fewer bytes.
const INDEX_BITS: u32 = 23;
const _: () = assert!(HEIGHT_BITS + INDEX_BITS == 63, "the last bit says whether the name is filtered");
const _: () = assert!(crate::block_log::RECORD_BLOCK_BYTES_MAX <= 1 << INDEX_BITS, "a transaction has a byte at least");

/// Suffix of a run's file.
const RUN_SUFFIX: &str = ".places";

/// Domain of the key under which names are hashed.
const NAME_DOMAIN: &str = "cairn storage places v1 name";

/// What kind of name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// A transaction's id. It is asked for before anything is taken, so absence is known without the disk nearly always.
    Transactions,
    /// Stream and sequence of an attestation.
    Attestations,
    /// The hash of a content; it may stand in many places.
    Contents,
}

impl Family {
    const fn is_filtered(self) -> bool {
        matches!(self, Self::Transactions)
    }
}

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Height of the block.
    pub height: Height,
    /// Index in the block.
    pub index: u32,
}

impl Place {
    /// The greatest index that a place can have: more than a block of the longest record has transactions.
    pub const INDEX_MAX: u32 = (1 << INDEX_BITS) - 1;
}

/// A hashed name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64, u64);

/// A hashed name and a place: height, index, and whether the name is filtered, from high bits to low.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    key: Key,
    place: u64,
}

impl Record {
    fn pack(key: Key, place: Place, is_filtered: bool) -> Result<Self, StorageError> {
        let height = place.height.get();
        if height >> HEIGHT_BITS != 0 || place.index >> INDEX_BITS != 0 {
            return Err(StorageError::PlaceTooFar { height: place.height, index: place.index });
        }
        let place = (height << INDEX_BITS | u64::from(place.index)) << 1 | u64::from(is_filtered);
        Ok(Self { key, place })
    }

    /// What all records of a name behind a place are not below, whatever place an asker names; `None` if there can be none.
    fn first_behind(key: Key, after: Option<Place>) -> Option<Self> {
        let Some(Place { height, index }) = after else { return Some(Self { key, place: 0 }) };
        let after = Place { height, index: index.min(Place::INDEX_MAX) };
        // Both marks of a place lie above this one, or below the next.
        let last = Self::pack(key, after, true).ok()?;
        Some(Self { key, place: last.place.checked_add(1)? })
    }

    const fn is_filtered(self) -> bool {
        self.place & 1 == 1
    }

    fn place(self) -> Place {
        let index = self.place >> 1 & ((1 << INDEX_BITS) - 1);
        let height = self.place >> 1 >> INDEX_BITS;
        Place { height: Height::new(height), index: u32::try_from(index).unwrap_or(u32::MAX) }
    }
}

/// The names of one block, to be added together.
#[derive(Debug)]
pub struct BlockPlaces {
    height: Height,
    name_key: [u8; 32],
    records: Vec<Record>,
    error: Option<StorageError>,
}

impl BlockPlaces {
    /// Notes that transaction `index` of the block has this name.
    pub fn push(&mut self, family: Family, name: &[u8], index: u32) {
        let place = Place { height: self.height, index };
        match Record::pack(hashed(&self.name_key, family, name), place, family.is_filtered()) {
            Ok(record) => self.records.push(record),
            Err(error) => self.error = Some(error),
        }
    }
}

fn hashed(name_key: &[u8; 32], family: Family, name: &[u8]) -> Key {
    let mut hasher = blake3::Hasher::new_keyed(name_key);
    hasher.update(&[family as u8]).update(name);
    let hash = hasher.finalize();
    let word = |at: usize| hash.as_bytes().get(at..).and_then(|bytes| bytes.first_chunk::<8>()).copied();
    let word = |at: usize| u64::from_be_bytes(word(at).expect("a hash has 32 bytes"));
    Key(word(0), word(8))
}

/// What readers see.
#[derive(Debug)]
struct Contents {
    /// The first height that is not in here.
    next: u64,
    /// Ascending by height, without a gap.
    runs: Vec<Arc<Run>>,
    /// A full tail that waits to become a run.
    frozen: Option<Arc<Tail>>,
    tail: Tail,
}

/// See the module. Shared by the threads of a node.
#[derive(Debug)]
pub struct Places {
    /// None for what is kept in memory only.
    on_disk: Option<(Arc<dyn Disk>, PathBuf)>,
    salt: [u8; 16],
    name_key: [u8; 32],
    run_records: usize,
    contents: RwLock<Contents>,
    /// Held by whoever writes runs.
    working: Mutex<()>,
}

impl Places {
    /// Places that are kept in memory only, from the height `first` on: for tests, and for whoever fills them to look once.
    pub fn in_memory(first: Height) -> Self {
        Self::with(None, [0; 16], first.get(), Vec::new())
    }

    /// Opens the places in `directory`, which is made if it is missing, beside a block log that keeps the heights from `first`
    /// on and appends at `log_next`. What does not fit it, or is damaged, is removed; [`Places::next`] says what is missing.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn open(disk: Arc<dyn Disk>, directory: &Path, first: Height, log_next: Height) -> Result<Self, StorageError> {
        disk::create_directory(disk.as_ref(), directory)?;
        let mut found = names(disk.as_ref(), directory)?;
        // The longer of two that begin alike holds the other: it was merged, and removing the old ones was interrupted.
        found.sort_unstable_by_key(|(first, last)| (*first, std::cmp::Reverse(*last)));
        let (mut runs, mut unfit, mut next) = (Vec::<Arc<Run>>::new(), Vec::new(), None);
        for (run_first, run_last) in found {
            let path = directory.join(file_name(run_first, run_last));
            let fits = next.is_none_or(|next| next == run_first);
            let run = if fits { Run::open(disk.as_ref(), &path, run_first, run_last)? } else { None };
            match run.filter(|run| runs.first().is_none_or(|first| first.salt() == run.salt())) {
                Some(run) => {
                    next = run_last.checked_add(1);
                    runs.push(Arc::new(run));
                }
                None => unfit.push(path),
            }
        }
        let begins = runs.first().map_or(first.get(), |run| run.first());
        let next = next.unwrap_or(first.get());
        let fits_log = begins <= first.get() && next >= first.get() && next <= log_next.get();
        if !fits_log {
            unfit.extend(runs.drain(..).map(|run| directory.join(file_name(run.first(), run.last()))));
        }
        for path in &unfit {
            tracing::warn!(path = %path.display(), "places that do not fit the block log are removed and found again");
            disk.remove(path).map_err(StorageError::io("remove", path))?;
        }
        let salt = runs.first().map_or_else(|| disk.fresh_salt(), |run| run.salt());
        let next = if fits_log { next } else { first.get() };
        Ok(Self::with(Some((disk, directory.to_path_buf())), salt, next, runs))
    }

    fn with(on_disk: Option<(Arc<dyn Disk>, PathBuf)>, salt: [u8; 16], next: u64, runs: Vec<Arc<Run>>) -> Self {
        let tail = Tail::new(next, RUN_RECORDS);
        Self {
            on_disk,
            salt,
            name_key: blake3::derive_key(NAME_DOMAIN, &salt),
            run_records: RUN_RECORDS,
            contents: RwLock::new(Contents { next, runs, frozen: None, tail }),
            working: Mutex::new(()),
        }
    }

    /// Removes what is in `directory`, so that the next opening finds nothing. No handle of it may be in use.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn discard(disk: &dyn Disk, directory: &Path) -> Result<(), StorageError> {
        if !disk.exists(directory) {
            return Ok(());
        }
        for (first, last) in names(disk, directory)? {
            let path = directory.join(file_name(first, last));
            disk.remove(&path).map_err(StorageError::io("remove", &path))?;
        }
        disk::sync_directory(disk, directory)
    }

    /// Makes runs of this many records instead of the usual number, for as long as it is open: short histories are to make
    /// runs and merge them too.
    pub const fn limit_runs(&mut self, records: usize) {
        self.run_records = if records == 0 { 1 } else { records };
    }

    /// The first height whose places are not in here.
    pub fn next(&self) -> Height {
        Height::new(self.read().next)
    }

    /// How many names with their places there are.
    pub fn len(&self) -> u64 {
        let contents = self.read();
        let runs: u64 = contents.runs.iter().map(|run| run.records()).sum();
        let frozen = contents.frozen.as_ref().map_or(0, |tail| tail.len());
        runs.saturating_add((frozen + contents.tail.len()) as u64)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins to collect the names of the block at `height`.
    pub const fn begin(&self, height: Height) -> BlockPlaces {
        BlockPlaces { height, name_key: self.name_key, records: Vec::new(), error: None }
    }

    /// Adds a block, which must be the one at [`Places::next`]. Readers see it when this returns.
    ///
    /// # Errors
    /// [`StorageError::HeightNotNext`] and [`StorageError::PlaceTooFar`] are the caller's mistakes, and nothing was added.
    pub fn add(&self, block: BlockPlaces) -> Result<(), StorageError> {
        if let Some(error) = block.error {
            return Err(error);
        }
        let mut records = block.records;
        records.sort_unstable();
        let mut contents = self.write();
        if block.height.get() != contents.next {
            return Err(StorageError::HeightNotNext { expected: Height::new(contents.next), found: block.height });
        }
        contents.next = contents.next.saturating_add(1);
        contents.tail.push(records);
        if self.on_disk.is_some() && contents.frozen.is_none() && contents.tail.len() >= self.run_records {
            Self::freeze(&mut contents, self.run_records);
        }
        Ok(())
    }

    fn freeze(contents: &mut Contents, run_records: usize) {
        let tail = std::mem::replace(&mut contents.tail, Tail::new(contents.next, run_records));
        contents.frozen = Some(Arc::new(tail));
    }

    /// Whether [`Places::work`] has something to do.
    pub fn is_due(&self) -> bool {
        let contents = self.read();
        contents.frozen.is_some() || to_merge(&contents.runs, self.run_records).is_some()
    }

    /// Whether so much waits for [`Places::work`] that nothing more should be added before it.
    pub fn is_full(&self) -> bool {
        let contents = self.read();
        contents.frozen.is_some() && contents.tail.len() >= TAIL_RECORDS_MAX.min(2 * self.run_records)
    }

    /// Writes a full tail as a run, and merges runs, until nothing is due. Readers and [`Places::add`] go on meanwhile.
    ///
    /// # Errors
    /// [`StorageError::Io`]; [`StorageError::PlacesDamaged`]: the damaged file is removed, and the next opening says what is
    /// missing. Nothing that readers see changes then.
    pub fn work(&self) -> Result<(), StorageError> {
        let _alone = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((disk, directory)) = &self.on_disk else { return Ok(()) };
        loop {
            let frozen = self.read().frozen.clone();
            if let Some(tail) = frozen {
                self.write_tail(disk, directory, &tail)?;
                continue;
            }
            let due = to_merge(&self.read().runs, self.run_records);
            let Some(range) = due else { return Ok(()) };
            let old: Vec<Arc<Run>> = self.read().runs.get(range.clone()).unwrap_or_default().to_vec();
            let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(()) };
            let (first, last) = (first.first(), last.last());
            let path = directory.join(file_name(first, last));
            let merged = Run::merge(disk, &path, self.salt, (first, last), &old)?;
            self.write().runs.splice(range, [Arc::new(merged)]);
            for run in &old {
                let path = directory.join(file_name(run.first(), run.last()));
                disk.remove(&path).map_err(StorageError::io("remove", &path))?;
            }
            disk::sync_directory(disk.as_ref(), directory)?;
        }
    }

    /// Does what is due and writes the rest of the tail too, so that nothing is missing at the next opening: the last step of
    /// an orderly shutdown.
    ///
    /// # Errors
    /// As [`Places::work`].
    pub fn close(&self) -> Result<(), StorageError> {
        self.work()?;
        let Some(_) = &self.on_disk else { return Ok(()) };
        {
            let mut contents = self.write();
            if contents.tail.first() < contents.next {
                Self::freeze(&mut contents, self.run_records);
            }
        }
        self.work()
    }

    fn write_tail(&self, disk: &Arc<dyn Disk>, directory: &Path, tail: &Tail) -> Result<(), StorageError> {
        let (first, last) = (tail.first(), tail.last());
        let path = directory.join(file_name(first, last));
        let run = Run::write(disk, &path, self.salt, (first, last), tail)?;
        let mut contents = self.write();
        contents.runs.push(Arc::new(run));
        contents.frozen = None;
        Ok(())
    }

    /// The first place of a name; `None` if it has none.
    ///
    /// # Errors
    /// [`StorageError::PlacesDamaged`] if what is on disk is not what was written; [`StorageError::Io`].
    pub fn first_of(&self, family: Family, name: &[u8]) -> Result<Option<Place>, StorageError> {
        Ok(self.all_of(family, name, None, 1)?.into_iter().next())
    }

    /// The places of a name, ascending, behind `after` if one is given, at most `limit`.
    ///
    /// # Errors
    /// As [`Places::first_of`].
    pub fn all_of(
        &self,
        family: Family,
        name: &[u8],
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Place>, StorageError> {
        let key = hashed(&self.name_key, family, name);
        let Some(from) = Record::first_behind(key, after) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let (runs, frozen) = {
            let contents = self.read();
            let may_hold = |run: &&Arc<Run>| !family.is_filtered() || run.filter().may_hold(key);
            let runs: Vec<Arc<Run>> = contents.runs.iter().filter(may_hold).cloned().collect();
            let memory = contents.frozen.iter().map(Arc::as_ref).chain([&contents.tail]);
            let mut in_memory = Vec::new();
            for tail in memory.filter(|tail| !family.is_filtered() || tail.filter().may_hold(key)) {
                tail.find(from, &mut in_memory);
            }
            (runs, in_memory)
        };
        for run in runs {
            if found.len() >= limit {
                break;
            }
            match run.find(from, limit - found.len(), &mut found) {
                Err(error @ StorageError::PlacesDamaged { .. }) => {
                    self.drop_damaged(&run);
                    return Err(error);
                }
                other => other?,
            }
        }
        found.extend(frozen);
        found.truncate(limit);
        Ok(found.into_iter().map(Record::place).collect())
    }

    /// Removes a damaged run's file, so that the next opening finds its heights missing. Errors are of no account: the damage
    /// is told already.
    fn drop_damaged(&self, run: &Run) {
        if let Some((disk, directory)) = &self.on_disk {
            let _ = disk.remove(&directory.join(file_name(run.first(), run.last())));
        }
    }

    // Contents change in single steps, so a panic elsewhere cannot leave them half changed.

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest runs of one size that are enough to be merged.
fn to_merge(runs: &[Arc<Run>], run_records: usize) -> Option<std::ops::Range<usize>> {
    let size = |run: &Arc<Run>| {
        let parts = run.records() / run_records.max(1) as u64;
        parts.max(1).ilog(MERGED_RUNS as u64)
    };
    let mut start = 0;
    for (at, run) in runs.iter().enumerate() {
        if at > start && runs.get(start).is_some_and(|first| size(first) != size(run)) {
            start = at;
        }
        if at + 1 - start == MERGED_RUNS {
            return Some(start..at + 1);
        }
    }
    None
}

/// The heights of the runs in a directory; what was not finished is removed.
fn names(disk: &dyn Disk, directory: &Path) -> Result<Vec<(u64, u64)>, StorageError> {
    let mut found = Vec::new();
    for name in disk.list(directory).map_err(StorageError::io("list", directory))? {
        let Some(text) = name.to_str() else { continue };
        if text.ends_with(TEMPORARY_SUFFIX) {
            let path = directory.join(text);
            disk.remove(&path).map_err(StorageError::io("remove", &path))?;
        }
        let heights = text.strip_suffix(RUN_SUFFIX).and_then(|heights| heights.split_once('-'));
        if let Some((first, last)) = heights.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?))) {
            found.push((first, last));
        }
    }
    Ok(found)
}

fn file_name(first: u64, last: u64) -> String {
    format!("{first:020}-{last:020}{RUN_SUFFIX}")
}
