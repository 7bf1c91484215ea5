//! What a node's network is told at its start, and every limit it keeps.
//!
//! Knows addresses only as far as it must: which transport they need and whom they name.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    str::FromStr,
    time::Duration,
};

use libp2p::{Multiaddr, multiaddr::Protocol};

use crate::{error::NetworkError, key::PeerKey};

/// Longest consensus frame in bytes. Blocks travel in frames, and are smaller than this.
pub const CONSENSUS_FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest batch of transactions in bytes: at this size, gossip costs 5 to 7 us a transaction instead of 150.
pub const TRANSACTION_BATCH_BYTES_MAX: usize = 64 * 1024;
/// Longest catch-up request in bytes: a range or a list of hashes.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024;
/// Longest catch-up answer in bytes: some blocks of the largest size, many of the usual one.
pub const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Longest message that gossip reads. One as long as the limit is lost without a word, so there is room above a batch.
pub(crate) const GOSSIP_BYTES_MAX: usize = 128 * 1024;
const _: () = assert!(TRANSACTION_BATCH_BYTES_MAX * 2 <= GOSSIP_BYTES_MAX);

/// Most addresses of one peer that are tried: a machine has few interfaces.
pub(crate) const ADDRESSES_PER_PEER_MAX: usize = 8;
/// Most static peers: more than a consortium has, few enough to dial.
const STATIC_PEERS_MAX: usize = 1_024;
/// Most addresses to listen on.
const LISTEN_MAX: usize = 16;
/// Most members: the set is held in memory and looked at for every connection.
const MEMBERS_MAX: usize = 4_096;

/// One side of a TCP or QUIC connection attempt, name resolution and handshake included, takes at most this.
pub(crate) const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a node's network is told at its start.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// The genesis hash. A peer of another chain fails the handshake.
    pub chain: [u8; 32],
    /// Multiaddrs to listen on, such as `/ip4/127.0.0.1/tcp/9000`; port 0 lets the system choose.
    pub listen: Vec<String>,
    /// Multiaddrs of peers to be connected to always, each with its `/p2p/` part. The node's own is skipped, so all
    /// nodes may share one list; one who is not a member is not dialled.
    pub peers: Vec<String>,
    /// Who may connect. Validators are members without being listed.
    pub members: BTreeSet<PeerKey>,
    /// Whose consensus frames are heard.
    pub validators: BTreeSet<PeerKey>,
    /// Whether members on the same LAN find each other by multicast.
    pub mdns: bool,
    /// Whether `/udp/…/quic-v1` addresses are listened on and dialled.
    pub quic: bool,
    /// Bounds that may differ between nodes.
    pub limits: Limits,
}

/// Bounds that may differ between nodes. The defaults suit a consortium's network.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most connections at once, to all peers together.
    pub connections_max: u32,
    /// Most frames that wait to be sent to one peer; above it the oldest is dropped.
    pub outbox_frames_max: usize,
    /// Most bytes that wait to be sent to one peer; above it the oldest frame is dropped. At least one full frame.
    pub outbox_bytes_max: usize,
    /// Most bytes of frames of one peer that wait to be consumed; above it the peer is not read until some are. A
    /// frame counts as at least 4 KiB, which bounds their number as well. At least one full frame.
    pub inbox_bytes_max: u32,
    /// Most batches of transactions that wait to be consumed; above it a batch is dropped and not forwarded.
    pub batches_max: usize,
    /// How long a request, or the answer to one, may take.
    pub request_timeout: Duration,
    /// How long a member is cut off that does what no honest node does, for the first time.
    pub cut_first: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            outbox_frames_max: 1_024,
            outbox_bytes_max: 16 * 1024 * 1024,
            inbox_bytes_max: 8 * 1024 * 1024,
            batches_max: 128,
            request_timeout: Duration::from_secs(10),
            cut_first: Duration::from_secs(10),
        }
    }
}

/// How an address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Tcp,
    Quic,
}

/// A configuration whose addresses have been read.
pub(crate) struct Checked {
    pub(crate) listen: Vec<Multiaddr>,
    pub(crate) peers: BTreeMap<PeerKey, Vec<Multiaddr>>,
    /// Whether any address has a name in it. Without one, no name is ever resolved.
    pub(crate) dns: bool,
}

impl NetworkConfig {
    /// Reads and relates all fields.
    pub(crate) fn check(&self, own: PeerKey) -> Result<Checked, NetworkError> {
        at_most("listening addresses", self.listen.len(), LISTEN_MAX)?;
        at_most("static peers", self.peers.len(), STATIC_PEERS_MAX)?;
        at_most("members", self.members.union(&self.validators).count(), MEMBERS_MAX)?;
        if self.limits.outbox_bytes_max < CONSENSUS_FRAME_BYTES_MAX
            || (self.limits.inbox_bytes_max as usize) < CONSENSUS_FRAME_BYTES_MAX
            || self.limits.outbox_frames_max == 0
            || self.limits.batches_max == 0
        {
            return Err(NetworkError::Setup {
                part: "limits",
                reason: format!("queues must hold at least one frame of {CONSENSUS_FRAME_BYTES_MAX} bytes"),
            });
        }

        let listen = self.listen.iter().map(|text| self.address(text)).collect::<Result<Vec<_>, _>>()?;
        let mut peers = BTreeMap::<PeerKey, Vec<Multiaddr>>::new();
        for text in &self.peers {
            let key = PeerKey::from_address(text)?;
            let address = self.address(text)?;
            if key == own {
                continue;
            }
            let addresses = peers.entry(key).or_default();
            addresses.push(address);
            at_most("addresses of one peer", addresses.len(), ADDRESSES_PER_PEER_MAX)?;
        }
        let dns = listen.iter().chain(peers.values().flatten()).any(has_name);
        Ok(Checked { listen, peers, dns })
    }

    fn address(&self, text: &str) -> Result<Multiaddr, NetworkError> {
        let refused = |reason| NetworkError::Address { address: text.to_owned(), reason };
        let address = Multiaddr::from_str(text).map_err(|_| refused("not a multiaddr"))?;
        match route(&address) {
            Some(Route::Tcp) => Ok(address),
            Some(Route::Quic) if self.quic => Ok(address),
            Some(Route::Quic) => Err(refused("QUIC is off")),
            None => Err(refused("only /ip4|ip6|dns…/tcp/PORT and /ip4|ip6|dns…/udp/PORT/quic-v1 are spoken")),
        }
    }
}

fn at_most(what: &'static str, count: usize, max: usize) -> Result<(), NetworkError> {
    if count > max { Err(NetworkError::TooMany { what, count, max }) } else { Ok(()) }
}

/// Which of our transports an address needs; `None` if it is for none of them (relays, WebSockets, Unix sockets).
pub(crate) fn route(address: &Multiaddr) -> Option<Route> {
    let mut parts = address.iter();
    let host = parts.next()?;
    if !is_name(&host) && !matches!(host, Protocol::Ip4(_) | Protocol::Ip6(_)) {
        return None;
    }
    let route = match (parts.next()?, parts.next()) {
        (Protocol::Tcp(_), None | Some(Protocol::P2p(_))) => Route::Tcp,
        (Protocol::Udp(_), Some(Protocol::QuicV1)) => match parts.next() {
            None | Some(Protocol::P2p(_)) => Route::Quic,
            Some(_) => return None,
        },
        _ => return None,
    };
    parts.next().is_none().then_some(route)
}

/// The socket that a TCP address stands for, if it needs no name resolution.
pub(crate) fn tcp_socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    match (parts.next()?, parts.next()?) {
        (Protocol::Ip4(host), Protocol::Tcp(port)) => Some((host, port).into()),
        (Protocol::Ip6(host), Protocol::Tcp(port)) => Some((host, port).into()),
        _ => None,
    }
}

fn has_name(address: &Multiaddr) -> bool {
    address.iter().next().is_some_and(|host| is_name(&host))
}

fn is_name(host: &Protocol<'_>) -> bool {
    matches!(host, Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::NetworkKey;

    #[test]
    fn addresses_are_taken_when_a_transport_is_there_for_them() {
        let cases = [
            ("/ip4/127.0.0.1/tcp/9000", Some(Route::Tcp)),
            ("/ip6/::1/tcp/9000", Some(Route::Tcp)),
            ("/dns/node.example/tcp/9000", Some(Route::Tcp)),
            ("/ip4/127.0.0.1/udp/9000/quic-v1", Some(Route::Quic)),
            ("/ip4/127.0.0.1/udp/9000", None),
            ("/ip4/127.0.0.1/tcp/9000/ws", None),
            ("/unix/tmp", None),
            ("/ip4/127.0.0.1", None),
        ];
        for (text, expected) in cases {
            let address = Multiaddr::from_str(text).expect("the cases are multiaddrs");
            assert_eq!(route(&address), expected, "{text}");
        }
    }

    #[test]
    fn a_shared_peer_list_may_name_the_node_itself() {
        let own = NetworkKey::from_seed([1; 32]).peer_key();
        let other = NetworkKey::from_seed([2; 32]).peer_key();
        let config = NetworkConfig {
            chain: [0; 32],
            listen: vec![],
            peers: [own, other].iter().map(|key| format!("/ip4/127.0.0.1/tcp/1/p2p/{}", key.peer_id())).collect(),
            members: BTreeSet::new(),
            validators: BTreeSet::new(),
            mdns: false,
            quic: false,
            limits: Limits::default(),
        };
        let checked = config.check(own).expect("the configuration is sound");
        assert_eq!(checked.peers.keys().collect::<Vec<_>>(), [&other]);
        assert!(!checked.dns, "no name, no resolver");
    }
}
