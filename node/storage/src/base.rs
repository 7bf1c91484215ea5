//! The base: what a store holds in the place of the blocks that it does not have.
//!
//! ```text
//! base         preamble (where the log was begun, the first height that it keeps) · frame · frame · …
//! base.new     one that is being written; of no use to anybody
//! ```
//!
//! A node that joined by a snapshot has none of the blocks before it, one that pruned has dropped some. In both cases the
//! index does not follow from the block log alone, so this file stands beside the log. It is written in full and synced
//! before it gets its name, and only then are blocks dropped: at every moment, base and log together are the whole.
//!
//! It does not know what the pieces in it mean. Every piece is checked when it is read; whether pieces are missing at the
//! end is for the reader to see, who knows what they add up to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_types::{ChainId, Height};

use crate::data_directory::BASED_STORE_FORMAT;
use crate::disk::{self, Disk, DiskFile, TEMPORARY_SUFFIX};
use crate::error::StorageError;
use crate::frame::{Caps, FRAMES_START, FrameKey, HEADER_BYTES, Kind, Preamble, TRAILER_BYTES};

/// Longest piece in bytes: as long as anything that comes from a peer.
pub const BASE_PIECE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The base's file in the data directory.
pub(crate) const BASE_FILE: &str = "base";

const MAGIC: [u8; 8] = *b"cairnbas";
const CAPS: Caps = Caps { first_bytes_max: BASE_PIECE_BYTES_MAX, second_bytes_max: 0 };

/// What a base says of the block log beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogExtent {
    /// The height that the log was begun at.
    pub origin: Height,
    /// The first height that it keeps; lower ones may be dropped at any time, and count as dropped.
    pub first: Height,
}

/// Where a store's base is, for whoever writes one while the store is in use.
#[derive(Clone, Debug)]
pub struct BasePlace {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) directory: PathBuf,
    pub(crate) chain: ChainId,
}

impl BasePlace {
    /// Begins a base, which will replace the one that is there. What `extent` says of the block log must hold as soon as the
    /// base is finished: blocks are dropped after it.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn create(&self, extent: LogExtent) -> Result<BaseWriter, StorageError> {
        let format = format!("cairn store {BASED_STORE_FORMAT}\nchain {}\n", self.chain);
        disk::replace_file(self.disk.as_ref(), &self.directory.join("format"), format.as_bytes())?;
        BaseWriter::create(Arc::clone(&self.disk), &self.directory.join(BASE_FILE), extent)
    }
}

/// A base that is being written. Dropped before [`BaseWriter::finish`], it leaves nothing that counts.
#[derive(Debug)]
pub struct BaseWriter {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: DiskFile,
    key: FrameKey,
    end: u64,
    pieces: u64,
}

impl BaseWriter {
    /// Begins a base that will replace the one at `path`, if there is one.
    pub(crate) fn create(disk: Arc<dyn Disk>, path: &Path, extent: LogExtent) -> Result<Self, StorageError> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(TEMPORARY_SUFFIX);
        let temporary = PathBuf::from(temporary);
        let numbers = [extent.origin.get(), extent.first.get()];
        let preamble = Preamble { magic: MAGIC, salt: disk.fresh_salt(), numbers };
        disk.create(&temporary).map_err(StorageError::io("create", &temporary))?;
        let file = DiskFile::open(disk.as_ref(), &temporary)?;
        file.write_at(&preamble.encode(), 0)?;
        Ok(Self { disk, path: path.to_path_buf(), file, key: preamble.key(), end: FRAMES_START, pieces: 0 })
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// [`StorageError::TooLong`] is the caller's mistake; [`StorageError::Io`].
    pub fn append(&mut self, piece: &[u8]) -> Result<(), StorageError> {
        if piece.len() > BASE_PIECE_BYTES_MAX {
            let (what, bytes_max) = ("a piece of the base", BASE_PIECE_BYTES_MAX);
            return Err(StorageError::TooLong { what, bytes: piece.len(), bytes_max });
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + piece.len() + TRAILER_BYTES);
        self.key.encode(self.end, Kind::Piece, self.pieces, FRAMES_START, [piece, &[]], &mut bytes);
        self.file.write_at(&bytes, self.end)?;
        self.end = self.end.saturating_add(bytes.len() as u64);
        self.pieces = self.pieces.saturating_add(1);
        Ok(())
    }

    /// Makes the base durable and gives it its name. From now on it counts.
    ///
    /// # Errors
    /// [`StorageError::Io`]; the base that was there before may still be the one that counts.
    pub fn finish(self) -> Result<(), StorageError> {
        self.file.sync()?;
        let from = self.file.path();
        self.disk.rename(from, &self.path).map_err(StorageError::io("rename", from))?;
        disk::sync_directory(self.disk.as_ref(), disk::parent(&self.path))
    }
}

/// Reads a base from front to back.
#[derive(Debug)]
pub struct BaseReader {
    file: DiskFile,
    key: FrameKey,
    extent: LogExtent,
    offset: u64,
    pieces: u64,
}

impl BaseReader {
    /// Opens the base at `path`; `None` if there is none.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, StorageError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(TEMPORARY_SUFFIX);
        let unfinished = PathBuf::from(unfinished);
        if disk.exists(&unfinished) {
            disk.remove(&unfinished).map_err(StorageError::io("remove", &unfinished))?;
        }
        if !disk.exists(path) {
            return Ok(None);
        }
        // A process that was killed may have left the name in the machine's memory only, and blocks are dropped because of it.
        disk::sync_directory(disk, disk::parent(path))?;
        let file = DiskFile::open_to_read(disk, path)?;
        let preamble = Preamble::read(&file, MAGIC)?;
        let preamble = preamble.ok_or_else(|| StorageError::PreambleDamaged { path: path.to_path_buf() })?;
        let [origin, first] = preamble.numbers;
        let extent = LogExtent { origin: Height::new(origin), first: Height::new(first) };
        Ok(Some(Self { file, key: preamble.key(), extent, offset: FRAMES_START, pieces: 0 }))
    }

    /// What it says of the block log.
    pub const fn extent(&self) -> LogExtent {
        self.extent
    }

    /// The next piece; `None` at the end of the file.
    ///
    /// # Errors
    /// [`StorageError::BaseDamaged`] if what is there is not what was written; [`StorageError::Io`].
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, StorageError> {
        if self.offset >= self.file.length()? {
            return Ok(None);
        }
        let frame = self.key.read(&self.file, self.offset, &CAPS)?;
        let frame = frame.filter(|frame| frame.header.kind == Kind::Piece && frame.header.number == self.pieces);
        let damaged = || StorageError::BaseDamaged { path: self.file.path().to_path_buf(), offset: self.offset };
        let frame = frame.ok_or_else(damaged)?;
        self.offset = self.offset.saturating_add(frame.header.frame_bytes());
        self.pieces = self.pieces.saturating_add(1);
        Ok(Some(frame.first))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use cairn_types::Height;

    use super::{BaseReader, BaseWriter, LogExtent};
    use crate::disk::{Disk, real_disk};
    use crate::error::StorageError;

    const EXTENT: LogExtent = LogExtent { origin: Height::new(1), first: Height::new(700) };

    fn pieces() -> Vec<Vec<u8>> {
        (0..20u8).map(|number| vec![number; 700 * usize::from(number)]).collect()
    }

    fn write(disk: &Arc<dyn Disk>, path: &Path) -> BaseWriter {
        let mut writer = BaseWriter::create(Arc::clone(disk), path, EXTENT).expect("a healthy disk");
        pieces().iter().for_each(|piece| writer.append(piece).expect("a healthy disk"));
        writer
    }

    fn read(disk: &dyn Disk, path: &Path) -> Result<Vec<Vec<u8>>, StorageError> {
        let mut reader = BaseReader::open(disk, path)?.expect("it is there");
        assert_eq!(reader.extent(), EXTENT);
        let mut pieces = Vec::new();
        while let Some(piece) = reader.next_piece()? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    #[test]
    fn a_base_counts_once_it_is_finished_and_reads_as_it_was_written() {
        let (disk, directory) = (real_disk(), tempfile::tempdir().expect("a directory"));
        let path = directory.path().join("base");
        drop(write(&disk, &path));
        assert!(BaseReader::open(disk.as_ref(), &path).expect("it opens").is_none(), "it was not finished");
        write(&disk, &path).finish().expect("a healthy disk");
        assert_eq!(read(disk.as_ref(), &path).expect("it is whole"), pieces());
    }

    #[test]
    fn every_flipped_bit_is_noticed_or_lies_in_a_spare_copy() {
        let (disk, directory) = (real_disk(), tempfile::tempdir().expect("a directory"));
        let path = directory.path().join("base");
        write(&disk, &path).finish().expect("a healthy disk");
        let whole = std::fs::read(&path).expect("it reads");
        for at in (0..whole.len()).step_by(97) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, &bytes).expect("it writes");
            match read(disk.as_ref(), &path) {
                Ok(pieces_read) => assert_eq!((pieces_read, at < 1_024), (pieces(), true), "byte {at}"),
                Err(StorageError::BaseDamaged { .. }) => assert!(at >= 1_024, "byte {at}"),
                Err(other) => panic!("byte {at}: {other}"),
            }
        }
    }
}
