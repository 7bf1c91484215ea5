//! Who gets in: members of this chain, and nobody else.

use cairn_network::{Network, NetworkError, NetworkEvent, SendError};

use crate::harness::{CHAIN, Node, config, free_port, key, mesh, peer, peers, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_is_not_a_member_is_turned_away() {
    let mut member = Node::start(1, config([1, 2], vec![])).await;
    let stranger = Node::start(9, config([1, 9], vec![member.address()])).await;
    until("two refusals", || member.handle.metrics().connections_refused >= 2).await;
    assert!(member.handle.peers().is_empty());
    assert_eq!(member.handle.metrics().connections_established, 0);

    // The door still opens for those who belong.
    let mut friend = Node::start(2, config([1, 2], vec![member.address()])).await;
    friend.sees_connected(peer(1)).await;
    member.sees_connected(peer(2)).await;
    assert!(
        !member.has_unread(|event| matches!(event, NetworkEvent::PeerConnected(_))),
        "nobody heard of the stranger"
    );
    stranger.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_closes_the_connection_and_an_admission_opens_it_again() {
    let mut nodes = mesh(3).await;
    nodes[0].handle.set_members(peers([]), peers([1, 2]));
    nodes[0].sees_disconnected(peer(3)).await;
    nodes[2].sees_disconnected(peer(1)).await;
    assert_eq!(nodes[0].handle.broadcast_consensus(vec![1]), Ok(1));
    assert_eq!(nodes[1].frame_from(peer(1)).await, [1], "the others are not disturbed");

    nodes[0].handle.set_members(peers([]), peers([1, 2, 3]));
    nodes[0].sees_connected(peer(3)).await;
    until("the validator to be heard again", || nodes[0].handle.broadcast_consensus(vec![2]) == Ok(2)).await;
    assert_eq!(nodes[2].frame_from(peer(1)).await, [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_is_no_longer_a_validator_is_no_longer_heard() {
    let mut nodes = mesh(2).await;
    assert_eq!(nodes[1].handle.send_consensus(peer(1), vec![1]), Ok(()));
    assert_eq!(nodes[0].frame_from(peer(2)).await, [1]);
    nodes[0].handle.set_members(peers([2]), peers([1]));
    until("the new membership", || nodes[0].handle.peers().iter().all(|peer| !peer.validator)).await;
    let heard = nodes[0].handle.metrics().consensus_frames_received;
    assert_eq!(nodes[1].handle.send_consensus(peer(1), vec![2]), Ok(()));
    until("the frame to be sent", || nodes[1].handle.consensus_frames_waiting() == 0).await;
    assert!(nodes[0].handle.is_connected(&peer(2)), "it is still a member");
    assert_eq!(nodes[0].handle.metrics().consensus_frames_received, heard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_becomes_a_validator_is_heard_and_hears_with_no_new_connection() {
    let mut observing = config([1], vec![]);
    observing.members = peers([1, 2]);
    let mut first = Node::start(1, observing.clone()).await;
    observing.peers = vec![first.address()];
    let mut second = Node::start(2, observing).await;
    second.sees_connected(peer(1)).await;
    first.sees_connected(peer(2)).await;
    assert_eq!(second.handle.send_consensus(peer(1), vec![1]), Err(SendError::NotValidator));
    assert_eq!(first.handle.send_consensus(peer(2), vec![2]), Ok(()), "validators tell followers too");
    assert_eq!(second.frame_from(peer(1)).await, [2]);

    // The newcomer knows first, and speaks to one who does not know yet; what it says is heard once that one does.
    second.handle.set_members(peers([2]), peers([1, 2]));
    until("its own voice", || second.handle.send_consensus(peer(1), vec![3]) == Ok(())).await;
    first.handle.set_members(peers([2]), peers([1, 2]));
    assert_eq!(first.frame_from(peer(2)).await, [3]);
    until("the newcomer to be a validator", || first.handle.broadcast_consensus(vec![4]) == Ok(1)).await;
    assert_eq!(second.frame_from(peer(1)).await, [4]);
    let told = |node: &Node| node.has_unread(|event| matches!(event, NetworkEvent::PeerDisconnected(_)));
    assert!(!told(&first) && !told(&second), "the connection stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_is_admitted_is_dialled_at_its_known_address() {
    let mut newcomer = Node::start(2, config([1, 2], vec![])).await;
    let mut member = Node::start(1, config([1], vec![newcomer.address()])).await;
    assert!(member.handle.peers().is_empty());
    member.handle.set_members(peers([]), peers([1, 2]));
    member.sees_connected(peer(2)).await;
    newcomer.sees_connected(peer(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_another_chain_gets_no_connection() {
    let here = Node::start(1, config([1, 2], vec![])).await;
    let mut elsewhere = config([1, 2], vec![here.address()]);
    elsewhere.chain = [0xfe; 32];
    let there = Node::start(2, elsewhere).await;
    until("two failed dials", || there.handle.metrics().dials_failed >= 2).await;
    for node in [&here, &there] {
        assert_eq!(node.handle.metrics().connections_established, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_quic_members_speak_and_a_peer_of_another_chain_exchanges_nothing() {
    let quic = |validators: [u8; 2], dial| {
        let mut config = config(validators, dial);
        config.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".to_owned()];
        config.quic = true;
        config.members = peers([1, 2, 3]);
        config
    };
    let mut first = Node::start(1, quic([1, 2], vec![])).await;
    let mut second = Node::start(2, quic([1, 2], vec![first.address()])).await;
    second.sees_connected(peer(1)).await;
    assert_eq!(second.handle.broadcast_consensus(vec![5; 100_000]), Ok(1));
    assert_eq!(first.frame_from(peer(2)).await, [5; 100_000]);

    let mut elsewhere = quic([1, 3], vec![first.address()]);
    elsewhere.chain = [0xfe; 32];
    let mut third = Node::start(3, elsewhere).await;
    third.sees_connected(peer(1)).await;
    let _ = third.handle.broadcast_consensus(vec![6]);
    let _ = third.handle.publish_transactions(vec![6]);
    assert!(third.handle.request(peer(1), vec![6]).await.is_err());
    third.sees_disconnected(peer(1)).await;
    first.sees_disconnected(peer(3)).await;
    let foreign = |event: &NetworkEvent| match event {
        NetworkEvent::Consensus { from, .. }
        | NetworkEvent::Transactions { from, .. }
        | NetworkEvent::Request { from, .. } => *from == peer(3),
        _ => false,
    };
    assert!(!first.has_unread(foreign));
}

#[tokio::test]
async fn a_port_in_use_is_said_in_words() {
    let port = free_port();
    let mut listening = config([1, 2], vec![]);
    listening.listen = vec![format!("/ip4/127.0.0.1/tcp/{port}")];
    let first = Node::start(1, listening.clone()).await;
    let error = Network::spawn(listening, key(2)).await.err().expect("the port is taken");
    assert!(matches!(error, NetworkError::Listen { .. }), "{error}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    first.stop().await;
}

#[tokio::test]
async fn a_node_says_where_it_is() {
    let node = Node::start(1, config([1], vec![])).await;
    assert_eq!(cairn_network::PeerKey::from_address(&node.address()), Ok(peer(1)));
    assert!(!node.address().contains("/tcp/0"), "the port that the system chose: {}", node.address());
    assert_eq!(CHAIN.len(), 32);
    node.stop().await;
}
