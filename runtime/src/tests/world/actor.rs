//! People and devices with keys. All keys come from labels, so a test reads the same every time it runs.

use cairn_types::transaction::signed_message;
use cairn_types::{
    DeviceId, Hash, Inception, KeyCommitment, KeySet, OrganizationId, OrganizationInception, Power, Principal,
    PublicKey, Signature, SignatureBytes, StreamId, TransactionId, Validator, ValidatorSet, Zone,
};
use ed25519_dalek::{Signer, SigningKey};

/// How many key epochs a test device can go through.
pub(in crate::tests) const EPOCHS: usize = 6;

/// An organization with one key, one to come, and a recovery set of one key; and the actors who have these.
pub(in crate::tests) struct Recoverable {
    pub(in crate::tests) inception: OrganizationInception,
    pub(in crate::tests) now: Actor,
    pub(in crate::tests) next: Actor,
    pub(in crate::tests) recovery: Actor,
}

impl Recoverable {
    pub(in crate::tests) fn called(name: &str) -> Self {
        let keys = |what: &str| keys_called(&[&format!("{name} {what}")]);
        let set = |keys: &[(u8, Key)]| KeySet::single(keys[0].1.public);
        let (now, next, recovery) = (keys("now"), keys("next"), keys("recovery"));
        let inception = OrganizationInception {
            name: name.parse().expect("a valid name"),
            title: format!("The {name}"),
            keys: set(&now),
            next: Some(set(&next).commitment()),
            recovery: Some(set(&recovery)),
        };
        let principal = Principal::Organization(inception.id());
        let actor = |keys| Actor { principal, keys };
        Self { inception, now: actor(now), next: actor(next), recovery: actor(recovery) }
    }
}

/// Keys by these labels, with the places that they have in a set.
pub(in crate::tests) fn keys_called(labels: &[&str]) -> Vec<(u8, Key)> {
    let mut keys: Vec<Key> = labels.iter().map(|label| Key::called(label)).collect();
    keys.sort_by_key(|key| key.public);
    (0..).zip(keys).collect()
}

/// A set of validators of `owner`, each with power 1, whose keys come from these numbers.
pub(in crate::tests) fn validator_set(owner: &Actor, seeds: &[u8]) -> ValidatorSet {
    let key = |label: &str| match Key::called(label).public {
        PublicKey::Ed25519(bytes) => bytes,
        PublicKey::P256(_) => unreachable!("keys that are called by a label are Ed25519"),
    };
    let mut validators: Vec<Validator> = seeds
        .iter()
        .map(|seed| Validator {
            key: key(&format!("validator {seed}")),
            peer: key(&format!("peer {seed}")),
            power: Power::new(1),
            organization: owner.organization(),
        })
        .collect();
    validators.sort_by_key(|validator| validator.key);
    ValidatorSet::new(validators).expect("distinct keys")
}

#[derive(Clone)]
enum Secret {
    Ed25519(SigningKey),
    P256(p256::ecdsa::SigningKey),
}

/// A key pair.
#[derive(Clone)]
pub(in crate::tests) struct Key {
    secret: Secret,
    pub(in crate::tests) public: PublicKey,
}

impl Key {
    pub(in crate::tests) fn called(label: &str) -> Self {
        let secret = SigningKey::from_bytes(Hash::plain(label.as_bytes()).as_bytes());
        let public = PublicKey::Ed25519(secret.verifying_key().to_bytes());
        Self { secret: Secret::Ed25519(secret), public }
    }

    /// A P-256 key.
    pub(in crate::tests) fn p256_called(label: &str) -> Self {
        let secret = p256::ecdsa::SigningKey::from_slice(Hash::plain(label.as_bytes()).as_bytes());
        let secret = secret.expect("hardly a hash is above the order");
        let point = secret.verifying_key().to_sec1_point(true);
        let public = PublicKey::p256_from_sec1(point.as_bytes()).expect("a point");
        Self { secret: Secret::P256(secret), public }
    }

    /// A signature over any message, as a certificate's issuer or a certified key makes one.
    pub(in crate::tests) fn sign_message(&self, message: &[u8]) -> SignatureBytes {
        match &self.secret {
            Secret::Ed25519(secret) => SignatureBytes::Ed25519(secret.sign(message).to_bytes()),
            Secret::P256(secret) => {
                let signature: p256::ecdsa::Signature = secret.sign(message);
                SignatureBytes::P256(signature.normalize_s().to_bytes().into())
            }
        }
    }

    fn sign(&self, id: &TransactionId) -> SignatureBytes {
        self.sign_message(&signed_message(id))
    }
}

/// A principal with the keys that it signs with, each with its index.
#[derive(Clone)]
pub(in crate::tests) struct Actor {
    pub(in crate::tests) principal: Principal,
    pub(in crate::tests) keys: Vec<(u8, Key)>,
}

impl Actor {
    /// The same principal, signing with these of its keys only.
    pub(in crate::tests) fn with_keys(&self, indices: &[u8]) -> Self {
        let keys = self.keys.iter().filter(|(index, _)| indices.contains(index)).cloned().collect();
        Self { principal: self.principal, keys }
    }

    /// Whoever has `self`'s keys claims to be `principal`.
    pub(in crate::tests) fn posing_as(&self, principal: Principal) -> Self {
        Self { principal, keys: self.keys.clone() }
    }

    pub(in crate::tests) fn sign(&self, id: &TransactionId) -> Vec<Signature> {
        let sign = |(key, pair): &(u8, Key)| Signature { signer: self.principal, key: *key, bytes: pair.sign(id) };
        self.keys.iter().map(sign).collect()
    }

    pub(in crate::tests) fn organization(&self) -> OrganizationId {
        match self.principal {
            Principal::Organization(id) => id,
            Principal::Device(id) => panic!("device {id} is no organization"),
        }
    }

    /// A zone in the organization's namespace.
    pub(in crate::tests) fn zone(&self, path: &str) -> Zone {
        Zone { organization: self.organization(), path: path.parse().expect("a valid path") }
    }
}

/// An organization of `threshold` of `keys` keys, and the actor who has all of them.
pub(in crate::tests) fn organization(name: &str, threshold: u8, keys: u8) -> (OrganizationInception, Actor) {
    let mut pairs: Vec<Key> = (0..keys).map(|index| Key::called(&format!("{name} key {index}"))).collect();
    pairs.sort_by_key(|pair| pair.public);
    let inception = OrganizationInception {
        name: name.parse().expect("a valid name"),
        title: format!("The {name}"),
        keys: KeySet { threshold, keys: pairs.iter().map(|pair| pair.public).collect() },
        next: None,
        recovery: None,
    };
    let actor = Actor { principal: Principal::Organization(inception.id()), keys: (0..).zip(pairs).collect() };
    (inception, actor)
}

/// A device, with the keys of all its epochs.
#[derive(Clone)]
pub(in crate::tests) struct Device {
    pub(in crate::tests) id: DeviceId,
    pub(in crate::tests) keys: Vec<Key>,
}

impl Device {
    pub(in crate::tests) fn called(label: &str) -> Self {
        Self::with(&(0..EPOCHS).map(|epoch| Key::called(&format!("{label} key {epoch}"))).collect::<Vec<_>>())
    }

    /// A device whose epochs have these keys.
    pub(in crate::tests) fn with(keys: &[Key]) -> Self {
        let mut device = Self { id: DeviceId::from_hash(Hash::ZERO), keys: keys.to_vec() };
        device.id = device.inception().id();
        device
    }

    pub(in crate::tests) fn inception(&self) -> Inception {
        Inception { key: self.key(0), next: self.commitment(1), model: "FM-100".to_owned() }
    }

    pub(in crate::tests) fn key(&self, epoch: usize) -> PublicKey {
        self.keys[epoch].public
    }

    pub(in crate::tests) fn commitment(&self, epoch: usize) -> KeyCommitment {
        match self.keys.get(epoch) {
            Some(key) => key.public.commitment(),
            None => KeyCommitment::from_hash(Hash::ZERO),
        }
    }

    pub(in crate::tests) fn principal(&self) -> Principal {
        Principal::Device(self.id)
    }

    /// The device in its first epoch.
    pub(in crate::tests) fn actor(&self) -> Actor {
        self.in_epoch(0)
    }

    /// The device, or a thief, with the key of that epoch.
    pub(in crate::tests) fn in_epoch(&self, epoch: usize) -> Actor {
        Actor { principal: self.principal(), keys: vec![(0, self.keys[epoch].clone())] }
    }

    pub(in crate::tests) fn stream(&self, name: &str) -> StreamId {
        StreamId::of(&self.id, &name.parse().expect("a valid name"))
    }
}
