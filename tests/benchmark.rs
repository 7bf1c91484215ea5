//! The benchmark runs: its smallest scenario, in a second, writes the figures that others look for. What they are is asserted
//! by nobody.

use std::fs;
use std::process::Command;

use cairn_tests::network::example;
use serde_json::Value;

/// The figures of that scenario which have a name of their own.
const KEYS: [&str; 4] = ["floor_verify_us", "finality_idle_p50_ms", "idle_node_rss_mb", "idle_node_cpu_percent"];

#[test]
fn the_benchmark_writes_its_figures() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("figures.json");
    let status = Command::new(example("bench"))
        .args(["--quick", "--only", "idle", "--seconds", "1", "--json"])
        .arg(&path)
        .status()
        .expect("the benchmark starts");
    assert!(status.success(), "the benchmark ended with {status}");
    let text = fs::read_to_string(&path).expect("the benchmark wrote its figures");
    let figures: Value = serde_json::from_str(&text).expect("they are JSON");
    for key in KEYS {
        assert!(figures[key].is_number(), "{key} is missing in {figures:#}");
    }
    assert!(figures["machine"]["cores"].as_u64().is_some_and(|cores| cores > 0), "{figures:#}");
    assert!(figures["scenarios"]["idle"]["finality_p50"]["ratio"].is_number(), "{figures:#}");
}
