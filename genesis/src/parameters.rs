//! The parameters of a network as a file states them: their form, and what each is if the file does not say, with the
//! reason for its value.
//!
//! [`Parameters`] itself, and which values make sense together, is in `cairn-types`, because a council may change them.

use cairn_types::Parameters;
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

/// Default of `propose_timeout_ms`: building, sending and checking a full block takes some 100 ms; a silent proposer
/// costs half a second, and one that is not connected nothing.
pub const PROPOSE_TIMEOUT_MS: u64 = 500;

/// Default of `prevote_timeout_ms`: ten times a round trip between continents' halves; it runs only if votes disagree.
pub const PREVOTE_TIMEOUT_MS: u64 = 250;

/// Default of `precommit_timeout_ms`: as for prevotes.
pub const PRECOMMIT_TIMEOUT_MS: u64 = 250;

/// Default of `timeout_delta_ms`: after ten failed rounds each step waits 2.5 s longer, enough for a bad satellite link.
pub const TIMEOUT_DELTA_MS: u64 = 250;

/// Default of `quota_window`: the heights over which quotas count, some minutes of a busy network.
pub const QUOTA_WINDOW: u64 = 1_000;

/// Default of `organization_quota` and `device_quota`: none. A council sets them once it knows what its members need; the
/// pools of the nodes are fair without one.
pub const QUOTA: u32 = 0;

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
        quota_window: QUOTA_WINDOW,
        organization_quota: QUOTA,
        device_quota: QUOTA,
    }
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
    #[serde(default = "default::quota_window")]
    quota_window: u64,
    #[serde(default = "default::organization_quota")]
    organization_quota: u32,
    #[serde(default = "default::device_quota")]
    device_quota: u32,
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
        quota_window: u64,
        organization_quota: u32,
        device_quota: u32,
    );
}
