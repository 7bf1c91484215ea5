//! Pieces: all of them together are the map, and whoever sends anything else is found out at that piece.

use super::oracle;
use crate::test_random::Random;
use crate::tree::{PieceError, PieceReader, Query, StateProof, StateTree};

fn tree_of(random: &mut Random, size: usize) -> StateTree {
    let map = oracle::random_map(random, size);
    StateTree::from_sorted(map).unwrap()
}

#[test]
fn pieces_of_any_size_put_the_map_together_again() {
    let mut random = Random::seeded(40);
    for _ in 0..300 {
        let size = random.below(80);
        let tree = tree_of(&mut random, size);
        let mut reader = PieceReader::new(tree.root());
        let mut entries = Vec::new();
        while !reader.is_complete() {
            // Whoever sends the next piece may cut otherwise than the one before.
            let bytes_max = random.below(600);
            let proof = tree.piece_after(reader.after(), bytes_max).expect("something follows");
            let proof = StateProof::decode(&proof.encode()).expect("it is one");
            entries.extend(reader.accept(&proof).expect("it is the next piece"));
        }
        let expected: Vec<_> = tree.prefix(&[]).map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        assert_eq!(entries, expected);
        assert_eq!(StateTree::from_sorted(entries).unwrap().root(), tree.root());
        assert_eq!(reader.accept(&tree.piece_after(None, 0).unwrap()), Err(PieceError::Complete));
        assert_eq!(
            tree.piece_after(reader.after(), 100),
            if tree.is_empty() { tree.piece_after(None, 0) } else { None }
        );
    }
}

#[test]
fn a_piece_that_is_left_out_repeated_taken_from_elsewhere_or_altered_is_refused_at_once() {
    let mut random = Random::seeded(41);
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..400 {
        let size = 2 + random.below(60);
        let tree = tree_of(&mut random, size);
        let other = tree.apply(&[(b"another".to_vec(), Some(b"entry".to_vec()))].into());
        let pieces: Vec<StateProof> = {
            let mut reader = PieceReader::new(tree.root());
            let mut pieces = Vec::new();
            while !reader.is_complete() {
                let proof = tree.piece_after(reader.after(), random.below(300)).expect("something follows");
                reader.accept(&proof).expect("it is the next piece");
                pieces.push(proof);
            }
            pieces
        };
        let mut reader = PieceReader::new(tree.root());
        for (place, piece) in pieces.iter().enumerate() {
            for _ in 0..4 {
                let lie = match random.below(5) {
                    0 => pieces[random.below(pieces.len())].clone(),
                    1 => {
                        other.piece_after(reader.after(), 100).unwrap_or_else(|| other.piece_after(None, 100).unwrap())
                    }
                    2 => tree.prove(&oracle::random_query(&mut random)).unwrap(),
                    3 => altered(piece, &mut random),
                    _ => tree.prove(&Query::key(&piece.leaves[piece.leaves.len() - 1].key)).unwrap(),
                };
                let before = (reader.after().map(<[u8]>::to_vec), reader.is_complete());
                let mut trial = reader.clone();
                match trial.accept(&lie) {
                    // The next piece, cut in another way.
                    Ok(entries) => {
                        let next = tree.prefix_after(&[], reader.after());
                        let expected: Vec<_> =
                            next.take(entries.len()).map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
                        assert_eq!(entries, expected, "place {place}: not what follows");
                        accepted += 1;
                    }
                    Err(_) => {
                        assert_eq!((trial.after().map(<[u8]>::to_vec), trial.is_complete()), before);
                        refused += 1;
                    }
                }
            }
            reader.accept(piece).expect("the truth is believed after lies");
        }
        assert!(reader.is_complete());
    }
    println!("{refused} lies refused, {accepted} other cuts of the truth accepted");
    assert!(refused > 1_000 && accepted > 100, "{refused} and {accepted}");
}

fn altered(piece: &StateProof, random: &mut Random) -> StateProof {
    loop {
        let mut bytes = piece.encode();
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
        if let Ok(altered) = StateProof::decode(&bytes) {
            return altered;
        }
    }
}
