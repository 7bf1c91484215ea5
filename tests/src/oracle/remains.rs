//! What the list leaves behind: the whole state that section 10 describes, made from nothing but the list.

use std::collections::BTreeMap;

use borsh::BorshSerialize;
use cairn_proofs::accumulator::Frontier;
use cairn_types::governance::{Measure, Upgrade};
use cairn_types::record::{
    DeviceKey, DeviceRecord, EndorsementRecord, GrantTerms, LotRecord, OrganizationKeys, OrganizationRecord, Recovery,
    StreamRecord, Superseded, Usage,
};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{
    Call, DeviceId, DeviceStatus, Hash, Interval, OrganizationId, Position, Principal, PublicKey, StreamId, Zone,
    encode,
};

use super::facts::Stretch;
use super::{Event, Made, Past};

/// Keys and values, as a state tree holds them.
pub type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// Facts one after another, up to `end`.
fn one_after_another<T>(stretches: Vec<Stretch<T>>, end: Option<Position>) -> Vec<Interval<T>> {
    let ends: Vec<Option<Position>> =
        stretches.iter().skip(1).map(|next| Some(next.from)).chain(std::iter::once(end)).collect();
    let interval = |(stretch, to): (Stretch<T>, Option<Position>)| Interval {
        value: stretch.value,
        from: stretch.from,
        to,
        suspect_since: None,
    };
    stretches.into_iter().zip(ends).map(interval).collect()
}

fn put<T: BorshSerialize>(entries: &mut Entries, key: Vec<u8>, value: &T) {
    let before = entries.insert(key, encode(value));
    assert!(before.is_none(), "one key has one value");
}

fn put_all<T: BorshSerialize>(entries: &mut Entries, prefix: &[u8], values: &[T]) {
    for (ordinal, value) in (0..).zip(values) {
        put(entries, state_key::ordinal(prefix.to_vec(), ordinal), value);
    }
}

impl Past<'_> {
    /// The state after the last block before the position, which must be the first of its height.
    pub fn state(&self) -> Entries {
        let mut entries = Entries::new();
        self.put_governance(&mut entries);
        self.put_usage(&mut entries);
        for id in self.organizations() {
            self.put_organization(&mut entries, &id);
        }
        for id in self.devices() {
            self.put_device(&mut entries, &id);
        }
        for id in self.streams() {
            self.put_stream(&mut entries, &id);
        }
        for (key, by) in self.keys_used() {
            put(&mut entries, state_key::key_use(&key), &by);
        }
        for event in self.each() {
            self.put_event(&mut entries, event);
        }
        entries
    }

    fn put_governance(&self, entries: &mut Entries) {
        let start = Position::default();
        let mut parameters = vec![Stretch { from: start, value: self.oracle.parameters.clone() }];
        let mut councils: Vec<Stretch<Vec<OrganizationId>>> = Vec::new();
        let mut upgrades: Vec<Interval<Upgrade>> = Vec::new();
        councils.push(Stretch { from: start, value: Past { events: &[], ..*self }.council() });
        for (number, event) in self.events.iter().enumerate() {
            let Call::Govern(call) = event.call() else { continue };
            match &call.measure {
                Measure::SetParameters(new) => parameters.push(Stretch { from: event.position, value: new.clone() }),
                Measure::ScheduleUpgrade(upgrade) => {
                    if let Some(last) = upgrades.last_mut()
                        && last.to.is_none()
                        && last.value.height > event.position.height
                    {
                        last.to = Some(event.position);
                    }
                    upgrades.extend(upgrade.map(|upgrade| Interval::open(upgrade, event.position)));
                }
                Measure::Admit(_) | Measure::Expel(_) => {
                    let after = Past { events: &self.events[..=number], ..*self }.council();
                    if councils.last().is_none_or(|last| last.value != after) {
                        councils.push(Stretch { from: event.position, value: after });
                    }
                }
                Measure::ChangeValidators(_) => {}
            }
        }
        let sets = self.validator_sets().into_iter().map(|(from, set)| Stretch {
            from: Position::start_of(cairn_types::Height::new(from)),
            value: set.clone(),
        });
        put_all(entries, &state_key::parameters(), &one_after_another(parameters, None));
        put_all(entries, &state_key::council(), &one_after_another(councils, None));
        put_all(entries, &state_key::validators(), &one_after_another(sets.collect(), None));
        put_all(entries, &state_key::upgrades(), &upgrades);
    }

    fn put_usage(&self, entries: &mut Entries) {
        let mut usages: BTreeMap<Principal, Usage> = BTreeMap::new();
        for (number, event) in self.events.iter().enumerate() {
            let then = Past { oracle: self.oracle, events: &self.events[..number], at: event.position };
            for (principal, quota) in then.quotas(event.signer(), event.call()) {
                if quota > 0 {
                    let window = then.window();
                    let usage = usages.entry(principal).or_insert(Usage { window, count: 0 });
                    let count = if usage.window == window { usage.count + 1 } else { 1 };
                    *usage = Usage { window, count };
                }
            }
        }
        for (principal, usage) in usages {
            put(entries, state_key::usage(&principal), &usage);
        }
    }

    fn put_organization(&self, entries: &mut Entries, id: &OrganizationId) {
        let (admitted, inception, roles) = self.organization(id).expect("it was listed");
        put(entries, state_key::organization_name(&inception.name), id);
        let record = OrganizationRecord {
            name: inception.name.clone(),
            title: inception.title.clone(),
            roles,
            recovery: inception.recovery.clone(),
            admitted,
            expelled: self.expelled(id),
        };
        put_all(entries, &state_key::organization_facet(id, OrganizationFacet::Record), &[record]);
        let first = OrganizationKeys { keys: inception.keys.clone(), next: inception.next };
        let rotations = self.each().filter_map(|event| match event.call() {
            Call::RotateOrganizationKeys(call) if call.organization == *id => {
                let value = OrganizationKeys { keys: call.keys.clone(), next: call.next };
                Some(Stretch { from: event.position, value })
            }
            _ => None,
        });
        let epochs = std::iter::once(Stretch { from: admitted, value: first }).chain(rotations).collect();
        let prefix = state_key::organization_facet(id, OrganizationFacet::Keys);
        put_all(entries, &prefix, &one_after_another(epochs, None));
    }

    /// Where the device reached its final status.
    fn ended(&self, id: &DeviceId) -> Option<Position> {
        self.statuses(id).pop().filter(|status| status.value.is_final()).map(|status| status.from)
    }

    fn put_device(&self, entries: &mut Entries, id: &DeviceId) {
        let (registered, registered_by, call) = self.registration(id).expect("it was listed");
        let endorsement = call.endorsement.as_ref().map(|endorsement| EndorsementRecord {
            lot: endorsement.lot(),
            manufacturer: self.lot(&endorsement.lot()).expect("it was endorsed before").0,
            serial: self.serial_of(endorsement).expect("it was good"),
        });
        let record = DeviceRecord { inception: call.inception.clone(), registered, registered_by, endorsement };
        let facet = |facet| state_key::device_facet(id, facet);
        put_all(entries, &facet(DeviceFacet::Record), &[record]);
        put_all(entries, &facet(DeviceFacet::Owner), &self.owner_intervals(id));
        put_all(entries, &facet(DeviceFacet::Placement), &self.zone_intervals(id));
        put_all(entries, &facet(DeviceFacet::Status), &self.status_intervals(id));
        put_all(entries, &facet(DeviceFacet::Key), &self.key_intervals(id));

        let mut recoveries = Vec::new();
        for recovery in self.recoveries(id) {
            let took_effect = recovery.ended.is_none() && recovery.effective <= self.at.height;
            let value = Recovery { key: recovery.call.key, next: recovery.call.next, effective: recovery.effective };
            let to = if took_effect { Some(Position::start_of(recovery.effective)) } else { recovery.ended };
            recoveries.push(Interval { value, from: recovery.announced, to, suspect_since: None });
            if recovery.effective > self.at.height {
                put(entries, state_key::due_recovery(recovery.effective, id), &());
            }
        }
        put_all(entries, &facet(DeviceFacet::Recovery), &recoveries);
        put_all(entries, &facet(DeviceFacet::Offer), &self.offer_intervals(id));
    }

    pub(super) fn owner_intervals(&self, id: &DeviceId) -> Vec<Interval<OrganizationId>> {
        one_after_another(self.owners(id), None)
    }

    pub(super) fn zone_intervals(&self, id: &DeviceId) -> Vec<Interval<Zone>> {
        let zones = self.zones(id).into_iter().map(|zone| Stretch { from: zone.from, value: zone.value.clone() });
        one_after_another(zones.collect(), None)
    }

    pub(super) fn status_intervals(&self, id: &DeviceId) -> Vec<Interval<DeviceStatus>> {
        let mut statuses = one_after_another(self.statuses(id), None);
        if let Some(last) = statuses.last_mut() {
            last.suspect_since = self.status_doubt(id);
        }
        statuses
    }

    pub(super) fn key_intervals(&self, id: &DeviceId) -> Vec<Interval<DeviceKey>> {
        let epochs = self.epochs(id).into_iter().map(|epoch| Stretch {
            from: epoch.from,
            value: DeviceKey { key: epoch.value.key, next: epoch.value.next },
        });
        let mut keys = one_after_another(epochs.collect(), self.ended(id));
        for (number, key) in keys.iter_mut().enumerate() {
            key.suspect_since = self.key_doubt(id, number);
        }
        keys
    }

    pub(super) fn offer_intervals(&self, id: &DeviceId) -> Vec<Interval<OrganizationId>> {
        let mut offers: Vec<Interval<OrganizationId>> = Vec::new();
        for event in self.each() {
            let to = match event.call() {
                Call::OfferDevice(call) if call.device == *id => call.to,
                Call::AcceptDevice(call) if call.device == *id => None,
                Call::SetDeviceStatus(call) if call.device == *id && call.status.is_final() => None,
                _ => continue,
            };
            if let Some(last) = offers.last_mut()
                && last.to.is_none()
            {
                last.to = Some(event.position);
            }
            offers.extend(to.map(|to| Interval::open(to, event.position)));
        }
        offers
    }

    fn put_stream(&self, entries: &mut Entries, id: &StreamId) {
        let (device, opened, opening, call) = self.stream(id).expect("it was listed");
        let said = self.said(id);
        let items: Vec<Hash> = said.iter().map(|said| said.id.hash()).collect();
        let mut owned_from = 0;
        let mut before = opened;
        for (sequence, said) in (0..).zip(&said) {
            let then = self.oracle.before(said.at);
            if then.owner(&device).is_some_and(|owner| owner.from > before) {
                owned_from = sequence;
            }
            before = said.at;
        }
        let record = StreamRecord {
            device,
            name: call.name.clone(),
            cadence_s: call.cadence_s,
            opened,
            count: items.len() as u64,
            head: said.last().map_or(opening, |said| said.id),
            head_position: said.last().map_or(opened, |said| said.at),
            peaks: Frontier::from_items(&items).peaks().to_vec(),
            closed: self.closed(id),
            forked_at: self.forked_at(id),
            owned_from,
        };
        put(entries, state_key::stream(id), &record);
        put(entries, state_key::device_stream(&device, id), &());
    }

    fn keys_used(&self) -> Vec<(PublicKey, Principal)> {
        let mut used = Vec::new();
        for id in self.organizations() {
            let (_, inception, _) = self.organization(&id).expect("it was listed");
            let sets = [Some(&inception.keys), inception.recovery.as_ref()];
            let keys = sets.into_iter().flatten().flat_map(|set| &set.keys);
            used.extend(keys.map(|key| (*key, Principal::Organization(id))));
        }
        for event in self.each() {
            match (event.call(), event.made) {
                (Call::RotateOrganizationKeys(call), _) => {
                    let by = Principal::Organization(call.organization);
                    used.extend(call.keys.keys.iter().map(|key| (*key, by)));
                }
                (Call::RegisterDevice(call), Made::Device(id)) => {
                    used.push((call.inception.key, Principal::Device(id)));
                }
                (Call::RotateDeviceKey(call), _) => used.push((call.key, Principal::Device(call.device))),
                (Call::RecoverDeviceKey(call), _) => used.push((call.key, Principal::Device(call.device))),
                _ => {}
            }
        }
        used
    }

    /// What single transactions leave behind.
    fn put_event(&self, entries: &mut Entries, event: &Event) {
        let body = event.transaction.body();
        let of_stream = matches!(body.call, Call::OpenStream(_) | Call::CloseStream(_) | Call::Attest(_));
        // Forgotten with the last height in which it could stand, or, if it stands there itself, with the next block.
        let fresh = event.position.height.next() == Some(self.at.height);
        let remembered = |expires: &cairn_types::Height| !of_stream && (fresh || *expires >= self.at.height);
        if let Some(expires) = body.expires.filter(remembered) {
            put(entries, state_key::remembered(expires, &event.id()), &());
        }
        match (event.call(), event.made) {
            (Call::Grant(call), Made::Grant(id)) => {
                let terms = GrantTerms {
                    grantor: event.signer(),
                    grantee: call.grantee.clone(),
                    actions: call.actions,
                    scope: call.scope.clone(),
                    window: call.window,
                    depth: call.depth,
                    parent: call.parent,
                };
                let (to, suspect_since) = (self.revoked(&id), self.grant_doubt(&id));
                let interval = Interval { value: terms, from: event.position, to, suspect_since };
                put(entries, state_key::grant(&id), &interval);
                put(entries, state_key::scope_grant(&call.scope.key(), &id), &());
            }
            (Call::EndorseLot(call), Made::Lot(id)) => {
                let (manufacturer, _) = self.lot(&id).expect("it was just endorsed");
                let record = LotRecord { manufacturer, basis: call.basis, label: call.label.clone() };
                let (to, suspect_since) = (self.distrusted(&id), self.lot_doubt(&id));
                let interval = Interval { value: record, from: event.position, to, suspect_since };
                put(entries, state_key::lot(&id), &interval);
                put(entries, state_key::manufacturer_lot(&manufacturer, &id), &());
            }
            (Call::RegisterDevice(call), Made::Device(id)) => {
                if let Some(endorsement) = &call.endorsement {
                    let claim = self.claim_of(endorsement, id).expect("it was good");
                    put(entries, state_key::lot_claim(&endorsement.lot(), &claim), &id);
                }
            }
            (Call::Supersede(call), _) => {
                let superseded = Superseded { at: event.position, by: event.signer(), replacement: call.replacement };
                let key = state_key::superseded(&call.target.stream, call.target.sequence);
                put(entries, key, &superseded);
            }
            _ => {}
        }
    }
}
