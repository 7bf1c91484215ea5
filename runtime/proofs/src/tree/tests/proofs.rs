//! Proofs: whatever the tree says verifies, and whatever verifies is true.

use cairn_types::Hash;

use super::oracle;
use crate::test_random::Random;
use crate::tree::{
    LeafProof, LeafValue, PROOF_LEAVES_MAX, ProofError, Query, StateProof, StateTree, Step, VALUE_BYTES_MAX,
};

#[test]
fn every_query_is_answered_with_its_complete_list() {
    let mut random = Random::seeded(10);
    for _ in 0..300 {
        let size = random.below(60);
        let map = oracle::random_map(&mut random, size);
        let tree = StateTree::from_sorted(map.clone()).unwrap();
        for _ in 0..20 {
            let query = oracle::random_query(&mut random);
            let proof = tree.prove(&query).unwrap();
            let proof = StateProof::decode(&proof.encode()).unwrap();
            let proven = proof.verify(&tree.root(), &query).unwrap();
            assert_eq!(proven.entries(), oracle::answer(&map, &query));
            assert_eq!(proven.is_absent(), proven.entries().is_empty());
        }
    }
}

/// One random change to what a prover could send.
fn mutate(proof: &StateProof, other: &StateProof, random: &mut Random) -> StateProof {
    let mut mutant = proof.clone();
    let step = random.below(mutant.path.len().max(1));
    let leaf = random.below(mutant.leaves.len().max(1));
    match random.below(13) {
        0 if !mutant.path.is_empty() => drop(mutant.path.remove(step)),
        1 if mutant.path.len() > 1 => mutant.path.swap(0, step),
        2 if !mutant.path.is_empty() => mutant.path[step].bit = mutant.path[step].bit.wrapping_add(1),
        3 if !mutant.path.is_empty() => mutant.path[step].sibling = Hash::ZERO,
        4 if !other.path.is_empty() => mutant.path.push(other.path[random.below(other.path.len())].clone()),
        5 if !mutant.leaves.is_empty() => drop(mutant.leaves.remove(leaf)),
        6 if mutant.leaves.len() > 1 => mutant.leaves.swap(0, leaf),
        7 if !mutant.leaves.is_empty() => mutant.leaves.push(mutant.leaves[leaf].clone()),
        8 => mutant.leaves.extend(other.leaves.iter().cloned()),
        9 => mutant.leaves.clone_from(&other.leaves),
        10 => mutant.path.clone_from(&other.path),
        11 => mutant.count = mutant.count.wrapping_add(1),
        _ if !mutant.leaves.is_empty() => mutant.leaves[leaf].value = swap_form(&mutant.leaves[leaf].value),
        _ => mutant.leaves.push(LeafProof { key: vec![1], value: LeafValue::Full(vec![]) }),
    }
    mutant
}

fn swap_form(value: &LeafValue) -> LeafValue {
    match value {
        LeafValue::Full(value) => LeafValue::Hash(Hash::plain(value)),
        LeafValue::Hash(_) => LeafValue::Full(vec![]),
    }
}

#[test]
fn altered_proofs_are_refused() {
    let mut random = Random::seeded(11);
    let mut tried = 0;
    for _ in 0..300 {
        let size = random.below(40);
        let map = oracle::random_map(&mut random, size);
        let tree = StateTree::from_sorted(map).unwrap();
        for _ in 0..20 {
            let query = oracle::random_query(&mut random);
            let proof = tree.prove(&query).unwrap();
            let other = tree.prove(&oracle::random_query(&mut random)).unwrap();
            let mut mutant = mutate(&proof, &other, &mut random);
            if random.once_in(2) {
                mutant = mutate(&mutant, &other, &mut random);
            }
            if mutant != proof {
                tried += 1;
                assert!(mutant.verify(&tree.root(), &query).is_err(), "{query:?}\n{proof:?}\n{mutant:?}");
            }
        }
    }
    assert!(tried > 4_000, "only {tried} proofs were altered");
}

#[test]
fn a_bit_flipped_anywhere_in_any_proof_is_refused() {
    let mut random = Random::seeded(12);
    for _ in 0..60 {
        let size = random.below(12);
        let map = oracle::random_map(&mut random, size);
        let tree = StateTree::from_sorted(map).unwrap();
        let query = oracle::random_query(&mut random);
        let bytes = tree.prove(&query).unwrap().encode();
        for flip in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[flip / 8] ^= 1 << (flip % 8);
            let passes = StateProof::decode(&bytes).is_ok_and(|proof| proof.verify(&tree.root(), &query).is_ok());
            assert!(!passes, "bit {flip} for {query:?}");
        }
    }
}

#[test]
fn a_proof_offered_for_another_query_or_another_map_never_proves_what_is_not_true() {
    let mut random = Random::seeded(13);
    let mut truths = 0;
    for _ in 0..300 {
        let size = random.below(40);
        let map = oracle::random_map(&mut random, size);
        let tree = StateTree::from_sorted(map.clone()).unwrap();
        let later = tree.apply(&[(vec![0xff, 0x17], Some(vec![1]))].into());
        for _ in 0..40 {
            let (asked, answered) = (oracle::random_query(&mut random), oracle::random_query(&mut random));
            let proof = tree.prove(&answered).unwrap();
            assert!(proof.verify(&later.root(), &answered).is_err(), "a proof is of one map");
            // The list of a longer prefix may well be that of a shorter one too; then, and only then, it passes.
            if let Ok(proven) = proof.verify(&tree.root(), &asked) {
                truths += 1;
                assert_eq!(proven.entries(), oracle::answer(&map, &asked), "{asked:?} {answered:?}");
            }
        }
    }
    assert!(truths > 100, "some answers hold for two questions, but only {truths} did");
}

#[test]
fn part_of_a_list_cannot_pass_as_the_whole() {
    let map = [[1, 1], [1, 2], [1, 3], [2, 1]].map(|key| (key.to_vec(), vec![9]));
    let tree = StateTree::from_sorted(map).unwrap();
    let part = tree.prove(&Query::prefix(&[1, 1])).unwrap();
    assert!(part.verify(&tree.root(), &Query::prefix(&[1, 1])).is_ok());
    let refusal = part.verify(&tree.root(), &Query::prefix(&[1])).unwrap_err();
    assert!(matches!(refusal, ProofError::StepWithinList { bits: 9, .. }), "{refusal}");
}

#[test]
fn leaves_and_steps_out_of_order_are_refused_before_any_root_is_compared() {
    let map = (0..16_u8).map(|i| (vec![i], vec![9]));
    let tree = StateTree::from_sorted(map).unwrap();
    let (all, one) = (Query::prefix(b""), Query::key(&[5]));
    let list = tree.prove(&all).unwrap();
    let mut twice = list.clone();
    twice.leaves[1] = twice.leaves[0].clone();
    assert_eq!(twice.verify(&tree.root(), &all), Err(ProofError::LeavesNotAscending { leaf: 1 }));
    let mut swapped = list;
    swapped.leaves.swap(3, 4);
    assert_eq!(swapped.verify(&tree.root(), &all), Err(ProofError::LeavesNotAscending { leaf: 4 }));
    let mut twice = tree.prove(&one).unwrap();
    twice.path[1] = twice.path[0].clone();
    assert_eq!(twice.verify(&tree.root(), &one), Err(ProofError::PathNotAscending { step: 1 }));
    let mut swapped = tree.prove(&one).unwrap();
    swapped.path.swap(2, 3);
    assert_eq!(swapped.verify(&tree.root(), &one), Err(ProofError::PathNotAscending { step: 3 }));
}

#[test]
fn a_present_key_cannot_pass_as_absent() {
    let map = [[1, 1], [1, 2], [1, 3], [2, 1]].map(|key| (key.to_vec(), vec![9]));
    let tree = StateTree::from_sorted(map.clone()).unwrap();
    // Every leaf with its true path and its value's hash, offered as the witness that each key is absent.
    for (witness, _) in &map {
        let mut proof = tree.prove(&Query::key(witness)).unwrap();
        proof.leaves[0].value = swap_form(&proof.leaves[0].value);
        for (key, _) in &map {
            assert!(proof.verify(&tree.root(), &Query::key(key)).is_err());
        }
        assert!(proof.verify(&tree.root(), &Query::prefix(&[1])).is_err());
    }
}

#[test]
fn the_empty_map_proves_every_absence_and_no_other_map_passes_as_empty() {
    let empty = StateTree::new();
    let query = Query::key(b"anything");
    let nothing = empty.prove(&query).unwrap();
    assert_eq!(nothing.encode(), [0; 14], "no count, no steps, no leaves");
    assert!(nothing.verify(&empty.root(), &query).unwrap().is_absent());
    assert!(nothing.verify(&empty.root(), &Query::prefix(b"")).unwrap().is_absent());

    let one = StateTree::from_sorted([(b"anything".to_vec(), vec![])]).unwrap();
    assert!(nothing.verify(&one.root(), &query).is_err());
    assert!(nothing.verify(&Hash::ZERO, &query).is_err(), "the zero root is no map's");
    let claims_one = StateProof { count: 1, ..nothing.clone() };
    assert_eq!(claims_one.verify(&empty.root(), &query), Err(ProofError::WrongWitness));
    let has_path = StateProof { path: vec![Step { bit: 1, sibling: Hash::ZERO }], ..nothing };
    assert_eq!(has_path.verify(&empty.root(), &query), Err(ProofError::WrongWitness));
}

#[test]
fn keys_that_no_map_can_hold_are_proven_absent() {
    let map = [vec![0xff; 254], vec![0xff; 255]].map(|key| (key, vec![1]));
    let tree = StateTree::from_sorted(map).unwrap();
    for key in [vec![], vec![0xff; 256], vec![0xff; 257], vec![0; 100_000]] {
        let query = Query::key(&key);
        assert!(tree.prove(&query).unwrap().verify(&tree.root(), &query).unwrap().is_absent());
    }
    let query = Query::prefix(&[0xff; 256]);
    assert!(tree.prove(&query).unwrap().verify(&tree.root(), &query).unwrap().is_absent());
    assert!(Query::bits(&[0xff; 256], 9).is_err());
    assert!(Query::bits(&[0xff; 2], 20).is_err());
}

#[test]
fn a_list_that_does_not_fit_in_a_proof_is_refused_and_its_halves_fit() {
    let many = PROOF_LEAVES_MAX as u32 + 1;
    let tree = StateTree::from_sorted((0..many).map(|i| (i.to_be_bytes().to_vec(), vec![]))).unwrap();
    let all = Query::prefix(b"");
    assert_eq!(tree.prove(&all), Err(ProofError::TooManyLeaves { leaves: PROOF_LEAVES_MAX + 1 }));
    let half = Query::prefix(&[0, 0]);
    assert_eq!(tree.prove(&half).unwrap().verify(&tree.root(), &half).unwrap().entries().len(), PROOF_LEAVES_MAX);

    let large = StateTree::from_sorted((0..65_u8).map(|i| (vec![i], vec![i; VALUE_BYTES_MAX]))).unwrap();
    assert!(matches!(large.prove(&all), Err(ProofError::TooLarge { .. })));
    let one = Query::key(&[64]);
    assert_eq!(
        large.prove(&one).unwrap().verify(&large.root(), &one).unwrap().value(),
        Some(&[64; VALUE_BYTES_MAX][..])
    );
}

#[test]
fn announced_sizes_are_refused_before_anything_is_allocated_for_them() {
    let head = |steps: u16| [&[0; 8][..], &steps.to_le_bytes()].concat();
    assert_eq!(StateProof::decode(&head(2_296)), Err(ProofError::TooManySteps { steps: 2_296 }));
    assert_eq!(StateProof::decode(&head(2_295)), Err(ProofError::Truncated { offset: 10 }));
    let leaves = |leaves: u32| [&head(0)[..], &leaves.to_le_bytes()].concat();
    assert_eq!(StateProof::decode(&leaves(65_537)), Err(ProofError::TooManyLeaves { leaves: 65_537 }));
    assert_eq!(StateProof::decode(&leaves(65_536)), Err(ProofError::Truncated { offset: 14 }));
    let long = vec![0; 4 * 1024 * 1024 + 1];
    assert_eq!(StateProof::decode(&long), Err(ProofError::TooLarge { bytes: long.len() }));
    assert_eq!(StateProof::decode(&[&leaves(1)[..], &[0, 0, 0]].concat()), Err(ProofError::KeyEmpty));
    assert_eq!(StateProof::decode(&[&leaves(1)[..], &[1, 7, 2]].concat()), Err(ProofError::UnknownTag { tag: 2 }));
    assert!(borsh::from_slice::<StateProof>(&u32::MAX.to_le_bytes()).is_err());
}

#[test]
fn random_bytes_never_decode_into_a_panic() {
    let mut random = Random::seeded(14);
    for _ in 0..20_000 {
        let length = random.below(120);
        let mut bytes = random.bytes(length);
        // Small sizes, so that more than the first field is reached.
        for size_byte in [9, 11, 12, 13] {
            if let Some(byte) = bytes.get_mut(size_byte) {
                *byte = 0;
            }
        }
        if let Ok(proof) = StateProof::decode(&bytes) {
            assert_eq!(proof.encode(), bytes);
            let query = oracle::random_query(&mut random);
            assert!(proof.verify(&Hash::plain(&bytes), &query).is_err());
        }
    }
}

#[test]
fn in_borsh_a_proof_is_its_encoding_with_its_length_before_it() {
    let tree = StateTree::from_sorted([(vec![1], vec![2]), (vec![3], vec![4])]).unwrap();
    let proof = tree.prove(&Query::key(&[1])).unwrap();
    let bytes = borsh::to_vec(&proof).unwrap();
    let encoding = proof.encode();
    assert_eq!(bytes, [&(encoding.len() as u32).to_le_bytes()[..], &encoding].concat());
    assert_eq!(borsh::from_slice::<StateProof>(&bytes).unwrap(), proof);
    assert!(borsh::from_slice::<StateProof>(&bytes[..bytes.len() - 1]).is_err());
    assert!(borsh::from_slice::<StateProof>(&[&bytes[..], &[0]].concat()).is_err());
}
