//! The whole interface without a socket: for tests that ask a million times, and for whoever embeds the methods.
//!
//! What stands between the network and a method stands here too, apart from connections: hosts, origins, raw routes, bodies,
//! batches, known parameters, time and numbers. It does not speak WebSocket, because an upgrade needs a connection.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use jsonrpsee::server::{Methods, StopHandle, stop_channel};
use tower::Service;

use super::{RpcConfig, ServeError, assemble, connections::Builder};
use crate::backend::Backend;

/// The interface of one node.
pub struct Direct<B> {
    builder: Builder<B>,
    methods: Methods,
    stop: StopHandle,
    /// Nothing is answered once this is gone.
    _running: jsonrpsee::server::ServerHandle,
}

impl<B: Backend> Direct<B> {
    /// The interface over a node, as [`crate::serve`] would put it on the network.
    ///
    /// # Errors
    /// [`ServeError`], if the configuration is invalid.
    pub fn new(config: RpcConfig, backend: &Arc<B>) -> Result<Self, ServeError> {
        config.validate()?;
        let (builder, methods) = assemble(config, backend, &Arc::default())?;
        let (stop, running) = stop_channel();
        Ok(Self { builder, methods, stop, _running: running })
    }

    /// The answer to one request, which must be asked for within a tokio runtime. `None` if there is none, because the
    /// connection would have been closed.
    pub async fn answer(&self, request: http::Request<Vec<u8>>) -> Option<http::Response<Vec<u8>>> {
        let mut service = self.builder.clone().build(self.methods.clone(), self.stop.clone());
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let (parts, body) = service.call(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes().to_vec();
        Some(http::Response::from_parts(parts, body))
    }
}
