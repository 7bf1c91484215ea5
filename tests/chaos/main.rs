//! Chaos on real processes: four validators and observers, under load, while a nemesis does its worst; and a checker that
//! sees only what clients were told by JSON-RPC.
//!
//! ```text
//!   clients ──JSON-RPC──► nodes ◄──lines of our own──► nodes        history ──► checker: anomalies
//!                           ▲                                          ▲
//!                        nemesis: kills, pauses, cuts, disks, clocks   every question and answer
//! ```
//!
//! Small by default. `CAIRN_CHAOS_KILLS` and `CAIRN_CHAOS_OPERATIONS` make it large, `CAIRN_SEED` chooses the schedule; what
//! processes make of it differs from run to run.

mod checker;
mod clients;
mod faults;
mod forgets;
mod history;
mod kernel;
mod low_water;
mod nemesis;
mod one_dead;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use cairn_genesis::Genesis;
use cairn_tests::Network;
use cairn_types::{StreamId, ValidatorSet};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::clients::Target;
use crate::history::{Event, Seen};
use crate::kernel::Place;
use crate::nemesis::{Nemesis, Report, Trouble};
use crate::world::World;

/// Nodes that vote, and nodes that follow: of those the last one joins when the nemesis says so.
const VALIDATORS: u16 = 4;
const OBSERVERS: u16 = 2;

/// Devices that write, and clients that only read.
const WRITERS: u64 = 10;
const READERS: u64 = 5;

/// The seeds of devices that are registered on the way begin here.
const LATER_DEVICES: u64 = 10_000;

/// Kills and operations of a small run.
const KILLS: usize = 7;
const OPERATIONS: usize = 2_000;

/// Troubles of a small run; one with at least [`LARGE_KILLS`] kills meets all of them.
const TROUBLES: usize = 3;
const LARGE_KILLS: usize = 50;

/// Transactions that every node is asked about at the end; all blocks are read from all nodes anyway.
const SWEPT_MAX: usize = 200;

/// Whoever measures or disturbs does so alone: cargo runs tests side by side.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Whether this is a large run.
fn is_large() -> bool {
    number("CAIRN_CHAOS_KILLS", KILLS) >= LARGE_KILLS
}

/// A number from the environment.
fn number(name: &str, otherwise: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")),
        Err(_) => otherwise,
    }
}

/// The seed of this run, which is printed.
fn seed() -> u64 {
    let seed = match std::env::var("CAIRN_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("CAIRN_SEED={text}: {error}")),
        Err(_) => rand::rng().random(),
    };
    println!("CAIRN_SEED={seed}");
    seed
}

/// The validators of a network that never change.
fn validators(network: &Network) -> ValidatorSet {
    let text = fs::read_to_string(network.directory().join("genesis.toml")).expect("it was made");
    let genesis = Genesis::from_toml(&text).and_then(|genesis| genesis.build()).expect("the program made it");
    genesis.validators
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_pending_is_shown_as_final() {
    let _alone = ALONE.lock().await;
    let kernel = match kernel::enter("nothing_acknowledged_is_lost_and_nothing_pending_is_shown_as_final") {
        Place::Inside(kernel) => Some(kernel),
        Place::Machine => None,
        Place::Done(passed) => return assert!(passed, "it did not pass inside its network namespace"),
    };
    let transport = i32::from(kernel.is_some());
    let (kills, operations) = (number("CAIRN_CHAOS_KILLS", KILLS), number("CAIRN_CHAOS_OPERATIONS", OPERATIONS));
    let mut dice = StdRng::seed_from_u64(seed());
    let began = Instant::now();
    let mut world = World::make(VALIDATORS, OBSERVERS, &["--heartbeat-ms", "1000"], dice.random(), kernel).await;
    let present = world.network.nodes.len() - 1;
    world.network.nodes.iter_mut().take(present).for_each(cairn_tests::Node::start);
    world.network.wait_for_height(1).await;
    let (writers, not_before) = clients::prepare(&world.network, WRITERS).await;
    let streams: Vec<StreamId> = writers.iter().map(|writer| writer.writing.stream).collect();
    let target = Target::of(&world.network, validators(&world.network), present);
    println!("up after {:.1} s", began.elapsed().as_secs_f64());

    // Every client asks so often that together they reach the number in about the time that the kills take.
    let seconds = 6.0 + kills as f64 * 0.45;
    let pace = Duration::from_secs_f64((WRITERS + READERS + 1) as f64 * seconds / operations as f64);
    let mut clients = JoinSet::new();
    for writer in writers {
        clients.spawn(clients::write(Arc::clone(&target), writer, not_before, interval(pace), dice.random()));
    }
    for _ in 0..READERS {
        clients.spawn(clients::read(Arc::clone(&target), streams.clone(), interval(pace), dice.random()));
    }
    let owner = world.network.organizations[0].clone();
    clients.spawn(clients::register(Arc::clone(&target), owner, LATER_DEVICES, interval(pace), dice.random()));

    let mut nemesis = Nemesis {
        world,
        target: Arc::clone(&target),
        validators: usize::from(VALIDATORS),
        hold: Duration::from_millis(if is_large() { 1_200 } else { 500 }),
        dice: StdRng::seed_from_u64(dice.random()),
        report: Report::default(),
    };
    let mut troubles = Trouble::ALL.to_vec();
    if !is_large() {
        troubles.shuffle(&mut dice);
        troubles.truncate(TROUBLES);
    }
    nemesis.rage(troubles, kills).await;
    let Nemesis { world, report, .. } = nemesis;
    while target.recorder.len() < operations {
        // A client that panicked has something to say.
        if let Some(ended) = clients.try_join_next() {
            ended.expect("a client goes on until it is told to finish");
        }
        tokio::time::sleep(pace).await;
    }
    target.finish();
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client finds everything final in the end");
    }
    let calm = began.elapsed();
    sweep(&target, &streams).await;
    assert_no_evidence(&world);

    let events = target.recorder.take();
    let answered = events.iter().filter(|event| !matches!(event.seen, Seen::Unanswered(_))).count();
    let anomalies = checker::check(&events);
    tell(&events);
    println!("swept after {:.1} s, checked after {:.1} s", calm.as_secs_f64(), began.elapsed().as_secs_f64());
    println!("figure kills {}", report.kills);
    println!("figure chaos_operations {answered}");
    println!("figure chaos_anomalies {}", anomalies.len());
    println!("figure chaos_transport {transport}");
    println!("figure vote_after_kill_seconds {:.2}", report.vote_after_kill_s);
    println!("figure chaos_recovery_seconds {:.2}", report.recovery_s);
    println!("figure chaos_join_seconds {:.2}", report.join_s);
    println!("figure chaos_seconds {:.1}", began.elapsed().as_secs_f64());
    assert!(anomalies.is_empty(), "{} anomalies, of which the first are {:#?}", anomalies.len(), first(&anomalies));
    assert!(answered >= operations * 9 / 10, "{answered} questions were answered");
    assert!(report.kills >= kills);
    assert!(report.vote_after_kill_s < VOTE_AFTER_KILL_S_MAX, "{} s until a vote", report.vote_after_kill_s);
}

/// How soon a node must vote after it was killed, in seconds from its start.
const VOTE_AFTER_KILL_S_MAX: f64 = 10.0;

/// A few of many.
fn first<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(8)]
}

/// Reads every block from every node, and asks all of them about streams and some transactions, when all is calm.
async fn sweep(target: &Arc<Target>, streams: &[StreamId]) {
    let mut finals = target.finals();
    finals.truncate(SWEPT_MAX);
    let highest = target.highest();
    let mut asking = JoinSet::new();
    for node in 0..target.present() {
        let (target, streams, finals) = (Arc::clone(target), streams.to_vec(), finals.clone());
        asking.spawn(async move {
            while target.ask_tip(node).await.is_none_or(|tip| tip.height.get() < highest) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            for height in 1..=highest {
                target.ask_block(node, height).await.expect("a calm node answers");
            }
            for stream in streams {
                target.ask_stream(node, stream).await.expect("a calm node answers");
            }
            for id in finals {
                target.ask_transaction(node, id).await.expect("a calm node answers");
            }
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.expect("a calm node answers");
    }
}

/// Nobody signed two things, as far as anybody saw.
fn assert_no_evidence(world: &World) {
    for node in &world.network.nodes {
        let evidence = fs::read_to_string(node.directory.join("data/evidence")).unwrap_or_default();
        assert_eq!(evidence, "", "{} has evidence of a contradiction", node.name);
    }
}

/// What the history holds.
fn tell(events: &[Event]) {
    let mut counts = [0_usize; 9];
    let mut rules = BTreeSet::new();
    for event in events {
        let kind = match &event.seen {
            Seen::Tip { .. } => 0,
            Seen::Block(_) => 1,
            Seen::Taken(_) => 2,
            Seen::Refused { rule, .. } => {
                rules.insert(rule.as_str());
                3
            }
            Seen::Unanswered(_) => 4,
            Seen::Final { .. } => 5,
            Seen::Pending(_) => 6,
            Seen::Unknown(_) => 7,
            Seen::Stream { .. } => 8,
        };
        counts[kind] += 1;
    }
    let [tips, blocks, taken, refused, unanswered, finals, pending, unknown, streams] = counts;
    println!(
        "{tips} tips, {blocks} blocks, {streams} streams; offered: {taken} taken, {refused} refused, {unanswered} \
         unanswered; asked for: {finals} final, {pending} pending, {unknown} unknown"
    );
    println!("refused by {}", rules.into_iter().collect::<Vec<_>>().join(", "));
}
