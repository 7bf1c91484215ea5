//! A connection as an attacker has it: TCP from an address of its choice, Noise, Yamux, and streams that carry whatever it
//! writes. Protocols are negotiated by hand, and nothing is kept of the rules that the library would keep.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, future::poll_fn};
use libp2p::{
    core::{
        muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox},
        upgrade::OutboundConnectionUpgrade,
    },
    identity::Keypair,
    noise, tcp, yamux,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time::timeout,
};

/// How long anything may take that an honest node does at once.
const SOON: Duration = Duration::from_secs(2);
/// Streams of the victim that wait to be answered.
const INCOMING_MAX: usize = 64;
const MULTISTREAM: &str = "/multistream/1.0.0";

/// Whom to attack, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) from: Ipv4Addr,
    pub(crate) chain: [u8; 32],
    pub(crate) key: Keypair,
}

impl Target {
    /// A TCP connection, and nothing said on it yet.
    pub(crate) async fn tcp(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.from, 0)))?;
        timeout(SOON, socket.connect(self.address)).await?
    }

    /// A connection on which streams can be opened.
    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        timeout(SOON, self.handshake()).await?
    }

    async fn handshake(&self) -> io::Result<Connection> {
        let stream = self.tcp().await?;
        stream.set_nodelay(true)?;
        let mut stream = tcp::tokio::TcpStream(stream);
        negotiate(&mut stream, "/noise").await?;
        let noise = noise::Config::new(&self.key).map_err(io::Error::other)?;
        let noise = noise.with_prologue([b"cairn noise v1".as_slice(), &self.chain].concat());
        let (_, mut secured) = noise.upgrade_outbound(stream, "/noise").await.map_err(io::Error::other)?;
        negotiate(&mut secured, "/yamux/1.0.0").await?;
        let muxer = yamux::Config::default().upgrade_outbound(secured, "/yamux/1.0.0").await?;
        Ok(Connection::over(StreamMuxerBox::new(muxer)))
    }
}

/// Writes one line of the negotiation.
async fn write_line(io: &mut (impl AsyncWrite + Unpin), line: &str) -> io::Result<()> {
    let length = u8::try_from(line.len() + 1).map_err(io::Error::other)?;
    let mut bytes = vec![length];
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    io.write_all(&bytes).await
}

/// Reads one line of the negotiation.
async fn read_line(io: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut length = [0];
    io.read_exact(&mut length).await?;
    let mut line = vec![0; usize::from(length[0])];
    io.read_exact(&mut line).await?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Asks for a protocol, and waits until it is granted.
pub(crate) async fn negotiate<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S, protocol: &str) -> io::Result<()> {
    write_line(io, MULTISTREAM).await?;
    write_line(io, protocol).await?;
    io.flush().await?;
    read_line(io).await?;
    let answer = read_line(io).await?;
    if answer == protocol { Ok(()) } else { Err(io::Error::other(answer)) }
}

/// Grants whatever the victim asks for on a stream that it opened; what that is.
pub(crate) async fn grant<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S) -> io::Result<String> {
    read_line(io).await?;
    write_line(io, MULTISTREAM).await?;
    let protocol = read_line(io).await?;
    write_line(io, &protocol).await?;
    io.flush().await?;
    Ok(protocol)
}

struct Inner {
    muxer: StreamMuxerBox,
    /// Woken when a stream is wanted.
    driver: Option<Waker>,
    over: bool,
}

/// A connection of the attacker.
pub(crate) struct Connection {
    inner: Arc<Mutex<Inner>>,
    /// Streams that the victim opened.
    pub(crate) incoming: mpsc::Receiver<SubstreamBox>,
    driving: tokio::task::JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

impl Connection {
    fn over(muxer: StreamMuxerBox) -> Self {
        let inner = Arc::new(Mutex::new(Inner { muxer, driver: None, over: false }));
        let (sender, incoming) = mpsc::channel(INCOMING_MAX);
        let driven = Arc::clone(&inner);
        let driving = tokio::spawn(poll_fn(move |cx| {
            let mut inner = driven.lock().unwrap_or_else(PoisonError::into_inner);
            inner.driver = Some(cx.waker().clone());
            let ended = loop {
                match inner.muxer.poll_inbound_unpin(cx) {
                    // Without room it is dropped, which resets it.
                    Poll::Ready(Ok(stream)) => drop(sender.try_send(stream)),
                    Poll::Ready(Err(_)) => break true,
                    Poll::Pending => match inner.muxer.poll_unpin(cx) {
                        Poll::Ready(Ok(_)) => {}
                        Poll::Ready(Err(_)) => break true,
                        Poll::Pending => break false,
                    },
                }
            };
            inner.over |= ended;
            if ended { Poll::Ready(()) } else { Poll::Pending }
        }));
        Self { inner, incoming, driving }
    }

    /// Whether the victim has closed it.
    pub(crate) fn is_over(&self) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).over
    }

    /// A stream on which nothing is said yet.
    pub(crate) async fn open(&self) -> io::Result<SubstreamBox> {
        let opening = poll_fn(|cx| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if inner.over {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            if let Some(driver) = &inner.driver {
                driver.wake_by_ref();
            }
            inner.muxer.poll_outbound_unpin(cx).map_err(io::Error::other)
        });
        timeout(SOON, opening).await?
    }

    /// A stream of this protocol.
    pub(crate) async fn stream(&self, protocol: &str) -> io::Result<SubstreamBox> {
        let mut stream = self.open().await?;
        timeout(SOON, negotiate(&mut stream, protocol)).await??;
        Ok(stream)
    }

    /// A stream of agreement, which the victim confirms with a byte.
    pub(crate) async fn consensus(&self, protocol: &str) -> io::Result<SubstreamBox> {
        let mut stream = self.stream(protocol).await?;
        let mut accepted = [0];
        timeout(SOON, stream.read_exact(&mut accepted)).await??;
        Ok(stream)
    }
}
