//! The order of effects: nothing leaves before what it rests on is on disk.

use std::collections::{BTreeMap, BTreeSet};

use cairn_types::Round;

use crate::interface::Effect;
use crate::message::{Message, VoteKind};
use crate::timers::Timer;
use crate::wal::WalRecord;

/// Puts effects into their final order: everything appended; one sync if anything leaves; what leaves, in the order
/// in which others can use it; the rest as it came; and the decision last, because writing it takes longest and others
/// wait for our vote.
///
/// `unsynced` says whether anything was appended or signed since the last sync, and is brought up to date.
///
/// A decision needs no sync of the log: it stands by its certificate, and our own vote in it leaves by `Broadcast`.
pub(super) fn arrange(effects: Vec<Effect>, unsynced: &mut bool) -> Vec<Effect> {
    let (mut arranged, mut leaving, mut rest, mut end) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for effect in effects {
        match &effect {
            Effect::Append(_) => arranged.push(effect),
            Effect::Broadcast(_) | Effect::Restream { .. } => leaving.push(effect),
            Effect::Decide(_) | Effect::Evidence(_) | Effect::PeerAhead { .. } | Effect::Fault(_) => {
                end.push(effect);
            }
            _ => rest.push(effect),
        }
    }
    *unsynced |= !arranged.is_empty();
    if !leaving.is_empty() && *unsynced {
        arranged.push(Effect::Sync);
        *unsynced = false;
    }
    leaving.sort_by_key(place_in_round);
    arranged.extend(leaving.into_iter().chain(rest).chain(end));
    arranged
}

/// Why a round is entered, then the block's bytes, why it may be proposed again, its proposal, and the votes. The engine
/// says them from the inside out.
const fn place_in_round(effect: &Effect) -> (u32, u8) {
    match effect {
        Effect::Restream { round, .. } => (round.get(), 1),
        Effect::Broadcast(message) => {
            let place = match message {
                Message::Round(_) => 0,
                Message::Polka(_) => 2,
                Message::Proposal(_) => 3,
                Message::Vote(signed) | Message::Repeat(signed) => match signed.vote.kind {
                    VoteKind::Prevote => 4,
                    VoteKind::Precommit => 5,
                },
            };
            (message.round().get(), place)
        }
        _ => (u32::MAX, u8::MAX),
    }
}

/// What a playback said that still matters when it is over.
pub(super) fn still_of_use(
    said: Vec<Effect>,
    round: Round,
    logged: &BTreeSet<WalRecord>,
    proposed: &BTreeSet<Round>,
) -> Vec<Effect> {
    let mut timers: BTreeMap<Timer, u64> = BTreeMap::new();
    let mut kept = Vec::new();
    for effect in said {
        match effect {
            Effect::Append(entry) => {
                if let WalRecord::TimerFired { round, kind } = entry.record {
                    timers.remove(&Timer { height: entry.height, round, kind });
                }
                if !logged.contains(&entry.record) {
                    kept.push(Effect::Append(entry));
                }
            }
            Effect::StartTimer { timer, after_ms } => {
                timers.insert(timer, after_ms);
            }
            Effect::CancelTimer(timer) => {
                timers.remove(&timer);
            }
            Effect::CancelAllTimers => timers.clear(),
            // A certificate for entering the present round speaks of the round before.
            Effect::Broadcast(message) if message.round().get().saturating_add(1) >= round.get() => {
                kept.push(Effect::Broadcast(message));
            }
            Effect::Restream { round: at, .. } | Effect::RoundStarted { round: at, .. } if at == round => {
                kept.push(effect);
            }
            Effect::Propose { round: at, .. } if at == round && !proposed.contains(&at) => kept.push(effect),
            Effect::Broadcast(_) | Effect::Restream { .. } | Effect::RoundStarted { .. } | Effect::Propose { .. } => {}
            other => kept.push(other),
        }
    }
    kept.extend(timers.into_iter().map(|(timer, after_ms)| Effect::StartTimer { timer, after_ms }));
    kept
}
