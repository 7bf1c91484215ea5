//! `device`: who a device is, who owns it, and since when.

use cairn_proofs::lookup::Question;
use cairn_types::record::{DeviceKey, Recovery};
use cairn_types::state_key::{self, DeviceFacet, FACET_KEY_BYTES};
use cairn_types::{DeviceId, DeviceStatus, Height, Interval, OrganizationId, Principal, Zone};
use jsonrpsee::core::async_trait;

use super::proven::Extent;
use super::state::{Records, read};
use super::{Service, page_limit};
use crate::api::DeviceApiServer;
use crate::backend::Backend;
use crate::error::CallError;
use crate::limits::FILTER_EXAMINED_MAX;
use crate::views::{
    At, DeviceFact, DeviceFactView, DeviceKeyView, DeviceView, HistoryCursor, IntervalView, Page, Provable,
    RecoveryView, Text, TextForm, UsageView, ZoneView,
};

/// A key above all that is kept about a device and below the next device.
fn end_of(id: &DeviceId) -> Vec<u8> {
    let mut key = state_key::device(id);
    key.resize(FACET_KEY_BYTES, u8::MAX);
    key
}

/// The device that a key is about.
fn subject(key: &[u8]) -> Option<DeviceId> {
    let bytes = key.get(1..)?.first_chunk::<32>()?;
    Some(DeviceId::from_hash(cairn_types::Hash::from_bytes(*bytes)))
}

/// One line of a device's history; `None` for what is not a fact with an interval.
fn fact(facet: u8, value: &[u8]) -> Result<Option<DeviceFactView>, CallError> {
    fn line<T: borsh::BorshDeserialize>(
        value: &[u8],
        fact: impl Fn(&T) -> DeviceFact,
    ) -> Result<Option<DeviceFactView>, CallError> {
        let interval: Interval<T> = read(value)?;
        Ok(Some(IntervalView::around(&interval, fact(&interval.value))))
    }
    match facet {
        f if f == DeviceFacet::Key as u8 => line(value, |key: &DeviceKey| DeviceFact::Key(DeviceKeyView::from(key))),
        f if f == DeviceFacet::Owner as u8 => line(value, |owner: &OrganizationId| DeviceFact::Owner(Text(*owner))),
        f if f == DeviceFacet::Status as u8 => {
            line(value, |status: &DeviceStatus| DeviceFact::Status((*status).into()))
        }
        f if f == DeviceFacet::Placement as u8 => line(value, |zone: &Zone| DeviceFact::Zone(zone.clone().into())),
        f if f == DeviceFacet::Recovery as u8 => {
            line(value, |recovery: &Recovery| DeviceFact::Recovery(RecoveryView::from(recovery)))
        }
        f if f == DeviceFacet::Offer as u8 => line(value, |to: &OrganizationId| DeviceFact::Offer(Text(*to))),
        _ => Ok(None),
    }
}

#[async_trait]
impl<B: Backend> DeviceApiServer for Service<B> {
    fn device(
        &self,
        device: Text<DeviceId>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<DeviceView>>, CallError> {
        let view = self.view(at)?;
        let answer = Records(&view.state).device(&device.0)?;
        self.provable(&view, answer, prove, Question::Device(device.0))
    }

    fn devices(
        &self,
        zone: Option<ZoneView>,
        after: Option<Text<DeviceId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<DeviceView>, CallError> {
        let limit = page_limit(limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        let zone: Option<Zone> = zone.map(Into::into);
        let mut items = Vec::new();
        let mut seen = after.map(|device| device.0);
        let mut next = None;
        for examined in 0.. {
            let after = seen.as_ref().map(end_of);
            let first = view.state.prefix_after(&state_key::devices(), after.as_deref()).next();
            let Some(id) = first.and_then(|(key, _)| subject(&key)) else { break };
            // The page is full, or enough was looked at, and there is more.
            if items.len() == limit || examined == FILTER_EXAMINED_MAX {
                next = seen.map(|id| id.to_text());
                break;
            }
            let wanted = match &zone {
                Some(zone) => zone.contains(&records.device_zone(&id)?),
                None => true,
            };
            if wanted {
                items.push(records.device(&id)?);
            }
            seen = Some(id);
        }
        Ok(Page { height: Text(view.header.height), items, next, kept_from: None })
    }

    fn history(
        &self,
        device: Text<DeviceId>,
        after: Option<Text<HistoryCursor>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<DeviceFactView>>, CallError> {
        let extent = Extent::new(prove, after.as_ref(), limit)?;
        let view = self.view(at)?;
        Records(&view.state).device_exists(&device.0)?;
        let prefix = state_key::device(&device.0);
        let after = after.map(|Text(HistoryCursor { facet, ordinal })| {
            let mut facet_prefix = prefix.clone();
            facet_prefix.push(facet);
            state_key::ordinal(facet_prefix, ordinal)
        });
        let mut lines = Vec::new();
        for (key, value) in view.state.prefix_after(&prefix, after.as_deref()) {
            if lines.len() > extent.limit {
                break;
            }
            let Some((facet, ordinal)) = state_key::split_facet(&key) else { continue };
            if let Some(line) = fact(facet, &value)? {
                lines.push((HistoryCursor { facet, ordinal }, line));
            }
        }
        let question = Some(Question::Device(device.0));
        let list = self.provable_list(&view, lines, extent, question, |(cursor, _)| cursor.to_text())?;
        Ok(list.map(|(_, line)| line))
    }

    fn device_usage(&self, device: Text<DeviceId>, at: Option<Text<Height>>) -> Result<At<UsageView>, CallError> {
        let view = self.view(at)?;
        let records = Records(&view.state);
        records.device_exists(&device.0)?;
        let parameters = records.parameters()?.value;
        records.usage_view(&view, &Principal::Device(device.0), parameters.device_quota, &parameters)
    }
}
