//! The last step: what the evidence says about key, device, authority and stream at the position of inclusion, and in the
//! time in which the attestation can have been said.
//!
//! That time reaches from the end of block L, which the device had seen, to the position of inclusion U. The outcome rests
//! on U alone, as the ledger's own rules do; what held at U but not throughout is shown and takes nothing away.

use std::collections::BTreeSet;

use cairn_types::record::GrantTerms;
use cairn_types::{
    Action, DeviceId, DeviceStatus, GrantId, Interval, OrganizationId, Position, Principal, StreamId, Target, Zone,
    transaction,
};

use super::Verdict;
use super::axes::{
    Authority, Device, DeviceStanding, Key, KeyEpoch, KeyStanding, Later, LaterEvent, Silence, Stream, StreamStanding,
};
use super::evidence::Evidence;
use super::reason::Reason;
use super::statement::Established;
use crate::authority::{self, AuthorityFailure, Surroundings};
use crate::bundle::requirements::{end_of, within};
use crate::bundle::{Bundle, standing_at};

/// Fills the last axes of the verdict.
pub(super) fn judge(statement: &Established, evidence: &Evidence, bundle: &Bundle, verdict: &mut Verdict) {
    let case = Case { statement, evidence, bundle };
    let mut reasons = Vec::new();
    verdict.key = Some(case.key(&mut reasons));
    verdict.device = Some(case.device(&mut reasons));
    verdict.authority = Some(case.authority(&mut reasons));
    verdict.stream = Some(case.stream(&mut reasons));
    verdict.later = Some(case.later());
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
        // A revoked device's word is in doubt, whichever status interval carries the doubt.
        let doubts = self.evidence.file.statuses.iter().filter_map(|status| status.suspect_since);
        let since = doubts.chain(interval.suspect_since).min().filter(|since| *since <= position);
        let standing = match since {
            Some(since) => {
                reasons.push(Reason::KeySuspect { since });
                KeyStanding::Suspect { since }
            }
            None if interval.contains(self.earliest()) => KeyStanding::Held,
            None => KeyStanding::HeldAtInclusion,
        };
        Key { standing, epoch }
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
            endorsed_by: file.record.endorsement.as_ref().map(|endorsement| endorsement.manufacturer),
            statuses,
            owners: within(&file.owners, after, position).cloned().collect(),
            zones: within(&file.placements, after, position).cloned().collect(),
        }
    }

    fn authority(&self, reasons: &mut Vec<Reason>) -> Authority {
        let path = self.evidence.path.clone();
        let at_inclusion = match &self.evidence.broken {
            Some(failure) => Err(failure.clone()),
            None => self.entitled_at(self.included()),
        };
        if let Err(failure) = at_inclusion {
            reasons.push(Reason::AuthorityNotHeld(failure.clone()));
            return Authority::NotHeld { path, failure };
        }
        if let Some((since, grant)) = self.doubted_grant() {
            reasons.push(Reason::AuthoritySuspect { grant, since });
            return Authority::Suspect { path, grant, since };
        }
        // From the latest moment backwards, as long as it was held without a break.
        let mut since = self.included();
        for moment in self.moments().into_iter().rev() {
            if let Err(before) = self.entitled_at(moment) {
                return Authority::Indeterminate { path, since, before };
            }
            since = moment;
        }
        Authority::Held { path }
    }

    /// Whether the device was entitled to attest in this stream at `position`.
    fn entitled_at(&self, position: Position) -> Result<(), AuthorityFailure> {
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

    /// The grant on the path that was in doubt first, if that was at or before the inclusion.
    fn doubted_grant(&self) -> Option<(Position, GrantId)> {
        let doubts = self.evidence.path.iter().filter_map(|(grant, link)| Some((link.suspect_since?, *grant)));
        doubts.filter(|(since, _)| *since <= self.included()).min()
    }

    /// All moments from the end of block L to the inclusion at which the answer to [`Self::entitled_at`] can change.
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

    /// What happened after the inclusion, up to the checkpoint, in the order of the ledger.
    fn later(&self) -> Vec<Later> {
        let (file, record) = (&self.evidence.file, &self.evidence.stream);
        let mut later = Vec::new();
        let mut add = |position: Position, event: LaterEvent| {
            if position > self.included() {
                later.push(Later { position, event });
            }
        };
        for interval in &file.keys {
            add(interval.from, LaterEvent::KeyRotated { key: interval.value.key });
        }
        for interval in &file.statuses {
            let Interval { value: status, suspect_since, .. } = *interval;
            add(interval.from, LaterEvent::StatusChanged { status, suspect_since });
        }
        for interval in &file.owners {
            add(interval.from, LaterEvent::OwnerChanged { owner: interval.value });
        }
        for interval in &file.placements {
            add(interval.from, LaterEvent::Placed { zone: interval.value.clone() });
        }
        for (grant, link) in &self.evidence.path {
            if let Some(to) = link.to {
                add(to, LaterEvent::GrantRevoked { grant: *grant, suspect_since: link.suspect_since });
            }
        }
        let further = record.count.saturating_sub(self.statement.attest.sequence).saturating_sub(1);
        if further > 0 {
            add(record.head_position, LaterEvent::Attested { further });
        }
        if let Some(closed) = record.closed {
            add(closed, LaterEvent::StreamClosed);
        }
        // Stable, so that what one transaction did stays in the order above.
        later.sort_by_key(|event| event.position);
        later
    }
}
