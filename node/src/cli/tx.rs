//! `cairn tx`: transactions, found, waited for, and offered as somebody else signed them.

use std::fs;
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use cairn_rpc::views::{ReceiptView, Text};
use cairn_types::limits::TRANSACTION_BYTES_MAX;
use cairn_types::{Principal, SignedTransaction, TransactionId};
use clap::{Args, Subcommand};

use super::connect::{Connection, NodeArgs};
use super::output::{Report, Rows, time};
use super::submit::{self, SubmitArgs, TIMEOUT_MAX, position_text};

#[derive(Debug, Args)]
pub(super) struct TxCommand {
    #[command(subcommand)]
    command: Tx,
}

#[derive(Debug, Subcommand)]
enum Tx {
    /// Show a transaction, pending or final.
    Get {
        /// The transaction's id.
        id: TransactionId,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Wait until a transaction is final.
    Wait {
        /// The transaction's id.
        id: TransactionId,
        /// Wait at most so long.
        #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=TIMEOUT_MAX))]
        timeout: u64,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Offer a transaction that is signed already.
    Submit {
        /// A file with its encoding, as bytes or hexadecimal digits; - for standard input.
        file: String,
        #[command(flatten)]
        submit: SubmitArgs,
    },
}

pub(super) fn run(command: TxCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Tx::Get { id, node } => node.run(async |connection| get(connection, id).await),
        Tx::Wait { id, timeout, node } => {
            node.run(async |connection| wait(connection, id, Duration::from_secs(timeout)).await)
        }
        Tx::Submit { file, submit } => submit.node.run(async |connection| offer(connection, &submit, &file).await),
    }
}

fn receipt_rows(rows: Rows, receipt: &ReceiptView) -> Rows {
    rows.row("position", position_text(receipt)).row("block", receipt.block).row("time", time(receipt.time_ms.0))
}

async fn get(connection: &Connection, id: TransactionId) -> anyhow::Result<Report> {
    let answer = connection.client.tx_get(Text(id), None).await?;
    let view = &answer.value.transaction;
    let call = serde_json::to_value(&view.call)?;
    let name = call.get("type").and_then(|name| name.as_str()).unwrap_or_default();
    let rows = Rows::new()
        .row("transaction", view.id)
        .row("call", name)
        .row("signer", Principal::from(view.signer))
        .row("not before", format!("{} {}", view.not_before.height, view.not_before.hash))
        .maybe("expires", view.expires)
        .row("signatures", view.signatures.len());
    let rows = match &answer.value.receipt {
        Some(receipt) => receipt_rows(rows.row("state", "final"), receipt),
        None => rows.row("state", "pending"),
    };
    Report::new(&answer, rows)
}

async fn wait(connection: &Connection, id: TransactionId, timeout: Duration) -> anyhow::Result<Report> {
    let receipt = submit::wait(connection, id, timeout).await?;
    let rows = Rows::new().row("transaction", id).row("call", &receipt.call).row("state", "final");
    Report::new(&receipt, receipt_rows(rows, &receipt))
}

/// Reads an encoded transaction. Hexadecimal is told from bytes by its digits: no transaction, which begins with a hash,
/// is made of nothing else.
fn read(file: &str) -> anyhow::Result<Vec<u8>> {
    let bytes = if file == "-" {
        let mut bytes = Vec::new();
        // Twice for hexadecimal, and room for what surrounds it; the node refuses what is longer.
        let limit = u64::try_from(4 * TRANSACTION_BYTES_MAX).unwrap_or(u64::MAX);
        std::io::stdin().take(limit).read_to_end(&mut bytes).context("standard input")?;
        bytes
    } else {
        fs::read(file).with_context(|| file.to_owned())?
    };
    let digits = bytes.trim_ascii();
    let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    if is_hex { hex::decode(digits).with_context(|| file.to_owned()) } else { Ok(bytes) }
}

async fn offer(connection: &Connection, args: &SubmitArgs, file: &str) -> anyhow::Result<Report> {
    let transaction =
        SignedTransaction::from_bytes(read(file)?).with_context(|| format!("{file} is no transaction"))?;
    let sent = submit::send(connection, args, &transaction).await?;
    sent.report(&format!("submitted {}", transaction.body().call.name()), &[])
}
