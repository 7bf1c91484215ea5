//! Public keys and signatures, and the one rule by which a signature is valid.
//!
//! Ed25519 follows ZIP 215 (zips.z.cash/zip-0215): the cofactored equation, non-canonical point encodings accepted, `s`
//! canonical. Under it a batch accepts exactly what single checks accept, so no two nodes can disagree. What ZIP 215
//! leaves open, keys for which one signature fits many messages, is closed at registration by [`PublicKey::check`].
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

/// A public key of an organization or a device. Tag 1 is kept for P-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum PublicKey {
    /// RFC 8032, verified by ZIP 215.
    Ed25519([u8; ED25519_KEY_BYTES]) = 0,
}

/// A signature's bytes, tagged as the key is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum SignatureBytes {
    /// `R ‖ s` of RFC 8032.
    Ed25519([u8; ED25519_SIGNATURE_BYTES]) = 0,
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
        let Self::Ed25519(bytes) = self;
        check_ed25519(bytes)
    }

    /// Checks `signature` over `message`.
    ///
    /// # Errors
    /// [`SignatureError`]; the signer is to blame.
    pub fn verify(&self, message: &[u8], signature: &SignatureBytes) -> Result<(), SignatureError> {
        let (Self::Ed25519(key), SignatureBytes::Ed25519(signature)) = (self, signature);
        verify_ed25519(key, message, signature)
    }

    /// The commitment to this key that is published one rotation before the key itself.
    pub fn commitment(&self) -> KeyCommitment {
        KeyCommitment::from_hash(Hash::derive(domain::KEY_COMMITMENT, &crate::codec::encode(self)))
    }

    /// The algorithm's name: `ed25519`.
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
        }
    }

    /// The key's bytes, without a tag.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(bytes) => bytes,
        }
    }
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
#[error("a public key is written ed25519:<64 lowercase hexadecimal digits>")]
pub struct ParseKeyError;

impl std::str::FromStr for PublicKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("ed25519:").ok_or(ParseKeyError)?;
        let hash: Hash = digits.parse().map_err(|_| ParseKeyError)?;
        Ok(Self::Ed25519(*hash.as_bytes()))
    }
}

impl fmt::Debug for SignatureBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ed25519(bytes) = self;
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
    }
}
