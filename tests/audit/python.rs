//! Holds the second verifier's answers against those of `cairn-proofs`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use cairn_tests::second_verifier::{answers, comparable, python};
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

/// Disagreements that one failure shows.
const SHOWN_MAX: usize = 5;

/// Asks all questions in one process, and compares every answer.
#[track_caller]
pub(crate) fn assert_agreement(cases: &[impl Asked]) {
    let questions: Vec<Value> = cases.iter().map(Asked::question).collect();
    let mut disagreements = Vec::new();
    for (case, theirs) in cases.iter().zip(answers(&questions)) {
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
