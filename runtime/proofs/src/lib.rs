//! What an auditor needs, and nothing that does I/O.
//!
//! Two authenticated structures carry every proof in Cairn. Each reduces any amount of data to one hash, and lets
//! someone who holds only that hash check an answer:
//!
//! - [`tree`]: a sorted map, for the state. It proves a value, an absence, and the *complete* list under a key prefix.
//! - [`accumulator`]: an append-only list, for the history of blocks, the transactions of a block and the attestations
//!   of a stream. It proves that an item stands at an index.
//!
//! On them stands the audit: [`checkpoint`] leads from the genesis hash to a certified state, [`bundle`] is one file with all
//! that concerns one attestation, [`verdict`] judges it with no network, [`lookup`] is one file with the complete answer to
//! one question, and [`authority`] is the question, shared with the rules, whether grants give a right.
//!
//! The two structures know keys, values, items and hashes, and not what they mean; nothing here knows where data is kept or
//! sent. The crate is pure: no clock, no randomness, no I/O, no float, no hash-map order.
//!
//! The invariants it keeps: a root is a function of the content alone; a proof has exactly one encoding, every byte of
//! which is hashed or checked; and nothing that a prover sends can make a verifier panic, recurse without bound or
//! allocate more than a stated constant.

#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod accumulator;
pub mod authority;
pub mod bundle;
pub mod checkpoint;
pub mod lookup;
pub mod tree;
pub mod verdict;

#[cfg(test)]
mod test_random;
