//! Stories of small networks on loopback: real sockets, real handshakes, ports chosen by the system.
//!
//! Every wait is for something to happen and ends in a failure after [`harness::PATIENCE`].

#![allow(clippy::result_large_err, reason = "what a wait is not for is handed back as it came")]

mod catch_up;
mod conduct;
mod consensus;
mod gossip;
mod harness;
mod membership;
mod restart;
