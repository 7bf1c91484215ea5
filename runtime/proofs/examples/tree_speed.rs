//! What the state tree costs: a fleet's entries, as the rules write them, read and changed as blocks do. The clock and the
//! memory are read here, never in the crate.
//!
//! `cargo run --release --workspace --example tree_speed [DEVICES]`

use std::collections::BTreeMap;
use std::hint::black_box;

use cairn_proofs::tree::{Query, StateProof, StateTree};
use cairn_types::Hash;

type Entry = (Vec<u8>, Vec<u8>);
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Blocks of each kind, and what each changes.
const BLOCKS: u64 = 64;
const ATTESTATIONS: u64 = 4_000;
const REGISTRATIONS: u64 = 500;
const PROOFS: u64 = 2_000;

fn id(kind: u8, i: u64) -> [u8; 32] {
    *Hash::plain(&[&[kind], &i.to_le_bytes()[..]].concat()).as_bytes()
}

/// What a registration writes: record, key, owner, status, placement, and the use of the key.
fn device(i: u64) -> Vec<Entry> {
    let (device, key, next, owner) = (id(b'd', i), id(b'k', i), id(b'n', i), id(b'o', i % 10));
    let at = [&(i / 1_000).to_le_bytes()[..], &((i % 1_000) as u32).to_le_bytes()].concat();
    let of = |facet: u8| [&[0x04], &device[..], &[facet, 0, 0, 0, 0]].concat();
    let model = b"flow meter FM-2";
    let path = b"north/pumps/7";
    vec![
        (of(0), [&[0], &key[..], &next, &[15, 0, 0, 0], model, &at, &[1], &owner, &[0]].concat()),
        (of(1), [&[0], &key[..], &next, &at, &[0, 0]].concat()),
        (of(2), [&owner[..], &at, &[0, 0]].concat()),
        (of(3), [&[0], &at[..], &[0, 0]].concat()),
        (of(4), [&owner[..], &[13, 0, 0, 0], path, &at, &[0, 0]].concat()),
        ([&[0x05], &id(b'c', i)[..]].concat(), [&[1], &device[..]].concat()),
    ]
}

/// A stream with `count` attestations.
fn stream(i: u64, count: u64) -> Entry {
    let at = [0; 12];
    let peaks: Vec<u8> = (0..count.count_ones()).flat_map(|peak| id(b'p', u64::from(peak) ^ count ^ i)).collect();
    let name = b"\x05\0\0\0level";
    let parts = [&id(b'd', i)[..], name, &[0], &at, &count.to_le_bytes(), &id(b'h', i ^ count), &at];
    let peak_count = count.count_ones().to_le_bytes();
    let value = [&parts.concat()[..], &peak_count, &peaks, &[0, 0], &[0; 8]].concat();
    ([&[0x08], &id(b's', i)[..]].concat(), value)
}

fn main() {
    let devices: u64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("DEVICES is a number"));
    let streams = devices.min(10_000);
    // One block of bytes and one of places, which the system gets back whole: what remains is the tree's own.
    let mut bytes: Vec<u8> = Vec::new();
    let mut places: Vec<(usize, usize, usize)> = Vec::new();
    for (key, value) in (0..devices).flat_map(device).chain((0..streams).map(|i| stream(i, 100))) {
        places.push((bytes.len(), bytes.len() + key.len(), bytes.len() + key.len() + value.len()));
        bytes.extend(key.into_iter().chain(value));
    }
    let key_of = |place: &(usize, usize, usize)| &bytes[place.0..place.1];
    places.sort_unstable_by(|a, b| key_of(a).cmp(key_of(b)));
    let keys = places.len() as u64;
    println!("{devices} devices and {streams} streams: {keys} keys, {} bytes a device", bytes.len() as u64 / devices);

    let before = resident_bytes();
    let mut tree = StateTree::new();
    let took = timed(|| {
        let entries = places.iter().map(|place| (key_of(place).to_vec(), bytes[place.1..place.2].to_vec()));
        tree = StateTree::from_sorted(entries).expect("they are sorted");
    });
    println!("rebuilt from sorted entries: {:.2} s of CPU, {:.2} us a key", took / 1e6, took / keys as f64);
    let taken = resident_bytes() - before;
    println!("memory: {} bytes a device, {} bytes a key", taken / devices, taken / keys);
    drop((bytes, places));
    let root = tree.root();

    let hash = timed(|| {
        for i in 0..100_000_u64 {
            black_box(Hash::plain(&[&id(b'x', i)[..], &[0; 218]].concat()));
        }
    }) / 1e5;
    println!("floor, BLAKE3 of 250 bytes: {hash:.3} us");

    let pick = |i: u64, of: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % of;
    let reads = timed(|| {
        for i in 0..100_000 {
            let (key, _) = device(pick(i, devices)).swap_remove((i % 6) as usize);
            black_box(tree.get(&key).expect("it was put there").len());
        }
    });
    let making = timed(|| (0..100_000).for_each(|i| drop(black_box(device(pick(i, devices)).swap_remove(1)))));
    println!("read of a random key: {:.2} us", (reads - making) / 1e5);

    let attest = |block: u64| -> Changes {
        let one = |i: u64| stream(pick(block * ATTESTATIONS + i, streams), 101 + block);
        (0..ATTESTATIONS).map(one).map(|(key, value)| (key, Some(value))).collect()
    };
    let status = |block: u64| -> Changes {
        let one = |i: u64| device(pick(block * ATTESTATIONS + i, devices)).swap_remove(3);
        (0..ATTESTATIONS).map(one).map(|(key, value)| (key, Some([value, vec![1]].concat()))).collect()
    };
    let key_use = |block: u64| -> Changes {
        let one = |i: u64| device(pick(block * ATTESTATIONS + i, devices)).swap_remove(5);
        (0..ATTESTATIONS).map(one).map(|(key, value)| (key, Some([value, vec![1]].concat()))).collect()
    };
    let register = |block: u64| -> Changes {
        let first = devices + block * REGISTRATIONS;
        (first..first + REGISTRATIONS).flat_map(device).map(|(key, value)| (key, Some(value))).collect()
    };
    let blocks = |change: &dyn Fn(u64) -> Changes| -> Vec<Changes> { (0..BLOCKS).map(change).collect() };
    // Nothing is released before the end, so that each growth is seen.
    let mut kept = Vec::new();
    update(&mut kept, &tree, "streams overwritten", &blocks(&attest));
    update(&mut kept, &tree, "statuses overwritten", &blocks(&status));
    update(&mut kept, &tree, "uses of keys overwritten", &blocks(&key_use));
    update(&mut kept, &tree, "devices registered", &blocks(&register));

    for (what, bytes) in [("one key", 38), ("a device's file", 33)] {
        let query = |i: u64| {
            let (key, _) = device(pick(i, devices)).swap_remove(0);
            if bytes == key.len() { Query::key(&key) } else { Query::prefix(&key[..bytes]) }
        };
        let mut proofs = Vec::new();
        let prove = |i: u64| tree.prove(&query(i)).expect("five entries fit").encode();
        let proving = timed(|| proofs = (0..PROOFS).map(prove).collect());
        let verifying = timed(|| {
            for (i, bytes) in (0..).zip(&proofs) {
                let proof = StateProof::decode(bytes).expect("just encoded");
                black_box(proof.verify(&root, &query(i)).expect("just proven"));
            }
        });
        let size = proofs.iter().map(Vec::len).sum::<usize>() / proofs.len();
        let each = |took: f64| took / PROOFS as f64;
        println!("proof of {what}: {size} bytes, prove {:.1} us, verify {:.1} us", each(proving), each(verifying));
    }

    let freeing = timed(|| drop((tree, kept)));
    println!("released in {:.2} s", freeing / 1e6);
}

/// Applies blocks, keeping every state, as a node does with its newest 256.
fn update(kept: &mut Vec<StateTree>, tree: &StateTree, what: &str, blocks: &[Changes]) {
    let keys: usize = blocks.iter().map(BTreeMap::len).sum();
    let before = resident_bytes();
    let mut state = tree.clone();
    let took = timed(|| {
        for block in blocks {
            state = state.apply(block);
            kept.push(state.clone());
        }
    });
    let grown = resident_bytes() - before;
    println!(
        "{what}: {:.2} us a key; {} keys a block; a kept state takes {:.2} MB, {} bytes a key",
        took / keys as f64,
        keys / blocks.len(),
        grown as f64 / blocks.len() as f64 / 1e6,
        grown / keys as u64,
    );
}

/// Microseconds of CPU that this thread took.
fn timed(work: impl FnOnce()) -> f64 {
    let start = cpu_us();
    work();
    cpu_us() - start
}

fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this measures on Linux");
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("its first field is nanoseconds") / 1e3
}

/// Resident memory of this process.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this measures on Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("its second field is pages") * 4096
}
