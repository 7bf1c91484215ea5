//! The node itself.

use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, HealthView, Page, PeerView, VersionView};

/// The node itself. Beside these, `GET /health` and `GET /metrics`.
#[rpc(server, namespace = "node")]
pub trait NodeApi {
    /// Whether the node is up to date.
    #[method(name = "getHealth")]
    fn health(&self) -> Result<At<HealthView>, CallError>;

    /// The peers that the node is connected to: at most a page of 1,000.
    #[method(name = "getPeers")]
    fn peers(&self) -> Result<Page<PeerView>, CallError>;

    /// What runs here, and for which network.
    #[method(name = "getVersion")]
    fn version(&self) -> Result<At<VersionView>, CallError>;
}
