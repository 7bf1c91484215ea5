//! `cairn key`: key files, which are made and read here and never leave this machine.
//!
//! A key file is PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` or `openssl genpkey -algorithm EC -pkeyopt
//! ec_paramgen_curve:P-256` makes it. The commitment is what a ledger is given one rotation before the key itself; of an
//! organization, that is a commitment to all its keys and how many of them must sign.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cairn_types::PublicKey;
use clap::{Args, Subcommand};
use serde_json::json;

use super::key_set::{self, KeySetArgs};
use super::output::{Report, Rows, conclude};
use crate::keys::private::{Algorithm, KeyName, PrivateKey};

#[derive(Debug, Args)]
pub(super) struct KeyCommand {
    #[command(subcommand)]
    command: Key,
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Make a new private key.
    Generate {
        /// The file to write; one that exists is never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// What kind of key.
        #[arg(long, value_enum, default_value_t)]
        algorithm: Algorithm,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show the public half of a key and a device's commitment to it.
    Show {
        /// The key: a file, of which the public half will do, or the key itself.
        #[arg(value_name = "FILE")]
        key: KeyName,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show an organization's commitment to its next keys: all of them, and how many must sign.
    Commit {
        #[command(flatten)]
        set: KeySetArgs,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Key::Generate { out, algorithm, json } => conclude(generate(&out, algorithm), json),
        Key::Show { key, json } => conclude(show(&key), json),
        Key::Commit { set, json } => conclude(commit(&set), json),
    }
}

fn generate(path: &Path, algorithm: Algorithm) -> anyhow::Result<Report> {
    let key = PrivateKey::generate(algorithm);
    key.write(path)?;
    report(&key.public(), Some(path))
}

fn show(name: &KeyName) -> anyhow::Result<Report> {
    let path = match name {
        KeyName::File(path) => Some(path.as_path()),
        KeyName::Public(_) => None,
    };
    report(&name.public()?, path)
}

fn report(public: &PublicKey, path: Option<&Path>) -> anyhow::Result<Report> {
    let commitment = public.commitment();
    let json = json!({ "key": public.to_string(), "commitment": commitment.to_string(), "path": path });
    let rows = Rows::new().row("key", public).row("commitment", commitment);
    Report::new(&json, rows.maybe("file", path.map(Path::display)))
}

fn commit(args: &KeySetArgs) -> anyhow::Result<Report> {
    let set = args.read()?.set;
    let json = json!({
        "commitment": set.commitment().to_string(),
        "threshold": set.threshold,
        "keys": set.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    Report::new(&json, key_set::rows(Rows::new(), "key", &set).row("commitment", set.commitment()))
}
