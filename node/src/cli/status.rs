//! `cairn status`: where the chain and one node stand.

use std::process::ExitCode;

use clap::Args;

use super::connect::{Connection, NodeArgs};
use super::output::{Report, Rows, counted, time};
use crate::clock::now_ms;

#[derive(Debug, Args)]
pub(super) struct StatusCommand {
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(command: StatusCommand) -> anyhow::Result<ExitCode> {
    command.node.run(status)
}

async fn status(connection: &Connection) -> anyhow::Result<Report> {
    let status = connection.status().await?;
    let view = &status.value;
    // `validating` in JSON is `validating` here.
    let state = serde_json::to_value(view.state)?;
    let state = state.as_str().unwrap_or_default();
    let place = view.validator.map(|index| format!(" as validator {index}")).unwrap_or_default();
    let age_ms = now_ms().saturating_sub(view.time_ms.0);
    let age = format!("{}.{} s ago", age_ms / 1_000, age_ms % 1_000 / 100);
    let rows = Rows::new()
        .row("network", view.chain)
        .row("height", status.height)
        .row("block", view.hash)
        .row("time", format!("{} ({age})", time(view.time_ms.0)))
        .row("node", format!("{state}{place}, {}", counted(view.peers, "peer")))
        .row("pending", format!("{}, {}", counted(view.pending, "transaction"), counted(view.pending_bytes.0, "byte")))
        .row("oldest state", view.oldest_state)
        .row("first block", view.first_height);
    Report::new(&status, rows)
}
