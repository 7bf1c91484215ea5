//! Signatures that were verified once on this node and need not be verified again.
//!
//! A transaction is verified when it arrives, and asked about again when it is proposed, when it stands in somebody's
//! block and when it is tried again after a block. An entry names key, transaction and signature by one hash, so it says
//! exactly what was verified. Two generations bound the memory: when the younger is full the older is forgotten.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};

use cairn_runtime::{CheckDirectly, SignatureCheck};
use cairn_types::{PublicKey, SignatureBytes, TransactionId, encode};

/// Signatures in a generation: three full mempools. Both together take about 8 MB.
const GENERATION_MAX: usize = 65_536;

/// See the module.
#[derive(Default)]
pub(crate) struct SignatureCache {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    younger: HashSet<[u8; 32]>,
    older: HashSet<[u8; 32]>,
}

fn name(key: &PublicKey, id: &TransactionId, signature: &SignatureBytes) -> [u8; 32] {
    *blake3::hash(&encode(&(key, id, signature))).as_bytes()
}

impl SignatureCheck for SignatureCache {
    fn verifies(&self, key: &PublicKey, id: &TransactionId, signature: &SignatureBytes) -> bool {
        let name = name(key, id, signature);
        {
            let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
            if generations.younger.contains(&name) || generations.older.contains(&name) {
                return true;
            }
        }
        if !CheckDirectly.verifies(key, id, signature) {
            return false;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.younger.len() >= GENERATION_MAX {
            generations.older = mem::take(&mut generations.younger);
        }
        generations.younger.insert(name);
        true
    }
}

#[cfg(test)]
mod tests {
    use cairn_runtime::SignatureCheck;
    use cairn_types::transaction::signed_message;
    use cairn_types::{Hash, PublicKey, SignatureBytes, TransactionId};
    use ed25519_dalek::{Signer, SigningKey};

    use super::SignatureCache;

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
}
