//! `lot`: what manufacturers vouch for, and what devices have claimed of it.

use cairn_proofs::lookup::Question;
use cairn_types::record::LotRecord;
use cairn_types::{DeviceId, Hash, Height, Interval, LotId, state_key};
use jsonrpsee::core::async_trait;

use super::Service;
use super::proven::Extent;
use super::state::{Records, incomplete, read, tail};
use crate::api::LotApiServer;
use crate::backend::Backend;
use crate::error::CallError;
use crate::limits::CLAIMS_COUNTED_MAX;
use crate::views::{At, LotAnswer, LotClaimView, LotView, OrganizationSelector, Page, Provable, Text, TextForm};

/// One claim on a lot.
fn claim(records: Records<'_>, key: &[u8], value: &[u8]) -> Result<LotClaimView, CallError> {
    let device: DeviceId = read(value)?;
    let record = records.device_record(&device)?;
    let endorsement = record.endorsement.ok_or_else(|| incomplete("the endorsement of a device that claimed a lot"))?;
    Ok(LotClaimView {
        claim: Text(tail(key)?),
        device: Text(device),
        serial: endorsement.serial,
        registered: record.registered.into(),
    })
}

#[async_trait]
impl<B: Backend> LotApiServer for Service<B> {
    fn lot(
        &self,
        lot: Text<LotId>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<LotAnswer>>, CallError> {
        let view = self.view(at)?;
        let interval = Records(&view.state).lot(&lot.0)?;
        let claimed = view.state.prefix(&state_key::lot_claims(&lot.0)).take(CLAIMS_COUNTED_MAX).count();
        let claimed = u32::try_from(claimed).unwrap_or(u32::MAX);
        let answer = LotAnswer { lot: LotView::new(lot.0, interval), claimed };
        self.provable(&view, answer, prove, Question::Lot(lot.0))
    }

    fn lots(
        &self,
        manufacturer: Option<Text<OrganizationSelector>>,
        after: Option<Text<LotId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<LotView>>, CallError> {
        let extent = Extent::new(prove, after.as_ref(), limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        let manufacturer = manufacturer.map(|selector| records.select(&selector.0)).transpose()?;
        let (items, question) = match manufacturer {
            Some(manufacturer) => {
                let after = after.map(|lot| state_key::manufacturer_lot(&manufacturer, &lot.0));
                let items = view
                    .state
                    .prefix_after(&state_key::manufacturer_lots(&manufacturer), after.as_deref())
                    .take(extent.limit + 1)
                    .map(|(key, _)| {
                        let id = LotId::from_hash(tail(&key)?);
                        Ok(LotView::new(id, records.lot(&id)?))
                    })
                    .collect::<Result<Vec<_>, CallError>>()?;
                (items, Some(Question::Lots(manufacturer)))
            }
            None => {
                let after = after.map(|lot| state_key::lot(&lot.0));
                let items = view
                    .state
                    .prefix_after(&state_key::lots(), after.as_deref())
                    .take(extent.limit + 1)
                    .map(|(key, value)| {
                        let interval: Interval<LotRecord> = read(value)?;
                        Ok(LotView::new(LotId::from_hash(tail(&key)?), interval))
                    })
                    .collect::<Result<Vec<_>, CallError>>()?;
                (items, None)
            }
        };
        self.provable_list(&view, items, extent, question, |lot| lot.id.0.to_text())
    }

    fn claims(
        &self,
        lot: Text<LotId>,
        after: Option<Text<Hash>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<LotClaimView>>, CallError> {
        let extent = Extent::new(prove, after.as_ref(), limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        records.lot(&lot.0)?;
        let after = after.map(|claim| state_key::lot_claim(&lot.0, &claim.0));
        let items = view
            .state
            .prefix_after(&state_key::lot_claims(&lot.0), after.as_deref())
            .take(extent.limit + 1)
            .map(|(key, value)| claim(records, &key, &value))
            .collect::<Result<Vec<_>, CallError>>()?;
        self.provable_list(&view, items, extent, Some(Question::Lot(lot.0)), |claim| claim.claim.0.to_text())
    }
}
