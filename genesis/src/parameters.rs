//! The parameters of a network: what each is if the file does not say, and which values make sense together.
//!
//! [`Parameters`] itself is in `cairn-types`, because the rules read it from the state. Here it gets its form in a file,
//! its defaults, each with the reason for its value, and [`validate`]. The hard caps are in `cairn_types::limits`.

use cairn_types::Parameters;
use cairn_types::limits::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};
use serde::{Deserialize, Serialize};

/// Default of `lifetime_max`, in heights: 28 hours of an idle network, so that what was signed in the evening can be
/// handed in next morning, and half an hour of one that makes ten blocks a second. Every id is remembered that long.
pub const LIFETIME_MAX: u64 = 20_000;

/// Default of `recovery_delay`, in heights: 14 hours of an idle network in which an owner can notice a recovery that it
/// did not ask for, and cancel it.
pub const RECOVERY_DELAY: u64 = 10_000;

/// Default of `block_bytes_max`: 2,000 attestations of about 250 B, which four validators exchange in some 10 ms on a
/// 1 Gbit/s network, and half of the hard cap, so that a council has room.
pub const BLOCK_BYTES_MAX_DEFAULT: u32 = 512 * 1024;

/// Default of `block_transactions_max`: the hard cap, because bytes are the tighter limit.
pub const BLOCK_TRANSACTIONS_MAX_DEFAULT: u32 = 4_096;

/// Default of `heartbeat_ms`: "not revoked as of" is never older than 5 s, and an idle network writes 17,280 blocks of
/// about 0.6 kB a day.
pub const HEARTBEAT_MS: u64 = 5_000;

/// Default of `clock_drift_ms`: a hundred times the error of a clock kept by NTP, so that only broken clocks are left out.
pub const CLOCK_DRIFT_MS: u64 = 10_000;

/// Default of `propose_timeout_ms`: building, sending and checking a full block takes some 100 ms; a dead proposer costs
/// half a second.
pub const PROPOSE_TIMEOUT_MS: u64 = 500;

/// Default of `prevote_timeout_ms`: ten times a round trip between continents' halves; it runs only if votes disagree.
pub const PREVOTE_TIMEOUT_MS: u64 = 250;

/// Default of `precommit_timeout_ms`: as for prevotes.
pub const PRECOMMIT_TIMEOUT_MS: u64 = 250;

/// Default of `timeout_delta_ms`: after ten failed rounds each step waits 2.5 s longer, enough for a bad satellite link.
pub const TIMEOUT_DELTA_MS: u64 = 250;

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

/// The parameters of a file that names none.
pub const fn defaults() -> Parameters {
    Parameters {
        lifetime_max: LIFETIME_MAX,
        recovery_delay: RECOVERY_DELAY,
        block_bytes_max: BLOCK_BYTES_MAX_DEFAULT,
        block_transactions_max: BLOCK_TRANSACTIONS_MAX_DEFAULT,
        heartbeat_ms: HEARTBEAT_MS,
        clock_drift_ms: CLOCK_DRIFT_MS,
        propose_timeout_ms: PROPOSE_TIMEOUT_MS,
        prevote_timeout_ms: PREVOTE_TIMEOUT_MS,
        precommit_timeout_ms: PRECOMMIT_TIMEOUT_MS,
        timeout_delta_ms: TIMEOUT_DELTA_MS,
    }
}

/// Why parameters do not make a network. Whoever wrote the genesis file is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// Outside of what such a value may be.
    #[error("parameters.{field} is {value}, but must be {min} to {max}")]
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
    #[error("parameters.{field} is {value}, below parameters.{other}, which is {bound}: {reason}")]
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

/// Checks each parameter against the caps, and those that depend on each other against each other.
///
/// # Errors
/// [`ParametersError`], for the first field at fault; whoever wrote the genesis file is to blame.
pub fn validate(parameters: &Parameters) -> Result<(), ParametersError> {
    let ranges: [(&'static str, u64, u64, u64); 10] = [
        ("lifetime_max", parameters.lifetime_max, 1, HEIGHTS_MAX),
        ("recovery_delay", parameters.recovery_delay, 1, HEIGHTS_MAX),
        // Every valid transaction must fit an empty block, or one could be accepted and never included.
        ("block_bytes_max", parameters.block_bytes_max.into(), cap(TRANSACTION_BYTES_MAX), cap(BLOCK_BYTES_MAX)),
        ("block_transactions_max", parameters.block_transactions_max.into(), 1, cap(BLOCK_TRANSACTIONS_MAX)),
        ("heartbeat_ms", parameters.heartbeat_ms, HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX),
        ("clock_drift_ms", parameters.clock_drift_ms, 1, CLOCK_DRIFT_MS_MAX),
        ("propose_timeout_ms", parameters.propose_timeout_ms, 1, STEP_TIMEOUT_MS_MAX),
        ("prevote_timeout_ms", parameters.prevote_timeout_ms, 1, STEP_TIMEOUT_MS_MAX),
        ("precommit_timeout_ms", parameters.precommit_timeout_ms, 1, STEP_TIMEOUT_MS_MAX),
        // Timeouts must grow: agreement is only sure to end once they exceed the network's real delay.
        ("timeout_delta_ms", parameters.timeout_delta_ms, 1, STEP_TIMEOUT_MS_MAX),
    ];
    for (field, value, min, max) in ranges {
        if value < min || value > max {
            return Err(ParametersError::OutOfRange { field, value, min, max });
        }
    }
    if parameters.clock_drift_ms < parameters.propose_timeout_ms {
        return Err(ParametersError::Below {
            field: "clock_drift_ms",
            value: parameters.clock_drift_ms,
            other: "propose_timeout_ms",
            bound: parameters.propose_timeout_ms,
            reason: "a proposal that arrives in time would be refused as too old",
        });
    }
    Ok(())
}

/// A cap of `cairn_types::limits`, as wide as the parameters.
fn cap(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

/// [`Parameters`] as a TOML table: unknown fields are refused, missing ones have their default.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Parameters", deny_unknown_fields)]
pub(crate) struct InFile {
    #[serde(default = "default::lifetime_max")]
    lifetime_max: u64,
    #[serde(default = "default::recovery_delay")]
    recovery_delay: u64,
    #[serde(default = "default::block_bytes_max")]
    block_bytes_max: u32,
    #[serde(default = "default::block_transactions_max")]
    block_transactions_max: u32,
    #[serde(default = "default::heartbeat_ms")]
    heartbeat_ms: u64,
    #[serde(default = "default::clock_drift_ms")]
    clock_drift_ms: u64,
    #[serde(default = "default::propose_timeout_ms")]
    propose_timeout_ms: u64,
    #[serde(default = "default::prevote_timeout_ms")]
    prevote_timeout_ms: u64,
    #[serde(default = "default::precommit_timeout_ms")]
    precommit_timeout_ms: u64,
    #[serde(default = "default::timeout_delta_ms")]
    timeout_delta_ms: u64,
}

/// serde takes a default from a function only.
mod default {
    macro_rules! from_defaults {
        ($($field:ident: $kind:ty),* $(,)?) => {$(
            pub(super) const fn $field() -> $kind {
                super::defaults().$field
            }
        )*};
    }
    from_defaults!(
        lifetime_max: u64,
        recovery_delay: u64,
        block_bytes_max: u32,
        block_transactions_max: u32,
        heartbeat_ms: u64,
        clock_drift_ms: u64,
        propose_timeout_ms: u64,
        prevote_timeout_ms: u64,
        precommit_timeout_ms: u64,
        timeout_delta_ms: u64,
    );
}
