//! One libp2p swarm a node: direct streams for consensus, gossip for transactions, requests for catch-up, and
//! membership. The only crate that names libp2p; none of its types leave.
//!
//! Bytes in, bytes out: what a frame, a batch or an answer means is not known here, and nothing is verified but who
//! sent it. Three ways to speak, three promises:
//!
//! ```text
//!             consensus                  transactions               catch-up
//! carried by  one stream to each peer    gossip, every node         request and answer
//! order       as sent, on one stream     none                       one answer a request
//! loss        with a broken stream;      a hint; may be lost        an error says so
//!             else only the oldest of
//!             a full queue, counted
//! at bound    sender drops the oldest    dropped, not forwarded     refused
//! ```
//!
//! Invariants: a connection exists only to a member; a frame came from one who was a validator when it was read;
//! every queue of ours has a bound in entries and in bytes; a member that sends what no honest node sends, or more than its
//! allowance, is cut off for a while, and strangers are turned away by where they come from.
//!
//! A consumer resends what matters (its votes of the current height) on [`NetworkEvent::PeerConnected`].

mod behaviour;
mod conduct;
mod config;
mod dialer;
mod direct;
mod door;
mod error;
mod event;
mod gossip;
mod handle;
mod key;
mod metrics;
mod multiplexer;
mod muxer;
mod sync;
mod task;

pub use conduct::Offence;
pub use config::{
    CONSENSUS_FRAME_BYTES_MAX, Limits, NetworkConfig, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX,
    TRANSACTION_BATCH_BYTES_MAX,
};
pub use error::{NetworkError, PeerKeyError, PublishError, ReplyError, RequestError, SendError, TaskError};
pub use event::{BatchId, BatchVerdict, NetworkEvent, NetworkEvents, Reply};
pub use handle::{NetworkHandle, PeerStatus};
pub use key::{NetworkKey, PeerKey};
pub use metrics::NetworkMetrics;
pub use task::{Network, NetworkTask};
