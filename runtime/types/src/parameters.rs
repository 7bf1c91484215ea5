//! What all nodes of a network must agree on and a council may change. They stand in the state, from genesis on.

use borsh::{BorshDeserialize, BorshSerialize};

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
}
