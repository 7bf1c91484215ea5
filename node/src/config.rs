//! A node's configuration: what may differ between the nodes of one network. What they share is in the genesis file.
//!
//! The file is TOML; unknown fields are refused. Paths are relative to the file.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use cairn_network::PeerKey;
use cairn_rpc::RpcConfig;
use cairn_storage::Engine;
use serde::{Deserialize, Serialize};

use crate::low_water::LOW_WATER_MIB;
use crate::snapshot::SNAPSHOT_INTERVAL;
use crate::snapshot::join::SyncMode;

/// A node's configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeConfig {
    /// The network's genesis file.
    pub(crate) genesis: PathBuf,
    /// The data directory.
    #[serde(default = "default_data")]
    pub(crate) data: PathBuf,
    /// How the node gets the ledger when it has none: `auto`, `snapshot` or `replay`.
    #[serde(default, skip_serializing_if = "SyncMode::is_default")]
    pub(crate) sync: SyncMode,
    pub(crate) keys: KeysConfig,
    pub(crate) network: NetworkSection,
    #[serde(default)]
    pub(crate) rpc: RpcSection,
    #[serde(default)]
    pub(crate) storage: StorageSection,
}

/// Where the node's keys are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeysConfig {
    /// The key that names this node in the network.
    pub(crate) peer: PathBuf,
    /// The key that votes; without one, the node follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) consensus: Option<PathBuf>,
    /// A file with the passphrase of those that are encrypted. Without one, a node takes the credential
    /// `cairn-passphrase` of its service manager, or asks on the terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// How the node meets others.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkSection {
    /// Multiaddrs to listen on.
    pub(crate) listen: Vec<String>,
    /// Multiaddrs of peers to stay connected to, each with its `/p2p/` part. They may follow this node, unless they were
    /// validators and are no longer.
    #[serde(default)]
    pub(crate) peers: Vec<String>,
    /// Peer ids of nodes that may connect besides the validators.
    #[serde(default)]
    pub(crate) observers: Vec<String>,
    /// Whether to find members on the LAN by multicast.
    #[serde(default)]
    pub(crate) mdns: bool,
    /// Whether to speak QUIC beside TCP.
    #[serde(default)]
    pub(crate) quic: bool,
}

/// How the node is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RpcSection {
    /// Address and port of JSON-RPC. Loopback by default: whoever opens it to a network puts a proxy with TLS in front.
    pub(crate) listen: SocketAddr,
    /// Host headers by which the node may be called, besides loopback's: `name:port`, `*` for any port.
    pub(crate) hosts: Vec<String>,
    /// Web origins that may call it from a browser.
    pub(crate) origins: Vec<String>,
}

impl Default for RpcSection {
    fn default() -> Self {
        Self { listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7700), hosts: Vec::new(), origins: Vec::new() }
    }
}

impl RpcSection {
    /// The same, as the interface takes it.
    pub(crate) fn to_rpc(&self) -> RpcConfig {
        let mut config = RpcConfig { listen: self.listen, origins: self.origins.clone(), ..RpcConfig::default() };
        config.hosts.extend(self.hosts.iter().cloned());
        config
    }
}

/// What the node stores, and how, and how much room it leaves.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StorageSection {
    /// `fjall` or `sled`.
    pub(crate) engine: String,
    /// With less room than this on the disk of the data directory, in MiB, the node takes no more transactions; 0 for never.
    pub(crate) low_water_mib: u64,
    /// How many of the newest blocks are kept at least; all of them if it is left out. Older ones are dropped from time to
    /// time, and this node then proves nothing that stands in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep_blocks: Option<u64>,
    /// Heights between two snapshots that others may fetch.
    #[serde(skip_serializing_if = "is_default_interval")]
    pub(crate) snapshot_interval: u64,
}

impl Default for StorageSection {
    fn default() -> Self {
        Self {
            engine: DEFAULT_ENGINE.name().to_owned(),
            low_water_mib: LOW_WATER_MIB,
            keep_blocks: None,
            snapshot_interval: SNAPSHOT_INTERVAL,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_default_interval(heights: &u64) -> bool {
    *heights == SNAPSHOT_INTERVAL
}

/// The index engine of a node that names none.
pub(crate) const DEFAULT_ENGINE: Engine = Engine::Fjall;

fn default_data() -> PathBuf {
    PathBuf::from("data")
}

/// Why a configuration cannot be used. Whoever wrote it is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{path}: {source}", path = .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}", path = .path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{path}: storage.engine is {found:?}; it is fjall or sled", path = .path.display())]
    Engine { path: PathBuf, found: String },
    #[error("{path}: storage.{field} is 0; it is at least 1", path = .path.display())]
    StorageZero { path: PathBuf, field: &'static str },
    #[error("{path}: network.observers: {source}", path = .path.display())]
    Observer { path: PathBuf, source: cairn_network::PeerKeyError },
}

impl NodeConfig {
    /// Reads a file and makes its paths absolute to where it stands.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) })?;
        let base = path.parent().unwrap_or(Path::new("."));
        let paths = [&mut config.genesis, &mut config.data, &mut config.keys.peer];
        let optional = [config.keys.consensus.as_mut(), config.keys.passphrase_file.as_mut()];
        for path in paths.into_iter().chain(optional.into_iter().flatten()) {
            *path = base.join(&*path);
        }
        config.engine(path)?;
        for (field, value) in
            [("keep_blocks", config.storage.keep_blocks), ("snapshot_interval", Some(config.storage.snapshot_interval))]
        {
            if value == Some(0) {
                return Err(ConfigError::StorageZero { path: path.to_owned(), field });
            }
        }
        config.observers(path)?;
        Ok(config)
    }

    /// The index engine.
    pub(crate) fn engine(&self, path: &Path) -> Result<Engine, ConfigError> {
        let found = &self.storage.engine;
        let known = Engine::ON_DISK.into_iter().find(|engine| engine.name() == found);
        known.ok_or_else(|| ConfigError::Engine { path: path.to_owned(), found: found.clone() })
    }

    /// The nodes whose addresses it names; the network refuses the rest in words.
    pub(crate) fn named_peers(&self) -> BTreeSet<PeerKey> {
        self.network.peers.iter().filter_map(|address| PeerKey::from_address(address).ok()).collect()
    }

    /// The nodes that may connect besides the validators.
    pub(crate) fn observers(&self, path: &Path) -> Result<BTreeSet<PeerKey>, ConfigError> {
        let parse = |text: &String| PeerKey::from_peer_id(text);
        let keys: Result<_, _> = self.network.observers.iter().map(parse).collect();
        keys.map_err(|source| ConfigError::Observer { path: path.to_owned(), source })
    }
}
