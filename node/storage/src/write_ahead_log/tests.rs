//! The write-ahead log under power cuts and damage: what was synced comes back, and a hole is never passed over.

use super::*;
use crate::disk::simulated::SimulatedDisk;

fn entry(height: u64, number: usize) -> Vec<u8> {
    let mut entry = format!("entry {number} of height {height} ").into_bytes();
    entry.resize(entry.len() + number * 211 % 700, number as u8);
    entry
}

fn entries(height: u64, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| entry(height, number)).collect()
}

const PATH: &str = "/consensus.wal";

fn fresh(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    WriteAheadLog::create_on(&disk, Path::new(PATH), Height::new(1)).expect("a healthy disk");
    disk
}

fn open(disk: &SimulatedDisk) -> Result<(WriteAheadLog, WalContents), StorageError> {
    WriteAheadLog::open_on(disk.handle(), Path::new(PATH))
}

fn read(disk: &SimulatedDisk) -> Vec<u8> {
    disk.contents(Path::new(PATH)).expect("it is there")
}

fn write(disk: &SimulatedDisk, bytes: &[u8]) {
    disk.overwrite(Path::new(PATH), bytes.to_vec());
}

#[test]
fn entries_come_back_in_order_and_a_new_height_forgets_them() {
    let disk = fresh(1);
    let (mut wal, contents) = open(&disk).expect("it opens");
    assert_eq!(contents, WalContents { height: Height::new(1), entries: vec![], synced: 0, dropped_bytes: 0 });
    entries(1, 3).iter().for_each(|entry| wal.append(entry).expect("it fits"));
    wal.sync().expect("a healthy disk");
    wal.append(b"never synced").expect("it fits");
    drop(wal);
    let (mut wal, contents) = open(&disk).expect("it opens");
    assert_eq!(contents.entries, entries(1, 3));
    wal.append(b"of the old height").expect("it fits");
    wal.reset(Height::new(2)).expect("it rises");
    wal.append(&entry(2, 0)).expect("it fits");
    wal.sync().expect("a healthy disk");
    let refused = wal.reset(Height::new(2)).expect_err("its entries still bind");
    assert!(matches!(refused, StorageError::WalHeightNotNewer { .. }), "{refused}");
    drop(wal);
    let (wal, contents) = open(&disk).expect("it opens");
    assert_eq!((wal.height(), contents.entries), (Height::new(2), entries(2, 1)));
}

#[test]
fn what_the_last_write_held_is_told_from_what_was_synced_before() {
    let disk = fresh(1);
    let (mut wal, _) = open(&disk).expect("it opens");
    let all = entries(1, 6);
    for (upto, synced) in [(0..1, 0), (1..4, 1), (4..6, 4)] {
        let count = upto.end;
        all[upto].iter().for_each(|entry| wal.append(entry).expect("it fits"));
        wal.sync().expect("a healthy disk");
        drop(wal);
        let (again, contents) = open(&disk).expect("it opens");
        assert_eq!((contents.entries.len(), contents.synced), (count, synced));
        wal = again;
    }
}

#[test]
fn whenever_the_power_goes_it_is_the_old_height_or_the_new_one_with_everything_synced() {
    for seed in 0..24 {
        for stop in 0.. {
            let disk = fresh(seed * 1_000 + stop);
            let (mut wal, _) = open(&disk).expect("it opens");
            disk.stop_after(stop);
            // What may come back: the height, how many entries must be there, how many may.
            let mut allowed = vec![(1, 0, 0)];
            let mut story = || -> Result<(), StorageError> {
                for height in 1..4 {
                    let mut synced = 0;
                    for count in [2, 1, 4] {
                        for number in synced..synced + count {
                            wal.append(&entry(height, number))?;
                        }
                        allowed = vec![(height, synced, synced + count)];
                        wal.sync()?;
                        synced += count;
                        allowed = vec![(height, synced, synced)];
                    }
                    allowed.push((height + 1, 0, 0));
                    wal.reset(Height::new(height + 1))?;
                    allowed = vec![(height + 1, 0, 0)];
                }
                Ok(())
            };
            let ended = story();
            let stopped = disk.power_cut();
            let context = format!("seed {seed}, stopped at operation {stop}, allowed {allowed:?}");
            assert_eq!(ended.is_err(), stopped, "{context}");
            let (mut wal, found) = open(&disk).unwrap_or_else(|error| panic!("{error}: {context}"));
            let (height, count) = (found.height.get(), found.entries.len());
            assert!(
                allowed.iter().any(|(at, least, most)| *at == height && (*least..=*most).contains(&count)),
                "{context}, found {count} of height {height}"
            );
            assert_eq!(found.entries, entries(height, count), "{context}");
            wal.append(&entry(height, count)).expect("it fits");
            wal.sync().expect("a healthy disk");
            let (_, found) = open(&disk).expect("it opens");
            assert_eq!(found.entries, entries(height, count + 1), "{context}");
            if !stopped {
                break;
            }
        }
    }
}

#[test]
fn a_large_file_is_replaced_and_a_power_cut_leaves_the_old_or_the_new() {
    for stop in 0.. {
        let disk = fresh(stop);
        let (mut wal, _) = open(&disk).expect("it opens");
        let large = vec![7; WAL_ENTRY_BYTES_MAX];
        wal.append(&large).expect("it fits");
        wal.sync().expect("a healthy disk");
        disk.stop_after(stop);
        let reset = wal.reset(Height::new(2));
        let stopped = disk.power_cut();
        let (_, found) = open(&disk).expect("it opens");
        match found.height.get() {
            1 => assert!(reset.is_err() && found.entries == [large], "stopped at {stop}"),
            2 => assert!(found.entries.is_empty(), "stopped at {stop}"),
            other => panic!("height {other} after stopping at {stop}"),
        }
        if !stopped {
            assert!(read(&disk).len() < 2_000, "the large file is gone");
            break;
        }
    }
}

#[test]
fn cut_anywhere_in_its_last_entry_it_gives_the_others() {
    let disk = fresh(1);
    let (mut wal, _) = open(&disk).expect("it opens");
    for entry in entries(1, 4) {
        wal.append(&entry).expect("it fits");
        wal.sync().expect("a healthy disk");
    }
    let last = entry(1, 3).len() + 56;
    drop(wal);
    let whole = read(&disk);
    for length in whole.len() - last..whole.len() {
        write(&disk, &whole[..length]);
        let (_, found) = open(&disk).expect("a torn tail is no damage");
        assert_eq!(found.entries, entries(1, 3), "cut to {length}");
        assert_eq!(found.dropped_bytes as usize, length - (whole.len() - last));
    }
}

#[test]
fn a_flipped_bit_is_an_error_in_words_or_without_effect_but_in_the_last_entry() {
    let disk = fresh(1);
    let (mut wal, _) = open(&disk).expect("it opens");
    wal.append(b"dead matter of height 1").expect("it fits");
    wal.sync().expect("a healthy disk");
    wal.reset(Height::new(2)).expect("a healthy disk");
    let live_from = wal.end as usize - 64;
    for entry in entries(2, 3) {
        wal.append(&entry).expect("it fits");
        wal.sync().expect("a healthy disk");
    }
    drop(wal);
    let whole = read(&disk);
    let last_from = whole.len() - entry(2, 2).len() - 56;
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        write(&disk, &bytes);
        match open(&disk) {
            Ok((_, found)) if at >= last_from => assert_eq!(found.entries, entries(2, 2), "byte {at}"),
            Ok((_, found)) => {
                assert!(at < live_from, "byte {at} was lost silently");
                assert_eq!((found.height.get(), found.entries), (2, entries(2, 3)), "byte {at}");
            }
            Err(error) => {
                assert!((live_from..last_from).contains(&at), "byte {at}: {error}");
                assert!(error.to_string().contains("must not vote"), "{error}");
            }
        }
    }
}

#[test]
fn a_failed_sync_poisons_it_and_caps_hold() {
    let disk = fresh(1);
    let (mut wal, _) = open(&disk).expect("it opens");
    assert!(matches!(wal.append(&vec![0; WAL_ENTRY_BYTES_MAX + 1]), Err(StorageError::TooLong { .. })));
    wal.append(b"entry").expect("it fits");
    disk.fail_once_after(1);
    assert!(matches!(wal.sync(), Err(StorageError::Io { .. })));
    assert!(matches!(wal.sync(), Err(StorageError::Poisoned { .. })));
    assert!(matches!(wal.append(b"entry"), Err(StorageError::Poisoned { .. })));
    assert!(matches!(wal.reset(Height::new(9)), Err(StorageError::Poisoned { .. })));
    assert!(disk.heal());
    assert!(matches!(
        WriteAheadLog::create_on(&disk, Path::new(PATH), Height::new(1)),
        Err(StorageError::FileExists { .. })
    ));
    disk.lose(Path::new(PATH));
    assert!(matches!(open(&disk), Err(StorageError::FileMissing { .. })));
}
