//! A ledger at random, and beside it plain lists of what was put into it: what a complete answer must hold.

use std::collections::{BTreeMap, BTreeSet};

use cairn_types::lot::LotBasis;
use cairn_types::record::{GrantTerms, LotRecord, Superseded};
use cairn_types::{
    DeviceId, DeviceStatus, GrantId, Hash, Interval, LotId, OrganizationId, Parameters, Position, Principal, Scope,
    StreamId, Zone, state_key,
};

use crate::lookup::Question;
use crate::test_random::Random;
use crate::verdict::tests::ledger::{Council, Ledger, Meter, MeterStream, organization, zone, zone_attests};

const ORGANIZATIONS: [&str; 3] = ["works", "operator", "maker"];
const PATHS: [&str; 6] = ["", "north", "north/pump", "north/pump/bay", "nort", "south"];

/// What was put in.
pub(super) struct Model {
    pub(super) ledger: Ledger,
    pub(super) meters: Vec<Meter>,
    /// Where each device stands now.
    pub(super) places: BTreeMap<DeviceId, Zone>,
    pub(super) key_epochs: BTreeMap<DeviceId, usize>,
    pub(super) streams: BTreeMap<StreamId, DeviceId>,
    pub(super) grants: BTreeMap<GrantId, (Scope, Option<GrantId>)>,
    pub(super) lots: BTreeMap<LotId, OrganizationId>,
    pub(super) claims: BTreeSet<(LotId, Hash)>,
    pub(super) superseded: BTreeSet<(StreamId, u64)>,
    pub(super) councils: usize,
}

impl Model {
    pub(super) fn random(random: &mut Random) -> Self {
        let mut model = Self {
            ledger: Ledger::new(1, &ORGANIZATIONS),
            meters: vec![],
            places: BTreeMap::new(),
            key_epochs: BTreeMap::new(),
            streams: BTreeMap::new(),
            grants: BTreeMap::new(),
            lots: BTreeMap::new(),
            claims: BTreeSet::new(),
            superseded: BTreeSet::new(),
            councils: 0,
        };
        for _ in 0..5 + random.below(40) {
            model.step(random);
            if random.once_in(4) {
                model.ledger.seal();
            }
        }
        if random.once_in(3) {
            model.ledger.change_validators(Council::of(&[1, 2, 3, 14]));
        }
        model.ledger.seal_many(3);
        model
    }

    fn step(&mut self, random: &mut Random) {
        let owner = ORGANIZATIONS[random.below(3)];
        let path = PATHS[random.below(PATHS.len())];
        let one = self.meters.get(random.below(self.meters.len().max(1))).cloned();
        match (random.below(12), one) {
            (0..=1, _) | (_, None) => {
                let meter = self.ledger.register(&format!("meter {}", self.meters.len()), owner, path);
                self.places.insert(meter.id, zone(owner, path));
                self.key_epochs.insert(meter.id, 1);
                self.meters.push(meter);
            }
            (2, Some(meter)) => {
                self.ledger.place(&meter, owner, path);
                self.places.insert(meter.id, zone(owner, path));
            }
            (3, Some(meter)) => {
                let next = self.ledger.rotate(&meter);
                *self.key_epochs.entry(meter.id).or_default() += 1;
                self.meters.retain(|one| one.id != meter.id);
                self.meters.push(next);
            }
            (4, Some(meter)) => drop(self.ledger.set_status(&meter, DeviceStatus::Suspended, None)),
            (5, Some(meter)) => {
                let name = format!("stream-{}", self.streams.len());
                let grant = GrantId::from_hash(Hash::ZERO);
                let MeterStream { id, .. } = self.ledger.open_stream(&meter, &name, grant, None);
                self.streams.insert(id, meter.id);
            }
            (6, Some(_)) => self.lot(owner, random),
            (7, Some(_)) => {
                let Some((stream, _)) = self.streams.first_key_value() else { return };
                let (stream, sequence) = (*stream, random.next());
                let (at, by) = (Position::default(), Principal::Device(DeviceId::from_hash(Hash::ZERO)));
                let record = Superseded { at, by, replacement: None };
                self.ledger.put(state_key::superseded(&stream, sequence), &record);
                self.superseded.insert((stream, sequence));
            }
            (8, Some(_)) => {
                let key = state_key::ordinal(state_key::council(), self.councils as u32);
                let at = Position { height: Default::default(), index: self.councils as u32 };
                let seats = Interval::open(vec![organization(owner)], at);
                let seats = seats.closed(Position { index: at.index + 1, ..at });
                self.ledger.put(key, &seats);
                self.councils += 1;
            }
            (_, Some(meter)) => self.grant(&meter, zone(owner, path), random),
        }
    }

    fn lot(&mut self, owner: &str, random: &mut Random) {
        let id = LotId::from_hash(Hash::plain(&random.bytes(8)));
        let manufacturer = organization(owner);
        let basis = LotBasis::Merkle { root: Hash::ZERO, count: 3 };
        let record = LotRecord { manufacturer, basis, label: "a lot".to_owned() };
        self.ledger.put(state_key::lot(&id), &Interval::open(record, Position::default()));
        self.ledger.put(state_key::manufacturer_lot(&manufacturer, &id), &());
        self.lots.insert(id, manufacturer);
        for _ in 0..random.below(4) {
            let claim = Hash::plain(&random.bytes(8));
            self.ledger.put(state_key::lot_claim(&id, &claim), &DeviceId::from_hash(claim));
            self.claims.insert((id, claim));
        }
    }

    fn grant(&mut self, meter: &Meter, zone: Zone, random: &mut Random) {
        let stream = self.streams.keys().nth(random.below(self.streams.len().max(1)));
        let scope = match (random.below(4), stream) {
            (0, Some(stream)) => Scope::Stream(*stream),
            (1, _) => Scope::Device(meter.id),
            _ => Scope::Zone(zone),
        };
        let parent = self.grants.keys().nth(random.below(2 * self.grants.len() + 1)).copied();
        let parent = parent.filter(|parent| self.path(*parent).len() < 8);
        let terms = GrantTerms { scope: scope.clone(), parent, ..zone_attests("works", "north") };
        let id = self.ledger.grant(terms);
        self.grants.insert(id, (scope, parent));
        if random.once_in(4) {
            self.ledger.revoke(&id, None);
        }
    }

    /// The grant and all above it.
    pub(super) fn path(&self, grant: GrantId) -> Vec<GrantId> {
        let mut path = vec![grant];
        while let Some((_, Some(parent))) = path.last().and_then(|last| self.grants.get(last)) {
            path.push(*parent);
        }
        path
    }

    /// Whether a scope holds a device, or something of it, at its present place.
    pub(super) fn touches(&self, scope: &Scope, device: &DeviceId) -> bool {
        match scope {
            Scope::Device(id) => id == device,
            Scope::Stream(id) => self.streams.get(id) == Some(device),
            Scope::Zone(outer) => self.places.get(device).is_some_and(|inner| outer.contains(inner)),
        }
    }

    /// One of each question, about something that is there or, sometimes, that is not.
    pub(super) fn questions(&self, random: &mut Random) -> Vec<Question> {
        let mut one_of = |list: Vec<Hash>| match list.get(random.below(list.len() + 1)) {
            Some(hash) => *hash,
            None => Hash::plain(b"nobody"),
        };
        let device = DeviceId::from_hash(one_of(self.places.keys().map(DeviceId::hash).collect()));
        let stream = StreamId::from_hash(one_of(self.streams.keys().map(StreamId::hash).collect()));
        let grant = GrantId::from_hash(one_of(self.grants.keys().map(GrantId::hash).collect()));
        let lot = LotId::from_hash(one_of(self.lots.keys().map(LotId::hash).collect()));
        let works = organization(ORGANIZATIONS[random.below(3)]);
        let scope = self.grants.get(&grant).map_or(Scope::Device(device), |(scope, _)| scope.clone());
        vec![
            Question::Checkpoint,
            Question::Organization(works),
            Question::Device(device),
            Question::DeviceStreams(device),
            Question::Grant(grant),
            Question::Grants(scope),
            Question::DeviceGrants(device),
            Question::Stream(stream),
            Question::Lot(lot),
            Question::Lots(works),
            Question::Organizations,
            Question::Council,
            Question::Validators,
            Question::Parameters,
            Question::Superseded(stream),
        ]
    }
}

/// Each question about `id`, whatever that names.
pub(super) fn questions_about(id: Hash) -> Vec<Question> {
    let organization = OrganizationId::from_hash(id);
    let path = "north/pump".parse().expect("a valid path");
    vec![
        Question::Checkpoint,
        Question::Organization(organization),
        Question::Device(DeviceId::from_hash(id)),
        Question::DeviceStreams(DeviceId::from_hash(id)),
        Question::Grant(GrantId::from_hash(id)),
        Question::Grants(Scope::Zone(Zone { organization, path })),
        Question::Grants(Scope::Device(DeviceId::from_hash(id))),
        Question::Grants(Scope::Stream(StreamId::from_hash(id))),
        Question::DeviceGrants(DeviceId::from_hash(id)),
        Question::Stream(StreamId::from_hash(id)),
        Question::Lot(LotId::from_hash(id)),
        Question::Lots(organization),
        Question::Organizations,
        Question::Council,
        Question::Validators,
        Question::Parameters,
        Question::Superseded(StreamId::from_hash(id)),
    ]
}

/// Parameters that differ by `n`.
pub(super) fn parameters(n: u64) -> Parameters {
    Parameters {
        lifetime_max: 100 + n,
        recovery_delay: 10,
        block_bytes_max: 65_536,
        block_transactions_max: 100,
        heartbeat_ms: 1_000,
        clock_drift_ms: 1_000,
        propose_timeout_ms: 100,
        prevote_timeout_ms: 100,
        precommit_timeout_ms: 100,
        timeout_delta_ms: 100,
        quota_window: 100,
        organization_quota: 0,
        device_quota: 0,
    }
}
