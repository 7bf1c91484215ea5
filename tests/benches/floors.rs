//! The floor: what the parts cost that no ledger of signed records can do without, measured in the same run.
//!
//! Work is measured in CPU time of this thread; the disk in time on the clock, of which the median counts.

use std::fs::File;
use std::hint::black_box;
use std::io::{Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use cairn_tests::actor::{self, key};
use cairn_types::key::verify_ed25519;
use ed25519_dalek::Signer;
use ed25519_zebra::{Signature, VerificationKeyBytes, batch};

use crate::probe::thread_cpu;
use crate::report::{Report, Unit};

/// Signatures that are verified together: so many as a node has waiting under load.
const BATCH: usize = 512;
/// How long each measurement lasts at least: the kernel counts a thread's time in steps of some milliseconds.
const LONG_ENOUGH: Duration = Duration::from_millis(200);
/// Things done in one go where one is too short to time.
const EACH_GO: usize = 1_000;
/// Length of an encoded attestation, in bytes.
pub(crate) const TRANSACTION_BYTES: usize = 368;
/// Syncs of each size.
const SYNCS: usize = 41;

/// Costs of the parts, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floors {
    /// One Ed25519 signature among [`BATCH`] of distinct keys.
    pub(crate) verify_us: f64,
    /// One Ed25519 signature by itself.
    pub(crate) verify_single_us: f64,
    /// Making one.
    pub(crate) sign_us: f64,
    /// BLAKE3 of an attestation's bytes.
    pub(crate) hash_us: f64,
    /// BLAKE3 of a MiB.
    pub(crate) hash_mib_us: f64,
    /// `fdatasync` of 4 KiB, appended.
    pub(crate) sync_4_kib_us: f64,
    /// `fdatasync` of 1 MiB, appended.
    pub(crate) sync_1_mib_us: f64,
}

impl Floors {
    /// Measures them; files are synced in `directory`.
    pub(crate) fn measure(directory: &Path) -> Self {
        let signed: Vec<_> = (0..BATCH as u64).map(signed).collect();
        let batch = || {
            let mut verifier = batch::Verifier::new();
            for (key, message, signature) in &signed {
                let (key, signature) = (VerificationKeyBytes::from(*key), Signature::from_bytes(signature));
                verifier.queue((key, signature, message));
            }
            verifier.verify(rand::rng()).expect("all of them are good");
        };
        let mut turn = signed.iter().cycle();
        let (secret, bytes, mib) = (key(1), vec![7; TRANSACTION_BYTES], vec![7; 1 << 20]);
        Self {
            verify_us: each(BATCH, batch),
            verify_single_us: each(EACH_GO / 10, || {
                for (key, message, signature) in turn.by_ref().take(EACH_GO / 10) {
                    verify_ed25519(key, message, signature).expect("it is good");
                }
            }),
            sign_us: each(EACH_GO / 10, || {
                for _ in 0..EACH_GO / 10 {
                    black_box(secret.sign(black_box(&bytes)));
                }
            }),
            hash_us: each(EACH_GO, || {
                for _ in 0..EACH_GO {
                    black_box(blake3::hash(black_box(&bytes)));
                }
            }),
            hash_mib_us: each(1, || {
                black_box(blake3::hash(black_box(&mib)));
            }),
            sync_4_kib_us: sync_us(directory, 4 << 10),
            sync_1_mib_us: sync_us(directory, 1 << 20),
        }
    }

    /// What the cores could do if `nodes` nodes did nothing but verify one signature of each transaction, a second.
    pub(crate) fn ceiling(&self, nodes: usize) -> f64 {
        crate::machine::cores() as f64 * 1e6 / (nodes as f64 * self.verify_us)
    }

    /// Writes them down.
    pub(crate) fn tell(&self, report: &mut Report) {
        let mut tell = |name, value| report.figure("floors", name, value, Unit::Us, None);
        tell("verify_in_a_batch", self.verify_us);
        tell("verify_single", self.verify_single_us);
        tell("sign", self.sign_us);
        tell("hash_of_an_attestation", self.hash_us);
        tell("hash_of_1_mib", self.hash_mib_us);
        tell("sync_of_4_kib", self.sync_4_kib_us);
        tell("sync_of_1_mib", self.sync_1_mib_us);
        report.headline("floor_verify_us", self.verify_us);
    }
}

fn signed(seed: u64) -> ([u8; 32], Vec<u8>, [u8; 64]) {
    let secret = actor::key(seed);
    let message = format!("message {seed}, as long as the name of a transaction").into_bytes();
    let signature = secret.sign(&message).to_bytes();
    (secret.verifying_key().to_bytes(), message, signature)
}

/// CPU microseconds of one of `count` things that `work` does.
fn each(count: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut goes = 1;
    loop {
        let began = thread_cpu();
        for _ in 0..goes {
            work();
        }
        let took = thread_cpu() - began;
        if took >= LONG_ENOUGH {
            return took.as_secs_f64() * 1e6 / (goes * count) as f64;
        }
        goes *= 2;
    }
}

fn sync_us(directory: &Path, bytes: usize) -> f64 {
    let content = vec![7; bytes];
    let mut file = tempfile::tempfile_in(directory).expect("a file can be made there");
    let go = |_| {
        let began = Instant::now();
        write(&mut file, &content);
        began.elapsed()
    };
    median((0..SYNCS).map(go).collect())
}

fn write(file: &mut File, content: &[u8]) {
    file.seek(std::io::SeekFrom::End(0)).expect("a file can be appended to");
    file.write_all(content).expect("there is room");
    file.sync_data().expect("it can be synced");
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}
