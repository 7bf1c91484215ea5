//! `cairn key`: key files, which are made and read here and never leave this machine.
//!
//! A key file is PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` or `openssl genpkey -algorithm EC -pkeyopt
//! ec_paramgen_curve:P-256` makes it, or encrypted as `openssl pkcs8 -topk8 -scrypt` makes it. The commitment is what a ledger is given one rotation before the key itself; of an
//! organization, that is a commitment to all its keys and how many of them must sign.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cairn_types::PublicKey;
use clap::{Args, Subcommand};
use serde_json::json;

use super::key_set::{self, KeySetArgs};
use super::output::{Report, Rows, conclude};
use crate::keys::passphrase::Source;
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
        /// Encrypt the file with a passphrase, from the terminal or from --passphrase-file.
        #[arg(long)]
        passphrase: bool,
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
    /// Encrypt a key file with a passphrase, change its passphrase, or take it off. The key stays the same.
    Passphrase {
        /// The key file, which is replaced as a whole.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Leave the file without a passphrase: whoever can read it has the key.
        #[arg(long)]
        remove: bool,
        /// A file with the new passphrase, instead of the terminal.
        #[arg(long, value_name = "FILE", conflicts_with = "remove")]
        new_passphrase_file: Option<PathBuf>,
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
        Key::Generate { out, algorithm, passphrase, json } => conclude(generate(&out, algorithm, passphrase), json),
        Key::Passphrase { file, remove, new_passphrase_file, json } => {
            conclude(change_passphrase(&file, remove, new_passphrase_file), json)
        }
        Key::Show { key, json } => conclude(show(&key), json),
        Key::Commit { set, json } => conclude(commit(&set), json),
    }
}

fn generate(path: &Path, algorithm: Algorithm, is_encrypted: bool) -> anyhow::Result<Report> {
    let passphrase = if is_encrypted { Some(Source::of_command().read_new(path)?) } else { None };
    let key = PrivateKey::generate(algorithm);
    key.write(path, passphrase.as_ref())?;
    report(&key.public(), Some(path))
}

fn change_passphrase(path: &Path, remove: bool, new_file: Option<PathBuf>) -> anyhow::Result<Report> {
    let (key, was_encrypted) = PrivateKey::read_with(path, &Source::of_command())?;
    let passphrase = match (remove, new_file) {
        (true, _) => None,
        (false, Some(file)) => Some(Source::File(file).read_new(path)?),
        // The one that was named opens a file that is encrypted already, so it cannot also be the new one.
        (false, None) if was_encrypted => Some(Source::Terminal.read_new(path)?),
        (false, None) => Some(Source::of_command().read_new(path)?),
    };
    key.rewrite(path, passphrase.as_ref())?;
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
