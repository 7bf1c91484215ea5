//! Gaps: numbers of a stream that the ledger holds and an auditor does not.
//!
//! A stream has no gaps in the ledger, and a bundle holds one attestation, so no single verdict can show one. It takes all
//! files that the auditor has of a stream: whatever number below the stream's count none of them is about was left out on
//! the way to the auditor. A whole day, a piece in the middle and a lost tail show alike.

use std::collections::{BTreeMap, BTreeSet};

use cairn_types::StreamId;

use super::Verdict;
use super::axes::StreamStanding;

/// Numbers of a stream, one after another, that nothing was shown about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The stream.
    pub stream: StreamId,
    /// The first number that is missing.
    pub from: u64,
    /// The first number after it that is not; the count of the stream if its tail is missing.
    pub to: u64,
}

/// The gaps between these verdicts, by stream and number. A stream reaches as far as the newest of its verdicts says. A
/// verdict whose stream was not reached, or contradicts it, is about nothing.
pub fn gaps<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Vec<Gap> {
    let mut streams: BTreeMap<StreamId, (u64, BTreeSet<u64>)> = BTreeMap::new();
    for verdict in verdicts {
        if let (Some(statement), Some(stream)) = (&verdict.statement, &verdict.stream)
            && stream.standing != StreamStanding::Contradicts
        {
            let (count, shown) = streams.entry(statement.stream).or_default();
            *count = stream.count.max(*count);
            shown.insert(stream.sequence);
        }
    }
    let mut gaps = Vec::new();
    for (stream, (count, shown)) in streams {
        let mut from = 0;
        for number in shown.into_iter().chain([count]) {
            if from < number {
                gaps.push(Gap { stream, from, to: number });
            }
            from = number.saturating_add(1);
        }
    }
    gaps
}
