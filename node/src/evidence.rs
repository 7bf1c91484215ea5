//! Evidence that validators contradicted themselves, or that this node's own key signs elsewhere, kept for the council in a
//! file of its own.

use std::io;
use std::path::Path;

use cairn_consensus::Evidence;
use cairn_storage::disk::{Access, Disk, OpenFile};
use cairn_types::encode;

use crate::signer::{Place, SignedMessage};

/// First word of a line about a signature of this node's own key that this node did not make.
const FOREIGN: &str = "foreign-signature";

/// How much of the file is read at the start, in bytes: some ten thousand lines. What is beyond is about others.
const READ_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A file with one line for each piece of evidence: height, validator and the encoded messages in hexadecimal; or, for a
/// signature of this node's own key, [`FOREIGN`], the key, height, round and step, the bytes that were signed and the
/// signature.
pub(crate) struct EvidenceFile {
    file: Box<dyn OpenFile>,
    end: u64,
}

impl EvidenceFile {
    /// Its name in the data directory.
    pub(crate) const NAME: &str = "evidence";

    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = if disk.exists(path) { disk.open(path, Access::Write)? } else { disk.create(path)? };
        disk.sync_directory(path.parent().unwrap_or(path))?;
        let end = file.length()?;
        Ok(Self { file, end })
    }

    /// Keeps one more, on disk.
    pub(crate) fn append(&mut self, evidence: &Evidence) -> io::Result<()> {
        let line = format!("{} {} {}\n", evidence.height(), evidence.validator(), hex::encode(encode(evidence)));
        self.append_line(&line)
    }

    /// Keeps a signature of `key`, which is ours, that was made elsewhere.
    pub(crate) fn append_foreign(&mut self, key: &[u8; 32], found: &SignedMessage) -> io::Result<()> {
        let Place { height, round, step } = found.place;
        let (key, message, signature) = (hex::encode(key), hex::encode(&found.message), hex::encode(found.signature));
        self.append_line(&format!("{FOREIGN} {key} {height} {round} {step} {message} {signature}\n"))
    }

    /// Whether it holds a signature of `key` that was made elsewhere.
    pub(crate) fn names_foreign(&self, key: &[u8; 32]) -> io::Result<bool> {
        let wanted = format!("{FOREIGN} {} ", hex::encode(key));
        let length = usize::try_from(self.end.min(READ_BYTES_MAX)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(wanted.as_bytes())))
    }

    fn append_line(&mut self, line: &str) -> io::Result<()> {
        self.file.write_at(line.as_bytes(), self.end)?;
        self.file.sync()?;
        self.end = self.end.saturating_add(line.len() as u64);
        Ok(())
    }
}
