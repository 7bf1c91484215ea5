//! What the state holds: records and intervals, as their bytes stand in the state tree.
//!
//! Authority, ownership, status, keys and placement are all [`Interval`]s. An interval knows two mutations: it is closed
//! once, and its `suspect_since` moves earlier. Nothing is deleted or reopened, so one proof at any later checkpoint
//! settles a question about the past.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::device::Inception;
use crate::grant::{Actions, Grantee, Scope, Window};
use crate::hash::{DeviceId, GrantId, Hash, KeyCommitment, OrganizationId, TransactionId};
use crate::key::PublicKey;
use crate::name::Name;
use crate::organization::{KeySet, Principal, Roles};
use crate::position::Position;

/// A fact that holds in `[from, to)`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Interval<T> {
    /// The fact.
    pub value: T,
    /// The first position at which it holds.
    pub from: Position,
    /// The first position at which it no longer holds; `None` while it is open.
    pub to: Option<Position>,
    /// From when on it is in doubt.
    pub suspect_since: Option<Position>,
}

impl<T> Interval<T> {
    /// An open interval from `from` on.
    pub const fn open(value: T, from: Position) -> Self {
        Self { value, from, to: None, suspect_since: None }
    }

    /// Whether `position` is inside.
    pub fn contains(&self, position: Position) -> bool {
        self.from <= position && self.to.is_none_or(|to| position < to)
    }

    /// Whether it is open.
    pub const fn is_open(&self) -> bool {
        self.to.is_none()
    }

    /// Closes it: the first of the two mutations.
    ///
    /// # Panics
    /// If it is closed already, or would end before it begins: only a bug in the rules can ask for that.
    #[must_use]
    pub fn closed(mut self, to: Position) -> Self {
        assert!(self.to.is_none(), "an interval is closed once");
        assert!(self.from <= to, "an interval does not end before it begins");
        self.to = Some(to);
        self
    }

    /// Moves `suspect_since` earlier: the second of the two mutations. A later position changes nothing.
    #[must_use]
    pub fn suspected(mut self, since: Position) -> Self {
        self.suspect_since = Some(self.suspect_since.map_or(since, |known| known.min(since)));
        self
    }

    /// Whether what was said at `position` is in doubt.
    pub fn is_suspect_at(&self, position: Position) -> bool {
        self.suspect_since.is_some_and(|since| since <= position)
    }
}

/// An organization, apart from its keys.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OrganizationRecord {
    /// Short name, unique in the network.
    pub name: Name,
    /// Legal name.
    pub title: String,
    /// What it does here.
    pub roles: Roles,
    /// Keys that can recover it.
    pub recovery: Option<KeySet>,
}

/// What holds during an organization's key epoch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OrganizationKeys {
    /// Its keys.
    pub keys: KeySet,
    /// Commitment to the keys of the next epoch.
    pub next: Option<KeyCommitment>,
}

/// A device, apart from its intervals.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DeviceRecord {
    /// How it began.
    pub inception: Inception,
    /// Where it was registered.
    pub registered: Position,
    /// Who registered it.
    pub registered_by: Principal,
    /// Whether a manufacturer vouched for it, and where: not yet possible, so always `None`.
    pub endorsed_by: Option<OrganizationId>,
}

/// What holds during a device's key epoch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DeviceKey {
    /// Its key.
    pub key: PublicKey,
    /// Commitment to the key of the next epoch.
    pub next: KeyCommitment,
}

/// What a grant gives.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GrantTerms {
    /// Who gave it.
    pub grantor: Principal,
    /// Who holds it.
    pub grantee: Grantee,
    /// What may be done.
    pub actions: Actions,
    /// To what.
    pub scope: Scope,
    /// When.
    pub window: Window,
    /// How many times it may still be passed on.
    pub depth: u8,
    /// The grant that it passes on; `None` if the grantor owned the scope.
    pub parent: Option<GrantId>,
}

/// A stream as it stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StreamRecord {
    /// Whose it is.
    pub device: DeviceId,
    /// Its name.
    pub name: Name,
    /// Most seconds of block time between two attestations.
    pub cadence_s: Option<u32>,
    /// Where it was opened.
    pub opened: Position,
    /// How many attestations it has.
    pub count: u64,
    /// The last attestation; with none, the transaction that opened it.
    pub head: TransactionId,
    /// Where the head stands.
    pub head_position: Position,
    /// Peaks of the accumulator over its attestations' ids, the largest first.
    pub peaks: Vec<Hash>,
    /// Where it was closed.
    pub closed: Option<Position>,
    /// The first sequence at which its device said two things.
    pub forked_at: Option<u64>,
}
