//! Flipped bits: no bit of a bundle is without meaning.

use cairn_types::{AttestationRef, Principal};

use super::super::{Outcome, verify_bytes};
use super::ledger::{Council, Ledger};
use super::{DAY, attested, expecting};
use crate::test_random::Random;

/// A bundle with everything in it: past blocks, an anchor, a change of validators, several proofs, a lot.
fn rich() -> (Ledger, Vec<u8>) {
    let (mut ledger, meter, stream, _) = attested();
    ledger.change_validators(Council::of(&[1, 2, 3, 14]));
    ledger.seal_many(9);
    let seen = ledger.tip_ref();
    ledger.other_transaction();
    ledger.other_transaction();
    let day = ledger.attest(&stream, DAY, seen);
    ledger.seal_many(7);
    ledger.rotate(&meter);
    let lot = ledger.endorse_lot("operator", "wm-200");
    ledger.endorse(&meter, lot, "sn-1");
    ledger.supersede(AttestationRef { stream: stream.id, sequence: 1 }, Principal::Device(meter.id), None);
    ledger.seal();
    let mut bundle = ledger.bundle(&day);
    bundle.anchor = Some(ledger.anchor(9, ledger.tip()));
    (ledger, bundle.encode())
}

#[test]
fn two_thousand_random_flips_are_all_refused() {
    let (ledger, bytes) = rich();
    assert_eq!(verify_bytes(&bytes, &expecting(&ledger)).outcome, Outcome::Valid);
    let mut random = Random::seeded(8);
    let mut at_decoding = 0;
    for _ in 0..2_000 {
        let bit = random.below(bytes.len() * 8);
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let verdict = verify_bytes(&flipped, &expecting(&ledger));
        assert_eq!(verdict.outcome, Outcome::Invalid, "bit {bit} of {}", bytes.len() * 8);
        at_decoding += usize::from(verdict.reasons.iter().any(|reason| reason.name() == "not_a_bundle"));
    }
    println!("2,000 flips in {} bytes: {at_decoding} refused when decoding, the others when verifying", bytes.len());
}

#[test]
fn no_byte_is_without_meaning() {
    let (ledger, bytes) = rich();
    let mut random = Random::seeded(9);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << random.below(8);
        assert_eq!(verify_bytes(&changed, &expecting(&ledger)).outcome, Outcome::Invalid, "byte {at}");
    }
}

#[test]
fn rubbish_never_panics_and_is_never_valid() {
    let (ledger, bytes) = rich();
    let mut random = Random::seeded(10);
    for _ in 0..500 {
        let mut changed = bytes.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(changed.len());
            match random.below(3) {
                0 => changed[at] = random.bytes(1)[0],
                1 => drop(changed.remove(at)),
                _ => changed.insert(at, random.bytes(1)[0]),
            }
        }
        let valid = verify_bytes(&changed, &expecting(&ledger)).outcome == Outcome::Valid;
        assert!(!valid || changed == bytes);
    }
}
