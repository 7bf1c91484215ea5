//! Where a stream is silent, and which of its numbers nobody holds. Pure: it reads neither files nor a node.
//!
//! Three things leave a hole in a series of days, and each has its own name. A day whose file was lost is a *missing* number:
//! the ledger has it, the auditor does not. A day that the device never attested has no number; if the stream declared a
//! cadence, it is a *silence* in block time, which no device can talk itself out of. And if the device said when it measured,
//! it is a time that no attestation *claims*.

use cairn_rpc::views::AttestationView;

/// Which part of a stream is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// Its beginning.
    Beginning,
    /// A part between two that are there.
    Middle,
    /// Its end.
    Tail,
}

impl Part {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Beginning => "beginning",
            Self::Middle => "middle",
            Self::Tail => "tail",
        }
    }
}

/// Numbers of a stream, one after another, for which there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) part: Part,
}

/// The missing numbers of a stream of `count`, which ascend, as runs.
pub(super) fn runs(missing: impl IntoIterator<Item = u64>, count: u64) -> Vec<Missing> {
    let mut runs: Vec<Missing> = Vec::new();
    for number in missing {
        match runs.last_mut() {
            Some(run) if run.last.checked_add(1) == Some(number) => run.last = number,
            _ => runs.push(Missing { first: number, last: number, part: Part::Middle }),
        }
    }
    for run in &mut runs {
        let ends = run.last.checked_add(1) == Some(count);
        run.part = match (run.first == 0, ends) {
            (true, true) => Part::Whole,
            (true, false) => Part::Beginning,
            (false, true) => Part::Tail,
            (false, false) => Part::Middle,
        };
    }
    runs
}

/// A time about which the stream says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    /// The attestation before it.
    pub(super) after: u64,
    /// The attestation after it; `None` if there is none yet.
    pub(super) before: Option<u64>,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

fn hole(after: u64, before: Option<u64>, from_ms: i64, to_ms: i64, cadence_s: u32) -> Option<Hole> {
    let cadence_ms = i64::from(cadence_s).saturating_mul(1_000);
    (to_ms.saturating_sub(from_ms) > cadence_ms).then_some(Hole { after, before, from_ms, to_ms })
}

fn pairs(attestations: &[AttestationView]) -> impl Iterator<Item = (&AttestationView, &AttestationView)> {
    attestations.iter().zip(attestations.iter().skip(1))
}

fn signed(time_ms: u64) -> i64 {
    i64::try_from(time_ms).unwrap_or(i64::MAX)
}

/// Pauses between two attestations, in the time of their blocks, that are longer than the declared cadence; and the pause
/// since the last one, if the stream goes on: `now_ms` is the time of the block as of which it was read.
pub(super) fn silences(attestations: &[AttestationView], cadence_s: u32, now_ms: Option<u64>) -> Vec<Hole> {
    let between = pairs(attestations).filter_map(|(one, next)| {
        let (from_ms, to_ms) = (signed(one.time_ms.0), signed(next.time_ms.0));
        hole(one.sequence.0, Some(next.sequence.0), from_ms, to_ms, cadence_s)
    });
    let since = attestations.last().zip(now_ms);
    let since =
        since.and_then(|(last, now_ms)| hole(last.sequence.0, None, signed(last.time_ms.0), signed(now_ms), cadence_s));
    between.chain(since).collect()
}

/// Times that no attestation claims, between two that do, longer than the declared cadence.
pub(super) fn unclaimed(attestations: &[AttestationView], cadence_s: u32) -> Vec<Hole> {
    let between = |(one, next): (&AttestationView, &AttestationView)| {
        let (before, after) = (one.claimed?, next.claimed?);
        hole(one.sequence.0, Some(next.sequence.0), before.to_ms.0, after.from_ms.0, cadence_s)
    };
    pairs(attestations).filter_map(between).collect()
}

#[cfg(test)]
mod tests {
    use cairn_rpc::views::{AttestationView, ClaimedTimeView, Text};

    use super::super::compare::tests::stream;
    use super::{Hole, Missing, Part, runs, silences, unclaimed};

    #[test]
    fn a_lost_tail_a_lost_middle_and_a_lost_beginning_have_their_names() {
        let missing = |first, last, part| Missing { first, last, part };
        let found = runs([0, 3, 4, 8, 9], 10);
        let expected = [missing(0, 0, Part::Beginning), missing(3, 4, Part::Middle), missing(8, 9, Part::Tail)];
        assert_eq!(found, expected);
        assert_eq!(runs([0, 1], 2), [missing(0, 1, Part::Whole)]);
        assert_eq!(runs([], 2), []);
    }

    /// One attestation a day, each included a second after it, but for the days that are left out.
    fn days(days: &[i64]) -> Vec<AttestationView> {
        const DAY_MS: i64 = 86_400_000;
        let mut attestations = stream(&days.iter().map(|_| "day").collect::<Vec<_>>());
        for (attestation, day) in attestations.iter_mut().zip(days) {
            let to_ms = (day + 1) * DAY_MS;
            attestation.claimed = Some(ClaimedTimeView { from_ms: Text(day * DAY_MS), to_ms: Text(to_ms) });
            attestation.time_ms = Text(u64::try_from(to_ms + 1_000).expect("after 1970"));
        }
        attestations
    }

    #[test]
    fn a_whole_day_that_was_never_attested_is_a_silence_and_a_time_that_nobody_claims() {
        let day_s = 86_400;
        let (from_ms, to_ms) = (2 * 86_400_000, 3 * 86_400_000);
        let found = unclaimed(&days(&[0, 1, 3, 4]), day_s - 1);
        assert_eq!(found, [Hole { after: 1, before: Some(2), from_ms, to_ms }]);
        let silent = silences(&days(&[0, 1, 3, 4]), day_s, None);
        assert_eq!(silent, [Hole { after: 1, before: Some(2), from_ms: from_ms + 1_000, to_ms: to_ms + 86_401_000 }]);
        assert_eq!(silences(&days(&[0, 1, 2]), day_s, None), []);
    }

    #[test]
    fn a_stream_that_fell_silent_is_silent_since_its_last_word() {
        let day_ms = 86_400_000_u64;
        let now_ms = 5 * day_ms;
        let found = silences(&days(&[0, 1]), 86_400, Some(now_ms));
        assert_eq!(found, [Hole { after: 1, before: None, from_ms: 2 * 86_400_000 + 1_000, to_ms: 5 * 86_400_000 }]);
        assert_eq!(silences(&days(&[0, 1]), 86_400, Some(2 * day_ms)), []);
        assert_eq!(silences(&[], 86_400, Some(now_ms)), []);
    }
}
