//! `attestation`: what devices said, found by place or by content.

use cairn_types::{ContentHash, Height, Position};
use jsonrpsee::core::async_trait;

use super::locate::is_final_at;
use super::state::Records;
use super::{Service, cut, page_limit};
use crate::api::AttestationApiServer;
use crate::backend::Backend;
use crate::error::CallError;
use crate::views::{At, AttestationSelector, AttestationView, Page, Text, TextForm};

#[async_trait]
impl<B: Backend> AttestationApiServer for Service<B> {
    fn attestation(
        &self,
        attestation: Text<AttestationSelector>,
        at: Option<Text<Height>>,
    ) -> Result<At<AttestationView>, CallError> {
        let at = self.as_of(at)?;
        let found = self.find(&attestation, at)?;
        // Read after the attestation was found, so that the state knows it.
        let view = self.view(None)?;
        Ok(At::new(at.unwrap_or(view.header.height), found.view(Records(&view.state), at)?))
    }

    fn find_by_content(
        &self,
        content: Text<ContentHash>,
        after: Option<Text<Position>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<AttestationView>, CallError> {
        let limit = page_limit(limit)?;
        let at = self.as_of(at)?;
        // Where others stand may be known, but not what they say.
        let first = self.first_kept();
        let dropped = first.and_then(Height::previous).map(|height| Position { height, index: u32::MAX });
        let after = after.map(|position| position.0).max(dropped);
        let mut positions = self.backend.attestations_of(&content.0, after, limit + 1)?;
        positions.retain(|position| is_final_at(*position, at));
        let view = self.view(None)?;
        let records = Records(&view.state);
        let (positions, next) = cut(positions, limit, TextForm::to_text);
        let items = positions
            .into_iter()
            .map(|position| self.attestation_at(position)?.view(records, at))
            .collect::<Result<Vec<_>, CallError>>()?;
        Ok(Page { height: Text(at.unwrap_or(view.header.height)), items, next, kept_from: first.map(Text) })
    }
}
