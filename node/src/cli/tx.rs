//! `cairn tx`: transactions, found, waited for, and those in files: shown, signed by one party after the other, and offered
//! by whoever has a network.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use cairn_rpc::ClientError;
use cairn_rpc::views::{ReceiptView, SubmissionView, Text, TransactionView};
use cairn_types::{Call, Principal, SignedTransaction, TransactionId};
use clap::{Args, Subcommand};
use serde_json::json;

use super::connect::{Connection, NodeArgs};
use super::output::{Report, Rows, conclude, counted, time};
use super::sign::{Party, SignerKeys, add_signatures};
use super::submit::{self, CHUNK_BYTES, CHUNK_TRANSACTIONS, TIMEOUT_MAX, WaitArgs, chunks, position_text};
use super::{council, transaction_file};

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
    /// Show the transactions in a file, and who has signed them. Needs no node.
    Show {
        /// A draft, or what a device signed; - for standard input.
        file: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Add signatures to a draft. The node is asked which keys an organization has.
    Sign(Sign),
    /// Offer transactions that are signed already, whoever signed them.
    Submit {
        /// A file with one transaction, as bytes or hexadecimal digits, or with several; - for standard input.
        file: PathBuf,
        #[command(flatten)]
        wait: WaitArgs,
    },
}

#[derive(Debug, Args)]
struct Sign {
    /// The draft.
    file: PathBuf,
    /// Who signs, with which keys; repeat it for more.
    #[arg(long = "as", value_name = "NAME=PEM[,PEM…]", required = true)]
    signers: Vec<SignerKeys>,
    /// Write the result here [default: to the draft itself]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(command: TxCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Tx::Get { id, node } => node.run(async |connection| get(connection, id).await),
        Tx::Wait { id, timeout, node } => {
            node.run(async |connection| wait(connection, id, Duration::from_secs(timeout)).await)
        }
        Tx::Show { file, json } => conclude(show(&file), json),
        Tx::Sign(args) => args.node.run(async |connection| sign(connection, &args).await),
        Tx::Submit { file, wait } => wait.run(async |connection| offer(connection, &wait, &file).await),
    }
}

fn receipt_rows(rows: Rows, receipt: &ReceiptView) -> Rows {
    rows.row("position", position_text(receipt)).row("block", receipt.block).row("time", time(receipt.time_ms.0))
}

fn view_rows(view: &TransactionView) -> anyhow::Result<Rows> {
    let call = serde_json::to_value(&view.call)?;
    let name = call.get("type").and_then(|name| name.as_str()).unwrap_or_default();
    let measure = call.pointer("/measure/type").and_then(|name| name.as_str());
    let rows = Rows::new()
        .row("transaction", view.id)
        .row("call", measure.map_or_else(|| name.to_owned(), |measure| format!("{name}: {measure}")))
        .row("signer", Principal::from(view.signer))
        .row("not before", format!("{} {}", view.not_before.height, view.not_before.hash))
        .maybe("expires", view.expires)
        .row("signatures", view.signatures.len());
    Ok(view
        .signatures
        .iter()
        .fold(rows, |rows, one| rows.row("  signed by", format!("{}, key {}", Principal::from(one.signer), one.key))))
}

async fn get(connection: &Connection, id: TransactionId) -> anyhow::Result<Report> {
    let answer = connection.client.tx_get(Text(id), None).await?;
    let rows = view_rows(&answer.value.transaction)?;
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

fn show(file: &Path) -> anyhow::Result<Report> {
    let views: Vec<TransactionView> = transaction_file::read(file)?.iter().map(TransactionView::from).collect();
    let rows: Vec<String> = views.iter().map(|view| Ok(view_rows(view)?.to_string())).collect::<anyhow::Result<_>>()?;
    Report::new(&json!({ "file": file, "transactions": views }), rows.join("\n"))
}

async fn sign(connection: &Connection, args: &Sign) -> anyhow::Result<Report> {
    let draft = transaction_file::read_one(&args.file)?;
    let mut parties = Vec::new();
    for signer in &args.signers {
        let principal = connection.principal(&signer.principal).await?;
        parties.push(Party::for_body(connection, draft.body(), principal, &signer.keys).await?);
    }
    let signed = add_signatures(draft.transaction().clone(), &parties.iter().collect::<Vec<_>>());
    let out = args.out.as_deref().unwrap_or(&args.file);
    transaction_file::write(out, std::slice::from_ref(&signed))?;
    let view = TransactionView::from(&signed);
    let rows = view_rows(&view)?.row("file", out.display());
    Report::new(&json!({ "file": out, "transaction": view }), rows)
}

async fn offer(connection: &Connection, args: &WaitArgs, file: &Path) -> anyhow::Result<Report> {
    let transactions = transaction_file::read(file)?;
    if let [one] = transactions.as_slice() {
        if matches!(one.body().call, Call::Govern(_)) {
            council::check_quorum(connection, one).await?;
        }
        let sent = submit::offer(connection, args, one).await?;
        return sent.report(&format!("submitted {}", one.body().call.name()), &[]);
    }
    let mut done = Vec::new();
    let mut failure = None;
    for chunk in chunks(transactions, |one| one.bytes().len(), CHUNK_TRANSACTIONS, CHUNK_BYTES) {
        failure = offer_chunk(connection, args, &chunk, &mut done).await.err();
        if failure.is_some() {
            break;
        }
    }
    if done.is_empty()
        && let Some(failure) = failure
    {
        return Err(failure);
    }
    let state = if args.no_wait { "pending" } else { "final" };
    let line = |one: &SignedTransaction| json!({ "tx": one.id().to_string(), "call": one.body().call.name() });
    let answer = json!({ "state": state, "transactions": done.iter().map(line).collect::<Vec<_>>() });
    let text = format!("submitted {}: {state}", counted(done.len(), "transaction"));
    Ok(Report::new(&answer, text)?.with_failure(failure))
}

/// Offers a chunk, waits for each of it, and adds what was taken to `done`.
async fn offer_chunk(
    connection: &Connection,
    args: &WaitArgs,
    chunk: &[SignedTransaction],
    done: &mut Vec<SignedTransaction>,
) -> anyhow::Result<()> {
    let encoded = chunk.iter().map(|one| Text(one.bytes().to_vec())).collect();
    let results = connection.client.tx_submit_many(encoded).await?.value.results;
    let (before, mut refusal) = (done.len(), None);
    for (one, result) in chunk.iter().zip(results) {
        if let SubmissionView::Error(view) = result {
            let taken = counted(done.len(), "transaction");
            let what = format!("{} {}; the {taken} before it stand", one.body().call.name(), one.id());
            refusal = Some(anyhow::Error::new(ClientError::Refused(view)).context(what));
            break;
        }
        done.push(one.clone());
    }
    if !args.no_wait {
        for one in done.iter().skip(before) {
            submit::wait(connection, one.id(), args.timeout()).await?;
        }
    }
    refusal.map_or(Ok(()), Err)
}
