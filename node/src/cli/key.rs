//! `cairn key`: key files, which are made and read here and never leave this machine.
//!
//! A key file is PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` makes it. The commitment is what a ledger is given
//! one rotation before the key itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ed25519_dalek::SigningKey;
use serde_json::json;

use super::output::{Report, Rows, conclude};
use crate::keys;

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
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show the public half of a key and the commitment to it.
    Show {
        /// The key file.
        file: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Key::Generate { out, json } => conclude(generate(&out), json),
        Key::Show { file, json } => conclude(show(&file), json),
    }
}

fn generate(path: &Path) -> anyhow::Result<Report> {
    let key = keys::generate();
    keys::write(path, &key)?;
    report(path, &key)
}

fn show(path: &Path) -> anyhow::Result<Report> {
    report(path, &keys::read(path)?)
}

fn report(path: &Path, key: &SigningKey) -> anyhow::Result<Report> {
    let public = keys::public(key);
    let commitment = public.commitment();
    let json = json!({ "key": public.to_string(), "commitment": commitment.to_string(), "path": path });
    let rows = Rows::new().row("key", public).row("commitment", commitment).row("file", path.display());
    Report::new(&json, rows)
}
