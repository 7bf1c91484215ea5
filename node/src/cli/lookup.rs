//! Answers with proof: asked of a node, believed for their proof alone, against the genesis hash that the person names.
//!
//! What is printed comes out of the proof, and not out of what the node says beside it. A list is complete, or nothing is
//! printed as proven. The names of organizations that are shown are proven too.
//!
//! Exit status: 0 if it is proven, 1 if the proof is refuted, 3 if something of it is missing or the checkpoint too old.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cairn_proofs::lookup::{Answer, LookupExpectations, LookupVerdict, Question, verify_bytes};
use cairn_proofs::verdict::{Freshness, Outcome};
use cairn_rpc::views::{OrganizationSelector, Text};
use cairn_types::{ChainId, Height, OrganizationId, Scope, Zone};
use clap::Args;
use serde_json::{Value, json};

use super::connect::{Connection, OrganizationNames};
use super::names::{OrganizationName, ScopeName, ZoneName};
use super::output::{Report, write_whole};
use super::verify::paint::{Paint, thousands};
use super::verify::status;
use crate::clock::now_ms;

mod form;
mod tell;

pub(super) use form::judgement_json;
pub(super) use tell::in_words;

/// Whether an answer is to be proven.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Proof")]
pub(super) struct ProveArgs {
    /// Have the whole answer proven, and check the proof here; needs --genesis or --genesis-file.
    #[arg(long)]
    pub(super) prove: bool,
    #[command(flatten)]
    proof: ProofArgs,
}

/// What to do with a proof.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Proof")]
pub(super) struct ProofArgs {
    /// Keep the proof in this file, for 'cairn verify'.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// How old the checkpoint may be by this machine's clock, in seconds; any age if left out.
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
}

/// How old a checkpoint may be, by this machine's clock.
pub(super) fn freshness(max_age: Option<u64>) -> Option<Freshness> {
    max_age.map(|seconds| Freshness { now_ms: now_ms(), age_max_ms: seconds.saturating_mul(1_000) })
}

impl ProveArgs {
    /// See [`ProofArgs::report`].
    pub(super) async fn report(
        &self,
        connection: &Connection,
        question: Question,
        at: Option<Height>,
    ) -> anyhow::Result<Report> {
        self.proof.report(connection, question, at).await
    }
}

impl ProofArgs {
    /// The report of a question's proven answer.
    pub(super) async fn report(
        &self,
        connection: &Connection,
        question: Question,
        at: Option<Height>,
    ) -> anyhow::Result<Report> {
        let prover = Prover { connection, genesis: connection.meant()? };
        let bytes = prover.fetch(question.clone(), at).await?;
        judged(&prover, &bytes, question, self.max_age, self.save.as_deref()).await
    }
}

/// Asks a node, and believes nothing but proofs.
pub(super) struct Prover<'a> {
    connection: &'a Connection,
    genesis: ChainId,
}

impl<'a> Prover<'a> {
    /// For the network that the person means.
    pub(super) fn new(connection: &'a Connection) -> anyhow::Result<Self> {
        Ok(Self { connection, genesis: connection.meant()? })
    }

    async fn fetch(&self, question: Question, at: Option<Height>) -> anyhow::Result<Vec<u8>> {
        Ok(self.connection.client.proof_lookup(Text(question), at.map(Text)).await?.value.proof.0)
    }

    /// The names of all organizations, proven.
    async fn names(&self, at: Option<Height>) -> anyhow::Result<OrganizationNames> {
        let bytes = self.fetch(Question::Organizations, at).await?;
        let expected = LookupExpectations::of(self.genesis).with_question(Question::Organizations);
        let verdict = verify_bytes(&bytes, &expected);
        match verdict.answer {
            Some(Answer::Organizations(list)) if verdict.outcome == Outcome::Valid => {
                Ok(list.into_iter().map(|(name, id)| (id, name)).collect())
            }
            _ => bail!("the names of the organizations are not proven: {}", reasons(&verdict)),
        }
    }

    /// The id of an organization. A name is looked up with proof, or a node could answer about another one.
    pub(super) async fn organization_id(
        &self,
        name: &OrganizationName,
        at: Option<Height>,
    ) -> anyhow::Result<OrganizationId> {
        match &name.0 {
            OrganizationSelector::Id(id) => Ok(*id),
            OrganizationSelector::Name(name) => {
                let names = self.names(at).await?;
                names.id_of(name).with_context(|| format!("it is proven that no organization is called {name}"))
            }
        }
    }

    /// A scope by ids.
    pub(super) async fn scope(&self, name: &ScopeName, at: Option<Height>) -> anyhow::Result<Scope> {
        Ok(match name {
            ScopeName::Device(id) => Scope::Device(*id),
            ScopeName::Stream(id) => Scope::Stream(*id),
            ScopeName::Zone(ZoneName { organization, path }) => {
                Scope::Zone(Zone { organization: self.organization_id(organization, at).await?, path: path.clone() })
            }
        })
    }
}

fn reasons(verdict: &LookupVerdict) -> String {
    verdict.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Judges a file, keeps it if wanted, and tells what it proves.
async fn judged(
    prover: &Prover<'_>,
    bytes: &[u8],
    question: Question,
    max_age: Option<u64>,
    save: Option<&Path>,
) -> anyhow::Result<Report> {
    let mut expected = LookupExpectations::of(prover.genesis).with_question(question);
    expected.freshness = freshness(max_age);
    let verdict = verify_bytes(bytes, &expected);
    if let Some(path) = save {
        write_whole(path, bytes).with_context(|| path.display().to_string())?;
    }
    let height = verdict.finality.as_ref().map(|finality| finality.checkpoint.height);
    let names = match &verdict.answer {
        None | Some(Answer::Checkpoint) => OrganizationNames::default(),
        Some(_) => prover.names(height).await?,
    };
    let paint = Paint::of_stdout();
    let mut text = in_words(&verdict, &names, paint);
    if let Some(path) = save {
        let bytes = thousands(u64::try_from(bytes.len())?);
        text.push_str(&paint.dim(&format!(
            "\n{} ({bytes} bytes) proves it to others: cairn verify {0} --genesis HASH\n",
            path.display()
        )));
    }
    let mut answer = form::answer_json(&verdict)?;
    if let (Value::Object(members), Some(path)) = (&mut answer, save) {
        members.insert("saved".to_owned(), json!(path));
    }
    Ok(Report::new(&answer, text)?.with_status(status(verdict.outcome)))
}

/// `cairn audit checkpoint`: the newest checkpoint, and the way to it from the genesis.
pub(super) async fn checkpoint(
    connection: &Connection,
    at: Option<Height>,
    max_age: Option<u64>,
    out: Option<&Path>,
) -> anyhow::Result<Report> {
    let prover = Prover::new(connection)?;
    let bytes = connection.client.proof_get_checkpoint(at.map(Text)).await?.value.proof.0;
    judged(&prover, &bytes, Question::Checkpoint, max_age, out).await
}
