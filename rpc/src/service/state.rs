//! Reading records from a state.
//!
//! The invariant: a record that does not decode is the node's fault, and ends the call instead of the node.

use borsh::BorshDeserialize;
use cairn_proofs::tree::StateTree;
use cairn_types::record::{DeviceKey, DeviceRecord, GrantTerms, OrganizationKeys, OrganizationRecord, StreamRecord};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{DeviceId, DeviceStatus, GrantId, Interval, Name, OrganizationId, Rejection, StreamId, Zone};

use crate::error::CallError;
use crate::views::{DeviceKeyView, DeviceView, IntervalView, OrganizationView, StatusName};

/// A state, seen as records.
#[derive(Clone, Copy)]
pub(super) struct Records<'a>(pub(super) &'a StateTree);

/// Decodes what the rules wrote.
pub(super) fn read<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, CallError> {
    borsh::from_slice(bytes).map_err(|error| {
        tracing::error!(%error, "a record of the state does not decode");
        CallError::Internal { reason: "a record of its state does not decode" }
    })
}

fn incomplete(what: &'static str) -> CallError {
    tracing::error!(what, "the state lacks a record that belongs to another");
    CallError::Internal { reason: "its state is incomplete" }
}

impl Records<'_> {
    fn get<T: BorshDeserialize>(&self, key: &[u8]) -> Result<Option<T>, CallError> {
        self.0.get(key).map(read).transpose()
    }

    fn latest<T: BorshDeserialize>(&self, prefix: &[u8]) -> Result<Option<Interval<T>>, CallError> {
        self.0.last_under(prefix).map(|(_, value)| read(value)).transpose()
    }

    pub(super) fn organization_id(&self, name: &Name) -> Result<Option<OrganizationId>, CallError> {
        self.get(&state_key::organization_name(name))
    }

    pub(super) fn organization(&self, id: &OrganizationId) -> Result<OrganizationView, CallError> {
        let record_key = state_key::ordinal(state_key::organization_facet(id, OrganizationFacet::Record), 0);
        let record: OrganizationRecord =
            self.get(&record_key)?.ok_or(Rejection::OrganizationUnknown { organization: *id })?;
        let keys: Interval<OrganizationKeys> = self
            .latest(&state_key::organization_facet(id, OrganizationFacet::Keys))?
            .ok_or_else(|| incomplete("an organization's keys"))?;
        Ok(OrganizationView::new(*id, record, &keys))
    }

    pub(super) fn device_exists(&self, id: &DeviceId) -> Result<(), CallError> {
        let key = state_key::ordinal(state_key::device_facet(id, DeviceFacet::Record), 0);
        self.0.get(&key).map(drop).ok_or_else(|| Rejection::DeviceUnknown { device: *id }.into())
    }

    pub(super) fn device(&self, id: &DeviceId) -> Result<DeviceView, CallError> {
        let record_key = state_key::ordinal(state_key::device_facet(id, DeviceFacet::Record), 0);
        let record: DeviceRecord = self.get(&record_key)?.ok_or(Rejection::DeviceUnknown { device: *id })?;
        let key: Interval<DeviceKey> = self.device_fact(id, DeviceFacet::Key)?;
        let status = self.device_status(id)?;
        Ok(DeviceView::new(
            *id,
            record,
            IntervalView::around(&key, DeviceKeyView::from(&key.value)),
            self.device_owner(id)?,
            IntervalView::around(&status, StatusName::from(status.value)),
            self.device_zone(id)?.into(),
        ))
    }

    pub(super) fn device_owner(&self, id: &DeviceId) -> Result<OrganizationId, CallError> {
        Ok(self.device_fact(id, DeviceFacet::Owner)?.value)
    }

    pub(super) fn device_status(&self, id: &DeviceId) -> Result<Interval<DeviceStatus>, CallError> {
        self.device_fact(id, DeviceFacet::Status)
    }

    pub(super) fn device_zone(&self, id: &DeviceId) -> Result<Zone, CallError> {
        Ok(self.device_fact(id, DeviceFacet::Placement)?.value)
    }

    fn device_fact<T: BorshDeserialize>(&self, id: &DeviceId, facet: DeviceFacet) -> Result<Interval<T>, CallError> {
        self.latest(&state_key::device_facet(id, facet))?.ok_or_else(|| incomplete("a fact about a device"))
    }

    pub(super) fn grant(&self, id: &GrantId) -> Result<Option<Interval<GrantTerms>>, CallError> {
        self.get(&state_key::grant(id))
    }

    pub(super) fn stream(&self, id: &StreamId) -> Result<StreamRecord, CallError> {
        self.get(&state_key::stream(id))?.ok_or_else(|| Rejection::StreamUnknown { stream: *id }.into())
    }
}

/// The 32 bytes of an identifier that end a key.
pub(super) fn tail(key: &[u8]) -> Result<cairn_types::Hash, CallError> {
    key.last_chunk::<32>()
        .map(|bytes| cairn_types::Hash::from_bytes(*bytes))
        .ok_or_else(|| incomplete("an identifier in a key"))
}
