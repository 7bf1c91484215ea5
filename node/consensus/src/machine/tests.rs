//! The seam, rule by rule. What many machines do together is in `tests/sim`.
//!
//! In these stories it is validator 1's turn at height 1, round 0, and validator 2's in round 1.

use std::sync::Arc;

use cairn_types::{Height, Round, ValidatorSet};

use super::Machine;
use super::under_way::UNPROPOSED_BLOCKS_MAX;
use crate::interface::{Effect, Fault, Input, SignRequest, Start};
use crate::message::{Message, RoundCertificate, RoundCertificateKind, RoundVote, SignedVote, VoteKind};
use crate::testing::{Four, TIMEOUTS, TestSigner, appended, block, broadcasts, vote};
use crate::timers::{Timer, TimerKind};
use crate::wal::{Validity, WalEntry, WalRecord, usable};

use VoteKind::{Precommit, Prevote};

const ONE: Height = Height::new(1);

fn executed(name: &str, validity: Validity) -> Input {
    Input::BlockExecuted { height: ONE, block: block(name), validity }
}

fn fired(round: u32, kind: TimerKind) -> Input {
    Input::TimerFired(Timer { height: ONE, round: Round::new(round), kind })
}

/// A machine of validator `me` at height 1.
fn started(four: &Four, me: u16) -> (Machine, TestSigner) {
    let (mut machine, mut signer) = (four.machine(me, 0, Vec::new()), four.signer(me));
    let effects = machine.step(four.start(1), &mut signer);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::RoundStarted { round: Round::ZERO, .. })));
    (machine, signer)
}

/// What the effects say for the first time, as votes.
fn votes(effects: &[Effect]) -> Vec<SignedVote> {
    broadcasts(effects)
        .into_iter()
        .filter_map(|message| match message {
            Message::Vote(signed) => Some(*signed),
            _ => None,
        })
        .collect()
}

#[test]
fn a_height_runs_from_proposal_to_decision_in_the_stated_order() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    let proposal = four.signed_proposal(1, 0, None, block("b"));

    let effects = machine.step(four.say(Message::Proposal(proposal)), &mut signer);
    let need = Effect::NeedBlock { height: ONE, round: Round::ZERO, block: block("b"), proposer: 1 };
    assert!(effects.contains(&need), "{effects:?}");
    assert!(broadcasts(&effects).is_empty(), "no vote for a block that was not executed");
    assert!(!effects.contains(&Effect::Sync), "nothing leaves, so nothing must be on disk yet");

    let effects = machine.step(executed("b", Validity::Valid), &mut signer);
    let prevote = four.signed_vote(vote(1, 0, Prevote, Some(block("b")), 0));
    assert_eq!(votes(&effects), [prevote]);
    let place = |wanted: &Effect| effects.iter().position(|effect| effect == wanted).expect("the effect is there");
    let logged = Effect::Append(WalEntry { height: ONE, record: WalRecord::Vote(prevote) });
    let sent = Effect::Broadcast(Message::Vote(prevote));
    assert!(place(&logged) < place(&Effect::Sync) && place(&Effect::Sync) < place(&sent), "{effects:?}");
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::Sync).count(), 1, "one sync serves the step");

    assert_eq!(machine.step(four.says(vote(1, 0, Prevote, Some(block("b")), 1)), &mut signer).len(), 1);
    let effects = machine.step(four.says(vote(1, 0, Prevote, Some(block("b")), 2)), &mut signer);
    assert_eq!(votes(&effects), [four.signed_vote(vote(1, 0, Precommit, Some(block("b")), 0))]);

    let _ = machine.step(four.says(vote(1, 0, Precommit, Some(block("b")), 3)), &mut signer);
    let effects = machine.step(four.says(vote(1, 0, Precommit, Some(block("b")), 1)), &mut signer);
    let certificate = effects.iter().find_map(|effect| match effect {
        Effect::Decide(certificate) => Some(certificate.clone()),
        _ => None,
    });
    let certificate = certificate.expect("three of four precommitted");
    assert_eq!(certificate.verify(&four.chain, ONE, &block("b"), &four.set), Ok(()));
    assert_eq!(certificate.signatures.iter().map(|signed| signed.validator).collect::<Vec<_>>(), [0, 1, 3]);

    // Quiet: timers are off, nothing is armed after, and late messages change nothing.
    let cancel = effects.iter().rposition(|effect| *effect == Effect::CancelAllTimers).expect("timers are off");
    assert!(!effects[cancel..].iter().any(|effect| matches!(effect, Effect::StartTimer { .. })));
    assert_eq!((machine.tip(), machine.under_way()), (ONE, None));
    assert_eq!(machine.step(four.says(vote(1, 0, Precommit, Some(block("b")), 2)), &mut signer), []);
    assert_eq!(machine.step(fired(0, TimerKind::Rebroadcast), &mut signer), []);
    assert_eq!(machine.step(executed("b", Validity::Valid), &mut signer), []);
}

#[test]
fn the_proposer_builds_and_says_nothing_before_the_sync() {
    let four = Four::new();
    let (mut machine, mut signer) = (four.machine(1, 0, Vec::new()), four.signer(1));
    let effects = machine.step(four.start(1), &mut signer);
    assert!(effects.contains(&Effect::Propose { height: ONE, round: Round::ZERO }));
    let input = Input::BlockProposed { height: ONE, round: Round::ZERO, block: block("b") };
    let effects = machine.step(input, &mut signer);
    let sync = effects.iter().position(|effect| *effect == Effect::Sync).expect("something leaves");
    assert!(effects[..sync].iter().all(|effect| matches!(effect, Effect::Append(_))), "{effects:?}");
    let proposal = Message::Proposal(four.signed_proposal(1, 0, None, block("b")));
    let prevote = Message::Vote(four.signed_vote(vote(1, 0, Prevote, Some(block("b")), 1)));
    let sent = broadcasts(&effects[sync..]);
    assert!(sent.contains(&&proposal) && sent.contains(&&prevote), "{sent:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::NeedBlock { .. })), "it has its own block");
}

#[test]
fn a_block_that_breaks_the_rules_gets_a_vote_for_none() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    // Bytes may be executed before the proposal comes.
    assert_eq!(machine.step(executed("b", Validity::Invalid), &mut signer), []);
    let proposal = Message::Proposal(four.signed_proposal(1, 0, None, block("b")));
    let effects = machine.step(four.say(proposal), &mut signer);
    assert_eq!(votes(&effects), [four.signed_vote(vote(1, 0, Prevote, None, 0))]);
}

#[test]
fn a_silent_proposer_is_passed_over_and_the_next_one_asked() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 2);
    let effects = machine.step(fired(0, TimerKind::Propose), &mut signer);
    assert_eq!(votes(&effects), [four.signed_vote(vote(1, 0, Prevote, None, 2))]);
    for validator in [0, 3] {
        let _ = machine.step(four.says(vote(1, 0, Prevote, None, validator)), &mut signer);
        let _ = machine.step(four.says(vote(1, 0, Precommit, None, validator)), &mut signer);
    }
    let effects = machine.step(fired(0, TimerKind::Precommit), &mut signer);
    assert_eq!(machine.under_way(), Some((ONE, Round::new(1))));
    assert!(effects.contains(&Effect::Propose { height: ONE, round: Round::new(1) }), "{effects:?}");
    let tells_why = |message: &&Message| matches!(message, Message::Round(_));
    assert!(broadcasts(&effects).iter().any(tells_why), "others learn why the round began");
    assert_eq!(machine.step(fired(0, TimerKind::Propose), &mut signer), [], "a timer of an earlier round");
}

/// How long the effects want to wait for more precommits, in milliseconds.
fn waits_for_precommits(effects: &[Effect]) -> Vec<u64> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::StartTimer { timer: Timer { kind: TimerKind::Precommit, .. }, after_ms } => Some(*after_ms),
            _ => None,
        })
        .collect()
}

#[test]
fn a_round_that_can_lead_nowhere_ends_without_a_wait() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 2);
    let mut effects = machine.step(fired(0, TimerKind::Propose), &mut signer);
    for validator in [0, 3] {
        effects.extend(machine.step(four.says(vote(1, 0, Prevote, None, validator)), &mut signer));
    }
    effects.extend(machine.step(four.says(vote(1, 0, Precommit, None, 0)), &mut signer));
    assert_eq!(waits_for_precommits(&effects), [], "two of four have precommitted");
    let effects = machine.step(four.says(vote(1, 0, Precommit, None, 3)), &mut signer);
    assert_eq!(waits_for_precommits(&effects), [TIMEOUTS.precommit_ms, 0], "the wait is over as soon as it begins");
    let effects = machine.step(four.says(vote(1, 0, Precommit, None, 1)), &mut signer);
    assert_eq!(waits_for_precommits(&effects), [], "it ends once");
}

#[test]
fn a_round_in_which_somebody_may_be_locked_is_waited_for() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 2);
    let _ = machine.step(fired(0, TimerKind::Propose), &mut signer);
    let _ = machine.step(four.says(vote(1, 0, Prevote, None, 0)), &mut signer);
    let _ = machine.step(four.says(vote(1, 0, Prevote, Some(block("b")), 1)), &mut signer);
    let effects = machine.step(fired(0, TimerKind::Prevote), &mut signer);
    assert_eq!(votes(&effects), [four.signed_vote(vote(1, 0, Precommit, None, 2))]);
    let _ = machine.step(four.says(vote(1, 0, Precommit, None, 0)), &mut signer);
    let effects = machine.step(four.says(vote(1, 0, Precommit, None, 3)), &mut signer);
    assert_eq!(
        waits_for_precommits(&effects),
        [TIMEOUTS.precommit_ms],
        "who prevoted what is not known of validator 3"
    );
    let effects = machine.step(four.says(vote(1, 0, Prevote, None, 3)), &mut signer);
    assert_eq!(waits_for_precommits(&effects), [0], "now it is");
}

#[test]
fn blocks_that_nobody_proposed_cannot_crowd_out_the_proposed_one() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    for stranger in 0..3 * UNPROPOSED_BLOCKS_MAX {
        assert_eq!(machine.step(executed(&format!("stranger {stranger}"), Validity::Valid), &mut signer), []);
    }
    let proposal = Message::Proposal(four.signed_proposal(1, 0, None, block("b")));
    let effects = machine.step(four.say(proposal), &mut signer);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::NeedBlock { .. })));
    let effects = machine.step(executed("b", Validity::Valid), &mut signer);
    assert_eq!(votes(&effects), [four.signed_vote(vote(1, 0, Prevote, Some(block("b")), 0))]);
}

#[test]
fn what_comes_early_is_kept_and_says_that_it_is_time_to_start() {
    let four = Four::new();
    let (mut machine, mut signer) = (four.machine(0, 0, Vec::new()), four.signer(0));
    let ahead = [Effect::PeerAhead { height: ONE }];
    let proposal = Message::Proposal(four.signed_proposal(1, 0, None, block("b")));
    assert_eq!(machine.step(four.says(vote(1, 0, Prevote, Some(block("b")), 2)), &mut signer), ahead);
    assert_eq!(machine.step(four.say(proposal), &mut signer), ahead);
    assert_eq!(machine.step(four.says(vote(1, 0, Prevote, Some(block("b")), 3)), &mut signer), ahead);
    let far = machine.step(four.says(vote(9, 0, Prevote, None, 3)), &mut signer);
    assert_eq!(far, [Effect::PeerAhead { height: Height::new(9) }], "noticed, but not kept");

    let effects = machine.step(four.start(1), &mut signer);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::NeedBlock { .. })), "{effects:?}");
    let effects = machine.step(executed("b", Validity::Valid), &mut signer);
    let sent: Vec<VoteKind> = votes(&effects).iter().map(|signed| signed.vote.kind).collect();
    assert_eq!(sent, [Prevote, Precommit], "with our own prevote the early ones are two thirds");

    // Before a restart of the program nothing is kept: there is no leak into later heights.
    assert_eq!(machine.step(four.start(1), &mut signer), [], "a height that is under way is not started again");
}

#[test]
fn a_height_committed_by_catch_up_ends_and_the_next_messages_survive() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    let two = Height::new(2);
    let ahead = Effect::PeerAhead { height: two };
    let effects = machine.step(four.says(vote(2, 0, Prevote, Some(block("c")), 3)), &mut signer);
    assert_eq!(effects, std::slice::from_ref(&ahead), "others have decided height 1 without us");
    let effects = machine.step(Input::Committed { height: ONE }, &mut signer);
    assert_eq!(effects, [Effect::CancelAllTimers, ahead]);
    assert_eq!((machine.tip(), machine.under_way()), (ONE, None));
    assert_eq!(machine.step(Input::Committed { height: ONE }, &mut signer), []);
    let effects = machine.step(four.start(2), &mut signer);
    assert!(appended(&effects).iter().any(|entry| matches!(entry.record, WalRecord::Vote(_))), "the vote was kept");
    // A later height may be started over one that is under way; an earlier one may not.
    let effects = machine.step(four.start(7), &mut signer);
    assert_eq!(effects.first(), Some(&Effect::CancelAllTimers));
    assert_eq!(machine.under_way(), Some((Height::new(7), Round::ZERO)));
    assert_eq!(machine.step(four.start(6), &mut signer), []);
}

#[test]
fn only_a_repeated_vote_for_a_decided_height_asks_for_the_decision() {
    let four = Four::new();
    let (mut machine, mut signer) = (four.machine(0, 5, Vec::new()), four.signer(0));
    let late = vote(5, 0, Precommit, Some(block("b")), 3);
    assert_eq!(machine.step(four.says(late), &mut signer), [], "it is merely late");
    let repeat = Message::Repeat(four.signed_vote(late));
    let behind = Effect::PeerBehind { validator: 3, height: Height::new(5) };
    assert_eq!(machine.step(four.say(repeat), &mut signer), [behind]);
}

#[test]
fn without_progress_votes_are_repeated_as_such() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    let _ = machine.step(fired(0, TimerKind::Propose), &mut signer);
    let effects = machine.step(fired(0, TimerKind::Rebroadcast), &mut signer);
    let repeat = Message::Repeat(four.signed_vote(vote(1, 0, Prevote, None, 0)));
    assert_eq!(broadcasts(&effects), [&repeat]);
    let timer = Timer { height: ONE, round: Round::ZERO, kind: TimerKind::Rebroadcast };
    assert!(effects.contains(&Effect::StartTimer { timer, after_ms: TIMEOUTS.rebroadcast_ms }));
    assert!(!effects.contains(&Effect::Sync), "it is on disk already");
}

#[test]
fn what_the_signer_refuses_is_never_sent_and_the_others_decide_without_us() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    signer.refuses = true;
    let proposal = Message::Proposal(four.signed_proposal(1, 0, None, block("b")));
    let mut effects = machine.step(four.say(proposal), &mut signer);
    effects.extend(machine.step(executed("b", Validity::Valid), &mut signer));
    for kind in [Prevote, Precommit] {
        for validator in 1..4 {
            effects.extend(machine.step(four.says(vote(1, 0, kind, Some(block("b")), validator)), &mut signer));
        }
        effects.extend(machine.step(fired(0, TimerKind::Rebroadcast), &mut signer));
    }
    assert!(signer.asked.len() >= 2, "it was asked: {:?}", signer.asked);
    assert_eq!(broadcasts(&effects), Vec::<&Message>::new());
    let ours = |entry: &WalEntry| matches!(entry.record, WalRecord::Vote(signed) if signed.vote.validator == 0);
    assert!(!appended(&effects).iter().any(ours));
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Decide(certificate) if certificate.signatures.len() == 3))
    );
}

#[test]
fn a_node_without_a_seat_follows_and_writes_no_log() {
    let four = Four::new();
    let config = crate::interface::Config { chain: four.chain, key: None };
    let (mut machine, mut signer) = (Machine::new(config, Height::GENESIS, Vec::new()), four.signer(0));
    let mut effects = machine.step(four.start(1), &mut signer);
    effects
        .extend(machine.step(four.say(Message::Proposal(four.signed_proposal(1, 0, None, block("b")))), &mut signer));
    effects.extend(machine.step(executed("b", Validity::Valid), &mut signer));
    for validator in [0, 1, 3] {
        effects.extend(machine.step(four.says(vote(1, 0, Precommit, Some(block("b")), validator)), &mut signer));
    }
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Decide(_))), "{effects:?}");
    assert!(appended(&effects).is_empty() && broadcasts(&effects).is_empty() && signer.asked.is_empty());
}

#[test]
fn a_message_checked_with_another_set_does_not_count() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    let members: Vec<_> = four.set.iter().skip(1).cloned().collect();
    let others = ValidatorSet::new(members).expect("three distinct keys");
    // In the other set, seat 1 is held by what is validator 2 here.
    let signed = four.signed_vote(vote(1, 0, Prevote, None, 2));
    let mut moved = signed;
    moved.vote.validator = 1;
    let moved = Message::Vote(moved).verify(&four.chain, &others).expect("genuine in the other set");
    assert_eq!(machine.step(Input::Message(moved), &mut signer), []);
}

#[test]
fn a_false_round_certificate_changes_nothing_and_a_true_one_moves_us_on() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    let certificate = |signed: [SignedVote; 2]| {
        let votes = signed
            .into_iter()
            .map(|signed| RoundVote {
                validator: signed.vote.validator,
                kind: signed.vote.kind,
                block: signed.vote.block,
                signature: signed.signature,
            })
            .collect();
        Message::Round(RoundCertificate { height: ONE, round: Round::new(6), kind: RoundCertificateKind::Skip, votes })
    };
    let genuine = [2, 3].map(|validator| four.signed_vote(vote(1, 6, Prevote, None, validator)));
    let mut forged = genuine;
    forged[1].signature[5] ^= 1;
    assert_eq!(machine.step(four.say(certificate(forged)), &mut signer), []);
    assert_eq!(machine.under_way(), Some((ONE, Round::ZERO)));
    let effects = machine.step(four.say(certificate(genuine)), &mut signer);
    assert_eq!(machine.under_way(), Some((ONE, Round::new(6))), "{effects:?}");
}

#[test]
fn after_a_crash_the_log_leads_to_the_same_words_without_signing_again() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    let mut log = Vec::new();
    let mut said = Vec::new();
    let proposal = Message::Proposal(four.signed_proposal(1, 0, None, block("b")));
    for input in [
        four.say(proposal),
        executed("b", Validity::Valid),
        four.says(vote(1, 0, Prevote, Some(block("b")), 1)),
        four.says(vote(1, 0, Prevote, Some(block("b")), 2)),
    ] {
        let effects = machine.step(input, &mut signer);
        log.extend(appended(&effects));
        said.extend(votes(&effects));
    }
    assert_eq!(said.len(), 2);
    let read_back: Vec<WalEntry> =
        log.iter().map(|entry| WalEntry::decode(&entry.encode()).expect("what was written reads back")).collect();
    assert_eq!(read_back, log);

    let (mut again, mut signer) = (four.machine(0, 0, read_back), four.signer(0));
    assert_eq!(again.unfinished(), Some(ONE));
    let effects = again.step(four.start(1), &mut signer);
    assert_eq!(again.unfinished(), None);
    assert_eq!(votes(&effects), said, "it says again what it said");
    assert!(signer.asked.is_empty() && appended(&effects).is_empty() && !effects.contains(&Effect::Sync));
    // It is where it was: one more precommit of each of two decides.
    let _ = again.step(four.says(vote(1, 0, Precommit, Some(block("b")), 1)), &mut signer);
    let effects = again.step(four.says(vote(1, 0, Precommit, Some(block("b")), 2)), &mut signer);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Decide(_))));
}

#[test]
fn after_a_crash_a_proposer_proposes_once() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 1);
    let input = Input::BlockProposed { height: ONE, round: Round::ZERO, block: block("b") };
    let log = appended(&machine.step(input, &mut signer));
    let propose = Effect::Propose { height: ONE, round: Round::ZERO };

    let (mut again, mut signer) = (four.machine(1, 0, log.clone()), four.signer(1));
    let effects = again.step(four.start(1), &mut signer);
    assert!(!effects.contains(&propose) && signer.asked.is_empty(), "{effects:?}");

    // The crash came before the proposal was in the log: nobody has seen it, so another may be built.
    let before: Vec<WalEntry> =
        log.into_iter().take_while(|entry| !matches!(entry.record, WalRecord::Proposal(_))).collect();
    assert!(!before.is_empty());
    let (mut again, mut signer) = (four.machine(1, 0, before), four.signer(1));
    assert!(again.step(four.start(1), &mut signer).contains(&propose));
}

#[test]
fn a_log_is_used_up_to_the_first_block_whose_bytes_are_gone() {
    let record = |name, validity| WalRecord::Executed {
        round: Round::ZERO,
        pol_round: None,
        proposer: 1,
        block: block(name),
        validity,
    };
    let entry = |record| WalEntry { height: ONE, record };
    let earlier = WalEntry { height: Height::GENESIS, record: record("committed, its bytes moved", Validity::Valid) };
    let log = [
        earlier,
        entry(record("here", Validity::Valid)),
        entry(record("gone, and no loss", Validity::Invalid)),
        entry(WalRecord::TimerFired { round: Round::ZERO, kind: TimerKind::Propose }),
        entry(record("gone", Validity::Valid)),
        entry(WalRecord::TimerFired { round: Round::ZERO, kind: TimerKind::Prevote }),
    ];
    assert_eq!(usable(&log, ONE, |hash| *hash == block("here")), &log[..4]);
    assert_eq!(usable(&log, ONE, |_| true), &log[..]);
}

#[test]
fn a_log_that_does_not_lead_to_our_words_stops_the_machine() {
    let four = Four::new();
    // We are said to have prevoted for a block in a height where the log holds no reason to.
    let log = [
        WalRecord::Vote(four.signed_vote(vote(1, 0, Prevote, Some(block("b")), 0))),
        WalRecord::TimerFired { round: Round::ZERO, kind: TimerKind::Propose },
    ];
    let log = log.into_iter().map(|record| WalEntry { height: ONE, record }).collect();
    let (mut machine, mut signer) = (four.machine(0, 0, log), four.signer(0));
    let effects = machine.step(four.start(1), &mut signer);
    let [Effect::CancelAllTimers, Effect::Fault(fault @ Fault::Replay { .. })] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert!(fault.is_fatal());
    assert!(!signer.asked.iter().any(|request| matches!(request, SignRequest::Vote(_))));
    assert_eq!(machine.step(four.start(2), &mut signer), [], "it does nothing more");
}

#[test]
fn a_log_of_other_heights_is_ignored() {
    let four = Four::new();
    let entry = |height| WalEntry {
        height: Height::new(height),
        record: WalRecord::Vote(four.signed_vote(vote(height, 0, Prevote, None, 0))),
    };
    let (mut machine, mut signer) = (four.machine(0, 4, vec![entry(3), entry(4), entry(6)]), four.signer(0));
    assert_eq!(machine.unfinished(), None);
    let start = Start { height: Height::new(5), validators: Arc::clone(&four.set), timeouts: TIMEOUTS };
    assert_eq!(votes(&machine.step(Input::Start(start), &mut signer)), []);
}

#[test]
fn a_second_user_of_our_key_is_noticed_and_an_echo_is_not_taken_for_one() {
    let four = Four::new();
    let (mut machine, mut signer) = started(&four, 0);
    let said = votes(&machine.step(fired(0, TimerKind::Propose), &mut signer));
    assert_eq!(said.len(), 1);
    let echo = said.into_iter().map(Message::Vote).next().expect("one vote");
    assert_eq!(machine.step(four.say(echo), &mut signer), []);
    let twin = machine.step(four.says(vote(1, 0, Prevote, Some(block("b")), 0)), &mut signer);
    assert_eq!(twin, [Effect::Fault(Fault::KeyUsedElsewhere { height: ONE, round: Round::ZERO })]);
    assert!(machine.under_way().is_some(), "it goes on; whether to stop is for the operator");
}

#[test]
fn the_machine_can_live_in_a_task() {
    const fn moves_between_threads<T: Send>() {}
    moves_between_threads::<Machine>();
    moves_between_threads::<Input>();
    moves_between_threads::<Effect>();
}
