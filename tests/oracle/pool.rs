//! What every history draws from, made once: keys of both algorithms, devices as they leave the factory, lots and
//! certificates. All of it comes from labels, so a history reads the same every time it is played.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use cairn_proofs::accumulator::{prove_in, root_of};
use cairn_runtime::SignatureCheck;
use cairn_tests::oracle::GoodChain;
use cairn_types::lot::{LotEndorsement, LotLeaf};
use cairn_types::transaction::signed_message;
use cairn_types::{Hash, Inception, KeyCommitment, LotId, PublicKey, SignatureBytes, TransactionId};
use ed25519_dalek::Signer;

use crate::certificates::{self, Chain};

/// Keys in the pool: what a history of thousands of transactions can use up.
const KEYS: usize = 2_400;
/// Devices that were made in the factory, so that lots and certificates can name them: each has two keys of the pool.
pub(crate) const FACTORY_DEVICES: usize = 40;
/// Lots known by a root.
const LOTS: usize = 6;

/// A private key.
pub(crate) enum Secret {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
}

impl Secret {
    pub(crate) fn called(label: &str, is_p256: bool) -> Self {
        let seed = Hash::plain(label.as_bytes());
        if is_p256 {
            let secret = p256::ecdsa::SigningKey::from_slice(seed.as_bytes());
            Self::P256(Box::new(secret.expect("a hash is below the group's order, but once in 2^32")))
        } else {
            Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed.as_bytes())))
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(secret) => PublicKey::Ed25519(secret.verifying_key().to_bytes()),
            Self::P256(secret) => {
                let point = secret.verifying_key().to_sec1_point(true);
                PublicKey::P256(point.as_bytes().try_into().expect("a compressed point has 33 bytes"))
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> SignatureBytes {
        match self {
            Self::Ed25519(secret) => SignatureBytes::Ed25519(secret.sign(message).to_bytes()),
            Self::P256(secret) => {
                let signature: p256::ecdsa::Signature = secret.sign(message);
                SignatureBytes::P256(signature.normalize_s().to_bytes().into())
            }
        }
    }
}

/// What a signature is. The rules only ask whether one verifies, so long histories use one that costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// What the key's algorithm says.
    Real,
    /// The hash of the key, then the transaction's id.
    Plain,
    /// Anything, so that wild calls come as far as they can.
    Gullible,
}

impl SignatureCheck for Scheme {
    fn verifies(&self, key: &PublicKey, id: &TransactionId, signature: &SignatureBytes) -> bool {
        match self {
            Self::Real => key.verify(&signed_message(id), signature).is_ok(),
            Self::Plain => *signature == plain_signature(key, id),
            Self::Gullible => true,
        }
    }
}

fn plain_signature(key: &PublicKey, id: &TransactionId) -> SignatureBytes {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(Hash::plain(key.as_bytes()).as_bytes());
    bytes[32..].copy_from_slice(id.as_bytes());
    match key {
        PublicKey::Ed25519(_) => SignatureBytes::Ed25519(bytes),
        PublicKey::P256(_) => SignatureBytes::P256(bytes),
    }
}

/// A lot known by a root, and what its maker knows of each device.
pub(crate) struct MerkleLot {
    pub(crate) root: Hash,
    pub(crate) leaves: Vec<LotLeaf>,
    items: Vec<Hash>,
}

impl MerkleLot {
    /// What a device shows to claim the leaf at `index`.
    pub(crate) fn endorsement(&self, lot: LotId, index: usize) -> LotEndorsement {
        let leaf = &self.leaves[index];
        let proof = prove_in(&self.items, index as u64).expect("the leaf is there");
        LotEndorsement {
            lot,
            bound: leaf.device.is_some(),
            serial: leaf.serial.clone(),
            salt: leaf.salt,
            index: u32::try_from(index).expect("few"),
            siblings: proof.siblings,
        }
    }
}

/// See the module.
pub(crate) struct Pool {
    keys: Vec<PublicKey>,
    secrets: BTreeMap<PublicKey, Secret>,
    by_commitment: BTreeMap<KeyCommitment, PublicKey>,
    /// Devices as they leave the factory.
    pub(crate) factory: Vec<Inception>,
    pub(crate) lots: Vec<MerkleLot>,
    /// Keys under which a manufacturer issues certificates.
    pub(crate) issuers: Vec<PublicKey>,
    /// Good chains and bad ones.
    pub(crate) chains: Vec<Chain>,
    good: Vec<GoodChain>,
}

impl Pool {
    /// The one pool.
    pub(crate) fn get() -> &'static Self {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(Self::make)
    }

    fn make() -> Self {
        let secrets: Vec<Secret> =
            (0..KEYS).map(|number| Secret::called(&format!("key {number}"), number % 3 == 2)).collect();
        let keys: Vec<PublicKey> = secrets.iter().map(Secret::public).collect();
        let inception = |number: usize| Inception {
            key: keys[2 * number],
            next: keys[2 * number + 1].commitment(),
            model: format!("FM-{number}"),
        };
        let factory: Vec<Inception> = (0..FACTORY_DEVICES).map(inception).collect();
        let lots = (0..LOTS).map(|number| merkle_lot(number, &factory)).collect();
        let (issuers, chains) = certificates::make(&secrets[..2 * FACTORY_DEVICES]);
        let good = chains.iter().filter_map(|chain| chain.good.clone()).collect();
        let by_commitment = keys.iter().map(|key| (key.commitment(), *key)).collect();
        let secrets = keys.iter().copied().zip(secrets).collect();
        Self { keys, secrets, by_commitment, factory, lots, issuers, chains, good }
    }

    /// The chains that are good.
    pub(crate) fn good_chains(&'static self) -> &'static [GoodChain] {
        &self.good
    }

    /// What a chain of certificates is called.
    pub(crate) fn name_of(&self, certificates: &[Vec<u8>]) -> Option<&'static str> {
        self.chains.iter().find(|chain| chain.certificates == certificates).map(|chain| chain.name)
    }

    /// The pool's key of that number, beyond those of the factory; after the last, the first again.
    pub(crate) fn key(&self, number: usize) -> PublicKey {
        let first = 2 * FACTORY_DEVICES;
        self.keys[first + number % (KEYS - first)]
    }

    /// The key to which somebody committed.
    pub(crate) fn committed(&self, commitment: &KeyCommitment) -> Option<PublicKey> {
        self.by_commitment.get(commitment).copied()
    }

    /// The signature of a key over a transaction; nonsense if nobody has the key.
    pub(crate) fn sign(&self, scheme: Scheme, key: &PublicKey, id: &TransactionId) -> SignatureBytes {
        match (scheme, self.secrets.get(key)) {
            (Scheme::Real, Some(secret)) => secret.sign(&signed_message(id)),
            (Scheme::Real, None) | (Scheme::Plain | Scheme::Gullible, _) => plain_signature(key, id),
        }
    }
}

/// A lot of 1 to 9 devices, every other one bound to a device of the factory.
fn merkle_lot(number: usize, factory: &[Inception]) -> MerkleLot {
    let leaf = |index: usize| LotLeaf {
        device: index
            .is_multiple_of(2)
            .then(|| factory[(7 * number + index) % factory.len()].id())
            .filter(|_| number != 2),
        serial: format!("SN-{number}-{index}"),
        salt: *Hash::plain(format!("salt {number} {index}").as_bytes()).as_bytes(),
    };
    // The last lot was made by somebody careless: its devices have no serial numbers.
    let careless = |leaf: LotLeaf| if number == LOTS - 1 { LotLeaf { serial: String::new(), ..leaf } } else { leaf };
    let leaves: Vec<LotLeaf> = (0..[9, 5, 1, 8, 7, 3][number % LOTS]).map(leaf).map(careless).collect();
    let items: Vec<Hash> = leaves.iter().map(LotLeaf::item).collect();
    MerkleLot { root: root_of(&items), leaves, items }
}
