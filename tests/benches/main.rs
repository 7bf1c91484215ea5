//! What a whole network costs on this machine, and what no ledger of signed records could do without. `scripts/bench` runs
//! it.
//!
//! ```text
//! floors ──► scenarios: each a network (stand), filled with a ledger (fill), and parts that measure it
//!                          │ load: open loop, signed before (fleet), over POST /tx (wire)
//!                          └─► report: table, JSON; plots
//! ```
//!
//! All nodes are real processes, and the load generator shares the cores with them. Nothing is asserted about a figure: a
//! benchmark measures, a test claims. Figures of one run can be compared with each other and with the floors of the same
//! run, not with those of another machine.

mod fill;
mod fleet;
mod floors;
mod load;
mod machine;
mod parts;
mod plots;
mod probe;
mod progress;
mod report;
mod scenario;
mod stand;
mod wire;

use std::fs;
use std::path::PathBuf;

use cairn_tests::network;
use clap::Parser;
use serde_json::json;

use crate::floors::Floors;
use crate::parts::Bench;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::SCENARIOS;

/// How long a rate is held, in seconds, in a full run and in a quick one.
const SECONDS: u64 = 60;
const SECONDS_QUICK: u64 = 10;

/// Measures a network of nodes on this machine, beside its floor.
#[derive(Debug, Parser)]
struct Options {
    /// The scenarios that matter most, each rate held for a short time: within six minutes.
    #[arg(long)]
    quick: bool,
    /// Write all figures here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write plots as SVG here: latency by throughput, cost by the ledger's size.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Only this scenario; may be repeated.
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<String>,
    /// Say which scenarios there are, and end.
    #[arg(long)]
    list: bool,
    /// How long each rate is held, and an idle network watched.
    #[arg(long)]
    seconds: Option<u64>,
    /// Offer this rate instead of looking for the highest one that is sustained.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Measure this program instead of the one of these sources: for comparing two.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// The engine of the index: fjall or sled.
    #[arg(long, default_value = "fjall")]
    engine: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::parse();
    if options.list {
        for scenario in SCENARIOS {
            println!("{}", scenario.line());
        }
        return;
    }
    if let Some(program) = &options.program {
        network::use_program(program.clone());
    }
    let unknown: Vec<&String> =
        options.only.iter().filter(|name| SCENARIOS.iter().all(|it| it.name != **name)).collect();
    if !unknown.is_empty() {
        eprintln!("there is no scenario {unknown:?}; see --list");
        std::process::exit(2);
    }
    let is_chosen = |name: &str, in_quick: bool| {
        if options.only.is_empty() { in_quick || !options.quick } else { options.only.iter().any(|only| only == name) }
    };
    let progress = Progress::new();
    let seconds = options.seconds.unwrap_or(if options.quick { SECONDS_QUICK } else { SECONDS });
    let step = progress.step("measuring the floors");
    let floors = Floors::measure(&std::env::temp_dir());
    step.finish_and_clear();
    let mut report = Report::default();
    floors.tell(&mut report);
    let mut bench = Bench {
        floors,
        report,
        progress,
        seconds,
        is_quick: options.quick,
        draws: options.plots.is_some(),
        rate: options.rate,
        engine: options.engine.clone(),
    };
    for scenario in SCENARIOS.iter().filter(|scenario| is_chosen(scenario.name, scenario.in_quick)) {
        bench.run(scenario).await;
    }
    let Bench { report, .. } = bench;
    println!("{}", report.table());
    if let Some(directory) = &options.plots {
        fs::create_dir_all(directory).expect("the directory can be made");
        plots::draw(&report, directory);
    }
    if let Some(path) = &options.json {
        let chosen = json!({
            "quick": options.quick, "seconds": seconds, "only": options.only, "rate": options.rate,
            "program": options.program, "engine": options.engine,
        });
        let json = report.json(machine::describe(), machine::commit(), chosen);
        fs::write(path, format!("{json:#}\n")).expect("the file can be written");
    }
}
