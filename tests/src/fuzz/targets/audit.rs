//! The auditor's files: a damaged or patched one never says something else, and is never believed.

use std::collections::BTreeMap;

use cairn_proofs::bundle::Bundle;
use cairn_proofs::checkpoint::{self, CheckpointProof};
use cairn_proofs::lookup::{self, Lookup, LookupExpectations};
use cairn_proofs::tree::StateProof;
use cairn_proofs::verdict::{self, Expectations, Outcome, Verdict};
use cairn_rpc::views::VerdictView;
use cairn_types::{BlockRef, Header, decode, encode};

use super::{Seen, Target, hold};
use crate::fuzz::mutate::{Random, mutate};
use crate::fuzz::scene::{CONTENT, Scene};

fn expected(scene: &Scene) -> Expectations {
    Expectations::of(scene.chain.id()).with_content(CONTENT)
}

fn anchors(scene: &Scene) -> [Option<BlockRef>; 3] {
    [None, Some(scene.chain.at(1)), Some(scene.chain.at(scene.chain.len() / 2))]
}

fn bundles(scene: &Scene) -> Vec<Bundle> {
    let ids = scene.attestations.iter();
    ids.flat_map(|id| anchors(scene).map(|anchor| scene.chain.bundle(id, anchor))).collect()
}

/// A state proof with damage inside, of a length that fits.
fn damaged(random: &mut Random, proof: &StateProof, other: &StateProof) -> StateProof {
    for _ in 0..8 {
        let bytes = mutate(random, proof.encode(), &other.encode(), &[], 20_000);
        if let Ok(damaged) = StateProof::decode(&bytes) {
            return damaged;
        }
    }
    other.clone()
}

/// A bundle with a part of another one, or with a part damaged where it decodes.
fn patched(random: &mut Random, bundles: &[Bundle]) -> Vec<u8> {
    let mut bundle = random.pick(bundles).clone();
    let other = random.pick(bundles).clone();
    for _ in 0..1 + random.below(2) {
        match random.below(13) {
            0 => bundle.block = other.block.clone(),
            1 => bundle.not_before = other.not_before.clone(),
            2 => bundle.anchor = other.anchor.clone(),
            3 => bundle.transaction = other.transaction.clone(),
            4 => bundle.inclusion = other.inclusion.clone(),
            5 => bundle.device = damaged(random, &bundle.device, &other.device),
            6 => bundle.stream = damaged(random, &bundle.stream, &other.stream),
            7 => bundle.superseded = damaged(random, &bundle.superseded, &other.superseded),
            8 => drop(bundle.grants.pop()),
            9 => bundle.grants.extend(other.grants.first().cloned()),
            10 => bundle.organizations.reverse(),
            11 => {
                if let Some(grant) = bundle.grants.first_mut() {
                    *grant = damaged(random, grant, &other.stream);
                }
            }
            _ => bundle.lot = other.lot.clone(),
        }
    }
    bundle.encode()
}

/// Shows what was found to people and programs, as every client does.
fn show(verdict: &Verdict) -> Result<(), String> {
    hold(!verdict.to_string().is_empty(), "a verdict without words", || format!("{verdict:?}"))?;
    let view = VerdictView::from(verdict);
    let json = serde_json::to_string(&view).map_err(|error| format!("a verdict that is no JSON: {error}"))?;
    let again: VerdictView =
        serde_json::from_str(&json).map_err(|error| format!("JSON that does not read: {error}"))?;
    hold(again == view, "JSON that reads as another verdict", || json.clone())
}

fn bundle(name: &'static str, share: u32, scene: &'static Scene) -> Target {
    let valid = bundles(scene);
    let mut truths = BTreeMap::new();
    for bundle in &valid {
        let verdict = verdict::verify(bundle, &expected(scene));
        truths.insert(bundle.encode(), verdict.outcome);
    }
    let statements: Vec<_> =
        valid.iter().filter_map(|bundle| verdict::verify(bundle, &expected(scene)).statement).collect();
    let corpus = truths.keys().cloned().collect();
    Target::new(name, share, corpus, move |input| {
        let verdict = verdict::verify_bytes(input, &expected(scene));
        if input.len() % 16 == 3 || verdict.statement.is_some() && input.len() % 4 == 1 {
            show(&verdict)?;
        }
        if let Some(statement) = &verdict.statement {
            hold(statements.contains(statement), "a statement that nobody made", || format!("{statement:?}"))?;
        }
        if let Some(finality) = &verdict.finality {
            let height = usize::try_from(finality.checkpoint.height.get()).unwrap_or(usize::MAX);
            let there = scene.blocks.get(height).is_some_and(|block| block.header.hash() == finality.checkpoint.hash);
            hold(there, "a checkpoint that never was", || format!("{finality:?}"))?;
        }
        match truths.get(input) {
            Some(truth) => {
                hold(*truth == verdict.outcome, "not the same twice", || format!("{verdict:?}"))?;
                Ok(Seen::Accepted)
            }
            None => {
                let believed = verdict.outcome == Outcome::Valid;
                hold(!believed, "a damaged bundle is VALID", || format!("{verdict:?}"))?;
                Ok(Seen::Refused)
            }
        }
    })
    .making(move |random| patched(random, &valid))
    .within(60, 1024 * 1024 + 512 * 1024)
}

/// The length of a file says nothing about how it was patched, so a lookup is compared with the true one.
fn lookups(scene: &'static Scene) -> Target {
    let valid: Vec<Lookup> = scene.questions.iter().map(|question| scene.chain.lookup(question.clone())).collect();
    let corpus = valid.iter().map(Lookup::encode).collect();
    Target::new("lookup", 50, corpus, move |input| {
        let verdict = lookup::verify_bytes(input, &LookupExpectations::of(scene.chain.id()));
        verdict.reasons.iter().for_each(|reason| drop((reason.to_string(), reason.name())));
        hold(verdict.outcome == Outcome::Valid || verdict.answer.is_none(), "an answer that is not believed", || {
            format!("{verdict:?}")
        })?;
        if verdict.outcome != Outcome::Valid {
            return Ok(Seen::Refused);
        }
        let Ok(found) = Lookup::decode(input) else { return Err("valid and no lookup: it does not decode".to_owned()) };
        let truth = scene.chain.lookup(found.question.clone());
        let same = Lookup { anchor: None, ..found }.encode() == truth.encode();
        hold(same, "an answer that is not so", || format!("{verdict:?}"))?;
        Ok(Seen::Accepted)
    })
    .making(move |random| {
        let mut lookup = random.pick(&valid).clone();
        let other = random.pick(&valid);
        match random.below(5) {
            0 => lookup.question = other.question.clone(),
            1 => lookup.proofs.extend(other.proofs.first().cloned()),
            2 => drop(lookup.proofs.pop()),
            3 => lookup.proofs.reverse(),
            _ => {
                if let (Some(proof), Some(other)) = (lookup.proofs.first_mut(), other.proofs.first()) {
                    *proof = damaged(random, proof, other);
                }
            }
        }
        lookup.encode()
    })
    .within(60, 1024 * 1024 + 512 * 1024)
}

/// Headers and certificates of another height, set or network: only blocks of the ledger are final.
fn checkpoints(scene: &'static Scene) -> Target {
    let valid: Vec<CheckpointProof> = (1..scene.chain.len()).map(|height| scene.chain.finality(height)).collect();
    let corpus = valid.iter().map(encode).collect();
    Target::new("finality", 30, corpus, move |input| {
        let Ok(proof) = decode::<CheckpointProof>(input, 1 << 20) else { return Ok(Seen::Refused) };
        match checkpoint::establish(&proof, &scene.chain.id()) {
            Ok(finality) => {
                let there = |header: &Header| header.hash() == finality.checkpoint.hash;
                let known = scene.blocks.iter().any(|block| there(&block.header));
                hold(known, "a checkpoint that never was", || format!("{finality:?}"))?;
                Ok(Seen::Accepted)
            }
            Err(reason) => {
                let _ = (reason.to_string(), reason.name());
                Ok(Seen::Refused)
            }
        }
    })
    .making(move |random| {
        let mut proof = random.pick(&valid).clone();
        let other = random.pick(&valid);
        match random.below(6) {
            0 => proof.certificate = other.certificate.clone(),
            1 => proof.checkpoint = other.checkpoint.clone(),
            2 => proof.certificate.round = cairn_types::Round::new(random.edge() as u32),
            3 => proof.certificate.signatures.extend(other.certificate.signatures.clone()),
            4 => proof.certificate.signatures.clear(),
            _ => proof.genesis = other.checkpoint.clone(),
        }
        encode(&proof)
    })
}

pub(super) fn targets() -> Vec<Target> {
    let (scene, lean) = (Scene::get(), Scene::lean());
    vec![bundle("bundle", 20, lean), bundle("bundle-of-four", 2, scene), lookups(lean), checkpoints(lean)]
}
