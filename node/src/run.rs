//! A running node: everything is opened, connected and started here, and ended in the opposite order.
//!
//! ```text
//! files ──► ledger ──► network ──► driver (its own thread) ──► JSON-RPC
//! ```
//!
//! A node ends when it is told to (SIGINT, SIGTERM), or when any of its tasks ends: then something is wrong, and a
//! halted node beats one that goes on half.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_genesis::Genesis;
use cairn_network::{Limits, Network, NetworkConfig, NetworkKey, PeerKey};
use cairn_storage::{DataDirectory, IndexState, SignState, WriteAheadLog};
use tokio::sync::{mpsc, oneshot, watch};

use crate::backend::NodeBackend;
use crate::config::{ConfigError, NodeConfig};
use crate::driver::{Driver, DriverError, Parts};
use crate::evidence::EvidenceFile;
use crate::ingest::Ingest;
use crate::keys::{self, KeyFileError};
use crate::ledger::{Ledger, LedgerError, Opened};
use crate::mempool::Mempool;
use crate::serve::Serve;
use crate::shared::Shared;
use crate::signature_cache::SignatureCache;
use crate::signer::NodeSigner;

/// Accepted transactions that wait to be gossiped; beyond, whoever submits waits.
const ACCEPTED_MAX: usize = 4_096;

/// Why a node could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{path}: {source}", path = .path.display())]
    GenesisFile { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}", path = .path.display())]
    Genesis { path: PathBuf, source: Box<cairn_genesis::GenesisError> },
    #[error(transparent)]
    Key(#[from] KeyFileError),
    #[error(transparent)]
    Storage(#[from] cairn_storage::StorageError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Network(#[from] cairn_network::NetworkError),
    #[error("the consensus key {path} is not a validator's in this network; leave keys.consensus out to follow", path = .path.display())]
    NotAValidator { path: PathBuf },
    #[error("this node's peer key is not the one that its validator entry names; its peers would refuse it")]
    OtherPeer,
    #[error("the evidence file: {0}")]
    Evidence(std::io::Error),
    #[error(transparent)]
    Rpc(#[from] cairn_rpc::ServeError),
    #[error("the node stopped: {0}")]
    Driver(#[from] DriverError),
    #[error("the node stopped: {0}")]
    NetworkTask(#[from] cairn_network::TaskError),
    #[error("the node stopped: its driver panicked; please report what it printed")]
    DriverPanicked,
    #[error("waiting for signals: {0}")]
    Signals(std::io::Error),
}

/// Runs the node that the configuration at `path` describes, until a signal or an error.
///
/// # Errors
/// [`RunError`]: for what the operator can mend, in words; otherwise what ended the node.
pub(crate) async fn run(path: &Path) -> Result<(), RunError> {
    let config = NodeConfig::read(path)?;
    let text = fs::read_to_string(&config.genesis)
        .map_err(|source| RunError::GenesisFile { path: config.genesis.clone(), source })?;
    let genesis_error = |source| RunError::Genesis { path: config.genesis.clone(), source: Box::new(source) };
    let genesis = Genesis::from_toml(&text).and_then(|genesis| genesis.build()).map_err(genesis_error)?;
    let peer = keys::read(&config.keys.peer)?;
    let consensus = match &config.keys.consensus {
        Some(path) => Some((path, keys::read(path)?)),
        None => None,
    };
    if let Some((path, key)) = &consensus {
        let index = genesis.validators.index_of(key.verifying_key().as_bytes());
        let Some(validator) = index.and_then(|index| genesis.validators.get(index)) else {
            return Err(RunError::NotAValidator { path: (*path).clone() });
        };
        if validator.peer != peer.verifying_key().to_bytes() {
            return Err(RunError::OtherPeer);
        }
    }

    let directory = DataDirectory::open(&config.data, genesis.chain)?;
    let Opened { ledger, recovery, index, replayed } = Ledger::open(&directory, config.engine(path)?, genesis)?;
    if let Some(cut) = &recovery.cut {
        tracing::warn!(height = %cut.height, bytes = cut.bytes, "cut an unfinished record off the block log");
    }
    for damage in &recovery.damaged {
        tracing::error!(first = %damage.first, last = %damage.last, path = %damage.path.display(), offset = damage.offset, "the block log is damaged");
    }
    if let IndexState::Rebuilt { reason } = &index {
        tracing::warn!(%reason, "the index was of no use and was filled again");
    }
    let chain = Arc::clone(ledger.chain());
    let tip = chain.tip();
    tracing::info!(chain = %chain.id, height = %tip.header.height, replayed, engine = %config.storage.engine, "opened the ledger");

    let (wal, wal_contents) = WriteAheadLog::open(&directory.write_ahead_log())?;
    let key = consensus.as_ref().map(|(_, key)| key.verifying_key().to_bytes());
    let signer = match consensus {
        Some((_, key)) => Some(NodeSigner::new(key, chain.id, SignState::open(&directory.sign_state())?)),
        None => None,
    };
    let evidence = EvidenceFile::open(&directory.path().join("evidence")).map_err(RunError::Evidence)?;

    let validators: BTreeSet<PeerKey> =
        tip.validators.iter().map(|validator| PeerKey::from_bytes(validator.peer)).collect();
    let network_config = NetworkConfig {
        chain: *chain.id.as_bytes(),
        listen: config.network.listen.clone(),
        peers: config.network.peers.clone(),
        members: config.observers(path)?,
        validators,
        mdns: config.network.mdns,
        quic: config.network.quic,
        limits: Limits::default(),
    };
    let Network { handle, events, mut task } =
        Network::spawn(network_config, NetworkKey::from_seed(peer.to_bytes())).await?;
    for address in handle.addresses() {
        tracing::info!(%address, "listening for peers");
    }

    let shared = Arc::new(Shared::new());
    let signatures = Arc::new(SignatureCache::default());
    let mempool = Arc::new(Mempool::new(Arc::clone(&chain), Arc::clone(&signatures)));
    let (accepted_sender, accepted) = mpsc::channel(ACCEPTED_MAX);
    let (wake, woken) = mpsc::channel(1);
    let driver = Driver::new(Parts {
        ledger,
        mempool: Arc::clone(&mempool),
        signatures,
        shared: Arc::clone(&shared),
        signer,
        key,
        wal,
        wal_contents,
        evidence,
        network: handle.clone(),
        events,
        accepted,
        woken,
        ingest: Ingest::start(handle.clone(), Arc::clone(&mempool), wake),
        serve: Serve::start(Arc::clone(&chain), Arc::clone(&shared)),
    })?;
    let backend = NodeBackend::new(Arc::clone(&chain), mempool, shared, handle, accepted_sender, text, key);
    let rpc = cairn_rpc::serve(config.rpc.to_rpc(), backend).await?;
    tracing::info!(url = %format!("http://{}", rpc.address()), "listening for JSON-RPC");

    let (stop, stopped) = watch::channel(false);
    let mut driver_end = spawn_driver(driver, stopped);
    let outcome = tokio::select! {
        signal = wait_for_signal() => signal.map_err(RunError::Signals),
        ended = &mut driver_end => return ended.unwrap_or(Err(RunError::DriverPanicked)),
        ended = task.ended() => ended.map_err(RunError::from),
    };
    // Refuse new work first, then let the driver finish what it does, then leave the network.
    rpc.stop().await;
    // The driver may have ended by itself.
    let _ = stop.send(true);
    driver_end.await.unwrap_or(Err(RunError::DriverPanicked))?;
    task.stop().await?;
    tracing::info!("stopped");
    outcome
}

/// Runs the driver on a thread and a runtime of its own: it waits for the disk.
fn spawn_driver(driver: Driver, stopped: watch::Receiver<bool>) -> oneshot::Receiver<Result<(), RunError>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("driver".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("the system can start a runtime at startup");
            // If nobody waits any more, the node is ending.
            let _ = sender.send(runtime.block_on(driver.run(stopped)).map_err(RunError::from));
        })
        .expect("the system can start a thread at startup");
    receiver
}

async fn wait_for_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt,
        _ = terminate.recv() => Ok(()),
    }
}
