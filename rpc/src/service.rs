//! The methods: each trait of [`crate::api`] implemented over the [`Backend`].
//!
//! What a state can tell is read here from a [`View`]; what stands in the log is asked of the backend. A method does not
//! know how it was called: limits on requests, time and concurrency are the server's.

mod attestation;
mod audit;
mod chain;
mod device;
mod governance;
mod grant;
mod locate;
mod lot;
pub(crate) mod node;
mod organization;
mod proof;
mod proven;
mod state;
mod stream;
mod trace_document;
pub(crate) mod tx;

use std::sync::Arc;

use cairn_types::Height;
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;

use crate::api::{
    AttestationApiServer, AuditApiServer, ChainApiServer, DeviceApiServer, GrantApiServer, LotApiServer, NodeApiServer,
    OrganizationApiServer, ProofApiServer, StreamApiServer, TxApiServer,
};
use crate::backend::{Backend, View};
use crate::error::CallError;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::openrpc;
use crate::views::Text;

/// All methods, over one node.
pub(crate) struct Service<B> {
    backend: Arc<B>,
}

impl<B> Clone for Service<B> {
    fn clone(&self) -> Self {
        Self { backend: Arc::clone(&self.backend) }
    }
}

impl<B: Backend> Service<B> {
    pub(crate) const fn new(backend: Arc<B>) -> Self {
        Self { backend }
    }

    /// Every method under its name.
    pub(crate) fn methods(&self) -> Result<RpcModule<()>, RegisterMethodError> {
        let mut module = RpcModule::new(());
        module.merge(ChainApiServer::into_rpc(self.clone()))?;
        module.merge(TxApiServer::into_rpc(self.clone()))?;
        module.merge(OrganizationApiServer::into_rpc(self.clone()))?;
        module.merge(DeviceApiServer::into_rpc(self.clone()))?;
        module.merge(GrantApiServer::into_rpc(self.clone()))?;
        module.merge(StreamApiServer::into_rpc(self.clone()))?;
        module.merge(LotApiServer::into_rpc(self.clone()))?;
        module.merge(AttestationApiServer::into_rpc(self.clone()))?;
        module.merge(AuditApiServer::into_rpc(self.clone()))?;
        module.merge(ProofApiServer::into_rpc(self.clone()))?;
        module.merge(NodeApiServer::into_rpc(self.clone()))?;
        module.register_method(openrpc::DISCOVER, |_, _, _| Ok::<_, CallError>(openrpc::committed()))?;
        Ok(module)
    }

    fn view(&self, at: Option<Text<Height>>) -> Result<Arc<View>, CallError> {
        Ok(self.backend.view(at.map(|height| height.0))?)
    }

    /// The latest final height: what was read from the log until now was final at or before it.
    fn latest(&self) -> Height {
        self.backend.status().height
    }

    /// The height as of which the log is to be read; `None` for all of it. The log is never pruned, so any final height
    /// will do: what stands above it is passed over.
    fn as_of(&self, at: Option<Text<Height>>) -> Result<Option<Height>, CallError> {
        let latest = self.latest();
        match at {
            Some(Text(height)) if height > latest => Err(CallError::HeightUnknown { height, latest }),
            at => Ok(at.map(|Text(height)| height)),
        }
    }
}

/// How many items a page may have.
fn page_limit(limit: Option<u32>) -> Result<usize, CallError> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if limit == 0 || limit > PAGE_MAX {
        return Err(CallError::parameter("limit", format_args!("{limit}, but a page has 1 to {PAGE_MAX} items")));
    }
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The first `limit` items, and the cursor of the last of them if there are more. `items` holds one more than `limit` if
/// there are.
fn cut<T>(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    if items.len() <= limit {
        return (items, None);
    }
    items.truncate(limit);
    let next = items.last().map(cursor);
    (items, next)
}
