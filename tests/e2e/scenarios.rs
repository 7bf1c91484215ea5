//! The ten scenarios that real fleets ask for: from the factory to resale, theft and ten years later. Each plays on four
//! real nodes and knows them through JSON-RPC alone; what it claims about an attestation it reads from a bundle, judged
//! against the genesis hash by two verifiers.
//!
//! `cargo test --workspace scenario_` runs them and nothing else.

mod rotation;
mod theft;
mod offline;
mod sale;
mod delegation;
mod limits;
mod lot;
mod stream;
mod flood;
mod validators;
