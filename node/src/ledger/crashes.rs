//! The ledger on a simulated disk: stopped at every operation, and with every block damaged. Whatever happens, it opens at
//! a block that it acknowledged or a later one, and its index is what a rebuild up to there is.

use std::path::PathBuf;

use cairn_storage::index::Entry;
use cairn_storage::{Index, Keyspace, SimulatedDisk};
use cairn_types::{Certificate, Height};

use super::replay::CheckedBefore;
use super::{LedgerError, judge};
use crate::testing::{Place, World};

const BLOCKS: u64 = 8;

/// A history of real blocks, and what the index is after each.
struct History {
    blocks: Vec<(Vec<u8>, Certificate)>,
    indexes: Vec<Vec<Vec<Entry>>>,
}

fn contents(index: &dyn Index) -> Vec<Vec<Entry>> {
    let all = |keyspace| index.range(keyspace, b"", None, usize::MAX).expect("a healthy disk");
    Keyspace::ALL.into_iter().map(all).collect()
}

fn open(disk: &SimulatedDisk) -> Result<World, LedgerError> {
    World::open(Place::on(disk.handle()))
}

fn tip(world: &World) -> u64 {
    world.tip().header.height.get()
}

impl History {
    fn new() -> Self {
        let mut world = open(&SimulatedDisk::new(1)).expect("a healthy disk");
        let mut history = Self { blocks: Vec::new(), indexes: vec![contents(world.chain().index.as_ref())] };
        for number in 0..BLOCKS as u8 {
            let (_, registration) = world.register(usize::from(number % 3), 50 + number);
            let snapshot = world.commit(vec![registration]);
            world.ledger.settle_index().expect("a healthy disk");
            let record = world.chain().log.read(snapshot.header.height).expect("a healthy disk").expect("the tip");
            let certificate = snapshot.certificate.clone().expect("it is not the genesis");
            history.blocks.push((record.block, certificate));
            history.indexes.push(contents(world.chain().index.as_ref()));
        }
        history
    }

    /// Commits what follows the tip, as catch-up does; `acknowledged` follows.
    fn go_on(&self, world: &mut World, acknowledged: &mut u64) -> Result<(), LedgerError> {
        while let Some((block, certificate)) = self.blocks.get(tip(world) as usize) {
            let judged = judge(world.chain(), block, &CheckedBefore);
            let judged = judged.map_err(|source| LedgerError::Inconsistent { height: certificate.height, source })?;
            *acknowledged = world.ledger.commit(judged, certificate.clone())?.header.height.get();
            // As a busy node does after many more blocks.
            if acknowledged.is_multiple_of(3) {
                world.ledger.settle_index()?;
            }
        }
        Ok(())
    }

    fn assert_index(&self, world: &mut World, context: &str) {
        world.ledger.settle_index().expect("a healthy disk");
        let height = tip(world);
        assert_eq!(world.chain().log.tip().map_or(0, Height::get), height, "{context}");
        assert!(
            contents(world.chain().index.as_ref()) == self.indexes[height as usize],
            "{context}: index at {height}"
        );
    }
}

#[test]
fn stopped_at_any_operation_the_ledger_has_what_it_acknowledged_and_the_index_of_that() {
    let history = History::new();
    for stop in 0.. {
        let context = format!("stopped at operation {stop}");
        let disk = SimulatedDisk::new(stop);
        disk.stop_after(stop);
        let mut acknowledged = 0;
        let ended = open(&disk).and_then(|mut world| history.go_on(&mut world, &mut acknowledged));
        let stopped = disk.power_cut();
        assert_eq!(ended.is_err(), stopped, "{context}");
        // And once more while it recovers.
        disk.stop_after(stop % 17);
        drop(open(&disk).and_then(|mut world| history.go_on(&mut world, &mut acknowledged)));
        disk.power_cut();
        let mut world = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(tip(&world) >= acknowledged, "{context}: {acknowledged} was acknowledged, {} is there", tip(&world));
        history.assert_index(&mut world, &context);
        history.go_on(&mut world, &mut acknowledged).unwrap_or_else(|error| panic!("{context}: {error}"));
        history.assert_index(&mut world, &context);
        if !stopped {
            break;
        }
    }
}

#[test]
fn a_damaged_block_is_cut_off_with_all_behind_it_and_the_quarantine_goes_when_they_are_fetched_again() {
    let history = History::new();
    let healthy = SimulatedDisk::new(1);
    history.go_on(&mut open(&healthy).expect("a healthy disk"), &mut 0).expect("a healthy disk");
    healthy.kill();
    let segment = PathBuf::from("/node/blocks/00000000000000000001.blocks");
    let file = healthy.contents(&segment).expect("it is there");
    for height in 1..=BLOCKS {
        let block = &history.blocks[height as usize - 1].0;
        let at = file.windows(block.len()).position(|bytes| bytes == block).expect("the block is in the log");
        let disk = healthy.fork(height);
        assert!(disk.flip_bit(&segment, (at as u64 + 20) * 8));
        let in_quarantine =
            |disk: &SimulatedDisk| disk.files().iter().any(|path| path.starts_with("/node/blocks/quarantine"));
        let mut world = open(&disk).unwrap_or_else(|error| panic!("block {height}: {error}"));
        assert_eq!(tip(&world), height - 1);
        history.assert_index(&mut world, "cut");
        // A damaged last record could have been an unfinished write, which is no loss to keep anything of.
        assert_eq!(in_quarantine(&disk), height < BLOCKS, "block {height}");
        history.go_on(&mut world, &mut 0).unwrap_or_else(|error| panic!("block {height}: {error}"));
        assert!(!in_quarantine(&disk), "block {height}: {:?}", disk.files());
        history.assert_index(&mut world, "fetched again");
    }
}
