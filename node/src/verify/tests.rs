//! A batch holds exactly if each of its signatures does, also where libraries disagree about single ones.

use cairn_runtime::{CheckDirectly, SignatureCheck};
use cairn_types::transaction::signed_message;
use cairn_types::{Hash, PublicKey, SignatureBytes, TransactionId};
use ed25519_dalek::{Signer, SigningKey};

use super::{BATCH_MAX, all_hold, verify};
use crate::signature_cache::{Claim, SignatureCache};

fn claim(number: u32) -> Claim {
    let secret = SigningKey::from_bytes(&[u8::try_from(number % 50).expect("below 50"); 32]);
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

#[test]
fn of_a_batch_with_liars_exactly_the_others_are_remembered() {
    for lies in [&[][..], &[0], &[17], &[3, 4, 255]] {
        let mut claims: Vec<Claim> = (0..256).map(claim).collect();
        claims[40] = p256(40);
        for lie in lies {
            let SignatureBytes::Ed25519(bytes) = &mut claims[*lie].signature else { panic!("a lie about Ed25519") };
            bytes[40] ^= 1;
        }
        assert_eq!(claims.len(), BATCH_MAX);
        assert_eq!(all_hold(&claims), lies.is_empty(), "{lies:?}");
        let cache = SignatureCache::default();
        verify(&cache, &claims);
        let expected: Vec<bool> = (0..claims.len()).map(|place| !lies.contains(&place)).collect();
        assert_eq!(remembered(&cache, &claims), expected, "{lies:?}");
    }
    let mut claims: Vec<Claim> = (0..8).map(claim).collect();
    claims[5] = Claim { id: claims[6].id, ..p256(5) };
    assert!(!all_hold(&claims), "a P-256 signature over something else");
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
    let mut taken = 0;
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
                assert_eq!(all_hold(&together), single, "key {} r {} s {s}", hex::encode(key), hex::encode(r));
                taken += usize::from(single);
            }
        }
    }
    assert_eq!(taken, points.len() * points.len(), "those with s = 0, and no others");
}
