//! `stream`: a device's gap-free sequences of attestations.

use cairn_proofs::lookup::Question;
use cairn_types::record::StreamRecord;
use cairn_types::{AttestationRef, DeviceId, Height, Rejection, StreamId, state_key};
use jsonrpsee::core::async_trait;

use super::locate::is_final_at;
use super::proven::Extent;
use super::state::{Records, read, tail};
use super::{Service, page_limit};
use crate::api::StreamApiServer;
use crate::backend::Backend;
use crate::error::CallError;
use crate::views::{At, AttestationView, Page, Provable, StreamView, Text, TextForm};

#[async_trait]
impl<B: Backend> StreamApiServer for Service<B> {
    fn stream(
        &self,
        stream: Text<StreamId>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<StreamView>>, CallError> {
        let view = self.view(at)?;
        let record = Records(&view.state).stream(&stream.0)?;
        self.provable(&view, StreamView::new(stream.0, record), prove, Question::Stream(stream.0))
    }

    fn streams(
        &self,
        device: Option<Text<DeviceId>>,
        after: Option<Text<StreamId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<StreamView>>, CallError> {
        let extent = Extent::new(prove, after.as_ref(), limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        let question = device.map(|device| Question::DeviceStreams(device.0));
        let items = match device {
            Some(device) => {
                records.device_exists(&device.0)?;
                let after = after.map(|stream| state_key::device_stream(&device.0, &stream.0));
                view.state
                    .prefix_after(&state_key::device_streams(&device.0), after.as_deref())
                    .take(extent.limit + 1)
                    .map(|(key, _)| {
                        let id = StreamId::from_hash(tail(&key)?);
                        Ok(StreamView::new(id, records.stream(&id)?))
                    })
                    .collect::<Result<Vec<_>, CallError>>()?
            }
            None => {
                let after = after.map(|stream| state_key::stream(&stream.0));
                view.state
                    .prefix_after(&state_key::streams(), after.as_deref())
                    .take(extent.limit + 1)
                    .map(|(key, value)| Ok(StreamView::new(StreamId::from_hash(tail(&key)?), read(value)?)))
                    .collect::<Result<Vec<_>, CallError>>()?
            }
        };
        self.provable_list(&view, items, extent, question, |stream| stream.id.0.to_text())
    }

    fn range(
        &self,
        stream: Text<StreamId>,
        from: Option<Text<u64>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<AttestationView>, CallError> {
        let limit = page_limit(limit)?;
        let at = self.as_of(at)?;
        let view = self.view(None)?;
        let records = Records(&view.state);
        let StreamRecord { count, opened, .. } = records.stream(&stream.0)?;
        if !is_final_at(opened, at) {
            return Err(Rejection::StreamUnknown { stream: stream.0 }.into());
        }
        let from = from.map_or(0, |sequence| sequence.0).min(count);
        let end = from.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)).min(count);
        let mut items = Vec::new();
        let mut next = (end < count).then_some(end);
        for sequence in from..end {
            let place = AttestationRef { stream: stream.0, sequence };
            let missing = "its index lacks an attestation that its state counts";
            let attestation = self.attestation_in(&place)?.ok_or_else(|| self.attestation_missing(&place, missing))?;
            // A stream's positions ascend: nothing after this one was final then.
            if !is_final_at(attestation.located.position, at) {
                next = None;
                break;
            }
            items.push(attestation.view(records, at)?);
        }
        let next = next.map(|next| next.to_text());
        Ok(Page { height: Text(at.unwrap_or(view.header.height)), items, next, kept_from: None })
    }
}
