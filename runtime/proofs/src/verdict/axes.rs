//! The axes of a verdict, as plain data.
//!
//! Each axis has a *standing*: one word that says how it turned out, by [`name`](KeyStanding::name) in the JSON form. What
//! follows from a standing for the outcome is decided by the reasons, not here.

mod device;
mod finality;

use cairn_types::record::DeviceKey;
use cairn_types::{
    Actions, BlockHash, ClaimedTime, Content, DeviceId, GrantId, Height, Interval, Name, OrganizationId, Position,
    PublicKey, StreamId, TransactionId,
};

use super::expectations::ContentEvidence;
use super::reason::Reason;
use crate::authority::{AuthorityFailure, Link};
pub use device::{Device, DeviceStanding, Endorsement, EndorsementTrust};
pub use finality::{Finality, FreshnessStanding, Signer, TrustedStanding};

/// The attestation that the ledger holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its id.
    pub id: TransactionId,
    /// The device that signed it.
    pub device: DeviceId,
    /// The stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub sequence: u64,
    /// What it attests.
    pub content: Content,
    /// When that was measured, as the device claims; nothing backs it.
    pub claimed: Option<ClaimedTime>,
}

/// Whether the content is what the device signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// It is.
    Matches {
        /// What the device signed, and the auditor has.
        content: Content,
    },
    /// It is not.
    Differs {
        /// What the device signed.
        signed: Content,
        /// What the auditor has.
        supplied: ContentEvidence,
    },
    /// It was hashed in another form, with a salt or without.
    NotComparable {
        /// What the device signed.
        signed: Content,
        /// What the auditor has.
        supplied: ContentEvidence,
    },
    /// None was given.
    NotSupplied {
        /// What the device signed.
        signed: Content,
    },
}

impl Integrity {
    pub(super) fn of(signed: &Content, supplied: Option<&ContentEvidence>) -> Self {
        let signed = *signed;
        match supplied.copied() {
            None => Self::NotSupplied { signed },
            Some(supplied) if supplied.form != signed.form => Self::NotComparable { signed, supplied },
            Some(supplied) if supplied.is(&signed) => Self::Matches { content: signed },
            Some(supplied) => Self::Differs { signed, supplied },
        }
    }

    pub(super) const fn reason(&self) -> Option<Reason> {
        match *self {
            Self::Matches { .. } => None,
            Self::Differs { signed, supplied } => Some(Reason::ContentDiffers { signed, supplied }),
            Self::NotSupplied { .. } => Some(Reason::ContentNotSupplied),
            Self::NotComparable { signed, supplied } => {
                Some(Reason::ContentNotComparable { signed: signed.form, supplied: supplied.form })
            }
        }
    }

    /// The axis in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Matches { .. } => "matches",
            Self::Differs { .. } => "differs",
            Self::NotComparable { .. } => "not_comparable",
            Self::NotSupplied { .. } => "not_supplied",
        }
    }
}

/// A final block and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPoint {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
    /// When it was proposed, in milliseconds since 1970-01-01T00:00:00Z, by validators' clocks.
    pub time_ms: u64,
}

/// When it was said: after one block, and before the end of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The block that the device had seen: it was said after this.
    pub after: BlockPoint,
    /// The block that holds it: it was said before the end of this.
    pub before: BlockPoint,
    /// Where in the ledger it stands.
    pub position: Position,
}

/// Whether the key spoke for the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// How it stands.
    pub standing: KeyStanding,
    /// The epoch in which the attestation was included.
    pub epoch: Option<KeyEpoch>,
}

/// A key, and when it speaks for its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEpoch {
    /// The key.
    pub key: PublicKey,
    /// From where on.
    pub from: Position,
    /// Up to where; `None` if it still does at the checkpoint.
    pub to: Option<Position>,
}

impl KeyEpoch {
    pub(super) fn of(interval: &Interval<DeviceKey>) -> Self {
        Self { key: interval.value.key, from: interval.from, to: interval.to }
    }
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    /// It spoke for the device all the time in which it can have been said.
    Held,
    /// It spoke for the device when the attestation was included, but not yet after the earlier bound.
    HeldAtInclusion,
    /// It signed and was held, but what it said is in doubt.
    Suspect {
        /// Since when.
        since: Position,
    },
    /// It did not speak for the device.
    NotHeld,
}

impl KeyStanding {
    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::HeldAtInclusion => "held_at_inclusion",
            Self::Suspect { .. } => "suspect",
            Self::NotHeld => "not_held",
        }
    }
}

/// Whether the device was entitled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// By these grants, all the time in which it can have been said.
    Held {
        /// From the grant that the attestation names up to the owner's.
        path: Vec<Link>,
    },
    /// When the attestation was included, but not all the time before.
    Indeterminate {
        /// From the grant that the attestation names up to the owner's.
        path: Vec<Link>,
        /// Since when without a break.
        since: Position,
        /// What stood in the way before.
        before: AuthorityFailure,
    },
    /// It was held, but what was done under a grant of the path is in doubt.
    Suspect {
        /// From the grant that the attestation names up to the owner's.
        path: Vec<Link>,
        /// The grant in doubt; of several, the one in doubt the longest.
        grant: GrantId,
        /// Since when.
        since: Position,
    },
    /// Not when the attestation was included.
    NotHeld {
        /// What the bundle shows of the path.
        path: Vec<Link>,
        /// What stood in the way.
        failure: AuthorityFailure,
    },
}

impl Authority {
    /// The path of grants, as far as the bundle shows it.
    pub fn path(&self) -> &[Link] {
        match self {
            Self::Held { path }
            | Self::Indeterminate { path, .. }
            | Self::Suspect { path, .. }
            | Self::NotHeld { path, .. } => path,
        }
    }

    /// What the grant that the attestation names allows, if it is known.
    pub fn actions(&self) -> Option<Actions> {
        self.path().first().map(|(_, link)| link.value.actions)
    }

    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held { .. } => "held",
            Self::Indeterminate { .. } => "indeterminate",
            Self::Suspect { .. } => "suspect",
            Self::NotHeld { .. } => "not_held",
        }
    }
}

/// Where the attestation stands in its stream, as of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// How it stands.
    pub standing: StreamStanding,
    /// The stream's name.
    pub name: Name,
    /// The attestation's place, from 0. The ledger has no gaps: everything before it is there.
    pub sequence: u64,
    /// How many attestations the stream has.
    pub count: u64,
    /// Where the last one stands.
    pub head: Position,
    /// Where the stream was opened.
    pub opened: Position,
    /// Where it was closed.
    pub closed: Option<Position>,
    /// The most seconds of silence that the device declared.
    pub cadence_s: Option<u32>,
    /// Whether it kept to that.
    pub silence: Silence,
}

/// How an attestation stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStanding {
    /// It is the last: the stream is complete to here.
    Complete,
    /// Others follow it.
    Continued {
        /// How many.
        further: u64,
    },
    /// The device said two things at this place or before.
    Forked {
        /// The first such place.
        at: u64,
    },
    /// The stream's record does not hold it.
    Contradicts,
}

impl StreamStanding {
    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Continued { .. } => "continued",
            Self::Forked { .. } => "forked",
            Self::Contradicts => "contradicts",
        }
    }
}

/// Whether a stream has been silent for longer than its device declared. Measured in block time, from the last
/// attestation to the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It declared no cadence.
    NotDeclared,
    /// It has ended, so silence is expected.
    Ended,
    /// The last attestation is another one, and the bundle does not hold the time of its block.
    Unknown,
    /// It has not.
    Within,
    /// It has, since the time of the last attestation's block.
    Silent {
        /// That time, in milliseconds since 1970-01-01T00:00:00Z.
        since_ms: u64,
    },
}

impl Silence {
    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotDeclared => "not_declared",
            Self::Ended => "ended",
            Self::Unknown => "unknown",
            Self::Within => "within",
            Self::Silent { .. } => "silent",
        }
    }
}

/// How an organization is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationName {
    /// The organization.
    pub id: OrganizationId,
    /// Its short name, unique in the network.
    pub name: Name,
    /// Its legal name.
    pub title: String,
}
