//! `cairn organization`: who is in the network, and with which keys. What replaces keys is in [`mod@rotate`].

use std::process::ExitCode;

use cairn_proofs::lookup::Question;
use cairn_rpc::views::{OrganizationEpochView, OrganizationView, Text, UsageView};
use cairn_types::{Height, Name, Position};
use clap::{Args, Subcommand};

use super::connect::{Connection, NodeArgs};
use super::list::{ListArgs, collect, footer};
use super::lookup::{ProveArgs, Prover};
use super::names::{OrganizationName, height};
use super::output::{Report, Rows, counted, table};

mod rotate;

#[derive(Debug, Args)]
pub(super) struct OrganizationCommand {
    #[command(subcommand)]
    command: Organization,
}

#[derive(Debug, Subcommand)]
enum Organization {
    /// List all organizations, by name.
    List {
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Show one organization.
    Get {
        /// Its name or id.
        #[arg(value_name = "ORG")]
        organization: OrganizationName,
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List all key epochs of an organization.
    History {
        /// Its name or id.
        #[arg(value_name = "ORG")]
        organization: OrganizationName,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Show how much of its quota an organization and its devices have used.
    Usage {
        /// Its name or id.
        #[arg(value_name = "ORG")]
        organization: OrganizationName,
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Replace an organization's keys: those to which it committed sign, or its recovery keys.
    Rotate(rotate::Rotate),
}

pub(super) fn run(command: OrganizationCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Organization::List { list, prove, node } => node.run(async |connection| match prove.prove {
            true => prove.report(connection, Question::Organizations, list.whole()?).await,
            false => all(connection, list).await,
        }),
        Organization::Get { organization, at, prove, node } => node.run(async |connection| {
            if !prove.prove {
                return get(connection, organization, at).await;
            }
            let id = Prover::new(connection)?.organization_id(&organization, at).await?;
            prove.report(connection, Question::Organization(id), at).await
        }),
        Organization::History { organization, list, prove, node } => node.run(async |connection| {
            if !prove.prove {
                return history(connection, organization, list).await;
            }
            let at = list.whole()?;
            let id = Prover::new(connection)?.organization_id(&organization, at).await?;
            prove.report(connection, Question::Organization(id), at).await
        }),
        Organization::Usage { organization, at, node } => node.run(async |connection| {
            let answer = connection.client.organization_get_usage(Text(organization.0), at.map(Text)).await?;
            Report::new(&answer, usage_rows(&answer.value))
        }),
        Organization::Rotate(args) => args.submit.run(async |connection| args.run(connection).await),
    }
}

fn roles(view: &OrganizationView) -> String {
    let names = view.roles.iter().filter_map(|role| serde_json::to_value(role).ok());
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect::<Vec<_>>().join("+")
}

fn threshold(view: &OrganizationView) -> String {
    format!("{} of {}", view.keys.threshold, view.keys.keys.len())
}

async fn all(connection: &Connection, list: ListArgs) -> anyhow::Result<Report> {
    let client = &connection.client;
    let page = collect::<_, Name>(list, async |after, limit, at| client.organization_list(after, limit, at).await);
    let page = page.await?;
    let line = |view: &OrganizationView| {
        let state = if view.expelled.is_some() { "expelled" } else { "member" };
        let (name, id) = (view.name.to_string(), view.id.to_string());
        vec![name, roles(view), threshold(view), state.to_owned(), id, view.title.clone()]
    };
    let lines: Vec<Vec<String>> = page.items.iter().map(line).collect();
    let table = table(&["NAME", "ROLES", "KEYS", "STATE", "ID", "TITLE"], &lines);
    Report::new(&page, format!("{table}{}", footer(&page, "organization")))
}

/// How much of a quota is used.
pub(super) fn usage_rows(view: &UsageView) -> Rows {
    let quota = match view.quota {
        0 => "none".to_owned(),
        quota => format!("{quota} in a window, {} of them kept for calls that stop harm", view.reserved),
    };
    Rows::new()
        .row("quota", quota)
        .row("used", counted(view.used, "transaction"))
        .maybe("left", view.left)
        .row("until", format!("height {}", view.until))
}

async fn history(connection: &Connection, name: OrganizationName, list: ListArgs) -> anyhow::Result<Report> {
    let client = &connection.client;
    let page = collect::<_, u64>(list, async |after, limit, at| {
        client.organization_get_history(Text(name.0.clone()), after, limit, at).await
    });
    let page = page.await?;
    let line = |epoch: &OrganizationEpochView| {
        let set = &epoch.value.keys;
        let keys = set.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let to = epoch.to.map_or_else(String::new, |to| Position::from(to).to_string());
        let threshold = format!("{} of {}", set.threshold, set.keys.len());
        vec![Position::from(epoch.from).to_string(), to, threshold, keys]
    };
    let lines: Vec<Vec<String>> = page.items.iter().map(line).collect();
    let table = table(&["FROM", "TO", "MUST SIGN", "KEYS"], &lines);
    Report::new(&page, format!("{table}{}", footer(&page, "key epoch")))
}

async fn get(connection: &Connection, name: OrganizationName, at: Option<Height>) -> anyhow::Result<Report> {
    let answer = connection.client.organization_get(Text(name.0), at.map(Text)).await?;
    let view = &answer.value;
    let rows = Rows::new()
        .row("organization", &view.name)
        .row("id", view.id)
        .row("title", &view.title)
        .row("roles", roles(view))
        .row("keys", format!("{}, since {}", threshold(view), Position::from(view.keys_since)));
    let rows =
        view.keys.keys.iter().enumerate().fold(rows, |rows, (index, key)| rows.row(&format!("key {index}"), key));
    let rows = rows
        .maybe("next keys", view.next.map(|next| format!("committed to as {next}")))
        .maybe("recovery", view.recovery.as_ref().map(|set| format!("{} of {} keys", set.threshold, set.keys.len())))
        .row("key epochs", view.key_epochs)
        .row("admitted", Position::from(view.admitted))
        .maybe("expelled", view.expelled.map(Position::from));
    Report::new(&answer, rows)
}
