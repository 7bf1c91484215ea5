//! Devices: things with a key.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::encode;
use crate::domain;
use crate::hash::{DeviceId, Hash, KeyCommitment};
use crate::key::PublicKey;
use crate::limits::MODEL_BYTES_MAX;
use crate::organization::text_is_valid;

/// How a device begins; its id is the hash of this and never changes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Inception {
    /// The device's first key.
    pub key: PublicKey,
    /// Commitment to its second key (pre-rotation): whoever steals the first cannot rotate.
    pub next: KeyCommitment,
    /// What it is, as its maker calls it; up to 64 bytes, for people.
    pub model: String,
}

impl Inception {
    /// The device's id.
    pub fn id(&self) -> DeviceId {
        DeviceId::from_hash(Hash::derive(domain::DEVICE, &encode(self)))
    }

    /// Whether the model is within its limit and free of control characters.
    pub fn model_is_valid(&self) -> bool {
        text_is_valid(&self.model, MODEL_BYTES_MAX)
    }
}

/// What a device may do at all. Active and suspended alternate; the other two are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum DeviceStatus {
    /// In service.
    Active = 0,
    /// Out of service for now.
    Suspended = 1,
    /// No longer trusted, for ever.
    Revoked = 2,
    /// Taken out of service in good standing, for ever.
    Decommissioned = 3,
}

impl DeviceStatus {
    /// All statuses, in order.
    pub const ALL: [Self; 4] = [Self::Active, Self::Suspended, Self::Revoked, Self::Decommissioned];

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Revoked | Self::Decommissioned)
    }

    /// The status's name in answers and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Decommissioned => "decommissioned",
        }
    }
}

impl fmt::Display for DeviceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
