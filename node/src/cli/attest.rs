//! `cairn attest`: a device states that it produced the content of files.
//!
//! Files are attested in the order given, one transaction each. Sequence and predecessor are chained here, so nobody waits
//! between two files: up to [`CHUNK_TRANSACTIONS`] are offered at once and become final together. If the ledger refuses one, those
//! before it stand, those after it were never attested, and the report says both.
//!
//! A device without a network keeps what it signed: `--out` writes it to a file, and `--after` continues such a file with no
//! node to ask. Its attestations say "after the block that I saw last"; whoever has a network sends them for it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use cairn_rpc::ClientError;
use cairn_rpc::views::{AttestationView, SubmissionView, Text};
use cairn_types::call::Attest;
use cairn_types::{
    AttestationRef, Call, ClaimedTime, Content, DeviceId, GrantId, Position, Principal, SignedTransaction, StreamId,
    TransactionId,
};
use clap::Args;
use serde_json::{Value, json};

use super::connect::Connection;
use super::names::{StreamName, attestation, instant_ms};
use super::output::{Report, conclude, counted, progress, table};
use super::sign::{Envelope, Party};
use super::submit::{CHUNK_BYTES, CHUNK_TRANSACTIONS, WaitArgs, chunks, wait};
use super::transaction_file;
use super::verify::content::{Salt, evidence};
use crate::keys::private::PrivateKey;

mod readings;

/// From how many files on the progress is shown.
const PROGRESS_FILES: usize = 20;

/// Attest the content of files, as their device.
#[derive(Debug, Args)]
pub(super) struct AttestCommand {
    /// The files, in the order in which they were produced.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The device that produced them.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// The device's key.
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// The stream: its name, or its id.
    #[arg(long, value_name = "STREAM")]
    stream: StreamName,
    /// The device's grant of 'attest'.
    #[arg(long, value_name = "GRANT")]
    grant: GrantId,
    /// How many readings each file holds [default: the lines of a .csv file, without blank lines and a header; 1 for others]
    #[arg(long, value_name = "N")]
    readings: Option<u64>,
    /// When the first reading was taken, by the device's clock.
    #[arg(long, value_name = "RFC3339", value_parser = instant_ms, requires = "claimed_to")]
    claimed_from: Option<i64>,
    /// When the last reading was taken, by the device's clock.
    #[arg(long, value_name = "RFC3339", value_parser = instant_ms, requires = "claimed_from")]
    claimed_to: Option<i64>,
    /// An attestation that the files were derived from; repeat it for more.
    #[arg(long, value_name = "STREAM/SEQ", value_parser = attestation)]
    derived_from: Vec<AttestationRef>,
    /// Hide the content's hash behind the salt in this file, 64 hexadecimal digits.
    #[arg(long, value_name = "HEXFILE")]
    salt: Option<PathBuf>,
    /// Keep the signed attestations in this file instead of sending them; anybody can send them with 'cairn tx submit'.
    #[arg(long, value_name = "FILE", conflicts_with = "no_wait")]
    out: Option<PathBuf>,
    /// Continue after the last transaction of this file, which --out made, or --draft of 'cairn stream open'. No node is
    /// asked.
    #[arg(long, value_name = "FILE", requires = "out")]
    after: Option<PathBuf>,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(super) fn run(command: AttestCommand) -> anyhow::Result<ExitCode> {
    match (&command.after, &command.out) {
        (Some(after), Some(out)) => conclude(continued(&command, after, out), command.wait.node.is_json()),
        _ => command.wait.run(async |connection| attest(connection, &command).await),
    }
}

/// Where in which network the next attestation stands.
struct Place {
    envelope: Envelope,
    sequence: u64,
    previous: TransactionId,
}

impl Place {
    /// What the node shows.
    async fn fetch(connection: &Connection, stream: StreamId) -> anyhow::Result<Self> {
        let envelope = Envelope::of_stream_calls(connection).await?;
        let record = connection.client.stream_get(Text(stream), None).await?.value;
        Ok(Self { envelope, sequence: record.count.0, previous: record.head.0 })
    }

    /// After the last of `transactions`, which is of `device` and begins or continues `stream`.
    fn after(transactions: &[SignedTransaction], device: DeviceId, stream: StreamId) -> anyhow::Result<Self> {
        let last = transactions.last().context("there is no transaction")?;
        let body = last.body();
        ensure!(body.signer == Principal::Device(device), "the last transaction is by {}", body.signer);
        let (of, sequence) = match &body.call {
            Call::OpenStream(open) => (StreamId::of(&device, &open.name), Some(0)),
            Call::Attest(attest) => (attest.stream, attest.sequence.checked_add(1)),
            other => anyhow::bail!("the last transaction is {}, after which no stream continues", other.name()),
        };
        ensure!(of == stream, "the last transaction is of stream {of}, not of {stream}");
        let envelope = Envelope { chain: body.chain, not_before: body.not_before, expires: body.not_before.height };
        Ok(Self { envelope, sequence: sequence.context("the stream is full")?, previous: last.id() })
    }
}

/// Attests with no node, after what was signed before.
fn continued(args: &AttestCommand, after: &Path, out: &Path) -> anyhow::Result<Report> {
    let (signer, contents) = read(args)?;
    let stream = args.stream.of(&args.device);
    let before = transaction_file::read(after)?;
    let place = Place::after(&before, args.device, stream).with_context(|| after.display().to_string())?;
    keep(args, stream, prepare(args, stream, &signer, place, contents)?, out)
}

/// Writes what was prepared to a file.
fn keep(args: &AttestCommand, stream: StreamId, prepared: Vec<Prepared>, out: &Path) -> anyhow::Result<Report> {
    let transactions: Vec<SignedTransaction> = prepared.iter().map(|one| one.transaction.clone()).collect();
    transaction_file::write(out, &transactions)?;
    let kept: Vec<Attested> = prepared.into_iter().map(|prepared| Attested { prepared, state: State::Kept }).collect();
    report(args, stream, &kept, None)
}

/// The device with its key, and what it attests.
fn read(args: &AttestCommand) -> anyhow::Result<(Party, Vec<(PathBuf, Content)>)> {
    let salt = args.salt.as_deref().map(Salt::read).transpose()?;
    let signer = Party::device(args.device, PrivateKey::read(&args.key)?);
    Ok((signer, contents(args, salt.as_ref())?))
}

/// A file, and the transaction that attests it.
struct Prepared {
    file: PathBuf,
    content: Content,
    sequence: u64,
    transaction: SignedTransaction,
}

/// A file, and what became of its attestation.
struct Attested {
    prepared: Prepared,
    state: State,
}

enum State {
    /// It is signed, and in a file.
    Kept,
    /// The node took it; nobody waited, or waited long enough.
    Pending,
    Final(Box<AttestationView>),
}

impl State {
    const fn name(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Pending => "pending",
            Self::Final(_) => "final",
        }
    }

    const fn place(&self) -> Option<&AttestationView> {
        match self {
            Self::Final(place) => Some(place),
            Self::Kept | Self::Pending => None,
        }
    }
}

async fn attest(connection: &Connection, args: &AttestCommand) -> anyhow::Result<Report> {
    let (signer, contents) = read(args)?;
    let stream = args.stream.of(&args.device);
    let place = Place::fetch(connection, stream).await?;
    let prepared = prepare(args, stream, &signer, place, contents)?;
    if let Some(out) = &args.out {
        return keep(args, stream, prepared, out);
    }

    let progress = progress("attesting", "files", prepared.len(), PROGRESS_FILES);
    let mut done = Vec::with_capacity(prepared.len());
    let mut failure = None;
    let size = |one: &Prepared| one.transaction.bytes().len();
    for chunk in chunks(prepared, size, CHUNK_TRANSACTIONS, CHUNK_BYTES) {
        failure = offer(connection, args, stream, chunk, &mut done).await;
        progress.set_position(u64::try_from(done.len()).unwrap_or(u64::MAX));
        if failure.is_some() {
            break;
        }
    }
    progress.finish_and_clear();
    report(args, stream, &done, failure)
}

/// Reads and hashes all files before the first is attested: a missing one stops nothing halfway.
fn contents(args: &AttestCommand, salt: Option<&Salt>) -> anyhow::Result<Vec<(PathBuf, Content)>> {
    let progress = progress("hashing", "files", args.files.len(), PROGRESS_FILES);
    let contents = args.files.iter().map(|file| {
        progress.inc(1);
        let evidence = evidence(file, salt)?;
        let readings = match args.readings {
            Some(readings) => readings,
            None => readings::of_file(file)?,
        };
        Ok((file.clone(), Content { form: evidence.form, hash: evidence.hash, bytes: evidence.bytes, readings }))
    });
    let contents = contents.collect();
    progress.finish_and_clear();
    contents
}

/// Chains and signs one transaction for each file.
fn prepare(
    args: &AttestCommand,
    stream: StreamId,
    signer: &Party,
    place: Place,
    contents: Vec<(PathBuf, Content)>,
) -> anyhow::Result<Vec<Prepared>> {
    let Place { envelope, mut sequence, mut previous } = place;
    let claimed = args.claimed_from.zip(args.claimed_to).map(|(from_ms, to_ms)| ClaimedTime { from_ms, to_ms });
    // The ledger wants them strictly ascending.
    let mut derived_from = args.derived_from.clone();
    derived_from.sort_unstable();
    derived_from.dedup();

    let mut prepared = Vec::with_capacity(contents.len());
    for (file, content) in contents {
        let call = Call::Attest(Attest {
            stream,
            sequence,
            previous,
            content,
            claimed,
            derived_from: derived_from.clone(),
            authority: args.grant,
        });
        let transaction = envelope.seal(call, signer, &[]);
        previous = transaction.id();
        prepared.push(Prepared { file, content, sequence, transaction });
        sequence = sequence.checked_add(1).context("the stream is full")?;
    }
    Ok(prepared)
}

/// Offers a chunk, waits for its last attestation, and adds what was taken to `done`. What went wrong, if anything did.
async fn offer(
    connection: &Connection,
    args: &AttestCommand,
    stream: StreamId,
    chunk: Vec<Prepared>,
    done: &mut Vec<Attested>,
) -> Option<anyhow::Error> {
    let encoded = chunk.iter().map(|prepared| Text(prepared.transaction.bytes().to_vec())).collect();
    let results = match connection.client.tx_submit_many(encoded).await {
        Ok(answer) => answer.value.results,
        Err(error) => return Some(error.into()),
    };
    let mut failure = None;
    let mut taken: Vec<Prepared> = Vec::with_capacity(chunk.len());
    for (prepared, result) in chunk.into_iter().zip(results) {
        if let SubmissionView::Error(view) = result {
            let Prepared { file, sequence, .. } = &prepared;
            let what = match done.len().saturating_add(taken.len()) {
                0 => format!("{}, offered as sequence {sequence}", file.display()),
                before => {
                    let before = counted(before, "file");
                    format!("{}, offered as sequence {sequence}; the {before} before it stand", file.display())
                }
            };
            failure = Some(anyhow::Error::new(ClientError::Refused(view)).context(what));
            break;
        }
        taken.push(prepared);
    }
    let places = if args.wait.no_wait { Ok(Vec::new()) } else { places(connection, args, stream, &taken).await };
    let (places, waiting) = match places {
        Ok(places) => (places, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    done.extend(taken.into_iter().map(|prepared| {
        let id = prepared.transaction.id();
        let place = places.iter().find(|place| place.sequence.0 == prepared.sequence && place.id.0 == id);
        Attested { prepared, state: place.map_or(State::Pending, |place| State::Final(Box::new(place.clone()))) }
    }));
    failure.or(waiting)
}

/// Waits until the last of `taken` is final, and with it all before it, and asks where they stand.
async fn places(
    connection: &Connection,
    args: &AttestCommand,
    stream: StreamId,
    taken: &[Prepared],
) -> anyhow::Result<Vec<AttestationView>> {
    let (Some(first), Some(last)) = (taken.first(), taken.last()) else {
        return Ok(Vec::new());
    };
    wait(connection, last.transaction.id(), args.wait.timeout()).await?;
    let count = u32::try_from(taken.len()).ok();
    let page = connection.client.stream_get_range(Text(stream), Some(Text(first.sequence)), count, None).await?;
    Ok(page.items)
}

fn file_json(attested: &Attested) -> Value {
    let Attested { prepared: Prepared { file, content, sequence, transaction }, state } = attested;
    let place = state.place();
    json!({
        "file": file,
        "content": content.hash.to_string(),
        "form": content.form.name(),
        "bytes": content.bytes.to_string(),
        "readings": content.readings.to_string(),
        "sequence": sequence.to_string(),
        "tx": transaction.id().to_string(),
        "state": state.name(),
        "position": place.map(|place| place.position),
        "timeMs": place.map(|place| place.time_ms),
    })
}

fn line(attested: &Attested) -> Vec<String> {
    let Attested { prepared: Prepared { file, content, sequence, transaction }, state } = attested;
    let position =
        state.place().map_or_else(|| state.name().to_owned(), |place| Position::from(place.position).to_string());
    vec![
        sequence.to_string(),
        position,
        content.readings.to_string(),
        transaction.id().to_string(),
        file.display().to_string(),
    ]
}

fn report(
    args: &AttestCommand,
    stream: StreamId,
    done: &[Attested],
    failure: Option<anyhow::Error>,
) -> anyhow::Result<Report> {
    let json = json!({
        "device": args.device.to_string(),
        "stream": stream.to_string(),
        "out": args.out,
        "files": done.iter().map(file_json).collect::<Vec<_>>(),
    });
    if done.is_empty()
        && let Some(failure) = failure
    {
        return Err(failure);
    }
    let lines: Vec<Vec<String>> = done.iter().map(line).collect();
    let table = table(&["SEQUENCE", "POSITION", "READINGS", "TRANSACTION", "FILE"], &lines);
    let files = counted(done.len(), "file");
    let text = match &args.out {
        Some(out) => format!("{table}signed {files} of stream {stream}\nsend with: cairn tx submit {}", out.display()),
        None => format!("{table}attested {files} in stream {stream}"),
    };
    Ok(Report::new(&json, text)?.with_failure(failure))
}
