//! What is done about an input that a target did not bear: it is made small, printed so that it can be repeated, and kept.
//!
//! Kept inputs stand in text files, one file a target, one input a line, in hexadecimal digits, with a word on what it
//! was. Every later run begins with them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::engine::{Failure, Measure, Target, kind};

/// How long one input is made smaller at most.
const SHRINKING: Duration = Duration::from_secs(5);

/// The shortest input that was found with the same complaint.
pub fn shrink(target: &Target, failure: &Failure, measure: Option<Measure>) -> Vec<u8> {
    let started = Instant::now();
    let fails = |input: &[u8]| {
        target.judge(input, measure).is_err_and(|complaint| kind(&complaint) == kind(&failure.complaint))
    };
    let mut best = failure.input.clone();
    if !fails(&best) {
        return best;
    }
    let mut piece = best.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut shorter) = (0, false);
        while at < best.len() && started.elapsed() < SHRINKING {
            let end = best.len().min(at + piece);
            let without = [&best[..at], &best[end..]].concat();
            if fails(&without) {
                (best, shorter) = (without, true);
            } else {
                at += piece;
            }
        }
        if started.elapsed() >= SHRINKING || (piece == 1 && !shorter) {
            break;
        }
        piece = piece.div_ceil(2).max(1);
    }
    for at in 0..best.len() {
        let was = best[at];
        if was != 0 && started.elapsed() < SHRINKING {
            best[at] = 0;
            if !fails(&best) {
                best[at] = was;
            }
        }
    }
    best
}

/// What a person needs to know of a failure: what, how to repeat it, and the line to keep.
pub fn tell(failure: &Failure, seed: u64, small: &[u8]) -> String {
    let Failure { target, index, complaint, input } = failure;
    let mut text = format!("{target} fails: {complaint}\n");
    if let Some(index) = index {
        let variables = format!("CAIRN_SEED={seed} CAIRN_HOSTILE_TARGET={target} CAIRN_HOSTILE_INPUT={index}");
        let _ = writeln!(text, "  repeat with {variables}");
    }
    let _ = writeln!(
        text,
        "  {} bytes, of {} before; the line to keep:\n{}",
        small.len(),
        input.len(),
        line(failure, small)
    );
    text
}

fn line(failure: &Failure, small: &[u8]) -> String {
    let word: String = failure.complaint.chars().take(120).filter(|c| !c.is_control()).collect();
    format!("{}  # {word}", hex::encode(small))
}

/// The inputs that are kept of a target.
///
/// # Panics
/// If a line is not in hexadecimal digits.
pub fn kept(directory: &Path, target: &str) -> Vec<Vec<u8>> {
    let path = directory.join(format!("{target}.txt"));
    let Ok(text) = std::fs::read_to_string(&path) else { return Vec::new() };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let digits = lines.map(|line| line.split_whitespace().next().unwrap_or_default());
    digits
        .map(|digits| hex::decode(digits).unwrap_or_else(|error| panic!("{}: {digits}: {error}", path.display())))
        .collect()
}

/// Keeps a failure beside the others of its target.
///
/// # Panics
/// If the file cannot be written.
pub fn keep(directory: &Path, failure: &Failure, small: &[u8]) {
    let path = directory.join(format!("{}.txt", failure.target));
    let mut text = std::fs::read_to_string(&path).unwrap_or_default();
    text.push_str(&line(failure, small));
    text.push('\n');
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
