//! Consensus frames: whole, in order, from validators only, and bounded.

use cairn_network::{CONSENSUS_FRAME_BYTES_MAX, SendError};

use crate::harness::{Node, config, free_port, mesh, peer, peers, until};

/// A frame that names its sender and its place, of a length that varies from 5 bytes to beyond every buffer.
fn frame(sender: u8, place: u32) -> Vec<u8> {
    let length = 5 + (place as usize * 7_919) % 70_000;
    let mut bytes = vec![sender; length];
    bytes[..4].copy_from_slice(&place.to_be_bytes());
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_hear_each_other_in_order() {
    const FRAMES: u32 = 200;
    let mut nodes = mesh(4).await;
    for place in 0..FRAMES {
        for (index, node) in nodes.iter().enumerate() {
            let sender = index as u8 + 1;
            assert_eq!(node.handle.broadcast_consensus(frame(sender, place)), Ok(3));
        }
    }
    for (index, node) in nodes.iter_mut().enumerate() {
        for sender in (1..=4).filter(|seed| *seed as usize != index + 1) {
            for place in 0..FRAMES {
                let heard = node.frame_from(peer(sender)).await;
                assert!(heard == frame(sender, place), "node {} expects frame {place} of {sender}", index + 1);
            }
        }
        assert_eq!(node.handle.metrics().consensus_frames_dropped, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_frame_arrives_and_a_longer_one_is_not_taken() {
    let mut nodes = mesh(2).await;
    let too_long = vec![1; CONSENSUS_FRAME_BYTES_MAX + 1];
    let refused = SendError::Size { bytes: too_long.len(), max: CONSENSUS_FRAME_BYTES_MAX };
    assert_eq!(nodes[0].handle.send_consensus(peer(2), too_long), Err(refused));
    assert!(nodes[0].handle.send_consensus(peer(2), vec![]).is_err(), "an empty frame says nothing");

    let longest = vec![7; CONSENSUS_FRAME_BYTES_MAX];
    assert_eq!(nodes[0].handle.send_consensus(peer(2), longest.clone()), Ok(()));
    assert!(nodes[1].frame_from(peer(1)).await == longest);
    assert_eq!(nodes[0].handle.send_consensus(peer(9), vec![1]), Err(SendError::NotConnected { peer: peer(9) }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_hears_but_does_not_speak() {
    let mut validator = Node::start(1, {
        let mut it = config([1], vec![]);
        it.members = peers([2]);
        it
    })
    .await;
    let mut observer = Node::start(2, {
        let mut it = config([1], vec![validator.address()]);
        it.members = peers([2]);
        it
    })
    .await;
    validator.sees_connected(peer(2)).await;
    observer.sees_connected(peer(1)).await;

    assert_eq!(observer.handle.broadcast_consensus(vec![1]), Err(SendError::NotValidator));
    assert_eq!(validator.handle.broadcast_consensus(vec![1]), Ok(0), "a broadcast goes to validators");
    assert_eq!(validator.handle.send_consensus(peer(2), vec![2]), Ok(()));
    assert_eq!(observer.frame_from(peer(1)).await, [2]);
    let seen = &validator.handle.peers()[0];
    assert_eq!((seen.key, seen.validator), (peer(2), false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_calls_itself_a_validator_is_not_heard() {
    let mut honest = Node::start(1, {
        let mut it = config([1], vec![]);
        it.members = peers([2]);
        it
    })
    .await;
    let mut pretender = Node::start(2, config([1, 2], vec![honest.address()])).await;
    honest.sees_connected(peer(2)).await;
    pretender.sees_connected(peer(1)).await;
    assert_eq!(pretender.handle.send_consensus(peer(1), vec![6; 6]), Ok(()), "its own node believes it");

    // An answer to a request shows that the line works, and that the frame had its time.
    let asked = tokio::spawn({
        let handle = pretender.handle.clone();
        async move { handle.request(peer(1), vec![]).await }
    });
    honest
        .wait_for("the request", |event| match event {
            cairn_network::NetworkEvent::Request { reply, .. } => Ok(reply.send(vec![])),
            other => Err(other),
        })
        .await
        .expect("the pretender waits");
    assert_eq!(asked.await.expect("no panic"), Ok(vec![]));
    assert!(!honest.has_unread(|event| matches!(event, cairn_network::NetworkEvent::Consensus { .. })));
    assert_eq!(honest.handle.metrics().consensus_frames_received, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_consumer_costs_its_sender_the_oldest_frames_and_no_memory() {
    const FRAMES: u32 = 400;
    const LENGTH: usize = 256 * 1024;
    let bounded = |dial| {
        let mut config = config([1, 2], dial);
        config.limits.outbox_bytes_max = 4 * 1024 * 1024;
        config.limits.inbox_bytes_max = 2 * 1024 * 1024;
        config
    };
    let mut slow = Node::start(1, bounded(vec![])).await;
    let mut fast = Node::start(2, bounded(vec![slow.address()])).await;
    fast.sees_connected(peer(1)).await;

    // 100 MiB for one who does not read: 2 MiB wait there, 4 MiB wait here, some are inside the stream.
    for place in 0..FRAMES {
        let mut bytes = vec![0; LENGTH];
        bytes[..4].copy_from_slice(&place.to_be_bytes());
        assert_eq!(fast.handle.send_consensus(peer(1), bytes), Ok(()));
        assert!(fast.handle.consensus_frames_waiting() <= 16);
        if place % 8 == 0 {
            tokio::task::yield_now().await;
        }
    }
    until("the outbox to come to rest", || fast.handle.metrics().consensus_frames_dropped > 0).await;

    let mut places = Vec::new();
    while places.last() != Some(&(FRAMES - 1)) {
        let bytes = slow.frame_from(peer(2)).await;
        places.push(u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")));
    }
    assert!(places.is_sorted(), "what arrives is in order");
    let dropped = fast.handle.metrics().consensus_frames_dropped;
    assert_eq!(places.len() as u64 + dropped, u64::from(FRAMES), "every frame arrived or was counted");
    assert!(places.len() < 200, "{} frames of 256 KiB were held for one who did not read", places.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_dial_each_other_at_once_stay_connected() {
    let ports = [free_port(), free_port()];
    let address = |index: usize| format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", ports[index], peer(index as u8 + 1).peer_id());
    let node = |seed: u8| {
        let mut config = config([1, 2], vec![address(0), address(1)]);
        config.listen = vec![format!("/ip4/127.0.0.1/tcp/{}", ports[usize::from(seed) - 1])];
        Node::start(seed, config)
    };
    let (mut first, mut second) = tokio::join!(node(1), node(2));
    first.sees_connected(peer(2)).await;
    second.sees_connected(peer(1)).await;
    for place in 0..500u32 {
        let ping = place.to_be_bytes().to_vec();
        assert_eq!(first.handle.send_consensus(peer(2), ping.clone()), Ok(()));
        assert_eq!(second.frame_from(peer(1)).await, ping);
        assert_eq!(second.handle.send_consensus(peer(1), ping.clone()), Ok(()));
        assert_eq!(first.frame_from(peer(2)).await, ping);
    }
    for node in [&first, &second] {
        assert!(!node.has_unread(|event| matches!(event, cairn_network::NetworkEvent::PeerDisconnected(_))));
        let established = node.handle.metrics().connections_established;
        assert!((1..=2).contains(&established), "{established} connections");
    }
}
