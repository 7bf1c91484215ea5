//! Keys of organizations and devices: Ed25519, or P-256 because most secure elements speak nothing else.
//!
//! It knows keys and messages, and not what is signed with them. The invariant: a signature made here verifies by the one
//! rule of [`cairn_types::key`]; of the two P-256 signatures that fit, it is the one with the lower `s`.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cairn_types::{PublicKey, SignatureBytes};
use clap::ValueEnum;
use ed25519_dalek::pkcs8::spki::DecodePublicKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use p256::ecdsa;
use zeroize::Zeroizing;

use super::{KeyFileError, LINE_ENDING, create, ed25519_pem, io_error, read_private_text};

/// What kind of key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// Ed25519 (RFC 8032).
    #[default]
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (FIPS 186-5), as most secure elements have it.
    P256,
}

/// A private key. It does not show itself when it is printed, and it is wiped from memory after use.
#[derive(Clone)]
pub(crate) enum PrivateKey {
    /// Ed25519.
    Ed25519(SigningKey),
    /// ECDSA P-256.
    P256(ecdsa::SigningKey),
}

impl PrivateKey {
    /// A new random key.
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519(super::generate()),
            Algorithm::P256 => loop {
                // A number that is zero, or not below the group order, is no key: one in 2^32 is not.
                let scalar = Zeroizing::new(rand::random::<[u8; 32]>());
                if let Ok(key) = ecdsa::SigningKey::from_slice(scalar.as_ref()) {
                    return Self::P256(key);
                }
            },
        }
    }

    /// Reads a key file of either kind.
    ///
    /// # Errors
    /// [`KeyFileError`]; the file's owner is to blame.
    pub(crate) fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = read_private_text(path)?;
        let ed25519 = SigningKey::from_pkcs8_pem(&text).map(Self::Ed25519);
        let key = ed25519.or_else(|_| ecdsa::SigningKey::from_pkcs8_pem(&text).map(Self::P256));
        let key = key.map_err(|_| KeyFileError::EitherFormat { path: path.to_owned() })?;
        key.public().check().map_err(|source| KeyFileError::Key { path: path.to_owned(), source })?;
        Ok(key)
    }

    /// Writes a new key file, readable by its owner alone.
    ///
    /// # Errors
    /// [`KeyFileError`]; a file that exists is never overwritten.
    pub(crate) fn write(&self, path: &Path) -> Result<(), KeyFileError> {
        let text = match self {
            Self::Ed25519(key) => ed25519_pem(key),
            Self::P256(key) => p256::SecretKey::from(key).to_pkcs8_pem(LINE_ENDING),
        };
        create(path, &text.map_err(|_| KeyFileError::EitherFormat { path: path.to_owned() })?)
    }

    /// The public half.
    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => super::public(key),
            Self::P256(key) => p256_public(key.verifying_key()),
        }
    }

    /// A signature over `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> SignatureBytes {
        match self {
            Self::Ed25519(key) => SignatureBytes::Ed25519(key.sign(message).to_bytes()),
            Self::P256(key) => {
                let signature: ecdsa::Signature = key.sign(message);
                SignatureBytes::P256(signature.normalize_s().to_bytes().into())
            }
        }
    }
}

fn p256_public(key: &ecdsa::VerifyingKey) -> PublicKey {
    let point = key.to_sec1_point(true);
    PublicKey::P256(point.as_bytes().try_into().expect("a compressed point has 33 bytes"))
}

/// A public key as a person names it: as `cairn key show` prints it, or by a PEM file, of which the private kind is read
/// for its public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyName {
    /// The key itself.
    Public(PublicKey),
    /// A file with it.
    File(PathBuf),
}

impl FromStr for KeyName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::File(PathBuf::from(text)), Self::Public))
    }
}

impl KeyName {
    /// The public key, and the private one if the file holds it.
    ///
    /// # Errors
    /// [`KeyFileError`]; whoever names the file is to blame.
    pub(crate) fn read(&self) -> Result<(PublicKey, Option<PrivateKey>), KeyFileError> {
        let path = match self {
            Self::Public(key) => return Ok((*key, None)),
            Self::File(path) => path,
        };
        // A file with a private key in it is read with its protection checked.
        let text = Zeroizing::new(fs::read_to_string(path).map_err(io_error(path))?);
        let ed25519 = VerifyingKey::from_public_key_pem(&text).map(|key| PublicKey::Ed25519(key.to_bytes()));
        let public = ed25519.or_else(|_| ecdsa::VerifyingKey::from_public_key_pem(&text).map(|key| p256_public(&key)));
        match public {
            Ok(key) => Ok((key, None)),
            Err(_) => PrivateKey::read(path).map(|key| (key.public(), Some(key))),
        }
    }

    /// The public key alone.
    ///
    /// # Errors
    /// [`KeyFileError`]; whoever names the file is to blame.
    pub(crate) fn public(&self) -> Result<PublicKey, KeyFileError> {
        self.read().map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use cairn_types::PublicKey;

    use super::{Algorithm, KeyName, PrivateKey};

    // openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    const OPENSSL_P256: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxOPCYqPT4WoXNvmx\n6Z1vXjmjYucM2XE6B7F0v9DFE+WhRANCAASWlMXIh7ranWvughU4oXE8/alT+hJE\nfvAKqehhzVYAeR7gvruxVi4uHg01Ba6+o3Ys1Uhs+J8Ri3piAq+q6kc0\n-----END PRIVATE KEY-----\n";
    // openssl pkey -pubout
    const OPENSSL_P256_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElpTFyIe62p1r7oIVOKFxPP2pU/oS\nRH7wCqnoYc1WAHke4L67sVYuLh4NNQWuvqN2LNVIbPifEYt6YgKvqupHNA==\n-----END PUBLIC KEY-----\n";
    // openssl ec -pubout -conv_form compressed -outform DER, the last 33 bytes
    const OPENSSL_P256_POINT: &str = "p256:029694c5c887bada9d6bee821538a1713cfda953fa12447ef00aa9e861cd560079";

    fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changes the mode");
        path
    }

    #[test]
    fn keys_of_both_kinds_read_back_and_their_signatures_verify() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for algorithm in [Algorithm::Ed25519, Algorithm::P256] {
            let path = directory.path().join(format!("{algorithm:?}.pem"));
            let key = PrivateKey::generate(algorithm);
            key.write(&path).expect("writes");
            let read = PrivateKey::read(&path).expect("reads");
            assert_eq!(read.public(), key.public());
            // Of random messages, half the signatures have the upper `s` before it is mended.
            for message in 0_u8..32 {
                assert_eq!(key.public().verify(&[message], &read.sign(&[message])), Ok(()), "{algorithm:?} {message}");
            }
        }
    }

    #[test]
    fn a_p256_key_made_by_openssl_works() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let expected: PublicKey = OPENSSL_P256_POINT.parse().expect("a key");
        let private = file(&directory, "private.pem", OPENSSL_P256);
        assert_eq!(PrivateKey::read(&private).expect("reads").public(), expected);
        let public = file(&directory, "public.pem", OPENSSL_P256_PUBLIC);
        assert_eq!(KeyName::File(public).public().ok(), Some(expected));
        let by_private_half = KeyName::File(private).read().expect("reads");
        assert_eq!((by_private_half.0, by_private_half.1.is_some()), (expected, true));
        assert_eq!(OPENSSL_P256_POINT.parse(), Ok(KeyName::Public(expected)));
    }

    #[test]
    fn what_is_no_key_is_refused_in_words() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = file(&directory, "not-a-key.pem", "hello");
        assert!(PrivateKey::read(&path).is_err_and(|error| error.to_string().contains("--algorithm p256")));
        assert!(KeyName::File(path).public().is_err());
    }
}
