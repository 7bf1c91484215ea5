//! What it costs to bring transactions to all of four validators, in CPU and in bytes: by gossip, and by the direct streams.
//!
//! The four are in this process and do nothing with what arrives but to say, some milliseconds later, that it is good.
//!
//! ```text
//! cargo run --release --workspace --example gossip
//! ```

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use cairn_network::{
    BatchVerdict, Limits, Network, NetworkConfig, NetworkEvent, NetworkEvents, NetworkHandle, NetworkKey,
};

/// An attestation with its length in a batch, in bytes.
const TRANSACTION_BYTES: usize = 368;

/// How many transactions go through for each figure, and how many a second.
const TRANSACTIONS: usize = 40_000;
const TRANSACTIONS_PER_S: usize = 10_000;

/// How long a node takes to verify a batch, in milliseconds.
const VERIFY_MS: u64 = 3;

/// Kernel clock ticks a second, in which /proc counts CPU time (Linux, USER_HZ).
const TICKS_PER_S: f64 = 100.0;

#[derive(Clone, Copy, Debug)]
enum Way {
    Gossip,
    Direct,
}

#[tokio::main]
async fn main() {
    for (way, each) in [(Way::Gossip, 170), (Way::Direct, 170), (Way::Gossip, 10), (Way::Direct, 10)] {
        let (handles, mut arrived) = start().await;
        let (cpu, sent) = (cpu_s(), bytes_sent());
        let batches = TRANSACTIONS / each;
        let pace = Duration::from_micros(u64::try_from(each * 1_000_000 / TRANSACTIONS_PER_S).expect("small"));
        let mut ticks = tokio::time::interval(pace);
        for number in 0..batches {
            ticks.tick().await;
            let mut batch = blake3::hash(&number.to_le_bytes()).as_bytes().repeat(each * TRANSACTION_BYTES / 32);
            batch.truncate(each * TRANSACTION_BYTES);
            match way {
                Way::Gossip => handles[0].publish_transactions(batch).expect("there is room"),
                Way::Direct => drop(handles[0].broadcast_consensus(batch).expect("there is room")),
            }
        }
        let mut count = 0;
        while count < batches * (handles.len() - 1)
            && tokio::time::timeout(Duration::from_secs(5), arrived.recv()).await.is_ok()
        {
            count += 1;
        }
        let total = (batches * each) as f64;
        println!(
            "{way:?}, {each} in a batch: {:.2} us of CPU a node and transaction, {:.0} bytes on the wire a transaction, {count} of {} arrived",
            (cpu_s() - cpu) / total / handles.len() as f64 * 1e6,
            (bytes_sent() - sent) / total,
            batches * (handles.len() - 1),
        );
    }
}

/// Four validators that are connected to each other; and where it is told that one has a batch.
async fn start() -> (Vec<NetworkHandle>, tokio::sync::mpsc::Receiver<()>) {
    let key = |seed: u8| NetworkKey::from_seed([seed; 32]);
    let validators: BTreeSet<_> = (1..=4).map(|seed| key(seed).peer_key()).collect();
    let (tell, told) = tokio::sync::mpsc::channel(100_000);
    let mut handles: Vec<NetworkHandle> = Vec::new();
    for seed in 1..=4 {
        let config = NetworkConfig {
            chain: [7; 32],
            listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
            peers: handles.iter().flat_map(NetworkHandle::addresses).collect(),
            members: BTreeSet::new(),
            validators: validators.clone(),
            mdns: false,
            quic: false,
            limits: Limits::default(),
        };
        let network = Network::spawn(config, key(seed)).await.expect("the configuration is sound");
        handles.push(network.handle.clone());
        tokio::spawn(listen(network.handle, network.events, tell.clone()));
        // The task ends with the program.
        std::mem::forget(network.task);
    }
    while handles.iter().any(|handle| handle.peers().len() < 3) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Two heartbeats of gossip, after which everybody is in the mesh.
    tokio::time::sleep(Duration::from_secs(3)).await;
    (handles, told)
}

async fn listen(handle: NetworkHandle, mut events: NetworkEvents, tell: tokio::sync::mpsc::Sender<()>) {
    while let Some(event) = events.recv().await {
        match event {
            NetworkEvent::Transactions { id, .. } => {
                let handle = handle.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(VERIFY_MS)).await;
                    handle.report(id, BatchVerdict::Accept);
                });
                let _ = tell.send(()).await;
            }
            NetworkEvent::Consensus { .. } => {
                let _ = tell.send(()).await;
            }
            _ => {}
        }
    }
}

/// CPU time of this process (proc(5): utime and stime).
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("there is a name").split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_S
}

/// Bytes that the sockets of this process have sent, as `ss` tells.
fn bytes_sent() -> f64 {
    let output = Command::new("ss").args(["-tinpH"]).output().expect("iproute2 is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mine = format!("pid={},", std::process::id());
    let mut is_mine = false;
    let mut sum = 0.0;
    for line in text.lines() {
        if line.contains("users:") {
            is_mine = line.contains(&mine);
        }
        let sent = line.split_whitespace().find_map(|word| word.strip_prefix("bytes_sent:"));
        if let (true, Some(sent)) = (is_mine, sent) {
            sum += sent.parse::<f64>().expect("a number");
        }
    }
    sum
}
