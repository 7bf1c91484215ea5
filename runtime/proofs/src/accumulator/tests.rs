//! Tests of the accumulator, against the recursion of RFC 9162 written down as it stands there.

use std::collections::BTreeMap;

use cairn_types::Hash;

use super::{AccumulatorError, Frontier, ITEMS_MAX, InclusionProof, prove_in, root_of};
use crate::test_random::Random;

fn b3(parts: &[&[u8]]) -> Hash {
    Hash::plain(&parts.concat())
}

fn items(count: usize) -> Vec<Hash> {
    (0..count as u64).map(|i| Hash::plain(&i.to_le_bytes())).collect()
}

fn split(length: usize) -> usize {
    (0..).map(|power| 1 << power).take_while(|k| *k < length).last().unwrap()
}

fn naive_mth(items: &[Hash]) -> Hash {
    match items {
        [] => Hash::ZERO,
        [item] => b3(&[&[0x10], item.as_bytes()]),
        _ => {
            let (left, right) = items.split_at(split(items.len()));
            b3(&[&[0x11], naive_mth(left).as_bytes(), naive_mth(right).as_bytes()])
        }
    }
}

fn naive_root(items: &[Hash]) -> Hash {
    b3(&[&[0x12], &(items.len() as u64).to_le_bytes(), naive_mth(items).as_bytes()])
}

fn naive_path(items: &[Hash], index: usize) -> Vec<Hash> {
    if items.len() < 2 {
        return vec![];
    }
    let k = split(items.len());
    let (left, right) = items.split_at(k);
    let (mut path, beside) =
        if index < k { (naive_path(left, index), right) } else { (naive_path(right, index - k), left) };
    path.push(naive_mth(beside));
    path
}

/// A list with the store that keeps its nodes.
#[derive(Default)]
struct Kept {
    frontier: Frontier,
    nodes: BTreeMap<(u8, u64), Hash>,
}

impl Kept {
    fn append(&mut self, item: &Hash) {
        for (level, index, hash) in self.frontier.append(item) {
            assert!(self.nodes.insert((level, index), hash).is_none(), "a node completes once");
        }
    }

    fn prove(&self, index: u64, count: u64) -> Result<InclusionProof, AccumulatorError> {
        InclusionProof::prove(index, count, |level, index| self.nodes.get(&(level, index)).copied())
    }
}

#[test]
fn every_list_up_to_300_items_has_the_defined_root_and_proves_every_item() {
    let items = items(300);
    let mut kept = Kept::default();
    for count in 0..=items.len() {
        let list = &items[..count];
        let root = naive_root(list);
        assert_eq!((kept.frontier.root(), root_of(list)), (root, root));
        assert_eq!(kept.frontier.count(), count as u64);
        assert_eq!(kept.frontier.peaks().len(), count.count_ones() as usize);
        for (index, item) in list.iter().enumerate() {
            let proof = kept.prove(index as u64, count as u64).unwrap();
            proof.verify(item, count as u64, &root).unwrap();
            if count < 70 || index % 17 == 0 {
                assert_eq!(proof.siblings, naive_path(list, index));
                assert_eq!(proof, prove_in(list, index as u64).unwrap());
            }
        }
        if let Some(item) = items.get(count) {
            kept.append(item);
        }
    }
    // A perfect subtree is kept for each length 2^level that fits.
    assert_eq!(kept.nodes.len(), (0..9).map(|level| 300 >> level).sum::<usize>());
}

#[test]
fn larger_lists_prove_items_at_every_earlier_count_too() {
    let mut random = Random::seeded(20);
    let items = items(5_000);
    let mut kept = Kept::default();
    items.iter().for_each(|item| kept.append(item));
    for _ in 0..60 {
        let count = 1 + random.below(items.len());
        let list = &items[..count];
        let root = naive_root(list);
        for _ in 0..5 {
            let index = random.below(count);
            let proof = kept.prove(index as u64, count as u64).unwrap();
            assert_eq!(proof.siblings, naive_path(list, index));
            proof.verify(&items[index], count as u64, &root).unwrap();
        }
    }
}

#[test]
fn a_proof_holds_for_its_item_index_count_and_root_alone() {
    let items = items(80);
    for count in 1..=40_usize {
        let root = root_of(&items[..count]);
        for index in 0..count {
            let proof = prove_in(&items[..count], index as u64).unwrap();
            for other in (0..80).filter(|other| *other != index) {
                assert!(proof.verify(&items[other], count as u64, &root).is_err(), "another item");
                let moved = InclusionProof { index: other as u64, ..proof.clone() };
                assert!(moved.verify(&items[index], count as u64, &root).is_err(), "another index");
            }
            for other in (0..=80).filter(|other| *other != count) {
                assert!(proof.verify(&items[index], other as u64, &root).is_err(), "another count");
                let other_root = root_of(&items[..other]);
                assert!(proof.verify(&items[index], other as u64, &other_root).is_err(), "another list");
            }
        }
    }
}

#[test]
fn a_bit_flipped_a_sibling_too_many_or_too_few_is_refused() {
    let items = items(23);
    let root = root_of(&items);
    for (index, item) in items.iter().enumerate() {
        let proof = prove_in(&items, index as u64).unwrap();
        let bytes = borsh::to_vec(&proof).unwrap();
        assert_eq!(borsh::from_slice::<InclusionProof>(&bytes).unwrap(), proof);
        for flip in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[flip / 8] ^= 1 << (flip % 8);
            let passes =
                borsh::from_slice::<InclusionProof>(&bytes).is_ok_and(|proof| proof.verify(item, 23, &root).is_ok());
            assert!(!passes, "item {index}, bit {flip}");
        }
        let expected = proof.siblings.len();
        for siblings in [vec![], [&proof.siblings[..], &[root]].concat(), proof.siblings[1..].to_vec()] {
            let found = siblings.len();
            let wrong = InclusionProof { index: index as u64, siblings };
            let refusal = AccumulatorError::WrongLength { index: index as u64, count: 23, expected, found };
            assert_eq!(wrong.verify(item, 23, &root), Err(refusal));
        }
    }
}

#[test]
fn the_empty_list_and_items_that_do_not_exist_prove_nothing() {
    assert_eq!(root_of(&[]), b3(&[&[0x12], &[0; 8], &[0; 32]]));
    assert_eq!(Frontier::new().root(), root_of(&[]));
    let nothing = InclusionProof { index: 0, siblings: vec![] };
    let refusal = AccumulatorError::NoSuchItem { index: 0, count: 0 };
    assert_eq!(nothing.verify(&Hash::ZERO, 0, &root_of(&[])), Err(refusal.clone()));
    assert_eq!(prove_in(&[], 0), Err(refusal));
    assert_eq!(prove_in(&items(3), 3), Err(AccumulatorError::NoSuchItem { index: 3, count: 3 }));
    let missing = AccumulatorError::NodeMissing { level: 1, index: 0 };
    assert_eq!(InclusionProof::prove(2, 3, |_, _| None), Err(missing));
}

#[test]
fn counts_at_the_edge_of_64_bits_are_refused_without_a_panic() {
    let mut random = Random::seeded(21);
    for count in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1, 1 << 32, 3] {
        for index in [0, 1, count / 2, count - 2, count - 1, count, u64::MAX] {
            for length in 0..=64 {
                let siblings = (0..length).map(|_| Hash::plain(&random.bytes(8))).collect();
                assert!(InclusionProof { index, siblings }.verify(&Hash::ZERO, count, &Hash::ZERO).is_err());
            }
        }
    }
}

#[test]
fn a_huge_list_is_proven_from_its_nodes_alone() {
    // All items of this list are the same, so a node is known by its level.
    let item = Hash::plain(b"same");
    let mut levels = vec![naive_mth(&[item])];
    for level in 0..63 {
        levels.push(b3(&[&[0x11], levels[level].as_bytes(), levels[level].as_bytes()]));
    }
    for count in [(1 << 63) - 1, 1 << 63, (1 << 62) + 5] {
        let peaks: Vec<_> = (0..64).filter(|level| count >> level & 1 == 1).map(|level| levels[level]).collect();
        let mth = peaks.into_iter().reduce(|right, left| b3(&[&[0x11], left.as_bytes(), right.as_bytes()])).unwrap();
        let root = b3(&[&[0x12], &u64::to_le_bytes(count), mth.as_bytes()]);
        for index in [0, 1, count / 3, count - 2, count - 1] {
            let proof =
                InclusionProof::prove(index, count, |level, _| levels.get(usize::from(level)).copied()).unwrap();
            proof.verify(&item, count, &root).unwrap();
        }
    }
}

#[test]
fn a_frontier_survives_its_encoding_and_goes_on() {
    let items = items(100);
    let mut frontier = Frontier::new();
    for (index, item) in items.iter().enumerate() {
        let bytes = borsh::to_vec(&frontier).unwrap();
        assert_eq!(bytes.len(), 8 + 4 + 32 * index.count_ones() as usize);
        let mut decoded: Frontier = borsh::from_slice(&bytes).unwrap();
        assert_eq!(decoded, frontier);
        assert_eq!(decoded.append(item), frontier.append(item));
        assert!(borsh::from_slice::<Frontier>(&[&bytes[..], &[0]].concat()).is_err(), "trailing byte");
    }
    assert_eq!(frontier.root(), naive_root(&items));
    assert_eq!(frontier, Frontier::from_items(&items));
}

#[test]
fn a_frontier_with_another_number_of_peaks_than_its_count_demands_is_refused() {
    let encode = |count: u64, peaks: &[Hash]| borsh::to_vec(&(count, peaks.to_vec())).unwrap();
    for (count, peaks, allowed) in [
        (0, 0, true),
        (0, 1, false),
        (3, 2, true),
        (3, 1, false),
        (3, 3, false),
        (4, 1, true),
        (ITEMS_MAX, 1, true),
        (ITEMS_MAX + 1, 2, false),
        (u64::MAX, 64, false),
    ] {
        let peaks = vec![Hash::ZERO; peaks];
        let bytes = encode(count, &peaks);
        assert_eq!(borsh::from_slice::<Frontier>(&bytes).is_ok(), allowed, "{count} items, {} peaks", peaks.len());
        assert_eq!(Frontier::from_parts(count, peaks).is_some(), allowed);
    }
    let announces_many = [&0_u64.to_le_bytes()[..], &u32::MAX.to_le_bytes()].concat();
    assert!(borsh::from_slice::<Frontier>(&announces_many).is_err());
    let announces_many = [&0_u64.to_le_bytes()[..], &65_u32.to_le_bytes(), &[0; 65 * 32]].concat();
    assert!(borsh::from_slice::<InclusionProof>(&announces_many).is_err());
}
