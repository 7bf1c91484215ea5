//! Nodes to play with.

use std::{
    collections::{BTreeSet, VecDeque},
    future::Future,
    time::Duration,
};

use cairn_network::{
    Limits, Network, NetworkConfig, NetworkEvent, NetworkEvents, NetworkHandle, NetworkKey, NetworkTask, PeerKey,
};

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The chain that the nodes of a test are on.
pub(crate) const CHAIN: [u8; 32] = [0xca; 32];

/// The identity with this seed.
pub(crate) fn peer(seed: u8) -> PeerKey {
    key(seed).peer_key()
}

pub(crate) fn key(seed: u8) -> NetworkKey {
    NetworkKey::from_seed([seed; 32])
}

pub(crate) fn peers(seeds: impl IntoIterator<Item = u8>) -> BTreeSet<PeerKey> {
    seeds.into_iter().map(peer).collect()
}

/// All `validators` are members; the node listens on a port of the system's choice.
pub(crate) fn config(validators: impl IntoIterator<Item = u8>, dial: Vec<String>) -> NetworkConfig {
    NetworkConfig {
        chain: CHAIN,
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        peers: dial,
        members: BTreeSet::new(),
        validators: peers(validators),
        mdns: false,
        quic: false,
        limits: Limits::default(),
    }
}

/// A node, and what it was told that nobody asked for yet.
pub(crate) struct Node {
    pub(crate) handle: NetworkHandle,
    events: NetworkEvents,
    unread: VecDeque<NetworkEvent>,
    task: NetworkTask,
}

impl Node {
    pub(crate) async fn start(seed: u8, config: NetworkConfig) -> Self {
        Self::of(Network::spawn(config, key(seed)).await.expect("the test's configuration is sound"))
    }

    pub(crate) fn of(network: Network) -> Self {
        Self { handle: network.handle, events: network.events, unread: VecDeque::new(), task: network.task }
    }

    pub(crate) fn key(&self) -> PeerKey {
        self.handle.peer_key()
    }

    pub(crate) fn address(&self) -> String {
        self.handle.addresses().first().expect("every node of these tests listens").clone()
    }

    pub(crate) async fn stop(self) {
        self.task.stop().await.expect("no bug has ended the task");
    }

    /// The first event that `pick` takes; the others wait for later questions, in order.
    pub(crate) async fn wait_for<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(NetworkEvent) -> Result<T, NetworkEvent>,
    ) -> T {
        for index in 0..self.unread.len() {
            let event = self.unread.remove(index).expect("the index is below the length");
            match pick(event) {
                Ok(found) => return found,
                Err(event) => self.unread.insert(index, event),
            }
        }
        within(what, async {
            loop {
                let event = self.events.recv().await.expect("the network runs");
                match pick(event) {
                    Ok(found) => return found,
                    Err(event) => self.unread.push_back(event),
                }
            }
        })
        .await
    }

    pub(crate) async fn sees_connected(&mut self, expected: PeerKey) {
        self.wait_for("a connection", |event| match event {
            NetworkEvent::PeerConnected(key) if key == expected => Ok(()),
            other => Err(other),
        })
        .await;
    }

    pub(crate) async fn sees_disconnected(&mut self, expected: PeerKey) {
        self.wait_for("a disconnection", |event| match event {
            NetworkEvent::PeerDisconnected(key) if key == expected => Ok(()),
            other => Err(other),
        })
        .await;
    }

    /// Waits until this node knows that each of these listens to batches: what it publishes or forwards before does not
    /// reach them.
    pub(crate) async fn knows_listeners(&self, expected: impl IntoIterator<Item = PeerKey>) {
        let expected = expected.into_iter().collect::<BTreeSet<_>>();
        until("listeners", || {
            let listening = self.handle.peers().into_iter().filter(|peer| peer.listens).map(|peer| peer.key);
            listening.collect::<BTreeSet<_>>().is_superset(&expected)
        })
        .await;
    }

    /// The next frame from this peer.
    pub(crate) async fn frame_from(&mut self, sender: PeerKey) -> Vec<u8> {
        self.wait_for("a consensus frame", |event| match event {
            NetworkEvent::Consensus { from, bytes } if from == sender => Ok(bytes),
            other => Err(other),
        })
        .await
    }

    /// The next batch, from whomever.
    pub(crate) async fn batch(&mut self) -> (PeerKey, Vec<u8>, cairn_network::BatchId) {
        self.wait_for("a batch", |event| match event {
            NetworkEvent::Transactions { from, bytes, id } => Ok((from, bytes, id)),
            other => Err(other),
        })
        .await
    }

    /// Whether anything of this kind has been told that nobody asked for.
    pub(crate) fn has_unread(&self, matches: impl FnMut(&NetworkEvent) -> bool) -> bool {
        self.unread.iter().any(matches)
    }
}

/// `count` validators with the seeds 1, 2, …, each connected to each and heard by each.
pub(crate) async fn mesh(count: u8) -> Vec<Node> {
    let mut nodes = Vec::<Node>::new();
    for seed in 1..=count {
        let dial = nodes.iter().map(Node::address).collect();
        nodes.push(Node::start(seed, config(1..=count, dial)).await);
    }
    for node in &mut nodes {
        let own = node.key();
        for other in peers(1..=count).into_iter().filter(|key| *key != own) {
            node.sees_connected(other).await;
            node.knows_listeners([other]).await;
        }
    }
    nodes
}

/// The future's output, or a failure that says what did not happen.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not come within {PATIENCE:?}"))
}

/// Waits until a number that only a handle can tell satisfies `holds`.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    within(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A free port on loopback, as far as anybody can know.
pub(crate) fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    socket.local_addr().expect("a bound socket has an address").port()
}
