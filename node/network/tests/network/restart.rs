//! A peer that comes back: with the same identity, at the same place, after a stop or a crash.

use std::time::{Duration, Instant};

use cairn_network::{BatchVerdict, Network, NetworkConfig, PeerStatus};

use crate::harness::{Node, config, free_port, key, mesh, peer, peers, until};

/// Reachable again after a restart, with all that the network carries. Some 20 ms on a quiet machine.
const BACK_WITHIN: Duration = Duration::from_secs(5);

fn at(port: u16, dial: Vec<String>) -> NetworkConfig {
    let mut config = config(1..=4, dial);
    config.listen = vec![format!("/ip4/127.0.0.1/tcp/{port}")];
    config
}

/// Frames flow both ways, and gossip reaches the others from it and it from the others.
async fn all_flows(nodes: &mut [Node], back: &mut Node, round: u8) {
    let returned = back.key();
    for node in nodes.iter_mut() {
        assert_eq!(node.handle.send_consensus(returned, vec![round]), Ok(()));
        assert_eq!(back.frame_from(node.key()).await, [round]);
        assert_eq!(back.handle.send_consensus(node.key(), vec![round]), Ok(()));
        assert_eq!(node.frame_from(returned).await, [round]);
    }
    let others = nodes.iter().map(Node::key).collect::<Vec<_>>();
    back.knows_listeners(others).await;
    let heard = |nodes: &[Node]| nodes.iter().map(|node| node.handle.metrics().batches_received).collect::<Vec<_>>();
    let before = heard(nodes);
    back.handle.publish_transactions([b"from it", [round].as_slice()].concat()).expect("taken");
    until("its gossip to reach all", || heard(nodes).iter().zip(&before).all(|(now, before)| now > before)).await;
    nodes[0].knows_listeners([returned]).await;
    let before = back.handle.metrics().batches_received;
    nodes[0].handle.publish_transactions([b"to it", [round].as_slice()].concat()).expect("taken");
    until("gossip to reach it", || back.handle.metrics().batches_received > before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_stops_and_starts_again_is_back_at_once() {
    let mut nodes = mesh(3).await;
    for node in &nodes {
        node.handle.set_members(peers([]), peers(1..=4));
    }
    let port = free_port();
    for round in 0..3u8 {
        let dial = nodes.iter().map(Node::address).collect();
        let start = Instant::now();
        let mut back = Node::start(4, at(port, dial)).await;
        for node in &mut nodes {
            node.sees_connected(peer(4)).await;
            back.sees_connected(node.key()).await;
        }
        let connected = start.elapsed();
        all_flows(&mut nodes, &mut back, round).await;
        println!("start {round}: connected after {connected:?}, all flows after {:?}", start.elapsed());
        assert!(start.elapsed() < BACK_WITHIN, "took {:?}", start.elapsed());
        back.stop().await;
        for node in &mut nodes {
            node.sees_disconnected(peer(4)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_crashes_is_dialled_by_the_others_until_it_is_back() {
    let port = free_port();
    let crashing = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{}", peer(4).peer_id());
    let mut nodes = Vec::<Node>::new();
    for seed in 1..=3 {
        let mut dial = nodes.iter().map(Node::address).collect::<Vec<_>>();
        dial.push(crashing.clone());
        nodes.push(Node::start(seed, config(1..=4, dial)).await);
    }
    for round in 0..3u8 {
        // Its own runtime, so that it can end in the middle of everything. It dials nobody: the others must find it.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let start = Instant::now();
        let network =
            runtime.spawn(Network::spawn(at(port, vec![]), key(4))).await.expect("no panic").expect("it starts");
        let mut back = Node::of(network);
        for node in &mut nodes {
            node.sees_connected(peer(4)).await;
            back.sees_connected(node.key()).await;
        }
        let connected = start.elapsed();
        all_flows(&mut nodes, &mut back, round).await;
        println!("start {round}: connected after {connected:?}, all flows after {:?}", start.elapsed());
        runtime.shutdown_background();
        for node in &mut nodes {
            node.sees_disconnected(peer(4)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gossip_passes_through_a_peer_that_was_restarted() {
    // In a line: 1 and 3 know only 2, which is restarted. What 1 says must reach 3 through it.
    let port = free_port();
    let middle_address = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{}", peer(2).peer_id());
    let mut left = Node::start(1, config(1..=4, vec![middle_address.clone()])).await;
    let mut right = Node::start(3, config(1..=4, vec![middle_address])).await;
    for round in 0..3u8 {
        let start = Instant::now();
        let mut middle = Node::start(2, at(port, vec![])).await;
        left.sees_connected(peer(2)).await;
        right.sees_connected(peer(2)).await;
        let mut attempt = 0u32;
        let before = right.handle.metrics().batches_received;
        while right.handle.metrics().batches_received == before {
            attempt += 1;
            let published = left.handle.metrics().batches_published;
            until("a listener", || {
                let batch = [[round].as_slice(), &attempt.to_be_bytes()].concat();
                left.handle.publish_transactions(batch).expect("taken");
                left.handle.metrics().batches_published > published
            })
            .await;
            let (_, _, id) = middle.batch().await;
            middle.handle.report(id, BatchVerdict::Accept);
        }
        println!("restart {round}: forwarded after {:?} and {attempt} batches", start.elapsed());
        middle.stop().await;
        left.sees_disconnected(peer(2)).await;
        right.sees_disconnected(peer(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_whose_line_died_without_a_word_is_taken_back_when_it_returns() {
    // 1 reaches 4 through a line that can be cut so that neither end hears of it, as when a cable is pulled.
    let port = free_port();
    let mut line = Line::to(port);
    let mut here = Node::start(1, config(1..=4, vec![format!("{}/p2p/{}", line.address, peer(4).peer_id())])).await;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let network = runtime.spawn(Network::spawn(at(port, vec![]), key(4))).await.expect("no panic").expect("it starts");
    let mut there = Node::of(network);
    here.sees_connected(peer(4)).await;
    all_flows(std::slice::from_mut(&mut here), &mut there, 0).await;

    // The line fills with what nobody reads, so that not even a goodbye has room in it.
    line.cut().await;
    runtime.shutdown_background();
    for _ in 0..64 {
        assert_eq!(here.handle.send_consensus(peer(4), vec![0; 1024 * 1024]), Ok(()));
    }
    // Old enough that the connection which comes cannot have been dialled at the same time as this one.
    until("the connection to grow old", || here.handle.peers()[0].connected > Duration::from_secs(7)).await;

    let start = Instant::now();
    let mut back = Node::start(4, at(port, vec![here.address()])).await;
    here.sees_disconnected(peer(4)).await;
    here.sees_connected(peer(4)).await;
    // It may take more than one connection until the old one is buried.
    until("a connection that lasts", || {
        let (ours, theirs) = (here.handle.peers(), back.handle.peers());
        let lasts = |peers: &[PeerStatus]| peers.iter().any(|peer| peer.connected > Duration::from_secs(1));
        lasts(&ours) && lasts(&theirs)
    })
    .await;
    all_flows(std::slice::from_mut(&mut here), &mut back, 1).await;
    println!("back after {:?}, the second in which the connection had to last included", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10), "without burying, it takes 25 s or 15 min");
}

/// A TCP line that can go dead without being closed.
struct Line {
    address: String,
    alive: tokio::sync::watch::Sender<bool>,
    /// How many connections have stopped carrying anything.
    dead: tokio::sync::watch::Receiver<usize>,
}

impl Line {
    fn to(port: u16) -> Self {
        // A short buffer, so that the cut line is soon full.
        let entry = tokio::net::TcpSocket::new_v4().expect("a socket");
        entry.set_recv_buffer_size(4_096).expect("Linux takes any size");
        entry.bind(([127, 0, 0, 1], 0).into()).expect("loopback has free ports");
        let entry = entry.listen(8).expect("it is bound");
        let address = format!("/ip4/127.0.0.1/tcp/{}", entry.local_addr().expect("it is bound").port());
        let (alive, watch) = tokio::sync::watch::channel(true);
        let (died, dead) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = entry.accept().await {
                let (mut watch, died) = (watch.clone(), died.clone());
                tokio::spawn(async move {
                    if *watch.borrow()
                        && let Ok(mut far) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await
                    {
                        tokio::select! {
                            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                            _ = watch.changed() => {}
                        }
                        died.send_modify(|number| *number += 1);
                        // Both sockets stay open, and nobody reads or writes them, until the test ends.
                        std::future::pending::<()>().await;
                    } else if !*watch.borrow() {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, alive, dead }
    }

    /// Cuts the line, and waits until nothing passes any more: what ends behind it from then on is not heard of.
    async fn cut(&mut self) {
        self.alive.send_replace(false);
        self.dead.wait_for(|number| *number > 0).await.expect("the line lives as long as the test");
    }
}
