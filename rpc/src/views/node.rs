//! The node itself: how it does and whom it knows.

use cairn_types::{BlockHash, ChainId, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::governance::UpgradeView;
use super::text::{Hex, Text};
use crate::backend::{NodeState, NodeStatus, PeerInfo, Warning};

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NodeStateName {
    /// Reading its disk.
    Starting,
    /// Fetching blocks that others have.
    Syncing,
    /// Up to date, without a vote.
    Following,
    /// Up to date, and voting.
    Validating,
}

impl NodeStateName {
    /// Whether the node serves fresh answers.
    pub const fn is_healthy(self) -> bool {
        matches!(self, Self::Following | Self::Validating)
    }
}

impl From<NodeState> for NodeStateName {
    fn from(state: NodeState) -> Self {
        match state {
            NodeState::Starting => Self::Starting,
            NodeState::Syncing => Self::Syncing,
            NodeState::Following => Self::Following,
            NodeState::Validating => Self::Validating,
        }
    }
}

/// Where the chain and the node stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// The network.
    pub chain: Text<ChainId>,
    /// The latest final block.
    pub hash: Text<BlockHash>,
    /// Its time, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: Text<u64>,
    /// The oldest height that can still be asked for with `at`.
    pub oldest_state: Text<Height>,
    /// The first height whose block is kept here, apart from block 0: above 1 if the node joined by a snapshot or dropped
    /// old blocks.
    pub first_height: Text<Height>,
    /// What the node is doing.
    pub state: NodeStateName,
    /// Its place in the validator set, if it is a validator.
    pub validator: Option<u16>,
    /// Peers it is connected to.
    pub peers: u32,
    /// Transactions that wait for a block.
    pub pending: u32,
    /// Bytes of those transactions.
    pub pending_bytes: Text<u64>,
}

impl From<NodeStatus> for StatusView {
    fn from(status: NodeStatus) -> Self {
        Self {
            chain: Text(status.chain),
            hash: Text(status.hash),
            time_ms: Text(status.time_ms),
            oldest_state: Text(status.oldest_state),
            first_height: Text(status.first_height),
            state: status.state.into(),
            validator: status.validator,
            peers: status.peers,
            pending: status.pending,
            pending_bytes: Text(status.pending_bytes),
        }
    }
}

/// Whether the node does its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// Whether it is up to date.
    pub healthy: bool,
    /// What it is doing.
    pub state: NodeStateName,
    /// Rules that are scheduled and that its program does not know: it will stop before them, unless a newer program is
    /// installed. `null` if it knows all that lies ahead.
    pub upgrade_needed: Option<UpgradeView>,
    /// What its operator should look at while it goes on.
    pub warnings: Vec<WarningView>,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WarningName {
    /// There is so little room on its disk that it takes no more transactions.
    DiskNearlyFull,
    /// Its clock is far from the time that the validators agree on.
    ClockOff,
}

/// Something that an operator should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WarningView {
    /// What it is about.
    pub name: WarningName,
    /// The same in words, with figures.
    pub message: String,
}

impl From<Warning> for WarningView {
    fn from(warning: Warning) -> Self {
        match warning {
            Warning::DiskNearlyFull { free_bytes, low_water_bytes } => Self {
                name: WarningName::DiskNearlyFull,
                message: format!(
                    "{free_bytes} bytes are left on its disk, and below {low_water_bytes} it takes no more transactions"
                ),
            },
            Warning::ClockOff { off_ms } => Self {
                name: WarningName::ClockOff,
                message: format!(
                    "its clock is {} ms {} the time that the validators agree on",
                    off_ms.unsigned_abs(),
                    if off_ms < 0 { "behind" } else { "ahead of" }
                ),
            },
        }
    }
}

/// What runs here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionView {
    /// The program's version.
    pub version: String,
    /// The header version that it writes.
    pub header_version: u16,
    /// The network.
    pub chain: Text<ChainId>,
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerView {
    /// The Ed25519 key that names it in the network.
    pub peer: Hex,
    /// The address it is reached at.
    pub address: String,
    /// Its place in the validator set, if it is a validator.
    pub validator: Option<u16>,
    /// The height that it last told.
    #[serde(rename = "peerHeight")]
    pub height: Option<Text<Height>>,
}

impl From<PeerInfo> for PeerView {
    fn from(peer: PeerInfo) -> Self {
        Self {
            peer: Text(peer.peer.to_vec()),
            address: peer.address,
            validator: peer.validator,
            height: peer.height.map(Text),
        }
    }
}
