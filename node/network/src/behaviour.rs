//! How the swarm is put together: transports, protocols and who is let in. No logic of its own.
//!
//! The chain's hash is part of every protocol's name and of the Noise handshake's prologue, so a peer of another chain does not
//! get as far as a connection. (QUIC has no prologue; there the names, and the identification, keep the chains apart.)

use std::{io, time::Duration};

use libp2p::{
    PeerId, StreamProtocol, Swarm, Transport,
    allow_block_list::{self, AllowedPeers},
    connection_limits::{self, ConnectionLimits},
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, OrTransport, timeout::TransportTimeout},
        upgrade::Version,
    },
    dns,
    futures::future::Either,
    gossipsub::IdentTopic,
    identify,
    identity::Keypair,
    mdns, noise, ping, quic,
    swarm::{self, NetworkBehaviour, behaviour::toggle::Toggle},
    tcp,
};

use crate::{
    config::{DIAL_TIMEOUT, NetworkConfig},
    door,
    error::NetworkError,
    gossip,
    multiplexer::Yamux,
    muxer::Closable,
    sync,
};

/// Connections to one peer that the library lets stand. Two are kept (both sides may dial at once); the others are room for
/// the newest to displace the oldest.
const CONNECTIONS_PER_PEER_MAX: u32 = 4;
/// How long a connection without any stream stands: for ever, for all practical purposes; membership ends it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How often a peer is asked whether it is there. The library forgives the first silence, so a dead line is found, and
/// dialled anew, after 25 s at most; by itself TCP would take a quarter of an hour.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// How long it has to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a peer's identification is asked again. It never changes while it runs.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// What we say that we are.
const AGENT: &str = concat!("cairn/", env!("CARGO_PKG_VERSION"));

/// All protocols. Those that refuse come first: the later ones never hear of a connection that is refused.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub(crate) struct Behaviour {
    pub(crate) members: allow_block_list::Behaviour<AllowedPeers>,
    door: door::Behaviour,
    limits: connection_limits::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
    pub(crate) gossip: gossip::Behaviour,
    pub(crate) sync: sync::Behaviour,
    pub(crate) direct: libp2p_stream::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

/// The chain's protocol names.
pub(crate) struct Protocols {
    pub(crate) consensus: StreamProtocol,
    pub(crate) sync: StreamProtocol,
    pub(crate) identify: String,
    pub(crate) topic: IdentTopic,
}

impl Protocols {
    pub(crate) fn of_chain(chain: &[u8; 32]) -> Self {
        let mut name = String::new();
        for byte in chain.iter().take(8) {
            name.push_str(&format!("{byte:02x}"));
        }
        let protocol = |kind: &str| {
            StreamProtocol::try_from_owned(format!("/cairn/{name}/{kind}/1")).expect("the name starts with a slash")
        };
        Self {
            consensus: protocol("consensus"),
            sync: protocol("sync"),
            identify: format!("/cairn/{name}/1"),
            topic: IdentTopic::new(format!("/cairn/{name}/transactions/1")),
        }
    }
}

/// A swarm that does not listen yet.
pub(crate) fn swarm(
    config: &NetworkConfig,
    keypair: &Keypair,
    protocols: &Protocols,
    dns: bool,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let own = keypair.public().to_peer_id();
    let limits = ConnectionLimits::default()
        .with_max_established(Some(config.limits.connections_max))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let identify = identify::Config::new(protocols.identify.clone(), keypair.public())
        .with_agent_version(AGENT.to_owned())
        .with_interval(IDENTIFY_INTERVAL)
        .with_push_listen_addr_updates(false)
        .with_cache_size(0);
    let mdns = if config.mdns {
        let started = mdns::tokio::Behaviour::new(mdns::Config::default(), own);
        Some(started.map_err(|error| failed("mDNS", &error))?)
    } else {
        None
    };
    let behaviour = Behaviour {
        members: allow_block_list::Behaviour::default(),
        door: door::Behaviour::default(),
        limits: connection_limits::Behaviour::new(limits),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT)),
        identify: identify::Behaviour::new(identify),
        gossip: gossip::behaviour(&protocols.topic)?,
        sync: sync::behaviour(protocols.sync.clone(), config.limits.request_timeout),
        direct: libp2p_stream::Behaviour::new(),
        mdns: mdns.into(),
    };
    let transport = transport(config, keypair, dns)?;
    let swarm = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    Ok(Swarm::new(transport, behaviour, own, swarm))
}

/// TCP with Noise and Yamux, QUIC if it is on, and name resolution only if some address has a name.
fn transport(
    config: &NetworkConfig,
    keypair: &Keypair,
    dns: bool,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, NetworkError> {
    let noise = noise::Config::new(keypair).map_err(|error| failed("Noise", &error))?;
    let noise = noise.with_prologue([b"cairn noise v1".as_slice(), &config.chain].concat());

    // Without TCP_NODELAY, a vote would wait for the acknowledgement of the one before it.
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let secure = tcp.upgrade(Version::V1Lazy).authenticate(noise).multiplex(Yamux).timeout(DIAL_TIMEOUT);
    let mut transport = secure.boxed();
    if config.quic {
        let quic = quic::tokio::Transport::new(quic::Config::new(keypair));
        let quic = quic.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
        let both = OrTransport::new(quic, transport);
        transport = both
            .map(|output, _| match output {
                Either::Left(it) | Either::Right(it) => it,
            })
            .boxed();
    }
    if dns {
        transport =
            dns::tokio::Transport::system(transport).map_err(|error| failed("name resolution", &error))?.boxed();
    }
    let transport = TransportTimeout::new(transport, DIAL_TIMEOUT).map_err(io::Error::other);
    Ok(transport.map(|(peer, streams), _| (peer, Closable::boxed(streams))).boxed())
}

fn failed(part: &'static str, error: &dyn std::error::Error) -> NetworkError {
    NetworkError::Setup { part, reason: error.to_string() }
}
