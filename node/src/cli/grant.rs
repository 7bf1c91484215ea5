//! `cairn grant`: who may do what, where, and by whose leave. What gives and ends authority is in [`change`], what shows it
//! in [`show`].

use std::path::PathBuf;
use std::process::ExitCode;

use cairn_proofs::lookup::Question;
use cairn_types::{Action, Actions, DeviceId, GrantId, Height, Position};
use clap::{Args, Subcommand};

use super::connect::NodeArgs;
use super::list::ListArgs;
use super::lookup::ProveArgs;
use super::names::{GranteeName, PrincipalName, ScopeName, action, actions, height, position};
use super::submit::SubmitArgs;

mod change;
pub(super) mod show;

#[derive(Debug, Args)]
pub(super) struct GrantCommand {
    #[command(subcommand)]
    command: Grant,
}

#[derive(Debug, Subcommand)]
enum Grant {
    /// Give authority: as the owner of the scope, or by passing on a grant.
    Give(Give),
    /// End authority, and with it all that was passed on from it.
    Revoke(Revoke),
    /// Show one grant.
    Get {
        /// The grant's id.
        grant: GrantId,
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List grants, the revoked ones among them.
    List {
        /// Only those over exactly this: zone:ORG/PATH, device:ID or stream:ID.
        #[arg(long, value_name = "SCOPE")]
        over: Option<ScopeName>,
        /// All that are over this device: over itself, its streams, its zone and all zones above.
        #[arg(long, value_name = "ID", conflicts_with = "over")]
        device: Option<DeviceId>,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Ask whether a principal may do something: exit status 0 if so, 1 if not.
    Check(Check),
}

#[derive(Debug, Args)]
struct Give {
    /// Who gives: org:NAME or device:ID.
    #[arg(long, value_name = "PRINCIPAL")]
    grantor: PrincipalName,
    /// Key of the grantor; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    /// Who receives: org:NAME, device:ID, or zone:ORG/PATH for every device placed there.
    #[arg(long, value_name = "GRANTEE")]
    to: GranteeName,
    /// What may be done: register, place, attest, read, command, delegate; with commas between them.
    #[arg(long, value_name = "ACTIONS", value_parser = actions)]
    actions: Actions,
    /// To what: zone:ORG/PATH, device:ID or stream:ID.
    #[arg(long, value_name = "SCOPE")]
    over: ScopeName,
    /// The first height at which it may be used [default: the parent's, or from the beginning]
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    from: Option<Height>,
    /// The first height at which it may no longer be used [default: the parent's, or without end]
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    until: Option<Height>,
    /// How many times it may be passed on [default: 1 with 'delegate', else 0]
    #[arg(long, value_name = "N")]
    depth: Option<u8>,
    /// The grant that this one passes on, if the grantor does not own the scope.
    #[arg(long, value_name = "GRANT")]
    parent: Option<GrantId>,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Revoke {
    /// The grant.
    grant: GrantId,
    /// Who revokes: its grantor, a grantor above, or the owner of its scope.
    #[arg(long, value_name = "PRINCIPAL")]
    signer: PrincipalName,
    /// Key of the signer; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    /// From when on what was done under it is in doubt.
    #[arg(long, value_name = "HEIGHT[/INDEX]", value_parser = position)]
    suspect_since: Option<Position>,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Check {
    /// Who: org:NAME or device:ID.
    #[arg(long, value_name = "PRINCIPAL")]
    principal: PrincipalName,
    /// Does what: register, place, attest, read, command or delegate.
    #[arg(long, value_name = "ACTION", value_parser = action)]
    action: Action,
    /// To what: zone:ORG/PATH, device:ID or stream:ID.
    #[arg(long, value_name = "SCOPE")]
    target: ScopeName,
    /// Try only this grant.
    #[arg(long, value_name = "GRANT")]
    grant: Option<GrantId>,
    /// As it stood at this height [default: the latest]
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    at: Option<Height>,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(command: GrantCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Grant::Give(args) => args.submit.run(async |connection| change::give(connection, &args).await),
        Grant::Revoke(args) => args.submit.run(async |connection| change::revoke(connection, &args).await),
        Grant::Get { grant, at, prove, node } => node.run(async |connection| match prove.prove {
            true => prove.report(connection, Question::Grant(grant), at).await,
            false => show::get(connection, grant, at).await,
        }),
        Grant::List { over, device, list, prove, node } => node.run(async |connection| match prove.prove {
            true => {
                let at = list.whole()?;
                let question = show::question(connection, over, device, at).await?;
                prove.report(connection, question, at).await
            }
            false => show::list(connection, over, device, list).await,
        }),
        Grant::Check(args) => args.node.run(async |connection| show::check(connection, &args).await),
    }
}
