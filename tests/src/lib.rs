//! What the tests of the whole house share: real networks of processes, and principals who sign.
//!
//! [`network`] makes and runs nodes as `scripts/testnet` does, on ports that nobody uses; [`actor`] builds and signs
//! transactions without the command line, so that a test can also sign what the command line never would, and [`calls`]
//! has what they ask for. [`stage`] is a network as scenarios see it, from outside, [`papers`] are the files that they
//! judge, and [`second_verifier`] gives an independent opinion on each. [`chain_builder`] makes whole chains without
//! processes, by the real rules and with the real proofs; [`oracle`] is a second implementation of those rules. [`fuzz`]
//! throws hostile input at every entrance, and [`proxy`] is a bad line between two nodes. The harness waits for progress,
//! never for time alone, and ends only processes that it started.

pub mod actor;
pub mod calls;
pub mod chain_builder;
pub mod fuzz;
pub mod network;
pub mod oracle;
pub mod papers;
pub mod proxy;
pub mod second_verifier;
pub mod stage;

pub use actor::{Actor, Signed};
pub use network::{Network, Node};
pub use stage::{Meter, Said, Stage};
