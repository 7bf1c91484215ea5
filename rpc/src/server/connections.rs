//! Accepting connections: at most so many, and none that does nothing while others want in.
//!
//! jsonrpsee's own loop bounds requests, not connections: an idle one would stay for ever. Here each connection holds a
//! permit from before it is accepted until it, or the WebSocket that it became, has ended.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use jsonrpsee::server::middleware::http::HostFilterLayer;
use jsonrpsee::server::{
    HttpResponse, Methods, StopHandle, TowerService, TowerServiceBuilder, serve_with_graceful_shutdown, ws,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::Service;
use tower::layer::util::{Identity, Stack};

use super::calls::CallLayer;
use super::crowd::{Crowd, Place};
use super::flow::{Flow, Metered};
use super::gate::{GateLayer, busy};
use crate::backend::Backend;
use crate::limits::{IDLE_TIMEOUT, PLACE_PATIENCE, SOCKETS_MAX, STOP_GRACE};

/// How long to wait when the system can accept nothing more, for instance for want of file descriptors: trying again at
/// once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often somebody is asked to make room, while one waits for a place.
const ROOM_INTERVAL: Duration = Duration::from_millis(50);

/// The layers in front of JSON-RPC, for requests and for calls.
type HttpLayers<B> = Stack<GateLayer<B>, Stack<HostFilterLayer, Identity>>;
type CallLayers = Stack<CallLayer, Identity>;

/// What makes a service for each connection.
pub(super) type Builder<B> = TowerServiceBuilder<CallLayers, HttpLayers<B>>;

/// The loop that accepts.
pub(super) struct Connections<B> {
    listener: TcpListener,
    builder: Builder<B>,
    methods: Methods,
    stop: StopHandle,
    seats: Seats,
}

impl<B: Backend> Connections<B> {
    pub(super) fn new(
        listener: TcpListener,
        builder: Builder<B>,
        methods: Methods,
        stop: StopHandle,
        seats: Seats,
    ) -> Self {
        Self { listener, builder, methods, stop, seats }
    }

    /// Accepts until it is told to stop, then lets what is at work finish for a while.
    pub(super) async fn accept(self) {
        let mut tasks = JoinSet::new();
        let stopped = self.stop.clone().shutdown();
        tokio::pin!(stopped);
        let mut newcomer: Option<TcpStream> = None;
        loop {
            tokio::select! {
                () = &mut stopped => break,
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                accepted = self.listener.accept(), if newcomer.is_none() => match accepted {
                    Ok((socket, _)) => newcomer = Some(socket),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                permit = self.seats.permit(), if newcomer.is_some() => {
                    if let Some(socket) = newcomer.take() {
                        let service = self.builder.clone().build(self.methods.clone(), self.stop.clone());
                        let (place, sockets) = (self.seats.crowd.enter(), Arc::clone(&self.seats.sockets));
                        let seat = Seat { permit, place, sockets };
                        tasks.spawn(serve(service, socket, self.stop.clone(), seat));
                    }
                }
            }
        }
        drop(self.listener);
        let finished = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE, finished).await.is_err() {
            tracing::debug!("calls that did not finish in time are cut off");
        }
    }
}

/// How many there may be, and who makes room for the next.
pub(super) struct Seats {
    permits: Arc<Semaphore>,
    sockets: Arc<Semaphore>,
    crowd: Arc<Crowd>,
}

impl Seats {
    pub(super) fn new(connections_max: usize, crowd: Arc<Crowd>) -> Self {
        let [permits, sockets] = [connections_max, SOCKETS_MAX.min(connections_max.div_ceil(2))]
            .map(|number| Arc::new(Semaphore::new(number)));
        Self { permits, sockets, crowd }
    }

    /// A permit, as soon as there is one; others are asked to make room. May be dropped while waiting.
    async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return permit;
            }
            self.crowd.make_room(PLACE_PATIENCE);
            let waiting = tokio::time::timeout(ROOM_INTERVAL, Arc::clone(&self.permits).acquire_owned());
            if let Ok(permit) = waiting.await {
                return permit.expect("the semaphore is never closed");
            }
        }
    }
}

/// What a connection holds for as long as it lives.
struct Seat {
    permit: OwnedSemaphorePermit,
    place: Place,
    sockets: Arc<Semaphore>,
}

/// Counts a request as at work until it is dropped.
struct AtWork(Arc<watch::Sender<usize>>);

impl AtWork {
    fn new(requests: &Arc<watch::Sender<usize>>) -> Self {
        requests.send_modify(|number| *number += 1);
        Self(Arc::clone(requests))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.send_modify(|number| *number -= 1);
    }
}

/// Ends when nothing was at work for so long.
async fn idle(mut requests: watch::Receiver<usize>, timeout: Duration) {
    while requests.wait_for(|number| *number == 0).await.is_ok() {
        match tokio::time::timeout(timeout, requests.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// The answer to one request.
type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

/// What ends when a WebSocket does.
type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves one connection, and the WebSocket that it may become.
async fn serve<B: Backend>(
    service: TowerService<CallLayers, HttpLayers<B>>,
    socket: TcpStream,
    stop: StopHandle,
    seat: Seat,
) {
    if socket.set_nodelay(true).is_err() {
        // The peer has gone already.
        return;
    }
    let Seat { permit, place, sockets } = seat;
    let requests = Arc::new(watch::Sender::new(0_usize));
    let watched = requests.subscribe();
    let session: Arc<Mutex<Option<(Session, OwnedSemaphorePermit)>>> = Arc::default();
    let guest = Arc::clone(place.guest());
    let upgraded = Arc::clone(&session);
    let flow = Flow::new();
    let flow_of_calls = Arc::clone(&flow);
    let service = tower::service_fn(move |mut request: http::Request<Incoming>| {
        let at_work = (AtWork::new(&requests), guest.work());
        let mut service = service.clone();
        request.extensions_mut().insert(Arc::clone(&guest));
        let mut socket = None;
        if ws::is_upgrade_request(&request) {
            let Ok(permit) = Arc::clone(&sockets).try_acquire_owned() else {
                let answer: Answer =
                    Box::pin(async { Ok(busy("all WebSockets are taken; use HTTP, or come back later\n")) });
                return answer;
            };
            // Every call of the WebSocket carries what its first request carried.
            request.extensions_mut().insert(Arc::clone(&flow_of_calls));
            let closed: Session = Box::pin(service.on_session_closed());
            socket = Some((closed, permit));
        }
        let response = service.call(request);
        let (upgraded, guest) = (Arc::clone(&upgraded), Arc::clone(&guest));
        let answer: Answer = Box::pin(async move {
            let response = response.await.unwrap_or_else(|error| {
                tracing::debug!(%error, "a request failed");
                jsonrpsee::server::http::response::internal_error()
            });
            if socket.is_some() && response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
                guest.becomes_socket();
                *upgraded.lock().unwrap_or_else(PoisonError::into_inner) = socket;
            }
            drop(at_work);
            Ok(response)
        });
        answer
    });
    tokio::select! {
        ended = serve_with_graceful_shutdown(Metered::new(socket, flow), service, stop.shutdown()) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection failed");
            }
        }
        () = idle(watched, IDLE_TIMEOUT) => {}
        () = place.asked_to_leave() => tracing::debug!("a connection that waited made room"),
    }
    let session = session.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((closed, _permit)) = session {
        closed.await;
    }
    drop((place, permit));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use tokio::sync::watch;

    use super::{AtWork, idle};

    #[tokio::test]
    async fn a_connection_is_idle_only_while_nothing_is_at_work() {
        let requests = Arc::new(watch::Sender::new(0));
        let timeout = Duration::from_millis(20);
        let (first, second) = (AtWork::new(&requests), AtWork::new(&requests));
        let watching = tokio::spawn(idle(requests.subscribe(), timeout));
        drop(first);
        tokio::time::sleep(timeout * 3).await;
        assert!(!watching.is_finished(), "one request is at work");
        let since = Instant::now();
        drop(second);
        watching.await.expect("it ends");
        assert!(since.elapsed() >= timeout);
    }
}
