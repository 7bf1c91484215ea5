//! Verifying signatures ahead, in batches and on all cores, before transactions take their turn in the pool or in a block.
//!
//! Which key must have signed is for the rules to say. What is guessed here, from the newest state, is right nearly
//! always; a wrong guess costs a check and decides nothing. What holds is remembered in the [`SignatureCache`], where the
//! rules find it.
//!
//! Ed25519 signatures are verified together, by one of two libraries. Where keys repeat, ed25519-zebra adds up what one key
//! says. Where they do not, ed25519-dalek takes keys that were decompressed before ([`Points`]). What a batch holds, each of
//! its signatures does by ZIP 215, up to a chance of 2^-128 that the random numbers leave to a liar; a batch that fails is
//! looked at one by one, so that the others in it are not lost. ed25519-dalek also fails for signatures with a point of small
//! order added, which ZIP 215 takes. Who makes such is no liar, but would have everybody verify twice, so his signatures are
//! verified alone from then on. It does not know who sent what, nor whom to blame.

use std::collections::HashSet;
use std::sync::Arc;

use cairn_runtime::{CheckDirectly, SignatureCheck, State};
use cairn_types::transaction::signed_message;
use cairn_types::{PublicKey, SignatureBytes, SignedTransaction};
use ed25519_dalek::{Signature, VerifyingKey};
use rayon::prelude::*;

use crate::signature_cache::{Claim, SignatureCache};

pub(crate) use self::points::Points;

mod points;

/// Most signatures of one batch. From 256 on a larger one costs hardly less for each, and a liar in it makes all of them be
/// verified a second time.
const BATCH_MAX: usize = 256;

/// Fewer are verified one by one: a batch of them costs as much.
const BATCH_MIN: usize = 4;

/// From so many signatures a key on, in the mean, adding up what a key says saves more than keys that were decompressed before.
const SIGNATURES_PER_KEY_MIN: usize = 3;

/// Verifies what can be verified of a block's transactions, so that the rules find it done.
pub(crate) fn verify_ahead(state: &impl State, cache: &SignatureCache, transactions: &[Arc<SignedTransaction>]) {
    verify_all(cache, claims(state, transactions));
}

/// The signatures of transactions, with the keys that they will probably be checked with soon after this state.
pub(crate) fn claims(state: &impl State, transactions: &[Arc<SignedTransaction>]) -> Vec<Claim> {
    let of = |transaction: &Arc<SignedTransaction>| {
        let id = transaction.id();
        let keys = cairn_runtime::signatures::likely_keys(state, transaction.transaction());
        keys.into_iter().map(move |(key, signature)| Claim { key, id, signature })
    };
    transactions.iter().flat_map(of).collect()
}

/// Verifies those of these claims of which nothing is known, and remembers those that hold.
pub(crate) fn verify_all(cache: &SignatureCache, mut claims: Vec<Claim>) {
    cache.retain_unknown(&mut claims);
    if claims.len() <= BATCH_MAX {
        verify(cache, &claims);
    } else {
        claims.par_chunks(BATCH_MAX).for_each(|claims| verify(cache, claims));
    }
}

/// Verifies these claims and remembers those that hold.
fn verify(cache: &SignatureCache, claims: &[Claim]) {
    let is_batch = claims.len() >= BATCH_MIN;
    if is_batch && all_hold(cache.points(), claims) {
        cache.remember(claims);
        return;
    }
    let good: Vec<Claim> = claims.iter().filter(|claim| holds(claim)).copied().collect();
    cache.remember(&good);
    if is_batch && good.len() == claims.len() {
        cache.points().set_apart(claims.iter().filter_map(odd_key));
    }
}

fn holds(claim: &Claim) -> bool {
    CheckDirectly.verifies(&claim.key, &claim.id, &claim.signature)
}

/// The key of a claim that holds, if points of small order are in it.
fn odd_key(claim: &Claim) -> Option<[u8; 32]> {
    let (key, signature) = ed25519(claim)?;
    let point = VerifyingKey::from_bytes(key).ok();
    let is_taken = point.is_some_and(|point| point.verify_strict(&signed_message(&claim.id), &signature).is_ok());
    (!is_taken).then_some(*key)
}

/// Key and signature of a claim, if they are Ed25519's.
fn ed25519(claim: &Claim) -> Option<(&[u8; 32], Signature)> {
    match (&claim.key, &claim.signature) {
        (PublicKey::Ed25519(key), SignatureBytes::Ed25519(signature)) => Some((key, Signature::from_bytes(signature))),
        _ => None,
    }
}

/// Whether every one of these claims holds. It may say no although they do, but not yes if one does not.
fn all_hold(points: &Points, claims: &[Claim]) -> bool {
    let keys: Vec<[u8; 32]> = claims.iter().filter_map(|claim| ed25519(claim).map(|(key, _)| *key)).collect();
    let different = keys.iter().collect::<HashSet<_>>().len();
    if different.saturating_mul(SIGNATURES_PER_KEY_MIN) <= keys.len() {
        all_hold_by_key(claims)
    } else {
        all_hold_by_point(claims, &points.of(&keys))
    }
}

/// Adds up what a key says.
fn all_hold_by_key(claims: &[Claim]) -> bool {
    let mut together = ed25519_zebra::batch::Verifier::new();
    for claim in claims {
        if let Some((key, signature)) = ed25519(claim) {
            let key = ed25519_zebra::VerificationKeyBytes::from(*key);
            together.queue((key, signature, &signed_message(&claim.id)));
        } else if !holds(claim) {
            return false;
        }
    }
    together.verify(rand::rng()).is_ok()
}

/// Takes the points of the Ed25519 keys, in their order.
fn all_hold_by_point(claims: &[Claim], points: &[Option<VerifyingKey>]) -> bool {
    let mut points = points.iter();
    let (mut messages, mut signatures, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for claim in claims {
        let signed = ed25519(claim).and_then(|(_, signature)| Some((signature, *points.next()?)));
        match signed {
            Some((signature, Some(point))) => {
                messages.push(signed_message(&claim.id));
                signatures.push(signature);
                keys.push(point);
            }
            _ if !holds(claim) => return false,
            _ => {}
        }
    }
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    ed25519_dalek::verify_batch(&messages, &signatures, &keys).is_ok()
}

#[cfg(test)]
mod tests;
