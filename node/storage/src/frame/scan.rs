//! Walks a file of frames from front to back and names every stretch that is not one.
//!
//! It does not judge: whether damage is a torn write or a loss is for the log to say, from the marks found here. It
//! never allocates by a length read from the disk.

use super::{Caps, FRAMES_START, FrameHeader, FrameKey, HEADER_BYTES, MAGIC, TRAILER_BYTES, finish};
use crate::disk::DiskFile;
use crate::error::StorageError;

/// How much the scan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Headers only: their lengths lead from one to the next.
    Headers,
    /// Everything, so that a damaged payload is found now and not at its first read.
    Payloads,
}

/// What a stretch of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// A frame; whole as far as the scan's depth says.
    Whole(FrameHeader),
    /// A frame whose header is whole, and whose payload or check is not, or ends beyond the file.
    Torn(FrameHeader),
    /// Bytes that are no frame, up to the next header or the end of the file.
    Unknown,
}

/// A stretch and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: u64,
    pub(crate) stretch: Stretch,
}

/// A walk over one file.
pub(crate) struct Scan<'a> {
    window: Window<'a>,
    key: &'a FrameKey,
    caps: Caps,
    depth: Depth,
    offset: u64,
}

impl<'a> Scan<'a> {
    /// Begins at the first frame of `file`.
    pub(crate) fn new(file: &'a DiskFile, key: &'a FrameKey, caps: Caps, depth: Depth) -> Result<Self, StorageError> {
        let window = Window { file, length: file.length()?, start: 0, bytes: Vec::new() };
        Ok(Self { window, key, caps, depth, offset: FRAMES_START })
    }

    /// The next stretch, or `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, StorageError> {
        let offset = self.offset;
        if offset >= self.window.length {
            return Ok(None);
        }
        let Some(header) = self.header_at(offset)? else {
            self.offset = self.next_header(offset)?;
            return Ok(Some(Found { offset, stretch: Stretch::Unknown }));
        };
        let end = offset.saturating_add(header.frame_bytes());
        let whole =
            end <= self.window.length && (self.depth == Depth::Headers || self.payload_is_whole(offset, &header)?);
        self.offset = if end <= self.window.length { end } else { self.window.length };
        let stretch = if whole { Stretch::Whole(header) } else { Stretch::Torn(header) };
        Ok(Some(Found { offset, stretch }))
    }

    fn header_at(&mut self, offset: u64) -> Result<Option<FrameHeader>, StorageError> {
        let bytes = self.window.peek(offset, HEADER_BYTES)?;
        Ok(bytes.first_chunk().and_then(|header| self.key.decode_header(offset, header, &self.caps)))
    }

    /// The next place behind `offset` that holds a header, or the end of the file.
    fn next_header(&mut self, offset: u64) -> Result<u64, StorageError> {
        let mut at = offset.saturating_add(1);
        while at < self.window.length {
            let bytes = self.window.peek(at, WINDOW_BYTES / 2)?;
            let Some(step) = bytes.windows(MAGIC.len()).position(|four| four == MAGIC) else {
                // The last three bytes may begin a magic that the window cut.
                at = at.saturating_add(bytes.len().saturating_sub(MAGIC.len() - 1).max(1) as u64);
                continue;
            };
            at = at.saturating_add(step as u64);
            if self.header_at(at)?.is_some() {
                return Ok(at);
            }
            at = at.saturating_add(1);
        }
        Ok(self.window.length)
    }

    fn payload_is_whole(&mut self, offset: u64, header: &FrameHeader) -> Result<bool, StorageError> {
        let Some(whole) = self.window.peek(offset, HEADER_BYTES)?.first_chunk().copied() else { return Ok(false) };
        let mut hasher = self.key.frame_hasher(offset, &whole);
        let mut at = offset.saturating_add(HEADER_BYTES as u64);
        let mut left = header.payload_bytes();
        while left > 0 {
            let bytes = self.window.peek(at, left.min(WINDOW_BYTES / 2))?;
            if bytes.is_empty() {
                return Ok(false);
            }
            hasher.update(bytes);
            left -= bytes.len();
            at = at.saturating_add(bytes.len() as u64);
        }
        Ok(self.window.peek(at, TRAILER_BYTES)? == finish(&hasher))
    }
}

/// How much of the file is in memory at a time, in bytes: enough that small frames cost few system calls.
const WINDOW_BYTES: usize = 128 * 1024;

/// A piece of the file in memory.
struct Window<'a> {
    file: &'a DiskFile,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes from `offset` on, `count` of them or as many as the file has.
    fn peek(&mut self, offset: u64, count: usize) -> Result<&[u8], StorageError> {
        let count = count.min(usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX));
        let held = offset
            .checked_sub(self.start)
            .and_then(|from| usize::try_from(from).ok())
            .is_some_and(|from| from.saturating_add(count) <= self.bytes.len());
        if !held {
            self.bytes.resize(WINDOW_BYTES, 0);
            let got = self.file.read_at(&mut self.bytes, offset)?;
            self.bytes.truncate(got);
            self.start = offset;
        }
        let from = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(from..).unwrap_or_default();
        Ok(bytes.get(..count.min(bytes.len())).unwrap_or_default())
    }
}
