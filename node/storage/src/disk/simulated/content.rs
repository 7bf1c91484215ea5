//! What is in one file: as written, and what a power cut can fall back to.
//!
//! It does not know names. Only sectors that changed since the last sync are kept twice, so a long file costs no more
//! than a short one.

use std::collections::BTreeMap;

use super::Seeded;

/// What a disk writes whole or not at all, in bytes.
pub(super) const SECTOR_BYTES: usize = 512;

/// One file's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    written: Vec<u8>,
    /// Durable sectors that were changed since, by number, as they are on the disk.
    durable: BTreeMap<usize, Vec<u8>>,
    /// How much of the file is durable.
    durable_length: usize,
}

impl Content {
    /// A file that was synced with these bytes.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self { durable_length: bytes.len(), written: bytes, durable: BTreeMap::new() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.written
    }

    pub(super) const fn length(&self) -> u64 {
        self.written.len() as u64
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.written.get(from..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(into), Some(bytes)) = (buffer.get_mut(..count), rest.get(..count)) {
            into.copy_from_slice(bytes);
        }
        count
    }

    pub(super) fn write_at(&mut self, bytes: &[u8], offset: u64) {
        let from = usize::try_from(offset).expect("a simulated file fits in memory");
        let end = from.checked_add(bytes.len()).expect("a simulated file fits in memory");
        self.remember(from, end);
        if end > self.written.len() {
            self.written.resize(end, 0);
        }
        if let Some(into) = self.written.get_mut(from..end) {
            into.copy_from_slice(bytes);
        }
    }

    pub(super) fn set_length(&mut self, length: u64) {
        let length = usize::try_from(length).expect("a simulated file fits in memory");
        self.remember(length.min(self.written.len()), length.max(self.written.len()));
        self.written.resize(length, 0);
    }

    pub(super) fn sync(&mut self) {
        self.durable.clear();
        self.durable_length = self.written.len();
    }

    /// Flips a bit that is there, on the disk too.
    pub(super) fn flip_bit(&mut self, bit: u64) -> bool {
        let Ok(at) = usize::try_from(bit / 8) else { return false };
        let mask = 1 << (bit % 8);
        let Some(byte) = self.written.get_mut(at) else { return false };
        *byte ^= mask;
        if let Some(byte) = self.durable.get_mut(&(at / SECTOR_BYTES)).and_then(|old| old.get_mut(at % SECTOR_BYTES)) {
            *byte ^= mask;
        }
        true
    }

    /// What a power cut leaves: a length between the durable and the written one, and each changed sector old or new.
    pub(super) fn lose_unsynced(&mut self, random: &mut Seeded) {
        let (short, long) = (self.durable_length.min(self.written.len()), self.durable_length.max(self.written.len()));
        if self.durable.is_empty() && short == long {
            return;
        }
        let length = match random.below(3) {
            0 => self.durable_length,
            1 => self.written.len(),
            _ => short + usize::try_from(random.below((long - short) as u64 + 1)).unwrap_or(0),
        };
        let mut left = self.written.clone();
        left.resize(long, 0);
        let grown_from = self.durable_length / SECTOR_BYTES;
        let changed: Vec<usize> = self.durable.keys().copied().chain(grown_from..long.div_ceil(SECTOR_BYTES)).collect();
        for sector in changed {
            if random.coin() {
                continue;
            }
            let start = sector * SECTOR_BYTES;
            let end = long.min(start + SECTOR_BYTES);
            let old = self.durable.get(&sector).map_or(&[][..], Vec::as_slice);
            let is_durable_whole = end <= self.durable_length && !self.durable.contains_key(&sector);
            let Some(into) = left.get_mut(start..end).filter(|_| !is_durable_whole) else { continue };
            // The durable head of a sector that was only appended to is in `written`.
            let head = if self.durable.contains_key(&sector) { 0 } else { self.durable_length.saturating_sub(start) };
            for (at, byte) in into.iter_mut().enumerate().skip(head) {
                *byte = old.get(at).copied().unwrap_or(0);
            }
        }
        left.truncate(length);
        *self = Self::durable(left);
    }

    /// Keeps the durable bytes of the sectors that reach into `from..end`.
    fn remember(&mut self, from: usize, end: usize) {
        let end = end.min(self.durable_length);
        if from >= end {
            return;
        }
        for sector in from / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let start = sector * SECTOR_BYTES;
            let stop = self.durable_length.min(start + SECTOR_BYTES);
            // What was cut off before is remembered already, so the bytes are all there.
            if let Some(bytes) = self.written.get(start..stop) {
                self.durable.entry(sector).or_insert_with(|| bytes.to_vec());
            }
        }
    }
}
