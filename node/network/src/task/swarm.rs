//! What the library tells us, and gossip.
//!
//! Every event is handled without waiting.

use std::time::Instant;

use libp2p::{
    PeerId,
    gossipsub::{self, MessageAcceptance, MessageId, PublishError},
    identify, mdns, ping,
    swarm::{ConnectionId, DialError, ListenError, SwarmEvent},
};

use super::Task;
use crate::{
    behaviour::BehaviourEvent,
    conduct::{Admitted, Offence},
    config::{Route, TRANSACTION_BATCH_BYTES_MAX, route},
    event::{BatchId, BatchVerdict, NetworkEvent},
    key::PeerKey,
};

/// Characters of a peer's agent that are kept.
const AGENT_CHARS_MAX: usize = 64;

impl Task {
    pub(super) fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.established(&peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => self.closed(&peer_id, connection_id),
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id: Some(peer), error } => {
                self.dial_failed(PeerKey::from_libp2p(&peer), connection_id, &error);
            }
            SwarmEvent::IncomingConnectionError { peer_id, send_back_addr, error, .. } => {
                if let ListenError::Denied { .. } = error {
                    self.shared.counters.connections_refused.add(1);
                }
                tracing::debug!(peer = ?peer_id, from = %send_back_addr, %error, "incoming connection refused");
            }
            SwarmEvent::NewListenAddr { address, .. } => self.listening(&address),
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                let gone = address.to_string();
                self.shared.addresses_mut().retain(|known| !known.starts_with(&format!("{gone}/")));
            }
            SwarmEvent::ListenerClosed { reason: Err(error), .. } => tracing::error!(%error, "no longer listening"),
            _ => {}
        }
    }

    fn dial_failed(&mut self, key: Option<PeerKey>, connection: ConnectionId, error: &DialError) {
        let Some(key) = key else { return };
        // Other parts of the library dial a peer that they believe connected; they know no address.
        if matches!(error, DialError::NoAddresses | DialError::DialPeerConditionFalse(_)) {
            return;
        }
        self.shared.counters.dials_failed.add(1);
        tracing::debug!(peer = %key, %error, "dial failed");
        self.dialer.dial_failed(key, connection, Instant::now());
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Ping(ping::Event { peer, connection, result }) => match result {
                Ok(rtt) => {
                    let mut connected = self.shared.connected_mut();
                    if let Some(peer) = PeerKey::from_libp2p(&peer).and_then(|key| connected.get_mut(&key)) {
                        peer.rtt = Some(rtt);
                    }
                }
                Err(ping::Failure::Unsupported) => {}
                Err(error) => {
                    tracing::debug!(%peer, %error, "peer does not answer: closing the connection");
                    self.swarm.close_connection(connection);
                }
            },
            BehaviourEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                self.identified(connection_id, PeerKey::from_libp2p(&peer_id), &info);
            }
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Sync(event) => self.on_sync(event),
            BehaviourEvent::Mdns(event) => self.on_mdns(event),
            BehaviourEvent::Identify(_) | BehaviourEvent::Direct(()) => {}
            BehaviourEvent::Members(never) => match never {},
            BehaviourEvent::Door(never) => match never {},
            BehaviourEvent::Limits(never) => match never {},
        }
    }

    fn identified(&mut self, connection: ConnectionId, key: Option<PeerKey>, info: &identify::Info) {
        if info.protocol_version != self.protocols.identify {
            tracing::debug!(peer = ?key, "peer of another chain: closing the connection");
            self.swarm.close_connection(connection);
            return;
        }
        // The text is a stranger's: nothing of it may move a cursor or fill a screen.
        let printable = |character: &char| character.is_ascii_graphic() || *character == ' ';
        let agent = info.agent_version.chars().filter(printable).take(AGENT_CHARS_MAX).collect();
        let mut connected = self.shared.connected_mut();
        if let Some(peer) = key.and_then(|key| connected.get_mut(&key)) {
            peer.agent = Some(agent);
        }
    }

    fn on_mdns(&mut self, event: mdns::Event) {
        let now = Instant::now();
        match event {
            mdns::Event::Discovered(seen) => {
                for (peer, address) in seen {
                    let Some(key) = PeerKey::from_libp2p(&peer) else { continue };
                    if key != self.shared.own
                        && self.members.members.contains(&key)
                        && route(&address) == Some(Route::Tcp)
                    {
                        self.dialer.learned(key, address, self.peers.contains_key(&key), now);
                    }
                }
            }
            mdns::Event::Expired(gone) => {
                for (peer, address) in gone {
                    if let Some(key) = PeerKey::from_libp2p(&peer) {
                        self.dialer.expired(key, &address);
                    }
                }
            }
        }
    }

    pub(super) fn publish(&mut self, batch: Vec<u8>) {
        let length = batch.len();
        let counters = &self.shared.counters;
        match self.swarm.behaviour_mut().gossip.publish(self.protocols.topic.hash(), batch) {
            Ok(_) => {
                counters.batches_published.add(1);
                counters.batches_published_bytes.add(length);
            }
            Err(PublishError::NoPeersSubscribedToTopic | PublishError::Duplicate) => counters.batches_unheard.add(1),
            Err(error) => {
                counters.gossip_slow_peer.add(1);
                tracing::debug!(%error, "batch not published");
            }
        }
    }

    pub(super) fn report(&mut self, id: &BatchId, verdict: BatchVerdict) {
        let acceptance = match verdict {
            BatchVerdict::Accept => MessageAcceptance::Accept,
            BatchVerdict::Reject => {
                self.shared.counters.batches_rejected.add(1);
                self.blame(id.from, Offence::RejectedBatch);
                MessageAcceptance::Reject
            }
            BatchVerdict::Ignore => {
                self.conduct.useless(id.from, id.length, Instant::now());
                MessageAcceptance::Ignore
            }
        };
        let message = MessageId::from(id.hash.to_vec());
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&message, &id.from.to_libp2p(), acceptance);
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let from = PeerKey::from_libp2p(&propagation_source);
                let hash = <[u8; 32]>::try_from(message_id.0.as_slice()).ok();
                if let (Some(from), Some(hash)) = (from, hash) {
                    let length = u32::try_from(message.data.len()).unwrap_or(u32::MAX);
                    self.received(BatchId { hash, from, length }, message.data);
                }
            }
            // There is one topic, and others are filtered out.
            gossipsub::Event::Subscribed { peer_id, .. } => self.set_listens(&peer_id, true),
            gossipsub::Event::Unsubscribed { peer_id, .. } => self.set_listens(&peer_id, false),
            gossipsub::Event::SlowPeer { .. } => self.shared.counters.gossip_slow_peer.add(1),
            _ => {}
        }
    }

    fn set_listens(&self, peer: &PeerId, listens: bool) {
        let mut connected = self.shared.connected_mut();
        if let Some(peer) = PeerKey::from_libp2p(peer).and_then(|key| connected.get_mut(&key)) {
            peer.listens = listens;
        }
    }

    fn received(&mut self, id: BatchId, bytes: Vec<u8>) {
        let (hash, from, length) = (id.hash, id.from, id.length);
        self.shared.counters.batches_received.add(1);
        self.shared.counters.batches_received_bytes.add(bytes.len());
        if bytes.is_empty() || bytes.len() > TRANSACTION_BATCH_BYTES_MAX {
            tracing::debug!(peer = %from, bytes = length, "batch of a forbidden length");
            self.report(&id, BatchVerdict::Reject);
            return;
        }
        let admitted = self.conduct.batch(from, length, Instant::now());
        let is_taken = admitted == Admitted::Yes
            && self.lanes.transactions.try_send(NetworkEvent::Transactions { from, bytes, id }).is_ok();
        if !is_taken {
            self.shared.counters.batches_dropped.add(1);
            let id = MessageId::from(hash.to_vec());
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            gossip.report_message_validation_result(&id, &from.to_libp2p(), MessageAcceptance::Ignore);
        }
        if admitted == Admitted::Excess {
            self.blame(from, Offence::Excess);
        }
    }
}
