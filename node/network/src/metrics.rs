//! What the network counts.
//!
//! Every counter only rises, from the network's start on. Adding to one never waits.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// The network's counters at one moment. All count from the network's start.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct NetworkMetrics { $($(#[$doc])+ pub $name: u64,)+ }

        /// The living counters behind [`NetworkMetrics`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)+ }

        impl Counters {
            pub(crate) fn snapshot(&self) -> NetworkMetrics {
                NetworkMetrics { $($name: self.$name.0.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

/// One rising number.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

counters! {
    /// Consensus frames written to streams, one for each peer.
    consensus_frames_sent,
    /// Their bytes.
    consensus_bytes_sent,
    /// Consensus frames read from validators.
    consensus_frames_received,
    /// Their bytes.
    consensus_bytes_received,
    /// Consensus frames dropped, the oldest first, because a peer's outbox was full; or left in it when the peer went.
    consensus_frames_dropped,
    /// Consensus streams ended because of what the peer sent: a frame of length 0 or above the bound.
    consensus_streams_refused,
    /// Batches given to gossip for at least one peer.
    batches_published,
    /// Their bytes.
    batches_published_bytes,
    /// Batches that no peer was there to hear, or that were published a short time ago.
    batches_unheard,
    /// Batches received for the first time.
    batches_received,
    /// Their bytes.
    batches_received_bytes,
    /// Batches received and dropped because the consumer was behind; they were not forwarded.
    batches_dropped,
    /// Batches that the consumer rejected, or that were empty or too long; they were not forwarded.
    batches_rejected,
    /// Gossip messages that were not sent to a peer because it was slow.
    gossip_slow_peer,
    /// Requests sent.
    requests_sent,
    /// Bytes of answers received.
    responses_received_bytes,
    /// Requests that ended without an answer.
    requests_failed,
    /// Requests received.
    requests_received,
    /// Requests received and refused at once because too many were open or the consumer was behind.
    requests_refused,
    /// Bytes of answers sent.
    responses_sent_bytes,
    /// Offences of members that were counted.
    offences,
    /// Members that were cut off because of too many of them.
    peers_cut_off,
    /// Connections that came to stand.
    connections_established,
    /// Incoming connections refused: not a member, cut off, above a limit, or from an address that knocks too often.
    connections_refused,
    /// Outgoing connection attempts that failed.
    dials_failed,
}
