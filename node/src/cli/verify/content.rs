//! Content as its owner or an auditor has it: a file, hashed as a stream and never read whole.
//!
//! It does not know who attested what. The invariant: the length that it tells is that of the bytes it hashed, even if
//! the file changes meanwhile.

use std::fs::{self, File};
use std::path::Path;

use anyhow::Context;
use cairn_proofs::verdict::ContentEvidence;
use cairn_types::{ContentForm, ContentHash, Hash, domain};
use zeroize::Zeroizing;

/// Bytes of a salt.
const SALT_BYTES: usize = 32;

/// A salt. Whoever destroys it erases the content that was attested with it, so it is wiped from memory after use.
pub(in crate::cli) struct Salt(Zeroizing<[u8; SALT_BYTES]>);

impl Salt {
    /// Reads a file of 64 hexadecimal digits.
    pub(in crate::cli) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = Zeroizing::new(fs::read_to_string(path).with_context(|| path.display().to_string())?);
        let mut bytes = Zeroizing::new([0; SALT_BYTES]);
        hex::decode_to_slice(text.trim(), bytes.as_mut())
            .with_context(|| format!("{}: a salt is 64 hexadecimal digits", path.display()))?;
        Ok(Self(bytes))
    }
}

/// What the content of a file is, in the form that a salt, or its absence, asks for.
pub(in crate::cli) fn evidence(path: &Path, salt: Option<&Salt>) -> anyhow::Result<ContentEvidence> {
    let (form, mut hasher) = match salt {
        None => (ContentForm::Plain, blake3::Hasher::new()),
        Some(Salt(salt)) => {
            let mut hasher = blake3::Hasher::new_derive_key(domain::SALTED_CONTENT.context());
            hasher.update(salt.as_ref());
            (ContentForm::Salted, hasher)
        }
    };
    let before = hasher.count();
    File::open(path)
        .and_then(|file| hasher.update_reader(file).map(drop))
        .with_context(|| path.display().to_string())?;
    let hash = ContentHash::from_hash(Hash::from_bytes(*hasher.finalize().as_bytes()));
    Ok(ContentEvidence { form, hash, bytes: hasher.count().saturating_sub(before) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use cairn_types::ContentHash;

    use super::{Salt, evidence};

    #[test]
    fn a_file_hashed_as_a_stream_is_the_content_hashed_at_once() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (path, salt_path) = (directory.path().join("day.csv"), directory.path().join("salt.hex"));
        let content = vec![7; 300_000];
        fs::write(&path, &content).expect("writes");
        let plain = evidence(&path, None).expect("hashes");
        assert_eq!((plain.hash, plain.bytes), (ContentHash::plain(&content), 300_000));

        fs::write(&salt_path, format!("{}\n", hex::encode([9; 32]))).expect("writes");
        let salt = Salt::read(&salt_path).expect("a salt");
        let salted = evidence(&path, Some(&salt)).expect("hashes");
        assert_eq!((salted.hash, salted.bytes), (ContentHash::salted(&[9; 32], &content), 300_000));

        fs::write(&salt_path, "too short").expect("writes");
        assert!(Salt::read(&salt_path).is_err());
    }
}
