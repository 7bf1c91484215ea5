//! What happens to every call before and around its method: its parameters are known, its time and its number bounded.

use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification};
use jsonrpsee::server::MethodResponse;
use jsonrpsee::server::middleware::rpc::RpcServiceT;
use jsonrpsee::types::{ErrorObjectOwned, Id, Request};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::contract::{self, Method};
use crate::error::CallError;
use crate::limits::{CALL_TIMEOUT, CALLS_MAX, WAIT_MAX, WAITS_MAX};

/// The method that waits, and is counted apart.
const WAIT: &str = "tx_wait";

/// How long a wait or a batch, which may hold waits, can take: the longest wait, and the time of a call.
const WAIT_TIMEOUT: Duration = WAIT_MAX.saturating_add(Duration::from_secs(5));

const _: () = assert!(WAIT_TIMEOUT.as_secs() < crate::limits::REQUEST_TIMEOUT.as_secs());

/// How many calls may be at work.
#[derive(Debug)]
pub(super) struct CallPermits {
    calls: Arc<Semaphore>,
    waits: Arc<Semaphore>,
}

impl CallPermits {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { calls: Arc::new(Semaphore::new(CALLS_MAX)), waits: Arc::new(Semaphore::new(WAITS_MAX)) })
    }

    fn acquire(semaphore: &Arc<Semaphore>, number: usize, max: usize) -> Result<OwnedSemaphorePermit, CallError> {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Arc::clone(semaphore).try_acquire_many_owned(number).map_err(|_| CallError::Busy { calls: max })
    }

    fn for_call(&self, method: &str) -> Result<OwnedSemaphorePermit, CallError> {
        if method == WAIT { Self::acquire(&self.waits, 1, WAITS_MAX) } else { Self::acquire(&self.calls, 1, CALLS_MAX) }
    }

    fn for_batch(&self, calls: usize) -> Result<OwnedSemaphorePermit, CallError> {
        Self::acquire(&self.calls, calls, CALLS_MAX)
    }
}

/// Puts [`Calls`] around a service.
#[derive(Clone, Debug)]
pub(super) struct CallLayer {
    permits: Arc<CallPermits>,
}

impl CallLayer {
    pub(super) const fn new(permits: Arc<CallPermits>) -> Self {
        Self { permits }
    }
}

impl<S> tower::Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Calls { inner, permits: Arc::clone(&self.permits) }
    }
}

/// A service in which every call is checked, counted and timed.
#[derive(Clone, Debug)]
pub(super) struct Calls<S> {
    inner: S,
    permits: Arc<CallPermits>,
}

fn timeout(limit: Duration) -> CallError {
    CallError::Timeout { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) }
}

impl<S> RpcServiceT for Calls<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse, BatchResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = Self::MethodResponse> + Send + 'a {
        let inner = self.inner.clone();
        let admitted = check(&request).and_then(|()| self.permits.for_call(request.method_name()));
        async move {
            let _permit = match admitted {
                Ok(permit) => permit,
                Err(error) => return MethodResponse::error(request.id(), ErrorObjectOwned::from(error)),
            };
            let limit = if request.method_name() == WAIT { WAIT_TIMEOUT } else { CALL_TIMEOUT };
            let id = request.id().into_owned();
            match tokio::time::timeout(limit, inner.call(request)).await {
                Ok(response) => response,
                Err(_) => MethodResponse::error(id, ErrorObjectOwned::from(timeout(limit))),
            }
        }
    }

    fn batch<'a>(&self, mut batch: Batch<'a>) -> impl Future<Output = Self::BatchResponse> + Send + 'a {
        let inner = self.inner.clone();
        for entry in batch.iter_mut() {
            if let Ok(BatchEntry::Call(request)) = entry
                && let Err(error) = check(request)
            {
                *entry = Err(BatchEntryErr::new(request.id().into_owned(), error.into()));
            }
        }
        let admitted = self.permits.for_batch(batch.len());
        async move {
            let _permit = match admitted {
                Ok(permit) => permit,
                Err(error) => return MethodResponse::error(Id::Null, ErrorObjectOwned::from(error)),
            };
            match tokio::time::timeout(WAIT_TIMEOUT, inner.batch(batch)).await {
                Ok(response) => response,
                Err(_) => MethodResponse::error(Id::Null, ErrorObjectOwned::from(timeout(WAIT_TIMEOUT))),
            }
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

/// Refuses parameters that the method does not have. A method that does not exist is jsonrpsee's to refuse.
fn check(request: &Request<'_>) -> Result<(), CallError> {
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

    use jsonrpsee::types::{Id, Request};
    use serde_json::value::RawValue;

    use super::check;

    fn params(method: &str, params: &str) -> Result<(), String> {
        let params = RawValue::from_string(params.to_owned()).expect("JSON");
        let request = Request::owned(method.to_owned(), Some(params), Id::Number(1));
        assert!(matches!(request.params, Some(Cow::Owned(_))));
        check(&request).map_err(|error| error.to_string())
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
        assert_eq!(refused(r#"["x","1",2]"#), "params: 3 parameters, but there are 2");
    }
}
