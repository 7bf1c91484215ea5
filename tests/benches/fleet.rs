//! Devices that say things: transactions, signed on all cores before any clock runs.
//!
//! Each device's attestations follow one another, so they are handed in in their order, at one node. What the fleet signed
//! it takes for said: whoever asks for transactions has them all final before asking for more.

use cairn_tests::actor::{self, Writing};
use cairn_tests::{Actor, Signed};
use cairn_types::{BlockRef, ChainId, Content, ContentForm, ContentHash, GrantId, OrganizationId, Zone};
use clap::ValueEnum;
use rayon::prelude::*;

/// Readings in a batch that one attestation stands for.
pub(crate) const READINGS: u64 = 1_000;
/// Bytes of one reading in such a batch: a time and a value.
const READING_BYTES: usize = 16;
/// Devices that say nothing have seeds from here on, and those that are registered under load from there on; those below
/// are the fleet.
const SILENT_SEEDS: u64 = 50_000_000;
const NEW_SEEDS: u64 = 100_000_000;
/// Of a mixed load one in so many is a registration, and one a grant.
const MIXED: u64 = 20;

/// What is handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Attestations of one reading.
    Attest,
    /// Attestations of files of [`READINGS`] readings.
    Batch,
    /// Registrations of new devices.
    Register,
    /// Mostly attestations, with registrations and grants among them.
    Mixed,
}

/// A transaction to hand in, and whose it is: what comes from one source stays in its order.
pub(crate) struct Offered {
    pub(crate) source: u64,
    pub(crate) signed: Signed,
}

struct Device {
    actor: Actor,
    writing: Writing,
}

/// See the module.
pub(crate) struct Fleet {
    chain: ChainId,
    owner: Actor,
    devices: Vec<Device>,
    /// The device whose turn it is.
    turn: usize,
    /// Attestations so far, all devices together.
    attested: u64,
    /// Devices that were registered besides, and grants that were given.
    registered: u64,
    granted: u64,
}

/// Where the fleet stands.
pub(crate) fn zone(owner: OrganizationId) -> Zone {
    actor::zone(owner, "bench/zone")
}

/// The content of the attestation with this number: the same in every run, so that an auditor can look for it.
pub(crate) fn content(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

impl Fleet {
    /// The fleet of an owner, with what registers it, and as many devices as are `silent`, and opens its streams: each group
    /// may follow the one before.
    pub(crate) fn new(
        chain: ChainId,
        owner: &Actor,
        (count, silent): (u64, u64),
        tip: BlockRef,
    ) -> (Self, [Vec<Signed>; 3]) {
        let zone = zone(owner.organization());
        let granted = actor::sign(chain, owner, tip, actor::grant_attest(zone.clone()), &[]);
        let grant = GrantId::of(&granted.id());
        let register = |seed: u64, device: &Actor| {
            let call = actor::register(seed, owner.organization(), zone.clone());
            actor::sign(chain, owner, tip, call, &[device])
        };
        let one = |seed: u64| {
            let actor = actor::device(seed);
            let registered = register(seed, &actor);
            let (opened, writing) = Writing::open(chain, &actor, tip, "readings", grant);
            (registered, opened, Device { actor, writing })
        };
        let made: Vec<_> = (0..count).into_par_iter().map(one).collect();
        let (mut registered, mut opened, mut devices) = (Vec::new(), Vec::new(), Vec::new());
        for (registration, opening, device) in made {
            registered.push(registration);
            opened.push(opening);
            devices.push(device);
        }
        let others = (SILENT_SEEDS..SILENT_SEEDS + silent).into_par_iter();
        registered.par_extend(others.map(|seed| register(seed, &actor::device(seed))));
        let fleet = Self { chain, owner: owner.clone(), devices, turn: 0, attested: 0, registered: 0, granted: 0 };
        (fleet, [vec![granted], registered, opened])
    }

    /// The place of the attestation with this number, if the fleet has attested in turns from the beginning.
    pub(crate) fn place(&self, number: u64) -> cairn_types::AttestationRef {
        let count = self.devices.len() as u64;
        let device = &self.devices[usize::try_from(number % count).expect("an index")];
        cairn_types::AttestationRef { stream: device.writing.stream, sequence: number / count }
    }

    /// The next `count` transactions of a kind, signed by who has seen `tip`.
    pub(crate) fn sign(&mut self, kind: Kind, count: usize, tip: BlockRef) -> Vec<Offered> {
        match kind {
            Kind::Attest => self.attest(count, tip, 1),
            Kind::Batch => self.attest(count, tip, READINGS),
            Kind::Register => self.register(count, tip),
            Kind::Mixed => {
                let part = count / usize::try_from(MIXED).expect("small");
                let mut others = self.register(part, tip).into_iter().zip(self.grant(part, tip));
                let mut mixed = Vec::with_capacity(count);
                for (place, attested) in self.attest(count - 2 * part, tip, 1).into_iter().enumerate() {
                    if place % (usize::try_from(MIXED).expect("small") - 2) == 0
                        && let Some((registered, granted)) = others.next()
                    {
                        mixed.extend([registered, granted]);
                    }
                    mixed.push(attested);
                }
                mixed.extend(others.flat_map(|(registered, granted)| [registered, granted]));
                mixed
            }
        }
    }

    /// Attestations, device after device in turn.
    fn attest(&mut self, count: usize, tip: BlockRef, readings: u64) -> Vec<Offered> {
        let devices = self.devices.len();
        let (turn, first, chain) = (self.turn, self.attested, self.chain);
        // How far behind the one whose turn it is a device comes.
        let behind = |place: usize| (place + devices - turn) % devices;
        let write = |(place, device): (usize, &mut Device)| {
            let own = (behind(place)..count).step_by(devices);
            let attest = |number: usize| device.attest(chain, tip, first + number as u64, readings);
            own.map(attest).collect::<Vec<Signed>>()
        };
        let written: Vec<_> = self.devices.par_iter_mut().enumerate().map(write).collect();
        let mut written: Vec<_> = written.into_iter().map(Vec::into_iter).collect();
        self.turn = (turn + count) % devices;
        self.attested += count as u64;
        let next = |number: usize| {
            let place = (turn + number) % devices;
            let signed = written[place].next().expect("each device wrote as often as its turn comes");
            Offered { source: place as u64, signed }
        };
        (0..count).map(next).collect()
    }

    fn register(&mut self, count: usize, tip: BlockRef) -> Vec<Offered> {
        let first = NEW_SEEDS + self.registered;
        self.registered += count as u64;
        let zone = zone(self.owner.organization());
        let register = |seed: u64| {
            let call = actor::register(seed, self.owner.organization(), zone.clone());
            let signed = actor::sign(self.chain, &self.owner, tip, call, &[&actor::device(seed)]);
            Offered { source: seed, signed }
        };
        (first..first + count as u64).into_par_iter().map(register).collect()
    }

    fn grant(&mut self, count: usize, tip: BlockRef) -> Vec<Offered> {
        let first = self.granted;
        self.granted += count as u64;
        let grant = |number: u64| {
            let zone = actor::zone(self.owner.organization(), &format!("bench/other-{number}"));
            let signed = actor::sign(self.chain, &self.owner, tip, actor::grant_attest(zone), &[]);
            Offered { source: number, signed }
        };
        (first..first + count as u64).into_par_iter().map(grant).collect()
    }
}

impl Device {
    fn attest(&mut self, chain: ChainId, tip: BlockRef, number: u64, readings: u64) -> Signed {
        let (hash, bytes) = if readings == 1 {
            (ContentHash::plain(&content(number)), 8)
        } else {
            let file = batch(number, readings);
            (ContentHash::plain(&file), file.len() as u64)
        };
        let content = Content { form: ContentForm::Plain, hash, bytes, readings };
        self.writing.attest_content(chain, &self.actor, tip, content, None)
    }
}

/// The file of a batch: readings of [`READING_BYTES`] each.
fn batch(number: u64, readings: u64) -> Vec<u8> {
    let mut file = Vec::with_capacity(usize::try_from(readings).expect("small") * READING_BYTES);
    for reading in 0..readings {
        file.extend_from_slice(&number.to_le_bytes());
        file.extend_from_slice(&reading.to_le_bytes());
    }
    file
}
