//! `cairn device`: things with a key. What changes a device is in [`change`], what moves one between owners and keys in
//! [`handover`], the word of its maker in [`endorsement`], and what shows one in [`show`].

use std::path::PathBuf;
use std::process::ExitCode;

use cairn_proofs::lookup::Question;
use cairn_rpc::views::Text;
use cairn_types::{DeviceId, DeviceStatus, GrantId, Height, KeyCommitment, LotId, Position, ZonePath};
use clap::{Args, Subcommand};

use super::connect::NodeArgs;
use super::list::ListArgs;
use super::lookup::ProveArgs;
use super::names::{OrganizationName, PrincipalName, ZoneName, height, position};
use super::organization::usage_rows;
use super::output::Report;
use super::submit::SubmitArgs;
use crate::keys::private::KeyName;

mod change;
mod endorsement;
mod handover;
pub(super) mod show;

#[derive(Debug, Args)]
pub(super) struct DeviceCommand {
    #[command(subcommand)]
    command: Device,
}

#[derive(Debug, Subcommand)]
enum Device {
    /// Enter a device: its key and its owner sign.
    Register(Box<Register>),
    /// Begin a device's next key epoch: the new key signs.
    Rotate(Rotate),
    /// Move a device to another zone of its owner.
    Place(Place),
    /// Set what a device may do at all: active, suspended, revoked or decommissioned.
    Status(Status),
    /// Announce a new key for a device whose key is lost or stolen; it takes effect after the network's delay.
    Recover(Recover),
    /// Call an announced recovery off: the owner's recovery keys sign.
    CancelRecovery(CancelRecovery),
    /// Offer a device to another organization, or withdraw the offer.
    Offer(Offer),
    /// Become the owner of a device that is offered.
    Accept(Accept),
    /// Show one device.
    Get {
        /// The device's id.
        device: DeviceId,
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List devices, by id.
    List {
        /// Only those in this zone or below.
        #[arg(long, value_name = "ORG/PATH")]
        zone: Option<ZoneName>,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Show how much of its quota a device has used.
    Usage {
        /// The device's id.
        device: DeviceId,
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List all that was ever so of a device: its keys, owners, statuses, zones, recoveries and offers.
    History {
        /// The device's id.
        device: DeviceId,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        prove: ProveArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
}

#[derive(Debug, Args)]
struct Register {
    /// Who owns the device from now on.
    #[arg(long, value_name = "ORG")]
    owner: OrganizationName,
    /// Key of the owner, or of the signer if there is one; repeat it where several keys must sign.
    #[arg(long = "owner-key", visible_alias = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    /// The device's key: it signs too, which shows that it is at hand.
    #[arg(long, value_name = "PEM")]
    device_key: PathBuf,
    #[command(flatten)]
    next: NextKey,
    /// Where the device stands, in the owner's namespace, such as north/well-1; '' for the whole of it.
    #[arg(long, value_name = "PATH")]
    zone: ZonePath,
    /// What it is, as its maker calls it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    model: String,
    #[command(flatten)]
    endorsement: EndorsementArgs,
    #[command(flatten)]
    authority: Authority,
    #[command(flatten)]
    submit: SubmitArgs,
}

/// The word of the device's maker.
#[derive(Debug, Args)]
struct EndorsementArgs {
    /// The device's ticket of a lot, as 'cairn lot claim-ticket' makes it.
    #[arg(long, value_name = "TICKET", conflicts_with = "certificate")]
    ticket: Option<PathBuf>,
    /// The device's certificates in PEM, its own first, each signed by the next.
    #[arg(long, value_name = "CHAIN.pem", requires = "lot")]
    certificate: Option<PathBuf>,
    /// With --certificate: the lot whose key issued the topmost certificate.
    #[arg(long, value_name = "LOT", requires = "certificate")]
    lot: Option<LotId>,
    /// With --certificate: the certified key, if the device's first key is another; it says that they belong together.
    #[arg(long, value_name = "PEM", requires = "certificate")]
    certified_key: Option<PathBuf>,
}

/// The key after a key, by itself or by its commitment.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct NextKey {
    /// The key after that, of which the public half will do; only the commitment to it leaves this machine.
    #[arg(long, value_name = "PEM|KEY")]
    next_key: Option<KeyName>,
    /// The commitment to the key after that, as 'cairn key show' prints it.
    #[arg(long, value_name = "HEX")]
    next_commitment: Option<KeyCommitment>,
}

/// A grant by which somebody else than the owner signs.
#[derive(Debug, Args)]
struct Authority {
    /// The signer's grant, if the signer is not the owner.
    #[arg(long, value_name = "GRANT", requires = "signer")]
    authority: Option<GrantId>,
    /// Who signs, if not the owner: org:NAME or device:ID.
    #[arg(long, value_name = "PRINCIPAL", requires = "authority")]
    signer: Option<PrincipalName>,
}

#[derive(Debug, Args)]
struct Rotate {
    /// The device.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// Its new key, to which it committed with the last.
    #[arg(long, value_name = "PEM")]
    new_key: PathBuf,
    #[command(flatten)]
    next: NextKey,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Recover {
    /// The device.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// Its new key: it signs too, which shows that it is at hand.
    #[arg(long, value_name = "PEM")]
    new_key: PathBuf,
    #[command(flatten)]
    next: NextKey,
    /// Key of the owner; repeat it where several keys must sign.
    #[arg(long = "owner-key", visible_alias = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    /// From when on the word of the present key is in doubt: since the theft, say.
    #[arg(long, value_name = "HEIGHT[/INDEX]", value_parser = position)]
    suspect_since: Option<Position>,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct CancelRecovery {
    /// The device.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// Recovery key of the owner; repeat it where several keys must sign.
    #[arg(long = "recovery-key", visible_alias = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Offer {
    /// The device.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// To whom, instead of anyone it was offered to before.
    #[arg(long, value_name = "ORG", required_unless_present = "withdraw")]
    to: Option<OrganizationName>,
    /// Withdraw the offer that stands.
    #[arg(long, conflicts_with = "to")]
    withdraw: bool,
    /// Key of the owner; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Accept {
    /// The device.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// Who owns it from now on: the organization to which it is offered.
    #[arg(long, value_name = "ORG")]
    owner: OrganizationName,
    /// Where it stands from now on, in the new owner's namespace; '' for the whole of it.
    #[arg(long, value_name = "PATH")]
    zone: ZonePath,
    /// Key of the new owner; repeat it where several keys must sign.
    #[arg(long = "key", visible_alias = "owner-key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Place {
    /// The device.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// Where it stands from now on, in the owner's namespace.
    #[arg(long, value_name = "PATH")]
    zone: ZonePath,
    /// Key of the owner, or of the signer if there is one; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    authority: Authority,
    #[command(flatten)]
    submit: SubmitArgs,
}

#[derive(Debug, Args)]
struct Status {
    /// The device.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// Its status from now on. The last two are for ever.
    #[arg(long, value_name = "STATUS", value_parser = status)]
    set: DeviceStatus,
    /// With 'revoked': from when on its word is in doubt.
    #[arg(long, value_name = "HEIGHT[/INDEX]", value_parser = position)]
    suspect_since: Option<Position>,
    /// Key of the owner; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required_unless_present = "draft")]
    keys: Vec<PathBuf>,
    /// The key is the device's own: it suspends itself.
    #[arg(long)]
    as_device: bool,
    #[command(flatten)]
    submit: SubmitArgs,
}

fn status(text: &str) -> Result<DeviceStatus, String> {
    let found = DeviceStatus::ALL.into_iter().find(|status| status.name() == text);
    found.ok_or_else(|| format!("expected one of {}", DeviceStatus::ALL.map(DeviceStatus::name).join(", ")))
}

pub(super) fn run(command: DeviceCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Device::Register(args) => args.submit.run(async |connection| change::register(connection, &args).await),
        Device::Rotate(args) => args.submit.run(async |connection| change::rotate(connection, &args).await),
        Device::Place(args) => args.submit.run(async |connection| change::place(connection, &args).await),
        Device::Status(args) => args.submit.run(async |connection| change::status(connection, &args).await),
        Device::Recover(args) => args.submit.run(async |connection| handover::recover(connection, &args).await),
        Device::CancelRecovery(args) => args.submit.run(async |connection| handover::cancel(connection, &args).await),
        Device::Offer(args) => args.submit.run(async |connection| handover::offer(connection, &args).await),
        Device::Accept(args) => args.submit.run(async |connection| handover::accept(connection, &args).await),
        Device::Get { device, at, prove, node } => node.run(async |connection| match prove.prove {
            true => prove.report(connection, Question::Device(device), at).await,
            false => show::get(connection, device, at).await,
        }),
        Device::Usage { device, at, node } => node.run(async |connection| {
            let answer = connection.client.device_get_usage(Text(device), at.map(Text)).await?;
            Report::new(&answer, usage_rows(&answer.value))
        }),
        Device::List { zone, list, node } => node.run(async |connection| show::list(connection, zone, list).await),
        Device::History { device, list, prove, node } => node.run(async |connection| match prove.prove {
            true => prove.report(connection, Question::Device(device), list.whole()?).await,
            false => show::history(connection, device, list).await,
        }),
    }
}
