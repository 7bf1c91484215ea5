//! `cairn lot`: a manufacturer's word for the devices that it makes.
//!
//! ```text
//! factory:  serials.csv ─ make ─► lot file (private: serials, salts) ─ endorse ─► one root on the ledger
//!                                       └ claim-ticket ─► ticket of one device ─► its buyer
//! buyer:    device register --ticket TICKET                       the serial is public from then on, and claimed once
//! ```
//!
//! Instead of a root, a lot can be a key under which the manufacturer issues X.509 certificates. Then a device's certificate
//! chain is its ticket, and there is no lot file.

use std::path::PathBuf;
use std::process::ExitCode;

use cairn_proofs::lookup::Question;
use cairn_types::{Height, LotId, Position};
use clap::{Args, Subcommand};

use super::connect::NodeArgs;
use super::list::ListArgs;
use super::lookup::{ProveArgs, Prover};
use super::names::{OrganizationName, height, position};
use super::output::{Usage, conclude};
use super::submit::SubmitArgs;
use crate::keys::private::KeyName;

mod endorse;
pub(super) mod file;
mod make;
pub(super) mod show;
pub(super) mod ticket;

#[derive(Debug, Args)]
pub(super) struct LotCommand {
    #[command(subcommand)]
    command: Lot,
}

#[derive(Debug, Subcommand)]
enum Lot {
    /// Make the private file of a lot from its serial numbers. Needs no node.
    Make(make::Make),
    /// Vouch for a lot, or for all devices whose certificates lead up to a key.
    Endorse(Endorse),
    /// Take the ticket of one device out of a lot file: what its buyer needs to claim it. Needs no node.
    ClaimTicket(ticket::ClaimTicket),
    /// End trust in a lot; again, to move its doubt earlier.
    Distrust(Distrust),
    /// Show one lot.
    Get {
        /// The lot's id.
        lot: LotId,
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List lots.
    List {
        /// Only those of this manufacturer.
        #[arg(long, value_name = "ORG")]
        manufacturer: Option<OrganizationName>,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List the places of a lot that devices have claimed.
    Claims {
        /// The lot's id.
        lot: LotId,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
}

#[derive(Debug, Args)]
struct Endorse {
    /// The lot file.
    #[arg(value_name = "FILE", required_unless_present_any = ["issuer_key", "issuer_certificate"])]
    file: Option<PathBuf>,
    /// The key that signs the topmost certificate of each chain: a file, of which the public half will do, or the key
    /// itself.
    #[arg(long, value_name = "PEM|KEY", conflicts_with = "file", requires = "label")]
    issuer_key: Option<KeyName>,
    /// The certificate of that key, of which only the key is used.
    #[arg(long, value_name = "PEM", conflicts_with_all = ["file", "issuer_key"], requires = "label")]
    issuer_certificate: Option<PathBuf>,
    /// What the devices are, for people [default: as the lot file says]
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Who vouches.
    #[arg(long, value_name = "ORG")]
    manufacturer: OrganizationName,
    /// Key of the manufacturer; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Distrust {
    /// The lot.
    lot: LotId,
    /// Whose lot it is.
    #[arg(long, value_name = "ORG")]
    manufacturer: OrganizationName,
    /// Key of the manufacturer; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    /// From when on registrations that appeal to the lot are in doubt.
    #[arg(long, value_name = "HEIGHT[/INDEX]", value_parser = position)]
    suspect_since: Option<Position>,
    #[command(flatten)]
    submit: SubmitArgs,
}

pub(super) fn run(command: LotCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Lot::Make(args) => conclude(args.run(), args.json),
        Lot::Endorse(args) => args.submit.run(async |connection| endorse::endorse(connection, &args).await),
        Lot::ClaimTicket(args) => conclude(args.run(), args.json),
        Lot::Distrust(args) => args.submit.run(async |connection| endorse::distrust(connection, &args).await),
        Lot::Get { lot, at, prove, node } => node.run(async |connection| match prove.prove {
            true => prove.report(connection, Question::Lot(lot), at).await,
            false => show::get(connection, lot, at).await,
        }),
        Lot::List { manufacturer, list, prove, node } => node.run(async |connection| {
            if !prove.prove {
                return show::list(connection, manufacturer, list).await;
            }
            let (at, wanted) = (list.whole()?, "lots are proven of a manufacturer: --manufacturer ORG");
            let name = manufacturer.ok_or_else(|| Usage(wanted.to_owned()))?;
            let id = Prover::new(connection)?.organization_id(&name, at).await?;
            prove.report(connection, Question::Lots(id), at).await
        }),
        Lot::Claims { lot, list, prove, node } => node.run(async |connection| match prove.prove {
            true => prove.report(connection, Question::Lot(lot), list.whole()?).await,
            false => show::claims(connection, lot, list).await,
        }),
    }
}
