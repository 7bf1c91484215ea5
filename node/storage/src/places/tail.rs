//! The places of the newest blocks, in memory: sorted parts, of which eight of a size become one of the next.
//!
//! It does not know the disk. Invariant: every record that was pushed is in exactly one part, and each part is sorted.

use super::filter::Filter;
use super::{MERGED_RUNS, Record};

/// See the module.
#[derive(Debug)]
pub(super) struct Tail {
    /// The height of the first block in it.
    first: u64,
    blocks: u64,
    records: usize,
    /// How often each part was merged, and its records.
    parts: Vec<(u32, Vec<Record>)>,
    filter: Filter,
}

impl Tail {
    /// An empty one, before the block at `first`, for about this many records.
    pub(super) fn new(first: u64, records: usize) -> Self {
        Self { first, blocks: 0, records: 0, parts: Vec::new(), filter: Filter::new(records) }
    }

    /// Adds the sorted records of the next block.
    pub(super) fn push(&mut self, records: Vec<Record>) {
        self.blocks = self.blocks.saturating_add(1);
        if records.is_empty() {
            return;
        }
        self.records += records.len();
        records.iter().filter(|record| record.is_filtered()).for_each(|record| self.filter.insert(record.key));
        self.parts.push((0, records));
        while let Some(size) = self.size_to_merge() {
            let alike = self.parts.split_off(self.parts.len() - MERGED_RUNS);
            let mut merged = Vec::with_capacity(alike.iter().map(|(_, part)| part.len()).sum());
            alike.into_iter().for_each(|(_, part)| merged.extend(part));
            // A stable sort finds the sorted parts and merges them.
            merged.sort();
            self.parts.push((size + 1, merged));
        }
    }

    fn size_to_merge(&self) -> Option<u32> {
        let newest = self.parts.get(self.parts.len().checked_sub(MERGED_RUNS)?..)?;
        let (size, _) = newest.first()?;
        newest.iter().all(|(other, _)| other == size).then_some(*size)
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The height of the last block in it.
    pub(super) const fn last(&self) -> u64 {
        self.first.saturating_add(self.blocks).saturating_sub(1)
    }

    pub(super) const fn len(&self) -> usize {
        self.records
    }

    pub(super) const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// All records, sorted.
    pub(super) fn sorted(&self) -> Vec<Record> {
        let mut records = Vec::with_capacity(self.records);
        self.parts.iter().for_each(|(_, part)| records.extend_from_slice(part));
        records.sort();
        records
    }

    /// Appends the records of a name from `from` on, ascending.
    pub(super) fn find(&self, from: Record, found: &mut Vec<Record>) {
        let before = found.len();
        for (_, part) in &self.parts {
            let start = part.partition_point(|record| *record < from);
            let rest = part.get(start..).unwrap_or_default();
            found.extend(rest.iter().take_while(|record| record.key == from.key));
        }
        if let Some(new) = found.get_mut(before..) {
            new.sort_unstable();
        }
    }
}
