//! What all nodes of a network must agree on and a council may change. They stand in the state, from genesis on.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};

/// Most heights in a parameter that counts them: ten million are 19 months of an idle network. Longer memory of ids would
/// be a second ledger.
pub const HEIGHTS_MAX: u64 = 10_000_000;

/// Shortest heartbeat: ten empty blocks a second already fill 0.5 GB a day.
pub const HEARTBEAT_MS_MIN: u64 = 100;

/// Longest heartbeat, one hour: an auditor's "not revoked as of" would be older.
pub const HEARTBEAT_MS_MAX: u64 = 3_600_000;

/// Largest tolerated difference between clocks, one hour: beyond it a block's time says nothing.
pub const CLOCK_DRIFT_MS_MAX: u64 = 3_600_000;

/// Longest timeout of a step, one minute: nobody would call a network alive that waits longer for one validator.
pub const STEP_TIMEOUT_MS_MAX: u64 = 60_000;

/// A network's parameters.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parameters {
    /// Most heights between a transaction's `not_before` and its `expires`: how long ids are remembered.
    pub lifetime_max: u64,
    /// Heights between the announcement of a recovery and its effect.
    pub recovery_delay: u64,
    /// Most bytes of transactions in a block.
    pub block_bytes_max: u32,
    /// Most transactions in a block.
    pub block_transactions_max: u32,
    /// An idle network makes a block after this many milliseconds, so that "not revoked since" has a bound.
    pub heartbeat_ms: u64,
    /// Most milliseconds by which a block's time may differ from a voter's clock.
    pub clock_drift_ms: u64,
    /// How long to wait for a proposal in round 0, in milliseconds.
    pub propose_timeout_ms: u64,
    /// How long to wait for prevotes after two thirds disagree in round 0, in milliseconds.
    pub prevote_timeout_ms: u64,
    /// How long to wait for precommits likewise, in milliseconds.
    pub precommit_timeout_ms: u64,
    /// By how much each of the three grows with each round, in milliseconds.
    pub timeout_delta_ms: u64,
    /// Heights over which quotas count.
    pub quota_window: u64,
    /// Most transactions that an organization and its devices may have included in a window; 0 for no quota.
    pub organization_quota: u32,
    /// Most transactions that one device may have included in a window; 0 for no quota of its own.
    pub device_quota: u32,
}

/// Why parameters do not make a network. Whoever wrote the genesis file, or the measure, is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// Outside of what such a value may be.
    #[error("{field} is {value}, but must be {min} to {max}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
    /// A field that must not be below another one is.
    #[error("{field} is {value}, below {other}, which is {bound}: {reason}")]
    Below {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The field that bounds it.
        other: &'static str,
        /// That field's value.
        bound: u64,
        /// Why it bounds it.
        reason: &'static str,
    },
}

impl Parameters {
    /// Checks each parameter against the caps, and those that depend on each other against each other.
    ///
    /// # Errors
    /// [`ParametersError`], for the first field at fault; whoever wrote the genesis file, or the measure, is to blame.
    pub fn check(&self) -> Result<(), ParametersError> {
        let ranges: [(&'static str, u64, u64, u64); 11] = [
            ("lifetime_max", self.lifetime_max, 1, HEIGHTS_MAX),
            ("recovery_delay", self.recovery_delay, 1, HEIGHTS_MAX),
            // Every valid transaction must fit an empty block, or one could be accepted and never included.
            ("block_bytes_max", self.block_bytes_max.into(), cap(TRANSACTION_BYTES_MAX), cap(BLOCK_BYTES_MAX)),
            ("block_transactions_max", self.block_transactions_max.into(), 1, cap(BLOCK_TRANSACTIONS_MAX)),
            ("heartbeat_ms", self.heartbeat_ms, HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX),
            ("clock_drift_ms", self.clock_drift_ms, 1, CLOCK_DRIFT_MS_MAX),
            ("propose_timeout_ms", self.propose_timeout_ms, 1, STEP_TIMEOUT_MS_MAX),
            ("prevote_timeout_ms", self.prevote_timeout_ms, 1, STEP_TIMEOUT_MS_MAX),
            ("precommit_timeout_ms", self.precommit_timeout_ms, 1, STEP_TIMEOUT_MS_MAX),
            // Timeouts must grow: agreement is only sure to end once they exceed the network's real delay.
            ("timeout_delta_ms", self.timeout_delta_ms, 1, STEP_TIMEOUT_MS_MAX),
            ("quota_window", self.quota_window, 1, HEIGHTS_MAX),
        ];
        for (field, value, min, max) in ranges {
            if value < min || value > max {
                return Err(ParametersError::OutOfRange { field, value, min, max });
            }
        }
        if self.clock_drift_ms < self.propose_timeout_ms {
            return Err(ParametersError::Below {
                field: "clock_drift_ms",
                value: self.clock_drift_ms,
                other: "propose_timeout_ms",
                bound: self.propose_timeout_ms,
                reason: "a proposal that arrives in time would be refused as too old",
            });
        }
        Ok(())
    }
}

/// A cap of `cairn_types::limits`, as wide as the self.
fn cap(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}
