//! Keys of devices, of either algorithm.

use cairn_types::{Hash, PublicKey, SignatureBytes};
use ed25519_dalek::Signer as _;

/// A device's key. What a key is made from also tells its successor, so a test need not keep them.
#[derive(Clone)]
pub(crate) struct Secret {
    seed: Hash,
    algorithm: Algorithm,
}

/// How a device signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Ed25519,
    P256,
}

impl Secret {
    pub(crate) fn of(name: &str, algorithm: Algorithm) -> Self {
        Self { seed: Hash::plain(name.as_bytes()), algorithm }
    }

    /// The one that follows it.
    pub(crate) fn next(&self) -> Self {
        Self { seed: Hash::plain(self.seed.as_bytes()), ..*self }
    }

    /// One that does not follow from it, as an owner brings along to recover a device.
    pub(crate) fn foreign(&self) -> Self {
        Self { seed: Hash::plain(&[self.seed.as_bytes().as_slice(), b"recovery"].concat()), ..*self }
    }

    fn ed25519(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(self.seed.as_bytes())
    }

    fn p256(&self) -> p256::ecdsa::SigningKey {
        p256::ecdsa::SigningKey::from_slice(self.seed.as_bytes())
            .expect("a hash is below the order, but for one in 2^32")
    }

    pub(crate) fn public(&self) -> PublicKey {
        match self.algorithm {
            Algorithm::Ed25519 => PublicKey::Ed25519(self.ed25519().verifying_key().to_bytes()),
            Algorithm::P256 => {
                let point = self.p256().verifying_key().to_sec1_point(true);
                PublicKey::P256(point.as_bytes().try_into().expect("a compressed point has 33 bytes"))
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> SignatureBytes {
        match self.algorithm {
            Algorithm::Ed25519 => SignatureBytes::Ed25519(self.ed25519().sign(message).to_bytes()),
            Algorithm::P256 => {
                let signature: p256::ecdsa::Signature = self.p256().sign(message);
                SignatureBytes::P256(signature.normalize_s().to_bytes().into())
            }
        }
    }
}
