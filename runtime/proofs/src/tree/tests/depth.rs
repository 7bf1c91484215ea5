//! Keys chosen by an attacker to make the longest path there can be.

use std::thread;

use super::oracle::{self, Changes, Map};
use crate::tree::{KEY_BYTES_MAX, PATH_STEPS_MAX, Query, StateProof, StateTree};

/// Enough for hashing and for a loop, and far too little for one frame of recursion a level.
const STACK_BYTES: usize = 96 * 1024;

/// The longest key, and beside it one key that forks off at each virtual bit where one can.
fn longest_path() -> Map {
    let key = [0x5a; KEY_BYTES_MAX];
    let mut map = Map::new();
    for length in 1..=KEY_BYTES_MAX {
        map.insert(key[..length].to_vec(), vec![2]);
        for bit in 0..8 {
            let mut beside = key[..length].to_vec();
            beside[length - 1] ^= 1 << bit;
            map.insert(beside, vec![3]);
        }
    }
    map.insert(key.to_vec(), vec![1]);
    map
}

#[test]
fn the_longest_path_there_can_be_overflows_no_stack() {
    let story = || {
        let map = longest_path();
        let key = [0x5a; KEY_BYTES_MAX];
        let puts: Changes = map.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();

        let at_once = StateTree::new().apply(&puts);
        let sorted = StateTree::from_sorted(map.clone()).unwrap();
        assert_eq!(at_once.root(), sorted.root());
        let mut one_by_one = StateTree::new();
        for (key, value) in puts.iter().rev() {
            one_by_one = one_by_one.apply(&[(key.clone(), value.clone())].into());
        }
        assert_eq!(one_by_one.root(), sorted.root());

        let deepest = Query::key(&key);
        let proof = sorted.prove(&deepest).unwrap();
        assert_eq!(proof.path().len(), PATH_STEPS_MAX - 1, "all virtual bits but the first and the last");
        let proof = StateProof::decode(&proof.encode()).unwrap();
        assert_eq!(proof.verify(&sorted.root(), &deepest).unwrap().value(), Some(&[1][..]));
        let absent = Query::bits(&[&key[..254], &[0x5b]].concat(), 2290).unwrap();
        assert!(sorted.prove(&absent).unwrap().verify(&sorted.root(), &absent).is_ok());
        let all = Query::prefix(b"");
        let list = sorted.prove(&all).unwrap().verify(&sorted.root(), &all).unwrap();
        assert_eq!(list.entries().len(), map.len());

        assert_eq!(sorted.prefix(b"").count(), map.len());
        assert!(sorted.prefix_after(b"", Some(&key)).count() < map.len());
        assert!(sorted.last_under(&key[..254]).is_some());
        let without = sorted.apply(&[(key.to_vec(), None)].into());
        assert_eq!(without.len(), sorted.len() - 1);
        drop(without);
        drop(one_by_one);
        sorted.root()
    };
    let root = thread::Builder::new().stack_size(STACK_BYTES).spawn(story).unwrap().join().unwrap();
    // The naive restatement recurses, and so has a stack of its own.
    let oracle = || oracle::state_root(&longest_path());
    assert_eq!(root, thread::Builder::new().stack_size(64 << 20).spawn(oracle).unwrap().join().unwrap());
}
