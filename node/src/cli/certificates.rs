//! X.509 certificates, as far as the command line must know them: PEM files, and the key in one.
//!
//! Whether a chain holds is for the rules to say. The invariant: a certificate goes to the ledger byte by byte as its issuer
//! signed it.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use cairn_types::PublicKey;
use ed25519_dalek::pkcs8::spki::der::pem;
use p256::ecdsa::VerifyingKey;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

/// Between what a PEM file holds.
const BEGIN: &str = "-----BEGIN ";

/// What a PEM block calls a certificate.
const LABEL: &str = "CERTIFICATE";

/// Reads the certificates of a PEM file, in their order, as DER.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

pub(super) fn parse(text: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut chain = Vec::new();
    for (at, _) in text.match_indices(BEGIN) {
        let block = text.get(at..).unwrap_or_default();
        // A block ends with its last line; what follows is a comment or another one.
        let end = block.match_indices("-----").nth(3).map_or(block.len(), |(at, dashes)| at + dashes.len());
        let block = block.get(..end).unwrap_or_default();
        let (label, der) = pem::decode_vec(block.as_bytes()).map_err(|error| anyhow::anyhow!("PEM: {error}"))?;
        if label == LABEL {
            chain.push(der);
        }
    }
    ensure!(!chain.is_empty(), "holds no certificate in PEM");
    Ok(chain)
}

/// The public key in a certificate.
pub(super) fn key_of(certificate: &[u8]) -> anyhow::Result<PublicKey> {
    use ed25519_dalek::pkcs8::spki::DecodePublicKey;

    let certificate = Certificate::from_der(certificate).context("an X.509 certificate")?;
    let info = certificate.tbs_certificate().subject_public_key_info().to_der().context("its public key")?;
    if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_der(&info) {
        return Ok(PublicKey::Ed25519(key.to_bytes()));
    }
    let Ok(key) = VerifyingKey::from_public_key_der(&info) else {
        bail!("its public key is neither on P-256 nor Ed25519");
    };
    let point = key.to_sec1_point(true);
    Ok(PublicKey::P256(point.as_bytes().try_into().expect("a compressed point has 33 bytes")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{key_of, parse};

    // openssl req -x509 -key KEY -subj /CN=Meter -days 3650, one with a P-256 key and one with an Ed25519 key
    pub(in crate::cli) const P256_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxOPCYqPT4WoXNvmx\n6Z1vXjmjYucM2XE6B7F0v9DFE+WhRANCAASWlMXIh7ranWvughU4oXE8/alT+hJE\nfvAKqehhzVYAeR7gvruxVi4uHg01Ba6+o3Ys1Uhs+J8Ri3piAq+q6kc0\n-----END PRIVATE KEY-----\n";
    pub(in crate::cli) const P256: &str = "-----BEGIN CERTIFICATE-----\nMIIBdTCCARugAwIBAgIUUbx0ldSMZmDD73FIFFSngJx4ecIwCgYIKoZIzj0EAwIw\nEDEOMAwGA1UEAwwFTWV0ZXIwHhcNMjYxMTIyMTY0MzI1WhcNMzYxMTE5MTY0MzI1\nWjAQMQ4wDAYDVQQDDAVNZXRlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJaU\nxciHutqda+6CFTihcTz9qVP6EkR+8Aqp6GHNVgB5HuC+u7FWLi4eDTUFrr6jdizV\nSGz4nxGLemICr6rqRzSjUzBRMB0GA1UdDgQWBBQYLCEoLA/C9bAgD/H60j4n1zK3\n5DAfBgNVHSMEGDAWgBQYLCEoLA/C9bAgD/H60j4n1zK35DAPBgNVHRMBAf8EBTAD\nAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCNJMKkNSH7t9rqiBDN6Iya0lUHW1TQvTmO\ngxvOKuNNMwIgF4OypzNLf1iZFPTZKxbbllSKtQaDLvKU6LM0SbRZMCg=\n-----END CERTIFICATE-----\n";
    const P256_KEY: &str = "p256:029694c5c887bada9d6bee821538a1713cfda953fa12447ef00aa9e861cd560079";
    const ED25519: &str = "-----BEGIN CERTIFICATE-----\nMIIBNDCB56ADAgECAhQZUyhxiLj0SQn15g81WJ9vENItADAFBgMrZXAwEDEOMAwG\nA1UEAwwFTWV0ZXIwHhcNMjYxMTIyMTY0MzI1WhcNMzYxMTE5MTY0MzI1WjAQMQ4w\nDAYDVQQDDAVNZXRlcjAqMAUGAytlcAMhAPBeklG37TO4az3BkSgQR+ZRwb/JkrMf\n0Q2BLiItYcJco1MwUTAdBgNVHQ4EFgQUr2viqJ01tlkuNRkZpRvl4PUp5FYwHwYD\nVR0jBBgwFoAUr2viqJ01tlkuNRkZpRvl4PUp5FYwDwYDVR0TAQH/BAUwAwEB/zAF\nBgMrZXADQQCrJzJdnf2EQvM5uPUfjujPDYqzI1uSEQS7/jknvO0Vtiea+8YNVQCz\nsuo4Wh0GSneI3Ajs5Kw4AQsBq6IrfJAI\n-----END CERTIFICATE-----\n";
    const ED25519_KEY: &str = "ed25519:f05e9251b7ed33b86b3dc191281047e651c1bfc992b31fd10d812e222d61c25c";

    #[test]
    fn a_chain_is_read_in_its_order_with_comments_between() {
        let chain = parse(&format!("the device's own\n{P256}and its issuer's\n{ED25519}\n")).expect("two certificates");
        let keys: Vec<String> = chain.iter().map(|der| key_of(der).expect("a key").to_string()).collect();
        assert_eq!(keys, [P256_KEY, ED25519_KEY]);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        for text in ["", "hello", key, &P256.replace("MI", "!!")] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(key_of(b"hello").is_err());
    }
}
