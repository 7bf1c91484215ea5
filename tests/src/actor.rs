//! Principals with keys, and the transactions that they sign.

use cairn_types::call::{Attest, Grant, OpenStream, PlaceDevice, RegisterDevice, RevokeGrant, SetDeviceStatus};
use cairn_types::transaction::signed_message;
use cairn_types::{
    Action, BlockRef, Body, Call, ChainId, ClaimedTime, Content, ContentForm, ContentHash, DeviceId, DeviceStatus,
    GrantId, Grantee, Height, Inception, OrganizationId, Principal, PublicKey, Scope, Signature, SignatureBytes,
    SignedTransaction, StreamId, Transaction, TransactionId, Window, Zone,
};
use ed25519_dalek::{Signer, SigningKey};

/// Heights after `not_before` at which what these actors sign expires.
const LIFETIME: u64 = 2_000;

/// A transaction that is signed.
pub type Signed = SignedTransaction;

/// A principal and its key.
#[derive(Clone)]
pub struct Actor {
    /// Who.
    pub principal: Principal,
    /// With which key.
    pub key: SigningKey,
}

/// The key that a seed gives: the same in every run.
pub fn key(seed: u64) -> SigningKey {
    SigningKey::from_bytes(blake3::hash(&seed.to_le_bytes()).as_bytes())
}

/// The public half of a key.
pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey::Ed25519(key.verifying_key().to_bytes())
}

/// The seeds of a device's keys lie this far apart.
const NEXT_KEY: u64 = 1_000_000;

/// The key that the device of a seed has in an epoch, from 0.
pub fn epoch_key(seed: u64, epoch: u64) -> SigningKey {
    key(seed + epoch * NEXT_KEY)
}

/// How the device of a seed begins; its second key is that of `seed + 1,000,000`.
pub fn inception(seed: u64) -> Inception {
    let next = public(&epoch_key(seed, 1)).commitment();
    Inception { key: public(&key(seed)), next, model: "test device".to_owned() }
}

/// The device of a seed.
pub fn device(seed: u64) -> Actor {
    in_epoch(seed, 0)
}

/// The device of a seed, with the key that it has in an epoch.
pub fn in_epoch(seed: u64, epoch: u64) -> Actor {
    Actor { principal: Principal::Device(inception(seed).id()), key: epoch_key(seed, epoch) }
}

/// Signs `call` in the name of `signer`, also with the keys of `others`.
pub fn sign(chain: ChainId, signer: &Actor, not_before: BlockRef, call: Call, others: &[&Actor]) -> Signed {
    let lifetime = Height::new(not_before.height.get() + LIFETIME);
    let expires = if call.is_stream_call() { None } else { Some(lifetime) };
    sign_body(Body { chain, signer: signer.principal, not_before, expires, call }, &[&[signer], others].concat())
}

/// Signs any body with any keys.
pub fn sign_body(body: Body, signers: &[&Actor]) -> Signed {
    let message = signed_message(&body.id());
    let mut signatures: Vec<Signature> = signers
        .iter()
        .map(|actor| Signature {
            signer: actor.principal,
            key: 0,
            bytes: SignatureBytes::Ed25519(actor.key.sign(&message).to_bytes()),
        })
        .collect();
    signatures.sort_by_key(|signature| (signature.signer, signature.key));
    SignedTransaction::new(Transaction { body, signatures })
}

impl Actor {
    /// The device's id.
    ///
    /// # Panics
    /// If the actor is an organization.
    pub fn device(&self) -> DeviceId {
        match self.principal {
            Principal::Device(id) => id,
            Principal::Organization(_) => panic!("an organization is no device"),
        }
    }

    /// The organization's id.
    ///
    /// # Panics
    /// If the actor is a device.
    pub fn organization(&self) -> OrganizationId {
        match self.principal {
            Principal::Organization(id) => id,
            Principal::Device(_) => panic!("a device is no organization"),
        }
    }
}

/// A zone by its path.
///
/// # Panics
/// If the path is none.
pub fn zone(organization: OrganizationId, path: &str) -> Zone {
    Zone { organization, path: path.parse().expect("the test names a valid path") }
}

/// The registration of the device of `seed` by its owner.
pub fn register(seed: u64, owner: OrganizationId, zone: Zone) -> Call {
    Call::RegisterDevice(RegisterDevice { inception: inception(seed), owner, zone, endorsement: None, authority: None })
}

/// A grant of `attest` to all devices of a zone, over that zone.
pub fn grant_attest(zone: Zone) -> Call {
    Call::Grant(Grant {
        grantee: Grantee::Zone(zone.clone()),
        actions: [Action::Attest].into_iter().collect(),
        scope: Scope::Zone(zone),
        window: Window::ALWAYS,
        depth: 0,
        parent: None,
    })
}

/// The end of a grant.
pub const fn revoke_grant(grant: GrantId) -> Call {
    Call::RevokeGrant(RevokeGrant { grant, suspect_since: None })
}

/// A device's new status.
pub const fn set_status(device: DeviceId, status: DeviceStatus) -> Call {
    Call::SetDeviceStatus(SetDeviceStatus { device, status, suspect_since: None })
}

/// A device's new place.
pub const fn place(device: DeviceId, zone: Zone) -> Call {
    Call::PlaceDevice(PlaceDevice { device, zone, authority: None })
}

/// A stream that is being written: what its device must remember.
#[derive(Clone, Debug)]
pub struct Writing {
    /// The stream.
    pub stream: StreamId,
    /// The device's grant.
    pub authority: GrantId,
    /// The next place.
    pub sequence: u64,
    /// What stands before it.
    pub previous: TransactionId,
}

impl Writing {
    /// The opening of `device`'s stream called `name`, signed; and the stream.
    ///
    /// # Panics
    /// If the name is none.
    pub fn open(
        chain: ChainId,
        device: &Actor,
        not_before: BlockRef,
        name: &str,
        authority: GrantId,
    ) -> (Signed, Self) {
        let name = name.parse().expect("the test names a valid stream");
        let stream = StreamId::of(&device.device(), &name);
        let call = Call::OpenStream(OpenStream { name, cadence_s: None, authority });
        let signed = sign(chain, device, not_before, call, &[]);
        let previous = signed.id();
        (signed, Self { stream, authority, sequence: 0, previous })
    }

    /// The next attestation, of `content`, signed.
    pub fn attest(&mut self, chain: ChainId, device: &Actor, not_before: BlockRef, content: &[u8]) -> Signed {
        self.attest_claiming(chain, device, not_before, content, None)
    }

    /// The same, of content that was measured in a time that the device claims.
    pub fn attest_claiming(
        &mut self,
        chain: ChainId,
        device: &Actor,
        not_before: BlockRef,
        content: &[u8],
        claimed: Option<ClaimedTime>,
    ) -> Signed {
        let bytes = u64::try_from(content.len()).expect("a test's content is small");
        let content = Content { form: ContentForm::Plain, hash: ContentHash::plain(content), bytes, readings: 1 };
        self.attest_content(chain, device, not_before, content, claimed)
    }

    /// The same, of content of which only this much is known.
    pub fn attest_content(
        &mut self,
        chain: ChainId,
        device: &Actor,
        not_before: BlockRef,
        content: Content,
        claimed: Option<ClaimedTime>,
    ) -> Signed {
        let call = Call::Attest(Attest {
            stream: self.stream,
            sequence: self.sequence,
            previous: self.previous,
            content,
            claimed,
            derived_from: Vec::new(),
            authority: self.authority,
        });
        let signed = sign(chain, device, not_before, call, &[]);
        self.sequence += 1;
        self.previous = signed.id();
        signed
    }
}
