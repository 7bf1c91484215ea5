//! The private file of a lot: what its manufacturer knows of each device.
//!
//! One JSON object a line: first what the lot is, then each device with its serial number, its salt, and its id if the
//! factory made its first keys. The order of the lines is that of the leaves. Whoever has the file can claim every device of
//! the lot, so only its owner may read it.
//!
//! Invariant: the leaves of a file that was read lead to the root that its first line names.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use cairn_proofs::accumulator::{self, InclusionProof};
use cairn_types::lot::{LotBasis, LotLeaf, serial_is_valid};
use cairn_types::{DeviceId, Hash, LotId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::output::write_private;

/// What the first line says that the file is.
const KIND: &str = "cairn lot v1";

/// Most devices in a file: a proof of one is still made in a second.
pub(super) const DEVICES_MAX: usize = 10_000_000;

/// Why a lot file cannot be used. Whoever names it is to blame.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum LotFileError {
    #[error("{path}: {source}", path = .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} is no lot file; make one with: cairn lot make", path = .path.display())]
    Kind { path: PathBuf },
    #[error("{path}, line {line}: {reason}", path = .path.display())]
    Line { path: PathBuf, line: usize, reason: String },
    #[error("{path} was changed: its devices do not lead to the root that it names", path = .path.display())]
    Changed { path: PathBuf },
    #[error("{path} holds no device with the serial number {serial:?}", path = .path.display())]
    NoSuchSerial { path: PathBuf, serial: String },
}

/// A lot with all that is private about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct LotFile {
    pub(in crate::cli) label: String,
    /// The lot's id, once it was endorsed.
    pub(in crate::cli) lot: Option<LotId>,
    /// At least one, and no serial number twice.
    pub(in crate::cli) leaves: Vec<LotLeaf>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    kind: String,
    label: String,
    devices: usize,
    root: String,
    lot: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    serial: String,
    salt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

impl Line {
    fn of(leaf: &LotLeaf) -> Self {
        let device = leaf.device.map(|device| device.to_string());
        Self { serial: leaf.serial.clone(), salt: hex::encode(leaf.salt), device }
    }

    fn leaf(self) -> Result<LotLeaf, String> {
        let mut salt = [0; 32];
        hex::decode_to_slice(&self.salt, &mut salt).map_err(|error| format!("the salt: {error}"))?;
        let device = self.device.map(|text| text.parse::<DeviceId>().map_err(|error| format!("the device: {error}")));
        if !serial_is_valid(&self.serial) {
            return Err("a serial number has 1 to 64 bytes and no control characters".to_owned());
        }
        Ok(LotLeaf { device: device.transpose()?, serial: self.serial, salt })
    }
}

impl LotFile {
    /// The items of the lot's accumulator.
    fn items(&self) -> Vec<Hash> {
        self.leaves.iter().map(LotLeaf::item).collect()
    }

    /// What the ledger is told of the lot.
    pub(in crate::cli) fn basis(&self) -> LotBasis {
        let count = u32::try_from(self.leaves.len()).expect("a lot file has at most ten million devices");
        LotBasis::Merkle { root: accumulator::root_of(&self.items()), count }
    }

    /// The place of a serial number.
    pub(super) fn find(&self, path: &Path, serial: &str) -> Result<(u32, &LotLeaf), LotFileError> {
        let found = (0..).zip(&self.leaves).find(|(_, leaf)| leaf.serial == serial);
        found.ok_or_else(|| LotFileError::NoSuchSerial { path: path.to_owned(), serial: serial.to_owned() })
    }

    /// The proof that a leaf stands at its place.
    pub(super) fn prove(&self, index: u32) -> InclusionProof {
        accumulator::prove_in(&self.items(), index.into()).expect("the index is one of the leaves'")
    }

    pub(super) fn read(path: &Path) -> Result<Self, LotFileError> {
        let text = fs::read_to_string(path).map_err(|source| LotFileError::Io { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    pub(in crate::cli) fn parse(path: &Path, text: &str) -> Result<Self, LotFileError> {
        let mut lines = text.lines();
        let head = lines.next().and_then(|line| serde_json::from_str::<Head>(line).ok());
        let head = head.filter(|head| head.kind == KIND && head.devices <= DEVICES_MAX);
        let head = head.ok_or_else(|| LotFileError::Kind { path: path.to_owned() })?;
        let leaf = |(line, text): (usize, &str)| {
            let at = |reason: String| LotFileError::Line { path: path.to_owned(), line, reason };
            let line: Line = serde_json::from_str(text).map_err(|error| at(error.to_string()))?;
            line.leaf().map_err(at)
        };
        let leaves: Vec<LotLeaf> = (2..).zip(lines).map(leaf).collect::<Result<_, _>>()?;
        let lot = head.lot.map(|text| text.parse::<LotId>()).transpose();
        let lot = lot.map_err(|_| LotFileError::Kind { path: path.to_owned() })?;
        let file = Self { label: head.label, lot, leaves };
        let root = match file.leaves.len() == head.devices && !file.leaves.is_empty() {
            true => accumulator::root_of(&file.items()).to_string(),
            false => String::new(),
        };
        if root == head.root { Ok(file) } else { Err(LotFileError::Changed { path: path.to_owned() }) }
    }

    fn text(&self) -> String {
        let head = Head {
            kind: KIND.to_owned(),
            label: self.label.clone(),
            devices: self.leaves.len(),
            root: accumulator::root_of(&self.items()).to_string(),
            lot: self.lot.map(|lot| lot.to_string()),
        };
        let mut text = String::new();
        let _ = writeln!(text, "{}", json!(head));
        for leaf in &self.leaves {
            let _ = writeln!(text, "{}", json!(Line::of(leaf)));
        }
        text
    }

    /// Writes the file, readable by its owner alone, whole or not at all.
    pub(in crate::cli) fn write(&self, path: &Path) -> Result<(), LotFileError> {
        write_private(path, self.text().as_bytes()).map_err(|source| LotFileError::Io { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cairn_types::LotId;
    use cairn_types::lot::{LotBasis, LotLeaf};
    use cairn_types::{DeviceId, Hash};

    use super::{LotFile, LotFileError};

    fn lot(devices: u32) -> LotFile {
        let leaf = |i: u32| LotLeaf {
            device: i.is_multiple_of(2).then(|| DeviceId::from_hash(Hash::plain(&i.to_be_bytes()))),
            serial: format!("WM-{i:06}"),
            salt: [u8::try_from(i % 256).expect("below 256"); 32],
        };
        LotFile { label: "water meters".to_owned(), lot: None, leaves: (0..devices).map(leaf).collect() }
    }

    #[test]
    fn a_file_reads_back_and_proves_each_of_its_devices() {
        let path = Path::new("lot.jsonl");
        let mut file = lot(7);
        file.lot = Some(LotId::from_hash(Hash::plain(b"lot")));
        assert_eq!(LotFile::parse(path, &file.text()).expect("reads"), file);
        let LotBasis::Merkle { root, count } = file.basis() else { panic!("a root") };
        for serial in ["WM-000000", "WM-000006"] {
            let (index, leaf) = file.find(path, serial).expect("found");
            file.prove(index).verify(&leaf.item(), count.into(), &root).expect("a proof");
        }
        assert!(matches!(file.find(path, "WM-7"), Err(LotFileError::NoSuchSerial { .. })));
    }

    #[test]
    fn a_changed_file_is_noticed() {
        let path = Path::new("lot.jsonl");
        let text = lot(3).text();
        let without_last = text.lines().take(3).collect::<Vec<_>>().join("\n");
        assert!(matches!(LotFile::parse(path, &without_last), Err(LotFileError::Changed { .. })));
        let other = text.replace("WM-000001", "WM-000009");
        assert!(matches!(LotFile::parse(path, &other), Err(LotFileError::Changed { .. })));
        let broken = text.replace("\"serial\":\"WM-000001\"", "\"serial\":\"\"");
        assert!(matches!(LotFile::parse(path, &broken), Err(LotFileError::Line { line: 3, .. })));
        assert!(matches!(LotFile::parse(path, "serial,device\n"), Err(LotFileError::Kind { .. })));
    }
}
