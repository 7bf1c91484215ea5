//! The driver among real clocks, tasks and threads: it waits for whatever comes first and hands it to the driver.
//!
//! ```text
//!   network ── frames ───────┐
//!   network ── gossip ───────┼──► Ingest (its own thread) ──► mempool ── wake ──┐
//!   network ── requests ─────┼──► Serve (its own thread) ──► peers              ├──► Shell::run ──► Driver
//!   network ── answers ──────┤                                                  │
//!   submitted, time, stop ───┴──────────────────────────────────────────────────┘
//! ```
//!
//! What anything means is not known here. It runs on a thread of its own, because the driver waits for the disk.

use std::sync::Arc;
use std::time::Duration;

use cairn_network::{NetworkEvent, NetworkEvents, NetworkHandle, Offence, PeerKey, PublishError, SendError};
use cairn_types::{SignedTransaction, encode};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::clock;
use crate::driver::{Answer, Driver, DriverError, Surroundings};
use crate::frame::Request;
use crate::gathering::Gathering;
use crate::ingest::{Batch, Ingest};
use crate::membership::Membership;
use crate::serve::Serve;

/// Most answers that wait for the driver: one of each kind from every peer of a large network.
const ANSWERS_MAX: usize = 512;

/// When no more transactions are put to those that go out in one turn of the loop, so that votes are not kept waiting.
const PUBLISH_PER_TURN_MAX: usize = 1_024;

/// Most events that are handed on while a timer is due: who floods must not stop the clock.
const EVENTS_BEFORE_TIME_MAX: u32 = 256;

/// This machine's clocks and the running network.
pub(crate) struct Host {
    started: Instant,
    network: NetworkHandle,
    answers: mpsc::Sender<Answer>,
}

impl Host {
    /// The surroundings of a node, and where the answers of its peers arrive.
    pub(crate) fn new(network: NetworkHandle) -> (Self, Answers) {
        let (sender, receiver) = mpsc::channel(ANSWERS_MAX);
        let started = Instant::now();
        (Self { started, network, answers: sender }, Answers { started, receiver })
    }
}

/// The other end of [`Host`]: answers, and the moment from which its time counts.
pub(crate) struct Answers {
    started: Instant,
    receiver: mpsc::Receiver<Answer>,
}

impl Surroundings for Host {
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    fn own_key(&self) -> PeerKey {
        self.network.peer_key()
    }

    fn peers(&self) -> Vec<PeerKey> {
        self.network.peers().into_iter().map(|peer| peer.key).collect()
    }

    fn is_connected(&self, peer: &PeerKey) -> bool {
        self.network.is_connected(peer)
    }

    fn set_members(&self, membership: Membership) {
        self.network.set_members(membership.members, membership.validators);
    }

    fn send(&self, to: PeerKey, frame: Vec<u8>) -> Result<(), SendError> {
        self.network.send_consensus(to, frame)
    }

    fn broadcast(&self, frame: Vec<u8>) -> Result<(), SendError> {
        self.network.broadcast_consensus(frame).map(drop)
    }

    fn publish(&self, batch: Vec<u8>) -> Result<(), PublishError> {
        self.network.publish_transactions(batch)
    }

    fn blame(&self, peer: PeerKey, offence: Offence) {
        self.network.blame(peer, offence);
    }

    /// Sends a request from a task of its own.
    fn request(&self, to: PeerKey, request: Request) {
        let (network, answers) = (self.network.clone(), self.answers.clone());
        tokio::spawn(async move {
            let result = network.request(to, encode(&request)).await;
            // The driver listens until the node ends.
            let _ = answers.send(Answer { from: to, request, result }).await;
        });
    }
}

/// See the module.
pub(crate) struct Shell {
    pub(crate) driver: Driver,
    pub(crate) answers: Answers,
    pub(crate) events: NetworkEvents,
    /// Transactions that were submitted here and taken.
    pub(crate) accepted: mpsc::Receiver<Vec<Arc<SignedTransaction>>>,
    /// Says that gossip brought something.
    pub(crate) woken: mpsc::Receiver<()>,
    pub(crate) gathering: Gathering,
    pub(crate) ingest: Ingest,
    pub(crate) serve: Serve,
}

impl Shell {
    /// Drives until `stop` says so.
    ///
    /// # Errors
    /// [`DriverError`]: the node must stop.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), DriverError> {
        self.driver.begin();
        let mut late = 0;
        loop {
            self.driver.settle()?;
            self.gossip_if_due();
            let deadline = self.answers.started + self.driver.deadline();
            let look = self.gathering.due().map_or(deadline, |due| deadline.min(self.answers.started + due));
            // What has arrived in time is heard before a wait for it ends.
            late = if Instant::now() < deadline { 0 } else { late + 1 };
            if late > EVENTS_BEFORE_TIME_MAX {
                late = 0;
                self.driver.on_time();
                continue;
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                event = self.events.recv() => self.on_event(event.ok_or(DriverError::NetworkGone)?)?,
                Some(answer) = self.answers.receiver.recv() => self.driver.on_answer(answer)?,
                Some(transactions) = self.accepted.recv() => self.on_accepted(transactions),
                Some(()) = self.woken.recv() => {}
                () = tokio::time::sleep_until(look) => {
                    if Instant::now() >= deadline {
                        self.driver.on_time();
                    }
                }
            }
        }
        self.driver.close()
    }

    fn on_event(&mut self, event: NetworkEvent) -> Result<(), DriverError> {
        match event {
            NetworkEvent::PeerConnected(peer) => self.driver.on_connected(peer),
            NetworkEvent::PeerDisconnected(peer) => self.driver.on_disconnected(&peer),
            NetworkEvent::Consensus { from, bytes } => self.driver.on_frame(from, &bytes)?,
            NetworkEvent::Transactions { bytes, id, .. } => self.ingest.offer(Batch { bytes, id }),
            NetworkEvent::Request { bytes, reply, .. } => self.serve.offer(bytes, reply),
        }
        Ok(())
    }

    /// Gathers what was submitted here, as much as waits.
    fn on_accepted(&mut self, first: Vec<Arc<SignedTransaction>>) {
        let mut count = first.len();
        self.gathering.put(first);
        while count < PUBLISH_PER_TURN_MAX
            && let Ok(more) = self.accepted.try_recv()
        {
            count = count.saturating_add(more.len());
            self.gathering.put(more);
        }
    }

    /// Gossips what was gathered, if it has waited long enough.
    fn gossip_if_due(&mut self) {
        let transactions = self.gathering.take(self.answers.started.elapsed());
        if !transactions.is_empty() {
            self.driver.on_accepted(&transactions);
        }
    }
}
