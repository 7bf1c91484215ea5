//! The hostile peers: processes of `node/network/examples/hostile`, at the lowest priority, and what they are given to send.
//!
//! They share two cores with their victims, so what they send is made here and before: an attacker that spends a core on
//! signing would measure the machine and not the defence.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use cairn_consensus::{Message, SignedVote, Vote, VoteKind};
use cairn_tests::{Network, Node};
use cairn_types::{Block, BlockHash, ChainId, Hash, Header, Height, Round, encode};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};

/// The hostile program, up to date.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| cairn_tests::network::example("hostile"))
}

/// As whom a peer comes.
#[derive(Clone, Copy)]
pub(crate) enum Identity<'a> {
    /// A key that nobody knows.
    Stranger,
    /// The network key of a node.
    Of(&'a Node),
}

/// One hostile peer.
pub(crate) struct Peer<'a> {
    pub(crate) attack: &'static str,
    pub(crate) identity: Identity<'a>,
    pub(crate) victim: &'a Node,
    pub(crate) frames: Option<PathBuf>,
}

impl<'a> Peer<'a> {
    pub(crate) const fn new(attack: &'static str, identity: Identity<'a>, victim: &'a Node) -> Self {
        Self { attack, identity, victim, frames: None }
    }

    pub(crate) fn sending(mut self, frames: &Path) -> Self {
        self.frames = Some(frames.to_owned());
        self
    }

    /// Starts it; `number` gives it an address of its own.
    pub(crate) fn start(&self, chain: ChainId, seconds: f64, number: u8) -> Running {
        let config = std::fs::read_to_string(self.victim.directory.join("config.toml")).expect("its files are there");
        let port = config.split("/tcp/").nth(1).expect("it listens on TCP");
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(program());
        command.args([self.attack, &format!("127.0.0.1:{port}"), &chain.to_string(), &seconds.to_string()]);
        command.args(["--from", &format!("127.0.66.{}", number.saturating_add(1))]);
        if let Identity::Of(node) = self.identity {
            command.args(["--key", &hex::encode(key(node, "peer").to_bytes())]);
        }
        if let Some(frames) = &self.frames {
            command.arg("--frames").arg(frames);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program starts");
        Running { name: format!("{} on {}", self.attack, self.victim.name), child }
    }
}

/// A hostile peer at work.
pub(crate) struct Running {
    name: String,
    child: Child,
}

impl Running {
    /// Waits until it ends; its name, and what it could do.
    pub(crate) fn finish(self) -> Result<(String, serde_json::Value), String> {
        let output = self.child.wait_with_output().map_err(|error| error.to_string())?;
        let told = serde_json::from_slice(&output.stdout);
        match told {
            Ok(told) if output.status.success() => Ok((self.name, told)),
            _ => Err(format!("the attacker {} failed with {}", self.name, output.status)),
        }
    }
}

/// A key of a node that its files hold.
pub(crate) fn key(node: &Node, kind: &str) -> SigningKey {
    let pem = std::fs::read_to_string(node.directory.join(format!("{kind}.pem"))).expect("its key file is there");
    SigningKey::from_pkcs8_pem(&pem).expect("its key file is one")
}

/// The files of frames that attackers are given.
pub(crate) struct Arsenal {
    /// Batches of bytes that are none.
    pub(crate) garbage: PathBuf,
    /// Batches of transactions whose signatures are false.
    pub(crate) false_signatures: PathBuf,
    /// Batches of transactions that are final.
    pub(crate) old_batches: PathBuf,
    /// Votes for heights that nobody has reached.
    pub(crate) far_votes: PathBuf,
    /// A vote that a validator really signed, for a height that is decided.
    pub(crate) old_votes: PathBuf,
    /// Votes with false signatures.
    pub(crate) false_votes: PathBuf,
    /// Blocks of the largest size at a height that is decided.
    pub(crate) old_blocks: PathBuf,
    /// Frames of the largest size that say nothing.
    pub(crate) long_frames: PathBuf,
    /// A claim of a height that nobody has reached.
    pub(crate) claims: PathBuf,
}

/// Encoded frames, as `node/src/frame.rs` has them: a kind, and bytes behind their length.
fn frame(kind: u8, bytes: &[u8]) -> Vec<u8> {
    encode(&(kind, bytes.to_vec()))
}

/// Bytes without a pattern.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

impl Arsenal {
    /// Makes all of it. `byzantine` is the validator whose keys the attackers have; `old` are transactions that are final.
    pub(crate) fn make(network: &Network, byzantine: &Node, place: u16, old: &[Vec<u8>]) -> Self {
        let directory = network.directory();
        let write = |name: &str, frames: Vec<Vec<u8>>| {
            let path = directory.join(name);
            let behind_length = |frame: &Vec<u8>| {
                let length = u32::try_from(frame.len()).expect("frames are short");
                [length.to_be_bytes().as_slice(), frame].concat()
            };
            std::fs::write(&path, frames.iter().flat_map(behind_length).collect::<Vec<u8>>()).expect("written");
            path
        };
        let vote = |height: u64, round: u32, signed: bool| {
            let vote = Vote {
                height: Height::new(height),
                round: Round::new(round),
                kind: VoteKind::Prevote,
                block: Some(BlockHash::from_hash(Hash::plain(&round.to_le_bytes()))),
                validator: place,
            };
            let signature = if signed {
                key(byzantine, "consensus").sign(&vote.sign_bytes(&network.chain)).to_bytes()
            } else {
                noise(round.into(), 64).try_into().expect("64 bytes")
            };
            frame(0, &Message::Repeat(SignedVote { vote, signature }).encode())
        };
        // The end of an encoded transaction is the end of a signature.
        let spoiled = old.iter().map(|bytes| {
            let mut bytes = bytes.clone();
            bytes.iter_mut().rev().take(16).for_each(|byte| *byte ^= 0x55);
            bytes
        });
        let spoiled: Vec<Vec<u8>> = spoiled.cycle().take(100).collect();
        let old: Vec<Vec<u8>> = old.iter().cycle().take(100).cloned().collect();
        let header = Header {
            version: cairn_types::block::HEADER_VERSION,
            chain: network.chain,
            height: Height::new(1),
            time_ms: 1,
            parent: BlockHash::from_hash(Hash::ZERO),
            history_root: Hash::ZERO,
            tx_root: Hash::ZERO,
            state_root: Hash::ZERO,
            validators_root: Hash::ZERO,
            next_validators_root: Hash::ZERO,
            proposer: place,
        };
        let block = Block { header, transactions: old.iter().cycle().take(2_500).cloned().collect() };
        Self {
            garbage: write("garbage", (0..16).map(|seed| noise(seed, 64 * 1024)).collect()),
            false_signatures: write("false-signatures", vec![encode(&spoiled)]),
            old_batches: write("old-batches", vec![encode(&old)]),
            far_votes: write("far-votes", (0..1_000).map(|far| vote(1_000_000 + far, 0, false)).collect()),
            old_votes: write("old-votes", (0..100).map(|round| vote(1, round, true)).collect()),
            false_votes: write("false-votes", (0..1_000).map(|round| vote(1, round, false)).collect()),
            old_blocks: write("old-blocks", vec![frame(1, &encode(&block))]),
            long_frames: write("long-frames", vec![frame(9, &noise(0, 2 * 1024 * 1024 - 5))]),
            claims: write("claims", vec![encode(&(2u8, Height::new(1_000_000)))]),
        }
    }
}
