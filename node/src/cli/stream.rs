//! `cairn stream`: a device's gap-free sequences of attestations. What ends or corrects one is in [`change`].

use std::path::PathBuf;
use std::process::ExitCode;

use cairn_proofs::lookup::Question;
use cairn_rpc::views::{AttestationView, StreamView, Text};
use cairn_types::call::OpenStream;
use cairn_types::{AttestationRef, Call, DeviceId, GrantId, Height, Name, Position, StreamId};
use clap::{Args, Subcommand};

use super::connect::{Connection, NodeArgs};
use super::list::{ListArgs, collect, footer};
use super::lookup::ProveArgs;
use super::names::{PrincipalName, StreamName, attestation, height};
use super::output::{Report, Rows, Usage, counted, table, time};
use super::sign::Party;
use super::submit::{self, SubmitArgs};
use crate::keys::private::PrivateKey;

mod change;

#[derive(Debug, Args)]
pub(super) struct StreamCommand {
    #[command(subcommand)]
    command: Stream,
}

#[derive(Debug, Subcommand)]
enum Stream {
    /// Begin a stream: the device signs.
    Open(Open),
    /// End a stream: the device signs.
    Close(Close),
    /// Say that an attestation is not to be used any more: its device or the device's owner signs.
    Supersede(Supersede),
    /// Show that a device signed two things for one place of a stream. Anybody may sign.
    ReportFork(ReportFork),
    /// Show one stream.
    Get {
        /// The stream's id, or its name with --device.
        stream: StreamName,
        /// The device that the name belongs to.
        #[arg(long, value_name = "ID")]
        device: Option<DeviceId>,
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List streams.
    List {
        /// Only those of this device.
        #[arg(long, value_name = "ID")]
        device: Option<DeviceId>,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List the attestations of a stream in their order.
    Range {
        /// The stream's id, or its name with --device.
        stream: StreamName,
        /// The device that the name belongs to.
        #[arg(long, value_name = "ID")]
        device: Option<DeviceId>,
        /// The first sequence.
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        from: u64,
        /// Show at most so many [default: all]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
        #[command(flatten)]
        node: NodeArgs,
    },
}

#[derive(Debug, Args)]
struct Open {
    /// Whose stream it is.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// The device's key.
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// What the stream is called; unique for the device.
    #[arg(long, value_name = "NAME")]
    name: Name,
    /// The device's grant of 'attest'.
    #[arg(long, value_name = "GRANT")]
    grant: GrantId,
    /// At most so many seconds lie between two attestations; silence beyond that is shown by audits.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    cadence: Option<u32>,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Close {
    /// The stream: its name, or its id.
    #[arg(value_name = "STREAM")]
    stream: StreamName,
    /// Whose stream it is.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// The device's key.
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Supersede {
    /// The attestation that is not to be used any more.
    #[arg(value_name = "STREAM/SEQ", value_parser = attestation)]
    target: AttestationRef,
    /// The attestation of the same device to use instead.
    #[arg(long, value_name = "STREAM/SEQ", value_parser = attestation)]
    replacement: Option<AttestationRef>,
    /// Key of the device's owner; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    /// The key is the device's own.
    #[arg(long)]
    as_device: bool,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct ReportFork {
    /// A file with one of the two signed attestations.
    first: PathBuf,
    /// A file with the other.
    second: PathBuf,
    /// Who reports: org:NAME or device:ID.
    #[arg(long, value_name = "PRINCIPAL")]
    signer: PrincipalName,
    /// Key of the one who reports; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    submit: SubmitArgs,
}

pub(super) fn run(command: StreamCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Stream::Open(args) => args.submit.run(async |connection| open(connection, &args).await),
        Stream::Close(args) => args.submit.run(async |connection| change::close(connection, &args).await),
        Stream::Supersede(args) => args.submit.run(async |connection| change::supersede(connection, &args).await),
        Stream::ReportFork(args) => args.submit.run(async |connection| change::report_fork(connection, &args).await),
        Stream::Get { stream, device, at, prove, node } => node.run(async |connection| {
            let stream = identify(&stream, device)?;
            match prove.prove {
                true => prove.report(connection, Question::Stream(stream), at).await,
                false => get(connection, stream, at).await,
            }
        }),
        Stream::List { device, list, prove, node } => node.run(async |connection| match (prove.prove, device) {
            (true, Some(device)) => prove.report(connection, Question::DeviceStreams(device), list.whole()?).await,
            (true, None) => Err(Usage("streams are proven of a device: --device ID".to_owned()).into()),
            (false, _) => all(connection, device, list).await,
        }),
        Stream::Range { stream, device, from, limit, node } => node.run(async |connection| {
            let stream = identify(&stream, device)?;
            range(connection, stream, from, limit).await
        }),
    }
}

/// A stream's id. A name alone names nothing: every device may have a stream of that name.
fn identify(name: &StreamName, device: Option<DeviceId>) -> anyhow::Result<StreamId> {
    match (name, device) {
        (StreamName::Id(id), _) => Ok(*id),
        (StreamName::Name(_), Some(device)) => Ok(name.of(&device)),
        (StreamName::Name(name), None) => {
            Err(Usage(format!("whose stream {name}? name its device with --device ID")).into())
        }
    }
}

async fn open(connection: &Connection, args: &Open) -> anyhow::Result<Report> {
    let signer = Party::device(args.device, PrivateKey::read(&args.key)?);
    let call = Call::OpenStream(OpenStream { name: args.name.clone(), cadence_s: args.cadence, authority: args.grant });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    let stream = StreamId::of(&args.device, &args.name);
    sent.report(&format!("opened stream {}", args.name), &[("stream", stream.to_string())])
}

/// A stream in lines.
pub(super) fn rows(view: &StreamView) -> Rows {
    Rows::new()
        .row("stream", view.id)
        .row("name", &view.name)
        .row("device", view.device)
        .maybe("cadence", view.cadence_s.map(|seconds| counted(seconds, "second")))
        .row("attestations", view.count)
        .row("opened at", Position::from(view.opened))
        .row("head", format!("{} at {}", view.head, Position::from(view.head_position)))
        .maybe("closed at", view.closed.map(Position::from))
        .maybe("forked at", view.forked_at.map(|sequence| format!("sequence {sequence}")))
}

/// Streams, a line each.
pub(super) fn lines(views: &[StreamView]) -> String {
    let line = |view: &StreamView| {
        vec![
            view.id.to_string(),
            view.name.to_string(),
            view.count.to_string(),
            standing(view),
            view.device.to_string(),
        ]
    };
    table(&["STREAM", "NAME", "COUNT", "STATE", "DEVICE"], &views.iter().map(line).collect::<Vec<_>>())
}

fn standing(view: &StreamView) -> String {
    match (view.forked_at, view.closed) {
        (Some(sequence), _) => format!("forked at number {sequence}"),
        (None, Some(closed)) => format!("closed at {}", Position::from(closed)),
        (None, None) => "open".to_owned(),
    }
}

async fn get(connection: &Connection, id: StreamId, at: Option<Height>) -> anyhow::Result<Report> {
    let answer = connection.client.stream_get(Text(id), at.map(Text)).await?;
    Report::new(&answer, rows(&answer.value))
}

async fn all(connection: &Connection, device: Option<DeviceId>, list: ListArgs) -> anyhow::Result<Report> {
    let client = &connection.client;
    let page = collect::<_, StreamId>(list, async |after, limit, at| {
        client.stream_list(device.map(Text), after, limit, at).await
    });
    let page = page.await?;
    let table = lines(&page.items);
    Report::new(&page, format!("{table}{}", footer(&page, "stream")))
}

/// That an attestation is not to be used any more, and what to use instead.
fn superseded(view: &AttestationView) -> String {
    view.superseded.map_or_else(String::new, |superseded| {
        let at = Position::from(superseded.at);
        superseded.replacement.map_or_else(|| format!("at {at}"), |place| format!("at {at}, by {place}"))
    })
}

async fn range(connection: &Connection, id: StreamId, from: u64, limit: Option<u32>) -> anyhow::Result<Report> {
    let client = &connection.client;
    // What stands in a stream never changes, so there is no height to read it at.
    let page = collect::<_, u64>(ListArgs::up_to(limit), async |after, limit, _| {
        client.stream_get_range(Text(id), Some(after.unwrap_or(Text(from))), limit, None).await
    });
    let page = page.await?;
    let line = |view: &AttestationView| {
        vec![
            view.sequence.to_string(),
            Position::from(view.position).to_string(),
            time(view.time_ms.0),
            view.content.readings.to_string(),
            view.content.hash.to_string(),
            superseded(view),
        ]
    };
    let lines: Vec<Vec<String>> = page.items.iter().map(line).collect();
    let table = table(&["SEQUENCE", "POSITION", "TIME", "READINGS", "CONTENT", "SUPERSEDED"], &lines);
    Report::new(&page, format!("{table}{}", footer(&page, "attestation")))
}
