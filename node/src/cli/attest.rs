//! `cairn attest`: a device states that it produced the content of files.
//!
//! Files are attested in the order given, one transaction each. Sequence and predecessor are chained here, so nobody waits
//! between two files: up to [`CHUNK_FILES`] are offered at once and become final together. If the ledger refuses one, those
//! before it stand, those after it were never attested, and the report says both.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use cairn_rpc::ClientError;
use cairn_rpc::views::{AttestationView, SubmissionView, Text};
use cairn_types::call::Attest;
use cairn_types::{
    AttestationRef, Call, ClaimedTime, Content, DeviceId, GrantId, Position, SignedTransaction, StreamId, TransactionId,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::connect::Connection;
use super::names::{StreamName, attestation, instant_ms};
use super::output::{Report, counted, table};
use super::submit::{Envelope, Party, SubmitArgs, wait};
use super::verify::content::{Salt, evidence};
use crate::keys;

mod readings;

/// Most files that are on their way at once: an eighth of a block, so that others find room in it too.
const CHUNK_FILES: usize = 500;

/// Most bytes of transactions in one request, which carries two digits for each: nine tenths of what a request may have.
const CHUNK_BYTES: usize = cairn_rpc::limits::BODY_BYTES_MAX as usize / 20 * 9;
const _: () =
    assert!(CHUNK_BYTES >= cairn_types::limits::TRANSACTION_BYTES_MAX, "every valid transaction fits a chunk");

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
    #[command(flatten)]
    submit: SubmitArgs,
}

pub(super) fn run(command: AttestCommand) -> anyhow::Result<ExitCode> {
    command.submit.node.run(async |connection| attest(connection, &command).await)
}

/// A file, and the transaction that attests it.
struct Prepared {
    file: PathBuf,
    content: Content,
    sequence: u64,
    transaction: SignedTransaction,
}

/// A file that the node took.
struct Attested {
    prepared: Prepared,
    /// Where the attestation stands; `None` if nobody waited, or waited long enough.
    place: Option<AttestationView>,
}

async fn attest(connection: &Connection, args: &AttestCommand) -> anyhow::Result<Report> {
    let salt = args.salt.as_deref().map(Salt::read).transpose()?;
    let signer = Party::device(args.device, keys::read(&args.key)?);
    let contents = contents(args, salt.as_ref())?;
    let stream = args.stream.of(&args.device);
    let prepared = prepare(connection, args, stream, &signer, contents).await?;

    let progress = progress("attesting", prepared.len());
    let mut done = Vec::with_capacity(prepared.len());
    let mut failure = None;
    for chunk in chunks(prepared) {
        failure = offer(connection, args, stream, chunk, &mut done).await;
        progress.set_position(u64::try_from(done.len()).unwrap_or(u64::MAX));
        if failure.is_some() {
            break;
        }
    }
    progress.finish_and_clear();
    report(args, stream, &done, failure)
}

/// A bar on standard error; none if there is little to do or nobody to look.
fn progress(what: &'static str, files: usize) -> ProgressBar {
    if files <= PROGRESS_FILES {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} files, {eta} left")
        .expect("the template is one of ours")
        .progress_chars("=> ");
    let bar = ProgressBar::new(u64::try_from(files).unwrap_or(u64::MAX)).with_style(style).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Reads and hashes all files before the first is attested: a missing one stops nothing halfway.
fn contents(args: &AttestCommand, salt: Option<&Salt>) -> anyhow::Result<Vec<(PathBuf, Content)>> {
    let progress = progress("hashing", args.files.len());
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
async fn prepare(
    connection: &Connection,
    args: &AttestCommand,
    stream: StreamId,
    signer: &Party,
    contents: Vec<(PathBuf, Content)>,
) -> anyhow::Result<Vec<Prepared>> {
    let envelope = Envelope::fetch(connection).await?;
    let record = connection.client.stream_get(Text(stream), None).await?.value;
    let (mut sequence, mut previous): (u64, TransactionId) = (record.count.0, record.head.0);
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

/// Parts that fit a request, in order.
fn chunks(prepared: Vec<Prepared>) -> Vec<Vec<Prepared>> {
    let mut chunks: Vec<Vec<Prepared>> = Vec::new();
    let mut bytes = 0_usize;
    for one in prepared {
        let size = one.transaction.bytes().len();
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_FILES && bytes.saturating_add(size) <= CHUNK_BYTES => {
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
    let places = if args.submit.no_wait { Ok(Vec::new()) } else { places(connection, args, stream, &taken).await };
    let (places, waiting) = match places {
        Ok(places) => (places, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    done.extend(taken.into_iter().map(|prepared| {
        let id = prepared.transaction.id();
        let place = places.iter().find(|place| place.sequence.0 == prepared.sequence && place.id.0 == id).cloned();
        Attested { prepared, place }
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
    wait(connection, last.transaction.id(), args.submit.timeout()).await?;
    let count = u32::try_from(taken.len()).ok();
    let page = connection.client.stream_get_range(Text(stream), Some(Text(first.sequence)), count, None).await?;
    Ok(page.items)
}

fn file_json(attested: &Attested) -> Value {
    let Attested { prepared: Prepared { file, content, sequence, transaction }, place } = attested;
    json!({
        "file": file,
        "content": content.hash.to_string(),
        "form": content.form.name(),
        "bytes": content.bytes.to_string(),
        "readings": content.readings.to_string(),
        "sequence": sequence.to_string(),
        "tx": transaction.id().to_string(),
        "state": if place.is_some() { "final" } else { "pending" },
        "position": place.as_ref().map(|place| place.position),
        "timeMs": place.as_ref().map(|place| place.time_ms),
    })
}

fn line(attested: &Attested) -> Vec<String> {
    let Attested { prepared: Prepared { file, content, sequence, transaction }, place } = attested;
    let position =
        place.as_ref().map_or_else(|| "pending".to_owned(), |place| Position::from(place.position).to_string());
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
        "files": done.iter().map(file_json).collect::<Vec<_>>(),
    });
    if done.is_empty()
        && let Some(failure) = failure
    {
        return Err(failure);
    }
    let lines: Vec<Vec<String>> = done.iter().map(line).collect();
    let table = table(&["SEQUENCE", "POSITION", "READINGS", "TRANSACTION", "FILE"], &lines);
    let text = format!("{table}attested {} in stream {stream}", counted(done.len(), "file"));
    Ok(Report::new(&json, text)?.with_failure(failure))
}

#[cfg(test)]
mod tests {
    use cairn_types::{
        BlockHash, BlockRef, Body, Call, ChainId, Content, ContentForm, ContentHash, DeviceId, GrantId, Hash, Height,
        Principal, SignedTransaction, StreamId, Transaction, TransactionId, call::Attest,
    };

    use super::{CHUNK_BYTES, CHUNK_FILES, Prepared, chunks};

    fn prepared(sequence: u64) -> Prepared {
        let hash = Hash::plain(b"anything");
        let content = Content { form: ContentForm::Plain, hash: ContentHash::from_hash(hash), bytes: 1, readings: 1 };
        let call = Call::Attest(Attest {
            stream: StreamId::from_hash(hash),
            sequence,
            previous: TransactionId::from_hash(hash),
            content,
            claimed: None,
            derived_from: Vec::new(),
            authority: GrantId::from_hash(hash),
        });
        let body = Body {
            chain: ChainId::from_hash(hash),
            signer: Principal::Device(DeviceId::from_hash(hash)),
            not_before: BlockRef { height: Height::GENESIS, hash: BlockHash::from_hash(hash) },
            expires: None,
            call,
        };
        let transaction = SignedTransaction::new(Transaction { body, signatures: Vec::new() });
        Prepared { file: format!("{sequence}.csv").into(), content, sequence, transaction }
    }

    #[test]
    fn chunks_fit_a_request_and_keep_the_order() {
        let count = 2 * CHUNK_FILES as u64 + 1;
        let chunks = chunks((0..count).map(prepared).collect());
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [CHUNK_FILES, CHUNK_FILES, 1]);
        let order: Vec<u64> = chunks.iter().flatten().map(|one| one.sequence).collect();
        assert_eq!(order, (0..count).collect::<Vec<_>>());
        for chunk in &chunks {
            assert!(chunk.iter().map(|one| one.transaction.bytes().len()).sum::<usize>() <= CHUNK_BYTES);
        }
    }
}
