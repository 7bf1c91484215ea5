//! Which states are kept.

use super::{Newest, SNAPSHOT_KEYS_MAX, SNAPSHOTS, SNAPSHOTS_MIN};

/// The oldest and the newest state after blocks that changed so many keys each.
fn kept(changed: impl IntoIterator<Item = usize>) -> (usize, usize) {
    let mut states = Newest::of(0);
    let mut oldest = 0;
    for (height, changed) in (1..).zip(changed) {
        let dropped = states.push(height, changed);
        assert!(dropped.iter().copied().eq(oldest..oldest + dropped.len()), "the oldest leave first");
        oldest += dropped.len();
        assert_eq!((*states.first(), *states.last()), (oldest, height));
        for place in 0..=height - oldest {
            assert_eq!(states.get(place), Some(&(oldest + place)));
        }
        assert_eq!(states.get(height - oldest + 1), None);
    }
    (*states.first(), *states.last())
}

#[test]
fn quiet_heights_are_kept_for_long_and_busy_ones_as_far_as_memory_allows() {
    assert_eq!(kept([]), (0, 0));
    assert_eq!(kept([1; SNAPSHOTS - 1]), (0, SNAPSHOTS - 1));
    assert_eq!(kept([1; SNAPSHOTS]), (1, SNAPSHOTS));
    // What the oldest state differs in from the one before it costs nothing: that one is gone.
    let sixteenth = SNAPSHOT_KEYS_MAX / 16;
    assert_eq!(kept([sixteenth; 100]), (100 - 16, 100));
    assert_eq!(kept([usize::MAX; 100]), (100 - (SNAPSHOTS_MIN - 1), 100), "some are always kept");
    // A burst goes, and what is quiet after it stays.
    let burst = [SNAPSHOT_KEYS_MAX; 3].into_iter().chain([1; 400]);
    assert_eq!(kept(burst), (403 - (SNAPSHOTS - 1), 403));
}
