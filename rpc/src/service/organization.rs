//! `organization`: who takes part, and with which keys.

use cairn_types::{Height, Name, state_key};
use jsonrpsee::core::async_trait;

use super::state::{Records, read};
use super::{Service, cut, page_limit};
use crate::api::OrganizationApiServer;
use crate::backend::Backend;
use crate::error::CallError;
use crate::views::{At, OrganizationSelector, OrganizationView, Page, Text, TextForm};

#[async_trait]
impl<B: Backend> OrganizationApiServer for Service<B> {
    fn organization(
        &self,
        organization: Text<OrganizationSelector>,
        at: Option<Text<Height>>,
    ) -> Result<At<OrganizationView>, CallError> {
        let view = self.view(at)?;
        let records = Records(&view.state);
        let id = match &organization.0 {
            OrganizationSelector::Id(id) => *id,
            OrganizationSelector::Name(name) => {
                records.organization_id(name)?.ok_or_else(|| CallError::NameUnknown { name: name.clone() })?
            }
        };
        Ok(At::new(view.header.height, records.organization(&id)?))
    }

    fn organizations(
        &self,
        after: Option<Text<Name>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<OrganizationView>, CallError> {
        let limit = page_limit(limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        let after = after.map(|name| state_key::organization_name(&name.0));
        let items = view
            .state
            .prefix_after(&state_key::organization_names(), after.as_deref())
            .take(limit + 1)
            .map(|(_, id)| records.organization(&read(id)?))
            .collect::<Result<Vec<_>, _>>()?;
        let (items, next) = cut(items, limit, |organization| organization.name.0.to_text());
        Ok(Page { height: Text(view.header.height), items, next })
    }
}
