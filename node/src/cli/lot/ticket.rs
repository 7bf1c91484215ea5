//! A ticket: what the buyer of one device of a lot needs to claim it, and nothing about any other device.
//!
//! It is a JSON file. Whoever has it can claim the device, unless it names the device's id; so it goes with the device, as
//! a key to a house does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use cairn_types::lot::LotEndorsement;
use cairn_types::{DeviceId, Hash, LotId};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::output::{Report, Rows, write_private};
use super::file::LotFile;

/// What a ticket says that it is.
const KIND: &str = "cairn lot ticket v1";

/// The name that means standard output.
const STANDARD_OUTPUT: &str = "-";

#[derive(Debug, Args)]
pub(super) struct ClaimTicket {
    /// The lot file.
    file: PathBuf,
    /// The device's serial number.
    #[arg(long, value_name = "SERIAL")]
    serial: String,
    /// The lot's id [default: as 'cairn lot endorse' wrote it into the lot file]
    #[arg(long, value_name = "LOT")]
    lot: Option<LotId>,
    /// Where to write the ticket; - for standard output.
    #[arg(long, value_name = "TICKET", default_value = STANDARD_OUTPUT)]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

/// The ticket of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Ticket {
    kind: String,
    lot: String,
    serial: String,
    salt: String,
    /// The device that alone can use it; absent if whoever has the ticket can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    index: u32,
    siblings: Vec<String>,
}

impl ClaimTicket {
    pub(super) fn run(&self) -> anyhow::Result<Report> {
        let file = LotFile::read(&self.file)?;
        let Some(lot) = self.lot.or(file.lot) else {
            bail!("{} was not endorsed yet: cairn lot endorse, or name the lot with --lot", self.file.display());
        };
        let (index, leaf) = file.find(&self.file, &self.serial)?;
        let ticket = Ticket {
            kind: KIND.to_owned(),
            lot: lot.to_string(),
            serial: leaf.serial.clone(),
            salt: hex::encode(leaf.salt),
            device: leaf.device.map(|device| device.to_string()),
            index,
            siblings: file.prove(index).siblings.iter().map(ToString::to_string).collect(),
        };
        let text = format!("{:#}\n", json!(ticket));
        if self.out == Path::new(STANDARD_OUTPUT) {
            return Report::new(&ticket, text);
        }
        write_private(&self.out, text.as_bytes()).with_context(|| self.out.display().to_string())?;
        let rows = Rows::new()
            .row("  ticket", self.out.display())
            .row("  lot", lot)
            .row("  next", format!("cairn device register --ticket {} …", self.out.display()));
        let json = json!({ "ticket": self.out, "lot": lot.to_string(), "serial": ticket.serial, "index": index });
        Report::new(&json, format!("the ticket of {}\n{rows}", ticket.serial))
    }
}

impl Ticket {
    /// Reads a ticket, as an endorsement of `device`.
    pub(in crate::cli) fn endorsement(path: &Path, device: DeviceId) -> anyhow::Result<LotEndorsement> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let ticket: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is no ticket of a lot", path.display()))?;
        ticket.of(device).with_context(|| path.display().to_string())
    }

    pub(in crate::cli) fn of(self, device: DeviceId) -> anyhow::Result<LotEndorsement> {
        ensure!(self.kind == KIND, "is no ticket of a lot");
        if let Some(named) = &self.device {
            let named: DeviceId = named.parse().context("the device")?;
            ensure!(named == device, "the ticket is for device {named}, and this one is {device}");
        }
        let mut salt = [0; 32];
        hex::decode_to_slice(&self.salt, &mut salt).context("the salt")?;
        let siblings = self.siblings.iter().map(|text| text.parse::<Hash>()).collect::<Result<_, _>>();
        Ok(LotEndorsement {
            lot: self.lot.parse().context("the lot")?,
            bound: self.device.is_some(),
            serial: self.serial,
            salt,
            index: self.index,
            siblings: siblings.context("the proof")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use cairn_proofs::accumulator::InclusionProof;
    use cairn_types::lot::{LotBasis, LotLeaf};
    use cairn_types::{DeviceId, Hash, LotId};

    use super::super::file::LotFile;
    use super::{ClaimTicket, Ticket};

    #[test]
    fn a_ticket_claims_its_place_and_one_that_names_a_device_claims_it_for_no_other() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (path, out) = (directory.path().join("lot.jsonl"), directory.path().join("ticket.json"));
        let device = DeviceId::from_hash(Hash::plain(b"meter"));
        let leaf = |serial: &str, device| LotLeaf { device, serial: serial.to_owned(), salt: [7; 32] };
        let leaves = vec![leaf("A", None), leaf("B", Some(device)), leaf("C", None)];
        let file = LotFile { label: "meters".to_owned(), lot: None, leaves };
        file.write(&path).expect("writes");
        let LotBasis::Merkle { root, count } = file.basis() else { panic!("a root") };

        let lot = LotId::from_hash(Hash::plain(b"lot"));
        let ticket = |serial: &str, lot| {
            let file = path.clone();
            ClaimTicket { file, serial: serial.to_owned(), lot, out: out.clone(), json: false }.run()
        };
        assert!(ticket("A", None).is_err_and(|error| error.to_string().contains("not endorsed yet")));
        for serial in ["A", "B", "C"] {
            ticket(serial, Some(lot)).expect("writes a ticket");
            let claim = Ticket::endorsement(&out, device).expect("a ticket");
            let proof = InclusionProof { index: claim.index.into(), siblings: claim.siblings.clone() };
            proof.verify(&claim.leaf(device).item(), count.into(), &root).expect("the ledger takes it");
            let other = Ticket::endorsement(&out, DeviceId::from_hash(Hash::plain(b"other")));
            assert_eq!(other.is_ok(), serial != "B", "{serial}");
        }
    }
}
