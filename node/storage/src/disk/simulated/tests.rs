//! What the simulated disk keeps and what it may lose.

use super::*;
use crate::index::{Batch, Keyspace};

const FILE: &str = "/a/file";

fn with_directory(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    disk.create_directory(Path::new("/a")).expect("healthy");
    disk.sync_directory(Path::new("/")).expect("healthy");
    disk
}

fn with_file(seed: u64, bytes: &[u8]) -> (SimulatedDisk, Box<dyn OpenFile>) {
    let disk = with_directory(seed);
    let file = disk.create(Path::new(FILE)).expect("healthy");
    file.write_at(bytes, 0).expect("healthy");
    file.sync().expect("healthy");
    disk.sync_directory(Path::new("/a")).expect("healthy");
    (disk, file)
}

#[test]
fn what_was_synced_survives_and_of_the_rest_each_sector_arrives_or_does_not() {
    let mut seen = BTreeSet::new();
    for seed in 0..400 {
        let (disk, file) = with_file(seed, &[1; 1_300]);
        file.write_at(&[2; 600], 400).expect("healthy");
        file.write_at(&[3; 500], 1_300).expect("healthy");
        assert_eq!(disk.contents(Path::new(FILE)).expect("there").len(), 1_800);
        disk.power_cut();
        let left = disk.contents(Path::new(FILE)).expect("its name is durable");
        assert!((1_300..=1_800).contains(&left.len()));
        assert!(left[..400].iter().all(|byte| *byte == 1), "never written again");
        assert!(left[1_000..1_300].iter().all(|byte| *byte == 1), "never written again");
        for (range, old, new) in [(400..512, 1, 2), (512..1_000, 1, 2), (1_300..1_536, 0, 3), (1_536..1_800, 0, 3)] {
            let end = range.end.min(left.len());
            let Some(part) = left.get(range.start..end).filter(|part| !part.is_empty()) else { continue };
            assert!(part.iter().all(|byte| *byte == old) || part.iter().all(|byte| *byte == new), "{part:?}");
            seen.insert((range.start, part[0]));
        }
        let error = file.length().expect_err("its process is dead");
        assert!(error.to_string().contains("dead"), "{error}");
    }
    assert_eq!(seen.len(), 8, "all that can happen has happened: {seen:?}");
}

#[test]
fn a_shortened_file_has_its_old_bytes_or_its_new_length_and_a_killed_process_loses_nothing() {
    let mut lengths = BTreeSet::new();
    for seed in 0..60 {
        let (disk, file) = with_file(seed, &[7; 1_024]);
        file.set_length(512).expect("healthy");
        disk.kill();
        assert_eq!(disk.contents(Path::new(FILE)).expect("there"), [7; 512]);
        disk.power_cut();
        let left = disk.contents(Path::new(FILE)).expect("there");
        lengths.insert(left.len());
        assert!(left[..512].iter().all(|byte| *byte == 7));
    }
    assert!(lengths.contains(&512) && lengths.contains(&1_024), "{lengths:?}");
}

#[test]
fn names_are_durable_with_their_directory_only() {
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let (disk, _) = with_file(seed, b"old");
        let new = disk.create(Path::new("/a/new")).expect("healthy");
        new.write_at(b"new", 0).expect("healthy");
        new.sync().expect("healthy");
        disk.rename(Path::new("/a/new"), Path::new(FILE)).expect("healthy");
        let synced = seed % 2 == 0;
        if synced {
            disk.sync_directory(Path::new("/a")).expect("healthy");
        }
        disk.power_cut();
        let left = disk.contents(Path::new(FILE)).expect("the old one or the new one");
        assert!(left == b"new" || (!synced && left == b"old"));
        if !synced {
            seen.insert((left, disk.exists(Path::new("/a/new"))));
        }
        disk.remove(Path::new(FILE)).expect("healthy");
        assert!(!disk.exists(Path::new(FILE)));
    }
    assert_eq!(seen.len(), 3, "old without or with the temporary one, or new: {seen:?}");
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        disk.create_directory(Path::new("/a")).expect("healthy");
        disk.create(Path::new(FILE)).expect("healthy");
        disk.sync_directory(Path::new("/a")).expect("healthy");
        disk.power_cut();
        assert!(disk.exists(Path::new("/a")) || disk.files().is_empty(), "no file without its directory");
    }
}

#[test]
fn it_stops_fails_once_fills_up_and_counts() {
    let (disk, file) = with_file(1, b"");
    let before = disk.operations();
    disk.fail_once_after(1);
    file.write_at(b"one", 0).expect("not yet");
    let error = file.sync().expect_err("planned");
    assert_eq!(error.to_string(), "a bad sector");
    file.sync().expect("it goes on");
    assert_eq!(disk.operations() - before, 3);
    assert!(disk.heal() && !disk.heal());

    disk.set_capacity(Some(6));
    assert_eq!(disk.free_bytes(Path::new("/a")).expect("healthy"), 3);
    let error = file.write_at(b"three", 3).expect_err("two too many");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.contents(Path::new(FILE)).expect("there"), b"onethr", "as far as there was room");
    file.write_at(b"ONE", 0).expect("nothing grows");
    file.set_length(0).expect("it shrinks");
    assert_eq!((disk.used_bytes(), disk.free_bytes(Path::new("/a")).expect("healthy")), (0, 6));

    disk.stop_after(0);
    assert!(file.write_at(b"no", 0).is_err());
    assert!(file.length().is_err() && disk.open(Path::new(FILE), Access::Read).is_err(), "nothing works any more");
    assert!(disk.power_cut());
    disk.open(Path::new(FILE), Access::Read).expect("it was started again");
}

#[test]
fn one_process_has_the_lock_and_a_dead_ones_handle_frees_nothing() {
    let disk = with_directory(1);
    let path = Path::new("/a/lock");
    let first = disk.lock(path).expect("healthy").expect("free");
    assert!(disk.lock(path).expect("healthy").is_none());
    disk.kill();
    let second = disk.lock(path).expect("healthy").expect("its holder is dead");
    drop(first);
    assert!(disk.lock(path).expect("healthy").is_none());
    drop(second);
    assert!(disk.lock(path).expect("healthy").is_some());
}

#[test]
fn a_power_cut_undoes_the_latest_batches_of_the_index_whole_and_none_that_was_flushed() {
    let mut heights = BTreeSet::new();
    for seed in 0..60 {
        let disk = with_directory(seed);
        let (index, state) = disk.open_index(Path::new("/a/index"), Engine::Fjall).expect("healthy");
        assert_eq!(state, IndexState::Fresh);
        for height in 1..=6_u8 {
            let mut batch = Batch::new();
            batch.put(Keyspace::Meta, "height", [height]);
            batch.put(Keyspace::Lists, [height], [height]);
            batch.remove(Keyspace::Lists, [height - 2_u8.min(height)]);
            index.write(&batch).expect("healthy");
            if height == 3 {
                index.flush().expect("healthy");
            }
        }
        disk.power_cut();
        assert!(index.get(Keyspace::Meta, b"height").is_err(), "its process is dead");
        let (index, state) = disk.open_index(Path::new("/a/index"), Engine::Fjall).expect("healthy");
        assert_eq!(state, IndexState::Opened);
        let height = index.get(Keyspace::Meta, b"height").expect("healthy").expect("three were flushed")[0];
        let lists = index.range(Keyspace::Lists, b"", None, 9).expect("healthy");
        let lists: Vec<u8> = lists.into_iter().map(|(key, _)| key[0]).collect();
        assert_eq!(lists, [height - 1, height], "as it was at height {height}");
        heights.insert(height);
    }
    assert_eq!(heights.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
}

#[test]
fn a_flipped_bit_is_durable_and_a_fork_is_another_disk() {
    let (disk, file) = with_file(1, &[0; 600]);
    file.write_at(&[0; 600], 0).expect("healthy");
    assert!(disk.flip_bit(Path::new(FILE), 4_099) && !disk.flip_bit(Path::new(FILE), 4_800));
    let fork = disk.fork(2);
    fork.power_cut();
    assert_eq!(fork.contents(Path::new(FILE)).expect("there")[512], 8);
    fork.lose(Path::new(FILE));
    fork.overwrite(Path::new("/a/other"), vec![1]);
    assert_eq!((fork.files().len(), fork.used_bytes()), (1, 1));
    assert_eq!(disk.files(), [Path::new(FILE)]);
    assert_eq!(file.length().expect("the first disk goes on"), 600);
}
