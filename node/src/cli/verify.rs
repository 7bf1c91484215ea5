//! `cairn verify`: judge an attestation from one file, with no network.
//!
//! It knows no node. The network's genesis, the content and everything else that an auditor must bring along comes from
//! the command line, never from the bundle. The judgement itself is [`cairn_proofs::verdict::verify_bytes`]; here files
//! are read and words are printed.
//!
//! Exit status: 0 VALID, 1 INVALID, 3 INCOMPLETE; 2 if nothing was judged, because a file could not be read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use cairn_genesis::Genesis;
use cairn_proofs::bundle::BUNDLE_BYTES_MAX;
use cairn_proofs::verdict::{Expectations, Freshness, Outcome, Verdict, verify_bytes};
use cairn_rpc::views::VerdictView;
use cairn_types::{BlockHash, BlockRef, ChainId, Height};
use clap::Args;

use crate::clock::now_ms;

pub(super) mod content;
pub(super) mod paint;

use content::Salt;
use paint::{Paint, thousands};

/// Exit status when something was refuted.
const INVALID: u8 = 1;

/// Exit status when nothing could be judged: as for a command line that is wrong.
const NOT_JUDGED: u8 = 2;

/// Exit status when nothing was refuted, but something was not shown or is in doubt.
const INCOMPLETE: u8 = 3;

/// Most bytes of a genesis file: 128 validators and as many organizations fit ten times.
const GENESIS_BYTES_MAX: u64 = 1024 * 1024;

/// Judge an attestation from its bundle, offline.
#[derive(Debug, Args)]
pub(super) struct VerifyCommand {
    /// The bundle, as `cairn audit bundle` writes it.
    bundle: PathBuf,
    /// The content that is said to be attested; without it no verdict is VALID.
    content: Option<PathBuf>,
    #[command(flatten)]
    network: Network,
    /// The salt of a salted content: a file of 64 hexadecimal digits.
    #[arg(long, value_name = "HEXFILE", requires = "content")]
    salt: Option<PathBuf>,
    /// A block that you trust, and which the bundle must reach; ask for the bundle with `--anchor HEIGHT`.
    #[arg(long, value_name = "HEIGHT:HASH", value_parser = block_ref)]
    checkpoint: Option<BlockRef>,
    /// How old the bundle's checkpoint may be by this machine's clock, in seconds; any age if left out.
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
    /// Print the verdict as JSON.
    #[arg(long)]
    json: bool,
}

/// Which network the auditor means.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Network {
    /// The network: the hash of its block 0.
    #[arg(long, value_name = "HASH")]
    genesis: Option<ChainId>,
    /// The network, by its genesis file.
    #[arg(long, value_name = "FILE")]
    genesis_file: Option<PathBuf>,
}

pub(super) fn run(command: &VerifyCommand) -> anyhow::Result<ExitCode> {
    match judge(command) {
        Ok(judged) => {
            if command.json {
                println!("{}", serde_json::to_string_pretty(&VerdictView::from(&judged.verdict))?);
            } else {
                print!("{}", in_words(&judged, Paint::of_stdout()));
            }
            Ok(exit_code(judged.verdict.outcome))
        }
        Err(error) => {
            eprintln!("cairn verify: {error:#}");
            Ok(ExitCode::from(NOT_JUDGED))
        }
    }
}

/// The exit status that tells an outcome to a script.
fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Valid => ExitCode::SUCCESS,
        Outcome::Invalid => ExitCode::from(INVALID),
        Outcome::Incomplete => ExitCode::from(INCOMPLETE),
    }
}

/// A verdict, and what it is about.
struct Judged {
    verdict: Verdict,
    header: String,
}

fn judge(command: &VerifyCommand) -> anyhow::Result<Judged> {
    let bundle = read_at_most(&command.bundle, u64::try_from(BUNDLE_BYTES_MAX)?.saturating_add(1))?;
    let genesis = chain(&command.network)?;
    let salt = command.salt.as_deref().map(Salt::read).transpose()?;
    let content = command.content.as_deref().map(|path| content::evidence(path, salt.as_ref())).transpose()?;
    let freshness =
        command.max_age.map(|seconds| Freshness { now_ms: now_ms(), age_max_ms: seconds.saturating_mul(1_000) });
    let expectations = Expectations { genesis, content, trusted: command.checkpoint, freshness };
    let verdict = verify_bytes(&bundle, &expectations);

    let bytes = thousands(u64::try_from(bundle.len())?);
    let of_bundle = format!("{} ({bytes} bytes)", command.bundle.display());
    let header = match (&command.content, &content) {
        (Some(path), Some(evidence)) => {
            format!("{} ({} bytes) against {of_bundle}", path.display(), thousands(evidence.bytes))
        }
        _ => format!("{of_bundle}, without content"),
    };
    Ok(Judged { verdict, header })
}

/// At most `bytes_max` bytes of a file: what is longer is damaged anyhow, and is not worth the memory.
fn read_at_most(path: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes_max).read_to_end(&mut bytes));
    read.with_context(|| path.display().to_string())?;
    Ok(bytes)
}

fn chain(network: &Network) -> anyhow::Result<ChainId> {
    if let Some(chain) = network.genesis {
        return Ok(chain);
    }
    let path = network.genesis_file.as_deref().context("either --genesis or --genesis-file is needed")?;
    let bytes = read_at_most(path, GENESIS_BYTES_MAX.saturating_add(1))?;
    ensure!(u64::try_from(bytes.len())? <= GENESIS_BYTES_MAX, "{} is too long for a genesis file", path.display());
    let text = String::from_utf8(bytes).with_context(|| path.display().to_string())?;
    let genesis = Genesis::from_toml(&text).with_context(|| path.display().to_string())?;
    Ok(genesis.build().with_context(|| path.display().to_string())?.chain)
}

fn block_ref(text: &str) -> Result<BlockRef, String> {
    let (height, hash) = text.split_once(':').ok_or("expected HEIGHT:HASH")?;
    let height: u64 = height.parse().map_err(|_| format!("{height:?} is no height"))?;
    let hash: BlockHash = hash.parse().map_err(|error| format!("the hash: {error}"))?;
    Ok(BlockRef { height: Height::new(height), hash })
}

/// The header and the verdict's own text, its first word in the colour of the outcome.
fn in_words(judged: &Judged, paint: Paint) -> String {
    let outcome = judged.verdict.outcome;
    let text = judged.verdict.to_string();
    let rest = text.strip_prefix(outcome.name()).unwrap_or(&text);
    format!("{}\n{}{rest}", paint.dim(&judged.header), paint.outcome(outcome.name()))
}

#[cfg(test)]
mod tests {
    use cairn_types::Hash;

    use super::block_ref;

    #[test]
    fn a_checkpoint_is_a_height_and_a_hash() {
        let hash = Hash::plain(b"block");
        let parsed = block_ref(&format!("12:{hash}")).expect("a block");
        assert_eq!((parsed.height.get(), parsed.hash.hash()), (12, hash));
        for wrong in ["", "12", &hash.to_string(), &format!("x:{hash}"), "12:ab", &format!("-1:{hash}")] {
            assert!(block_ref(wrong).is_err(), "{wrong}");
        }
    }
}
