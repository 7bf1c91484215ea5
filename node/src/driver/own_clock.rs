//! Whether this node's own clock can be right, by the blocks that two thirds of the validators agreed on.
//!
//! ```text
//! a final block's time lies ahead of this clock            this clock is behind
//! a block was held back for its time, and decided anyway    this clock is off, or the block was long on its way
//! a block was in time, and decided                          this clock is right
//! ```
//!
//! A wrong clock stops nothing: the node goes on committing what the others decide, and is not believed where it proposes.
//! But its vote is missing, so its operator must hear of it. Blocks that are fetched later say nothing of a clock that is
//! ahead, so a node that only follows notices one that is behind.

use super::Driver;

/// When this node first heard of a block that is decided now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// While it was agreed on, and its time was near this clock.
    InTime,
    /// While it was agreed on, and its time was far from this clock.
    HeldBack,
    /// When it was final.
    Later,
}

/// By how many milliseconds this clock is ahead of what the others agree on, or behind it if negative; 0 if it may well be
/// right; `None` if this block does not tell.
fn off_ms(time_ms: u64, now_ms: u64, drift_ms_max: u64, heard: Heard) -> Option<i64> {
    let difference = i128::from(now_ms) - i128::from(time_ms);
    let off = i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX });
    let is_behind = difference < -i128::from(drift_ms_max);
    match heard {
        _ if is_behind => Some(off),
        Heard::HeldBack => Some(off),
        Heard::InTime => Some(0),
        Heard::Later => None,
    }
}

impl Driver {
    /// Looks at a block that is decided now.
    pub(super) fn look_at_clock(&self, time_ms: u64, heard: Heard) {
        let drift_ms_max = self.chain.tip().parameters.clock_drift_ms;
        let Some(off_ms) = off_ms(time_ms, self.surroundings.now_ms(), drift_ms_max, heard) else { return };
        let before = self.shared.set_clock_off_ms(off_ms);
        if off_ms != 0 && before == 0 {
            tracing::warn!(
                off_ms,
                "this node's clock is far from the time that the others agree on; set it, or its vote is missing"
            );
        } else if off_ms == 0 && before != 0 {
            tracing::info!("this node's clock agrees with the others again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, off_ms};

    #[test]
    fn a_clock_is_judged_by_what_was_decided() {
        let hour = 3_600_000;
        let cases = [
            ("right", 10_000_000, 10_000_040, Heard::InTime, Some(0)),
            ("right, and the block was long decided", 10_000_000, 99_000_000, Heard::Later, None),
            ("an hour ahead", 10_000_000, 10_000_000 + hour, Heard::HeldBack, Some(3_600_000)),
            ("an hour behind", 10_000_000, 10_000_000 - hour, Heard::HeldBack, Some(-3_600_000)),
            ("an hour behind, and it follows", 10_000_000, 10_000_000 - hour, Heard::Later, Some(-3_600_000)),
            ("an hour behind, and it proposed", 10_000_000, 10_000_000 - hour, Heard::InTime, Some(-3_600_000)),
            ("before 1970", u64::MAX, 0, Heard::Later, Some(i64::MIN)),
        ];
        for (what, time_ms, now_ms, heard, expected) in cases {
            assert_eq!(off_ms(time_ms, now_ms, 10_000, heard), expected, "{what}");
        }
    }
}
