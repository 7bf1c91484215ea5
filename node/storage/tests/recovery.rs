//! What a node finds after somebody or something touched its files: the block log cut and flipped from outside, and the
//! data directory of another version, another network or another process. Power cuts inside a write are simulated in the
//! crate itself, where the disk can be made to fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use cairn_storage::block_log::{RECORD_BLOCK_BYTES_MAX, RECORD_CERTIFICATE_BYTES_MAX};
use cairn_storage::{BlockLog, DataDirectory, Engine, LogRecovery, RecordRef, SignState, StorageError, WriteAheadLog};
use cairn_types::{ChainId, Hash, Height};
use tempfile::TempDir;

/// Where the first record begins in a segment, and what a record adds to its bytes.
const RECORDS_START: usize = 1024;
const RECORD_OVERHEAD_BYTES: usize = 56;

fn block(height: u64) -> Vec<u8> {
    let length = 50 + (height * 37 % 60) as usize;
    (0..length).map(|at| (height as usize * 13 + at) as u8).collect()
}

fn certificate(height: u64) -> Vec<u8> {
    format!("certificate {height}").into_bytes()
}

fn record_bytes(height: u64) -> usize {
    block(height).len() + certificate(height).len() + RECORD_OVERHEAD_BYTES
}

fn open(directory: &Path) -> (BlockLog, LogRecovery) {
    BlockLog::open(directory, Height::new(1)).expect("the log opens")
}

fn append(log: &mut BlockLog, height: u64) {
    log.append(Height::new(height), &block(height), &certificate(height)).expect("a healthy disk");
}

/// A log of `heights` heights from 1 on, and its only segment.
fn log_of(heights: u64) -> (TempDir, PathBuf) {
    let directory = TempDir::new().expect("a directory");
    let (mut log, recovery) = open(directory.path());
    assert_eq!((recovery.tip, recovery.segments, log.first()), (None, 1, Height::new(1)));
    (1..=heights).for_each(|height| append(&mut log, height));
    let segment = directory.path().join("00000000000000000001.blocks");
    assert!(segment.exists());
    (directory, segment)
}

fn assert_holds(log: &BlockLog, height: u64) {
    let record = log.read(Height::new(height)).expect("the record is whole").expect("the log reaches it");
    assert_eq!((record.block, record.certificate), (block(height), certificate(height)), "height {height}");
}

#[test]
fn cut_at_any_byte_of_its_last_record_the_log_goes_on_from_the_one_before() {
    let (directory, segment) = log_of(4);
    let whole = fs::read(&segment).expect("it reads");
    let last_from = whole.len() - record_bytes(4);
    for length in last_from..whole.len() {
        fs::write(&segment, &whole[..length]).expect("it writes");
        let (mut log, recovery) = open(directory.path());
        assert_eq!((recovery.tip, recovery.damaged.as_slice()), (Some(Height::new(3)), &[][..]), "cut to {length}");
        match recovery.cut {
            Some(cut) => {
                assert_eq!((cut.height, cut.path.as_path()), (Height::new(4), segment.as_path()));
                assert_eq!((cut.offset as usize, cut.bytes as usize), (last_from, length - last_from));
            }
            None => assert_eq!(length, last_from, "only a cut between two records leaves no trace"),
        }
        assert_eq!(log.read(Height::new(4)).expect("it is not damage"), None);
        append(&mut log, 4);
        append(&mut log, 5);
        drop(log);
        let (log, recovery) = open(directory.path());
        assert_eq!(recovery.cut, None);
        (1..=5).for_each(|height| assert_holds(&log, height));
    }
}

#[test]
fn a_tail_of_zeros_or_of_noise_is_cut() {
    let (directory, segment) = log_of(3);
    let whole = fs::read(&segment).expect("it reads");
    for tail in [vec![0; 1], vec![0; 70_000], vec![0xa5; 300_000], b"CRecCRecCRec".repeat(30_000)] {
        fs::write(&segment, [whole.clone(), tail.clone()].concat()).expect("it writes");
        let (log, recovery) = open(directory.path());
        let cut = recovery.cut.expect("it was cut");
        assert_eq!((cut.offset as usize, cut.bytes as usize), (whole.len(), tail.len()));
        (1..=3).for_each(|height| assert_holds(&log, height));
        assert_eq!(fs::read(&segment).expect("it reads"), whole);
    }
}

#[test]
fn no_flipped_bit_is_ever_served_and_every_one_before_the_last_record_is_reported() {
    let (directory, segment) = log_of(5);
    let whole = fs::read(&segment).expect("it reads");
    let last_from = whole.len() - record_bytes(5);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&segment, &bytes).expect("it writes");
        let (log, recovery) = open(directory.path());
        if at < RECORDS_START {
            assert_eq!((recovery.cut, recovery.damaged.as_slice()), (None, &[][..]), "byte {at}: two copies");
            (1..=5).for_each(|height| assert_holds(&log, height));
            continue;
        }
        if at >= last_from {
            assert_eq!(recovery.cut.expect("byte {at}: the last record").height, Height::new(5));
            (1..=4).for_each(|height| assert_holds(&log, height));
            continue;
        }
        assert_eq!((recovery.cut, recovery.damaged.len()), (None, 1), "byte {at}");
        let damage = &recovery.damaged[0];
        assert_eq!(damage.first, damage.last, "byte {at}: {damage}");
        assert!((damage.offset as usize..damage.offset as usize + record_bytes(damage.first.get())).contains(&at));
        let damaged = damage.first;
        let error = log.read(damaged).expect_err("it must not be served");
        assert!(error.to_string().contains(&format!("damaged at height {damaged}")), "{error}");
        for height in (1..=5).filter(|height| *height != damaged.get()) {
            assert_holds(&log, height);
        }
    }
}

#[test]
fn damage_that_appears_while_the_node_runs_is_noticed_at_the_next_read() {
    let (directory, segment) = log_of(3);
    let (mut log, _) = open(directory.path());
    let reader = log.reader();
    let mut bytes = fs::read(&segment).expect("it reads");
    bytes[RECORDS_START + 60] ^= 1;
    fs::write(&segment, bytes).expect("it writes");
    assert!(matches!(reader.read(Height::new(1)), Err(StorageError::LogDamaged(_))));
    let damaged = reader.verify(Height::GENESIS..=Height::new(99)).expect("it reads");
    assert_eq!(damaged.iter().map(|damage| damage.first.get()).collect::<Vec<_>>(), [1]);
    log.cut_before(&damaged[0]).expect("a healthy disk");
    (1..=3).for_each(|height| append(&mut log, height));
    assert_eq!(reader.verify(Height::GENESIS..=Height::new(99)).expect("it reads"), []);
    (1..=3).for_each(|height| assert_holds(&log, height));
}

#[test]
fn lengths_are_capped_heights_are_contiguous_and_the_first_one_is_fixed() {
    let (directory, segment) = log_of(2);
    let (mut log, _) = open(directory.path());
    for height in [0, 1, 2, 4, u64::MAX] {
        let error = log.append(Height::new(height), b"", b"").expect_err("height 3 is next");
        assert!(matches!(error, StorageError::HeightNotNext { .. }), "{error}");
    }
    let too_long = vec![0; RECORD_BLOCK_BYTES_MAX + 1];
    assert!(matches!(log.append(Height::new(3), &too_long, b""), Err(StorageError::TooLong { .. })));
    let too_long = &too_long[..RECORD_CERTIFICATE_BYTES_MAX + 1];
    assert!(matches!(log.append(Height::new(3), b"", too_long), Err(StorageError::TooLong { .. })));
    assert_eq!(log.append_many(&[]).expect("nothing to do"), []);
    let location = log.append(Height::new(3), b"", b"").expect("an empty block is a block");
    assert_eq!((location.segment, location.bytes as usize), (Height::new(1), RECORD_OVERHEAD_BYTES));
    drop(log);
    let error = BlockLog::open(directory.path(), Height::GENESIS).expect_err("it starts at 1");
    assert!(error.to_string().ends_with("starts at height 1, not at 0"), "{error}");

    let mut bytes = fs::read(&segment).expect("it reads");
    bytes[3] ^= 1;
    bytes[512 + 3] ^= 1;
    fs::write(&segment, bytes).expect("it writes");
    let error = BlockLog::open(directory.path(), Height::new(1)).expect_err("no key, no check");
    assert!(matches!(error, StorageError::PreambleDamaged { .. }), "{error}");
}

#[test]
fn a_segment_of_64_mib_is_followed_by_the_next_and_both_read() {
    let directory = TempDir::new().expect("a directory");
    let (mut log, _) = open(directory.path());
    let large = vec![9; RECORD_BLOCK_BYTES_MAX];
    let records: Vec<_> =
        (1..=9).map(|height| RecordRef { height: Height::new(height), block: &large, certificate: b"c" }).collect();
    let locations = log.append_many(&records).expect("a healthy disk");
    assert_eq!(
        locations.iter().map(|location| location.segment.get()).collect::<Vec<_>>(),
        [1, 1, 1, 1, 1, 1, 1, 8, 8]
    );
    drop(log);
    let (log, recovery) = open(directory.path());
    assert_eq!((recovery.tip, recovery.segments), (Some(Height::new(9)), 2));
    for height in 1..=9 {
        let record = log.read(Height::new(height)).expect("whole").expect("there");
        assert!(record.block == large && record.certificate == b"c");
    }
}

#[test]
fn readers_on_other_threads_see_whole_records_up_to_the_tip_while_the_writer_appends() {
    let (directory, _) = log_of(1);
    let (mut log, _) = open(directory.path());
    let reader = log.reader();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let reader = reader.clone();
                    let mut reads = 0;
                    while !done.load(Ordering::Relaxed) || reads == 0 {
                        let tip = reader.tip().expect("one height was there").get();
                        for height in [1, tip / 2 + 1, tip] {
                            let record = reader.read(Height::new(height)).expect("whole").expect("within the tip");
                            assert_eq!(record.block, block(height));
                            reads += 1;
                        }
                    }
                    reads
                })
            })
            .collect();
        (2..=200).for_each(|height| append(&mut log, height));
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().expect("no reader saw half a record") > 0);
        }
    });
}

#[test]
fn hostile_bytes_never_make_it_panic_or_serve_what_was_not_written() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    println!("SEED={seed}");
    let mut state = seed;
    let mut random = move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % bound.max(1)
    };
    let (directory, segment) = log_of(8);
    let whole = fs::read(&segment).expect("it reads");
    for case in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes.truncate(at),
                1 => drop(bytes.splice(at..at, whole[random(whole.len())..].iter().copied())),
                2 => bytes[at..].fill(0),
                3 => drop(bytes.drain(at..(at + random(200)).min(bytes.len()))),
                _ => (0..64).for_each(|step| bytes[(at + step) % whole.len().min(at + 1)] = random(256) as u8),
            }
            if bytes.is_empty() {
                break;
            }
        }
        fs::write(&segment, &bytes).expect("it writes");
        match BlockLog::open(directory.path(), Height::new(1)) {
            Ok((log, recovery)) => {
                let tip = log.tip().map_or(0, Height::get);
                assert!(tip < 8 + 1, "SEED={seed} case {case}: {recovery:?}");
                for height in 1..=tip {
                    match log.read(Height::new(height)) {
                        Ok(record) => assert_eq!(record.expect("within the tip").block, block(height)),
                        Err(StorageError::LogDamaged(_)) => {}
                        Err(other) => panic!("SEED={seed} case {case}: {other}"),
                    }
                }
            }
            Err(StorageError::PreambleDamaged { .. } | StorageError::FileMisplaced { .. }) => {}
            Err(other) => panic!("SEED={seed} case {case}: {other}"),
        }
    }
}

fn chain(byte: u8) -> ChainId {
    ChainId::from_hash(Hash::from_bytes([byte; 32]))
}

#[test]
fn a_data_directory_is_one_processs_and_one_networks_and_says_so() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("a/node");
    let data = DataDirectory::open(&path, chain(1)).expect("a new directory");
    assert!(data.free_bytes().expect("it measures") > 0);
    assert_eq!(data.index(Engine::Sled), path.join("index-sled"));
    SignState::open(&data.sign_state()).expect("it was made");
    WriteAheadLog::open(&data.write_ahead_log()).expect("it was made");
    BlockLog::open(&data.blocks(), Height::GENESIS).expect("it can be made");

    let error = DataDirectory::open(&path, chain(1)).expect_err("it is open already");
    assert!(error.to_string().ends_with("is in use by another process"), "{error}");
    drop(data);
    drop(DataDirectory::open(&path, chain(1)).expect("the lock went with its holder"));

    let error = DataDirectory::open(&path, chain(2)).expect_err("another network");
    assert!(error.to_string().contains("belongs to chain 0101"), "{error}");

    fs::write(path.join("format"), "cairn store 3\nchain ?\n").expect("it writes");
    let error = DataDirectory::open(&path, chain(1)).expect_err("a later version");
    assert!(
        error.to_string().ends_with("has store format \"cairn store 3\", and this version reads format 2"),
        "{error}"
    );

    fs::remove_file(path.join("format")).expect("it is there");
    let error = DataDirectory::open(&path, chain(1)).expect_err("blocks of an unknown network");
    assert!(matches!(error, StorageError::FileMissing { .. }), "{error}");
}
