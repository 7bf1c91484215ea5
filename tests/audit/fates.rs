//! Stories of what becomes of a device: endorsed and distrusted, stolen and recovered, sold, superseded, forked; some of
//! the meters sign with P-256.

use cairn_proofs::verdict::Freshness;
use cairn_tests::actor::{Actor, key, sign_body, zone};
use cairn_tests::chain_builder::RECOVERY_DELAY;
use cairn_types::call::{
    AcceptDevice, Attest, CloseStream, DistrustLot, EndorseLot, Grant, OfferDevice, OpenStream, RecoverDeviceKey,
    RegisterDevice, ReportFork, Supersede,
};
use cairn_types::lot::{Endorsement, LotBasis, LotEndorsement, LotLeaf};
use cairn_types::transaction::signed_message;
use cairn_types::{
    Action, AttestationRef, BlockRef, Body, Call, GrantId, Grantee, Height, Inception, LotId, Position, Principal,
    PublicKey, Scope, Signature, SignatureBytes, SignedTransaction, StreamId, Transaction, TransactionId, Window,
};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer;

use crate::case::Case;
use crate::stories::{DAY, Expected, Meter, OTHER_DAY, incomplete, plain, valid};

/// All of them, with what an auditor should find.
pub(crate) fn all() -> Vec<(Case, Expected)> {
    [secure_element(), recovered(), sold(), superseded(), forked(), closed()].into_iter().flatten().collect()
}

/// The same question, asked by somebody who wants to know about now.
fn live(meter: &Meter, name: &str, day: &TransactionId) -> Case {
    let freshness = Some(Freshness { now_ms: meter.chain.time_ms() + 1_000, age_max_ms: 5_000 });
    Case { freshness, ..meter.case(name, day) }
}

/// A device with a secure element, which knows P-256 alone.
struct Element {
    secret: SigningKey,
    inception: Inception,
}

impl Element {
    fn new(seed: u8) -> Self {
        let secret = |seed: u8| SigningKey::from_slice(&[seed; 32]).expect("a small number is below the order");
        let public = |secret: &SigningKey| {
            let point = secret.verifying_key().to_sec1_point(true);
            PublicKey::P256(point.as_bytes().try_into().expect("a compressed point has 33 bytes"))
        };
        let next = public(&secret(seed + 1)).commitment();
        let inception = Inception { key: public(&secret(seed)), next, model: "secure element".to_owned() };
        Self { secret: secret(seed), inception }
    }

    fn principal(&self) -> Principal {
        Principal::Device(self.inception.id())
    }

    fn signature(&self, body: &Body) -> Signature {
        let signature: p256::ecdsa::Signature = self.secret.sign(&signed_message(&body.id()));
        let bytes = SignatureBytes::P256(signature.normalize_s().to_bytes().into());
        Signature { signer: self.principal(), key: 0, bytes }
    }

    /// Its own word.
    fn says(&self, meter: &Meter, not_before: BlockRef, call: Call) -> SignedTransaction {
        let body = Body { chain: meter.chain.id(), signer: self.principal(), not_before, expires: None, call };
        let signatures = vec![self.signature(&body)];
        SignedTransaction::new(Transaction { body, signatures })
    }
}

/// A lot of the contractor's in which the second leaf is the element's, and its registration by the works.
fn endorse(meter: &mut Meter, element: &Element) -> LotId {
    let maker = meter.chain.organization(1).clone();
    let leaf = |serial: &str, bound: bool| LotLeaf {
        device: bound.then(|| element.inception.id()),
        serial: serial.to_owned(),
        salt: [3; 32],
    };
    let items = [leaf("sn-0", false).item(), leaf("sn-1", true).item(), leaf("sn-2", false).item()];
    let basis = LotBasis::Merkle { root: cairn_proofs::accumulator::root_of(&items), count: 3 };
    let call = Call::EndorseLot(EndorseLot { basis, label: "secure elements".to_owned() });
    let lot = LotId::of(&meter.chain.submit(&maker, call, &[]));
    let proof = cairn_proofs::accumulator::prove_in(&items, 1).expect("the second of three");
    let endorsement = Endorsement::Lot(LotEndorsement {
        lot,
        bound: true,
        serial: "sn-1".to_owned(),
        salt: [3; 32],
        index: 1,
        siblings: proof.siblings,
    });
    let works = meter.works.clone();
    let call = Call::RegisterDevice(RegisterDevice {
        inception: element.inception.clone(),
        owner: works.organization(),
        zone: zone(works.organization(), "north/element"),
        endorsement: Some(endorsement),
        authority: None,
    });
    let not_before = meter.chain.tip();
    let expires = Some(Height::new(not_before.height.get() + 100));
    let body = Body { chain: meter.chain.id(), signer: works.principal, not_before, expires, call };
    let by_works = sign_body(body.clone(), &[&works]);
    let mut signatures = by_works.transaction().signatures.clone();
    signatures.push(element.signature(&body));
    meter.chain.block(vec![SignedTransaction::new(Transaction { body, signatures })]);
    lot
}

/// It is endorsed, attests with P-256, and its lot is distrusted later, in the end since before it was registered.
fn secure_element() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(30);
    let element = Element::new(40);
    let lot = endorse(&mut meter, &element);
    let name = "heat".parse().expect("a valid name");
    let stream = StreamId::of(&element.inception.id(), &name);
    let open = Call::OpenStream(OpenStream { name, cadence_s: Some(60), authority: meter.grant });
    let opened = element.says(&meter, meter.chain.tip(), open);
    let previous = opened.id();
    meter.chain.block(vec![opened]);
    let call = Call::Attest(Attest {
        stream,
        sequence: 0,
        previous,
        content: plain(DAY),
        claimed: None,
        derived_from: vec![],
        authority: meter.grant,
    });
    let said = element.says(&meter, meter.chain.tip(), call);
    let day = said.id();
    meter.chain.block(vec![said]);
    let endorsed = live(&meter, "a secure element, endorsed", &day);
    let maker = meter.chain.organization(1).clone();
    let mut distrust = |name: &str, suspect_since| {
        meter.chain.submit(&maker, Call::DistrustLot(DistrustLot { lot, suspect_since }), &[]);
        live(&meter, name, &day)
    };
    let distrusted = distrust("its lot is distrusted", None);
    let suspect = distrust("its lot is in doubt since the genesis", Some(Position::default()));
    vec![(endorsed, valid()), (distrusted, valid()), (suspect, valid())]
}

/// The key is stolen; the owner recovers the device, and doubts what was said since.
fn recovered() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(31);
    let honest = meter.attest(DAY);
    meter.chain.idle(2);
    let since = Position::start_of(Height::new(meter.chain.tip().height.get() + 1));
    let stolen = meter.attest(DAY);
    let (secret, after) = (key(7_000_001), key(7_000_002));
    let public = |secret: &ed25519_dalek::SigningKey| PublicKey::Ed25519(secret.verifying_key().to_bytes());
    let call = Call::RecoverDeviceKey(RecoverDeviceKey {
        device: meter.device.device(),
        key: public(&secret),
        next: public(&after).commitment(),
        suspect_since: Some(since),
    });
    let new = Actor { principal: meter.device.principal, key: secret };
    let works = meter.works.clone();
    meter.chain.submit(&works, call, &[&new]);
    let pending = live(&meter, "a recovery is pending", &honest);
    meter.chain.idle(usize::try_from(RECOVERY_DELAY).expect("few"));
    let before = live(&meter, "what was said before the theft", &honest);
    let doubted = live(&meter, "what the thief may have said", &stolen);
    meter.device = new;
    let by_new = meter.attest(DAY);
    let again = live(&meter, "the device after its recovery", &by_new);
    vec![(pending, valid()), (before, valid()), (doubted, incomplete("key_suspect")), (again, valid())]
}

/// The device is offered, sold, and attests under a grant of its new owner's.
fn sold() -> Vec<(Case, Expected)> {
    let over_device = |meter: &Meter| {
        Call::Grant(Grant {
            grantee: Grantee::Device(meter.device.device()),
            actions: [Action::Attest].into_iter().collect(),
            scope: Scope::Device(meter.device.device()),
            window: Window::ALWAYS,
            depth: 0,
            parent: None,
        })
    };
    let mut meter = Meter::new(32);
    let works = meter.works.clone();
    let call = over_device(&meter);
    let grant = GrantId::of(&meter.chain.submit(&works, call, &[]));
    meter.stream.authority = grant;
    let day = meter.attest(DAY);
    let seen = meter.chain.tip();
    let buyer = meter.chain.organization(2).clone();
    let (device, to) = (meter.device.device(), Some(buyer.organization()));
    meter.chain.submit(&works, Call::OfferDevice(OfferDevice { device, to }), &[]);
    let offered = live(&meter, "offered to somebody", &day);
    let place = zone(buyer.organization(), "roof");
    meter.chain.submit(&buyer, Call::AcceptDevice(AcceptDevice { device, zone: place }), &[]);
    let sold = live(&meter, "sold", &day);
    let call = over_device(&meter);
    meter.stream.authority = GrantId::of(&meter.chain.submit(&buyer, call, &[]));
    let by_new = meter.attest_after(seen, DAY);
    let bought = live(&meter, "said under the new owner, after a block of the old one's", &by_new);
    vec![(offered, valid()), (sold, valid()), (bought, valid())]
}

/// An attestation is superseded by its device with the next one.
fn superseded() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(33);
    let (day, better) = (meter.attest(DAY), meter.attest(DAY));
    let place = |sequence| AttestationRef { stream: meter.stream.stream, sequence };
    let call = Call::Supersede(Supersede { target: place(0), replacement: Some(place(1)) });
    let device = meter.device.clone();
    meter.chain.submit(&device, call, &[]);
    vec![(live(&meter, "superseded", &day), valid()), (live(&meter, "what supersedes it", &better), valid())]
}

/// The device signs two different days with one number.
fn forked() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(34);
    let first = meter.attest(DAY);
    let mut other = meter.stream.clone();
    let second = meter.attest(DAY);
    let kept = meter.chain.transaction(&second).bytes().to_vec();
    let twin = other.attest(meter.chain.id(), &meter.device, meter.chain.tip(), OTHER_DAY);
    let mut both = [(second, kept), (twin.id(), twin.bytes().to_vec())];
    both.sort_by_key(|(id, _)| *id);
    let [(_, lower), (_, upper)] = both;
    let auditor = meter.chain.organization(2).clone();
    meter.chain.submit(&auditor, Call::ReportFork(ReportFork { first: lower, second: upper }), &[]);
    vec![
        (live(&meter, "before the fork", &first), valid()),
        (live(&meter, "at the fork", &second), incomplete("stream_forked")),
    ]
}

/// The device closes its stream, and its key rotates.
fn closed() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(35);
    let day = meter.attest(DAY);
    let device = meter.device.clone();
    meter.chain.submit(&device, Call::CloseStream(CloseStream { stream: meter.stream.stream }), &[]);
    let closed = live(&meter, "the stream was closed", &day);
    meter.rotate();
    vec![(closed, valid()), (live(&meter, "the key rotated after that", &day), valid())]
}
