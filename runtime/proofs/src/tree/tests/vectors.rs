//! The published vectors: one proof a line, `root key bits leaves proof`, all of one map.

use std::collections::BTreeMap;

use cairn_types::Hash;

use crate::test_random::Random;
use crate::tree::{Query, StateProof, StateTree};

const VECTORS: &str = include_str!("../../../../../tests/vectors/state-tree.txt");

struct Vector {
    line: usize,
    root: Hash,
    key: Vec<u8>,
    bits: u16,
    leaves: usize,
    proof: Vec<u8>,
}

impl Vector {
    fn query(&self) -> Query {
        Query::bits(&self.key, self.bits).unwrap()
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
        .collect()
}

fn vectors() -> Vec<Vector> {
    let parse = |(index, line): (usize, &str)| {
        let [root, key, bits, leaves, proof] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        Vector {
            line: index + 1,
            root: root.parse().unwrap(),
            key: from_hex(key),
            bits: bits.parse().unwrap(),
            leaves: leaves.parse().unwrap(),
            proof: from_hex(proof),
        }
    };
    let vectors: Vec<_> = VECTORS.lines().enumerate().map(parse).collect();
    assert_eq!(vectors.len(), 100);
    vectors
}

fn passes(proof: &[u8], root: &Hash, query: &Query) -> bool {
    StateProof::decode(proof).is_ok_and(|proof| proof.verify(root, query).is_ok())
}

#[test]
fn every_vector_verifies_and_encodes_back_to_its_bytes() {
    for vector in vectors() {
        let proof = StateProof::decode(&vector.proof).unwrap();
        let proven = proof.verify(&vector.root, &vector.query()).unwrap();
        assert_eq!(proven.entries().len(), vector.leaves, "line {}", vector.line);
        assert_eq!(proof.encode(), vector.proof, "line {}", vector.line);
    }
}

#[test]
fn the_map_behind_the_vectors_has_their_root_and_gives_every_proof_byte_for_byte() {
    let mut map = BTreeMap::new();
    for vector in vectors().iter().filter(|vector| vector.bits == 9) {
        let proven = StateProof::decode(&vector.proof).unwrap().verify(&vector.root, &vector.query()).unwrap();
        map.extend(proven.into_entries());
    }
    assert_eq!(map.len(), 500, "the lists under the four first bytes are the whole map");
    let tree = StateTree::from_sorted(map).unwrap();
    for vector in vectors() {
        assert_eq!(tree.root(), vector.root);
        assert_eq!(tree.prove(&vector.query()).unwrap().encode(), vector.proof, "line {}", vector.line);
    }
}

#[test]
fn no_vector_verifies_with_a_bit_flipped_in_its_proof() {
    let mut random = Random::seeded(1);
    for vector in vectors() {
        let query = vector.query();
        let bits = vector.proof.len() * 8;
        // All bits of the shorter proofs, which are those of one key and of short lists; random bits of the long ones.
        let flips: Vec<_> =
            if bits < 8 * 900 { (0..bits).collect() } else { (0..400).map(|_| random.below(bits)).collect() };
        for flip in flips {
            let mut proof = vector.proof.clone();
            proof[flip / 8] ^= 1 << (flip % 8);
            assert!(!passes(&proof, &vector.root, &query), "line {}, bit {flip}", vector.line);
        }
    }
}

#[test]
fn no_vector_verifies_against_a_root_with_a_bit_flipped() {
    for vector in vectors() {
        for flip in 0..256 {
            let mut root = *vector.root.as_bytes();
            root[flip / 8] ^= 1 << (flip % 8);
            assert!(!passes(&vector.proof, &Hash::from_bytes(root), &vector.query()), "line {}", vector.line);
        }
    }
}

#[test]
fn no_vector_that_shows_entries_verifies_for_a_key_with_a_bit_flipped() {
    for vector in vectors().iter().filter(|vector| vector.leaves > 0) {
        for flip in 0..vector.key.len() * 8 {
            let mut key = vector.key.clone();
            key[flip / 8] ^= 1 << (flip % 8);
            let query = Query::bits(&key, vector.bits).unwrap();
            assert!(!passes(&vector.proof, &vector.root, &query), "line {}, bit {flip}", vector.line);
        }
    }
}

#[test]
fn no_vector_verifies_cut_short_or_with_bytes_after_it() {
    for vector in vectors().iter().filter(|vector| vector.proof.len() < 1000) {
        for length in 0..vector.proof.len() {
            assert!(!passes(&vector.proof[..length], &vector.root, &vector.query()));
        }
        let longer = [vector.proof.as_slice(), &[0]].concat();
        assert!(!passes(&longer, &vector.root, &vector.query()));
    }
}
