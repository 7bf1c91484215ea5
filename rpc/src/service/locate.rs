//! Finding final transactions and attestations.

use cairn_types::call::Attest;
use cairn_types::record::Superseded;
use cairn_types::{AttestationRef, Call, DeviceId, Height, Position, Principal, SignedTransaction, TransactionId};

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
        found.filter(|found| is_final_at(found.located.position, at)).ok_or_else(|| self.attestation_unknown(selector))
    }

    /// What is not found may stand in a block that is not kept.
    pub(super) fn attestation_unknown(&self, selector: &Text<AttestationSelector>) -> CallError {
        let attestation = selector.0.to_text();
        match self.first_kept() {
            Some(first) => CallError::NotInKeptBlocks { what: format!("attestation {attestation}"), first },
            None => CallError::AttestationUnknown { attestation },
        }
    }

    /// What is not found may stand in a block that is not kept.
    pub(super) fn transaction_unknown(&self, id: TransactionId) -> CallError {
        match self.first_kept() {
            Some(first) => CallError::NotInKeptBlocks { what: format!("transaction {id}"), first },
            None => CallError::TransactionUnknown { id },
        }
    }

    /// What is not found although the ledger has it: in a block that is not kept, or the index is broken as `reason` says.
    pub(super) fn attestation_missing(&self, place: &AttestationRef, reason: &'static str) -> CallError {
        match self.first_kept() {
            Some(first) => CallError::NotInKeptBlocks { what: format!("attestation {}", place.to_text()), first },
            None => CallError::Internal { reason },
        }
    }

    /// The first block that is kept, if that is not block 1.
    pub(super) fn first_kept(&self) -> Option<Height> {
        let first = self.backend.status().first_height;
        (first > Height::new(1)).then_some(first)
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
