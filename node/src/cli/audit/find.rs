//! `cairn audit find`: who attested the content of a file.

use std::fmt::Write as _;
use std::path::PathBuf;

use cairn_rpc::limits::PAGE_MAX;
use cairn_rpc::views::{AttestationView, Text, TextForm};
use cairn_rpc::{Client, ClientError};
use cairn_types::{ContentHash, Height, Position};
use clap::Args;
use serde_json::json;

use super::super::connect::{Connection, NodeArgs};
use super::super::output::{Report, counted, time};
use super::super::verify::content::{self, Salt};
use super::super::verify::paint::{BAD, GOOD, Paint};
use super::place;

#[derive(Debug, Args)]
pub(super) struct Find {
    /// The file.
    file: PathBuf,
    /// The salt of a salted content: a file of 64 hexadecimal digits.
    #[arg(long, value_name = "HEXFILE")]
    salt: Option<PathBuf>,
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

impl Find {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let salt = self.salt.as_deref().map(Salt::read).transpose()?;
        let evidence = content::evidence(&self.file, salt.as_ref())?;
        let found = all(&connection.client, evidence.hash).await?;
        let answer = json!({
            "file": self.file,
            "content": evidence.hash.to_string(),
            "bytes": evidence.bytes.to_string(),
            "attestations": found.items,
            "keptFrom": found.kept_from,
        });
        let mut text = self.in_words(&found.items, &evidence.hash, Paint::of_stdout());
        if let Some(Text(first)) = found.kept_from {
            let _ = writeln!(text, "\n  this node searched its blocks from {first} on; it does not keep those before");
        }
        Ok(Report::new(&answer, text)?.holding(!found.items.is_empty()))
    }

    fn in_words(&self, found: &[AttestationView], content: &ContentHash, paint: Paint) -> String {
        let mark = if found.is_empty() { paint.bad(BAD) } else { paint.good(GOOD) };
        let mut text = format!("{mark} {}: {}\n", self.file.display(), counted(found.len(), "attestation"));
        text.push_str(&paint.dim(&format!("  content     {content}\n")));
        for one in found {
            let (place, position) = (place(one), Position::from(one.position));
            let _ = write!(text, "\n  attestation {place}\n  transaction {}\n  device      {}\n", one.id, one.device);
            let _ = writeln!(text, "  final       at {position}, {}", time(one.time_ms.0));
        }
        text
    }
}

/// What a node found.
pub(super) struct Found {
    /// In the order of the ledger.
    pub(super) items: Vec<AttestationView>,
    /// The first block that was searched, if that is not the first of the ledger.
    kept_from: Option<Text<Height>>,
}

/// All attestations of a content that the node has.
pub(super) async fn all(client: &Client, content: ContentHash) -> Result<Found, ClientError> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let page = client.attestation_find_by_content(Text(content), after, Some(PAGE_MAX), None).await?;
        items.extend(page.items);
        let Some(next) = page.next else { return Ok(Found { items, kept_from: page.kept_from }) };
        let next = Position::from_text(&next).map_err(|reason| ClientError::Answer { reason })?;
        // A node that sends us round in circles is not followed.
        if after.is_some_and(|Text(after)| next <= after) {
            return Err(ClientError::Answer { reason: format!("after {next} the list goes back") });
        }
        after = Some(Text(next));
    }
}
