//! Measures four networks in one process: how long a consensus frame takes, what gossip costs, and what they
//! cost when idle.
//!
//! `cargo run -p cairn-network --example mesh -- [IDLE_SECONDS]`

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use cairn_network::{
    BatchVerdict, Limits, Network, NetworkConfig, NetworkEvent, NetworkKey, TRANSACTION_BATCH_BYTES_MAX,
};

const NODES: u8 = 4;
const FRAMES: usize = 5_000;
const BATCHES: u32 = 500;
/// What checking the signatures of 64 KiB of transactions takes.
const VERIFYING: Duration = Duration::from_millis(4);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let idle = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    let validators: BTreeSet<_> = (1..=NODES).map(|seed| NetworkKey::from_seed([seed; 32]).peer_key()).collect();
    let mut nodes = Vec::<Network>::new();
    for seed in 1..=NODES {
        let config = NetworkConfig {
            chain: [1; 32],
            listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
            peers: nodes.iter().flat_map(|node| node.handle.addresses()).collect(),
            members: BTreeSet::new(),
            validators: validators.clone(),
            mdns: false,
            quic: false,
            limits: Limits::default(),
        };
        nodes.push(Network::spawn(config, NetworkKey::from_seed([seed; 32])).await.expect("loopback has free ports"));
    }
    let listeners = |node: &Network| node.handle.peers().iter().filter(|peer| peer.listens).count();
    while nodes.iter().any(|node| listeners(node) < usize::from(NODES) - 1) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    for bytes in [100, 20_000, 1_000_000] {
        let frames = if bytes > 100_000 { FRAMES / 50 } else { FRAMES };
        let mut one_way = Vec::with_capacity(frames);
        let (sender, receiver) = (nodes[0].handle.clone(), nodes[1].handle.peer_key());
        for _ in 0..frames {
            let frame = vec![7; bytes];
            let start = Instant::now();
            sender.send_consensus(receiver, frame).expect("the peer is connected");
            while !matches!(nodes[1].events.recv().await, Some(NetworkEvent::Consensus { .. })) {}
            one_way.push(start.elapsed());
        }
        one_way.sort();
        let (p50, p99) = (one_way[frames / 2], one_way[frames * 99 / 100]);
        println!("a frame of {bytes} bytes, send to receive: p50 {p50:?}, p99 {p99:?} ({frames} frames)");
    }

    gossip(&mut nodes).await;

    let (before, start) = (cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(idle)).await;
    let share = (cpu() - before).as_secs_f64() / start.elapsed().as_secs_f64() / f64::from(NODES) * 100.0;
    println!("idle for {idle} s: {share:.3}% of a core for each of {NODES} nodes");
    for node in nodes {
        node.task.stop().await.expect("no bug has ended the task");
    }
}

/// Every batch to every node, each node accepting it when its signatures could be checked; what it costs all of them together.
async fn gossip(nodes: &mut [Network]) {
    let (before, start) = (cpu(), Instant::now());
    let (publisher, listeners) = nodes.split_first_mut().expect("there are four");
    for number in 0..BATCHES {
        let mut batch = vec![0; TRANSACTION_BATCH_BYTES_MAX];
        batch[..4].copy_from_slice(&number.to_be_bytes());
        publisher.handle.publish_transactions(batch).expect("one batch at a time");
        let mut accepted = Vec::new();
        for node in &mut *listeners {
            loop {
                if let Some(NetworkEvent::Transactions { id, .. }) = node.events.recv().await {
                    accepted.push((node.handle.clone(), id));
                    break;
                }
            }
        }
        tokio::time::sleep(VERIFYING).await;
        for (handle, id) in accepted {
            handle.report(id, BatchVerdict::Accept);
        }
    }
    let (elapsed, cpu) = (start.elapsed() / BATCHES, (cpu() - before) / BATCHES);
    println!("a batch of 64 KiB to {} nodes: {elapsed:?}, {cpu:?} of CPU over all {NODES} nodes", listeners.len());
}

/// User and system time of this process, in the kernel's ticks of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells a process about itself");
    let after_name = stat.rsplit(')').next().expect("a split has a last part");
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}
