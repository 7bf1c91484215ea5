//! The axis *later*: what happened after the attestation, up to the checkpoint. It takes nothing back.
//!
//! Only what the ledger dates is listed. That a stream forked is no event here, because its record says at which sequence
//! and not where in the ledger that was shown; the axis *stream* says it.

use cairn_types::record::Recovery;
use cairn_types::{
    AttestationRef, DeviceStatus, GrantId, Height, Interval, LotId, OrganizationId, Position, Principal, PublicKey,
    Zone,
};

use super::evidence::Evidence;

/// Something that happened after the attestation, up to the checkpoint. It takes nothing back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// Where.
    pub position: Position,
    /// What.
    pub event: LaterEvent,
}

/// What can happen later, in the order in which what happens at one position is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaterEvent {
    /// The device got its next key.
    KeyRotated {
        /// The new key.
        key: PublicKey,
    },
    /// The owner announced another key for the device.
    RecoveryAnnounced {
        /// The new key.
        key: PublicKey,
        /// The height from which it is to speak.
        effective: Height,
    },
    /// An announced key was called off, or ended with the ownership or the service of the device.
    RecoveryCancelled {
        /// The key that does not speak.
        key: PublicKey,
    },
    /// The device got another status.
    StatusChanged {
        /// The status.
        status: DeviceStatus,
        /// Since when its word is in doubt.
        suspect_since: Option<Position>,
    },
    /// The device was offered to somebody.
    Offered {
        /// To whom.
        to: OrganizationId,
    },
    /// The device got another owner.
    OwnerChanged {
        /// The owner.
        owner: OrganizationId,
    },
    /// The device was moved.
    Placed {
        /// Where to.
        zone: Zone,
    },
    /// A grant on the path was revoked.
    GrantRevoked {
        /// The grant.
        grant: GrantId,
        /// Since when what was done under it is in doubt.
        suspect_since: Option<Position>,
    },
    /// The manufacturer ended trust in the lot that the device comes from.
    LotDistrusted {
        /// The lot.
        lot: LotId,
        /// Since when claims on it are in doubt.
        suspect_since: Option<Position>,
    },
    /// An organization that owned the device, gave a grant on the path, or vouched for the device was expelled.
    OrganizationExpelled {
        /// The organization.
        organization: OrganizationId,
    },
    /// Whoever may say so said that this attestation is not to be used any more.
    Superseded {
        /// Who said it.
        by: Principal,
        /// What to use instead.
        replacement: Option<AttestationRef>,
    },
    /// The device attested more; the position is that of the last.
    Attested {
        /// How many more.
        further: u64,
    },
    /// The stream was closed.
    StreamClosed,
}

impl LaterEvent {
    /// The event's name in the JSON form.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::KeyRotated { .. } => "key_rotated",
            Self::RecoveryAnnounced { .. } => "recovery_announced",
            Self::RecoveryCancelled { .. } => "recovery_cancelled",
            Self::StatusChanged { .. } => "status_changed",
            Self::Offered { .. } => "offered",
            Self::OwnerChanged { .. } => "owner_changed",
            Self::Placed { .. } => "placed",
            Self::GrantRevoked { .. } => "grant_revoked",
            Self::LotDistrusted { .. } => "lot_distrusted",
            Self::OrganizationExpelled { .. } => "organization_expelled",
            Self::Superseded { .. } => "superseded",
            Self::Attested { .. } => "attested",
            Self::StreamClosed => "stream_closed",
        }
    }
}

/// Lists what happened after `included` to what the attestation with this `sequence` rests on.
pub(super) fn since(included: Position, sequence: u64, evidence: &Evidence) -> Vec<Later> {
    let mut later = Vec::new();
    let mut add = |position: Position, event: LaterEvent| {
        if position > included {
            later.push(Later { position, event });
        }
    };
    let Evidence { file, stream, .. } = evidence;
    for interval in &file.keys {
        add(interval.from, LaterEvent::KeyRotated { key: interval.value.key });
    }
    for recovery in &file.recoveries {
        let Recovery { key, effective, .. } = recovery.value;
        add(recovery.from, LaterEvent::RecoveryAnnounced { key, effective });
    }
    for recovery in &file.recoveries {
        if let Some(to) = recovery.to
            && !file.keys.iter().any(|epoch| epoch.from == to && epoch.value.key == recovery.value.key)
        {
            add(to, LaterEvent::RecoveryCancelled { key: recovery.value.key });
        }
    }
    for interval in &file.statuses {
        let Interval { value: status, suspect_since, .. } = *interval;
        add(interval.from, LaterEvent::StatusChanged { status, suspect_since });
    }
    for interval in &file.offers {
        add(interval.from, LaterEvent::Offered { to: interval.value });
    }
    for interval in &file.owners {
        add(interval.from, LaterEvent::OwnerChanged { owner: interval.value });
    }
    for interval in &file.placements {
        add(interval.from, LaterEvent::Placed { zone: interval.value.clone() });
    }
    for (grant, link) in &evidence.path {
        if let Some(to) = link.to {
            add(to, LaterEvent::GrantRevoked { grant: *grant, suspect_since: link.suspect_since });
        }
    }
    if let (Some(endorsement), Some(lot)) = (&file.record.endorsement, &evidence.lot)
        && let Some(to) = lot.to
    {
        add(to, LaterEvent::LotDistrusted { lot: endorsement.lot, suspect_since: lot.suspect_since });
    }
    for (organization, record) in &evidence.records {
        if let Some(expelled) = record.expelled {
            add(expelled, LaterEvent::OrganizationExpelled { organization: *organization });
        }
    }
    if let Some(superseded) = &evidence.superseded {
        let (by, replacement) = (superseded.by, superseded.replacement);
        add(superseded.at, LaterEvent::Superseded { by, replacement });
    }
    let further = stream.count.saturating_sub(sequence).saturating_sub(1);
    if further > 0 {
        add(stream.head_position, LaterEvent::Attested { further });
    }
    if let Some(closed) = stream.closed {
        add(closed, LaterEvent::StreamClosed);
    }
    // Stable, so that what one transaction did stays in the order above.
    later.sort_by_key(|event| event.position);
    later
}
