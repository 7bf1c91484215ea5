//! What the tests of the whole house share: real networks of processes, and principals who sign.
//!
//! [`network`] makes and runs nodes as `scripts/testnet` does, on ports that nobody uses; [`actor`] builds and signs
//! transactions without the command line, so that a test can also sign what the command line never would;
//! [`chain_builder`] makes whole chains without processes, by the real rules and with the real proofs. The harness
//! waits for progress, never for time alone, and ends only processes that it started.

pub mod actor;
pub mod chain_builder;
pub mod network;
pub mod oracle;

pub use actor::{Actor, Signed};
pub use network::{Network, Node};
