//! `cairn testnet`: the files of a network on this machine. `scripts/testnet` starts and stops it.
//!
//! ```text
//! DIR/genesis.toml                       what all nodes share
//! DIR/testnet.json                       the nodes and organizations with their public keys, for scripts
//! DIR/organizations/NAME.pem             the founding organizations' keys
//! DIR/organizations/NAME.next.pem        the keys after those, to which the genesis commits
//! DIR/organizations/NAME.recovery.pem    the keys that recover an organization; in a real network they lie elsewhere
//! DIR/node-0/                            config.toml, consensus.pem, peer.pem, and data/ once it runs
//! DIR/candidate-0/                       the same, but the council must make it a validator first
//! DIR/observer-0/                        the same without consensus.pem
//! ```
//!
//! Candidates and observers may follow everybody. A validator that the council removes may not, unless it is added to
//! `network.observers` of the others.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use cairn_genesis::{FoundingKeys, FoundingOrganization, FoundingValidator, Genesis};
use cairn_network::PeerKey;
use cairn_types::{KeySet, Name, Parameters, Role, Roles, state_key};
use clap::{Args, Subcommand};
use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::clock::now_ms;
use crate::config::{DEFAULT_ENGINE, KeysConfig, NetworkSection, NodeConfig, RpcSection, StorageSection};
use crate::keys;
use crate::snapshot::join::SyncMode;

/// JSON-RPC of node i listens at the base port + i, its network at the base port + this + i.
const NETWORK_PORT_OFFSET: u16 = 100;

/// Most nodes of a local network: they share one machine, and the two ranges of ports must not meet.
const NODES_MAX: u16 = 100;

#[derive(Debug, Args)]
pub(super) struct TestnetCommand {
    #[command(subcommand)]
    command: Testnet,
}

#[derive(Debug, Subcommand)]
enum Testnet {
    /// Make keys, genesis file and configurations of a new local network.
    Generate(Generate),
}

#[derive(Debug, Args)]
struct Generate {
    /// Where to; must not hold a network yet.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Nodes that vote.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    validators: u16,
    /// Nodes that only follow.
    #[arg(long, default_value_t = 0)]
    observers: u16,
    /// Nodes with a validator's keys that follow until the council makes them validators.
    #[arg(long, default_value_t = 0)]
    candidates: u16,
    /// First port of JSON-RPC.
    #[arg(long, default_value_t = 7700)]
    base_port: u16,
    /// The network's name.
    #[arg(long, default_value = "local")]
    name: Name,
    /// A founding organization, as `NAME:ROLE` or `NAME:ROLE+ROLE:TITLE`; roles are council, manufacturer, operator and
    /// auditor.
    #[arg(long = "organization", value_name = "SPEC")]
    organizations: Vec<String>,
    /// An idle network makes a block after this many milliseconds.
    #[arg(long)]
    heartbeat_ms: Option<u64>,
    /// A step of agreement waits this many milliseconds in the first round of a height; a round-trip and the making of a
    /// block must fit.
    #[arg(long)]
    step_timeout_ms: Option<u64>,
    /// Most transactions that an organization and its devices may have included in a window of heights; 0 for no quota.
    #[arg(long, value_name = "COUNT")]
    organization_quota: Option<u32>,
    /// Most transactions that one device may have included in a window; 0 for no quota of its own.
    #[arg(long, value_name = "COUNT")]
    device_quota: Option<u32>,
    /// The heights over which quotas count.
    #[arg(long, value_name = "HEIGHTS")]
    quota_window: Option<u64>,
    /// The heights between the announcement of a device's recovery and its effect.
    #[arg(long, value_name = "HEIGHTS")]
    recovery_delay: Option<u64>,
    /// The engine of the index: fjall or sled.
    #[arg(long, default_value = DEFAULT_ENGINE.name())]
    engine: String,
    /// Print what was made as JSON.
    #[arg(long)]
    json: bool,
}

/// The organizations of a network that names none.
const ORGANIZATIONS: [&str; 3] = [
    "water-works:council+operator:City Water Works",
    "meter-maker:council+manufacturer:Meter Maker Ltd",
    "city-audit:council+auditor:City Audit Office",
];

/// What a node does at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeRole {
    /// It votes from block 1 on.
    Validator,
    /// It follows, and has the keys to vote once the council says so.
    Candidate,
    /// It follows.
    Observer,
}

impl NodeRole {
    const fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Candidate => "candidate",
            Self::Observer => "observer",
        }
    }
}

/// A node while its files are made.
struct Planned {
    name: String,
    role: NodeRole,
    peer: SigningKey,
    consensus: Option<SigningKey>,
    /// Whose it is, if it votes or may.
    organization: Option<Name>,
    rpc: SocketAddr,
    network: String,
}

/// An organization's private keys.
struct OrganizationKeys {
    now: SigningKey,
    next: SigningKey,
    recovery: SigningKey,
}

impl OrganizationKeys {
    fn generate() -> Self {
        Self { now: keys::generate(), next: keys::generate(), recovery: keys::generate() }
    }
}

impl Planned {
    fn peer_id(&self) -> String {
        PeerKey::from_bytes(self.peer.verifying_key().to_bytes()).peer_id()
    }
}

pub(super) fn run(command: TestnetCommand) -> anyhow::Result<ExitCode> {
    let Testnet::Generate(generate) = command.command;
    let made = make(&generate)?;
    if generate.json {
        println!("{made:#}");
    } else {
        let count = made["nodes"].as_array().map_or(0, Vec::len);
        println!("made a network of {count} nodes in {}", generate.dir.display());
        println!("chain {}", made["chain"].as_str().unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

fn make(generate: &Generate) -> anyhow::Result<serde_json::Value> {
    let dir = &generate.dir;
    let genesis_path = dir.join("genesis.toml");
    ensure!(!genesis_path.exists(), "{} exists: {} holds a network already", genesis_path.display(), dir.display());
    let count = [generate.candidates, generate.observers].into_iter().fold(generate.validators, u16::saturating_add);
    ensure!(count <= NODES_MAX, "{count} nodes, but a local network has at most {NODES_MAX}");
    let last = generate.base_port.checked_add(NETWORK_PORT_OFFSET).and_then(|port| port.checked_add(count));
    ensure!(last.is_some(), "--base-port {} leaves no room for {count} nodes", generate.base_port);

    let (organizations, organization_keys) = organizations(&generate.organizations)?;
    let nodes = plan(generate, &organizations);
    let genesis = Genesis {
        name: generate.name.clone(),
        time_ms: now_ms(),
        parameters: parameters(generate),
        validators: validators(&nodes),
        organizations,
    };
    let block = genesis.build().context("the genesis")?;
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    fs::write(&genesis_path, genesis.to_toml()?).with_context(|| genesis_path.display().to_string())?;
    let mut described = Vec::new();
    for (organization, organization_keys) in genesis.organizations.iter().zip(&organization_keys) {
        let path = |kind: &str| dir.join("organizations").join(format!("{}{kind}.pem", organization.name));
        let (now, next, recovery) = (path(""), path(".next"), path(".recovery"));
        keys::write(&now, &organization_keys.now)?;
        keys::write(&next, &organization_keys.next)?;
        keys::write(&recovery, &organization_keys.recovery)?;
        let id = block.state.get(&state_key::organization_name(&organization.name)).unwrap_or_default();
        let roles: Vec<&str> = organization.roles.iter().map(Role::name).collect();
        described.push(json!({
            "name": organization.name.as_str(),
            "id": hex::encode(id),
            "roles": roles,
            "key": now,
            "next": next,
            "recovery": recovery,
        }));
    }
    for node in &nodes {
        write_node(&dir.join(&node.name), node, &nodes, &generate.engine)?;
    }
    let made = json!({
        "chain": block.chain.to_string(),
        "genesis": genesis_path,
        "organizations": described,
        "nodes": nodes.iter().map(|node| node_json(node, dir)).collect::<Vec<_>>(),
    });
    let path = dir.join("testnet.json");
    fs::write(&path, format!("{made:#}\n")).with_context(|| path.display().to_string())?;
    Ok(made)
}

fn node_json(node: &Planned, dir: &Path) -> serde_json::Value {
    json!({
        "name": node.name,
        "role": node.role.name(),
        "organization": node.organization.as_ref().map(Name::as_str),
        "consensus": node.consensus.as_ref().map(|key| hex::encode(key.verifying_key().as_bytes())),
        "peer": node.peer_id(),
        "peer_key": hex::encode(node.peer.verifying_key().as_bytes()),
        "rpc": format!("http://{}", node.rpc),
        "network": node.network,
        "config": dir.join(&node.name).join("config.toml"),
    })
}

/// The defaults, but for what was asked.
fn parameters(generate: &Generate) -> Parameters {
    let mut parameters = cairn_genesis::defaults();
    if let Some(heartbeat_ms) = generate.heartbeat_ms {
        parameters.heartbeat_ms = heartbeat_ms;
    }
    if let Some(step_timeout_ms) = generate.step_timeout_ms {
        parameters.propose_timeout_ms = step_timeout_ms;
        parameters.prevote_timeout_ms = step_timeout_ms;
        parameters.precommit_timeout_ms = step_timeout_ms;
    }
    parameters.organization_quota = generate.organization_quota.unwrap_or(parameters.organization_quota);
    parameters.device_quota = generate.device_quota.unwrap_or(parameters.device_quota);
    parameters.quota_window = generate.quota_window.unwrap_or(parameters.quota_window);
    parameters.recovery_delay = generate.recovery_delay.unwrap_or(parameters.recovery_delay);
    parameters
}

fn organizations(specs: &[String]) -> anyhow::Result<(Vec<FoundingOrganization>, Vec<OrganizationKeys>)> {
    let specs: Vec<&str> =
        if specs.is_empty() { ORGANIZATIONS.to_vec() } else { specs.iter().map(String::as_str).collect() };
    let mut organizations = Vec::new();
    let mut keys = Vec::new();
    for spec in specs {
        let mut parts = spec.splitn(3, ':');
        let name: Name = parts.next().unwrap_or_default().parse().with_context(|| format!("--organization {spec}"))?;
        let Some(roles) = parts.next() else {
            bail!("--organization {spec}: roles are missing; write NAME:ROLE[+ROLE…]")
        };
        let roles: Option<Roles> =
            roles.split('+').map(|text| Role::ALL.into_iter().find(|role| role.name() == text)).collect();
        let roles = roles
            .with_context(|| format!("--organization {spec}: roles are council, manufacturer, operator and auditor"))?;
        let title = parts.next().unwrap_or(name.as_str()).to_owned();
        let key = OrganizationKeys::generate();
        organizations.push(FoundingOrganization {
            name,
            title,
            roles,
            keys: vec![keys::public(&key.now)],
            threshold: 1,
            next: Some(KeySet::single(keys::public(&key.next)).commitment()),
            recovery: Some(FoundingKeys { keys: vec![keys::public(&key.recovery)], threshold: 1 }),
        });
        keys.push(key);
    }
    Ok((organizations, keys))
}

/// The organizations run the validators, and the candidates after them, in turn.
fn plan(generate: &Generate, organizations: &[FoundingOrganization]) -> Vec<Planned> {
    let mut owners = organizations.iter().cycle().map(|organization| organization.name.clone());
    let groups = [
        (NodeRole::Validator, "node", generate.validators),
        (NodeRole::Candidate, "candidate", generate.candidates),
        (NodeRole::Observer, "observer", generate.observers),
    ];
    let named =
        groups.into_iter().flat_map(|(role, name, count)| (0..count).map(move |i| (role, format!("{name}-{i}"))));
    let plan = |(position, (role, name)): (u16, (NodeRole, String))| Planned {
        name,
        role,
        peer: keys::generate(),
        consensus: (role != NodeRole::Observer).then(keys::generate),
        organization: if role == NodeRole::Observer { None } else { owners.next() },
        rpc: SocketAddr::from((Ipv4Addr::LOCALHOST, generate.base_port + position)),
        network: format!("/ip4/127.0.0.1/tcp/{}", generate.base_port + NETWORK_PORT_OFFSET + position),
    };
    (0..).zip(named).map(plan).collect()
}

fn validators(nodes: &[Planned]) -> Vec<FoundingValidator> {
    let voting = nodes.iter().filter(|node| node.role == NodeRole::Validator);
    voting
        .filter_map(|node| {
            Some(FoundingValidator {
                key: node.consensus.as_ref()?.verifying_key().to_bytes(),
                peer: node.peer.verifying_key().to_bytes(),
                power: 1,
                organization: node.organization.clone()?,
            })
        })
        .collect()
}

fn write_node(dir: &Path, node: &Planned, nodes: &[Planned], engine: &str) -> anyhow::Result<()> {
    keys::write(&dir.join("peer.pem"), &node.peer)?;
    if let Some(key) = &node.consensus {
        keys::write(&dir.join("consensus.pem"), key)?;
    }
    let follows = |other: &&Planned| other.role != NodeRole::Validator;
    let config = NodeConfig {
        genesis: PathBuf::from("../genesis.toml"),
        data: PathBuf::from("data"),
        sync: SyncMode::default(),
        keys: KeysConfig {
            peer: PathBuf::from("peer.pem"),
            consensus: node.consensus.as_ref().map(|_| PathBuf::from("consensus.pem")),
            passphrase_file: None,
        },
        network: NetworkSection {
            listen: vec![node.network.clone()],
            peers: nodes.iter().map(|other| format!("{}/p2p/{}", other.network, other.peer_id())).collect(),
            observers: nodes.iter().filter(follows).map(Planned::peer_id).collect(),
            mdns: false,
            quic: false,
        },
        rpc: RpcSection { listen: node.rpc, ..RpcSection::default() },
        storage: StorageSection { engine: engine.to_owned(), ..StorageSection::default() },
    };
    let path = dir.join("config.toml");
    config.engine(&path)?;
    fs::write(&path, toml::to_string(&config)?).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use cairn_genesis::Genesis;
    use cairn_network::PeerKey;
    use cairn_types::{KeySet, PublicKey};
    use clap::Parser;

    use super::{Testnet, TestnetCommand, make};
    use crate::config::NodeConfig;
    use crate::keys;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        command: TestnetCommand,
    }

    #[test]
    fn candidates_hold_validators_keys_and_organizations_the_keys_after_theirs() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let dir = directory.path().join("net");
        let options = "--validators 4 --candidates 2 --observers 1 --organization-quota 50 --device-quota 20 \
                       --quota-window 7 --recovery-delay 9";
        let line = ["testnet", "generate", "--dir", dir.to_str().expect("a plain path")].into_iter();
        let line = Line::try_parse_from(line.chain(options.split_whitespace())).expect("a sound command line");
        let Testnet::Generate(generate) = line.command.command;
        let made = make(&generate).expect("a network");

        let text = fs::read_to_string(dir.join("genesis.toml")).expect("the genesis");
        let genesis = Genesis::from_toml(&text).expect("it reads");
        let block = genesis.build().expect("it builds");
        let parameters = &block.parameters;
        assert_eq!((parameters.organization_quota, parameters.device_quota), (50, 20));
        assert_eq!((parameters.quota_window, parameters.recovery_delay), (7, 9));
        assert_eq!(block.validators.len(), 4);

        let nodes = made["nodes"].as_array().expect("a list");
        let followers: BTreeSet<PeerKey> = nodes[4..]
            .iter()
            .map(|node| PeerKey::from_peer_id(node["peer"].as_str().expect("a peer id")).expect("a peer id"))
            .collect();
        for (place, node) in nodes.iter().enumerate() {
            let role = ["validator", "candidate", "observer"][usize::from(place >= 4) + usize::from(place >= 6)];
            assert_eq!(node["role"], role);
            let path = dir.join(node["name"].as_str().expect("a name")).join("config.toml");
            let config = NodeConfig::read(&path).expect("it reads");
            assert_eq!(config.observers(&path).expect("peer ids"), followers);
            let consensus =
                config.keys.consensus.map(|path| keys::read(&path).expect("a key").verifying_key().to_bytes());
            assert_eq!(consensus.map(hex::encode).as_deref(), node["consensus"].as_str());
            assert_eq!(consensus.is_some(), role != "observer");
            let votes = consensus.is_some_and(|key| block.validators.index_of(&key).is_some());
            assert_eq!(votes, role == "validator", "{}", node["name"]);
            let peer = keys::read(&config.keys.peer).expect("a key").verifying_key().to_bytes();
            assert_eq!(hex::encode(peer), node["peer_key"].as_str().expect("a network key"));
        }
        for (founder, organization) in
            genesis.organizations.iter().zip(made["organizations"].as_array().expect("a list"))
        {
            let public = |what: &str| -> PublicKey {
                let path = organization[what].as_str().expect("a path");
                keys::public(&keys::read(path.as_ref()).expect("a key file"))
            };
            assert_eq!(founder.next, Some(KeySet::single(public("next")).commitment()));
            assert_eq!(founder.recovery.as_ref().expect("a recovery set").keys, [public("recovery")]);
            assert_eq!(founder.keys, [public("key")]);
        }
    }
}
