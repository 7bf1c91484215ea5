//! Crashes and rot: a node's files on a simulated disk, stopped at every operation of many random histories, and with
//! every bit flipped.
//!
//! `CAIRN_CRASH_POINTS` says how many crash points are tried, `CAIRN_SEED` which history comes first. A failure prints the
//! history; with that as the seed it is the first again.

mod engines;
mod flips;
mod node;
mod points;
mod repair;
mod world;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Whether the run is a large one.
fn is_large() -> bool {
    setting("CAIRN_CRASH_POINTS").is_some()
}
