//! Reading records from a state.
//!
//! The invariant: a record that does not decode is the node's fault, and ends the call instead of the node.

use borsh::BorshDeserialize;
use cairn_proofs::tree::StateTree;
use cairn_types::record::{
    DeviceRecord, GrantTerms, LotRecord, OrganizationKeys, OrganizationRecord, StreamRecord, Superseded, Usage,
};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{
    AttestationRef, DeviceId, DeviceStatus, GrantId, Interval, LotId, Name, OrganizationId, Parameters, Principal,
    Rejection, StreamId, Zone,
};

use crate::backend::View;
use crate::error::CallError;
use crate::views::{At, DeviceFacts, DeviceView, EndorsementView, OrganizationSelector, OrganizationView, UsageView};

/// A state, seen as records.
#[derive(Clone, Copy)]
pub(super) struct Records<'a>(pub(super) &'a StateTree);

/// Decodes what the rules wrote.
pub(super) fn read<T: BorshDeserialize>(bytes: impl AsRef<[u8]>) -> Result<T, CallError> {
    borsh::from_slice(bytes.as_ref()).map_err(|error| {
        tracing::error!(%error, "a record of the state does not decode");
        CallError::Internal { reason: "a record of its state does not decode" }
    })
}

pub(super) fn incomplete(what: &'static str) -> CallError {
    tracing::error!(what, "the state lacks a record that belongs to another");
    CallError::Internal { reason: "its state is incomplete" }
}

impl Records<'_> {
    pub(super) fn get<T: BorshDeserialize>(&self, key: &[u8]) -> Result<Option<T>, CallError> {
        self.0.get(key).map(read).transpose()
    }

    pub(super) fn latest<T: BorshDeserialize>(&self, prefix: &[u8]) -> Result<Option<Interval<T>>, CallError> {
        Ok(self.last(prefix)?.map(|(_, interval)| interval))
    }

    /// The last interval under a prefix, and its ordinal.
    pub(super) fn last<T: BorshDeserialize>(&self, prefix: &[u8]) -> Result<Option<(u32, Interval<T>)>, CallError> {
        let Some((key, value)) = self.0.last_under(prefix) else { return Ok(None) };
        let ordinal = state_key::split_ordinal(&key).ok_or_else(|| incomplete("an ordinal in a key"))?;
        Ok(Some((ordinal, read(value)?)))
    }

    pub(super) fn organization_id(&self, name: &Name) -> Result<Option<OrganizationId>, CallError> {
        self.get(&state_key::organization_name(name))
    }

    /// The id of an organization that a caller names, who may name one that is not there.
    pub(super) fn select(&self, selector: &OrganizationSelector) -> Result<OrganizationId, CallError> {
        match selector {
            OrganizationSelector::Id(id) => Ok(*id),
            OrganizationSelector::Name(name) => {
                self.organization_id(name)?.ok_or_else(|| CallError::NameUnknown { name: name.clone() })
            }
        }
    }

    pub(super) fn organization_record(&self, id: &OrganizationId) -> Result<OrganizationRecord, CallError> {
        let key = state_key::ordinal(state_key::organization_facet(id, OrganizationFacet::Record), 0);
        self.get(&key)?.ok_or_else(|| Rejection::OrganizationUnknown { organization: *id }.into())
    }

    pub(super) fn organization(&self, id: &OrganizationId) -> Result<OrganizationView, CallError> {
        let record = self.organization_record(id)?;
        let (epoch, keys): (u32, Interval<OrganizationKeys>) = self
            .last(&state_key::organization_facet(id, OrganizationFacet::Keys))?
            .ok_or_else(|| incomplete("an organization's keys"))?;
        let council = self.council()?.value.binary_search(id).is_ok();
        Ok(OrganizationView::new(*id, record, epoch, &keys, council))
    }

    /// The organizations that govern, ascending.
    pub(super) fn council(&self) -> Result<Interval<Vec<OrganizationId>>, CallError> {
        self.latest(&state_key::council())?.ok_or_else(|| incomplete("the council"))
    }

    pub(super) fn parameters(&self) -> Result<Interval<Parameters>, CallError> {
        self.latest(&state_key::parameters())?.ok_or_else(|| incomplete("the parameters"))
    }

    /// What `principal` has used of `quota`, as the block after `view` finds it.
    pub(super) fn usage_view(
        &self,
        view: &View,
        principal: &Principal,
        quota: u32,
        parameters: &Parameters,
    ) -> Result<At<UsageView>, CallError> {
        let usage: Option<Usage> = self.get(&state_key::usage(principal))?;
        let height = view.header.height;
        Ok(At::new(height, UsageView::new(height.next().unwrap_or(height), parameters, quota, usage)))
    }

    pub(super) fn lot(&self, id: &LotId) -> Result<Interval<LotRecord>, CallError> {
        self.get(&state_key::lot(id))?.ok_or_else(|| Rejection::LotUnknown { lot: *id }.into())
    }

    pub(super) fn superseded(&self, place: &AttestationRef) -> Result<Option<Superseded>, CallError> {
        self.get(&state_key::superseded(&place.stream, place.sequence))
    }

    pub(super) fn device_exists(&self, id: &DeviceId) -> Result<(), CallError> {
        let key = state_key::ordinal(state_key::device_facet(id, DeviceFacet::Record), 0);
        self.0.get(&key).map(drop).ok_or_else(|| Rejection::DeviceUnknown { device: *id }.into())
    }

    pub(super) fn device_record(&self, id: &DeviceId) -> Result<DeviceRecord, CallError> {
        let key = state_key::ordinal(state_key::device_facet(id, DeviceFacet::Record), 0);
        self.get(&key)?.ok_or_else(|| Rejection::DeviceUnknown { device: *id }.into())
    }

    pub(super) fn device(&self, id: &DeviceId) -> Result<DeviceView, CallError> {
        let record = self.device_record(id)?;
        let endorsement = match record.endorsement.clone() {
            Some(endorsement) => {
                let lot = self.lot(&endorsement.lot)?;
                Some(EndorsementView::new(endorsement, &lot))
            }
            None => None,
        };
        let facts = DeviceFacts {
            endorsement,
            key: self.device_fact(id, DeviceFacet::Key)?,
            owner: self.device_owner(id)?,
            status: self.device_status(id)?,
            zone: self.device_fact(id, DeviceFacet::Placement)?,
            recovery: self.latest(&state_key::device_facet(id, DeviceFacet::Recovery))?,
            offer: self.latest(&state_key::device_facet(id, DeviceFacet::Offer))?,
        };
        Ok(DeviceView::new(*id, record, facts))
    }

    pub(super) fn device_owner(&self, id: &DeviceId) -> Result<Interval<OrganizationId>, CallError> {
        self.device_fact(id, DeviceFacet::Owner)
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
