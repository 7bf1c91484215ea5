//! A peer that lies about snapshots: it has a node's network key, asks an honest node whatever it is asked, and flips a
//! bit of every part of a snapshot on the way back. All else it passes on as it is.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cairn_network::{Limits, Network, NetworkConfig, NetworkEvent, NetworkKey, NetworkTask, PeerKey};
use cairn_tests::Node;
use cairn_types::ChainId;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;

/// First bytes of the answers that are altered: headers, and a piece of the state.
const ALTERED: [u8; 2] = [4, 5];

/// See the module.
pub(super) struct Liar {
    lies: Arc<AtomicUsize>,
    task: NetworkTask,
}

impl Liar {
    /// Takes the place of a node that does not run, among these, of whom `honest` runs.
    pub(super) async fn in_place_of(node: &Node, honest: PeerKey, nodes: &[Node], chain: ChainId) -> Self {
        let pem = fs::read_to_string(node.directory.join("peer.pem")).expect("its key is there");
        let key = SigningKey::from_pkcs8_pem(&pem).expect("its key file is one");
        let members: BTreeSet<PeerKey> = nodes.iter().map(|node| super::address(node).1).collect();
        let config = NetworkConfig {
            chain: *chain.as_bytes(),
            listen: vec![super::address(node).0],
            peers: super::addresses(nodes.iter().filter(|other| super::address(other).1 == honest)),
            members,
            validators: BTreeSet::new(),
            mdns: false,
            quic: false,
            limits: Limits::default(),
        };
        let network = Network::spawn(config, NetworkKey::from_seed(key.to_bytes())).await.expect("its port is free");
        let Network { handle, mut events, task } = network;
        let lies = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&lies);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let NetworkEvent::Request { bytes, reply, .. } = event else { continue };
                let (handle, told) = (handle.clone(), Arc::clone(&told));
                tokio::spawn(async move {
                    // Without an answer of the honest node the reply is dropped, which refuses.
                    let Ok(mut answer) = handle.request(honest, bytes).await else { return };
                    let middle = answer.len() / 2;
                    if let (Some(kind), true) = (answer.first(), answer.len() > 100)
                        && ALTERED.contains(kind)
                    {
                        answer[middle] ^= 4;
                        told.fetch_add(1, Ordering::Relaxed);
                    }
                    // Whoever asked may have gone.
                    let _ = reply.send(answer);
                });
            }
        });
        Self { lies, task }
    }

    /// Leaves; how often it lied.
    pub(super) async fn leave(self) -> usize {
        self.task.stop().await.expect("its network ends in order");
        self.lies.load(Ordering::Relaxed)
    }
}
