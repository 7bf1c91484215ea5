//! What the world outside remembers of a node: what it was told, and what it saw signed. It knows no disk.

use std::collections::BTreeMap;

/// A place where a validator signs: height, round, step.
pub(crate) type Place = (u64, u32, u8);

/// The write-ahead log as whoever writes it remembers it.
#[derive(Clone, Debug, Default)]
pub(crate) struct WalMemory {
    pub(crate) height: u64,
    /// How many of the entries were acknowledged.
    pub(crate) acknowledged: usize,
    /// All entries, in order.
    pub(crate) entries: Vec<Vec<u8>>,
    /// A height that it was told to start, and has not confirmed.
    pub(crate) starting: Option<u64>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// The blocks that were told to be final.
    pub(crate) told: BTreeMap<u64, Vec<u8>>,
    /// What was seen signed.
    pub(crate) signed: BTreeMap<Place, Vec<u8>>,
    pub(crate) wal: WalMemory,
    /// What was acknowledged and is gone.
    pub(crate) lost: Vec<String>,
    /// Places that were seen signed with two values.
    pub(crate) twice: Vec<String>,
}

impl World {
    /// A signature leaves the node.
    pub(crate) fn see_signed(&mut self, place: Place, value: &[u8]) {
        let seen = self.signed.entry(place).or_insert_with(|| value.to_vec());
        if seen != value {
            self.twice.push(format!("{place:?} was signed twice"));
        }
    }

    /// The node says that this block is final.
    pub(crate) fn hear_final(&mut self, height: u64, block: &[u8]) {
        let known = self.told.entry(height).or_insert_with(|| block.to_vec());
        if known != block {
            self.lost.push(format!("block {height} is another one"));
        }
    }

    pub(crate) fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.lost.push(what());
        }
    }

    /// What came back from the write-ahead log: all that was acknowledged, in order, and maybe more of what was appended.
    pub(crate) fn check_wal(&mut self, height: u64, entries: &[Vec<u8>]) {
        let wal = self.wal.clone();
        if wal.height != height {
            self.expect(wal.starting == Some(height) && entries.is_empty(), || {
                format!("the write-ahead log is at height {height} with {} entries, after {wal:?}", entries.len())
            });
        } else {
            let holds = entries.len() >= wal.acknowledged && wal.entries.starts_with(entries);
            self.expect(holds, || {
                let known = wal.entries.len();
                format!("{} entries came back, {} of {known} were acknowledged", entries.len(), wal.acknowledged)
            });
        }
        // The node acts on what it reads, so that must come back the next time too.
        let (acknowledged, entries) = (entries.len(), entries.to_vec());
        self.wal = WalMemory { height, acknowledged, entries, starting: None };
    }
}
