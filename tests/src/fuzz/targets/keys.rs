//! Keys and signatures: what may be registered has one form, what verifies was signed, and certificates certify what their
//! issuer said.

use cairn_runtime::certificate::check_chain;
use cairn_types::key::{P256_KEY_BYTES, P256_SIGNATURE_BYTES};
use cairn_types::{PublicKey, SignatureBytes, decode, encode};
use ed25519_dalek::{Signer, SigningKey};

use super::{Seen, Target, hold};
use crate::actor;
use crate::fuzz::found;

/// Secret keys of the corpus.
const SECRETS: u64 = 4;

fn ed25519() -> Target {
    let said = |secret: &SigningKey, message: &[u8]| {
        [secret.verifying_key().as_bytes(), secret.sign(message).to_bytes().as_slice(), message].concat()
    };
    let corpus: Vec<Vec<u8>> = (0..SECRETS)
        .flat_map(|seed| [&b"hello"[..], b"", &[7; 200]].map(|message| said(&actor::key(seed), message)))
        .collect();
    let valid = corpus.clone();
    Target::new("ed25519", 6, corpus, move |input| {
        let Some((key, rest)) = input.split_first_chunk::<32>() else { return Ok(Seen::Refused) };
        let Some((signature, message)) = rest.split_first_chunk::<64>() else { return Ok(Seen::Refused) };
        let public = PublicKey::Ed25519(*key);
        let verdict = public.verify(message, &SignatureBytes::Ed25519(*signature));
        let other = public.verify(message, &SignatureBytes::P256(*signature));
        hold(other.is_err(), "a signature of another algorithm", || format!("{public}"))?;
        let again = public.verify_certificate(message, signature);
        hold(again == verdict, "two opinions on a signature", || format!("{public}"))?;
        if verdict.is_err() {
            return Ok(Seen::Refused);
        }
        // Keys of small order verify what nobody signed; they are refused at registration.
        let known = valid.iter().any(|valid| valid == input) || public.check().is_err();
        hold(known, "a forged signature", || hex::encode(input))?;
        Ok(Seen::Accepted)
    })
}

fn p256() -> Target {
    let secrets = (0..SECRETS).map(|seed| {
        p256::ecdsa::SigningKey::from_slice(actor::key(seed).as_bytes()).expect("a hash is below the order")
    });
    let corpus: Vec<Vec<u8>> = secrets
        .flat_map(|secret| {
            [&b"hello"[..], b"", &[7; 200]].map(|message| {
                let signature: p256::ecdsa::Signature = secret.sign(message);
                let low = signature.normalize_s().to_bytes();
                let point = secret.verifying_key().to_sec1_point(true);
                [point.as_bytes(), low.as_slice(), message].concat()
            })
        })
        .collect();
    let valid = corpus.clone();
    Target::new("p256", 2, corpus, move |input| {
        let Some((key, rest)) = input.split_first_chunk::<P256_KEY_BYTES>() else { return Ok(Seen::Refused) };
        let Some((bytes, message)) = rest.split_first_chunk::<P256_SIGNATURE_BYTES>() else { return Ok(Seen::Refused) };
        let public = PublicKey::P256(*key);
        if public.verify(message, &SignatureBytes::P256(*bytes)).is_err() {
            return Ok(Seen::Refused);
        }
        hold(public.check().is_ok(), "a key that is none verifies", || format!("{public}"))?;
        hold(valid.iter().any(|valid| valid == input), "a forged signature", || hex::encode(input))?;
        // The second signature that anybody can make of the first.
        let signature = p256::ecdsa::Signature::from_slice(bytes).map_err(|error| format!("not read: {error}"))?;
        let (r, s) = signature.split_scalars();
        let high = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes());
        let high = high.map_err(|error| format!("not made: {error}"))?;
        let taken = public.verify(message, &SignatureBytes::P256(high.to_bytes().into())).is_ok();
        hold(!taken, "two signatures of one", || hex::encode(input))?;
        hold(public.verify_certificate(message, high.to_der().as_bytes()).is_ok(), "DER with a high s", String::new)?;
        Ok(Seen::Accepted)
    })
}

/// What may be registered, in whatever form it is written.
fn points() -> Target {
    let mut corpus: Vec<Vec<u8>> = (0..SECRETS).map(|seed| encode(&actor::public(&actor::key(seed)))).collect();
    for seed in 0..SECRETS {
        let secret = p256::ecdsa::SigningKey::from_slice(actor::key(seed).as_bytes()).expect("a scalar");
        for compressed in [true, false] {
            corpus.push([&[1], secret.verifying_key().to_sec1_point(compressed).as_bytes()].concat());
        }
    }
    Target::new("key", 8, corpus, |input| {
        let Some((kind, bytes)) = input.split_first() else { return Ok(Seen::Refused) };
        if *kind == 1 {
            let Ok(key) = PublicKey::p256_from_sec1(bytes) else { return Ok(Seen::Refused) };
            hold(key.check().is_ok(), "a point that may not be registered", || format!("{key}"))?;
            hold(PublicKey::p256_from_sec1(key.as_bytes()) == Ok(key), "two forms of a point", || format!("{key}"))?;
            return Ok(Seen::Accepted);
        }
        let Ok(key) = decode::<PublicKey>(input, 100) else { return Ok(Seen::Refused) };
        if key.check().is_err() {
            return Ok(Seen::Refused);
        }
        hold(key.to_string().parse() == Ok(key), "two spellings", || format!("{key}"))?;
        hold(encode(&key) == input, "two encodings", || format!("{key}"))?;
        Ok(Seen::Accepted)
    })
    .within(200, 64 * 1024)
}

/// Chains of certificates, after the key of their issuer. Nobody here has an issuer's key, so whatever differs from a valid
/// chain certifies nothing.
fn certificates() -> Target {
    let corpus = found::kept(&super::directory("fuzz/corpus"), "certificate-chain");
    let read = |input: &[u8]| decode::<(PublicKey, Vec<Vec<u8>>)>(input, 64 * 1024).ok();
    let certified = |input: &[u8]| read(input).and_then(|(issuer, chain)| check_chain(&chain, &issuer).ok());
    let valid: Vec<_> = corpus.iter().map(|input| certified(input).map(|found| found.key)).collect();
    Target::new("certificate-chain", 12, corpus, move |input| {
        let Some((issuer, chain)) = read(input) else { return Ok(Seen::Refused) };
        match check_chain(&chain, &issuer) {
            Ok(found) => {
                hold(valid.contains(&Some(found.key)), "a key that nobody certified", || format!("{found:?}"))?;
                Ok(Seen::Accepted)
            }
            Err(error) => {
                hold(!error.reason().is_empty(), "a refusal without words", || format!("{error:?}"))?;
                Ok(Seen::Refused)
            }
        }
    })
    .knowing(&[
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x02\x01\xff",
        b"\x01\x01\xff",
        b"\x05\x00",
        b"\x06\x03\x55\x1d\x13",
        b"\x06\x03\x55\x1d\x0f",
        b"\x17\x0d250229000000Z",
        b"\x18\x0f99991231235959Z",
        b"\x03\x01\x08",
        b"\x06\x00",
        b"\x06\x01\x80",
    ])
    .within(400, 1024 * 1024 + 256 * 1024)
}

pub(super) fn targets() -> Vec<Target> {
    vec![ed25519(), p256(), points(), certificates()]
}
