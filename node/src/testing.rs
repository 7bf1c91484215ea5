//! A ledger of real blocks for this crate's unit tests: real rules, real certificates, a real disk; no network and no
//! agreement, because the tests hold all keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use cairn_genesis::{FoundingOrganization, FoundingValidator, Genesis, GenesisBlock};
use cairn_runtime::CheckDirectly;
use cairn_storage::{DataDirectory, Disk, Engine, real_disk};
use cairn_types::call::{Attest, Govern, Grant, OpenStream, RegisterDevice};
use cairn_types::certificate::{CertificateSignature, precommit_sign_bytes};
use cairn_types::governance::{Measure, PROTOCOL_VERSION};
use cairn_types::transaction::signed_message;
use cairn_types::{
    Action, BlockRef, Body, Call, Certificate, ChainId, Content, ContentForm, ContentHash, DeviceId, GrantId, Grantee,
    Height, Inception, OrganizationId, Power, Principal, PublicKey, Role, Round, Scope, Signature, SignatureBytes,
    SignedTransaction, StreamId, Transaction, Validator, ValidatorSet, Window, Zone,
};
use ed25519_dalek::{Signer, SigningKey};

use crate::chain::{Chain, Snapshot};
use crate::ledger::{self, Ledger, LedgerError};

/// Heights after `not_before` at which what is signed here expires.
const LIFETIME: u64 = 1_000;

/// The key of a seed.
pub(crate) fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> [u8; 32] {
    secret(seed).verifying_key().to_bytes()
}

/// The validator of a seed: its consensus key is the seed's, its network key that of `seed + 100`.
pub(crate) fn validator_keys(seed: u8) -> ([u8; 32], [u8; 32]) {
    (public(seed), public(seed + 100))
}

/// Who can sign, and with which key.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) principal: Principal,
    pub(crate) key: SigningKey,
}

/// Signs in the name of the first of `signers`, on the network `chain` after the block of `tip`.
pub(crate) fn sign_after(chain: ChainId, tip: &Snapshot, call: Call, signers: &[&Actor]) -> SignedTransaction {
    sign_until(chain, tip, call, signers, Some(Height::new(tip.header.height.get() + LIFETIME)))
}

/// The same, with another expiry.
pub(crate) fn sign_until(
    chain: ChainId,
    tip: &Snapshot,
    call: Call,
    signers: &[&Actor],
    expires: Option<Height>,
) -> SignedTransaction {
    let not_before = BlockRef { height: tip.header.height, hash: tip.hash };
    let signer = signers.first().expect("somebody signs").principal;
    let body = Body { chain, signer, not_before, expires, call };
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

/// A grant by which a device of an organization may speak.
pub(crate) fn grant_to_attest(world: &World, owner: usize, device: &Actor) -> Call {
    let Principal::Device(id) = device.principal else { panic!("an organization is no device") };
    Call::Grant(Grant {
        grantee: Grantee::Device(id),
        actions: [Action::Attest].into_iter().collect(),
        scope: Scope::Zone(Zone { organization: world.organization(owner), path: "site".parse().expect("a path") }),
        window: Window::ALWAYS,
        depth: 0,
        parent: None,
    })
}

/// A stream of this name, by that grant.
pub(crate) fn open_stream(grant: &SignedTransaction, name: &str) -> Call {
    let authority = GrantId::of(&grant.id());
    Call::OpenStream(OpenStream { name: name.parse().expect("a name"), cadence_s: None, authority })
}

/// What a device says next in its stream, after `previous`.
pub(crate) fn attest(
    device: &Actor,
    grant: &SignedTransaction,
    name: &str,
    sequence: u64,
    previous: &SignedTransaction,
) -> Call {
    let Principal::Device(id) = device.principal else { panic!("an organization is no device") };
    let hash = ContentHash::plain(&sequence.to_le_bytes());
    Call::Attest(Attest {
        stream: StreamId::of(&id, &name.parse().expect("a name")),
        sequence,
        previous: previous.id(),
        content: Content { form: ContentForm::Plain, hash, bytes: 8, readings: 1 },
        claimed: None,
        derived_from: Vec::new(),
        authority: GrantId::of(&grant.id()),
    })
}

/// A ledger with three organizations, all in the council; the first validators have the seeds 11 to 14.
pub(crate) struct World {
    pub(crate) genesis: GenesisBlock,
    pub(crate) organizations: Vec<Actor>,
    pub(crate) ledger: Ledger,
    place: Place,
}

/// Where a ledger lies: a disk, and a directory on it.
pub(crate) struct Place {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Removed with the value.
    temporary: Option<tempfile::TempDir>,
}

impl Place {
    /// A directory of the machine's own disk.
    fn temporary() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { disk: real_disk(), path: directory.path().to_owned(), temporary: Some(directory) }
    }

    /// A directory of any disk.
    pub(crate) fn on(disk: Arc<dyn Disk>) -> Self {
        Self { disk, path: PathBuf::from("/node"), temporary: None }
    }
}

fn genesis() -> GenesisBlock {
    founders("unit", 1_767_225_600_000).build().expect("a genesis")
}

/// The genesis file of a [`World`], if it bears this name and time.
pub(crate) fn founders(network: &str, time_ms: u64) -> Genesis {
    let name = |index: u8| format!("member-{index}").parse().expect("a name");
    let organization = |index: u8| FoundingOrganization {
        name: name(index),
        title: format!("Member {index}"),
        roles: [Role::Council, Role::Operator].into_iter().collect(),
        keys: vec![PublicKey::Ed25519(public(index))],
        threshold: 1,
        next: None,
        recovery: None,
    };
    let validator = |seed: u8| {
        let (key, peer) = validator_keys(seed);
        FoundingValidator { key, peer, power: 1, organization: name(1) }
    };
    Genesis {
        name: network.parse().expect("a name"),
        time_ms,
        parameters: cairn_genesis::defaults(),
        organizations: (1..=3).map(organization).collect(),
        validators: (11..=14).map(validator).collect(),
    }
}

fn open(place: &Place, genesis: &GenesisBlock, known_version: u16) -> Result<(Ledger, u64), LedgerError> {
    let data = DataDirectory::open_on(Arc::clone(&place.disk), &place.path, genesis.chain)?;
    let opened = Ledger::open(&data, Engine::Fjall, genesis.clone(), known_version)?;
    Ok((opened.ledger, opened.replayed))
}

impl World {
    pub(crate) fn new() -> Self {
        Self::open(Place::temporary()).expect("an empty ledger opens")
    }

    /// Opens what is in a place, or begins it.
    pub(crate) fn open(place: Place) -> Result<Self, LedgerError> {
        let genesis = genesis();
        let (ledger, _) = open(&place, &genesis, PROTOCOL_VERSION)?;
        let organization = |index: u8| {
            let name = format!("member-{index}").parse().expect("a name");
            let id = genesis.state.get(&cairn_types::state_key::organization_name(&name)).expect("a founder");
            let id = borsh::from_slice::<OrganizationId>(&id).expect("an id");
            Actor { principal: Principal::Organization(id), key: secret(index) }
        };
        let organizations = (1..=3).map(organization).collect();
        Ok(Self { genesis, organizations, ledger, place })
    }

    /// Opens the ledger again, with a program of this version; with an index that is gone if `loses_index`.
    pub(crate) fn reopen(self, known_version: u16, loses_index: bool) -> (Result<Self, LedgerError>, u64) {
        let Self { genesis, organizations, mut ledger, place } = self;
        ledger.close().expect("it closes");
        drop(ledger);
        if loses_index {
            let data = DataDirectory::open_on(Arc::clone(&place.disk), &place.path, genesis.chain);
            data.expect("nobody has it open").discard_index(Engine::Fjall).expect("a healthy disk");
        }
        match open(&place, &genesis, known_version) {
            Ok((ledger, replayed)) => (Ok(Self { genesis, organizations, ledger, place }), replayed),
            Err(error) => {
                // Nobody opens this one again.
                drop(place);
                (Err(error), 0)
            }
        }
    }

    /// Closes the ledger; what stays is its data directory.
    pub(crate) fn into_directory(mut self) -> tempfile::TempDir {
        self.ledger.close().expect("it closes");
        self.place.temporary.expect("the place is of the machine's own disk")
    }

    pub(crate) fn chain(&self) -> &Arc<Chain> {
        self.ledger.chain()
    }

    pub(crate) fn tip(&self) -> Arc<Snapshot> {
        self.chain().tip()
    }

    /// The id of an organization, counted from 0.
    pub(crate) fn organization(&self, index: usize) -> OrganizationId {
        match self.organizations[index].principal {
            Principal::Organization(id) => id,
            Principal::Device(_) => panic!("an organization is no device"),
        }
    }

    /// The set of the validators with these seeds.
    pub(crate) fn set(&self, seeds: &[u8]) -> ValidatorSet {
        let validator = |seed: &u8| {
            let (key, peer) = validator_keys(*seed);
            Validator { key, peer, power: Power::new(1), organization: self.organization(0) }
        };
        let mut validators: Vec<Validator> = seeds.iter().map(validator).collect();
        validators.sort_by_key(|validator| validator.key);
        ValidatorSet::new(validators).expect("different keys in order")
    }

    /// Signs in the name of the first of `signers`, after the newest block.
    pub(crate) fn sign(&self, call: Call, signers: &[&Actor]) -> SignedTransaction {
        sign_after(self.genesis.chain, &self.tip(), call, signers)
    }

    /// A measure that the whole council signs.
    pub(crate) fn govern(&self, measure: Measure) -> SignedTransaction {
        let council: Vec<&Actor> = self.organizations.iter().collect();
        self.sign(Call::Govern(Govern { measure }), &council)
    }

    /// A new device of an organization, and its registration. Seeds of devices are from 50 on.
    pub(crate) fn register(&self, owner: usize, seed: u8) -> (Actor, SignedTransaction) {
        let key = PublicKey::Ed25519(public(seed));
        let next = PublicKey::Ed25519(public(seed + 100)).commitment();
        let inception = Inception { key, next, model: String::new() };
        let id: DeviceId = inception.id();
        let device = Actor { principal: Principal::Device(id), key: secret(seed) };
        let zone = Zone { organization: self.organization(owner), path: "site".parse().expect("a path") };
        let owner_id = self.organization(owner);
        let call = Call::RegisterDevice(RegisterDevice {
            inception,
            owner: owner_id,
            zone,
            endorsement: None,
            authority: None,
        });
        let transaction = self.sign(call, &[&self.organizations[owner], &device]);
        (device, transaction)
    }

    /// Commits a block of these, which must all be valid; everybody who decides its height signs.
    pub(crate) fn commit(&mut self, transactions: Vec<SignedTransaction>) -> Arc<Snapshot> {
        let candidates: Vec<Arc<SignedTransaction>> = transactions.into_iter().map(Arc::new).collect();
        let now_ms = self.tip().header.time_ms + 1_000;
        let built = ledger::build(self.chain(), &CheckDirectly, 0, now_ms, candidates).expect("it can be read");
        let (block, rejected) = built;
        assert!(
            rejected.is_empty(),
            "refused: {}",
            rejected.iter().map(|(_, why)| why.to_string()).collect::<String>()
        );
        let judged = ledger::judge(self.chain(), &block.bytes, &CheckDirectly).expect("what was built is valid");
        assert_eq!(judged.hash, block.hash);
        let certificate = self.certify(judged.header.height, &judged);
        self.ledger.commit(judged, certificate).expect("the disk takes it")
    }

    /// Commits empty blocks up to a height.
    pub(crate) fn commit_to(&mut self, height: u64) -> Arc<Snapshot> {
        while self.tip().header.height.get() < height {
            self.commit(Vec::new());
        }
        self.tip()
    }

    /// The certificate of a block by all who decide `height`.
    pub(crate) fn certify(&self, height: Height, judged: &ledger::JudgedBlock) -> Certificate {
        let set = self.chain().validators_at(height).expect("who decides is known");
        let secrets: BTreeMap<[u8; 32], SigningKey> = (11..50).map(|seed| (public(seed), secret(seed))).collect();
        let message = precommit_sign_bytes(&self.genesis.chain, judged.header.height, Round::ZERO, &judged.hash);
        let signatures = (0..)
            .zip(set.iter())
            .map(|(validator, member)| CertificateSignature {
                validator,
                signature: secrets[&member.key].sign(&message).to_bytes(),
            })
            .collect();
        Certificate { height: judged.header.height, round: Round::ZERO, block: judged.hash, signatures }
    }
}
