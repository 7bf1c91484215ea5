//! Proofs of the two authenticated structures: a damaged one proves nothing, or what is so.

use cairn_proofs::accumulator::InclusionProof;
use cairn_proofs::tree::{Query, StateProof, StateTree};
use cairn_types::{Hash, decode, encode};

use super::{Seen, Target, hold};
use crate::fuzz::mutate::Random;
use crate::fuzz::scene::Scene;

/// Which of the scene's states, which kind of query, and the length of its key, before the key and the proof.
fn asked<'a>(scene: &'a Scene, input: &'a [u8]) -> Option<(&'a StateTree, Query, &'a [u8])> {
    let ([state, kind, length], rest) = input.split_first_chunk()?;
    let tree = &scene.trees[usize::from(*state) % scene.trees.len()];
    let (key, proof) = rest.split_at_checked(usize::from(*length).min(rest.len()))?;
    let query = match kind % 3 {
        0 => Query::key(key),
        1 => Query::prefix(key),
        _ => Query::bits(key, u16::from(*kind) * 3).ok()?,
    };
    Some((tree, query, proof))
}

fn question(scene: &Scene, random: &mut Random) -> Vec<u8> {
    let state = random.below(scene.trees.len());
    let tree = &scene.trees[state];
    let mut key: Vec<u8> = match random.pick(&scene.keys) {
        key if random.once_in(3) => key.clone(),
        // Short ones, with long lists, as often as all others.
        key if random.once_in(2) => key[..random.below(3.min(key.len() + 1))].to_vec(),
        key => key[..random.below(key.len() + 1)].to_vec(),
    };
    if random.once_in(4) {
        key.push(random.number() as u8);
    }
    let kind = random.number() as u8;
    key.truncate(250);
    let head = [state as u8, kind, key.len() as u8];
    // A liar shows the proof of a narrower question: a part of the list, as if it were all of it.
    let narrower = random.pick(&scene.keys);
    let query = if random.once_in(3) && narrower.starts_with(&key) {
        Some(Query::prefix(&narrower[..narrower.len().min(key.len() + 1 + random.below(8))]))
    } else {
        asked(scene, &[&head[..], &key].concat()).map(|(_, query, _)| query)
    };
    let proof = query.and_then(|query| tree.prove(&query).ok()).map_or_else(Vec::new, |proof| proof.encode());
    [&head[..], &key, &proof].concat()
}

/// What a verified proof says is what the tree says: the whole list, or nothing.
fn state_proofs(scene: &'static Scene) -> Target {
    let mut random = Random::new(5);
    let corpus = (0..200).map(|_| question(scene, &mut random));
    let proven = |input: &Vec<u8>| {
        let Some((tree, query, bytes)) = asked(scene, input) else { return false };
        StateProof::decode(bytes).is_ok_and(|proof| proof.verify(&tree.root(), &query).is_ok())
    };
    let corpus: Vec<Vec<u8>> = corpus.filter(proven).collect();
    Target::new("state-proof", 170, corpus, move |input| {
        let Some((tree, query, bytes)) = asked(scene, input) else { return Ok(Seen::Refused) };
        let Ok(proof) = StateProof::decode(bytes) else { return Ok(Seen::Refused) };
        hold(proof.encode() == bytes, "two encodings", || format!("{proof:?}"))?;
        let Ok(proven) = proof.verify(&tree.root(), &query) else { return Ok(Seen::Refused) };
        let all = tree.prefix(&[]).filter(|(key, _)| query.matches(key));
        let truth: Vec<(Vec<u8>, Vec<u8>)> = all.map(|(key, value)| (key, value.into_owned())).collect();
        hold(proven.entries() == truth, "a proof of what is not so", || format!("{query:?}"))?;
        let made = tree.prove(&query);
        hold(made.as_ref() == Ok(&proof), "two proofs of one answer", || format!("{query:?}"))?;
        Ok(Seen::Accepted)
    })
    .making(move |random| question(scene, random))
}

/// Item, index and root are chosen by the input; the proof shows the item at that index, or nothing.
fn inclusions(scene: &'static Scene) -> Target {
    let inputs = scene.inclusions.iter().enumerate().map(|(place, (item, _, _, proof))| {
        [&(place as u16).to_le_bytes()[..], item.as_bytes(), &encode(proof)].concat()
    });
    let corpus: Vec<Vec<u8>> = inputs.collect();
    Target::new("inclusion-proof", 120, corpus, move |input| {
        let Some((place, rest)) = input.split_first_chunk::<2>() else { return Ok(Seen::Refused) };
        let Some((item, bytes)) = rest.split_first_chunk::<32>() else { return Ok(Seen::Refused) };
        let place = usize::from(u16::from_le_bytes(*place)) % scene.inclusions.len();
        let (_, count, root, _) = &scene.inclusions[place];
        let Ok(proof) = decode::<InclusionProof>(bytes, 10_000) else { return Ok(Seen::Refused) };
        let item = Hash::from_bytes(*item);
        // A count that no list here has: whatever the proof, it must end and not believe.
        let foreign = u64::from_le_bytes(*item.as_bytes().first_chunk().unwrap_or(&[0; 8]));
        let believed = foreign != *count && proof.verify(&item, foreign, root).is_ok();
        hold(!believed, "a list of another length", || format!("{proof:?}"))?;
        if proof.verify(&item, *count, root).is_err() {
            return Ok(Seen::Refused);
        }
        let index = usize::try_from(proof.index).unwrap_or(usize::MAX);
        hold(scene.items.get(index) == Some(&item), "a proof of what is not so", || format!("{proof:?}"))?;
        Ok(Seen::Accepted)
    })
}

pub(super) fn targets() -> Vec<Target> {
    let scene = Scene::get();
    vec![state_proofs(scene), inclusions(scene)]
}
