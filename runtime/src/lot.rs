//! Lots: a manufacturer's word for many devices, and how one device claims it.
//!
//! The word is a fact and stays; trust in it ends when the manufacturer says so. What is claimed, a place in a lot or a
//! certified key, is claimed once.

use cairn_proofs::accumulator::InclusionProof;
use cairn_types::call::{DistrustLot, EndorseLot};
use cairn_types::limits::{LOT_LABEL_BYTES_MAX, SERIAL_BYTES_MAX};
use cairn_types::lot::{
    CertificateEndorsement, Endorsement, LotBasis, LotEndorsement, endorsement_message, serial_is_valid,
};
use cairn_types::organization::text_is_valid;
use cairn_types::record::{EndorsementRecord, Interval, LotRecord};
use cairn_types::{
    DeviceId, Hash, Inception, LotId, OrganizationId, Position, Principal, PublicKey, Rejection, Role, TransactionId,
    encode, state_key,
};

use crate::certificate;
use crate::organization;
use crate::state::{self, Changes, State};

fn invalid(reason: &'static str) -> Rejection {
    Rejection::EndorsementInvalid { reason }
}

/// Lots are a manufacturer's own: nobody else speaks for them.
fn speaking_manufacturer(signer: Principal, call: &'static str) -> Result<OrganizationId, Rejection> {
    match signer {
        Principal::Organization(id) => Ok(id),
        Principal::Device(_) => Err(Rejection::SignerNotEntitled { signer, call, needed: "the manufacturer does" }),
    }
}

// Texts below name these limits.
const _: () = assert!(LOT_LABEL_BYTES_MAX == 64 && SERIAL_BYTES_MAX == 64);

pub(crate) fn endorse(
    state: &impl State,
    signer: Principal,
    call: &EndorseLot,
    transaction: &TransactionId,
    position: Position,
) -> Result<Changes, Rejection> {
    let manufacturer = speaking_manufacturer(signer, "EndorseLot")?;
    let record = organization::check_known(state, &manufacturer)?;
    organization::check_role(&record, &manufacturer, Role::Manufacturer)?;
    if !text_is_valid(&call.label, LOT_LABEL_BYTES_MAX) {
        let reason = "longer than 64 bytes, or holds control characters";
        return Err(Rejection::FieldInvalid { field: "label", reason });
    }
    match &call.basis {
        LotBasis::Merkle { count: 0, .. } => {
            return Err(Rejection::FieldInvalid { field: "basis.count", reason: "is at least 1" });
        }
        LotBasis::Merkle { .. } => {}
        LotBasis::Issuer { key } => key.check().map_err(|reason| Rejection::KeyInvalid { reason })?,
    }
    let id = LotId::of(transaction);
    let lot = LotRecord { manufacturer, basis: call.basis, label: call.label.clone() };
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::lot(&id), &Interval::open(lot, position));
    changes.insert(state_key::manufacturer_lot(&manufacturer, &id), Some(Vec::new()));
    Ok(changes)
}

pub(crate) fn distrust(
    state: &impl State,
    signer: Principal,
    call: &DistrustLot,
    position: Position,
) -> Result<Changes, Rejection> {
    let DistrustLot { lot, suspect_since } = *call;
    let interval = state::lot(state, &lot).ok_or(Rejection::LotUnknown { lot })?;
    if signer != Principal::Organization(interval.value.manufacturer) {
        return Err(Rejection::SignerNotEntitled { signer, call: "DistrustLot", needed: "its manufacturer does" });
    }
    if suspect_since.is_some_and(|since| since > position) {
        return Err(Rejection::SuspectSinceInvalid { reason: "lies in the future" });
    }
    let distrusted = state::ended(interval, suspect_since, position).ok_or(Rejection::LotDistrustedAlready { lot })?;
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::lot(&lot), &distrusted);
    Ok(changes)
}

/// Checks an endorsement of the device of `inception`, and enters the claim.
pub(crate) fn claim(
    state: &impl State,
    endorsement: &Endorsement,
    inception: &Inception,
    changes: &mut Changes,
) -> Result<EndorsementRecord, Rejection> {
    let id = endorsement.lot();
    let lot = state::lot(state, &id).ok_or(Rejection::LotUnknown { lot: id })?;
    if !lot.is_open() {
        return Err(Rejection::LotDistrusted { lot: id });
    }
    let manufacturer = lot.value.manufacturer;
    organization::check_member(state, &manufacturer)?;
    let device = inception.id();
    let (claim, serial) = match (endorsement, lot.value.basis) {
        (Endorsement::Lot(endorsement), LotBasis::Merkle { root, count }) => {
            claim_of_leaf(endorsement, device, &root, count)?
        }
        (Endorsement::Certificate(endorsement), LotBasis::Issuer { key }) => {
            claim_of_certificate(endorsement, inception, &key)?
        }
        _ => return Err(invalid("the lot is of the other kind")),
    };
    if let Some(by) = state::lot_claim(state, &id, &claim) {
        return Err(Rejection::LotPlaceClaimed { lot: id, by });
    }
    changes.insert(state_key::lot_claim(&id, &claim), Some(encode(&device)));
    Ok(EndorsementRecord { lot: id, manufacturer, serial })
}

fn claim_of_leaf(
    endorsement: &LotEndorsement,
    device: DeviceId,
    root: &Hash,
    count: u32,
) -> Result<(Hash, String), Rejection> {
    if !serial_is_valid(&endorsement.serial) {
        let reason = "is empty, longer than 64 bytes, or holds control characters";
        return Err(Rejection::FieldInvalid { field: "endorsement.serial", reason });
    }
    let item = endorsement.leaf(device).item();
    let proof = InclusionProof { index: u64::from(endorsement.index), siblings: endorsement.siblings.clone() };
    proof
        .verify(&item, u64::from(count), root)
        .map_err(|_| invalid("serial number, salt and device are not at that place in the lot"))?;
    Ok((item, endorsement.serial.clone()))
}

fn claim_of_certificate(
    endorsement: &CertificateEndorsement,
    inception: &Inception,
    issuer: &PublicKey,
) -> Result<(Hash, String), Rejection> {
    let certified = certificate::check_chain(&endorsement.chain, issuer).map_err(|error| invalid(error.reason()))?;
    match &endorsement.signature {
        None if certified.key != inception.key => {
            return Err(invalid("the device's first key is not the certified one, and that has not signed for it"));
        }
        Some(_) if certified.key == inception.key => {
            return Err(invalid("the certified key is the device's own, so its signature says nothing"));
        }
        Some(signature) if certified.key.verify(&endorsement_message(&inception.id()), signature).is_err() => {
            return Err(invalid("the certified key's signature does not verify"));
        }
        _ => {}
    }
    Ok((certified.key.commitment().hash(), certified.serial))
}
