//! Calls of values that exist in the scene, values that do not, and values at the edges: whatever decodes may arrive.

use cairn_types::call::{
    AcceptDevice, Attest, CancelRecovery, CloseStream, DistrustLot, EndorseLot, Govern, Grant, OfferDevice, OpenStream,
    PlaceDevice, RecoverDeviceKey, RegisterDevice, ReportFork, RevokeGrant, RotateDeviceKey, RotateOrganizationKeys,
    SetDeviceStatus, Supersede,
};
use cairn_types::governance::{Admit, Measure, Upgrade};
use cairn_types::lot::{CertificateEndorsement, Endorsement, LotBasis};
use cairn_types::{
    Action, AttestationRef, Body, Call, ClaimedTime, Content, ContentForm, DeviceId, DeviceStatus, Grantee, Hash,
    Height, Inception, KeyCommitment, KeySet, OrganizationInception, Position, Power, Principal, PublicKey, Role,
    Scope, SignatureBytes, SignedTransaction, Transaction, TransactionId, Window, Zone, encode, state_key,
};

use super::mutate::Random;
use super::scene::{DEVICES, Scene};
use crate::actor::{self, epoch_key, public};

/// Makes bodies that were seen after the block at `height`.
pub struct Wild<'a> {
    /// What there is.
    pub scene: &'a Scene,
    /// What is chosen.
    pub random: &'a mut Random,
    /// The last block that is final.
    pub height: usize,
}

impl Wild<'_> {
    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        self.random.pick(choices).clone()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.random.once_in(3) { None } else { Some(make(self)) }
    }

    fn principal(&mut self) -> Principal {
        if self.random.once_in(2) {
            Principal::Organization(self.pick(&self.scene.organizations))
        } else {
            Principal::Device(self.pick(&self.scene.devices))
        }
    }

    fn number(&mut self) -> u64 {
        if self.random.once_in(2) { self.random.edge() } else { (self.height + self.random.below(6)) as u64 }
    }

    fn at(&mut self) -> Option<Position> {
        self.maybe(|wild| Position { height: Height::new(wild.number()), index: wild.random.edge() as u32 })
    }

    fn zone(&mut self) -> Zone {
        let path = self.pick(&["", "north", "north/pump", "south", "south/a/b", "a/b/c/d/e/f/g/h"]);
        // Most of what there is belongs to the first.
        let count = if self.random.once_in(2) { 1 } else { self.scene.organizations.len() };
        actor::zone(self.scene.organizations[self.random.below(count)], path)
    }

    /// Keys that somebody has, has had, or has committed to; and keys that are none.
    fn key(&mut self) -> PublicKey {
        match self.random.below(8) {
            0 => PublicKey::Ed25519(*Hash::plain(&self.random.number().to_le_bytes()).as_bytes()),
            1 => {
                let mut bytes = [2; 33];
                bytes[1..].copy_from_slice(Hash::plain(&self.random.number().to_le_bytes()).as_bytes());
                PublicKey::P256(bytes)
            }
            2 => PublicKey::Ed25519(self.pick(&[[0; 32], [1; 32], [0xff; 32]])),
            3 | 4 => {
                let seed = self.pick(&DEVICES);
                public(&epoch_key(seed, self.random.below(3) as u64))
            }
            _ => public(&actor::key(300 + self.random.below(30) as u64)),
        }
    }

    fn next(&mut self) -> KeyCommitment {
        self.key().commitment()
    }

    fn text(&mut self) -> String {
        let length = self.pick(&[0, 1, 1, 20, 64, 65, 129, 300]);
        self.pick(&["x", "\n", "\u{202e}", "\u{10ffff}"]).repeat(length)
    }

    fn key_set(&mut self) -> KeySet {
        let count = self.pick(&[0, 1, 1, 2, 3, 16, 17]);
        let mut keys: Vec<PublicKey> = (0..count).map(|_| self.key()).collect();
        if !self.random.once_in(4) {
            keys.sort_unstable();
        }
        KeySet { threshold: self.pick(&[0, 1, 1, 1, 2, 16, 255]), keys }
    }

    fn scope(&mut self) -> Scope {
        match self.random.below(3) {
            0 => Scope::Zone(self.zone()),
            1 => Scope::Device(self.pick(&self.scene.devices)),
            _ => Scope::Stream(self.pick(&self.scene.streams)),
        }
    }

    fn place(&mut self) -> AttestationRef {
        let sequence = if self.random.once_in(3) { self.number() } else { self.random.below(6) as u64 };
        AttestationRef { stream: self.pick(&self.scene.streams), sequence }
    }

    fn endorsement(&mut self) -> Endorsement {
        if !self.random.once_in(3) {
            let mut endorsement = self.pick(&self.scene.endorsements);
            if let Endorsement::Lot(endorsement) = &mut endorsement
                && self.random.once_in(3)
            {
                endorsement.index = self.random.edge() as u32;
                endorsement.siblings.resize(self.random.below(70), Hash::ZERO);
            }
            return endorsement;
        }
        let count = self.random.below(6);
        let chain = (0..count).map(|_| vec![0x30; self.random.below(9_000)]).collect();
        let signature = self.maybe(|wild| SignatureBytes::P256([wild.random.number() as u8; 64]));
        Endorsement::Certificate(CertificateEndorsement { lot: self.pick(&self.scene.lots), chain, signature })
    }

    fn measure(&mut self) -> Measure {
        match self.random.below(5) {
            0 => {
                let name = self.pick(&["water-works", "newcomer", "other", "another"]).parse().expect("a name");
                let (keys, next) = (self.key_set(), self.maybe(Self::next));
                let recovery = self.maybe(Self::key_set);
                let inception = OrganizationInception { name, title: self.text(), keys, next, recovery };
                let roles = Role::ALL.into_iter().filter(|_| self.random.once_in(2)).collect();
                Measure::Admit(Admit { inception, roles })
            }
            1 => Measure::Expel(self.pick(&self.scene.organizations)),
            2 => {
                let mut members: Vec<_> = self.scene.validators.iter().cloned().collect();
                match self.random.below(4) {
                    0 => drop(members.pop()),
                    1 => members.clear(),
                    2 => members.reverse(),
                    _ => {}
                }
                for member in &mut members {
                    if self.random.once_in(2) {
                        member.power = Power::new(self.random.edge());
                    }
                    if self.random.once_in(8) {
                        member.organization = self.pick(&self.scene.organizations);
                    }
                }
                // A set that is none goes through the encoding, as somebody would send it.
                Measure::ChangeValidators(borsh::from_slice(&encode(&members)).expect("a set decodes unchecked"))
            }
            3 => {
                let mut parameters = self.scene.genesis.parameters.clone();
                let edge = self.random.edge();
                match self.random.below(6) {
                    0 => parameters.lifetime_max = edge,
                    1 => parameters.recovery_delay = edge,
                    2 => parameters.quota_window = edge,
                    3 => parameters.block_bytes_max = edge as u32,
                    4 => parameters.organization_quota = edge as u32,
                    _ => {}
                }
                Measure::SetParameters(parameters)
            }
            _ => Measure::ScheduleUpgrade(
                self.maybe(|wild| Upgrade { version: wild.random.edge() as u16, height: Height::new(wild.number()) }),
            ),
        }
    }

    fn attest(&mut self) -> Attest {
        let stream = self.pick(&self.scene.streams);
        let record = self.scene.chain.state(self.height).get(&state_key::stream(&stream));
        let record = record.and_then(|bytes| borsh::from_slice::<cairn_types::record::StreamRecord>(&bytes).ok());
        let nothing = TransactionId::from_hash(Hash::plain(b"nothing"));
        let (sequence, previous) = match &record {
            Some(record) if !self.random.once_in(4) => (record.count, record.head),
            _ => (self.number(), self.pick(&[nothing, self.scene.attestations[0]])),
        };
        let instants = [i64::MIN, -1, 0, 1, i64::MAX];
        let sources = self.pick(&[0, 0, 0, 1, 2, 5, 32, 33, 400]);
        let mut derived_from: Vec<AttestationRef> = (0..sources).map(|_| self.place()).collect();
        if !self.random.once_in(4) {
            derived_from.sort_unstable();
            derived_from.dedup();
        }
        Attest {
            stream,
            sequence,
            previous,
            content: Content {
                form: self.pick(&[ContentForm::Plain, ContentForm::Salted]),
                hash: Scene::content(),
                bytes: self.random.edge(),
                readings: self.random.edge(),
            },
            claimed: self.maybe(|wild| ClaimedTime { from_ms: wild.pick(&instants), to_ms: wild.pick(&instants) }),
            derived_from,
            authority: self.pick(&self.scene.grants),
        }
    }

    /// Two attestations, or what should be two.
    fn fork(&mut self) -> ReportFork {
        let mut two: Vec<Vec<u8>> = (0..2).map(|_| self.pick(&self.scene.transactions).bytes().to_vec()).collect();
        if self.random.once_in(3) {
            two[0] = self.random.bytes(40);
        }
        let second = two.pop().expect("there are two");
        ReportFork { first: two.pop().expect("there are two"), second }
    }

    /// A call with whom it should be signed by, more often than not.
    fn call(&mut self) -> (Call, Principal) {
        let scene = self.scene;
        let device: DeviceId = self.pick(&scene.devices);
        let owner = Principal::Organization(scene.organizations[0]);
        let any = self.principal();
        match self.random.below(24) {
            0 => (Call::Govern(Govern { measure: self.measure() }), owner),
            1 => {
                let organization = self.pick(&scene.organizations);
                let (keys, next) = (self.key_set(), self.maybe(Self::next));
                let by_recovery = self.random.once_in(2);
                let call = RotateOrganizationKeys { organization, keys, next, by_recovery };
                (Call::RotateOrganizationKeys(call), Principal::Organization(organization))
            }
            2 => {
                let basis = if self.random.once_in(2) {
                    LotBasis::Merkle { root: Hash::ZERO, count: self.random.edge() as u32 }
                } else {
                    LotBasis::Issuer { key: self.key() }
                };
                let call = EndorseLot { basis, label: self.text() };
                (Call::EndorseLot(call), Principal::Organization(scene.organizations[1]))
            }
            3 => {
                let call = DistrustLot { lot: self.pick(&scene.lots), suspect_since: self.at() };
                (Call::DistrustLot(call), Principal::Organization(scene.organizations[1]))
            }
            4..=6 => {
                let inception = Inception { key: self.key(), next: self.next(), model: self.text() };
                let (zone, endorsement) = (self.zone(), self.maybe(Self::endorsement));
                let owner = if self.random.once_in(4) { self.pick(&scene.organizations) } else { zone.organization };
                let authority = if self.random.once_in(3) { Some(self.pick(&scene.grants)) } else { None };
                let call = RegisterDevice { inception, owner, zone, endorsement, authority };
                (Call::RegisterDevice(call), Principal::Organization(owner))
            }
            7 => {
                let seed = self.pick(&DEVICES);
                let device = actor::device(seed).device();
                let key = if self.random.once_in(2) { public(&epoch_key(seed, 1)) } else { self.key() };
                let call = RotateDeviceKey { device, key, next: self.next() };
                (Call::RotateDeviceKey(call), Principal::Device(device))
            }
            8 => {
                let (key, next, suspect_since) = (self.key(), self.next(), self.at());
                (Call::RecoverDeviceKey(RecoverDeviceKey { device, key, next, suspect_since }), owner)
            }
            9 => (Call::CancelRecovery(CancelRecovery { device }), owner),
            10 => {
                let to = self.maybe(|wild| wild.pick(&scene.organizations));
                (Call::OfferDevice(OfferDevice { device, to }), owner)
            }
            11 => {
                let zone = self.zone();
                let signer = Principal::Organization(zone.organization);
                (Call::AcceptDevice(AcceptDevice { device, zone }), signer)
            }
            12 | 13 => {
                let authority = if self.random.once_in(3) { Some(self.pick(&scene.grants)) } else { None };
                (Call::PlaceDevice(PlaceDevice { device, zone: self.zone(), authority }), owner)
            }
            14 => {
                let status = self.pick(&DeviceStatus::ALL);
                let suspect_since = self.at();
                (Call::SetDeviceStatus(SetDeviceStatus { device, status, suspect_since }), owner)
            }
            15..=17 => {
                let grantee = match self.random.below(3) {
                    0 => Grantee::Organization(self.pick(&scene.organizations)),
                    1 => Grantee::Device(device),
                    _ => Grantee::Zone(self.zone()),
                };
                let actions = Action::ALL.into_iter().filter(|_| self.random.once_in(2)).collect();
                let (from, to) = (Height::new(self.number()), self.maybe(|wild| Height::new(wild.number())));
                let parent = if self.random.once_in(2) { Some(self.pick(&scene.grants)) } else { None };
                let depth = self.pick(&[0, 0, 1, 2, 7, 8, 255]);
                let window = if self.random.once_in(2) { Window::ALWAYS } else { Window { from, to } };
                let call = Grant { grantee, actions, scope: self.scope(), window, depth, parent };
                (Call::Grant(call), owner)
            }
            18 => {
                let call = RevokeGrant { grant: self.pick(&scene.grants), suspect_since: self.at() };
                (Call::RevokeGrant(call), owner)
            }
            19 => {
                let name = self.pick(&["flow", "old", "other", "0"]).parse().expect("a name");
                let cadence_s = self.pick(&[None, Some(0), Some(1), Some(u32::MAX)]);
                let call = OpenStream { name, cadence_s, authority: self.pick(&scene.grants) };
                (Call::OpenStream(call), Principal::Device(device))
            }
            20 => (Call::CloseStream(CloseStream { stream: self.pick(&scene.streams) }), Principal::Device(device)),
            21 | 22 => (Call::Attest(self.attest()), Principal::Device(scene.devices[self.random.below(2)])),
            _ if self.random.once_in(2) => {
                let (target, replacement) = (self.place(), self.maybe(Self::place));
                (Call::Supersede(Supersede { target, replacement }), Principal::Device(scene.devices[0]))
            }
            _ => (Call::ReportFork(self.fork()), any),
        }
    }

    /// A body that gets past its envelope more often than not.
    pub fn body(&mut self) -> Body {
        let (call, likely) = self.call();
        let signer = if self.random.once_in(8) { self.principal() } else { likely };
        let mut not_before = self.scene.chain.at(self.height - self.random.below(self.height.min(5)));
        let mut expires = Some(Height::new(not_before.height.get() + 200));
        if call.is_stream_call() && self.random.once_in(2) {
            expires = None;
        }
        if self.random.once_in(16) {
            expires = self.maybe(|wild| Height::new(wild.number()));
        }
        if self.random.once_in(32) {
            not_before.height = Height::new(self.number());
        }
        Body { chain: self.scene.chain.id(), signer, not_before, expires, call }
    }

    /// A transaction that nobody signed.
    pub fn unsigned(&mut self) -> SignedTransaction {
        SignedTransaction::new(Transaction { body: self.body(), signatures: Vec::new() })
    }
}
