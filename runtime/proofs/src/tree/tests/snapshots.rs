//! The map itself: content, order, roots, and snapshots that do not change.

use std::borrow::Cow;

use super::oracle::{self, Changes, List, Map};
use crate::test_random::Random;
use crate::tree::{KEY_BYTES_MAX, StateTree, TreeError, VALUE_BYTES_MAX};

fn tree_of(map: &Map) -> StateTree {
    StateTree::from_sorted(map.clone()).unwrap()
}

fn listed<'a>(entries: impl Iterator<Item = (Vec<u8>, Cow<'a, [u8]>)>) -> List {
    entries.map(|(key, value)| (key, value.into_owned())).collect()
}

fn list_of(map: &Map) -> List {
    map.clone().into_iter().collect()
}

fn change(map: &mut Map, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

#[test]
fn random_batches_give_the_defined_root_and_leave_every_older_snapshot_as_it_was() {
    let mut random = Random::seeded(2);
    for _ in 0..30 {
        let mut map = Map::new();
        let mut history = vec![(StateTree::new(), map.clone())];
        for _ in 0..40 {
            let size = random.below(20);
            let changes: Changes = (0..size)
                .map(|_| {
                    let value = (!random.once_in(3)).then(|| oracle::random_value(&mut random));
                    (oracle::random_key(&mut random), value)
                })
                .collect();
            change(&mut map, &changes);
            let tree = history.last().unwrap().0.apply(&changes);
            assert_eq!(tree.root(), oracle::state_root(&map));
            assert_eq!(tree.len(), map.len() as u64);
            history.push((tree, map.clone()));
        }
        for (tree, map) in history {
            assert_eq!(tree.root(), oracle::state_root(&map));
            assert_eq!(listed(tree.prefix(b"")), list_of(&map));
        }
    }
}

#[test]
fn the_order_and_grouping_of_changes_do_not_matter() {
    let mut random = Random::seeded(3);
    for _ in 0..50 {
        let map = oracle::random_map(&mut random, 60);
        let mut entries = list_of(&map);
        for i in (1..entries.len()).rev() {
            entries.swap(i, random.below(i + 1));
        }
        let mut one_by_one = StateTree::new();
        for (key, value) in &entries {
            one_by_one = one_by_one.apply(&Changes::from([(key.clone(), Some(value.clone()))]));
        }
        let at_once = StateTree::new().apply(&entries.into_iter().map(|(key, value)| (key, Some(value))).collect());
        let expected = oracle::state_root(&map);
        assert_eq!([one_by_one.root(), at_once.root(), tree_of(&map).root()], [expected; 3]);
    }
}

#[test]
fn what_is_put_and_removed_again_leaves_no_trace() {
    let mut random = Random::seeded(4);
    for _ in 0..50 {
        let map = oracle::random_map(&mut random, 30);
        let before = tree_of(&map);
        let extra: Vec<_> =
            (0..30).map(|_| oracle::random_key(&mut random)).filter(|key| !map.contains_key(key)).collect();
        let with = before.apply(&extra.iter().map(|key| (key.clone(), Some(vec![1]))).collect());
        let without = with.apply(&extra.iter().map(|key| (key.clone(), None)).collect());
        assert_eq!((without.root(), without.len()), (before.root(), before.len()));
        let empty = without.apply(&map.keys().map(|key| (key.clone(), None)).collect());
        assert_eq!(empty, StateTree::new());
        assert!(empty.is_empty());
    }
}

#[test]
fn lookups_lists_and_pages_agree_with_a_plain_map() {
    let mut random = Random::seeded(5);
    for _ in 0..200 {
        let size = random.below(80);
        let map = oracle::random_map(&mut random, size);
        let tree = tree_of(&map);
        for _ in 0..20 {
            let key = oracle::random_key(&mut random);
            assert_eq!(tree.get(&key).as_deref(), map.get(&key).map(Vec::as_slice));
            let prefix = &key[..random.below(key.len() + 1)];
            let under: List = list_of(&map).into_iter().filter(|(key, _)| key.starts_with(prefix)).collect();
            assert_eq!(listed(tree.prefix(prefix)), under);
            assert_eq!(
                listed(tree.last_under(prefix).into_iter()),
                under.last().cloned().into_iter().collect::<List>()
            );
            let after = oracle::random_key(&mut random);
            let page: List = under.into_iter().filter(|(key, _)| *key > after).collect();
            assert_eq!(listed(tree.prefix_after(prefix, Some(&after))), page);
            assert_eq!(listed(tree.prefix_after(prefix, None)), listed(tree.prefix(prefix)));
        }
    }
}

#[test]
fn pages_of_three_make_the_whole_list() {
    let mut random = Random::seeded(6);
    let map = oracle::random_map(&mut random, 200);
    let tree = tree_of(&map);
    let mut pages = List::new();
    loop {
        let page = listed(tree.prefix_after(b"", pages.last().map(|(key, _)| key.as_slice())).take(3));
        if page.is_empty() {
            break;
        }
        pages.extend(page);
    }
    assert_eq!(pages, list_of(&map));
}

#[test]
fn questions_about_keys_that_no_map_can_hold_find_nothing() {
    let tree = tree_of(&Map::from([(vec![0xff; 255], vec![1]), (vec![7], vec![2])]));
    for key in [vec![], vec![0xff; 256], vec![0xff; 257], vec![0xff; 100_000]] {
        assert_eq!(tree.get(&key), None);
    }
    for prefix in [256, 257, 100_000].map(|length| vec![0xff; length]) {
        assert_eq!(tree.prefix(&prefix).count(), 0);
        assert_eq!(tree.last_under(&prefix), None);
        assert_eq!(tree.prefix_after(b"", Some(&prefix)).count(), 0, "all keys are below");
    }
    assert_eq!(tree.prefix_after(b"", Some(b"")).count(), 2, "all keys are above");
}

#[test]
fn entries_that_no_map_can_hold_are_refused() {
    let refusal = |entries: List| StateTree::from_sorted(entries).unwrap_err();
    assert_eq!(refusal(vec![(vec![], vec![])]), TreeError::KeyEmpty);
    assert_eq!(refusal(vec![(vec![0; 256], vec![])]), TreeError::KeyTooLong { bytes: 256 });
    assert_eq!(refusal(vec![(vec![0], vec![0; 65_536])]), TreeError::ValueTooLong { bytes: 65_536 });
    let twice = |second: u8| vec![(vec![5], vec![]), (vec![second], vec![])];
    assert_eq!(refusal(twice(5)), TreeError::NotAscending { index: 1 });
    assert_eq!(refusal(twice(4)), TreeError::NotAscending { index: 1 });
    let longest = Map::from([(vec![0; KEY_BYTES_MAX], vec![7; VALUE_BYTES_MAX])]);
    assert_eq!(tree_of(&longest).root(), oracle::state_root(&longest));
}

#[test]
fn snapshots_can_be_read_from_many_threads() {
    fn shareable<T: Send + Sync + Clone>() {}
    shareable::<StateTree>();
}
