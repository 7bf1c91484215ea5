//! `cairn audit`: ask a node what an auditor wants to know, and take the proof along.
//!
//! What a node answers here is the node's word, except for bundles, lookups, checkpoints and live verdicts: those are
//! judged without trusting anybody. Nothing here signs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use cairn_proofs::lookup::Question;
use cairn_rpc::views::{AttestationSelector, AttestationView, Text};
use cairn_types::{AttestationRef, Height, StreamId};
use clap::{Args, Subcommand};

mod bundle;
mod find;
mod live;
mod stream;
mod trace;
mod verdict;

use super::connect::{Connection, NodeArgs};
use super::lookup::{ProofArgs, checkpoint};
use super::names::height;
use super::verify::content::{self, Salt};

#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    #[command(subcommand)]
    command: Audit,
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Fetch everything that is needed to judge an attestation offline, as one file.
    Bundle(bundle::Bundle),
    /// Who attested the content of a file.
    Find(find::Find),
    /// Ask the node for its verdict about a file; or judge here, with --live, what holds now.
    Verdict(verdict::AskVerdict),
    /// Where an attestation comes from: what it was derived from, who said it, whose the devices were.
    Trace(trace::Trace),
    /// Have a question about the state answered completely, with proof, and check the proof here.
    Lookup(Lookup),
    /// The newest checkpoint, verified from the genesis hash through all changes of the validators: a light client.
    Checkpoint(Checkpoint),
    /// Compare files with a whole stream: which are in it, which are missing, which are strange to it.
    Stream(stream::StreamAudit),
}

#[derive(Debug, Args)]
struct Lookup {
    /// The question: checkpoint, organizations, council, validators, parameters; or, with an id after the colon,
    /// organization:ID, device:ID, deviceStreams:ID, deviceGrants:ID, grant:ID, grants:device:ID, stream:ID, lot:ID,
    /// lots:ORGANIZATION, superseded:STREAM.
    question: Question,
    /// As it stood at this height [default: the latest]
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    at: Option<Height>,
    #[command(flatten)]
    prove: ProofArgs,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Args)]
struct Checkpoint {
    /// The checkpoint of this height [default: the latest]
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    at: Option<Height>,
    /// How old it may be by this machine's clock, in seconds; any age if left out.
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
    /// Keep it in this file, for 'cairn verify'.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    match &command.command {
        Audit::Bundle(bundle) => bundle.node.run(async |connection| bundle.run(connection).await),
        Audit::Find(find) => find.node.run(async |connection| find.run(connection).await),
        Audit::Verdict(verdict) => verdict.node.run(async |connection| verdict.run(connection).await),
        Audit::Trace(trace) => trace.node.run(async |connection| trace.run(connection).await),
        Audit::Lookup(lookup) => lookup
            .node
            .run(async |connection| lookup.prove.report(connection, lookup.question.clone(), lookup.at).await),
        Audit::Checkpoint(Checkpoint { at, max_age, out, node }) => {
            node.run(async |connection| checkpoint(connection, *at, *max_age, out.as_deref()).await)
        }
        Audit::Stream(stream) => stream.node.run(async |connection| stream.run(connection).await),
    }
}

/// What the ledger does not hold as the auditor expected.
#[derive(Debug, thiserror::Error)]
enum Unmet {
    #[error("no final attestation{} has the content of {path}", of_stream(.stream), path = .path.display())]
    NotAttested { path: PathBuf, stream: Option<StreamId> },
    #[error(
        "{} attestations have the content of {path}; name one of them, or its stream with --stream:{}",
        .places.len(), lines(.places), path = .path.display()
    )]
    Ambiguous { path: PathBuf, places: Vec<AttestationRef> },
}

fn of_stream(stream: &Option<StreamId>) -> String {
    stream.map(|stream| format!(" of stream {stream}")).unwrap_or_default()
}

fn lines(places: &[AttestationRef]) -> String {
    places.iter().map(|place| format!("\n  {place}")).collect()
}

/// The place of an attestation.
fn place(attestation: &AttestationView) -> AttestationRef {
    AttestationRef { stream: attestation.stream.0, sequence: attestation.sequence.0 }
}

/// Which attestation is meant.
#[derive(Debug, Args)]
struct Which {
    /// The attestation: its transaction's id, or STREAM/SEQUENCE.
    #[arg(value_name = "TX|STREAM/SEQ", required_unless_present = "content_of")]
    attestation: Option<Text<AttestationSelector>>,
    /// The attestation of the content of this file.
    #[arg(long, value_name = "FILE", conflicts_with = "attestation")]
    content_of: Option<PathBuf>,
    /// If several attestations have this content: the one of this stream.
    #[arg(long, value_name = "STREAM", requires = "content_of")]
    stream: Option<StreamId>,
    /// The salt of a salted content: a file of 64 hexadecimal digits.
    #[arg(long, value_name = "HEXFILE", requires = "content_of")]
    salt: Option<PathBuf>,
}

impl Which {
    async fn selector(&self, connection: &Connection) -> anyhow::Result<Text<AttestationSelector>> {
        if let Some(attestation) = self.attestation {
            return Ok(attestation);
        }
        let path = self.content_of.as_deref().context("an attestation or --content-of is needed")?;
        let salt = self.salt.as_deref().map(Salt::read).transpose()?;
        let evidence = content::evidence(path, salt.as_ref())?;
        let found = find::all(&connection.client, evidence.hash).await?.items;
        Ok(Text::from(only(found, self.stream, path)?.id.0))
    }
}

/// The one attestation among those that have the content of a file.
fn only(found: Vec<AttestationView>, stream: Option<StreamId>, path: &Path) -> Result<AttestationView, Unmet> {
    let path = path.to_owned();
    let mut wanted: Vec<AttestationView> =
        found.into_iter().filter(|one| stream.is_none_or(|stream| one.stream.0 == stream)).collect();
    match (wanted.pop(), wanted.is_empty()) {
        (None, _) => Err(Unmet::NotAttested { path, stream }),
        (Some(one), true) => Ok(one),
        (Some(last), false) => {
            wanted.push(last);
            Err(Unmet::Ambiguous { path, places: wanted.iter().map(place).collect() })
        }
    }
}
