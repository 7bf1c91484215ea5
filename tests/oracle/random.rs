//! Random choices: a seed gives the same choices everywhere, and is printed, so that a failure can be repeated.

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `choices`, which are not empty.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// Names the one seed to try.
const SEED_VARIABLE: &str = "CAIRN_SEED";
/// Says how many seeds to try.
const HISTORIES_VARIABLE: &str = "CAIRN_HISTORIES";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Whether the environment says which seeds to try, so that nothing can be said about all of them.
pub(crate) fn fewer_seeds() -> bool {
    number(SEED_VARIABLE).is_some() || number(HISTORIES_VARIABLE).is_some()
}

/// The seeds to try: `count` of them from `first` on, unless the environment says otherwise.
pub(crate) fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    match number(SEED_VARIABLE) {
        Some(seed) => seed..seed + 1,
        None => first..first + number(HISTORIES_VARIABLE).unwrap_or(count),
    }
}

/// Likewise, but never more than `count`, because each takes long.
pub(crate) fn seeds_at_most(first: u64, count: u64) -> std::ops::Range<u64> {
    let seeds = seeds(first, count);
    seeds.start..seeds.end.min(seeds.start.saturating_add(count))
}

/// Names the seed if the test fails while this lives.
pub(crate) struct NamesSeedOnFailure(pub(crate) u64);

impl Drop for NamesSeedOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {seed}; repeat with {SEED_VARIABLE}={seed}", seed = self.0);
        }
    }
}

/// Runs `work` on every seed, on as many threads as there are cores, and gathers what it gives, in no order.
pub(crate) fn on_all_cores<T: Send>(seeds: std::ops::Range<u64>, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    use std::sync::atomic::{AtomicU64, Ordering};
    let next = AtomicU64::new(seeds.start);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let worker = || {
            let mut results = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return results;
                }
                let _named = NamesSeedOnFailure(seed);
                results.push(work(seed));
            }
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<T>>| match worker.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().flat_map(join).collect()
    })
}
