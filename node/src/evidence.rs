//! Evidence that validators contradicted themselves, kept for the council in a file of its own.

use std::io;
use std::path::Path;

use cairn_consensus::Evidence;
use cairn_storage::disk::{Access, Disk, OpenFile};
use cairn_types::encode;

/// A file with one line for each piece of evidence: height, validator and the encoded messages in hexadecimal.
pub(crate) struct EvidenceFile {
    file: Box<dyn OpenFile>,
    end: u64,
}

impl EvidenceFile {
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = if disk.exists(path) { disk.open(path, Access::Write)? } else { disk.create(path)? };
        disk.sync_directory(path.parent().unwrap_or(path))?;
        let end = file.length()?;
        Ok(Self { file, end })
    }

    /// Keeps one more, on disk.
    pub(crate) fn append(&mut self, evidence: &Evidence) -> io::Result<()> {
        let line = format!("{} {} {}\n", evidence.height(), evidence.validator(), hex::encode(encode(evidence)));
        self.file.write_at(line.as_bytes(), self.end)?;
        self.file.sync()?;
        self.end = self.end.saturating_add(line.len() as u64);
        Ok(())
    }
}
