//! One checked frame, the unit of the block log, the write-ahead log and the base, and the preamble of their files.
//!
//! ```text
//! file   preamble (one sector) · the same again · frame · frame · …
//! frame  "CRec" · kind u32 · number u64 · durable u64 · first u32 · second u32 · header check 8 B
//!        first bytes · second bytes · frame check 16 B                               integers are little-endian
//! ```
//!
//! Both checks are BLAKE3, keyed with the file's salt, over the frame's place in the file and all its bytes so far.
//! - BLAKE3 and not a CRC: it is what the ledger is hashed with anyway, runs faster than the disk, and makes an
//!   undetected change as unlikely as a forged block. A CRC-32 over megabytes misses one damage in four billion.
//! - The header has its own check, so that lengths can be believed before anything is read or allocated by them, and a
//!   damaged payload does not hide the frames behind it.
//! - The place is hashed, so that a sector which the disk wrote to, or read from, the wrong place is noticed.
//! - The salt is secret, so that bytes inside a block which look like a frame can never pass for one when the reader
//!   searches for the next frame behind damage.
//!
//! `durable` is the length up to which the file was known to be synced when the frame was written. It tells damage from a
//! torn write: what lies beyond the greatest such mark was never acknowledged and may be cut; damage before it is a loss.
//!
//! It does not know what a frame carries, nor which numbers follow each other.

use crate::disk::DiskFile;
use crate::error::StorageError;

pub(crate) mod scan;

/// The only format so far. Raise it when a byte of a preamble or a frame changes its meaning.
pub(crate) const FORMAT: u32 = 1;

/// Length of a frame before its payload, in bytes.
pub(crate) const HEADER_BYTES: usize = 40;
/// Length of a frame after its payload, in bytes.
pub(crate) const TRAILER_BYTES: usize = 16;
/// Where the first frame of a file begins: behind two copies of the preamble.
pub(crate) const FRAMES_START: u64 = 2 * PREAMBLE_BYTES as u64;

/// Room for one copy of the preamble, in bytes: a sector, so that one bad sector spares the other copy.
const PREAMBLE_BYTES: usize = 512;
const PREAMBLE_CHECK_BYTES: usize = 16;
const PREAMBLE_CHECKED_BYTES: usize = 48;
const CHECKED_HEADER_BYTES: usize = 32;
const MAGIC: [u8; 4] = *b"CRec";
/// Domain of the key that a salt gives.
const KEY_DOMAIN: &str = "cairn storage frame v1";
/// Domain of a preamble's check, which protects against accidents only.
const PREAMBLE_DOMAIN: &str = "cairn storage preamble v1";

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A block and its certificate; the number is the height.
    Block,
    /// An entry of the write-ahead log; the number counts frames in the file.
    Entry,
    /// The start of a height in the write-ahead log; the number counts frames in the file.
    Height,
    /// A piece of the base; the number counts frames in the file.
    Piece,
}

impl Kind {
    const fn tag(self) -> u32 {
        match self {
            Self::Block => 1,
            Self::Entry => 2,
            Self::Height => 3,
            Self::Piece => 4,
        }
    }

    const fn from_tag(tag: u32) -> Option<Self> {
        match tag {
            1 => Some(Self::Block),
            2 => Some(Self::Entry),
            3 => Some(Self::Height),
            4 => Some(Self::Piece),
            _ => None,
        }
    }
}

/// Longest parts of a frame that a file can hold, in bytes; a longer one is damage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) first_bytes_max: usize,
    pub(crate) second_bytes_max: usize,
}

/// A frame without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: Kind,
    pub(crate) number: u64,
    pub(crate) durable: u64,
    pub(crate) first_bytes: u32,
    pub(crate) second_bytes: u32,
}

impl FrameHeader {
    /// Length of both parts together, in bytes.
    pub(crate) const fn payload_bytes(&self) -> usize {
        self.first_bytes as usize + self.second_bytes as usize
    }

    /// Length of the whole frame, in bytes.
    pub(crate) const fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES + self.payload_bytes() + TRAILER_BYTES) as u64
    }

    fn encode(&self) -> [u8; CHECKED_HEADER_BYTES] {
        let mut bytes = [0; CHECKED_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.kind.tag().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.durable.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.first_bytes.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.second_bytes.to_le_bytes());
        bytes
    }
}

/// What the checks of one file's frames are keyed with.
#[derive(Clone, Debug)]
pub(crate) struct FrameKey([u8; 32]);

impl FrameKey {
    fn header_check(&self, offset: u64, header: &[u8; CHECKED_HEADER_BYTES]) -> [u8; 8] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&offset.to_le_bytes()).update(header);
        let mut check = [0; 8];
        hasher.finalize_xof().fill(&mut check);
        check
    }

    /// Begins the check over a frame; the payload is fed by the caller.
    fn frame_hasher(&self, offset: u64, header: &[u8; HEADER_BYTES]) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&offset.to_le_bytes()).update(header);
        hasher
    }

    /// Appends a frame to `out`, to be written at `offset`.
    ///
    /// The caller has checked both parts against the file's caps, which are far below 4 GiB.
    pub(crate) fn encode(
        &self,
        offset: u64,
        kind: Kind,
        number: u64,
        durable: u64,
        parts: [&[u8]; 2],
        out: &mut Vec<u8>,
    ) {
        let length = |part: &[u8]| u32::try_from(part.len()).expect("every cap is below 4 GiB, and callers check them");
        let header =
            FrameHeader { kind, number, durable, first_bytes: length(parts[0]), second_bytes: length(parts[1]) };
        let checked = header.encode();
        let mut whole = [0; HEADER_BYTES];
        whole[..CHECKED_HEADER_BYTES].copy_from_slice(&checked);
        whole[CHECKED_HEADER_BYTES..].copy_from_slice(&self.header_check(offset, &checked));
        let mut hasher = self.frame_hasher(offset, &whole);
        hasher.update(parts[0]).update(parts[1]);
        out.extend_from_slice(&whole);
        out.extend_from_slice(parts[0]);
        out.extend_from_slice(parts[1]);
        out.extend_from_slice(&finish(&hasher));
    }

    /// The header at `offset`, if these bytes are one.
    pub(crate) fn decode_header(&self, offset: u64, bytes: &[u8; HEADER_BYTES], caps: &Caps) -> Option<FrameHeader> {
        let (checked, check) = bytes.split_first_chunk::<CHECKED_HEADER_BYTES>()?;
        if !checked.starts_with(&MAGIC) || self.header_check(offset, checked) != check {
            return None;
        }
        let header = FrameHeader {
            kind: Kind::from_tag(read_u32(checked, 4)?)?,
            number: read_u64(checked, 8)?,
            durable: read_u64(checked, 16)?,
            first_bytes: read_u32(checked, 24)?,
            second_bytes: read_u32(checked, 28)?,
        };
        let within = header.first_bytes as usize <= caps.first_bytes_max
            && header.second_bytes as usize <= caps.second_bytes_max;
        within.then_some(header)
    }

    /// Reads and checks the frame at `offset`: its header and both parts, or `None` if anything there is not what was written.
    pub(crate) fn read(&self, file: &DiskFile, offset: u64, caps: &Caps) -> Result<Option<Frame>, StorageError> {
        /// What one read fetches in the hope that it is the whole frame: most blocks of a quiet chain fit.
        const FIRST_READ_BYTES: usize = 4096;
        let mut bytes = vec![0; FIRST_READ_BYTES];
        let got = file.read_at(&mut bytes, offset)?;
        bytes.truncate(got);
        let Some(whole) = bytes.first_chunk::<HEADER_BYTES>().copied() else { return Ok(None) };
        let Some(header) = self.decode_header(offset, &whole, caps) else { return Ok(None) };
        // A block goes from the file into the vector that it stays in: a megabyte is not moved once more.
        let mut payload = vec![0; header.payload_bytes() + TRAILER_BYTES];
        let there = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let there = there.get(..payload.len()).unwrap_or(there);
        let (first, rest) = payload.split_at_mut(there.len());
        first.copy_from_slice(there);
        if !rest.is_empty() && file.read_at(rest, offset.saturating_add(got as u64))? < rest.len() {
            return Ok(None);
        }
        let check = payload.split_off(header.payload_bytes());
        let mut hasher = self.frame_hasher(offset, &whole);
        hasher.update(&payload);
        if finish(&hasher) != check.as_slice() {
            return Ok(None);
        }
        let second = payload.split_off(header.first_bytes as usize);
        Ok(Some(Frame { header, first: payload, second }))
    }
}

/// A whole, checked frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) header: FrameHeader,
    pub(crate) first: Vec<u8>,
    pub(crate) second: Vec<u8>,
}

/// The head of a file of frames. It is written twice, because without the salt nothing in the file can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preamble {
    /// Eight bytes that say what kind of file this is.
    pub(crate) magic: [u8; 8],
    /// What the checks are keyed with.
    pub(crate) salt: [u8; 16],
    /// Two numbers that the kind of file gives a meaning.
    pub(crate) numbers: [u64; 2],
}

impl Preamble {
    /// The key of the file's frames.
    pub(crate) fn key(&self) -> FrameKey {
        FrameKey(blake3::derive_key(KEY_DOMAIN, &self.salt))
    }

    /// Both copies, as a file begins.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * PREAMBLE_BYTES);
        for _ in 0..2 {
            let start = bytes.len();
            bytes.extend_from_slice(&self.magic);
            bytes.extend_from_slice(&FORMAT.to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&self.salt);
            bytes.extend_from_slice(&self.numbers[0].to_le_bytes());
            bytes.extend_from_slice(&self.numbers[1].to_le_bytes());
            let check = preamble_check(&bytes[start..]);
            bytes.extend_from_slice(&check);
            bytes.resize(start + PREAMBLE_BYTES, 0);
        }
        bytes
    }

    /// The first whole copy at the head of `file`; `None` if both are damaged.
    ///
    /// # Errors
    /// [`StorageError::FormatUnknown`] if the copy is whole and of another format.
    pub(crate) fn read(file: &DiskFile, magic: [u8; 8]) -> Result<Option<Self>, StorageError> {
        let mut bytes = [0; 2 * PREAMBLE_BYTES];
        let got = file.read_at(&mut bytes, 0)?;
        let read = bytes.get(..got).unwrap_or_default();
        for copy in read.chunks_exact(PREAMBLE_BYTES) {
            let Some((checked, check)) = copy.split_first_chunk::<PREAMBLE_CHECKED_BYTES>() else { continue };
            let whole = check.starts_with(&preamble_check(checked));
            if !whole || !checked.starts_with(&magic) {
                continue;
            }
            let format = read_u32(checked, 8);
            if format != Some(FORMAT) {
                return Err(StorageError::FormatUnknown {
                    path: file.path().to_path_buf(),
                    found: format.map(|format| format.to_string()).unwrap_or_default(),
                    expected: FORMAT,
                });
            }
            let salt = checked.get(16..).and_then(|rest| rest.first_chunk::<16>());
            if let (Some(salt), Some(a), Some(b)) = (salt, read_u64(checked, 32), read_u64(checked, 40)) {
                return Ok(Some(Self { magic, salt: *salt, numbers: [a, b] }));
            }
        }
        Ok(None)
    }
}

fn finish(hasher: &blake3::Hasher) -> [u8; TRAILER_BYTES] {
    let mut check = [0; TRAILER_BYTES];
    hasher.finalize_xof().fill(&mut check);
    check
}

fn preamble_check(checked: &[u8]) -> [u8; PREAMBLE_CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key(PREAMBLE_DOMAIN);
    hasher.update(checked);
    let mut check = [0; PREAMBLE_CHECK_BYTES];
    hasher.finalize_xof().fill(&mut check);
    check
}

pub(crate) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|chunk| u32::from_le_bytes(*chunk))
}

pub(crate) fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk))
}
