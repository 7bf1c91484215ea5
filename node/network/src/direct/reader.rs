//! Reads one validator's frames from a stream.
//!
//! Ends when the stream does, when the peer breaks a rule, or when it is aborted because the peer is gone or no longer a
//! validator. Nothing is read that the peer's budget does not cover: memory is bounded for each peer, and one who floods
//! fills only its own. Nor is it read faster than its pace, so that checking its frames takes a bounded part of a core.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures::{AsyncReadExt, AsyncWriteExt, io::BufReader};
use libp2p::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{ACCEPTED, BUFFER_BYTES};
use crate::{
    conduct::{Offence, Pace},
    config::CONSENSUS_FRAME_BYTES_MAX,
    handle::{Command, Shared},
    key::PeerKey,
};

/// What a frame costs of the budget at least, in bytes: bounds the number of short frames.
const FRAME_COST_MIN: u32 = 4 * 1024;

/// One frame on its way to the consumer. The budget gets its share back when the frame is taken.
pub(crate) struct Frame {
    pub(crate) from: PeerKey,
    pub(crate) bytes: Vec<u8>,
    pub(crate) _share: OwnedSemaphorePermit,
}

/// The receiving end of one stream.
pub(crate) struct Reader {
    pub(crate) from: PeerKey,
    pub(crate) stream: Stream,
    pub(crate) budget: Arc<Semaphore>,
    pub(crate) lane: mpsc::Sender<Frame>,
    pub(crate) shared: Arc<Shared>,
    /// How fast it is read, whatever stream it uses.
    pub(crate) pace: Arc<Mutex<Pace>>,
    /// Where an offence is told.
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Reader {
    /// Runs until the stream ends.
    pub(crate) async fn run(self) {
        let from = self.from;
        if let Err(error) = self.read().await {
            tracing::debug!(peer = %from, %error, "consensus stream from peer ended");
        }
    }

    async fn read(mut self) -> io::Result<()> {
        self.stream.write_all(&[ACCEPTED]).await?;
        self.stream.flush().await?;
        let mut stream = BufReader::with_capacity(BUFFER_BYTES, self.stream);
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).await?;
            let length = u32::from_be_bytes(length);
            if length == 0 || length as usize > CONSENSUS_FRAME_BYTES_MAX {
                self.shared.counters.consensus_streams_refused.add(1);
                tracing::warn!(peer = %self.from, length, "consensus frame of a forbidden length: stream closed");
                // A busy task counts another one later.
                let _ = self.commands.try_send(Command::Blame { peer: self.from, offence: Offence::ForbiddenLength });
                return Err(io::ErrorKind::InvalidData.into());
            }
            let cost = length.max(FRAME_COST_MIN);
            let share = Arc::clone(&self.budget).acquire_many_owned(cost).await.map_err(io::Error::other)?;
            let wait = self.pace.lock().unwrap_or_else(PoisonError::into_inner).frame(length, Instant::now());
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let mut bytes = vec![0; length as usize];
            stream.read_exact(&mut bytes).await?;
            self.shared.counters.consensus_frames_received.add(1);
            self.shared.counters.consensus_bytes_received.add(bytes.len());
            let frame = Frame { from: self.from, bytes, _share: share };
            self.lane.send(frame).await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
    }
}
