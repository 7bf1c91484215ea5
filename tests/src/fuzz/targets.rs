//! One target for each entrance, by what comes in.
//!
//! What all have in common: an input that is accepted is accepted for what it is. It encodes to the very bytes that came,
//! or it leads to a statement that is known to be true.

mod agreement;
mod audit;
mod decoders;
mod disk;
mod growth;
mod interface;
mod keys;
mod proofs;
mod rules;
mod texts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::engine::{Seen, Target};

/// Every target.
pub fn all() -> Vec<Target> {
    let kinds = [
        decoders::targets(),
        texts::targets(),
        keys::targets(),
        proofs::targets(),
        rules::targets(),
        audit::targets(),
        agreement::targets(),
        interface::targets(),
        disk::targets(),
    ];
    let all: Vec<Target> = kinds.into_iter().flatten().collect();
    let mut names: Vec<&str> = all.iter().map(|target| target.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "two targets have one name");
    all
}

/// A directory of these tests.
pub fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file of the test vectors: a list of objects.
fn vectors(name: &str) -> Vec<BTreeMap<String, Value>> {
    let path = directory("vectors").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes that stand in a field in hexadecimal digits.
fn bytes_of(vector: &BTreeMap<String, Value>, field: &str) -> Vec<u8> {
    let digits = vector.get(field).and_then(Value::as_str).unwrap_or_else(|| panic!("no {field}"));
    hex::decode(digits).unwrap_or_else(|error| panic!("{field}: {error}"))
}

/// Complains, unless the property holds.
fn hold(property: bool, broken: &str, detail: impl FnOnce() -> String) -> Result<(), String> {
    if property { Ok(()) } else { Err(format!("{broken}: {}", detail())) }
}

/// What a decoder made of its input.
fn seen<T, E>(result: &Result<T, E>) -> Seen {
    if result.is_ok() { Seen::Accepted } else { Seen::Refused }
}
