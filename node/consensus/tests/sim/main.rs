//! Agreement on a virtual network: stories about what must hold when the world does not help.
//!
//! Every story runs over many seeds, and a seed determines everything that happens in it. A failure names its seed.

mod cluster;
mod disk;
mod node;
mod random;
mod villain;

use std::panic::{AssertUnwindSafe, catch_unwind};

use cairn_consensus::Evidence;
use cluster::{Cluster, Links};
use disk::Disk;
use villain::Villain;

const SECONDS: u64 = 1_000;

/// A local network: nothing is lost.
const LOCAL: Links = Links { delay_ms: (1, 5), loss_permille: 0, duplicate_permille: 0 };

/// Runs a story for seeds 0 to `count - 1`, or for `CAIRN_SEEDS_TIMES` as many.
fn seeds(count: u64, story: impl Fn(u64)) {
    let times = std::env::var("CAIRN_SEEDS_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let count = count * times;
    let began = std::time::Instant::now();
    (0..count).for_each(story);
    println!("seeds 0..{count} in {:?}", began.elapsed());
}

#[test]
fn four_honest_nodes_decide_every_height_in_round_zero() {
    seeds(20, |seed| {
        let mut net = Cluster::new(seed, 4);
        net.links = LOCAL;
        net.run_until_all_reach(10, 10 * SECONDS);
        assert_eq!(net.counts.rounds, 40, "seed {seed}: one round a height and node");
        assert!(net.counts.messages <= 40 * 3, "seed {seed}: {} messages", net.counts.messages);
    });
}

#[test]
fn a_seed_determines_a_run() {
    let run = |seed| {
        let mut net = Cluster::new(seed, 4);
        net.links = Links { delay_ms: (1, 80), loss_permille: 100, duplicate_permille: 100 };
        net.habits.crash_permille = 5;
        net.run_until_all_reach(5, 200 * SECONDS);
        (net.trace, net.counts)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn between_heights_the_network_is_silent() {
    seeds(20, |seed| {
        let mut net = Cluster::new(seed, 4);
        net.habits.pulls = false;
        net.run_until_all_reach(3, 20 * SECONDS);
        net.run_for(5 * SECONDS);
        let frames = net.counts.frames;
        net.run_for(3_600 * SECONDS);
        assert_eq!(net.counts.frames, frames, "seed {seed}: something was said in an idle hour");
        net.run_until_all_reach(4, 5 * SECONDS);
    });
}

#[test]
fn with_one_of_four_dead_heights_go_on() {
    seeds(40, |seed| {
        let mut net = Cluster::new(seed, 4);
        let dead = (seed % 4) as usize;
        net.nodes[dead].villain = Some(Villain::Silent);
        net.crash(dead, None);
        net.run_until_all_reach(8, 30 * SECONDS);
    });
}

#[test]
fn without_a_quorum_nothing_is_decided_and_after_healing_there_is_one_chain() {
    seeds(40, |seed| {
        let mut net = Cluster::new(seed, 4);
        net.run_until_all_reach(2, 10 * SECONDS);
        net.side = if seed % 2 == 0 { vec![0, 0, 1, 1] } else { vec![0, 1, 2, 3] };
        net.target = 7;
        // What was under way may still be decided by messages that arrived before.
        net.run_for(5 * SECONDS);
        let before = net.highest_honest_tip();
        net.run_for(20 * SECONDS);
        assert_eq!(net.highest_honest_tip(), before, "seed {seed}: decided without a quorum");
        net.side = vec![0; 4];
        net.run_until_all_reach(7, 60 * SECONDS);
    });
}

#[test]
fn a_node_that_was_cut_off_catches_up_and_votes_again() {
    seeds(40, |seed| {
        let mut net = Cluster::new(seed, 4);
        net.run_until_all_reach(1, 10 * SECONDS);
        let away = (seed % 4) as usize;
        net.side[away] = 1;
        net.target = 6;
        net.run_for(20 * SECONDS);
        assert!(net.highest_honest_tip() >= 6, "seed {seed}: three of four go on");
        net.side[away] = 0;
        net.run_until_all_reach(8, 30 * SECONDS);
        // Without another one, the returned node is needed for every decision.
        let other = (away + 1) % 4;
        net.crash(other, Some(10 * SECONDS));
        let tip = net.highest_honest_tip();
        net.target = tip + 2;
        net.run_for(8 * SECONDS);
        assert!(net.highest_honest_tip() >= tip + 2, "seed {seed}: the returned node does not vote");
    });
}

#[test]
fn loss_duplication_and_long_ways_delay_but_do_not_divide() {
    seeds(40, |seed| {
        let mut net = Cluster::new(seed, 4);
        let loss_permille = [50, 100, 250][(seed % 3) as usize];
        net.links = Links { delay_ms: (5, 200), loss_permille, duplicate_permille: 300 };
        net.run_until_all_reach(4, 300 * SECONDS);
    });
}

#[test]
fn nodes_that_crash_at_any_effect_never_contradict_themselves() {
    seeds(60, |seed| {
        let mut net = Cluster::new(seed, 4);
        net.links = Links { delay_ms: (1, 40), loss_permille: 20, duplicate_permille: 20 };
        net.habits.crash_permille = 15;
        net.run_until_all_reach(6, 400 * SECONDS);
    });
}

#[test]
fn all_crash_at_once_again_and_again() {
    seeds(40, |seed| {
        let mut net = Cluster::new(seed, 4);
        net.target = 1_000;
        for _ in 0..15 {
            let pause = 5 + net.random.below(400);
            net.run_for(pause);
            for node in 0..4 {
                let back = 1 + net.random.below(50);
                net.crash(node, Some(back));
            }
        }
        let tip = net.highest_honest_tip();
        net.run_until_all_reach(tip + 3, 60 * SECONDS);
    });
}

#[test]
fn every_villain_among_four_and_seven() {
    let villains =
        [Villain::Silent, Villain::Equivocator, Villain::TwoFaced, Villain::ProposesInvalid, Villain::Spammer];
    seeds(30, |seed| {
        let count = if seed % 2 == 0 { 4 } else { 7 };
        let mut net = Cluster::new(seed, count);
        let villain = villains[(seed as usize / 2) % villains.len()];
        let first = (seed as usize / 3) % count;
        net.nodes[first].villain = Some(villain);
        if count == 7 {
            net.nodes[(first + 3) % count].villain = Some(villains[(seed as usize) % villains.len()]);
        }
        net.links = Links { delay_ms: (1, 30), loss_permille: 10, duplicate_permille: 20 };
        net.run_until_all_reach(6, 120 * SECONDS);
    });
}

#[test]
fn an_equivocator_leaves_evidence_that_anyone_can_check() {
    let mut votes = 0;
    let mut proposals = 0;
    for seed in 0..10 {
        let mut net = Cluster::new(seed, 4);
        net.nodes[1].villain = Some(Villain::Equivocator);
        net.run_until_all_reach(6, 60 * SECONDS);
        // The cluster verified each, and that no honest node is accused.
        for evidence in net.honest().flat_map(|node| net.nodes[node].evidence.iter()) {
            match evidence {
                Evidence::Votes { .. } => votes += 1,
                Evidence::Proposals { .. } => proposals += 1,
            }
        }
    }
    println!("seeds 0..10: evidence of {votes} votes and {proposals} proposals");
    assert!(votes > 0 && proposals > 0);
}

#[test]
fn villains_and_crashes_together() {
    seeds(15, |seed| {
        let mut net = Cluster::new(seed, 4);
        let villain = [Villain::Equivocator, Villain::TwoFaced, Villain::Spammer][(seed % 3) as usize];
        net.nodes[(seed % 4) as usize].villain = Some(villain);
        net.links = Links { delay_ms: (1, 30), loss_permille: 20, duplicate_permille: 20 };
        net.habits.crash_permille = 8;
        net.run_until_all_reach(4, 400 * SECONDS);
    });
}

#[test]
fn validators_come_and_go_under_crashes() {
    seeds(40, |seed| {
        let sets = [vec![0, 1, 2, 3], vec![1, 2, 3, 4], vec![0, 2, 3, 4, 5]];
        let mut net = Cluster::with_sets(seed, 6, &sets);
        net.links = Links { delay_ms: (1, 30), loss_permille: 10, duplicate_permille: 10 };
        net.habits.crash_permille = 5;
        net.run_until_all_reach(7, 400 * SECONDS);
    });
}

#[test]
fn all_validators_are_replaced_one_after_another_and_one_comes_back() {
    seeds(30, |seed| {
        let changes = [
            (0, vec![0, 1, 2, 3]),
            (3, vec![1, 2, 3, 4]),
            (5, vec![2, 3, 4, 5]),
            (7, vec![3, 4, 5, 6]),
            (9, vec![4, 5, 6, 7]),
            (11, vec![0, 5, 6, 7]),
        ];
        let mut net = Cluster::with_changes(seed, 8, &changes);
        net.links = Links { delay_ms: (1, 30), loss_permille: 10, duplicate_permille: 20 };
        net.habits.crash_permille = 3;
        net.habits.has_sign_state = true;
        net.run_until_all_reach(13, 600 * SECONDS);
        // Without another one, the key that came back is needed for every decision.
        net.habits.crash_permille = 0;
        net.run_for(5 * SECONDS);
        net.crash(7, Some(30 * SECONDS));
        let tip = net.highest_honest_tip();
        net.target = tip + 2;
        net.run_for(20 * SECONDS);
        assert!(net.highest_honest_tip() >= tip + 2, "seed {seed}: the key that came back does not vote");
        let spoke = |node: usize| net.sent.keys().filter(move |place| place.0 == node).map(|place| place.1);
        assert!(spoke(0).all(|height| !(3..11).contains(&height)), "seed {seed}: it voted while it was away");
        assert!(spoke(4).all(|height| (3..11).contains(&height)), "seed {seed}: it voted out of its time");
    });
}

#[test]
fn one_validator_alone_decides() {
    let mut net = Cluster::new(1, 1);
    net.run_until_all_reach(20, 20 * SECONDS);
    assert_eq!(net.counts.rounds, 20);
}

#[test]
fn the_harness_notices_a_node_that_forgets_its_log() {
    // The planted bug: at a restart the log is gone. Some seed must show an honest node that contradicts itself.
    let caught = (0..60).find(|seed| {
        let run = || {
            let mut net = Cluster::new(*seed, 4);
            net.links = Links { delay_ms: (1, 40), loss_permille: 50, duplicate_permille: 0 };
            net.habits.crash_permille = 20;
            net.habits.disk = Disk::LosesLog;
            net.run_until_all_reach(6, 400 * SECONDS);
        };
        let message = catch_unwind(AssertUnwindSafe(run)).err().and_then(|panic| panic.downcast::<String>().ok());
        message.is_some_and(|message| message.contains("contradicts itself") || message.contains("fork"))
    });
    println!("caught at seed {caught:?}");
    assert!(caught.is_some(), "a lost log went unnoticed: the harness is broken");
}

#[test]
fn the_harness_notices_a_fork_when_half_of_the_power_has_twins() {
    // Nodes 1 and 2 exist twice, and each side of the partition has three of the four keys.
    for seed in 0..10 {
        let run = || {
            let mut net = Cluster::with_twins(seed, &[1, 2]);
            net.side = vec![0, 0, 0, 1, 1, 1];
            net.target = 3;
            net.run_for(20 * SECONDS);
        };
        let message = catch_unwind(AssertUnwindSafe(run)).err().and_then(|panic| panic.downcast::<String>().ok());
        assert!(
            message.is_some_and(|message| message.contains("a fork at height 1")),
            "seed {seed}: no fork was found"
        );
    }
}

#[test]
fn one_key_used_by_two_nodes_does_not_divide_the_chain() {
    seeds(30, |seed| {
        let mut net = Cluster::with_twins(seed, &[(seed % 4) as usize]);
        net.links.loss_permille = 20;
        net.target = 12;
        for _ in 0..10 {
            net.side = (0..5).map(|_| u8::from(net.random.chance(500))).collect();
            net.run_for(SECONDS);
        }
        net.side = vec![0; 5];
        net.run_until_all_reach(12, 60 * SECONDS);
    });
}

#[test]
fn a_sign_state_keeps_a_node_from_contradicting_itself_even_without_its_log() {
    // The second line of defence. It saves the node from contradicting itself in one place; what the log knows of locks
    // it does not know, so this is no substitute.
    seeds(40, |seed| {
        let mut net = Cluster::new(seed, 4);
        net.links = Links { delay_ms: (1, 40), loss_permille: 50, duplicate_permille: 0 };
        net.habits.crash_permille = 10;
        net.habits.disk = Disk::LosesLog;
        net.habits.has_sign_state = true;
        net.target = 5;
        net.run_for(60 * SECONDS);
    });
}
