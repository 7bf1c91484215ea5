//! Which machine and which program: a figure without them says nothing.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// Processor features that decide how fast signatures and hashes are.
const FEATURES: [&str; 8] = ["avx2", "avx512f", "avx512ifma", "avx512vl", "bmi2", "sha_ni", "vaes", "asimd"];

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The machine, for the JSON.
pub(crate) fn describe() -> Value {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let flags: Vec<&str> =
        field(&processor, "flags").or(field(&processor, "Features")).unwrap_or("").split(' ').collect();
    let kib: u64 = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0);
    json!({
        "cpu": field(&processor, "model name").unwrap_or("unknown"),
        "cores": cores(),
        "memory_mb": kib / 1024,
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "features": FEATURES.into_iter().filter(|feature| flags.contains(feature)).collect::<Vec<_>>(),
    })
}

/// The value of a line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}

/// The commit, with a `+` if the files differ from it; `unknown` outside of a repository.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    if is_changed { hash + "+" } else { hash }
}
