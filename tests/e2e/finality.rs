//! Blocks become final, everywhere the same.

use cairn_rpc::views::Text;
use cairn_tests::Network;
use cairn_types::Height;

use crate::fleet::Fleet;

#[tokio::test]
async fn what_one_node_took_is_final_on_all_and_an_observer_follows() {
    let network = Network::start(4, 1, &[]).await;
    let mut fleet = Fleet::on(&network, 1).await;
    let tip = network.nodes[0].tip().await;
    let mut last = 0;
    for day in 0..20u64 {
        let attested = fleet.writing.attest(network.chain, &fleet.device, tip, &day.to_le_bytes());
        // Each through another node, which may have heard of the one before a moment later than who took it.
        let node = &network.nodes[usize::try_from(day % 4).expect("small")];
        node.wait_for_height(last).await;
        node.submit(&attested).await.expect("taken");
        last = node.wait_for(&attested).await;
    }
    network.wait_for_height(last).await;
    network.assert_one_chain().await;
    for node in &network.nodes {
        let stream =
            node.client().stream_get(Text(fleet.writing.stream), None).await.expect("every node has the stream");
        let view = serde_json::to_value(&stream.value).expect("a view is JSON");
        assert_eq!(view["count"], "20", "{}", node.name);
    }
    network.nodes[4].wait_for_state("following").await;
}

#[tokio::test]
async fn an_idle_network_makes_a_block_at_each_heartbeat_and_none_between() {
    let network = Network::start(4, 0, &["--heartbeat-ms", "1500"]).await;
    network.wait_for_height(4).await;
    let client = network.nodes[2].client();
    let mut before: Option<u64> = None;
    for height in 1..=4 {
        let header = client.chain_get_header(Some(Text(Height::new(height)))).await.expect("final");
        let time = header.value.header.time_ms.0;
        if let Some(before) = before.replace(time).filter(|_| height > 2) {
            assert!(time - before >= 1_400, "block {height} came {} ms after the one before", time - before);
        }
    }
}

#[tokio::test]
async fn a_node_without_its_index_fills_it_again_by_itself() {
    for engine in ["sled", "fjall"] {
        let mut network = Network::start(4, 0, &["--engine", engine]).await;
        let fleet = Fleet::on(&network, 7).await;
        network.nodes[1].stop();
        let data = network.nodes[1].directory.join("data");
        std::fs::remove_dir_all(data.join(format!("index-{engine}"))).expect("the index is there");
        network.nodes[1].start();
        let height = network.nodes[0].height().await.expect("it answers");
        network.nodes[1].wait_for_height(height).await;
        let device = network.nodes[1].client().device_get(Text(fleet.device.device()), None).await;
        assert!(device.is_ok(), "{engine}: {device:?}");
        network.assert_one_chain().await;
    }
}
