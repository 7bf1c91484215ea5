//! `cairn doctor`: whether a node's files hold what they should, and what to do if they do not.
//!
//! It looks and changes nothing: everything is read through a disk that keeps what is written over it in memory, and the
//! index is opened in a copy. On a stopped node it holds the data directory's lock meanwhile; beside a running node it says
//! so, leaves out what a running node changes under its hands, and asks the node instead.
//!
//! ```text
//! place    configuration, genesis, keys, who else gets at the files, room on the disk
//! chain    every block, or the newest ones: frames, links, certificates, rules; the index against them
//! signed   the sign state and the write-ahead log against the chain
//! around   clock, peers, and the node itself if it runs
//! ```
//!
//! Each finding is ok, a warning or broken, and says what to do. The exit status is that of the worst: 0, 3 or 1.

use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::output::{EXIT_DOUBTFUL, EXIT_FAILED, EXIT_HOLDS, Report, conclude};

mod around;
mod chain;
mod place;
mod signed;

#[derive(Debug, Args)]
pub(super) struct DoctorCommand {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    config: PathBuf,
    /// Check every block from the genesis on, by the rules, and compare the whole index with what they make.
    #[arg(long)]
    deep: bool,
    /// JSON-RPC of another node of the network, to compare with; repeat it for more.
    #[arg(long, value_name = "URL")]
    ask: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum Verdict {
    Ok,
    Warning,
    Broken,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do; nothing, if all is well.
    advice: Option<String>,
}

/// Everything that was found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Ok, found: found.into(), advice: None });
    }

    fn warn(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Warning, found: found.into(), advice: Some(advice.into()) });
    }

    fn broken(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Broken, found: found.into(), advice: Some(advice.into()) });
    }

    fn worst(&self) -> Verdict {
        self.0.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }

    fn report(&self) -> anyhow::Result<Report> {
        let worst = self.worst();
        let mut text = String::new();
        let width = self.0.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
        for Finding { check, verdict, found, advice } in &self.0 {
            let word = match verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "warning",
                Verdict::Broken => "BROKEN",
            };
            writeln!(text, "{word:7}  {check:width$}  {found}")?;
            if let Some(advice) = advice {
                writeln!(text, "{:7}  {:width$}  what to do: {advice}", "", "")?;
            }
        }
        let words = match worst {
            Verdict::Ok => "all is well",
            Verdict::Warning => "nothing is broken; see the warnings",
            Verdict::Broken => "something is broken",
        };
        writeln!(text, "\n{words}")?;
        let status = match worst {
            Verdict::Ok => EXIT_HOLDS,
            Verdict::Warning => EXIT_DOUBTFUL,
            Verdict::Broken => EXIT_FAILED,
        };
        Ok(Report::new(&json!({ "verdict": worst, "findings": self.0 }), text)?.with_status(status))
    }
}

/// Whether a node has the data directory, and the lock if none has.
enum Presence {
    /// The lock keeps a node from starting while we look.
    Stopped {
        _lock: Option<File>,
    },
    Running,
}

impl Presence {
    const fn is_running(&self) -> bool {
        matches!(self, Self::Running)
    }
}

pub(super) fn run(command: DoctorCommand) -> anyhow::Result<ExitCode> {
    let findings = examine(&command);
    conclude(findings.report(), command.json)
}

/// Looks at everything, in the order in which one thing needs another.
fn examine(command: &DoctorCommand) -> Findings {
    let mut findings = Findings::default();
    let Some(config) = place::configuration(&command.config, &mut findings) else { return findings };
    let genesis = place::genesis(&config, &mut findings);
    let keys = place::keys(&config, &mut findings);
    let presence = place::directory(&config, &mut findings);
    let tip = match (genesis, &presence) {
        (Some(genesis), Some(presence)) => {
            chain::examine(command, &config, genesis, presence, &mut findings).map(|opened| {
                let tip = opened.ledger.chain().tip();
                signed::examine(&opened, keys.as_ref(), &config, presence, &mut findings);
                tip
            })
        }
        _ => None,
    };
    around::clock(tip.as_deref(), &mut findings);
    let is_running = presence.is_some_and(|presence| presence.is_running());
    around::peers(&config, keys.as_ref(), is_running, &mut findings);
    around::nodes(command, &config, tip.as_deref(), is_running, &mut findings);
    findings
}

#[cfg(test)]
mod tests;
