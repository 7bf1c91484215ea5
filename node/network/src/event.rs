//! What the network tells its consumer.
//!
//! Four lanes, so that a backlog of one kind delays no other. Each is bounded:
//!
//! | lane | bound | at the bound |
//! |---|---|---|
//! | who came and went | a fixed number | kept as one open difference for each peer, told later |
//! | consensus | bytes for each peer | that peer is not read |
//! | requests | a fixed number | refused |
//! | transactions | batches | dropped, not forwarded |

use std::fmt;

use tokio::sync::{mpsc, oneshot};

use crate::{config::RESPONSE_BYTES_MAX, direct::Frame, error::ReplyError, key::PeerKey};

/// Waiting arrivals and departures before they are told as differences.
const LIFECYCLE_MAX: usize = 256;
/// Room for frames. Not the bound: the peers' budgets are, and all of them together stay below it.
const FRAMES_MAX: usize = 1 << 20;
/// Waiting requests of all peers together.
pub(crate) const REQUESTS_MAX: usize = 64;
/// Consensus frames in a row after which the other lanes get one turn, so that a flood of frames cannot silence them.
const CONSENSUS_STREAK_MAX: u32 = 32;

/// Something that came from the network.
#[derive(Debug)]
pub enum NetworkEvent {
    /// A member is connected; it has heard nothing that was sent before. Told before its first frame.
    PeerConnected(PeerKey),
    /// A member's last connection ended. What it sent before may still follow.
    PeerDisconnected(PeerKey),
    /// A consensus frame of a validator, authenticated by its connection and otherwise unverified.
    Consensus {
        /// Who sent it.
        from: PeerKey,
        /// The frame, 1 byte to [`CONSENSUS_FRAME_BYTES_MAX`](crate::CONSENSUS_FRAME_BYTES_MAX).
        bytes: Vec<u8>,
    },
    /// A batch of transactions, unverified. It goes no further until [`report`](crate::NetworkHandle::report) accepts it,
    /// which must happen within about 5 seconds.
    Transactions {
        /// Who forwarded it, not who wrote it.
        from: PeerKey,
        /// The batch, 1 byte to [`TRANSACTION_BATCH_BYTES_MAX`](crate::TRANSACTION_BATCH_BYTES_MAX).
        bytes: Vec<u8>,
        /// What to report the verdict with.
        id: BatchId,
    },
    /// A member asks for something.
    Request {
        /// Who asks.
        from: PeerKey,
        /// The request, at most [`REQUEST_BYTES_MAX`](crate::REQUEST_BYTES_MAX).
        bytes: Vec<u8>,
        /// Where the answer goes. Dropped, it refuses.
        reply: Reply,
    },
}

/// Names one received batch, for one verdict.
#[derive(Debug, PartialEq, Eq)]
pub struct BatchId {
    /// The batch's BLAKE3 hash.
    pub(crate) hash: [u8; 32],
    pub(crate) from: PeerKey,
    /// Its length in bytes.
    pub(crate) length: u32,
}

/// What becomes of a received batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchVerdict {
    /// Forward it.
    Accept,
    /// Drop it: an honest node would not have forwarded it.
    Reject,
    /// Drop it; nobody is to blame.
    Ignore,
}

/// Where the answer to a request goes. Dropped, it refuses.
pub struct Reply {
    pub(crate) sender: oneshot::Sender<Vec<u8>>,
}

impl Reply {
    /// Sends the answer.
    ///
    /// # Errors
    /// - [`ReplyError::Size`]: the caller answers too much; the peer is refused.
    /// - [`ReplyError::Gone`]: nobody waits any more.
    pub fn send(self, bytes: Vec<u8>) -> Result<(), ReplyError> {
        if bytes.len() > RESPONSE_BYTES_MAX {
            return Err(ReplyError::Size { bytes: bytes.len(), max: RESPONSE_BYTES_MAX });
        }
        self.sender.send(bytes).map_err(|_| ReplyError::Gone)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

/// The receiving end of everything that the network tells.
pub struct NetworkEvents {
    lifecycle: mpsc::Receiver<NetworkEvent>,
    consensus: mpsc::Receiver<Frame>,
    requests: mpsc::Receiver<NetworkEvent>,
    transactions: mpsc::Receiver<NetworkEvent>,
    streak: u32,
}

impl NetworkEvents {
    /// The next event; `None` after the network has stopped and everything was told. May be dropped while waiting; no
    /// event is lost by it. Comings and goings are told first, then consensus, requests and transactions.
    pub async fn recv(&mut self) -> Option<NetworkEvent> {
        if self.streak >= CONSENSUS_STREAK_MAX {
            self.streak = 0;
            if let Ok(event) = self.requests.try_recv().or_else(|_| self.transactions.try_recv()) {
                return Some(event);
            }
        }
        tokio::select! {
            biased;
            Some(event) = self.lifecycle.recv() => Some(event),
            Some(frame) = self.consensus.recv() => {
                self.streak += 1;
                Some(NetworkEvent::Consensus { from: frame.from, bytes: frame.bytes })
            }
            Some(event) = self.requests.recv() => Some(event),
            Some(event) = self.transactions.recv() => Some(event),
            else => None,
        }
    }
}

/// The sending ends.
pub(crate) struct Lanes {
    pub(crate) lifecycle: mpsc::Sender<NetworkEvent>,
    pub(crate) consensus: mpsc::Sender<Frame>,
    pub(crate) requests: mpsc::Sender<NetworkEvent>,
    pub(crate) transactions: mpsc::Sender<NetworkEvent>,
}

/// Both ends of all lanes.
pub(crate) fn lanes(batches_max: usize) -> (Lanes, NetworkEvents) {
    let (lifecycle, lifecycle_end) = mpsc::channel(LIFECYCLE_MAX);
    let (consensus, consensus_end) = mpsc::channel(FRAMES_MAX);
    let (requests, requests_end) = mpsc::channel(REQUESTS_MAX);
    let (transactions, transactions_end) = mpsc::channel(batches_max);
    let events = NetworkEvents {
        lifecycle: lifecycle_end,
        consensus: consensus_end,
        requests: requests_end,
        transactions: transactions_end,
        streak: 0,
    };
    (Lanes { lifecycle, consensus, requests, transactions }, events)
}
