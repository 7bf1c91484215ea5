//! The values that the vectors are made of. Ids are hashes of words, and keys come from words too, so that nothing here
//! depends on anything else.

use cairn_types::governance::Upgrade;
use cairn_types::{
    Action, Actions, AttestationRef, BlockHash, BlockRef, ChainId, Content, ContentForm, ContentHash, DeviceId,
    GrantId, Hash, Height, Inception, KeyCommitment, KeySet, LotId, OrganizationId, OrganizationInception, Parameters,
    Position, Power, PublicKey, SignatureBytes, StreamId, TransactionId, Validator, ValidatorSet, Window, Zone,
};
use ed25519_dalek::Signer as _;

/// Plain BLAKE3 of a word: what stands for any 32 bytes.
pub(crate) fn word(word: &str) -> Hash {
    Hash::plain(word.as_bytes())
}

pub(crate) fn chain() -> ChainId {
    ChainId::from_hash(word("chain"))
}

pub(crate) fn organization(name: &str) -> OrganizationId {
    OrganizationId::from_hash(word(name))
}

pub(crate) fn device() -> DeviceId {
    DeviceId::from_hash(word("device"))
}

pub(crate) fn grant(name: &str) -> GrantId {
    GrantId::from_hash(word(name))
}

pub(crate) fn stream() -> StreamId {
    StreamId::from_hash(word("stream"))
}

pub(crate) fn lot() -> LotId {
    LotId::from_hash(word("lot"))
}

pub(crate) fn transaction(name: &str) -> TransactionId {
    TransactionId::from_hash(word(name))
}

pub(crate) fn commitment() -> KeyCommitment {
    public(&ed25519("next")).commitment()
}

pub(crate) fn not_before() -> BlockRef {
    BlockRef { height: Height::new(41), hash: BlockHash::from_hash(word("block 41")) }
}

pub(crate) const fn position(height: u64, index: u32) -> Position {
    Position { height: Height::new(height), index }
}

pub(crate) fn zone(path: &str) -> Zone {
    Zone { organization: organization("water-works"), path: path.parse().expect("a valid path") }
}

pub(crate) fn actions(actions: &[Action]) -> Actions {
    actions.iter().copied().collect()
}

pub(crate) fn window() -> Window {
    Window { from: Height::new(40), to: Some(Height::new(1_000)) }
}

pub(crate) fn attestation(sequence: u64) -> AttestationRef {
    AttestationRef { stream: stream(), sequence }
}

pub(crate) fn content() -> Content {
    let content = b"time,flow\n00:00,1.2\n00:15,1.3\n";
    Content { form: ContentForm::Plain, hash: ContentHash::plain(content), bytes: 30, readings: 2 }
}

/// A secret of either algorithm.
pub(crate) enum Secret {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

/// The Ed25519 key whose seed is BLAKE3 of a word.
pub(crate) fn ed25519(name: &str) -> Secret {
    Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(word(name).as_bytes()))
}

/// The P-256 key whose secret number is BLAKE3 of a word, big-endian.
pub(crate) fn p256(name: &str) -> Secret {
    Secret::P256(p256::ecdsa::SigningKey::from_slice(word(name).as_bytes()).expect("a number below the order"))
}

pub(crate) fn public(secret: &Secret) -> PublicKey {
    match secret {
        Secret::Ed25519(secret) => PublicKey::Ed25519(secret.verifying_key().to_bytes()),
        Secret::P256(secret) => {
            let point = secret.verifying_key().to_sec1_point(true);
            PublicKey::P256(point.as_bytes().try_into().expect("a compressed point has 33 bytes"))
        }
    }
}

/// Signs without randomness: P-256 as in RFC 6979, with `s` in the lower half.
pub(crate) fn sign(secret: &Secret, message: &[u8]) -> SignatureBytes {
    match secret {
        Secret::Ed25519(secret) => SignatureBytes::Ed25519(secret.sign(message).to_bytes()),
        Secret::P256(secret) => {
            let signature: p256::ecdsa::Signature = secret.sign(message);
            SignatureBytes::P256(signature.normalize_s().to_bytes().into())
        }
    }
}

/// The other form of a P-256 signature, which is not valid here.
pub(crate) fn with_high_s(signature: &SignatureBytes) -> SignatureBytes {
    let SignatureBytes::P256(bytes) = signature else { panic!("only P-256 has two forms") };
    let low = p256::ecdsa::Signature::from_slice(bytes).expect("a signature");
    let (r, s) = low.split_scalars();
    let high = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).expect("two numbers");
    SignatureBytes::P256(high.to_bytes().into())
}

/// Two of three keys, of both algorithms.
pub(crate) fn key_set() -> KeySet {
    let mut keys = vec![public(&ed25519("first")), public(&ed25519("second")), public(&p256("third"))];
    keys.sort();
    KeySet { threshold: 2, keys }
}

pub(crate) fn organization_inception() -> OrganizationInception {
    OrganizationInception {
        name: "st-mary".parse().expect("a valid name"),
        title: "Krankenhaus St. Märien gGmbH".to_owned(),
        keys: key_set(),
        next: Some(key_set().commitment()),
        recovery: Some(KeySet::single(public(&p256("recovery")))),
    }
}

pub(crate) fn inception(secret: &Secret) -> Inception {
    Inception { key: public(secret), next: commitment(), model: "flow meter 3000".to_owned() }
}

pub(crate) fn validators() -> ValidatorSet {
    let bytes = |name: &str| match public(&ed25519(name)) {
        PublicKey::Ed25519(bytes) => bytes,
        PublicKey::P256(_) => panic!("validators have Ed25519 keys"),
    };
    let mut validators: Vec<Validator> = (1..=2)
        .map(|number| Validator {
            key: bytes(&format!("validator {number}")),
            peer: bytes(&format!("peer {number}")),
            power: Power::new(number),
            organization: organization("water-works"),
        })
        .collect();
    validators.sort_by_key(|validator| validator.key);
    ValidatorSet::new(validators).expect("a valid set")
}

pub(crate) fn parameters() -> Parameters {
    Parameters {
        lifetime_max: 86_400,
        recovery_delay: 100_000,
        block_bytes_max: 1_048_576,
        block_transactions_max: 4_096,
        heartbeat_ms: 10_000,
        clock_drift_ms: 5_000,
        propose_timeout_ms: 1_000,
        prevote_timeout_ms: 500,
        precommit_timeout_ms: 500,
        timeout_delta_ms: 250,
        quota_window: 600,
        organization_quota: 60_000,
        device_quota: 6_000,
    }
}

pub(crate) const fn upgrade() -> Upgrade {
    Upgrade { version: 2, height: Height::new(5_000) }
}
