//! Each hash domain but those of transactions: a value, its encoding, and the hash of that.

use cairn_types::block::HEADER_VERSION;
use cairn_types::domain::{self, HashDomain};
use cairn_types::lot::LotLeaf;
use cairn_types::{
    BlockHash, ChainId, ContentHash, GrantId, Hash, Header, Height, LotId, Name, Scope, StreamId, encode,
};
use serde_json::{Value, json};

use crate::Vector;
use crate::readable::Readable;
use crate::samples::*;

fn vector(name: &str, domain: HashDomain, kind: &str, value: Value, encoding: &[u8], hash: Hash) -> Vector {
    // Each hash is made twice: as the type's own function does, and from the domain and the bytes.
    assert_eq!(hash, Hash::derive(domain, encoding), "{name}");
    vec![
        ("name", json!(name)),
        ("domain", json!(domain.context())),
        ("type", json!(kind)),
        ("value", value),
        ("encoding", json!(hex::encode(encoding))),
        ("hash", json!(hash.to_string())),
    ]
}

fn of<T: Readable + borsh::BorshSerialize>(
    name: &str,
    domain: HashDomain,
    kind: &str,
    value: &T,
    hash: impl Fn(&T) -> Hash,
) -> Vector {
    vector(name, domain, kind, value.readable(), &encode(value), hash(value))
}

fn header(genesis: bool) -> Header {
    Header {
        version: HEADER_VERSION,
        chain: if genesis { ChainId::NONE } else { chain() },
        height: Height::new(if genesis { 0 } else { 42 }),
        time_ms: 1_735_700_042_000,
        parent: BlockHash::from_hash(if genesis { Hash::ZERO } else { word("block 41") }),
        history_root: word("history root"),
        tx_root: word("tx root"),
        state_root: word("state root"),
        validators_root: validators().root(),
        next_validators_root: validators().root(),
        proposer: if genesis { 0 } else { 1 },
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Vector> {
    let (ed, p) = (ed25519("device key"), p256("device key"));
    let bare = cairn_types::OrganizationInception { next: None, recovery: None, ..organization_inception() };
    let bound = LotLeaf { device: Some(device()), serial: "SN-0001".to_owned(), salt: *word("salt").as_bytes() };
    let unbound = LotLeaf { device: None, ..bound.clone() };
    let stream_name: Name = "flow".parse().expect("a valid name");
    let salted: &[u8] = b"time,flow\n00:00,1.2\n";
    let salt = word("salt");
    let mut vectors = vec![
        of("header of block 0; its hash is the chain id", domain::BLOCK, "Header", &header(true), |it| {
            it.hash().hash()
        }),
        of("header of block 42", domain::BLOCK, "Header", &header(false), |it| it.hash().hash()),
        of("organization, bare", domain::ORGANIZATION, "OrganizationInception", &bare, |it| it.id().hash()),
        of(
            "organization with all it can have",
            domain::ORGANIZATION,
            "OrganizationInception",
            &organization_inception(),
            |it| it.id().hash(),
        ),
        of("device with an Ed25519 key", domain::DEVICE, "Inception", &inception(&ed), |it| it.id().hash()),
        of("device with a P-256 key", domain::DEVICE, "Inception", &inception(&p), |it| it.id().hash()),
        of("Ed25519 key", domain::KEY_COMMITMENT, "PublicKey", &public(&ed), |it| it.commitment().hash()),
        of("P-256 key", domain::KEY_COMMITMENT, "PublicKey", &public(&p), |it| it.commitment().hash()),
        of("key set of both algorithms", domain::KEY_SET_COMMITMENT, "KeySet", &key_set(), |it| it.commitment().hash()),
        of("grant", domain::GRANT, "TransactionId", &transaction("grant"), |it| GrantId::of(it).hash()),
        of("lot", domain::LOT, "TransactionId", &transaction("lot"), |it| LotId::of(it).hash()),
        of("leaf of a lot that names its device", domain::LOT_LEAF, "LotLeaf", &bound, LotLeaf::item),
        of("leaf of a lot that anyone with the salt may claim", domain::LOT_LEAF, "LotLeaf", &unbound, LotLeaf::item),
        of("two validators", domain::VALIDATORS, "ValidatorSet", &validators(), |it| it.root()),
        vector(
            "stream",
            domain::STREAM,
            "DeviceId ‖ Name",
            json!({ "device": device().readable(), "name": stream_name.readable() }),
            &encode(&(device(), stream_name.clone())),
            StreamId::of(&device(), &stream_name).hash(),
        ),
        vector(
            "salted content",
            domain::SALTED_CONTENT,
            "salt ‖ content",
            json!({ "salt": salt.to_string(), "content": hex::encode(salted) }),
            &[salt.as_bytes(), salted].concat(),
            ContentHash::salted(salt.as_bytes(), salted).hash(),
        ),
    ];
    let scopes = [
        ("scope of a zone", Scope::Zone(zone("north/pump"))),
        ("scope of a whole namespace", Scope::Zone(zone(""))),
        ("scope of a device", Scope::Device(device())),
        ("scope of a stream", Scope::Stream(stream())),
    ];
    vectors.extend(scopes.iter().map(|(name, scope)| of(name, domain::SCOPE, "Scope", scope, Scope::key)));
    vectors
}
