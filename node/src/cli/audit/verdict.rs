//! `cairn audit verdict`: what a node says about a file. It is the node's word; `cairn verify` needs nobody's, and neither
//! does `--live`, which is in [`super::live`].

use std::fmt::Write as _;
use std::path::PathBuf;

use cairn_proofs::verdict::Outcome;
use cairn_rpc::views::{AttestationSelector, BlockPointView, LaterView, Text, VerdictView};
use cairn_types::{Position, StreamId};
use clap::Args;

use super::super::connect::{Connection, NodeArgs};
use super::super::output::{Report, Usage, counted, time};
use super::super::verify::content::{self, Salt};
use super::super::verify::paint::{BAD, DOUBT, GOOD, Paint, harmless, short};
use super::{find, live, only};

#[derive(Debug, Args)]
pub(super) struct AskVerdict {
    /// The content that is said to be attested. With --live the question may be about the attestation alone.
    #[arg(required_unless_present = "live")]
    file: Option<PathBuf>,
    /// The attestation: its transaction's id, or STREAM/SEQUENCE; if left out, the one that has this content.
    #[arg(long, value_name = "TX|STREAM/SEQ")]
    attestation: Option<Text<AttestationSelector>>,
    /// If several attestations have this content: the one of this stream.
    #[arg(long, value_name = "STREAM", conflicts_with = "attestation")]
    stream: Option<StreamId>,
    /// The salt of a salted content: a file of 64 hexadecimal digits.
    #[arg(long, value_name = "HEXFILE")]
    salt: Option<PathBuf>,
    /// How old the latest final block may be, in seconds, by the node's clock; with --live by this machine's. Any age if
    /// left out.
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
    /// Ask about now, and judge here instead of believing the node: ok, refused, doubtful, or unknown if the newest
    /// checkpoint is older than --max-age. Exit status 0, 1, 3 and 4. Needs --genesis or --genesis-file.
    #[arg(long, requires = "max_age")]
    live: bool,
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

impl AskVerdict {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let salt = self.salt.as_deref().map(Salt::read).transpose()?;
        let evidence = self.file.as_deref().map(|file| content::evidence(file, salt.as_ref())).transpose()?;
        let client = &connection.client;
        let selector = match (self.attestation, &self.file, &evidence) {
            (Some(selector), _, _) => selector,
            (None, Some(file), Some(evidence)) => {
                Text::from(only(find::all(client, evidence.hash).await?.items, self.stream, file)?.id.0)
            }
            _ => return Err(Usage("which attestation? name it with --attestation, or its file".to_owned()).into()),
        };
        if let (true, Some(max_age)) = (self.live, self.max_age) {
            return live::ask(connection, selector, evidence, max_age).await;
        }
        let age_max_ms = self.max_age.map(|seconds| Text(seconds.saturating_mul(1_000)));
        let answer = client.audit_verdict(selector, evidence.map(Into::into), age_max_ms, None).await?;
        let text = self.in_words(&answer.value, Paint::of_stdout());
        Ok(Report::new(&answer, text)?.holding(answer.value.outcome == Outcome::Valid.name()))
    }

    fn in_words(&self, verdict: &VerdictView, paint: Paint) -> String {
        let file = self.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
        let mut text = format!("{}   {file}", paint.outcome(&harmless(&verdict.outcome)));
        if let Some(statement) = &verdict.statement {
            let (id, stream) = (short(&statement.id), short(&statement.stream));
            let _ = write!(text, ": attestation {id}, number {} of stream {stream}", statement.sequence);
        }
        text.push('\n');
        for reason in &verdict.reasons {
            let _ = writeln!(text, "  because {}", harmless(&reason.message));
        }
        text.push('\n');
        for (axis, standing, words) in axes(verdict) {
            let mark = match standing_of(&standing) {
                Outcome::Valid => paint.good(GOOD),
                Outcome::Incomplete => paint.doubt(DOUBT),
                Outcome::Invalid => paint.bad(BAD),
            };
            let _ = writeln!(text, "  {mark} {axis:<10} {}{words}", harmless(&standing.replace('_', " ")));
        }
        let whose = "This is the node's word. For proof: cairn audit bundle, then cairn verify.";
        let _ = writeln!(text, "\n{}", paint.dim(whose));
        text
    }
}

/// How grave the standing of an axis is.
fn standing_of(standing: &str) -> Outcome {
    match standing {
        "differs" | "not_held" | "not_active" | "contradicts" | "conflict" => Outcome::Invalid,
        "not_comparable" | "not_supplied" | "suspect" | "forked" | "stale" | "unknown" | "unconnected"
        | "not established" => Outcome::Incomplete,
        _ => Outcome::Valid,
    }
}

/// Name, standing and details of each axis.
fn axes(verdict: &VerdictView) -> Vec<(&'static str, String, String)> {
    let not_reached = || ("not established".to_owned(), String::new());
    let integrity = verdict.integrity.as_ref().map(|axis| {
        let readings = counted(axis.signed.readings.0, "reading");
        (axis.standing.clone(), format!(", {} signed, {readings}", counted(axis.signed.bytes.0, "byte")))
    });
    let bounds = verdict.bounds.as_ref().map(|axis| {
        let (after, before) = (timed(&axis.after), timed(&axis.before));
        (format!("after block {after}"), format!(", before the end of block {before}"))
    });
    let finality = verdict.finality.as_ref().map(|axis| {
        let standing = if axis.freshness == "not_asked" { "signed".to_owned() } else { axis.freshness.clone() };
        let checkpoint = timed(&axis.checkpoint);
        (standing, format!(": block {checkpoint}, by {} of {} validators", axis.signers.len(), axis.validators))
    });
    let key = verdict.key.as_ref().map(|axis| (axis.standing.clone(), String::new()));
    let device = verdict.device.as_ref().map(|axis| {
        let zones = axis.zones.iter().map(|zone| zone.value.zone.path.to_string()).collect::<Vec<_>>();
        let word = axis.endorsement.as_ref().map(|word| {
            let trust = harmless(&word.trust);
            format!(", endorsed as {}, which is {trust}", word.serial.escape_debug())
        });
        let word = word.unwrap_or_else(|| ", unendorsed".to_owned());
        (axis.standing.clone(), format!(": {}, in {}{word}", axis.model.escape_debug(), zones.join(", then ")))
    });
    let authority = verdict.authority.as_ref().map(|axis| {
        let grants = counted(axis.path.len(), "grant");
        (axis.standing.clone(), format!(", by a path of {grants}"))
    });
    let stream = verdict
        .stream
        .as_ref()
        .map(|axis| (axis.standing.clone(), format!(": number {} of {} in {}", axis.sequence, axis.count, axis.name)));
    let later = verdict.later.as_ref().map(|events| match events.len() {
        0 => ("nothing".to_owned(), String::new()),
        _ => (events.iter().map(happened).collect::<Vec<_>>().join("; "), String::new()),
    });
    let present = verdict.present.as_ref().map(|axis| {
        let status = axis.status.and_then(|name| serde_json::to_value(name).ok());
        let status = status.as_ref().and_then(|name| name.as_str()).unwrap_or("unknown").to_owned();
        let superseded = if axis.superseded { ", superseded" } else { "" };
        let words = format!(", authority {}, device {status}, stream {}{superseded}", axis.authority, axis.stream);
        (format!("key {}", axis.key), words)
    });
    let all = [
        ("integrity", integrity),
        ("bounds", bounds),
        ("finality", finality),
        ("key", key),
        ("device", device),
        ("authority", authority),
        ("stream", stream),
        ("later", later),
        ("present", present),
    ];
    all.into_iter()
        .map(|(axis, reached)| {
            let (standing, words) = reached.unwrap_or_else(not_reached);
            (axis, standing, words)
        })
        .collect()
}

/// What happened later, and where.
fn happened(later: &LaterView) -> String {
    let mut text = later.event.replace('_', " ");
    if let Some(status) = later.status {
        let name = serde_json::to_value(status).ok();
        let _ = write!(text, " to {}", name.as_ref().and_then(|name| name.as_str()).unwrap_or_default());
    }
    if let Some(Text(further)) = later.further {
        let _ = write!(text, ", the last of {further} more,");
    }
    let _ = write!(text, " at {}", Position::from(later.position));
    if let Some(since) = later.suspect_since {
        let _ = write!(text, ", in doubt since {}", Position::from(since));
    }
    text
}

fn timed(block: &BlockPointView) -> String {
    format!("{} ({})", block.height, time(block.time_ms.0))
}
