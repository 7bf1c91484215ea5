//! What the state tree costs: a million keys of 37 bytes, changed in batches of a thousand. The clock and the memory are
//! read here, never in the crate.
//!
//! `CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo run -p cairn-proofs --example tree_speed [KEYS]`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cairn_proofs::tree::{Query, StateProof, StateTree};
use cairn_types::Hash;

const BATCHES: u64 = 100;
const BATCH_KEYS: u64 = 1_000;
const PROOFS: u64 = 2_000;

/// A byte for the kind, an id of 32 bytes, and a number: ten keys share each id.
fn key(i: u64) -> Vec<u8> {
    let id = Hash::plain(&(i / 10).to_le_bytes());
    [&[0x03], &id.as_bytes()[..], &((i % 10) as u32).to_be_bytes()].concat()
}

fn main() {
    let keys: u64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("KEYS is a number"));
    let entries: BTreeMap<Vec<u8>, Vec<u8>> = (0..keys).map(|i| (key(i), i.to_le_bytes().to_vec())).collect();

    let before = resident_bytes();
    let (tree, took) = timed(|| {
        let copies = entries.iter().map(|(key, value)| (key.clone(), value.clone()));
        StateTree::from_sorted(copies).expect("a BTreeMap is sorted")
    });
    println!("rebuild from {keys} sorted entries: {:.2} s", took.as_secs_f64());
    match (before, resident_bytes()) {
        (Some(before), Some(after)) => println!("memory: about {} bytes per key", after.saturating_sub(before) / keys),
        _ => println!("memory: not known on this system"),
    }
    drop(entries);

    // Multiplying by an odd number visits the keys in no order, and new keys lie between old ones.
    let pick = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys;
    let overwrites = |i: u64| (key(pick(i)), Some((!i).to_le_bytes().to_vec()));
    let inserts = |i: u64| (key(keys + i), Some(i.to_le_bytes().to_vec()));
    update(&tree, "overwritten", overwrites);
    update(&tree, "inserted, ten beside each other,", inserts);

    for (what, bytes) in [("one key", 37), ("a list of ten", 33)] {
        let query = |i: u64| {
            let key = key(pick(i));
            if bytes == key.len() { Query::key(&key) } else { Query::prefix(&key[..bytes]) }
        };
        let (proofs, proving) =
            timed(|| (0..PROOFS).map(|i| tree.prove(&query(i)).expect("ten entries fit").encode()).collect::<Vec<_>>());
        let ((), verifying) = timed(|| {
            for (i, bytes) in (0..).zip(&proofs) {
                let proof = StateProof::decode(bytes).expect("just encoded");
                black_box(proof.verify(&tree.root(), &query(i)).expect("just proven"));
            }
        });
        let size = proofs.iter().map(Vec::len).sum::<usize>() / proofs.len();
        let each = |took: Duration| took.as_secs_f64() * 1e6 / PROOFS as f64;
        println!("proof of {what}: {size} bytes, prove {:.1} us, verify {:.1} us", each(proving), each(verifying));
    }
}

fn update(tree: &StateTree, what: &str, change: impl Fn(u64) -> (Vec<u8>, Option<Vec<u8>>)) {
    let batches: Vec<BTreeMap<_, _>> =
        (0..BATCHES).map(|b| (b * BATCH_KEYS..(b + 1) * BATCH_KEYS).map(&change).collect()).collect();
    let (_, took) = timed(|| batches.iter().fold(tree.clone(), |tree, batch| tree.apply(batch)));
    let rate = (BATCHES * BATCH_KEYS) as f64 / took.as_secs_f64();
    println!("{what} in batches of {BATCH_KEYS}: {rate:.0} keys/s");
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Resident memory of this process, where Linux tells.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split(' ').nth(1)?.parse::<u64>().ok()?.checked_mul(4096)
}
