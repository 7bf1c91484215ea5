//! A network with nothing to do: how soon a single transaction is final, and what waiting costs.

use std::time::{Duration, Instant};

use super::Bench;
use crate::fleet::Kind;
use crate::probe::{self, Used};
use crate::report::Unit;
use crate::scenario::Scenario;
use crate::stand::Stand;

/// Transactions, one after the other.
const SINGLES: usize = 400;
const SINGLES_QUICK: usize = 100;

pub(super) async fn idle(bench: &mut Bench, scenario: &Scenario, stand: &mut Stand) {
    let singles = if bench.is_quick { SINGLES_QUICK } else { SINGLES };
    let watched = Duration::from_secs(bench.seconds);
    let step = bench.progress.step(&format!("an idle network for {} s", watched.as_secs()));
    let before = Used::by_all(stand.nodes());
    tokio::time::sleep(watched).await;
    let used = Used::by_all(stand.nodes()).since(before);
    let percent = used.cpu_seconds / stand.nodes().len() as f64 / watched.as_secs_f64() * 100.0;
    let rss = stand.nodes().iter().map(probe::rss_mb).fold(0.0, f64::max);
    step.finish_and_clear();

    let step = bench.progress.step(&format!("{singles} transactions, one after the other"));
    let mut times = Vec::with_capacity(singles);
    for offered in stand.sign(Kind::Attest, singles).await {
        // Each device is handed in at a node of its own.
        let place = usize::try_from(offered.source).expect("small") % stand.nodes().len();
        let began = Instant::now();
        stand.nodes()[place].finalize(&offered.signed).await;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    step.finish_and_clear();
    times.sort_by(f64::total_cmp);
    let sync_ms = bench.floors.sync_4_kib_us / 1e3;
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let mut figure = |name, value, unit, floor| bench.report.figure(scenario.name, name, value, unit, floor);
    figure("finality_p50", p50, Unit::Ms, Some(("sync of 4 KiB", sync_ms)));
    figure("finality_p99", p99, Unit::Ms, Some(("sync of 4 KiB", sync_ms)));
    figure("node_rss", rss, Unit::Mb, None);
    figure("node_cpu", percent, Unit::Percent, None);
    bench.headline(scenario, "finality_idle_p50_ms", p50);
    bench.headline(scenario, "finality_idle_p99_ms", p99);
    bench.headline(scenario, "idle_node_rss_mb", rss);
    bench.headline(scenario, "idle_node_cpu_percent", percent);
}
