//! Listening, and everything that stands between the network and a method.
//!
//! ```text
//! TCP ─► connections (bounded; idle ones closed, at once if somebody wants in: crowd; who does not read is not read
//!          │           from: flow)
//!          └─► host filter ─► gate (origins, raw routes, bodies, time) ─► jsonrpsee (batches, subscriptions)
//!                                                        └─► calls (known parameters, bounded, timed) ─► method
//! ```
//!
//! It does not know what methods do. The invariant it keeps: whatever arrives, memory, time and connections stay within
//! [`crate::limits`], and nobody whom the configuration does not name reaches a method: a page in a browser can neither
//! rebind a name to this address (host filter) nor call from another origin (gate).

mod calls;
mod connections;
mod crowd;
mod direct;
mod flow;
mod gate;
mod config;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use jsonrpsee::server::middleware::http::{Authority, HostFilterLayer};
use jsonrpsee::server::middleware::rpc::RpcServiceBuilder;
use jsonrpsee::server::{BatchRequestConfig, Methods, PingConfig, Server, ServerConfig, ServerHandle, stop_channel};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use config::{ConfigError, RpcConfig};
pub use direct::Direct;

use crate::backend::Backend;
use crate::limits::{
    ANSWER_BYTES_MAX, BATCH_CALLS_MAX, CALLS_MAX, CONNECTION_MESSAGES_MAX, PING_INTERVAL, SUBSCRIPTIONS_MAX, WAITS_MAX,
};
use crate::service::Service;
use calls::{CallLayer, CallLimits};
use connections::{Connections, Seats};
use crowd::Crowd;
use gate::GateLayer;

/// Why the interface cannot be served. Whoever configured the node is to blame.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for JSON-RPC")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A host pattern that is none.
    #[error("{host:?} is no host pattern such as localhost:*")]
    Host {
        /// The pattern.
        host: String,
    },
}

/// A server at work. It stops when this is dropped, without waiting.
#[derive(Debug)]
pub struct RpcServer {
    address: SocketAddr,
    stop: ServerHandle,
    task: JoinHandle<()>,
}

impl RpcServer {
    /// Where it listens: the port is the real one, if 0 was configured.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses new connections, lets calls finish for at most [`crate::limits::STOP_GRACE`], and returns.
    pub async fn stop(self) {
        // An error means that it has stopped already.
        let _ = self.stop.stop();
        let _ = self.task.await;
    }

    /// Returns when the server has ended by itself, which is a fault.
    pub async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }
}

/// Listens, and answers until the [`RpcServer`] is stopped or dropped.
///
/// # Errors
/// [`ServeError`], if the configuration is invalid or the address is taken.
pub async fn serve<B: Backend>(config: RpcConfig, backend: Arc<B>) -> Result<RpcServer, ServeError> {
    config.validate()?;
    let listen = |source| ServeError::Listen { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let connections_max = config.connections_max;
    let crowd = Arc::new(Crowd::default());
    let (builder, methods) = assemble(config, &backend, &crowd)?;
    let (stop_handle, stop) = stop_channel();
    let seats = Seats::new(connections_max, crowd);
    let connections = Connections::new(listener, builder, methods, stop_handle, seats);
    let task = tokio::spawn(connections.accept());
    tracing::info!(%address, "serving JSON-RPC");
    Ok(RpcServer { address, stop, task })
}

/// The methods, and all that stands before them.
fn assemble<B: Backend>(
    config: RpcConfig,
    backend: &Arc<B>,
    crowd: &Arc<Crowd>,
) -> Result<(connections::Builder<B>, Methods), ServeError> {
    for host in &config.hosts {
        Authority::try_from(host.as_str()).map_err(|_| ServeError::Host { host: host.clone() })?;
    }
    let host_filter = HostFilterLayer::new(config.hosts.iter().map(String::as_str))
        .expect("every pattern was parsed in the lines above");

    let methods =
        Service::new(Arc::clone(backend)).methods().expect("no two methods have one name: a test registers them all");
    let limits = ServerConfig::builder()
        .max_request_body_size(config.body_bytes_max)
        .max_response_body_size(ANSWER_BYTES_MAX)
        // Connections are bounded where they are accepted; what is bounded here are requests at work.
        .max_connections(u32::try_from(CALLS_MAX + WAITS_MAX).unwrap_or(u32::MAX))
        .max_subscriptions_per_connection(SUBSCRIPTIONS_MAX)
        .set_batch_request_config(BatchRequestConfig::Limit(BATCH_CALLS_MAX))
        .set_message_buffer_capacity(CONNECTION_MESSAGES_MAX)
        .enable_ws_ping(PingConfig::new().ping_interval(PING_INTERVAL).inactive_limit(PING_INTERVAL * 2))
        .build();
    let http = tower::ServiceBuilder::new().layer(host_filter).layer(GateLayer::new(
        Arc::clone(backend),
        config.origins,
        config.body_bytes_max,
        Arc::clone(crowd),
    ));
    let calls = RpcServiceBuilder::new().layer(CallLayer::new(CallLimits::default()));
    let builder = Server::builder().set_config(limits).set_http_middleware(http).set_rpc_middleware(calls);
    Ok((builder.to_service_builder(), methods.into()))
}
