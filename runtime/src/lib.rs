//! The rules: what a transaction may do to the state, and what a block does.
//!
//! Validity is a pure function of the state, the transaction and its position. Nothing here reads a clock, draws a random
//! number, does I/O, uses a float or depends on the order of a hash map; the same state and the same block give the same
//! bytes on every machine. The rules do not know what finality, a network or a disk is.
//!
//! Each rule stands in the file that bears its noun: what a device may do in [`device`], who may do what in [`grant`],
//! what follows what in [`stream`], who vouches for whom in [`lot`], what the council decides in [`governance`], how much
//! anybody may say in [`quota`]. What is common to all calls, the sandwich of `not_before` and `expires` and the
//! replay protection, is in [`envelope`]; who must sign is in [`signatures`].
//!
//! Invariants: a rejected transaction changes nothing; intervals of one kind and subject never overlap, and know two
//! mutations only (see [`cairn_types::record`]); a child grant never exceeds its parent; a stream is dense and linked.
//! And: no input makes a rule panic or loop, because one poisonous transaction must not stop a network.

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

pub mod state;
pub mod envelope;
pub mod signatures;
pub mod quota;
pub mod governance;
pub mod organization;
pub mod certificate;
pub mod lot;
pub mod device;
pub mod grant;
pub mod stream;
pub mod apply;
pub mod block;

#[cfg(test)]
mod tests;

pub use apply::apply;
pub use block::{Built, Candidate, Executed, InvalidBlock, build, execute};
pub use envelope::{Context, History};
pub use organization::{Founder, found};
pub use signatures::{CheckDirectly, SignatureCheck};
pub use state::{Changes, Overlay, State};
