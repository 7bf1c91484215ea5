//! What the state holds: records and intervals, as their bytes stand in the state tree.
//!
//! Authority, ownership, status, keys and placement are all [`Interval`]s. An interval knows two mutations: it is closed
//! once, and its `suspect_since` moves earlier. Nothing is deleted or reopened, so one proof at any later checkpoint
//! settles a question about the past.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::device::Inception;
use crate::grant::{Actions, Grantee, Scope, Window};
use crate::hash::{DeviceId, GrantId, Hash, KeyCommitment, LotId, OrganizationId, TransactionId};
use crate::key::PublicKey;
use crate::lot::LotBasis;
use crate::name::Name;
use crate::organization::{KeySet, Principal, Roles};
use crate::position::{Height, Position};
use crate::stream::AttestationRef;

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
    /// Keys that can recover it, and cancel the recovery of its devices.
    pub recovery: Option<KeySet>,
    /// Where it was admitted.
    pub admitted: Position,
    /// Where it was expelled: from there on it signs nothing, and nothing rests on its authority.
    pub expelled: Option<Position>,
}

impl OrganizationRecord {
    /// Whether it takes part at `position`.
    pub fn is_member_at(&self, position: Position) -> bool {
        self.admitted <= position && self.expelled.is_none_or(|expelled| position < expelled)
    }
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
    /// Who vouched for it; without anybody it is unendorsed.
    pub endorsement: Option<EndorsementRecord>,
}

/// That a manufacturer vouched for a device: a fact of its registration, which stays.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EndorsementRecord {
    /// The lot, in which trust may end.
    pub lot: LotId,
    /// Whose lot it is.
    pub manufacturer: OrganizationId,
    /// The device's serial number: the leaf's, or the certificate's as lowercase hexadecimal digits.
    pub serial: String,
}

/// A lot. It holds from its endorsement until trust in it ends.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LotRecord {
    /// Who vouches.
    pub manufacturer: OrganizationId,
    /// By what its devices are known.
    pub basis: LotBasis,
    /// What they are.
    pub label: String,
}

/// A recovery that was announced. It is pending from there until it takes effect or is called off.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Recovery {
    /// The new key.
    pub key: PublicKey,
    /// Commitment to the key after it.
    pub next: KeyCommitment,
    /// The first height at which the new key speaks, if nobody calls it off.
    pub effective: Height,
}

/// That an attestation is not to be used any more. It is said once, and takes nothing back.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Superseded {
    /// Where that was said.
    pub at: Position,
    /// By whom.
    pub by: Principal,
    /// What to use instead.
    pub replacement: Option<AttestationRef>,
}

/// What a principal has used of its quota. It is counted anew in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Usage {
    /// The window: its height divided by the parameter `quota_window`.
    pub window: u64,
    /// Transactions in it.
    pub count: u32,
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
    /// The first sequence that was said under the owner of its last attestation.
    pub owned_from: u64,
}
