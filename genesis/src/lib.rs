//! What every node of one network must share, and block 0 which is made of it.
//!
//! A genesis file names the network, its founding organizations, its first validators and the parameters that no node may
//! choose for itself. What may differ from node to node (addresses, ports, directories, caches) is in the node's own
//! configuration; nothing is in both.
//!
//! ```text
//! genesis.toml ──from_toml──▶ Genesis ──build──▶ GenesisBlock { block, chain, state, … }
//! ```
//!
//! This crate reads no file, draws no key and looks at no clock: it is given a text. It does not know the rules by which an
//! organization is founded either; `cairn_runtime::found` does.
//!
//! Invariant: the chain id is a function of what the file says, not of how it says it. The order of entries, of keys and
//! of roles, comments, and defaults that are written out change nothing. The network's name is a label for people and is
//! not in the chain id; the time of the genesis is, and keeps two networks of the same founders apart.

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

pub mod file;
pub mod parameters;
pub mod build;
mod error;
mod text;

#[cfg(test)]
mod tests;

pub use build::GenesisBlock;
pub use error::{GenesisError, KeyUse};
pub use file::{FoundingKeys, FoundingOrganization, FoundingValidator, Genesis};
pub use parameters::defaults;
