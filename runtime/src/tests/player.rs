//! Proposes transactions at random: mostly such as may be accepted, some careless, some twice, late or badly signed.

use cairn_types::call::{Grant, PlaceDevice, RegisterDevice, RevokeGrant, SetDeviceStatus};
use cairn_types::{
    Action, Actions, AttestationRef, BlockRef, Body, Call, ChainId, ClaimedTime, DeviceStatus, GrantId, Grantee, Hash,
    Height, Position, Principal, Scope, SignatureBytes, SignedTransaction, StreamId, Window, Zone,
};

use super::invariants::lies_in;
use super::oracle::{Oracle, Past};
use super::random::Random;
use super::world::{Actor, Device, Scheme, World, attest, open, register, rotate};

const PATHS: [&str; 6] = ["", "north", "north/pump", "north/pump/1", "northwest", "south"];
const NAMES: [&str; 3] = ["flow", "level", "mean"];

/// Everybody who can act in a history.
pub(super) struct Cast {
    pub(super) organizations: Vec<Actor>,
    pub(super) devices: Vec<Device>,
}

impl Cast {
    pub(super) fn new() -> Self {
        let world = World::with(Scheme::Plain);
        let devices = (0..10).map(|number| Device::called(&format!("device {number}"))).collect();
        Self { organizations: vec![world.works, world.contractor, world.board], devices }
    }

    fn device(&self, principal: Principal) -> Option<&Device> {
        self.devices.iter().find(|device| device.principal() == principal)
    }
}

/// Whoever proposes the next transaction.
pub(super) struct Player<'a> {
    pub(super) cast: &'a Cast,
    pub(super) oracle: &'a Oracle,
    pub(super) random: &'a mut Random,
    /// Where the transaction would stand.
    pub(super) position: Position,
}

impl<'a> Player<'a> {
    fn now(&self) -> Past<'a> {
        self.oracle.now()
    }

    /// Careless once in ten times.
    fn careful(&mut self) -> bool {
        !self.random.once_in(10)
    }

    pub(super) fn propose(&mut self) -> SignedTransaction {
        let (signer, call) = self.call();
        let mut body =
            Body { chain: self.oracle.chain, signer, not_before: self.block_ref(), expires: self.expiry(&call), call };
        if self.random.once_in(40) {
            self.spoil_envelope(&mut body);
        }
        self.sign(body)
    }

    fn block_ref(&mut self) -> BlockRef {
        let blocks = &self.oracle.blocks;
        let back = if self.careful() { 1 } else { 1 + self.random.below(blocks.len()) };
        let height = blocks.len() - back;
        BlockRef { height: Height::new(height as u64), hash: blocks[height] }
    }

    fn expiry(&mut self, call: &Call) -> Option<Height> {
        let expires = Height::new(self.position.height.get() + self.random.below(12) as u64);
        (!call.is_stream_call() || self.random.once_in(3)).then_some(expires)
    }

    fn spoil_envelope(&mut self, body: &mut Body) {
        match self.random.below(5) {
            0 => body.chain = ChainId::from_hash(Hash::plain(b"another network")),
            1 => body.expires = None,
            2 => body.expires = Some(Height::new(self.random.next())),
            3 => body.not_before.height = self.position.height,
            _ => body.not_before.hash = cairn_types::BlockHash::from_hash(Hash::plain(b"another block")),
        }
    }

    /// Everybody who should sign does, with the keys they have; sometimes not.
    fn sign(&mut self, body: Body) -> SignedTransaction {
        let mut actors: Vec<Actor> = Vec::new();
        match &body.call {
            Call::RotateDeviceKey(call) => {
                let device = self.cast.devices.iter().find(|device| device.id == call.device);
                let epoch = device.and_then(|device| device.keys.iter().position(|key| key.public == call.key));
                actors.extend(device.zip(epoch).map(|(device, epoch)| device.in_epoch(epoch)));
            }
            call => {
                actors.push(self.actor(body.signer));
                if let Call::RegisterDevice(call) = call {
                    let device = self.cast.device(Principal::Device(call.inception.id()));
                    actors.push(device.expect("nobody else is ever registered").actor());
                }
            }
        }
        let id = body.id();
        let mut signatures: Vec<_> = actors.iter().flat_map(|actor| actor.sign(&id, Scheme::Plain)).collect();
        signatures.sort_by_key(|signature| (signature.signer, signature.key));
        if !signatures.is_empty() && self.random.once_in(40) {
            let index = self.random.below(signatures.len());
            match self.random.below(4) {
                0 => drop(signatures.remove(index)),
                1 => signatures.push(signatures[index].clone()),
                2 => signatures[index].key ^= 1,
                _ => {
                    let (SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes)) = &mut signatures[index].bytes;
                    bytes[self.random.below(64)] ^= 1;
                }
            }
        }
        SignedTransaction::new(cairn_types::Transaction { body, signatures })
    }

    /// A principal with its current keys, or with some of an organization's, or with an old one of a device's.
    fn actor(&mut self, principal: Principal) -> Actor {
        if let Some(device) = self.cast.device(principal) {
            let current = self.now().key(&device.id).map(|(key, _)| key);
            let epoch = device.keys.iter().position(|key| Some(key.public) == current).unwrap_or(0);
            let epoch = if self.careful() { epoch } else { self.random.below(device.keys.len()) };
            return device.in_epoch(epoch);
        }
        let actor = self.cast.organizations.iter().find(|actor| actor.principal == principal);
        let actor = actor.unwrap_or(&self.cast.organizations[0]).posing_as(principal);
        match self.random.below(8) {
            0 => actor.with_keys(&[0, 1]),
            1 => actor.with_keys(&[0, 2]),
            2 => actor.with_keys(&[0]),
            _ => actor,
        }
    }

    fn call(&mut self) -> (Principal, Call) {
        let registered = self.cast.devices.iter().filter(|device| self.now().owner(&device.id).is_some()).count();
        if registered < 3 {
            return self.register();
        }
        match self.random.below(100) {
            0..10 => self.register(),
            10..15 => self.rotate(),
            15..24 => self.place(),
            24..32 => self.set_status(),
            32..52 => self.grant(),
            52..56 => self.revoke(),
            56..66 => self.open(),
            _ => self.attest(),
        }
    }

    fn organization(&mut self) -> &'a Actor {
        self.random.pick(&self.cast.organizations)
    }

    fn path(&mut self) -> &'static str {
        PATHS[self.random.below(PATHS.len())]
    }

    fn zone(&mut self) -> Zone {
        let path = self.path();
        self.organization().zone(path)
    }

    fn any_principal(&mut self) -> Principal {
        if self.random.once_in(2) {
            self.organization().principal
        } else {
            self.random.pick(&self.cast.devices).principal()
        }
    }

    /// A device that is registered if one is, and if care is taken.
    fn device(&mut self) -> &'a Device {
        let careful = self.careful();
        let now = self.now();
        let alive: Vec<&Device> = self.cast.devices.iter().filter(|device| now.key(&device.id).is_some()).collect();
        let choices = if careful && !alive.is_empty() { alive } else { self.cast.devices.iter().collect() };
        choices[self.random.below(choices.len())]
    }

    /// The owner, or somebody with a grant of `action` over the scope.
    fn entitled(&mut self, owner: Principal, action: Action, scope: &Scope) -> (Principal, Option<GrantId>) {
        if !self.careful() {
            return (self.any_principal(), self.any_grant());
        }
        if self.random.once_in(2) {
            let who = self.any_principal();
            if let Some(grant) = self.now().grant_for(who, action, scope, self.position.height) {
                return (who, Some(grant));
            }
        }
        (owner, None)
    }

    fn any_grant(&mut self) -> Option<GrantId> {
        let grants = self.now().grants();
        (!grants.is_empty() && !self.random.once_in(5)).then(|| *self.random.pick(&grants))
    }

    fn owner(&self, device: &Device) -> Principal {
        self.now().owner(&device.id).map_or(device.principal(), Principal::Organization)
    }

    fn register(&mut self) -> (Principal, Call) {
        let now = self.now();
        let new: Vec<&Device> = self.cast.devices.iter().filter(|device| now.owner(&device.id).is_none()).collect();
        let device = match new.as_slice() {
            [] if self.careful() => return self.attest(),
            [] => self.random.pick(&self.cast.devices),
            new => *self.random.pick(new),
        };
        let owner = self.organization();
        let path = self.path();
        let zone = if self.careful() { owner.zone(path) } else { self.zone() };
        let (signer, authority) = self.entitled(owner.principal, Action::Register, &Scope::Zone(zone.clone()));
        let Call::RegisterDevice(call) = register(device, owner, zone) else { unreachable!("it is a registration") };
        (signer, Call::RegisterDevice(RegisterDevice { authority, ..call }))
    }

    fn rotate(&mut self) -> (Principal, Call) {
        let device = self.device();
        let next = self.now().key(&device.id).map(|(_, next)| next);
        let epoch = device.keys.iter().position(|key| Some(key.public.commitment()) == next);
        let epoch = if self.careful() { epoch } else { None };
        let epoch = epoch.unwrap_or_else(|| self.random.below(device.keys.len()));
        let signer = if self.careful() { device.principal() } else { self.any_principal() };
        (signer, rotate(device, epoch))
    }

    fn place(&mut self) -> (Principal, Call) {
        let device = self.device();
        let owner = self.owner(device);
        let path = self.path();
        let zone = match self.cast.organizations.iter().find(|actor| actor.principal == owner) {
            Some(owner) if self.careful() => owner.zone(path),
            _ => self.zone(),
        };
        let (signer, authority) = self.entitled(owner, Action::Place, &Scope::Device(device.id));
        (signer, Call::PlaceDevice(PlaceDevice { device: device.id, zone, authority }))
    }

    fn set_status(&mut self) -> (Principal, Call) {
        let now = self.now();
        let is_suspended = |device: &&Device| now.status(&device.id) == Some(DeviceStatus::Suspended);
        let device = match self.cast.devices.iter().find(is_suspended) {
            Some(device) if self.random.once_in(2) => device,
            _ if self.random.once_in(5) => self.random.pick(&self.cast.devices),
            _ => self.device(),
        };
        let suspended = self.now().status(&device.id) == Some(DeviceStatus::Suspended);
        let status = match self.random.below(30) {
            0 | 1 => DeviceStatus::Revoked,
            2 => DeviceStatus::Decommissioned,
            _ if suspended => DeviceStatus::Active,
            _ => DeviceStatus::Suspended,
        };
        let revoked = self.now().status(&device.id) == Some(DeviceStatus::Revoked);
        let status = if revoked && self.careful() { DeviceStatus::Revoked } else { status };
        let doubt = (status == DeviceStatus::Revoked && self.random.once_in(2)) || !self.careful();
        let suspect_since = doubt.then(|| self.some_time());
        let signer = match self.random.below(10) {
            0 => self.any_principal(),
            1 | 2 => device.principal(),
            _ => self.owner(device),
        };
        (signer, Call::SetDeviceStatus(SetDeviceStatus { device: device.id, status, suspect_since }))
    }

    fn some_time(&mut self) -> Position {
        let height = Height::new(self.random.below(self.oracle.blocks.len() + 2) as u64);
        Position { height, index: self.random.below(3) as u32 }
    }

    fn scope(&mut self) -> Scope {
        let streams = self.now().streams();
        match self.random.below(6) {
            0 if !streams.is_empty() => Scope::Stream(*self.random.pick(&streams)),
            1 => Scope::Device(self.device().id),
            _ => Scope::Zone(self.zone()),
        }
    }

    fn grantee(&mut self, scope: &Scope) -> Grantee {
        match (self.random.below(6), scope) {
            (0, _) => Grantee::Organization(self.organization().organization()),
            (1, _) => Grantee::Device(self.device().id),
            (2, _) => Grantee::Zone(self.zone()),
            (_, Scope::Zone(zone)) => Grantee::Zone(zone.clone()),
            (_, Scope::Device(device)) => Grantee::Device(*device),
            (_, Scope::Stream(_)) => Grantee::Device(self.device().id),
        }
    }

    fn actions(&mut self, of: Actions) -> Actions {
        of.iter().filter(|_| !self.random.once_in(4)).collect()
    }

    fn grant(&mut self) -> (Principal, Call) {
        let scope = self.scope();
        if self.random.once_in(2)
            && let Some((holder, parent)) = self.holder_of_some_grant()
        {
            return self.give(holder, Some(parent), scope);
        }
        let owner = match &scope {
            Scope::Zone(zone) => Some(zone.organization),
            Scope::Device(device) => self.now().owner(device),
            Scope::Stream(stream) => self.now().stream(stream).and_then(|(device, _)| self.now().owner(&device)),
        };
        let owner = owner.map_or_else(|| self.any_principal(), Principal::Organization);
        let (signer, parent) = self.entitled(owner, Action::Delegate, &scope);
        self.give(signer, parent, scope)
    }

    /// A grant that may be passed on, and somebody who holds it.
    fn holder_of_some_grant(&mut self) -> Option<(Principal, GrantId)> {
        let now = self.now();
        let may_be_passed_on = |grant: &GrantId| {
            now.revoked(grant).is_none() && now.grant(grant).is_some_and(|(_, _, terms)| terms.depth > 0)
        };
        let grants: Vec<GrantId> = now.grants().into_iter().filter(may_be_passed_on).collect();
        let grant = (!grants.is_empty()).then(|| *self.random.pick(&grants))?;
        let (_, _, terms) = now.grant(&grant)?;
        let holder = match &terms.grantee {
            Grantee::Organization(id) => Principal::Organization(*id),
            Grantee::Device(id) => Principal::Device(*id),
            Grantee::Zone(zone) => {
                let inside = |device: &&Device| now.zone(&device.id).is_some_and(|placed| lies_in(placed, zone));
                self.cast.devices.iter().find(inside)?.principal()
            }
        };
        Some((holder, grant))
    }

    /// Most often a scope within the parent's, if there is one.
    fn give(&mut self, signer: Principal, parent: Option<GrantId>, scope: Scope) -> (Principal, Call) {
        let above = parent.and_then(|parent| self.now().grant(&parent)).map(|(_, _, terms)| terms);
        let scope = above.filter(|_| self.careful()).map_or(scope, |above| above.scope.clone());
        let all: Actions = Action::ALL.into_iter().collect();
        let most = above.filter(|_| self.careful()).map_or(all, |above| above.actions);
        let mut actions = self.actions(most);
        let mut depth = if self.careful() {
            let most = above.map_or(7, |above| above.depth.saturating_sub(1));
            most.saturating_sub(self.random.below(3) as u8)
        } else {
            self.random.below(10) as u8
        };
        if self.careful() {
            // Depth and delegate belong together.
            let keep = |action: &Action| *action != Action::Delegate || depth > 0;
            actions = actions.iter().filter(keep).collect();
            depth = if actions.contains(Action::Delegate) { depth } else { 0 };
        }
        let window = above.map_or(Window::ALWAYS, |above| above.window);
        let window = if self.random.once_in(6) { self.window() } else { window };
        let grantee = self.grantee(&scope);
        (signer, Call::Grant(Grant { grantee, actions, scope, window, depth, parent }))
    }

    fn window(&mut self) -> Window {
        let from = Height::new(self.random.below(self.oracle.blocks.len() + 2) as u64);
        let to =
            (!self.random.once_in(3)).then(|| Height::new(self.position.height.get() + self.random.below(30) as u64));
        Window { from, to }
    }

    fn revoke(&mut self) -> (Principal, Call) {
        let Some(grant) = self.any_grant() else { return self.grant() };
        let (_, grantor, _) = self.now().grant(&grant).expect("it was given");
        let signer = if self.random.once_in(3) { self.any_principal() } else { grantor };
        let suspect_since = self.random.once_in(2).then(|| self.some_time());
        (signer, Call::RevokeGrant(RevokeGrant { grant, suspect_since }))
    }

    /// A grant by which the device may attest; any other, if there is none.
    fn authority(&mut self, device: &Device, scope: &Scope) -> GrantId {
        let good = self.now().grant_for(device.principal(), Action::Attest, scope, self.position.height);
        let careful = self.careful();
        let other = self.any_grant().unwrap_or(GrantId::from_hash(Hash::plain(b"no grant")));
        good.filter(|_| careful).unwrap_or(other)
    }

    fn open(&mut self) -> (Principal, Call) {
        let device = self.device();
        let name = self.random.pick(&NAMES);
        let authority = self.authority(device, &Scope::Device(device.id));
        let signer = if self.careful() { device.principal() } else { self.any_principal() };
        (signer, open(name, authority))
    }

    fn attest(&mut self) -> (Principal, Call) {
        let streams = self.now().streams();
        if streams.is_empty() {
            return self.open();
        }
        let now = self.now();
        let speaks = |stream: &&StreamId| {
            now.stream(stream).is_some_and(|(id, _)| now.status(&id) == Some(DeviceStatus::Active))
        };
        let alive: Vec<StreamId> = streams.iter().filter(speaks).copied().collect();
        let stream =
            if self.careful() && !alive.is_empty() { *self.random.pick(&alive) } else { *self.random.pick(&streams) };
        let (device, said) = self.now().stream(&stream).expect("it was opened");
        let device = self.cast.device(Principal::Device(device)).expect("one of the cast");
        let authority = self.authority(device, &Scope::Stream(stream));
        let previous = if self.careful() { *said.last().expect("it was opened") } else { *self.random.pick(&said) };
        let mut sequence = said.len() as u64 - 1;
        if !self.careful() {
            sequence = sequence.wrapping_add(self.random.below(3) as u64).wrapping_sub(1);
        }
        let text = format!("reading {}", self.random.below(1000));
        let mut call = attest(stream, sequence, previous, &text, authority);
        call.derived_from = self.sources(&streams);
        if self.random.once_in(4) {
            let (from_ms, to_ms) = (self.random.below(9) as i64, self.random.below(30) as i64);
            call.claimed = Some(ClaimedTime { from_ms, to_ms });
        }
        let signer = if self.careful() { device.principal() } else { self.any_principal() };
        (signer, Call::Attest(call))
    }

    fn sources(&mut self, streams: &[StreamId]) -> Vec<AttestationRef> {
        let count = if self.random.once_in(3) { self.random.below(3) } else { 0 };
        let mut sources: Vec<_> = (0..count)
            .filter_map(|_| {
                let stream = *self.random.pick(streams);
                let (_, said) = self.now().stream(&stream)?;
                Some(AttestationRef { stream, sequence: self.random.below(said.len()) as u64 })
            })
            .collect();
        sources.sort_unstable();
        sources
    }
}
