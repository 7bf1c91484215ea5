//! `cairn lot make`: the private file of a lot, from a list of serial numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use cairn_types::DeviceId;
use cairn_types::limits::LOT_LABEL_BYTES_MAX;
use cairn_types::lot::{LotBasis, LotLeaf, serial_is_valid};
use cairn_types::organization::text_is_valid;
use clap::Args;
use serde_json::json;

use super::super::output::{Report, Rows, counted, progress};
use super::file::{DEVICES_MAX, LotFile};

/// From how many devices on the progress is shown.
const PROGRESS_DEVICES: usize = 20_000;

/// What the first line of a list may call its first column.
const HEADER: &str = "serial";

#[derive(Debug, Args)]
pub(super) struct Make {
    /// The list: a line for each device, with its serial number and, if the factory made its first keys, a comma and its
    /// id. A first line that begins with 'serial' is a header.
    #[arg(long, value_name = "CSV")]
    serials: PathBuf,
    /// Where to write the lot file; one that exists is never overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the devices are, for people.
    #[arg(long, value_name = "TEXT")]
    label: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

impl Make {
    pub(super) fn run(&self) -> anyhow::Result<Report> {
        ensure!(!self.out.exists(), "{} exists; a lot file is never overwritten", self.out.display());
        ensure!(
            text_is_valid(&self.label, LOT_LABEL_BYTES_MAX),
            "a label has at most {LOT_LABEL_BYTES_MAX} bytes and no control characters"
        );
        let text = fs::read_to_string(&self.serials).with_context(|| self.serials.display().to_string())?;
        let leaves = leaves(&text).with_context(|| self.serials.display().to_string())?;
        let file = LotFile { label: self.label.clone(), lot: None, leaves };
        file.write(&self.out)?;
        let LotBasis::Merkle { root, count } = file.basis() else {
            bail!("a lot file has a root");
        };
        let bound = file.leaves.iter().filter(|leaf| leaf.device.is_some()).count();
        let json = json!({
            "file": self.out,
            "label": self.label,
            "devices": count,
            "bound": bound,
            "root": root.to_string(),
        });
        let out = self.out.display();
        let rows = Rows::new()
            .row("  lot file", format!("{out}, to be kept private"))
            .row("  label", &self.label)
            .row("  devices", format!("{count}, {bound} of them with their id"))
            .row("  root", root)
            .row("  next", format!("cairn lot endorse {out} --manufacturer ORG --key PEM"));
        Report::new(&json, format!("made a lot of {}\n{rows}", counted(count, "device")))
    }
}

fn leaves(text: &str) -> anyhow::Result<Vec<LotLeaf>> {
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).collect();
    let is_header = |line: usize, text: &str| line == 1 && text.trim_start_matches('\u{feff}').starts_with(HEADER);
    let progress = progress("salting", "devices", lines.len(), PROGRESS_DEVICES);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut leaves = Vec::with_capacity(lines.len());
    for (line, text) in lines {
        progress.inc(1);
        if text.trim().is_empty() || is_header(line, text) {
            continue;
        }
        let (serial, device) = fields(text).with_context(|| format!("line {line}"))?;
        if let Some(first) = seen.insert(serial, line) {
            bail!("line {line}: the serial number {serial:?} stands in line {first} already");
        }
        ensure!(leaves.len() < DEVICES_MAX, "more than {DEVICES_MAX} devices");
        leaves.push(LotLeaf { device, serial: serial.to_owned(), salt: rand::random() });
    }
    progress.finish_and_clear();
    ensure!(!leaves.is_empty(), "there is no serial number in it");
    Ok(leaves)
}

/// The serial number and the device of a line.
fn fields(line: &str) -> anyhow::Result<(&str, Option<DeviceId>)> {
    let (serial, device) = line.split_once(',').unwrap_or((line, ""));
    let (serial, device) = (unquoted(serial), unquoted(device));
    ensure!(serial_is_valid(serial), "a serial number has 1 to 64 bytes and no control characters, unlike {serial:?}");
    let device = if device.is_empty() { None } else { Some(device.parse().context("the device's id")?) };
    Ok((serial, device))
}

/// A field without the blanks and quotes around it.
fn unquoted(field: &str) -> &str {
    let field = field.trim().trim_start_matches('\u{feff}');
    field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use cairn_types::{DeviceId, Hash};

    use super::leaves;

    #[test]
    fn a_list_may_have_a_header_blank_lines_quotes_and_devices() {
        let id = DeviceId::from_hash(Hash::plain(b"device"));
        let text = format!("\u{feff}serial,device\r\nWM-1\r\n\r\n\"WM-2\", {id}\nWM 3,\n");
        let leaves = leaves(&text).expect("a list");
        let facts: Vec<(&str, Option<DeviceId>)> =
            leaves.iter().map(|leaf| (leaf.serial.as_str(), leaf.device)).collect();
        assert_eq!(facts, [("WM-1", None), ("WM-2", Some(id)), ("WM 3", None)]);
        assert_ne!(leaves[0].salt, leaves[1].salt);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_named_with_its_line() {
        let error = |text: &str| format!("{:#}", leaves(text).expect_err("refused"));
        assert!(error("WM-1\nWM-2\nWM-1\n").contains("line 3: the serial number \"WM-1\" stands in line 1"));
        assert!(error("WM-1,meter\n").contains("line 1: the device's id"));
        assert!(error(&"x".repeat(65)).contains("line 1: a serial number has 1 to 64 bytes"));
        assert!(error("serial\n\n").contains("no serial number"));
    }
}
