//! Audits over real bundles and lookups: made by the real rules and the real proofs, in this process.
//!
//! Each file is judged twice: by `cairn-proofs`, and by the Python program of `tests/verifier`, which was written from
//! `runtime/SPECIFICATION.md` alone. The two must agree on the outcome, on every reason and on every axis, over honest
//! bundles, doubtful ones, bundles put together from parts of others or at random, and two thousand with one flipped bit.
//!
//! `CAIRN_SEED` repeats a run; `CAIRN_VERIFIER_PYTHON` names the Python that has the packages of
//! `tests/verifier/requirements.txt`.

#[path = "audit/case.rs"]
mod case;
#[path = "audit/command_line.rs"]
mod command_line;
#[path = "audit/fates.rs"]
mod fates;
#[path = "audit/lookups.rs"]
mod lookups;
#[path = "audit/patchwork.rs"]
mod patchwork;
#[path = "audit/python.rs"]
mod python;
#[path = "audit/stories.rs"]
mod stories;

use std::time::Instant;

use cairn_proofs::bundle::Bundle;
use cairn_proofs::verdict::Outcome;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use case::Case;

/// Single-bit changes of a bundle.
const FLIPS: usize = 2_000;

/// Bundles of ledgers that the second verifier's tests put together at random.
const RANDOM: usize = 1_000;

/// Single-bit changes of each lookup.
const LOOKUP_FLIPS: usize = 30;

/// What a bundle may have beside the signed attestation, in bytes.
const BUNDLE_BYTES_MAX: usize = 8_000;

/// A seed, printed, so that a failure can be repeated.
fn seed() -> u64 {
    let seed = match std::env::var("CAIRN_SEED") {
        Ok(text) => text.parse().expect("CAIRN_SEED is a number"),
        Err(_) => rand::rng().random(),
    };
    println!("seed {seed}: repeat with CAIRN_SEED={seed}");
    seed
}

/// `FLIPS` cases, each a case with one bit changed.
fn flipped(case: &Case, seed: u64) -> Vec<Case> {
    let mut random = StdRng::seed_from_u64(seed);
    let flip = |_| {
        let bit = random.random_range(0..case.bundle.len() * 8);
        let mut bundle = case.bundle.clone();
        bundle[bit / 8] ^= 1 << (bit % 8);
        Case { name: format!("{}, bit {bit} flipped", case.name), bundle, ..case.clone() }
    };
    (0..FLIPS).map(flip).collect()
}

#[test]
fn each_story_has_its_verdict() {
    for (case, expected) in stories::all() {
        let verdict = case.verdict();
        let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.name()).collect();
        assert_eq!((verdict.outcome, reasons), (expected.outcome, expected.reasons), "{}\n{verdict}", case.name);
    }
}

#[test]
fn two_thousand_flipped_bits_are_all_refused() {
    let case = stories::rich();
    assert_eq!(case.verdict().outcome, Outcome::Valid);
    for flipped in flipped(&case, seed()) {
        let verdict = flipped.verdict();
        assert_eq!(verdict.outcome, Outcome::Invalid, "{}\n{verdict}", flipped.name);
    }
}

#[test]
fn a_bundle_of_another_network_is_refused() {
    let (one, other) = (stories::rich(), stories::ordinary_day(2));
    assert_eq!(one.verdict().outcome, Outcome::Valid);
    assert_eq!(other.verdict().outcome, Outcome::Valid);
    for (case, genesis) in [(&one, other.genesis), (&other, one.genesis)] {
        let verdict = Case { genesis, ..case.clone() }.verdict();
        let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.name()).collect();
        assert_eq!((verdict.outcome, reasons), (Outcome::Invalid, vec!["wrong_network"]));
    }
}

#[test]
fn a_bundle_is_small_and_judged_at_once() {
    for case in [stories::ordinary_day(1), stories::rich()] {
        let bundle = Bundle::decode(&case.bundle).expect("a bundle");
        let own = case.bundle.len() - bundle.transaction.len();
        const RUNS: usize = 21;
        let run = |_| {
            let started = Instant::now();
            assert_eq!(case.verdict().outcome, Outcome::Valid);
            started.elapsed()
        };
        let mut times: Vec<_> = (0..RUNS).map(run).collect();
        times.sort();
        // The machine may be busy with other tests, so the clock is printed and asserted against nothing.
        let (median, attestation) = (times[RUNS / 2], bundle.transaction.len());
        println!("{}: {own} bytes and {attestation} of attestation, judged in {median:?}", case.name);
        assert!(own <= BUNDLE_BYTES_MAX, "{}: {own} bytes", case.name);
    }
}

#[test]
fn the_program_says_what_the_library_says() {
    let cases: Vec<Case> = stories::all().into_iter().map(|(case, _)| case).collect();
    command_line::assert_agreement(&cases);
    command_line::assert_unreadable_is_not_judged(&stories::rich());
}

#[test]
fn a_second_verifier_agrees_on_every_story() {
    let cases: Vec<Case> = stories::all().into_iter().map(|(case, _)| case).collect();
    python::assert_agreement(&cases);
}

#[test]
fn a_second_verifier_agrees_on_bundles_put_together_from_parts() {
    python::assert_agreement(&patchwork::all());
}

#[test]
fn a_second_verifier_agrees_on_bundles_made_at_random() {
    python::assert_agreement(&python::random(RANDOM, seed()));
}

#[test]
fn a_second_verifier_agrees_on_every_flipped_bit() {
    python::assert_agreement(&flipped(&stories::rich(), seed()));
}

#[test]
fn every_question_is_answered_and_no_flipped_bit_passes() {
    for case in lookups::honest() {
        let verdict = case.verdict();
        assert_eq!((verdict.outcome, &verdict.reasons), (Outcome::Valid, &vec![]), "{}", case.name);
    }
    for case in lookups::flipped(seed(), LOOKUP_FLIPS).into_iter().filter(|case| case.question.is_some()) {
        assert_eq!(case.verdict().outcome, Outcome::Invalid, "{}", case.name);
    }
}

#[test]
fn the_program_says_of_lookups_what_the_library_says() {
    command_line::assert_lookup_agreement(&lookups::honest());
    command_line::assert_lookup_agreement(&lookups::patchwork(seed()));
}

#[test]
fn a_second_verifier_agrees_on_every_lookup() {
    python::assert_agreement(&lookups::honest());
    python::assert_agreement(&lookups::patchwork(seed()));
    python::assert_agreement(&lookups::flipped(seed(), LOOKUP_FLIPS));
}
