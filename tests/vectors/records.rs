//! Every record of the state, and the key under which it stands.

use cairn_types::lot::{LotBasis, LotLeaf};
use cairn_types::record::*;
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::{Action, DeviceStatus, Grantee, Height, Interval, Principal, Role, Scope, Zone, encode};
use serde_json::{Value, json};

use crate::Vector;
use crate::readable::Readable;
use crate::samples::*;

/// A part of a key, as the specification's table names it, and its bytes.
type Part = (&'static str, Vec<u8>);

fn vector<T: Readable + borsh::BorshSerialize>(
    name: &str,
    parts: Vec<Part>,
    key: Vec<u8>,
    kind: &str,
    value: &T,
) -> Vector {
    let joined: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(joined, key, "{name}: the parts are not the key");
    let parts: Vec<Value> = parts.iter().map(|(label, bytes)| json!([label, hex::encode(bytes)])).collect();
    vec![
        ("name", json!(name)),
        ("parts", json!(parts)),
        ("key", json!(hex::encode(key))),
        ("type", json!(kind)),
        ("value", value.readable()),
        ("encoding", json!(hex::encode(encode(value)))),
    ]
}

fn family(byte: u8) -> Part {
    ("family", vec![byte])
}

fn ordinal(number: u32) -> Part {
    ("ordinal", number.to_be_bytes().to_vec())
}

fn facet(byte: u8) -> Part {
    ("facet", vec![byte])
}

fn hash(label: &'static str, bytes: &[u8; 32]) -> Part {
    (label, bytes.to_vec())
}

fn closed<T>(value: T) -> Interval<T> {
    Interval { value, from: position(10, 0), to: Some(position(20, 3)), suspect_since: Some(position(15, 1)) }
}

fn open<T>(value: T) -> Interval<T> {
    Interval::open(value, position(20, 3))
}

fn of_network() -> Vec<Vector> {
    let council = vec![organization("council a"), organization("council b")];
    let numbered = |byte| vec![family(byte), ordinal(1)];
    vec![
        vector(
            "parameters",
            numbered(0x01),
            state_key::ordinal(state_key::parameters(), 1),
            "Interval<Parameters>",
            &open(parameters()),
        ),
        vector(
            "council",
            numbered(0x0b),
            state_key::ordinal(state_key::council(), 1),
            "Interval<Vec<OrganizationId>>",
            &closed(council),
        ),
        vector(
            "validators",
            numbered(0x0c),
            state_key::ordinal(state_key::validators(), 1),
            "Interval<ValidatorSet>",
            &open(validators()),
        ),
        vector(
            "upgrade that was called off",
            numbered(0x0d),
            state_key::ordinal(state_key::upgrades(), 1),
            "Interval<Upgrade>",
            &closed(upgrade()),
        ),
    ]
}

fn of_organizations() -> Vec<Vector> {
    let id = organization("water-works");
    let inception = organization_inception();
    let record = OrganizationRecord {
        name: inception.name.clone(),
        title: inception.title.clone(),
        roles: [Role::Council, Role::Manufacturer].into_iter().collect(),
        recovery: inception.recovery.clone(),
        admitted: position(0, 0),
        expelled: Some(position(77, 1)),
    };
    let keys = OrganizationKeys { keys: key_set(), next: Some(commitment()) };
    let key = |of, number| state_key::ordinal(state_key::organization_facet(&id, of), number);
    let parts = |of, number| vec![family(0x02), hash("organization", id.as_bytes()), facet(of), ordinal(number)];
    let name = inception.name.as_str().as_bytes().to_vec();
    vec![
        vector("organization", parts(0, 0), key(OrganizationFacet::Record, 0), "OrganizationRecord", &record),
        vector(
            "keys of an organization",
            parts(1, 2),
            key(OrganizationFacet::Keys, 2),
            "Interval<OrganizationKeys>",
            &open(keys),
        ),
        vector(
            "name of an organization",
            vec![family(0x03), ("name", name)],
            state_key::organization_name(&inception.name),
            "OrganizationId",
            &id,
        ),
    ]
}

fn of_devices() -> Vec<Vector> {
    let id = device();
    let secret = p256("device key");
    let endorsement =
        EndorsementRecord { lot: lot(), manufacturer: organization("meter-maker"), serial: "SN-0001".to_owned() };
    let record = DeviceRecord {
        inception: inception(&secret),
        registered: position(10, 0),
        registered_by: Principal::Organization(organization("contractor")),
        endorsement: Some(endorsement),
    };
    let device_key = DeviceKey { key: public(&secret), next: commitment() };
    let recovery = Recovery { key: public(&ed25519("recovered")), next: commitment(), effective: Height::new(110) };
    let key = |of, number| state_key::ordinal(state_key::device_facet(&id, of), number);
    let parts = |of, number| vec![family(0x04), hash("device", id.as_bytes()), facet(of), ordinal(number)];
    let zone: Zone = zone("north/pump");
    let principal = Principal::Device(id);
    let used = public(&secret);
    let due = [("effective height", 110_u64.to_be_bytes().to_vec()), hash("device", id.as_bytes())];
    vec![
        vector("device", parts(0, 0), key(DeviceFacet::Record, 0), "DeviceRecord", &record),
        vector("key of a device", parts(1, 1), key(DeviceFacet::Key, 1), "Interval<DeviceKey>", &closed(device_key)),
        vector(
            "owner",
            parts(2, 0),
            key(DeviceFacet::Owner, 0),
            "Interval<OrganizationId>",
            &open(organization("water-works")),
        ),
        vector(
            "status",
            parts(3, 2),
            key(DeviceFacet::Status, 2),
            "Interval<DeviceStatus>",
            &closed(DeviceStatus::Suspended),
        ),
        vector("place", parts(4, 256), key(DeviceFacet::Placement, 256), "Interval<Zone>", &open(zone)),
        vector("recovery", parts(5, 0), key(DeviceFacet::Recovery, 0), "Interval<Recovery>", &open(recovery)),
        vector(
            "offer",
            parts(6, 0),
            key(DeviceFacet::Offer, 0),
            "Interval<OrganizationId>",
            &closed(organization("contractor")),
        ),
        vector(
            "use of a key",
            vec![family(0x05), hash("commitment", used.commitment().as_bytes())],
            state_key::key_use(&used),
            "Principal",
            &principal,
        ),
        vector(
            "use of a quota",
            vec![family(0x12), ("principal", encode(&principal))],
            state_key::usage(&principal),
            "Usage",
            &Usage { window: 7, count: 12 },
        ),
        vector(
            "reminder of a recovery",
            [vec![family(0x13)], due.to_vec()].concat(),
            state_key::due_recovery(Height::new(110), &id),
            "()",
            &(),
        ),
    ]
}

fn of_grants_and_lots() -> Vec<Vector> {
    let terms = GrantTerms {
        grantor: Principal::Organization(organization("water-works")),
        grantee: Grantee::Zone(zone("north")),
        actions: actions(&[Action::Attest, Action::Delegate]),
        scope: Scope::Zone(zone("north/pump")),
        window: window(),
        depth: 2,
        parent: Some(grant("parent")),
    };
    let (id, scope, lot_id, maker) = (grant("grant"), terms.scope.key(), lot(), organization("meter-maker"));
    let basis = LotBasis::Merkle { root: word("lot root"), count: 100_000 };
    let record = LotRecord { manufacturer: maker, basis, label: "flow meters, week 12".to_owned() };
    let leaf = LotLeaf { device: Some(device()), serial: "SN-0001".to_owned(), salt: *word("salt").as_bytes() };
    vec![
        vector(
            "grant",
            vec![family(0x06), hash("grant", id.as_bytes())],
            state_key::grant(&id),
            "Interval<GrantTerms>",
            &closed(terms),
        ),
        vector(
            "grant in the list of its scope",
            vec![family(0x07), hash("scope", scope.as_bytes()), hash("grant", id.as_bytes())],
            state_key::scope_grant(&scope, &id),
            "()",
            &(),
        ),
        vector(
            "lot",
            vec![family(0x0e), hash("lot", lot_id.as_bytes())],
            state_key::lot(&lot_id),
            "Interval<LotRecord>",
            &closed(record),
        ),
        vector(
            "claim on a lot",
            vec![family(0x0f), hash("lot", lot_id.as_bytes()), hash("claim", leaf.item().as_bytes())],
            state_key::lot_claim(&lot_id, &leaf.item()),
            "DeviceId",
            &device(),
        ),
        vector(
            "lot in the list of its manufacturer",
            vec![family(0x10), hash("organization", maker.as_bytes()), hash("lot", lot_id.as_bytes())],
            state_key::manufacturer_lot(&maker, &lot_id),
            "()",
            &(),
        ),
    ]
}

fn of_streams() -> Vec<Vector> {
    let id = stream();
    let record = StreamRecord {
        device: device(),
        name: "flow".parse().expect("a valid name"),
        cadence_s: Some(900),
        opened: position(11, 0),
        count: 3,
        head: transaction("head"),
        head_position: position(19, 4),
        peaks: vec![word("peak 0"), word("peak 1")],
        closed: Some(position(30, 0)),
        forked_at: Some(2),
        owned_from: 1,
    };
    let superseded = Superseded {
        at: position(25, 0),
        by: Principal::Organization(organization("water-works")),
        replacement: Some(attestation(2)),
    };
    let (remembered, expires) = (transaction("transaction"), Height::new(2_000));
    vec![
        vector(
            "stream",
            vec![family(0x08), hash("stream", id.as_bytes())],
            state_key::stream(&id),
            "StreamRecord",
            &record,
        ),
        vector(
            "stream in the list of its device",
            vec![family(0x09), hash("device", device().as_bytes()), hash("stream", id.as_bytes())],
            state_key::device_stream(&device(), &id),
            "()",
            &(),
        ),
        vector(
            "superseded attestation",
            vec![family(0x11), hash("stream", id.as_bytes()), ("sequence", 1_u64.to_be_bytes().to_vec())],
            state_key::superseded(&id, 1),
            "Superseded",
            &superseded,
        ),
        vector(
            "remembered transaction",
            vec![
                family(0x0a),
                ("expiry height", 2_000_u64.to_be_bytes().to_vec()),
                hash("transaction", remembered.as_bytes()),
            ],
            state_key::remembered(expires, &remembered),
            "()",
            &(),
        ),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<Vector> {
    [of_network(), of_organizations(), of_devices(), of_grants_and_lots(), of_streams()].concat()
}
