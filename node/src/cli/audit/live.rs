//! `cairn audit verdict --live`: may what this device says be relied on now?
//!
//! The bundle is fetched at the newest checkpoint and judged here, against the genesis hash that the person names. The
//! answer is one word, and its age is part of it: from a checkpoint that is too old nobody can tell.

use cairn_proofs::verdict::{Expectations, FreshnessStanding, Live, Verdict, verify_bytes};
use cairn_rpc::views::{AttestationSelector, Text, VerdictView};
use serde_json::{Value, json};

use super::super::connect::Connection;
use super::super::lookup::freshness;
use super::super::output::{EXIT_DOUBTFUL, EXIT_FAILED, EXIT_HOLDS, EXIT_UNKNOWN, Report};
use super::super::verify::paint::{BAD, DOUBT, GOOD, Paint};
use cairn_proofs::verdict::ContentEvidence;

/// The exit status that tells the answer to a script.
const fn status(live: Live) -> u8 {
    match live {
        Live::Ok => EXIT_HOLDS,
        Live::Refused => EXIT_FAILED,
        Live::Doubtful => EXIT_DOUBTFUL,
        Live::Unknown => EXIT_UNKNOWN,
    }
}

/// Fetches, judges and tells.
pub(super) async fn ask(
    connection: &Connection,
    attestation: Text<AttestationSelector>,
    content: Option<ContentEvidence>,
    max_age: u64,
) -> anyhow::Result<Report> {
    let genesis = connection.meant()?;
    let bundle = connection.client.audit_bundle(attestation, None, None).await?.value.bundle;
    let expectations = Expectations { genesis, content, trusted: None, freshness: freshness(Some(max_age)) };
    let verdict = verify_bytes(&bundle.0, &expectations);
    let live = Live::of(&verdict);
    let mut answer = serde_json::to_value(VerdictView::from(&verdict))?;
    if let Value::Object(members) = &mut answer {
        members.insert("live".to_owned(), json!(live.name()));
    }
    Ok(Report::new(&answer, in_words(&verdict, live, max_age, Paint::of_stdout()))?.with_status(status(live)))
}

fn in_words(verdict: &Verdict, live: Live, max_age: u64, paint: Paint) -> String {
    let word = match live {
        Live::Ok => format!("{} {}", paint.good(GOOD), paint.good(live.name())),
        Live::Refused => format!("{} {}", paint.bad(BAD), paint.bad(live.name())),
        Live::Doubtful | Live::Unknown => format!("{} {}", paint.doubt(DOUBT), paint.doubt(live.name())),
    };
    let age = verdict.finality.as_ref().map(|finality| {
        let height = finality.checkpoint.height;
        match finality.freshness {
            FreshnessStanding::Fresh { age_ms } | FreshnessStanding::Stale { age_ms } => {
                format!(
                    "checkpoint {height}, {}.{} s old, and {max_age} s are allowed",
                    age_ms / 1_000,
                    age_ms % 1_000 / 100
                )
            }
            _ => format!("checkpoint {height}, of an age that this machine's clock cannot tell"),
        }
    });
    let age = age.unwrap_or_else(|| "no checkpoint was reached".to_owned());
    format!("{word}: {}\n\n{verdict}", paint.dim(&age))
}
