//! The rules a second time, as naively as they can be told.
//!
//! The oracle keeps nothing but the list of what was accepted, and answers every question by reading that list from its
//! beginning: where a device was, who held what, whether a transaction may follow. No interval, no overlay, no path of
//! grants: a bug would have to be made twice, in two ways.

use cairn_types::call::Grant;
use cairn_types::{
    Action, BlockHash, Body, Call, ChainId, DeviceId, DeviceStatus, GrantId, Grantee, Height, KeyCommitment,
    OrganizationId, Position, Principal, PublicKey, Scope, SignatureBytes, SignedTransaction, StreamId, TransactionId,
    Zone,
};

use super::invariants::lies_in;
use super::world::Actor;

/// Something that happened. What it made is named here, so that no id is hashed twice.
pub(super) struct Event {
    position: Position,
    id: TransactionId,
    body: Body,
    made: Made,
}

/// What an event made, if it made something.
#[derive(Clone, Copy, PartialEq)]
enum Made {
    Nothing,
    Device(DeviceId),
    Grant(GrantId),
    Stream(StreamId),
}

/// An organization's threshold and keys.
type Keys = (u8, Vec<PublicKey>);

pub(super) struct Oracle {
    pub(super) chain: ChainId,
    pub(super) lifetime_max: u64,
    /// The hashes of final blocks, by height.
    pub(super) blocks: Vec<BlockHash>,
    organizations: Vec<(OrganizationId, Keys)>,
    /// All that was accepted, in order.
    log: Vec<Event>,
}

/// What an action is done to.
struct Thing {
    owner: OrganizationId,
    zone: Zone,
    device: Option<DeviceId>,
    stream: Option<StreamId>,
}

/// What had happened after some number of events.
#[derive(Clone, Copy)]
pub(super) struct Past<'a> {
    oracle: &'a Oracle,
    log: &'a [Event],
}

impl Oracle {
    pub(super) fn new(chain: ChainId, lifetime_max: u64, organizations: &[(&Actor, u8)]) -> Self {
        let keys = |actor: &Actor, threshold| (threshold, actor.keys.iter().map(|(_, key)| key.public).collect());
        let organizations = organizations.iter().map(|(actor, k)| (actor.organization(), keys(actor, *k))).collect();
        Self { chain, lifetime_max, blocks: vec![chain.genesis_hash()], organizations, log: Vec::new() }
    }

    pub(super) fn accept(&mut self, position: Position, transaction: &SignedTransaction) {
        let (id, body) = (transaction.id(), transaction.body().clone());
        let made = match (&body.call, body.signer) {
            (Call::RegisterDevice(call), _) => Made::Device(call.inception.id()),
            (Call::Grant(_), _) => Made::Grant(GrantId::of(&id)),
            (Call::OpenStream(call), Principal::Device(device)) => Made::Stream(StreamId::of(&device, &call.name)),
            _ => Made::Nothing,
        };
        self.log.push(Event { position, id, body, made });
    }

    /// After all that has happened so far.
    pub(super) fn now(&self) -> Past<'_> {
        Past { oracle: self, log: &self.log }
    }

    /// After everything up to `position`, itself included.
    pub(super) fn at(&self, position: Position) -> Past<'_> {
        Past { oracle: self, log: &self.log[..self.log.partition_point(|event| event.position <= position)] }
    }
}

impl<'a> Past<'a> {
    fn last<T>(&self, pick: impl Fn(&'a Event) -> Option<T>) -> Option<T> {
        self.log.iter().rev().find_map(pick)
    }

    pub(super) fn owner(&self, device: &DeviceId) -> Option<OrganizationId> {
        self.last(|event| match &event.body.call {
            Call::RegisterDevice(call) if event.made == Made::Device(*device) => Some(call.owner),
            _ => None,
        })
    }

    /// Since when the device has its owner: no history here sells one.
    fn owned_since(&self, device: &DeviceId) -> Option<Position> {
        self.last(|event| (event.made == Made::Device(*device)).then_some(event.position))
    }

    pub(super) fn zone(&self, device: &DeviceId) -> Option<&'a Zone> {
        self.last(|event| match &event.body.call {
            Call::RegisterDevice(call) if event.made == Made::Device(*device) => Some(&call.zone),
            Call::PlaceDevice(call) if call.device == *device => Some(&call.zone),
            _ => None,
        })
    }

    pub(super) fn status(&self, device: &DeviceId) -> Option<DeviceStatus> {
        self.last(|event| match &event.body.call {
            Call::RegisterDevice(_) if event.made == Made::Device(*device) => Some(DeviceStatus::Active),
            Call::SetDeviceStatus(call) if call.device == *device => Some(call.status),
            _ => None,
        })
    }

    /// The key that speaks for the device, if it may speak at all; and to which key it committed.
    pub(super) fn key(&self, device: &DeviceId) -> Option<(PublicKey, KeyCommitment)> {
        if self.status(device)?.is_final() {
            return None;
        }
        self.last(|event| match &event.body.call {
            Call::RegisterDevice(call) if event.made == Made::Device(*device) => {
                Some((call.inception.key, call.inception.next))
            }
            Call::RotateDeviceKey(call) if call.device == *device => Some((call.key, call.next)),
            _ => None,
        })
    }

    /// From when on a revoked device is in doubt.
    pub(super) fn device_doubt(&self, device: &DeviceId) -> Option<Position> {
        let doubts = self.log.iter().filter_map(|event| match &event.body.call {
            Call::SetDeviceStatus(call) if call.device == *device => call.suspect_since,
            _ => None,
        });
        doubts.min()
    }

    /// Where the grant was given, by whom, and its terms.
    pub(super) fn grant(&self, grant: &GrantId) -> Option<(Position, Principal, &'a Grant)> {
        self.last(|event| match &event.body.call {
            Call::Grant(call) if event.made == Made::Grant(*grant) => Some((event.position, event.body.signer, call)),
            _ => None,
        })
    }

    fn revocations(&self, grant: &GrantId) -> impl Iterator<Item = (Position, Option<Position>)> {
        self.log.iter().filter_map(|event| match &event.body.call {
            Call::RevokeGrant(call) if call.grant == *grant => Some((event.position, call.suspect_since)),
            _ => None,
        })
    }

    pub(super) fn revoked(&self, grant: &GrantId) -> Option<Position> {
        self.revocations(grant).map(|(position, _)| position).next()
    }

    pub(super) fn grant_doubt(&self, grant: &GrantId) -> Option<Position> {
        self.revocations(grant).filter_map(|(_, since)| since).min()
    }

    pub(super) fn grants(&self) -> Vec<GrantId> {
        let made =
            self.log.iter().filter_map(|event| if let Made::Grant(grant) = event.made { Some(grant) } else { None });
        made.collect()
    }

    /// The device of a stream, and what was said: first the opening, then each attestation.
    pub(super) fn stream(&self, stream: &StreamId) -> Option<(DeviceId, Vec<TransactionId>)> {
        let is_opening = |event: &&Event| event.made == Made::Stream(*stream);
        let Principal::Device(device) = self.log.iter().find(is_opening)?.body.signer else {
            panic!("an organization opened a stream")
        };
        let said = self.log.iter().filter(|event| match &event.body.call {
            Call::Attest(call) => call.stream == *stream,
            _ => is_opening(event),
        });
        Some((device, said.map(|event| event.id).collect()))
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        let made =
            self.log.iter().filter_map(|event| if let Made::Stream(stream) = event.made { Some(stream) } else { None });
        made.collect()
    }

    fn keys_of(&self, organization: &OrganizationId) -> Option<&'a Keys> {
        self.oracle.organizations.iter().find(|(id, _)| id == organization).map(|(_, keys)| keys)
    }

    fn was_used(&self, key: &PublicKey) -> bool {
        let by_organization = self.oracle.organizations.iter().any(|(_, (_, keys))| keys.contains(key));
        by_organization
            || self.log.iter().any(|event| match &event.body.call {
                Call::RegisterDevice(call) => call.inception.key == *key,
                Call::RotateDeviceKey(call) => call.key == *key,
                _ => false,
            })
    }

    /// Whether `transaction` may stand at `position`, next after all this.
    pub(super) fn permits(&self, transaction: &SignedTransaction, position: Position) -> bool {
        let body = transaction.body();
        self.is_in_time(body, &transaction.id(), position.height)
            && self.is_signed(transaction).unwrap_or(false)
            && self.may_follow(body, position).unwrap_or(false)
    }

    fn is_in_time(&self, body: &Body, id: &TransactionId, height: Height) -> bool {
        let after = body.not_before.height.get();
        let is_final = self.oracle.blocks.get(after as usize) == Some(&body.not_before.hash);
        let of_stream = matches!(body.call, Call::OpenStream(_) | Call::Attest(_));
        let in_time = match body.expires {
            None => of_stream,
            Some(expires) => height <= expires && expires.get().saturating_sub(after) <= self.oracle.lifetime_max,
        };
        let new = self.log.iter().all(|event| event.id != *id);
        body.chain == self.oracle.chain && is_final && after < height.get() && in_time && new
    }

    /// Every signature is the plain one of a key that is asked for, in order, and nobody who is asked for is missing.
    fn is_signed(&self, transaction: &SignedTransaction) -> Option<bool> {
        let body = transaction.body();
        let by_signer = || match body.signer {
            Principal::Organization(id) => self.keys_of(&id).cloned(),
            Principal::Device(id) if self.status(&id)? == DeviceStatus::Active => Some((1, vec![self.key(&id)?.0])),
            Principal::Device(_) => None,
        };
        let asked: Vec<(Principal, Keys)> = match &body.call {
            Call::RegisterDevice(call) => {
                let device = Principal::Device(call.inception.id());
                vec![(body.signer, by_signer()?), (device, (1, vec![call.inception.key]))]
            }
            Call::RotateDeviceKey(call) => vec![(Principal::Device(call.device), (1, vec![call.key]))],
            _ => vec![(body.signer, by_signer()?)],
        };
        let signatures = &transaction.transaction().signatures;
        let ordered = signatures.windows(2).all(|pair| (pair[0].signer, pair[0].key) < (pair[1].signer, pair[1].key));
        let good = signatures.iter().all(|signature| {
            let (SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes)) = signature.bytes;
            let keys = asked.iter().find(|(principal, _)| *principal == signature.signer).map(|(_, (_, keys))| keys);
            let key = keys.and_then(|keys| keys.get(usize::from(signature.key)));
            key.is_some_and(|key| bytes[..32] == *key.as_bytes() && bytes[32..] == *transaction.id().as_bytes())
        });
        let enough = asked.iter().all(|(principal, (threshold, _))| {
            signatures.iter().filter(|signature| signature.signer == *principal).count() >= usize::from(*threshold)
        });
        Some(ordered && good && enough)
    }

    /// What each call asks for; `None` if something that it names does not exist.
    fn may_follow(&self, body: &Body, position: Position) -> Option<bool> {
        let signer = body.signer;
        let height = position.height;
        let allowed = match &body.call {
            Call::RegisterDevice(call) => {
                let at = Thing { owner: call.owner, zone: call.zone.clone(), device: None, stream: None };
                self.keys_of(&call.owner)?;
                self.owner(&call.inception.id()).is_none()
                    && call.inception.model.len() <= 64
                    && !self.was_used(&call.inception.key)
                    && call.zone.organization == call.owner
                    && self.may(signer, Action::Register, &at, call.authority, height)
            }
            Call::RotateDeviceKey(call) => {
                let (_, next) = self.key(&call.device)?;
                signer == Principal::Device(call.device) && call.key.commitment() == next && !self.was_used(&call.key)
            }
            Call::PlaceDevice(call) => {
                let from = self.thing(&Scope::Device(call.device))?;
                let to = Thing { zone: call.zone.clone(), ..self.thing(&Scope::Device(call.device))? };
                self.key(&call.device).is_some()
                    && call.zone != from.zone
                    && call.zone.organization == from.owner
                    && [from, to].iter().all(|at| self.may(signer, Action::Place, at, call.authority, height))
            }
            Call::SetDeviceStatus(call) => {
                let by_owner = signer == Principal::Organization(self.owner(&call.device)?);
                let by_itself = signer == Principal::Device(call.device) && call.status == DeviceStatus::Suspended;
                let known = self.device_doubt(&call.device);
                let possible = match (self.status(&call.device)?, call.status) {
                    (DeviceStatus::Active, to) => to != DeviceStatus::Active,
                    (DeviceStatus::Suspended, to) => to != DeviceStatus::Suspended,
                    (DeviceStatus::Revoked, DeviceStatus::Revoked) => is_earlier(call.suspect_since, known),
                    (DeviceStatus::Revoked | DeviceStatus::Decommissioned, _) => false,
                };
                let doubt = call.suspect_since;
                (by_owner || by_itself)
                    && possible
                    && doubt.is_none_or(|since| call.status == DeviceStatus::Revoked && since <= position)
                    && doubt.is_none_or(|since| Some(since) >= self.owned_since(&call.device))
            }
            Call::Grant(call) => self.may_give(signer, call, height)?,
            Call::RevokeGrant(call) => {
                let mut grantors = Vec::new();
                let mut above = Some(call.grant);
                while let Some(grant) = above {
                    let (_, grantor, terms) = self.grant(&grant)?;
                    grantors.push(grantor);
                    above = terms.parent;
                }
                let (_, _, terms) = self.grant(&call.grant)?;
                let gave = grantors.contains(&signer);
                let thing = self.thing(&terms.scope)?;
                grantors.push(Principal::Organization(thing.owner));
                let owned_since = thing.device.and_then(|device| self.owned_since(&device));
                let first = self.revoked(&call.grant).is_none();
                grantors.contains(&signer)
                    && call.suspect_since.is_none_or(|since| since <= position)
                    && (gave || call.suspect_since.is_none_or(|since| Some(since) >= owned_since))
                    && (first || is_earlier(call.suspect_since, self.grant_doubt(&call.grant)))
            }
            Call::OpenStream(call) => {
                let Principal::Device(device) = signer else { return None };
                let stream = StreamId::of(&device, &call.name);
                let at = Thing { stream: Some(stream), ..self.thing(&Scope::Device(device))? };
                self.stream(&stream).is_none()
                    && call.cadence_s != Some(0)
                    && self.may(signer, Action::Attest, &at, Some(call.authority), height)
            }
            Call::Attest(call) => {
                let at = self.thing(&Scope::Stream(call.stream))?;
                let (device, said) = self.stream(&call.stream)?;
                let exists = |source: &cairn_types::AttestationRef| {
                    self.stream(&source.stream).is_some_and(|(_, said)| source.sequence + 1 < said.len() as u64)
                };
                signer == Principal::Device(device)
                    && call.sequence == said.len() as u64 - 1
                    && Some(&call.previous) == said.last()
                    && call.claimed.is_none_or(|claimed| claimed.from_ms <= claimed.to_ms)
                    && call.derived_from.len() <= 32
                    && call.derived_from.windows(2).all(|pair| pair[0] < pair[1])
                    && call.derived_from.iter().all(exists)
                    && self.may(signer, Action::Attest, &at, Some(call.authority), height)
            }
            // The player of these histories proposes no other.
            _ => return None,
        };
        Some(allowed)
    }

    fn may_give(&self, signer: Principal, call: &Grant, height: Height) -> Option<bool> {
        let at = self.thing(&call.scope)?;
        let grantee_exists = match &call.grantee {
            Grantee::Organization(id) => self.keys_of(id).is_some(),
            Grantee::Zone(zone) => self.keys_of(&zone.organization).is_some(),
            Grantee::Device(id) => self.owner(id).is_some(),
        };
        let sound = !call.actions.is_empty()
            && call.window.to.is_none_or(|to| call.window.from < to)
            && call.actions.contains(Action::Delegate) == (call.depth > 0)
            && call.depth <= 7;
        let within = match call.parent {
            None => true,
            Some(parent) => {
                let (_, _, above) = self.grant(&parent)?;
                let end = |to: Option<Height>| to.map_or(u64::MAX, Height::get);
                call.actions.iter().all(|action| above.actions.contains(action))
                    && call.depth < above.depth
                    && above.window.from <= call.window.from
                    && end(call.window.to) <= end(above.window.to)
            }
        };
        Some(grantee_exists && sound && within && self.may(signer, Action::Delegate, &at, call.parent, height))
    }

    /// What a scope stands for now.
    fn thing(&self, scope: &Scope) -> Option<Thing> {
        let (device, stream) = match scope {
            Scope::Zone(zone) => {
                self.keys_of(&zone.organization)?;
                return Some(Thing { owner: zone.organization, zone: zone.clone(), device: None, stream: None });
            }
            Scope::Device(device) => (*device, None),
            Scope::Stream(stream) => (self.stream(stream)?.0, Some(*stream)),
        };
        Some(Thing { owner: self.owner(&device)?, zone: self.zone(&device)?.clone(), device: Some(device), stream })
    }

    fn may(&self, who: Principal, action: Action, at: &Thing, by: Option<GrantId>, height: Height) -> bool {
        match by {
            None => who == Principal::Organization(at.owner),
            Some(grant) => self.holds(who, action, at, &grant, height, 0).unwrap_or(false),
        }
    }

    /// Whether `who` holds the grant, with `below` links between it and the one in use, and all above it holds too.
    fn holds(
        &self,
        who: Principal,
        action: Action,
        at: &Thing,
        grant: &GrantId,
        height: Height,
        below: u8,
    ) -> Option<bool> {
        let (_, grantor, terms) = self.grant(grant)?;
        let is_grantee = match (&terms.grantee, who) {
            (Grantee::Organization(id), Principal::Organization(who)) => *id == who,
            (Grantee::Device(id), Principal::Device(who)) => *id == who,
            (Grantee::Zone(zone), Principal::Device(who)) => lies_in(self.zone(&who)?, zone),
            _ => false,
        };
        let covers = match &terms.scope {
            Scope::Zone(zone) => lies_in(&at.zone, zone),
            Scope::Device(device) => at.device == Some(*device),
            Scope::Stream(stream) => at.stream == Some(*stream),
        };
        let window = terms.window.from <= height && terms.window.to.is_none_or(|to| height < to);
        let holds = is_grantee
            && covers
            && window
            && self.revoked(grant).is_none()
            && terms.actions.contains(action)
            && (below == 0 || terms.actions.contains(Action::Delegate))
            && terms.depth >= below;
        Some(
            holds
                && match terms.parent {
                    None => grantor == Principal::Organization(at.owner),
                    Some(parent) => self.holds(grantor, action, at, &parent, height, below + 1)?,
                },
        )
    }

    /// A grant by which `who` may do `action` with the device now, if there is one.
    pub(super) fn grant_for(&self, who: Principal, action: Action, scope: &Scope, height: Height) -> Option<GrantId> {
        let at = self.thing(scope)?;
        self.grants().into_iter().rev().find(|grant| self.may(who, action, &at, Some(*grant), height))
    }
}

/// Whether doubt would grow.
fn is_earlier(since: Option<Position>, known: Option<Position>) -> bool {
    match (since, known) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(since), Some(known)) => since < known,
    }
}
