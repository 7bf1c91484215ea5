//! Batches of transactions: to everybody, and no further than the first who rejects.

use cairn_network::{BatchVerdict, PublishError, TRANSACTION_BATCH_BYTES_MAX};

use crate::harness::{Node, config, mesh, peer, peers, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_batch_reaches_everybody_once() {
    let mut nodes = mesh(4).await;
    for round in 0..20u8 {
        let batch = vec![round; TRANSACTION_BATCH_BYTES_MAX];
        nodes[0].handle.publish_transactions(batch.clone()).expect("one at a time");
        for node in &mut nodes[1..] {
            let (_, bytes, id) = node.batch().await;
            assert!(bytes == batch, "round {round}");
            node.handle.report(id, BatchVerdict::Accept);
        }
    }
    for node in &nodes[1..] {
        assert_eq!(node.handle.metrics().batches_received, 20, "a batch is handed out once, however often it comes");
    }
    let too_long = vec![1; TRANSACTION_BATCH_BYTES_MAX + 1];
    assert!(matches!(nodes[0].handle.publish_transactions(too_long), Err(PublishError::Size { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_batch_is_not_forwarded_and_an_accepted_one_is() {
    // In a line: 1 and 3 know only 2.
    let mut middle = Node::start(2, config(1..=3, vec![])).await;
    let mut left = Node::start(1, config(1..=3, vec![middle.address()])).await;
    let mut right = Node::start(3, config(1..=3, vec![middle.address()])).await;
    left.sees_connected(peer(2)).await;
    right.sees_connected(peer(2)).await;
    left.knows_listeners([peer(2)]).await;
    middle.knows_listeners(peers([1, 3])).await;

    for (batch, verdict) in
        [(b"bad", BatchVerdict::Reject), (b"odd", BatchVerdict::Ignore), (b"yes", BatchVerdict::Accept)]
    {
        left.handle.publish_transactions(batch.to_vec()).expect("one at a time");
        let (from, bytes, id) = middle.batch().await;
        assert_eq!((from, bytes.as_slice()), (peer(1), batch.as_slice()));
        middle.handle.report(id, verdict);
    }
    let (from, bytes, _) = right.batch().await;
    assert_eq!(
        (from, bytes.as_slice()),
        (peer(2), b"yes".as_slice()),
        "the first that comes through is the accepted one"
    );
    assert_eq!(middle.handle.metrics().batches_rejected, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_behind_loses_batches_and_the_network_goes_on() {
    let mut config_of_slow = config([1, 2], vec![]);
    config_of_slow.limits.batches_max = 4;
    let mut slow = Node::start(1, config_of_slow).await;
    let mut fast = Node::start(2, config([1, 2], vec![slow.address()])).await;
    fast.sees_connected(peer(1)).await;
    fast.knows_listeners([peer(1)]).await;
    for number in 0..20u8 {
        fast.handle.publish_transactions(vec![number; 100]).expect("a few at a time");
    }
    until("all batches", || slow.handle.metrics().batches_received == 20).await;
    assert_eq!(slow.handle.metrics().batches_dropped, 16);
    for number in 0..4u8 {
        assert_eq!(slow.batch().await.1, [number; 100]);
    }
}
