//! A manufacturer vouches for its devices, by lots and by certificates, and takes its trust back.

use cairn_proofs::accumulator;
use cairn_types::call::{DistrustLot, EndorseLot, RegisterDevice};
use cairn_types::lot::{CertificateEndorsement, Endorsement, LotBasis, LotEndorsement, LotLeaf, endorsement_message};
use cairn_types::{Call, Hash, LotId, Rejection, Role};

use super::invariants::Facts;
use super::world::x509::{Wanted, tlv};
use super::world::{Actor, Device, Key, World, endorse, register};

/// Devices and their leaves; the last leaf names no device.
fn leaves(devices: &[Device]) -> Vec<LotLeaf> {
    let leaf = |(number, device): (usize, Option<&Device>)| LotLeaf {
        device: device.map(|device| device.id),
        serial: format!("FM-{number:05}"),
        salt: *Hash::plain(format!("salt {number}").as_bytes()).as_bytes(),
    };
    devices.iter().map(Some).chain([None]).enumerate().map(leaf).collect()
}

fn items(leaves: &[LotLeaf]) -> Vec<Hash> {
    leaves.iter().map(LotLeaf::item).collect()
}

fn endorsed(world: &mut World, maker: &Actor, leaves: &[LotLeaf]) -> LotId {
    let basis = LotBasis::Merkle { root: accumulator::root_of(&items(leaves)), count: leaves.len() as u32 };
    // The root of an accumulator counts its items.
    let id = world.submit(&[maker], endorse(basis)).expect("the maker endorses");
    LotId::of(&id)
}

fn ticket(lot: LotId, leaves: &[LotLeaf], index: usize) -> LotEndorsement {
    let leaf = &leaves[index];
    let proof = accumulator::prove_in(&items(leaves), index as u64).expect("it is there");
    LotEndorsement {
        lot,
        bound: leaf.device.is_some(),
        serial: leaf.serial.clone(),
        salt: leaf.salt,
        index: index as u32,
        siblings: proof.siblings,
    }
}

fn registration(world: &World, device: &Device, endorsement: Endorsement) -> Call {
    match register(device, &world.works, world.zone("north")) {
        Call::RegisterDevice(call) => Call::RegisterDevice(RegisterDevice { endorsement: Some(endorsement), ..call }),
        call => call,
    }
}

fn claim(world: &mut World, device: &Device, endorsement: Endorsement) -> Result<(), Rejection> {
    let works = world.works.clone();
    let call = registration(world, device, endorsement);
    world.submit(&[&works, &device.actor()], call).map(|_| ())
}

fn invalid(result: &Result<(), Rejection>) -> bool {
    matches!(result, Err(Rejection::EndorsementInvalid { .. }))
}

#[test]
fn one_root_endorses_a_lot_and_each_place_is_claimed_once() {
    let mut world = World::new();
    let maker = world.contractor.clone();
    let devices: Vec<Device> = (0..7).map(|number| Device::called(&format!("FM {number}"))).collect();
    let leaves = leaves(&devices);
    let lot = endorsed(&mut world, &maker, &leaves);

    let claimed = claim(&mut world, &devices[3], Endorsement::Lot(ticket(lot, &leaves, 3)));
    assert_eq!(claimed, Ok(()));
    let record = Facts::of(&world.state).devices[&devices[3].id].record.endorsement.clone().expect("endorsed");
    assert_eq!((record.lot, record.manufacturer, record.serial.as_str()), (lot, maker.organization(), "FM-00003"));

    // A ticket that names a device is worth nothing to another; one that names none is the first one's.
    let stolen = claim(&mut world, &devices[4], Endorsement::Lot(ticket(lot, &leaves, 2)));
    assert!(invalid(&stolen), "{stolen:?}");
    let unbound = Endorsement::Lot(ticket(lot, &leaves, 7));
    let (first, second) = (Device::called("first"), Device::called("second"));
    assert_eq!(claim(&mut world, &first, unbound.clone()), Ok(()));
    assert_eq!(claim(&mut world, &second, unbound), Err(Rejection::LotPlaceClaimed { lot, by: first.id }));
}

#[test]
fn a_ticket_with_anything_changed_claims_nothing() {
    let mut world = World::new();
    let maker = world.contractor.clone();
    let device = Device::called("FM 0");
    let leaves = leaves(std::slice::from_ref(&device));
    let lot = endorsed(&mut world, &maker, &leaves);
    let changes: [fn(&mut LotEndorsement); 6] = [
        |ticket| ticket.serial.push('7'),
        |ticket| ticket.salt[0] ^= 1,
        |ticket| ticket.bound = false,
        |ticket| ticket.index = 1,
        |ticket| ticket.siblings.clear(),
        |ticket| ticket.siblings.push(Hash::ZERO),
    ];
    for change in changes {
        let mut ticket = ticket(lot, &leaves, 0);
        change(&mut ticket);
        let refused = claim(&mut world, &device, Endorsement::Lot(ticket));
        assert!(invalid(&refused), "{refused:?}");
    }
    let nowhere = LotEndorsement { lot: LotId::from_hash(Hash::ZERO), ..ticket(lot, &leaves, 0) };
    let unknown = claim(&mut world, &device, Endorsement::Lot(nowhere));
    assert!(matches!(unknown, Err(Rejection::LotUnknown { .. })));
    let empty = LotEndorsement { serial: String::new(), ..ticket(lot, &leaves, 0) };
    assert!(matches!(claim(&mut world, &device, Endorsement::Lot(empty)), Err(Rejection::FieldInvalid { .. })));
    assert_eq!(claim(&mut world, &device, Endorsement::Lot(ticket(lot, &leaves, 0))), Ok(()));
}

#[test]
fn distrust_ends_the_lot_and_leaves_the_fact() {
    let mut world = World::new();
    let (maker, works) = (world.contractor.clone(), world.works.clone());
    let devices = [Device::called("FM 0"), Device::called("FM 1")];
    let leaves = leaves(&devices);
    let lot = endorsed(&mut world, &maker, &leaves);
    claim(&mut world, &devices[0], Endorsement::Lot(ticket(lot, &leaves, 0))).expect("trusted");
    let before = world.now();
    world.idle(3);
    let distrust = |suspect_since| Call::DistrustLot(DistrustLot { lot, suspect_since });
    let foreign = world.submit(&[&works], distrust(None));
    assert!(matches!(foreign, Err(Rejection::SignerNotEntitled { .. })), "{foreign:?}");
    world.submit(&[&maker], distrust(None)).expect("its maker does");
    let late = claim(&mut world, &devices[1], Endorsement::Lot(ticket(lot, &leaves, 1)));
    assert_eq!(late, Err(Rejection::LotDistrusted { lot }));
    assert_eq!(world.submit(&[&maker], distrust(None)), Err(Rejection::LotDistrustedAlready { lot }));
    assert!(world.submit(&[&maker], distrust(Some(before))).is_ok(), "doubt may move earlier");
    let facts = Facts::of(&world.state);
    assert_eq!(facts.lots[&lot].suspect_since, Some(before));
    assert!(facts.devices[&devices[0].id].record.endorsement.is_some());
}

#[test]
fn lots_are_a_manufacturers_and_say_something() {
    let mut world = World::new();
    let operator = world.admitted("operator", &[Role::Operator]).now;
    let basis = LotBasis::Merkle { root: Hash::ZERO, count: 1 };
    let role = world.submit(&[&operator], endorse(basis));
    assert_eq!(role, Err(Rejection::RoleMissing { organization: operator.organization(), role: Role::Manufacturer }));
    let meter = world.registered("meter", "north");
    assert!(matches!(world.submit(&[&meter.actor()], endorse(basis)), Err(Rejection::SignerNotEntitled { .. })));
    let maker = world.contractor.clone();
    let empty = LotBasis::Merkle { root: Hash::ZERO, count: 0 };
    assert!(matches!(world.submit(&[&maker], endorse(empty)), Err(Rejection::FieldInvalid { .. })));
    let label = Call::EndorseLot(EndorseLot { basis, label: "x".repeat(65) });
    assert!(matches!(world.submit(&[&maker], label), Err(Rejection::FieldInvalid { .. })));
    let weak = LotBasis::Issuer { key: cairn_types::PublicKey::P256([9; 33]) };
    assert!(matches!(world.submit(&[&maker], endorse(weak)), Err(Rejection::KeyInvalid { .. })));
}

/// A maker whose root key issues to a factory, whose key issues to devices.
struct Factory {
    world: World,
    lot: LotId,
    root: Key,
    factory: Key,
}

impl Factory {
    fn new() -> Self {
        let mut world = World::new();
        let (root, factory) = (Key::p256_called("root"), Key::called("factory"));
        let maker = world.contractor.clone();
        let id = world.submit(&[&maker], endorse(LotBasis::Issuer { key: root.public })).expect("the maker endorses");
        Self { world, lot: LotId::of(&id), root, factory }
    }

    /// The device's certificate and the factory's.
    fn wanted(&self, key: &Key) -> [Wanted; 2] {
        [Wanted::device(key.public, "Factory"), Wanted::authority("Factory", self.factory.public, "Maker")]
    }

    fn chain(&self, wanted: &[Wanted; 2]) -> Vec<Vec<u8>> {
        vec![wanted[0].issued_by(&self.factory), wanted[1].issued_by(&self.root)]
    }

    fn claim(&mut self, device: &Device, chain: Vec<Vec<u8>>) -> Result<(), Rejection> {
        let endorsement = CertificateEndorsement { lot: self.lot, chain, signature: None };
        claim(&mut self.world, device, Endorsement::Certificate(endorsement))
    }
}

/// A device whose first key is a P-256 key, as most secure elements have it.
fn secure(label: &str) -> Device {
    Device::with(&[Key::p256_called(label), Key::p256_called(&format!("{label} next"))])
}

#[test]
fn a_chain_of_certificates_endorses_the_device_whose_key_it_certifies() {
    let mut f = Factory::new();
    let device = secure("meter");
    let chain = f.chain(&f.wanted(&device.keys[0]));
    assert_eq!(f.claim(&device, chain.clone()), Ok(()));
    let record = Facts::of(&f.world.state).devices[&device.id].record.endorsement.clone().expect("endorsed");
    assert_eq!((record.lot, record.serial.as_str()), (f.lot, "12ab"));
    let other = f.claim(&secure("other"), chain);
    assert!(invalid(&other), "{other:?}");
}

#[test]
fn a_certified_key_may_sign_for_a_device_with_another_key_once() {
    let mut f = Factory::new();
    let identity = Key::p256_called("identity");
    let chain = f.chain(&f.wanted(&identity));
    let endorsement = |f: &Factory, device: &Device, by: &Key| {
        let signature = Some(by.sign_message(&endorsement_message(&device.id)));
        Endorsement::Certificate(CertificateEndorsement { lot: f.lot, chain: chain.clone(), signature })
    };
    let (meter, valve) = (Device::called("meter"), Device::called("valve"));
    let forged = endorsement(&f, &meter, &Key::p256_called("thief"));
    assert!(invalid(&claim(&mut f.world, &meter, forged)));
    let for_other = endorsement(&f, &valve, &identity);
    assert!(invalid(&claim(&mut f.world, &meter, for_other)));
    let good = endorsement(&f, &meter, &identity);
    assert_eq!(claim(&mut f.world, &meter, good), Ok(()));
    let again = endorsement(&f, &valve, &identity);
    let lot = f.lot;
    assert_eq!(claim(&mut f.world, &valve, again), Err(Rejection::LotPlaceClaimed { lot, by: meter.id }));
    let own = secure("own");
    let needless = CertificateEndorsement {
        lot,
        chain: f.chain(&f.wanted(&own.keys[0])),
        signature: Some(own.keys[0].sign_message(&endorsement_message(&own.id))),
    };
    assert!(invalid(&claim(&mut f.world, &own, Endorsement::Certificate(needless))));
}

/// What is wrong, and how to make it so.
type Flaw = (&'static str, fn(&mut [Wanted; 2]));

#[test]
fn each_flaw_of_a_chain_is_found() {
    let mut f = Factory::new();
    let device = secure("meter");
    let key = device.keys[0].clone();
    let good = f.wanted(&key);
    let flaws: [Flaw; 8] = [
        ("the factory is no authority", |w| w[1].authority = None),
        ("the factory's key signs no certificates", |w| w[1].key_usage = Some(0x80)),
        ("the device is an authority", |w| w[0].authority = Some(None)),
        ("the names do not meet", |w| w[0].issuer = "Other Factory"),
        ("an unknown critical extension", |w| w[0].others = vec![(&[0x55, 0x1d, 0x1e], true)]),
        ("an extension twice", |w| w[0].others = vec![(&[0x55, 0x1d, 0x0e], false); 2]),
        ("X.509 version 1", |w| w[0].version = 0),
        ("a key that may not be registered", |w| w[0].key = cairn_types::PublicKey::Ed25519([0; 32])),
    ];
    for (flaw, change) in flaws {
        let mut wanted = good.clone();
        change(&mut wanted);
        let chain = f.chain(&wanted);
        let refused = f.claim(&device, chain);
        assert!(invalid(&refused), "{flaw}: {refused:?}");
    }
    let chain = f.chain(&good);
    let mut cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("no certificate", vec![]),
        ("too many", vec![chain[0].clone(); 5]),
        ("in the wrong order", vec![chain[1].clone(), chain[0].clone()]),
        ("without the factory", vec![chain[0].clone()]),
        ("not DER", vec![b"certificate".to_vec()]),
        ("something after it", vec![[&chain[0][..], &[0]].concat(), chain[1].clone()]),
        ("too long", vec![tlv(0x30, &vec![0; 9_000]), chain[1].clone()]),
        ("another root", vec![chain[0].clone(), good[1].issued_by(&Key::p256_called("impostor"))]),
        ("another algorithm", vec![chain[0].clone(), good[1].issued_by(&Key::called("root"))]),
    ];
    let mut flipped = chain.clone();
    let last = flipped[0].len() - 1;
    flipped[0][last] ^= 1;
    cases.push(("a flipped bit", flipped));
    for (flaw, chain) in cases {
        let refused = f.claim(&device, chain);
        assert!(invalid(&refused), "{flaw}: {refused:?}");
    }
    let mut limited = good.clone();
    limited[1].authority = Some(Some(0));
    let chain = f.chain(&limited);
    assert_eq!(f.claim(&device, chain), Ok(()), "nothing stands between factory and device");
}

#[test]
fn a_path_length_bounds_the_authorities_below() {
    let mut f = Factory::new();
    let line = Key::p256_called("line");
    let device = secure("meter");
    let chain = |f: &Factory, most: Option<u8>| {
        let factory = Wanted { authority: Some(most), ..Wanted::authority("Factory", f.factory.public, "Maker") };
        vec![
            Wanted::device(device.keys[0].public, "Line").issued_by(&line),
            Wanted::authority("Line", line.public, "Factory").issued_by(&f.factory),
            factory.issued_by(&f.root),
        ]
    };
    let too_long = chain(&f, Some(0));
    assert!(invalid(&f.claim(&device, too_long)));
    let allowed = chain(&f, Some(1));
    assert_eq!(f.claim(&device, allowed), Ok(()));
}

#[test]
fn an_endorsement_of_the_other_kind_is_refused() {
    let mut f = Factory::new();
    let device = secure("meter");
    let leaves = leaves(std::slice::from_ref(&device));
    let ticket = Endorsement::Lot(ticket(f.lot, &leaves, 0));
    assert!(invalid(&claim(&mut f.world, &device, ticket)));
}

#[test]
fn p256_devices_live_like_any_other() {
    let mut world = World::new();
    let works = world.works.clone();
    let device = secure("meter");
    let call = register(&device, &works, world.zone("north"));
    world.submit(&[&works, &device.actor()], call).expect("registered");
    let rotated = world.submit(&[&device.in_epoch(1)], super::world::rotate(&device, 1));
    assert!(rotated.is_ok(), "{rotated:?}");
}
