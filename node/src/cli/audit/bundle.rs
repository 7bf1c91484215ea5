//! `cairn audit bundle`: one file with everything to judge an attestation offline.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use cairn_rpc::views::Text;
use cairn_types::Height;
use clap::Args;
use serde_json::json;

use super::super::connect::{Connection, NodeArgs};
use super::super::output::{Report, Usage, write_whole};
use super::super::verify::paint::{GOOD, Paint, thousands};
use super::Which;

/// The name that means standard output.
const STANDARD_OUTPUT: &str = "-";

#[derive(Debug, Args)]
pub(super) struct Bundle {
    #[command(flatten)]
    which: Which,
    /// Where to; `-` is standard output, where the bundle then stands alone.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Show that the block at this height is in the history, for `cairn verify --checkpoint HEIGHT:HASH`.
    #[arg(long, value_name = "HEIGHT")]
    anchor: Option<u64>,
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

impl Bundle {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let to_stdout = self.out == Path::new(STANDARD_OUTPUT);
        if to_stdout && self.node.is_json() {
            return Err(Usage("standard output cannot carry both the bundle and JSON".to_owned()).into());
        }
        let selector = self.which.selector(connection).await?;
        let anchor = self.anchor.map(|height| Text(Height::new(height)));
        let answer = connection.client.audit_bundle(selector, anchor, None).await?;
        let (height, answer) = (answer.height, answer.value);
        let bytes = &answer.bundle.0;
        if to_stdout {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush()).context("standard output")?;
            return Report::new(&json!({}), "");
        }
        write_whole(&self.out, bytes).with_context(|| self.out.display().to_string())?;
        let about = json!({
            "bundle": self.out,
            "bytes": bytes.len(),
            "attestation": answer.attestation,
            "id": answer.id,
            "height": height,
        });
        let paint = Paint::of_stdout();
        let content = self.which.content_of.as_deref().unwrap_or(Path::new("CONTENT")).display();
        let (mark, out, length) = (paint.good(GOOD), self.out.display(), thousands(u64::try_from(bytes.len())?));
        let next = format!(
            "  attestation {}\n  judge it with: cairn verify {out} {content} --genesis HASH",
            answer.attestation
        );
        Report::new(
            &about,
            format!("{mark} {out}: {length} bytes, checkpoint at height {height}\n{}", paint.dim(&next)),
        )
    }
}
