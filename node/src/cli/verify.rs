//! `cairn verify`: judge one file, with no network: a bundle, which is about an attestation, or a lookup, which answers a
//! question about the state. The file says which of the two it is.
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

use anyhow::{Context, bail, ensure};
use cairn_genesis::Genesis;
use cairn_proofs::bundle::BUNDLE_BYTES_MAX;
use cairn_proofs::lookup::{self, LOOKUP_BYTES_MAX, LOOKUP_MAGIC, LookupExpectations, Question};
use cairn_proofs::verdict::{Expectations, Freshness, Outcome, Verdict, verify_bytes};
use cairn_rpc::views::VerdictView;
use cairn_types::{BlockHash, BlockRef, ChainId, Height};
use clap::Args;
use serde_json::Value;

use super::connect::OrganizationNames;
use super::lookup as lookup_words;
use super::output::{EXIT_DOUBTFUL, EXIT_FAILED, EXIT_HOLDS, Usage};
use crate::clock::now_ms;

pub(super) mod content;
pub(super) mod paint;

use content::Salt;
use paint::{Paint, thousands};

/// Exit status when nothing could be judged: as for a command line that is wrong.
const NOT_JUDGED: u8 = 2;

/// Most bytes of a file that is judged.
const FILE_BYTES_MAX: usize = if LOOKUP_BYTES_MAX > BUNDLE_BYTES_MAX { LOOKUP_BYTES_MAX } else { BUNDLE_BYTES_MAX };

/// Most bytes of a genesis file: 128 validators and as many organizations fit ten times.
const GENESIS_BYTES_MAX: u64 = 1024 * 1024;

/// Judge a file, offline: the bundle of an attestation, or a lookup's answer to a question.
#[derive(Debug, Args)]
pub(super) struct VerifyCommand {
    /// The bundle, as `cairn audit bundle` writes it, or the lookup, as `--save` and `cairn audit lookup` do.
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
    /// Of a lookup: the question that it must answer; any if left out. For example device:ID, deviceGrants:ID or council.
    #[arg(long, value_name = "QUESTION")]
    question: Option<Question>,
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
    match judge_file(command) {
        Ok((json, text, outcome)) => {
            if command.json {
                println!("{json:#}");
            } else {
                print!("{text}");
            }
            Ok(ExitCode::from(status(outcome)))
        }
        Err(error) => {
            eprintln!("cairn verify: {error:#}");
            Ok(ExitCode::from(NOT_JUDGED))
        }
    }
}

/// The exit status that tells an outcome to a script.
pub(super) const fn status(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Valid => EXIT_HOLDS,
        Outcome::Invalid => EXIT_FAILED,
        Outcome::Incomplete => EXIT_DOUBTFUL,
    }
}

/// Judges the file as what it says it is.
fn judge_file(command: &VerifyCommand) -> anyhow::Result<(Value, String, Outcome)> {
    let bytes = read_at_most(&command.bundle, u64::try_from(FILE_BYTES_MAX)?.saturating_add(1))?;
    if bytes.starts_with(&LOOKUP_MAGIC) {
        return judge_lookup(command, &bytes);
    }
    if command.question.is_some() {
        return Err(Usage("--question is for lookups, and this is none".to_owned()).into());
    }
    let judged = judge(command, &bytes)?;
    let json = serde_json::to_value(VerdictView::from(&judged.verdict))?;
    Ok((json, in_words(&judged, Paint::of_stdout()), judged.verdict.outcome))
}

fn judge_lookup(command: &VerifyCommand, bytes: &[u8]) -> anyhow::Result<(Value, String, Outcome)> {
    if command.content.is_some() {
        return Err(Usage("this file is a lookup, which is about no content".to_owned()).into());
    }
    let expectations = LookupExpectations {
        genesis: chain(&command.network)?,
        question: command.question.clone(),
        trusted: command.checkpoint,
        freshness: freshness(command),
    };
    let verdict = lookup::verify_bytes(bytes, &expectations);
    let paint = Paint::of_stdout();
    let header = format!("{} ({} bytes)", command.bundle.display(), thousands(u64::try_from(bytes.len())?));
    let words = lookup_words::in_words(&verdict, &OrganizationNames::default(), paint);
    Ok((lookup_words::judgement_json(&verdict), format!("{}\n{words}", paint.dim(&header)), verdict.outcome))
}

fn freshness(command: &VerifyCommand) -> Option<Freshness> {
    command.max_age.map(|seconds| Freshness { now_ms: now_ms(), age_max_ms: seconds.saturating_mul(1_000) })
}

/// A verdict, and what it is about.
struct Judged {
    verdict: Verdict,
    header: String,
}

fn judge(command: &VerifyCommand, bundle: &[u8]) -> anyhow::Result<Judged> {
    let genesis = chain(&command.network)?;
    let salt = command.salt.as_deref().map(Salt::read).transpose()?;
    let content = command.content.as_deref().map(|path| content::evidence(path, salt.as_ref())).transpose()?;
    let expectations = Expectations { genesis, content, trusted: command.checkpoint, freshness: freshness(command) };
    let verdict = verify_bytes(bundle, &expectations);

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
    match (network.genesis, &network.genesis_file) {
        (Some(chain), _) => Ok(chain),
        (None, Some(path)) => chain_of(path),
        (None, None) => bail!("either --genesis or --genesis-file is needed"),
    }
}

/// The network of a genesis file.
pub(super) fn chain_of(path: &Path) -> anyhow::Result<ChainId> {
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
