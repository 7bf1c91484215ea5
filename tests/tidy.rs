//! The house rules, as tests: what may depend on what, what the pure crates must not contain, which dependencies may
//! enter, that the documents name files which exist, and that the planted bugs fit the sources.
//!
//! It reads `cargo metadata`, `.deny.toml` and the sources, and runs no code of ours. It says nothing about what the code
//! does. A rule that is bent on purpose is bent here, with its reason, and not in the code.

#[path = "tidy/canaries.rs"]
mod canaries;
#[path = "tidy/graph.rs"]
mod graph;
#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/licence.rs"]
mod licence;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/sources.rs"]
mod sources;
