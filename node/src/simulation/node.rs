//! A node of a simulated world: the real driver, ledger, pool and storage code on a simulated disk.
//!
//! A process comes and goes; what stays is the disk, the keys, and what readers of this node have seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use cairn_network::PeerKey;
use cairn_storage::{DataDirectory, Engine, SimulatedDisk};
use cairn_types::governance::PROTOCOL_VERSION;
use cairn_types::{BlockHash, Height};

use super::desk::{Desk, Post, Verified, lock};
use super::plan::Fault;
use super::scene::{Scene, Seat};
use super::villain::Villain;
use crate::chain::Chain;
use crate::driver::{Driver, Parts};
use crate::evidence::EvidenceFile;
use crate::ledger::{Ledger, Opened};
use crate::membership::Admission;
use crate::mempool::Mempool;
use crate::shared::Shared;
use crate::signature_cache::SignatureCache;
use crate::signer::NodeSigner;

/// See the module.
pub(super) struct Node {
    pub(super) seat: Seat,
    pub(super) fault: Option<Fault>,
    pub(super) disk: SimulatedDisk,
    pub(super) process: Option<Process>,
    /// Counts its processes: what was on its way to an earlier one is lost.
    pub(super) life: u64,
    pub(super) offset_ms: i64,
    pub(super) slow_ms: u64,
    /// The newest height that its readers have seen.
    pub(super) told: Height,
    /// What they could have seen in the moment before it last fell.
    pub(super) shown: Height,
    /// Whether its disk can be full, or rotten beyond opening.
    pub(super) is_full: bool,
    pub(super) is_lost: bool,
    /// A villain's other blocks.
    pub(super) others: BTreeMap<BlockHash, BlockHash>,
    /// Batches that it has forwarded.
    pub(super) forwarded: BTreeSet<[u8; 32]>,
}

/// A running node.
pub(super) struct Process {
    pub(super) driver: Driver,
    pub(super) chain: Arc<Chain>,
    pub(super) mempool: Arc<Mempool>,
    pub(super) shared: Arc<Shared>,
    pub(super) desk: Arc<Mutex<Desk>>,
    /// When it is called next if nothing happens.
    pub(super) wakes_ms: Option<u64>,
    /// Holds the lock of the directory.
    _directory: DataDirectory,
}

/// What a process needs of the world to start.
pub(super) struct Start<'a> {
    pub(super) scene: &'a Scene,
    pub(super) now_ms: u64,
    /// All nodes' network keys: each lets in every other.
    pub(super) everybody: &'a BTreeSet<PeerKey>,
    pub(super) signatures: &'a Arc<SignatureCache>,
    pub(super) verified: &'a Verified,
    /// See [`Parts`].
    pub(super) undecided_bytes_max: usize,
}

impl Node {
    pub(super) fn new(seat: Seat, fault: Option<Fault>, disk: SimulatedDisk) -> Self {
        Self {
            seat,
            fault,
            disk,
            process: None,
            life: 0,
            offset_ms: 0,
            slow_ms: 0,
            told: Height::GENESIS,
            shown: Height::GENESIS,
            is_full: false,
            is_lost: false,
            others: BTreeMap::new(),
            forwarded: BTreeSet::new(),
        }
    }

    /// Whether it keeps the rules, whatever its disk and clock do.
    pub(super) const fn is_honest(&self) -> bool {
        !matches!(self.fault, Some(Fault::Villain(_)))
    }

    /// Whether it must get on once everything has healed.
    pub(super) const fn must_live(&self) -> bool {
        matches!(self.fault, None | Some(Fault::Clock))
    }

    /// Opens everything as a node does at its start.
    pub(super) fn open(&self, start: &Start<'_>) -> anyhow::Result<Process> {
        let genesis = start.scene.genesis.clone();
        let directory = DataDirectory::open_on(self.disk.handle(), Path::new("/node"), genesis.chain)?;
        let Opened { ledger, .. } = Ledger::open(&directory, Engine::Fjall, genesis, PROTOCOL_VERSION)?;
        let chain = Arc::clone(ledger.chain());
        let (wal, wal_contents) = directory.open_write_ahead_log()?;
        let mut signer = NodeSigner::new(self.seat.secret.clone(), chain.id, directory.open_sign_state()?);
        if self.fault == Some(Fault::Villain(Villain::Twin)) {
            // An honest one would stop at the first sign of the other.
            signer.be_reckless();
        }
        let evidence = EvidenceFile::open(directory.disk().as_ref(), &directory.path().join("evidence"))?;
        let admission = Admission { observers: start.everybody.clone(), named: BTreeSet::new() };
        let desk = Arc::new(Mutex::new(Desk {
            now_ms: start.now_ms,
            started_ms: start.now_ms,
            offset_ms: self.offset_ms,
            own: self.seat.peer,
            connected: BTreeSet::new(),
            membership: admission.membership(&chain.tip().deciders, &chain.validator_peers()),
            sent: Vec::new(),
        }));
        let shared = Arc::new(Shared::new());
        let mempool = Arc::new(Mempool::new(Arc::clone(&chain), Arc::clone(start.signatures)));
        let driver = Driver::new(Parts {
            ledger,
            mempool: Arc::clone(&mempool),
            signatures: Arc::clone(start.signatures),
            shared: Arc::clone(&shared),
            signer: Some(signer),
            key: Some(self.seat.key),
            admission,
            wal,
            wal_contents,
            evidence,
            undecided_bytes_max: start.undecided_bytes_max,
            surroundings: Box::new(Post { desk: Arc::clone(&desk), verified: Arc::clone(start.verified) }),
        })?;
        Ok(Process { driver, chain, mempool, shared, desk, wakes_ms: None, _directory: directory })
    }

    /// Whether it is connected to this peer.
    pub(super) fn is_connected(&self, peer: &PeerKey) -> bool {
        self.process.as_ref().is_some_and(|process| lock(&process.desk).connected.contains(peer))
    }

    /// Whether it lets this peer in.
    pub(super) fn admits(&self, peer: &PeerKey) -> bool {
        self.process.as_ref().is_some_and(|process| lock(&process.desk).membership.members.contains(peer))
    }
}
