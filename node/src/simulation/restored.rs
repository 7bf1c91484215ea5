//! A validator whose whole disk is replaced by an older copy of itself, as a restored backup does it: it must notice by what
//! the others have, and sign nothing on the way.

use super::plan::{HEALED, Plan};
use super::random::Random;
use super::world::World;
use super::{SEEDS, number};

/// How long the network runs after the restart, in virtual milliseconds.
const AFTERWARDS_MS: u64 = 60_000;

/// What became of the restored validator.
enum Outcome {
    /// It stopped and said why.
    Noticed,
    /// None of its newer signatures came back to it, and it contradicted nothing.
    Unnoticed,
    Wrong(String),
}

fn restore(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let plan = Plan {
        validators: 4,
        observers: 0,
        faults: vec![None; 4],
        links: HEALED,
        offsets_ms: (0..4).map(|seat| seat * 11).collect(),
        slow_ms: vec![0; 4],
        joins_ms: vec![0; 4],
        troubles: Vec::new(),
        heals_ms: u64::MAX,
    };
    let (backup_at, heights, fork) = (random.between(2_000, 20_000), random.between(2, 8), random.next());
    let mut world = World::new(plan, random, false);
    world.go_on_until(|world| world.now_ms() >= backup_at);
    let backup = world.nodes[0].disk.fork(fork);
    let then = world.nodes[0].told.get();
    world.go_on_until(|world| world.nodes[0].told.get() >= then + heights);
    world.replace_disk(0, backup);
    let end = world.now_ms() + AFTERWARDS_MS;
    match world.run_until(end).violation {
        None => Outcome::Unnoticed,
        Some(words) if words.contains("stopped without a reason") && words.contains("is an older copy") => {
            Outcome::Noticed
        }
        Some(words) => Outcome::Wrong(words),
    }
}

#[test]
fn simulation_of_restored_backups_shows_no_double_signature() {
    let count = (number("CAIRN_SIM_SEEDS").unwrap_or(SEEDS) / 20).max(30);
    let (mut noticed, mut wrong) = (0_u64, Vec::new());
    for seed in 0..count {
        match restore(seed) {
            Outcome::Noticed => noticed += 1,
            Outcome::Unnoticed => println!("seed {seed}: no newer signature of its own came back"),
            Outcome::Wrong(words) => {
                println!("seed {seed}: {words}");
                wrong.push(seed);
            }
        }
    }
    println!("figure restored_backups {count}");
    println!("figure restored_backups_noticed {noticed}");
    println!("figure restored_backups_signing_twice {}", wrong.len());
    assert!(wrong.is_empty(), "seeds {wrong:?}");
    assert!(10 * noticed >= 9 * count, "only {noticed} of {count} were noticed");
}
