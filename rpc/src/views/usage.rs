//! What principals have used of their quotas.

use cairn_types::record::Usage;
use cairn_types::{Height, Parameters};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Text;

/// What a principal has used of its quota in the window of the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageView {
    /// The window: the next block's height divided by the parameter `quotaWindow`.
    pub window: Text<u64>,
    /// The first height of the window after it, when all is counted anew.
    pub until: Text<Height>,
    /// Transactions in this window; not counted while there is no quota.
    pub used: u32,
    /// Most transactions in a window; 0: there is no quota.
    pub quota: u32,
    /// How many of these are kept for calls that take authority away or stop harm.
    pub reserved: u32,
    /// How many other calls still fit; absent if there is no quota.
    pub left: Option<u32>,
}

impl UsageView {
    /// The usage of somebody with this quota, as the block at `height` finds it.
    pub fn new(height: Height, parameters: &Parameters, quota: u32, usage: Option<Usage>) -> Self {
        // The parameter is never 0, but what is shown must not depend on that.
        let length = parameters.quota_window.max(1);
        let window = height.get() / length;
        let until = window.saturating_add(1).saturating_mul(length);
        let used = usage.filter(|usage| usage.window == window).map_or(0, |usage| usage.count);
        let reserved = quota / 10;
        let left = (quota != 0).then(|| (quota - reserved).saturating_sub(used));
        Self { window: Text(window), until: Text(Height::new(until)), used, quota, reserved, left }
    }
}

#[cfg(test)]
mod tests {
    use cairn_types::record::Usage;
    use cairn_types::{Height, Parameters};

    use super::UsageView;

    const PARAMETERS: Parameters = Parameters {
        lifetime_max: 1,
        recovery_delay: 1,
        block_bytes_max: 1,
        block_transactions_max: 1,
        heartbeat_ms: 1,
        clock_drift_ms: 1,
        propose_timeout_ms: 1,
        prevote_timeout_ms: 1,
        precommit_timeout_ms: 1,
        timeout_delta_ms: 1,
        quota_window: 100,
        organization_quota: 0,
        device_quota: 0,
    };

    #[test]
    fn the_last_tenth_is_kept_and_each_window_counts_anew() {
        let usage = Some(Usage { window: 2, count: 30 });
        let seen = |height, quota| {
            let view = UsageView::new(Height::new(height), &PARAMETERS, quota, usage);
            (view.used, view.reserved, view.left, view.until.0.get())
        };
        assert_eq!(seen(299, 50), (30, 5, Some(15), 300));
        assert_eq!(seen(299, 31), (30, 3, Some(0), 300), "the reserve is all that is left");
        assert_eq!(seen(300, 50), (0, 5, Some(45), 400));
        assert_eq!(seen(299, 0), (30, 0, None, 300));
    }
}
