//! What stands in the sources and the documents, and what never does.

use std::collections::BTreeSet;

use crate::house::{FILES, File, METADATA, assert_none, root, text_of};
use crate::rust::{code_of, lines_with, without_tests};

/// Sources of the crates whose results must be the same on every machine.
const PURE_SOURCES: [&str; 5] =
    ["runtime/types/src/", "runtime/proofs/src/", "runtime/src/", "genesis/src/", "node/consensus/src/"];

/// What would make two machines disagree, or reach for the world outside.
const IMPURE: [&str; 14] = [
    "HashMap",
    "HashSet",
    "SystemTime",
    "Instant::now",
    "time::Instant",
    "f32",
    "f64",
    "thread_rng",
    "RandomState",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
];

/// Libraries, and the one place where each is named.
const WALLS: [(&str, &str); 5] = [
    ("libp2p::", "node/network/"),
    ("libp2p_stream::", "node/network/"),
    ("sled::", "node/storage/"),
    ("fjall::", "node/storage/"),
    ("jsonrpsee::", "rpc/"),
];

/// Signs of work that is not finished, in code.
const UNFINISHED: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Words that promise work instead of doing it, in any file.
const PROMISES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Where the homes and the work of people are: no path of one machine belongs in the project.
const HOMES: [&str; 4] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Documents whose `backticked/paths` must exist.
const DOCUMENTS: [&str; 2] = ["README.md", "node/DECISIONS.md"];

fn rust_files() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.path.ends_with(".rs"))
}

/// Whether a file is part of a crate's tests, by its name or its directory.
fn is_test(path: &str) -> bool {
    let inside_tests = path.split('/').rev().skip(1).any(|directory| directory == "tests");
    let name = path.rsplit('/').next().unwrap_or(path);
    inside_tests || name == "tests.rs" || name.starts_with("test_")
}

#[test]
fn every_module_says_what_it_is() {
    let silent = rust_files().filter(|file| !is_test(&file.path) || file.path.starts_with("tests/"));
    let silent = silent.filter(|file| !file.text.starts_with("//! "));
    let broken: Vec<String> = silent.map(|file| format!("{} does not open with a `//!` doc", file.path)).collect();
    assert_none(&broken);
}

#[test]
fn the_pure_crates_name_no_clock_no_float_and_no_hash_order() {
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for file in rust_files().filter(|file| !is_test(&file.path)) {
        let Some(place) = PURE_SOURCES.iter().find(|place| file.path.starts_with(**place)) else { continue };
        seen.insert(place);
        let code = code_of(&file.text);
        for needle in IMPURE {
            for line in lines_with(without_tests(&code), needle) {
                broken.push(format!("{}:{line} names {needle}", file.path));
            }
        }
    }
    assert_eq!(seen.len(), PURE_SOURCES.len(), "a pure crate has moved");
    assert_none(&broken);
}

#[test]
fn each_engine_and_each_protocol_library_is_named_in_one_place() {
    let mut broken = Vec::new();
    for file in rust_files() {
        let code = code_of(&file.text);
        for (needle, _) in WALLS.iter().filter(|(_, place)| !file.path.starts_with(place)) {
            broken.extend(lines_with(&code, needle).map(|line| format!("{}:{line} names {needle}", file.path)));
        }
    }
    assert_none(&broken);
}

#[test]
fn nothing_is_left_unfinished_or_ignored() {
    let mut broken = Vec::new();
    for file in rust_files() {
        let code = code_of(&file.text);
        for needle in UNFINISHED {
            broken.extend(lines_with(&code, needle).map(|line| format!("{}:{line} has {needle}", file.path)));
        }
        if file.path.ends_with("/mod.rs") {
            broken.push(format!("{}: a module's file has the module's name", file.path));
        }
    }
    for file in FILES.iter().filter(|file| file.path != "Cargo.lock") {
        for needle in PROMISES {
            broken.extend(lines_with(&file.text, needle).map(|line| format!("{}:{line} has {needle}", file.path)));
        }
    }
    assert_none(&broken);
}

#[test]
fn no_path_of_one_machine_is_in_the_project() {
    let mut broken = Vec::new();
    for file in FILES.iter() {
        for (number, line) in (1..).zip(file.text.lines()) {
            let named = HOMES.iter().any(|home| {
                // In the middle of a longer path or of a link it is a directory of that name, and nobody's home.
                line.match_indices(home).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '.'))
            });
            if named {
                broken.push(format!("{}:{number} {}", file.path, line.trim()));
            }
        }
    }
    assert_none(&broken);
}

/// The `backticked` words of a document that are meant as paths of this project: they hold a slash or end like a file, and
/// nothing that a path does not hold.
fn paths_in(text: &str) -> BTreeSet<&str> {
    let is_path = |word: &&str| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        let file = [".rs", ".md", ".toml", ".csv", ".txt", ".py", ".json"].iter().any(|end| word.ends_with(end));
        plain && !word.starts_with(['/', '-']) && (word.contains('/') || file)
    };
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(is_path).collect()
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let mut broken = Vec::new();
    for document in DOCUMENTS {
        for path in paths_in(text_of(document)) {
            // A directory without files is not in a clone.
            let is_directory =
                FILES.iter().any(|file| file.path.starts_with(&format!("{}/", path.trim_end_matches('/'))));
            if !is_directory && !root().join(path).is_file() {
                broken.push(format!("{document} names {path}, which does not exist"));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn the_code_map_has_every_crate() {
    let paths = paths_in(text_of("README.md"));
    let members = METADATA.workspace_members.iter().map(|id| &METADATA[id]);
    let mut broken = Vec::new();
    for package in members {
        let directory = package.manifest_path.parent().expect("a manifest is in a directory");
        let directory = directory.strip_prefix(&METADATA.workspace_root).expect("members are in the workspace");
        if !paths.contains(format!("{directory}/").as_str()) {
            broken.push(format!("README.md's code map lacks `{directory}/`"));
        }
    }
    assert_none(&broken);
}

#[test]
fn paths_are_told_from_other_words() {
    let text = "`rpc/src/` and `a.rs`, `README.md`; no `let x`, `/ip4/…`, `<dir>/x`, `--dir/x`, `tx`, plain/words";
    assert_eq!(paths_in(text), BTreeSet::from(["rpc/src/", "a.rs", "README.md"]));
}
