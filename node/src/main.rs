//! The program: a node, and the command line that speaks to one.
//!
//! It knows everybody, and nobody knows it. [`run`] opens and wires a node; [`driver`] is its heart; [`cli`] is what a
//! person types. Private keys live here and nowhere else.

mod allocator;
mod backend;
mod chain;
mod cli;
mod clock;
mod config;
mod deciders;
mod driver;
mod evidence;
mod frame;
mod gathering;
mod ingest;
mod keys;
mod ledger;
mod low_water;
mod membership;
mod mempool;
mod metrics;
mod rpc_threads;
mod run;
mod serve;
mod shared;
mod shell;
mod signature_cache;
mod signer;
mod snapshot;
mod submissions;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
mod together;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
