//! The rules against the naive oracle, over random histories: every acceptance and refusal, every state that a history
//! leaves behind, and every verdict over it.
//!
//! A failure prints its seed; `CAIRN_SEED=7` repeats one history, `CAIRN_HISTORIES=100` says how many are played.

mod random;
mod certificates;
mod pool;
mod ledger;
mod player;
mod history;
mod reads;
mod verdicts;
mod wild;

use cairn_tests::oracle::{Flaw, wordless};
use cairn_types::{Height, Position, Rejection, SignedTransaction};

use history::{Play, Tally, add};
use ledger::Ledger;
use pool::Scheme;
use random::{fewer_seeds, on_all_cores, seeds, seeds_at_most};
use verdicts::Verdicts;

/// Histories in one run.
const HISTORIES: u64 = 2_000;
/// Transactions that are proposed in one history.
const TRANSACTIONS: usize = 150;
/// Long histories, and how many transactions are proposed in one of them.
const LONG_HISTORIES: u64 = 4;
const LONG_TRANSACTIONS: usize = 3_000;

/// Histories after which the whole state is compared.
const READ_HISTORIES: u64 = 200;
/// Histories that are played twice.
const REPLAYED_HISTORIES: u64 = 60;
/// Histories over which verdicts are given; their signatures are real.
const VERDICT_HISTORIES: u64 = 200;
/// Histories into which wild calls are thrown.
const WILD_HISTORIES: u64 = 60;
/// Histories of which transactions are damaged.
const DAMAGED_HISTORIES: u64 = 40;
/// Histories in which a mistake of the oracle must be noticed.
const FLAWED_HISTORIES: u64 = 120;

/// Differences that are shown.
const SHOWN_MAX: usize = 8;

/// Refusals that no history leads to: bytes that do not decode are never a transaction, and `Busy` is a node's word. And
/// whoever gives a grant without a parent owns its scope: a zone's owner stays, and what was given over a device is
/// refused as given under an earlier owner before anybody asks who stands at the top.
const NEVER: [&str; 3] = ["Malformed", "Busy", "GrantRootNotOwner"];

const CALLS_AND_MEASURES: [&str; 23] = [
    "admit",
    "expel",
    "changeValidators",
    "setParameters",
    "scheduleUpgrade",
    "RotateOrganizationKeys",
    "EndorseLot",
    "DistrustLot",
    "RegisterDevice",
    "RotateDeviceKey",
    "RecoverDeviceKey",
    "CancelRecovery",
    "OfferDevice",
    "AcceptDevice",
    "PlaceDevice",
    "SetDeviceStatus",
    "Grant",
    "RevokeGrant",
    "OpenStream",
    "CloseStream",
    "Attest",
    "Supersede",
    "ReportFork",
];

/// Plays histories on all cores; fails if the rules and the oracle disagree in any.
fn play_all(seeds: std::ops::Range<u64>, transactions: usize) -> Tally {
    let played = on_all_cores(seeds, |seed| (seed, Play::of(seed, transactions).run(|_, _| {})));
    let mut seen = Tally::new();
    let mut differing = Vec::new();
    for (seed, result) in &played {
        match result {
            Ok(history) => add(&mut seen, &history.seen),
            Err(difference) => differing.push(format!("CAIRN_SEED={seed} {difference}")),
        }
    }
    let (count, of) = (differing.len(), played.len());
    differing.truncate(SHOWN_MAX);
    assert_eq!(count, 0, "{count} of {of} histories differ, among them\n{}", differing.join("\n"));
    seen
}

#[test]
fn oracle_agrees_on_every_acceptance_and_refusal() {
    let seen = play_all(seeds(0, HISTORIES), TRANSACTIONS);
    let total: usize = seen.values().sum();
    println!("{total} transactions");
    let given = Rejection::TABLE.iter().map(|(_, name)| *name).filter(|name| !NEVER.contains(name));
    let all: Vec<&str> = CALLS_AND_MEASURES.into_iter().chain(given).collect();
    for name in &all {
        println!("{:>9} {name}", seen.get(name).unwrap_or(&0));
    }
    if !fewer_seeds() {
        let never: Vec<&&str> = all.iter().filter(|name| !seen.contains_key(**name)).collect();
        assert!(never.is_empty(), "every call is accepted and every refusal given at least once, but not {never:?}");
    }
}

#[test]
fn oracle_agrees_on_long_histories() {
    let seen = play_all(seeds_at_most(1_000_000, LONG_HISTORIES), LONG_TRANSACTIONS);
    println!("{seen:#?}");
}

#[test]
fn oracle_agrees_on_state_reads() {
    on_all_cores(seeds_at_most(2_000_000, READ_HISTORIES), |seed| {
        let mut random = random::Random::new(seed);
        let mut states = Vec::new();
        let history = Play::of(seed, TRANSACTIONS).run(|ledger, oracle| {
            if random.once_in(12) {
                reads::check_state(ledger, oracle);
                states.push((ledger.state.clone(), Height::new(ledger.height().get() - 1)));
            }
        });
        let history = history.unwrap_or_else(|difference| panic!("{difference}"));
        reads::check_state(&history.ledger, &history.oracle);
        reads::check_every_position(&history.ledger, &history.oracle);
        for (state, height) in &states {
            reads::check_growth(state, &history.ledger.state, *height);
        }
    });
}

/// The same blocks again give the same roots, whatever else a proposer is offered with them.
#[test]
fn oracle_histories_replay_to_the_same_roots() {
    on_all_cores(seeds_at_most(2_000_000, REPLAYED_HISTORIES), |seed| {
        let mut random = random::Random::new(seed);
        let history = Play::of(seed, TRANSACTIONS).run(|_, _| {});
        let history = history.unwrap_or_else(|difference| panic!("{difference}"));
        let (mut again, mut oracle, _) = Ledger::new(Play::kind(seed), Scheme::Plain);
        for (block, header) in history.ledger.blocks.iter().zip(&history.ledger.headers).skip(1) {
            let mut candidates = Vec::new();
            for (index, transaction) in (0..).zip(block) {
                // What stands in the ledger already is refused, and leaves no trace.
                if !oracle.events().is_empty() && random.once_in(2) {
                    candidates.push(random.pick(oracle.events()).transaction.clone());
                }
                candidates.push(transaction.clone());
                oracle.accept(Position { height: header.height, index }, transaction.clone());
            }
            let built = again.block(candidates, &mut oracle);
            assert_eq!(built.included, *block);
            assert_eq!(again.headers.last(), Some(header), "the same header, with the same state root");
        }
    });
}

#[test]
fn oracle_agrees_on_every_verdict() {
    let standings = on_all_cores(seeds_at_most(4_000_000, VERDICT_HISTORIES), |seed| {
        let mut random = random::Random::new(seed);
        let mut verdicts = Verdicts::default();
        let play = Play { scheme: Scheme::Real, ..Play::of(seed, TRANSACTIONS) };
        let history = play.run(|ledger, oracle| {
            if random.once_in(6) {
                verdicts.judge_one(ledger, oracle, &mut random);
            }
        });
        let history = history.unwrap_or_else(|difference| panic!("{difference}"));
        verdicts.judge_again(&history.ledger, &history.oracle);
        verdicts.standings()
    });
    let mut seen = Tally::new();
    standings.into_iter().flatten().for_each(|standing| *seen.entry(standing).or_insert(0) += 1);
    println!("{seen:#?}");
    if !fewer_seeds() {
        for standing in [
            "VALID",
            "INCOMPLETE",
            "key held",
            "key held at inclusion",
            "key suspect",
            "authority held",
            "authority indeterminate",
            "authority suspect",
            "stream complete",
            "stream continued",
            "stream forked",
        ] {
            assert!(seen.contains_key(standing), "no verdict said {standing}");
        }
    }
}

#[test]
fn oracle_agrees_however_wild_a_call_is() {
    let played = on_all_cores(seeds_at_most(5_000_000, WILD_HISTORIES), |seed| {
        let play = Play { scheme: Scheme::Gullible, wild: 300, ..Play::of(seed, 60) };
        let history = play.run(|_, _| {}).unwrap_or_else(|difference| panic!("{difference}"));
        reads::check_state(&history.ledger, &history.oracle);
        history.seen
    });
    let mut seen = Tally::new();
    played.iter().for_each(|tally| add(&mut seen, tally));
    println!("{seen:#?}");
}

#[test]
fn oracle_agrees_on_damaged_transactions() {
    let decoded = on_all_cores(seeds_at_most(6_000_000, DAMAGED_HISTORIES), |seed| {
        let mut random = random::Random::new(seed);
        let history = Play::of(seed, 60).run(|_, _| {}).unwrap_or_else(|difference| panic!("{difference}"));
        let position = Position::start_of(history.ledger.height());
        let mut decoded = 0;
        for _ in 0..500 {
            let bytes = wild::damaged(random.pick(&history.memory.known), &mut random);
            let Ok(transaction) = SignedTransaction::from_bytes(bytes) else { continue };
            let by_rules = history.ledger.try_next(&transaction).map_err(wordless);
            let by_oracle = history.oracle.judge(&transaction, position, &history.ledger.scheme);
            assert_eq!(by_rules, by_oracle, "of {transaction:?}");
            decoded += 1;
        }
        decoded
    });
    assert!(decoded.iter().sum::<usize>() > 0, "damaged transactions decode often enough to be worth the trial");
}

#[test]
fn oracle_that_errs_is_noticed() {
    for flaw in [Flaw::ForgetsEarlierOwners, Flaw::RecoversLate, Flaw::ForgetsOwnersQuota, Flaw::TakesTwoThirds] {
        let noticed = |seed| Play { flaw, ..Play::of(seed, TRANSACTIONS) }.run(|_, _| {}).is_err();
        let noticed = on_all_cores(3_000_000..3_000_000 + FLAWED_HISTORIES, noticed);
        let count = noticed.into_iter().filter(|noticed| *noticed).count();
        println!("{flaw:?}: noticed in {count} of {FLAWED_HISTORIES} histories");
        assert!(count > 0, "{flaw:?} went unnoticed");
    }
}
