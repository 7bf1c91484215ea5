//! `cairn audit stream`: files against a whole stream, number by number.
//!
//! A stream has no gaps in the ledger, so a day that was left out shows at once: as a number for which there is no file,
//! or as a file that no number stands for. The comparison itself is in [`mod@compare`]; pauses longer than the stream's
//! cadence, and times that no attestation claims, are found in [`mod@spans`].

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use cairn_rpc::limits::PAGE_MAX;
use cairn_rpc::views::{AttestationView, StreamView, Text};
use cairn_rpc::{Client, ClientError};
use cairn_types::{DeviceId, Height, StreamId};
use clap::Args;
use rayon::prelude::*;

mod compare;
mod spans;
mod tell;

use super::super::connect::{Connection, NodeArgs};
use super::super::names::StreamName;
use super::super::output::{Report, Usage};
use super::super::verify::content::{self, Salt};
use super::super::verify::paint::Paint;
use compare::{HeldFile, compare};

#[derive(Debug, Args)]
pub(super) struct StreamAudit {
    /// The stream: its id; or its name, with --device.
    stream: StreamName,
    /// Whose stream, if it is given by name.
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceId>,
    /// The files that the auditor has.
    #[arg(required_unless_present = "dir", conflicts_with = "dir")]
    files: Vec<PathBuf>,
    /// All files of this directory, except those whose name begins with a dot.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The salt of salted contents: a file of 64 hexadecimal digits.
    #[arg(long, value_name = "HEXFILE")]
    salt: Option<PathBuf>,
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

/// A stream as it stood at a height, with all its attestations.
struct Ledger {
    height: Height,
    /// When the block of that height was proposed.
    time_ms: u64,
    stream: StreamView,
    attestations: Vec<AttestationView>,
}

impl StreamAudit {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let stream = self.id()?;
        let files = self.hash_all()?;
        let ledger = read(&connection.client, stream).await?;
        let comparison = compare(&files, &ledger.attestations);
        let answer = tell::in_json(&ledger, &files, &comparison);
        let text = tell::in_words(&ledger, &files, &comparison, Paint::of_stdout());
        let holds = comparison.is_complete() && ledger.stream.forked_at.is_none();
        Ok(Report::new(&answer, text)?.holding(holds))
    }

    fn id(&self) -> anyhow::Result<StreamId> {
        match (&self.stream, self.device) {
            (StreamName::Id(id), _) => Ok(*id),
            (StreamName::Name(name), Some(device)) => Ok(StreamId::of(&device, name)),
            (StreamName::Name(name), None) => {
                Err(Usage(format!("{name} is the name of a stream, and needs its device: --device ID")).into())
            }
        }
    }

    fn hash_all(&self) -> anyhow::Result<Vec<HeldFile>> {
        let salt = self.salt.as_deref().map(Salt::read).transpose()?;
        let paths = match &self.dir {
            Some(dir) => files_of(dir)?,
            None => self.files.clone(),
        };
        let hash = |path: PathBuf| -> anyhow::Result<HeldFile> {
            let mut evidence = vec![content::evidence(&path, None)?];
            if salt.is_some() {
                evidence.push(content::evidence(&path, salt.as_ref())?);
            }
            Ok(HeldFile { path, evidence })
        };
        paths.into_par_iter().map(hash).collect()
    }
}

/// The files of a directory by name.
fn files_of(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry.with_context(|| dir.display().to_string())?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.is_file() && !hidden {
            paths.push(path);
        }
    }
    ensure!(!paths.is_empty(), "{} holds no files", dir.display());
    paths.sort();
    Ok(paths)
}

/// Reads a stream up to what it has now. That the node's answers fit together is checked; that they are true shows a
/// bundle.
async fn read(client: &Client, id: StreamId) -> Result<Ledger, ClientError> {
    let answer = client.stream_get(Text(id), None).await?;
    let (height, stream) = (answer.height.0, answer.value);
    let time_ms = client.chain_get_header(Some(answer.height)).await?.value.header.time_ms.0;
    let count = stream.count.0;
    let mut attestations: Vec<AttestationView> = Vec::new();
    let contradiction = |reason: String| ClientError::Answer { reason };
    loop {
        let have = u64::try_from(attestations.len()).unwrap_or(u64::MAX);
        if have >= count {
            return Ok(Ledger { height, time_ms, stream, attestations });
        }
        let page = client.stream_get_range(Text(id), Some(Text(have)), Some(PAGE_MAX), Some(answer.height)).await?;
        if page.items.is_empty() {
            return Err(contradiction(format!("the stream has {count} attestations, but the node lists {have}")));
        }
        let wanted = usize::try_from(count.saturating_sub(have)).unwrap_or(usize::MAX);
        for (sequence, one) in (have..).zip(page.items).take(wanted) {
            let linked = attestations.last().is_none_or(|last| last.id == one.previous);
            if one.sequence.0 != sequence || one.stream.0 != id || !linked {
                return Err(contradiction(format!("the node's number {sequence} does not follow the one before it")));
            }
            attestations.push(one);
        }
    }
}
