//! What the list says: each question is answered by reading it from its beginning.
//!
//! A fact that can change comes with where it began. Doubt is the earliest that anybody said.

use cairn_types::call::{Attest, EndorseLot, Grant, OpenStream, RecoverDeviceKey, RegisterDevice};
use cairn_types::governance::{Measure, Upgrade};
use cairn_types::lot::Endorsement;
use cairn_types::{
    AttestationRef, Call, DeviceId, DeviceStatus, GrantId, Hash, Height, KeyCommitment, KeySet, LotId, OrganizationId,
    OrganizationInception, Parameters, Position, Principal, PublicKey, Role, Roles, StreamId, TransactionId,
    ValidatorSet, Zone,
};

use super::{Event, Flaw, Made, Past};

/// Heights from the decision on validators to the first block that the new ones decide.
const VALIDATORS_DELAY: u64 = 2;

/// A fact, and where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch<T> {
    /// Where it began.
    pub from: Position,
    /// The fact.
    pub value: T,
}

/// A key that spoke for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The key.
    pub key: PublicKey,
    /// To what it committed.
    pub next: KeyCommitment,
}

/// An announced recovery.
#[derive(Clone, Copy, Debug)]
pub struct Recovering<'a> {
    /// Where it was announced.
    pub announced: Position,
    /// What was announced.
    pub call: &'a RecoverDeviceKey,
    /// From which height on the key speaks.
    pub effective: Height,
    /// Where it was called off or overtaken, before it took effect.
    pub ended: Option<Position>,
}

/// A grant as it was given.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Where.
    pub at: Position,
    /// By whom.
    pub grantor: Principal,
    /// What.
    pub terms: &'a Grant,
}

/// An attestation as it was said.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Where.
    pub at: Position,
    /// Its id.
    pub id: TransactionId,
    /// What.
    pub call: &'a Attest,
}

/// Organizations.
impl<'a> Past<'a> {
    pub(super) fn each(&self) -> impl DoubleEndedIterator<Item = &'a Event> + use<'a> {
        self.events.iter()
    }

    pub(super) fn measures(&self) -> impl Iterator<Item = (Position, &'a Measure)> + use<'a> {
        self.each().filter_map(|event| match event.call() {
            Call::Govern(call) => Some((event.position, &call.measure)),
            _ => None,
        })
    }

    /// How an organization began, and where.
    pub fn organization(&self, id: &OrganizationId) -> Option<(Position, &'a OrganizationInception, Roles)> {
        let founder = self.oracle.founders.iter().find(|founder| founder.id == *id);
        if let Some(founder) = founder {
            return Some((Position::default(), &founder.inception, founder.roles));
        }
        self.each().find(|event| event.made == Made::Organization(*id)).and_then(|event| match event.call() {
            Call::Govern(call) => match &call.measure {
                Measure::Admit(admit) => Some((event.position, &admit.inception, admit.roles)),
                _ => None,
            },
            _ => None,
        })
    }

    /// All that were ever admitted, the founders first.
    pub fn organizations(&self) -> Vec<OrganizationId> {
        let founders = self.oracle.founders.iter().map(|founder| founder.id);
        let admitted = self.each().filter_map(|event| match event.made {
            Made::Organization(id) => Some(id),
            _ => None,
        });
        founders.chain(admitted).collect()
    }

    /// Where an organization was expelled.
    pub fn expelled(&self, id: &OrganizationId) -> Option<Position> {
        self.measures().find(|(_, measure)| matches!(measure, Measure::Expel(gone) if gone == id)).map(|(at, _)| at)
    }

    /// An organization's keys, and to which it committed.
    pub fn organization_keys(&self, id: &OrganizationId) -> Option<(&'a KeySet, Option<KeyCommitment>)> {
        let (_, inception, _) = self.organization(id)?;
        let rotated = self.each().rev().find_map(|event| match event.call() {
            Call::RotateOrganizationKeys(call) if call.organization == *id => Some((&call.keys, call.next)),
            _ => None,
        });
        Some(rotated.unwrap_or((&inception.keys, inception.next)))
    }

    /// The council, ascending.
    pub fn council(&self) -> Vec<OrganizationId> {
        let mut council: Vec<OrganizationId> = self.organizations();
        council.retain(|id| {
            let (_, _, roles) = self.organization(id).expect("it was listed");
            roles.contains(Role::Council) && self.expelled(id).is_none()
        });
        council.sort_unstable();
        council
    }

    /// The parameters that hold in the block of the position.
    pub fn parameters(&self) -> &'a Parameters {
        self.parameters_in(self.at.height)
    }

    /// The parameters that hold in a block: what was decided in the same block holds from the next on.
    pub(super) fn parameters_in(&self, height: Height) -> &'a Parameters {
        let decided = self.measures().filter(|(at, _)| at.height < height);
        decided.fold(&self.oracle.parameters, |parameters, (_, measure)| match measure {
            Measure::SetParameters(new) => new,
            _ => parameters,
        })
    }

    /// The parameters that were decided last.
    pub(super) fn parameters_to_come(&self) -> &'a Parameters {
        self.measures().fold(&self.oracle.parameters, |parameters, (_, measure)| match measure {
            Measure::SetParameters(new) => new,
            _ => parameters,
        })
    }

    /// Every set of validators, with the first height that it decides.
    pub fn validator_sets(&self) -> Vec<(u64, &'a ValidatorSet)> {
        let changes = self.measures().filter_map(|(at, measure)| match measure {
            Measure::ChangeValidators(set) => Some((at.height.get() + VALIDATORS_DELAY, set)),
            _ => None,
        });
        std::iter::once((0, &self.oracle.validators)).chain(changes).collect()
    }

    /// The upgrade that is still to come.
    pub fn upgrade(&self) -> Option<Upgrade> {
        let last = self.measures().filter_map(|(_, measure)| match measure {
            Measure::ScheduleUpgrade(upgrade) => Some(*upgrade),
            _ => None,
        });
        last.last()?.filter(|upgrade| upgrade.height > self.at.height)
    }

    /// Who used a key, at any time.
    pub fn user_of(&self, key: &PublicKey) -> Option<Principal> {
        let of = |inception: &OrganizationInception| {
            inception.keys.keys.contains(key) || inception.recovery.as_ref().is_some_and(|set| set.keys.contains(key))
        };
        let founder = self.oracle.founders.iter().find(|founder| of(&founder.inception));
        if let Some(founder) = founder {
            return Some(Principal::Organization(founder.id));
        }
        self.each().find_map(|event| match (event.call(), event.made) {
            (Call::Govern(call), Made::Organization(id)) => match &call.measure {
                Measure::Admit(admit) if of(&admit.inception) => Some(Principal::Organization(id)),
                _ => None,
            },
            (Call::RotateOrganizationKeys(call), _) if call.keys.keys.contains(key) => {
                Some(Principal::Organization(call.organization))
            }
            (Call::RegisterDevice(call), Made::Device(id)) if call.inception.key == *key => Some(Principal::Device(id)),
            (Call::RotateDeviceKey(call), _) if call.key == *key => Some(Principal::Device(call.device)),
            (Call::RecoverDeviceKey(call), _) if call.key == *key => Some(Principal::Device(call.device)),
            _ => None,
        })
    }

    /// What a principal has used of its quota in the window of the position, counted as it was counted then.
    pub(super) fn used(&self, principal: Principal) -> u32 {
        let window = self.window();
        let mut count = 0;
        for (index, event) in self.events.iter().enumerate().rev() {
            let may_count = match (event.signer(), principal) {
                (signer, _) if signer == principal => true,
                (Principal::Device(_), Principal::Organization(_)) => true,
                _ => false,
            };
            if !may_count {
                continue;
            }
            let then = Past { oracle: self.oracle, events: &self.events[..index], at: event.position };
            let quotas = then.quotas(event.signer(), event.call());
            if quotas.iter().any(|(counted, quota)| *counted == principal && *quota > 0) {
                // The count began anew with each other window.
                if then.window() != window {
                    break;
                }
                count += 1;
            }
        }
        count
    }

    /// The window of the position.
    pub(super) fn window(&self) -> u64 {
        self.at.height.get() / self.parameters().quota_window
    }

    /// For whom a call in the name of `signer` counts, with their quotas: the organization first.
    pub(super) fn quotas(&self, signer: Principal, call: &Call) -> Vec<(Principal, u32)> {
        let parameters = self.parameters();
        match (signer, call) {
            (_, Call::Govern(_)) => Vec::new(),
            (Principal::Organization(_), _) => vec![(signer, parameters.organization_quota)],
            (Principal::Device(device), _) => {
                let owner = self.owner(&device).filter(|_| self.oracle.flaw != Flaw::ForgetsOwnersQuota);
                let owner = owner.map(|owner| (Principal::Organization(owner.value), parameters.organization_quota));
                owner.into_iter().chain([(signer, parameters.device_quota)]).collect()
            }
        }
    }
}

/// Devices.
impl<'a> Past<'a> {
    /// All devices, in the order in which they were registered.
    pub fn devices(&self) -> Vec<DeviceId> {
        let made = self.each().filter_map(|event| match event.made {
            Made::Device(id) => Some(id),
            _ => None,
        });
        made.collect()
    }

    /// How a device was registered: where, by whom, as what.
    pub fn registration(&self, id: &DeviceId) -> Option<(Position, Principal, &'a RegisterDevice)> {
        let event = self.each().find(|event| event.made == Made::Device(*id))?;
        match event.call() {
            Call::RegisterDevice(call) => Some((event.position, event.signer(), call)),
            _ => None,
        }
    }

    /// Everybody who owned the device, in order.
    pub fn owners(&self, id: &DeviceId) -> Vec<Stretch<OrganizationId>> {
        let owners = self.each().filter_map(|event| match (event.call(), event.signer()) {
            (Call::RegisterDevice(call), _) if event.made == Made::Device(*id) => {
                Some(Stretch { from: event.position, value: call.owner })
            }
            (Call::AcceptDevice(call), Principal::Organization(owner)) if call.device == *id => {
                Some(Stretch { from: event.position, value: owner })
            }
            _ => None,
        });
        owners.collect()
    }

    /// Who owns the device, and since when.
    pub fn owner(&self, id: &DeviceId) -> Option<Stretch<OrganizationId>> {
        self.owners(id).pop()
    }

    /// Everywhere the device stood, in order.
    pub fn zones(&self, id: &DeviceId) -> Vec<Stretch<&'a Zone>> {
        let zones = self.each().filter_map(|event| {
            let zone = match event.call() {
                Call::RegisterDevice(call) if event.made == Made::Device(*id) => &call.zone,
                Call::AcceptDevice(call) if call.device == *id => &call.zone,
                Call::PlaceDevice(call) if call.device == *id => &call.zone,
                _ => return None,
            };
            Some(Stretch { from: event.position, value: zone })
        });
        zones.collect()
    }

    /// Where the device stands.
    pub fn zone(&self, id: &DeviceId) -> Option<&'a Zone> {
        self.zones(id).pop().map(|zone| zone.value)
    }

    /// All that the device was, in order.
    pub fn statuses(&self, id: &DeviceId) -> Vec<Stretch<DeviceStatus>> {
        let mut statuses: Vec<Stretch<DeviceStatus>> = Vec::new();
        for event in self.each() {
            let value = match event.call() {
                Call::RegisterDevice(_) if event.made == Made::Device(*id) => DeviceStatus::Active,
                Call::SetDeviceStatus(call) if call.device == *id => call.status,
                _ => continue,
            };
            if statuses.last().is_none_or(|last| last.value != value) {
                statuses.push(Stretch { from: event.position, value });
            }
        }
        statuses
    }

    /// What the device is.
    pub fn status(&self, id: &DeviceId) -> Option<DeviceStatus> {
        self.statuses(id).pop().map(|status| status.value)
    }

    /// From when on a revoked device is in doubt.
    pub fn status_doubt(&self, id: &DeviceId) -> Option<Position> {
        let doubts = self.each().filter_map(|event| match event.call() {
            Call::SetDeviceStatus(call) if call.device == *id => call.suspect_since,
            _ => None,
        });
        doubts.min()
    }

    /// All recoveries of a device that were announced.
    pub fn recoveries(&self, id: &DeviceId) -> Vec<Recovering<'a>> {
        let announced = self.each().filter_map(|event| match event.call() {
            Call::RecoverDeviceKey(call) if call.device == *id => Some((event.position, call)),
            _ => None,
        });
        let recoveries = announced.map(|(announced, call)| {
            let late = u64::from(self.oracle.flaw == Flaw::RecoversLate);
            let delay = self.parameters_in(announced.height).recovery_delay + late;
            let effective = Height::new(announced.height.get() + delay);
            let in_between = |event: &&Event| announced < event.position && event.position.height < effective;
            let ended = self.each().filter(in_between).find(|event| match event.call() {
                Call::CancelRecovery(end) => end.device == *id,
                Call::AcceptDevice(end) => end.device == *id,
                Call::SetDeviceStatus(end) => end.device == *id && end.status.is_final(),
                _ => false,
            });
            Recovering { announced, call, effective, ended: ended.map(|event| event.position) }
        });
        recoveries.collect()
    }

    /// The recovery that has neither taken effect nor been called off.
    pub fn recovery_pending(&self, id: &DeviceId) -> Option<Recovering<'a>> {
        let pending = |recovery: &Recovering<'_>| recovery.ended.is_none() && recovery.effective > self.at.height;
        self.recoveries(id).pop().filter(pending)
    }

    /// All keys that spoke for a device, in order; of equal beginnings, a recovery's is first, because it took effect with
    /// the block before.
    pub fn epochs(&self, id: &DeviceId) -> Vec<Stretch<Epoch>> {
        let mut epochs: Vec<Stretch<Epoch>> = Vec::new();
        for recovery in self.recoveries(id) {
            if recovery.ended.is_none() && recovery.effective <= self.at.height {
                let value = Epoch { key: recovery.call.key, next: recovery.call.next };
                epochs.push(Stretch { from: Position::start_of(recovery.effective), value });
            }
        }
        for event in self.each() {
            let (key, next) = match event.call() {
                Call::RegisterDevice(call) if event.made == Made::Device(*id) => {
                    (call.inception.key, call.inception.next)
                }
                Call::RotateDeviceKey(call) if call.device == *id => (call.key, call.next),
                _ => continue,
            };
            epochs.push(Stretch { from: event.position, value: Epoch { key, next } });
        }
        epochs.sort_by_key(|epoch| epoch.from);
        epochs
    }

    /// The last key of the device; whether it still speaks depends on the status.
    pub fn key(&self, id: &DeviceId) -> Option<Stretch<Epoch>> {
        self.epochs(id).pop()
    }

    /// From when on the device's key epoch of that number is in doubt: its owner said so when announcing a recovery in it.
    pub fn key_doubt(&self, id: &DeviceId, number: usize) -> Option<Position> {
        let epochs = self.epochs(id);
        let doubts = self.recoveries(id).into_iter().filter_map(|recovery| {
            let then = epochs.iter().rposition(|epoch| epoch.from <= recovery.announced)?;
            recovery.call.suspect_since.filter(|_| then == number)
        });
        doubts.min()
    }

    /// To whom the device is offered.
    pub fn offer(&self, id: &DeviceId) -> Option<OrganizationId> {
        let mut offer = None;
        for event in self.each() {
            match event.call() {
                Call::OfferDevice(call) if call.device == *id => offer = call.to,
                Call::AcceptDevice(call) if call.device == *id => offer = None,
                Call::SetDeviceStatus(call) if call.device == *id && call.status.is_final() => offer = None,
                _ => {}
            }
        }
        offer
    }
}

/// Grants.
impl<'a> Past<'a> {
    /// All grants, in the order in which they were given.
    pub fn grants(&self) -> Vec<GrantId> {
        let made = self.each().filter_map(|event| match event.made {
            Made::Grant(id) => Some(id),
            _ => None,
        });
        made.collect()
    }

    /// A grant as it was given.
    pub fn grant(&self, id: &GrantId) -> Option<Given<'a>> {
        let event = self.each().find(|event| event.made == Made::Grant(*id))?;
        match event.call() {
            Call::Grant(terms) => Some(Given { at: event.position, grantor: event.signer(), terms }),
            _ => None,
        }
    }

    fn revocations(&self, id: GrantId) -> impl Iterator<Item = (Position, Option<Position>)> + use<'a> {
        self.each().filter_map(move |event| match event.call() {
            Call::RevokeGrant(call) if call.grant == id => Some((event.position, call.suspect_since)),
            _ => None,
        })
    }

    /// Where a grant was revoked.
    pub fn revoked(&self, id: &GrantId) -> Option<Position> {
        self.revocations(*id).next().map(|(position, _)| position)
    }

    /// From when on a grant is in doubt.
    pub fn grant_doubt(&self, id: &GrantId) -> Option<Position> {
        self.revocations(*id).filter_map(|(_, since)| since).min()
    }
}

/// Streams.
impl<'a> Past<'a> {
    /// All streams, in the order in which they were opened.
    pub fn streams(&self) -> Vec<StreamId> {
        let made = self.each().filter_map(|event| match event.made {
            Made::Stream(id) => Some(id),
            _ => None,
        });
        made.collect()
    }

    /// How a stream was opened: by which device, where, and the transaction's id.
    pub fn stream(&self, id: &StreamId) -> Option<(DeviceId, Position, TransactionId, &'a OpenStream)> {
        let event = self.each().find(|event| event.made == Made::Stream(*id))?;
        match (event.call(), event.signer()) {
            (Call::OpenStream(call), Principal::Device(device)) => Some((device, event.position, event.id(), call)),
            _ => None,
        }
    }

    /// All that was said in a stream, in order.
    pub fn said(&self, id: &StreamId) -> Vec<Said<'a>> {
        let said = self.each().filter_map(|event| match event.call() {
            Call::Attest(call) if call.stream == *id => Some(Said { at: event.position, id: event.id(), call }),
            _ => None,
        });
        said.collect()
    }

    /// How many attestations stand in a stream.
    pub(super) fn count(&self, id: &StreamId) -> u64 {
        self.said(id).len() as u64
    }

    /// Where a stream was closed.
    pub fn closed(&self, id: &StreamId) -> Option<Position> {
        let closing = self.each().find(|event| matches!(event.call(), Call::CloseStream(call) if call.stream == *id));
        closing.map(|event| event.position)
    }

    /// The first sequence at which the stream is known to have forked.
    pub fn forked_at(&self, id: &StreamId) -> Option<u64> {
        let reported = self.each().filter_map(|event| match event.call() {
            Call::ReportFork(call) => {
                let (_, attest) = super::calls::evidence(&call.first).ok()?;
                (attest.stream == *id).then_some(attest.sequence)
            }
            _ => None,
        });
        reported.min()
    }

    /// Whether an attestation was superseded.
    pub fn superseded(&self, target: &AttestationRef) -> bool {
        self.each().any(|event| matches!(event.call(), Call::Supersede(call) if call.target == *target))
    }
}

/// Lots.
impl<'a> Past<'a> {
    /// All lots, in the order in which they were endorsed.
    pub fn lots(&self) -> Vec<LotId> {
        let made = self.each().filter_map(|event| match event.made {
            Made::Lot(id) => Some(id),
            _ => None,
        });
        made.collect()
    }

    /// A lot: whose it is, and what was said of it.
    pub fn lot(&self, id: &LotId) -> Option<(OrganizationId, &'a EndorseLot)> {
        let event = self.each().find(|event| event.made == Made::Lot(*id))?;
        match (event.call(), event.signer()) {
            (Call::EndorseLot(call), Principal::Organization(maker)) => Some((maker, call)),
            _ => None,
        }
    }

    fn distrusts(&self, id: LotId) -> impl Iterator<Item = (Position, Option<Position>)> + use<'a> {
        self.each().filter_map(move |event| match event.call() {
            Call::DistrustLot(call) if call.lot == id => Some((event.position, call.suspect_since)),
            _ => None,
        })
    }

    /// Where trust in a lot ended.
    pub fn distrusted(&self, id: &LotId) -> Option<Position> {
        self.distrusts(*id).next().map(|(position, _)| position)
    }

    /// From when on a lot is in doubt.
    pub fn lot_doubt(&self, id: &LotId) -> Option<Position> {
        self.distrusts(*id).filter_map(|(_, since)| since).min()
    }

    /// The device that made a claim on a lot.
    pub(super) fn claimed(&self, lot: &LotId, claim: &Hash) -> Option<DeviceId> {
        self.each().find_map(|event| match (event.call(), event.made) {
            (Call::RegisterDevice(call), Made::Device(device)) => {
                let endorsement: &Endorsement = call.endorsement.as_ref().filter(|made| made.lot() == *lot)?;
                (self.claim_of(endorsement, device)? == *claim).then_some(device)
            }
            _ => None,
        })
    }
}
