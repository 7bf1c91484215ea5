//! Evidence that validators contradicted themselves, kept for the council in a file of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use cairn_consensus::Evidence;
use cairn_types::encode;

/// A file with one line for each piece of evidence: height, validator and the encoded messages in hexadecimal.
pub(crate) struct EvidenceFile {
    file: File,
}

impl EvidenceFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(|file| Self { file })
    }

    /// Keeps one more, on disk.
    pub(crate) fn append(&mut self, evidence: &Evidence) -> io::Result<()> {
        let line = format!("{} {} {}\n", evidence.height(), evidence.validator(), hex::encode(encode(evidence)));
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()
    }
}
