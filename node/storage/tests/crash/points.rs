//! Crash points: a history is run again and again and stopped one operation later each time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cairn_storage::{Seeded, SimulatedDisk, StorageError};

use crate::node::Node;
use crate::world::World;
use crate::{is_large, setting};

/// Crash points of a small run.
const POINTS: u64 = 2_500;

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The power goes.
    PowerCut,
    /// The process is killed, and the machine goes on; the power goes later.
    Kill,
    /// An operation fails, like a write to a bad sector, and the disk goes on: the node stops by itself.
    BadSector,
    /// The disk is full.
    Full,
}

/// What a history found.
#[derive(Default)]
struct Tally {
    points: u64,
    lost: u64,
    twice: u64,
    /// The first violations, in words.
    words: Vec<String>,
}

impl Tally {
    fn add(&mut self, context: &str, world: &World, error: Option<&StorageError>) {
        self.lost += world.lost.len() as u64 + u64::from(error.is_some());
        self.twice += world.twice.len() as u64;
        let error = error.map(ToString::to_string);
        let words = world.lost.iter().chain(&world.twice).chain(&error);
        self.words.extend(words.take(3).map(|words| format!("{context}: {words}")));
        self.words.truncate(9);
    }
}

/// One life on a disk that may fail: opens and decides two heights.
fn life(disk: &SimulatedDisk, random: &mut Seeded, world: &mut World) -> Result<(), StorageError> {
    Node::open(disk, world)?.live(2, random, world)
}

/// A life that must go well: the disk is healthy.
fn healthy(context: &str, disk: &SimulatedDisk, random: &mut Seeded, world: &mut World, tally: &mut Tally) -> bool {
    let ended = life(disk, random, world);
    let is_well = ended.is_ok() && world.lost.is_empty() && world.twice.is_empty();
    if !is_well {
        tally.add(context, world, ended.as_ref().err());
    }
    is_well
}

/// Stops one history at every operation.
fn history(number: u64, tally: &mut Tally) {
    let end = [End::PowerCut, End::Kill, End::PowerCut, End::BadSector, End::Kill, End::Full][(number % 6) as usize];
    let start = SimulatedDisk::new(number);
    let mut before = World::default();
    let mut random = Seeded::new(number ^ 0x5eed);
    // Some histories begin with an empty disk, some with a few heights.
    for _ in 0..random.below(3) {
        life(&start, &mut random, &mut before).expect("a healthy disk");
        start.kill();
    }
    for stop in 0.. {
        let context = format!("CAIRN_SEED={number} {end:?} at operation {stop}");
        let disk = start.fork(number.wrapping_mul(1_000_003).wrapping_add(stop));
        let mut world = before.clone();
        // Every life says other things; the first one of a history says the same at every stop.
        let mut first = Seeded::new(number ^ 0xf125);
        let mut later = Seeded::new(number.wrapping_mul(31).wrapping_add(stop));
        match end {
            End::PowerCut | End::Kill => disk.stop_after(stop),
            End::BadSector => disk.fail_once_after(stop),
            End::Full => disk.set_capacity(Some(disk.used_bytes() + 41 * stop)),
        }
        let ended = life(&disk, &mut first, &mut world);
        let happened = match end {
            End::PowerCut => disk.power_cut(),
            End::Full => {
                disk.set_capacity(None);
                disk.kill();
                ended.is_err()
            }
            End::Kill | End::BadSector => disk.kill(),
        };
        tally.points += 1;
        if ended.is_err() != happened {
            tally.add(&format!("{context}: it did not stop"), &world, None);
            tally.lost += 1;
        }
        if let (End::Full, Err(error)) = (end, &ended) {
            let is_clear =
                matches!(error, StorageError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull);
            world.expect(is_clear && error.is_fatal(), || format!("a full disk is {error}"));
        }
        // The second crash comes while the node recovers, or soon after.
        disk.stop_after(later.below(24));
        let ended = life(&disk, &mut later, &mut world);
        let stopped = disk.power_cut();
        tally.points += 1;
        if ended.is_err() && !stopped {
            tally.add(&context, &world, ended.as_ref().err());
        }
        // And then all is well again, and stays so over one more power cut.
        let is_well = healthy(&context, &disk, &mut later, &mut world, tally);
        disk.power_cut();
        tally.points += 1;
        if !(is_well && healthy(&context, &disk, &mut later, &mut world, tally)) {
            return;
        }
        if !happened {
            return;
        }
    }
}

#[test]
fn stopped_at_any_operation_a_node_loses_nothing_and_signs_nothing_twice() {
    let wanted = setting("CAIRN_CRASH_POINTS").unwrap_or(POINTS);
    let seed = setting("CAIRN_SEED").unwrap_or(1);
    println!("CAIRN_SEED={seed}");
    let (next, done, failed) = (AtomicU64::new(seed), AtomicU64::new(0), AtomicBool::new(false));
    let tallies = Mutex::new(Vec::new());
    let threads = if is_large() { std::thread::available_parallelism().map_or(2, Into::into) } else { 2 };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut tally = Tally::default();
                while done.load(Ordering::Relaxed) < wanted && !failed.load(Ordering::Relaxed) {
                    let before = tally.points;
                    history(next.fetch_add(1, Ordering::Relaxed), &mut tally);
                    done.fetch_add(tally.points - before, Ordering::Relaxed);
                    failed.fetch_or(tally.lost + tally.twice > 0, Ordering::Relaxed);
                }
                tallies.lock().expect("no thread panics with it").push(tally);
            });
        }
    });
    let tallies = tallies.into_inner().expect("no thread panics with it");
    let sum = |field: fn(&Tally) -> u64| tallies.iter().map(field).sum::<u64>();
    println!("figure crash_histories {}", next.load(Ordering::Relaxed) - seed);
    println!("figure crash_points {}", sum(|tally| tally.points));
    println!("figure crash_lost {}", sum(|tally| tally.lost));
    println!("figure signed_twice {}", sum(|tally| tally.twice));
    let words: Vec<_> = tallies.iter().flat_map(|tally| &tally.words).collect();
    assert!(words.is_empty() && !failed.into_inner(), "{words:#?}");
}
