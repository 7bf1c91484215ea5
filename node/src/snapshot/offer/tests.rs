//! Which snapshots are offered, and for how long.

use super::*;
use crate::testing::World;

/// What a node offers that began at some height, told of one height after the other.
struct Node {
    world: World,
    offers: Offers,
    height: u64,
}

impl Node {
    fn new(first: u64) -> Self {
        let world = World::new();
        let offers = Offers::new(&at(&world, first));
        Self { world, offers, height: first }
    }

    /// Follows the chain up to a height; each block changes so many keys.
    fn follow(&mut self, to: u64, changed_keys: usize) {
        while self.height < to {
            self.height += 1;
            self.offers.follow(&at(&self.world, self.height), changed_keys);
        }
    }

    fn kept(&self) -> Vec<u64> {
        self.offers.kept.read().unwrap().offers.iter().map(Offer::height).collect()
    }

    fn is_given(&self, height: u64) -> bool {
        self.offers.of(Height::new(height)).is_some()
    }
}

/// A snapshot of a height; what it holds is of no interest here.
fn at(world: &World, height: u64) -> Arc<Snapshot> {
    let mut snapshot = Snapshot::clone(&world.tip());
    snapshot.header.height = Height::new(height);
    Arc::new(snapshot)
}

#[test]
fn nobody_fetches_and_only_the_newest_is_kept() {
    let mut node = Node::new(0);
    assert_eq!(node.kept(), [0; 0], "the genesis needs no snapshot");
    for interval in 1..10 {
        node.follow(interval * SNAPSHOT_INTERVAL - 1, 10);
        assert_eq!(node.kept().last().copied().unwrap_or(0), (interval - 1) * SNAPSHOT_INTERVAL);
        node.follow(interval * SNAPSHOT_INTERVAL, 10);
        assert_eq!(node.kept(), [interval * SNAPSHOT_INTERVAL]);
    }
}

#[test]
fn what_somebody_fetches_stays_until_it_is_not_asked_for_or_too_old() {
    let mut node = Node::new(0);
    node.follow(SNAPSHOT_INTERVAL, 10);
    assert_eq!(node.offers.newest().unwrap().header.height.get(), SNAPSHOT_INTERVAL);
    // Somebody asks for a piece now and then, and after two intervals no more.
    while node.height < 3 * SNAPSHOT_INTERVAL {
        node.follow(node.height + USE_HEIGHTS / 2, 10);
        assert!(node.is_given(SNAPSHOT_INTERVAL), "at height {}", node.height);
    }
    assert_eq!(node.kept(), [1, 3].map(|interval| interval * SNAPSHOT_INTERVAL), "the one between was not fetched");
    node.follow(4 * SNAPSHOT_INTERVAL, 10);
    assert_eq!(node.kept(), [4 * SNAPSHOT_INTERVAL]);

    // Somebody asks for ever.
    while node.height < 8 * SNAPSHOT_INTERVAL {
        assert!(node.is_given(4 * SNAPSHOT_INTERVAL), "at height {}", node.height);
        node.follow(node.height + USE_HEIGHTS / 2, 10);
    }
    assert!(!node.is_given(4 * SNAPSHOT_INTERVAL));
    assert_eq!(node.kept(), [8 * SNAPSHOT_INTERVAL]);
}

#[test]
fn on_a_busy_chain_the_newest_is_replaced_when_much_has_changed() {
    let (per_block, part) = (CHANGED_KEYS_MAX / 40, SNAPSHOT_INTERVAL / INTERVAL_PARTS);
    let mut nodes = [Node::new(0), Node::new(100), Node::new(333)];
    for node in &mut nodes {
        let mut pinned = 0;
        while node.height < 3 * SNAPSHOT_INTERVAL {
            node.follow(node.height + 1, per_block);
            pinned = pinned.max(node.offers.kept.read().unwrap().changed_keys);
            assert!(node.kept().len() <= 1);
        }
        let most = CHANGED_KEYS_MAX + usize::try_from(part).unwrap() * per_block;
        assert!(pinned > CHANGED_KEYS_MAX && pinned <= most, "{pinned} keys of {most}");
        node.follow(node.height + SNAPSHOT_INTERVAL / 2, per_block);
    }
    // They began at different heights, and offer the same since the last interval began.
    let newest = nodes[0].kept();
    assert!(newest[0] > 3 * SNAPSHOT_INTERVAL && newest[0].is_multiple_of(part), "{newest:?}");
    assert_eq!([&newest; 2], [&nodes[1].kept(), &nodes[2].kept()]);
}

#[test]
fn many_who_fetch_get_a_few_snapshots() {
    let mut node = Node::new(0);
    for _ in 0..20 {
        node.follow(node.height + SNAPSHOT_INTERVAL / INTERVAL_PARTS, CHANGED_KEYS_MAX);
        let newest = node.offers.newest().unwrap().header.height.get();
        assert_eq!(newest, node.height);
        assert!(node.kept().iter().all(|height| node.is_given(*height)));
        assert!(node.kept().len() <= OFFERS_MAX);
    }
    assert_eq!(node.kept().len(), OFFERS_MAX);
}
