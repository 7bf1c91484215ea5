//! Hostile clients of JSON-RPC that want to use a node up: its connections, its memory, its cores.
//!
//! Each goes on until its time is over, on one thread for all of them together. What they send is made before.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http::{exchange, frame, post, post_open, request, socket};

/// What a client does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flood {
    /// Opens connections by the thousand and leaves them idle.
    IdleConnections,
    /// Sends a head that does not end, a line now and then.
    EndlessHeads,
    /// Sends a body a byte now and then.
    SlowBodies,
    /// Opens WebSockets, and ten thousand subscriptions on them.
    Subscriptions,
    /// Sends WebSocket messages of the largest size.
    LongMessages,
    /// Sends pings without end, and reads no answer.
    Pings,
    /// Sends batches of ten thousand calls, and of as many as are allowed.
    Batches,
    /// Asks what costs most, again and again.
    ExpensiveQuestions,
    /// Submits what no rule allows, as much as fits into a body.
    Submissions,
    /// Submits false signatures as raw bytes, each of which the node has to look at.
    FalseSignatures,
    /// Asks for long answers by WebSocket and does not read them.
    UnreadAnswers,
    /// Asks for the longest answers by HTTP and does not read them.
    LongUnread,
}

/// Wait after being refused.
const AGAIN: Duration = Duration::from_millis(20);

fn call(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

impl Flood {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::IdleConnections => "idle-connections",
            Self::EndlessHeads => "endless-heads",
            Self::SlowBodies => "slow-bodies",
            Self::Subscriptions => "subscriptions",
            Self::LongMessages => "long-messages",
            Self::Pings => "websocket-pings",
            Self::Batches => "batches",
            Self::ExpensiveQuestions => "expensive-questions",
            Self::Submissions => "submissions",
            Self::FalseSignatures => "raw-false-signatures",
            Self::UnreadAnswers => "unread-websocket-answers",
            Self::LongUnread => "unread-http-answers",
        }
    }

    /// Clients at work at once.
    const fn clients(self) -> usize {
        match self {
            Self::IdleConnections | Self::EndlessHeads | Self::SlowBodies => 1_000,
            Self::Subscriptions => 1_250,
            Self::LongMessages | Self::Pings | Self::UnreadAnswers | Self::LongUnread => 32,
            Self::Batches | Self::ExpensiveQuestions | Self::Submissions | Self::FalseSignatures => 16,
        }
    }

    /// One attempt; ends when the node ends it.
    async fn once(self, address: SocketAddr, ready: &Ready) -> std::io::Result<()> {
        match self {
            Self::IdleConnections => {
                let mut stream = TcpStream::connect(address).await?;
                stream.read(&mut [0; 64]).await.map(drop)
            }
            Self::EndlessHeads => {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(format!("POST / HTTP/1.1\r\nHost: {address}\r\n").as_bytes()).await?;
                drip(&mut stream, b"X-Endless: 1\r\n").await
            }
            Self::SlowBodies => {
                let mut stream = TcpStream::connect(address).await?;
                let head = format!(
                    "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await?;
                drip(&mut stream, b"[").await
            }
            Self::Subscriptions => {
                let mut stream = socket(address).await?;
                for _ in 0..8 {
                    stream.write_all(&ready.subscribe).await?;
                }
                swallow(&mut stream).await
            }
            Self::LongMessages => {
                let mut stream = socket(address).await?;
                loop {
                    stream.write_all(&ready.long_message).await?;
                }
            }
            Self::Pings => {
                let mut stream = socket(address).await?;
                loop {
                    stream.write_all(&ready.pings).await?;
                }
            }
            Self::UnreadAnswers => {
                let mut stream = socket(address).await?;
                loop {
                    stream.write_all(&ready.long_question).await?;
                }
            }
            Self::LongUnread => {
                let mut stream = TcpStream::connect(address).await?;
                for question in &ready.expensive {
                    stream.write_all(&post_open(address, question)).await?;
                }
                // It leaves when it is closed, which it finds out by writing.
                drip(&mut stream, b"\r\n").await
            }
            Self::Batches => {
                for batch in &ready.batches {
                    exchange(address, &post(address, batch)).await?;
                }
                Ok(())
            }
            Self::ExpensiveQuestions => {
                for question in &ready.expensive {
                    exchange(address, &post(address, question)).await?;
                }
                Ok(())
            }
            Self::Submissions => exchange(address, &post(address, &ready.submissions)).await.map(drop),
            Self::FalseSignatures => {
                let head = "Content-Type: application/octet-stream\r\n";
                exchange(address, &request(address, "POST /tx", head, &ready.false_signatures)).await.map(drop)
            }
        }
    }
}

/// Sends a part every half a second, until the node has enough.
async fn drip(stream: &mut TcpStream, part: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(part).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Reads until the node closes.
async fn swallow(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut part = [0; 4_096];
    while stream.read(&mut part).await? > 0 {}
    Ok(())
}

/// What the clients send.
pub(crate) struct Ready {
    subscribe: Vec<u8>,
    long_message: Vec<u8>,
    pings: Vec<u8>,
    long_question: Vec<u8>,
    batches: Vec<Vec<u8>>,
    expensive: Vec<Vec<u8>>,
    submissions: Vec<u8>,
    false_signatures: Vec<u8>,
}

impl Ready {
    /// `refused` are transactions that no node takes, and `attested` is an attestation that is final.
    pub(crate) fn make(refused: &[Vec<u8>], attested: &str) -> Self {
        let list = |method: &str| call(method, json!({ "limit": 1_000 }));
        let questions = [
            call("audit_trace", json!({ "attestation": attested, "depth": 64 })),
            call("audit_verdict", json!({ "attestation": attested })),
            call("audit_bundle", json!({ "attestation": attested })),
            call("proof_getState", json!({ "key": "", "prefix": true })),
            list("device_list"),
            list("stream_list"),
            call("device_list", json!({ "limit": 1_000, "zone": null })),
            call("chain_getBlock", json!({})),
        ];
        let version = call("node_getVersion", json!([]));
        let batch =
            |question: &Value, count: usize| Value::Array(vec![question.clone(); count]).to_string().into_bytes();
        let expensive = questions.iter().map(|question| batch(question, 50)).collect();
        let hex: Vec<String> = refused.iter().cycle().take(1_000).map(hex::encode).collect();
        let falsify = |bytes: &Vec<u8>| {
            let mut bytes = bytes.clone();
            // They end in a signature, whose last byte would make it one that is refused at a glance.
            let place = bytes.len() - 8;
            bytes[place] ^= 1;
            bytes
        };
        let false_signatures: Vec<Vec<u8>> = refused.iter().cycle().take(1_000).map(falsify).collect();
        let subscribe = call("chain_subscribeBlocks", json!([])).to_string();
        Self {
            subscribe: frame(1, subscribe.as_bytes()),
            long_message: frame(1, &vec![b'['; 1_000_000]),
            pings: frame(9, &[7; 125]).repeat(100),
            long_question: frame(1, list("device_list").to_string().as_bytes()),
            batches: vec![batch(&version, 10_000), batch(&version, 100)],
            expensive,
            submissions: call("tx_submitMany", json!([hex])).to_string().into_bytes(),
            false_signatures: cairn_types::encode(&false_signatures),
        }
    }
}

/// Lets all clients of these kinds loose on a node until `until`.
pub(crate) fn run(floods: &[Flood], address: SocketAddr, ready: &'static Ready, until: Instant) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for flood in floods {
            for _ in 0..flood.clients() {
                let flood = *flood;
                clients.spawn(async move {
                    while Instant::now() < until {
                        let left = until.saturating_duration_since(Instant::now());
                        // Being turned away is what they came for.
                        let _ = tokio::time::timeout(left, flood.once(address, ready)).await;
                        tokio::time::sleep(AGAIN).await;
                    }
                });
            }
        }
        while clients.join_next().await.is_some() {}
    });
}
