//! The axis *finality*: the checkpoint, who signed it, and whether the auditor may rest on it. How it is found is in
//! [`crate::checkpoint`].

use cairn_types::{OrganizationId, Power, Round, ValidatorIndex};

use super::BlockPoint;

/// The checkpoint on which everything rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    /// The checkpoint.
    pub checkpoint: BlockPoint,
    /// The round in which it was decided.
    pub round: Round,
    /// The validators who signed it, ascending.
    pub signers: Vec<Signer>,
    /// How many validators there are.
    pub validators: usize,
    /// Their power together.
    pub total_power: Power,
    /// How often the validators changed since the genesis.
    pub changes: usize,
    /// Whether the checkpoint is recent enough.
    pub freshness: FreshnessStanding,
    /// Whether the bundle reaches the block that the auditor trusts.
    pub trusted: TrustedStanding,
}

/// A validator who signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Its place in the set.
    pub validator: ValidatorIndex,
    /// Its power.
    pub power: Power,
    /// Whose it is.
    pub organization: OrganizationId,
}

/// Whether a checkpoint is recent enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshnessStanding {
    /// Nobody asked.
    NotAsked,
    /// It is.
    Fresh {
        /// Its age in milliseconds; 0 if it is ahead of the auditor's clock.
        age_ms: u64,
    },
    /// It is older than allowed.
    Stale {
        /// Its age in milliseconds.
        age_ms: u64,
    },
    /// It is further ahead of the auditor's clock than it may be behind, so one of the clocks is wrong.
    Unknown {
        /// By how much, in milliseconds.
        ahead_ms: u64,
    },
}

impl FreshnessStanding {
    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::Fresh { .. } => "fresh",
            Self::Stale { .. } => "stale",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// Whether a bundle reaches the block that the auditor trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedStanding {
    /// The auditor names none.
    NotAsked,
    /// It is one of the blocks that the bundle proves.
    Connected,
    /// Nothing in the bundle tells.
    Unconnected,
    /// At its height the bundle proves another block.
    Conflict,
}

impl TrustedStanding {
    /// The standing in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::Connected => "connected",
            Self::Unconnected => "unconnected",
            Self::Conflict => "conflict",
        }
    }
}
