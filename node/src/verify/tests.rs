//! A batch holds exactly if each of its signatures does, also where libraries disagree about single ones.

use cairn_runtime::{CheckDirectly, SignatureCheck};
use cairn_types::transaction::signed_message;
use cairn_types::{Hash, PublicKey, SignatureBytes, TransactionId};
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha512};

use super::{BATCH_MAX, Points, all_hold_by_key, all_hold_by_point, ed25519, verify};
use crate::signature_cache::{Claim, SignatureCache};

/// Of one of fifty keys.
fn claim(number: u32) -> Claim {
    claim_of(number % 50, number)
}

fn claim_of(key: u32, number: u32) -> Claim {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&key.to_le_bytes());
    let secret = SigningKey::from_bytes(&seed);
    let id = TransactionId::from_hash(Hash::plain(&number.to_le_bytes()));
    Claim {
        key: PublicKey::Ed25519(secret.verifying_key().to_bytes()),
        id,
        signature: SignatureBytes::Ed25519(secret.sign(&signed_message(&id)).to_bytes()),
    }
}

fn p256(number: u32) -> Claim {
    use p256::ecdsa::SigningKey;
    let secret = SigningKey::from_slice(&[7; 32]).expect("a scalar below the order");
    let point = secret.verifying_key().to_sec1_point(true);
    let id = TransactionId::from_hash(Hash::plain(&number.to_le_bytes()));
    let signature: p256::ecdsa::Signature = secret.sign(&signed_message(&id));
    Claim {
        key: PublicKey::P256(point.as_bytes().try_into().expect("a compressed point")),
        id,
        signature: SignatureBytes::P256(signature.normalize_s().to_bytes().into()),
    }
}

/// A signature with a point of order eight added to its R, by an honest key.
fn with_a_point_of_small_order(number: u32) -> Claim {
    let secret = SigningKey::from_bytes(&[9; 32]);
    let key = secret.verifying_key().to_bytes();
    let id = TransactionId::from_hash(Hash::plain(&number.to_le_bytes()));
    let nonce = Scalar::from(number) + Scalar::from(1_000_u32);
    let r = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[1]).compress();
    let hash: [u8; 64] =
        Sha512::default().chain_update(r.0).chain_update(key).chain_update(signed_message(&id)).finalize().into();
    let s = nonce + Scalar::from_bytes_mod_order_wide(&hash) * secret.to_scalar();
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r.0);
    signature[32..].copy_from_slice(s.as_bytes());
    Claim { key: PublicKey::Ed25519(key), id, signature: SignatureBytes::Ed25519(signature) }
}

/// Those that are remembered.
fn remembered(cache: &SignatureCache, claims: &[Claim]) -> Vec<bool> {
    claims
        .iter()
        .map(|claim| {
            let mut asked = vec![*claim];
            cache.retain_unknown(&mut asked);
            asked.is_empty()
        })
        .collect()
}

fn by_point(claims: &[Claim]) -> bool {
    let keys: Vec<[u8; 32]> = claims.iter().filter_map(ed25519).map(|(key, _)| *key).collect();
    all_hold_by_point(claims, &Points::default().of(&keys))
}

#[test]
fn of_a_batch_with_liars_exactly_the_others_are_remembered() {
    let lies = [&[][..], &[0], &[17], &[3, 4, 255]];
    for (keys, lies) in [1, 50, 256].into_iter().flat_map(|keys| lies.map(|lies| (keys, lies))) {
        let mut claims: Vec<Claim> = (0..256).map(|number| claim_of(number % keys, number)).collect();
        claims[40] = p256(40);
        for lie in lies {
            let SignatureBytes::Ed25519(bytes) = &mut claims[*lie].signature else { panic!("a lie about Ed25519") };
            bytes[40] ^= 1;
        }
        assert_eq!(claims.len(), BATCH_MAX);
        assert_eq!(all_hold_by_key(&claims), lies.is_empty(), "{keys} keys, {lies:?}");
        assert_eq!(by_point(&claims), lies.is_empty(), "{keys} keys, {lies:?}");
        let cache = SignatureCache::default();
        verify(&cache, &claims);
        let expected: Vec<bool> = (0..claims.len()).map(|place| !lies.contains(&place)).collect();
        assert_eq!(remembered(&cache, &claims), expected, "{keys} keys, {lies:?}");
    }
    let mut claims: Vec<Claim> = (0..8).map(claim).collect();
    claims[5] = Claim { id: claims[6].id, ..p256(5) };
    assert!(!all_hold_by_key(&claims), "a P-256 signature over something else");
    assert!(!by_point(&claims), "a P-256 signature over something else");
}

#[test]
fn who_signs_what_only_single_checks_take_holds_others_up_once() {
    let cache = SignatureCache::default();
    let batch = |odd: u32| vec![claim(odd + 1), with_a_point_of_small_order(odd), claim(odd + 2), claim(odd + 3)];
    let first = batch(100);
    assert!(!by_point(&first), "ed25519-dalek takes it: then nothing needs to be set apart");
    verify(&cache, &first);
    assert_eq!(remembered(&cache, &first), [true; 4]);
    let keys = |claims: &[Claim]| claims.iter().filter_map(ed25519).map(|(key, _)| *key).collect::<Vec<_>>();
    let is_known: Vec<bool> = cache.points().of(&keys(&first)).iter().map(Option::is_some).collect();
    assert_eq!(is_known, [true, false, true, true], "only who is odd is set apart");
    let second = batch(200);
    assert!(all_hold_by_point(&second, &cache.points().of(&keys(&second))), "the others are verified together again");
}

#[test]
fn a_batch_judges_keys_of_small_order_as_single_checks_do() {
    // The points of small order in all their encodings, canonical or not (zips.z.cash/zip-0215): as keys and as R they make
    // signatures with s = 0 that ZIP 215 takes for any message, and that other rules do not.
    let encodings = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    let points: Vec<[u8; 32]> =
        encodings.iter().map(|digits| hex::decode(digits).expect("digits").try_into().expect("32 bytes")).collect();
    let (mut taken, mut refused) = (0, 0);
    for key in &points {
        for r in &points {
            for s in [0, 1] {
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(r);
                signature[32] = s;
                let id = TransactionId::from_hash(Hash::plain(b"anything"));
                let odd = Claim { key: PublicKey::Ed25519(*key), id, signature: SignatureBytes::Ed25519(signature) };
                let single = CheckDirectly.verifies(&odd.key, &odd.id, &odd.signature);
                let together = [claim(1), claim(2), odd, claim(3), claim(4)];
                let case = format!("key {} r {} s {s}", hex::encode(key), hex::encode(r));
                assert_eq!(all_hold_by_key(&together), single, "{case}");
                // Among different keys other rules hold for the batch, and the outcome is the same.
                assert!(single || !by_point(&together), "{case}");
                let cache = SignatureCache::default();
                verify(&cache, &together);
                assert_eq!(remembered(&cache, &together), [true, true, single, true, true], "{case}");
                if !by_point(&together) && single {
                    let key = [*key];
                    assert_eq!(cache.points().of(&key), [None], "{case}: it would make every batch fail");
                    refused += 1;
                    let again = [
                        claim(5),
                        Claim { id: TransactionId::from_hash(Hash::plain(b"again")), ..odd },
                        claim(6),
                        claim(7),
                    ];
                    let keys: Vec<[u8; 32]> = again.iter().filter_map(ed25519).map(|(key, _)| *key).collect();
                    assert!(all_hold_by_point(&again, &cache.points().of(&keys)), "{case}");
                }
                taken += usize::from(single);
            }
        }
    }
    assert_eq!(taken, points.len() * points.len(), "those with s = 0, and no others");
    assert!(refused > 0, "no key was set apart");
}
