//! The typed client: every method of the contract as a function.
//!
//! ```no_run
//! # async fn example() -> Result<(), cairn_rpc::ClientError> {
//! let client = cairn_rpc::Client::http("http://127.0.0.1:7201")?;
//! let status = client.chain_get_status().await?;
//! let device = "51d3…".parse().expect("a device's id");
//! println!("at height {}: {}", status.height, client.device_get(device, None).await?.value.model);
//! # Ok(())
//! # }
//! ```
//!
//! Functions are named as methods are, in Rust's spelling; parameters that may be left out are `Option`s, in the order of
//! the contract. What can be proven has a second function, whose answer brings its proof; the caller brings the genesis hash:
//!
//! ```no_run
//! # async fn example(client: cairn_rpc::Client, genesis: cairn_types::ChainId, id: cairn_types::DeviceId)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use cairn_proofs::lookup::Question;
//!
//! let device = client.device_get_proven(id.into(), None).await?;
//! device.verify(genesis, Question::Device(id))?;
//! println!("whatever this node says otherwise: {:?}", device.answer.value.status);
//! # Ok(())
//! # }
//! ```
//!
//! The client does not retry and knows no node but one.

use std::time::Duration;

use jsonrpsee::core::client::{self, ClientT, SubscriptionClientT};
use jsonrpsee::core::params::ObjectParams;
use jsonrpsee::http_client::HttpClient;
use jsonrpsee::ws_client::{PingConfig, WsClient, WsClientBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{PROVE, SUBSCRIBE_BLOCKS, UNSUBSCRIBE_BLOCKS, for_each_call, types::*, wire_name};
use crate::error::{ErrorData, ErrorView};
use crate::limits::{ANSWER_BYTES_MAX, BODY_BYTES_MAX, PING_INTERVAL, REQUEST_TIMEOUT};

mod proven;
mod raw;

use raw::Raw;

pub use proven::{AskError, Dated, Proven, ProvenError, Shown};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The node refused: its own error. Whether the caller is to blame says the error.
    #[error("{}", .0.message)]
    Refused(ErrorView),
    /// There was no answer in time.
    #[error("the node did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The node could not be reached, or the connection broke.
    #[error("cannot reach the node: {reason}")]
    Transport {
        /// What the network says.
        reason: String,
    },
    /// The answer is not what this version of the contract says: the node is of another version, or no node at all.
    #[error("the answer is not understood: {reason}")]
    Answer {
        /// What the decoder stumbled over.
        reason: String,
    },
    /// The URL is not one of `http://` or `ws://`.
    #[error("{url:?} is no URL of a node such as http://127.0.0.1:7201")]
    Url {
        /// The URL.
        url: String,
    },
    /// Blocks are told over WebSocket only.
    #[error("subscriptions need a WebSocket: connect with ws://")]
    NeedsWebSocket,
    /// Raw batches are taken over HTTP only.
    #[error("raw batches need HTTP: connect with http://")]
    NeedsHttp,
}

impl ClientError {
    /// The name of the node's error, such as `DeviceUnknown`.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => Some(&error.data.name),
            _ => None,
        }
    }
}

impl From<client::Error> for ClientError {
    fn from(error: client::Error) -> Self {
        match error {
            client::Error::Call(object) => {
                // jsonrpsee's own errors have no data that we know: they are named by their message.
                let data = object.data().and_then(|data| serde_json::from_str::<ErrorData>(data.get()).ok());
                let data = data.unwrap_or_else(|| {
                    let detail = object.data().map(|data| ("detail".to_owned(), data.get().to_owned()));
                    let fields = detail.into_iter().collect();
                    ErrorData { name: object.message().to_owned(), code: object.code(), fields }
                });
                Self::Refused(ErrorView { code: object.code(), message: object.message().to_owned(), data })
            }
            client::Error::RequestTimeout => Self::Timeout(REQUEST_TIMEOUT),
            client::Error::ParseError(error) => Self::Answer { reason: error.to_string() },
            client::Error::HttpNotImplemented => Self::NeedsWebSocket,
            other => Self::Transport { reason: other.to_string() },
        }
    }
}

#[derive(Debug)]
enum Transport {
    Http(HttpClient, Box<Raw>),
    WebSocket(WsClient),
}

/// A client of one node.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
}

/// Blocks as they become final.
#[derive(Debug)]
pub struct FinalBlocks {
    subscription: client::Subscription<FinalBlockView>,
}

impl FinalBlocks {
    /// The next block; `None` when the node ended the subscription, because it stops or because it was read too slowly.
    ///
    /// # Errors
    /// [`ClientError::Answer`], if a notification is not understood.
    pub async fn next(&mut self) -> Option<Result<FinalBlockView, ClientError>> {
        let next = self.subscription.next().await?;
        Some(next.map_err(|error| ClientError::Answer { reason: error.to_string() }))
    }
}

impl Client {
    /// A client over HTTP. Nothing is sent before the first call.
    ///
    /// # Errors
    /// [`ClientError::Url`].
    pub fn http(url: &str) -> Result<Self, ClientError> {
        let client = HttpClient::builder()
            .request_timeout(REQUEST_TIMEOUT)
            .max_request_size(BODY_BYTES_MAX)
            .max_response_size(ANSWER_BYTES_MAX)
            .build(url)
            .map_err(|_| ClientError::Url { url: url.to_owned() })?;
        Ok(Self { transport: Transport::Http(client, Box::new(Raw::new(url)?)) })
    }

    /// A client over WebSocket, connected. `url` begins with `ws://`; `http://` is taken for it.
    ///
    /// # Errors
    /// [`ClientError::Url`] or [`ClientError::Transport`].
    pub async fn web_socket(url: &str) -> Result<Self, ClientError> {
        let url = url.strip_prefix("http://").map_or_else(|| url.to_owned(), |rest| format!("ws://{rest}"));
        if !url.starts_with("ws://") && !url.starts_with("wss://") {
            return Err(ClientError::Url { url });
        }
        let client = WsClientBuilder::default()
            .request_timeout(REQUEST_TIMEOUT)
            .max_request_size(BODY_BYTES_MAX)
            .max_response_size(ANSWER_BYTES_MAX)
            .enable_ws_ping(PingConfig::new().ping_interval(PING_INTERVAL).inactive_limit(PING_INTERVAL * 2))
            .build(&url)
            .await?;
        Ok(Self { transport: Transport::WebSocket(client) })
    }

    /// Blocks from now on, as they become final. Needs a WebSocket.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn chain_subscribe_blocks(&self) -> Result<FinalBlocks, ClientError> {
        let Transport::WebSocket(client) = &self.transport else {
            return Err(ClientError::NeedsWebSocket);
        };
        let subscription = client.subscribe(SUBSCRIBE_BLOCKS, ObjectParams::new(), UNSUBSCRIBE_BLOCKS).await?;
        Ok(FinalBlocks { subscription })
    }

    /// Offers encoded transactions by `POST /tx`, which costs both ends a fraction of `tx_submitMany`. The answer tells what
    /// was refused; with nothing taken and `Busy` among the refusals, the same batch may be offered again a second later.
    /// Needs HTTP.
    ///
    /// # Errors
    /// [`ClientError`]. After [`ClientError::Timeout`] or [`ClientError::Transport`] the transactions may have been taken all
    /// the same; offered again, those are refused as `Duplicate`.
    pub async fn post_transactions(&self, transactions: &[Vec<u8>]) -> Result<TakenView, ClientError> {
        let Transport::Http(_, raw) = &self.transport else {
            return Err(ClientError::NeedsHttp);
        };
        raw.post_transactions(transactions).await
    }

    async fn call<R: DeserializeOwned>(&self, method: &str, parameters: Parameters) -> Result<R, ClientError> {
        let parameters = parameters.0?;
        let answer = match &self.transport {
            Transport::Http(client, _) => client.request(method, parameters).await,
            Transport::WebSocket(client) => client.request(method, parameters).await,
        };
        Ok(answer?)
    }
}

/// Parameters by name, as far as they could be written.
struct Parameters(Result<ObjectParams, ClientError>);

impl Parameters {
    fn new() -> Self {
        Self(Ok(ObjectParams::new()))
    }

    fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        if let Ok(parameters) = &mut self.0
            && let Err(error) = parameters.insert(name, value)
        {
            self.0 = Err(ClientError::Answer { reason: format!("{name}: {error}") });
        }
        self
    }

    fn with_optional(self, name: &str, value: Option<&impl Serialize>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// The functions of one method: the call, and, if its answer can be proven, the call that asks for the proof too.
macro_rules! function {
    ($function:ident = $method:literal(
        $($required:ident $(as $required_wire:literal)?: $required_type:ty),*;
        $($optional:ident $(as $optional_wire:literal)?: $optional_type:ty),*
    ) -> $answer:ty) => {
        #[doc = concat!("Calls `", $method, "`; see its description in `openrpc.json`.")]
        ///
        /// # Errors
        /// [`ClientError`].
        pub async fn $function(
            &self,
            $($required: $required_type,)*
            $($optional: Option<$optional_type>,)*
        ) -> Result<$answer, ClientError> {
            let parameters = Parameters::new()
                $(.with(wire_name!($required $(, $required_wire)?), &$required))*
                $(.with_optional(wire_name!($optional $(, $optional_wire)?), $optional.as_ref()))*;
            self.call($method, parameters).await
        }
    };
    ($function:ident = $method:literal(
        $($required:ident $(as $required_wire:literal)?: $required_type:ty),*;
        $($optional:ident $(as $optional_wire:literal)?: $optional_type:ty),*;
        prove $proven:ident
    ) -> $answer:ty) => {
        function! {
            $function = $method(
                $($required $(as $required_wire)?: $required_type),*;
                $($optional $(as $optional_wire)?: $optional_type),*
            ) -> $answer
        }

        #[doc = concat!("Calls `", $method, "` and asks for the proof. A list is whole: leave cursor and limit out.")]
        ///
        /// # Errors
        /// [`ClientError`]; [`ClientError::Answer`], if the node left the proof out.
        pub async fn $proven(
            &self,
            $($required: $required_type,)*
            $($optional: Option<$optional_type>,)*
        ) -> Result<Proven<$answer>, ClientError> {
            let parameters = Parameters::new()
                $(.with(wire_name!($required $(, $required_wire)?), &$required))*
                $(.with_optional(wire_name!($optional $(, $optional_wire)?), $optional.as_ref()))*
                .with(PROVE, &true);
            self.call($method, parameters).await
        }
    };
}

macro_rules! functions {
    ($($function:ident = $method:literal $parameters:tt -> $answer:ty;)*) => {
        impl Client {
            $(function! { $function = $method $parameters -> $answer })*
        }
    };
}

for_each_call!(functions);
