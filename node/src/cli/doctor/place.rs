//! What a node starts from: its configuration, the genesis, its keys, and the place where its files are.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use cairn_genesis::{Genesis, GenesisBlock};
use cairn_network::PeerKey;
use cairn_storage::{Disk, RealDisk};

use super::{Findings, Presence};
use crate::config::NodeConfig;
use crate::keys::KeyFileError;
use crate::keys::access;
use crate::keys::of_node::NodeKeys;

/// How many times the low-water mark must be free for nothing to be said.
const LOW_WATER_TIMES: u64 = 2;

/// The configuration states the mark in MiB.
const MIB: u64 = 1024 * 1024;

/// What a file is called while it is written, or a directory while it is removed.
const LEFTOVERS: [&str; 2] = [".new", ".discarded"];

pub(super) fn configuration(path: &Path, findings: &mut Findings) -> Option<NodeConfig> {
    const CHECK: &str = "configuration";
    let config = match NodeConfig::read(path) {
        Ok(config) => config,
        Err(error) => {
            findings.broken(CHECK, error.to_string(), "correct the file, or name another with --config FILE");
            return None;
        }
    };
    let nameless: Vec<&String> =
        config.network.peers.iter().filter(|address| PeerKey::from_address(address).is_err()).collect();
    if nameless.is_empty() {
        findings.ok(CHECK, format!("{} with {} peers", path.display(), config.network.peers.len()));
    }
    for address in nameless {
        findings.broken(
            CHECK,
            format!("network.peers: {address} does not name a peer"),
            "write it as /ip4/ADDRESS/tcp/PORT/p2p/PEER-ID",
        );
    }
    Some(config)
}

pub(super) fn genesis(config: &NodeConfig, findings: &mut Findings) -> Option<GenesisBlock> {
    const CHECK: &str = "genesis";
    let advice = "take the genesis file that the other nodes of this network have";
    let text = match fs::read_to_string(&config.genesis) {
        Ok(text) => text,
        Err(error) => {
            findings.broken(CHECK, format!("{}: {error}", config.genesis.display()), advice);
            return None;
        }
    };
    match Genesis::from_toml(&text).and_then(|genesis| genesis.build()) {
        Ok(genesis) => {
            findings.ok(CHECK, format!("chain {}", genesis.chain));
            Some(genesis)
        }
        Err(error) => {
            findings.broken(CHECK, format!("{}: {error}", config.genesis.display()), advice);
            None
        }
    }
}

pub(super) fn keys(config: &NodeConfig, findings: &mut Findings) -> Option<NodeKeys> {
    const CHECK: &str = "keys";
    match NodeKeys::look(&config.keys) {
        Ok(keys) => {
            let which = if keys.consensus.is_some() { "a network key and a consensus key" } else { "a network key" };
            findings.ok(CHECK, format!("{which}, for this user alone"));
            Some(keys)
        }
        Err(error @ KeyFileError::PassphraseWanted { .. }) => {
            findings.warn(CHECK, error.to_string(), "name the file, so that the sign state can be checked too");
            None
        }
        Err(error) => {
            let advice = match &error {
                KeyFileError::Access(_) => "run the command that is named, and ask who could read the key until now",
                _ => "a node does not start like this; mend what is named",
            };
            findings.broken(CHECK, error.to_string(), advice);
            None
        }
    }
}

/// Whether there is a data directory, whose it is, and whether a node has it.
pub(super) fn directory(config: &NodeConfig, findings: &mut Findings) -> Option<Presence> {
    const CHECK: &str = "directory";
    let path = &config.data;
    if !path.is_dir() {
        findings.warn(
            CHECK,
            format!("{} does not exist: this node never ran", path.display()),
            "start it: cairn node run --config FILE. If it did run, look for the directory: it holds what was signed",
        );
        return None;
    }
    let mut is_private = true;
    let sign_state = path.join("sign-state");
    let checked = [access::check_private_directory(path)]
        .into_iter()
        .chain(sign_state.exists().then(|| access::check_file(&sign_state)));
    for error in checked.filter_map(Result::err) {
        is_private = false;
        findings.broken(CHECK, error.to_string(), "run the command that is named; a node does not start before");
    }
    let presence = match lock(&path.join("lock")) {
        Ok(lock) => Presence::Stopped { _lock: lock },
        Err(Some(error)) => {
            findings.broken(CHECK, error, "look at the disk and at who owns the file");
            return None;
        }
        Err(None) => Presence::Running,
    };
    let leftovers = if presence.is_running() { Vec::new() } else { leftovers(path) };
    if !leftovers.is_empty() {
        let names: Vec<String> = leftovers.iter().map(|path| path.display().to_string()).collect();
        findings.warn(
            CHECK,
            format!("left from a start or a write that was interrupted: {}", names.join(", ")),
            "nothing: a node removes them, or writes over them",
        );
    }
    if is_private {
        let state = if presence.is_running() { "a node is running on it" } else { "no node is running on it" };
        findings.ok(CHECK, format!("{}, for this user alone; {state}", path.display()));
    }
    room(config, findings);
    Some(presence)
}

/// The lock, if no node has it; `Err(None)` if one has.
fn lock(path: &Path) -> Result<Option<File>, Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Some(format!("{}: {error}", path.display()))),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(None),
        Err(TryLockError::Error(error)) => Err(Some(format!("{}: {error}", path.display()))),
    }
}

fn leftovers(directory: &Path) -> Vec<PathBuf> {
    let inside = |directory: &Path| {
        let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_leftover = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| LEFTOVERS.iter().any(|end| name.ends_with(end)))
    };
    let mut found: Vec<PathBuf> =
        inside(directory).into_iter().chain(inside(&directory.join("blocks"))).filter(is_leftover).collect();
    found.sort();
    found
}

fn room(config: &NodeConfig, findings: &mut Findings) {
    const CHECK: &str = "disk";
    let advice = "make room, or move the data directory to a larger disk while the node is stopped";
    let mark_mib = config.storage.low_water_mib;
    match RealDisk.free_bytes(&config.data) {
        Ok(free) => {
            let words = format!("{} MiB free; below {mark_mib} MiB the node takes no transactions", free / MIB);
            let mark = mark_mib.saturating_mul(MIB);
            if free < mark {
                findings.broken(CHECK, words, advice);
            } else if free < mark.saturating_mul(LOW_WATER_TIMES) {
                findings.warn(CHECK, words, advice);
            } else {
                findings.ok(CHECK, words);
            }
        }
        Err(error) => findings.broken(CHECK, format!("{}: {error}", config.data.display()), "look at the disk"),
    }
}
