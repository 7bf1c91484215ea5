//! How a command ends: what it prints, where, and with which exit status.
//!
//! A command hands back a [`Report`] or an error; nobody else prints. With `--json`, standard output gets exactly one JSON
//! object, the error included; without, it gets text for people, and errors go to standard error.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use cairn_rpc::ClientError;
use cairn_rpc::error::ErrorView;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

/// Exit status if what was asked for holds.
pub(super) const EXIT_HOLDS: u8 = 0;

/// Exit status if it does not, or if something failed.
pub(super) const EXIT_FAILED: u8 = 1;

/// Exit status of a wrong command line, as clap has it.
const EXIT_USAGE: u8 = 2;

/// Exit status if nothing was refuted, but something was not shown or is in doubt.
pub(super) const EXIT_DOUBTFUL: u8 = 3;

/// Exit status if nobody can tell, because the newest checkpoint is too old.
pub(super) const EXIT_UNKNOWN: u8 = 4;

/// What a command found or did.
#[derive(Debug)]
pub(super) struct Report {
    json: Value,
    text: String,
    status: u8,
    failure: Option<anyhow::Error>,
}

impl Report {
    /// A report whose JSON form is `answer` itself.
    pub(super) fn new(answer: &impl Serialize, text: impl fmt::Display) -> anyhow::Result<Self> {
        let json = serde_json::to_value(answer).context("the answer as JSON")?;
        Ok(Self { json, text: text.to_string(), status: EXIT_HOLDS, failure: None })
    }

    /// Says that what was asked for does not hold: exit status 1.
    #[must_use]
    pub(super) fn holding(self, holds: bool) -> Self {
        self.with_status(if holds { EXIT_HOLDS } else { EXIT_FAILED })
    }

    /// Tells a script more than whether it holds.
    #[must_use]
    pub(super) fn with_status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }

    /// A report of what was done before `failure`.
    #[must_use]
    pub(super) fn with_failure(mut self, failure: Option<anyhow::Error>) -> Self {
        self.failure = failure;
        self
    }
}

/// A command line whose parts do not fit together, which clap could not see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Why the node at a URL does not help.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error(
        "cannot reach a node at {url}: {reason}\nstart one with: cairn node run --config FILE, or name another with --rpc URL"
    )]
    Unreachable { url: String, reason: String },
    #[error("the node at {url} is of network {found}, not of {expected}")]
    OtherNetwork { url: String, found: String, expected: String },
}

/// Prints how a command ended, and tells the exit status.
pub(super) fn conclude(outcome: anyhow::Result<Report>, as_json: bool) -> anyhow::Result<ExitCode> {
    match outcome {
        Ok(Report { json, text, status, failure: None }) => {
            print(&if as_json { format!("{json:#}") } else { text })?;
            Ok(ExitCode::from(status))
        }
        Ok(Report { mut json, text, failure: Some(failure), .. }) => {
            if as_json && let Value::Object(members) = &mut json {
                members.insert("error".to_owned(), error_json(&failure));
            }
            print(&if as_json { format!("{json:#}") } else { text })?;
            Ok(complain(&failure))
        }
        Err(failure) => {
            if as_json {
                print(&format!("{:#}", json!({ "error": error_json(&failure) })))?;
            }
            Ok(complain(&failure))
        }
    }
}

/// Writes a line to standard output, unless there is nothing to say. A reader who has seen enough is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// The node's refusal at the bottom of an error, if that is what it is.
fn refusal(error: &anyhow::Error) -> Option<&ErrorView> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(ClientError::Refused(view)) => Some(view),
        _ => None,
    })
}

/// What was being done when the node refused: the error's layers above the refusal.
fn circumstances(error: &anyhow::Error) -> Vec<String> {
    error.chain().take_while(|cause| cause.downcast_ref::<ClientError>().is_none()).map(ToString::to_string).collect()
}

fn error_json(error: &anyhow::Error) -> Value {
    if let Some(view) = refusal(error) {
        return json!({ "name": view.data.name, "code": view.data.code, "message": view.message });
    }
    let name = match error.chain().find_map(|cause| cause.downcast_ref()) {
        Some(NodeError::Unreachable { .. }) => "NodeUnreachable",
        Some(NodeError::OtherNetwork { .. }) => "OtherNetwork",
        None if error.is::<Usage>() => "Usage",
        None => "Failed",
    };
    json!({ "name": name, "code": null, "message": format!("{error:#}") })
}

fn complain(error: &anyhow::Error) -> ExitCode {
    match refusal(error) {
        Some(view) => {
            eprintln!("refused: {} ({}): {}", view.data.name, view.data.code, view.message);
            circumstances(error).iter().for_each(|line| eprintln!("  {line}"));
            ExitCode::FAILURE
        }
        None if error.is::<Usage>() => {
            eprintln!("error: {error}\n\nFor more information, try '--help'.");
            ExitCode::from(EXIT_USAGE)
        }
        None => {
            eprintln!("cairn: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Lines of a name and a value, the values one below the other.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<(String, String)>);

impl Rows {
    pub(super) fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub(super) fn row(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// A line only if there is a value.
    #[must_use]
    pub(super) fn maybe(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.row(name, value),
            None => self,
        }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name:width$}  {value}"))
    }
}

/// Columns under their titles.
pub(super) fn table(titles: &[&str], lines: &[Vec<String>]) -> String {
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count());
            cells.fold(title.chars().count(), usize::max)
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let head = line(titles.to_vec());
    let body = lines.iter().map(|cells| line(cells.iter().map(String::as_str).collect()));
    std::iter::once(head).chain(body).collect()
}

/// A time of the ledger, for people.
pub(super) fn time(time_ms: u64) -> String {
    let time = i64::try_from(time_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| format!("{time_ms} ms"), |time| format!("{time:.3}"))
}

/// `1 file`, `2 files`.
pub(super) fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Writes a file so that its name stands for all of it or for what was there before, also after a power cut.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, bytes, 0o666)
}

/// The same, readable by its owner alone.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, bytes, 0o600)
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.part", std::process::id()));
    let beside = directory.join(beside);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| File::open(directory)?.sync_all());
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A bar on standard error for `count` things; none if there is little to do, or nobody to look.
pub(super) fn progress(what: &'static str, things: &str, count: usize, from_count: usize) -> ProgressBar {
    if count <= from_count {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!("{{msg}} [{{bar:40}}] {{pos}}/{{len}} {things}, {{eta}} left"))
        .expect("the template is one of ours")
        .progress_chars("=> ");
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX)).with_style(style).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Rows, counted, table, time, write_whole};

    #[test]
    fn columns_stand_below_each_other() {
        let rows = Rows::new().row("id", "7").maybe("none", None::<u8>).row("position", "4/1");
        assert_eq!(rows.to_string(), "id        7\nposition  4/1\n");
        let lines = [vec!["a".to_owned(), "x".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["id", "zone"], &lines), "id    zone\na     x\nlong\n");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(counted(1_u32, "file"), "1 file");
        assert_eq!(counted(0_usize, "file"), "0 files");
        assert_eq!(time(1_792_000_000_123), "2026-10-14T17:46:40.123Z");
        assert_eq!(time(u64::MAX), format!("{} ms", u64::MAX));
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("day.bundle");
        for content in [&b"first"[..], b"second"] {
            write_whole(&path, content).expect("writes");
            assert_eq!(fs::read(&path).expect("reads"), content);
        }
        assert!(write_whole(&directory.path().join("no/such/day.bundle"), b"").is_err());
        assert_eq!(fs::read_dir(directory.path()).expect("lists").count(), 1);
    }
}
