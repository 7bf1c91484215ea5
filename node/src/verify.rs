//! Verifying signatures ahead, in batches and on all cores, before transactions take their turn in the pool or in a block.
//!
//! Which key must have signed is for the rules to say. What is guessed here, from the newest state, is right nearly
//! always; a wrong guess costs a check and decides nothing. What holds is remembered in the [`SignatureCache`], where the
//! rules find it.
//!
//! Ed25519 signatures are verified together (ZIP 215 allows it: a batch holds exactly if each signature does, up to a chance
//! of 2^-128 that the random numbers of this node leave to a liar). A batch that fails is looked at one by one, so that the
//! others in it are not lost. It does not know who sent what, nor whom to blame.

use std::sync::Arc;

use cairn_runtime::{CheckDirectly, SignatureCheck, State};
use cairn_types::transaction::signed_message;
use cairn_types::{PublicKey, SignatureBytes, SignedTransaction};
use ed25519_zebra::batch;
use rayon::prelude::*;

use crate::signature_cache::{Claim, SignatureCache};

/// Most signatures of one batch. From 256 on a larger one costs hardly less for each, and a liar in it makes all of them be
/// verified a second time.
const BATCH_MAX: usize = 256;

/// Fewer are verified one by one: a batch of them costs as much.
const BATCH_MIN: usize = 4;

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
    if claims.len() >= BATCH_MIN && all_hold(claims) {
        cache.remember(claims);
    } else {
        let holds = |claim: &&Claim| CheckDirectly.verifies(&claim.key, &claim.id, &claim.signature);
        let good: Vec<Claim> = claims.iter().filter(holds).copied().collect();
        cache.remember(&good);
    }
}

/// Whether every one of these claims holds.
fn all_hold(claims: &[Claim]) -> bool {
    let mut together = batch::Verifier::new();
    for claim in claims {
        match (&claim.key, &claim.signature) {
            (PublicKey::Ed25519(key), SignatureBytes::Ed25519(signature)) => {
                let signature = ed25519_zebra::Signature::from_bytes(signature);
                together.queue((
                    ed25519_zebra::VerificationKeyBytes::from(*key),
                    signature,
                    &signed_message(&claim.id),
                ));
            }
            _ => {
                if !CheckDirectly.verifies(&claim.key, &claim.id, &claim.signature) {
                    return false;
                }
            }
        }
    }
    together.verify(rand::rng()).is_ok()
}

#[cfg(test)]
mod tests;
