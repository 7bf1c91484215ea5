//! A running node: everything is opened, connected and started here, and ended in the opposite order.
//!
//! ```text
//! files ──► ledger ──► network ──► snapshot, if the ledger is empty ──► driver (its own thread) ──► JSON-RPC
//! ```
//!
//! A node ends when it is told to (SIGINT, SIGTERM), or when any of its tasks ends: then something is wrong, and a
//! halted node beats one that goes on half.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_genesis::{Genesis, GenesisBlock};
use cairn_network::{Limits, Network, NetworkConfig, NetworkKey};
use cairn_storage::{DataDirectory, IndexState};
use cairn_types::Height;
use cairn_types::governance::PROTOCOL_VERSION;
use tokio::sync::{mpsc, oneshot, watch};

use crate::backend::NodeBackend;
use crate::config::{ConfigError, NodeConfig};
use crate::driver::{Driver, DriverError, Parts, UNDECIDED_BYTES_MAX};
use crate::evidence::EvidenceFile;
use crate::gathering::Gathering;
use crate::ingest::Ingest;
use crate::keys::KeyFileError;
use crate::keys::access::{self, AccessError};
use crate::keys::of_node::NodeKeys;
use crate::ledger::{Ledger, LedgerError, Opened, Pruned};
use crate::low_water;
use crate::membership::{Admission, Membership};
use crate::mempool::Mempool;
use crate::rpc_threads::RpcThreads;
use crate::serve::Serve;
use crate::shared::Shared;
use crate::shell::{Host, Shell};
use crate::signature_cache::SignatureCache;
use crate::signer::NodeSigner;
use crate::snapshot::join::{JoinError, Joined, Joining, join};

/// Submissions whose transactions wait to be gossiped; beyond, whoever submits waits.
const ACCEPTED_MAX: usize = 256;

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
    Access(#[from] AccessError),
    #[error(transparent)]
    Storage(#[from] cairn_storage::StorageError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Network(#[from] cairn_network::NetworkError),
    #[error("the evidence file: {0}")]
    Evidence(std::io::Error),
    #[error(transparent)]
    Rpc(#[from] cairn_rpc::ServeError),
    #[error("joining by a snapshot: {0}")]
    Join(#[from] JoinError),
    #[error("the node stopped: {0}")]
    Driver(#[from] DriverError),
    #[error("the node stopped: {0}")]
    NetworkTask(#[from] cairn_network::TaskError),
    #[error("the node stopped: its driver panicked; please report what it printed")]
    DriverPanicked,
    #[error("the threads for JSON-RPC: {0}")]
    Threads(std::io::Error),
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
    let NodeKeys { peer, consensus } = NodeKeys::open(&config.keys)?;
    if config.data.exists() {
        access::check_private_directory(&config.data)?;
    }

    let directory = Arc::new(DataDirectory::open(&config.data, genesis.chain)?);
    let mut ledger = open_ledger(&directory, &config, path, genesis.clone())?;
    let mut chain = Arc::clone(ledger.chain());
    let mut tip = chain.tip();
    let (wal, wal_contents) = directory.open_or_replace_write_ahead_log(tip.next_height())?;
    access::check_file(&directory.sign_state())?;
    // Held until the node ends.
    let (consensus, _lock) = consensus.map(|consensus| (consensus.key, consensus.lock)).unzip();
    let key = consensus.as_ref().map(|key| key.verifying_key().to_bytes());
    let signer = match consensus {
        Some(key) => Some(NodeSigner::new(key, chain.id, directory.open_sign_state()?)),
        None => None,
    };
    let evidence = EvidenceFile::open(directory.disk().as_ref(), &directory.path().join(EvidenceFile::NAME))
        .map_err(RunError::Evidence)?;

    let admission = Admission { observers: config.observers(path)?, named: config.named_peers() };
    let Membership { members, validators } = admission.membership(&tip.deciders, &chain.validator_peers());
    let network_config = NetworkConfig {
        chain: *chain.id.as_bytes(),
        listen: config.network.listen.clone(),
        peers: config.network.peers.clone(),
        members,
        validators,
        mdns: config.network.mdns,
        quic: config.network.quic,
        limits: Limits::default(),
    };
    let Network { handle, mut events, mut task } =
        Network::spawn(network_config, NetworkKey::from_seed(peer.to_bytes())).await?;
    for address in handle.addresses() {
        tracing::info!(%address, "listening for peers");
    }

    let shared = Arc::new(Shared::new());
    let low_water_mib = config.storage.low_water_mib;
    low_water::measure(&directory, low_water_mib, &shared)?;
    if tip.header.height == Height::GENESIS {
        let joining = Joining {
            mode: config.sync,
            chain: &chain,
            shared: &shared,
            network: &handle,
            events: &mut events,
            place: directory.base_place(chain.id),
            named: admission.named.iter().filter(|peer| **peer != handle.peer_key()).count(),
        };
        let joined = tokio::select! {
            joined = join(joining) => joined?,
            signal = wait_for_signal() => {
                ledger.close()?;
                task.stop().await?;
                return signal.map_err(RunError::Signals);
            }
            ended = task.ended() => return ended.map_err(RunError::from),
        };
        if let Joined::BySnapshot(_) = joined {
            // The index can be open once only.
            ledger.close()?;
            drop((ledger, chain, tip));
            ledger = open_ledger(&directory, &config, path, genesis)?;
            chain = Arc::clone(ledger.chain());
            tip = chain.tip();
            let Membership { members, validators } = admission.membership(&tip.deciders, &chain.validator_peers());
            handle.set_members(members, validators);
        }
    }
    if key.is_some_and(|key| tip.validators().index_of(&key).is_none()) {
        tracing::info!(
            "the consensus key is no validator's at this height; this node follows until the council makes it one"
        );
    }
    chain.offers.set_interval(config.storage.snapshot_interval);
    if let Some(keep) = config.storage.keep_blocks {
        ledger.keep_blocks(keep, directory.base_place(chain.id));
    }
    let signatures = Arc::new(SignatureCache::default());
    let mempool = Arc::new(Mempool::new(Arc::clone(&chain), Arc::clone(&signatures)));
    let (accepted_sender, accepted) = mpsc::channel(ACCEPTED_MAX);
    let (wake, woken) = mpsc::channel(1);
    let (host, answers) = Host::new(handle.clone());
    let mut driver = Driver::new(Parts {
        ledger,
        mempool: Arc::clone(&mempool),
        signatures,
        shared: Arc::clone(&shared),
        signer,
        key,
        admission,
        wal,
        wal_contents,
        evidence,
        surroundings: Box::new(host),
        undecided_bytes_max: UNDECIDED_BYTES_MAX,
    })?;
    // Those who came while the node was joining are told of here; whoever came since is told of twice, which does no harm.
    for peer in handle.peers() {
        driver.on_connected(peer.key);
    }
    let shell = Shell {
        driver,
        answers,
        events,
        accepted,
        woken,
        gathering: Gathering::default(),
        ingest: Ingest::start(handle.clone(), Arc::clone(&mempool), wake),
        serve: Serve::start(Arc::clone(&chain), Arc::clone(&shared)),
    };
    let low_water = low_water::watch(Arc::clone(&directory), low_water_mib, Arc::clone(&shared));
    let backend = NodeBackend::new(Arc::clone(&chain), mempool, shared, handle, accepted_sender, text, key);
    let rpc_threads = RpcThreads::start().map_err(RunError::Threads)?;
    let rpc = rpc_threads.serve(config.rpc.to_rpc(), backend).await?;
    tracing::info!(url = %format!("http://{}", rpc.address()), "listening for JSON-RPC");

    let (stop, stopped) = watch::channel(false);
    let mut driver_end = spawn_driver(shell, stopped);
    let outcome = tokio::select! {
        signal = wait_for_signal() => signal.map_err(RunError::Signals),
        ended = &mut driver_end => return ended.unwrap_or(Err(RunError::DriverPanicked)),
        ended = task.ended() => ended.map_err(RunError::from),
        never = low_water => match never {},
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

/// Opens the ledger, and tells what was found.
fn open_ledger(
    directory: &DataDirectory,
    config: &NodeConfig,
    path: &Path,
    genesis: GenesisBlock,
) -> Result<Ledger, RunError> {
    let Opened { ledger, recovery, index, replayed } =
        Ledger::open(directory, config.engine(path)?, genesis, PROTOCOL_VERSION)?;
    if let Some(cut) = &recovery.cut {
        tracing::warn!(height = %cut.height, bytes = cut.bytes, "cut an unfinished record off the block log");
    }
    for damage in &recovery.damaged {
        tracing::error!(first = %damage.first, last = %damage.last, path = %damage.path.display(), offset = damage.offset, "the block log is damaged");
    }
    if let IndexState::Rebuilt { reason } = &index {
        tracing::warn!(%reason, "the index was of no use and was filled again");
    }
    let chain = ledger.chain();
    tracing::info!(
        chain = %chain.id, height = %chain.tip().header.height, first = %chain.first_block(), replayed,
        engine = %config.storage.engine, "opened the ledger"
    );
    Ok(ledger)
}

/// Drops all but the newest `keep` blocks of a node that is stopped; `None` if it has not more.
///
/// # Errors
/// [`RunError`]: for what the operator can mend, in words.
pub(crate) fn prune(path: &Path, keep: u64) -> Result<Option<Pruned>, RunError> {
    let config = NodeConfig::read(path)?;
    let text = fs::read_to_string(&config.genesis)
        .map_err(|source| RunError::GenesisFile { path: config.genesis.clone(), source })?;
    let genesis_error = |source| RunError::Genesis { path: config.genesis.clone(), source: Box::new(source) };
    let genesis = Genesis::from_toml(&text).and_then(|genesis| genesis.build()).map_err(genesis_error)?;
    let directory = DataDirectory::open(&config.data, genesis.chain)?;
    let mut ledger = open_ledger(&directory, &config, path, genesis)?;
    let place = directory.base_place(ledger.chain().id);
    let pruned = ledger.prune_now(keep, &place)?;
    ledger.close()?;
    Ok(pruned)
}

/// Runs the driver on a thread and a runtime of its own: it waits for the disk.
fn spawn_driver(shell: Shell, stopped: watch::Receiver<bool>) -> oneshot::Receiver<Result<(), RunError>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("driver".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("the system can start a runtime at startup");
            // If nobody waits any more, the node is ending.
            let _ = sender.send(runtime.block_on(shell.run(stopped)).map_err(RunError::from));
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
