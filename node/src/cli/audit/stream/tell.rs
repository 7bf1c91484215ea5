//! A comparison in words and in JSON. Nothing is decided here.

use std::fmt::Write as _;

use cairn_rpc::views::ContentFormName;
use cairn_types::Position;
use serde_json::{Value, json};

use super::super::super::output::{counted, time};
use super::super::super::verify::paint::{BAD, GOOD, Paint, short, thousands};
use super::compare::{Comparison, HeldFile};
use super::{AttestationView, Ledger};

/// Characters of a column of names, at most: beyond, names push the rest aside.
const NAME_COLUMN_MAX: usize = 40;

/// What stands for a number for which there is no file.
const NO_FILE: &str = "no file given";

fn name_of(files: &[HeldFile], file: usize) -> String {
    files.get(file).map(|held| held.path.display().to_string()).unwrap_or_default()
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

pub(super) fn in_words(ledger: &Ledger, files: &[HeldFile], comparison: &Comparison, paint: Paint) -> String {
    let names = (0..files.len()).map(|file| name_of(files, file).chars().count());
    let wide = names.chain([NO_FILE.len()]).max().unwrap_or_default().min(NAME_COLUMN_MAX);
    let digits = ledger.attestations.len().to_string().len().max(2);
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    let stream = &ledger.stream;
    line(format!(
        "stream {} ({}) of device {}, at height {}",
        paint.bold(stream.name.0.as_str()),
        short(&stream.id),
        short(&stream.device),
        ledger.height
    ));
    line(format!(
        "{} in the ledger, {} given\n",
        counted(stream.count.0, "attestation"),
        counted(comparison.files, "file")
    ));
    for (attestation, file) in ledger.attestations.iter().zip(&comparison.file_of) {
        let (mark, name) = match file {
            Some(file) => (paint.good(GOOD), format!("{:<wide$}", name_of(files, *file))),
            None => (paint.bad(BAD), paint.bad(&format!("{NO_FILE:<wide$}"))),
        };
        line(format!("  {:>digits$}  {mark} {name}  {}", attestation.sequence.0, paint.dim(&facts(attestation))));
    }
    for (which, words) in [(&comparison.strange, "not in the stream"), (&comparison.surplus, "given more than once")] {
        for file in which {
            let name = format!("{:<wide$}", name_of(files, *file));
            line(format!("  {:>digits$}  {} {}  {words}", "–", paint.bad(BAD), paint.bad(&name)));
        }
    }
    if stream.forked_at.is_some() || stream.closed.is_some() {
        line(String::new());
    }
    if let Some(at) = stream.forked_at {
        line(format!("  {} the device said two things as number {at}", paint.bad(BAD)));
    }
    if let Some(closed) = stream.closed {
        line(format!("  the stream was closed at {}", Position::from(closed)));
    }
    let _ = write!(text, "\n{}", summary(ledger, comparison, paint));
    text
}

fn facts(attestation: &AttestationView) -> String {
    let content = &attestation.content;
    format!(
        "{:>9} bytes  {:>8}  {}{}  block {}, {}",
        thousands(content.bytes.0),
        counted(content.readings.0, "reading"),
        if content.form == ContentFormName::Salted { "salted " } else { "" },
        short(&content.hash),
        Position::from(attestation.position),
        time(attestation.time_ms.0)
    )
}

fn summary(ledger: &Ledger, comparison: &Comparison, paint: Paint) -> String {
    let count = ledger.stream.count.0;
    if comparison.is_complete() {
        let words = format!("complete: each of {} has its file", counted(count, "attestation"));
        return format!("{} {}\n", paint.good(GOOD), paint.good(&words));
    }
    let matched = number(comparison.matched());
    let mut text = format!("{} {} of {} match", paint.bad(BAD), thousands(matched), thousands(count));
    let missing: Vec<String> = comparison.missing().map(|sequence| sequence.to_string()).collect();
    if !missing.is_empty() {
        let _ = write!(text, "; no file for {}", list(&missing));
    }
    if !comparison.strange.is_empty() {
        let _ = write!(text, "; not in the stream: {}", counted(comparison.strange.len(), "file"));
    }
    if number(comparison.files) != count {
        let files = counted(comparison.files, "file");
        let _ = write!(text, "; {files}, but the ledger counts {}", thousands(count));
    }
    text.push('\n');
    text
}

/// Some of many numbers.
fn list(sequences: &[String]) -> String {
    const SHOWN_MAX: usize = 12;
    let shown: Vec<&str> = sequences.iter().take(SHOWN_MAX).map(String::as_str).collect();
    let rest = sequences.len().saturating_sub(SHOWN_MAX);
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    let word = if sequences.len() == 1 { "number" } else { "numbers" };
    format!("{word} {}{more}", shown.join(", "))
}

pub(super) fn in_json(ledger: &Ledger, files: &[HeldFile], comparison: &Comparison) -> Value {
    let sequences = ledger.attestations.iter().zip(&comparison.file_of).map(|(attestation, file)| {
        json!({
            "sequence": attestation.sequence,
            "id": attestation.id,
            "content": attestation.content,
            "position": attestation.position,
            "timeMs": attestation.time_ms,
            "file": file.map(|file| name_of(files, file)),
        })
    });
    let named = |which: &[usize]| which.iter().map(|file| name_of(files, *file)).collect::<Vec<_>>();
    json!({
        "complete": comparison.is_complete(),
        "stream": ledger.stream.id,
        "name": ledger.stream.name,
        "device": ledger.stream.device,
        "height": ledger.height.to_string(),
        "count": ledger.stream.count,
        "files": comparison.files,
        "matched": comparison.matched(),
        "missing": comparison.missing().map(|sequence| sequence.to_string()).collect::<Vec<_>>(),
        "notInStream": named(&comparison.strange),
        "surplus": named(&comparison.surplus),
        "sequences": sequences.collect::<Vec<_>>(),
    })
}
