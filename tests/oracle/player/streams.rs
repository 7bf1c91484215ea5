//! What devices say, and what is said about that.

use cairn_types::call::{Attest, CloseStream, Grant, OpenStream, ReportFork, Supersede};
use cairn_types::{
    Action, AttestationRef, Call, ClaimedTime, Content, ContentForm, ContentHash, DeviceId, DeviceStatus, GrantId,
    Grantee, Hash, Principal, Scope, StreamId, Window,
};

use super::{Player, Proposal};

const NAMES: [&str; 6] = ["flow", "level", "mean", "pressure", "alarm", "heat"];

/// The content of a reading.
pub(crate) fn content(number: usize) -> Vec<u8> {
    format!("reading {number}").into_bytes()
}

impl Player<'_> {
    /// A grant by which the device may attest; any other, if there is none.
    fn authority(&mut self, device: DeviceId, scope: &Scope) -> GrantId {
        let good = self.grant_for(Principal::Device(device), Action::Attest, scope);
        let careful = self.careful();
        let other = self.any_grant().unwrap_or(GrantId::from_hash(Hash::plain(b"no grant")));
        good.filter(|_| careful).unwrap_or(other)
    }

    pub(super) fn open(&mut self) -> Proposal {
        let active = self.device_where(|now, device| now.status(device) == Some(DeviceStatus::Active));
        let device = active.unwrap_or_else(|| self.device());
        let scope = Scope::Device(device);
        if self.grant_for(Principal::Device(device), Action::Attest, &scope).is_none() && self.careful() {
            return self.allow(device);
        }
        let now = self.now();
        let unused = NAMES.iter().find(|name| {
            let stream = StreamId::of(&device, &name.parse().expect("a valid name"));
            now.stream(&stream).is_none()
        });
        let name = match unused {
            Some(name) if self.careful() => name,
            _ => self.random.pick(&NAMES),
        };
        let name = name.parse().expect("a valid name");
        let authority = self.authority(device, &scope);
        let cadence_s = match self.random.below(12) {
            0 => Some(0),
            1..5 => Some(1 + self.random.below(30) as u32),
            _ => None,
        };
        let signer = self.mostly(Principal::Device(device));
        (signer, Call::OpenStream(OpenStream { name, cadence_s, authority }))
    }

    /// Its owner lets a device attest: itself, or all in its zone.
    fn allow(&mut self, device: DeviceId) -> Proposal {
        let owner = self.owner_of(&device);
        let place = self.now().zone(&device).cloned();
        let (grantee, scope) = match place {
            Some(zone) if self.random.once_in(2) => (Grantee::Zone(zone.clone()), Scope::Zone(zone)),
            _ => (Grantee::Device(device), Scope::Device(device)),
        };
        let all = Action::ALL.into_iter().collect();
        let some = [Action::Attest].into_iter().collect();
        let (actions, depth) = if self.random.once_in(2) { (all, 7) } else { (some, 0) };
        (owner, Call::Grant(Grant { grantee, actions, scope, window: Window::ALWAYS, depth, parent: None }))
    }

    fn any_stream(&mut self) -> Option<StreamId> {
        let streams = self.now().streams();
        if self.random.once_in(60) {
            return Some(StreamId::from_hash(Hash::plain(b"no stream")));
        }
        (!streams.is_empty()).then(|| *self.random.pick(&streams))
    }

    /// A stream that takes more, of an active device; if no care is taken, or if there is none, any.
    fn stream(&mut self) -> Option<StreamId> {
        let now = self.now();
        let mut alive = now.streams();
        alive.retain(|stream| {
            let (device, ..) = now.stream(stream).expect("it was listed");
            let active = now.status(&device) == Some(DeviceStatus::Active);
            active && now.closed(stream).is_none() && now.forked_at(stream).is_none()
        });
        if alive.is_empty() || !self.careful() { self.any_stream() } else { Some(*self.random.pick(&alive)) }
    }

    fn device_of(&self, stream: &StreamId) -> DeviceId {
        self.now().stream(stream).map_or_else(|| self.pool().factory[0].id(), |(device, ..)| device)
    }

    pub(super) fn close(&mut self) -> Proposal {
        let Some(stream) = self.stream() else { return self.open() };
        let signer = Principal::Device(self.device_of(&stream));
        (self.mostly(signer), Call::CloseStream(CloseStream { stream }))
    }

    pub(super) fn attest(&mut self) -> Proposal {
        let Some(stream) = self.stream() else { return self.open() };
        let now = self.now();
        let device = self.device_of(&stream);
        let said = now.said(&stream);
        let opening = now.stream(&stream).map_or(cairn_types::TransactionId::from_hash(Hash::ZERO), |opened| opened.2);
        let authority = self.authority(device, &Scope::Stream(stream));
        let previous = if self.careful() || said.is_empty() {
            said.last().map_or(opening, |said| said.id)
        } else {
            self.random.pick(&said).id
        };
        let mut sequence = said.len() as u64;
        if !self.careful() {
            sequence = sequence.wrapping_add(self.random.below(3) as u64).wrapping_sub(1);
        }
        let text = content(self.random.below(1000));
        let claimed = self.random.once_in(4).then(|| {
            let (from_ms, to_ms) = (self.random.below(9) as i64, self.random.below(60) as i64);
            ClaimedTime { from_ms, to_ms }
        });
        let call = Attest {
            stream,
            sequence,
            previous,
            content: Content {
                form: ContentForm::Plain,
                hash: ContentHash::plain(&text),
                bytes: text.len() as u64,
                readings: 1,
            },
            claimed,
            derived_from: self.sources(),
            authority,
        };
        (self.mostly(Principal::Device(device)), Call::Attest(call))
    }

    fn some_attestation(&mut self) -> Option<AttestationRef> {
        let stream = self.any_stream()?;
        let count = self.now().said(&stream).len();
        let beyond = usize::from(count == 0 || self.random.once_in(12));
        let sequence = self.random.below(count + beyond) as u64;
        Some(AttestationRef { stream, sequence })
    }

    fn sources(&mut self) -> Vec<AttestationRef> {
        if self.random.once_in(150) {
            let stream = self.any_stream().unwrap_or(StreamId::from_hash(Hash::ZERO));
            return (0..33).map(|sequence| AttestationRef { stream, sequence }).collect();
        }
        let count = if self.random.once_in(3) { self.random.below(3) } else { 0 };
        let mut sources: Vec<_> = (0..count).filter_map(|_| self.some_attestation()).collect();
        sources.sort_unstable();
        sources
    }

    pub(super) fn supersede(&mut self) -> Proposal {
        let Some(target) = self.some_attestation() else { return self.open() };
        let device = self.device_of(&target.stream);
        let signer = if self.random.once_in(2) { Principal::Device(device) } else { self.owner_of(&device) };
        let replacement = match self.random.below(6) {
            0..2 => None,
            2 => self.some_attestation(),
            _ => Some(AttestationRef { sequence: target.sequence + 1, ..target }),
        };
        (self.mostly(signer), Call::Supersede(Supersede { target, replacement }))
    }

    pub(super) fn report_fork(&mut self) -> Proposal {
        if self.memory.twins.is_empty() {
            return self.attest();
        }
        let latest = self.memory.twins.len() - 1;
        let pair = if self.random.once_in(2) { latest } else { self.random.below(latest + 1) };
        let [mut first, mut second] = self.memory.twins[pair].clone();
        match self.random.below(24) {
            0 => std::mem::swap(&mut first, &mut second),
            1 => second = first.clone(),
            2 => drop(first.pop()),
            3 => second = self.random.pick(&self.memory.twins)[1].clone(),
            4 => first = self.random.pick(&self.memory.known).bytes().to_vec(),
            5 => {
                // A bit of the signature.
                let last = first.len() - 1;
                first[last] ^= 1;
            }
            _ => {}
        }
        (self.any_principal(), Call::ReportFork(ReportFork { first, second }))
    }
}
