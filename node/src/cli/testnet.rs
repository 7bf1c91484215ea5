//! `cairn testnet`: the files of a network on this machine. `scripts/testnet` starts and stops it.
//!
//! ```text
//! DIR/genesis.toml              what all nodes share
//! DIR/testnet.json              the nodes and organizations, for scripts
//! DIR/organizations/NAME.pem    the founding organizations' keys
//! DIR/node-0/                   config.toml, consensus.pem, peer.pem, and data/ once it runs
//! DIR/observer-0/               the same without consensus.pem
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use cairn_genesis::{FoundingOrganization, FoundingValidator, Genesis};
use cairn_network::PeerKey;
use cairn_types::{Name, Role, Roles, state_key};
use clap::{Args, Subcommand};
use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::clock::now_ms;
use crate::config::{DEFAULT_ENGINE, KeysConfig, NetworkSection, NodeConfig, RpcSection, StorageSection};
use crate::keys;

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

/// A node while its files are made.
struct Planned {
    name: String,
    peer: SigningKey,
    consensus: Option<SigningKey>,
    rpc: SocketAddr,
    network: String,
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
        println!("made a network of {} nodes in {}", generate.validators + generate.observers, generate.dir.display());
        println!("chain {}", made["chain"].as_str().unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

fn make(generate: &Generate) -> anyhow::Result<serde_json::Value> {
    let dir = &generate.dir;
    let genesis_path = dir.join("genesis.toml");
    ensure!(!genesis_path.exists(), "{} exists: {} holds a network already", genesis_path.display(), dir.display());
    let count = generate.validators.saturating_add(generate.observers);
    ensure!(count <= NODES_MAX, "{count} nodes, but a local network has at most {NODES_MAX}");
    let last = generate.base_port.checked_add(NETWORK_PORT_OFFSET).and_then(|port| port.checked_add(count));
    ensure!(last.is_some(), "--base-port {} leaves no room for {count} nodes", generate.base_port);

    let (organizations, organization_keys) = organizations(&generate.organizations)?;
    let nodes = plan(generate);
    let mut genesis = Genesis {
        name: generate.name.clone(),
        time_ms: now_ms(),
        parameters: cairn_genesis::defaults(),
        validators: validators(&nodes, &organizations),
        organizations,
    };
    if let Some(heartbeat_ms) = generate.heartbeat_ms {
        genesis.parameters.heartbeat_ms = heartbeat_ms;
    }
    if let Some(step_timeout_ms) = generate.step_timeout_ms {
        genesis.parameters.propose_timeout_ms = step_timeout_ms;
        genesis.parameters.prevote_timeout_ms = step_timeout_ms;
        genesis.parameters.precommit_timeout_ms = step_timeout_ms;
    }
    let block = genesis.build().context("the genesis")?;
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    fs::write(&genesis_path, genesis.to_toml()?).with_context(|| genesis_path.display().to_string())?;
    let mut described = Vec::new();
    for (organization, key) in genesis.organizations.iter().zip(&organization_keys) {
        let path = dir.join("organizations").join(format!("{}.pem", organization.name));
        keys::write(&path, key)?;
        let id = block.state.get(&state_key::organization_name(&organization.name)).unwrap_or_default();
        let roles: Vec<&str> = organization.roles.iter().map(Role::name).collect();
        described.push(json!({
            "name": organization.name.as_str(),
            "id": hex::encode(id),
            "roles": roles,
            "key": path,
        }));
    }
    for node in &nodes {
        write_node(&dir.join(&node.name), node, &nodes, &generate.engine)?;
    }
    let node_json = |node: &Planned| {
        json!({
            "name": node.name,
            "role": if node.consensus.is_some() { "validator" } else { "observer" },
            "rpc": format!("http://{}", node.rpc),
            "peer": node.peer_id(),
            "network": node.network,
            "config": dir.join(&node.name).join("config.toml"),
        })
    };
    let made = json!({
        "chain": block.chain.to_string(),
        "genesis": genesis_path,
        "organizations": described,
        "nodes": nodes.iter().map(node_json).collect::<Vec<_>>(),
    });
    let path = dir.join("testnet.json");
    fs::write(&path, format!("{made:#}\n")).with_context(|| path.display().to_string())?;
    Ok(made)
}

fn organizations(specs: &[String]) -> anyhow::Result<(Vec<FoundingOrganization>, Vec<SigningKey>)> {
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
        let key = keys::generate();
        organizations.push(FoundingOrganization {
            name,
            title,
            roles,
            keys: vec![keys::public(&key)],
            threshold: 1,
            next: None,
            recovery: None,
        });
        keys.push(key);
    }
    Ok((organizations, keys))
}

fn plan(generate: &Generate) -> Vec<Planned> {
    let node = |position: u16, name: String, votes: bool| Planned {
        name,
        peer: keys::generate(),
        consensus: votes.then(keys::generate),
        rpc: SocketAddr::from((Ipv4Addr::LOCALHOST, generate.base_port + position)),
        network: format!("/ip4/127.0.0.1/tcp/{}", generate.base_port + NETWORK_PORT_OFFSET + position),
    };
    let validators = (0..generate.validators).map(|i| node(i, format!("node-{i}"), true));
    let observers = (0..generate.observers).map(|i| node(generate.validators + i, format!("observer-{i}"), false));
    validators.chain(observers).collect()
}

/// The organizations run the validators in turn.
fn validators(nodes: &[Planned], organizations: &[FoundingOrganization]) -> Vec<FoundingValidator> {
    let owners = organizations.iter().cycle();
    let voting = nodes.iter().filter_map(|node| Some((node, node.consensus.as_ref()?)));
    voting
        .zip(owners)
        .map(|((node, key), owner)| FoundingValidator {
            key: key.verifying_key().to_bytes(),
            peer: node.peer.verifying_key().to_bytes(),
            power: 1,
            organization: owner.name.clone(),
        })
        .collect()
}

fn write_node(dir: &Path, node: &Planned, nodes: &[Planned], engine: &str) -> anyhow::Result<()> {
    keys::write(&dir.join("peer.pem"), &node.peer)?;
    if let Some(key) = &node.consensus {
        keys::write(&dir.join("consensus.pem"), key)?;
    }
    let is_observer = |other: &&Planned| other.consensus.is_none();
    let config = NodeConfig {
        genesis: PathBuf::from("../genesis.toml"),
        data: PathBuf::from("data"),
        keys: KeysConfig {
            peer: PathBuf::from("peer.pem"),
            consensus: node.consensus.as_ref().map(|_| PathBuf::from("consensus.pem")),
        },
        network: NetworkSection {
            listen: vec![node.network.clone()],
            peers: nodes.iter().map(|other| format!("{}/p2p/{}", other.network, other.peer_id())).collect(),
            observers: nodes.iter().filter(is_observer).map(Planned::peer_id).collect(),
            mdns: false,
            quic: false,
        },
        rpc: RpcSection { listen: node.rpc, ..RpcSection::default() },
        storage: StorageSection { engine: engine.to_owned() },
    };
    let path = dir.join("config.toml");
    config.engine(&path)?;
    fs::write(&path, toml::to_string(&config)?).with_context(|| path.display().to_string())
}
