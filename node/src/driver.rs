//! What drives agreement: it owns the machine, the logs and the writing end of the ledger.
//!
//! ```text
//!   on_frame, on_answer ──┐                       ┌──► Surroundings: frames, batches, requests
//!   on_connected ─────────┤                       │
//!   on_accepted ──────────┼──► Driver ── step ──► Machine ── effects ──► Driver::perform (agree.rs)
//!   on_time ──────────────┘                       └──► write-ahead log, sign state, block log
//! ```
//!
//! It has no clock, no task and no socket of its own (surroundings.rs): whoever holds it calls the method of what happened,
//! then [`Driver::settle`], and comes back with [`Driver::on_time`] at [`Driver::deadline`] at the latest. The same calls in
//! the same order do the same things, which a simulator rests on.
//!
//! It decides when a height starts: when there is something to say, though not too soon after a block that shows load
//! (pace.rs), when a validator speaks of it, or at the heartbeat.
//! Whether it has a vote at all is looked up after every block (seat.rs).
//!
//! Invariants: effects are performed in their order; nothing that we signed leaves before log and sign state are synced;
//! a block is committed only with a certificate, directly after its parent; a failed write or sync ends the driver, and
//! with it the node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use cairn_consensus::{Config, Input, Machine, SignRequest, Signer, Start, Timeouts, Timer};
use cairn_network::PeerKey;
use cairn_storage::{StorageError, WalContents, WriteAheadLog};
use cairn_types::{Certificate, DecodeError, Height, ValidatorIndex, encode};

use crate::chain::{Chain, ReadError, Snapshot};
use crate::evidence::EvidenceFile;
use crate::frame::{Frame, Request};
use crate::ledger::{self, JudgedBlock, Ledger, LedgerError};
use crate::membership::Admission;
use crate::mempool::Mempool;
use crate::shared::{Activity, Shared};
use crate::signature_cache::SignatureCache;
use crate::signer::NodeSigner;

use self::follow::Follow;
use self::own_signatures::{ForeignSignature, Identity, StartError};
use self::seat::Seat;
use self::turnout::Turnout;
use self::undecided::Undecided;
use self::upgrade::Ending;

pub(crate) use self::surroundings::{Answer, Surroundings};
pub(crate) use self::undecided::UNDECIDED_BYTES_MAX;

mod agree;
mod follow;
mod forgotten;
mod gossip;
mod own_clock;
pub(crate) mod own_signatures;
mod pace;
mod seat;
mod surroundings;
mod turnout;
mod undecided;
mod upgrade;
mod wal;

/// How often our votes are repeated without progress, in milliseconds: two of the shortest rounds.
const REBROADCAST_MS: u64 = 1_000;

/// How often the driver looks around when nothing happens, in milliseconds: for peers that came and for the heartbeat.
const LOOK_AROUND_MS: u64 = 1_000;

/// Why the driver ended. The disk is to blame, or a bug of ours; in both cases the node must stop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriverError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the write-ahead log holds an entry that does not decode: {0}")]
    Wal(#[from] DecodeError),
    #[error("a block in the write-ahead log is not valid: {0}")]
    WalBlock(Box<ledger::BlockError>),
    #[error("entry {entry} of the write-ahead log speaks of a block that the log does not hold")]
    WalHole { entry: usize },
    #[error("agreement cannot go on: {0}")]
    Agreement(#[from] cairn_consensus::Fault),
    #[error("the network has stopped")]
    NetworkGone,
    #[error("the evidence file cannot be written: {0}")]
    Evidence(std::io::Error),
    #[error(transparent)]
    ForeignSignature(#[from] ForeignSignature),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// What the driver is given at its start.
pub(crate) struct Parts {
    pub(crate) ledger: Ledger,
    pub(crate) mempool: Arc<Mempool>,
    pub(crate) signatures: Arc<SignatureCache>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) signer: Option<NodeSigner>,
    pub(crate) key: Option<[u8; 32]>,
    pub(crate) admission: Admission,
    pub(crate) wal: WriteAheadLog,
    pub(crate) wal_contents: WalContents,
    pub(crate) evidence: EvidenceFile,
    pub(crate) surroundings: Box<dyn Surroundings>,
    /// Bytes of undecided blocks that there is room for, in memory and in the write-ahead log.
    pub(crate) undecided_bytes_max: usize,
}

/// How much the driver keeps of what others sent.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Undecided blocks, judged or early.
    pub(crate) blocks: usize,
    /// Whose blocks are counted.
    pub(crate) senders: usize,
    /// Claims of height, and who is not believed.
    pub(crate) peers: usize,
    pub(crate) timers: usize,
    /// Inputs that wait for the machine.
    pub(crate) inputs: usize,
    /// Votes that are counted.
    pub(crate) votes: usize,
}

/// Refuses every signature: for a node that has no vote.
struct NoSigner;

impl Signer for NoSigner {
    fn sign(&mut self, _: &SignRequest) -> Option<[u8; 64]> {
        None
    }
}

/// See the module.
pub(crate) struct Driver {
    chain: Arc<Chain>,
    ledger: Ledger,
    mempool: Arc<Mempool>,
    signatures: Arc<SignatureCache>,
    shared: Arc<Shared>,
    signer: Option<NodeSigner>,
    /// Our consensus key, whether or not it is a validator's.
    key: Option<[u8; 32]>,
    /// Who this node is as a validator, if it can sign.
    identity: Option<Identity>,
    seat: Seat,
    admission: Admission,
    machine: Machine,
    wal: WriteAheadLog,
    evidence: EvidenceFile,
    surroundings: Box<dyn Surroundings>,
    /// When each timer fires, on [`Surroundings::elapsed`].
    timers: BTreeMap<Timer, Duration>,
    turnout: Turnout,
    undecided: Undecided,
    /// Certificates for blocks whose bytes are not here.
    decided_without_block: Option<Certificate>,
    follow: Follow,
    inputs: VecDeque<Input>,
    /// On [`Surroundings::elapsed`].
    last_commit: Duration,
    /// When what waits was gossiped again, on [`Surroundings::elapsed`].
    last_repeat: Duration,
    /// Whether a validator spoke of the next height while it was not under way.
    next_is_wanted: bool,
    /// Why this node goes no further, if it does not.
    ending: Option<Ending>,
    /// When an upgrade ahead was last spoken of.
    reminded: Option<Duration>,
}

impl Driver {
    /// Makes the driver, with the machine where the write-ahead log says that it was.
    ///
    /// # Errors
    /// [`DriverError`]: the disk is to blame.
    pub(crate) fn new(parts: Parts) -> Result<Self, DriverError> {
        let chain = Arc::clone(parts.ledger.chain());
        let tip = chain.tip();
        let own = parts.surroundings.own_key();
        let seat = Seat::after(&tip, parts.key.as_ref(), own.as_bytes());
        seat::warn_of_another_node(&tip, parts.key.as_ref(), &own);
        let mut signer = parts.signer;
        let peer = *own.as_bytes();
        let identity = parts.key.filter(|_| signer.is_some()).map(|key| Identity { chain: chain.id, key, peer });
        if let (Some(identity), Some(signer)) = (&identity, &mut signer) {
            identity.check_start(&chain, signer, &parts.wal_contents, &parts.evidence)?;
        }
        let mut undecided = Undecided::new(Arc::clone(&parts.shared), parts.undecided_bytes_max);
        let mut wal = parts.wal;
        let next = tip.next_height();
        if let Some(signer) = &mut signer
            && let Some(through) = forgotten::forgotten_through(next, signer.last(), &parts.wal_contents, &chain.id)
        {
            tracing::error!(
                %through,
                "this node has signed in heights of which it has lost blocks or the write-ahead log; it leaves them to the others and signs from the next on"
            );
            signer.abstain_to(through);
        }
        let recovered = if parts.wal_contents.height == next {
            wal::recover(&parts.wal_contents, &chain, &parts.signatures, &mut undecided)?
        } else {
            if wal.height() < next {
                wal.reset(next)?;
            }
            Vec::new()
        };
        let machine = Machine::new(Config { chain: chain.id, key: parts.key }, tip.header.height, recovered);
        Ok(Self {
            follow: Follow::new(),
            undecided,
            chain,
            ledger: parts.ledger,
            mempool: parts.mempool,
            signatures: parts.signatures,
            shared: parts.shared,
            signer,
            key: parts.key,
            identity,
            seat,
            admission: parts.admission,
            machine,
            wal,
            evidence: parts.evidence,
            timers: BTreeMap::new(),
            turnout: Turnout::default(),
            decided_without_block: None,
            inputs: VecDeque::new(),
            last_commit: parts.surroundings.elapsed(),
            surroundings: parts.surroundings,
            last_repeat: Duration::ZERO,
            next_is_wanted: false,
            ending: None,
            reminded: None,
        })
    }

    /// Says what lies ahead. Comes before everything else.
    pub(crate) fn begin(&mut self) {
        if let Some(height) = self.machine.unfinished()
            && self.seat.index().is_some()
        {
            tracing::info!(%height, "was under way; this node goes on with it when it has heard where the others are");
        }
        self.remind_of_upgrade(&self.chain.tip());
    }

    /// Ends orderly: what was signed last and the index are put on disk.
    ///
    /// # Errors
    /// [`DriverError`]: the disk is to blame.
    pub(crate) fn close(mut self) -> Result<(), DriverError> {
        self.sync()?;
        self.ledger.close()?;
        Ok(())
    }

    /// How much is kept of what others sent, for tests that it stays bounded.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> Sizes {
        let (blocks, senders) = self.undecided.sizes();
        let (timers, inputs) = (self.timers.len(), self.inputs.len());
        Sizes { blocks, senders, peers: self.follow.size(), timers, inputs, votes: self.turnout.size() }
    }

    /// The height after the tip.
    fn next_height(&self) -> Height {
        self.chain.tip().next_height()
    }

    /// Feeds what is waiting into the machine until there is nothing left, and starts the next height if it is time. Comes
    /// after everything that happens.
    ///
    /// # Errors
    /// [`DriverError`]: the node must stop.
    pub(crate) fn settle(&mut self) -> Result<(), DriverError> {
        loop {
            while let Some(input) = self.inputs.pop_front() {
                self.step(input)?;
            }
            self.catch_up();
            if !self.start_if_time() {
                break;
            }
        }
        self.shared.set_activity(self.activity());
        self.end_if_time()
    }

    fn step(&mut self, input: Input) -> Result<(), DriverError> {
        let effects = match &mut self.signer {
            Some(signer) if self.seat.index().is_some() => self.machine.step(input, signer),
            _ => self.machine.step(input, &mut NoSigner),
        };
        for effect in effects {
            self.perform(effect)?;
        }
        Ok(())
    }

    fn activity(&self) -> Activity {
        if self.is_behind() {
            Activity::Syncing
        } else if self.seat.index().is_none() {
            Activity::Following
        } else if self.is_connected_to_quorum() {
            Activity::Validating
        } else {
            Activity::Waiting
        }
    }

    fn is_behind(&self) -> bool {
        let tip = self.chain.tip();
        self.follow.is_behind(tip.header.height, tip.validators())
    }

    /// Starts the next height, if there is a reason to and nothing stands against it.
    fn start_if_time(&mut self) -> bool {
        let tip = self.chain.tip();
        if self.seat == Seat::Following
            || self.ending.is_some()
            || self.machine.under_way().is_some()
            || self.is_behind()
            || (self.seat.index().is_some() && !self.is_informed())
        {
            return false;
        }
        let now = self.surroundings.elapsed();
        let heartbeat = self.last_commit + Duration::from_millis(tip.parameters.heartbeat_ms);
        let has_waited =
            !self.mempool.is_empty() && (now >= pace::next(&tip, self.last_commit) || self.has_full_block());
        let is_first = tip.header.height == Height::GENESIS;
        let is_unfinished = self.seat.index().is_some() && self.machine.unfinished().is_some();
        let has_reason = self.next_is_wanted
            || is_unfinished
            || (self.seat.index().is_some()
                && self.is_connected_to_quorum()
                && (is_first || now >= heartbeat || has_waited));
        if has_reason {
            self.start();
        }
        has_reason
    }

    /// Whether a whole block waits.
    fn has_full_block(&self) -> bool {
        pace::fills_a_block(self.mempool.size(), &self.chain.tip().parameters)
    }

    fn start(&mut self) {
        let tip = self.chain.tip();
        let parameters = &tip.parameters;
        let timeouts = Timeouts {
            propose_ms: parameters.propose_timeout_ms,
            prevote_ms: parameters.prevote_timeout_ms,
            precommit_ms: parameters.precommit_timeout_ms,
            delta_ms: parameters.timeout_delta_ms,
            rebroadcast_ms: REBROADCAST_MS,
        };
        self.next_is_wanted = false;
        let height = self.next_height();
        let validators = Arc::clone(tip.validators());
        self.inputs.push_back(Input::Start(Start { height, validators, timeouts }));
        for (block, validity) in self.undecided.verdicts() {
            self.inputs.push_back(Input::BlockExecuted { height, block, validity });
        }
    }

    /// Whether this node and the validators it is connected to can decide.
    fn is_connected_to_quorum(&self) -> bool {
        let tip = self.chain.tip();
        let validators = tip.validators();
        let connected: u64 = (0u16..)
            .zip(validators.iter())
            .filter(|(index, validator)| {
                Some(*index) == self.seat.index()
                    || self.surroundings.is_connected(&PeerKey::from_bytes(validator.peer))
            })
            .map(|(_, validator)| validator.power.get())
            .sum();
        cairn_types::has_quorum(cairn_types::Power::new(connected), validators.total_power())
    }

    /// When to look again, if nothing happens before: a time on [`Surroundings::elapsed`].
    pub(crate) fn deadline(&self) -> Duration {
        let now = self.surroundings.elapsed();
        let look_around = now + Duration::from_millis(LOOK_AROUND_MS);
        let tip = self.chain.tip();
        let heartbeat = self.last_commit + Duration::from_millis(tip.parameters.heartbeat_ms);
        let pace = pace::next(&tip, self.last_commit);
        let ahead = [heartbeat, pace].into_iter().filter(|at| *at > now);
        let timer = self.timers.values().min().copied();
        let ending = self.ending.as_ref().map(|ending| ending.at);
        timer.into_iter().chain(ending).chain(ahead).chain([look_around]).min().unwrap_or(look_around)
    }

    /// Does what is due: timers, and a look around.
    pub(crate) fn on_time(&mut self) {
        let now = self.surroundings.elapsed();
        let mut due: Vec<(Duration, Timer)> =
            self.timers.iter().filter(|(_, at)| **at <= now).map(|(timer, at)| (*at, *timer)).collect();
        due.sort_unstable();
        for (_, timer) in due {
            self.timers.remove(&timer);
            self.inputs.push_back(Input::TimerFired(timer));
        }
        self.ask_for_heads();
        self.repeat_waiting(now);
        self.remind_of_upgrade(&self.chain.tip());
    }

    /// A member is connected.
    pub(crate) fn on_connected(&mut self, peer: PeerKey) {
        tracing::info!(peer = %peer.peer_id(), "connected");
        self.request(peer, Request::Head);
    }

    /// A member's last connection ended.
    pub(crate) fn on_disconnected(&mut self, peer: &PeerKey) {
        tracing::info!(peer = %peer.peer_id(), "disconnected");
        self.follow.forget(peer);
        self.stop_vain_waits();
    }

    /// Commits the block after the tip, and moves everything on to it.
    fn commit(&mut self, judged: JudgedBlock, certificate: Certificate) -> Result<(), DriverError> {
        let (transactions, proposer, bytes) = (judged.transactions.clone(), judged.header.proposer, judged.bytes.len());
        let round = certificate.round;
        if self.signer.as_ref().is_some_and(NodeSigner::is_unsynced) {
            // The block log never knows more of our signatures than the sign state.
            self.sync()?;
        }
        self.check_certificate(&certificate)?;
        let before = self.chain.tip();
        let snapshot = self.ledger.commit(judged, certificate)?;
        let height = snapshot.header.height;
        tracing::info!(
            %height, %round, proposer, transactions = transactions.len(), bytes, hash = %snapshot.hash, "final"
        );
        self.shared.metrics.committed(&snapshot, round, transactions.len());
        self.mempool.follow(Arc::clone(&snapshot), &transactions)?;
        self.undecided.clear();
        self.decided_without_block = None;
        self.next_is_wanted = false;
        self.last_commit = self.surroundings.elapsed();
        let next = snapshot.next_height();
        if self.wal.height() < next {
            self.wal.reset(next)?;
        }
        self.follow_validators(&before, &snapshot);
        self.follow_upgrade(&before, &snapshot);
        self.tell_followers(&snapshot);
        if self.ending.is_none() {
            self.judge_early_blocks()?;
        }
        Ok(())
    }

    /// Tells nodes that only follow about a new block. The validators take turns.
    fn tell_followers(&self, snapshot: &Snapshot) {
        let count = u64::try_from(snapshot.validators().len()).unwrap_or(u64::MAX);
        let height = snapshot.header.height;
        if self.seat.index().is_none_or(|index| height.get() % count != u64::from(index)) {
            return;
        }
        let validators: BTreeSet<[u8; 32]> = snapshot.validators().iter().map(|validator| validator.peer).collect();
        for peer in self.surroundings.peers() {
            if !validators.contains(peer.as_bytes()) {
                self.send(peer, &Frame::Head(height));
            }
        }
    }

    fn send(&self, to: PeerKey, frame: &Frame) {
        if let Err(error) = self.surroundings.send(to, encode(frame)) {
            tracing::debug!(%error, peer = %to.peer_id(), "a frame was not sent");
        }
    }

    fn broadcast(&self, frame: &Frame) {
        if let Err(error) = self.surroundings.broadcast(encode(frame)) {
            tracing::warn!(%error, "a frame was not sent");
        }
    }

    /// The key of the node of a validator of `height`.
    fn peer_of(&self, height: Height, validator: ValidatorIndex) -> Option<PeerKey> {
        let validators = self.chain.validators_at(height)?;
        validators.get(validator).map(|validator| PeerKey::from_bytes(validator.peer))
    }

    /// Builds the next block from what waits, or an empty one if too much was proposed in vain already.
    fn build(&self, index: ValidatorIndex) -> Result<JudgedBlock, ReadError> {
        let has_room = self.undecided.has_room_for_own();
        let candidates = if has_room { self.mempool.candidates() } else { Vec::new() };
        let now_ms = self.surroundings.now_ms();
        let (judged, rejected) = ledger::build(&self.chain, self.signatures.as_ref(), index, now_ms, candidates)?;
        for (transaction, rejection) in rejected {
            tracing::debug!(id = %transaction.id(), %rejection, "left out of our block");
        }
        Ok(judged)
    }
}

/// A lock on something that stays whole whatever its holder did.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
