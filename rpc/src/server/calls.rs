//! What happens to every call before and around its method: its parameters are known, its time and its number bounded.

use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification};
use jsonrpsee::server::MethodResponse;
use jsonrpsee::server::middleware::rpc::RpcServiceT;
use jsonrpsee::types::{ErrorObjectOwned, Id, Request};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::flow::Flow;
use crate::contract::{self, Method};
use crate::error::CallError;
use crate::limits::{CALL_TIMEOUT, CALLS_MAX, WAIT_MAX, WAITS_MAX};

/// The method that waits, and is counted apart.
const WAIT: &str = "tx_wait";

/// How long a wait or a batch, which may hold waits, can take: the longest wait, and the time of a call.
const WAIT_TIMEOUT: Duration = WAIT_MAX.saturating_add(Duration::from_secs(5));

const _: () = assert!(WAIT_TIMEOUT.as_secs() < crate::limits::REQUEST_TIMEOUT.as_secs());

/// How many calls may be at work, and for how long.
#[derive(Debug)]
pub(super) struct CallLimits {
    calls: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    call_timeout: Duration,
    wait_timeout: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            waits: Arc::new(Semaphore::new(WAITS_MAX)),
            call_timeout: CALL_TIMEOUT,
            wait_timeout: WAIT_TIMEOUT,
        }
    }
}

impl CallLimits {
    fn acquire(semaphore: &Arc<Semaphore>, number: usize) -> Result<OwnedSemaphorePermit, CallError> {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Arc::clone(semaphore).try_acquire_many_owned(number).map_err(|_| CallError::Overloaded)
    }

    /// A place among the calls at work, or the waits.
    fn place(&self, method: &str) -> Result<OwnedSemaphorePermit, CallError> {
        Self::acquire(if method == WAIT { &self.waits } else { &self.calls }, 1)
    }

    /// Places for a batch.
    fn places(&self, calls: usize) -> Result<OwnedSemaphorePermit, CallError> {
        Self::acquire(&self.calls, calls)
    }

    fn timeout(&self, method: &str) -> Duration {
        if method == WAIT { self.wait_timeout } else { self.call_timeout }
    }
}

/// The flow of the WebSocket that a call came by. Over HTTP there is none: the next request waits for the answer.
fn flow_of(request: &Request<'_>) -> Option<Arc<Flow>> {
    request.extensions().get::<Arc<Flow>>().cloned()
}

async fn turn(flow: &Option<Arc<Flow>>) -> Option<OwnedSemaphorePermit> {
    match flow {
        Some(flow) => Some(flow.turn().await),
        None => None,
    }
}

async fn timed<T>(limit: Duration, work: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    tokio::time::timeout(limit, work).await.unwrap_or(Err(CallError::Timeout { limit_ms }))
}

/// The response, counted as unsent.
fn answered(answer: Result<MethodResponse, CallError>, id: Id<'_>, flow: &Option<Arc<Flow>>) -> MethodResponse {
    let response = answer.unwrap_or_else(|error| MethodResponse::error(id, ErrorObjectOwned::from(error)));
    // The answer to a subscription was sent on its way already, by jsonrpsee.
    if let Some(flow) = flow
        && (response.is_method_call() || response.is_batch())
    {
        flow.answered(response.as_json().get().len());
    }
    response
}

/// Puts [`Calls`] around a service.
#[derive(Clone, Debug)]
pub(super) struct CallLayer {
    limits: Arc<CallLimits>,
}

impl CallLayer {
    pub(super) fn new(limits: CallLimits) -> Self {
        Self { limits: Arc::new(limits) }
    }
}

impl<S> tower::Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Calls { inner, limits: Arc::clone(&self.limits) }
    }
}

/// A service in which every call is checked, counted and timed.
#[derive(Clone, Debug)]
pub(super) struct Calls<S> {
    inner: S,
    limits: Arc<CallLimits>,
}

impl<S> RpcServiceT for Calls<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse, BatchResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = Self::MethodResponse> + Send + 'a {
        let (inner, limits) = (self.inner.clone(), Arc::clone(&self.limits));
        async move {
            let checked = check(&request);
            let flow = flow_of(&request).filter(|_| request.method_name() != WAIT);
            let id = request.id().into_owned();
            let method = request.method_name().to_owned();
            let work = async {
                let _turn = turn(&flow).await;
                let _place = limits.place(&method)?;
                Ok(inner.call(request).await)
            };
            let answer = match checked {
                Ok(()) => timed(limits.timeout(&method), work).await,
                Err(error) => Err(error),
            };
            answered(answer, id, &flow)
        }
    }

    fn batch<'a>(&self, mut batch: Batch<'a>) -> impl Future<Output = Self::BatchResponse> + Send + 'a {
        let (inner, limits) = (self.inner.clone(), Arc::clone(&self.limits));
        async move {
            let mut flow = None;
            for entry in batch.iter_mut() {
                if let Ok(BatchEntry::Call(request)) = entry {
                    flow = flow.or_else(|| flow_of(request));
                    if let Err(error) = check(request) {
                        *entry = Err(BatchEntryErr::new(request.id().into_owned(), error.into()));
                    }
                }
            }
            let work = async {
                let _turn = turn(&flow).await;
                let _places = limits.places(batch.len())?;
                Ok(inner.batch(batch).await)
            };
            let answer = timed(limits.wait_timeout, work).await;
            answered(answer, Id::Null, &flow)
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

/// Refuses parameters that the method does not have, and a subscription that has no WebSocket to tell it by, which jsonrpsee
/// would call an internal error. A method that does not exist is jsonrpsee's to refuse.
fn check(request: &Request<'_>) -> Result<(), CallError> {
    let name = request.method_name();
    let subscribes = contract::methods()
        .any(|method| method.unsubscribe.is_some_and(|unsubscribe| name == unsubscribe || name == method.name));
    if subscribes && flow_of(request).is_none() {
        return Err(CallError::parameter("method", "a subscription needs a WebSocket"));
    }
    let (Some(method), Some(params)) = (contract::method(request.method_name()), &request.params) else {
        return Ok(());
    };
    let mut deserializer = serde_json::Deserializer::from_str(params.get());
    match deserializer.deserialize_any(Known { method }) {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(error),
        Err(error) => Err(CallError::parameter("params", error)),
    }
}

/// Reads parameters without keeping them, and finds one that the method does not know or that is given twice.
struct Known {
    method: &'static Method,
}

impl<'de> Visitor<'de> for Known {
    type Value = Option<CallError>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("parameters by name or by place")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen: Vec<&'static str> = Vec::new();
        let mut refused = None;
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            match self.method.parameters.iter().find(|parameter| parameter.name == name) {
                Some(parameter) if seen.contains(&parameter.name) => {
                    refused = Some(CallError::parameter(parameter.name, "given twice"));
                }
                Some(parameter) => seen.push(parameter.name),
                None => {
                    let name: String = name.chars().take(64).collect();
                    refused = Some(CallError::parameter(&name, "no such parameter"));
                }
            }
        }
        Ok(refused)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let known = self.method.parameters.len();
        let mut given = 0_usize;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            given += 1;
        }
        let refused = (given > known)
            .then(|| CallError::parameter("params", format_args!("{given} parameters, but there are {known}")));
        Ok(refused)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;
    use std::time::Duration;

    use jsonrpsee::core::middleware::{Batch, Notification};
    use jsonrpsee::server::MethodResponse;
    use jsonrpsee::server::middleware::rpc::RpcServiceT;
    use jsonrpsee::types::{Id, Request};
    use serde_json::value::RawValue;
    use tokio::sync::Semaphore;
    use tower::Layer;

    use super::{CallLayer, CallLimits, WAIT, check};

    /// A service that never answers.
    #[derive(Clone)]
    struct Silent;

    impl RpcServiceT for Silent {
        type MethodResponse = MethodResponse;
        type NotificationResponse = MethodResponse;
        type BatchResponse = MethodResponse;

        fn call<'a>(&self, _: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            std::future::pending()
        }

        fn batch<'a>(&self, _: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            std::future::pending()
        }

        fn notification<'a>(&self, _: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            std::future::pending()
        }
    }

    fn call(method: &'static str) -> Request<'static> {
        Request::borrowed(method, None, Id::Number(1))
    }

    #[tokio::test]
    async fn calls_beyond_the_limit_hear_that_the_node_is_busy_and_waits_are_counted_apart() {
        let limits = CallLimits {
            calls: Arc::new(Semaphore::new(2)),
            waits: Arc::new(Semaphore::new(1)),
            call_timeout: Duration::from_millis(30),
            wait_timeout: Duration::from_millis(30),
        };
        let service = CallLayer::new(limits).layer(Silent);
        let (first, second, third, wait, late_wait, empty) = tokio::join!(
            service.call(call("a")),
            service.call(call("b")),
            service.call(call("c")),
            service.call(call(WAIT)),
            service.call(call(WAIT)),
            service.batch(Batch::from(vec![])),
        );
        for timed_out in [first, second, wait, empty] {
            assert_eq!(timed_out.as_error_code(), Some(-32_046));
        }
        for busy in [third, late_wait] {
            assert_eq!(busy.as_error_code(), Some(-32_047));
        }
        let mut large = Batch::new();
        (0..3).for_each(|_| large.push(call("a")));
        assert_eq!(service.batch(large).await.as_error_code(), Some(-32_047), "a batch counts as its calls");
    }

    fn params(method: &str, params: &str) -> Result<(), String> {
        let params = RawValue::from_string(params.to_owned()).expect("JSON");
        let request = Request::owned(method.to_owned(), Some(params), Id::Number(1));
        assert!(matches!(request.params, Some(Cow::Owned(_))));
        check(&request).map_err(|error| error.to_string())
    }

    #[test]
    fn a_subscription_over_http_is_the_callers_mistake() {
        for method in ["chain_subscribeBlocks", "chain_unsubscribeBlocks"] {
            let refused = check(&call(method)).expect_err("there is no WebSocket");
            assert_eq!((refused.code(), refused.to_string().contains("WebSocket")), (-32_602, true));
        }
        assert_eq!(check(&call("chain_getStatus")), Ok(()));
    }

    #[test]
    fn only_known_parameters_pass() {
        assert_eq!(params("device_get", r#"{"device":"x","at":"1"}"#), Ok(()));
        assert_eq!(params("device_get", r#"["x","1"]"#), Ok(()));
        assert_eq!(params("device_get", "null"), Ok(()));
        assert_eq!(params("no_such", r#"{"a":1}"#), Ok(()), "not for us to refuse");
        let refused = |given: &str| params("device_get", given).expect_err("refused");
        assert_eq!(refused(r#"{"device":"x","att":"1"}"#), "att: no such parameter");
        assert_eq!(refused(r#"{"device":"x","device":"y"}"#), "device: given twice");
        assert_eq!(refused(r#"["x","1",true,2]"#), "params: 4 parameters, but there are 3");
    }
}
