//! How the ledger of [`World`] goes on: every call that it did not have yet, and what each leaves in the state.
//!
//! ```text
//! block 5   the council admits a city's auditors and changes the parameters; Meterworks endorses a lot by its root and one
//!           by an issuer's key, and a third meter claims its place in the first; the second's grants are given
//! block 6   keys are rotated; the third meter's recovery is announced; the first meter is offered to Meterworks;
//!           monday's attestation is superseded by tuesday's; a fork at the week is reported; the first lot is distrusted;
//!           new validators are decided, and an upgrade
//! block 7   Meterworks accepts the first meter; the recovery is cancelled; the auditors are expelled; a stream is closed
//! ```
//!
//! The signatures are real, but no rule was run: what the calls leave is written by hand, as in [`World`].

use cairn_types::call::{
    AcceptDevice, CancelRecovery, CloseStream, DistrustLot, EndorseLot, Govern, Grant, OfferDevice, PlaceDevice,
    RecoverDeviceKey, RegisterDevice, ReportFork, RotateDeviceKey, RotateOrganizationKeys, Supersede,
};
use cairn_types::governance::{Admit, Measure, Upgrade};
use cairn_types::lot::{CertificateEndorsement, Endorsement, LotBasis, LotEndorsement};
use cairn_types::record::{
    DeviceKey, DeviceRecord, EndorsementRecord, GrantTerms, LotRecord, OrganizationKeys, OrganizationRecord, Recovery,
    StreamRecord, Superseded, Usage,
};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{
    Action, Body, Call, DeviceId, GrantId, Grantee, Hash, Height, Interval, KeySet, LotId, OrganizationId,
    OrganizationInception, Parameters, Position, Principal, PublicKey, Role, Scope, SignatureBytes, SignedTransaction,
    ValidatorSet, Window, Zone,
};

use crate::ledger::{Changes, public, signed, signed_by};
use crate::world::{
    METER_KEY, METERWORKS_KEY, PARAMETERS, WATER_KEY, World, at, facet, give, inception, organization, put, register,
    terms,
};

/// Seeds of secret keys.
const AUDIT_KEY: u8 = 3;
const THIRD_KEY: u8 = 31;

/// The generator of P-256, which is a key like any other.
const ISSUER: &str = "p256:036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";

/// The ledger after block 7, and what is new in it.
pub(crate) struct Later {
    pub(crate) world: World,
    pub(crate) audit: OrganizationId,
    pub(crate) third: DeviceId,
    pub(crate) lot: LotId,
    pub(crate) issued: LotId,
    /// Over the first meter, given by its first owner.
    pub(crate) over_meter: GrantId,
    /// Over the zone where the third meter is, given by the organization that was expelled.
    pub(crate) of_expelled: GrantId,
}

/// Changes one record of the state.
fn alter<T: borsh::BorshSerialize + borsh::BorshDeserialize>(
    world: &World,
    changes: &mut Changes,
    key: Vec<u8>,
    alter: impl FnOnce(T) -> T,
) {
    let bytes = world.ledger.latest().state.get(&key).expect("it is there").to_vec();
    put(changes, key, &alter(borsh::from_slice(&bytes).expect("a record")));
}

fn body(world: &World, signer: Principal, call: Call) -> Body {
    let (chain, not_before) = (world.ledger.chain, world.ledger.tip());
    Body { chain, signer, not_before, expires: Some(Height::new(100)), call }
}

fn govern(world: &World, measure: Measure) -> SignedTransaction {
    signed(body(world, Principal::Organization(world.water), Call::Govern(Govern { measure })), WATER_KEY)
}

fn auditors() -> OrganizationInception {
    OrganizationInception {
        name: "city-audit".parse().expect("a name"),
        title: "City Auditors".to_owned(),
        keys: KeySet::single(public(AUDIT_KEY)),
        next: Some(KeySet::single(public(AUDIT_KEY + 100)).commitment()),
        recovery: None,
    }
}

/// Registers an endorsed device, which claims its place.
fn enter(
    changes: &mut Changes,
    call: &RegisterDevice,
    by: Principal,
    endorsement: EndorsementRecord,
    claim: Hash,
    position: Position,
) {
    register(changes, call, by, position);
    let id = call.inception.id();
    put(changes, state_key::lot_claim(&endorsement.lot, &claim), &id);
    let record = DeviceRecord {
        inception: call.inception.clone(),
        registered: position,
        registered_by: by,
        endorsement: Some(endorsement),
    };
    put(changes, facet(&id, DeviceFacet::Record, 0), &record);
}

/// What the third meter shows of its lot: it is the lot's only device, so its leaf is the whole tree.
fn endorsement(lot: LotId) -> LotEndorsement {
    LotEndorsement { lot, bound: false, serial: "FM-0007".to_owned(), salt: [7; 32], index: 0, siblings: Vec::new() }
}

fn key_of(id: &OrganizationId, facet: OrganizationFacet, ordinal: u32) -> Vec<u8> {
    state_key::ordinal(state_key::organization_facet(id, facet), ordinal)
}

impl Later {
    pub(crate) fn new() -> Self {
        let mut world = World::new();
        let (water, meterworks) = (Principal::Organization(world.water), Principal::Organization(world.meterworks));
        let zone = |path: &str| Zone { organization: world.water, path: path.parse().expect("a path") };

        // Block 5.
        let mut changes = Changes::new();
        let inception_of_audit = auditors();
        let audit = organization(&mut changes, "city-audit", "City Auditors", AUDIT_KEY, &[Role::Auditor]);
        assert_eq!(audit, inception_of_audit.id());
        let roles = [Role::Auditor].into_iter().collect();
        let admit = govern(&world, Measure::Admit(Admit { inception: inception_of_audit, roles }));
        let admitted = changes.remove(&key_of(&audit, OrganizationFacet::Record, 0)).flatten().expect("just put");
        let record: OrganizationRecord = borsh::from_slice(&admitted).expect("a record");
        let record = OrganizationRecord { admitted: at(5, 0), ..record };
        put(&mut changes, key_of(&audit, OrganizationFacet::Record, 0), &record);
        let parameters = Parameters { device_quota: 20, ..PARAMETERS };
        let set = govern(&world, Measure::SetParameters(parameters.clone()));
        let first = Interval::open(PARAMETERS, Position::default()).closed(at(5, 1));
        put(&mut changes, state_key::ordinal(state_key::parameters(), 0), &first);
        put(&mut changes, state_key::ordinal(state_key::parameters(), 1), &Interval::open(parameters, at(5, 1)));

        let leaf = endorsement(LotId::from_hash(Hash::ZERO)).leaf(DeviceId::from_hash(Hash::ZERO));
        let basis = LotBasis::Merkle { root: cairn_proofs::accumulator::root_of(&[leaf.item()]), count: 1 };
        let merkle = EndorseLot { basis, label: "FM-200, week 38".to_owned() };
        let issuer = LotBasis::Issuer { key: ISSUER.parse::<PublicKey>().expect("a key") };
        let issuing = EndorseLot { basis: issuer, label: "Meterworks device CA".to_owned() };
        let merkle_call = signed(body(&world, meterworks, Call::EndorseLot(merkle.clone())), METERWORKS_KEY);
        let issuing_call = signed(body(&world, meterworks, Call::EndorseLot(issuing.clone())), METERWORKS_KEY);
        let (lot, issued) = (LotId::of(&merkle_call.id()), LotId::of(&issuing_call.id()));
        for (id, call, position) in [(lot, merkle, at(5, 2)), (issued, issuing, at(5, 3))] {
            let record = LotRecord { manufacturer: world.meterworks, basis: call.basis, label: call.label };
            put(&mut changes, state_key::lot(&id), &Interval::open(record, position));
            changes.insert(state_key::manufacturer_lot(&world.meterworks, &id), Some(Vec::new()));
        }

        let registration = RegisterDevice {
            inception: inception(THIRD_KEY),
            owner: world.water,
            zone: zone("north/pump"),
            endorsement: Some(Endorsement::Lot(endorsement(lot))),
            authority: None,
        };
        let third = registration.inception.id();
        let entered = body(&world, water, Call::RegisterDevice(registration.clone()));
        let entered = signed_by(entered, &[(water, WATER_KEY), (Principal::Device(third), THIRD_KEY)]);
        let claim = EndorsementRecord { lot, manufacturer: world.meterworks, serial: "FM-0007".to_owned() };
        enter(&mut changes, &registration, water, claim, leaf.item(), at(5, 4));
        let chain = vec![vec![0x30, 0x03], vec![0x30, 0x04]];
        let by_certificate =
            CertificateEndorsement { lot: issued, chain, signature: Some(SignatureBytes::P256([9; 64])) };
        let certified = RegisterDevice {
            inception: inception(THIRD_KEY + 10),
            endorsement: Some(Endorsement::Certificate(by_certificate)),
            ..registration
        };
        let certified_call = signed(body(&world, water, Call::RegisterDevice(certified.clone())), WATER_KEY);
        let claim = EndorsementRecord { lot: issued, manufacturer: world.meterworks, serial: "0a1b".to_owned() };
        enter(&mut changes, &certified, water, claim, public(THIRD_KEY + 11).commitment().hash(), at(5, 5));

        let commands = |grantee: OrganizationId, scope, depth| Grant {
            grantee: Grantee::Organization(grantee),
            actions: [Action::Command, Action::Delegate].into_iter().collect(),
            scope,
            window: Window::ALWAYS,
            depth,
            parent: None,
        };
        let over_meter = commands(world.meterworks, Scope::Device(world.meter), 1);
        let for_audit = commands(audit, Scope::Zone(zone("north")), 2);
        let give_meter = signed(body(&world, water, Call::Grant(over_meter.clone())), WATER_KEY);
        let give_audit = signed(body(&world, water, Call::Grant(for_audit.clone())), WATER_KEY);
        let (over_meter_id, for_audit_id) = (GrantId::of(&give_meter.id()), GrantId::of(&give_audit.id()));
        let passed_on = GrantTerms {
            grantor: Principal::Organization(audit),
            parent: Some(for_audit_id),
            ..terms(&commands(world.meterworks, Scope::Zone(zone("north/pump")), 1), water)
        };
        let of_expelled = GrantId::from_hash(Hash::plain(b"passed on"));
        give(&mut changes, &over_meter_id, terms(&over_meter, water), at(5, 6));
        give(&mut changes, &for_audit_id, terms(&for_audit, water), at(5, 7));
        give(&mut changes, &of_expelled, passed_on, at(5, 8));
        put(&mut changes, state_key::usage(&water), &Usage { window: 0, count: 9 });
        put(&mut changes, state_key::usage(&Principal::Device(world.meter)), &Usage { window: 0, count: 4 });
        let block = vec![admit, set, merkle_call, issuing_call, entered, certified_call, give_meter, give_audit];
        world.ledger.append(block, &changes);

        let sixth = Self { world, audit, third, lot, issued, over_meter: over_meter_id, of_expelled };
        sixth.rotate_recover_and_doubt().sell_cancel_and_expel()
    }

    /// Block 6.
    fn rotate_recover_and_doubt(mut self) -> Self {
        let world = &self.world;
        let (water, meterworks) = (Principal::Organization(world.water), Principal::Organization(world.meterworks));
        let mut changes = Changes::new();
        let keys = KeySet { threshold: 1, keys: vec![public(WATER_KEY + 100)] };
        let next = Some(KeySet::single(public(WATER_KEY + 150)).commitment());
        let rotate = RotateOrganizationKeys { organization: world.water, keys: keys.clone(), next, by_recovery: false };
        let rotate = signed(body(world, water, Call::RotateOrganizationKeys(rotate)), WATER_KEY + 100);
        let first = key_of(&world.water, OrganizationFacet::Keys, 0);
        alter(world, &mut changes, first, |keys: Interval<OrganizationKeys>| keys.closed(at(6, 0)));
        let opened = Interval::open(OrganizationKeys { keys, next }, at(6, 0));
        put(&mut changes, key_of(&world.water, OrganizationFacet::Keys, 1), &opened);

        let (key, next) = (public(METER_KEY + 1), public(METER_KEY + 2).commitment());
        let rotation = RotateDeviceKey { device: world.meter, key, next };
        let rotated = body(world, Principal::Device(world.meter), Call::RotateDeviceKey(rotation));
        let rotated = signed(rotated, METER_KEY + 1);
        let first = facet(&world.meter, DeviceFacet::Key, 0);
        alter(world, &mut changes, first, |key: Interval<DeviceKey>| key.closed(at(6, 1)));
        put(&mut changes, facet(&world.meter, DeviceFacet::Key, 1), &Interval::open(DeviceKey { key, next }, at(6, 1)));

        let (key, next) = (public(THIRD_KEY + 2), public(THIRD_KEY + 3).commitment());
        let recover = RecoverDeviceKey { device: self.third, key, next, suspect_since: Some(at(5, 6)) };
        let recover = body(world, water, Call::RecoverDeviceKey(recover));
        let recover = signed_by(recover, &[(water, WATER_KEY + 100), (Principal::Device(self.third), THIRD_KEY + 2)]);
        let recovery = Recovery { key, next, effective: Height::new(16) };
        put(&mut changes, facet(&self.third, DeviceFacet::Recovery, 0), &Interval::open(recovery, at(6, 2)));
        changes.insert(state_key::due_recovery(Height::new(16), &self.third), Some(Vec::new()));
        let epoch = facet(&self.third, DeviceFacet::Key, 0);
        alter(world, &mut changes, epoch, |key: Interval<DeviceKey>| key.suspected(at(5, 6)));

        let offer = OfferDevice { device: world.meter, to: Some(world.meterworks) };
        let offer = signed(body(world, water, Call::OfferDevice(offer)), WATER_KEY + 100);
        let offered = Interval::open(world.meterworks, at(6, 3));
        put(&mut changes, facet(&world.meter, DeviceFacet::Offer, 0), &offered);

        let supersede = Supersede { target: world.place(0), replacement: Some(world.place(1)) };
        let supersede = signed(body(world, water, Call::Supersede(supersede)), WATER_KEY + 100);
        let superseded = Superseded { at: at(6, 4), by: water, replacement: Some(world.place(1)) };
        put(&mut changes, state_key::superseded(&world.stream, 0), &superseded);

        let (first, second) = (world.attestations[2].bytes().to_vec(), world.opened.bytes().to_vec());
        let fork = signed(body(world, meterworks, Call::ReportFork(ReportFork { first, second })), METERWORKS_KEY);
        let stream = state_key::stream(&world.stream);
        alter(world, &mut changes, stream, |record: StreamRecord| StreamRecord { forked_at: Some(2), ..record });

        let distrust = DistrustLot { lot: self.lot, suspect_since: Some(at(5, 2)) };
        let distrust = signed(body(world, meterworks, Call::DistrustLot(distrust)), METERWORKS_KEY);
        let lot = state_key::lot(&self.lot);
        alter(world, &mut changes, lot, |lot: Interval<LotRecord>| lot.closed(at(6, 6)).suspected(at(5, 2)));

        let fewer: Vec<_> = world.ledger.validators.iter().take(3).cloned().collect();
        let fewer = ValidatorSet::new(fewer).expect("a valid set");
        let validators = govern(world, Measure::ChangeValidators(fewer.clone()));
        let first = state_key::ordinal(state_key::validators(), 0);
        alter(world, &mut changes, first, |set: Interval<ValidatorSet>| set.closed(at(8, 0)));
        put(&mut changes, state_key::ordinal(state_key::validators(), 1), &Interval::open(fewer, at(8, 0)));

        let upgrade = Upgrade { version: 2, height: Height::new(50) };
        let scheduled = govern(world, Measure::ScheduleUpgrade(Some(upgrade)));
        put(&mut changes, state_key::ordinal(state_key::upgrades(), 0), &Interval::open(upgrade, at(6, 8)));
        let block = vec![rotate, rotated, recover, offer, supersede, fork, distrust, validators, scheduled];
        self.world.ledger.append(block, &changes);
        self
    }

    /// Block 7.
    fn sell_cancel_and_expel(mut self) -> Self {
        let world = &self.world;
        let (water, meterworks) = (Principal::Organization(world.water), Principal::Organization(world.meterworks));
        let mut changes = Changes::new();
        let yard = Zone { organization: world.meterworks, path: "yard".parse().expect("a path") };
        let accept = AcceptDevice { device: world.meter, zone: yard.clone() };
        let accept = signed(body(world, meterworks, Call::AcceptDevice(accept)), METERWORKS_KEY);
        let offer = facet(&world.meter, DeviceFacet::Offer, 0);
        alter(world, &mut changes, offer, |offer: Interval<OrganizationId>| offer.closed(at(7, 0)));
        let owner = facet(&world.meter, DeviceFacet::Owner, 0);
        alter(world, &mut changes, owner, |owner: Interval<OrganizationId>| owner.closed(at(7, 0)));
        let place = facet(&world.meter, DeviceFacet::Placement, 0);
        alter(world, &mut changes, place, |place: Interval<Zone>| place.closed(at(7, 0)));
        put(&mut changes, facet(&world.meter, DeviceFacet::Owner, 1), &Interval::open(world.meterworks, at(7, 0)));
        put(&mut changes, facet(&world.meter, DeviceFacet::Placement, 1), &Interval::open(yard, at(7, 0)));

        let cancel = CancelRecovery { device: self.third };
        let cancel = signed(body(world, water, Call::CancelRecovery(cancel)), WATER_KEY + 100);
        let recovery = facet(&self.third, DeviceFacet::Recovery, 0);
        alter(world, &mut changes, recovery, |recovery: Interval<Recovery>| recovery.closed(at(7, 1)));

        let expel = govern(world, Measure::Expel(self.audit));
        let record = key_of(&self.audit, OrganizationFacet::Record, 0);
        alter(world, &mut changes, record, |record: OrganizationRecord| OrganizationRecord {
            expelled: Some(at(7, 2)),
            ..record
        });
        let call_off = govern(world, Measure::ScheduleUpgrade(None));
        let upgrade = state_key::ordinal(state_key::upgrades(), 0);
        alter(world, &mut changes, upgrade, |upgrade: Interval<Upgrade>| upgrade.closed(at(7, 3)));

        let close = Call::CloseStream(CloseStream { stream: world.stream });
        let close = signed(body(world, Principal::Device(world.meter), close), METER_KEY + 1);
        let stream = state_key::stream(&world.stream);
        alter(world, &mut changes, stream, |record: StreamRecord| StreamRecord { closed: Some(at(7, 4)), ..record });

        let place = PlaceDevice { device: self.third, zone: world.north.clone(), authority: None };
        let place = signed(body(world, water, Call::PlaceDevice(place)), WATER_KEY + 100);
        let pump = facet(&self.third, DeviceFacet::Placement, 0);
        alter(world, &mut changes, pump, |place: Interval<Zone>| place.closed(at(7, 5)));
        let north = Interval::open(world.north.clone(), at(7, 5));
        put(&mut changes, facet(&self.third, DeviceFacet::Placement, 1), &north);
        self.world.ledger.append(vec![accept, cancel, expel, call_off, close, place], &changes);
        self
    }
}
