//! Whatever decodes may arrive: calls of values that exist, values that do not, and values at the edges.

use cairn_types::call::{
    AcceptDevice, Attest, CancelRecovery, CloseStream, DistrustLot, EndorseLot, Govern, Grant, OfferDevice, OpenStream,
    PlaceDevice, RecoverDeviceKey, RegisterDevice, ReportFork, RevokeGrant, RotateDeviceKey, RotateOrganizationKeys,
    SetDeviceStatus, Supersede,
};
use cairn_types::governance::{Admit, Measure, Upgrade};
use cairn_types::lot::{CertificateEndorsement, Endorsement, LotBasis, LotEndorsement};
use cairn_types::{
    Action, AttestationRef, BlockRef, Body, Call, ClaimedTime, Content, ContentForm, ContentHash, DeviceId,
    DeviceStatus, GrantId, Grantee, Hash, Height, Inception, KeyCommitment, KeySet, LotId, OrganizationId,
    OrganizationInception, Position, Principal, PublicKey, Role, Scope, Signature, SignatureBytes, SignedTransaction,
    StreamId, Transaction, TransactionId, Window, Zone,
};

use cairn_tests::oracle::{Oracle, Past};

use crate::pool::Pool;
use crate::random::Random;

/// Blocks that `not_before` most often names, from the last one back; transactions live longer than that.
const RECENT: usize = 10;

/// Makes calls of values that exist, values that do not, and values at the edges.
pub(crate) struct Wild<'a> {
    pub(crate) oracle: &'a Oracle,
    pub(crate) random: &'a mut Random,
    pub(crate) position: Position,
}

impl<'a> Wild<'a> {
    fn now(&self) -> Past<'a> {
        self.oracle.before(self.position)
    }

    /// One of what there is, or something else.
    fn known<T: Copy>(&mut self, known: &[T], other: impl FnOnce(Hash) -> T) -> T {
        if known.is_empty() || self.random.once_in(8) {
            other(Hash::plain(&self.random.next().to_le_bytes()))
        } else {
            *self.random.pick(known)
        }
    }

    fn organization(&mut self) -> OrganizationId {
        let known = self.now().organizations();
        self.known(&known, OrganizationId::from_hash)
    }

    fn device(&mut self) -> DeviceId {
        let known = self.now().devices();
        self.known(&known, DeviceId::from_hash)
    }

    fn grant(&mut self) -> GrantId {
        let known = self.now().grants();
        self.known(&known, GrantId::from_hash)
    }

    fn some_grant(&mut self) -> Option<GrantId> {
        (!self.random.once_in(3)).then(|| self.grant())
    }

    fn stream(&mut self) -> StreamId {
        let known = self.now().streams();
        self.known(&known, StreamId::from_hash)
    }

    fn principal(&mut self) -> Principal {
        if self.random.once_in(2) {
            Principal::Organization(self.organization())
        } else {
            Principal::Device(self.device())
        }
    }

    fn number(&mut self) -> u64 {
        let now = self.position.height.get();
        let edges = [0, 1, now.wrapping_sub(1), now, now.wrapping_add(1), u64::MAX - 1, u64::MAX];
        if self.random.once_in(4) { self.random.next() } else { *self.random.pick(&edges) }
    }

    fn height(&mut self) -> Height {
        Height::new(self.number())
    }

    fn place(&mut self) -> Option<Position> {
        (!self.random.once_in(3)).then(|| Position { height: self.height(), index: self.random.next() as u32 })
    }

    fn zone(&mut self) -> Zone {
        let path = *self.random.pick(&["", "north", "north/pump", "a/b/c/d/e/f/g/h", "0"]);
        Zone { organization: self.organization(), path: path.parse().expect("a valid path") }
    }

    fn key(&mut self) -> PublicKey {
        match self.random.below(3) {
            0 => PublicKey::Ed25519(*Hash::plain(&self.random.next().to_le_bytes()).as_bytes()),
            _ => Pool::get().key(self.random.below(400)),
        }
    }

    fn commitment(&mut self) -> KeyCommitment {
        self.key().commitment()
    }

    fn text(&mut self) -> String {
        let length = *self.random.pick(&[0, 1, 64, 65, 300]);
        (*self.random.pick(&["x", "\n", "\u{202e}"])).repeat(length)
    }

    fn call(&mut self) -> Call {
        match self.random.below(19) {
            7 => Call::Govern(Govern { measure: self.measure() }),
            8 => Call::RotateOrganizationKeys(RotateOrganizationKeys {
                organization: self.organization(),
                keys: self.key_set(),
                next: self.random.once_in(2).then(|| self.commitment()),
                by_recovery: self.random.once_in(2),
            }),
            9 => {
                let count = *self.random.pick(&[0, 1, 7, u32::MAX]);
                let root = Hash::plain(&self.random.next().to_le_bytes());
                let basis = if self.random.once_in(2) {
                    LotBasis::Merkle { root, count }
                } else {
                    LotBasis::Issuer { key: self.key() }
                };
                Call::EndorseLot(EndorseLot { basis, label: self.text() })
            }
            10 => Call::DistrustLot(DistrustLot { lot: self.lot(), suspect_since: self.place() }),
            11 => {
                let (device, key, next, suspect_since) = (self.device(), self.key(), self.commitment(), self.place());
                Call::RecoverDeviceKey(RecoverDeviceKey { device, key, next, suspect_since })
            }
            12 => Call::CancelRecovery(CancelRecovery { device: self.device() }),
            13 => {
                let to = (!self.random.once_in(3)).then(|| self.organization());
                Call::OfferDevice(OfferDevice { device: self.device(), to })
            }
            14 => Call::AcceptDevice(AcceptDevice { device: self.device(), zone: self.zone() }),
            15 => Call::CloseStream(CloseStream { stream: self.stream() }),
            16 => {
                let target = AttestationRef { stream: self.stream(), sequence: self.number() };
                let other = AttestationRef { stream: self.stream(), sequence: self.number() };
                Call::Supersede(Supersede { target, replacement: self.random.once_in(2).then_some(other) })
            }
            17 => Call::ReportFork(ReportFork { first: self.bytes(), second: self.bytes() }),
            0 => {
                let inception = Inception { key: self.key(), next: self.commitment(), model: self.text() };
                let (owner, zone, authority) = (self.organization(), self.zone(), self.some_grant());
                let endorsement = self.endorsement();
                Call::RegisterDevice(RegisterDevice { inception, owner, zone, endorsement, authority })
            }
            1 => {
                let (device, key, next) = (self.device(), self.key(), self.commitment());
                Call::RotateDeviceKey(RotateDeviceKey { device, key, next })
            }
            2 => {
                let (device, zone, authority) = (self.device(), self.zone(), self.some_grant());
                Call::PlaceDevice(PlaceDevice { device, zone, authority })
            }
            3 => {
                let status = *self.random.pick(&DeviceStatus::ALL);
                Call::SetDeviceStatus(SetDeviceStatus { device: self.device(), status, suspect_since: self.place() })
            }
            4 => {
                let grantee = match self.random.below(3) {
                    0 => Grantee::Organization(self.organization()),
                    1 => Grantee::Device(self.device()),
                    _ => Grantee::Zone(self.zone()),
                };
                let scope = match self.random.below(3) {
                    0 => Scope::Zone(self.zone()),
                    1 => Scope::Device(self.device()),
                    _ => Scope::Stream(self.stream()),
                };
                let actions = Action::ALL.into_iter().filter(|_| self.random.once_in(2)).collect();
                let window = Window { from: self.height(), to: self.random.once_in(2).then(|| self.height()) };
                let depth = *self.random.pick(&[0, 1, 7, 8, 255]);
                Call::Grant(Grant { grantee, actions, scope, window, depth, parent: self.some_grant() })
            }
            5 => Call::RevokeGrant(RevokeGrant { grant: self.grant(), suspect_since: self.place() }),
            6 => {
                let name = (*self.random.pick(&["flow", "level", "other"])).parse().expect("a valid name");
                let cadence_s = *self.random.pick(&[None, Some(0), Some(1), Some(u32::MAX)]);
                Call::OpenStream(OpenStream { name, cadence_s, authority: self.grant() })
            }
            _ => Call::Attest(self.attest()),
        }
    }

    fn lot(&mut self) -> LotId {
        let known = self.now().lots();
        self.known(&known, LotId::from_hash)
    }

    fn key_set(&mut self) -> KeySet {
        let keys = (0..*self.random.pick(&[0, 1, 2, 17])).map(|_| self.key()).collect();
        KeySet { threshold: *self.random.pick(&[0, 1, 2, 255]), keys }
    }

    /// Bytes that are no transaction, or are one that says something else.
    fn bytes(&mut self) -> Vec<u8> {
        if self.random.once_in(3) { vec![7; self.random.below(300)] } else { self.transaction().bytes().to_vec() }
    }

    fn endorsement(&mut self) -> Option<Endorsement> {
        let lot = self.lot();
        match self.random.below(3) {
            0 => None,
            1 => {
                let siblings = vec![Hash::ZERO; *self.random.pick(&[0, 1, 64, 65, 500])];
                let (index, bound, serial) = (self.random.next() as u32, self.random.once_in(2), self.text());
                Some(Endorsement::Lot(LotEndorsement { lot, bound, serial, salt: [1; 32], index, siblings }))
            }
            _ => {
                let length = *self.random.pick(&[0, 1, 4, 5]);
                let chain = (0..length).map(|_| vec![0x30; self.random.below(9_000)]).collect();
                let signature = self.random.once_in(2).then_some(SignatureBytes::P256([9; 64]));
                Some(Endorsement::Certificate(CertificateEndorsement { lot, chain, signature }))
            }
        }
    }

    fn measure(&mut self) -> Measure {
        match self.random.below(5) {
            0 => {
                let name = (*self.random.pick(&["works", "newcomer", "other"])).parse().expect("a valid name");
                let (keys, recovery) = (self.key_set(), self.random.once_in(2).then(|| self.key_set()));
                let inception = OrganizationInception { name, title: self.text(), keys, next: None, recovery };
                Measure::Admit(Admit { inception, roles: Role::ALL.into_iter().collect() })
            }
            1 => Measure::Expel(self.organization()),
            2 => {
                let set = self.now().validator_sets().last().expect("the first is there from the start").1.clone();
                let kept = set.iter().skip(self.random.below(3)).cloned().map(|mut validator| {
                    validator.power = cairn_types::Power::new(self.number());
                    validator
                });
                // A set that is none goes through the encoding, as a peer would send it.
                let members: Vec<_> = kept.collect();
                let bytes = borsh::to_vec(&members).expect("it encodes");
                Measure::ChangeValidators(borsh::from_slice(&bytes).expect("a set decodes unchecked"))
            }
            3 => {
                let mut parameters = self.now().parameters().clone();
                parameters.lifetime_max = self.number();
                parameters.recovery_delay = self.number();
                parameters.quota_window = self.number();
                Measure::SetParameters(parameters)
            }
            _ => {
                let upgrade = Upgrade { version: self.random.next() as u16, height: self.height() };
                Measure::ScheduleUpgrade(self.random.once_in(2).then_some(upgrade))
            }
        }
    }

    fn attest(&mut self) -> Attest {
        let stream = self.stream();
        let now = self.now();
        let said = now.said(&stream);
        let (sequence, previous) = match now.stream(&stream) {
            Some((_, _, opening, _)) if !self.random.once_in(3) => {
                (said.len() as u64, said.last().map_or(opening, |said| said.id))
            }
            _ => (self.number(), TransactionId::from_hash(Hash::plain(b"nothing"))),
        };
        let content = Content {
            form: ContentForm::Salted,
            hash: ContentHash::plain(b""),
            bytes: self.number(),
            readings: self.number(),
        };
        let instants = [i64::MIN, -1, 0, i64::MAX];
        let claimed = ClaimedTime { from_ms: *self.random.pick(&instants), to_ms: *self.random.pick(&instants) };
        let sources = *self.random.pick(&[0, 0, 0, 1, 2, 32, 33, 1000]);
        let derived_from = (0..sources)
            .map(|number| AttestationRef {
                stream: self.stream(),
                sequence: if sources > 2 { number } else { self.number() },
            })
            .collect();
        Attest {
            stream,
            sequence,
            previous,
            content,
            claimed: self.random.once_in(2).then_some(claimed),
            derived_from,
            authority: self.grant(),
        }
    }

    /// Somebody who may get further with it than others, if there is such a one.
    fn likely_signer(&self, call: &Call) -> Option<Principal> {
        let now = self.now();
        let owner_of = |device: &DeviceId| Some(Principal::Organization(now.owner(device)?.value));
        let device_of = |stream: &StreamId| Some(now.stream(stream)?.0);
        match call {
            Call::RegisterDevice(call) => Some(Principal::Organization(call.owner)),
            Call::RotateDeviceKey(call) => Some(Principal::Device(call.device)),
            Call::PlaceDevice(call) => owner_of(&call.device),
            Call::SetDeviceStatus(call) => owner_of(&call.device),
            Call::Grant(call) => match &call.scope {
                Scope::Zone(zone) => Some(Principal::Organization(zone.organization)),
                Scope::Device(device) => owner_of(device),
                Scope::Stream(stream) => owner_of(&device_of(stream)?),
            },
            Call::RevokeGrant(call) => Some(now.grant(&call.grant)?.grantor),
            Call::RecoverDeviceKey(call) => owner_of(&call.device),
            Call::CancelRecovery(call) => owner_of(&call.device),
            Call::OfferDevice(call) => owner_of(&call.device),
            Call::AcceptDevice(call) => Some(Principal::Organization(call.zone.organization)),
            Call::CloseStream(call) => device_of(&call.stream).map(Principal::Device),
            Call::Supersede(call) => device_of(&call.target.stream).map(Principal::Device),
            Call::RotateOrganizationKeys(call) => Some(Principal::Organization(call.organization)),
            Call::DistrustLot(call) => Some(Principal::Organization(now.lot(&call.lot)?.0)),
            Call::Govern(_) | Call::EndorseLot(_) => {
                let all = now.organizations();
                all.get(usize::from(call.name() == "EndorseLot") * 3).copied().map(Principal::Organization)
            }
            Call::OpenStream(_) | Call::ReportFork(_) => None,
            Call::Attest(call) => device_of(&call.stream).map(Principal::Device),
        }
    }

    /// The call in an envelope, signed with whatever anybody asks for, or with rubbish.
    pub(crate) fn transaction(&mut self) -> SignedTransaction {
        let call = self.call();
        let likely = self.likely_signer(&call).filter(|_| !self.random.once_in(4));
        let signer = likely.unwrap_or_else(|| self.principal());
        let final_blocks = self.oracle.blocks.len();
        let recent = if self.random.once_in(20) { final_blocks } else { final_blocks.min(RECENT) };
        let height = final_blocks - 1 - self.random.below(recent);
        let not_before = if self.random.once_in(20) { self.height() } else { Height::new(height as u64) };
        let expires = if self.random.once_in(20) { self.height() } else { self.position.height };
        let never = if call.is_stream_call() { self.random.once_in(2) } else { self.random.once_in(20) };
        let body = Body {
            chain: self.oracle.chain,
            signer,
            not_before: BlockRef { height: not_before, hash: self.oracle.blocks[height] },
            expires: (!never).then_some(expires),
            call,
        };
        let mut signers = vec![signer];
        if let Call::RegisterDevice(call) = &body.call {
            signers.push(Principal::Device(call.inception.id()));
        }
        if matches!(body.call, Call::Govern(_)) {
            signers = self.now().council().into_iter().map(Principal::Organization).collect();
        }
        let keys: u8 = if self.random.once_in(40) { 255 } else { *self.random.pick(&[1, 1, 1, 1, 2]) };
        let sign =
            |signer| (0..keys).map(move |key| Signature { signer, key, bytes: SignatureBytes::Ed25519([7; 64]) });
        let mut signatures: Vec<Signature> = signers.into_iter().flat_map(sign).collect();
        signatures.sort_by_key(|signature| (signature.signer, signature.key));
        SignedTransaction::new(Transaction { body, signatures })
    }
}

/// The bytes of a transaction, damaged in up to three places.
pub(crate) fn damaged(transaction: &SignedTransaction, random: &mut Random) -> Vec<u8> {
    let mut bytes = transaction.bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff]),
            2 => bytes.insert(at, random.next() as u8),
            _ => bytes[at] ^= 1 << random.below(8),
        }
    }
    bytes
}
