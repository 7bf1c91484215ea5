//! A comparison in words and in JSON. Nothing is decided here.

use std::fmt::Write as _;

use cairn_rpc::views::ContentFormName;
use cairn_types::Position;
use serde_json::{Value, json};

use super::super::super::output::{counted, time};
use super::super::super::verify::paint::{BAD, DOUBT, GOOD, Paint, short, thousands};
use super::compare::{Comparison, HeldFile};
use super::spans::{Hole, Missing, Part, runs, silences, unclaimed};
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
    let notes = notes(ledger, comparison, paint);
    if !notes.is_empty() {
        line(String::new());
    }
    notes.into_iter().for_each(line);
    let _ = write!(text, "\n{}", summary(ledger, comparison, paint));
    text
}

/// What is to be said of the whole stream: what is missing, silent, forked, closed, superseded.
fn notes(ledger: &Ledger, comparison: &Comparison, paint: Paint) -> Vec<String> {
    let (bad, doubt) = (paint.bad(BAD), paint.doubt(DOUBT));
    let stream = &ledger.stream;
    let mut notes = Vec::new();
    for Missing { first, last, part } in runs(comparison.missing(), stream.count.0) {
        let which = if first == last { format!("number {first}") } else { format!("numbers {first} to {last}") };
        let claimed = claimed(ledger, first, last).map(|time| format!(", {time}")).unwrap_or_default();
        let part = if part == Part::Whole { "all of it".to_owned() } else { format!("the {}", part.name()) };
        notes.push(format!("  {bad} missing: {part}, {which}{claimed}"));
    }
    for silence in ledger.silences() {
        notes.push(format!("  {doubt} silent: {}", hole(&silence, "in block time")));
    }
    for hole_ in ledger.unclaimed() {
        notes.push(format!("  {doubt} unclaimed: {}", hole(&hole_, "by the device's clock")));
    }
    for attestation in &ledger.attestations {
        if let Some(superseded) = attestation.superseded {
            let by = superseded.replacement.map(|place| format!("; use {place}")).unwrap_or_default();
            let at = Position::from(superseded.at);
            notes.push(format!("  {doubt} superseded: number {}, at {at}{by}", attestation.sequence));
        }
    }
    if let Some(at) = stream.forked_at {
        notes.push(format!("  {bad} forked: the device said two things as number {at}"));
    }
    if let Some(closed) = stream.closed {
        notes.push(format!("  closed: at {}", Position::from(closed)));
    }
    notes
}

/// The time that the device claims for a run of numbers.
fn claimed(ledger: &Ledger, first: u64, last: u64) -> Option<String> {
    let of = |sequence: u64| ledger.attestations.iter().find(|one| one.sequence.0 == sequence)?.claimed;
    let (from, to) = (of(first)?.from_ms.0, of(last)?.to_ms.0);
    Some(format!("claimed for {} to {}", time_of(from), time_of(to)))
}

fn time_of(time_ms: i64) -> String {
    u64::try_from(time_ms).map_or_else(|_| format!("{time_ms} ms"), time)
}

fn hole(hole: &Hole, whose: &str) -> String {
    let (from, to) = (time_of(hole.from_ms), time_of(hole.to_ms));
    match hole.before {
        Some(before) => format!("{from} to {to} {whose}, between numbers {} and {before}", hole.after),
        None => format!("since {from} {whose}, after number {}", hole.after),
    }
}

fn hole_json(hole: &Hole) -> Value {
    json!({
        "after": hole.after.to_string(),
        "before": hole.before.map(|before| before.to_string()),
        "fromMs": hole.from_ms.to_string(),
        "toMs": hole.to_ms.to_string(),
    })
}

impl Ledger {
    /// Pauses longer than the declared cadence; none if none is declared.
    fn silences(&self) -> Vec<Hole> {
        // A stream that ended is not silent since.
        let goes_on = self.stream.closed.is_none() && self.stream.forked_at.is_none();
        let now_ms = goes_on.then_some(self.time_ms);
        self.stream.cadence_s.map(|cadence_s| silences(&self.attestations, cadence_s, now_ms)).unwrap_or_default()
    }

    /// Times that no attestation claims; none if no cadence is declared.
    fn unclaimed(&self) -> Vec<Hole> {
        self.stream.cadence_s.map(|cadence_s| unclaimed(&self.attestations, cadence_s)).unwrap_or_default()
    }
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
            "superseded": attestation.superseded,
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
        "missingRuns": runs(comparison.missing(), ledger.stream.count.0).iter().map(|run| json!({
            "part": run.part.name(),
            "first": run.first.to_string(),
            "last": run.last.to_string(),
        })).collect::<Vec<_>>(),
        "silences": ledger.silences().iter().map(hole_json).collect::<Vec<_>>(),
        "unclaimed": ledger.unclaimed().iter().map(hole_json).collect::<Vec<_>>(),
        "forkedAt": ledger.stream.forked_at,
        "closed": ledger.stream.closed,
        "notInStream": named(&comparison.strange),
        "surplus": named(&comparison.surplus),
        "sequences": sequences.collect::<Vec<_>>(),
    })
}
