//! What one connection may ask before it has read the answers.
//!
//! jsonrpsee starts a task for every message of a WebSocket and lets its answer wait for room in the connection's queue.
//! A peer that sends and never reads would pile up answers without bound, and a question of 70 bytes can have an answer of
//! 100 kB. Here a connection has a [`Flow`]: its calls take turns, none begins while too many bytes of earlier answers are
//! unsent, and meanwhile the stream under it ([`Metered`]) pretends that nothing arrives. What the peer sends then fills
//! its own buffers, and it has to wait.
//!
//! It does not know what passes through it. The invariant: bytes are only ever delayed, never changed or dropped.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::limits::{CONNECTION_CALLS_MAX, UNSENT_BYTES_MAX};

/// What is under way on one connection.
#[derive(Debug)]
pub(super) struct Flow {
    /// Bytes of answers that are made and not written. What else is written counts as well, but never below 0: so this
    /// may be too small for a moment, but never stays too large.
    unsent: AtomicUsize,
    /// Whoever waits until less is unsent.
    sent: Notify,
    /// The task that wants to read once it may.
    reader: Mutex<Option<Waker>>,
    turns: Arc<Semaphore>,
}

impl Flow {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            unsent: AtomicUsize::new(0),
            sent: Notify::new(),
            reader: Mutex::new(None),
            turns: Arc::new(Semaphore::new(CONNECTION_CALLS_MAX)),
        })
    }

    fn is_full(&self) -> bool {
        self.unsent.load(Ordering::Acquire) >= UNSENT_BYTES_MAX
    }

    /// Waits until a call may begin; the turn is held until the call has been answered.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            let sent = self.sent.notified();
            if !self.is_full() {
                return turn;
            }
            sent.await;
        }
    }

    /// An answer of so many bytes waits to be written.
    pub(super) fn answered(&self, bytes: usize) {
        self.unsent.fetch_add(bytes, Ordering::AcqRel);
    }

    fn wrote(&self, bytes: usize) {
        let less = |unsent: usize| Some(unsent.saturating_sub(bytes));
        let _ = self.unsent.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        if !self.is_full() {
            self.sent.notify_waiters();
        }
    }

    fn park_reader(&self, context: &Context<'_>) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
    }

    fn wake_reader(&self) {
        if let Some(reader) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
            reader.wake();
        }
    }
}

/// How a client begins that speaks HTTP/2, and no other. The library would answer it; nothing here needs it, and what is not
/// used is off.
const HTTP_2: &[u8] = b"PRI";

/// A stream that does not read while a write waits for the peer, or too much is unsent.
pub(super) struct Metered<S> {
    stream: S,
    flow: Arc<Flow>,
    write_waits: bool,
    /// How many of the first bytes were those of [`HTTP_2`]; `None` once one was not.
    like_http_2: Option<usize>,
}

impl<S> Metered<S> {
    pub(super) const fn new(stream: S, flow: Arc<Flow>) -> Self {
        Self { stream, flow, write_waits: false, like_http_2: Some(0) }
    }

    /// Looks at what was read; an error if the peer speaks HTTP/2.
    fn after_read(&mut self, read: &[u8]) -> io::Result<()> {
        for byte in read {
            let Some(like) = self.like_http_2 else { break };
            self.like_http_2 = (HTTP_2.get(like) == Some(byte)).then_some(like + 1);
            if self.like_http_2 == Some(HTTP_2.len()) {
                return Err(io::ErrorKind::Unsupported.into());
            }
        }
        Ok(())
    }

    /// Notes what was written, or that a write waits, and lets the reader go on if it may.
    fn after_write(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.write_waits = result.is_pending();
        if let Poll::Ready(written) = &result {
            // After an error there is nobody left to write to: the reader shall learn of it.
            self.flow.wrote(*written.as_ref().unwrap_or(&usize::MAX));
            self.flow.wake_reader();
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.write_waits || self.flow.is_full() {
            self.flow.park_reader(context);
            // A write on another thread may have made room just before.
            if self.write_waits || self.flow.is_full() {
                return Poll::Pending;
            }
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = &result {
            self.after_read(buffer.filled().get(before..).unwrap_or_default())?;
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(result)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

    use super::{Flow, Metered};
    use crate::limits::{CONNECTION_CALLS_MAX, UNSENT_BYTES_MAX};

    /// Long enough for anything that can happen to have happened.
    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn nothing_is_read_until_the_peer_has_read() {
        let (stream, mut peer) = duplex(4);
        let (mut reader, mut writer) = split(Metered::new(stream, Flow::new()));
        let writing = tokio::spawn(async move { writer.write_all(b"answered").await });
        peer.write_all(b"ask").await.expect("room for three bytes");
        tokio::task::yield_now().await;
        let mut asked = [0; 3];
        let early = tokio::time::timeout(SOON, reader.read_exact(&mut asked)).await;
        assert!(early.is_err(), "an answer waits for the peer");
        let mut answer = [0; 8];
        peer.read_exact(&mut answer).await.expect("the answer");
        reader.read_exact(&mut asked).await.expect("now it is read");
        assert_eq!((&answer, &asked), (b"answered", b"ask"));
        writing.await.expect("no panic").expect("written");
    }

    #[tokio::test]
    async fn no_call_begins_and_nothing_is_read_while_too_much_is_unsent() {
        let flow = Flow::new();
        let (stream, mut peer) = duplex(2 * UNSENT_BYTES_MAX);
        let (mut reader, mut writer) = split(Metered::new(stream, flow.clone()));
        peer.write_all(b"ask").await.expect("room");
        drop(flow.turn().await);
        flow.answered(UNSENT_BYTES_MAX);
        let mut asked = [0; 3];
        assert!(tokio::time::timeout(SOON, flow.turn()).await.is_err());
        assert!(tokio::time::timeout(SOON, reader.read_exact(&mut asked)).await.is_err());
        writer.write_all(&[0; 100]).await.expect("written");
        drop(flow.turn().await);
        reader.read_exact(&mut asked).await.expect("read");
    }

    #[tokio::test]
    async fn a_peer_that_speaks_http_2_is_not_read() {
        for (sent, is_read) in [(b"POST /", true), (b"PRI * ", false), (b"PROPFI", true)] {
            let (stream, mut peer) = duplex(16);
            let mut reader = Metered::new(stream, Flow::new());
            let mut read = [0; 6];
            for byte in sent {
                peer.write_all(&[*byte]).await.expect("room");
            }
            assert_eq!(reader.read_exact(&mut read).await.is_ok(), is_read, "{sent:?}");
        }
    }

    #[tokio::test]
    async fn calls_take_turns() {
        let flow = Flow::new();
        let mut turns = Vec::new();
        for _ in 0..CONNECTION_CALLS_MAX {
            turns.push(flow.turn().await);
        }
        assert!(tokio::time::timeout(SOON, flow.turn()).await.is_err());
        turns.pop();
        drop(flow.turn().await);
    }
}
