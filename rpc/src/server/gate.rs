//! In front of JSON-RPC: origins of pages, the raw routes, and the time that a request may take.
//!
//! | route | answer |
//! |---|---|
//! | `GET /health` | 200 if the node is up to date, else 503, and why |
//! | `GET /metrics` | metrics in the text format of Prometheus |
//! | `POST /tx` | takes an encoded `Vec<Vec<u8>>` as `application/octet-stream`: 200, how many were taken and what was refused |
//! | `POST /`, WebSocket at `/` | JSON-RPC |
//!
//! `POST /tx` is 503 with `Retry-After` if the node is too busy to take anything of it, and 400 if it is no list, or a list of
//! too many; in both cases nothing was taken.
//!
//! A browser names the origin of the page in every request that could do harm. Origins that are not listed are refused,
//! because a WebSocket knows no CORS; and since both kinds of `POST` need a content type that a plain form cannot send, a
//! page cannot call without asking first (a preflight), which is refused too.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cairn_types::transaction::split_batch;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH,
    CONTENT_TYPE, HOST, HeaderValue, ORIGIN, RETRY_AFTER, VARY,
};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use jsonrpsee::core::BoxError;
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tower::{Layer, Service};

use super::crowd::{Crowd, Guest};
use crate::backend::Backend;
use crate::error::CallError;
use crate::limits::{
    BODIES_KIB_MAX, BODY_TIMEOUT, CALL_TIMEOUT, LONG_ANSWER_BYTES, LONG_ANSWERS_KIB_MAX, PLACE_PATIENCE,
    REQUEST_TIMEOUT, RETRY_AFTER_S, SUBMIT_TRANSACTIONS_MAX,
};
use crate::service::{node, tx};

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const OCTETS: &str = "application/octet-stream";
/// The text format of Prometheus and OpenMetrics.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the gate knows.
struct Rules<B> {
    backend: Arc<B>,
    origins: Vec<String>,
    body_bytes_max: u32,
    /// KiB of bodies that may still be taken in.
    bodies: Semaphore,
    /// KiB of long answers that may still wait for their readers.
    answers: Arc<Semaphore>,
    crowd: Arc<Crowd>,
}

/// Puts a [`Gate`] before a service.
pub(super) struct GateLayer<B> {
    rules: Arc<Rules<B>>,
}

impl<B> GateLayer<B> {
    pub(super) fn new(backend: Arc<B>, origins: Vec<String>, body_bytes_max: u32, crowd: Arc<Crowd>) -> Self {
        let bodies = Semaphore::new(usize::try_from(BODIES_KIB_MAX).unwrap_or(Semaphore::MAX_PERMITS));
        let answers = Arc::new(Semaphore::new(LONG_ANSWERS_KIB_MAX));
        Self { rules: Arc::new(Rules { backend, origins, body_bytes_max, bodies, answers, crowd }) }
    }
}

impl<B> Clone for GateLayer<B> {
    fn clone(&self) -> Self {
        Self { rules: Arc::clone(&self.rules) }
    }
}

impl<B, S> Layer<S> for GateLayer<B> {
    type Service = Gate<B, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gate { inner, rules: Arc::clone(&self.rules) }
    }
}

/// A service behind the gate.
pub(super) struct Gate<B, S> {
    inner: S,
    rules: Arc<Rules<B>>,
}

impl<B, S: Clone> Clone for Gate<B, S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), rules: Arc::clone(&self.rules) }
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, BoxError>> + Send>>;

impl<B, S, R> Service<HttpRequest<R>> for Gate<B, S>
where
    B: Backend,
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<R>) -> Self::Future {
        let request = request.map(HttpBody::new);
        let origin = match self.rules.origin(&request) {
            Ok(origin) => origin,
            Err(NotAllowed) => return ready(plain(StatusCode::FORBIDDEN, "this origin is not allowed\n")),
        };
        let answer: Answer = match (request.method(), request.uri().path()) {
            (&Method::OPTIONS, _) if origin.is_some() => ready(plain(StatusCode::NO_CONTENT, "")),
            (&Method::GET, "/health") => ready(self.rules.health()),
            (&Method::GET, "/metrics") => ready(answer(StatusCode::OK, METRICS, self.rules.backend.metrics())),
            (&Method::POST, "/tx") => {
                let rules = Arc::clone(&self.rules);
                Box::pin(async move {
                    Ok(match rules.take_in(request).await {
                        Ok((request, _room)) => rules.submit(request).await,
                        Err(refusal) => refusal.answer(&rules),
                    })
                })
            }
            (&Method::POST, "/") => {
                let (rules, mut inner) = (Arc::clone(&self.rules), self.inner.clone());
                Box::pin(async move {
                    match rules.take_in(request).await {
                        Ok((request, _room)) => {
                            let answer = inner.call(request.map(|body| HttpBody::new(Full::new(body)))).await;
                            answer.map(|answer| rules.hold(answer))
                        }
                        Err(refusal) => Ok(refusal.answer(&rules)),
                    }
                })
            }
            // What is no POST has no body that matters; a WebSocket takes in messages one by one.
            (_, "/") => Box::pin(self.inner.call(request)),
            _ => ready(plain(StatusCode::NOT_FOUND, "JSON-RPC is at /\n")),
        };
        Box::pin(async move {
            let mut response = match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
                Ok(response) => response?,
                Err(_) => plain(StatusCode::REQUEST_TIMEOUT, "the request took too long\n"),
            };
            if let Some(origin) = origin {
                allow(&mut response, origin);
            }
            Ok(response)
        })
    }
}

/// Why a body is not taken in.
enum Refusal {
    TooLarge,
    Slow,
    Cut,
}

impl Refusal {
    fn answer<B>(&self, rules: &Rules<B>) -> HttpResponse {
        match self {
            Self::TooLarge => jsonrpsee::server::http::response::too_large(rules.body_bytes_max),
            Self::Slow => plain(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
            Self::Cut => plain(StatusCode::BAD_REQUEST, "the body ended early\n"),
        }
    }
}

/// A page of this origin may not call.
struct NotAllowed;

impl<B: Backend> Rules<B> {
    /// The origin to allow, if a page asks.
    fn origin(&self, request: &HttpRequest) -> Result<Option<HeaderValue>, NotAllowed> {
        let Some(origin) = request.headers().get(ORIGIN) else {
            return Ok(None);
        };
        let text = origin.to_str().unwrap_or_default();
        let is_own =
            request.headers().get(HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| {
                text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) == Some(host)
            });
        if is_own || self.origins.iter().any(|listed| listed == text) {
            Ok(Some(origin.clone()))
        } else {
            Err(NotAllowed)
        }
    }

    fn health(&self) -> HttpResponse {
        let health = node::health(&*self.backend);
        let status = if health.value.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json(status, &health)
    }

    /// Reads a body as soon as there is room for it, and keeps the room for as long as the answer takes.
    async fn take_in(&self, request: HttpRequest) -> Result<(http::Request<Bytes>, SemaphorePermit<'_>), Refusal> {
        let limit = self.body_bytes_max;
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let expected: u32 = announced.unwrap_or(limit);
        if expected > limit {
            return Err(Refusal::TooLarge);
        }
        let (parts, body) = request.into_parts();
        let guest = parts.extensions.get::<Arc<Guest>>().cloned();
        let reading = async {
            let room = self.bodies.acquire_many(expected.div_ceil(1024).max(1)).await;
            let room = room.expect("the semaphore is never closed");
            let limit = usize::try_from(expected).unwrap_or(usize::MAX);
            let _waiting = guest.as_ref().map(Guest::wait);
            match Limited::new(body, limit).collect().await {
                Ok(body) => Ok((body.to_bytes(), room)),
                Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
                Err(_) => Err(Refusal::Cut),
            }
        };
        let (body, room) = tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| Refusal::Slow)??;
        Ok((http::Request::from_parts(parts, body), room))
    }

    /// Counts a long answer until it is read, if there is room for it.
    fn hold(&self, answer: HttpResponse) -> HttpResponse {
        let bytes = answer.body().size_hint().lower();
        if bytes <= LONG_ANSWER_BYTES {
            return answer;
        }
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        match Arc::clone(&self.answers).try_acquire_many_owned(kib) {
            Ok(room) => answer.map(|body| HttpBody::new(Held { body, _room: room })),
            Err(_) => {
                self.crowd.make_room(PLACE_PATIENCE);
                busy("too many long answers wait for their readers; ask again later\n")
            }
        }
    }

    async fn submit(&self, request: http::Request<Bytes>) -> HttpResponse {
        if request.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != OCTETS) {
            return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type: application/octet-stream is required\n");
        }
        let body = request.into_body();
        let transactions = match split_batch(&body, SUBMIT_TRANSACTIONS_MAX) {
            Ok(transactions) => transactions.into_iter().map(<[u8]>::to_vec).collect(),
            Err(error) => {
                let error = CallError::parameter("body", format_args!("not a list of transactions: {error}"));
                return json(StatusCode::BAD_REQUEST, &error.view());
            }
        };
        let limit_ms = u64::try_from(CALL_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        match tokio::time::timeout(CALL_TIMEOUT, tx::take(&*self.backend, transactions)).await {
            Ok((taken, false)) => self.hold(json(StatusCode::OK, &taken)),
            Ok((taken, true)) => {
                let mut answer = json(StatusCode::SERVICE_UNAVAILABLE, &taken);
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
                self.hold(answer)
            }
            Err(_) => json(StatusCode::SERVICE_UNAVAILABLE, &CallError::Timeout { limit_ms }.view()),
        }
    }
}

/// A long answer on its way, which gives its room back when it is dropped.
struct Held {
    body: HttpBody,
    _room: OwnedSemaphorePermit,
}

impl Body for Held {
    type Data = Bytes;
    type Error = <HttpBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn ready(response: HttpResponse) -> Answer {
    Box::pin(std::future::ready(Ok(response)))
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<HttpBody>) -> HttpResponse {
    let mut response = HttpResponse::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Says that the node has no room.
pub(super) fn busy(text: &'static str) -> HttpResponse {
    plain(StatusCode::SERVICE_UNAVAILABLE, text)
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    answer(status, TEXT, text)
}

fn json(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    match serde_json::to_string(value) {
        Ok(text) => answer(status, JSON, text),
        Err(error) => {
            tracing::error!(%error, "an answer does not serialize");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the node cannot answer\n")
        }
    }
}

/// Tells a browser that the page may read the answer.
fn allow(response: &mut HttpResponse, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(VARY, HeaderValue::from_static("origin"));
}
