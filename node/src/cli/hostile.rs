//! Hostile input at the entrances that only this program has: frames of other nodes, and files and words of whoever runs
//! it. The engine is that of `tests/src/fuzz.rs`, which says more about it.
//!
//! `CAIRN_HOSTILE_INPUTS`, `CAIRN_SEED`, `CAIRN_HOSTILE_TARGET` and `CAIRN_HOSTILE_INPUT` work here too; one in fifty of
//! the inputs that are asked for is thrown at these targets.

use std::fmt::Debug;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_network::PeerKey;
use cairn_types::call::CloseStream;
use cairn_types::lot::{LotBasis, LotLeaf};
use cairn_types::{
    BlockHash, BlockRef, Body, Call, ChainId, DecodeError, DeviceId, Hash, Height, LotId, Principal, StreamId,
    Transaction, encode,
};

use super::lot::file::LotFile;
use super::lot::ticket::Ticket;
use super::{certificates, names, sign, transaction_file};
use crate::config::NodeConfig;
use crate::frame::{FinalBlock, Frame, Request, Response};
use crate::keys::private::{Algorithm, KeyName, PrivateKey};
use engine::{Plan, Seen, Target};

#[path = "../../../tests/src/fuzz/engine.rs"]
#[allow(dead_code, unreachable_pub, reason = "the engine is written for the tests of the whole house")]
mod engine;
#[path = "../../../tests/src/fuzz/found.rs"]
#[allow(dead_code, unreachable_pub, reason = "likewise")]
mod found;
#[path = "../../../tests/src/fuzz/mutate.rs"]
#[allow(dead_code, unreachable_pub, reason = "likewise")]
mod mutate;

/// How many inputs there are if nobody says.
const INPUTS: u64 = 40_000;

/// One in so many of the inputs that are asked for is thrown at these targets.
const SHARE: u64 = 50;

fn text_of(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

fn seen(taken: bool) -> Result<Seen, String> {
    Ok(if taken { Seen::Accepted } else { Seen::Refused })
}

/// A decoder of what another node sends: one encoding, and no more memory than a small multiple of the bytes.
fn decoder<T>(name: &'static str, share: u32, samples: &[T], decode: fn(&[u8]) -> Result<T, DecodeError>) -> Target
where
    T: BorshSerialize + BorshDeserialize + PartialEq + Debug + 'static,
{
    Target::new(name, share, samples.iter().map(encode).collect(), move |input| match decode(input) {
        Ok(value) if encode(&value) == input => seen(true),
        Ok(value) => Err(format!("two encodings: {value:?}")),
        Err(_) => seen(false),
    })
}

fn frames() -> Vec<Target> {
    let block = FinalBlock { block: vec![1; 200], certificate: vec![2; 80] };
    let hash = BlockHash::from_hash(Hash::plain(b"block"));
    vec![
        decoder(
            "frame",
            20,
            &[Frame::Message(vec![3; 90]), Frame::Block(vec![4; 300]), Frame::Head(Height::new(7))],
            Frame::decode,
        ),
        decoder(
            "request",
            10,
            &[Request::Head, Request::Blocks { from: Height::new(9) }, Request::Undecided { block: hash }],
            Request::decode,
        ),
        decoder(
            "response",
            20,
            &[
                Response::Head(Height::new(7)),
                Response::Blocks(vec![block.clone(), block]),
                Response::Undecided(Some(vec![5; 100])),
                Response::Undecided(None),
            ],
            Response::decode,
        ),
    ]
}

type Reader = fn(&str) -> bool;

fn reads<T: FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

/// Words of the command line and of configurations, each after a byte that says which form is meant.
fn words() -> Target {
    let id = Hash::plain(b"id").to_string();
    let peer = PeerKey::from_bytes(*Hash::plain(b"peer").as_bytes());
    let forms: Vec<(Reader, String)> = vec![
        (reads::<names::OrganizationName>, "water-works".to_owned()),
        (reads::<names::ZoneName>, "water-works/north/pump".to_owned()),
        (reads::<names::PrincipalName>, format!("device:{id}")),
        (reads::<names::GranteeName>, "zone:water-works/north".to_owned()),
        (reads::<names::ScopeName>, format!("stream:{id}")),
        (reads::<names::StreamName>, "flow".to_owned()),
        (reads::<sign::SignerKeys>, "org:water-works=one.pem,two.pem".to_owned()),
        (|text| names::position(text).is_ok(), "1200/3".to_owned()),
        (|text| PeerKey::from_peer_id(text).is_ok(), peer.peer_id()),
        (|text| PeerKey::from_address(text).is_ok(), format!("/ip4/127.0.0.1/tcp/7101/p2p/{}", peer.peer_id())),
    ];
    let corpus = forms.iter().enumerate().map(|(place, (_, text))| [&[place as u8], text.as_bytes()].concat());
    let corpus = corpus.collect();
    Target::new("word", 40, corpus, move |input| {
        let Some((form, text)) = input.split_first() else { return seen(false) };
        seen(text_of(text).is_some_and(|text| forms[usize::from(*form) % forms.len()].0(text)))
    })
    .knowing(&[b"/p2p/", b"/ip6/::1", b"/dns4/a", b"12D3KooW", b"Qm", b"org:", b"zone:", b"=", b",", b"/quic-v1"])
}

const CONFIGURATION: &str = "genesis = \"genesis.toml\"\ndata = \"data\"\n\n[keys]\npeer = \"peer.pem\"\nconsensus = \"c.pem\"\n\n\
    [network]\nlisten = [\"/ip4/127.0.0.1/tcp/7101\"]\nmdns = true\n\n[rpc]\nlisten = \"127.0.0.1:7700\"\n\n\
    [storage]\nengine = \"sled\"\n";

/// The node's own configuration: what reads can be written, and reads as the same.
fn configuration() -> Target {
    Target::new("configuration", 10, vec![CONFIGURATION.as_bytes().to_vec()], |input| {
        let Some(config) = text_of(input).and_then(|text| toml::from_str::<NodeConfig>(text).ok()) else {
            return seen(false);
        };
        let path = Path::new("node.toml");
        let _ =
            (config.engine(path).is_ok(), config.observers(path).is_ok(), config.named_peers(), config.rpc.to_rpc());
        let written = toml::to_string(&config).map_err(|error| format!("cannot be written: {error}"))?;
        let again: NodeConfig = toml::from_str(&written).map_err(|error| format!("does not read back: {error}"))?;
        if format!("{again:?}") == format!("{config:?}") {
            seen(true)
        } else {
            Err(format!("reads as another: {written}"))
        }
    })
    .knowing(&[
        b"[network]\n",
        b"[[network]]\n",
        b"listen = []\n",
        b"= 1\n",
        b"\"\"\"",
        b"'''",
        b"\\u0000",
        b"a.b = 2\n",
    ])
}

/// Files of manufacturers and operators.
fn files() -> Vec<Target> {
    let leaf = |serial: &str| LotLeaf { device: None, serial: serial.to_owned(), salt: [7; 32] };
    let lot = LotFile {
        label: "meters".to_owned(),
        lot: Some(LotId::from_hash(Hash::plain(b"lot"))),
        leaves: vec![leaf("A"), leaf("B")],
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("lot.jsonl");
    lot.write(&path).expect("it is written");
    let text = std::fs::read(&path).expect("it was written");
    let device = DeviceId::from_hash(Hash::plain(b"device"));
    let (salt, id) = ("07".repeat(32), Hash::plain(b"lot"));
    let kind = "cairn lot ticket v1";
    let ticket = format!(
        "{{\"kind\":\"{kind}\",\"lot\":\"{id}\",\"serial\":\"A\",\"salt\":\"{salt}\",\"index\":1,\"siblings\":[\"{id}\"]}}"
    );
    let body = Body {
        chain: ChainId::from_hash(id),
        signer: Principal::Device(device),
        not_before: BlockRef { height: Height::GENESIS, hash: BlockHash::from_hash(id) },
        expires: None,
        call: Call::CloseStream(CloseStream { stream: StreamId::from_hash(id) }),
    };
    let transaction = encode(&Transaction { body, signatures: Vec::new() });
    let several = encode(&vec![transaction.clone(), transaction.clone()]);
    vec![
        Target::new("lot-file", 10, vec![text], |input| {
            let file = text_of(input).and_then(|text| LotFile::parse(Path::new("lot.jsonl"), text).ok());
            seen(file.is_some_and(|file| matches!(file.basis(), LotBasis::Merkle { count: 1.., .. })))
        }),
        Target::new("ticket", 10, vec![ticket.into_bytes()], move |input| {
            let ticket = text_of(input).and_then(|text| serde_json::from_str::<Ticket>(text).ok());
            seen(ticket.is_some_and(|ticket| ticket.of(device).is_ok()))
        }),
        Target::new("certificate-file", 10, vec![certificates::tests::P256.as_bytes().to_vec()], |input| {
            let chain = text_of(input).and_then(|text| certificates::parse(text).ok());
            let keys = chain.iter().flatten().filter(|der| certificates::key_of(der).is_ok()).count();
            seen(keys > 0)
        })
        .knowing(&[
            b"-----BEGIN CERTIFICATE-----\n",
            b"-----END CERTIFICATE-----\n",
            b"-----",
            b"=",
            b"Proc-Type: 4\n",
        ]),
        Target::new("transaction-file", 20, vec![transaction, several], |input| {
            let Ok(all) = transaction_file::parse(input.to_vec()) else { return seen(false) };
            if all.is_empty() { Err("a file of nothing: it was read".to_owned()) } else { seen(true) }
        }),
    ]
}

/// Key files, private and public, of both algorithms.
fn key_files(directory: &Path) -> Target {
    let text = |algorithm, name: &str| {
        let path = directory.join(name);
        PrivateKey::generate(algorithm).write(&path, None).expect("it is written");
        std::fs::read(&path).expect("it was written")
    };
    let corpus = vec![text(Algorithm::Ed25519, "ed25519.pem"), text(Algorithm::P256, "p256.pem")];
    let directory = directory.to_owned();
    Target::new("key-file", 3, corpus, move |input| {
        let thread = format!("{:?}", std::thread::current().id());
        let path: PathBuf = directory.join(format!("{}.pem", Hash::plain(thread.as_bytes())));
        let written = std::fs::write(&path, input)
            .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)));
        written.map_err(|error| format!("no file: {error}"))?;
        match KeyName::File(path).public() {
            Ok(key) if key.check().is_ok() => seen(true),
            // A public key is shown as it is, and judged where it is used.
            Ok(_) => seen(true),
            Err(error) if !error.to_string().is_empty() => seen(false),
            Err(error) => Err(format!("a refusal without words: {error:?}")),
        }
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn no_hostile_input_harms_the_program() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut targets = frames();
    targets.extend([words(), configuration(), key_files(directory.path())]);
    targets.extend(files());
    let named = std::env::var("CAIRN_HOSTILE_TARGET").ok();
    if named.as_ref().is_some_and(|named| targets.iter().all(|target| target.name != named)) {
        return;
    }
    let plan = Plan {
        seed: number("CAIRN_SEED").unwrap_or(1),
        inputs: number("CAIRN_HOSTILE_INPUTS").map_or(INPUTS, |inputs| inputs / SHARE),
        target: named,
        input: number("CAIRN_HOSTILE_INPUT"),
        measure: None,
    };
    println!("seed {}", plan.seed);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/regressions");
    let report = engine::run(&targets, &plan, |target| found::kept(&kept, target.name));
    for failure in &report.failures {
        let target = targets.iter().find(|target| target.name == failure.target).expect("it ran");
        println!("{}", found::tell(failure, plan.seed, &found::shrink(target, failure, None)));
    }
    println!("figure hostile_program_inputs {}", report.tallies.iter().map(|tally| tally.inputs).sum::<u64>());
    println!("figure hostile_program_input_failures {}", report.failures.len());
    for tally in &report.tallies {
        println!("{:>18} {:>9} accepted {:>9}", tally.target, tally.inputs, tally.accepted);
    }
    assert!(report.failures.is_empty(), "the targets above do not bear an input");
}
