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

use super::passphrase::{Passphrase, Source};
use super::{KeyFileError, ReadKey, create, ed25519_der, envelope, io_error, read_der, replace};

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

    /// Reads a key file of either kind, with the passphrase of this command if it is encrypted.
    ///
    /// # Errors
    /// [`KeyFileError`]; the file's owner is to blame.
    pub(crate) fn read(path: &Path) -> Result<Self, KeyFileError> {
        Self::read_with(path, &Source::of_command()).map(|(key, _)| key)
    }

    /// Reads a key file of either kind, with a passphrase from `source` if it is encrypted; and whether it is.
    ///
    /// # Errors
    /// As [`PrivateKey::read`].
    pub(crate) fn read_with(path: &Path, source: &Source) -> Result<(Self, bool), KeyFileError> {
        let format = || KeyFileError::EitherFormat { path: path.to_owned() };
        let ReadKey { der, is_encrypted } = read_der(path, source)?.ok_or_else(format)?;
        let ed25519 = SigningKey::from_pkcs8_der(&der).map(Self::Ed25519);
        let key = ed25519.or_else(|_| ecdsa::SigningKey::from_pkcs8_der(&der).map(Self::P256));
        let key = key.map_err(|_| format())?;
        key.public().check().map_err(|source| KeyFileError::Key { path: path.to_owned(), source })?;
        Ok((key, is_encrypted))
    }

    /// Writes a new key file, readable by its owner alone, and encrypted if there is a passphrase.
    ///
    /// # Errors
    /// [`KeyFileError`]; a file that exists is never overwritten.
    pub(crate) fn write(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<(), KeyFileError> {
        create(path, &self.text(path, passphrase)?)
    }

    /// Puts this key under another passphrase, or none, into the file that holds it.
    ///
    /// # Errors
    /// [`KeyFileError`]; the file then holds what it held.
    pub(crate) fn rewrite(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<(), KeyFileError> {
        replace(path, &self.text(path, passphrase)?)
    }

    fn text(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, KeyFileError> {
        let der = match self {
            Self::Ed25519(key) => ed25519_der(key).ok(),
            Self::P256(key) => p256::SecretKey::from(key).to_pkcs8_der().ok(),
        };
        let text = der.and_then(|der| envelope::write(der.as_bytes(), passphrase).ok());
        text.ok_or_else(|| KeyFileError::EitherFormat { path: path.to_owned() })
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
    use crate::keys::KeyFileError;
    use crate::keys::passphrase::Source;

    // openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    const OPENSSL_P256: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxOPCYqPT4WoXNvmx\n6Z1vXjmjYucM2XE6B7F0v9DFE+WhRANCAASWlMXIh7ranWvughU4oXE8/alT+hJE\nfvAKqehhzVYAeR7gvruxVi4uHg01Ba6+o3Ys1Uhs+J8Ri3piAq+q6kc0\n-----END PRIVATE KEY-----\n";
    // openssl pkey -pubout
    const OPENSSL_P256_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElpTFyIe62p1r7oIVOKFxPP2pU/oS\nRH7wCqnoYc1WAHke4L67sVYuLh4NNQWuvqN2LNVIbPifEYt6YgKvqupHNA==\n-----END PUBLIC KEY-----\n";
    // openssl ec -pubout -conv_form compressed -outform DER, the last 33 bytes
    const OPENSSL_P256_POINT: &str = "p256:029694c5c887bada9d6bee821538a1713cfda953fa12447ef00aa9e861cd560079";

    // openssl pkcs8 -topk8 [-scrypt] -passout 'pass:correct horse battery', of the private key whose public one RFC 8410 prints
    const OPENSSL_SCRYPT: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGTME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAhwY3nt9CdUYgICQAAC\nAQgCAQEwHQYJYIZIAWUDBAEqBBC6VkjcE3dLlznn8vCEq+YfBEC1s90rwgAbYoK6\n7GVSBYPUVvZ73pj5qXpcb/h2PBYSu80VTeU8yZ6znX9QTr4ZRbt8EXc5WHY1oI6D\nfgnDf97m\n-----END ENCRYPTED PRIVATE KEY-----\n";
    const OPENSSL_PBKDF2: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhdJIw4UBxnPQICCAAw\nDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEECH1ZAxtKbwFSMWNdfYA03cEQHZy\nc/AjEvwktaYyZNuT87KqwbNO8+lq630n6L9sxvgzzc6WZV7pw+y7+rAqfdPnIy8n\ndY0sJsruJf8DWNFnxYc=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    const OPENSSL_SEALED_KEY: &str = "ed25519:19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

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
            key.write(&path, None).expect("writes");
            let read = PrivateKey::read(&path).expect("reads");
            assert_eq!(read.public(), key.public());
            // Of random messages, half the signatures have the upper `s` before it is mended.
            for message in 0_u8..32 {
                assert_eq!(key.public().verify(&[message], &read.sign(&[message])), Ok(()), "{algorithm:?} {message}");
            }
        }
    }

    #[test]
    fn a_file_that_openssl_encrypted_opens_and_ours_says_when_the_passphrase_is_wrong() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let source = |name: &str, text: &str| Source::File(file(&directory, name, text));
        let (right, wrong) = (source("right", "correct horse battery\n"), source("wrong", "correct horse batterie\n"));
        for (name, text) in [("scrypt.pem", OPENSSL_SCRYPT), ("pbkdf2.pem", OPENSSL_PBKDF2)] {
            let path = file(&directory, name, text);
            let (key, is_encrypted) = PrivateKey::read_with(&path, &right).expect("opens");
            assert!(is_encrypted);
            assert_eq!(key.public().to_string(), OPENSSL_SEALED_KEY, "{name}");
            assert!(matches!(PrivateKey::read_with(&path, &wrong), Err(KeyFileError::Passphrase { .. })), "{name}");
        }
        for algorithm in [Algorithm::Ed25519, Algorithm::P256] {
            let path = directory.path().join(format!("{algorithm:?}.pem"));
            let key = PrivateKey::generate(algorithm);
            key.write(&path, Some(&right.read_new(&path).expect("long enough"))).expect("writes");
            assert_eq!(PrivateKey::read_with(&path, &right).expect("opens").0.public(), key.public());
            assert!(matches!(PrivateKey::read_with(&path, &wrong), Err(KeyFileError::Passphrase { .. })));
            key.rewrite(&path, Some(&wrong.read_new(&path).expect("long enough"))).expect("writes");
            assert!(matches!(PrivateKey::read_with(&path, &right), Err(KeyFileError::Passphrase { .. })));
            key.rewrite(&path, None).expect("writes");
            let (plain, is_encrypted) = PrivateKey::read_with(&path, &wrong).expect("reads");
            assert!(!is_encrypted && plain.public() == key.public());
            let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "a file that is replaced stays private");
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
