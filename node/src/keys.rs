//! Private keys on disk: PKCS#8 PEM files (RFC 8410, RFC 5915), as `openssl genpkey -algorithm ed25519` makes them. What is
//! here are a node's own keys, which are Ed25519; keys of organizations and devices, of either kind, are in [`private`].
//!
//! A key file that others can read is refused, and a key file that exists is never overwritten. No type here shows a
//! secret when it is printed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cairn_types::{KeyError, PublicKey};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use zeroize::Zeroizing;

pub(crate) mod private;

/// How lines of a key file end.
const LINE_ENDING: LineEnding = LineEnding::LF;

/// Mode bits that let somebody else than the owner at a key file.
const OTHERS: u32 = 0o077;

/// Why a key file cannot be used. Its owner is to blame, and can mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    #[error("{path}: {source}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} can be read by others (mode {mode:03o}); run: chmod 600 {path}", path = .path.display())]
    Mode { path: PathBuf, mode: u32 },
    #[error("{path} is not a PKCS#8 PEM file with an Ed25519 key; make one with: cairn key generate --out FILE, or: openssl genpkey -algorithm ed25519 -out FILE", path = .path.display())]
    Format { path: PathBuf },
    #[error("{path} is not a PKCS#8 PEM file with an Ed25519 or P-256 key; make one with: cairn key generate [--algorithm p256] --out FILE, or: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE", path = .path.display())]
    EitherFormat { path: PathBuf },
    #[error("{path} exists; a key file is never overwritten", path = .path.display())]
    Exists { path: PathBuf },
    #[error("{path}: {source}", path = .path.display())]
    Key { path: PathBuf, source: KeyError },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> KeyFileError + '_ {
    move |source| KeyFileError::Io { path: path.to_owned(), source }
}

/// Reads a key file that only its owner can read.
fn read_private_text(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let mode = fs::metadata(path).map_err(io_error(path))?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyFileError::Mode { path: path.to_owned(), mode });
    }
    Ok(Zeroizing::new(fs::read_to_string(path).map_err(io_error(path))?))
}

/// Reads an Ed25519 key.
pub(crate) fn read(path: &Path) -> Result<SigningKey, KeyFileError> {
    let text = read_private_text(path)?;
    let key = SigningKey::from_pkcs8_pem(&text).map_err(|_| KeyFileError::Format { path: path.to_owned() })?;
    public(&key).check().map_err(|source| KeyFileError::Key { path: path.to_owned(), source })?;
    Ok(key)
}

/// Writes a new Ed25519 key, readable by its owner alone.
pub(crate) fn write(path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let text = ed25519_pem(key).map_err(|_| KeyFileError::Format { path: path.to_owned() })?;
    create(path, &text)
}

/// The text of an Ed25519 key file, without the public half that RFC 5958 allows beside it: OpenSSL 3.0 reads no other.
fn ed25519_pem(key: &SigningKey) -> ed25519_dalek::pkcs8::Result<Zeroizing<String>> {
    KeypairBytes { secret_key: key.to_bytes(), public_key: None }.to_pkcs8_pem(LINE_ENDING)
}

/// Writes the text of a new key file.
fn create(path: &Path, text: &str) -> Result<(), KeyFileError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(io_error(parent))?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists { path: path.to_owned() });
        }
        other => other.map_err(io_error(path))?,
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error(path))
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
        assert!(matches!(read(&path), Err(KeyFileError::Mode { mode: 0o644, .. })));
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
