//! Hostile input: every entrance for bytes that somebody else made, and an engine that throws millions of them.
//!
//! ```text
//! corpus of valid values ──► mutate ──┐
//! typed generation from a scene ──────┴─► engine ──► target: bytes in, a property held or not
//!                                            │
//!                                            └─► found: made small, printed with its seed, kept
//! ```
//!
//! [`mutate`] and [`engine`] know none of our types; [`targets`] has one function for each entrance, and each says more
//! than "it does not panic": one encoding for each value, no proof of anything that is not so, no change by what is
//! refused. [`scene`] is the ledger that they are about. A coverage-guided fuzzer can call the same functions.
//!
//! What only the node's program can see (frames, key files, configuration) has its targets in the node's own tests.

pub mod mutate;
pub mod engine;
pub mod found;
pub mod scene;
pub mod wild;
pub mod node;
pub mod targets;
