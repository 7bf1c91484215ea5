//! `cairn council`: who takes part, who validates, by which parameters, and when the rules change.
//!
//! A measure is one transaction that more than two thirds of the council's organizations sign. They sign at once, with
//! `--as` for each, or one after the other: `--draft` keeps the transaction in a file, `cairn tx sign` adds signatures, and
//! `cairn tx submit` sends it as soon as enough have signed.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use cairn_rpc::views::CouncilMemberView;
use cairn_types::call::Govern;
use cairn_types::governance::{Measure, Upgrade};
use cairn_types::{Call, Height, OrganizationId, Principal, SignedTransaction};
use clap::{Args, Subcommand};

use super::connect::{Connection, NodeArgs};
use super::names::{OrganizationName, PrincipalName, height};
use super::output::{Report, Usage};
use super::sign::{Party, SignerKeys};
use super::submit::{self, SubmitArgs};

mod admit;
pub(super) mod parameters;
pub(super) mod show;
mod validators;

#[derive(Debug, Args)]
pub(super) struct CouncilCommand {
    #[command(subcommand)]
    command: Council,
}

#[derive(Debug, Subcommand)]
enum Council {
    /// Show the council, the validators, the parameters and what is scheduled.
    Show {
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Admit an organization.
    Admit(admit::Admit),
    /// Expel an organization: it signs nothing more, and what rests on its authority ends.
    Expel {
        /// The organization.
        #[arg(value_name = "ORG")]
        organization: OrganizationName,
        #[command(flatten)]
        measure: MeasureArgs,
    },
    /// Change who validates, relative to who does now. It takes effect two heights later.
    Validators(validators::Validators),
    /// Change parameters, relative to those that hold now.
    Parameters(parameters::SetParameters),
    /// Schedule a change of the rules, or call the scheduled one off.
    Upgrade(ScheduleUpgrade),
}

#[derive(Debug, Args)]
struct ScheduleUpgrade {
    /// The version from then on.
    #[arg(long, value_name = "N", requires = "height", required_unless_present = "cancel")]
    version: Option<u16>,
    /// The first block of that version.
    #[arg(long, value_name = "HEIGHT", value_parser = height, requires = "version")]
    height: Option<Height>,
    /// Call the scheduled change off.
    #[arg(long, conflicts_with_all = ["version", "height"])]
    cancel: bool,
    #[command(flatten)]
    measure: MeasureArgs,
}

/// Who decides.
#[derive(Debug, Args)]
struct MeasureArgs {
    /// An organization of the council, with as many of its keys as must sign; repeat it for each that signs.
    #[arg(long = "as", value_name = "ORG=PEM[,PEM…]", required_unless_present = "draft")]
    signers: Vec<SignerKeys>,
    /// In whose name, one of the council [default: the first that signs]
    #[arg(long, value_name = "ORG", required_unless_present = "signers")]
    signer: Option<OrganizationName>,
    #[command(flatten)]
    submit: SubmitArgs,
}

impl MeasureArgs {
    /// Makes a transaction of `measure`, signs it as all who were named, and sends or keeps it.
    async fn decide(
        &self,
        connection: &Connection,
        measure: Measure,
        headline: &str,
        subjects: &[(&str, String)],
    ) -> anyhow::Result<Report> {
        let mut parties = Vec::new();
        for signer in &self.signers {
            let Principal::Organization(id) = connection.principal(&signer.principal).await? else {
                return Err(Usage("the council's organizations sign, and no device".to_owned()).into());
            };
            parties.push(Party::organization(connection, id, &signer.keys).await?);
        }
        let first = match &self.signer {
            Some(name) => {
                let name = PrincipalName::Organization(name.clone());
                Party::without_keys(connection.principal(&name).await?)
            }
            None => Party::without_keys(parties.first().context("--as or --signer is needed")?.principal()),
        };
        let others: Vec<&Party> = parties.iter().collect();
        let call = Call::Govern(Govern { measure });
        let sent = submit::call_with(connection, &self.submit, call, &first, &others).await?;
        sent.report(headline, subjects)
    }
}

pub(super) fn run(command: CouncilCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Council::Show { at, node } => node.run(async |connection| show::show(connection, at).await),
        Council::Admit(args) => args.measure.submit.run(async |connection| args.run(connection).await),
        Council::Expel { organization, measure } => measure.submit.run(async |connection| {
            let id = connection.organization_id(&organization).await?;
            let subjects = [("organization", id.to_string())];
            measure.decide(connection, Measure::Expel(id), "expelled the organization", &subjects).await
        }),
        Council::Validators(args) => args.measure.submit.run(async |connection| args.run(connection).await),
        Council::Parameters(args) => args.measure.submit.run(async |connection| args.run(connection).await),
        Council::Upgrade(args) => args.measure.submit.run(async |connection| upgrade(connection, &args).await),
    }
}

async fn upgrade(connection: &Connection, args: &ScheduleUpgrade) -> anyhow::Result<Report> {
    match args.version.zip(args.height) {
        Some((version, height)) => {
            let measure = Measure::ScheduleUpgrade(Some(Upgrade { version, height }));
            let subjects = [("version", version.to_string()), ("height", height.to_string())];
            args.measure.decide(connection, measure, "scheduled the upgrade", &subjects).await
        }
        None => args.measure.decide(connection, Measure::ScheduleUpgrade(None), "called the upgrade off", &[]).await,
    }
}

/// Too few have signed a measure.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} of {} organizations of the council have signed, and more than two thirds must; missing are {}",
    .signed, .members, .missing.join(", ")
)]
struct Unsigned {
    signed: usize,
    members: usize,
    missing: Vec<String>,
}

/// Refuses a measure that too few have signed, and says who is missing, before a node does.
pub(super) async fn check_quorum(connection: &Connection, measure: &SignedTransaction) -> anyhow::Result<()> {
    let members = connection.client.chain_get_council(None).await?.value.members;
    let mut counts: BTreeMap<OrganizationId, usize> = BTreeMap::new();
    for signature in &measure.transaction().signatures {
        if let Principal::Organization(id) = signature.signer {
            let count = counts.entry(id).or_default();
            *count = count.saturating_add(1);
        }
    }
    let has_signed = |member: &&CouncilMemberView| {
        counts.get(&member.id.0).is_some_and(|count| *count >= usize::from(member.keys.threshold))
    };
    let (signed, unsigned): (Vec<_>, Vec<_>) = members.iter().partition(has_signed);
    if signed.len().saturating_mul(3) > members.len().saturating_mul(2) {
        return Ok(());
    }
    let missing = unsigned.iter().map(|member| member.name.to_string()).collect();
    Err(Unsigned { signed: signed.len(), members: members.len(), missing }.into())
}
