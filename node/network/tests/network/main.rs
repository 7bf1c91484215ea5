//! Stories of small networks on loopback: real sockets, real handshakes, ports chosen by the system.
//!
//! Every wait is for something to happen and ends in a failure after [`harness::PATIENCE`].

mod catch_up;
mod conduct;
mod consensus;
mod gossip;
mod harness;
mod membership;
mod restart;
