//! Random choices for tests: a seed gives the same choices everywhere, and is printed, so that a failure can be repeated.

/// SplitMix64.
pub(super) struct Random(u64);

impl Random {
    /// Starts from `seed`.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `choices`, which are not empty.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// Names the one seed to try.
pub(super) const SEED_VARIABLE: &str = "CAIRN_TEST_SEED";

/// The seeds to try: `count` of them, or the one that [`SEED_VARIABLE`] names.
pub(super) fn seeds(count: u64) -> std::ops::Range<u64> {
    match std::env::var(SEED_VARIABLE).ok().and_then(|text| text.parse::<u64>().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    }
}

/// Names the seed if the test fails while this lives.
pub(super) struct NamesSeedOnFailure(pub(super) u64);

impl Drop for NamesSeedOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {seed}; repeat with {SEED_VARIABLE}={seed}", seed = self.0);
        }
    }
}
