//! Hostile input: millions of inputs over every decoder, over the rules, over proofs, over JSON-RPC.
//!
//! A few seconds by default; `CAIRN_HOSTILE_INPUTS=10000000` is the promise. The run names its seed, and a failure the
//! input: `CAIRN_SEED`, `CAIRN_HOSTILE_TARGET` and `CAIRN_HOSTILE_INPUT` repeat it, `CAIRN_HOSTILE_KEEP=1` keeps it in
//! `tests/fuzz/regressions/` for all later runs.

#[path = "fuzz/wycheproof.rs"]
mod wycheproof;

use std::time::{SystemTime, UNIX_EPOCH};

use cairn_tests::fuzz::engine::{self, Plan, Report};
use cairn_tests::fuzz::{found, targets};

/// How many inputs there are if nobody says: what takes a few seconds.
const INPUTS: u64 = 250_000;

/// Most memory by which the process may grow, in MB.
const GROWTH_MB_MAX: u64 = 64;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

fn plan() -> Plan {
    let asked = number("CAIRN_HOSTILE_INPUTS");
    // A long run looks somewhere else each time; a short one is the same for everybody.
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    Plan {
        seed: number("CAIRN_SEED").unwrap_or_else(|| if asked.is_some() { fresh() } else { 1 }),
        inputs: asked.unwrap_or(INPUTS),
        target: std::env::var("CAIRN_HOSTILE_TARGET").ok(),
        input: number("CAIRN_HOSTILE_INPUT"),
        measure: Some(|work| allocation_counter::measure(work).bytes_max),
    }
}

#[test]
fn no_hostile_input_does_harm() {
    let (targets, plan) = (targets::all(), plan());
    println!("seed {}", plan.seed);
    let directory = targets::directory("fuzz/regressions");
    let Report { tallies, failures, growth_mb } =
        engine::run(&targets, &plan, |target| found::kept(&directory, target.name));
    println!("{:>18} {:>10} {:>10} {:>10} {:>12}", "target", "inputs", "accepted", "median us", "longest us");
    for tally in &tallies {
        let (median, longest) = (tally.median_ns as f64 / 1e3, tally.longest_ns as f64 / 1e3);
        println!("{:>18} {:>10} {:>10} {median:>10.1} {longest:>12.1}", tally.target, tally.inputs, tally.accepted);
    }
    for failure in &failures {
        let target = targets.iter().find(|target| target.name == failure.target).expect("it ran");
        let small = found::shrink(target, failure, plan.measure);
        println!("{}", found::tell(failure, plan.seed, &small));
        if number("CAIRN_HOSTILE_KEEP").is_some() {
            found::keep(&directory, failure, &small);
        }
    }
    println!("figure hostile_inputs {}", tallies.iter().map(|tally| tally.inputs).sum::<u64>());
    println!("figure hostile_input_failures {}", failures.len());
    println!("figure hostile_input_growth_mb {growth_mb}");
    println!("figure hostile_input_targets {}", tallies.len());
    assert!(failures.is_empty(), "{} targets do not bear an input; they are named above", failures.len());
    assert!(growth_mb <= GROWTH_MB_MAX, "grew by {growth_mb} MB, and {GROWTH_MB_MAX} are right");
}
