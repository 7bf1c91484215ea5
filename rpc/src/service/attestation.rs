//! `attestation`: what devices said, found by place or by content.

use cairn_types::{ContentHash, Position};
use jsonrpsee::core::async_trait;

use super::{Service, cut, page_limit};
use crate::api::AttestationApiServer;
use crate::backend::Backend;
use crate::error::CallError;
use crate::views::{At, AttestationSelector, AttestationView, Page, Text, TextForm};

#[async_trait]
impl<B: Backend> AttestationApiServer for Service<B> {
    fn attestation(&self, attestation: Text<AttestationSelector>) -> Result<At<AttestationView>, CallError> {
        let found = self.find(&attestation)?;
        Ok(At::new(self.latest(), found.view()))
    }

    fn find_by_content(
        &self,
        content: Text<ContentHash>,
        after: Option<Text<Position>>,
        limit: Option<u32>,
    ) -> Result<Page<AttestationView>, CallError> {
        let limit = page_limit(limit)?;
        let after = after.map(|position| position.0);
        let positions = self.backend.attestations_of(&content.0, after, limit + 1)?;
        let (positions, next) = cut(positions, limit, TextForm::to_text);
        let items = positions
            .into_iter()
            .map(|position| Ok(self.attestation_at(position)?.view()))
            .collect::<Result<Vec<_>, CallError>>()?;
        Ok(Page { height: Text(self.latest()), items, next })
    }
}
