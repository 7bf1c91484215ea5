//! What this node must not sign because its memory of it is gone.
//!
//! The sign state says what was signed last; the write-ahead log says why, and on which block this node is locked. Every
//! signature is in the log before it is in the sign state. So a log that does not hold the last signature of its height has
//! lost entries, to a bad sector or to somebody's hands, and with them perhaps the lock. Then this node signs nothing up to
//! that height: the others decide it, and from the next on it signs again. The same holds for heights that it has signed
//! in before and has to fetch again, because its block log was cut.

use cairn_consensus::{WalEntry, WalRecord};
use cairn_storage::{SignRecord, WalContents};
use cairn_types::{ChainId, Hash, Height};

use super::wal::WAL_AGREEMENT;

/// Up to which height nothing may be signed; `None` if nothing is forgotten. `next` is the height after the newest block,
/// and `last` what was signed last.
pub(super) fn forgotten_through(
    next: Height,
    last: Option<&SignRecord>,
    log: &WalContents,
    chain: &ChainId,
) -> Option<Height> {
    let signed = last.map_or(Height::GENESIS, |last| last.height);
    if log.height > next {
        // The log is of a height that lies ahead again: agreement begins it anew without these entries.
        return Some(signed.max(log.height));
    }
    let last = last.filter(|last| last.height >= next)?;
    let is_remembered = log.height == last.height && log.entries.iter().any(|entry| is_of(entry, last, chain));
    (!is_remembered).then_some(signed)
}

/// Whether an entry is the message that was signed last.
fn is_of(entry: &[u8], last: &SignRecord, chain: &ChainId) -> bool {
    let Some((&WAL_AGREEMENT, bytes)) = entry.split_first() else { return false };
    let message = match WalEntry::decode(bytes).map(|entry| entry.record) {
        Ok(WalRecord::Vote(signed)) => signed.vote.sign_bytes(chain),
        Ok(WalRecord::Proposal(signed)) => signed.proposal.sign_bytes(chain),
        _ => return false,
    };
    Hash::plain(&message).as_bytes().as_slice() == last.bytes
}

#[cfg(test)]
mod tests {
    use cairn_consensus::{SignedVote, Vote, VoteKind};
    use cairn_types::Round;

    use super::*;

    const CHAIN: [u8; 32] = [7; 32];

    fn chain() -> ChainId {
        ChainId::from_hash(Hash::from_bytes(CHAIN))
    }

    fn vote(height: u64) -> Vote {
        Vote { height: Height::new(height), round: Round::new(1), kind: VoteKind::Prevote, block: None, validator: 2 }
    }

    fn signed(height: u64) -> SignRecord {
        let bytes = Hash::plain(&vote(height).sign_bytes(&chain())).as_bytes().to_vec();
        SignRecord { height: Height::new(height), round: Round::new(1), step: 1, bytes }
    }

    fn log(height: u64, votes: &[Vote]) -> WalContents {
        let entry = |vote: &Vote| {
            let record = WalRecord::Vote(SignedVote { vote: *vote, signature: [0; 64] });
            [vec![WAL_AGREEMENT], WalEntry { height: vote.height, record }.encode()].concat()
        };
        let mut entries = vec![vec![super::super::wal::WAL_BLOCK, 1, 2, 3]];
        entries.extend(votes.iter().map(entry));
        let synced = entries.len();
        WalContents { height: Height::new(height), entries, synced, dropped_bytes: 0 }
    }

    #[test]
    fn who_remembers_what_it_signed_may_sign_and_who_does_not_waits_for_the_next_height() {
        let other = Vote { round: Round::new(0), ..vote(9) };
        // Next height, last signature, log, and up to where nothing may be signed.
        let cases = [
            ("an orderly start", 9, Some(signed(9)), log(9, &[other, vote(9)]), None),
            ("nothing signed in this height", 9, Some(signed(8)), log(9, &[]), None),
            ("nothing signed ever", 1, None, log(1, &[]), None),
            ("the height before was decided", 9, Some(signed(8)), log(8, &[vote(8)]), None),
            ("the last entry is gone", 9, Some(signed(9)), log(9, &[other]), Some(9)),
            ("the log is new", 9, Some(signed(9)), log(9, &[]), Some(9)),
            ("an older copy of the log", 9, Some(signed(9)), log(8, &[vote(8)]), Some(9)),
            ("the block log was cut", 4, Some(signed(9)), log(9, &[vote(9)]), Some(9)),
            ("it was cut, and the last height was not signed", 4, Some(signed(8)), log(9, &[]), Some(9)),
            ("it was cut before anything was signed", 4, None, log(9, &[]), Some(9)),
        ];
        for (what, next, last, log, through) in cases {
            let found = forgotten_through(Height::new(next), last.as_ref(), &log, &chain());
            assert_eq!(found, through.map(Height::new), "{what}");
        }
    }
}
