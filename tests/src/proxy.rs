//! A bad line between two nodes: a small TCP proxy through which one of them dials the other.
//!
//! ```text
//!   node i ──dials──► Link(i, j) ──dials──► node j        one for each ordered pair
//!              outward: i to j; inward: j to i
//! ```
//!
//! It knows nothing of what flows through it. Its [`Weather`] may change at any time, for connections that stand as well as
//! for new ones. It drops no byte of a stream that stands, because TCP would not: **loss** is what it does to a stream, the
//! wait for each retransmission, doubled while the same piece is lost again, and a reset when that goes on too long. A
//! **stalled** way is a line that is cut without a word: what was sent stays on the way and arrives when the line is back,
//! unless somebody hangs up before. A **severed** link hangs up, and takes no new connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// Most bytes that are moved, or lost, at once: some ten packets of a LAN.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// Most pieces that are on their way; beyond, the sender waits as it would for a full window.
const PIECES_MAX: usize = 64;

/// How long a sender waits before it sends a lost piece again the first time: Linux' shortest retransmission timeout.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// How often in a row a piece is lost before the connection is given up.
const LOSSES_MAX: u32 = 6;

/// What a line is like now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// What the one who dials sends does not arrive.
    pub outward_stalled: bool,
    /// What the one who is dialled sends does not arrive.
    pub inward_stalled: bool,
    /// Every connection is hung up.
    pub severed: bool,
    /// How long everything is on its way.
    pub delay: Duration,
    /// How many bytes a second a connection carries each way; as many as it can, if none.
    pub bytes_per_second: Option<u32>,
    /// How many of a hundred pieces are lost, and sent again.
    pub loss_percent: u8,
}

/// A line that may be bad, until it is dropped.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Outward,
    Inward,
}

impl Weather {
    const fn is_stalled(&self, way: Way) -> bool {
        match way {
            Way::Outward => self.outward_stalled,
            Way::Inward => self.inward_stalled,
        }
    }
}

impl Link {
    /// A good line to `target`, at a port of its own on loopback. The seed decides what is lost when it turns bad.
    ///
    /// # Errors
    /// What the system says when it has no port.
    pub async fn to(target: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (weather, watched) = watch::channel(Weather::default());
        let accepting = tokio::spawn(accept(listener, target, watched, seed));
        Ok(Self { address, weather, accepting })
    }

    /// Where to dial.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, weather: watch::Receiver<Weather>, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    // Ended with this task.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((here, _)) => {
                    connections.spawn(connect(here, target, weather.clone(), dice.random()));
                }
                // Out of files for a moment, or hung up at once: the dialler comes again.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until either side, or the weather, ends it.
async fn connect(here: TcpStream, target: SocketAddr, weather: watch::Receiver<Weather>, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let (mut open, mut severed) = (weather.clone(), weather.clone());
    let carry = async {
        // A handshake needs both ways.
        open.wait_for(|weather| !weather.outward_stalled && !weather.inward_stalled).await.map_err(io::Error::other)?;
        let there = TcpStream::connect(target).await?;
        here.set_nodelay(true)?;
        there.set_nodelay(true)?;
        let ((from_here, to_here), (from_there, to_there)) = (here.into_split(), there.into_split());
        tokio::try_join!(
            pump(from_here, to_there, Way::Outward, weather.clone(), StdRng::seed_from_u64(dice.random())),
            pump(from_there, to_here, Way::Inward, weather.clone(), StdRng::seed_from_u64(dice.random())),
        )?;
        Ok::<(), io::Error>(())
    };
    tokio::select! {
        // How it ended is the nodes' to notice.
        _ = carry => {}
        _ = severed.wait_for(|weather| weather.severed) => {}
    }
}

/// Carries one way of a connection.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    weather: watch::Receiver<Weather>,
    mut dice: StdRng,
) -> io::Result<()> {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let mut arriving = weather.clone();
    let read = async move {
        let (mut wire_is_free, mut last) = (Instant::now(), Instant::now());
        let mut buffer = vec![0; PIECE_BYTES_MAX];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            let now = *weather.borrow();
            wire_is_free = wire_is_free.max(Instant::now()) + on_the_wire(count, now.bytes_per_second);
            // A stream keeps its order: what was lost holds up what comes after it.
            last = last.max(wire_is_free + now.delay + lost_for(now.loss_percent, &mut dice)?);
            if sender.send((last, buffer[..count].to_vec())).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = pieces.recv().await {
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            pass(&mut arriving, way).await?;
            to.write_all(&piece).await?;
        }
        pass(&mut arriving, way).await?;
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(|_| ())
}

/// Waits until the way is open.
async fn pass(weather: &mut watch::Receiver<Weather>, way: Way) -> io::Result<()> {
    weather.wait_for(|weather| !weather.is_stalled(way)).await.map_err(io::Error::other)?;
    Ok(())
}

fn on_the_wire(bytes: usize, bytes_per_second: Option<u32>) -> Duration {
    match bytes_per_second {
        Some(rate) if rate > 0 => Duration::from_secs_f64(bytes as f64 / f64::from(rate)),
        _ => Duration::ZERO,
    }
}

/// How long a piece is late because it was lost.
///
/// # Errors
/// A reset, if it was lost too often.
fn lost_for(loss_percent: u8, dice: &mut StdRng) -> io::Result<Duration> {
    let mut late = Duration::ZERO;
    for losses in 0..LOSSES_MAX {
        if loss_percent == 0 || dice.random_range(0..100) >= loss_percent {
            return Ok(late);
        }
        late += RETRANSMISSION * 2_u32.pow(losses);
    }
    Err(io::ErrorKind::ConnectionReset.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{Instant, timeout};

    use super::{Link, Weather};

    /// Both ends of a connection through a link.
    async fn connected() -> (Link, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let link = Link::to(listener.local_addr().expect("it is bound"), 1).await.expect("a port");
        let here = TcpStream::connect(link.address()).await.expect("the link listens");
        let (there, _) = listener.accept().await.expect("the link dials");
        (link, here, there)
    }

    async fn arrives(from: &mut TcpStream, to: &mut TcpStream, within: Duration) -> bool {
        from.write_all(b"word").await.expect("the line takes it");
        let mut word = [0; 4];
        timeout(within, to.read_exact(&mut word)).await.is_ok_and(|read| read.is_ok() && word == *b"word")
    }

    const SOON: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(150);

    #[tokio::test]
    async fn one_way_is_cut_and_the_other_goes_on_and_nothing_is_lost_when_it_is_back() {
        let (link, mut here, mut there) = connected().await;
        assert!(arrives(&mut here, &mut there, SOON).await);
        link.set(Weather { outward_stalled: true, ..Weather::default() });
        assert!(!arrives(&mut here, &mut there, SHORT).await, "outward is cut");
        assert!(arrives(&mut there, &mut here, SOON).await, "inward is not");
        link.set(Weather::default());
        let mut word = [0; 4];
        timeout(SOON, there.read_exact(&mut word)).await.expect("it arrives").expect("it stands");
        assert_eq!(word, *b"word", "what was on its way");
    }

    #[tokio::test]
    async fn a_severed_link_hangs_up_and_a_slow_one_takes_its_time() {
        let (link, mut here, mut there) = connected().await;
        let delay = Duration::from_millis(80);
        link.set(Weather { delay, ..Weather::default() });
        let began = Instant::now();
        assert!(arrives(&mut here, &mut there, SOON).await);
        assert!(began.elapsed() >= delay);
        link.set(Weather { severed: true, ..Weather::default() });
        let ended = timeout(SOON, here.read(&mut [0; 4])).await.expect("it hangs up");
        assert!(matches!(ended, Ok(0) | Err(_)), "no byte comes");
    }

    #[tokio::test]
    async fn loss_delays_a_stream_or_resets_it_and_changes_no_byte() {
        let (link, mut here, mut there) = connected().await;
        link.set(Weather { loss_percent: 30, ..Weather::default() });
        let began = Instant::now();
        for _ in 0..8 {
            assert!(arrives(&mut here, &mut there, SOON).await);
        }
        assert!(began.elapsed() >= super::RETRANSMISSION, "of eight pieces some were lost");
        link.set(Weather { loss_percent: 100, ..Weather::default() });
        assert!(!arrives(&mut here, &mut there, SOON).await, "what is always lost ends the connection");
    }
}
