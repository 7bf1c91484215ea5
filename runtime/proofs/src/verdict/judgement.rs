//! The last step: what the evidence says about key, device, authority and stream at the position of inclusion, in the time
//! in which the attestation can have been said, and at the checkpoint.
//!
//! That time reaches from the end of block L, which the device had seen, to the position of inclusion U. The outcome rests
//! on U alone, as the ledger's own rules do; what held at U but not throughout is shown and takes nothing away.

use std::collections::BTreeSet;

use cairn_types::record::{DeviceKey, GrantTerms};
use cairn_types::{
    Action, DeviceId, DeviceStatus, GrantId, Interval, OrganizationId, Position, Principal, StreamId, Target, Zone,
    transaction,
};

use super::Verdict;
use super::axes::{
    Authority, Device, DeviceStanding, Endorsement, EndorsementTrust, Key, KeyEpoch, KeyStanding, Silence, Stream,
    StreamStanding,
};
use super::evidence::Evidence;
use super::later;
use super::present::{Present, PresentAuthority, PresentKey, PresentStream};
use super::reason::Reason;
use super::statement::Established;
use crate::authority::{self, AuthorityFailure, Surroundings};
use crate::bundle::requirements::{end_of, within};
use crate::bundle::{Bundle, standing_at};

/// Fills the last axes of the verdict.
pub(super) fn judge(statement: &Established, evidence: &Evidence, bundle: &Bundle, verdict: &mut Verdict) {
    let case = Case { statement, evidence, bundle };
    let mut reasons = Vec::new();
    let (key, device) = (case.key(&mut reasons), case.device(&mut reasons));
    let (authority, stream) = (case.authority(&mut reasons), case.stream(&mut reasons));
    verdict.present = Some(case.present(&key, &stream));
    verdict.key = Some(key);
    verdict.device = Some(device);
    verdict.authority = Some(authority);
    verdict.stream = Some(stream);
    verdict.later = Some(later::since(case.included(), statement.attest.sequence, evidence));
    for reason in reasons {
        verdict.hold_against(reason);
    }
}

/// What the bundle shows at one position.
struct At<'a> {
    case: &'a Case<'a>,
    position: Position,
}

impl Surroundings for At<'_> {
    fn zone_of(&self, device: &DeviceId) -> Option<Zone> {
        self.case.evidence.zone_at(&self.case.statement.device, device, self.position)
    }

    fn is_member(&self, organization: &OrganizationId) -> bool {
        self.case.evidence.is_member_at(organization, self.position)
    }
}

struct Case<'a> {
    statement: &'a Established,
    evidence: &'a Evidence,
    bundle: &'a Bundle,
}

impl Case<'_> {
    /// U: where the attestation was included.
    fn included(&self) -> Position {
        self.statement.bounds.position
    }

    /// The end of block L: the earliest state in which it can have been said.
    fn earliest(&self) -> Position {
        end_of(self.statement.bounds.after.height)
    }

    fn key(&self, reasons: &mut Vec<Reason>) -> Key {
        let position = self.included();
        let Some(interval) = standing_at(&self.evidence.file.keys, position) else {
            reasons.push(Reason::KeyNotHeld { position });
            return Key { standing: KeyStanding::NotHeld, epoch: None };
        };
        let epoch = Some(KeyEpoch::of(interval));
        if let Err(reason) = self.check_signature(interval.value.key) {
            reasons.push(reason);
            return Key { standing: KeyStanding::NotHeld, epoch };
        }
        let standing = match self.doubt(interval).filter(|since| *since <= position) {
            Some(since) => {
                reasons.push(Reason::KeySuspect { since });
                KeyStanding::Suspect { since }
            }
            None if interval.contains(self.earliest()) => KeyStanding::Held,
            None => KeyStanding::HeldAtInclusion,
        };
        Key { standing, epoch }
    }

    /// Since when what was signed in this epoch is in doubt: the epoch itself, after a recovery, or the device. A revoked
    /// device's word is in doubt, whichever status interval carries the doubt.
    fn doubt(&self, epoch: &Interval<DeviceKey>) -> Option<Position> {
        let doubts = self.evidence.file.statuses.iter().filter_map(|status| status.suspect_since);
        doubts.chain(epoch.suspect_since).min()
    }

    /// Exactly one signature, by the device, with the key that spoke for it at the inclusion.
    fn check_signature(&self, key: cairn_types::PublicKey) -> Result<(), Reason> {
        let signed = self.statement.transaction.transaction();
        let [signature] = signed.signatures.as_slice() else {
            return Err(Reason::NotAnAttestation { id: self.statement.transaction.id() });
        };
        if signature.signer != Principal::Device(self.statement.device) || signature.key != 0 {
            return Err(Reason::NotAnAttestation { id: self.statement.transaction.id() });
        }
        let message = transaction::signed_message(&self.statement.transaction.id());
        let position = self.included();
        key.verify(&message, &signature.bytes).map_err(|error| Reason::SignatureInvalid { position, error })
    }

    fn device(&self, reasons: &mut Vec<Reason>) -> Device {
        let (file, position) = (&self.evidence.file, self.included());
        let after = self.statement.bounds.after.height;
        let statuses: Vec<_> = within(&file.statuses, after, position).cloned().collect();
        let status = standing_at(&file.statuses, position).map(|interval| interval.value);
        let owned = standing_at(&file.owners, position).is_some();
        if status != Some(DeviceStatus::Active) {
            reasons.push(Reason::DeviceNotActive { position, status });
        }
        if !owned {
            reasons.push(Reason::DeviceNotOwned { position });
        }
        let active = |interval: &Interval<DeviceStatus>| interval.value == DeviceStatus::Active;
        let standing = if status != Some(DeviceStatus::Active) || !owned {
            DeviceStanding::NotActive
        } else if standing_at(&file.statuses, self.earliest()).is_some() && statuses.iter().all(active) {
            DeviceStanding::Active
        } else {
            DeviceStanding::ActiveAtInclusion
        };
        Device {
            standing,
            model: file.record.inception.model.clone(),
            registered: file.record.registered,
            endorsement: self.endorsement(),
            statuses,
            owners: within(&file.owners, after, position).cloned().collect(),
            zones: within(&file.placements, after, position).cloned().collect(),
        }
    }

    /// Who vouched for the device, and whether that is still trusted at the checkpoint.
    fn endorsement(&self) -> Option<Endorsement> {
        let record = &self.evidence.file.record;
        let (word, lot) = (record.endorsement.as_ref()?, self.evidence.lot.as_ref()?);
        let expelled = self.evidence.records.get(&word.manufacturer).and_then(|maker| maker.expelled);
        // What was done under a doubtful lot is the claim on it, which is made at the registration.
        let trust = match lot.suspect_since.filter(|since| *since <= record.registered) {
            Some(since) => EndorsementTrust::Suspect { since },
            None => match lot.to.into_iter().chain(expelled).min() {
                Some(since) => EndorsementTrust::Distrusted { since },
                None => EndorsementTrust::Trusted,
            },
        };
        let (label, serial) = (lot.value.label.clone(), word.serial.clone());
        Some(Endorsement { manufacturer: word.manufacturer, lot: word.lot, label, serial, trust })
    }

    fn authority(&self, reasons: &mut Vec<Reason>) -> Authority {
        let path = self.evidence.path.clone();
        if let Err(failure) = self.entitled(self.included()) {
            reasons.push(Reason::AuthorityNotHeld(failure.clone()));
            return Authority::NotHeld { path, failure };
        }
        if let Some((since, grant)) = self.doubted_grant(self.included()) {
            reasons.push(Reason::AuthoritySuspect { grant, since });
            return Authority::Suspect { path, grant, since };
        }
        // From the latest moment backwards, as long as it was held without a break.
        let mut since = self.included();
        for moment in self.moments().into_iter().rev() {
            if let Err(before) = self.entitled(moment) {
                return Authority::Indeterminate { path, since, before };
            }
            since = moment;
        }
        Authority::Held { path }
    }

    /// Whether the device was entitled to attest in this stream at `position`.
    fn entitled(&self, position: Position) -> Result<(), AuthorityFailure> {
        if let Some(failure) = &self.evidence.broken {
            return Err(failure.clone());
        }
        let device = self.statement.device;
        let file = &self.evidence.file;
        let at = At { case: self, position };
        let Some(owner) = standing_at(&file.owners, position) else {
            // Without an owner there is nobody to hold authority from; the device axis says so.
            return Err(AuthorityFailure::Broken);
        };
        let target = Target {
            owner: owner.value,
            owned_since: owner.from,
            zone: at.zone_of(&device),
            device: Some(device),
            stream: Some(self.statement.attest.stream),
        };
        let signer = Principal::Device(device);
        authority::check(&self.evidence.path, &signer, &at, &target, Action::Attest, position)
    }

    /// The grant on the path that was in doubt first, if that was at or before `position`.
    fn doubted_grant(&self, position: Position) -> Option<(Position, GrantId)> {
        let doubts = self.evidence.path.iter().filter_map(|(grant, link)| Some((link.suspect_since?, *grant)));
        doubts.filter(|(since, _)| *since <= position).min()
    }

    /// All moments from the end of block L to the inclusion at which the answer to [`Self::entitled`] can change.
    fn moments(&self) -> BTreeSet<Position> {
        let mut moments = BTreeSet::new();
        let file = &self.evidence.file;
        let mut add = |from: Position, to: Option<Position>| moments.extend([Some(from), to].into_iter().flatten());
        for placement in file.placements.iter().chain(self.evidence.placements.values().flatten()) {
            add(placement.from, placement.to);
        }
        for owner in &file.owners {
            add(owner.from, owner.to);
        }
        for record in self.evidence.records.values() {
            add(record.admitted, record.expelled);
        }
        for (_, link) in &self.evidence.path {
            let GrantTerms { window, .. } = &link.value;
            add(link.from, link.to);
            add(Position::start_of(window.from), window.to.map(Position::start_of));
        }
        moments.retain(|moment| self.earliest() < *moment && *moment < self.included());
        moments.extend([self.earliest(), self.included()]);
        moments
    }

    fn stream(&self, reasons: &mut Vec<Reason>) -> Stream {
        let (record, attest) = (&self.evidence.stream, &self.statement.attest);
        let sequence = attest.sequence;
        let further = record.count.checked_sub(sequence).and_then(|rest| rest.checked_sub(1));
        let (id, position) = (self.statement.transaction.id(), self.included());
        let agrees = record.device == self.statement.device
            && StreamId::of(&record.device, &record.name) == attest.stream
            && record.opened < position
            && record.closed.is_none_or(|closed| position < closed)
            && match further {
                None => false,
                Some(0) => record.head == id && record.head_position == position,
                Some(_) => record.head != id && record.head_position > position,
            };
        let standing = match (further, record.forked_at) {
            (Some(further), forked) if agrees => match forked {
                Some(at) if at <= sequence => {
                    reasons.push(Reason::StreamForked { at });
                    StreamStanding::Forked { at }
                }
                _ if further == 0 => StreamStanding::Complete,
                _ => StreamStanding::Continued { further },
            },
            _ => {
                reasons.push(Reason::StreamContradicts { sequence });
                StreamStanding::Contradicts
            }
        };
        Stream {
            standing,
            name: record.name.clone(),
            sequence,
            count: record.count,
            head: record.head_position,
            opened: record.opened,
            closed: record.closed,
            cadence_s: record.cadence_s,
            silence: self.silence(),
        }
    }

    /// Measured only from this attestation, of whose block the bundle holds the time.
    fn silence(&self) -> Silence {
        let record = &self.evidence.stream;
        let Some(cadence_s) = record.cadence_s else {
            return Silence::NotDeclared;
        };
        if record.closed.is_some() || record.forked_at.is_some() {
            return Silence::Ended;
        }
        if record.head != self.statement.transaction.id() {
            return Silence::Unknown;
        }
        let since_ms = self.statement.bounds.before.time_ms;
        let silent_ms = self.bundle.finality.checkpoint.time_ms.saturating_sub(since_ms);
        if silent_ms > u64::from(cadence_s).saturating_mul(1_000) {
            Silence::Silent { since_ms }
        } else {
            Silence::Within
        }
    }

    /// How the same would stand in the next block. `key` is the axis as it stood at the inclusion.
    fn present(&self, key: &Key, stream: &Stream) -> Present {
        let (file, record) = (&self.evidence.file, &self.evidence.stream);
        let checkpoint = self.bundle.finality.checkpoint.height;
        let position = checkpoint.next().map_or(end_of(checkpoint), Position::start_of);
        let epoch = standing_at(&file.keys, self.included()).filter(|_| key.standing != KeyStanding::NotHeld);
        let key = match epoch {
            None => PresentKey::NotHeld,
            Some(Interval { to: Some(at), .. }) => PresentKey::Ended { at: *at },
            Some(epoch) => match self.doubt(epoch) {
                Some(since) => PresentKey::Suspect { since },
                None => PresentKey::Held,
            },
        };
        let authority = match self.entitled(position) {
            Err(failure) => PresentAuthority::NotHeld { failure },
            Ok(()) => match self.doubted_grant(position) {
                Some((since, grant)) => PresentAuthority::Suspect { grant, since },
                None => PresentAuthority::Held,
            },
        };
        let stream = match (stream.standing, record.forked_at, record.closed) {
            (StreamStanding::Contradicts, _, _) => PresentStream::Contradicts,
            (_, Some(_), _) => PresentStream::Forked,
            (_, None, Some(_)) => PresentStream::Closed,
            (_, None, None) => PresentStream::Open,
        };
        Present {
            position,
            key,
            status: standing_at(&file.statuses, position).map(|interval| interval.value),
            owner: standing_at(&file.owners, position).map(|interval| interval.value),
            zone: standing_at(&file.placements, position).map(|interval| interval.value.clone()),
            authority,
            stream,
            superseded: self.evidence.superseded.is_some(),
            recovery: standing_at(&file.recoveries, position).map(|recovery| recovery.value.effective),
            offered_to: standing_at(&file.offers, position).map(|offer| offer.value),
        }
    }
}
