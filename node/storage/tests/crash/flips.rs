//! Rot: every bit of every file of a node is flipped, one at a time. Each flip must be noticed or be without effect: never
//! are other bytes served than were written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use cairn_storage::{DataDirectory, Seeded, SimulatedDisk, StorageError};
use cairn_types::Height;

use crate::is_large;
use crate::node::{DIRECTORY, Node, chain};
use crate::world::World;

/// One of so many bits is flipped in a small run.
const STRIDE: usize = 61;

/// What became of a flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Nobody sees a difference.
    Harmless,
    /// It was reported.
    Detected,
    /// Something else came back than was written, or less, and nobody was told.
    Served,
}

/// What the files hold.
struct Truth {
    disk: SimulatedDisk,
    world: World,
    signed: cairn_storage::SignRecord,
}

impl Truth {
    fn new() -> Self {
        let (disk, mut world, mut random) = (SimulatedDisk::new(3), World::default(), Seeded::new(3));
        let mut node = Node::open(&disk, &mut world).expect("a healthy disk");
        node.live(7, &mut random, &mut world).expect("a healthy disk");
        let signed = node.sign.load().expect("it has signed").clone();
        drop(node);
        disk.kill();
        Self { disk, world, signed }
    }

    /// Opens what the file belongs to, and compares all that comes back.
    fn judge(&self, disk: &SimulatedDisk, path: &Path) -> Result<Fate, StorageError> {
        let directory = DataDirectory::open_on(disk.handle(), Path::new(DIRECTORY), chain())?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let holds = match name {
            "consensus.wal" => {
                let (_, contents) = directory.open_write_ahead_log()?;
                let wal = &self.world.wal;
                let shorter = wal.entries.get(..wal.entries.len() - 1).unwrap_or_default();
                if contents.dropped_bytes > 0 && contents.entries == shorter {
                    return Ok(Fate::Detected);
                }
                contents.height.get() == wal.height && contents.entries == wal.entries
            }
            "sign-state" => directory.open_sign_state()?.load() == Some(&self.signed),
            _ if name.ends_with(".blocks") => {
                let (log, recovery) = directory.open_block_log(Height::new(1))?;
                let mut reported = !recovery.damaged.is_empty();
                for (height, block) in &self.world.told {
                    match log.read(Height::new(*height)) {
                        Ok(Some(record)) if record.block == *block && record.certificate == b"a certificate" => {}
                        Ok(Some(_)) => return Ok(Fate::Served),
                        Ok(None) => {
                            let cut = recovery.cut.as_ref().is_some_and(|cut| cut.height.get() == *height);
                            if !cut {
                                return Ok(Fate::Served);
                            }
                            reported = true;
                        }
                        Err(StorageError::LogDamaged(_)) => reported = true,
                        Err(other) => return Err(other),
                    }
                }
                if reported {
                    return Ok(Fate::Detected);
                }
                true
            }
            // The lock is empty, and the directory has been opened by its format.
            _ => true,
        };
        Ok(if holds { Fate::Harmless } else { Fate::Served })
    }
}

#[test]
fn every_flipped_bit_is_detected_or_harmless() {
    let truth = Truth::new();
    let stride = if is_large() { 1 } else { STRIDE };
    let mut bits = Vec::new();
    for path in truth.disk.files() {
        let length = truth.disk.contents(&path).expect("it is there").len() as u64;
        bits.extend((0..length * 8).step_by(stride).map(|bit| (path.clone(), bit)));
    }
    let next = AtomicU64::new(0);
    let count = || -> BTreeMap<(Fate, String), u64> {
        let mut fates = BTreeMap::new();
        while let Some((path, bit)) = bits.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let disk = truth.disk.fork(*bit);
            assert!(disk.flip_bit(path, *bit), "the file has that bit");
            let fate = truth.judge(&disk, path).unwrap_or(Fate::Detected);
            if fate == Fate::Served {
                println!("served: bit {bit} of {}", path.display());
            }
            let kind = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let kind = if kind.ends_with(".blocks") { "blocks" } else { kind };
            *fates.entry((fate, kind.to_owned())).or_insert(0) += 1;
        }
        fates
    };
    let mut fates: BTreeMap<(Fate, String), u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(count)).collect();
        for thread in threads {
            for (fate, number) in thread.join().expect("no panic on any bit") {
                *fates.entry(fate).or_insert(0) += number;
            }
        }
    });
    println!("{fates:?}");
    let served: u64 = fates.iter().filter(|((fate, _), _)| *fate == Fate::Served).map(|(_, number)| number).sum();
    println!("figure bit_flips {}", fates.values().sum::<u64>());
    println!("figure bit_flips_served {served}");
    assert_eq!(served, 0);
    for kind in ["blocks", "consensus.wal", "sign-state", "format"] {
        let seen = |fate: Fate| fates.get(&(fate, kind.to_owned())).copied().unwrap_or(0);
        assert!(seen(Fate::Detected) + seen(Fate::Harmless) > 0, "{kind} was there to be damaged");
    }
}
