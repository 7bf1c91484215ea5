//! The third step: what the ledger says, as of the checkpoint, about the device, its stream and its grants.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::record::{EndorsementRecord, GrantTerms, LotRecord, OrganizationRecord, StreamRecord, Superseded};
use cairn_types::{
    AttestationRef, DeviceId, GrantId, Hash, Interval, OrganizationId, Position, Zone, codec, limits, state_key,
};

use super::axes::OrganizationName;
use super::reason::{Reason, Subject};
use super::statement::Established;
use crate::authority::{AuthorityFailure, Link};
use crate::bundle::requirements::{device_query, organization_query, organizations, placements_query, zone_grantors};
use crate::bundle::{Bundle, DeviceFile, DeviceFileError, read_placements, standing_at};
use crate::tree::{Proven, Query, StateProof, VALUE_BYTES_MAX};

/// What the state proofs show.
pub(super) struct Evidence {
    /// The device.
    pub(super) file: DeviceFile,
    /// The stream.
    pub(super) stream: StreamRecord,
    /// The grants, from the one that the attestation names.
    pub(super) path: Vec<Link>,
    /// Why the path does not end in a grant without a parent, if it does not.
    pub(super) broken: Option<AuthorityFailure>,
    /// Where devices that passed grants on stood.
    pub(super) placements: BTreeMap<DeviceId, Vec<Interval<Zone>>>,
    /// Names.
    pub(super) organizations: Vec<OrganizationName>,
    /// The same organizations' records.
    pub(super) records: BTreeMap<OrganizationId, OrganizationRecord>,
    /// The lot that the device comes from, exactly if somebody vouched for it.
    pub(super) lot: Option<Interval<LotRecord>>,
    /// That the attestation is not to be used any more.
    pub(super) superseded: Option<Superseded>,
}

impl Evidence {
    /// Whether an organization took part at a position, as far as the bundle shows it.
    pub(super) fn is_member_at(&self, organization: &OrganizationId, position: Position) -> bool {
        self.records.get(organization).is_some_and(|record| record.is_member_at(position))
    }

    /// Where a device stood at a position, as far as the bundle shows it.
    pub(super) fn zone_at(&self, signer: &DeviceId, device: &DeviceId, position: Position) -> Option<Zone> {
        let placements = if device == signer { &self.file.placements } else { self.placements.get(device)? };
        standing_at(placements, position).map(|interval| interval.value.clone())
    }
}

/// Verifies every state proof, each against the question that the attestation and the proofs before it pose.
pub(super) fn establish(bundle: &Bundle, statement: &Established) -> Result<Evidence, Reason> {
    let root = &bundle.finality.checkpoint.state_root;
    let device = statement.device;

    let about_device = Subject::Device(device);
    let proven = prove(&bundle.device, root, &device_query(&device), about_device)?;
    let file = DeviceFile::read(&device, entries(&proven)).map_err(|error| file_reason(error, about_device))?;

    let about_stream = Subject::Stream(statement.attest.stream);
    let stream_key = state_key::stream(&statement.attest.stream);
    let stream =
        one(&bundle.stream, root, &stream_key, about_stream)?.ok_or(Reason::Absent { subject: about_stream })?;

    let (path, broken) = read_path(bundle, root, statement.attest.authority)?;

    let mut placements = BTreeMap::new();
    let mut proofs = bundle.placements.iter();
    for grantor in zone_grantors(&path, &device) {
        let subject = Subject::Placements(grantor);
        let proof = proofs.next().ok_or(Reason::ProofMissing { subject })?;
        let proven = prove(proof, root, &placements_query(&grantor), subject)?;
        let read = read_placements(entries(&proven)).map_err(|error| file_reason(error, subject))?;
        placements.insert(grantor, read);
    }
    nothing_left(proofs)?;

    let (mut names, mut records) = (Vec::new(), BTreeMap::new());
    let mut proofs = bundle.organizations.iter();
    for id in organizations(&file, statement.bounds.after.height, &path) {
        let proof = proofs.next().ok_or(Reason::ProofMissing { subject: Subject::Organization(id) })?;
        let record = read_organization(proof, root, id)?;
        names.push(OrganizationName { id, name: record.name.clone(), title: record.title.clone() });
        records.insert(id, record);
    }
    nothing_left(proofs)?;

    let lot = read_lot(bundle, root, file.record.endorsement.as_ref())?;
    let superseded = read_superseded(bundle, root, statement)?;
    Ok(Evidence { file, stream, path, broken, placements, organizations: names, records, lot, superseded })
}

/// The lot, which is proven exactly if the device's record names one.
fn read_lot(
    bundle: &Bundle,
    root: &Hash,
    endorsement: Option<&EndorsementRecord>,
) -> Result<Option<Interval<LotRecord>>, Reason> {
    let Some(endorsement) = endorsement else {
        return nothing_left(bundle.lot.iter()).map(|()| None);
    };
    let subject = Subject::Lot(endorsement.lot);
    let proof = bundle.lot.as_ref().ok_or(Reason::ProofMissing { subject })?;
    let lot: Interval<LotRecord> =
        one(proof, root, &state_key::lot(&endorsement.lot), subject)?.ok_or(Reason::Absent { subject })?;
    if lot.value.manufacturer == endorsement.manufacturer {
        Ok(Some(lot))
    } else {
        Err(Reason::RecordMalformed { subject })
    }
}

/// Whether the attestation was superseded, which can only have been said after it.
fn read_superseded(bundle: &Bundle, root: &Hash, statement: &Established) -> Result<Option<Superseded>, Reason> {
    let (stream, sequence) = (statement.attest.stream, statement.attest.sequence);
    let subject = Subject::Superseded(AttestationRef { stream, sequence });
    let superseded = one(&bundle.superseded, root, &state_key::superseded(&stream, sequence), subject)?;
    match superseded {
        Some(Superseded { at, .. }) if at <= statement.bounds.position => Err(Reason::RecordMalformed { subject }),
        superseded => Ok(superseded),
    }
}

/// Follows the grants from `first` to the one without a parent, proof by proof.
fn read_path(bundle: &Bundle, root: &Hash, first: GrantId) -> Result<(Vec<Link>, Option<AuthorityFailure>), Reason> {
    let mut proofs = bundle.grants.iter();
    let mut path: Vec<Link> = Vec::new();
    let mut broken = None;
    let mut next = Some(first);
    while let Some(id) = next {
        if path.len() == limits::GRANT_PATH_MAX {
            broken = Some(AuthorityFailure::TooLong { grant: first });
            break;
        }
        let subject = Subject::Grant(id);
        let proof = proofs.next().ok_or(Reason::ProofMissing { subject })?;
        let Some(grant) = one::<Interval<GrantTerms>>(proof, root, &state_key::grant(&id), subject)? else {
            broken = Some(AuthorityFailure::Unknown { grant: id });
            break;
        };
        next = grant.value.parent;
        path.push((id, grant));
    }
    nothing_left(proofs)?;
    Ok((path, broken))
}

fn read_organization(proof: &StateProof, root: &Hash, id: OrganizationId) -> Result<OrganizationRecord, Reason> {
    let subject = Subject::Organization(id);
    let proven = prove(proof, root, &organization_query(&id), subject)?;
    decode(proven.value().ok_or(Reason::Absent { subject })?, subject)
}

/// The record under one key, or the proof that there is none.
fn one<T: BorshSerialize + BorshDeserialize>(
    proof: &StateProof,
    root: &Hash,
    key: &[u8],
    subject: Subject,
) -> Result<Option<T>, Reason> {
    let proven = prove(proof, root, &Query::key(key), subject)?;
    proven.value().map(|value| decode(value, subject)).transpose()
}

fn prove(proof: &StateProof, root: &Hash, query: &Query, subject: Subject) -> Result<Proven, Reason> {
    proof.verify(root, query).map_err(|error| Reason::StateProofInvalid { subject, error })
}

fn decode<T: BorshSerialize + BorshDeserialize>(value: &[u8], subject: Subject) -> Result<T, Reason> {
    codec::decode(value, VALUE_BYTES_MAX).map_err(|_| Reason::RecordMalformed { subject })
}

fn entries(proven: &Proven) -> impl Iterator<Item = (&[u8], &[u8])> {
    proven.entries().iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
}

fn file_reason(error: DeviceFileError, subject: Subject) -> Reason {
    match error {
        DeviceFileError::Absent => Reason::Absent { subject },
        DeviceFileError::Malformed { .. } => Reason::RecordMalformed { subject },
        DeviceFileError::UnknownFacet { .. } => Reason::RecordUnknown { subject },
    }
}

/// Proofs that nothing asks for would be bytes without meaning.
fn nothing_left<'a>(proofs: impl Iterator<Item = &'a StateProof>) -> Result<(), Reason> {
    match proofs.count() {
        0 => Ok(()),
        count => Err(Reason::ProofSuperfluous { count }),
    }
}
