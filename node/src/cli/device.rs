//! `cairn device`: things with a key. What changes a device is in [`change`], what shows one in [`show`].

use std::path::PathBuf;
use std::process::ExitCode;

use cairn_types::{DeviceId, DeviceStatus, GrantId, Height, KeyCommitment, Position, ZonePath};
use clap::{Args, Subcommand};

use super::connect::NodeArgs;
use super::list::ListArgs;
use super::names::{OrganizationName, PrincipalName, ZoneName, height, position};
use super::submit::SubmitArgs;

mod change;
mod show;

#[derive(Debug, Args)]
pub(super) struct DeviceCommand {
    #[command(subcommand)]
    command: Device,
}

#[derive(Debug, Subcommand)]
enum Device {
    /// Enter a device: its key and its owner sign.
    Register(Register),
    /// Begin a device's next key epoch: the new key signs.
    Rotate(Rotate),
    /// Move a device to another zone of its owner.
    Place(Place),
    /// Set what a device may do at all: active, suspended, revoked or decommissioned.
    Status(Status),
    /// Show one device.
    Get {
        /// The device's id.
        device: DeviceId,
        /// As it stood at this height [default: the latest]
        #[arg(long, value_name = "HEIGHT", value_parser = height)]
        at: Option<Height>,
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
    /// List all that was ever so of a device: its keys, owners, statuses and zones.
    History {
        /// The device's id.
        device: DeviceId,
        #[command(flatten)]
        list: ListArgs,
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
    #[arg(long = "owner-key", visible_alias = "key", value_name = "PEM", required = true)]
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
    authority: Authority,
    #[command(flatten)]
    submit: SubmitArgs,
}

/// The key after a key, by itself or by its commitment.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct NextKey {
    /// The key after that; only the commitment to it leaves this machine.
    #[arg(long, value_name = "PEM")]
    next_key: Option<PathBuf>,
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
struct Place {
    /// The device.
    #[arg(long, value_name = "ID")]
    device: DeviceId,
    /// Where it stands from now on, in the owner's namespace.
    #[arg(long, value_name = "PATH")]
    zone: ZonePath,
    /// Key of the owner, or of the signer if there is one; repeat it where several keys must sign.
    #[arg(long = "key", value_name = "PEM", required = true)]
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
    #[arg(long = "key", value_name = "PEM", required = true)]
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
        Device::Register(args) => args.submit.node.run(async |connection| change::register(connection, &args).await),
        Device::Rotate(args) => args.submit.node.run(async |connection| change::rotate(connection, &args).await),
        Device::Place(args) => args.submit.node.run(async |connection| change::place(connection, &args).await),
        Device::Status(args) => args.submit.node.run(async |connection| change::status(connection, &args).await),
        Device::Get { device, at, node } => node.run(async |connection| show::get(connection, device, at).await),
        Device::List { zone, list, node } => node.run(async |connection| show::list(connection, zone, list).await),
        Device::History { device, list, node } => {
            node.run(async |connection| show::history(connection, device, list).await)
        }
    }
}
