//! A node as far as its disk goes: it opens its files and writes them in the order that a node does, and tells the world.
//!
//! What it says and decides is random, so a node that forgot what it said says something else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cairn_storage::{
    Batch, BlockLog, DataDirectory, Engine, Index, Keyspace, Seeded, SignRecord, SignState, SimulatedDisk,
    StorageError, WriteAheadLog,
};
use cairn_types::{ChainId, Hash, Height, Round};

use crate::world::{WalMemory, World};

/// Where the node lives.
pub(crate) const DIRECTORY: &str = "/node/data";

/// Short segments and a short write-ahead log, so that a short history crosses both limits.
const SEGMENT_BYTES: u64 = 1_024 + 1_500;
const WAL_BYTES: u64 = 3_000;

const STEPS: u8 = 3;
/// Before the value in an entry: height, round, step.
const ENTRY_HEAD_BYTES: usize = 13;
const VALUE_BYTES: usize = 8;

/// An open node.
pub(crate) struct Node {
    pub(crate) log: BlockLog,
    pub(crate) wal: WriteAheadLog,
    pub(crate) sign: SignState,
    pub(crate) index: Arc<dyn Index>,
    /// What it said in the height of the write-ahead log.
    said: BTreeMap<(u32, u8), Vec<u8>>,
    _directory: DataDirectory,
}

pub(crate) fn chain() -> ChainId {
    ChainId::from_hash(Hash::from_bytes([7; 32]))
}

impl Node {
    /// Opens everything in a node's order, and has the world check what came back.
    pub(crate) fn open(disk: &SimulatedDisk, world: &mut World) -> Result<Self, StorageError> {
        let directory = DataDirectory::open_on(disk.handle(), Path::new(DIRECTORY), chain())?;
        let (mut log, recovery) = directory.open_block_log(Height::new(1))?;
        log.limit_segments(SEGMENT_BYTES);
        world.expect(recovery.damaged.is_empty(), || format!("damage: {:?}", recovery.damaged));
        let tip = log.tip().map_or(0, Height::get);
        let known = world.told.keys().next_back().copied().unwrap_or(0);
        world.expect(tip >= known, || format!("block {known} was final, and the log ends at {tip}"));
        for height in 1..=tip {
            let record = log.read(Height::new(height))?;
            world.expect(record.is_some(), || format!("block {height} is missing before the tip"));
            // A node that opens shows what it has.
            record.into_iter().for_each(|record| world.hear_final(height, &record.block));
        }
        let (index, _) = directory.open_index(Engine::Memory)?;
        fill_index(index.as_ref(), tip, world)?;
        let (mut wal, contents) = directory.open_write_ahead_log()?;
        wal.replace_above(WAL_BYTES);
        world.check_wal(contents.height.get(), &contents.entries);
        let said = contents.entries.iter().filter_map(|entry| said_in(entry)).collect();
        let sign = directory.open_sign_state()?;
        let last = world.signed.keys().next_back().copied();
        let loaded = sign.load().map(|record| (record.height.get(), record.round.get(), record.step));
        world.expect(loaded >= last, || format!("signed {last:?}, and the sign state says {loaded:?}"));
        Ok(Self { log, wal, sign, index, said, _directory: directory })
    }

    /// The last height in its block log.
    pub(crate) fn tip(&self) -> u64 {
        self.log.tip().map_or(0, Height::get)
    }

    /// Decides so many heights.
    pub(crate) fn live(&mut self, heights: u64, random: &mut Seeded, world: &mut World) -> Result<(), StorageError> {
        for _ in 0..heights {
            let height = self.tip() + 1;
            if self.wal.height().get() < height {
                world.wal.starting = Some(height);
                self.wal.reset(Height::new(height))?;
                world.wal = WalMemory { height, ..WalMemory::default() };
                self.said.clear();
            }
            for round in 0..=random.below(2) {
                let round = u32::try_from(round).expect("one of two");
                for step in 0..STEPS {
                    self.say(height, round, step, random, world)?;
                }
            }
            let block = bytes(50 + random.below(900), random);
            self.log.append(Height::new(height), &block, b"a certificate")?;
            world.hear_final(height, &block);
            index_block(self.index.as_ref(), height, &block)?;
        }
        Ok(())
    }

    /// Signs at a place, unless the sign state forbids it: what it said there before, or something new.
    fn say(
        &mut self,
        height: u64,
        round: u32,
        step: u8,
        random: &mut Seeded,
        world: &mut World,
    ) -> Result<(), StorageError> {
        let value = match self.said.get(&(round, step)) {
            Some(value) => value.clone(),
            None => {
                // What others said is written down too.
                for _ in 0..random.below(3) {
                    let heard = bytes(1 + random.below(300), random);
                    self.append([&[0xff][..], &heard].concat(), world)?;
                }
                let value = random.next().to_le_bytes().to_vec();
                let head = [&height.to_le_bytes()[..], &round.to_le_bytes(), &[step], &value].concat();
                self.append(head, world)?;
                self.said.insert((round, step), value.clone());
                value
            }
        };
        self.wal.sync()?;
        world.wal.acknowledged = world.wal.entries.len();
        let record = SignRecord { height: Height::new(height), round: Round::new(round), step, bytes: value };
        match self.sign.store(record.clone()) {
            Ok(()) => world.see_signed((height, round, step), &record.bytes),
            Err(StorageError::SignStateOlder { .. } | StorageError::SignStateConflict { .. }) => {}
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn append(&mut self, entry: Vec<u8>, world: &mut World) -> Result<(), StorageError> {
        self.wal.append(&entry)?;
        world.wal.entries.push(entry);
        Ok(())
    }
}

/// What the node itself said, if the entry is of that kind.
fn said_in(entry: &[u8]) -> Option<((u32, u8), Vec<u8>)> {
    if entry.len() != ENTRY_HEAD_BYTES + VALUE_BYTES || entry[0] == 0xff {
        return None;
    }
    let round = u32::from_le_bytes(entry[8..12].try_into().expect("four bytes"));
    Some(((round, entry[12]), entry[ENTRY_HEAD_BYTES..].to_vec()))
}

fn index_block(index: &dyn Index, height: u64, block: &[u8]) -> Result<(), StorageError> {
    let mut batch = Batch::new();
    batch.put(Keyspace::Meta, "height", height.to_be_bytes());
    batch.put(Keyspace::Lists, height.to_be_bytes(), block);
    batch.put(Keyspace::State, [(height % 5) as u8], height.to_be_bytes());
    index.write(&batch)
}

/// Checks that the index is what a rebuild up to its height is, and brings it up to the log.
fn fill_index(index: &dyn Index, tip: u64, world: &mut World) -> Result<(), StorageError> {
    let number = |value: Vec<u8>| value.try_into().map(u64::from_be_bytes).unwrap_or(u64::MAX);
    let height = index.get(Keyspace::Meta, b"height")?.map_or(0, number);
    world.expect(height <= tip, || format!("the index is at {height}, the log at {tip}"));
    let listed = index.range(Keyspace::Lists, b"", None, usize::MAX)?;
    let wanted: Vec<_> =
        world.told.range(..=height).map(|(height, block)| (height.to_be_bytes().to_vec(), block.clone())).collect();
    world.expect(listed == wanted, || format!("the index at {height} lists other blocks than the log"));
    let state = index.range(Keyspace::State, b"", None, usize::MAX)?;
    let mut rebuilt = BTreeMap::new();
    (1..=height).for_each(|height| drop(rebuilt.insert(vec![(height % 5) as u8], height.to_be_bytes().to_vec())));
    world.expect(state == rebuilt.into_iter().collect::<Vec<_>>(), || format!("the index at {height} is half a batch"));
    for height in height + 1..=tip {
        index_block(index, height, &world.told[&height])?;
    }
    Ok(())
}

fn bytes(length: u64, random: &mut Seeded) -> Vec<u8> {
    (0..length.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).take(length as usize).collect()
}
