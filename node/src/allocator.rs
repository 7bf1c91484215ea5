//! How the system's allocator is kept from holding what a node has freed.
//!
//! glibc gives blocks from 128 KiB on back to the system when they are freed, at first. Each such block raises that bound,
//! up to 32 MiB, and from then on long blocks come out of the arenas of threads and stay there. A node that was made to
//! give long answers would keep their memory for as long as it runs. And there are eight arenas for each core, each with
//! room of its own that nobody uses, where one a core has threads wait for each other seldom.
//! A bound that the environment names is not raised; but what every block of the ledger takes and gives back should not be
//! mapped anew each time, so the bounds are above that. The environment is read before the program's first line, so the
//! program says all of them there and begins again, as the same process.
//!
//! It does not replace the allocator (node/DECISIONS.md), and other C libraries do not know these variables.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread::available_parallelism;
use std::{env, io};

/// Names the bound from which blocks go back to the system at once, in bytes.
const GIVEN_BACK: &str = "MALLOC_MMAP_THRESHOLD_";
/// 512 KiB: above a block of a thousand transactions, and what is made of it. With twice as much an attacked node keeps 10 MB
/// more.
const GIVEN_BACK_BYTES: &str = "524288";
/// Names what an arena may have free at its end, in bytes, before it gives that back.
const KEPT: &str = "MALLOC_TRIM_THRESHOLD_";
/// 1 MiB: what a block takes for as long as it is judged.
const KEPT_BYTES: &str = "1048576";
/// Names what an arena takes at a time, in bytes.
const TAKEN: &str = "MALLOC_TOP_PAD_";
/// 256 KiB: glibc would take 128 KiB at a time, in a call of the system each.
const TAKEN_BYTES: &str = "262144";
/// Names the number of arenas.
const ARENAS: &str = "MALLOC_ARENA_MAX";
/// Fewest arenas: with one, every thread would wait for the others.
const ARENAS_MIN: usize = 2;

/// Begins the program again with the bounds in its environment, unless the first is there: then it returns. Nothing may be
/// open yet, and no thread started. What the operator has named stays.
///
/// # Errors
/// The system cannot start the program again; the node can run without.
pub(crate) fn give_back() -> io::Result<()> {
    let is_glibc = cfg!(all(target_os = "linux", target_env = "gnu"));
    if !is_glibc || env::var_os(GIVEN_BACK).is_some() {
        return Ok(());
    }
    let arenas = available_parallelism().map_or(ARENAS_MIN, usize::from).max(ARENAS_MIN).to_string();
    let arenas = env::var_os(ARENAS).unwrap_or_else(|| arenas.into());
    let mut arguments = env::args_os();
    let name = arguments.next();
    let mut again = Command::new(env::current_exe()?);
    again.arg0(name.as_deref().unwrap_or(OsStr::new("cairn"))).args(arguments);
    again.env(GIVEN_BACK, GIVEN_BACK_BYTES).env(ARENAS, arenas);
    for (name, bytes) in [(KEPT, KEPT_BYTES), (TAKEN, TAKEN_BYTES)] {
        if env::var_os(name).is_none() {
            again.env(name, bytes);
        }
    }
    Err(again.exec())
}
