//! Files that are not quite what a prover made: nothing can be left out, added, moved or changed unnoticed.

use cairn_types::state_key;

use super::model::Model;
use super::{Answer, Question, expecting, names, prove, verify_bytes};
use crate::lookup::{Lookup, LookupExpectations};
use crate::test_random::Random;
use crate::tree::StateProof;
use crate::verdict::Outcome;

/// A ledger with grants over a device, and a question about them whose answer has several of each kind of proof.
fn rich(random: &mut Random) -> (Model, Question) {
    loop {
        let model = Model::random(random);
        let over = |device| model.grants.values().filter(|(scope, _)| model.touches(scope, device)).count();
        let found = model.places.keys().find(|device| over(device) > 2).copied();
        if let Some(device) = found {
            return (model, Question::DeviceGrants(device));
        }
    }
}

#[test]
fn no_proof_can_be_dropped_added_or_moved() {
    let mut random = Random::seeded(41);
    for _ in 0..6 {
        let (model, _) = rich(&mut random);
        let foreign: Vec<StateProof> = model
            .questions(&mut random)
            .iter()
            .flat_map(|question| prove(&model.ledger, question).expect("a lookup").proofs)
            .collect();
        for question in model.questions(&mut random) {
            let lookup = prove(&model.ledger, &question).expect("a lookup");
            let refused = |changed: &[StateProof]| {
                if changed == lookup.proofs.as_slice() {
                    return;
                }
                let changed = Lookup { proofs: changed.to_vec(), ..lookup.clone() };
                let verdict = verify_bytes(&changed.encode(), &expecting(&model.ledger, &question));
                assert_ne!(verdict.outcome, Outcome::Valid, "{question}");
                assert!(verdict.answer.is_none() && verdict.entries.is_empty());
            };
            for at in 0..lookup.proofs.len() {
                let mut changed = lookup.proofs.clone();
                changed.remove(at);
                refused(&changed);
                let mut changed = lookup.proofs.clone();
                changed.swap(at, random.below(lookup.proofs.len()));
                refused(&changed);
                let mut changed = lookup.proofs.clone();
                changed[at] = foreign[random.below(foreign.len())].clone();
                refused(&changed);
            }
            for at in 0..=lookup.proofs.len() {
                let mut changed = lookup.proofs.clone();
                changed.insert(at, foreign[random.below(foreign.len())].clone());
                refused(&changed);
            }
        }
    }
}

#[test]
fn no_grant_can_be_hidden() {
    let mut random = Random::seeded(42);
    let (model, question) = rich(&mut random);
    let tip = model.ledger.tip();
    let state = model.ledger.state_at(tip);
    let honest = prove(&model.ledger, &question).expect("a lookup");
    let verdict = verify_bytes(&honest.encode(), &expecting(&model.ledger, &question));
    let Some(Answer::DeviceGrants(Some(answer))) = verdict.answer else { panic!("grants") };
    for (grant, terms) in &answer.grants {
        // A prover who takes the grant out of his own state, and shows that as the state of the checkpoint.
        let hide = [state_key::scope_grant(&terms.value.scope.key(), grant), state_key::grant(grant)];
        let poorer = state.apply(&hide.into_iter().map(|key| (key, None)).collect());
        let mut finality = honest.certified.clone();
        finality.checkpoint.state_root = poorer.root();
        let forged = Lookup::prove(&poorer, finality, question.clone()).expect("a lookup");
        let verdict = verify_bytes(&forged.encode(), &expecting(&model.ledger, &question));
        assert_eq!((verdict.outcome, names(&verdict)), (Outcome::Invalid, vec!["certificate_invalid"]));
        // With the certified header, no mixture of true and forged proofs will do.
        for _ in 0..50 {
            let mut mixed = |at: usize, proof: &StateProof| match honest.proofs.get(at) {
                Some(honest) if random.once_in(2) => honest.clone(),
                _ => proof.clone(),
            };
            let proofs = forged.proofs.iter().enumerate().map(|(at, proof)| mixed(at, proof)).collect();
            let verdict =
                verify_bytes(&Lookup { proofs, ..honest.clone() }.encode(), &expecting(&model.ledger, &question));
            assert_ne!(verdict.outcome, Outcome::Valid);
        }
    }
}

#[test]
fn no_byte_is_without_meaning() {
    let mut random = Random::seeded(43);
    let (model, question) = rich(&mut random);
    let lookup = prove(&model.ledger, &question).expect("a lookup");
    let lookup = lookup.with_anchor(model.ledger.anchor(1, model.ledger.tip()));
    let bytes = lookup.encode();
    let expectations = expecting(&model.ledger, &question);
    let honest = verify_bytes(&bytes, &expectations);
    assert_eq!(honest.outcome, Outcome::Valid);
    let mut elsewhere = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << random.below(8);
        let verdict = verify_bytes(&changed, &expectations);
        assert_eq!(verdict.outcome, Outcome::Invalid, "byte {at}");
        // Whoever expects no question reads which one was answered; no other answer passes for this one.
        let verdict = verify_bytes(&changed, &LookupExpectations::of(model.ledger.chain()));
        if verdict.outcome != Outcome::Invalid {
            assert_ne!(verdict.question, honest.question, "byte {at}");
            elsewhere += 1;
        }
    }
    println!("{} bytes, of which {elsewhere} made another question of it", bytes.len());
}

#[test]
fn rubbish_never_panics_and_is_never_valid() {
    let mut random = Random::seeded(44);
    let (model, _) = rich(&mut random);
    for question in model.questions(&mut random) {
        let bytes = prove(&model.ledger, &question).expect("a lookup").encode();
        for _ in 0..60 {
            let mut changed = bytes.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(changed.len());
                match random.below(3) {
                    0 => changed[at] = random.bytes(1)[0],
                    1 => drop(changed.remove(at)),
                    _ => changed.insert(at, random.bytes(1)[0]),
                }
            }
            let valid = verify_bytes(&changed, &expecting(&model.ledger, &question)).outcome == Outcome::Valid;
            assert!(!valid || changed == bytes, "{question}");
        }
    }
}
