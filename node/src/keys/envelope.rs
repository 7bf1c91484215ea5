//! The text of a key file: PKCS#8 in PEM, plain or encrypted with a passphrase (RFC 5958, RFC 8018).
//!
//! What is written is PBES2 with scrypt and AES-256 in CBC mode, as `openssl pkcs8 -topk8 -scrypt` writes it and every
//! OpenSSL since 1.1.0 reads it; what OpenSSL writes by default (PBKDF2) is read too. It does not know kinds of keys, nor
//! where a passphrase comes from. CBC mode has no check of its own: a wrong passphrase shows in the padding, or in a key
//! that does not decode, and both are told alike.
//!
//! The invariant: no private byte is left in memory that is given back, but for what the library keeps on its own stack.

use pkcs5::der::asn1::OctetStringRef;
use pkcs5::der::{self, Encode, Header, Reader, SecretDocument, SliceReader, Tag};
use pkcs5::pbes2::{Kdf, Parameters};
use pkcs5::{EncryptionScheme, scrypt};
use zeroize::Zeroizing;

use super::LINE_ENDING;
use super::passphrase::Passphrase;

/// Label of a plain key.
const PLAIN: &str = "PRIVATE KEY";

/// Label of an encrypted key.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// scrypt's cost, log2 of its memory in blocks: with blocks of 1 KiB these are 16 MiB, the most that OpenSSL takes when it
/// reads a key (its limit of 32 MiB is a little less than the next step).
const SCRYPT_LOG_N: u8 = 14;

/// scrypt's block size, in units of 128 bytes: what everybody uses.
const SCRYPT_R: u32 = 8;

/// scrypt's passes: five, because memory may not grow; OWASP counts that as equal to the usual 2^17 in one pass. About 0.2 s
/// a guess.
const SCRYPT_P: u32 = 5;

/// Most memory that a file may ask for when it is opened, in bytes: four times what any tool writes.
const SCRYPT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Most passes of scrypt, and most rounds of PBKDF2: a minute's work. A file that asks for more is broken, or a trap.
const SCRYPT_P_MAX: u16 = 64;
const PBKDF2_ROUNDS_MAX: u32 = 20_000_000;

/// Length of salt, and of the first block of a chain, in bytes.
const SALT_BYTES: usize = 16;

/// Why a text is no key, or stays closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EnvelopeError {
    /// Not PEM, or not a private key in PKCS#8.
    Format,
    /// Encrypted in a way that this program does not open.
    Scheme,
    /// The passphrase does not open it.
    Passphrase,
}

/// A key file's content.
pub(super) enum Envelope {
    /// The key's DER.
    Plain(Zeroizing<Vec<u8>>),
    /// How it is encrypted, and the encrypted bytes.
    Sealed(Box<EncryptionScheme>, Vec<u8>),
}

impl Envelope {
    /// Reads a text.
    pub(super) fn parse(text: &str) -> Result<Self, EnvelopeError> {
        let (label, document) = SecretDocument::from_pem(text).map_err(|_| EnvelopeError::Format)?;
        match label {
            PLAIN => Ok(Self::Plain(document.to_bytes())),
            ENCRYPTED => {
                let (scheme, sealed) = read_sealed(document.as_bytes()).map_err(|_| EnvelopeError::Scheme)?;
                Ok(Self::Sealed(Box::new(scheme), sealed))
            }
            _ => Err(EnvelopeError::Format),
        }
    }
}

/// Opens a sealed key: its DER.
pub(super) fn open(
    scheme: &EncryptionScheme,
    sealed: &[u8],
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let bounded = match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Scrypt(scrypt)) => {
            let block = 128 * u64::from(scrypt.block_size);
            let memory = block.checked_mul(scrypt.cost_parameter);
            memory.is_some_and(|bytes| bytes <= SCRYPT_BYTES_MAX) && scrypt.parallelization <= SCRYPT_P_MAX
        }
        Some(Kdf::Pbkdf2(pbkdf2)) => pbkdf2.iteration_count <= PBKDF2_ROUNDS_MAX,
        _ => false,
    };
    if !bounded {
        return Err(EnvelopeError::Scheme);
    }
    match scheme.decrypt(passphrase.as_bytes(), sealed) {
        Ok(der) => Ok(Zeroizing::new(der)),
        Err(pkcs5::Error::UnsupportedAlgorithm { .. }) => Err(EnvelopeError::Scheme),
        Err(_) => Err(EnvelopeError::Passphrase),
    }
}

/// The text of a key file with this key in it, encrypted if there is a passphrase.
pub(super) fn write(der: &[u8], passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, EnvelopeError> {
    let (label, bytes) = match passphrase {
        None => (PLAIN, Zeroizing::new(der.to_vec())),
        Some(passphrase) => (ENCRYPTED, Zeroizing::new(seal(der, passphrase).ok_or(EnvelopeError::Scheme)?)),
    };
    let document = SecretDocument::try_from(bytes.as_slice()).map_err(|_| EnvelopeError::Format)?;
    document.to_pem(label, LINE_ENDING).map_err(|_| EnvelopeError::Format)
}

/// `EncryptedPrivateKeyInfo`, from its two members.
fn seal(der: &[u8], passphrase: &Passphrase) -> Option<Vec<u8>> {
    let parameters = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).ok()?;
    let (salt, first_block) = (rand::random::<[u8; SALT_BYTES]>(), rand::random::<[u8; SALT_BYTES]>());
    let parameters = Parameters::generate_scrypt_aes256cbc(parameters, &salt, first_block).ok()?;
    let scheme = EncryptionScheme::Pbes2(parameters);
    let sealed = scheme.encrypt(passphrase.as_bytes(), der).ok()?;
    let mut members = scheme.to_der().ok()?;
    members.extend(OctetStringRef::new(&sealed).ok()?.to_der().ok()?);
    let mut whole = Header::new(Tag::Sequence, der::Length::try_from(members.len()).ok()?).to_der().ok()?;
    whole.extend(members);
    Some(whole)
}

fn read_sealed(bytes: &[u8]) -> der::Result<(EncryptionScheme, Vec<u8>)> {
    let mut reader = SliceReader::new(bytes)?;
    let members = reader.sequence(|members| -> der::Result<_> {
        let scheme: EncryptionScheme = members.decode()?;
        let sealed: &OctetStringRef = members.decode()?;
        Ok((scheme, sealed.as_bytes().to_vec()))
    })?;
    reader.finish()?;
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::{Envelope, EnvelopeError, open, write};
    use crate::keys::passphrase::Passphrase;

    // An Ed25519 key as OpenSSL encodes it.
    const DER: [u8; 48] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 7, 7, 7, 7, 7,
        7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    ];

    fn open_text(text: &str, passphrase: &str) -> Result<Vec<u8>, EnvelopeError> {
        match Envelope::parse(text)? {
            Envelope::Plain(der) => Ok(der.to_vec()),
            Envelope::Sealed(scheme, sealed) => {
                open(&scheme, &sealed, &Passphrase::of_test(passphrase)).map(|der| der.to_vec())
            }
        }
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_and_with_no_other() {
        let passphrase = Passphrase::of_test("correct horse battery");
        let sealed = write(&DER, Some(&passphrase)).expect("seals");
        assert!(sealed.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{}", *sealed);
        assert_eq!(open_text(&sealed, "correct horse battery").expect("opens"), DER);
        let again = write(&DER, Some(&passphrase)).expect("seals");
        assert_ne!(*again, *sealed, "salt and first block are new each time");
        // One wrong passphrase in 256 leaves a padding that looks right; what comes out is no key then.
        let wrong = open_text(&sealed, "correct horse batterz");
        assert!(wrong.as_ref().is_err_and(|error| *error == EnvelopeError::Passphrase) || wrong != Ok(DER.to_vec()));
        let plain = write(&DER, None).expect("writes");
        assert_eq!(open_text(&plain, "anything").expect("reads"), DER);
    }

    #[test]
    fn a_file_that_asks_for_too_much_work_is_refused_before_any_is_done() {
        use pkcs5::pbes2::{Parameters, Pbkdf2Params};
        use pkcs5::{EncryptionScheme, scrypt};
        let passphrase = Passphrase::of_test("correct horse battery");
        let heavy = [(30_u8, 8_u32, 1_u32), (14, 8, 1_000), (20, 64, 1)].map(|(log_n, r, p)| {
            let parameters = scrypt::Params::new(log_n, r, p).expect("parameters");
            Parameters::generate_scrypt_aes256cbc(parameters, &[1; 16], [2; 16]).expect("a scheme")
        });
        let rounds = Pbkdf2Params::MAX_ITERATION_COUNT;
        let slow = Parameters::generate_pbkdf2_sha256_aes256cbc(rounds, &[1; 16], [2; 16]).expect("a scheme");
        for parameters in heavy.into_iter().chain([slow]) {
            let refused = open(&EncryptionScheme::Pbes2(parameters), &[0; 64], &passphrase);
            assert_eq!(refused.err(), Some(EnvelopeError::Scheme));
        }
    }

    #[test]
    fn every_byte_of_a_sealed_file_can_be_anything_without_a_panic() {
        let sealed = super::seal(&DER, &Passphrase::of_test("correct horse battery")).expect("seals");
        let mut other = sealed.clone();
        for at in 0..sealed.len() {
            for value in 0..=u8::MAX {
                other[at] = value;
                if let Ok((scheme, bytes)) = super::read_sealed(&other) {
                    assert!(bytes.len() <= sealed.len() && scheme.pbes2().is_some() || scheme.pbes1().is_some());
                }
            }
            other[at] = sealed[at];
            assert!(super::read_sealed(&sealed[..at]).is_err(), "cut at {at}");
        }
        assert!(super::read_sealed(&other).is_ok());
    }

    #[test]
    fn what_is_no_key_file_is_told_from_what_is_closed() {
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"] {
            assert_eq!(open_text(text, ""), Err(EnvelopeError::Format), "{text:?}");
        }
        let odd = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(open_text(odd, ""), Err(EnvelopeError::Scheme));
    }
}
