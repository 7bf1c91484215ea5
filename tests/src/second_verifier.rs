//! The second verifier: a Python process that judges many files, written from the specification alone.
//!
//! It does not know what is asked, and judges nothing: whoever asks holds the answers against his own, by what is
//! [`comparable`] of both.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::network::target;

/// What verifiers say in their own words.
const WORDS: [&str; 2] = ["message", "failure"];

/// The Python that has the packages. Without it the tests fail: a second opinion that was not asked for is none.
///
/// # Panics
/// If there is none.
pub fn python() -> PathBuf {
    if let Some(given) = std::env::var_os("CAIRN_VERIFIER_PYTHON") {
        return given.into();
    }
    let target = target();
    let python = target.join("verifier-venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: make it with\n    CARGO_TARGET_DIR={} tests/verifier/setup\n(scripts/check does so), or name a \
         Python with the packages of tests/verifier/requirements.txt in CAIRN_VERIFIER_PYTHON",
        python.display(),
        target.display()
    );
    python
}

/// The answers to questions, each a line of the verifier's `--batch`, in their order.
///
/// # Panics
/// If it does not run, or leaves a question without an answer.
pub fn answers(questions: &[Value]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/cairn_verify.py");
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("questions");
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    fs::write(&path, lines).expect("writes the questions");
    let python = python();
    let output = Command::new(&python)
        .arg(&script)
        .arg("--batch")
        .stdin(File::open(&path).expect("the questions were written"))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {}: {complaint}", python.display(), script.display());
    let text = String::from_utf8(output.stdout).expect("answers are UTF-8");
    let answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("each line is an answer")).collect();
    assert_eq!(answers.len(), questions.len(), "one answer for each question: {complaint}");
    answers
}

/// A verdict without words and without what is absent: what two verifiers must agree on (specification, section 14).
pub fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, value)| !value.is_null() && !WORDS.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), comparable(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(comparable).collect()),
        other => other.clone(),
    }
}
