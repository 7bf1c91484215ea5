//! A small ledger, made by hand: blocks, a state and certificates, without the rules that a node follows. So a test can
//! write what no honest network would, and everything here restates the format in its own words.

mod events;
mod secret;

use std::borrow::Cow;
use std::collections::BTreeMap;

use borsh::BorshSerialize;
use cairn_types::call::Attest;
use cairn_types::certificate::{CertificateSignature, precommit_sign_bytes};
use cairn_types::record::{DeviceKey, DeviceRecord, GrantTerms, OrganizationKeys, OrganizationRecord, StreamRecord};
use cairn_types::state_key::{self, DeviceFacet, OrganizationFacet};
use cairn_types::transaction::{leaf_of, signed_message};
use cairn_types::{
    Action, BlockRef, Body, Call, Certificate, ChainId, Content, ContentForm, ContentHash, DeviceId, DeviceStatus,
    GrantId, Grantee, Hash, Header, Height, Inception, Interval, KeySet, Name, OrganizationId, OrganizationInception,
    Position, Power, Principal, PublicKey, Roles, Round, Scope, Signature, SignedTransaction, StreamId, Transaction,
    TransactionId, Validator, ValidatorSet, Window, Zone, encode,
};
use ed25519_dalek::{Signer, SigningKey};

use crate::accumulator::{Frontier, prove_in, root_of};
use crate::bundle::{Anchor, Bundle, Parts, PastBlock, TransactionInclusion};
use crate::checkpoint::{CheckpointProof, ValidatorChange};
use crate::tree::StateTree;
pub(crate) use secret::{Algorithm, Secret};

/// Milliseconds between blocks.
pub(crate) const BLOCK_MS: u64 = 1_000;

/// A device with its key.
#[derive(Clone)]
pub(crate) struct Meter {
    pub(crate) id: DeviceId,
    pub(crate) secret: Secret,
}

/// A stream, as its device knows it.
#[derive(Clone)]
pub(crate) struct MeterStream {
    pub(crate) id: StreamId,
    pub(crate) meter: Meter,
    pub(crate) grant: GrantId,
}

/// An attestation that was put into a block.
#[derive(Clone)]
pub(crate) struct Attested {
    pub(crate) transaction: SignedTransaction,
    pub(crate) at: Position,
}

/// Validators with their keys, in the order of the set.
#[derive(Clone)]
pub(crate) struct Council {
    pub(crate) set: ValidatorSet,
    secrets: Vec<SigningKey>,
}

impl Council {
    pub(crate) fn of(seeds: &[u8]) -> Self {
        let mut secrets: Vec<SigningKey> = seeds.iter().map(|seed| SigningKey::from_bytes(&[*seed; 32])).collect();
        secrets.sort_by_key(|secret| secret.verifying_key().to_bytes());
        let validator = |secret: &SigningKey| Validator {
            key: secret.verifying_key().to_bytes(),
            peer: SigningKey::from_bytes(secret.verifying_key().as_bytes()).verifying_key().to_bytes(),
            power: Power::new(1),
            organization: OrganizationId::from_hash(Hash::plain(secret.verifying_key().as_bytes())),
        };
        let set = ValidatorSet::new(secrets.iter().map(validator).collect()).expect("a valid set");
        Self { set, secrets }
    }

    pub(crate) fn certify(&self, chain: &ChainId, header: &Header, signers: usize) -> Certificate {
        let (height, round, block) = (header.height, Round::new(1), header.hash());
        let message = precommit_sign_bytes(chain, height, round, &block);
        let signatures = (0..)
            .zip(&self.secrets)
            .take(signers)
            .map(|(validator, secret)| CertificateSignature { validator, signature: secret.sign(&message).to_bytes() })
            .collect();
        Certificate { height, round, block, signatures }
    }
}

/// Everything that a node would know, for every height.
pub(crate) struct Ledger {
    headers: Vec<Header>,
    blocks: Vec<Vec<Vec<u8>>>,
    states: Vec<StateTree>,
    councils: Vec<Council>,
    council: Council,
    history: Frontier,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    pending: Vec<Vec<u8>>,
}

impl Ledger {
    /// Block 0, with these organizations.
    pub(crate) fn new(seed: u8, organizations: &[&str]) -> Self {
        let council = Council::of(&[seed, seed + 1, seed + 2, seed + 3]);
        let mut ledger = Self {
            headers: vec![],
            blocks: vec![],
            states: vec![],
            councils: vec![],
            council,
            history: Frontier::new(),
            changes: BTreeMap::new(),
            pending: vec![],
        };
        for name in organizations {
            ledger.found(name);
        }
        ledger.seal();
        ledger
    }

    pub(crate) fn chain(&self) -> ChainId {
        self.headers[0].chain_id()
    }

    pub(crate) fn tip(&self) -> Height {
        self.headers.last().expect("block 0 exists").height
    }

    pub(crate) fn block_ref(&self, height: u64) -> BlockRef {
        let header = &self.headers[usize::try_from(height).expect("a test's height")];
        BlockRef { height: header.height, hash: header.hash() }
    }

    pub(crate) fn tip_ref(&self) -> BlockRef {
        self.block_ref(self.tip().get())
    }

    pub(crate) fn time_ms(&self, height: Height) -> u64 {
        self.headers[usize::try_from(height.get()).expect("a test's height")].time_ms
    }

    pub(crate) fn state_len(&self) -> u64 {
        self.states.last().expect("block 0 exists").len()
    }

    /// Where the next transaction will stand.
    pub(crate) fn next_position(&self) -> Position {
        let height = Height::new(u64::try_from(self.headers.len()).expect("a test's height"));
        Position { height, index: u32::try_from(self.pending.len()).expect("a test's index") }
    }

    /// Closes the block.
    pub(crate) fn seal(&mut self) {
        let height = Height::new(u64::try_from(self.headers.len()).expect("a test's height"));
        let state = self.states.last().cloned().unwrap_or_default().apply(&std::mem::take(&mut self.changes));
        let transactions = std::mem::take(&mut self.pending);
        let leaves: Vec<Hash> = transactions.iter().map(|bytes| leaf_of(bytes)).collect();
        let next_validators_root = self.council.set.root();
        let validators_root = self.headers.last().map_or(next_validators_root, |parent| parent.next_validators_root);
        let header = Header {
            version: 1,
            chain: if self.headers.is_empty() { ChainId::NONE } else { self.chain() },
            height,
            time_ms: 1_735_700_000_000 + height.get() * BLOCK_MS,
            parent: self.headers.last().map_or(cairn_types::BlockHash::from_hash(Hash::ZERO), Header::hash),
            history_root: self.history.root(),
            tx_root: root_of(&leaves),
            state_root: state.root(),
            validators_root,
            next_validators_root,
            proposer: 0,
        };
        self.history.append(&header.hash().hash());
        self.headers.push(header);
        self.blocks.push(transactions);
        self.states.push(state);
        self.councils.push(self.council.clone());
    }

    pub(crate) fn seal_many(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.seal();
        }
    }

    /// From the block after the next one on, these validators decide.
    pub(crate) fn change_validators(&mut self, council: Council) {
        self.council = council;
    }

    /// A transaction that matters only for what it does to the state.
    pub(crate) fn other_transaction(&mut self) -> Position {
        let at = self.next_position();
        self.pending.push(format!("some other transaction at {at}").into_bytes());
        at
    }

    /// Puts other bytes in the place of the last transaction of the open block.
    pub(crate) fn replace_last(&mut self, bytes: Vec<u8>) {
        *self.pending.last_mut().expect("a transaction") = bytes;
    }

    /// The bytes that stand at a position.
    pub(crate) fn bytes_at(&self, at: Position) -> Vec<u8> {
        let height = usize::try_from(at.height.get()).expect("a test's height");
        self.blocks[height][usize::try_from(at.index).expect("a test's index")].clone()
    }

    pub(crate) fn put<T: BorshSerialize>(&mut self, key: Vec<u8>, value: &T) {
        self.changes.insert(key, Some(encode(value)));
    }

    pub(crate) fn read<T: borsh::BorshDeserialize>(&self, key: &[u8]) -> Option<T> {
        let bytes = match self.changes.get(key) {
            Some(changed) => changed.as_deref().map(Cow::Borrowed),
            None => self.states.last().and_then(|state| state.get(key)),
        };
        bytes.map(|bytes| borsh::from_slice(&bytes).expect("the state decodes"))
    }

    fn found(&mut self, name: &str) {
        let inception = inception(name);
        let record = OrganizationRecord {
            name: inception.name.clone(),
            title: inception.title.clone(),
            roles: Roles::default(),
            recovery: None,
            admitted: Position::default(),
            expelled: None,
        };
        let keys = OrganizationKeys { keys: inception.keys.clone(), next: None };
        let id = inception.id();
        let facet = |facet| state_key::ordinal(state_key::organization_facet(&id, facet), 0);
        self.put(facet(OrganizationFacet::Record), &record);
        self.put(facet(OrganizationFacet::Keys), &Interval::open(keys, Position::default()));
        self.put(state_key::organization_name(&inception.name), &id);
    }

    pub(crate) fn register(&mut self, name: &str, owner: &str, path: &str) -> Meter {
        self.register_with(Algorithm::Ed25519, name, owner, path)
    }

    pub(crate) fn register_with(&mut self, algorithm: Algorithm, name: &str, owner: &str, path: &str) -> Meter {
        let secret = Secret::of(name, algorithm);
        let key = secret.public();
        let next = secret.next().public().commitment();
        let inception = Inception { key, next, model: "wm-200".to_owned() };
        let id = inception.id();
        let at = self.other_transaction();
        let owner = organization(owner);
        let record = DeviceRecord {
            inception,
            registered: at,
            registered_by: Principal::Organization(owner),
            endorsement: None,
        };
        let zone = Zone { organization: owner, path: path.parse().expect("a valid path") };
        self.put(entry(&id, DeviceFacet::Record, 0), &record);
        self.put(entry(&id, DeviceFacet::Key, 0), &Interval::open(DeviceKey { key, next }, at));
        self.put(entry(&id, DeviceFacet::Owner, 0), &Interval::open(owner, at));
        self.put(entry(&id, DeviceFacet::Status, 0), &Interval::open(DeviceStatus::Active, at));
        self.put(entry(&id, DeviceFacet::Placement, 0), &Interval::open(zone, at));
        self.put(state_key::key_use(&key), &Principal::Device(id));
        Meter { id, secret }
    }

    /// Closes the open interval of a facet and opens the next.
    fn succeed<T: BorshSerialize + borsh::BorshDeserialize>(
        &mut self,
        id: &DeviceId,
        facet: DeviceFacet,
        value: T,
        suspect_since: Option<Position>,
    ) -> Position {
        let at = self.other_transaction();
        let ordinal = (0..).take_while(|n| self.read::<Interval<T>>(&entry(id, facet, *n)).is_some()).count();
        let ordinal = u32::try_from(ordinal).expect("a test's ordinal");
        let last: Interval<T> = self.read(&entry(id, facet, ordinal - 1)).expect("an interval before");
        self.put(entry(id, facet, ordinal - 1), &last.closed(at));
        let next = Interval { suspect_since, ..Interval::open(value, at) };
        self.put(entry(id, facet, ordinal), &next);
        at
    }

    pub(crate) fn set_status(&mut self, meter: &Meter, status: DeviceStatus, since: Option<Position>) -> Position {
        self.succeed(&meter.id, DeviceFacet::Status, status, since)
    }

    pub(crate) fn place(&mut self, meter: &Meter, owner: &str, path: &str) -> Position {
        let zone = Zone { organization: organization(owner), path: path.parse().expect("a valid path") };
        self.succeed(&meter.id, DeviceFacet::Placement, zone, None)
    }

    pub(crate) fn transfer(&mut self, meter: &Meter, owner: &str) -> Position {
        self.succeed(&meter.id, DeviceFacet::Owner, organization(owner), None)
    }

    /// The device's next key; the one it signs with from now on is returned.
    pub(crate) fn rotate(&mut self, meter: &Meter) -> Meter {
        let secret = meter.secret.next();
        let value = DeviceKey { key: secret.public(), next: secret.next().public().commitment() };
        self.succeed(&meter.id, DeviceFacet::Key, value, None);
        Meter { id: meter.id, secret }
    }

    pub(crate) fn grant(&mut self, terms: GrantTerms) -> GrantId {
        let at = self.other_transaction();
        let id = GrantId::of(&TransactionId::from_hash(Hash::plain(at.to_string().as_bytes())));
        self.put(state_key::scope_grant(&terms.scope.key(), &id), &());
        self.put(state_key::grant(&id), &Interval::open(terms, at));
        id
    }

    pub(crate) fn revoke(&mut self, grant: &GrantId, since: Option<Position>) -> Position {
        let at = self.other_transaction();
        let interval: Interval<GrantTerms> = self.read(&state_key::grant(grant)).expect("a grant");
        self.put(state_key::grant(grant), &Interval { suspect_since: since, ..interval.closed(at) });
        at
    }

    pub(crate) fn open_stream(
        &mut self,
        meter: &Meter,
        name: &str,
        grant: GrantId,
        cadence_s: Option<u32>,
    ) -> MeterStream {
        let at = self.other_transaction();
        let name: Name = name.parse().expect("a valid name");
        let id = StreamId::of(&meter.id, &name);
        let record = StreamRecord {
            device: meter.id,
            name,
            cadence_s,
            opened: at,
            count: 0,
            head: TransactionId::from_hash(Hash::plain(id.as_bytes())),
            head_position: at,
            peaks: vec![],
            closed: None,
            forked_at: None,
            owned_from: 0,
        };
        self.put(state_key::stream(&id), &record);
        self.put(state_key::device_stream(&meter.id, &id), &());
        MeterStream { id, meter: meter.clone(), grant }
    }

    /// Puts an attestation into the open block.
    pub(crate) fn attest(&mut self, stream: &MeterStream, content: &[u8], not_before: BlockRef) -> Attested {
        let record: StreamRecord = self.read(&state_key::stream(&stream.id)).expect("a stream");
        let content = Content {
            form: ContentForm::Plain,
            hash: ContentHash::plain(content),
            bytes: u64::try_from(content.len()).expect("a test's content"),
            readings: 96,
        };
        self.attest_body(stream, |body, attest| {
            body.not_before = not_before;
            attest.sequence = record.count;
            attest.previous = record.head;
            attest.content = content;
        })
    }

    /// The same, with any change to what is said.
    pub(crate) fn attest_body(&mut self, stream: &MeterStream, change: impl Fn(&mut Body, &mut Attest)) -> Attested {
        let at = self.next_position();
        let mut record: StreamRecord = self.read(&state_key::stream(&stream.id)).expect("a stream");
        let content = Content { form: ContentForm::Plain, hash: ContentHash::plain(b""), bytes: 0, readings: 0 };
        let mut attest = Attest {
            stream: stream.id,
            sequence: record.count,
            previous: record.head,
            content,
            claimed: None,
            derived_from: vec![],
            authority: stream.grant,
        };
        let mut body = Body {
            chain: self.chain(),
            signer: Principal::Device(stream.meter.id),
            not_before: self.tip_ref(),
            expires: None,
            call: Call::Attest(attest.clone()),
        };
        change(&mut body, &mut attest);
        body.call = Call::Attest(attest);
        let transaction = sign(body, &stream.meter);
        self.pending.push(transaction.bytes().to_vec());

        let mut frontier =
            Frontier::from_parts(record.count, std::mem::take(&mut record.peaks)).expect("peaks of a count");
        frontier.append(&transaction.id().hash());
        record.count = frontier.count();
        record.peaks = frontier.peaks().to_vec();
        record.head = transaction.id();
        record.head_position = at;
        self.put(state_key::stream(&stream.id), &record);
        Attested { transaction, at }
    }

    /// A checkpoint that `signers` validators signed, and the way to it.
    pub(crate) fn finality(&self, checkpoint: Height, signers: usize) -> CheckpointProof {
        let at = |height: Height| usize::try_from(height.get()).expect("a test's height");
        let header = self.headers[at(checkpoint)].clone();
        let changes = (1..at(checkpoint)).filter_map(|height| {
            let header = &self.headers[height];
            (header.validators_root != header.next_validators_root).then(|| ValidatorChange {
                header: header.clone(),
                certificate: self.decided(height).certify(&self.chain(), header, 4),
                validators: self.councils[height].set.clone(),
            })
        });
        CheckpointProof {
            genesis: self.headers[0].clone(),
            validators: self.councils[0].set.clone(),
            changes: changes.collect(),
            certificate: self.decided(at(checkpoint)).certify(&self.chain(), &header, signers),
            checkpoint: header,
        }
    }

    /// What a node hands to assembly, for a checkpoint at `checkpoint` that `signers` validators signed.
    pub(crate) fn parts(&self, attested: &Attested, checkpoint: Height, signers: usize) -> Parts {
        let at = |height: Height| usize::try_from(height.get()).expect("a test's height");
        let hashes: Vec<Hash> = self.headers.iter().take(at(checkpoint)).map(|header| header.hash().hash()).collect();
        let past = |height: Height| PastBlock {
            header: self.headers[at(height)].clone(),
            history: prove_in(&hashes, height.get()).expect("a past block"),
        };
        let height = attested.at.height;
        let items: Vec<Hash> = self.blocks[at(height)].iter().map(|bytes| leaf_of(bytes)).collect();
        let not_before = attested.transaction.body().not_before.height;
        Parts {
            finality: self.finality(checkpoint, signers),
            block: (height < checkpoint).then(|| past(height)),
            not_before: (not_before > Height::GENESIS).then(|| past(not_before)),
            anchor: None,
            transaction: attested.transaction.clone(),
            inclusion: TransactionInclusion {
                count: u32::try_from(items.len()).expect("a test's block"),
                proof: prove_in(&items, u64::from(attested.at.index)).expect("the transaction is there"),
            },
        }
    }

    /// Who decides a block: those whom the block before it named.
    fn decided(&self, height: usize) -> &Council {
        &self.councils[height - 1]
    }

    pub(crate) fn anchor(&self, height: u64, checkpoint: Height) -> Anchor {
        let hashes: Vec<Hash> = self.headers.iter().map(|header| header.hash().hash()).collect();
        let before = &hashes[..usize::try_from(checkpoint.get()).expect("a test's height")];
        let history = prove_in(before, height).expect("a past block");
        Anchor { hash: self.block_ref(height).hash, history }
    }

    pub(crate) fn state_at(&self, height: Height) -> &StateTree {
        &self.states[usize::try_from(height.get()).expect("a test's height")]
    }

    /// The bundle at the tip.
    pub(crate) fn bundle(&self, attested: &Attested) -> Bundle {
        self.bundle_at(attested, self.tip())
    }

    pub(crate) fn bundle_at(&self, attested: &Attested, checkpoint: Height) -> Bundle {
        let parts = self.parts(attested, checkpoint, 4);
        Bundle::assemble(self.state_at(checkpoint), parts).expect("a bundle")
    }
}

/// Signs as the device does.
pub(crate) fn sign(body: Body, meter: &Meter) -> SignedTransaction {
    let bytes = meter.secret.sign(&signed_message(&body.id()));
    let signature = Signature { signer: Principal::Device(meter.id), key: 0, bytes };
    SignedTransaction::new(Transaction { body, signatures: vec![signature] })
}

fn inception(name: &str) -> OrganizationInception {
    let secret = SigningKey::from_bytes(Hash::plain(name.as_bytes()).as_bytes());
    OrganizationInception {
        name: name.parse().expect("a valid name"),
        title: format!("{name} Inc."),
        keys: KeySet::single(PublicKey::Ed25519(secret.verifying_key().to_bytes())),
        next: None,
        recovery: None,
    }
}

pub(crate) fn organization(name: &str) -> OrganizationId {
    inception(name).id()
}

pub(crate) fn zone(owner: &str, path: &str) -> Zone {
    Zone { organization: organization(owner), path: path.parse().expect("a valid path") }
}

/// A grant of `attest` over a zone from its owner to every device in it.
pub(crate) fn zone_attests(owner: &str, path: &str) -> GrantTerms {
    GrantTerms {
        grantor: Principal::Organization(organization(owner)),
        grantee: Grantee::Zone(zone(owner, path)),
        actions: [Action::Attest].into_iter().collect(),
        scope: Scope::Zone(zone(owner, path)),
        window: Window::ALWAYS,
        depth: 0,
        parent: None,
    }
}

fn entry(id: &DeviceId, facet: DeviceFacet, ordinal: u32) -> Vec<u8> {
    state_key::ordinal(state_key::device_facet(id, facet), ordinal)
}
