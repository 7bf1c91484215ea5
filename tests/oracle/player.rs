//! Proposes transactions at random: mostly such as may be accepted, so that histories grow deep; some careless, some
//! twice, late or badly signed.
//!
//! The player asks the oracle how things stand, and so proposes nothing that it cannot think of; what a careless one
//! proposes may be anything.

mod devices;
mod envelope;
mod governance;
mod grants;
mod lots;
mod streams;

use std::collections::BTreeMap;

use cairn_tests::oracle::{Oracle, Past};
use cairn_types::{
    Action, Call, DeviceId, GrantId, Height, KeyCommitment, KeySet, OrganizationId, Position, Principal, PublicKey,
    Scope, SignedTransaction, Zone,
};

use crate::pool::{Pool, Scheme};
use crate::random::Random;

/// Zones in every organization.
const PATHS: [&str; 6] = ["", "north", "north/pump", "north/pump/1", "northwest", "south"];

/// What the people of a network remember beside the ledger.
#[derive(Default)]
pub(crate) struct Memory {
    /// Keys of the pool that were given out.
    given_out: usize,
    /// Key sets that somebody committed to.
    committed: BTreeMap<KeyCommitment, KeySet>,
    /// Pairs of signed attestations of one place.
    twins: Vec<[Vec<u8>; 2]>,
    /// Whether they pass authority on as deep as it goes.
    pub(crate) digs: bool,
    /// Everything proposed so far.
    pub(crate) known: Vec<SignedTransaction>,
}

impl Memory {
    fn new_key(&mut self, pool: &Pool) -> PublicKey {
        self.given_out += 1;
        pool.key(self.given_out)
    }

    /// A set of keys that nobody has seen.
    pub(crate) fn new_set(&mut self, pool: &Pool, threshold: u8, count: usize) -> KeySet {
        let mut keys: Vec<PublicKey> = (0..count).map(|_| self.new_key(pool)).collect();
        keys.sort_unstable();
        KeySet { threshold, keys }
    }

    /// The commitment to a set, which its owner keeps.
    pub(crate) fn commit(&mut self, set: KeySet) -> KeyCommitment {
        let commitment = set.commitment();
        self.committed.insert(commitment, set);
        commitment
    }
}

/// Whoever proposes the next transaction.
pub(crate) struct Player<'a> {
    pub(crate) oracle: &'a Oracle,
    pub(crate) random: &'a mut Random,
    pub(crate) memory: &'a mut Memory,
    pub(crate) scheme: Scheme,
    /// Where the transaction would stand.
    pub(crate) position: Position,
}

/// Of what was said already, this many of the latest are said again.
const LATEST: usize = 30;

type Proposal = (Principal, Call);

impl<'a> Player<'a> {
    fn now(&self) -> Past<'a> {
        self.oracle.before(self.position)
    }

    fn pool(&self) -> &'static Pool {
        Pool::get()
    }

    /// Careless once in twelve times.
    fn careful(&mut self) -> bool {
        !self.random.once_in(12)
    }

    /// A transaction, signed.
    pub(crate) fn propose(&mut self) -> SignedTransaction {
        if !self.memory.known.is_empty() && self.random.once_in(50) {
            let latest = self.memory.known.len().min(LATEST);
            let back = 1 + self.random.below(latest);
            return self.memory.known[self.memory.known.len() - back].clone();
        }
        let proposal = self.call();
        self.put_in_envelope(proposal)
    }

    fn call(&mut self) -> Proposal {
        if self.now().devices().len() < 3 {
            return self.register();
        }
        if self.memory.digs && self.random.once_in(3) {
            return self.dig();
        }
        match self.random.below(200) {
            0..13 => self.register(),
            13..19 => self.rotate_device(),
            19..27 => self.recover(),
            27..32 => self.cancel_recovery(),
            32..39 => self.offer(),
            39..45 => self.accept(),
            45..53 => self.place(),
            53..62 => self.set_status(),
            62..82 => self.grant(),
            82..88 => self.revoke(),
            88..110 => self.open(),
            110..112 => self.close(),
            112..162 => self.attest(),
            162..173 => self.supersede(),
            173..178 => self.report_fork(),
            178..183 => self.endorse_lot(),
            183..185 => self.distrust_lot(),
            185..189 => self.rotate_organization(),
            _ => self.govern(),
        }
    }

    /// An organization that takes part; if no care is taken, perhaps one that was expelled.
    fn organization(&mut self) -> OrganizationId {
        let now = self.now();
        let mut choices = now.organizations();
        if self.careful() {
            choices.retain(|id| now.expelled(id).is_none());
        }
        *self.random.pick(&choices)
    }

    fn path(&mut self) -> &'static str {
        PATHS[self.random.below(PATHS.len())]
    }

    fn zone_of(&mut self, organization: OrganizationId) -> Zone {
        Zone { organization, path: self.path().parse().expect("a valid path") }
    }

    fn any_zone(&mut self) -> Zone {
        let organization = self.organization();
        self.zone_of(organization)
    }

    fn any_device(&mut self) -> DeviceId {
        let devices = self.now().devices();
        if devices.is_empty() || self.random.once_in(40) {
            // Nobody has registered this one.
            return self.pool().factory[0].id();
        }
        *self.random.pick(&devices)
    }

    /// A device that can still act; if no care is taken, any.
    fn device(&mut self) -> DeviceId {
        let device = self.any_device();
        self.device_where(|now, device| now.status(device).is_some_and(|status| !status.is_final())).unwrap_or(device)
    }

    /// A device of which this holds; if no care is taken, or if there is none, `None`.
    fn device_where(&mut self, holds: impl Fn(&Past<'_>, &DeviceId) -> bool) -> Option<DeviceId> {
        if !self.careful() {
            return None;
        }
        let now = self.now();
        let mut devices = now.devices();
        devices.retain(|device| holds(&now, device));
        (!devices.is_empty()).then(|| *self.random.pick(&devices))
    }

    fn any_principal(&mut self) -> Principal {
        if self.random.once_in(2) {
            Principal::Organization(self.organization())
        } else {
            Principal::Device(self.any_device())
        }
    }

    /// Who owns a device; the device itself, if nobody does.
    fn owner_of(&self, device: &DeviceId) -> Principal {
        self.now().owner(device).map_or(Principal::Device(*device), |owner| Principal::Organization(owner.value))
    }

    /// `good`, or anybody if no care is taken.
    fn mostly(&mut self, good: Principal) -> Principal {
        if self.careful() { good } else { self.any_principal() }
    }

    /// The owner, or somebody with a grant of `action` over the scope, and that grant.
    fn entitled(&mut self, owner: Principal, action: Action, scope: &Scope) -> (Principal, Option<GrantId>) {
        if !self.careful() {
            return (self.any_principal(), self.any_grant());
        }
        if self.random.once_in(2) {
            let who = self.any_principal();
            if let Some(grant) = self.grant_for(who, action, scope) {
                return (who, Some(grant));
            }
        }
        (owner, None)
    }

    /// One of the latest grants by which `who` may do this, if there is one.
    fn grant_for(&self, who: Principal, action: Action, scope: &Scope) -> Option<GrantId> {
        const LATEST: usize = 24;
        let now = self.now();
        let thing = now.thing(scope)?;
        let good = |grant: &GrantId| now.entitled(who, action, &thing, Some(*grant)).is_ok();
        now.grants().into_iter().rev().take(LATEST).find(good)
    }

    fn any_grant(&mut self) -> Option<GrantId> {
        let grants = self.now().grants();
        if self.random.once_in(30) {
            return Some(GrantId::from_hash(cairn_types::Hash::plain(b"no grant")));
        }
        (!grants.is_empty() && !self.random.once_in(5)).then(|| *self.random.pick(&grants))
    }

    /// A position, most often in the past.
    fn some_time(&mut self) -> Position {
        let height = Height::new(self.random.below(self.oracle.blocks.len() + 1) as u64);
        Position { height, index: self.random.below(3) as u32 }
    }

    /// A position since `from`, or any if no care is taken.
    fn some_time_since(&mut self, from: Position) -> Position {
        if !self.careful() {
            return self.some_time();
        }
        let (first, last) = (from.height.get(), self.position.height.get());
        let height = first + self.random.below(usize::try_from(last.saturating_sub(first)).expect("few") + 1) as u64;
        Position { height: Height::new(height), index: 0 }.max(from).min(self.position)
    }

    fn new_key(&mut self) -> PublicKey {
        if self.random.once_in(60) {
            // The neutral element, of order 1.
            let mut bytes = [0; 32];
            bytes[0] = 1;
            return PublicKey::Ed25519(bytes);
        }
        if self.random.once_in(40) {
            // Perhaps one that somebody uses.
            return self.pool().key(self.random.below(self.memory.given_out + 1));
        }
        self.memory.new_key(Pool::get())
    }

    /// A commitment to a key that nobody has seen.
    fn new_commitment(&mut self) -> KeyCommitment {
        self.memory.new_key(Pool::get()).commitment()
    }

    /// A text that people can be shown, or not.
    fn text(&mut self, good: &str, bytes_max: usize) -> String {
        match self.random.below(60) {
            0 => "bell \u{7}".to_owned(),
            1 => "x".repeat(bytes_max + 1),
            _ => good.to_owned(),
        }
    }
}
