//! Test vectors: every type that is hashed or signed, with its bytes, for whoever writes a second implementation.
//!
//! Each file of `tests/vectors` is made here, from plain values, and compared with what is committed; whole bundles and
//! lookups are judged instead, as what was made once must verify for ever. A difference means that bytes have changed
//! which must never change; whoever wants that writes the files anew with
//! `CAIRN_VECTORS=write cargo test --workspace --test vectors`, and that *is* the approval. The Python verifier reads the
//! same files and makes every hash again.
//!
//! `state-tree.txt` beside them is older, and belongs to the tests of the state tree.

#[path = "vectors/files.rs"]
mod files;
#[path = "vectors/hashes.rs"]
mod hashes;
#[path = "vectors/readable.rs"]
mod readable;
#[path = "vectors/records.rs"]
mod records;
#[path = "vectors/samples.rs"]
mod samples;
#[path = "vectors/signatures.rs"]
mod signatures;
#[path = "vectors/transactions.rs"]
mod transactions;
#[path = "vectors/trees.rs"]
mod trees;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cairn_types::domain::{HASH_DOMAINS, SIGN_DOMAINS};
use serde_json::Value;

/// One vector: its members in the order in which they are read.
pub(crate) type Vector = Vec<(&'static str, Value)>;

/// The file's text: one member a line, so that a difference is seen where it is.
fn text(vectors: &[Vector]) -> String {
    let mut text = String::from("[");
    for (index, vector) in vectors.iter().enumerate() {
        text.push_str(if index == 0 { "\n  {" } else { ",\n  {" });
        for (place, (name, value)) in vector.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(text, "{comma}\n    \"{name}\": {value}").expect("a String takes every write");
        }
        text.push_str("\n  }");
    }
    text.push_str("\n]\n");
    text
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file)
}

/// Whether the files are to be written anew.
fn writes() -> bool {
    std::env::var("CAIRN_VECTORS").is_ok_and(|wish| wish == "write")
}

fn write(file: &str, vectors: &[Vector]) {
    std::fs::write(path(file), text(vectors)).expect("the file can be written");
}

/// Compares with the committed file, or writes it.
#[track_caller]
fn check(file: &str, vectors: &[Vector]) {
    if writes() {
        return write(file, vectors);
    }
    let (path, made) = (path(file), text(vectors));
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(kept.lines().chain(std::iter::repeat(""))).position(|(made, kept)| made != kept);
    assert!(
        made == kept,
        "{} differs from line {} on; if the bytes are meant to change, write it anew with\n    \
         CAIRN_VECTORS=write cargo test --workspace --test vectors",
        path.display(),
        differs.unwrap_or(made.lines().count()) + 1
    );
}

fn texts<'a>(vectors: &'a [Vector], member: &'a str) -> impl Iterator<Item = &'a str> {
    let found = vectors.iter().flat_map(move |vector| vector.iter().find(|(name, _)| *name == member));
    found.filter_map(|(_, value)| value.as_str())
}

#[test]
fn every_hash_has_its_vector() {
    let (hashes, transactions) = (hashes::all(), transactions::all());
    let mut met: BTreeSet<&str> = texts(&hashes, "domain").collect();
    met.extend(["cairn transaction v1", "cairn signed transaction v1"]);
    let domains: BTreeSet<&str> = HASH_DOMAINS.iter().map(|domain| domain.context()).collect();
    assert_eq!(met, domains, "a domain without a vector, or a vector without a domain");
    check("hashes.json", &hashes);
    check("transactions.json", &transactions);
}

#[test]
fn every_signature_has_its_vector() {
    let signatures = signatures::all();
    let met: BTreeSet<&str> = texts(&signatures, "prefix").collect();
    let domains: BTreeSet<&str> = SIGN_DOMAINS.iter().map(|domain| domain.prefix()).collect();
    assert_eq!(met, domains, "a domain without a vector, or a vector without a domain");
    check("signatures.json", &signatures);
}

#[test]
fn every_record_of_the_state_has_its_vector() {
    let records = records::all();
    let met: BTreeSet<&str> = texts(&records, "key").filter_map(|key| key.get(..2)).collect();
    let families: Vec<String> = (0x01..=0x13).map(|family| format!("{family:02x}")).collect();
    assert!(met.iter().copied().eq(families.iter().map(String::as_str)), "{met:?}");
    check("records.json", &records);
}

#[test]
fn every_small_accumulator_has_its_vector() {
    check("accumulators.json", &trees::all());
}

#[test]
fn a_bundle_and_lookups_that_were_made_once_verify_for_ever() {
    if writes() {
        write("files.json", &files::all());
    }
    let kept = std::fs::read_to_string(path("files.json")).expect("the file is committed");
    files::judge(&serde_json::from_str::<Vec<_>>(&kept).expect("the file is JSON"));
}
