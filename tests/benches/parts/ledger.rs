//! A ledger of a known size: its index, a node that has nothing, a restart, and what an auditor asks.

use std::fs;
use std::time::{Duration, Instant};

use cairn_proofs::verdict::{Expectations, Outcome, verify_bytes};
use cairn_rpc::views::{AttestationSelector, Text};
use cairn_tests::Node;
use cairn_types::ContentHash;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Bench;
use crate::fleet;
use crate::probe::{Used, thread_cpu};
use crate::report::Unit;
use crate::scenario::Scenario;
use crate::stand::{Stand, wait_for_height};

/// Questions by content, each of another attestation.
const AUDITS: usize = 5_000;
const AUDITS_QUICK: usize = 1_000;
/// Bundles made and judged.
const BUNDLES: usize = 1_000;
const BUNDLES_QUICK: usize = 200;
/// Which attestations are asked about is the same in every run.
const SEED: u64 = 5;

/// A sorted list of times.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn ms(&self, percent: usize) -> f64 {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)].as_secs_f64() * 1e3
    }
}

pub(super) fn rebuild(bench: &mut Bench, scenario: &Scenario, stand: &Stand) {
    let count = stand.transactions as f64;
    let each = stand.rebuild.cpu_seconds * 1e6 / count;
    let verify = Some(("verify", bench.floors.verify_us));
    let mut figure = |name, value, unit, floor| bench.report.figure(scenario.name, name, value, unit, floor);
    figure("index_rebuild", count / stand.rebuild.seconds, Unit::PerSecond, None);
    figure("index_rebuild_cpu_per_tx", each, Unit::Us, verify);
    bench.headline(scenario, "index_rebuild_tx_per_s", count / stand.rebuild.seconds);
}

pub(super) async fn catch_up(bench: &mut Bench, scenario: &Scenario, stand: &mut Stand) {
    let (count, height) = (stand.transactions as f64, stand.tip().await.height.get());
    let step = bench.progress.step(&format!("a new node executes {count} transactions"));
    let node = stand.observer();
    by_executing(node);
    let began = Instant::now();
    node.start();
    wait_for_height(node, height).await;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), Used::by(node).cpu_seconds);
    node.stop();
    step.finish_and_clear();
    let verify = Some(("verify", bench.floors.verify_us));
    let mut figure = |name, value, unit, floor| bench.report.figure(scenario.name, name, value, unit, floor);
    figure("catch_up", count / seconds, Unit::PerSecond, None);
    figure("catch_up_cpu_per_tx", cpu * 1e6 / count, Unit::Us, verify);
    bench.headline(scenario, "catch_up_tx_per_s", count / seconds);
}

/// Has a node execute every block instead of joining by a snapshot.
fn by_executing(node: &Node) {
    let text = fs::read_to_string(node.config()).expect("its configuration is there");
    let mut table: toml::Table = text.parse().expect("its configuration is TOML");
    table.insert("sync".to_owned(), "replay".into());
    fs::write(node.config(), table.to_string()).expect("its directory is writable");
}

pub(super) async fn restart(bench: &mut Bench, scenario: &Scenario, stand: &mut Stand) {
    let height = stand.tip().await.height.get();
    let node = stand.last_node();
    let step = bench.progress.step("a node is stopped and started, killed and started");
    node.stop();
    let stopped = start(node, height).await;
    node.kill();
    let killed = start(node, height).await;
    step.finish_and_clear();
    let mut figure = |name, value, unit, floor| bench.report.figure(scenario.name, name, value, unit, floor);
    figure("restart_after_stop", stopped, Unit::Ms, None);
    figure("restart_after_kill", killed, Unit::Ms, None);
    bench.headline(scenario, "restart_ms", stopped);
    bench.headline(scenario, "restart_after_kill_ms", killed);
}

/// Milliseconds until a node that is started answers.
async fn start(node: &mut Node, height: u64) -> f64 {
    let began = Instant::now();
    node.start();
    wait_for_height(node, height).await;
    began.elapsed().as_secs_f64() * 1e3
}

pub(super) async fn audit(bench: &mut Bench, scenario: &Scenario, stand: &Stand) {
    let count = if bench.is_quick { AUDITS_QUICK } else { AUDITS };
    let step = bench.progress.step(&format!("{count} questions by content"));
    let mut random = StdRng::seed_from_u64(SEED);
    let client = stand.nodes()[0].client();
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let number = random.random_range(0..stand.attestations);
        let hash = ContentHash::plain(&fleet::content(number));
        let began = Instant::now();
        let page = client.attestation_find_by_content(Text(hash), None, None, None).await.expect("the node answers");
        times.push(began.elapsed());
        assert_eq!(page.items.len(), 1, "it was attested once");
    }
    step.finish_and_clear();
    let times = Times::of(times);
    let mut figure = |name, value, unit, floor| bench.report.figure(scenario.name, name, value, unit, floor);
    figure("audit_by_content_p50", times.ms(50), Unit::Ms, None);
    figure("audit_by_content_p99", times.ms(99), Unit::Ms, None);
    bench.headline(scenario, "audit_p99_ms", times.ms(99));
}

pub(super) async fn bundles(bench: &mut Bench, scenario: &Scenario, stand: &Stand) {
    let count = if bench.is_quick { BUNDLES_QUICK } else { BUNDLES };
    let step = bench.progress.step(&format!("{count} bundles, made and judged"));
    let mut random = StdRng::seed_from_u64(SEED);
    let client = stand.nodes()[0].client();
    let (mut made, mut bundles) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let number = random.random_range(0..stand.attestations);
        let place = Text(AttestationSelector::Place(stand.fleet.place(number)));
        let began = Instant::now();
        let answer = client.audit_bundle(place, None, None).await.expect("the node makes it");
        made.push(began.elapsed());
        bundles.push((number, answer.value.bundle.0));
    }
    let began = thread_cpu();
    for (number, bundle) in &bundles {
        let expected = Expectations::of(stand.network.chain).with_content(&fleet::content(*number));
        let verdict = verify_bytes(bundle, &expected);
        assert_eq!(verdict.outcome, Outcome::Valid, "{verdict}");
    }
    let judged_ms = (thread_cpu() - began).as_secs_f64() * 1e3 / count as f64;
    step.finish_and_clear();
    let made = Times::of(made);
    let bytes: usize = bundles.iter().map(|(_, bundle)| bundle.len()).sum();
    let verify_ms = Some(("verify alone", bench.floors.verify_single_us / 1e3));
    let mut figure = |name, value, unit, floor| bench.report.figure(scenario.name, name, value, unit, floor);
    figure("bundle_build_p50", made.ms(50), Unit::Ms, None);
    figure("bundle_build_p99", made.ms(99), Unit::Ms, None);
    figure("bundle_verify", judged_ms, Unit::Ms, verify_ms);
    figure("bundle_bytes", bytes as f64 / count as f64, Unit::Bytes, None);
    bench.headline(scenario, "bundle_build_p99_ms", made.ms(99));
    bench.headline(scenario, "bundle_verify_ms", judged_ms);
}
