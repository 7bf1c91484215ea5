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

use cairn_tests::oracle::Flaw;
use cairn_types::Rejection;

use history::{Play, Tally, add};
use random::{on_all_cores, one_seed, seeds, seeds_at_most};

/// Histories in one run.
const HISTORIES: u64 = 2_000;
/// Transactions that are proposed in one history.
const TRANSACTIONS: usize = 150;
/// Long histories, and how many transactions are proposed in one of them.
const LONG_HISTORIES: u64 = 4;
const LONG_TRANSACTIONS: usize = 3_000;

/// Histories after which the whole state is compared.
const READ_HISTORIES: u64 = 200;
/// Histories in which a mistake of the oracle must be noticed.
const FLAWED_HISTORIES: u64 = 60;

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
    if !one_seed() {
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
        let history = Play::of(seed, TRANSACTIONS).run(|ledger, oracle| {
            if random.once_in(12) {
                reads::check_state(ledger, oracle);
            }
        });
        let history = history.unwrap_or_else(|difference| panic!("{difference}"));
        reads::check_state(&history.ledger, &history.oracle);
        reads::check_every_position(&history.ledger, &history.oracle);
    });
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
