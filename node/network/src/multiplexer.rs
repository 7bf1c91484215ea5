//! Yamux with a bound on what a connection may hold unread.
//!
//! A stream's window grows when its peer seems far away and its data is read quickly, and a peer can seem as far away as it
//! likes. The library's wrapper leaves a connection the default of 1 GiB for that, and no way to change it; so the streams of
//! a connection are cut here, from the same `yamux` crate, with [`UNREAD_BYTES_MAX`] for all of them together.
//!
//! Nothing but the wrapping is done here.

use std::{
    collections::VecDeque,
    future::{Ready, ready},
    io, iter,
    pin::Pin,
    task::{Context, Poll, Waker, ready as or_pending},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::{
    UpgradeInfo,
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
};
use yamux::{Connection, ConnectionError, Mode, Stream};

/// Streams on one connection: sixteen requests, as many answers, and a few of each other protocol.
const STREAMS_PER_CONNECTION_MAX: usize = 64;
/// What a connection may hold unread, in bytes: 256 KiB for each stream, which is where windows begin. One stream alone may
/// use nearly all of it: enough to fill a line of 1 Gbit/s around the world.
const UNREAD_BYTES_MAX: usize = STREAMS_PER_CONNECTION_MAX * 256 * 1024;
/// Streams that the peer opened and nobody has taken yet; as many as it may open.
const BUFFERED_MAX: usize = STREAMS_PER_CONNECTION_MAX;

/// Asks for Yamux when a connection is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Yamux;

impl Yamux {
    fn over<C: AsyncRead + AsyncWrite + Unpin>(socket: C, mode: Mode) -> Ready<io::Result<Muxer<C>>> {
        let mut config = yamux::Config::default();
        // In this order: the window must never be too small for the streams.
        config.set_max_num_streams(STREAMS_PER_CONNECTION_MAX);
        config.set_max_connection_receive_window(Some(UNREAD_BYTES_MAX));
        let connection = Connection::new(socket, config, mode);
        ready(Ok(Muxer { connection, buffered: VecDeque::new(), taker: None }))
    }
}

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_inbound(self, socket: C, _: &'static str) -> Self::Future {
        Self::over(socket, Mode::Server)
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_outbound(self, socket: C, _: &'static str) -> Self::Future {
        Self::over(socket, Mode::Client)
    }
}

/// A connection's streams.
pub(crate) struct Muxer<C> {
    connection: Connection<C>,
    /// Streams that came while somebody looked after the connection who did not want one.
    buffered: VecDeque<Stream>,
    /// Whom to wake when there is one.
    taker: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> Muxer<C> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_next_inbound(cx).map(|next| next.unwrap_or(Err(ConnectionError::Closed)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        if let Some(stream) = self.buffered.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let next = self.poll_next(cx);
        if next.is_pending() {
            self.taker = Some(cx.waker().clone());
        }
        next
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_new_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        self.connection.poll_close(cx)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        let this = self.get_mut();
        let stream = or_pending!(this.poll_next(cx))?;
        // Without room it is dropped, which resets it.
        if this.buffered.len() < BUFFERED_MAX {
            this.buffered.push_back(stream);
            if let Some(taker) = this.taker.take() {
                taker.wake();
            }
        }
        // There may be more, but others shall have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
