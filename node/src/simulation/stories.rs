//! Worlds that are not drawn but told: what must happen in them is known.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use cairn_types::Height;

use super::plan::{Fault, HEALED, Plan, Trouble};
use super::random::Random;
use super::villain::Villain;
use super::world::{Event, World};

/// So many validators, nothing wrong.
fn healthy(validators: usize) -> Plan {
    Plan {
        validators,
        observers: 0,
        faults: vec![None; validators],
        links: HEALED,
        offsets_ms: (0..validators).map(|seat| seat as i64 * 11).collect(),
        slow_ms: vec![0; validators],
        joins_ms: vec![0; validators],
        troubles: Vec::new(),
        heals_ms: 0,
    }
}

/// A network in which a third or more of the power are twins, cut so that each half has a quorum with its copies of them.
fn split_by_twins(seed: u64) -> World {
    let mut random = Random::new(seed);
    let (validators, twins) = random.pick(&[(4, 2), (5, 3), (7, 3)]);
    let mut plan = healthy(validators);
    plan.faults[..twins].fill(Some(Fault::Villain(Villain::Twin)));
    let mut world = World::new(plan, random, false);
    // The copies of a twin stand side by side; the honest ones come after them, and every second is on the other side.
    let side = (0..world.nodes.len()).step_by(2).fold(0, |side, node| side | 1 << node);
    world.split(side, false);
    world
}

#[test]
fn simulation_finds_every_fork_that_a_third_of_twins_makes() {
    let planted = (super::number("CAIRN_SIM_SEEDS").unwrap_or(super::SEEDS) / 100).max(6);
    let found = AtomicU64::new(0);
    for seed in 0..planted {
        match split_by_twins(seed).run_until(60_000).violation {
            Some(violation) if violation.contains("FORK") => {
                found.fetch_add(1, Ordering::Relaxed);
            }
            other => println!("seed {seed}: the fork was not found: {other:?}"),
        }
    }
    println!("figure forks_planted {planted}");
    println!("figure forks_found {}", found.load(Ordering::Relaxed));
    println!("figure forks_missed {}", planted - found.load(Ordering::Relaxed));
    assert_eq!(found.into_inner(), planted, "a planted fork was missed");
}

#[test]
fn simulation_of_other_transactions_under_an_honest_header_takes_the_block_of_that_header_all_the_same() {
    for seed in 0..8 {
        let mut plan = healthy(4);
        plan.faults[3] = Some(Fault::Villain(Villain::Substitutes));
        plan.links = super::plan::Links { delay_ms: (5, 5), loss_permille: 0, duplicate_permille: 0 };
        let mut world = World::new(plan, Random::new(seed), false);
        for number in 0..40 {
            world.push(500 + number * 500, Event::Trouble(Trouble::Submit));
        }
        let height = |world: &World| world.nodes[0].process.as_ref().map(|process| process.chain.tip().header.height);
        world.go_on_until(|world| height(world).is_some_and(|height| height.get() >= 12));
        assert_eq!(world.checks.violation, None, "seed {seed}");
        let chain = std::sync::Arc::clone(&world.nodes[0].process.as_ref().expect("it runs").chain);
        let decided = (1..=12).filter_map(|height| chain.block(Height::new(height)).expect("readable"));
        let rounds: Vec<u32> = decided.filter_map(|(_, certificate)| Some(certificate?.round.get())).collect();
        assert_eq!(rounds, [0; 12], "seed {seed}: every block is decided in its first round, that of the villain too");
    }
}

/// A height that cannot be decided for half an hour, under load; how long the write-ahead log of one node is in the end.
fn log_of_a_long_height(undecided_bytes_max: usize) -> usize {
    const HEALS_MS: u64 = 1_800_000;
    // One is gone for good. Of the three others one has a clock that is an hour late: it votes for no block of theirs, and
    // they for none of its own. So rounds go by, and each proposes again and again.
    let mut plan = healthy(4);
    plan.faults[2] = Some(Fault::Clock);
    plan.offsets_ms[2] = -3_600_000;
    plan.faults[3] = Some(Fault::Rot);
    plan.heals_ms = HEALS_MS;
    let mut world = World::new(plan, Random::new(1), false);
    world.nodes[3].is_lost = true;
    world.undecided_bytes_max = undecided_bytes_max;
    // Each of three steps waits half a minute by now, and every fourth round has no proposer.
    world.liveness_ms = 400_000;
    for number in 0..200 {
        world.push(1_000 + number * 5_000, Event::Trouble(Trouble::Submit));
    }
    world.push(HEALS_MS, Event::Heal);
    let disk = world.nodes[0].disk.clone();
    let end = world.run();
    assert_eq!(end.violation, None, "when the clocks are right, they go on");
    assert!(end.heights >= 2 && end.transactions > 0, "{end:?}");
    disk.contents(Path::new("/node/consensus.wal")).expect("it is there").len()
}

#[test]
fn simulation_of_a_height_that_takes_long_ends_when_the_clocks_are_right_and_its_log_is_bounded() {
    let (bounded, free) = (log_of_a_long_height(16 * 1024), log_of_a_long_height(usize::MAX));
    println!("figure simulation_long_height_log_bytes {bounded}");
    println!("figure simulation_long_height_log_bytes_without_bound {free}");
    assert!(3 * bounded < free, "{bounded} bytes with the bound, {free} without");
}

/// One of four dies for good while everybody is busy; the longest time without a block at another one since, in
/// milliseconds.
fn pause_after_a_death(seed: u64) -> u64 {
    let died_ms = 1_000 + seed * 7;
    let mut world = World::new(healthy(4), Random::new(seed), false);
    for number in 0..40 {
        world.push(500 + number * 60, Event::Trouble(Trouble::Submit));
    }
    world.go_on_until(|world| world.now_ms() >= died_ms);
    world.nodes[3].is_lost = true;
    world.push(died_ms, Event::Trouble(Trouble::Kill { node: 3 }));
    let seen = Cell::new((Height::GENESIS, died_ms, 0));
    world.go_on_until(|world| {
        let (height, since, longest) = seen.get();
        let now = world.nodes[0].process.as_ref().expect("it runs").chain.tip().header.height;
        if now > height {
            seen.set((now, world.now_ms(), longest.max(world.now_ms() - since)));
        }
        world.now_ms() >= died_ms + 1_000
    });
    assert_eq!(world.checks.violation, None, "seed {seed}");
    let (_, since, longest) = seen.get();
    longest.max(world.now_ms() - since)
}

#[test]
fn simulation_of_a_death_at_any_moment_shows_no_pause_of_a_whole_wait() {
    let mut pauses: Vec<u64> = (0..100).map(pause_after_a_death).collect();
    pauses.sort_unstable();
    println!("figure simulation_pause_after_a_death_ms_p50 {}", pauses[50]);
    println!("figure simulation_pause_after_a_death_ms_p95 {}", pauses[95]);
    println!("figure simulation_pause_after_a_death_ms_max {}", pauses[99]);
    assert!(pauses[99] < 250, "{:?}", &pauses[80..]);
}
