//! The conversion of calls: field by field, with nothing left out. A call's bytes are in its transaction's `encoded`.

use cairn_types::call::Attest;
use cairn_types::limits::TRANSACTION_BYTES_MAX;
use cairn_types::{AttestationRef, Call, Transaction, decode};

use super::CallView;
use crate::views::grant::ActionName;
use crate::views::organization::KeySetView;
use crate::views::text::Text;

impl From<Call> for CallView {
    fn from(call: Call) -> Self {
        match call {
            Call::Govern(call) => Self::Govern { measure: call.measure.into() },
            Call::RotateOrganizationKeys(call) => Self::RotateOrganizationKeys {
                organization: Text(call.organization),
                keys: KeySetView::from(&call.keys),
                next: call.next.map(Text),
                by_recovery: call.by_recovery,
            },
            Call::EndorseLot(call) => Self::EndorseLot { basis: call.basis.into(), label: call.label },
            Call::DistrustLot(call) => {
                Self::DistrustLot { lot: Text(call.lot), suspect_since: call.suspect_since.map(Into::into) }
            }
            Call::RegisterDevice(call) => Self::RegisterDevice {
                device: Text(call.inception.id()),
                inception: call.inception.into(),
                owner: Text(call.owner),
                zone: call.zone.into(),
                endorsement: call.endorsement.map(Into::into),
                authority: call.authority.map(Text),
            },
            Call::RotateDeviceKey(call) => {
                Self::RotateDeviceKey { device: Text(call.device), key: Text(call.key), next: Text(call.next) }
            }
            Call::RecoverDeviceKey(call) => Self::RecoverDeviceKey {
                device: Text(call.device),
                key: Text(call.key),
                next: Text(call.next),
                suspect_since: call.suspect_since.map(Into::into),
            },
            Call::CancelRecovery(call) => Self::CancelRecovery { device: Text(call.device) },
            Call::OfferDevice(call) => Self::OfferDevice { device: Text(call.device), to: call.to.map(Text) },
            Call::AcceptDevice(call) => Self::AcceptDevice { device: Text(call.device), zone: call.zone.into() },
            Call::PlaceDevice(call) => Self::PlaceDevice {
                device: Text(call.device),
                zone: call.zone.into(),
                authority: call.authority.map(Text),
            },
            Call::SetDeviceStatus(call) => Self::SetDeviceStatus {
                device: Text(call.device),
                status: call.status.into(),
                suspect_since: call.suspect_since.map(Into::into),
            },
            Call::Grant(call) => Self::Grant {
                grantee: call.grantee.into(),
                actions: call.actions.iter().map(ActionName::from).collect(),
                scope: call.scope.into(),
                window: call.window.into(),
                depth: call.depth,
                parent: call.parent.map(Text),
            },
            Call::RevokeGrant(call) => {
                Self::RevokeGrant { grant: Text(call.grant), suspect_since: call.suspect_since.map(Into::into) }
            }
            Call::OpenStream(call) => {
                Self::OpenStream { name: Text(call.name), cadence_s: call.cadence_s, authority: Text(call.authority) }
            }
            Call::CloseStream(call) => Self::CloseStream { stream: Text(call.stream) },
            Call::Attest(call) => Self::Attest {
                stream: Text(call.stream),
                sequence: Text(call.sequence),
                previous: Text(call.previous),
                content: call.content.into(),
                claimed: call.claimed.map(Into::into),
                derived_from: call.derived_from.into_iter().map(Text).collect(),
                authority: Text(call.authority),
            },
            Call::Supersede(call) => {
                Self::Supersede { target: Text(call.target), replacement: call.replacement.map(Text) }
            }
            Call::ReportFork(call) => Self::ReportFork {
                attestation: place_of(&call.first).map(Text),
                first: Text(call.first),
                second: Text(call.second),
            },
        }
    }
}

/// Where an encoded attestation stands by its own word.
fn place_of(encoded: &[u8]) -> Option<AttestationRef> {
    let transaction: Transaction = decode(encoded, TRANSACTION_BYTES_MAX).ok()?;
    match transaction.body.call {
        Call::Attest(Attest { stream, sequence, .. }) => Some(AttestationRef { stream, sequence }),
        _ => None,
    }
}
