//! What the rest of the node holds of the network: a handle that can be cloned and never waits, but for an answer.
//!
//! Consensus frames go straight into the peer's outbox; everything else goes to the swarm's task. No lock here is held
//! while anything waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    conduct::Offence,
    config::{CONSENSUS_FRAME_BYTES_MAX, REQUEST_BYTES_MAX, TRANSACTION_BATCH_BYTES_MAX},
    direct::Outbox,
    error::{PublishError, RequestError, SendError},
    event::{BatchId, BatchVerdict},
    key::PeerKey,
    metrics::{Counters, NetworkMetrics},
};

/// Things asked of the swarm's task that it has not yet taken: at most 16 MiB of batches.
pub(crate) const COMMANDS_MAX: usize = 256;

/// What handle and task both look at.
pub(crate) struct Shared {
    pub(crate) own: PeerKey,
    pub(crate) own_validator: AtomicBool,
    pub(crate) counters: Counters,
    connected: RwLock<BTreeMap<PeerKey, Connected>>,
    addresses: RwLock<Vec<String>>,
}

/// A connected peer.
pub(crate) struct Connected {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) address: String,
    pub(crate) validator: bool,
    pub(crate) since: Instant,
    pub(crate) rtt: Option<Duration>,
    pub(crate) agent: Option<String>,
    pub(crate) listens: bool,
}

impl Shared {
    pub(crate) fn new(own: PeerKey) -> Self {
        Self {
            own,
            own_validator: AtomicBool::new(false),
            counters: Counters::default(),
            connected: RwLock::default(),
            addresses: RwLock::default(),
        }
    }

    pub(crate) fn connected(&self) -> RwLockReadGuard<'_, BTreeMap<PeerKey, Connected>> {
        self.connected.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connected_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<PeerKey, Connected>> {
        self.connected.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn addresses_mut(&self) -> RwLockWriteGuard<'_, Vec<String>> {
        self.addresses.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who may connect, and who may speak on consensus streams.
#[derive(Clone)]
pub(crate) struct Membership {
    pub(crate) members: BTreeSet<PeerKey>,
    pub(crate) validators: BTreeSet<PeerKey>,
}

impl Membership {
    /// Validators are members.
    pub(crate) fn new(mut members: BTreeSet<PeerKey>, validators: BTreeSet<PeerKey>) -> Self {
        members.extend(&validators);
        Self { members, validators }
    }
}

/// What the handle asks of the swarm's task.
pub(crate) enum Command {
    Publish { batch: Vec<u8> },
    Report { id: BatchId, verdict: BatchVerdict },
    Blame { peer: PeerKey, offence: Offence },
    Request { to: PeerKey, bytes: Vec<u8>, answer: oneshot::Sender<Result<Vec<u8>, RequestError>> },
}

/// A connected peer, for people.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Its identity.
    pub key: PeerKey,
    /// The same in libp2p's form.
    pub peer_id: String,
    /// Where it is: the address that we dialled, or the one that it came from.
    pub address: String,
    /// Whether it is a validator at this moment.
    pub validator: bool,
    /// For how long it has been connected without a gap.
    pub connected: Duration,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// What program it says to be: at most 64 printable ASCII characters.
    pub agent: Option<String>,
    /// Whether it has said that it listens to batches of transactions. A peer says so just after it is connected, and hears
    /// nothing that was published or forwarded before.
    pub listens: bool,
}

/// The network, as the rest of the node holds it. Clones share one network.
#[derive(Clone)]
pub struct NetworkHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) membership: watch::Sender<Membership>,
}

impl NetworkHandle {
    /// This node's identity.
    pub fn peer_key(&self) -> PeerKey {
        self.shared.own
    }

    /// Where this node listens at this moment: multiaddrs with their `/p2p/` part.
    pub fn addresses(&self) -> Vec<String> {
        self.shared.addresses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Queues a consensus frame for one connected peer. Frames to one peer leave in order. When the queue is full, the
    /// oldest frames in it are dropped and counted.
    ///
    /// # Errors
    /// - [`SendError::Size`]: the caller's frame is empty or too long.
    /// - [`SendError::NotValidator`]: this node is no validator, so nobody would listen.
    /// - [`SendError::NotConnected`]: the peer is not there now.
    pub fn send_consensus(&self, to: PeerKey, frame: Vec<u8>) -> Result<(), SendError> {
        self.may_send(&frame)?;
        let connected = self.shared.connected();
        let peer = connected.get(&to).ok_or(SendError::NotConnected { peer: to })?;
        self.shared.counters.consensus_frames_dropped.add(peer.outbox.push(Arc::new(frame)));
        Ok(())
    }

    /// Queues a consensus frame for every connected validator, and returns how many there are. Frames to one peer leave
    /// in order. When a queue is full, the oldest frames in it are dropped and counted.
    ///
    /// # Errors
    /// - [`SendError::Size`]: the caller's frame is empty or too long.
    /// - [`SendError::NotValidator`]: this node is no validator, so nobody would listen.
    pub fn broadcast_consensus(&self, frame: Vec<u8>) -> Result<usize, SendError> {
        self.may_send(&frame)?;
        let frame = Arc::new(frame);
        let connected = self.shared.connected();
        let mut count = 0;
        for peer in connected.values().filter(|peer| peer.validator) {
            self.shared.counters.consensus_frames_dropped.add(peer.outbox.push(Arc::clone(&frame)));
            count += 1;
        }
        Ok(count)
    }

    fn may_send(&self, frame: &[u8]) -> Result<(), SendError> {
        if frame.is_empty() || frame.len() > CONSENSUS_FRAME_BYTES_MAX {
            return Err(SendError::Size { bytes: frame.len(), max: CONSENSUS_FRAME_BYTES_MAX });
        }
        if !self.shared.own_validator.load(Ordering::Relaxed) {
            return Err(SendError::NotValidator);
        }
        Ok(())
    }

    /// Gossips a batch of transactions to all members. A hint: it may be lost, for instance when nobody is connected, and
    /// does not reach a peer that is connected and has not yet said that it listens ([`PeerStatus::listens`]). The same
    /// bytes are gossiped at most once a minute.
    ///
    /// # Errors
    /// - [`PublishError::Size`]: the caller's batch is empty or too long.
    /// - [`PublishError::Busy`]: more was published than the network could take; try again.
    /// - [`PublishError::Stopped`]: the network has stopped.
    pub fn publish_transactions(&self, batch: Vec<u8>) -> Result<(), PublishError> {
        if batch.is_empty() || batch.len() > TRANSACTION_BATCH_BYTES_MAX {
            return Err(PublishError::Size { bytes: batch.len(), max: TRANSACTION_BATCH_BYTES_MAX });
        }
        self.commands.try_send(Command::Publish { batch }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::Busy,
            mpsc::error::TrySendError::Closed(_) => PublishError::Stopped,
        })
    }

    /// Says what becomes of a received batch. Only an accepted one is forwarded. A verdict that the network is too busy to
    /// take counts as [`BatchVerdict::Ignore`].
    pub fn report(&self, id: BatchId, verdict: BatchVerdict) {
        if self.commands.try_send(Command::Report { id, verdict }).is_err() {
            self.shared.counters.batches_dropped.add(1);
        }
    }

    /// Says that a peer did what an honest node does not do. Too much of it in a short time cuts the peer off for a while:
    /// its connections are closed and none is made.
    pub fn blame(&self, peer: PeerKey, offence: Offence) {
        if self.commands.try_send(Command::Blame { peer, offence }).is_err() {
            tracing::debug!(%peer, ?offence, "not counted: the network is busy");
        }
    }

    /// Asks one connected member, and waits for its answer.
    ///
    /// # Errors
    /// - [`RequestError::Size`]: the caller's request is too long.
    /// - [`RequestError::Busy`], [`RequestError::NotConnected`], [`RequestError::Disconnected`],
    ///   [`RequestError::TimedOut`], [`RequestError::Refused`]: nobody's fault; ask another peer.
    /// - [`RequestError::ResponseTooLarge`], [`RequestError::Unsupported`]: the peer's fault.
    /// - [`RequestError::Stopped`]: the network has stopped.
    pub async fn request(&self, to: PeerKey, bytes: Vec<u8>) -> Result<Vec<u8>, RequestError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::Size { bytes: bytes.len(), max: REQUEST_BYTES_MAX });
        }
        let (answer, answered) = oneshot::channel();
        self.commands.try_send(Command::Request { to, bytes, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RequestError::Busy,
            mpsc::error::TrySendError::Closed(_) => RequestError::Stopped,
        })?;
        answered.await.unwrap_or(Err(RequestError::Stopped))
    }

    /// Sets who may connect and who may speak on consensus streams. Validators are members without being listed. The
    /// connections of those who are members no longer are closed, and their frames that have not yet been handed out are
    /// the last that are heard of them.
    pub fn set_members(&self, members: BTreeSet<PeerKey>, validators: BTreeSet<PeerKey>) {
        self.membership.send_replace(Membership::new(members, validators));
    }

    /// Who is connected at this moment, by key.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let connected = self.shared.connected();
        let peers = connected.iter().map(|(key, peer)| PeerStatus {
            key: *key,
            peer_id: key.peer_id(),
            address: peer.address.clone(),
            validator: peer.validator,
            connected: peer.since.elapsed(),
            rtt: peer.rtt,
            agent: peer.agent.clone(),
            listens: peer.listens,
        });
        peers.collect()
    }

    /// Whether this peer is connected at this moment.
    pub fn is_connected(&self, peer: &PeerKey) -> bool {
        self.shared.connected().contains_key(peer)
    }

    /// The counters at this moment.
    pub fn metrics(&self) -> NetworkMetrics {
        self.shared.counters.snapshot()
    }

    /// How many consensus frames wait to be sent, to all peers together.
    pub fn consensus_frames_waiting(&self) -> usize {
        self.shared.connected().values().map(|peer| peer.outbox.len()).sum()
    }
}
