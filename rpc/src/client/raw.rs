//! What the client sends beside JSON-RPC: batches of transactions as raw bytes, over connections that it keeps.
//!
//! It does not retry, and does not look into the transactions.

use cairn_types::encode;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::ClientError;
use crate::error::ErrorView;
use crate::limits::{ANSWER_BYTES_MAX, REQUEST_TIMEOUT};
use crate::views::TakenView;

/// See the module.
#[derive(Debug)]
pub(super) struct Raw {
    client: Client<HttpConnector, Full<Bytes>>,
    transactions: Uri,
}

impl Raw {
    /// # Errors
    /// [`ClientError::Url`].
    pub(super) fn new(url: &str) -> Result<Self, ClientError> {
        let transactions = format!("{}/tx", url.trim_end_matches('/'));
        let transactions = transactions.parse().map_err(|_| ClientError::Url { url: url.to_owned() })?;
        Ok(Self { client: Client::builder(TokioExecutor::new()).build_http(), transactions })
    }

    /// See [`super::Client::post_transactions`].
    pub(super) async fn post_transactions(&self, transactions: &[Vec<u8>]) -> Result<TakenView, ClientError> {
        let exchange = self.exchange(Bytes::from(encode(&transactions)));
        let exchanged = tokio::time::timeout(REQUEST_TIMEOUT, exchange).await;
        let (status, body) = exchanged.map_err(|_| ClientError::Timeout(REQUEST_TIMEOUT))??;
        let answer = |error: serde_json::Error| ClientError::Answer { reason: format!("{status}: {error}") };
        match status {
            StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => match serde_json::from_slice(&body) {
                Ok(taken) => Ok(taken),
                // A node too busy to judge anything says so in other words.
                Err(error) => Err(serde_json::from_slice(&body).map_or_else(|_| answer(error), ClientError::Refused)),
            },
            _ => {
                let refused: ErrorView = serde_json::from_slice(&body).map_err(answer)?;
                Err(ClientError::Refused(refused))
            }
        }
    }

    async fn exchange(&self, body: Bytes) -> Result<(StatusCode, Bytes), ClientError> {
        let transport = |reason: String| ClientError::Transport { reason };
        let request = Request::post(&self.transactions).header(CONTENT_TYPE, "application/octet-stream");
        let request = request.body(Full::new(body)).map_err(|error| transport(error.to_string()))?;
        let answer = self.client.request(request).await.map_err(|error| transport(error.to_string()))?;
        let status = answer.status();
        let limit = usize::try_from(ANSWER_BYTES_MAX).unwrap_or(usize::MAX);
        let body = Limited::new(answer.into_body(), limit).collect().await;
        Ok((status, body.map_err(|error| transport(error.to_string()))?.to_bytes()))
    }
}
