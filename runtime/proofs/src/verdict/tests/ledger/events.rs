//! What becomes of devices, lots, organizations and streams: each as one transaction of the ledger by hand.

use cairn_types::lot::LotBasis;
use cairn_types::record::{
    DeviceKey, DeviceRecord, EndorsementRecord, LotRecord, OrganizationRecord, Recovery, StreamRecord, Superseded,
};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{
    AttestationRef, DeviceId, Hash, Height, Interval, LotId, OrganizationId, Position, Principal, TransactionId,
};

use super::secret::Secret;
use super::{Ledger, Meter, MeterStream, entry, organization};

impl Ledger {
    /// The last interval of a facet, with its ordinal.
    fn last<T: borsh::BorshDeserialize>(&self, id: &DeviceId, facet: DeviceFacet) -> Option<(u32, Interval<T>)> {
        let read = |ordinal| self.read(&entry(id, facet, ordinal)).map(|interval| (ordinal, interval));
        (0..).map_while(read).last()
    }

    /// Closes the last interval of a facet, if it is open.
    fn close<T: borsh::BorshSerialize + borsh::BorshDeserialize>(
        &mut self,
        id: &DeviceId,
        facet: DeviceFacet,
        at: Position,
    ) -> Option<T> {
        let (ordinal, last) = self.last::<T>(id, facet).filter(|(_, last)| last.is_open())?;
        let closed = last.closed(at);
        self.put(entry(id, facet, ordinal), &closed);
        Some(closed.value)
    }

    /// Opens the next interval of a facet.
    fn open<T: borsh::BorshSerialize + borsh::BorshDeserialize>(
        &mut self,
        id: &DeviceId,
        facet: DeviceFacet,
        value: T,
        at: Position,
    ) {
        let ordinal = self.last::<T>(id, facet).map_or(0, |(ordinal, _)| ordinal + 1);
        self.put(entry(id, facet, ordinal), &Interval::open(value, at));
    }

    /// A manufacturer's lot.
    pub(crate) fn endorse_lot(&mut self, manufacturer: &str, label: &str) -> LotId {
        let at = self.other_transaction();
        let id = LotId::of(&TransactionId::from_hash(Hash::plain(at.to_string().as_bytes())));
        let basis = LotBasis::Merkle { root: Hash::plain(label.as_bytes()), count: 100_000 };
        let record = LotRecord { manufacturer: organization(manufacturer), basis, label: label.to_owned() };
        self.put(state_key::lot(&id), &Interval::open(record, at));
        id
    }

    /// Ends trust in a lot, or moves the doubt in it earlier.
    pub(crate) fn distrust(&mut self, lot: &LotId, since: Option<Position>) -> Position {
        let at = self.other_transaction();
        let interval: Interval<LotRecord> = self.read(&state_key::lot(lot)).expect("a lot");
        let closed = if interval.is_open() { interval.closed(at) } else { interval };
        let closed = since.into_iter().fold(closed, Interval::suspected);
        self.put(state_key::lot(lot), &closed);
        at
    }

    /// That the manufacturer of `lot` vouches for a device which was just registered.
    pub(crate) fn endorse(&mut self, meter: &Meter, lot: LotId, serial: &str) {
        let key = entry(&meter.id, DeviceFacet::Record, 0);
        let interval: Interval<LotRecord> = self.read(&state_key::lot(&lot)).expect("a lot");
        let mut record: DeviceRecord = self.read(&key).expect("a device");
        let manufacturer = interval.value.manufacturer;
        record.endorsement = Some(EndorsementRecord { lot, manufacturer, serial: serial.to_owned() });
        self.put(key, &record);
    }

    /// The owner announces another key.
    pub(crate) fn announce_recovery(&mut self, meter: &Meter, since: Option<Position>) -> Position {
        let at = self.other_transaction();
        let secret = meter.secret.foreign();
        let effective = Height::new(at.height.get() + 2);
        let recovery = Recovery { key: secret.public(), next: secret.next().public().commitment(), effective };
        self.open(&meter.id, DeviceFacet::Recovery, recovery, at);
        if let (Some(since), Some((ordinal, epoch))) = (since, self.last::<DeviceKey>(&meter.id, DeviceFacet::Key)) {
            self.put(entry(&meter.id, DeviceFacet::Key, ordinal), &epoch.suspected(since));
        }
        at
    }

    /// The announced key takes effect after the open block; the device that signs with it is returned.
    pub(crate) fn recovery_takes_effect(&mut self, meter: &Meter) -> Meter {
        let next = Position::start_of(Height::new(self.next_position().height.get() + 1));
        let secret: Secret = meter.secret.foreign();
        let recovery: Recovery = self.close(&meter.id, DeviceFacet::Recovery, next).expect("a recovery");
        assert_eq!(recovery.key, secret.public(), "a recovery of this key");
        self.close::<DeviceKey>(&meter.id, DeviceFacet::Key, next);
        self.open(&meter.id, DeviceFacet::Key, DeviceKey { key: recovery.key, next: recovery.next }, next);
        Meter { id: meter.id, secret }
    }

    pub(crate) fn cancel_recovery(&mut self, meter: &Meter) -> Position {
        let at = self.other_transaction();
        self.close::<Recovery>(&meter.id, DeviceFacet::Recovery, at).expect("a recovery");
        at
    }

    pub(crate) fn offer(&mut self, meter: &Meter, to: &str) -> Position {
        let at = self.other_transaction();
        self.close::<OrganizationId>(&meter.id, DeviceFacet::Offer, at);
        self.open(&meter.id, DeviceFacet::Offer, organization(to), at);
        at
    }

    /// The organization that a device is offered to takes it, into a zone of its own.
    pub(crate) fn accept(&mut self, meter: &Meter, owner: &str, path: &str) -> Position {
        let at = self.place(meter, owner, path);
        let offered: OrganizationId = self.close(&meter.id, DeviceFacet::Offer, at).expect("an offer");
        assert_eq!(offered, organization(owner), "an offer to this organization");
        self.close::<OrganizationId>(&meter.id, DeviceFacet::Owner, at);
        self.open(&meter.id, DeviceFacet::Owner, offered, at);
        self.close::<Recovery>(&meter.id, DeviceFacet::Recovery, at);
        at
    }

    pub(crate) fn supersede(
        &mut self,
        target: AttestationRef,
        by: Principal,
        replacement: Option<AttestationRef>,
    ) -> Position {
        let at = self.other_transaction();
        let superseded = Superseded { at, by, replacement };
        self.put(state_key::superseded(&target.stream, target.sequence), &superseded);
        at
    }

    pub(crate) fn expel(&mut self, name: &str) -> Position {
        let at = self.other_transaction();
        let key = state_key::organization_facet(&organization(name), OrganizationFacet::Record);
        let key = state_key::ordinal(key, 0);
        let mut record: OrganizationRecord = self.read(&key).expect("an organization");
        record.expelled = Some(at);
        self.put(key, &record);
        at
    }

    fn change_stream(&mut self, stream: &MeterStream, change: impl FnOnce(&mut StreamRecord)) {
        let key = state_key::stream(&stream.id);
        let mut record: StreamRecord = self.read(&key).expect("a stream");
        change(&mut record);
        self.put(key, &record);
    }

    pub(crate) fn close_stream(&mut self, stream: &MeterStream) -> Position {
        let at = self.other_transaction();
        self.change_stream(stream, |record| record.closed = Some(at));
        at
    }

    pub(crate) fn report_fork(&mut self, stream: &MeterStream, sequence: u64) {
        self.other_transaction();
        self.change_stream(stream, |record| record.forked_at = Some(sequence));
    }
}
