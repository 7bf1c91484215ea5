//! `organization`: who takes part, and with which keys.

use cairn_proofs::lookup::Question;
use cairn_types::record::OrganizationKeys;
use cairn_types::state_key::OrganizationFacet;
use cairn_types::{Height, Interval, Name, Principal, state_key};
use jsonrpsee::core::async_trait;

use super::Service;
use super::proven::Extent;
use super::state::{Records, incomplete, read};
use crate::api::OrganizationApiServer;
use crate::backend::Backend;
use crate::error::CallError;
use crate::views::{
    At, IntervalView, OrganizationEpochView, OrganizationKeysView, OrganizationSelector, OrganizationView, Page,
    Provable, Text, TextForm, UsageView,
};

#[async_trait]
impl<B: Backend> OrganizationApiServer for Service<B> {
    fn organization(
        &self,
        organization: Text<OrganizationSelector>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<OrganizationView>>, CallError> {
        let view = self.view(at)?;
        let records = Records(&view.state);
        let id = records.select(&organization.0)?;
        self.provable(&view, records.organization(&id)?, prove, Question::Organization(id))
    }

    fn organizations(
        &self,
        after: Option<Text<Name>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<OrganizationView>>, CallError> {
        let extent = Extent::new(prove, after.as_ref(), limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        let after = after.map(|name| state_key::organization_name(&name.0));
        let items = view
            .state
            .prefix_after(&state_key::organization_names(), after.as_deref())
            .take(extent.limit + 1)
            .map(|(_, id)| records.organization(&read(id)?))
            .collect::<Result<Vec<_>, _>>()?;
        let question = Some(Question::Organizations);
        self.provable_list(&view, items, extent, question, |organization| organization.name.0.to_text())
    }

    fn organization_history(
        &self,
        organization: Text<OrganizationSelector>,
        after: Option<Text<u64>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<OrganizationEpochView>>, CallError> {
        let extent = Extent::new(prove, after.as_ref(), limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        let id = records.select(&organization.0)?;
        records.organization_record(&id)?;
        let prefix = state_key::organization_facet(&id, OrganizationFacet::Keys);
        let after = after.map(|Text(epoch)| u32::try_from(epoch)).transpose();
        let after = after.map_err(|_| CallError::parameter("after", "no organization has so many key epochs"))?;
        let after = after.map(|epoch| state_key::ordinal(prefix.clone(), epoch));
        let items = view
            .state
            .prefix_after(&prefix, after.as_deref())
            .take(extent.limit + 1)
            .map(|(key, value)| {
                let epoch = state_key::split_ordinal(&key).ok_or_else(|| incomplete("an ordinal in a key"))?;
                let keys: Interval<OrganizationKeys> = read(value)?;
                Ok((epoch, IntervalView::around(&keys, OrganizationKeysView::from(&keys.value))))
            })
            .collect::<Result<Vec<_>, CallError>>()?;
        let question = Some(Question::Organization(id));
        let list = self.provable_list(&view, items, extent, question, |(epoch, _)| epoch.to_string())?;
        Ok(list.map(|(_, epoch)| epoch))
    }

    fn organization_usage(
        &self,
        organization: Text<OrganizationSelector>,
        at: Option<Text<Height>>,
    ) -> Result<At<UsageView>, CallError> {
        let view = self.view(at)?;
        let records = Records(&view.state);
        let id = records.select(&organization.0)?;
        records.organization_record(&id)?;
        let parameters = records.parameters()?.value;
        records.usage_view(&view, &Principal::Organization(id), parameters.organization_quota, &parameters)
    }
}
