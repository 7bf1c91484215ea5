//! Planted damage, each named by the check whose business it is, and a healthy node of which nothing is said.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cairn_consensus::{SignRequest, Signer, Vote, VoteKind};
use cairn_storage::{Batch, DataDirectory, Engine, Keyspace, SignState, WriteAheadLog, open_index};
use cairn_types::{Height, Round};

use super::{DoctorCommand, Finding, Findings, Verdict, examine};
use crate::config::{KeysConfig, NetworkSection, NodeConfig, RpcSection, StorageSection};
use crate::keys;
use crate::signer::NodeSigner;
use crate::testing::{World, founders, secret, validator_keys};

/// The validator whose node this is, and the height of its ledger.
const SEED: u8 = 11;
const TIP: u64 = 12;

/// A node that was stopped in good order.
struct Patient {
    directory: tempfile::TempDir,
    data: tempfile::TempDir,
    /// Its sign state of some heights ago.
    old_sign_state: Vec<u8>,
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changes the mode");
}

impl Patient {
    fn new() -> Self {
        let mut world = World::new();
        let (_, registered) = world.register(0, 50);
        world.commit(vec![registered]);
        world.commit_to(TIP);
        let (genesis, chain) = (world.genesis.clone(), world.genesis.chain);
        let precommit = |height: u64| {
            let at = Height::new(height);
            let validator = world.chain().validators_at(at).and_then(|set| set.index_of(&validator_keys(SEED).0));
            let block = world.chain().hash_at(at).expect("reads");
            let kind = VoteKind::Precommit;
            let vote = Vote { height: at, round: Round::ZERO, kind, block, validator: validator.expect("a validator") };
            SignRequest::Vote(vote)
        };
        let (old, new) = (precommit(TIP - 4), precommit(TIP));
        let data = world.into_directory();
        set_mode(data.path(), 0o700);
        let opened = DataDirectory::open(data.path(), chain).expect("nobody has it open");
        let mut signer = NodeSigner::new(secret(SEED), chain, SignState::open(&opened.sign_state()).expect("opens"));
        let mut sign = |request| {
            signer.sign(&request).expect("it rises");
            signer.sync().expect("a healthy disk");
            fs::read(opened.sign_state()).expect("reads")
        };
        let old_sign_state = sign(old);
        sign(new);
        let (mut wal, _) = WriteAheadLog::open(&opened.write_ahead_log()).expect("opens");
        wal.reset(Height::new(TIP + 1)).expect("it rises");
        wal.append(&[9; 40]).expect("it fits");
        wal.sync().expect("a healthy disk");
        drop((opened, wal));

        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name);
        keys::write(&path("peer.pem"), &secret(SEED + 100)).expect("writes");
        keys::write(&path("consensus.pem"), &secret(SEED)).expect("writes");
        let file = founders("unit", genesis.block.header.time_ms);
        fs::write(path("genesis.toml"), file.to_toml().expect("it has a form")).expect("writes");
        let config = NodeConfig {
            genesis: PathBuf::from("genesis.toml"),
            data: data.path().to_owned(),
            sync: crate::snapshot::join::SyncMode::default(),
            keys: KeysConfig {
                peer: PathBuf::from("peer.pem"),
                consensus: Some(PathBuf::from("consensus.pem")),
                passphrase_file: None,
            },
            network: NetworkSection {
                listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
                peers: Vec::new(),
                observers: Vec::new(),
                mdns: false,
                quic: false,
            },
            rpc: RpcSection::default(),
            storage: StorageSection::default(),
        };
        fs::write(path("config.toml"), toml::to_string(&config).expect("it has a form")).expect("writes");
        Self { directory, data, old_sign_state }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn data(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    fn examine(&self, deep: bool) -> Findings {
        let mut findings =
            examine(&DoctorCommand { config: self.path("config.toml"), deep, ask: Vec::new(), json: false });
        // How much room this machine has is not the matter here.
        findings.0.retain(|finding| finding.check != "disk");
        findings
    }

    /// Everything in the data directory, by name.
    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn collect(directory: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(directory).expect("listed") {
                let path = entry.expect("read").path();
                if path.is_dir() {
                    collect(&path, found);
                } else {
                    let content = fs::read(&path).expect("reads");
                    found.insert(path, content);
                }
            }
        }
        let mut found = BTreeMap::new();
        collect(self.data.path(), &mut found);
        found
    }

    fn flip(&self, name: &str, at: impl FnOnce(usize) -> usize) {
        let path = self.data(name);
        let mut bytes = fs::read(&path).expect("reads");
        let at = at(bytes.len());
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).expect("writes");
    }
}

#[track_caller]
fn assert_names(findings: &Findings, check: &str, words: &str, advice: &str) {
    let is_it = |finding: &&Finding| {
        finding.check == check
            && finding.verdict == Verdict::Broken
            && finding.found.contains(words)
            && finding.advice.as_deref().is_some_and(|said| said.contains(advice))
    };
    assert!(findings.0.iter().any(|finding| is_it(&finding)), "{findings:#?}");
    assert_eq!(findings.worst(), Verdict::Broken);
}

#[test]
fn of_a_healthy_node_nothing_is_said_and_nothing_is_changed() {
    let patient = Patient::new();
    let before = patient.contents();
    for deep in [false, true] {
        let findings = patient.examine(deep);
        assert_eq!(findings.worst(), Verdict::Ok, "{findings:#?}");
        for check in ["configuration", "genesis", "keys", "directory", "chain", "index", "write-ahead log", "validator"]
        {
            assert!(findings.0.iter().any(|finding| finding.check == check), "{check}: {findings:#?}");
        }
        let state = findings.0.iter().find(|finding| finding.check == "sign state").expect("it is looked at");
        assert!(state.found.contains(&format!("height {TIP} round 0 (precommit)")), "{state:?}");
        assert!(patient.contents() == before, "a look changes nothing");
    }
}

#[test]
fn a_flipped_bit_in_a_block_is_named_with_its_height() {
    let patient = Patient::new();
    let segment = format!("blocks/{:020}.blocks", 1);
    patient.flip(&segment, |length| length / 2);
    for deep in [false, true] {
        assert_names(&patient.examine(deep), "chain", "damaged at height", "fetches from its peers");
    }
}

#[test]
fn an_index_that_the_blocks_do_not_make_is_named_with_its_keyspace() {
    let change = |patient: &Patient, keyspace: Keyspace| {
        let (index, _) = open_index(&patient.data("index-fjall"), Engine::Fjall).expect("opens");
        let mut batch = Batch::new();
        batch.put(keyspace, vec![0xaa; 32], vec![1, 2, 3]);
        index.write(&batch).expect("writes");
        index.close().expect("closes");
    };
    let patient = Patient::new();
    change(&patient, Keyspace::History);
    assert_eq!(patient.examine(false).worst(), Verdict::Ok, "only the state is signed");
    assert_names(&patient.examine(true), "index", "history differs", "delete the index directory");
    change(&patient, Keyspace::State);
    assert_names(&patient.examine(false), "index", "does not fit the block log", "delete the index directory");
    fs::write(patient.data("index-fjall/format"), "cairn index 0 fjall\n").expect("writes");
    assert_names(&patient.examine(false), "index", "cannot be used", "delete the index directory");
}

#[test]
fn places_that_are_not_those_of_the_blocks_are_told() {
    let patient = Patient::new();
    let places =
        fs::read_dir(patient.data("index-fjall/places")).expect("lists").next().expect("one run").expect("reads");
    let path = format!("index-fjall/places/{}", places.file_name().to_string_lossy());
    // Behind the preamble and the page of counts the records begin.
    patient.flip(&path, |_| 1_024 + 4_096 + 100);
    assert_eq!(patient.examine(false).worst(), Verdict::Ok, "nobody looked");
    assert_names(&patient.examine(true), "index", "is not what was written", "delete the index directory");
    fs::remove_file(patient.data(&path)).expect("it is there");
    assert_eq!(patient.examine(true).worst(), Verdict::Ok, "the node finds them again when it starts");
}

#[test]
fn a_sign_state_from_a_backup_and_one_that_proves_nothing_are_told() {
    let patient = Patient::new();
    fs::write(patient.data("sign-state"), &patient.old_sign_state).expect("writes");
    assert_names(&patient.examine(false), "sign state", "the block log holds a signature", "council validators");
    fs::write(patient.data("sign-state"), vec![0; 4 * 4096]).expect("writes");
    assert_names(&patient.examine(false), "sign state", "cannot prove what was signed last", "council validators");
}

#[test]
fn a_damaged_write_ahead_log_is_told_from_an_interrupted_write() {
    let patient = Patient::new();
    patient.flip("consensus.wal", |length| length - 5);
    let findings = patient.examine(false);
    assert_eq!(findings.worst(), Verdict::Ok, "an unfinished last write is no damage: {findings:#?}");
    fs::write(patient.data("consensus.wal"), vec![7; 4096]).expect("writes");
    assert_names(&patient.examine(false), "write-ahead log", "preamble", "leaves the height of its sign state");
}

#[test]
fn whoever_else_gets_at_the_files_is_told_with_the_command_that_mends_it() {
    let patient = Patient::new();
    set_mode(patient.data.path(), 0o755);
    assert_names(&patient.examine(false), "directory", "chmod 700", "run the command");
    set_mode(patient.data.path(), 0o700);
    set_mode(&patient.data("sign-state"), 0o644);
    assert_names(&patient.examine(false), "directory", "chmod 600", "run the command");
    set_mode(&patient.data("sign-state"), 0o600);
    set_mode(&patient.path("consensus.pem"), 0o640);
    assert_names(&patient.examine(false), "keys", "chmod 600", "who could read the key");
    set_mode(&patient.path("consensus.pem"), 0o600);
    fs::copy(patient.path("peer.pem"), patient.path("consensus.pem")).expect("copies");
    assert_names(&patient.examine(false), "keys", "hold the same key", "mend");
}

#[test]
fn another_networks_genesis_and_a_configuration_that_is_none_are_told() {
    let patient = Patient::new();
    let other = founders("unit", 1_767_225_600_001).to_toml().expect("it has a form");
    fs::write(patient.path("genesis.toml"), other).expect("writes");
    assert_names(&patient.examine(false), "chain", "belongs to chain", "name the genesis file");
    let config = fs::read_to_string(patient.path("config.toml")).expect("reads");
    fs::write(patient.path("config.toml"), format!("colour = \"blue\"\n{config}")).expect("writes");
    assert_names(&patient.examine(false), "configuration", "colour", "correct the file");
    fs::write(patient.path("config.toml"), config.replace("peers = []", "peers = [\"/ip4/127.0.0.1/tcp/1\"]"))
        .expect("writes");
    assert_names(&patient.examine(false), "configuration", "does not name a peer", "/p2p/PEER-ID");
}

#[test]
fn beside_a_running_node_it_reads_what_it_can_and_asks_the_node() {
    let patient = Patient::new();
    let chain = founders("unit", 1_767_225_600_000).build().expect("a genesis").chain;
    let held = DataDirectory::open(patient.data.path(), chain).expect("nobody has it open");
    let findings = patient.examine(false);
    let said = |check: &str, words: &str| {
        findings.0.iter().any(|finding| finding.check == check && finding.found.contains(words))
    };
    assert!(said("directory", "a node is running on it"), "{findings:#?}");
    assert!(said("chain", "links of the newest 12 blocks hold"), "{findings:#?}");
    assert!(said("node", "it does not answer"), "nobody listens there: {findings:#?}");
    drop(held);
}
