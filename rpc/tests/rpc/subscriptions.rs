//! Blocks over WebSocket.

use cairn_rpc::{Client, ClientError};
use cairn_types::Height;

use crate::backend::Served;

async fn web_socket(served: &Served) -> Client {
    Client::web_socket(&format!("ws://{}", served.server.address())).await.expect("a WebSocket")
}

#[tokio::test]
async fn final_blocks_are_told_as_they_come() {
    let served = Served::new().await;
    let client = web_socket(&served).await;
    let mut blocks = client.chain_subscribe_blocks().await.expect("a subscription");
    for height in 1..=3 {
        served.node.announce(height);
        let block = blocks.next().await.expect("a block").expect("understood");
        assert_eq!(block.height.0, Height::new(u64::try_from(height).unwrap()));
        assert_eq!(block.hash.0, served.world().ledger.views[height].hash);
    }
    // Calls go over the same connection.
    assert_eq!(client.chain_get_status().await.expect("a status").height.0, Height::new(4));
}

#[tokio::test]
async fn a_subscriber_that_falls_behind_is_let_go() {
    let served = Served::new().await;
    let client = web_socket(&served).await;
    let mut blocks = client.chain_subscribe_blocks().await.expect("a subscription");
    // On this one thread nothing is sent before the next await: more blocks than the node keeps for anybody.
    (0..10).for_each(|_| served.node.announce(1));
    assert!(blocks.next().await.is_none());
    assert!(client.chain_subscribe_blocks().await.is_ok(), "the connection is as it was");
}

#[tokio::test]
async fn the_ninth_subscription_of_a_connection_is_refused() {
    let served = Served::new().await;
    let client = web_socket(&served).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(client.chain_subscribe_blocks().await.expect("a subscription"));
    }
    match client.chain_subscribe_blocks().await {
        Err(ClientError::Refused(error)) => assert_eq!(error.code, -32_006),
        other => panic!("it should be refused, but: {other:?}"),
    }
}

#[tokio::test]
async fn http_has_no_subscriptions() {
    let served = Served::new().await;
    assert!(matches!(served.client.chain_subscribe_blocks().await, Err(ClientError::NeedsWebSocket)));
}

#[tokio::test]
async fn a_stopped_server_ends_its_connections() {
    let served = Served::new().await;
    let client = web_socket(&served).await;
    let mut blocks = client.chain_subscribe_blocks().await.expect("a subscription");
    served.server.stop().await;
    assert!(blocks.next().await.is_none());
    assert!(matches!(served.client.chain_get_status().await, Err(ClientError::Transport { .. })));
}
