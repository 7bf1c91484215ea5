//! Messages that came early: for the height after the one under way, or before it was started.
//!
//! Others may be a step ahead, and in a quiet network the first message of a height is what starts it. So its messages
//! are kept, checked before they came here, and bounded for each validator, so that nobody can crowd out another.

use std::collections::BTreeMap;

use cairn_types::{Height, Round, ValidatorIndex};

use crate::message::{Message, VoteKind};
use crate::verify::VerifiedMessage;

/// Most messages kept of one validator and kind, one for each round. A node that is this many rounds late learns the rest
/// from repeated votes. With 128 validators, three kinds and 400 B each this is at most 0.6 MB.
const ROUNDS_KEPT_MAX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Proposal,
    Prevote,
    Precommit,
}

#[derive(Debug)]
pub(crate) struct NextHeight {
    height: Height,
    kept: BTreeMap<(ValidatorIndex, Kind), BTreeMap<Round, VerifiedMessage>>,
}

impl NextHeight {
    pub(crate) const fn new(height: Height) -> Self {
        Self { height, kept: BTreeMap::new() }
    }

    pub(crate) const fn height(&self) -> Height {
        self.height
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Keeps a message of this height. The first of a validator, kind and round stays; beyond the cap the lowest round
    /// goes. Certificates are not kept: their signatures are not checked yet, and they are sent again.
    pub(crate) fn keep(&mut self, message: VerifiedMessage) {
        let (author, kind) = match message.message() {
            Message::Proposal(signed) => (signed.proposal.proposer, Kind::Proposal),
            Message::Vote(signed) | Message::Repeat(signed) => {
                let kind = match signed.vote.kind {
                    VoteKind::Prevote => Kind::Prevote,
                    VoteKind::Precommit => Kind::Precommit,
                };
                (signed.vote.validator, kind)
            }
            Message::Polka(_) | Message::Round(_) => return,
        };
        let round = message.message().round();
        let rounds = self.kept.entry((author, kind)).or_default();
        rounds.entry(round).or_insert(message);
        if rounds.len() > ROUNDS_KEPT_MAX {
            rounds.pop_first();
        }
    }

    /// What was kept, in the order in which it is best used: by round, proposals before prevotes before precommits.
    pub(crate) fn into_messages(self) -> Vec<VerifiedMessage> {
        let mut all: Vec<((Round, Kind), VerifiedMessage)> = self
            .kept
            .into_iter()
            .flat_map(|((_, kind), rounds)| rounds.into_iter().map(move |(round, message)| ((round, kind), message)))
            .collect();
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, message)| message).collect()
    }
}

#[cfg(test)]
mod tests {
    use cairn_types::Height;

    use super::{NextHeight, ROUNDS_KEPT_MAX};
    use crate::message::{Message, VoteKind};
    use crate::testing::{Four, block, vote};

    #[test]
    fn a_flood_of_one_validator_is_bounded_and_crowds_out_nobody() {
        let four = Four::new();
        let mut next = NextHeight::new(Height::new(1));
        let mut keep = |vote| next.keep(four.verified(Message::Vote(four.signed_vote(vote))));
        keep(vote(1, 0, VoteKind::Prevote, None, 2));
        for round in 0..50 {
            keep(vote(1, round, VoteKind::Prevote, Some(block("b")), 3));
            keep(vote(1, round, VoteKind::Prevote, None, 3));
        }
        keep(vote(1, 0, VoteKind::Precommit, None, 3));
        next.keep(four.verified(Message::Proposal(four.signed_proposal(1, 0, None, block("b")))));

        let kept: Vec<Message> = next.into_messages().iter().map(|message| message.message().clone()).collect();
        assert_eq!(kept.len(), ROUNDS_KEPT_MAX + 3);
        assert!(matches!(kept[0], Message::Proposal(_)), "proposals come first in their round");
        assert_eq!(kept.last().map(|message| message.round().get()), Some(49), "the latest rounds stay");
    }
}
