//! The axis *present*: how the same would stand now, at the checkpoint; and [`Live`], the one word for whoever asks about
//! now alone.
//!
//! *Now* is the first position after the checkpoint: what the ledger's rules would say to the same attestation if it came
//! in the next block. This axis changes no outcome. The past keeps its verdict, whatever became of the device.

use cairn_types::{DeviceStatus, GrantId, Height, OrganizationId, Position, Zone};

use super::Verdict;
use super::axes::{EndorsementTrust, FreshnessStanding};
use super::reason::{Outcome, Reason};
use crate::authority::AuthorityFailure;

/// How the same would stand at the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The position in question: the first after the checkpoint.
    pub position: Position,
    /// Whether the key that signed still speaks for the device.
    pub key: PresentKey,
    /// The device's status.
    pub status: Option<DeviceStatus>,
    /// The device's owner.
    pub owner: Option<OrganizationId>,
    /// Where the device is.
    pub zone: Option<Zone>,
    /// Whether it is still entitled, by the same path of grants.
    pub authority: PresentAuthority,
    /// Whether the stream still takes attestations.
    pub stream: PresentStream,
    /// Whether it was said that this attestation is not to be used any more.
    pub superseded: bool,
    /// The height from which another key is to speak, if its owner announced one and nobody called that off.
    pub recovery: Option<Height>,
    /// To whom the device is offered.
    pub offered_to: Option<OrganizationId>,
}

/// Whether the key that signed speaks for the device now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresentKey {
    /// It does.
    Held,
    /// It does, but its word, or the device's, is in doubt.
    Suspect {
        /// Since when.
        since: Position,
    },
    /// It did, and does no longer.
    Ended {
        /// Since when.
        at: Position,
    },
    /// It did not when the attestation was included.
    NotHeld,
}

impl PresentKey {
    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Suspect { .. } => "suspect",
            Self::Ended { .. } => "ended",
            Self::NotHeld => "not_held",
        }
    }
}

/// Whether the device is entitled now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresentAuthority {
    /// It is.
    Held,
    /// It is, but what is done under a grant of the path is in doubt.
    Suspect {
        /// The grant in doubt; of several, the one in doubt the longest.
        grant: GrantId,
        /// Since when.
        since: Position,
    },
    /// It is not.
    NotHeld {
        /// What stands in the way.
        failure: AuthorityFailure,
    },
}

impl PresentAuthority {
    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Suspect { .. } => "suspect",
            Self::NotHeld { .. } => "not_held",
        }
    }
}

/// Whether a stream takes attestations now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresentStream {
    /// It does.
    Open,
    /// Its device closed it.
    Closed,
    /// Its device said two things at one place.
    Forked,
    /// Its record does not hold the attestation.
    Contradicts,
}

impl PresentStream {
    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Forked => "forked",
            Self::Contradicts => "contradicts",
        }
    }
}

impl Present {
    /// Whether something does not hold now.
    fn is_refused(&self) -> bool {
        matches!(self.key, PresentKey::Ended { .. } | PresentKey::NotHeld)
            || self.status != Some(DeviceStatus::Active)
            || self.owner.is_none()
            || matches!(self.authority, PresentAuthority::NotHeld { .. })
            || self.stream != PresentStream::Open
            || self.superseded
    }

    /// Whether something holds, but is in doubt.
    const fn is_doubtful(&self) -> bool {
        matches!(self.key, PresentKey::Suspect { .. })
            || matches!(self.authority, PresentAuthority::Suspect { .. })
            || self.recovery.is_some()
    }
}

/// The answer to a question about now. It is never better than the verdict that it is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// The verdict is VALID, the checkpoint fresh, and everything still holds.
    Ok,
    /// Something is refuted, or does not hold any more.
    Refused,
    /// Nothing is refuted, but something is in doubt or was not shown.
    Doubtful,
    /// Nobody can tell from this checkpoint: it is not fresh, or the auditor set no limit to its age.
    Unknown,
}

impl Live {
    /// Draws the answer from a verdict.
    ///
    /// A verdict that lacks VALID only because no content was supplied counts as one: a question about now is about the
    /// device, and is mostly asked with no file at hand. Content that could not be compared is not waived.
    pub fn of(verdict: &Verdict) -> Self {
        let fresh = verdict
            .finality
            .as_ref()
            .is_some_and(|finality| matches!(finality.freshness, FreshnessStanding::Fresh { .. }));
        if !fresh {
            return Self::Unknown;
        }
        let Some(present) = verdict.present.as_ref().filter(|_| verdict.outcome != Outcome::Invalid) else {
            // The judgement was reached unless a step before it failed, and that refutes or leaves out something.
            return if verdict.outcome == Outcome::Invalid { Self::Refused } else { Self::Doubtful };
        };
        let trusted = verdict.device.as_ref().is_some_and(|device| {
            device.endorsement.as_ref().is_none_or(|word| word.trust == EndorsementTrust::Trusted)
        });
        let shown = verdict.reasons.iter().all(|reason| matches!(reason, Reason::ContentNotSupplied));
        if present.is_refused() {
            Self::Refused
        } else if present.is_doubtful() || !trusted || !shown {
            Self::Doubtful
        } else {
            Self::Ok
        }
    }

    /// The answer in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Doubtful => "doubtful",
            Self::Unknown => "unknown",
        }
    }
}
