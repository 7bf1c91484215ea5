//! Under load: the highest rate that lasts, latency below it, and what a transaction costs.

use super::Bench;
use crate::fleet::{Kind, READINGS};
use crate::load::{self, Outcome, Pace};
use crate::report::{Cost, Point, Unit};
use crate::scenario::Scenario;
use crate::stand::Stand;

/// Transactions that are on their way at once while the rate is looked for: a second of the rate that is hoped for, so that
/// the nodes always have work.
const WINDOW: usize = 8_000;
/// How long the network is pushed to find its rate, in seconds, as far as the first guess was right.
const PUSH_SECONDS: f64 = 6.0;
const PUSH_SECONDS_QUICK: f64 = 4.0;
/// The first guess, a second.
const GUESS: f64 = 5_000.0;
/// The part of the rate found by pushing that is tried first, and by what it is lowered until it lasts.
const FIRST_TRY: f64 = 0.9;
const LOWER: f64 = 0.95;
/// How often it is lowered before what was held is told as it is.
const TRIES: usize = 6;
/// The modest rate of [`cost`], a second.
const MODEST: f64 = 2_000.0;
/// Points of the curve, in tenths of the sustained rate.
const TENTHS: u64 = 10;

/// Hands in `seconds` of a rate.
async fn hold(bench: &Bench, stand: &mut Stand, kind: Kind, rate: f64, seconds: f64) -> Outcome {
    let count = (rate * seconds).ceil() as usize;
    let step = bench.progress.step(&format!("{} a second for {seconds} s: {count} signed", rate.round()));
    let offered = stand.sign(kind, count).await;
    let outcome = load::run(stand, offered, Pace::Rate(rate)).await;
    step.finish_and_clear();
    outcome
}

/// How many a second become final when there are always some waiting.
async fn push(bench: &Bench, stand: &mut Stand, kind: Kind) -> f64 {
    let seconds = if bench.is_quick { PUSH_SECONDS_QUICK } else { PUSH_SECONDS };
    let mut guess = GUESS;
    // A first short run warms the nodes up and makes a better guess.
    for part in [0.25, 1.0] {
        let count = ((guess * seconds * part) as usize).max(WINDOW);
        let step = bench.progress.step(&format!("as many as go: {count}"));
        let offered = stand.sign(kind, count).await;
        let outcome = load::run(stand, offered, Pace::Window(WINDOW)).await;
        step.finish_and_clear();
        guess = outcome.per_second;
    }
    guess
}

/// Finds and holds the highest rate that lasts; what it is. One that was found before for another kind is tried first.
pub(super) async fn sustained(
    bench: &mut Bench,
    scenario: &Scenario,
    stand: &mut Stand,
    kind: Kind,
    before: Option<f64>,
) -> f64 {
    let mut rate = match bench.rate.or(before) {
        Some(rate) => rate,
        None => push(bench, stand, kind).await * FIRST_TRY,
    };
    let seconds = bench.seconds as f64;
    let mut tries = 1;
    let outcome = loop {
        let outcome = hold(bench, stand, kind, rate, seconds).await;
        if outcome.is_sustained() || tries == TRIES || bench.rate.is_some() {
            break outcome;
        }
        eprintln!(
            "{} a second did not last: {:.1} s behind, refused {:?}",
            rate.round(),
            outcome.backlog_seconds,
            outcome.refused
        );
        (rate, tries) = (rate * LOWER, tries + 1);
    };
    tell(bench, scenario, kind, &outcome, stand.nodes().len());
    match kind {
        Kind::Attest => {
            bench.headline(scenario, "attest_tx_per_s", outcome.per_second);
            bench.headline(scenario, "attest_devices", scenario.stand.devices as f64);
            bench.headline(scenario, "node_cpu_us_per_tx", outcome.cpu_us);
            bench.headline(scenario, "longest_stall_ms", outcome.stall_ms);
        }
        Kind::Batch => bench.headline(scenario, "readings_per_s", outcome.per_second * READINGS as f64),
        Kind::Register | Kind::Mixed => {}
    }
    rate
}

/// Names of the figures, which tell kinds apart where one scenario has two.
macro_rules! names {
    ($kind:expr, $name:literal) => {
        match $kind {
            Kind::Batch => concat!("batch_", $name),
            Kind::Attest | Kind::Register | Kind::Mixed => $name,
        }
    };
}

fn tell(bench: &mut Bench, scenario: &Scenario, kind: Kind, outcome: &Outcome, nodes: usize) {
    let ceiling = Some(("signatures alone", bench.floors.ceiling(nodes)));
    let (verify, bytes) = (Some(("verify", bench.floors.verify_us)), Some(("its bytes", outcome.transaction_bytes)));
    let sync = Some(("sync of 1 MiB", bench.floors.sync_1_mib_us / 1e3));
    let mut figure = |name, value, unit, floor| bench.report.figure(scenario.name, name, value, unit, floor);
    figure(names!(kind, "sustained"), outcome.per_second, Unit::PerSecond, ceiling);
    figure(names!(kind, "offered"), outcome.offered_per_second.unwrap_or(0.0), Unit::PerSecond, None);
    figure(names!(kind, "node_cpu_per_tx"), outcome.cpu_us, Unit::Us, verify);
    figure(names!(kind, "generator_cpu_per_tx"), outcome.generator_us, Unit::Us, verify);
    figure(names!(kind, "finality_p50"), outcome.percentile_ms(500.0), Unit::Ms, sync);
    figure(names!(kind, "finality_p99"), outcome.percentile_ms(990.0), Unit::Ms, sync);
    figure(names!(kind, "longest_stall"), outcome.stall_ms, Unit::Ms, None);
    figure(names!(kind, "block_transactions"), outcome.block_transactions, Unit::Count, None);
    figure(names!(kind, "node_rss"), outcome.rss_mb, Unit::Mb, None);
    figure(names!(kind, "wire_bytes_per_tx"), outcome.wire_bytes, Unit::Bytes, bytes);
    figure(names!(kind, "disk_growth_per_tx"), outcome.disk_bytes, Unit::Bytes, bytes);
    figure(names!(kind, "disk_written_per_tx"), outcome.written_bytes, Unit::Bytes, bytes);
    figure(names!(kind, "cpu_of_others"), outcome.others_percent, Unit::Percent, None);
    figure(names!(kind, "backlog"), outcome.backlog_seconds, Unit::S, None);
    for (rule, count) in &outcome.refused {
        eprintln!("refused by {rule}: {count}");
    }
}

/// Latency at half of the sustained rate.
pub(super) async fn half(
    bench: &mut Bench,
    scenario: &Scenario,
    stand: &mut Stand,
    kind: Kind,
    sustained: Option<f64>,
) {
    let rate = sustained.expect("the rate is found before it is halved") / 2.0;
    let outcome = hold(bench, stand, kind, rate, bench.seconds as f64).await;
    let (verify, sync) =
        (Some(("verify", bench.floors.verify_us)), Some(("sync of 1 MiB", bench.floors.sync_1_mib_us / 1e3)));
    let mut figure = |name, value, unit, floor| bench.report.figure(scenario.name, name, value, unit, floor);
    figure("half_offered", rate, Unit::PerSecond, None);
    figure("half_finality_p50", outcome.percentile_ms(500.0), Unit::Ms, sync);
    figure("half_finality_p90", outcome.percentile_ms(900.0), Unit::Ms, sync);
    figure("half_finality_p99", outcome.percentile_ms(990.0), Unit::Ms, sync);
    figure("half_finality_p99.9", outcome.percentile_ms(999.0), Unit::Ms, sync);
    figure("half_finality_max", outcome.percentile_ms(1_000.0), Unit::Ms, sync);
    figure("half_node_cpu_per_tx", outcome.cpu_us, Unit::Us, verify);
    figure("half_longest_stall", outcome.stall_ms, Unit::Ms, None);
    figure("half_cpu_of_others", outcome.others_percent, Unit::Percent, None);
    bench.headline(scenario, "finality_half_load_p50_ms", outcome.percentile_ms(500.0));
    bench.headline(scenario, "finality_half_load_p99_ms", outcome.percentile_ms(990.0));
}

/// Latency at tenths of the sustained rate; a quick run has only what it knows already.
pub(super) async fn curve(bench: &mut Bench, stand: &mut Stand, kind: Kind, sustained: Option<f64>) {
    let sustained = sustained.expect("the rate is found before the curve is drawn");
    let (step, seconds) = if bench.is_quick { (3, 4.0) } else { (1, bench.seconds as f64 / 2.0) };
    for tenth in (1..=TENTHS).step_by(step) {
        let outcome = hold(bench, stand, kind, sustained * tenth as f64 / TENTHS as f64, seconds).await;
        let (p50_ms, p99_ms) = (outcome.percentile_ms(500.0), outcome.percentile_ms(990.0));
        bench.report.curve.push(Point { rate: outcome.per_second, p50_ms, p99_ms });
    }
}

/// The cost of a transaction on this ledger.
pub(super) async fn cost(bench: &mut Bench, scenario: &Scenario, stand: &mut Stand) {
    // The first seconds after a start pay for what is not in memory yet.
    hold(bench, stand, Kind::Attest, MODEST, 2.0).await;
    let seconds = (bench.seconds as f64 / 2.0).max(5.0);
    let outcome = hold(bench, stand, Kind::Attest, MODEST, seconds).await;
    tell(bench, scenario, Kind::Attest, &outcome, stand.nodes().len());
    bench.report.costs.push(Cost { ledger: stand.transactions as f64, cpu_us: outcome.cpu_us });
}
