//! Private keys on disk: PKCS#8 PEM files (RFC 8410, RFC 5915), as `openssl genpkey -algorithm ed25519` makes them, plain
//! or encrypted with a passphrase. What is here are a node's own keys, which are Ed25519; keys of organizations and
//! devices, of either kind, are in [`private`].
//!
//! A key file that others can read is refused, and a key file that exists is never overwritten, but by the same key under
//! another passphrase. No type here shows a secret when it is printed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cairn_types::{KeyError, PublicKey};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{self, DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use pkcs5::der::SecretDocument;
use zeroize::Zeroizing;

use access::AccessError;
use envelope::{Envelope, EnvelopeError};
use passphrase::{PASSPHRASE_CHARS_MIN, Source};

pub(crate) mod access;
mod envelope;
pub(crate) mod of_node;
pub(crate) mod passphrase;
pub(crate) mod private;

/// How lines of a key file end.
const LINE_ENDING: LineEnding = LineEnding::LF;

/// Why a key file cannot be used. Its owner is to blame, and can mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    #[error("{path}: {source}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("{path} is not a PKCS#8 PEM file with an Ed25519 key; make one with: cairn key generate --out FILE, or: openssl genpkey -algorithm ed25519 -out FILE", path = .path.display())]
    Format { path: PathBuf },
    #[error("{path} is not a PKCS#8 PEM file with an Ed25519 or P-256 key; make one with: cairn key generate [--algorithm p256] --out FILE, or: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE", path = .path.display())]
    EitherFormat { path: PathBuf },
    #[error("{path} exists; a key file is never overwritten", path = .path.display())]
    Exists { path: PathBuf },
    #[error("{path}: {source}", path = .path.display())]
    Key { path: PathBuf, source: KeyError },
    #[error("{path} is encrypted in a way that this program does not open; write it anew with: openssl pkcs8 -topk8 -scrypt -in {path} -out FILE", path = .path.display())]
    Scheme { path: PathBuf },
    #[error("the passphrase does not open {path}", path = .path.display())]
    Passphrase { path: PathBuf },
    #[error("{path} is encrypted, and there is no terminal to ask for its passphrase; name a file that holds it with --passphrase-file FILE, or of a node with keys.passphrase_file in its configuration", path = .path.display())]
    PassphraseWanted { path: PathBuf },
    #[error("{path} does not hold a passphrase: one line, not empty, at most 1 KiB", path = .path.display())]
    PassphraseFile { path: PathBuf },
    #[error(
        "a passphrase of {chars} characters is too short; take at least {PASSPHRASE_CHARS_MIN}, such as four words that do not belong together"
    )]
    PassphraseShort { chars: usize },
    #[error("the two passphrases are not the same")]
    PassphrasesDiffer,
    #[error("{first} and {second} hold the same key; a node's keys must differ, so that one that is stolen cannot do the other's work. Make a new one with: cairn key generate --out FILE", first = .first.display(), second = .second.display())]
    Same { first: PathBuf, second: PathBuf },
    #[error("{path} is in use by another node; two nodes that vote with one key contradict each other sooner or later", path = .path.display())]
    InUse { path: PathBuf },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> KeyFileError + '_ {
    move |source| KeyFileError::Io { path: path.to_owned(), source }
}

/// What a key file holds.
struct ReadKey {
    der: Zeroizing<Vec<u8>>,
    is_encrypted: bool,
}

/// Reads a key file that only its owner can read, with a passphrase from `source` if it is encrypted; `None` if the file is
/// no key file.
fn read_der(path: &Path, source: &Source) -> Result<Option<ReadKey>, KeyFileError> {
    access::check_file(path)?;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(io_error(path))?);
    match Envelope::parse(&text) {
        Ok(Envelope::Plain(der)) => Ok(Some(ReadKey { der, is_encrypted: false })),
        Ok(Envelope::Sealed(scheme, sealed)) => {
            let passphrase = source.read(path)?;
            match envelope::open(&scheme, &sealed, &passphrase) {
                // What a wrong passphrase leaves is no DER.
                Ok(der) if SecretDocument::try_from(der.as_slice()).is_ok() => {
                    Ok(Some(ReadKey { der, is_encrypted: true }))
                }
                Err(EnvelopeError::Scheme) => Err(KeyFileError::Scheme { path: path.to_owned() }),
                _ => Err(KeyFileError::Passphrase { path: path.to_owned() }),
            }
        }
        Err(EnvelopeError::Scheme) => Err(KeyFileError::Scheme { path: path.to_owned() }),
        Err(_) => Ok(None),
    }
}

/// Reads an Ed25519 key, with the passphrase of this command if it is encrypted.
pub(crate) fn read(path: &Path) -> Result<SigningKey, KeyFileError> {
    read_with(path, &Source::of_command())
}

/// Reads an Ed25519 key, with a passphrase from `source` if it is encrypted.
fn read_with(path: &Path, source: &Source) -> Result<SigningKey, KeyFileError> {
    let format = || KeyFileError::Format { path: path.to_owned() };
    let ReadKey { der, .. } = read_der(path, source)?.ok_or_else(format)?;
    let key = SigningKey::from_pkcs8_der(&der).map_err(|_| format())?;
    public(&key).check().map_err(|source| KeyFileError::Key { path: path.to_owned(), source })?;
    Ok(key)
}

/// Writes a new Ed25519 key, readable by its owner alone.
pub(crate) fn write(path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let text = ed25519_der(key).ok().and_then(|der| envelope::write(der.as_bytes(), None).ok());
    create(path, &text.ok_or_else(|| KeyFileError::Format { path: path.to_owned() })?)
}

/// The DER of an Ed25519 key file, without the public half that RFC 5958 allows beside it: OpenSSL 3.0 reads no other.
fn ed25519_der(key: &SigningKey) -> pkcs8::Result<SecretDocument> {
    KeypairBytes { secret_key: key.to_bytes(), public_key: None }.to_pkcs8_der()
}

/// Writes the text of a new key file; a directory that is made for it is its owner's alone.
fn create(path: &Path, text: &str) -> Result<(), KeyFileError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(io_error(parent))?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists { path: path.to_owned() });
        }
        other => other.map_err(io_error(path))?,
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error(path))
}

/// Puts another text for the same key in a key file's place, as a whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let real = fs::canonicalize(path).map_err(io_error(path))?;
    let mut beside = real.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    create(&beside, text)?;
    fs::rename(&beside, &real).map_err(io_error(&real))?;
    let directory = real.parent().unwrap_or(Path::new("/"));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io_error(directory))
}

/// A new random Ed25519 key.
pub(crate) fn generate() -> SigningKey {
    let seed = Zeroizing::new(rand::random::<[u8; 32]>());
    SigningKey::from_bytes(&seed)
}

/// The public half.
pub(crate) fn public(key: &SigningKey) -> PublicKey {
    PublicKey::Ed25519(key.verifying_key().to_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::access::AccessError;
    use super::{KeyFileError, generate, public, read, write};

    #[test]
    fn a_key_reads_back_and_is_neither_shared_nor_overwritten() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("keys/device.pem");
        let key = generate();
        write(&path, &key).expect("writes");
        assert_eq!(public(&read(&path).expect("reads")), public(&key));
        // As `openssl genpkey -algorithm ed25519` writes it: 48 bytes, and no public half.
        let text = fs::read_to_string(&path).expect("reads");
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI"), "{text}");
        assert!(matches!(write(&path, &generate()), Err(KeyFileError::Exists { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changes the mode");
        assert!(matches!(read(&path), Err(KeyFileError::Access(AccessError::Mode { mode: 0o644, .. }))));
    }

    #[test]
    fn a_key_made_by_openssl_works() {
        // openssl genpkey -algorithm ed25519
        let text = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("openssl.pem");
        fs::write(&path, text).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changes the mode");
        // RFC 8410, section 10.3 prints the public key of this private key.
        let expected = "ed25519:19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        assert_eq!(public(&read(&path).expect("reads")).to_string(), expected);
    }

    #[test]
    fn what_is_no_key_is_refused_in_words() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("not-a-key.pem");
        fs::write(&path, "hello").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changes the mode");
        assert!(read(&path).is_err_and(|error| error.to_string().contains("openssl genpkey")));
    }
}
