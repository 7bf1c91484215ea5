//! From a call to a final transaction: put in an envelope, signed, offered, waited for.
//!
//! ```text
//! Call ─► Envelope::seal(call, parties) ─► offer ─► wait ─► Sent ─► Report
//!            │ chain, not_before, expiry      └ a refusal is the command's error
//!            └─► --draft FILE: kept instead, for others to sign and to send
//! ```
//!
//! `not_before` is the latest final block that the node shows, so a signature says "after this"; calls that no sequence
//! protects from replay expire.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use cairn_rpc::views::{ReceiptView, Text};
use cairn_types::{Call, SignedTransaction, TransactionId};
use clap::Args;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::connect::{Connection, NodeArgs};
use super::output::{Report, Rows, counted, time};
use super::sign::{Envelope, Party};
use super::transaction_file;

/// Pause between two waits of which the first ended early.
const WAIT_PAUSE: Duration = Duration::from_millis(200);

/// Longest time to wait for finality, in seconds: a day, and a number that can be added to any time.
pub(super) const TIMEOUT_MAX: u64 = 86_400;

/// Most transactions of one party that are on their way at once: an eighth of a block, so that others find room in it too.
pub(super) const CHUNK_TRANSACTIONS: usize = 500;

/// Most bytes of transactions in one request, which carries two digits for each: nine tenths of what a request may have.
pub(super) const CHUNK_BYTES: usize = cairn_rpc::limits::BODY_BYTES_MAX as usize / 20 * 9;
const _: () =
    assert!(CHUNK_BYTES >= cairn_types::limits::TRANSACTION_BYTES_MAX, "every valid transaction fits a chunk");

/// Which node to offer to, and how long to wait.
#[derive(Clone, Debug, Args)]
pub(super) struct WaitArgs {
    #[command(flatten)]
    pub(super) node: NodeArgs,
    /// Do not wait until it is final.
    #[arg(long)]
    pub(super) no_wait: bool,
    /// Wait at most so long for finality.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=TIMEOUT_MAX))]
    timeout: u64,
}

impl WaitArgs {
    /// How long to wait for finality.
    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// See [`NodeArgs::run`].
    pub(super) fn run(
        &self,
        work: impl AsyncFnOnce(&Connection) -> anyhow::Result<Report>,
    ) -> anyhow::Result<ExitCode> {
        self.node.run(work)
    }
}

/// What to do with a transaction that a command makes.
#[derive(Clone, Debug, Args)]
pub(super) struct SubmitArgs {
    #[command(flatten)]
    pub(super) wait: WaitArgs,
    /// Keep it in this file instead of sending it, with the signatures of the keys that are given. Others add theirs with
    /// 'cairn tx sign'; 'cairn tx submit' sends it.
    #[arg(long, value_name = "FILE", conflicts_with = "no_wait")]
    pub(super) draft: Option<PathBuf>,
    /// For how many heights it can be included [default: 1000; of a draft as many as the network allows]
    #[arg(long, value_name = "HEIGHTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) lifetime: Option<u64>,
}

impl SubmitArgs {
    /// See [`NodeArgs::run`].
    pub(super) fn run(
        &self,
        work: impl AsyncFnOnce(&Connection) -> anyhow::Result<Report>,
    ) -> anyhow::Result<ExitCode> {
        self.wait.run(work)
    }
}

/// A transaction, and what became of it.
pub(super) struct Sent {
    pub(super) id: TransactionId,
    outcome: Outcome,
}

enum Outcome {
    /// It is in a file.
    Drafted {
        file: PathBuf,
        signatures: usize,
    },
    /// The node took it, and nobody waited.
    Pending,
    Final(Box<ReceiptView>),
}

/// Offers `transaction` and, unless told otherwise, waits until it is final; or keeps it as a draft.
pub(super) async fn send(
    connection: &Connection,
    args: &SubmitArgs,
    transaction: &SignedTransaction,
) -> anyhow::Result<Sent> {
    let Some(file) = &args.draft else {
        return offer(connection, &args.wait, transaction).await;
    };
    transaction_file::write(file, std::slice::from_ref(transaction))?;
    let signatures = transaction.transaction().signatures.len();
    Ok(Sent { id: transaction.id(), outcome: Outcome::Drafted { file: file.clone(), signatures } })
}

/// Offers `transaction` and, unless told otherwise, waits until it is final.
pub(super) async fn offer(
    connection: &Connection,
    args: &WaitArgs,
    transaction: &SignedTransaction,
) -> anyhow::Result<Sent> {
    let id = transaction.id();
    connection.client.tx_submit(Text(transaction.bytes().to_vec())).await?;
    let outcome = match args.no_wait {
        true => Outcome::Pending,
        false => Outcome::Final(Box::new(wait(connection, id, args.timeout()).await?)),
    };
    Ok(Sent { id, outcome })
}

/// Makes a transaction of `call` in the name of `signer`, signed by `others` too, and [`send`]s it.
pub(super) async fn call_with(
    connection: &Connection,
    args: &SubmitArgs,
    call: Call,
    signer: &Party,
    others: &[&Party],
) -> anyhow::Result<Sent> {
    let transaction = Envelope::fetch(connection, args).await?.seal(call, signer, others);
    send(connection, args, &transaction).await
}

/// Makes a transaction of `call` in the name of `signer`, and [`send`]s it.
pub(super) async fn call(
    connection: &Connection,
    args: &SubmitArgs,
    call: Call,
    signer: &Party,
) -> anyhow::Result<Sent> {
    call_with(connection, args, call, signer, &[]).await
}

/// Waits until a transaction is final.
pub(super) async fn wait(connection: &Connection, id: TransactionId, timeout: Duration) -> anyhow::Result<ReceiptView> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).min(cairn_rpc::limits::WAIT_MAX);
        let timeout_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
        match connection.client.tx_wait(Text(id), Some(timeout_ms)).await {
            Ok(receipt) => return Ok(receipt.value),
            Err(error) if matches!(error.name(), Some("NotFinal" | "Overloaded")) && Instant::now() < deadline => {
                tokio::time::sleep(WAIT_PAUSE).await;
            }
            Err(error) if error.name() == Some("NotFinal") => {
                return Err(error).context(format!("it may still become final; ask with: cairn tx wait {id}"));
            }
            Err(error) => return Err(error).context(format!("while waiting for transaction {id}")),
        }
    }
}

/// Parts of many things that fit a request, in order: at most `count_max` things and `bytes_max` bytes each.
pub(super) fn chunks<T>(
    things: Vec<T>,
    bytes_of: impl Fn(&T) -> usize,
    count_max: usize,
    bytes_max: usize,
) -> Vec<Vec<T>> {
    let mut chunks: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0_usize;
    for one in things {
        let size = bytes_of(&one);
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < count_max && bytes.saturating_add(size) <= bytes_max => {
                bytes = bytes.saturating_add(size);
                chunk.push(one);
            }
            _ => {
                bytes = size;
                chunks.push(vec![one]);
            }
        }
    }
    chunks
}

impl Sent {
    /// Whether the node has it; if not, it is a draft.
    pub(super) const fn is_offered(&self) -> bool {
        !matches!(self.outcome, Outcome::Drafted { .. })
    }

    /// What the receipt says, for JSON: `tx`, `state`, and if it is final `position`, `block` and `timeMs`.
    pub(super) fn json(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("tx", json!(self.id.to_string()));
        match &self.outcome {
            Outcome::Drafted { file, signatures } => {
                put("state", json!("draft"));
                put("draft", json!(file));
                put("signatures", json!(signatures));
            }
            Outcome::Pending => {
                put("state", json!("pending"));
                put("position", Value::Null);
            }
            Outcome::Final(receipt) => {
                put("state", json!("final"));
                put("position", json!(receipt.position));
                put("block", json!(receipt.block));
                put("timeMs", json!(receipt.time_ms));
            }
        }
        members
    }

    /// The report of a command that sent one transaction: what happened, what it is about, and the receipt.
    pub(super) fn report(&self, headline: &str, subjects: &[(&str, String)]) -> anyhow::Result<Report> {
        let mut members: Map<String, Value> =
            subjects.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        members.extend(self.json());
        let rows = subjects.iter().fold(Rows::new(), |rows, (name, value)| rows.row(&format!("  {name}"), value));
        let rows = rows.row("  transaction", self.id);
        let (headline, rows) = match &self.outcome {
            Outcome::Drafted { file, signatures } => {
                let kept = format!("{}, with {}", file.display(), counted(*signatures, "signature"));
                let next = format!("cairn tx sign {0} --as NAME=PEM; cairn tx submit {0}", file.display());
                (format!("not sent, only drafted: {headline}"), rows.row("  draft", kept).row("  next", next))
            }
            Outcome::Pending => (headline.to_owned(), rows.row("  state", "pending: not waited for")),
            Outcome::Final(receipt) => {
                let rows = rows.row("  position", position_text(receipt)).row("  time", time(receipt.time_ms.0));
                (headline.to_owned(), rows)
            }
        };
        Report::new(&members, format!("{headline}\n{rows}"))
    }
}

/// Where a transaction stands, for people.
pub(super) fn position_text(receipt: &ReceiptView) -> String {
    cairn_types::Position::from(receipt.position).to_string()
}

#[cfg(test)]
mod tests {
    use super::chunks;

    #[test]
    fn chunks_fit_a_request_and_keep_the_order() {
        let things: Vec<usize> = (0..1_001).collect();
        let by_count = chunks(things.clone(), |_| 300, 500, 1_000_000);
        assert_eq!(by_count.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 1]);
        assert_eq!(by_count.concat(), things);
        let by_bytes = chunks(things.clone(), |_| 300, 500, 999);
        assert!(by_bytes.iter().rev().skip(1).all(|chunk| chunk.len() == 3));
        assert_eq!(by_bytes.concat(), things);
        assert_eq!(chunks(vec![7, 8], |_| 300, 500, 200), [[7], [8]]);
    }
}
