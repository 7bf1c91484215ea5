//! The command line: what a person, or a script, types.
//!
//! Each command is a file. Commands that ask a node take `--rpc`; commands that sign take key files, which never leave
//! this machine; every command takes `--json`. Results go to standard output, everything else to standard error.
//!
//! Exit status: 0 if what was asked for holds, 1 if it does not or failed, 2 if the command line itself is wrong; where
//! something is judged, 3 if nothing is refuted but something is in doubt or not shown, and 4 if nobody can tell, because
//! the newest checkpoint is too old.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::keys::passphrase::Source;

mod audit;
mod attest;
mod certificates;
mod connect;
mod council;
mod device;
mod doctor;
mod grant;
#[cfg(test)]
mod hostile;
mod key;
mod key_set;
mod list;
mod lookup;
mod lot;
mod names;
mod node;
mod organization;
mod output;
mod sign;
mod status;
mod stream;
mod submit;
mod testnet;
mod transaction_file;
mod tx;
mod verify;

/// Cairn: a ledger of device identities, authorizations and data attestations.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, max_term_width = 100)]
struct Cli {
    /// A file with the passphrase of the key files that are read [env: CAIRN_PASSPHRASE_FILE] [default: the terminal]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Keys")]
    passphrase_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node.
    Node(node::NodeCommand),
    /// Check a node's files and surroundings, and say what is wrong and what to do.
    Doctor(doctor::DoctorCommand),
    /// Make the files of a local network.
    Testnet(testnet::TestnetCommand),
    /// Make key files and show their public halves.
    Key(key::KeyCommand),
    /// Show where the chain and a node stand.
    Status(status::StatusCommand),
    /// Find, await, sign and offer transactions.
    Tx(tx::TxCommand),
    /// Show who is in the network, and replace an organization's keys.
    Organization(organization::OrganizationCommand),
    /// Govern: who takes part, who validates, by which parameters.
    Council(council::CouncilCommand),
    /// Vouch for the devices that one makes, a whole lot at once.
    Lot(lot::LotCommand),
    /// Register, rotate, recover, move, sell, suspend, revoke and show devices.
    Device(device::DeviceCommand),
    /// Give, revoke, show and check authority.
    Grant(grant::GrantCommand),
    /// Open, close, correct and show a device's streams.
    Stream(stream::StreamCommand),
    /// Attest the content of files, as their device.
    Attest(attest::AttestCommand),
    /// Find, compare and take along what the ledger proves.
    Audit(audit::AuditCommand),
    /// Judge an attestation from one file, with no network.
    Verify(verify::VerifyCommand),
}

/// Runs what was typed.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    Source::set_command_line(cli.passphrase_file);
    let outcome = match cli.command {
        Command::Node(command) => node::run(command),
        Command::Doctor(command) => doctor::run(command),
        Command::Testnet(command) => testnet::run(command),
        Command::Key(command) => key::run(command),
        Command::Status(command) => status::run(command),
        Command::Tx(command) => tx::run(command),
        Command::Organization(command) => organization::run(command),
        Command::Council(command) => council::run(command),
        Command::Lot(command) => lot::run(command),
        Command::Device(command) => device::run(command),
        Command::Grant(command) => grant::run(command),
        Command::Stream(command) => stream::run(command),
        Command::Attest(command) => attest::run(command),
        Command::Audit(command) => audit::run(command),
        Command::Verify(command) => verify::run(&command),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cairn: {error:#}");
            ExitCode::FAILURE
        }
    }
}
