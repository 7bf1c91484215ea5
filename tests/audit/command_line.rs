//! `cairn verify`: the program says what the library says, in its exit status too.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use cairn_proofs::lookup::LOOKUP_MAGIC;
use cairn_proofs::verdict::Outcome;
use cairn_tests::network::program;
use serde_json::Value;

use crate::case::Case;
use crate::lookups::LookupCase;
use crate::python::Asked;

/// Exit status for each outcome.
fn status(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Valid => 0,
        Outcome::Invalid => 1,
        Outcome::Incomplete => 3,
    }
}

fn verify(directory: &Path, arguments: &[String]) -> Output {
    let mut command = Command::new(program());
    command.arg("verify").args(arguments).current_dir(directory).output().expect("the program was built")
}

/// Runs the program on the files of a case, and compares.
fn check(case: &Case, directory: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(directory.join(name), bytes).expect("writes a file");
    write("bundle", &case.bundle);
    let mut arguments = vec!["bundle".to_owned()];
    if let Some(content) = &case.content {
        write("content", content);
        arguments.push("content".to_owned());
    }
    arguments.extend(["--genesis".to_owned(), case.genesis.to_string()]);
    if let Some(salt) = &case.salt {
        write("salt", hex::encode(salt).as_bytes());
        arguments.extend(["--salt".to_owned(), "salt".to_owned()]);
    }
    if let Some(block) = &case.trusted {
        arguments.extend(["--checkpoint".to_owned(), format!("{}:{}", block.height, block.hash)]);
    }
    let expected = case.verdict();
    let in_words = verify(directory, &arguments);
    assert_eq!(in_words.status.code(), Some(status(expected.outcome)), "{}", case.name);
    let words = String::from_utf8(in_words.stdout).expect("words are UTF-8");
    assert!(words.ends_with(&expected.to_string()), "{}: {words}", case.name);

    arguments.push("--json".to_owned());
    let in_json = verify(directory, &arguments);
    assert_eq!(in_json.status.code(), Some(status(expected.outcome)), "{}", case.name);
    let verdict: Value = serde_json::from_slice(&in_json.stdout).expect("a verdict is JSON");
    assert_eq!(verdict, case.verdict_json(), "{}", case.name);
}

/// The cases that do not depend on the time at which they are judged.
pub(crate) fn assert_agreement(cases: &[Case]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for case in cases.iter().filter(|case| case.freshness.is_none()) {
        check(case, directory.path());
    }
}

/// The same for lookups.
pub(crate) fn assert_lookup_agreement(cases: &[LookupCase]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for case in cases.iter().filter(|case| case.freshness.is_none()) {
        fs::write(directory.path().join("lookup"), &case.lookup).expect("writes a file");
        let mut arguments = ["lookup", "--json", "--genesis"].map(str::to_owned).to_vec();
        arguments.push(case.genesis.to_string());
        if let Some(question) = &case.question {
            arguments.extend(["--question".to_owned(), question.to_string()]);
        }
        if let Some(block) = &case.trusted {
            arguments.extend(["--checkpoint".to_owned(), format!("{}:{}", block.height, block.hash)]);
        }
        let output = verify(directory.path(), &arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        let printed: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        if case.lookup.starts_with(&LOOKUP_MAGIC) {
            assert_eq!(printed, Some(case.verdict_json()), "{} {complaint}", case.name);
            assert_eq!(output.status.code(), Some(status(case.verdict().outcome)), "{}", case.name);
        } else {
            // It does not say that it is a lookup, so it is taken for a bundle, and is none.
            assert_ne!(output.status.code(), Some(0), "{}", case.name);
        }
    }
}

/// What cannot be read is not judged.
pub(crate) fn assert_unreadable_is_not_judged(case: &Case) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let arguments = ["no-such-file", "--genesis", &case.genesis.to_string()].map(str::to_owned);
    let output = verify(directory.path(), &arguments);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &[][..]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-file"));
}
