//! Finding final transactions and attestations.

use cairn_types::call::Attest;
use cairn_types::record::Superseded;
use cairn_types::{AttestationRef, Call, DeviceId, Height, Position, Principal, SignedTransaction};

use super::Service;
use super::state::Records;
use crate::backend::{Backend, Located, TransactionState};
use crate::error::CallError;
use crate::views::{AttestationPlace, AttestationSelector, AttestationView, Text, TextForm};

/// Decodes a transaction that the node accepted.
pub(super) fn decode(bytes: Vec<u8>) -> Result<SignedTransaction, CallError> {
    SignedTransaction::from_bytes(bytes).map_err(|error| {
        tracing::error!(%error, "a stored transaction does not decode");
        CallError::Internal { reason: "a transaction that it stored does not decode" }
    })
}

/// Whether somebody who reads as of `at` sees what stands at `position`.
pub(super) fn is_final_at(position: Position, at: Option<Height>) -> bool {
    at.is_none_or(|at| position.height <= at)
}

/// A final attestation.
pub(super) struct Attestation {
    pub(super) device: DeviceId,
    pub(super) attest: Attest,
    pub(super) transaction: SignedTransaction,
    pub(super) located: Located,
}

impl Attestation {
    /// The transaction found at `located`, if it is an attestation by a device.
    fn new(located: Located) -> Result<Option<Self>, CallError> {
        let transaction = decode(located.bytes.clone())?;
        let (Call::Attest(attest), Principal::Device(device)) = (&transaction.body().call, transaction.body().signer)
        else {
            return Ok(None);
        };
        Ok(Some(Self { device, attest: attest.clone(), transaction, located }))
    }

    pub(super) fn place(&self) -> AttestationRef {
        AttestationRef { stream: self.attest.stream, sequence: self.attest.sequence }
    }

    /// As it is seen in a state that is not older than `at`, by somebody who knows nothing above `at`. That it is superseded
    /// is said once and for ever, so any later state tells what was known before.
    pub(super) fn view(&self, records: Records<'_>, at: Option<Height>) -> Result<AttestationView, CallError> {
        let superseded = records.superseded(&self.place())?;
        let superseded = superseded.filter(|one| at.is_none_or(|at| one.at.height <= at));
        Ok(self.view_with(superseded))
    }

    fn view_with(&self, superseded: Option<Superseded>) -> AttestationView {
        let place = AttestationPlace {
            id: self.transaction.id(),
            device: self.device,
            not_before: self.transaction.body().not_before.into(),
            position: self.located.position.into(),
            block: self.located.block,
            time_ms: self.located.time_ms,
            superseded,
        };
        AttestationView::new(&self.attest, place)
    }
}

impl<B: Backend> Service<B> {
    /// The attestation that a caller names, if it was final at `at`.
    pub(super) fn find(
        &self,
        selector: &Text<AttestationSelector>,
        at: Option<Height>,
    ) -> Result<Attestation, CallError> {
        let found = match &selector.0 {
            AttestationSelector::Place(place) => self.attestation_in(place)?,
            AttestationSelector::Transaction(id) => match self.backend.transaction(id)? {
                TransactionState::Final(located) => Attestation::new(located)?,
                TransactionState::Pending(_) | TransactionState::Unknown => None,
            },
        };
        found
            .filter(|found| is_final_at(found.located.position, at))
            .ok_or_else(|| CallError::AttestationUnknown { attestation: selector.0.to_text() })
    }

    /// The attestation of a place; `None` if there is none.
    pub(super) fn attestation_in(&self, place: &AttestationRef) -> Result<Option<Attestation>, CallError> {
        match self.backend.attestation(place)? {
            Some(position) => self.attestation_at(position).map(Some),
            None => Ok(None),
        }
    }

    /// The attestation at a position where the index says that there is one.
    pub(super) fn attestation_at(&self, position: Position) -> Result<Attestation, CallError> {
        let attestation = match self.backend.transaction_at(position)? {
            Some(located) => Attestation::new(located)?,
            None => None,
        };
        attestation.ok_or_else(|| {
            tracing::error!(%position, "the index names an attestation where there is none");
            CallError::Internal { reason: "its index names an attestation where there is none" }
        })
    }
}
