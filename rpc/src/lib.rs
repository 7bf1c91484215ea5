//! The JSON-RPC contract: what can be asked of a node, how answers look, and how errors are told.
//!
//! ```text
//! HTTP, WebSocket ─► server (limits) ─► service ─► Backend ─► the node
//!                        ▲                │ reads most answers itself, from an immutable View of one final height
//!                     contract ◄── api (one trait a namespace), views (JSON), error (one table)
//!                        │
//!                        └─► client (typed), openrpc.json (described, committed, compared in a test)
//! ```
//!
//! To add a method: a line in `src/api/<namespace>.rs` with its documentation, a line in [`contract`], its implementation
//! in `src/service/<namespace>.rs`, a snapshot in `tests/`.
//!
//! This crate does not know how blocks are agreed on, stored or sent, and it never executes a rule: it reads what the
//! rules wrote. No method signs anything. It is the only crate that names jsonrpsee, and no type of jsonrpsee is needed to
//! use [`serve`] or [`Client`].
//!
//! Invariants: every answer names the final height at which it was read; nothing that is pending is shown as final; every
//! list, body, batch, subscription, wait and connection has a stated bound ([`limits`]).

pub mod limits;
pub mod views;
pub mod error;
pub mod backend;
mod api;
pub mod contract;
mod service;
mod server;
pub mod client;
pub mod openrpc;

pub use backend::Backend;
pub use client::{Client, ClientError};
pub use error::CallError;
pub use server::{ConfigError, Direct, RpcConfig, RpcServer, ServeError, serve};
