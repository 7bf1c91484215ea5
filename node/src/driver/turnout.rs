//! Who has voted in the rounds under way, so that nobody waits for votes that cannot come.
//!
//! When a quorum has voted and does not agree, agreement waits for the votes of the others. Of those who are not connected
//! none will come: votes go straight from a validator to each other one. So the wait ends as soon as everybody who is
//! connected has voted. To end it is always safe; it only must not be done while somebody slow may still make up a quorum.
//! And only in the first rounds: a height that cannot be decided for long goes through its rounds slower and slower because
//! of these waits, and would fill the disk without them.
//!
//! It counts votes that were verified, and does not look at what they say. Bounded: two heights, and of each the rounds from
//! the one under way to the next.

use std::collections::{BTreeMap, BTreeSet};

use cairn_consensus::{Message, SignedVote, TimerKind, VoteKind};
use cairn_types::{Height, Round, ValidatorIndex, ValidatorSet};

/// Rounds of a height whose waits end early: that in which somebody dies, and one more.
const EARLY_ROUNDS: u32 = 2;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Turnout {
    voted: BTreeMap<(Height, Round, VoteKind), BTreeSet<ValidatorIndex>>,
}

impl Turnout {
    /// Notes a message's vote, while `next` is decided and `round` of it is under way.
    pub(super) fn note(&mut self, message: &Message, next: Height, round: Round) {
        // The signatures in a certificate have not been looked at when it comes here, so a liar could name anybody.
        let (Message::Vote(SignedVote { vote, .. }) | Message::Repeat(SignedVote { vote, .. })) = message else {
            return;
        };
        // What is early is of the next height's first rounds.
        let lowest = if vote.height == next { round } else { Round::ZERO };
        let is_near = vote.height == next || Some(vote.height) == next.next();
        if is_near && vote.round >= lowest && vote.round.get() <= lowest.get().saturating_add(1) {
            self.voted.retain(|(height, of, _), _| *height > next || (*height == next && *of >= round));
            self.voted.entry((vote.height, vote.round, vote.kind)).or_default().insert(vote.validator);
        }
    }

    /// Those of a height's validators whose vote in a round was not seen; `None` if the timer waits for no votes, or shall run
    /// in any case.
    pub(super) fn missing<'a>(
        &'a self,
        (height, round, kind): (Height, Round, TimerKind),
        validators: &'a ValidatorSet,
    ) -> Option<impl Iterator<Item = ValidatorIndex> + 'a> {
        let kind = match kind {
            TimerKind::Prevote => VoteKind::Prevote,
            TimerKind::Precommit => VoteKind::Precommit,
            TimerKind::Propose | TimerKind::Rebroadcast => return None,
        };
        if round.get() >= EARLY_ROUNDS {
            return None;
        }
        let voted = self.voted.get(&(height, round, kind));
        let has_voted = move |index: &ValidatorIndex| voted.is_some_and(|voted| voted.contains(index));
        Some((0..).zip(validators.iter()).map(|(index, _)| index).filter(move |index| !has_voted(index)))
    }

    /// How many votes are kept.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.voted.values().map(BTreeSet::len).sum()
    }
}
