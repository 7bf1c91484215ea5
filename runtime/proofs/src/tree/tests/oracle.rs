//! The definition, restated as naively as it can be: bits as lists, recursion over lists, one hasher.

use std::collections::BTreeMap;

use cairn_types::Hash;

use crate::test_random::Random;
use crate::tree::Query;

pub(super) type Map = BTreeMap<Vec<u8>, Vec<u8>>;
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;
pub(super) type List = Vec<(Vec<u8>, Vec<u8>)>;

pub(super) fn virtual_bits(key: &[u8]) -> Vec<bool> {
    let mut bits = Vec::new();
    for byte in key {
        bits.push(true);
        bits.extend((0..8).rev().map(|b| byte & (1 << b) != 0));
    }
    bits.push(false);
    bits
}

fn b3(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

fn t(list: &[(&[bool], &[u8], &[u8])]) -> [u8; 32] {
    if let [(_, key, value)] = list {
        return b3(&[&[0], &[key.len() as u8], key, &b3(&[value])]);
    }
    let (first, last) = (list[0].0, list[list.len() - 1].0);
    let p = (0..).find(|p| first[*p] != last[*p]).unwrap();
    let zeros: Vec<_> = list.iter().filter(|entry| !entry.0[p]).copied().collect();
    let ones: Vec<_> = list.iter().filter(|entry| entry.0[p]).copied().collect();
    b3(&[&[1], &(p as u16).to_le_bytes(), &t(&zeros), &t(&ones)])
}

pub(super) fn state_root(map: &Map) -> Hash {
    let bits: Vec<_> = map.keys().map(|key| virtual_bits(key)).collect();
    let list: Vec<_> =
        map.iter().zip(&bits).map(|((key, value), bits)| (bits.as_slice(), key.as_slice(), value.as_slice())).collect();
    let top = if list.is_empty() { [0; 32] } else { t(&list) };
    Hash::from_bytes(b3(&[&[2], &(map.len() as u64).to_le_bytes(), &top]))
}

/// The true answer to a query.
pub(super) fn answer(map: &Map, query: &Query) -> List {
    let wanted = virtual_bits(query.key_bytes())[..usize::from(query.bit_count())].to_vec();
    map.iter()
        .filter(|(key, _)| virtual_bits(key).starts_with(&wanted))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// A key of few letters, so that keys are often prefixes of one another and often meet.
pub(super) fn random_key(random: &mut Random) -> Vec<u8> {
    let length = 1 + random.below(4);
    (0..length).map(|_| [0x00, 0x01, 0x80, 0xfe, 0xff][random.below(5)]).collect()
}

pub(super) fn random_value(random: &mut Random) -> Vec<u8> {
    let length = random.below(5);
    random.bytes(length)
}

pub(super) fn random_map(random: &mut Random, entries: usize) -> Map {
    (0..entries).map(|_| (random_key(random), random_value(random))).collect()
}

pub(super) fn random_query(random: &mut Random) -> Query {
    let key = random_key(random);
    match random.below(3) {
        0 => Query::key(&key),
        1 => Query::prefix(&key[..random.below(key.len() + 1)]),
        _ => Query::bits(&key, random.below(9 * key.len() + 2) as u16).unwrap(),
    }
}
