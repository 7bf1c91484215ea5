//! What can go wrong, to what, and who caused it.
//!
//! libp2p's own errors do not leave the crate: they become words here.

use crate::key::PeerKey;

/// Why a text does not name a peer. The author of the text is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerKeyError {
    /// Not base58 of a multihash.
    #[error("`{text}` is not a peer id")]
    NotAPeerId {
        /// What was given.
        text: String,
    },
    /// Not in the form `/ip4/…/tcp/…`.
    #[error("`{text}` is not a multiaddr (expected, for example, /ip4/127.0.0.1/tcp/9000/p2p/12D3KooW…)")]
    NotAnAddress {
        /// What was given.
        text: String,
    },
    /// An address that names a place but nobody who lives there.
    #[error("`{text}` has no /p2p/ part, so nobody could be authenticated there")]
    NoIdentity {
        /// What was given.
        text: String,
    },
    /// A peer id of another key type, or one that hides the key behind a hash.
    #[error("`{text}` is not an Ed25519 identity")]
    NotEd25519 {
        /// What was given.
        text: String,
    },
}

/// Why a network did not start. The operator's configuration or machine is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A static peer cannot be understood.
    #[error("static peer: {0}")]
    Peer(#[from] PeerKeyError),
    /// An address that none of our transports can use.
    #[error("address `{address}`: {reason}")]
    Address {
        /// As configured.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More than the bound.
    #[error("{count} {what} configured, at most {max} are possible")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// Somebody else listens there.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Part of the swarm cannot be built on this machine.
    #[error("cannot set up {part}: {reason}")]
    Setup {
        /// Which part.
        part: &'static str,
        /// What it said.
        reason: String,
    },
}

/// Why the network's task ended. Our own bug in every case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A panic inside the task.
    #[error("the network task panicked: {reason}")]
    Panicked {
        /// The panic, as far as it can be told.
        reason: String,
    },
}

/// Why a consensus frame was not queued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Empty, or longer than a frame may be. The caller is at fault.
    #[error("a consensus frame of {bytes} bytes: it must have 1 to {max}")]
    Size {
        /// Its length in bytes.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// No connection at this moment; the frame is not kept.
    #[error("peer {peer} is not connected")]
    NotConnected {
        /// To whom.
        peer: PeerKey,
    },
    /// Only validators speak on consensus streams, and this node is none.
    #[error("this node is not a validator")]
    NotValidator,
}

/// Why a batch was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Empty, or longer than a batch may be. The caller is at fault.
    #[error("a batch of {bytes} bytes: it must have 1 to {max}")]
    Size {
        /// Its length in bytes.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The task has not yet taken what was given to it before: try again later.
    #[error("the network is busy")]
    Busy,
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Longer than a request may be. The caller is at fault.
    #[error("a request of {bytes} bytes: at most {max} are possible")]
    Size {
        /// Its length in bytes.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Too many requests are under way, to this peer or at all: try again when one has ended.
    #[error("too many requests are under way")]
    Busy,
    /// No connection at this moment.
    #[error("peer {peer} is not connected")]
    NotConnected {
        /// To whom.
        peer: PeerKey,
    },
    /// The connection ended before the answer came.
    #[error("the connection ended before the answer came")]
    Disconnected,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The peer chose not to answer: it is busy, or has nothing to say.
    #[error("the peer refused to answer")]
    Refused,
    /// The peer announced an answer above the bound, and is at fault.
    #[error("an answer of more than {max} bytes")]
    ResponseTooLarge {
        /// The bound.
        max: usize,
    },
    /// The peer does not speak this chain's protocol.
    #[error("the peer does not speak this chain's catch-up protocol")]
    Unsupported,
    /// The stream broke.
    #[error("the stream broke: {reason}")]
    Stream {
        /// What the transport said.
        reason: String,
    },
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}

/// Why an answer was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// Longer than an answer may be. The caller is at fault, and the peer is told nothing.
    #[error("an answer of {bytes} bytes: at most {max} are possible")]
    Size {
        /// Its length in bytes.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Nobody waits any more: the request timed out, or the connection ended.
    #[error("nobody waits for this answer any more")]
    Gone,
}
