//! Pages: the lowest nodes, each of which holds several entries in one allocation.
//!
//! A subtree is a page if it [fits](Size::fits), whatever its history, so the same content always lies in the same pages. A
//! page keeps entries and none of the hashes between them: those are computed again when an entry changes or is proven, which
//! costs less than reading them from memory would at a million devices.
//!
//! ```text
//! u8 entries, u16le bytes of their keys and values that count (65,535 if more)
//! each entry, ascending by key:
//!   u8 bytes shared with the key before, u8 other bytes of the key, these
//!   u8, u8, u8: 2 · bytes that follow + (0: as they are, 1: coded), 7 bits in each byte, the last below 128
//!     the value as it is; or coded, as a sequence of
//!       c < 128:  c + 1 bytes of the value
//!       c >= 128: u16le place in this page from which c - 128 + 8 bytes are copied
//! ```
//!
//! A device's record, key, owner and place repeat each other's bytes, so its file takes half of them. What is copied are bytes
//! of the page as they stand, so that one value is read without decoding those before it.
//!
//! It knows bytes, and neither hashes nor what keys and values mean. Pages exist in memory only: nothing of them is hashed,
//! stored or sent. The invariant: decoding gives what was encoded.

#![allow(clippy::arithmetic_side_effects, reason = "places and lengths within a page, which has less than 200 kB")]

use std::borrow::Cow;
use std::sync::Arc;

use super::{KEY_BYTES_MAX, bits};

/// Most entries in a page. More would take less memory and make a change dearer, because all of a page is hashed again. Four
/// devices' files have twenty entries.
pub(super) const PAGE_ENTRIES_MAX: usize = 20;

/// Bytes of each entry that do not count below.
pub(super) const SHORT_BYTES: usize = 64;

/// Most bytes of keys and values, without the first [`SHORT_BYTES`] of each entry, in a page of more than one. Four devices'
/// files have about that many, and four streams: these change with every attestation, those hardly ever.
pub(super) const PAGE_BYTES_MAX: usize = 880;

/// Bytes before the first entry.
const HEAD_BYTES: usize = 3;
/// Fewest bytes that are worth a copy, which takes three.
const COPY_BYTES_MIN: usize = 8;
/// Most bytes in a copy.
const COPY_BYTES_MAX: usize = COPY_BYTES_MIN + 127;
/// Most bytes in a run of literals.
const RUN_BYTES_MAX: usize = 128;
/// The bit that tells a copy from a run.
const COPY: u8 = 0x80;

/// Why a page can be read.
const OURS: &str = "a page was made by `Encoder::page`";

/// How much a page holds, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    entries: usize,
    /// Without the first [`SHORT_BYTES`] of each entry.
    bytes: usize,
}

impl Size {
    /// Of one entry.
    pub(super) const fn of(key: &[u8], value: &[u8]) -> Self {
        Self { entries: 1, bytes: (key.len() + value.len()).saturating_sub(SHORT_BYTES) }
    }

    /// Of both together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self { entries: self.entries + other.entries, bytes: self.bytes + other.bytes }
    }

    /// Whether a page holds so much. One entry always fits, and what fits does so in parts too.
    pub(super) const fn fits(self) -> bool {
        self.entries == 1 || self.entries <= PAGE_ENTRIES_MAX && self.bytes <= PAGE_BYTES_MAX
    }

    pub(super) const fn entries(self) -> usize {
        self.entries
    }
}

/// The entries of a subtree, in one allocation.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<[u8]>);

/// What a page says of a key.
pub(super) enum Found<'a> {
    /// Its value.
    Value(Value<'a>),
    /// The key is not there, and forks off from those that are at this bit.
    Fork(u16),
}

impl Page {
    pub(super) fn size(&self) -> Size {
        let Some(([entries, low, high], _)) = self.0.split_first_chunk() else { return Size { entries: 0, bytes: 0 } };
        Size { entries: usize::from(*entries), bytes: usize::from(u16::from_le_bytes([*low, *high])) }
    }

    /// Looks for a key.
    pub(super) fn search(&self, key: &[u8]) -> Found<'_> {
        let mut nearest = 0;
        // How many bytes of the key the entry before has too.
        let mut same: usize = 0;
        for entry in self.raw() {
            // It shares more with the entry before than that with the key, so it forks off where that did.
            if entry.shared > same {
                continue;
            }
            // It parts with the entry before earlier than that with the key, and so do all behind it.
            if entry.shared < same {
                break;
            }
            let wanted = key.get(same..).unwrap_or_default();
            let more = bits::common(entry.rest, wanted);
            same += more;
            match bits::fork(entry.rest.get(more), wanted.get(more), same) {
                None => return Found::Value(entry.value),
                Some(fork) => nearest = nearest.max(fork),
            }
        }
        Found::Fork(nearest)
    }

    /// The last entry whose key begins with `prefix`.
    pub(super) fn last_under(&self, prefix: &[u8]) -> Option<(Vec<u8>, Cow<'_, [u8]>)> {
        let mut key = Vec::with_capacity(KEY_BYTES_MAX);
        let mut last = None;
        for entry in self.raw() {
            if last.is_some() && entry.shared < prefix.len() {
                break;
            }
            key.truncate(entry.shared);
            key.extend_from_slice(entry.rest);
            if last.is_some() || key.starts_with(prefix) {
                last = Some(entry.value);
            }
        }
        last.map(|value| (key, value.read()))
    }

    /// The value of the last entry whose key begins with `prefix`.
    pub(super) fn last_value(&self, prefix: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut last = None;
        // How many bytes of the prefix the entry before begins with.
        let mut same: usize = 0;
        for entry in self.raw() {
            if entry.shared < same {
                break;
            }
            if entry.shared == same {
                same += bits::common(entry.rest, prefix.get(same..).unwrap_or_default());
            }
            if same == prefix.len() {
                last = Some(entry.value);
            }
        }
        last.map(Value::read)
    }

    /// The lowest key.
    pub(super) fn first_key(&self) -> &[u8] {
        self.raw().next().map_or(&[], |entry| entry.rest)
    }

    /// All entries, ascending by key.
    pub(super) fn entries(&self) -> PageEntries<'_> {
        PageEntries { raw: self.raw(), key: Vec::new() }
    }

    /// How many bytes it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    fn raw(&self) -> Raw<'_> {
        Raw { page: &self.0, rest: self.0.get(HEAD_BYTES..).unwrap_or_default() }
    }
}

/// A value as it stands in a page.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    page: &'a [u8],
    bytes: &'a [u8],
    is_coded: bool,
}

impl<'a> Value<'a> {
    /// The value; without a copy, if it stands there as it is.
    pub(super) fn read(self) -> Cow<'a, [u8]> {
        if !self.is_coded {
            return Cow::Borrowed(self.bytes);
        }
        let mut value = Vec::with_capacity(self.pieces().map(<[u8]>::len).sum());
        self.pieces().for_each(|piece| value.extend_from_slice(piece));
        Cow::Owned(value)
    }

    /// Adds the value to `buffer`.
    pub(super) fn read_into(self, buffer: &mut Vec<u8>) {
        if self.is_coded {
            self.pieces().for_each(|piece| buffer.extend_from_slice(piece));
        } else {
            buffer.extend_from_slice(self.bytes);
        }
    }

    /// Whether it is this value.
    pub(super) fn is(self, value: &[u8]) -> bool {
        if !self.is_coded {
            return self.bytes == value;
        }
        let mut rest = Some(value);
        self.pieces().for_each(|piece| rest = rest.and_then(|rest| rest.strip_prefix(piece)));
        rest.is_some_and(<[u8]>::is_empty)
    }

    fn pieces(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (control, after) = rest.split_first()?;
            let length = usize::from(control & !COPY);
            let piece = if control & COPY == 0 {
                let (run, after) = after.split_at_checked(length + 1).expect(OURS);
                rest = after;
                run
            } else {
                let (place, after) = after.split_first_chunk().expect(OURS);
                rest = after;
                let place = usize::from(u16::from_le_bytes(*place));
                self.page.get(place..place + length + COPY_BYTES_MIN).expect(OURS)
            };
            Some(piece)
        })
    }
}

/// An entry as it stands in a page.
struct RawEntry<'a> {
    shared: usize,
    rest: &'a [u8],
    value: Value<'a>,
}

/// Walks the entries as they stand.
struct Raw<'a> {
    page: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Iterator for Raw<'a> {
    type Item = RawEntry<'a>;

    fn next(&mut self) -> Option<RawEntry<'a>> {
        let ([shared, length], after) = self.rest.split_first_chunk()?;
        let (rest, mut after) = after.split_at_checked(usize::from(*length)).expect(OURS);
        let mut head: usize = 0;
        let mut shift = 0;
        loop {
            let (byte, behind) = after.split_first().expect(OURS);
            after = behind;
            head |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 {
                break;
            }
        }
        let (bytes, after) = after.split_at_checked(head >> 1).expect(OURS);
        self.rest = after;
        let value = Value { page: self.page, bytes, is_coded: head & 1 == 1 };
        Some(RawEntry { shared: usize::from(*shared), rest, value })
    }
}

/// The entries of a page, ascending by key.
pub(super) struct PageEntries<'a> {
    raw: Raw<'a>,
    key: Vec<u8>,
}

impl<'a> PageEntries<'a> {
    /// The next entry.
    pub(super) fn step(&mut self) -> Option<(&[u8], Value<'a>)> {
        let entry = self.raw.next()?;
        self.key.truncate(entry.shared);
        self.key.extend_from_slice(entry.rest);
        Some((&self.key, entry.value))
    }
}

/// Makes pages; keeps its memory from one to the next.
#[derive(Default)]
pub(super) struct Encoder {
    page: Vec<u8>,
    coded: Vec<u8>,
}

impl Encoder {
    /// The page of these entries, which ascend by key and [fit](Size::fits).
    pub(super) fn page<'e>(&mut self, entries: impl Iterator<Item = (&'e [u8], &'e [u8])>, size: Size) -> Page {
        let mut seen = Seen::new();
        self.page.clear();
        self.page.push(u8::try_from(size.entries).expect("what fits has few entries"));
        self.page.extend_from_slice(&u16::try_from(size.bytes).unwrap_or(u16::MAX).to_le_bytes());
        let mut previous: &[u8] = &[];
        for (key, value) in entries {
            let shared = bits::common(previous, key);
            let (_, rest) = key.split_at_checked(shared).expect("no more is shared than there is");
            for length in [shared, rest.len()] {
                self.page.push(u8::try_from(length).expect("entries are checked before they come here"));
            }
            self.page.extend_from_slice(rest);
            previous = key;
            self.coded.clear();
            // An entry alone has nothing to repeat, and may be long.
            if size.entries > 1 {
                seen.add(&self.page);
                seen.code(&self.page, value, &mut self.coded);
            }
            if size.entries > 1 && self.coded.len() < value.len() {
                push_head(&mut self.page, self.coded.len() << 1 | 1);
                self.page.extend_from_slice(&self.coded);
            } else {
                push_head(&mut self.page, value.len() << 1);
                self.page.extend_from_slice(value);
            }
        }
        Page(self.page.as_slice().into())
    }
}

fn push_head(page: &mut Vec<u8>, mut head: usize) {
    while head >= 0x80 {
        page.push((head & 0x7f) as u8 | 0x80);
        head >>= 7;
    }
    page.push(head as u8);
}

/// Where eight bytes in a row were seen in a page, for some of them: forgotten places only cost memory.
struct Seen {
    places: [u16; 1 << SLOT_BITS],
    /// From where on the page has not been looked at.
    next: usize,
}

const SLOT_BITS: u32 = 9;
/// One of so many places is remembered.
const STRIDE: usize = 4;
/// After so many bytes that are new, only some are looked at.
const PATIENCE: usize = 16;

impl Seen {
    const fn new() -> Self {
        Self { places: [0; 1 << SLOT_BITS], next: HEAD_BYTES }
    }

    /// Remembers what was added to the page.
    fn add(&mut self, page: &[u8]) {
        while let Some(window) = window(page, self.next) {
            if let (Some(place), Ok(at)) = (self.places.get_mut(slot(window)), u16::try_from(self.next)) {
                *place = at;
            }
            self.next += STRIDE;
        }
    }

    /// Codes a value by what was seen.
    fn code(&self, page: &[u8], value: &[u8], coded: &mut Vec<u8>) {
        let mut at = 0;
        let mut run = 0;
        while let Some(window) = window(value, at) {
            let place = self.places.get(slot(window)).copied().map_or(0, usize::from);
            let seen = page.get(place..).unwrap_or_default();
            if !seen.starts_with(&window.to_le_bytes()) {
                // Fields are long and repeat as a whole: behind a few bytes that are new, most others are too. A step that
                // is odd meets every remainder of the stride.
                at += if at < run + PATIENCE { 1 } else { STRIDE - 1 };
                continue;
            }
            // Not every place was remembered or looked at, so it may have begun before.
            let wanted = value.get(at..).unwrap_or_default();
            let before = value.get(run..at).unwrap_or_default().iter().rev();
            let back =
                before.zip(page.get(..place).unwrap_or_default().iter().rev()).take_while(|(a, b)| a == b).count();
            let length = (bits::common(seen, wanted) + back).min(COPY_BYTES_MAX);
            push_runs(coded, value.get(run..at - back).unwrap_or_default());
            coded.push(COPY | (length - COPY_BYTES_MIN) as u8);
            coded.extend_from_slice(&((place - back) as u16).to_le_bytes());
            at = at - back + length;
            run = at;
        }
        push_runs(coded, value.get(run..).unwrap_or_default());
    }
}

fn push_runs(coded: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(RUN_BYTES_MAX) {
        coded.push((run.len() - 1) as u8);
        coded.extend_from_slice(run);
    }
}

/// Eight bytes at a place, if there are so many.
fn window(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Where a window's place is remembered: Fibonacci hashing, which no answer depends on.
fn slot(window: u64) -> usize {
    (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOT_BITS)) as usize
}
