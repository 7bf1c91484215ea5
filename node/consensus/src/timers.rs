//! Timers: what agreement waits for, and how long.
//!
//! The machine has no clock. It asks for a timer by name and duration; the node runs it and hands the name back when it
//! fires. A timer of a height or round that has passed is ignored, so a late firing does no harm.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::{Height, Round};

/// What a timer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum TimerKind {
    /// A proposal; without one we prevote for no block.
    Propose = 0,
    /// More prevotes, after a quorum that does not agree; then we precommit no block.
    Prevote = 1,
    /// More precommits, after a quorum that does not agree; then the next round starts.
    Precommit = 2,
    /// Any progress; without it our last votes are sent again.
    Rebroadcast = 3,
}

/// The name of a timer. Starting one that runs already starts it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// The height that waits.
    pub height: Height,
    /// The round that waits.
    pub round: Round,
    /// For what.
    pub kind: TimerKind,
}

/// No wait is longer than this, in milliseconds, however high the round: after a long outage agreement goes on within
/// half a minute of the network's return.
pub const WAIT_MS_MAX: u64 = 30_000;

/// How long the steps of a round wait, in milliseconds. All nodes of a network should use the same values, but safety
/// does not depend on it.
///
/// A wait grows by the delta with each round of a height, so that a slow network sooner or later gets a round that is
/// long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Wait for a proposal in round 0.
    pub propose_ms: u64,
    /// Wait for more prevotes in round 0.
    pub prevote_ms: u64,
    /// Wait for more precommits in round 0.
    pub precommit_ms: u64,
    /// Added to each of the three with each round.
    pub delta_ms: u64,
    /// Without progress, our votes are repeated this often. It does not grow: repeating is cheap, and it is how a node
    /// that lost its connections gets going again.
    pub rebroadcast_ms: u64,
}

impl Timeouts {
    /// How long `timer` runs, in milliseconds.
    pub fn duration_ms(&self, timer: &Timer) -> u64 {
        let (base, delta) = match timer.kind {
            TimerKind::Propose => (self.propose_ms, self.delta_ms),
            TimerKind::Prevote => (self.prevote_ms, self.delta_ms),
            TimerKind::Precommit => (self.precommit_ms, self.delta_ms),
            TimerKind::Rebroadcast => (self.rebroadcast_ms, 0),
        };
        base.saturating_add(delta.saturating_mul(u64::from(timer.round.get()))).min(WAIT_MS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use cairn_types::{Height, Round};

    use super::{Timeouts, Timer, TimerKind, WAIT_MS_MAX};

    #[test]
    fn waits_grow_with_the_round_up_to_the_maximum_and_never_overflow() {
        let timeouts =
            Timeouts { propose_ms: 500, prevote_ms: 200, precommit_ms: 200, delta_ms: 100, rebroadcast_ms: 1_000 };
        let wait =
            |kind, round| timeouts.duration_ms(&Timer { height: Height::new(1), round: Round::new(round), kind });
        assert_eq!(wait(TimerKind::Propose, 0), 500);
        assert_eq!(wait(TimerKind::Propose, 2), 700);
        assert_eq!(wait(TimerKind::Prevote, 1), 300);
        assert_eq!(wait(TimerKind::Precommit, 3), 500);
        assert_eq!(wait(TimerKind::Rebroadcast, 9), 1_000);
        assert_eq!(wait(TimerKind::Propose, u32::MAX), WAIT_MS_MAX);
        let vast = Timeouts { delta_ms: u64::MAX, ..timeouts };
        let timer = Timer { height: Height::new(1), round: Round::new(u32::MAX), kind: TimerKind::Propose };
        assert_eq!(vast.duration_ms(&timer), WAIT_MS_MAX);
    }
}
