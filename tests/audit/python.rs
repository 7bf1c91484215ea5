//! The second verifier: a Python process that judges many files.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::case::Case;

/// A question to both verifiers.
pub(crate) trait Asked {
    /// What it is, for whoever reads a failure.
    fn name(&self) -> &str;

    /// The question to the Python verifier: a line of its `--batch`.
    fn question(&self) -> Value;

    /// What `cairn-proofs` says, as JSON.
    fn verdict_json(&self) -> Value;
}

impl Asked for Case {
    fn name(&self) -> &str {
        &self.name
    }

    fn question(&self) -> Value {
        self.question()
    }

    fn verdict_json(&self) -> Value {
        self.verdict_json()
    }
}

/// What verifiers say in their own words.
const WORDS: [&str; 2] = ["message", "failure"];

/// Disagreements that one failure shows.
const SHOWN_MAX: usize = 5;

/// The Python that has the packages. Without it the tests fail: a second opinion that was not asked for is none.
fn python() -> PathBuf {
    if let Some(given) = std::env::var_os("CAIRN_VERIFIER_PYTHON") {
        return given.into();
    }
    // target/tmp
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the directory lies in the target directory");
    let python = target.join("verifier-venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: make it with\n    CARGO_TARGET_DIR={} tests/verifier/setup\n(scripts/check does so), or name a Python \
         with the packages of tests/verifier/requirements.txt in CAIRN_VERIFIER_PYTHON",
        python.display(),
        target.display()
    );
    python
}

/// Asks all questions in one process, and compares every answer.
#[track_caller]
pub(crate) fn assert_agreement(cases: &[impl Asked]) {
    let mut disagreements = Vec::new();
    for (case, theirs) in cases.iter().zip(answers(cases)) {
        let (ours, theirs) = (comparable(&case.verdict_json()), comparable(&theirs));
        if ours != theirs {
            disagreements.push(format!("{}\n{}", case.name(), differences(&ours, &theirs)));
        }
    }
    let number = disagreements.len();
    disagreements.truncate(SHOWN_MAX);
    assert!(number == 0, "{number} of {} disagree:\n{}", cases.len(), disagreements.join("\n"));
    println!("{} files judged alike by two verifiers", cases.len());
}

/// Questions about ledgers that the Python tests make at random: their proofs mostly hold, so there is much to judge.
pub(crate) fn random(count: usize, seed: u64) -> Vec<Case> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/random_bundles.py");
    let python = python();
    let output = Command::new(&python)
        .arg(&script)
        .args([count.to_string(), seed.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("questions are UTF-8");
    let case = |(number, line): (usize, &str)| {
        let asked = serde_json::from_str(line).expect("each line is a question");
        Case::of_question(format!("random ledger {number} of seed {seed}"), &asked)
    };
    text.lines().enumerate().map(case).collect()
}

fn answers(cases: &[impl Asked]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/cairn_verify.py");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("questions");
    let questions: String = cases.iter().map(|case| format!("{}\n", case.question())).collect();
    fs::write(&path, questions).expect("writes the questions");
    let python = python();
    let output = Command::new(&python)
        .arg(&script)
        .arg("--batch")
        .stdin(File::open(&path).expect("the questions were written"))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {}: {complaint}", python.display(), script.display());
    let text = String::from_utf8(output.stdout).expect("verdicts are UTF-8");
    let answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("each line is a verdict")).collect();
    assert_eq!(answers.len(), cases.len(), "one verdict for each file: {complaint}");
    answers
}

/// A verdict without words and without what is absent: what two verifiers must agree on (specification, section 14).
fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, value)| !value.is_null() && !WORDS.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), comparable(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(comparable).collect()),
        other => other.clone(),
    }
}

/// The members in which two verdicts differ.
fn differences(ours: &Value, theirs: &Value) -> String {
    let names = |verdict: &Value| verdict.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>());
    let mut all: Vec<String> = [ours, theirs].into_iter().filter_map(names).flatten().collect();
    all.sort();
    all.dedup();
    let mut text = String::new();
    for name in all.iter().filter(|name| ours.get(name.as_str()) != theirs.get(name.as_str())) {
        let show = |verdict: &Value| verdict.get(name.as_str()).map_or("absent".to_owned(), ToString::to_string);
        let _ = writeln!(text, "  {name}\n    Rust   {}\n    Python {}", show(ours), show(theirs));
    }
    text
}
