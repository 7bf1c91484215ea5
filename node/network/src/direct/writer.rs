//! Writes one peer's outbox to a stream, and opens a new stream when one breaks.
//!
//! Ends only when it is aborted, which the swarm's task does when the peer is gone.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt, io::BufWriter};
use libp2p::{PeerId, Stream, StreamProtocol};

use super::{ACCEPTED, BUFFER_BYTES, Outbox};
use crate::handle::Shared;

/// How long opening a stream may take: some round trips on a bad line.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// First wait before a stream is opened again.
const REOPEN_MIN: Duration = Duration::from_millis(20);
/// Longest wait before a stream is opened again.
const REOPEN_MAX: Duration = Duration::from_secs(2);
/// A stream that lived this long was a success, so the next wait is short again.
const LIVED: Duration = Duration::from_secs(1);

/// The sending end towards one peer.
pub(crate) struct Writer {
    pub(crate) peer: PeerId,
    pub(crate) protocol: StreamProtocol,
    pub(crate) control: libp2p_stream::Control,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) shared: Arc<Shared>,
}

impl Writer {
    /// Runs until it is aborted. A stream is opened when there is something to say.
    pub(crate) async fn run(mut self) {
        let mut wait = REOPEN_MIN;
        let mut unsent = self.outbox.take().await;
        loop {
            let opened = Instant::now();
            let (ended, left) = match self.open().await {
                Ok(stream) => self.pump(stream, unsent).await,
                Err(error) => (error, unsent),
            };
            tracing::debug!(peer = %self.peer, error = %ended, "consensus stream ended");
            if opened.elapsed() >= LIVED {
                wait = REOPEN_MIN;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(REOPEN_MAX);
            unsent = left;
        }
    }

    /// Opens a stream and waits until the peer accepts it.
    async fn open(&mut self) -> io::Result<Stream> {
        let opening = async {
            let opened = self.control.open_stream(self.peer, self.protocol.clone()).await;
            let mut stream = opened.map_err(io::Error::other)?;
            let mut answer = [0];
            stream.read_exact(&mut answer).await?;
            if answer == [ACCEPTED] { Ok(stream) } else { Err(io::Error::from(io::ErrorKind::InvalidData)) }
        };
        tokio::time::timeout(OPEN_TIMEOUT, opening).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Writes frames until the stream breaks; says why, and which frame comes first on the next one.
    async fn pump(&self, stream: Stream, first: Arc<Vec<u8>>) -> (io::Error, Arc<Vec<u8>>) {
        let (mut reading, writing) = stream.split();
        let mut writing = BufWriter::with_capacity(BUFFER_BYTES, writing);
        let mut nothing = [0];
        // The peer never writes again, so an end or a byte both mean that this stream is over.
        let mut closed = std::pin::pin!(reading.read(&mut nothing));
        let mut frame = first;
        loop {
            if let Err(error) = self.write(&mut writing, &frame).await {
                return (error, frame);
            }
            if let Some(next) = self.outbox.try_take() {
                frame = next;
                continue;
            }
            if let Err(error) = writing.flush().await {
                return (error, frame);
            }
            frame = tokio::select! {
                next = self.outbox.take() => next,
                end = &mut closed => {
                    let error = end.err().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into());
                    return (error, self.outbox.take().await);
                }
            };
        }
    }

    async fn write(&self, stream: &mut (impl AsyncWriteExt + Unpin), frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).expect("a frame's length was checked when it was queued");
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(frame).await?;
        self.shared.counters.consensus_frames_sent.add(1);
        self.shared.counters.consensus_bytes_sent.add(frame.len());
        Ok(())
    }
}
