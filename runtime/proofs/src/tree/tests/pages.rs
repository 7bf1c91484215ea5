//! Pages: what was put in comes out, and where entries lie depends on the content alone.

use std::collections::BTreeSet;

use super::oracle::{self, Changes, List, Map};
use crate::test_random::Random;
use crate::tree::node::Node;
use crate::tree::page::{Encoder, Found, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, Page, SHORT_BYTES, Size};
use crate::tree::{KEY_BYTES_MAX, Query, StateTree, VALUE_BYTES_MAX, bits};

/// Keys that share long beginnings, and values that repeat each other's bytes, as those of the rules do.
struct Fleet {
    random: Random,
    fields: Vec<Vec<u8>>,
}

impl Fleet {
    fn seeded(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let fields = [0, 1, 7, 8, 9, 12, 32, 33, 127, 128, 129, 135, 136, 300];
        let fields = fields.into_iter().chain([32; 6]).map(|length| random.bytes(length)).collect();
        Self { random, fields }
    }

    fn field(&mut self) -> Vec<u8> {
        let at = self.random.below(self.fields.len());
        self.fields[at].clone()
    }

    fn key(&mut self) -> Vec<u8> {
        let subject = 14 + self.random.below(6);
        let mut key = [&[4], self.fields[subject].as_slice(), &[self.random.below(5) as u8]].concat();
        if self.random.once_in(8) {
            key.truncate(1 + self.random.below(key.len()));
        }
        key
    }

    fn value(&mut self) -> Vec<u8> {
        let parts = self.random.below(4);
        (0..parts).flat_map(|_| self.field()).collect()
    }

    fn map(&mut self, entries: usize) -> Map {
        (0..entries).map(|_| (self.key(), self.value())).collect()
    }
}

fn page_of(map: &Map) -> Page {
    let size = map.iter().map(|(key, value)| Size::of(key, value)).reduce(Size::and).unwrap();
    Encoder::default().page(map.iter().map(|(key, value)| (key.as_slice(), value.as_slice())), size)
}

/// The bytes of all pages, in order.
fn pages(tree: &StateTree) -> Vec<List> {
    let mut pending: Vec<_> = tree.top.iter().collect();
    let mut pages = Vec::new();
    while let Some(link) = pending.pop() {
        match &link.node {
            Node::Branch(branch) => pending.extend([&branch.right, &branch.left]),
            Node::Page(page) => {
                let mut entries = page.entries();
                let mut list = List::new();
                while let Some((key, value)) = entries.step() {
                    list.push((key.to_vec(), value.read().into_owned()));
                }
                pages.push(list);
            }
        }
    }
    pages
}

#[test]
fn a_page_gives_back_what_it_was_made_of() {
    let mut fleet = Fleet::seeded(21);
    for _ in 0..2_000 {
        let entries = 1 + fleet.random.below(24);
        let map = fleet.map(entries);
        let page = page_of(&map);
        let mut read = page.entries();
        for (key, value) in &map {
            let (found, written) = read.step().unwrap();
            assert_eq!((found, &*written.read()), (key.as_slice(), value.as_slice()));
            assert!(written.is(value) && !written.is(&[value.as_slice(), &[0]].concat()));
            assert!(value.is_empty() || !written.is(&value[1..]));
            let mut buffer = vec![9];
            written.read_into(&mut buffer);
            assert_eq!(buffer[1..], *value);
        }
        assert!(read.step().is_none());
        assert_eq!(page.first_key(), map.keys().next().unwrap());
    }
}

#[test]
fn a_page_finds_each_key_and_says_where_every_other_one_forks_off() {
    let mut fleet = Fleet::seeded(22);
    for _ in 0..2_000 {
        let entries = 1 + fleet.random.below(24);
        let map = fleet.map(entries);
        let page = page_of(&map);
        let mut asked: Vec<Vec<u8>> = map.keys().cloned().collect();
        asked.extend((0..20).map(|_| if fleet.random.once_in(2) { fleet.key() } else { fleet.random.bytes(5) }));
        asked.extend([vec![], vec![0xff; 256], vec![4; 100_000]]);
        for key in asked {
            match page.search(&key) {
                Found::Value(value) => assert_eq!(Some(&*value.read()), map.get(&key).map(Vec::as_slice)),
                Found::Fork(fork) => {
                    assert!(!map.contains_key(&key));
                    assert_eq!(Some(fork), map.keys().map(|other| bits::first_difference(other, &key).unwrap()).max());
                }
            }
            let prefix = &key[..fleet.random.below(key.len() + 1).min(40)];
            let last = map.iter().rfind(|(key, _)| key.starts_with(prefix));
            let found = page.last_under(prefix).map(|(key, value)| (key, value.into_owned()));
            assert_eq!(found, last.map(|(key, value)| (key.clone(), value.clone())));
            assert_eq!(page.last_value(prefix).as_deref(), last.map(|(_, value)| value.as_slice()));
        }
    }
}

#[test]
fn what_repeats_itself_is_kept_once() {
    let mut random = Random::seeded(23);
    let field = random.bytes(64);
    let value = |i: u8| [&[i], field.as_slice(), &[i]].concat();
    let map: Map = (0..8).map(|i| ([&field[..32], &[i]].concat(), value(i))).collect();
    let raw: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    let bytes = page_of(&map).bytes();
    assert!(bytes < 32 + 66 + 7 * 20 + 16, "{raw} bytes of entries in a page of {bytes}");
    // What repeats nothing takes little more than its bytes.
    let map: Map = (0..8).map(|i| (random.bytes(33), [random.bytes(60), vec![i]].concat())).collect();
    assert!(page_of(&map).bytes() <= 3 + 8 * (33 + 61 + 4));
}

#[test]
fn random_batches_of_a_fleet_give_the_defined_root_the_same_pages_and_the_same_answers() {
    let mut fleet = Fleet::seeded(24);
    for _ in 0..12 {
        let mut map = Map::new();
        let mut tree = StateTree::new();
        for _ in 0..25 {
            let size = fleet.random.below(9);
            let changes: Changes = (0..size)
                .map(|_| {
                    let value = (!fleet.random.once_in(3)).then(|| fleet.value());
                    (fleet.key(), value)
                })
                .collect();
            for (key, value) in &changes {
                match value {
                    Some(value) => drop(map.insert(key.clone(), value.clone())),
                    None => drop(map.remove(key)),
                }
            }
            tree = tree.apply(&changes);
            assert_eq!(tree.root(), oracle::state_root(&map));
            assert_eq!(pages(&tree), pages(&StateTree::from_sorted(map.clone()).unwrap()));
            for (key, value) in &map {
                assert_eq!(tree.get(key).as_deref(), Some(value.as_slice()));
            }
            let key = fleet.key();
            let query = Query::prefix(&key[..fleet.random.below(key.len() + 1)]);
            let proven = tree.prove(&query).unwrap().verify(&tree.root(), &query).unwrap();
            assert_eq!(proven.entries(), oracle::answer(&map, &query));
        }
    }
}

#[test]
fn a_subtree_is_a_page_as_long_as_it_fits_and_not_longer() {
    let full: Map = (0..PAGE_ENTRIES_MAX as u8).map(|i| (vec![7, i], vec![i])).collect();
    let tree = StateTree::from_sorted(full.clone()).unwrap();
    assert_eq!(pages(&tree).len(), 1);
    let more = tree.apply(&[(vec![7, 0xff], Some(vec![]))].into());
    assert!(pages(&more).len() > 1, "one entry too many");
    assert_eq!(pages(&more.apply(&[(vec![7, 0xff], None)].into())), pages(&tree), "and joined again without it");
    let beside = tree.apply(&[(vec![0x80], Some(vec![]))].into());
    let expected = vec![full.into_iter().collect(), vec![(vec![0x80], vec![])]];
    assert_eq!(pages(&beside), expected, "what forks off above leaves the page as it is");

    let long = |bytes: usize| {
        Map::from([(vec![1], vec![1; bytes - 2]), (vec![2], vec![])]).into_iter().map(|(key, value)| (key, Some(value)))
    };
    let of = |bytes| pages(&StateTree::new().apply(&long(bytes).collect())).len();
    // The second entry has one byte, which does not count.
    let most = PAGE_BYTES_MAX + SHORT_BYTES + 1;
    assert_eq!([of(most), of(most + 1), of(VALUE_BYTES_MAX)], [1, 2, 2]);
}

#[test]
fn the_longest_keys_and_values_lie_in_pages_like_any_other() {
    let key = |last: u8| [&[3; KEY_BYTES_MAX - 1][..], &[last]].concat();
    let map: Map = (0..4).map(|i| (key(i), vec![i; VALUE_BYTES_MAX])).chain([(vec![3], vec![])]).collect();
    let tree = StateTree::from_sorted(map.clone()).unwrap();
    assert_eq!(tree.root(), oracle::state_root(&map));
    assert!(map.iter().all(|(key, value)| tree.get(key).as_deref() == Some(value.as_slice())));
    let short: Changes = map.keys().map(|key| (key.clone(), Some(vec![1]))).collect();
    let tree = tree.apply(&short);
    assert_eq!(pages(&tree).len(), 1 + usize::from(map.len() > PAGE_ENTRIES_MAX));
    let keys: BTreeSet<Vec<u8>> = tree.prefix(&[3]).map(|(key, _)| key).collect();
    assert!(keys.iter().eq(map.keys()));
}
