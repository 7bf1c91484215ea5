//! The index engines on their real files: shortened, and with bits flipped. The index then opens and holds the first of the
//! batches whole, or is replaced by an empty one; never does it answer with what was not written.

use std::fs;
use std::path::{Path, PathBuf};

use cairn_storage::{Batch, Engine, Index, Keyspace, Seeded, StorageError, open_index};
use tempfile::TempDir;

use crate::is_large;

const BATCHES: u64 = 60;

/// Damages of each engine in a small run, and in a large one.
const DAMAGES: u64 = 8;
const DAMAGES_LARGE: u64 = 40;

fn batch(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(Keyspace::Meta, "height", number.to_be_bytes());
    batch.put(Keyspace::Lists, number.to_be_bytes(), vec![number as u8; 300]);
    (0..9_u8).for_each(|at| batch.put(Keyspace::State, [at, (number % 7) as u8], number.to_be_bytes()));
    batch
}

/// Whether the index holds exactly the first batches; how many. An error of the engine is an answer too: the node stops, and
/// builds it anew.
fn first_batches(index: &dyn Index) -> Result<Option<u64>, StorageError> {
    let height = match index.get(Keyspace::Meta, b"height")? {
        None => 0,
        Some(value) => match value.try_into() {
            Ok(bytes) => u64::from_be_bytes(bytes),
            Err(_) => return Ok(None),
        },
    };
    let oracle = cairn_storage::memory_index();
    (1..=height.min(BATCHES)).try_for_each(|number| oracle.write(&batch(number)))?;
    for keyspace in Keyspace::ALL {
        if index.range(keyspace, b"", None, usize::MAX)? != oracle.range(keyspace, b"", None, usize::MAX)? {
            return Ok(None);
        }
    }
    Ok(Some(height))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("it lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).expect("it is inside"));
        fs::create_dir_all(target.parent().expect("it has one")).expect("it can be made");
        fs::copy(path, target).expect("it copies");
    }
}

#[test]
fn a_damaged_engine_holds_the_first_batches_or_is_built_anew() {
    let wanted = if is_large() { DAMAGES_LARGE } else { DAMAGES };
    let served: Vec<String> = std::thread::scope(|scope| {
        let engines = Engine::ON_DISK.map(|engine| scope.spawn(move || damage(engine, wanted)));
        engines.into_iter().flat_map(|engine| engine.join().expect("no panic on any damage")).collect()
    });
    println!("figure index_damages_served {}", served.len());
    assert!(served.is_empty(), "{served:#?}");
}

/// Damages copies of an engine's files; what was served of them.
fn damage(engine: Engine, wanted: u64) -> Vec<String> {
    let mut served = Vec::new();
    let directory = TempDir::new().expect("a directory");
    let original = directory.path().join("original");
    let (index, _) = open_index(&original, engine).expect("it opens");
    (1..=BATCHES).for_each(|number| index.write(&batch(number)).expect("it writes"));
    index.close().expect("it closes");
    drop(index);
    let mut random = Seeded::new(1);
    let (mut rebuilt, mut refused, mut shorter, mut whole) = (0, 0, 0, 0);
    for number in 0..wanted {
        let path = directory.path().join(format!("copy-{number}"));
        copy(&original, &path);
        let files: Vec<_> =
            files(&path).into_iter().filter(|file| fs::metadata(file).is_ok_and(|m| m.len() > 0)).collect();
        let file = &files[random.below(files.len() as u64) as usize];
        let mut bytes = fs::read(file).expect("it reads");
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last as u64 + 1);
        let what = if number % 3 == 0 {
            let length = random.below(written);
            bytes.truncate(length as usize);
            format!("cut to {length}")
        } else {
            let bit = random.below(written * 8);
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            format!("bit {bit}")
        };
        fs::write(file, bytes).expect("it writes");
        let context = format!("{engine}, {} {what}", file.strip_prefix(&path).expect("inside").display());
        let (index, state) = open_index(&path, engine).expect("whatever was there, an index comes back");
        match first_batches(index.as_ref()) {
            Err(_) => refused += 1,
            Ok(Some(0)) => rebuilt += 1,
            Ok(Some(height)) if height < BATCHES => shorter += 1,
            Ok(Some(_)) => whole += 1,
            Ok(None) => served.push(format!("{context}, {state:?}")),
        }
        drop(index);
        fs::remove_dir_all(&path).expect("it is there");
    }
    println!(
        "{engine}: {wanted} damages: {whole} whole, {shorter} shorter, {rebuilt} empty, {refused} refused to read"
    );
    served
}
