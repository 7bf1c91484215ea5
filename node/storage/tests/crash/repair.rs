//! A damaged block log is cut before the damage and fetched again, and a crash at any operation of that loses nothing: every
//! block that can still be read is in the log or in quarantine, until the log has it again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cairn_storage::{BlockLog, LogDamage, LogRecovery, QuarantineState, SimulatedDisk, StorageError};
use cairn_types::Height;

use crate::is_large;

const DIRECTORY: &str = "/node/blocks";
const HEIGHTS: u64 = 12;
/// About three blocks a segment.
const SEGMENT_BYTES: u64 = 1_024 + 1_100;

fn block(height: u64) -> Vec<u8> {
    (0..200 + height * 17 % 160).map(|at| (height * 31 + at) as u8).collect()
}

fn open(disk: &SimulatedDisk) -> Result<(BlockLog, LogRecovery), StorageError> {
    let (mut log, recovery) = BlockLog::open_on(disk.handle(), Path::new(DIRECTORY), Height::new(1))?;
    log.limit_segments(SEGMENT_BYTES);
    Ok((log, recovery))
}

fn append(log: &mut BlockLog, heights: std::ops::RangeInclusive<u64>) -> Result<(), StorageError> {
    for height in heights {
        // A peer has the block, maybe with the signatures of others.
        log.append(Height::new(height), &block(height), format!("certificate {height}").as_bytes())?;
    }
    Ok(())
}

fn healthy() -> SimulatedDisk {
    let disk = SimulatedDisk::new(5);
    let (mut log, _) = open(&disk).expect("a healthy disk");
    append(&mut log, 1..=HEIGHTS).expect("a healthy disk");
    drop(log);
    disk.kill();
    disk
}

/// Opens as a node does: what is damaged is cut off. A read of everything finds what the opening does not look at.
fn open_and_repair(disk: &SimulatedDisk) -> Result<BlockLog, StorageError> {
    let (mut log, recovery) = open(disk)?;
    if let Some(damage) = recovery.damaged.first() {
        log.cut_before(damage)?;
    }
    while let Some(damage) = first_damage(&log)? {
        log.cut_before(&damage)?;
    }
    Ok(log)
}

fn first_damage(log: &BlockLog) -> Result<Option<LogDamage>, StorageError> {
    Ok(log.reader().verify(Height::new(1)..=Height::new(HEIGHTS))?.into_iter().next())
}

/// How the log is damaged.
fn damages(disk: &SimulatedDisk) -> Vec<(String, PathBuf, Option<u64>)> {
    let mut all = Vec::new();
    for path in disk.files() {
        let bytes = disk.contents(&path).expect("it is there").len() as u64;
        let stride = if is_large() { 7 } else { 97 };
        all.extend((1_024..bytes).step_by(stride).map(|at| (format!("byte {at}"), path.clone(), Some(at * 8 + 3))));
        all.push(("lost".to_owned(), path.clone(), None));
    }
    all
}

/// Which blocks lie whole in any file.
fn whole_blocks(disk: &SimulatedDisk) -> BTreeMap<u64, bool> {
    let files: Vec<_> = disk.files().iter().filter_map(|path| disk.contents(path)).collect();
    let holds = |block: &[u8]| files.iter().any(|file| file.windows(block.len()).any(|bytes| bytes == block));
    (1..=HEIGHTS).map(|height| (height, holds(&block(height)))).collect()
}

#[test]
fn what_is_cut_off_is_never_lost_whenever_the_power_goes_and_goes_when_it_was_fetched_again() {
    let healthy = healthy();
    let mut cases = 0;
    for (what, path, bit) in damages(&healthy) {
        let damaged = healthy.fork(1);
        match bit {
            Some(bit) => assert!(damaged.flip_bit(&path, bit), "the file has that bit"),
            None => damaged.lose(&path),
        }
        let before = whole_blocks(&damaged);
        for stop in 0.. {
            cases += 1;
            let context = format!("{what} of {}, stopped at {stop}", path.display());
            let disk = damaged.fork(stop);
            disk.stop_after(stop);
            let ended = open_and_repair(&disk).map(drop);
            let stopped = disk.power_cut();
            assert_eq!(ended.is_err(), stopped, "{context}: {ended:?}");
            // The last record may be cut as a write that was never acknowledged: its damage is at the end of the log.
            let after = whole_blocks(&disk);
            let lost: Vec<_> = before.iter().filter(|(height, whole)| **whole && !after[*height]).collect();
            assert!(lost.is_empty(), "{context}: {lost:?}");

            let mut log = open_and_repair(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
            let tip = log.tip().map_or(0, Height::get);
            match log.settle_quarantine().expect("it reads") {
                QuarantineState::Empty => {}
                QuarantineState::Waiting { until } => assert!(until.get() > tip, "{context}"),
                other => panic!("{context}: {other:?}"),
            }
            append(&mut log, tip + 1..=HEIGHTS).unwrap_or_else(|error| panic!("{context}: {error}"));
            for height in 1..=HEIGHTS {
                let record = log.read(Height::new(height)).unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(record.expect("within the tip").block, block(height), "{context}");
            }
            let state = log.settle_quarantine().expect("it reads");
            assert!(matches!(state, QuarantineState::Passed | QuarantineState::Empty), "{context}: {state:?}");
            drop(log);
            disk.power_cut();
            let (log, recovery) = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!((recovery.tip, recovery.damaged.as_slice()), (Some(Height::new(HEIGHTS)), &[][..]), "{context}");
            assert_eq!(first_damage(&log).expect("it reads"), None, "{context}");
            if !stopped {
                break;
            }
        }
    }
    println!("figure repair_points {cases}");
}

#[test]
fn damage_that_a_read_found_is_repaired_at_the_next_opening() {
    let disk = healthy();
    let first = disk.files().into_iter().find(|path| path.ends_with("00000000000000000001.blocks")).expect("there");
    let (log, _) = open(&disk).expect("a healthy disk");
    assert!(disk.flip_bit(&first, (1_024 + 60) * 8));
    let error = log.reader().read(Height::new(1)).expect_err("it is damaged");
    assert!(matches!(error, StorageError::LogDamaged(_)), "{error}");
    drop(log);
    disk.kill();
    let (mut log, recovery) = open(&disk).expect("it opens");
    assert_eq!(recovery.damaged.len(), 1, "an opening does not read old content, but it follows the note");
    let cut = log.cut_before(&recovery.damaged[0]).expect("a healthy disk");
    assert_eq!((log.tip(), cut.tip), (None, Height::new(HEIGHTS)));
    drop(log);
    let (_, recovery) = open(&disk).expect("it opens");
    assert_eq!(recovery.damaged, [], "the note went with the damage");
}

#[test]
fn blocks_that_differ_from_what_was_cut_off_are_kept_both() {
    let disk = healthy();
    disk.flip_bit(&disk.files()[0], (1_024 + 60) * 8);
    let mut log = open_and_repair(&disk).expect("a healthy disk");
    append(&mut log, 1..=HEIGHTS - 1).expect("a healthy disk");
    log.append(Height::new(HEIGHTS), b"another block", b"").expect("a healthy disk");
    for _ in 0..2 {
        let QuarantineState::Contradicted { height, path } = log.settle_quarantine().expect("it reads") else {
            panic!("two different blocks of one height");
        };
        assert_eq!(height.get(), HEIGHTS);
        assert!(disk.contents(&path).is_some() && path.starts_with(Path::new(DIRECTORY).join("quarantine")));
    }
}
