//! Signatures that were verified once on this node and need not be verified again.
//!
//! A transaction is verified when it arrives, and asked about again when it is proposed, when it stands in somebody's
//! block and when it is tried again after a block. An entry is key, transaction and signature, byte for byte, so it says
//! exactly what was verified, and nothing is hashed to find it but by the map. Two generations bound the memory: when the
//! younger is full the older is forgotten.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cairn_runtime::{CheckDirectly, SignatureCheck};
use cairn_types::{PublicKey, SignatureBytes, TransactionId};

use crate::verify::Points;

/// Signatures in a generation: more than a full mempool of attestations has, and as many as a table of 32,768 places takes.
/// Both generations together take 9 MB.
const GENERATION_MAX: usize = 28_672;

const _: () = assert!(GENERATION_MAX >= crate::mempool::MEMPOOL_TRANSACTIONS_MAX);

/// That this key's signature over this transaction is that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) key: PublicKey,
    pub(crate) id: TransactionId,
    pub(crate) signature: SignatureBytes,
}

/// Bytes of a signature that tell it from others of the same transaction: half of its point, or of P-256's `r`.
const BEGINNING_BYTES: usize = 16;

/// Hashes a third of the bytes, which tell as much: over one transaction a key makes one signature with one beginning, because
/// the rest follows from that, and a transaction has 64 keys at most.
impl Hash for Claim {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.as_bytes().hash(state);
        let signature = match &self.signature {
            SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes) => bytes,
        };
        let (beginning, _) = signature.split_at(BEGINNING_BYTES);
        beginning.hash(state);
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct SignatureCache {
    generations: Mutex<Generations>,
    points: Points,
}

#[derive(Default)]
struct Generations {
    younger: HashSet<Claim>,
    older: HashSet<Claim>,
}

impl SignatureCache {
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The points of keys whose signatures were verified.
    pub(crate) const fn points(&self) -> &Points {
        &self.points
    }

    /// Keeps those claims of which nothing is known yet.
    pub(crate) fn retain_unknown(&self, claims: &mut Vec<Claim>) {
        let generations = self.lock();
        claims.retain(|claim| !generations.contains(claim));
    }

    /// Remembers claims that hold. Whoever calls this has verified them.
    pub(crate) fn remember(&self, claims: &[Claim]) {
        let mut generations = self.lock();
        for claim in claims {
            if generations.younger.len() >= GENERATION_MAX {
                generations.older = mem::take(&mut generations.younger);
            }
            generations.younger.insert(*claim);
        }
    }
}

impl Generations {
    fn contains(&self, claim: &Claim) -> bool {
        self.younger.contains(claim) || self.older.contains(claim)
    }
}

impl SignatureCheck for SignatureCache {
    fn verifies(&self, key: &PublicKey, id: &TransactionId, signature: &SignatureBytes) -> bool {
        let claim = Claim { key: *key, id: *id, signature: *signature };
        if self.lock().contains(&claim) {
            return true;
        }
        let holds = CheckDirectly.verifies(key, id, signature);
        if holds {
            self.remember(&[claim]);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use cairn_runtime::SignatureCheck;
    use cairn_types::transaction::signed_message;
    use cairn_types::{Hash, PublicKey, SignatureBytes, TransactionId};
    use ed25519_dalek::{Signer, SigningKey};

    use super::{Claim, GENERATION_MAX, SignatureCache};

    #[test]
    fn only_the_very_signature_that_was_verified_is_remembered() {
        let cache = SignatureCache::default();
        let secret = SigningKey::from_bytes(&[3; 32]);
        let key = PublicKey::Ed25519(secret.verifying_key().to_bytes());
        let id = TransactionId::from_hash(Hash::plain(b"one"));
        let signature = secret.sign(&signed_message(&id)).to_bytes();
        for _ in 0..2 {
            assert!(cache.verifies(&key, &id, &SignatureBytes::Ed25519(signature)));
        }
        let other = TransactionId::from_hash(Hash::plain(b"other"));
        assert!(!cache.verifies(&key, &other, &SignatureBytes::Ed25519(signature)));
        let mut flipped = signature;
        flipped[0] ^= 1;
        assert!(!cache.verifies(&key, &id, &SignatureBytes::Ed25519(flipped)));
        let other_key = PublicKey::Ed25519(SigningKey::from_bytes(&[4; 32]).verifying_key().to_bytes());
        assert!(!cache.verifies(&other_key, &id, &SignatureBytes::Ed25519(signature)));
    }

    #[test]
    fn it_stays_bounded_and_what_is_young_stays_known() {
        let cache = SignatureCache::default();
        let claim = |number: usize| Claim {
            key: PublicKey::Ed25519([0; 32]),
            id: TransactionId::from_hash(Hash::plain(&number.to_le_bytes())),
            signature: SignatureBytes::Ed25519([0; 64]),
        };
        let count = 3 * GENERATION_MAX;
        for number in 0..count {
            cache.remember(&[claim(number)]);
        }
        let mut asked: Vec<Claim> = (0..count).map(claim).collect();
        cache.retain_unknown(&mut asked);
        assert_eq!(asked.len(), count - 2 * GENERATION_MAX);
        assert_eq!(asked.last(), Some(&claim(GENERATION_MAX - 1)), "the oldest are forgotten");
    }
}
