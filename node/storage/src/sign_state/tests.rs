//! The sign state under power cuts and damage: what was acknowledged is loaded, or nothing is.

use super::*;
use crate::disk::simulated::SimulatedDisk;

fn record(height: u64, round: u32, step: u8) -> SignRecord {
    let bytes = format!("vote {height}/{round}/{step}").into_bytes();
    SignRecord { height: Height::new(height), round: Round::new(round), step, bytes }
}

const PATH: &str = "/sign-state";

fn fresh(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    SignState::create_on(&disk, Path::new(PATH)).expect("a healthy disk");
    disk
}

fn open(disk: &SimulatedDisk) -> Result<SignState, StorageError> {
    SignState::open_on(disk, Path::new(PATH))
}

fn read(disk: &SimulatedDisk) -> Vec<u8> {
    disk.contents(Path::new(PATH)).expect("it is there")
}

fn write(disk: &SimulatedDisk, bytes: &[u8]) {
    disk.overwrite(Path::new(PATH), bytes.to_vec());
}

#[test]
fn nothing_older_and_nothing_else_at_the_same_step_is_ever_stored() {
    let disk = fresh(1);
    let mut state = open(&disk).expect("it opens");
    assert_eq!(state.load(), None);
    for next in [record(5, 0, 1), record(5, 0, 2), record(5, 1, 1), record(6, 0, 0)] {
        state.store(next.clone()).expect("it rises");
        state.store(next.clone()).expect("the same again is the same signature");
        assert_eq!(state.load(), Some(&next));
    }
    for older in [record(5, 9, 9), record(4, 0, 0)] {
        let error = state.store(older).expect_err("it is older");
        assert!(matches!(error, StorageError::SignStateOlder { .. }), "{error}");
    }
    let other = SignRecord { bytes: b"another value".to_vec(), ..record(6, 0, 0) };
    let error = state.store(other).expect_err("that would be signing twice");
    assert_eq!(error.to_string(), "refused to sign a second value at height 6 round 0 step 0");
    let long = SignRecord { bytes: vec![0; SIGN_STATE_BYTES_MAX + 1], ..record(7, 0, 0) };
    assert!(matches!(state.store(long), Err(StorageError::TooLong { .. })));
    let longest = SignRecord { bytes: vec![1; SIGN_STATE_BYTES_MAX], ..record(7, 0, 0) };
    state.store(longest.clone()).expect("it fits");
    drop(state);
    assert_eq!(open(&disk).expect("it opens").load(), Some(&longest));
}

#[test]
fn whenever_the_power_goes_the_last_acknowledged_record_or_the_attempted_one_is_loaded() {
    for seed in 0..64 {
        for stop in 0.. {
            let disk = fresh(seed * 1_000 + stop);
            let mut state = open(&disk).expect("it opens");
            disk.stop_after(stop);
            let mut acknowledged = None;
            let mut attempted = None;
            for step in 0..5 {
                attempted = Some(record(9, 0, step));
                if state.store(record(9, 0, step)).is_err() {
                    break;
                }
                acknowledged = attempted.clone();
            }
            let stopped = disk.power_cut();
            let state = open(&disk).unwrap_or_else(|error| panic!("seed {seed}, stop {stop}: {error}"));
            let loaded = state.load().cloned();
            assert!(loaded == acknowledged || loaded == attempted, "seed {seed}, stop {stop}: {loaded:?}");
            if !stopped {
                break;
            }
        }
    }
}

#[test]
fn one_damaged_copy_is_mended_and_two_of_a_slot_are_refused() {
    for stored in 1..6 {
        for pages in [vec![0], vec![1], vec![2], vec![3], vec![0, 2], vec![1, 2], vec![0, 1], vec![2, 3]] {
            let disk = fresh(1);
            let mut state = open(&disk).expect("it opens");
            (1..=stored).for_each(|height| state.store(record(height, 0, 1)).expect("it rises"));
            drop(state);
            let mut bytes = read(&disk);
            pages.iter().for_each(|page| bytes[page * PAGE_BYTES + 20] ^= 4);
            write(&disk, &bytes);
            if pages == [0, 1] || pages == [2, 3] {
                // One of the two cases destroys the last record, the other the one before: nobody can tell which.
                let error = open(&disk).expect_err("it cannot be proved");
                assert!(error.to_string().contains("cannot prove what was signed last"), "{error}");
                continue;
            }
            for _ in 0..2 {
                let state = open(&disk).unwrap_or_else(|error| panic!("{stored} {pages:?}: {error}"));
                assert_eq!(state.load(), Some(&record(stored, 0, 1)), "{stored} {pages:?}");
            }
            assert_ne!(read(&disk), bytes, "the damaged copy was mended");
        }
    }
}

#[test]
fn no_flipped_bit_makes_it_load_an_older_or_another_record() {
    let disk = fresh(1);
    let mut state = open(&disk).expect("it opens");
    (1..=4).for_each(|height| state.store(record(height, 0, 1)).expect("it rises"));
    drop(state);
    let whole = read(&disk);
    for at in (0..whole.len()).filter(|at| at % PAGE_BYTES < 160) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        write(&disk, &bytes);
        let state = open(&disk).expect("three copies are left");
        assert_eq!(state.load(), Some(&record(4, 0, 1)), "byte {at}");
    }
    for length in (0..whole.len()).step_by(97) {
        write(&disk, &whole[..length]);
        if let Ok(state) = open(&disk) {
            assert_eq!(state.load(), Some(&record(4, 0, 1)), "cut to {length}");
        }
    }
}

#[test]
fn a_failed_sync_and_a_missing_file_stop_the_signer() {
    let disk = fresh(1);
    let mut state = open(&disk).expect("it opens");
    disk.fail_once_after(2);
    assert!(matches!(state.store(record(1, 0, 0)), Err(StorageError::Io { .. })));
    assert!(matches!(state.store(record(2, 0, 0)), Err(StorageError::Poisoned { .. })));
    assert!(disk.heal());
    assert_eq!(state.load(), None, "what was not stored was not signed");
    assert!(matches!(SignState::create_on(&disk, Path::new(PATH)), Err(StorageError::FileExists { .. })));
    disk.lose(Path::new(PATH));
    assert!(matches!(open(&disk), Err(StorageError::FileMissing { .. })));
}
