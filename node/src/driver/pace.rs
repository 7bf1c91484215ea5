//! How soon after a block the next one begins, if something waits for it.
//!
//! A block has a price of its own, whatever it holds: syncs, a dozen signatures made or checked, two dozen frames; 2.4 ms of
//! CPU for each node were measured, as much as for forty transactions or more. A network that makes blocks as fast as it can
//! pays that a hundred times a second, also for blocks of ten. So after a block that shows load the next one waits until more
//! has come together; who comes alone waits for nobody.
//!
//! It decides when this node starts a height by itself, and nothing else: a height that another validator has started is
//! joined at once, and no timeout of agreement runs before that.

use std::time::Duration;

use cairn_types::Parameters;

use crate::chain::Snapshot;

/// A block of so many transactions shows load: more than a handful of clients make who each wait for their own.
const LOADED_TRANSACTIONS_MIN: u32 = 8;

/// From a block that shows load to the next, in milliseconds: a fifth of what half of the people may wait at half of the
/// full load, and ten blocks a second, whose own price is 2.4% of a core for each node.
const PACE_MS: u64 = 100;

/// When the block after `tip`, which was committed at `committed`, may begin.
pub(super) fn next(tip: &Snapshot, committed: Duration) -> Duration {
    if tip.transactions < LOADED_TRANSACTIONS_MIN { committed } else { committed + Duration::from_millis(PACE_MS) }
}

/// Whether so many transactions, with so many bytes, fill a block: then there is nothing to wait for.
pub(super) fn fills_a_block((transactions, bytes): (usize, usize), parameters: &Parameters) -> bool {
    let reaches = |count: usize, max: u32| usize::try_from(max).is_ok_and(|max| count >= max);
    reaches(transactions, parameters.block_transactions_max) || reaches(bytes, parameters.block_bytes_max)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LOADED_TRANSACTIONS_MIN, PACE_MS, fills_a_block, next};
    use crate::testing::World;

    #[test]
    fn only_after_a_block_that_shows_load_does_the_next_one_wait() {
        let mut world = World::new();
        let committed = Duration::from_secs(7);
        let loaded = u8::try_from(LOADED_TRANSACTIONS_MIN).expect("small");
        let registered =
            |world: &World, seeds: std::ops::Range<u8>| seeds.map(|seed| world.register(0, seed).1).collect::<Vec<_>>();
        let few = registered(&world, 50..50 + loaded - 1);
        assert_eq!(next(&world.commit(few), committed), committed);
        let many = registered(&world, 100..100 + loaded);
        assert_eq!(next(&world.commit(many), committed), committed + Duration::from_millis(PACE_MS));
        let one = registered(&world, 150..151);
        assert_eq!(next(&world.commit(one), committed), committed, "the load has gone");
    }

    #[test]
    fn a_full_block_waits_for_nothing() {
        let parameters = &World::new().tip().parameters;
        let count = usize::try_from(parameters.block_transactions_max).expect("small");
        let bytes = usize::try_from(parameters.block_bytes_max).expect("small");
        for (waiting, is_full) in [((count, 0), true), ((1, bytes), true), ((count - 1, bytes - 1), false)] {
            assert_eq!(fills_a_block(waiting, parameters), is_full, "{waiting:?}");
        }
    }
}
