//! `node`: the node itself.

use cairn_types::block::HEADER_VERSION;
use jsonrpsee::core::async_trait;

use super::Service;
use crate::api::NodeApiServer;
use crate::backend::Backend;
use crate::error::CallError;
use crate::limits::PAGE_MAX;
use crate::views::{At, HealthView, NodeStateName, Page, PeerView, Text, UpgradeView, VersionView, WarningView};

/// How the node does: for `node_getHealth` and for `GET /health`.
pub(crate) fn health<B: Backend>(backend: &B) -> At<HealthView> {
    let status = backend.status();
    let state = NodeStateName::from(status.state);
    let upgrade_needed = status.upgrade_needed.map(UpgradeView::from);
    let warnings = status.warnings.into_iter().map(WarningView::from).collect();
    At::new(status.height, HealthView { healthy: state.is_healthy(), state, upgrade_needed, warnings })
}

#[async_trait]
impl<B: Backend> NodeApiServer for Service<B> {
    fn health(&self) -> Result<At<HealthView>, CallError> {
        Ok(health(&*self.backend))
    }

    fn peers(&self) -> Result<Page<PeerView>, CallError> {
        let limit = usize::try_from(PAGE_MAX).unwrap_or(usize::MAX);
        let items = self.backend.peers().into_iter().take(limit).map(PeerView::from).collect();
        Ok(Page { height: Text(self.latest()), items, next: None, kept_from: None })
    }

    fn version(&self) -> Result<At<VersionView>, CallError> {
        let status = self.backend.status();
        let view = VersionView {
            version: status.version.to_owned(),
            header_version: HEADER_VERSION,
            chain: Text(status.chain),
        };
        Ok(At::new(status.height, view))
    }
}
