//! What an auditor should be told of an attestation, axis by axis, from the list alone: section 12, step D.
//!
//! The oracle looks at a checkpoint as at any moment: it reads the list up to there. Whether a right was held all the
//! time it asks at every position at which anything happened, and at the beginning of every height, without knowing
//! which of them matter.

use cairn_proofs::authority::Link;
use cairn_proofs::verdict::{
    Device, DeviceStanding, Endorsement, EndorsementTrust, Key, KeyEpoch, KeyStanding, Later, LaterEvent, PresentKey,
    PresentStream, Silence, Stream, StreamStanding,
};
use cairn_types::record::GrantTerms;
use cairn_types::{
    Action, AttestationRef, Call, DeviceId, DeviceStatus, GrantId, Height, Interval, OrganizationId, Position,
    Principal, Zone,
};

use super::authority::Thing;
use super::{Event, Oracle, Past};

/// Whether a device was entitled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// All the time.
    Held,
    /// Only from there on.
    Since(Position),
    /// What was done under that grant is in doubt.
    Suspect(GrantId, Position),
    /// Not.
    NotHeld,
}

/// How the same stands at the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// The first position after the checkpoint.
    pub position: Position,
    /// The key that signed.
    pub key: PresentKey,
    /// The device's status.
    pub status: Option<DeviceStatus>,
    /// Its owner.
    pub owner: Option<OrganizationId>,
    /// Where it is.
    pub zone: Option<Zone>,
    /// Whether it is still entitled.
    pub right: Right,
    /// The stream.
    pub stream: PresentStream,
    /// Whether the attestation was superseded.
    pub superseded: bool,
    /// The height from which another key is to speak.
    pub recovery: Option<Height>,
    /// To whom the device is offered.
    pub offered_to: Option<OrganizationId>,
}

/// All that there is to say of an attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindsight {
    /// Whether the key spoke for the device.
    pub key: Key,
    /// Status, owner, place and endorsement.
    pub device: Device,
    /// Whether the device was entitled.
    pub right: Right,
    /// By which grants.
    pub path: Vec<Link>,
    /// Where it stands in its stream.
    pub stream: Stream,
    /// What happened afterwards.
    pub later: Vec<Later>,
    /// How it stands now.
    pub now: Now,
    /// The names of the reasons against it, but for what the auditor brings along; ascending.
    pub reasons: Vec<&'static str>,
}

/// An attestation, and the two bounds of the time in which it was said.
struct Case<'a> {
    oracle: &'a Oracle,
    /// All up to the checkpoint.
    past: Past<'a>,
    now: Position,
    device: DeviceId,
    call: &'a cairn_types::call::Attest,
    event: &'a Event,
    /// The end of the block that the device had seen.
    earliest: Position,
    /// Where it stands.
    said: Position,
}

fn standing<T>(intervals: &[Interval<T>], position: Position) -> Option<&Interval<T>> {
    intervals.iter().rfind(|interval| interval.contains(position))
}

impl Oracle {
    /// What an auditor should be told of the attestation at `said`, with the block at `checkpoint` as the checkpoint;
    /// `time_ms` tells the time of a block.
    ///
    /// # Panics
    /// If there is no attestation at `said`.
    pub fn hindsight(&self, said: Position, checkpoint: Height, time_ms: impl Fn(Height) -> u64) -> Hindsight {
        let event = self.events().iter().find(|event| event.position == said).expect("something stands there");
        let (Call::Attest(call), Principal::Device(device)) = (event.call(), event.signer()) else {
            panic!("no attestation stands there")
        };
        let now = Position::start_of(Height::new(checkpoint.get() + 1));
        let earliest = Position { height: event.transaction.body().not_before.height, index: u32::MAX };
        let case = Case { oracle: self, past: self.before(now), now, device, call, event, earliest, said };
        let key = case.key();
        let right = case.right();
        let stream = case.stream(time_ms(said.height), time_ms(checkpoint));
        let mut reasons = Vec::new();
        if matches!(right, Right::Suspect(..)) {
            reasons.push("authority_suspect");
        }
        if matches!(key.standing, KeyStanding::Suspect { .. }) {
            reasons.push("key_suspect");
        }
        if matches!(stream.standing, StreamStanding::Forked { .. }) {
            reasons.push("stream_forked");
        }
        Hindsight {
            device: case.device(),
            path: case.path(),
            later: case.later(),
            now: case.now(),
            key,
            right,
            stream,
            reasons,
        }
    }
}

impl Case<'_> {
    /// The earliest doubt about the key epoch of that number, or about the device.
    fn doubt(&self, epoch: usize) -> Option<Position> {
        [self.past.key_doubt(&self.device, epoch), self.past.status_doubt(&self.device)].into_iter().flatten().min()
    }

    fn key(&self) -> Key {
        let epochs = self.past.key_intervals(&self.device);
        let number = epochs.iter().rposition(|epoch| epoch.contains(self.said)).expect("a key signed it");
        let epoch = &epochs[number];
        let standing = match self.doubt(number).filter(|since| *since <= self.said) {
            Some(since) => KeyStanding::Suspect { since },
            None if epoch.contains(self.earliest) => KeyStanding::Held,
            None => KeyStanding::HeldAtInclusion,
        };
        Key { standing, epoch: Some(KeyEpoch { key: epoch.value.key, from: epoch.from, to: epoch.to }) }
    }

    fn within<T>(&self, mut intervals: Vec<Interval<T>>) -> Vec<Interval<T>> {
        intervals.retain(|interval| interval.from <= self.said && interval.to.is_none_or(|to| to > self.earliest));
        intervals
    }

    fn device(&self) -> Device {
        let (registered, _, call) = self.past.registration(&self.device).expect("it attested");
        let statuses = self.past.status_intervals(&self.device);
        let registered_by_then = standing(&statuses, self.earliest).is_some();
        let statuses = self.within(statuses);
        let always = registered_by_then && statuses.iter().all(|status| status.value == DeviceStatus::Active);
        let endorsement = call.endorsement.as_ref().map(|endorsement| {
            let id = endorsement.lot();
            let (manufacturer, lot) = self.past.lot(&id).expect("it was endorsed before");
            let doubt = self.past.lot_doubt(&id).filter(|since| *since <= registered);
            let ended = [self.past.distrusted(&id), self.past.expelled(&manufacturer)].into_iter().flatten().min();
            let trust = match (doubt, ended) {
                (Some(since), _) => EndorsementTrust::Suspect { since },
                (None, Some(since)) => EndorsementTrust::Distrusted { since },
                (None, None) => EndorsementTrust::Trusted,
            };
            let serial = self.past.serial_of(endorsement).expect("it was good");
            Endorsement { manufacturer, lot: id, label: lot.label.clone(), serial, trust }
        });
        Device {
            standing: if always { DeviceStanding::Active } else { DeviceStanding::ActiveAtInclusion },
            model: call.inception.model.clone(),
            registered,
            endorsement,
            statuses,
            owners: self.within(self.past.owner_intervals(&self.device)),
            zones: self.within(self.past.zone_intervals(&self.device)),
        }
    }

    /// Whether the right is given at a position, as the list was then.
    fn entitled_at(&self, position: Position) -> bool {
        self.entitled_in(&self.oracle.upto(position))
    }

    fn entitled_in(&self, then: &Past<'_>) -> bool {
        let (Some(owner), Some(zone)) = (then.owner(&self.device), then.zone(&self.device)) else { return false };
        let thing = Thing {
            owner: owner.value,
            since: owner.from,
            zone: zone.clone(),
            device: Some(self.device),
            stream: Some(self.call.stream),
        };
        then.entitled(Principal::Device(self.device), Action::Attest, &thing, Some(self.call.authority)).is_ok()
    }

    fn ids(&self) -> Vec<GrantId> {
        let above = |grant: &GrantId| self.past.grant(grant).and_then(|given| given.terms.parent);
        std::iter::successors(Some(self.call.authority), above).collect()
    }

    fn path(&self) -> Vec<Link> {
        let link = |id: GrantId| {
            let given = self.past.grant(&id).expect("it is on the path");
            let terms = given.terms;
            let value = GrantTerms {
                grantor: given.grantor,
                grantee: terms.grantee.clone(),
                actions: terms.actions,
                scope: terms.scope.clone(),
                window: terms.window,
                depth: terms.depth,
                parent: terms.parent,
            };
            let (to, suspect_since) = (self.past.revoked(&id), self.past.grant_doubt(&id));
            (id, Interval { value, from: given.at, to, suspect_since })
        };
        self.ids().into_iter().map(link).collect()
    }

    /// The grant on the path that is in doubt the longest.
    fn doubted(&self) -> Option<(Position, GrantId)> {
        self.ids().into_iter().filter_map(|id| Some((self.past.grant_doubt(&id)?, id))).min()
    }

    fn right(&self) -> Right {
        if !self.entitled_at(self.said) {
            return Right::NotHeld;
        }
        if let Some((since, grant)) = self.doubted().filter(|(since, _)| *since <= self.said) {
            return Right::Suspect(grant, since);
        }
        let heights = self.earliest.height.get() + 1..=self.said.height.get();
        let mut moments: Vec<Position> = heights.map(|height| Position::start_of(Height::new(height))).collect();
        moments.extend(self.oracle.events().iter().map(|event| event.position));
        moments.retain(|moment| self.earliest < *moment && *moment < self.said);
        moments.extend([self.earliest, self.said]);
        moments.sort_unstable();
        let mut since = self.said;
        for moment in moments.into_iter().rev() {
            if !self.entitled_at(moment) {
                return Right::Since(since);
            }
            since = moment;
        }
        Right::Held
    }

    fn stream(&self, said_ms: u64, checkpoint_ms: u64) -> Stream {
        let id = self.call.stream;
        let (_, opened, _, opening) = self.past.stream(&id).expect("it was attested in");
        let said = self.past.said(&id);
        let (count, sequence) = (said.len() as u64, self.call.sequence);
        let last = said.last().expect("at least this one");
        let (closed, forked) = (self.past.closed(&id), self.past.forked_at(&id));
        let standing = match forked.filter(|at| *at <= sequence) {
            Some(at) => StreamStanding::Forked { at },
            None if last.at == self.said => StreamStanding::Complete,
            None => StreamStanding::Continued { further: count - 1 - sequence },
        };
        let silence = match opening.cadence_s {
            None => Silence::NotDeclared,
            Some(_) if closed.is_some() || forked.is_some() => Silence::Ended,
            Some(_) if last.at != self.said => Silence::Unknown,
            Some(cadence_s) if checkpoint_ms - said_ms > u64::from(cadence_s) * 1_000 => {
                Silence::Silent { since_ms: said_ms }
            }
            Some(_) => Silence::Within,
        };
        let name = opening.name.clone();
        let cadence_s = opening.cadence_s;
        Stream { standing, name, sequence, count, head: last.at, opened, closed, cadence_s, silence }
    }

    /// The organizations of whose expulsion an auditor should hear.
    fn concerned(&self) -> Vec<OrganizationId> {
        let owners = self.past.owner_intervals(&self.device).into_iter();
        let owners = owners.filter(|owner| owner.to.is_none_or(|to| to > self.earliest)).map(|owner| owner.value);
        let grantors = self.path().into_iter().filter_map(|(_, link)| match link.value.grantor {
            Principal::Organization(id) => Some(id),
            Principal::Device(_) => None,
        });
        let (_, _, registration) = self.past.registration(&self.device).expect("it attested");
        let lot = registration.endorsement.as_ref().and_then(|endorsement| self.past.lot(&endorsement.lot()));
        let mut concerned: Vec<OrganizationId> = owners.chain(grantors).chain(lot.map(|(maker, _)| maker)).collect();
        concerned.sort_unstable();
        concerned.dedup();
        concerned
    }

    fn later(&self) -> Vec<Later> {
        let mut later: Vec<(Position, u8, LaterEvent)> = Vec::new();
        let (past, device) = (&self.past, &self.device);
        for epoch in past.epochs(device) {
            later.push((epoch.from, 0, LaterEvent::KeyRotated { key: epoch.value.key }));
        }
        for recovery in past.recoveries(device) {
            let (key, effective) = (recovery.call.key, recovery.effective);
            later.push((recovery.announced, 1, LaterEvent::RecoveryAnnounced { key, effective }));
            if let Some(ended) = recovery.ended {
                later.push((ended, 2, LaterEvent::RecoveryCancelled { key }));
            }
        }
        for status in past.status_intervals(device) {
            let event = LaterEvent::StatusChanged { status: status.value, suspect_since: status.suspect_since };
            later.push((status.from, 3, event));
        }
        for offer in past.offer_intervals(device) {
            later.push((offer.from, 4, LaterEvent::Offered { to: offer.value }));
        }
        for owner in past.owners(device) {
            later.push((owner.from, 5, LaterEvent::OwnerChanged { owner: owner.value }));
        }
        for zone in past.zones(device) {
            later.push((zone.from, 6, LaterEvent::Placed { zone: zone.value.clone() }));
        }
        for grant in self.ids() {
            if let Some(at) = past.revoked(&grant) {
                let suspect_since = past.grant_doubt(&grant);
                later.push((at, 7, LaterEvent::GrantRevoked { grant, suspect_since }));
            }
        }
        let (_, _, registration) = past.registration(device).expect("it attested");
        if let Some(lot) = registration.endorsement.as_ref().map(cairn_types::lot::Endorsement::lot)
            && let Some(at) = past.distrusted(&lot)
        {
            later.push((at, 8, LaterEvent::LotDistrusted { lot, suspect_since: past.lot_doubt(&lot) }));
        }
        for organization in self.concerned() {
            if let Some(at) = past.expelled(&organization) {
                later.push((at, 9, LaterEvent::OrganizationExpelled { organization }));
            }
        }
        let target = AttestationRef { stream: self.call.stream, sequence: self.call.sequence };
        for event in past.each() {
            if let Call::Supersede(call) = event.call()
                && call.target == target
            {
                let (by, replacement) = (event.signer(), call.replacement);
                later.push((event.position, 10, LaterEvent::Superseded { by, replacement }));
            }
        }
        let said = past.said(&self.call.stream);
        let further = said.iter().filter(|other| other.call.sequence > self.call.sequence).count() as u64;
        if let Some(last) = said.last().filter(|_| further > 0) {
            later.push((last.at, 11, LaterEvent::Attested { further }));
        }
        if let Some(at) = past.closed(&self.call.stream) {
            later.push((at, 12, LaterEvent::StreamClosed));
        }
        later.retain(|(position, ..)| *position > self.event.position);
        later.sort_by_key(|(position, kind, _)| (*position, *kind));
        later.into_iter().map(|(position, _, event)| Later { position, event }).collect()
    }

    fn now(&self) -> Now {
        let (past, device, stream) = (&self.past, &self.device, self.call.stream);
        let epochs = past.key_intervals(device);
        let number = epochs.iter().rposition(|epoch| epoch.contains(self.said)).expect("a key signed it");
        let key = match (epochs[number].to, self.doubt(number)) {
            (Some(at), _) => PresentKey::Ended { at },
            (None, Some(since)) => PresentKey::Suspect { since },
            (None, None) => PresentKey::Held,
        };
        let right = match (self.entitled_in(past), self.doubted()) {
            (false, _) => Right::NotHeld,
            (true, Some((since, grant))) => Right::Suspect(grant, since),
            (true, None) => Right::Held,
        };
        Now {
            position: self.now,
            key,
            status: past.status(device),
            owner: past.owner(device).map(|owner| owner.value),
            zone: past.zone(device).cloned(),
            right,
            stream: if past.forked_at(&stream).is_some() {
                PresentStream::Forked
            } else if past.closed(&stream).is_some() {
                PresentStream::Closed
            } else {
                PresentStream::Open
            },
            superseded: past.superseded(&AttestationRef { stream, sequence: self.call.sequence }),
            recovery: past.recovery_pending(device).map(|recovery| recovery.effective),
            offered_to: past.offer(device),
        }
    }
}
