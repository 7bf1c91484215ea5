//! Verifying signatures ahead, on all cores, before a transaction takes its turn in the pool.
//!
//! Which key must have signed is for the rules to say. What is guessed here, from the newest state, is right nearly
//! always; a wrong guess costs a check and decides nothing.

use std::sync::Arc;

use cairn_runtime::SignatureCheck;
use cairn_types::SignedTransaction;
use rayon::prelude::*;

use crate::mempool::Mempool;

/// Fewer transactions than this are checked where they are: waking other threads takes longer.
const PARALLEL_MIN: usize = 4;

/// Verifies what can be verified, so that the pool finds it done.
pub(crate) fn verify_ahead(mempool: &Mempool, transactions: &[Arc<SignedTransaction>]) {
    let state = &mempool.chain().tip().state;
    let cache = mempool.signatures();
    let verify = |transaction: &Arc<SignedTransaction>| {
        for (key, signature) in cairn_runtime::signatures::likely_keys(state, transaction.transaction()) {
            cache.verifies(&key, &transaction.id(), &signature);
        }
    };
    if transactions.len() < PARALLEL_MIN {
        transactions.iter().for_each(verify);
    } else {
        transactions.par_iter().for_each(verify);
    }
}
