//! Who is connected: connections, dials, membership, and the consensus streams of each peer.
//!
//! Two connections to one peer are normal: both sides dialled at once. A later one means that the peer has lost the ones
//! that we still believe in (it was restarted, and its line told us nothing): all are closed and made anew, because gossip
//! says hello only on the first connection.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    PeerId, Stream,
    core::ConnectedPoint,
    swarm::{
        ConnectionId, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{sync::Semaphore, task::AbortHandle};

use super::Task;
use crate::{
    conduct::{Offence, Pace},
    config::DIAL_TIMEOUT,
    direct::{Outbox, Reader, Writer},
    event::NetworkEvent,
    handle::{Connected, Membership},
    key::PeerKey,
};

/// A second connection that stands this long after the first was not dialled at the same time.
const TOGETHER: Duration = Duration::from_secs(DIAL_TIMEOUT.as_secs() + 1);
/// How long connections have to close when the network stops.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connected peer.
pub(super) struct Peer {
    connections: Vec<Connection>,
    since: Instant,
    outbox: Arc<Outbox>,
    writer: AbortHandle,
    reader: Option<AbortHandle>,
    /// Requests to it that are under way.
    pub(super) asking: usize,
}

struct Connection {
    id: ConnectionId,
    since: Instant,
}

impl Task {
    /// Dials whoever is due.
    pub(super) fn dial(&mut self) {
        let now = Instant::now();
        for (key, addresses) in self.dialer.due(now) {
            if self.peers.contains_key(&key) {
                self.dialer.connected(key);
                continue;
            }
            if !self.members.members.contains(&key) || self.conduct.is_cut(&key) {
                self.dialer.failed(key, now);
                continue;
            }
            // A new port for each dial: two peers that dial each other from their listening ports at once would make one TCP
            // connection, in which both believe to be the one who dialled.
            let dial = DialOpts::peer_id(key.to_libp2p())
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses)
                .allocate_new_port()
                .build();
            let connection = dial.connection_id();
            match self.swarm.dial(dial) {
                Ok(()) => self.dialer.dialling(key, connection),
                Err(error) => {
                    tracing::debug!(peer = %key, %error, "not dialled");
                    self.dialer.failed(key, now);
                }
            }
        }
    }

    /// A connection stands.
    pub(super) fn established(&mut self, peer_id: &PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let Some(key) = PeerKey::from_libp2p(peer_id) else {
            // Members are Ed25519 keys, and only members get here.
            self.swarm.close_connection(id);
            return;
        };
        self.shared.counters.connections_established.add(1);
        self.blame(key, Offence::Connection);
        if self.conduct.is_cut(&key) {
            self.swarm.close_connection(id);
            return;
        }
        let now = Instant::now();
        let connection = Connection { id, since: now };
        if let Some(peer) = self.peers.get_mut(&key) {
            let late = peer.connections.iter().any(|older| now.duration_since(older.since) > TOGETHER);
            peer.connections.push(connection);
            if late {
                tracing::debug!(peer = %key, "peer has lost our connection: making a new one");
                // An error means that it is not connected any more, which is what we want.
                let _ = self.swarm.disconnect_peer_id(*peer_id);
            } else if peer.connections.len() > 2
                && let Some(oldest) = peer.connections.first()
            {
                self.swarm.close_connection(oldest.id);
            }
            return;
        }

        self.dialer.connected(key);
        let outbox = Arc::new(Outbox::new(self.limits.outbox_frames_max, self.limits.outbox_bytes_max));
        let writer = Writer {
            peer: *peer_id,
            protocol: self.protocols.consensus.clone(),
            control: self.control.clone(),
            outbox: Arc::clone(&outbox),
            shared: Arc::clone(&self.shared),
        };
        let writer = self.children.spawn(writer.run());
        let address = endpoint.get_remote_address().to_string();
        tracing::info!(peer = %key, %address, dialled = endpoint.is_dialer(), "peer connected");
        let connected = Connected {
            outbox: Arc::clone(&outbox),
            address,
            validator: self.members.validators.contains(&key),
            since: now,
            rtt: None,
            agent: None,
            listens: false,
        };
        self.shared.connected_mut().insert(key, connected);
        let peer = Peer { connections: vec![connection], since: now, outbox, writer, reader: None, asking: 0 };
        self.peers.insert(key, peer);
        self.untold.insert(key);
        self.tell();
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, peer_id: &PeerId, id: ConnectionId) {
        let Some(key) = PeerKey::from_libp2p(peer_id) else { return };
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.connections.retain(|connection| connection.id != id);
        if !peer.connections.is_empty() {
            return;
        }
        let Some(peer) = self.peers.remove(&key) else { return };
        peer.writer.abort();
        if let Some(reader) = peer.reader {
            reader.abort();
        }
        self.shared.connected_mut().remove(&key);
        self.shared.counters.consensus_frames_dropped.add(peer.outbox.len());
        let lived = peer.since.elapsed();
        tracing::info!(peer = %key, lived_ms = lived.as_millis(), "peer disconnected");
        self.dialer.disconnected(key, Instant::now(), lived);
        self.untold.insert(key);
        self.tell();
    }

    /// Tells the consumer who came and went, as far as there is room.
    pub(super) fn tell(&mut self) {
        while let Some(key) = self.untold.pop_first() {
            let here = self.peers.contains_key(&key);
            let event = match (self.told.contains(&key), here) {
                // It came and went before we could tell: nothing happened.
                (false, false) => continue,
                (false, true) => NetworkEvent::PeerConnected(key),
                (true, _) => NetworkEvent::PeerDisconnected(key),
            };
            let Ok(room) = self.lanes.lifecycle.try_reserve() else {
                self.untold.insert(key);
                return;
            };
            room.send(event);
            if !self.told.remove(&key) {
                self.told.insert(key);
            } else if here {
                // It went and came again before we could tell: the second half follows.
                self.untold.insert(key);
            }
        }
    }

    /// A peer opened a consensus stream towards us. It replaces the one before it, which the peer has given up.
    pub(super) fn incoming(&mut self, peer_id: &PeerId, stream: Stream) {
        let Some(key) = PeerKey::from_libp2p(peer_id) else { return };
        if !self.members.validators.contains(&key) {
            tracing::debug!(peer = %key, "consensus stream of one who is not a validator: refused");
            return;
        }
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let inbox = self.limits.inbox_bytes_max as usize;
        let budget = self.budgets.entry(key).or_insert_with(|| Arc::new(Semaphore::new(inbox)));
        let pace = self.paces.entry(key).or_insert_with(|| Arc::new(Mutex::new(Pace::new(Instant::now()))));
        let reader = Reader {
            from: key,
            stream,
            budget: Arc::clone(budget),
            lane: self.lanes.consensus.clone(),
            shared: Arc::clone(&self.shared),
            pace: Arc::clone(pace),
            commands: self.commands.clone(),
        };
        if let Some(former) = peer.reader.replace(self.children.spawn(reader.run())) {
            former.abort();
        }
    }

    /// A new membership: those who are no longer in it lose their connections, those who are no longer validators their voice.
    pub(super) fn set_members(&mut self, members: Membership) {
        let gate = &mut self.swarm.behaviour_mut().members;
        for key in self.members.members.difference(&members.members) {
            gate.disallow_peer(key.to_libp2p());
        }
        for key in members.members.difference(&self.members.members) {
            if !self.conduct.is_cut(key) {
                gate.allow_peer(key.to_libp2p());
            }
            self.dialer.admitted(*key, Instant::now());
        }
        self.conduct.retain(|key| members.members.contains(key));
        self.budgets.retain(|key, _| members.validators.contains(key));
        self.paces.retain(|key, _| members.validators.contains(key));
        for (key, peer) in &mut self.peers {
            if !members.validators.contains(key)
                && let Some(reader) = peer.reader.take()
            {
                reader.abort();
            }
        }
        for (key, connected) in self.shared.connected_mut().iter_mut() {
            connected.validator = members.validators.contains(key);
        }
        let own = members.validators.contains(&self.shared.own);
        self.shared.own_validator.store(own, Ordering::Relaxed);
        self.members = members;
    }

    /// Counts an offence, and cuts the peer off if it was one too many.
    pub(super) fn blame(&mut self, peer: PeerKey, offence: Offence) {
        if !self.members.members.contains(&peer) {
            return;
        }
        if offence != Offence::Connection {
            self.shared.counters.offences.add(1);
        }
        let is_validator = self.members.validators.contains(&peer);
        let Some(length) = self.conduct.blame(peer, offence, is_validator, Instant::now()) else { return };
        self.shared.counters.peers_cut_off.add(1);
        tracing::warn!(peer = %peer.peer_id(), ?offence, seconds = length.as_secs(), "peer cut off for a while");
        self.swarm.behaviour_mut().members.disallow_peer(peer.to_libp2p());
    }

    /// Lets in again whose time is over.
    pub(super) fn pardon(&mut self) {
        let now = Instant::now();
        for key in self.conduct.pardoned(now) {
            if self.members.members.contains(&key) {
                self.swarm.behaviour_mut().members.allow_peer(key.to_libp2p());
                self.dialer.admitted(key, now);
                tracing::info!(peer = %key.peer_id(), "peer may come back");
            }
        }
    }

    /// Ends every connection, so that peers learn at once that we are gone.
    pub(super) async fn close(mut self) {
        self.children.shutdown().await;
        for key in self.peers.keys() {
            // An error means that it is not connected any more, which is what we want.
            let _ = self.swarm.disconnect_peer_id(key.to_libp2p());
        }
        let closing = async {
            while !self.peers.is_empty() {
                if let SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } =
                    self.swarm.select_next_some().await
                    && let Some(key) = PeerKey::from_libp2p(&peer_id)
                {
                    self.peers.remove(&key);
                }
            }
        };
        // A peer that does not close in time finds out by itself.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
        self.shared.connected_mut().clear();
    }
}
