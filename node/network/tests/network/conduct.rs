//! Members that do what no honest node does: they are cut off, for a while, and nobody else is.

use std::time::Duration;

use cairn_network::{BatchVerdict, NetworkConfig, NetworkEvent, Offence, RequestError};

use crate::harness::{Node, config, peer, peers, until};

/// Long enough to be seen, short enough to wait for.
const CUT: Duration = Duration::from_millis(500);

fn strict(dial: Vec<String>) -> NetworkConfig {
    let mut config = config([1, 2], dial);
    config.members = peers([3]);
    config.limits.cut_first = CUT;
    config
}

/// 1 and 2 validate, 3 follows; all know each other, and that all listen.
async fn three() -> [Node; 3] {
    let mut first = Node::start(1, strict(vec![])).await;
    let mut second = Node::start(2, strict(vec![first.address()])).await;
    let mut third = Node::start(3, strict(vec![first.address(), second.address()])).await;
    for seed in [2, 3] {
        first.sees_connected(peer(seed)).await;
    }
    for seed in [1, 3] {
        second.sees_connected(peer(seed)).await;
    }
    for seed in [1, 2] {
        third.sees_connected(peer(seed)).await;
    }
    first.knows_listeners(peers([2, 3])).await;
    second.knows_listeners(peers([1, 3])).await;
    third.knows_listeners(peers([1, 2])).await;
    [first, second, third]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_false_messages_is_cut_off_and_may_come_back() {
    let [mut first, mut second, third] = three().await;
    for _ in 0..9 {
        first.handle.blame(peer(2), Offence::FalseMessage);
    }
    until("nine offences", || first.handle.metrics().offences == 9).await;
    assert_eq!(first.handle.metrics().peers_cut_off, 0, "an honest node may be mistaken a few times");
    for _ in 0..2 {
        first.handle.blame(peer(2), Offence::FalseMessage);
    }
    first.sees_disconnected(peer(2)).await;
    second.sees_disconnected(peer(1)).await;
    assert_eq!(first.handle.metrics().peers_cut_off, 1);
    assert!(first.handle.is_connected(&peer(3)) && second.handle.is_connected(&peer(3)), "nobody else is disturbed");
    // It dials again at once, and is let in when its time is over.
    until("a refusal", || first.handle.metrics().connections_refused >= 1).await;
    first.sees_connected(peer(2)).await;
    // Who dials believes in a connection for a moment that is refused, so what it was told may be of an earlier one.
    until("the other end", || second.handle.is_connected(&peer(1))).await;
    assert_eq!(second.handle.send_consensus(peer(1), vec![1]), Ok(()));
    assert_eq!(first.frame_from(peer(2)).await, [1], "and heard as before");
    drop(third);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_is_no_member_cannot_be_blamed() {
    let [first, _second, _third] = three().await;
    for _ in 0..100 {
        first.handle.blame(peer(9), Offence::InvalidBlock);
    }
    first.handle.blame(peer(2), Offence::Malformed);
    until("the last one", || first.handle.metrics().offences == 1).await;
    assert_eq!(first.handle.metrics().peers_cut_off, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gossips_what_is_rejected_is_cut_off() {
    let [mut first, mut second, third] = three().await;
    const BATCHES: u32 = 30;
    for number in 0..BATCHES {
        third.handle.publish_transactions(number.to_be_bytes().to_vec()).expect("a few at a time");
    }
    for _ in 0..BATCHES {
        let (from, _, id) = second.batch().await;
        assert_eq!(from, peer(3));
        second.handle.report(id, BatchVerdict::Ignore);
    }
    let mut rejected = Vec::new();
    for _ in 0..BATCHES {
        rejected.push(first.batch().await);
    }
    for (_, _, id) in rejected {
        first.handle.report(id, BatchVerdict::Reject);
    }
    first.sees_disconnected(peer(3)).await;
    assert_eq!(second.handle.metrics().peers_cut_off, 0, "what is only useless is no offence");
    assert!(second.handle.is_connected(&peer(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_without_end_is_refused_and_then_cut_off() {
    let [mut first, second, _third] = three().await;
    let asking = tokio::spawn(async move {
        let mut answered = 0;
        loop {
            match second.handle.request(peer(1), vec![1]).await {
                Ok(_) => answered += 1,
                Err(RequestError::Disconnected | RequestError::NotConnected { .. }) => return answered,
                Err(_) => {}
            }
        }
    });
    let answering = async {
        loop {
            let reply = first
                .wait_for("a request", |event| match event {
                    NetworkEvent::Request { reply, .. } => Ok(Some(reply)),
                    NetworkEvent::PeerDisconnected(key) if key == peer(2) => Ok(None),
                    other => Err(other),
                })
                .await;
            match reply {
                // It may have been cut off meanwhile.
                Some(reply) => drop(reply.send(vec![2])),
                None => break,
            }
        }
    };
    answering.await;
    let answered = asking.await.expect("no panic");
    assert!(answered >= 200, "{answered} were answered: what an honest node asks in a row");
    assert_eq!(first.handle.metrics().peers_cut_off, 1);
}
