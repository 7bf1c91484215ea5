//! The ledger that the tests ask about.
//!
//! ```text
//! block 1   San Francisco Water registers two meters, grants `attest` to the zone north and `register` in the south to
//!           Meterworks; the first meter opens the stream "flow"
//! block 2   the first meter attests monday and tuesday
//! block 3   the second meter is revoked, and so is Meterworks' grant; the first meter attests a week, made of monday
//! block 4   nothing
//! ```

use cairn_proofs::accumulator::Frontier;
use cairn_proofs::tree::StateTree;
use cairn_types::call::{Attest, Grant, OpenStream, RegisterDevice, RevokeGrant, SetDeviceStatus};
use cairn_types::record::{DeviceKey, DeviceRecord, GrantTerms, OrganizationKeys, OrganizationRecord, StreamRecord};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{
    Action, AttestationRef, Body, Call, ClaimedTime, Content, ContentForm, ContentHash, DeviceId, DeviceStatus,
    GrantId, Grantee, Height, Inception, Interval, KeySet, OrganizationId, OrganizationInception, Parameters, Position,
    Principal, Role, Scope, SignedTransaction, StreamId, Window, Zone, encode,
};

use crate::ledger::{Changes, Ledger, public, signed, signed_by, validators};

/// What monday's file holds.
pub(crate) const MONDAY: &[u8] = b"time,flow\n2026-09-21T00:00:00Z,12.4\n";
const TUESDAY: &[u8] = b"time,flow\n2026-09-22T00:00:00Z,11.9\n";
const WEEK: &[u8] = b"week,flow\n2026-W39,170.1\n";

/// Seeds of secret keys.
pub(crate) const WATER_KEY: u8 = 1;
pub(crate) const METERWORKS_KEY: u8 = 2;
pub(crate) const METER_KEY: u8 = 11;
const REVOKED_KEY: u8 = 21;

/// The network's parameters.
pub(crate) const PARAMETERS: Parameters = Parameters {
    lifetime_max: 1_000,
    recovery_delay: 10,
    block_bytes_max: 65_536,
    block_transactions_max: 1_024,
    heartbeat_ms: 5_000,
    clock_drift_ms: 10_000,
    propose_timeout_ms: 500,
    prevote_timeout_ms: 250,
    precommit_timeout_ms: 250,
    timeout_delta_ms: 250,
    quota_window: 100,
    organization_quota: 1_000,
    device_quota: 50,
};

pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) water: OrganizationId,
    pub(crate) meterworks: OrganizationId,
    pub(crate) meter: DeviceId,
    pub(crate) revoked: DeviceId,
    pub(crate) north: Zone,
    pub(crate) grant: GrantId,
    pub(crate) revoked_grant: GrantId,
    pub(crate) stream: StreamId,
    /// monday, tuesday, the week.
    pub(crate) attestations: Vec<SignedTransaction>,
    pub(crate) opened: SignedTransaction,
}

pub(crate) fn put<T: borsh::BorshSerialize>(changes: &mut Changes, key: Vec<u8>, value: &T) {
    changes.insert(key, Some(encode(value)));
}

pub(crate) fn organization(changes: &mut Changes, name: &str, title: &str, key: u8, roles: &[Role]) -> OrganizationId {
    let inception = OrganizationInception {
        name: name.parse().expect("a name"),
        title: title.to_owned(),
        keys: KeySet::single(public(key)),
        next: Some(KeySet::single(public(key + 100)).commitment()),
        recovery: None,
    };
    let id = inception.id();
    let record = OrganizationRecord {
        name: inception.name.clone(),
        title: inception.title.clone(),
        roles: roles.iter().copied().collect::<cairn_types::Roles>(),
        recovery: None,
        admitted: Position::default(),
        expelled: None,
    };
    let keys = OrganizationKeys { keys: inception.keys, next: inception.next };
    let key = |facet| state_key::ordinal(state_key::organization_facet(&id, facet), 0);
    put(changes, key(OrganizationFacet::Record), &record);
    put(changes, key(OrganizationFacet::Keys), &Interval::open(keys, Position::default()));
    put(changes, state_key::organization_name(&inception.name), &id);
    id
}

pub(crate) fn facet(id: &DeviceId, facet: DeviceFacet, ordinal: u32) -> Vec<u8> {
    state_key::ordinal(state_key::device_facet(id, facet), ordinal)
}

pub(crate) fn register(changes: &mut Changes, call: &RegisterDevice, by: Principal, position: Position) {
    let id = call.inception.id();
    let record =
        DeviceRecord { inception: call.inception.clone(), registered: position, registered_by: by, endorsement: None };
    let key = DeviceKey { key: call.inception.key, next: call.inception.next };
    put(changes, facet(&id, DeviceFacet::Record, 0), &record);
    put(changes, facet(&id, DeviceFacet::Key, 0), &Interval::open(key, position));
    put(changes, facet(&id, DeviceFacet::Owner, 0), &Interval::open(call.owner, position));
    put(changes, facet(&id, DeviceFacet::Status, 0), &Interval::open(DeviceStatus::Active, position));
    put(changes, facet(&id, DeviceFacet::Placement, 0), &Interval::open(call.zone.clone(), position));
}

pub(crate) fn terms(call: &Grant, grantor: Principal) -> GrantTerms {
    GrantTerms {
        grantor,
        grantee: call.grantee.clone(),
        actions: call.actions,
        scope: call.scope.clone(),
        window: call.window,
        depth: call.depth,
        parent: call.parent,
    }
}

pub(crate) fn give(changes: &mut Changes, id: &GrantId, terms: GrantTerms, position: Position) {
    changes.insert(state_key::scope_grant(&terms.scope.key(), id), Some(Vec::new()));
    put(changes, state_key::grant(id), &Interval::open(terms, position));
}

pub(crate) fn at(height: u64, index: u32) -> Position {
    Position { height: Height::new(height), index }
}

pub(crate) fn inception(key: u8) -> Inception {
    Inception { key: public(key), next: public(key + 1).commitment(), model: "FM-200 flow meter".to_owned() }
}

impl World {
    pub(crate) fn new() -> Self {
        let mut state = Changes::new();
        let water =
            organization(&mut state, "sf-water", "San Francisco Water", WATER_KEY, &[Role::Council, Role::Operator]);
        let meterworks =
            organization(&mut state, "meterworks", "Meterworks GmbH", METERWORKS_KEY, &[Role::Manufacturer]);
        put(
            &mut state,
            state_key::ordinal(state_key::parameters(), 0),
            &Interval::open(PARAMETERS, Position::default()),
        );
        put(&mut state, state_key::ordinal(state_key::council(), 0), &Interval::open(vec![water], Position::default()));
        let validators = validators(water);
        put(&mut state, state_key::ordinal(state_key::validators(), 0), &Interval::open(validators.clone(), at(1, 0)));
        let mut ledger = Ledger::new(validators, StateTree::new().apply(&state));
        let zone = |path: &str| Zone { organization: water, path: path.parse().expect("a path") };
        let owner = Principal::Organization(water);

        // Block 1.
        let body = |ledger: &Ledger, signer, call| Body {
            chain: ledger.chain,
            signer,
            not_before: ledger.tip(),
            expires: Some(Height::new(100)),
            call,
        };
        let registration = |key, path| RegisterDevice {
            inception: inception(key),
            owner: water,
            zone: zone(path),
            endorsement: None,
            authority: None,
        };
        let (first, second) = (registration(METER_KEY, "north/pump"), registration(REVOKED_KEY, "south"));
        let (meter, revoked) = (first.inception.id(), second.inception.id());
        let enter = |call: &RegisterDevice, key| {
            let device = Principal::Device(call.inception.id());
            signed_by(body(&ledger, owner, Call::RegisterDevice(call.clone())), &[(owner, WATER_KEY), (device, key)])
        };
        let north = zone("north");
        let for_meters = Grant {
            grantee: Grantee::Zone(north.clone()),
            actions: [Action::Attest].into_iter().collect(),
            scope: Scope::Zone(north.clone()),
            window: Window::ALWAYS,
            depth: 0,
            parent: None,
        };
        let for_maker = Grant {
            grantee: Grantee::Organization(meterworks),
            actions: [Action::Register, Action::Delegate].into_iter().collect(),
            scope: Scope::Zone(zone("south")),
            window: Window { from: Height::new(1), to: Some(Height::new(1_000)) },
            depth: 1,
            parent: None,
        };
        let give_meters = signed(body(&ledger, owner, Call::Grant(for_meters.clone())), WATER_KEY);
        let give_maker = signed(body(&ledger, owner, Call::Grant(for_maker.clone())), WATER_KEY);
        let (grant, revoked_grant) = (GrantId::of(&give_meters.id()), GrantId::of(&give_maker.id()));
        let open = OpenStream { name: "flow".parse().expect("a name"), cadence_s: Some(86_400), authority: grant };
        let stream = StreamId::of(&meter, &open.name);
        let opened = signed(body(&ledger, Principal::Device(meter), Call::OpenStream(open.clone())), METER_KEY);
        let mut record = StreamRecord {
            device: meter,
            name: open.name,
            cadence_s: open.cadence_s,
            opened: at(1, 4),
            count: 0,
            head: opened.id(),
            head_position: at(1, 4),
            peaks: Vec::new(),
            closed: None,
            forked_at: None,
            owned_from: 0,
        };
        let mut changes = Changes::new();
        register(&mut changes, &first, owner, at(1, 0));
        register(&mut changes, &second, owner, at(1, 1));
        give(&mut changes, &grant, terms(&for_meters, owner), at(1, 2));
        give(&mut changes, &revoked_grant, terms(&for_maker, owner), at(1, 3));
        put(&mut changes, state_key::stream(&stream), &record);
        changes.insert(state_key::device_stream(&meter, &stream), Some(Vec::new()));
        let transactions =
            vec![enter(&first, METER_KEY), enter(&second, REVOKED_KEY), give_meters, give_maker, opened.clone()];
        ledger.append(transactions, &changes);

        // Blocks 2 and 3: attestations, and what else happens.
        let mut attestations: Vec<SignedTransaction> = Vec::new();
        let attest = |ledger: &Ledger, record: &StreamRecord, content: &[u8], derived_from| {
            let content = Content {
                form: ContentForm::Plain,
                hash: ContentHash::plain(content),
                bytes: u64::try_from(content.len()).expect("a short content"),
                readings: 1,
            };
            let call = Attest {
                stream,
                sequence: record.count,
                previous: record.head,
                content,
                claimed: Some(ClaimedTime { from_ms: 1_789_948_800_000, to_ms: 1_790_035_199_000 }),
                derived_from,
                authority: grant,
            };
            let body = Body { expires: None, ..body(ledger, Principal::Device(meter), Call::Attest(call)) };
            signed(body, METER_KEY)
        };
        let advance = |record: &mut StreamRecord, all: &[SignedTransaction], position| {
            let items: Vec<_> = all.iter().map(|attestation| attestation.id().hash()).collect();
            let head = all.last().expect("an attestation");
            record.count = u64::try_from(all.len()).expect("few");
            record.head = head.id();
            record.head_position = position;
            record.peaks = Frontier::from_items(&items).peaks().to_vec();
        };
        for (index, content) in (0..).zip([MONDAY, TUESDAY]) {
            attestations.push(attest(&ledger, &record, content, Vec::new()));
            advance(&mut record, &attestations, at(2, index));
        }
        let mut changes = Changes::new();
        put(&mut changes, state_key::stream(&stream), &record);
        ledger.append(attestations.clone(), &changes);

        let status = SetDeviceStatus { device: revoked, status: DeviceStatus::Revoked, suspect_since: Some(at(2, 0)) };
        let revocation = RevokeGrant { grant: revoked_grant, suspect_since: None };
        let set_status = signed(body(&ledger, owner, Call::SetDeviceStatus(status)), WATER_KEY);
        let revoke = signed(body(&ledger, owner, Call::RevokeGrant(revocation)), WATER_KEY);
        attestations.push(attest(&ledger, &record, WEEK, vec![AttestationRef { stream, sequence: 0 }]));
        advance(&mut record, &attestations, at(3, 2));
        let mut changes = Changes::new();
        let active = Interval::open(DeviceStatus::Active, at(1, 1)).closed(at(3, 0));
        put(&mut changes, facet(&revoked, DeviceFacet::Status, 0), &active);
        let now = Interval::open(DeviceStatus::Revoked, at(3, 0)).suspected(at(2, 0));
        put(&mut changes, facet(&revoked, DeviceFacet::Status, 1), &now);
        let ended = Interval::open(terms(&for_maker, owner), at(1, 3)).closed(at(3, 1));
        put(&mut changes, state_key::grant(&revoked_grant), &ended);
        put(&mut changes, state_key::stream(&stream), &record);
        let week = attestations.last().expect("the week").clone();
        ledger.append(vec![set_status, revoke, week], &changes);

        // Block 4.
        ledger.append(Vec::new(), &Changes::new());
        Self { ledger, water, meterworks, meter, revoked, north, grant, revoked_grant, stream, attestations, opened }
    }

    /// The place of an attestation.
    pub(crate) const fn place(&self, sequence: u64) -> AttestationRef {
        AttestationRef { stream: self.stream, sequence }
    }

    /// A transaction that nobody has offered yet.
    pub(crate) fn fresh(&self) -> SignedTransaction {
        self.opens("pressure")
    }

    /// One of many that nobody has offered yet.
    pub(crate) fn fresh_of(&self, number: u32) -> SignedTransaction {
        self.opens(&format!("pressure-{number}"))
    }

    /// The meter opens a stream of this name.
    fn opens(&self, name: &str) -> SignedTransaction {
        let call = OpenStream { name: name.parse().expect("a name"), cadence_s: None, authority: self.grant };
        let body = Body {
            chain: self.ledger.chain,
            signer: Principal::Device(self.meter),
            not_before: self.ledger.tip(),
            expires: None,
            call: Call::OpenStream(call),
        };
        signed(body, METER_KEY)
    }
}
