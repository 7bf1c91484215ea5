//! The sign state: the last thing that this validator signed, so that it never signs two values for one height, round and
//! step, whatever happens to the machine.
//!
//! It does not sign and does not know what the bytes mean. One file of four pages, two slots of two copies:
//!
//! ```text
//! page 0  slot A        page 1  slot A again        a record of sequence s goes to slot s mod 2, into both copies,
//! page 2  slot B        page 3  slot B again        with one fdatasync; the other slot keeps s - 1 meanwhile
//! ```
//!
//! **Which record is the last?** Taking an older one for it could sign twice, so it must be proved:
//! - The greatest whole record `s` is the last that was acknowledged if its neighbour slot still holds a whole copy of
//!   `s - 1`: acknowledging `s + 1` would have overwritten both copies of that. A broken copy beside it is then a torn
//!   write of a `store` that had not returned, or a bad sector; either way nothing newer was acknowledged.
//! - If both copies of a slot are broken, it may have held a newer record, and opening refuses in words. A store that is
//!   interrupted does not cause this on a disk that writes sectors whole: a record of up to
//!   [`SIGN_STATE_SECTOR_BYTES`] lies in one sector, so each copy is the old or the new one.
//!
//! What no file can notice is that the whole of it was replaced by an older copy: never restore it from a backup. Who knows
//! what was signed since, the node or its peers, notices it instead.
//!
//! Invariant: what [`SignState::store`] acknowledged is what the next opening loads, or opening fails; positions only rise.

use std::path::Path;

use cairn_types::{Height, Round};

use crate::disk::{self, Disk, DiskFile, RealDisk};
use crate::error::StorageError;
use crate::frame::{FORMAT, read_u32, read_u64};

#[cfg(test)]
mod tests;

/// Longest content of a record in bytes: a page less what describes the record, rounded down.
pub const SIGN_STATE_BYTES_MAX: usize = 4_000;

/// Content up to this length keeps a record within one 512-byte sector, which disks write whole.
pub const SIGN_STATE_SECTOR_BYTES: usize = 512 - HEAD_BYTES - CHECK_BYTES;

const PAGE_BYTES: usize = 4096;
const COPIES: u64 = 2;
const HEAD_BYTES: usize = 48;
const CHECK_BYTES: usize = 32;
const _: () = assert!(HEAD_BYTES + SIGN_STATE_BYTES_MAX + CHECK_BYTES <= PAGE_BYTES, "a record fits its page");
const MAGIC: [u8; 8] = *b"cairnsgn";
const DOMAIN: &str = "cairn storage sign state v1";

/// One signature's place and content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRecord {
    /// The height that was signed for.
    pub height: Height,
    /// The round within it.
    pub round: Round,
    /// The step within the round; steps rise in the order in which a validator signs them.
    pub step: u8,
    /// What was signed, and the signature, as the caller encodes them.
    pub bytes: Vec<u8>,
}

impl SignRecord {
    /// Where the record stands in the order of everything a validator signs.
    pub const fn position(&self) -> (Height, Round, u8) {
        (self.height, self.round, self.step)
    }
}

/// The open sign state; the data directory's lock makes it the only one.
#[derive(Debug)]
pub struct SignState {
    file: DiskFile,
    sequence: u64,
    last: Option<SignRecord>,
    poisoned: Option<String>,
}

impl SignState {
    /// Creates the state of a validator that has signed nothing, on the machine's own disk.
    ///
    /// # Errors
    /// As [`SignState::create_on`].
    pub fn create(path: &Path) -> Result<(), StorageError> {
        Self::create_on(&RealDisk, path)
    }

    /// Creates the state of a validator that has signed nothing.
    ///
    /// # Errors
    /// [`StorageError::FileExists`]; [`StorageError::Io`].
    pub fn create_on(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
        if disk.exists(path) {
            return Err(StorageError::FileExists { path: path.to_path_buf() });
        }
        let mut bytes = Vec::with_capacity(4 * PAGE_BYTES);
        for sequence in [0, 0, 1, 1] {
            bytes.extend_from_slice(&encode(sequence, None));
        }
        disk::replace_file(disk, path, &bytes)
    }

    /// Opens the state on the machine's own disk: see [`SignState::open_on`].
    ///
    /// # Errors
    /// As [`SignState::open_on`].
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Self::open_on(&RealDisk, path)
    }

    /// Opens the state and proves which record is the last.
    ///
    /// # Errors
    /// [`StorageError::FileMissing`]: a new one would forget what was signed. [`StorageError::SignStateUnprovable`] if
    /// the file does not prove which record is the last; [`StorageError::FormatUnknown`]; [`StorageError::Io`].
    pub fn open_on(disk: &dyn Disk, path: &Path) -> Result<Self, StorageError> {
        if !disk.exists(path) {
            return Err(StorageError::FileMissing { path: path.to_path_buf() });
        }
        let file = DiskFile::open(disk, path)?;
        let mut pages = Vec::with_capacity(4);
        for page in 0..2 * COPIES {
            let mut bytes = vec![0; PAGE_BYTES];
            file.read_at(&mut bytes, page * PAGE_BYTES as u64)?;
            let slot = page / COPIES;
            pages.push(decode(&bytes, path)?.filter(|stored| stored.sequence % 2 == slot));
        }
        let newest = pages.iter().flatten().max_by_key(|stored| stored.sequence).cloned();
        let unprovable = |reason: String| StorageError::SignStateUnprovable { path: path.to_path_buf(), reason };
        let newest = newest.ok_or_else(|| unprovable("no slot holds a whole record".to_owned()))?;
        let before = newest.sequence.checked_sub(1);
        let neighbour = pages.iter().flatten().find(|stored| Some(stored.sequence) == before);
        // Sequence 0 cannot be the newest: creation writes 0 and 1 in one step.
        let neighbour = neighbour.cloned().ok_or_else(|| {
            let slot = if newest.sequence.is_multiple_of(2) { "B" } else { "A" };
            unprovable(format!("both copies of slot {slot} are damaged, and may have held a later record"))
        })?;
        let state = Self { file, sequence: newest.sequence, last: newest.record.clone(), poisoned: None };
        state.mend(&pages, [&neighbour, &newest])?;
        disk::settle(disk, &state.file)?;
        Ok(state)
    }

    /// The last record; `None` if nothing was ever signed.
    pub const fn load(&self) -> Option<&SignRecord> {
        self.last.as_ref()
    }

    /// Stores what is about to leave the node. When this returns, it is durable, and only then may the signature leave.
    /// The record that is stored already is accepted again without a write.
    ///
    /// # Errors
    /// [`StorageError::SignStateOlder`] and [`StorageError::SignStateConflict`]: do not sign. [`StorageError::TooLong`];
    /// [`StorageError::Io`] poisons the state, and from then on every call is [`StorageError::Poisoned`]: stop the node.
    pub fn store(&mut self, record: SignRecord) -> Result<(), StorageError> {
        if let Some(reason) = &self.poisoned {
            return Err(StorageError::Poisoned { path: self.file.path().to_path_buf(), reason: reason.clone() });
        }
        if record.bytes.len() > SIGN_STATE_BYTES_MAX {
            let bytes = record.bytes.len();
            return Err(StorageError::TooLong { what: "a sign record", bytes, bytes_max: SIGN_STATE_BYTES_MAX });
        }
        if let Some(last) = &self.last {
            if record.position() < last.position() {
                return Err(StorageError::SignStateOlder { current: last.position(), requested: record.position() });
            }
            if record.position() == last.position() {
                let (height, round, step) = record.position();
                let same = record.bytes == last.bytes;
                return if same { Ok(()) } else { Err(StorageError::SignStateConflict { height, round, step }) };
            }
        }
        let sequence = self.sequence + 1;
        let result = self.write_slot(sequence, Some(&record));
        if let Err(error) = &result {
            self.poisoned = Some(error.to_string());
        }
        result?;
        self.sequence = sequence;
        self.last = Some(record);
        Ok(())
    }

    fn write_slot(&self, sequence: u64, record: Option<&SignRecord>) -> Result<(), StorageError> {
        let page = encode(sequence, record);
        for copy in 0..COPIES {
            self.file.write_at(&page, page_offset(sequence, copy))?;
        }
        self.file.sync()
    }

    /// Gives every slot its two whole copies again, older slot first, so that the next damage finds a whole file.
    fn mend(&self, pages: &[Option<Stored>], kept: [&Stored; 2]) -> Result<(), StorageError> {
        for stored in kept {
            let whole = pages.iter().flatten().filter(|page| page.sequence == stored.sequence).count();
            if whole < usize::try_from(COPIES).unwrap_or(usize::MAX) {
                tracing::warn!(path = %self.file.path().display(), sequence = stored.sequence, "mending a copy of the sign state");
                for copy in 0..COPIES {
                    let page = (stored.sequence % 2) * COPIES + copy;
                    let held = usize::try_from(page).ok().and_then(|page| pages.get(page)?.as_ref());
                    if held.is_none_or(|held| held.sequence != stored.sequence) {
                        let bytes = encode(stored.sequence, stored.record.as_ref());
                        self.file.write_at(&bytes, page_offset(stored.sequence, copy))?;
                    }
                }
                self.file.sync()?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct Stored {
    sequence: u64,
    record: Option<SignRecord>,
}

const fn page_offset(sequence: u64, copy: u64) -> u64 {
    ((sequence % 2) * COPIES + copy) * PAGE_BYTES as u64
}

/// One page: magic, format u32, step u8, present u8, two zeros, sequence u64, height u64, round u32, length u32, eight
/// zeros, content, check over all before it; zeros to the end.
fn encode(sequence: u64, record: Option<&SignRecord>) -> Vec<u8> {
    let (height, round, step) = record.map_or((0, 0, 0), |r| (r.height.get(), r.round.get(), r.step));
    let content = record.map_or(&[][..], |record| &record.bytes);
    let length = u32::try_from(content.len()).expect("content is capped at SIGN_STATE_BYTES_MAX");
    let mut page = Vec::with_capacity(PAGE_BYTES);
    page.extend_from_slice(&MAGIC);
    page.extend_from_slice(&FORMAT.to_le_bytes());
    page.extend_from_slice(&[step, u8::from(record.is_some()), 0, 0]);
    page.extend_from_slice(&sequence.to_le_bytes());
    page.extend_from_slice(&height.to_le_bytes());
    page.extend_from_slice(&round.to_le_bytes());
    page.extend_from_slice(&length.to_le_bytes());
    page.extend_from_slice(&[0; 8]);
    page.extend_from_slice(content);
    let check = check(&page);
    page.extend_from_slice(&check);
    page.resize(PAGE_BYTES, 0);
    page
}

/// The record in a page, if it is whole.
fn decode(page: &[u8], path: &Path) -> Result<Option<Stored>, StorageError> {
    let fields = || {
        if !page.starts_with(&MAGIC) {
            return None;
        }
        let length = usize::try_from(read_u32(page, 36)?).ok().filter(|length| *length <= SIGN_STATE_BYTES_MAX)?;
        let checked = page.get(..HEAD_BYTES + length)?;
        let stored_check = page.get(HEAD_BYTES + length..HEAD_BYTES + length + CHECK_BYTES)?;
        if check(checked) != stored_check {
            return None;
        }
        let record = SignRecord {
            height: Height::new(read_u64(page, 24)?),
            round: Round::new(read_u32(page, 32)?),
            step: *page.get(12)?,
            bytes: checked.get(HEAD_BYTES..)?.to_vec(),
        };
        let present = *page.get(13)? == 1;
        Some((read_u32(page, 8)?, Stored { sequence: read_u64(page, 16)?, record: present.then_some(record) }))
    };
    match fields() {
        Some((FORMAT, stored)) => Ok(Some(stored)),
        Some((other, _)) => {
            let (path, found) = (path.to_path_buf(), other.to_string());
            Err(StorageError::FormatUnknown { path, found, expected: FORMAT })
        }
        None => Ok(None),
    }
}

fn check(checked: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
    hasher.update(checked);
    *hasher.finalize().as_bytes()
}
