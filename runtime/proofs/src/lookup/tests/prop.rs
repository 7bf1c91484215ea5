//! Over ledgers at random, every question is answered with exactly what was put in.

use std::collections::BTreeSet;

use cairn_types::{DeviceId, GrantId, Interval, Position, state_key};

use super::model::{Model, parameters};
use super::{Answer, Question, ask};
use crate::authority::Link;
use crate::test_random::Random;
use crate::verdict::Outcome;

fn ids(links: &[Link]) -> Vec<GrantId> {
    links.iter().map(|(id, _)| *id).collect()
}

/// What a complete answer holds, by the lists beside the ledger.
fn assert_complete(model: &Model, question: &Question, answer: Answer) {
    let registered = |device: &DeviceId| model.places.contains_key(device);
    match (question, answer) {
        (Question::Checkpoint, Answer::Checkpoint) => (),
        (Question::Organization(_), Answer::Organization(file)) => {
            assert_eq!(file.map(|file| file.keys.len()), Some(1));
        }
        (Question::Device(id), Answer::Device(file)) => {
            assert_eq!(file.map(|file| file.keys.len()), model.key_epochs.get(id).copied());
        }
        (Question::DeviceStreams(id), Answer::DeviceStreams(found)) => {
            let wanted = model.streams.iter().filter(|(_, device)| *device == id).map(|(stream, _)| *stream);
            assert_eq!(found.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
        }
        (Question::Grant(id), Answer::Grant(path)) => match model.grants.contains_key(id) {
            true => assert_eq!(ids(&path), model.path(*id)),
            false => assert!(path.is_empty()),
        },
        (Question::Grants(scope), Answer::Grants(found)) => {
            let wanted = model.grants.iter().filter(|(_, (over, _))| over == scope).map(|(id, _)| *id);
            assert_eq!(ids(&found), wanted.collect::<Vec<_>>());
        }
        (Question::DeviceGrants(id), Answer::DeviceGrants(found)) => {
            assert_eq!(found.is_some(), registered(id));
            let Some(found) = found else { return };
            let wanted = model.grants.iter().filter(|(_, (over, _))| model.touches(over, id)).map(|(id, _)| *id);
            assert_eq!(ids(&found.grants), wanted.collect::<Vec<_>>());
            let listed: BTreeSet<GrantId> = found.scopes.into_iter().flat_map(|list| list.grants).collect();
            assert_eq!(listed.into_iter().collect::<Vec<_>>(), ids(&found.grants));
        }
        (Question::Stream(id), Answer::Stream(record)) => {
            assert_eq!(record.map(|record| record.device), model.streams.get(id).copied());
        }
        (Question::Lot(id), Answer::Lot(file)) => {
            assert_eq!(file.as_ref().map(|file| file.lot.value.manufacturer), model.lots.get(id).copied());
            let claims = file.into_iter().flat_map(|file| file.claims).map(|(claim, _)| (*id, claim));
            let wanted = model.claims.iter().filter(|(lot, _)| lot == id).copied();
            assert_eq!(claims.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
        }
        (Question::Lots(id), Answer::Lots(found)) => {
            let wanted = model.lots.iter().filter(|(_, manufacturer)| *manufacturer == id).map(|(lot, _)| *lot);
            assert_eq!(found.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
        }
        (Question::Organizations, Answer::Organizations(found)) => {
            let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["maker", "operator", "works"]);
        }
        (Question::Council, Answer::Council(found)) => assert_eq!(found.len(), model.councils),
        (Question::Validators, Answer::Validators(found)) => assert!(found.is_empty()),
        (Question::Parameters, Answer::Parameters(found)) => assert!(found.is_empty()),
        (Question::Superseded(id), Answer::Superseded(found)) => {
            let wanted = model.superseded.iter().filter(|(stream, _)| stream == id).map(|(_, sequence)| *sequence);
            assert_eq!(found.into_iter().map(|(n, _)| n).collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
        }
        (question, answer) => panic!("{question} was answered with {answer:?}"),
    }
}

#[test]
fn every_question_is_answered_with_exactly_what_was_put_in() {
    let mut random = Random::seeded(31);
    for _ in 0..60 {
        let model = Model::random(&mut random);
        for question in model.questions(&mut random) {
            let verdict = ask(&model.ledger, &question);
            assert_eq!((verdict.outcome, &verdict.reasons), (Outcome::Valid, &vec![]), "{question}");
            assert_complete(&model, &question, verdict.answer.expect("a valid lookup has an answer"));
        }
    }
}

#[test]
fn all_versions_of_the_parameters_and_validators_are_listed() {
    let mut model = Model::random(&mut Random::seeded(32));
    let at = |n: u32| Position { height: Default::default(), index: n };
    for n in 0..3 {
        let interval = Interval::open(parameters(n.into()), at(n));
        let interval = if n < 2 { interval.closed(at(n + 1)) } else { interval };
        model.ledger.put(state_key::ordinal(state_key::parameters(), n), &interval);
    }
    let set = model.ledger.finality(model.ledger.tip(), 3).validators;
    model.ledger.put(state_key::ordinal(state_key::validators(), 0), &Interval::open(set.clone(), at(0)));
    model.ledger.seal();
    let Some(Answer::Parameters(found)) = ask(&model.ledger, &Question::Parameters).answer else { panic!("none") };
    assert_eq!(found.iter().map(|one| one.value.lifetime_max).collect::<Vec<_>>(), [100, 101, 102]);
    let Some(Answer::Validators(found)) = ask(&model.ledger, &Question::Validators).answer else { panic!("none") };
    assert_eq!(found, [Interval::open(set, at(0))]);
}
