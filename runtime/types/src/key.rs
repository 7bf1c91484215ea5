//! Public keys and signatures, and the one rule for each algorithm by which a signature is valid.
//!
//! Ed25519 follows ZIP 215 (zips.z.cash/zip-0215): the cofactored equation, non-canonical point encodings accepted, `s`
//! canonical. Under it a batch accepts exactly what single checks accept, so no two nodes can disagree. What ZIP 215
//! leaves open, keys for which one signature fits many messages, is closed at registration by [`PublicKey::check`].
//!
//! ECDSA P-256 (FIPS 186-5, SHA-256) knows one form of each value: keys are compressed points (SEC 1 section 2.3.3), and
//! `s` lies in the lower half of the group order, or anybody could make a second signature of one that was seen.
//!
//! Private keys are not here: they live in the program that their owner runs.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::edwards::CompressedEdwardsY;

use crate::domain;
use crate::hash::{Hash, KeyCommitment};

/// Bytes in an Ed25519 public key.
pub const ED25519_KEY_BYTES: usize = 32;
/// Bytes in an Ed25519 signature.
pub const ED25519_SIGNATURE_BYTES: usize = 64;

/// Bytes in a compressed P-256 public key.
pub const P256_KEY_BYTES: usize = 33;
/// Bytes in a P-256 signature.
pub const P256_SIGNATURE_BYTES: usize = 64;

/// A public key of an organization or a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum PublicKey {
    /// RFC 8032, verified by ZIP 215.
    Ed25519([u8; ED25519_KEY_BYTES]) = 0,
    /// A compressed point: 02 or 03, then x.
    P256([u8; P256_KEY_BYTES]) = 1,
}

/// A signature's bytes, tagged as the key is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum SignatureBytes {
    /// `R ‖ s` of RFC 8032.
    Ed25519([u8; ED25519_SIGNATURE_BYTES]) = 0,
    /// `r ‖ s`, both big-endian.
    P256([u8; P256_SIGNATURE_BYTES]) = 1,
}

/// Why a public key may not be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the canonical encoding of a point on the curve.
    #[error("not the canonical encoding of a point on the curve")]
    NotAPoint,
    /// A point of small order: one signature would fit many messages.
    #[error("a key of small order, for which one signature fits many messages")]
    SmallOrder,
    /// A point with a torsion component: libraries disagree about its signatures.
    #[error("a key of mixed order, about whose signatures libraries disagree")]
    MixedOrder,
}

/// A signature that does not fit its key and message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature is of another algorithm than the key.
    #[error("the signature is of another algorithm than the key")]
    Algorithm,
    /// The check itself failed.
    #[error("the signature does not verify")]
    Invalid,
}

impl PublicKey {
    /// Whether the key may be registered: canonical, and of prime order.
    ///
    /// # Errors
    /// [`KeyError`]; whoever offers the key is to blame.
    pub fn check(&self) -> Result<(), KeyError> {
        match self {
            Self::Ed25519(bytes) => check_ed25519(bytes),
            Self::P256(bytes) => p256_key(bytes).map(|_| ()),
        }
    }

    /// Checks `signature` over `message`.
    ///
    /// # Errors
    /// [`SignatureError`]; the signer is to blame.
    pub fn verify(&self, message: &[u8], signature: &SignatureBytes) -> Result<(), SignatureError> {
        match (self, signature) {
            (Self::Ed25519(key), SignatureBytes::Ed25519(signature)) => verify_ed25519(key, message, signature),
            (Self::P256(key), SignatureBytes::P256(signature)) => verify_p256(key, message, signature),
            _ => Err(SignatureError::Algorithm),
        }
    }

    /// The P-256 key of a point, in whichever form of SEC 1 section 2.3.3 it is written: certificates use all of them.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`]; whoever offers the key is to blame.
    pub fn p256_from_sec1(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        let point = key.to_sec1_point(true);
        point.as_bytes().try_into().map(Self::P256).map_err(|_| KeyError::NotAPoint)
    }

    /// Checks a signature as certificates hold it: of Ed25519 the same 64 bytes, of P-256 in DER, with `s` in either half.
    ///
    /// # Errors
    /// [`SignatureError`]; the signer is to blame.
    pub fn verify_certificate(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match self {
            Self::Ed25519(key) => {
                let signature = signature.try_into().map_err(|_| SignatureError::Invalid)?;
                verify_ed25519(key, message, signature)
            }
            Self::P256(key) => {
                let signature = p256::ecdsa::Signature::from_der(signature).map_err(|_| SignatureError::Invalid)?;
                verify_p256(key, message, &signature.normalize_s().to_bytes().into())
            }
        }
    }

    /// The commitment to this key that is published one rotation before the key itself.
    pub fn commitment(&self) -> KeyCommitment {
        KeyCommitment::from_hash(Hash::derive(domain::KEY_COMMITMENT, &crate::codec::encode(self)))
    }

    /// The algorithm's name: `ed25519` or `p256`.
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
            Self::P256(_) => "p256",
        }
    }

    /// The key's bytes, without a tag.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(bytes) => bytes,
            Self::P256(bytes) => bytes,
        }
    }
}

fn p256_key(bytes: &[u8; P256_KEY_BYTES]) -> Result<p256::ecdsa::VerifyingKey, KeyError> {
    // 33 bytes are a compressed point or nothing; the identity has an encoding of its own, and the order is prime.
    p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(|_| KeyError::NotAPoint)
}

/// Checks an ECDSA P-256 signature with SHA-256, whose `s` must lie in the lower half.
///
/// # Errors
/// [`SignatureError::Invalid`]; the signer is to blame.
pub fn verify_p256(
    key: &[u8; P256_KEY_BYTES],
    message: &[u8],
    signature: &[u8; P256_SIGNATURE_BYTES],
) -> Result<(), SignatureError> {
    use p256::ecdsa::signature::Verifier;
    let key = p256_key(key).map_err(|_| SignatureError::Invalid)?;
    let signature = p256::ecdsa::Signature::from_slice(signature).map_err(|_| SignatureError::Invalid)?;
    if signature.normalize_s() != signature {
        return Err(SignatureError::Invalid);
    }
    key.verify(message, &signature).map_err(|_| SignatureError::Invalid)
}

/// Whether 32 bytes are a canonical Ed25519 key of prime order.
///
/// # Errors
/// [`KeyError`]; whoever offers the key is to blame.
pub fn check_ed25519(bytes: &[u8; ED25519_KEY_BYTES]) -> Result<(), KeyError> {
    let point = CompressedEdwardsY(*bytes).decompress().ok_or(KeyError::NotAPoint)?;
    if point.compress().as_bytes() != bytes {
        return Err(KeyError::NotAPoint);
    }
    if point.is_small_order() {
        return Err(KeyError::SmallOrder);
    }
    if point.is_torsion_free() { Ok(()) } else { Err(KeyError::MixedOrder) }
}

/// Checks an Ed25519 signature by ZIP 215.
///
/// # Errors
/// [`SignatureError::Invalid`]; the signer is to blame.
pub fn verify_ed25519(
    key: &[u8; ED25519_KEY_BYTES],
    message: &[u8],
    signature: &[u8; ED25519_SIGNATURE_BYTES],
) -> Result<(), SignatureError> {
    let key = ed25519_zebra::VerificationKey::try_from(*key).map_err(|_| SignatureError::Invalid)?;
    let signature = ed25519_zebra::Signature::from_bytes(signature);
    key.verify(&signature, message).map_err(|_| SignatureError::Invalid)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm())?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a public key. The user who typed it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is written ed25519:<64 lowercase hexadecimal digits> or p256:<66 lowercase hexadecimal digits>")]
pub struct ParseKeyError;

impl std::str::FromStr for PublicKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, digits) = text.split_once(':').ok_or(ParseKeyError)?;
        if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return Err(ParseKeyError);
        }
        let bytes = hex::decode(digits).map_err(|_| ParseKeyError)?;
        let key = match algorithm {
            "ed25519" => bytes.try_into().map(Self::Ed25519),
            "p256" => bytes.try_into().map(Self::P256),
            _ => return Err(ParseKeyError),
        };
        key.map_err(|_| ParseKeyError)
    }
}

impl fmt::Debug for SignatureBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Ed25519(bytes) | Self::P256(bytes)) = self;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
    use ed25519_dalek::{Signer, SigningKey};

    use super::{KeyError, PublicKey, SignatureBytes, SignatureError};

    #[test]
    fn what_dalek_signs_verifies_and_a_changed_bit_does_not() {
        let secret = SigningKey::from_bytes(&[7; 32]);
        let key = PublicKey::Ed25519(secret.verifying_key().to_bytes());
        assert_eq!(key.check(), Ok(()));
        let mut bytes = secret.sign(b"hello").to_bytes();
        assert_eq!(key.verify(b"hello", &SignatureBytes::Ed25519(bytes)), Ok(()));
        assert_eq!(key.verify(b"hellp", &SignatureBytes::Ed25519(bytes)), Err(SignatureError::Invalid));
        bytes[3] ^= 1;
        assert_eq!(key.verify(b"hello", &SignatureBytes::Ed25519(bytes)), Err(SignatureError::Invalid));
    }

    #[test]
    fn weak_mixed_and_non_canonical_keys_are_refused_at_registration() {
        for torsion in EIGHT_TORSION {
            let small = PublicKey::Ed25519(torsion.compress().to_bytes());
            assert_eq!(small.check(), Err(KeyError::SmallOrder));
        }
        let mixed = (ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress().to_bytes();
        assert_eq!(PublicKey::Ed25519(mixed).check(), Err(KeyError::MixedOrder));
        // p + 1 encodes y = 1 a second time.
        let mut second_spelling = [0xff; 32];
        second_spelling[0] = 0xee;
        second_spelling[31] = 0x7f;
        assert_eq!(PublicKey::Ed25519(second_spelling).check(), Err(KeyError::NotAPoint));
    }

    #[test]
    fn the_text_form_reads_back() {
        let key = PublicKey::Ed25519([9; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!("ed25519:zz".parse::<PublicKey>().is_err());
        let key = PublicKey::P256([2; 33]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!(format!("ed25519:{}", "02".repeat(33)).parse::<PublicKey>().is_err());
        assert!(format!("p256:{}", "AB".repeat(33)).parse::<PublicKey>().is_err());
    }

    #[test]
    fn a_p256_signature_has_one_form() {
        use p256::ecdsa::SigningKey;
        let secret = SigningKey::from_slice(&[7; 32]).expect("a scalar below the order");
        let point = secret.verifying_key().to_sec1_point(true);
        let key = PublicKey::P256(point.as_bytes().try_into().expect("a compressed point"));
        assert_eq!(key.check(), Ok(()));
        let signature: p256::ecdsa::Signature = secret.sign(b"hello");
        let low = signature.normalize_s();
        let (r, s) = low.split_scalars();
        let high = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).expect("two scalars");
        let bytes = |signature: &p256::ecdsa::Signature| SignatureBytes::P256(signature.to_bytes().into());
        assert_eq!(key.verify(b"hello", &bytes(&low)), Ok(()));
        assert_eq!(key.verify(b"hello", &bytes(&high)), Err(SignatureError::Invalid));
        assert_eq!(key.verify(b"hellp", &bytes(&low)), Err(SignatureError::Invalid));
        assert_eq!(key.verify(b"hello", &SignatureBytes::Ed25519([0; 64])), Err(SignatureError::Algorithm));
        assert_eq!(PublicKey::P256([0; 33]).check(), Err(KeyError::NotAPoint));
        let mut off_curve = [0xff; 33];
        off_curve[0] = 2;
        assert_eq!(PublicKey::P256(off_curve).check(), Err(KeyError::NotAPoint));
    }
}
