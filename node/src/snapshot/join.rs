//! Joining: an empty node asks its peers for a snapshot, fetches it, and begins its store with it.
//!
//! ```text
//! asking ──► nobody has one worth it ──► replay: blocks from 1 on, as ever
//!   ▲ └────► the best certified offer ──► fetching ──► base written and synced ──► the ledger is opened again
//!   └──────── nobody has it any more ◄──────┘
//! ```
//!
//! It happens before the node's driver runs, with the network up: a node that is killed in the middle begins again, and has
//! nothing half believed. One piece is asked for at a time, of one peer after the other. A peer whose answer does not hold
//! is not asked again; one that is slow or has nothing rests.
//!
//! It does not judge what comes ([`super::receive`]), nor fill an index ([`super::base`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cairn_network::{NetworkEvent, NetworkEvents, NetworkHandle, PeerKey, RequestError};
use cairn_proofs::checkpoint::CheckpointProof;
use cairn_storage::{BasePlace, BaseWriter, LogExtent, StorageError};
use cairn_types::{Height, ValidatorSet, encode};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::receive::{self, Receiver};
use super::{SNAPSHOT_MIN_LAG, base};
use crate::chain::Chain;
use crate::clock;
use crate::frame::{Request, Response};
use crate::serve;
use crate::shared::Shared;

/// How often it looks for new peers and at the time, in milliseconds.
const LOOK_MS: u64 = 50;

/// How long an answer of a slower peer is waited for when there is a good offer, in milliseconds.
const BETTER_OFFER_MS: u64 = 500;

/// How long the first peers are waited for in a network that has just begun, in milliseconds: its nodes start together.
const YOUNG_PATIENCE_MS: u64 = 2_000;

/// How long they are waited for in a network that is older, in milliseconds: blocks are waiting there.
const OLD_PATIENCE_MS: u64 = 30_000;

/// From what age on a network has had time to be ahead, in milliseconds.
const OLD_MS: u64 = 600_000;

/// How long a peer is left alone that did not answer, or had nothing, in milliseconds.
const REST_MS: u64 = 1_000;

/// How often progress is logged, in milliseconds.
const PROGRESS_MS: u64 = 2_000;

/// How many snapshots are begun before a node that may choose goes back to replaying.
const ATTEMPTS_MAX: u32 = 5;

/// Answers that wait: one of each peer, and one piece.
const ANSWERS_MAX: usize = 512;

/// How an empty node gets the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SyncMode {
    /// By a snapshot, if the others are far ahead.
    #[default]
    Auto,
    /// By a snapshot, however long it takes until somebody offers one.
    Snapshot,
    /// By executing every block.
    Replay,
}

impl SyncMode {
    /// Whether it is the one of a configuration that does not say.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// Block 1 comes next.
    ByReplay,
    /// The store has a base of this height.
    BySnapshot(Height),
}

/// Why nothing could be decided. This node's disk or network is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the network has stopped")]
    NetworkGone,
}

/// What joining needs.
pub(crate) struct Joining<'a> {
    pub(crate) mode: SyncMode,
    /// The ledger at block 0; peers that are new themselves are answered from it.
    pub(crate) chain: &'a Chain,
    pub(crate) shared: &'a Shared,
    pub(crate) network: &'a NetworkHandle,
    pub(crate) events: &'a mut NetworkEvents,
    pub(crate) place: BasePlace,
    /// Peers that this node is told to connect to, besides itself.
    pub(crate) named: usize,
}

/// An answer on its way.
struct Answer {
    from: PeerKey,
    result: Result<Vec<u8>, RequestError>,
}

/// Whom to ask, and what they said.
struct Peers {
    sender: mpsc::Sender<Answer>,
    network: NetworkHandle,
    liars: BTreeSet<PeerKey>,
    /// Until when a peer is left alone.
    resting: BTreeMap<PeerKey, Instant>,
    /// Who was asked last for a piece.
    last: Option<PeerKey>,
}

impl Peers {
    /// Those who can be asked, by key.
    fn available(&self) -> Vec<PeerKey> {
        let now = Instant::now();
        let is_free =
            |peer: &PeerKey| !self.liars.contains(peer) && self.resting.get(peer).is_none_or(|until| *until <= now);
        self.network.peers().into_iter().map(|peer| peer.key).filter(is_free).collect()
    }

    /// The one after the one that was asked last.
    fn next(&mut self) -> Option<PeerKey> {
        let available = self.available();
        let next = available.iter().find(|peer| self.last.is_none_or(|last| **peer > last)).or(available.first());
        self.last = next.copied();
        self.last
    }

    fn ask(&self, to: PeerKey, request: &Request) {
        let (network, sender, bytes) = (self.network.clone(), self.sender.clone(), encode(request));
        tokio::spawn(async move {
            let result = network.request(to, bytes).await;
            // Nobody listens once it is decided.
            let _ = sender.send(Answer { from: to, result }).await;
        });
    }

    fn rest(&mut self, peer: PeerKey) {
        self.resting.insert(peer, Instant::now() + Duration::from_millis(REST_MS));
    }

    fn is_lying(&mut self, peer: PeerKey, error: &receive::ReceiveError) {
        tracing::warn!(peer = %peer.peer_id(), %error, "a peer sent a false part of a snapshot and is not asked again");
        self.liars.insert(peer);
    }
}

/// Who offers what.
struct Asking {
    began: Instant,
    /// `None` while there is no answer yet.
    offers: BTreeMap<PeerKey, Option<Offer>>,
    first_good: Option<Instant>,
}

enum Offer {
    Nothing,
    Snapshot(Box<CheckpointProof>),
}

impl Asking {
    fn new() -> Self {
        Self { began: Instant::now(), offers: BTreeMap::new(), first_good: None }
    }

    fn best(&self, least: u64) -> Option<&CheckpointProof> {
        let snapshots = self.offers.values().filter_map(|offer| match offer {
            Some(Offer::Snapshot(proof)) if proof.checkpoint.height.get() >= least => Some(proof.as_ref()),
            _ => None,
        });
        snapshots.max_by_key(|proof| proof.checkpoint.height)
    }

    /// Whether validators of the genesis with more than a third of the power have answered: one of them is honest.
    fn has_honest_answer(&self, validators: &ValidatorSet) -> bool {
        let power = |peer: &PeerKey| {
            let index = validators.index_of_peer(peer.as_bytes())?;
            validators.get(index).map(|validator| u128::from(validator.power.get()))
        };
        let answered = self.offers.iter().filter(|(_, offer)| offer.is_some());
        let power: u128 = answered.filter_map(|(peer, _)| power(peer)).sum();
        3 * power > u128::from(validators.total_power().get())
    }
}

/// A snapshot on its way.
struct Fetching {
    receiver: Receiver,
    writer: BaseWriter,
    asked: Option<PeerKey>,
    next_progress: Instant,
}

enum Phase {
    Asking(Asking),
    Fetching(Box<Fetching>),
}

/// Joins; see the module.
///
/// # Errors
/// [`JoinError`]: the node must stop.
pub(crate) async fn join(joining: Joining<'_>) -> Result<Joined, JoinError> {
    let Joining { mode, chain, shared, network, events, place, named } = joining;
    if mode == SyncMode::Replay || (mode == SyncMode::Auto && named == 0) {
        return Ok(Joined::ByReplay);
    }
    let (sender, mut answers) = mpsc::channel(ANSWERS_MAX);
    let mut peers =
        Peers { sender, network: network.clone(), liars: BTreeSet::new(), resting: BTreeMap::new(), last: None };
    let least = if mode == SyncMode::Snapshot { 1 } else { SNAPSHOT_MIN_LAG };
    let age_ms = clock::now_ms().saturating_sub(chain.genesis.block.header.time_ms);
    let patience = Duration::from_millis(if age_ms >= OLD_MS { OLD_PATIENCE_MS } else { YOUNG_PATIENCE_MS });
    let mut phase = Phase::Asking(Asking::new());
    let mut attempts: u32 = 0;
    let mut look = tokio::time::interval(Duration::from_millis(LOOK_MS));
    look.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            event = events.recv() => {
                if let NetworkEvent::Request { bytes, reply, .. } = event.ok_or(JoinError::NetworkGone)?
                    && let Ok(request) = Request::decode(&bytes)
                    && let Ok(response) = serve::answer(chain, shared, &request)
                {
                    // Whoever asked may have gone.
                    let _ = reply.send(encode(&response));
                }
            }
            Some(answer) = answers.recv() => match &mut phase {
                Phase::Asking(asking) => on_offer(asking, &mut peers, chain, answer),
                Phase::Fetching(fetching) => on_piece(fetching, &mut peers, answer)?,
            },
            _ = look.tick() => {}
        }
        phase = match phase {
            Phase::Asking(mut asking) => {
                for peer in peers.available() {
                    if asking.offers.contains_key(&peer) {
                        continue;
                    }
                    asking.offers.insert(peer, None);
                    peers.ask(peer, &Request::Snapshot);
                }
                if let Some(proof) = asking.best(least).cloned() {
                    let first_good = *asking.first_good.get_or_insert_with(Instant::now);
                    let all_answered = asking.offers.values().all(Option::is_some);
                    if !all_answered && first_good.elapsed() < Duration::from_millis(BETTER_OFFER_MS) {
                        Phase::Asking(asking)
                    } else {
                        attempts = attempts.saturating_add(1);
                        Phase::Fetching(Box::new(begin(proof, &place)?))
                    }
                } else if mode == SyncMode::Auto
                    && (asking.has_honest_answer(&chain.genesis.validators) || asking.began.elapsed() >= patience)
                {
                    tracing::info!("no peer offers a snapshot {SNAPSHOT_MIN_LAG} blocks ahead: replaying the ledger");
                    return Ok(Joined::ByReplay);
                } else {
                    Phase::Asking(asking)
                }
            }
            Phase::Fetching(mut fetching) => match fetching.receiver.want() {
                None => {
                    let height = fetching.receiver.proof().checkpoint.height;
                    fetching.writer.finish()?;
                    tracing::info!(%height, "the snapshot is here and holds: every header and every entry of the state");
                    return Ok(Joined::BySnapshot(height));
                }
                Some(request) => {
                    if fetching.next_progress <= Instant::now() {
                        fetching.next_progress = Instant::now() + Duration::from_millis(PROGRESS_MS);
                        tracing::info!(received = %fetching.receiver.progress(), "joining by a snapshot");
                    }
                    if fetching.asked.is_none() {
                        fetching.asked = peers.next();
                        if let Some(peer) = fetching.asked {
                            peers.ask(peer, &request);
                        }
                    }
                    let is_stuck = fetching.asked.is_none() && !network.peers().is_empty();
                    if !is_stuck {
                        Phase::Fetching(fetching)
                    } else if mode == SyncMode::Auto && attempts >= ATTEMPTS_MAX {
                        tracing::warn!("no snapshot could be fetched from any peer: replaying the ledger");
                        return Ok(Joined::ByReplay);
                    } else {
                        tracing::info!("nobody has the rest of the snapshot: asking for another one");
                        Phase::Asking(Asking::new())
                    }
                }
            },
        };
    }
}

fn begin(proof: CheckpointProof, place: &BasePlace) -> Result<Fetching, JoinError> {
    let height = proof.checkpoint.height;
    tracing::info!(
        %height, changes = proof.changes.len(),
        "the ledger is empty here and certified up to this height: joining by a snapshot of it"
    );
    let first = height.next().unwrap_or(height);
    let mut writer = place.create(LogExtent { origin: first, first })?;
    base::begin(&mut writer, &proof)?;
    Ok(Fetching { receiver: Receiver::new(proof), writer, asked: None, next_progress: Instant::now() })
}

fn on_offer(asking: &mut Asking, peers: &mut Peers, chain: &Chain, answer: Answer) {
    let Answer { from, result } = answer;
    let response = match result {
        Ok(bytes) => Response::decode(&bytes).map_err(receive::ReceiveError::from),
        Err(error) => {
            tracing::debug!(peer = %from.peer_id(), %error, "a peer was not asked for its snapshot");
            peers.rest(from);
            asking.offers.remove(&from);
            return;
        }
    };
    let offer = match response {
        Ok(Response::Snapshot(None)) => Ok(Offer::Nothing),
        Ok(Response::Snapshot(Some(bytes))) => {
            receive::checkpoint(&bytes, &chain.id).map(|proof| Offer::Snapshot(Box::new(proof)))
        }
        // Late: a piece of a snapshot that was given up.
        Ok(_) => return,
        Err(error) => Err(error),
    };
    match offer {
        Ok(offer) => drop(asking.offers.insert(from, Some(offer))),
        Err(error) => {
            peers.is_lying(from, &error);
            asking.offers.remove(&from);
        }
    }
}

fn on_piece(fetching: &mut Fetching, peers: &mut Peers, answer: Answer) -> Result<(), JoinError> {
    let Answer { from, result } = answer;
    if fetching.asked != Some(from) {
        return Ok(());
    }
    let response = match result {
        Ok(bytes) => Response::decode(&bytes),
        Err(error) => {
            tracing::debug!(peer = %from.peer_id(), %error, "a peer did not send a part of the snapshot");
            fetching.asked = None;
            peers.rest(from);
            return Ok(());
        }
    };
    if matches!(response, Ok(Response::Snapshot(_))) {
        // Late: an answer to the question before.
        return Ok(());
    }
    fetching.asked = None;
    match response.map_err(receive::ReceiveError::from).and_then(|response| fetching.receiver.accept(response)) {
        Ok(piece) => base::append(&mut fetching.writer, &piece)?,
        Err(error) if error.is_lie() => peers.is_lying(from, &error),
        Err(_) => peers.rest(from),
    }
    Ok(())
}
