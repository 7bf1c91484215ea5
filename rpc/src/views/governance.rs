//! What a council decides: its members, its measures, the parameters and changes of the rules.

use cairn_types::governance::{Admit, Measure, Upgrade};
use cairn_types::{Height, KeyCommitment, Name, OrganizationId, OrganizationInception, Parameters};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::block::ValidatorsView;
use super::envelope::{IntervalView, PositionView};
use super::organization::{KeySetView, RoleName};
use super::text::Text;

/// How an organization begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrganizationInceptionView {
    /// Its short name, unique in the network.
    pub name: Text<Name>,
    /// Its legal name.
    pub title: String,
    /// Its first keys.
    pub keys: KeySetView,
    /// Commitment to its second keys; without one, its keys never rotate.
    pub next: Option<Text<KeyCommitment>>,
    /// Keys that can recover it.
    pub recovery: Option<KeySetView>,
}

impl From<OrganizationInception> for OrganizationInceptionView {
    fn from(inception: OrganizationInception) -> Self {
        Self {
            name: Text(inception.name),
            title: inception.title,
            keys: KeySetView::from(&inception.keys),
            next: inception.next.map(Text),
            recovery: inception.recovery.as_ref().map(KeySetView::from),
        }
    }
}

/// A network's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParametersView {
    /// Most heights between a transaction's `notBefore` and its `expires`.
    pub lifetime_max: Text<u64>,
    /// Heights between the announcement of a recovery and its effect.
    pub recovery_delay: Text<u64>,
    /// Most bytes of transactions in a block.
    pub block_bytes_max: u32,
    /// Most transactions in a block.
    pub block_transactions_max: u32,
    /// An idle network makes a block after this many milliseconds.
    pub heartbeat_ms: Text<u64>,
    /// Most milliseconds by which a block's time may differ from a voter's clock.
    pub clock_drift_ms: Text<u64>,
    /// How long to wait for a proposal in round 0, in milliseconds.
    pub propose_timeout_ms: Text<u64>,
    /// How long to wait for prevotes in round 0, in milliseconds.
    pub prevote_timeout_ms: Text<u64>,
    /// How long to wait for precommits in round 0, in milliseconds.
    pub precommit_timeout_ms: Text<u64>,
    /// By how much each of the three grows with each round, in milliseconds.
    pub timeout_delta_ms: Text<u64>,
    /// Heights over which quotas count.
    pub quota_window: Text<u64>,
    /// Most transactions of an organization and its devices in a window; 0 for no quota.
    pub organization_quota: u32,
    /// Most transactions of one device in a window; 0 for no quota of its own.
    pub device_quota: u32,
}

impl From<Parameters> for ParametersView {
    fn from(parameters: Parameters) -> Self {
        Self {
            lifetime_max: Text(parameters.lifetime_max),
            recovery_delay: Text(parameters.recovery_delay),
            block_bytes_max: parameters.block_bytes_max,
            block_transactions_max: parameters.block_transactions_max,
            heartbeat_ms: Text(parameters.heartbeat_ms),
            clock_drift_ms: Text(parameters.clock_drift_ms),
            propose_timeout_ms: Text(parameters.propose_timeout_ms),
            prevote_timeout_ms: Text(parameters.prevote_timeout_ms),
            precommit_timeout_ms: Text(parameters.precommit_timeout_ms),
            timeout_delta_ms: Text(parameters.timeout_delta_ms),
            quota_window: Text(parameters.quota_window),
            organization_quota: parameters.organization_quota,
            device_quota: parameters.device_quota,
        }
    }
}

/// The parameters as the ledger has them: who changes one of them begins with those that hold.
impl From<ParametersView> for Parameters {
    fn from(view: ParametersView) -> Self {
        Self {
            lifetime_max: view.lifetime_max.0,
            recovery_delay: view.recovery_delay.0,
            block_bytes_max: view.block_bytes_max,
            block_transactions_max: view.block_transactions_max,
            heartbeat_ms: view.heartbeat_ms.0,
            clock_drift_ms: view.clock_drift_ms.0,
            propose_timeout_ms: view.propose_timeout_ms.0,
            prevote_timeout_ms: view.prevote_timeout_ms.0,
            precommit_timeout_ms: view.precommit_timeout_ms.0,
            timeout_delta_ms: view.timeout_delta_ms.0,
            quota_window: view.quota_window.0,
            organization_quota: view.organization_quota,
            device_quota: view.device_quota,
        }
    }
}

/// A change of the rules at a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeView {
    /// The version from then on.
    pub version: u16,
    /// The first block of that version.
    pub effective: Text<Height>,
}

impl From<Upgrade> for UpgradeView {
    fn from(upgrade: Upgrade) -> Self {
        Self { version: upgrade.version, effective: Text(upgrade.height) }
    }
}

/// One decision of the council, named by `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum MeasureView {
    /// Admit an organization.
    Admit {
        /// Its id: the hash of its inception.
        organization: Text<OrganizationId>,
        /// How it begins.
        inception: OrganizationInceptionView,
        /// What it does here.
        roles: Vec<RoleName>,
    },
    /// Expel one.
    Expel {
        /// The organization.
        organization: Text<OrganizationId>,
    },
    /// Replace the validators, from two heights later on.
    ChangeValidators {
        /// The new set.
        validators: ValidatorsView,
    },
    /// Replace the parameters, from the next block on.
    SetParameters {
        /// The new ones.
        parameters: ParametersView,
    },
    /// Schedule a change of the rules, or call the scheduled one off.
    ScheduleUpgrade {
        /// The change; absent if it is called off.
        upgrade: Option<UpgradeView>,
    },
}

impl From<Measure> for MeasureView {
    fn from(measure: Measure) -> Self {
        match measure {
            Measure::Admit(Admit { inception, roles }) => Self::Admit {
                organization: Text(inception.id()),
                inception: inception.into(),
                roles: roles.iter().map(RoleName::from).collect(),
            },
            Measure::Expel(organization) => Self::Expel { organization: Text(organization) },
            Measure::ChangeValidators(set) => Self::ChangeValidators { validators: ValidatorsView::from(&set) },
            Measure::SetParameters(parameters) => Self::SetParameters { parameters: parameters.into() },
            Measure::ScheduleUpgrade(upgrade) => Self::ScheduleUpgrade { upgrade: upgrade.map(Into::into) },
        }
    }
}

/// The council's organizations during an interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CouncilMembersView {
    /// Their ids, ascending.
    pub organizations: Vec<Text<OrganizationId>>,
}

/// One of the council.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CouncilMemberView {
    /// Its id.
    pub id: Text<OrganizationId>,
    /// Its short name.
    pub name: Text<Name>,
    /// Its legal name.
    pub title: String,
    /// The keys with which it signs a measure.
    pub keys: KeySetView,
}

/// Who governs the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CouncilView {
    /// The organizations, ascending by id.
    pub members: Vec<CouncilMemberView>,
    /// How many of them must sign a measure: more than two thirds.
    pub quorum: u32,
    /// Since when it has these members.
    pub since: PositionView,
    /// How often the council has changed since the genesis.
    pub changes: u32,
    /// Its members in the course of time, up to the present ones; only the latest 100 intervals.
    pub history: Vec<IntervalView<CouncilMembersView>>,
}

/// The parameters that hold, and those that held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParametersAnswer {
    /// What the next block must keep.
    pub parameters: ParametersView,
    /// Since when they hold.
    pub since: PositionView,
    /// How often they have changed since the genesis.
    pub changes: u32,
    /// The parameters in the course of time, up to the present ones; only the latest 100 intervals.
    pub history: Vec<IntervalView<ParametersView>>,
}

/// The version of the rules, and the one that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeAnswer {
    /// The version of the block that was read.
    pub version: u16,
    /// The change that is scheduled, and where that was decided.
    pub scheduled: Option<ScheduledUpgradeView>,
}

/// A change of the rules that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduledUpgradeView {
    /// The change.
    #[serde(flatten)]
    pub upgrade: UpgradeView,
    /// Where the council decided it.
    pub decided: PositionView,
}
