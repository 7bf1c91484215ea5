//! Stories of meters, and what an auditor should find.

use cairn_proofs::verdict::{Freshness, Outcome};
use cairn_tests::actor::{Actor, Writing, grant_attest, key, place, register, sign_body, zone};
use cairn_tests::chain_builder::Chain;
use cairn_types::call::{Attest, Grant, OpenStream, RevokeGrant, RotateDeviceKey, SetDeviceStatus};
use cairn_types::{
    Action, AttestationRef, BlockRef, Body, Call, ClaimedTime, Content, ContentForm, ContentHash, DeviceStatus,
    GrantId, Grantee, Height, Position, PublicKey, Scope, StreamId, TransactionId, Window, Zone,
};

use crate::case::Case;
use crate::fates;

pub(crate) const DAY: &[u8] = b"time,flow\n00:00,1.2\n00:15,1.3\n";
pub(crate) const OTHER_DAY: &[u8] = b"time,flow\n00:00,1.4\n00:15,1.1\n";
const CHANGED_DAY: &[u8] = b"time,flow\n00:00,1.2\n00:15,9.3\n";

/// Seconds of silence that the meters of most stories declare.
const CADENCE_S: u32 = 60;

/// Where the meters of most stories stand, and what their grant is over.
const PUMP: &str = "north/pump";
const NORTH: &str = "north";

/// The keys of a device lie this far apart (`cairn_tests::actor::inception`).
const NEXT_KEY: u64 = 1_000_000;

/// What an auditor should find.
pub(crate) struct Expected {
    pub(crate) outcome: Outcome,
    pub(crate) reasons: Vec<&'static str>,
}

pub(crate) fn valid() -> Expected {
    Expected { outcome: Outcome::Valid, reasons: vec![] }
}

pub(crate) fn incomplete(reason: &'static str) -> Expected {
    Expected { outcome: Outcome::Incomplete, reasons: vec![reason] }
}

fn invalid(reason: &'static str) -> Expected {
    Expected { outcome: Outcome::Invalid, reasons: vec![reason] }
}

/// A meter of the water works in a network of its own.
pub(crate) struct Meter {
    pub(crate) chain: Chain,
    seed: u64,
    pub(crate) works: Actor,
    pub(crate) device: Actor,
    pub(crate) grant: GrantId,
    pub(crate) stream: Writing,
}

impl Meter {
    /// A meter that stands in `north/pump`, may attest by a grant to the zone, and has opened its stream.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, |chain, works, _| {
            let terms = grant_attest(zone(works.organization(), NORTH));
            GrantId::of(&chain.submit(works, terms, &[]))
        })
    }

    /// The same, with another way to its authority.
    pub(crate) fn with(seed: u64, authority: impl FnOnce(&mut Chain, &Actor, &Actor) -> GrantId) -> Self {
        let mut chain = Chain::new(seed);
        let works = chain.organization(0).clone();
        let device = enter(&mut chain, seed, &works, PUMP);
        let grant = authority(&mut chain, &works, &device);
        let stream = open(&mut chain, &device, "flow", grant);
        Self { chain, seed, works, device, grant, stream }
    }

    fn zone(&self, path: &str) -> Zone {
        zone(self.works.organization(), path)
    }

    /// Attests, having seen the last block.
    pub(crate) fn attest(&mut self, content: &[u8]) -> TransactionId {
        let seen = self.chain.tip();
        self.attest_after(seen, content)
    }

    /// Attests, having seen some block.
    pub(crate) fn attest_after(&mut self, seen: BlockRef, content: &[u8]) -> TransactionId {
        let signed = self.stream.attest(self.chain.id(), &self.device, seen, content);
        let id = signed.id();
        self.chain.block(vec![signed]);
        id
    }

    /// Attests in the middle of a block of three attestations.
    pub(crate) fn attest_among_three(&mut self, seen: BlockRef, content: &[u8]) -> TransactionId {
        let chain = self.chain.id();
        let days = [OTHER_DAY, content, OTHER_DAY];
        let signed = days.map(|day| self.stream.attest(chain, &self.device, seen, day));
        let id = signed[1].id();
        self.chain.block(signed.into());
        id
    }

    /// Attests with any change to what is said.
    fn attest_as(&mut self, change: impl FnOnce(&mut Attest)) -> TransactionId {
        let mut attest = Attest {
            stream: self.stream.stream,
            sequence: self.stream.sequence,
            previous: self.stream.previous,
            content: plain(DAY),
            claimed: None,
            derived_from: vec![],
            authority: self.grant,
        };
        change(&mut attest);
        let (chain, not_before) = (self.chain.id(), self.chain.tip());
        let call = Call::Attest(attest);
        let body = Body { chain, signer: self.device.principal, not_before, expires: None, call };
        let signed = sign_body(body, &[&self.device]);
        let id = signed.id();
        self.stream.sequence += 1;
        self.stream.previous = id;
        self.chain.block(vec![signed]);
        id
    }

    /// The device's next key takes over.
    pub(crate) fn rotate(&mut self) {
        let (next, after) = (key(self.seed + NEXT_KEY), key(self.seed + 2 * NEXT_KEY));
        let call = Call::RotateDeviceKey(RotateDeviceKey {
            device: self.device.device(),
            key: PublicKey::Ed25519(next.verifying_key().to_bytes()),
            next: PublicKey::Ed25519(after.verifying_key().to_bytes()).commitment(),
        });
        self.device.key = next;
        let device = self.device.clone();
        self.chain.submit(&device, call, &[]);
    }

    fn set_status(&mut self, status: DeviceStatus, suspect_since: Option<Position>) {
        let call = SetDeviceStatus { device: self.device.device(), status, suspect_since };
        let works = self.works.clone();
        self.chain.submit(&works, Call::SetDeviceStatus(call), &[]);
    }

    pub(crate) fn place(&mut self, path: &str) {
        let call = place(self.device.device(), self.zone(path));
        let works = self.works.clone();
        self.chain.submit(&works, call, &[]);
    }

    /// A question about one of its attestations, with the day at hand.
    pub(crate) fn case(&self, name: &str, id: &TransactionId) -> Case {
        Case {
            name: name.to_owned(),
            bundle: self.chain.bundle(id, None).encode(),
            genesis: self.chain.id(),
            content: Some(DAY.to_vec()),
            salt: None,
            trusted: None,
            freshness: None,
        }
    }
}

pub(crate) fn plain(content: &[u8]) -> Content {
    let bytes = u64::try_from(content.len()).expect("a test's content is small");
    Content { form: ContentForm::Plain, hash: ContentHash::plain(content), bytes, readings: 2 }
}

/// Registers the device of a seed.
fn enter(chain: &mut Chain, seed: u64, owner: &Actor, path: &str) -> Actor {
    let device = cairn_tests::actor::device(seed);
    let call = register(seed, owner.organization(), zone(owner.organization(), path));
    chain.submit(owner, call, &[&device]);
    device
}

fn open(chain: &mut Chain, device: &Actor, name: &str, authority: GrantId) -> Writing {
    let name = name.parse().expect("a valid name");
    let stream = StreamId::of(&device.device(), &name);
    let call = Call::OpenStream(OpenStream { name, cadence_s: Some(CADENCE_S), authority });
    let previous = chain.submit(device, call, &[]);
    Writing { stream, authority, sequence: 0, previous }
}

fn terms(grantee: Grantee, actions: &[Action], over: Zone, depth: u8, parent: Option<GrantId>) -> Call {
    let actions = actions.iter().copied().collect();
    Call::Grant(Grant { grantee, actions, scope: Scope::Zone(over), window: Window::ALWAYS, depth, parent })
}

/// A day that verifies, in the network of a seed.
pub(crate) fn ordinary_day(seed: u64) -> Case {
    let mut meter = Meter::new(seed);
    meter.chain.idle(3);
    let day = meter.attest(DAY);
    meter.chain.idle(5);
    meter.case("an ordinary day", &day)
}

/// A bundle with something in every field: past blocks, an anchor, neighbours in the block, two grants, placements of a
/// gateway, two organizations.
pub(crate) fn rich() -> Case {
    let mut meter = Meter::with(20, through_gateway);
    meter.chain.idle(9);
    let day = meter.attest_among_three(meter.chain.tip(), DAY);
    meter.chain.idle(7);
    meter.rotate();
    let anchor = meter.chain.at(4);
    Case {
        bundle: meter.chain.bundle(&day, Some(anchor)).encode(),
        trusted: Some(anchor),
        ..meter.case("a rich bundle", &day)
    }
}

/// The works let every device of the zone pass `attest` on to the contractor, who passes it on to the meter.
pub(crate) fn through_gateway(chain: &mut Chain, works: &Actor, meter: &Actor) -> GrantId {
    const GATEWAY: u64 = 5_000;
    let contractor = chain.organization(1).clone();
    let north = zone(works.organization(), NORTH);
    let both = [Action::Attest, Action::Delegate];
    let gateway = enter(chain, GATEWAY, works, "north/gateway");
    let to_zone = terms(Grantee::Zone(north.clone()), &both, north.clone(), 2, None);
    let first = GrantId::of(&chain.submit(works, to_zone, &[]));
    let to_contractor = Grantee::Organization(contractor.organization());
    let second = GrantId::of(&chain.submit(&gateway, terms(to_contractor, &both, north.clone(), 1, Some(first)), &[]));
    let to_meter = Grantee::Device(meter.device());
    GrantId::of(&chain.submit(&contractor, terms(to_meter, &[Action::Attest], north, 0, Some(second)), &[]))
}

/// Every story, with what an auditor should find.
pub(crate) fn all() -> Vec<(Case, Expected)> {
    let mut all = vec![(rich(), valid())];
    all.extend(ordinary());
    all.extend(salted());
    all.extend(keys());
    all.extend(statuses());
    all.extend(grants());
    all.extend(places());
    all.extend(streams());
    all.extend(fates::all());
    all
}

/// One day, and all that an auditor may bring along.
fn ordinary() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(1);
    meter.chain.idle(3);
    let day = meter.attest(DAY);
    let at_once = meter.case("the checkpoint is the attestation's own block", &day);
    meter.chain.idle(4);
    let later = meter.chain.tip();
    let now_ms = meter.chain.time_ms();
    let case = meter.case("a day", &day);
    let fresh = |now_ms| Some(Freshness { now_ms, age_max_ms: 5_000 });
    let (second, fifth) = (meter.chain.at(2), meter.chain.at(5));
    let other = Chain::new(99);
    let named = |name: &str| Case { name: name.to_owned(), ..case.clone() };
    let anchored = |block| meter.chain.bundle(&day, Some(block)).encode();
    let conflict = BlockRef { height: later.height, hash: second.hash };
    vec![
        (at_once, valid()),
        (case.clone(), valid()),
        (Case { content: Some(CHANGED_DAY.to_vec()), ..named("a changed day") }, invalid("content_differs")),
        (Case { content: None, ..named("no content") }, incomplete("content_not_supplied")),
        (Case { salt: Some([7; 32]), ..named("a salt for plain content") }, incomplete("content_not_comparable")),
        (Case { genesis: other.id(), ..named("another network") }, invalid("wrong_network")),
        (Case { freshness: fresh(now_ms + 4_000), ..named("fresh") }, valid()),
        (Case { freshness: fresh(now_ms - 4_000), ..named("a little ahead") }, valid()),
        (Case { freshness: fresh(now_ms + 5_001), ..named("stale") }, incomplete("checkpoint_stale")),
        (Case { freshness: fresh(now_ms - 5_001), ..named("ahead") }, incomplete("checkpoint_ahead")),
        (Case { trusted: Some(later), ..named("the checkpoint is trusted") }, valid()),
        (Case { trusted: Some(fifth), bundle: anchored(fifth), ..named("an anchor") }, valid()),
        (Case { trusted: Some(second), ..named("out of reach") }, incomplete("trusted_unconnected")),
        (Case { trusted: Some(conflict), ..named("another history") }, invalid("trusted_conflict")),
        (Case { bundle: case.bundle[..100].to_vec(), ..named("cut off") }, invalid("not_a_bundle")),
        (Case { bundle: [&case.bundle[..], b"\0"].concat(), ..named("a byte more") }, invalid("not_a_bundle")),
        (Case { bundle: vec![], ..named("nothing") }, invalid("not_a_bundle")),
    ]
}

/// Content that only holders of the salt can check; a claimed time, and a source.
fn salted() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(3);
    let salt = [9; 32];
    meter.attest(OTHER_DAY);
    let source = AttestationRef { stream: meter.stream.stream, sequence: 0 };
    let day = meter.attest_as(|attest| {
        attest.content.form = ContentForm::Salted;
        attest.content.hash = ContentHash::salted(&salt, DAY);
        attest.claimed = Some(ClaimedTime { from_ms: -5, to_ms: 1_735_689_600_000 });
        attest.derived_from = vec![source];
    });
    let case = meter.case("a salted day", &day);
    let named = |name: &str| Case { name: name.to_owned(), ..case.clone() };
    vec![
        (Case { salt: Some(salt), ..case.clone() }, valid()),
        (Case { salt: Some([8; 32]), ..named("another salt") }, invalid("content_differs")),
        (named("no salt"), incomplete("content_not_comparable")),
    ]
}

fn keys() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(4);
    let day = meter.attest(DAY);
    meter.rotate();
    let rotated = meter.case("the key rotated later", &day);
    let seen = meter.chain.at(usize::try_from(meter.chain.tip().height.get()).expect("small") - 1);
    let by_new = meter.attest_after(seen, DAY);
    let at_inclusion = meter.case("the new key signed, but saw a block of the old one", &by_new);
    let since = meter.chain.position(&day);
    meter.set_status(DeviceStatus::Revoked, Some(since));
    let doubted = meter.case("revoked later, in doubt since the attestation", &day);
    vec![(rotated, valid()), (at_inclusion, valid()), (doubted, incomplete("key_suspect"))]
}

fn statuses() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(5);
    let seen = meter.chain.tip();
    meter.set_status(DeviceStatus::Suspended, None);
    meter.set_status(DeviceStatus::Active, None);
    let day = meter.attest_after(seen, DAY);
    let again = meter.case("suspended for a while before", &day);
    let after = Position::start_of(Height::new(meter.chain.tip().height.get() + 1));
    meter.set_status(DeviceStatus::Revoked, Some(after));
    let revoked = meter.case("revoked later, in doubt only after the attestation", &day);
    vec![(again, valid()), (revoked, valid())]
}

fn grants() -> Vec<(Case, Expected)> {
    let mut meter = Meter::with(6, through_gateway);
    let day = meter.attest(DAY);
    let delegated = meter.case("by three grants, through a gateway", &day);
    let since = meter.chain.position(&day);
    let revoke = |suspect_since| Call::RevokeGrant(RevokeGrant { grant: meter.grant, suspect_since });
    let contractor = meter.chain.organization(1).clone();
    let (first, second) = (revoke(None), revoke(Some(since)));
    meter.chain.submit(&contractor, first, &[]);
    let revoked = meter.case("the grant was revoked later", &day);
    meter.chain.submit(&contractor, second, &[]);
    let doubted = meter.case("the grant was revoked later, in doubt since the attestation", &day);
    vec![(delegated, valid()), (revoked, valid()), (doubted, incomplete("authority_suspect"))]
}

fn places() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(7);
    meter.place("south");
    let seen = meter.chain.tip();
    meter.place("north/well");
    let day = meter.attest_after(seen, DAY);
    let moved = meter.case("moved into the zone after the block that it saw", &day);
    meter.place("south");
    let away = meter.case("moved away later", &day);
    vec![(moved, valid()), (away, valid())]
}

fn streams() -> Vec<(Case, Expected)> {
    let mut meter = Meter::new(8);
    let first = meter.attest(DAY);
    let within = meter.case("within the cadence", &first);
    meter.chain.idle(usize::try_from(CADENCE_S).expect("small") + 1);
    let silent = meter.case("silent", &first);
    meter.attest(OTHER_DAY);
    let continued = meter.case("not the last", &first);
    vec![(within, valid()), (silent, valid()), (continued, valid())]
}
