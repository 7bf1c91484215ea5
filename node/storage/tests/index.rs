//! One suite for every index engine, and what happens to an index that cannot be trusted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cairn_storage::index::{Entry, INDEX_KEY_BYTES_MAX};
use cairn_storage::{
    Batch, Engine, Index, IndexState, Keyspace, StorageError, discard_index, memory_index, open_index,
};
use proptest::prelude::*;
use tempfile::TempDir;

fn put(index: &dyn Index, keyspace: Keyspace, key: &str, value: &str) {
    let mut batch = Batch::new();
    batch.put(keyspace, key, value);
    index.write(&batch).expect("it writes");
}

fn range(index: &dyn Index, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let entries = index.range(Keyspace::Lists, prefix.as_bytes(), after.map(str::as_bytes), limit).expect("it reads");
    entries.into_iter().map(|(key, _)| String::from_utf8(key).expect("our own keys")).collect()
}

/// What every engine does.
fn suite(index: &dyn Index) {
    // Keyspaces do not see each other.
    for keyspace in Keyspace::ALL {
        assert_eq!(index.get(keyspace, b"key").expect("it reads"), None);
        put(index, keyspace, "key", keyspace.name());
    }
    for keyspace in Keyspace::ALL {
        assert_eq!(index.get(keyspace, b"key").expect("it reads"), Some(keyspace.name().as_bytes().to_vec()));
        let all: Vec<Entry> = index.range(keyspace, b"", None, 10).expect("it reads");
        assert_eq!(all, [(b"key".to_vec(), keyspace.name().as_bytes().to_vec())]);
    }

    // Ranges are sorted, kept to their prefix, paged behind a key, and limited.
    for key in ["a/2", "a/1", "a", "b/1", "a/10", "a0", "\u{7f}"] {
        put(index, Keyspace::Lists, key, "");
    }
    assert_eq!(range(index, "a/", None, 10), ["a/1", "a/10", "a/2"]);
    assert_eq!(range(index, "a/", None, 2), ["a/1", "a/10"]);
    assert_eq!(range(index, "a/", Some("a/10"), 10), ["a/2"]);
    assert_eq!(range(index, "a/", Some("a/11"), 10), ["a/2"], "the key need not exist");
    assert_eq!(range(index, "a/", Some("a/2"), 10), [""; 0]);
    assert_eq!(range(index, "a/", Some("A"), 1), ["a/1"], "a key before the prefix excludes nothing");
    assert_eq!(range(index, "a/", Some("b"), 10), [""; 0]);
    assert_eq!(range(index, "a", None, 0), [""; 0]);
    assert_eq!(range(index, "", None, 99), ["a", "a/1", "a/10", "a/2", "a0", "b/1", "key", "\u{7f}"]);
    let end = [0xff; 4];
    let mut batch = Batch::new();
    batch.put(Keyspace::Lists, end, b"last");
    index.write(&batch).expect("it writes");
    assert_eq!(index.range(Keyspace::Lists, &[0xff], None, 9).expect("it reads"), [(end.to_vec(), b"last".to_vec())]);

    // A batch is one change over all keyspaces; the last change to a key counts; what must be refused changes nothing.
    let mut batch = Batch::new();
    batch.put(Keyspace::State, "new", "1");
    batch.put(Keyspace::Meta, "key", "first");
    batch.put(Keyspace::Meta, "key", "second");
    batch.remove(Keyspace::History, "key");
    batch.put(Keyspace::Lists, "gone", "1");
    batch.remove(Keyspace::Lists, "gone");
    batch.remove(Keyspace::Lists, "never was");
    assert_eq!((batch.len(), batch.is_empty()), (5, false));
    index.write(&batch).expect("it writes");
    assert_eq!(index.get(Keyspace::State, b"new").expect("it reads"), Some(b"1".to_vec()));
    assert_eq!(index.get(Keyspace::Meta, b"key").expect("it reads"), Some(b"second".to_vec()));
    assert_eq!(index.get(Keyspace::History, b"key").expect("it reads"), None);
    assert_eq!(index.get(Keyspace::Lists, b"gone").expect("it reads"), None);
    for (refused, is_empty_key) in [(Vec::new(), true), (vec![1; INDEX_KEY_BYTES_MAX + 1], false)] {
        let mut batch = Batch::new();
        batch.put(Keyspace::State, "half", "1");
        batch.put(Keyspace::History, refused, "1");
        match index.write(&batch) {
            Err(StorageError::IndexKeyEmpty) => assert!(is_empty_key),
            Err(StorageError::TooLong { .. }) => assert!(!is_empty_key),
            other => panic!("{other:?}"),
        }
        assert_eq!(index.get(Keyspace::State, b"half").expect("it reads"), None);
    }
    assert_eq!(index.get(Keyspace::State, b"").expect("it reads"), None);
    index.write(&Batch::new()).expect("nothing to do");
    index.flush().expect("it flushes");
}

/// While one thread moves a pair of keys together, no other sees them apart.
fn batches_are_seen_whole(index: &dyn Index) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let entries = index.range(Keyspace::History, b"", None, 99).expect("it reads");
                assert!(entries.windows(2).all(|pair| pair[0].1 == pair[1].1), "half a batch: {entries:?}");
                reads += 1;
            }
        });
        for round in 0..300_u32 {
            let mut batch = Batch::new();
            (0..20_u8).for_each(|key| batch.put(Keyspace::History, [b'p', key], round.to_be_bytes()));
            index.write(&batch).expect("it writes");
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("it saw whole batches");
    });
}

#[test]
fn every_engine_passes_the_same_suite() {
    let memory = memory_index();
    suite(memory.as_ref());
    let memory = memory_index();
    batches_are_seen_whole(memory.as_ref());
    for engine in Engine::ON_DISK {
        let directory = TempDir::new().expect("a directory");
        let (index, state) = open_index(&directory.path().join("index"), engine).expect("it opens");
        assert_eq!((state, index.engine()), (IndexState::Fresh, engine));
        suite(index.as_ref());
    }
    for engine in Engine::ON_DISK {
        let directory = TempDir::new().expect("a directory");
        let (index, _) = open_index(&directory.path().join("index"), engine).expect("it opens");
        batches_are_seen_whole(index.as_ref());
    }
}

fn reopen(directory: &Path, engine: Engine) -> (Arc<dyn Index>, IndexState) {
    open_index(directory, engine).expect("whatever was there, an index comes back")
}

/// An index with one entry, closed.
fn written(engine: Engine) -> (TempDir, PathBuf) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("index");
    let (index, state) = reopen(&path, engine);
    assert_eq!(state, IndexState::Fresh);
    for number in 0..400 {
        put(index.as_ref(), Keyspace::State, &format!("key {number}"), "value");
    }
    index.close().expect("it closes");
    let refused = index.write(&Batch::new()).expect_err("it is closed");
    assert!(matches!(refused, StorageError::IndexClosed { .. }), "{refused}");
    (directory, path)
}

fn holds(index: &dyn Index) -> bool {
    index.range(Keyspace::State, b"key ", None, 999).expect("it reads").len() == 400
}

#[test]
fn what_was_written_is_there_after_an_orderly_close_and_after_a_drop() {
    for engine in Engine::ON_DISK {
        let (_directory, path) = written(engine);
        let (index, state) = reopen(&path, engine);
        assert_eq!(state, IndexState::Opened, "{engine}");
        assert!(holds(index.as_ref()));
        put(index.as_ref(), Keyspace::Meta, "height", "7");
        drop(index);
        let (index, state) = reopen(&path, engine);
        assert_eq!(state, IndexState::Opened, "{engine}: the machine did not stop meanwhile");
        assert_eq!(index.get(Keyspace::Meta, b"height").expect("it reads"), Some(b"7".to_vec()));
    }
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

#[test]
fn an_index_that_cannot_be_trusted_is_replaced_by_an_empty_one_and_never_panics() {
    for engine in Engine::ON_DISK {
        type Harm = fn(&Path);
        let harms: [(&str, Harm); 5] = [
            ("another format", |path| fs::write(path.join("format"), "cairn index 0 fjall\n").expect("it writes")),
            ("no format", |path| fs::remove_file(path.join("format")).expect("it was there")),
            ("every file emptied", |path| {
                files(&path.join("files")).iter().for_each(|file| fs::write(file, "").expect("it writes"));
            }),
            ("every file noise", |path| {
                files(&path.join("files")).iter().for_each(|file| fs::write(file, [0xa5; 5_000]).expect("it writes"));
            }),
            ("files in its way", |path| {
                fs::remove_dir_all(path.join("files")).expect("it was there");
                fs::write(path.join("files"), "not a directory").expect("it writes");
            }),
        ];
        for (harm, inflict) in harms {
            let (_directory, path) = written(engine);
            inflict(&path);
            let (index, state) = reopen(&path, engine);
            println!("{engine}, {harm}: {state:?}");
            // sled takes an empty file for an empty tree.
            let may_open = engine == Engine::Sled && harm == "every file emptied";
            assert!(may_open || matches!(state, IndexState::Rebuilt { .. }), "{engine}, {harm}: {state:?}");
            assert_eq!(index.range(Keyspace::State, b"", None, 9).expect("it reads"), [], "{engine}, {harm}");
            suite(index.as_ref());
            drop(index);
            assert_eq!(reopen(&path, engine).1, IndexState::Opened, "{engine}, {harm}");
        }
    }
}

#[test]
fn with_any_file_shortened_an_engine_opens_or_is_rebuilt_and_never_panics() {
    for engine in Engine::ON_DISK {
        let (_directory, path) = written(engine);
        for number in 0..files(&path.join("files")).len() {
            let (_directory, path) = written(engine);
            let Some(file) = files(&path.join("files")).into_iter().nth(number) else { continue };
            let length = fs::metadata(&file).expect("it is there").len() * (number as u64 % 3) / 3;
            fs::OpenOptions::new().write(true).open(&file).expect("it opens").set_len(length).expect("it shortens");
            let (index, state) = reopen(&path, engine);
            let entries = index.range(Keyspace::State, b"key ", None, 999).expect("it reads");
            let found = entries.len();
            let number = |key: &[u8]| std::str::from_utf8(&key[4..]).expect("ours").parse::<usize>().expect("a number");
            let is_prefix = entries.iter().all(|(key, _)| number(key) < found);
            assert!(is_prefix, "{engine}, {} cut to {length}: {state:?}, {found} keys", file.display());
            put(index.as_ref(), Keyspace::Meta, "height", "8");
        }
    }
}

#[test]
fn sled_is_not_believed_after_the_machine_stopped_under_it_and_fjall_is() {
    for engine in Engine::ON_DISK {
        let (_directory, path) = written(engine);
        // An open index, when another start of the machine finds it.
        fs::write(path.join("open"), "another boot").expect("it writes");
        let (index, state) = reopen(&path, engine);
        assert_eq!(holds(index.as_ref()), engine == Engine::Fjall);
        assert_eq!(matches!(state, IndexState::Rebuilt { .. }), engine == Engine::Sled, "{state:?}");
    }
}

#[test]
fn a_discarded_index_comes_back_empty() {
    for engine in Engine::ON_DISK {
        let (_directory, path) = written(engine);
        discard_index(&path).expect("it goes");
        discard_index(&path).expect("there is nothing to discard");
        let (index, state) = reopen(&path, engine);
        assert_eq!(state, IndexState::Fresh);
        assert!(!holds(index.as_ref()));
    }
}

#[test]
fn engines_have_names_for_the_configuration() {
    for engine in Engine::ON_DISK {
        assert_eq!(engine.to_string().parse(), Ok(engine));
    }
    let error = "rocksdb".parse::<Engine>().expect_err("not one of ours");
    assert_eq!(error.to_string(), "\"rocksdb\" is no index engine; there are fjall and sled");
}

/// What batch `number` changes, over four keyspaces.
fn story_batch(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(Keyspace::Meta, "height", number.to_be_bytes());
    batch.put(Keyspace::State, format!("{}", number % 97), number.to_be_bytes());
    batch.put(Keyspace::Lists, number.to_be_bytes(), vec![7; 300]);
    (0..20_u8).for_each(|at| batch.put(Keyspace::History, [b'h', at], number.to_be_bytes()));
    batch
}

/// The height of an index, after checking that it holds exactly the batches up to it.
fn checked_height(index: &dyn Index) -> u64 {
    let read = |value: &[u8]| u64::from_be_bytes(value.try_into().expect("eight bytes"));
    let height = index.get(Keyspace::Meta, b"height").expect("it reads").map_or(0, |value| read(&value));
    let list = index.range(Keyspace::Lists, b"", None, usize::MAX).expect("it reads");
    let list: Vec<u64> = list.iter().map(|(key, _)| read(key)).collect();
    assert_eq!(list, (1..=height).collect::<Vec<_>>(), "every batch up to the height, and none behind it");
    for (key, value) in index.range(Keyspace::State, b"", None, usize::MAX).expect("it reads") {
        let residue: u64 = std::str::from_utf8(&key).expect("ours").parse().expect("a number");
        let latest = (height.saturating_sub(96)..=height).find(|number| number % 97 == residue);
        assert_eq!(Some(read(&value)), latest, "state {residue} at height {height}");
    }
    let history = index.range(Keyspace::History, b"h", None, 99).expect("it reads");
    assert!(history.iter().all(|(_, value)| read(value) == height), "half a batch at height {height}");
    height
}

const CHILD_ENGINE: &str = "CAIRN_STORAGE_TEST_ENGINE";
const CHILD_DIRECTORY: &str = "CAIRN_STORAGE_TEST_DIRECTORY";

/// Not a test by itself: the process that the next test kills. It writes batches and says so, until it is killed.
#[test]
fn child_that_writes_until_it_is_killed() {
    let (Ok(engine), Ok(directory)) = (std::env::var(CHILD_ENGINE), std::env::var(CHILD_DIRECTORY)) else { return };
    let (index, _) = reopen(Path::new(&directory), engine.parse().expect("an engine"));
    for number in checked_height(index.as_ref()) + 1.. {
        index.write(&story_batch(number)).expect("it writes");
        println!("wrote {number}");
    }
}

#[test]
fn killed_at_any_moment_it_holds_the_first_batches_whole_and_goes_on() {
    use std::io::{BufRead, BufReader};
    for engine in Engine::ON_DISK {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("index");
        for lines in [1, 40, 500, 3, 1_200, 77] {
            let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
                .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
                .env(CHILD_ENGINE, engine.name())
                .env(CHILD_DIRECTORY, &path)
                .stdout(std::process::Stdio::piped())
                .spawn()
                .expect("it starts");
            let output = BufReader::new(child.stdout.take().expect("it is piped"));
            let written: Vec<String> =
                output.lines().map_while(Result::ok).filter(|line| line.contains("wrote ")).take(lines).collect();
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            assert_eq!(written.len(), lines, "{engine}: the child stopped by itself");
            let (index, state) = reopen(&path, engine);
            assert_eq!(state, IndexState::Opened, "{engine}");
            println!("{engine}: {} said, {} held", written.last().expect("a line"), checked_height(index.as_ref()));
        }
    }
}

/// A step of a random story.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(usize, Vec<u8>, Option<Vec<u8>>)>),
    Get(usize, Vec<u8>),
    Range(usize, Vec<u8>, Option<Vec<u8>>, usize),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keyspace = 0..Keyspace::ALL.len();
    let key = || prop::collection::vec(prop::sample::select(vec![0, 1, b'a', 0xff]), 1..4);
    let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..9));
    let change = (keyspace.clone(), key(), value);
    let step = prop_oneof![
        4 => prop::collection::vec(change, 0..6).prop_map(Step::Write),
        2 => (keyspace.clone(), key()).prop_map(|(keyspace, key)| Step::Get(keyspace, key)),
        4 => (keyspace, prop::collection::vec(prop::sample::select(vec![0, 1, b'a', 0xff]), 0..3), prop::option::of(key()), 0_usize..9)
            .prop_map(|(keyspace, prefix, after, limit)| Step::Range(keyspace, prefix, after, limit)),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_engine_answers_like_the_plain_map(steps in steps()) {
        for engine in Engine::ON_DISK {
            let directory = TempDir::new().expect("a directory");
            let path = directory.path().join("index");
            let (mut index, _) = reopen(&path, engine);
            let oracle = memory_index();
            for step in &steps {
                match step {
                    Step::Write(changes) => {
                        let mut batch = Batch::new();
                        for (keyspace, key, value) in changes {
                            match value {
                                Some(value) => batch.put(Keyspace::ALL[*keyspace], key.clone(), value.clone()),
                                None => batch.remove(Keyspace::ALL[*keyspace], key.clone()),
                            }
                        }
                        index.write(&batch).expect("it writes");
                        oracle.write(&batch).expect("it writes");
                    }
                    Step::Get(keyspace, key) => {
                        let keyspace = Keyspace::ALL[*keyspace];
                        prop_assert_eq!(
                            index.get(keyspace, key).expect("it reads"),
                            oracle.get(keyspace, key).expect("it reads")
                        );
                    }
                    Step::Range(keyspace, prefix, after, limit) => {
                        let keyspace = Keyspace::ALL[*keyspace];
                        prop_assert_eq!(
                            index.range(keyspace, prefix, after.as_deref(), *limit).expect("it reads"),
                            oracle.range(keyspace, prefix, after.as_deref(), *limit).expect("it reads")
                        );
                    }
                    Step::Reopen => {
                        drop(index);
                        let (again, state) = reopen(&path, engine);
                        prop_assert_eq!(state, IndexState::Opened);
                        index = again;
                    }
                }
            }
        }
    }
}
