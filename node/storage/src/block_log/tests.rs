//! The block log under a disk that fails and a machine that loses power. What can be done to the files from outside is
//! in `tests/recovery.rs`.

use super::*;
use crate::disk::simulated::SimulatedDisk;

/// Small segments, so that a story crosses a few.
const SMALL_SEGMENT_BYTES: u64 = FRAMES_START + 2_000;

fn block(height: u64) -> Vec<u8> {
    let length = 40 + (height * 397 % 900) as usize;
    (0..length).map(|at| (height as usize * 31 + at) as u8).collect()
}

fn certificate(height: u64) -> Vec<u8> {
    format!("certificate of {height}").into_bytes()
}

const DIRECTORY: &str = "/data/blocks";

fn try_open(disk: &SimulatedDisk) -> Result<(BlockLog, LogRecovery), StorageError> {
    BlockLog::open_on(disk.handle(), Path::new(DIRECTORY), Height::GENESIS)
}

fn open(disk: &SimulatedDisk) -> (BlockLog, LogRecovery) {
    let (mut log, recovery) = try_open(disk).expect("the log opens");
    log.segment_bytes_max = SMALL_SEGMENT_BYTES;
    (log, recovery)
}

fn append(log: &mut BlockLog, heights: std::ops::Range<u64>) -> Result<(), StorageError> {
    let owned: Vec<_> = heights.map(|height| (height, block(height), certificate(height))).collect();
    let records: Vec<_> = owned
        .iter()
        .map(|(height, block, certificate)| RecordRef { height: Height::new(*height), block, certificate })
        .collect();
    log.append_many(&records).map(|_| ())
}

fn assert_holds(log: &BlockLog, height: u64) {
    let record = log.read(Height::new(height)).expect("the record is whole").expect("the log reaches it");
    assert_eq!((record.block, record.certificate), (block(height), certificate(height)), "height {height}");
}

fn segments(disk: &SimulatedDisk) -> Vec<PathBuf> {
    let mut paths = disk.files();
    paths.retain(|path| path.parent() == Some(Path::new(DIRECTORY)));
    paths
}

fn copy(from: (&SimulatedDisk, &Path), to: (&SimulatedDisk, &Path)) {
    to.0.overwrite(to.1, from.0.contents(from.1).expect("it is there"));
}

#[test]
fn whenever_the_power_goes_what_was_acknowledged_is_there_and_nothing_counts_as_damaged() {
    let mut cuts = 0;
    for seed in 0..12 {
        for stop in 0.. {
            let disk = SimulatedDisk::new(seed * 1_000 + stop);
            let (mut log, _) = open(&disk);
            append(&mut log, 0..3).expect("a healthy disk");
            disk.stop_after(stop);
            let mut acknowledged = 3;
            for chunk in [1, 1, 5, 1, 9, 2] {
                if append(&mut log, acknowledged..acknowledged + chunk).is_err() {
                    break;
                }
                acknowledged += chunk;
            }
            drop(log);
            let stopped = disk.power_cut();

            let (mut log, recovery) = open(&disk);
            let context = format!("seed {seed}, stopped at operation {stop}, recovery {recovery:?}");
            assert_eq!(recovery.damaged, [], "{context}");
            let tip = log.tip().expect("three heights were durable before").get();
            assert!(tip + 1 >= acknowledged, "lost an acknowledged height: {context}");
            append(&mut log, tip + 1..tip + 3).unwrap_or_else(|error| panic!("{error}: {context}"));
            (0..=tip + 2).for_each(|height| assert_holds(&log, height));
            let (log, recovery) = open(&disk);
            assert_eq!((log.tip(), recovery.cut), (Some(Height::new(tip + 2)), None), "{context}");
            cuts += 1;
            if !stopped {
                break;
            }
        }
    }
    println!("{cuts} power cuts");
}

#[test]
fn after_a_failed_write_or_sync_nothing_more_is_written_but_reading_goes_on() {
    for operation in 0..2 {
        let disk = SimulatedDisk::new(1);
        let (mut log, _) = open(&disk);
        append(&mut log, 0..2).expect("a healthy disk");
        disk.fail_once_after(operation);
        let failed = append(&mut log, 2..3).expect_err("the disk failed");
        assert!(failed.is_fatal() && matches!(failed, StorageError::Io { .. }), "{failed}");
        for _ in 0..2 {
            let refused = append(&mut log, 2..3).expect_err("the log is poisoned");
            assert!(matches!(refused, StorageError::Poisoned { .. }), "{refused}");
        }
        assert!(disk.heal());
        assert_eq!(log.tip(), Some(Height::new(1)), "an unsynced record is not shown");
        assert_eq!(log.read(Height::new(2)).expect("no damage"), None);
        assert_holds(&log, 1);
    }
}

#[test]
fn a_log_of_several_segments_reopens_whole_and_a_lost_one_leaves_the_others_readable() {
    let disk = SimulatedDisk::new(1);
    let (mut log, _) = open(&disk);
    append(&mut log, 0..20).expect("a healthy disk");
    let paths = segments(&disk);
    assert!(paths.len() > 4, "{paths:?}");
    let (log, recovery) = open(&disk);
    assert_eq!((recovery.tip, recovery.segments), (Some(Height::new(19)), paths.len()));
    (0..20).for_each(|height| assert_holds(&log, height));
    drop(log);

    disk.lose(&paths[0]);
    disk.lose(&paths[2]);
    let (mut log, recovery) = open(&disk);
    assert_eq!(recovery.damaged.len(), 2, "{recovery:?}");
    assert_eq!(recovery.damaged[0].path, paths[0]);
    let lost: Vec<u64> = recovery.damaged.iter().flat_map(|damage| damage.first.get()..=damage.last.get()).collect();
    for height in 0..20 {
        if lost.contains(&height) {
            let error = log.read(Height::new(height)).expect_err("the file is gone");
            assert!(error.to_string().contains(&format!("height {height}: the record is missing")), "{error}");
        } else {
            assert_holds(&log, height);
        }
    }
    log.cut_before(&recovery.damaged[0]).expect("a healthy disk");
    append(&mut log, lost[0]..21).expect("a peer had them");
    let (log, recovery) = open(&disk);
    assert_eq!(recovery.damaged, []);
    (0..21).for_each(|height| assert_holds(&log, height));
    assert_eq!(log.reader().verify(Height::GENESIS..=Height::new(u64::MAX)).expect("it reads"), []);
}

#[test]
fn an_older_segment_that_was_shortened_is_damage_and_is_not_cut() {
    let disk = SimulatedDisk::new(1);
    let (mut log, _) = open(&disk);
    append(&mut log, 0..20).expect("a healthy disk");
    drop(log);
    let path = &segments(&disk)[1];
    let mut bytes = disk.contents(path).expect("it is there");
    bytes.pop();
    disk.overwrite(path, bytes.clone());
    let (log, recovery) = open(&disk);
    assert_eq!((recovery.cut, recovery.damaged.len()), (None, 1));
    let damage = &recovery.damaged[0];
    assert_eq!((damage.first, &damage.path), (damage.last, path));
    assert_eq!(disk.contents(path).expect("it is there"), bytes);
    for height in (0..20).filter(|height| *height != damage.first.get()) {
        assert_holds(&log, height);
    }
}

#[test]
fn segments_of_other_logs_are_refused_in_words() {
    let (ours, theirs) = (SimulatedDisk::new(1), SimulatedDisk::new(2));
    for disk in [&ours, &theirs] {
        let (mut log, _) = open(disk);
        append(&mut log, 0..20).expect("a healthy disk");
    }
    let (ours_second, theirs_second) = (&segments(&ours)[1], &segments(&theirs)[1]);
    copy((&theirs, theirs_second), (&ours, ours_second));
    let error = try_open(&ours).expect_err("a foreign segment");
    assert!(error.to_string().contains("segment of another log"), "{error}");

    let (a, b) = (&segments(&theirs)[2], &segments(&theirs)[3]);
    copy((&theirs, a), (&theirs, b));
    let error = try_open(&theirs).expect_err("a renamed segment");
    assert!(error.to_string().contains("its preamble says"), "{error}");
}

#[test]
fn a_block_that_contains_a_whole_record_cannot_pass_it_off_when_its_own_header_is_damaged() {
    let disk = SimulatedDisk::new(1);
    let (mut log, _) = open(&disk);
    log.segment_bytes_max = SEGMENT_BYTES_MAX;
    append(&mut log, 0..1).expect("a healthy disk");
    let offset = log.end;
    // The attacker knows everything but the salt.
    let guess = Preamble { magic: MAGIC, salt: [0; 16], numbers: [0, 0] }.key();
    let mut forged = Vec::new();
    guess.encode(offset + 40, Kind::Block, 2, offset, [b"forged", b"forged"], &mut forged);
    log.append(Height::new(1), &forged, b"").expect("a healthy disk");
    append(&mut log, 2..4).expect("a healthy disk");
    let path = log.active.path().to_path_buf();
    drop(log);
    let mut bytes = disk.contents(&path).expect("it is there");
    bytes[offset as usize + 9] ^= 1;
    disk.overwrite(&path, bytes);
    let (log, recovery) = open(&disk);
    assert_eq!(recovery.damaged.len(), 1, "{recovery:?}");
    assert!(matches!(log.read(Height::new(1)), Err(StorageError::LogDamaged(_))));
    assert_holds(&log, 2);
    assert_holds(&log, 3);
}
