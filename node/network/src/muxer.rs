//! A connection that can always be closed.
//!
//! The library closes a connection by flushing it, and waits for that without a limit. On a dead line whose buffers are full,
//! that would be until the system gives the line up, a quarter of an hour later; until then the peer counts as connected, and
//! gossip does not greet it on a new connection. Here, closing ends after [`CLOSE_TIMEOUT`], and the socket is dropped.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox};
use tokio::time::Sleep;

/// How long a connection may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection's streams, and the patience to close them.
pub(crate) struct Closable {
    streams: StreamMuxerBox,
    closing: Option<Pin<Box<Sleep>>>,
}

impl Closable {
    pub(crate) fn boxed(streams: StreamMuxerBox) -> StreamMuxerBox {
        StreamMuxerBox::new(Self { streams, closing: None })
    }
}

impl StreamMuxer for Closable {
    type Substream = SubstreamBox;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<SubstreamBox>> {
        Pin::new(&mut self.streams).poll_inbound(cx)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<SubstreamBox>> {
        Pin::new(&mut self.streams).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(result) = Pin::new(&mut self.streams).poll_close(cx) {
            return Poll::Ready(result);
        }
        let timeout = self.closing.get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSE_TIMEOUT)));
        timeout.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.streams).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::poll_fn;

    use super::*;

    /// A connection that never gets rid of its last bytes.
    struct Stuck;

    impl StreamMuxer for Stuck {
        type Substream = SubstreamBox;
        type Error = io::Error;

        fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<SubstreamBox>> {
            Poll::Pending
        }

        fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<SubstreamBox>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_dead_line_with_full_buffers_closes_too() {
        let mut stuck = Closable::boxed(StreamMuxerBox::new(Stuck));
        let closing = poll_fn(|cx| Pin::new(&mut stuck).poll_close(cx));
        let closed = tokio::time::timeout(30 * CLOSE_TIMEOUT, closing).await.expect("closing ends by itself");
        assert!(closed.is_err(), "it was cut short");
    }
}
