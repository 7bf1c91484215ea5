//! `cairn council validators`: who validates, relative to who does now.
//!
//! The set that is changed is the last that the council decided, also if it has not taken effect yet; a set that was read a
//! height too early would undo the change before.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use cairn_network::PeerKey;
use cairn_rpc::views::ValidatorView;
use cairn_types::governance::Measure;
use cairn_types::{OrganizationId, Power, Validator, ValidatorSet};
use clap::Args;
use serde_json::Value;

use super::super::connect::Connection;
use super::super::names::OrganizationName;
use super::super::output::{Report, counted};
use super::MeasureArgs;
use crate::config::NodeConfig;
use crate::keys;

/// A validator's weight if nobody says.
const POWER_DEFAULT: u64 = 1;

#[derive(Debug, Args)]
pub(super) struct Validators {
    /// Let a node validate: `KEY:PEER[:POWER[:ORG]]` or the NAME of a node in --testnet. KEY is its consensus key, 64
    /// hexadecimal digits; PEER its peer id or network key; repeat it for more.
    #[arg(long, value_name = "NODE", required_unless_present_any = ["remove", "replace"])]
    add: Vec<String>,
    /// Let a node no longer validate: its KEY or NAME; repeat it for more.
    #[arg(long, value_name = "NODE")]
    remove: Vec<String>,
    /// Let one node validate instead of another, with its power and for its organization, unless NEW or --testnet says
    /// otherwise; repeat it for more.
    #[arg(long, value_name = "OLD=NEW")]
    replace: Vec<String>,
    /// Whose the added validators are, where --add does not say.
    #[arg(long, value_name = "ORG")]
    organization: Option<OrganizationName>,
    /// The file that names the nodes of a local network.
    #[arg(long, value_name = "testnet.json")]
    testnet: Option<PathBuf>,
    #[command(flatten)]
    pub(super) measure: MeasureArgs,
}

/// A node as a validator: its keys, and what was said about its power and owner.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    key: [u8; 32],
    peer: [u8; 32],
    power: Option<u64>,
    organization: Option<OrganizationName>,
}

impl Validators {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let mut set = last_set(connection).await?;
        let testnet = self.testnet.as_deref().map(read_testnet).transpose()?;
        for text in &self.remove {
            let place = find(&set, &self.key_of(testnet.as_ref(), text)?, text)?;
            set.remove(place);
        }
        for text in &self.replace {
            let (old, new) = text.split_once('=').with_context(|| format!("--replace {text}: expected OLD=NEW"))?;
            let place = find(&set, &self.key_of(testnet.as_ref(), old)?, old)?;
            let old = set.remove(place);
            let new = self.named(testnet.as_ref(), new)?;
            let organization = match &new.organization {
                Some(name) => connection.organization_id(name).await?,
                None => old.organization,
            };
            set.push(validator(&new, new.power.unwrap_or(old.power.get()), organization));
        }
        for text in &self.add {
            let new = self.named(testnet.as_ref(), text)?;
            let owner = new.organization.as_ref().or(self.organization.as_ref());
            let owner = owner.with_context(|| format!("--add {text}: whose is it? say so with --organization ORG"))?;
            let organization = connection.organization_id(owner).await?;
            set.push(validator(&new, new.power.unwrap_or(POWER_DEFAULT), organization));
        }
        set.sort_unstable_by_key(|validator| validator.key);
        let set = ValidatorSet::new(set).context("the validators would make no set")?;
        let subjects = [
            ("validators", set.len().to_string()),
            ("power", set.total_power().get().to_string()),
            ("root", set.root().to_string()),
        ];
        let headline = format!("decided for {}, from two heights later on", counted(set.len(), "validator"));
        self.measure.decide(connection, Measure::ChangeValidators(set), &headline, &subjects).await
    }

    /// The consensus key that a person names.
    fn key_of(&self, testnet: Option<&Testnet>, text: &str) -> anyhow::Result<[u8; 32]> {
        match hex_key(text) {
            Some(key) => Ok(key),
            None => Ok(self.named(testnet, text)?.key),
        }
    }

    fn named(&self, testnet: Option<&Testnet>, text: &str) -> anyhow::Result<Named> {
        if text.contains(':') {
            return parse(text);
        }
        let testnet = testnet.with_context(|| {
            format!("{text:?} is not KEY:PEER[:POWER[:ORG]], and without --testnet FILE no node has a name")
        })?;
        testnet.node(text)
    }
}

fn validator(named: &Named, power: u64, organization: OrganizationId) -> Validator {
    Validator { key: named.key, peer: named.peer, power: Power::new(power), organization }
}

fn find(set: &[Validator], key: &[u8; 32], text: &str) -> anyhow::Result<usize> {
    set.iter().position(|validator| validator.key == *key).with_context(|| format!("{text} does not validate"))
}

/// The validators of the last decision, in effect or not.
async fn last_set(connection: &Connection) -> anyhow::Result<Vec<Validator>> {
    let answer = connection.client.chain_get_validators(None).await?.value;
    let set = answer.scheduled.map_or(answer.validators, |scheduled| scheduled.validators);
    let key = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).ok().context("the node shows a key of another length");
    let validator = |view: ValidatorView| {
        Ok(Validator {
            key: key(view.key.0)?,
            peer: key(view.peer.0)?,
            power: Power::new(view.power.0),
            organization: view.organization.0,
        })
    };
    set.validators.into_iter().map(validator).collect()
}

fn hex_key(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

/// `KEY:PEER[:POWER[:ORG]]`
fn parse(text: &str) -> anyhow::Result<Named> {
    let mut parts = text.splitn(4, ':');
    let key = parts.next().and_then(hex_key);
    let key = key.with_context(|| format!("{text}: a consensus key is 64 hexadecimal digits"))?;
    let peer = parts.next().unwrap_or_default();
    let peer = match hex_key(peer) {
        Some(key) => key,
        None => *PeerKey::from_peer_id(peer).with_context(|| text.to_owned())?.as_bytes(),
    };
    let power = parts.next().map(|power| power.parse().with_context(|| format!("{text}: {power:?} is no power")));
    let organization = parts.next().map(str::parse).transpose()?;
    Ok(Named { key, peer, power: power.transpose()?, organization })
}

/// The nodes of a local network, by name.
struct Testnet {
    path: PathBuf,
    content: Value,
}

fn read_testnet(path: &Path) -> anyhow::Result<Testnet> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let content = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(Testnet { path: path.to_owned(), content })
}

impl Testnet {
    /// The keys of a node: by its description, or by the key files that its configuration names.
    fn node(&self, name: &str) -> anyhow::Result<Named> {
        let nodes = self.content["nodes"].as_array();
        let node = nodes.into_iter().flatten().find(|node| node["name"] == name);
        let node = node.with_context(|| format!("{} names no node {name:?}", self.path.display()))?;
        let peer = node["peer"].as_str().with_context(|| format!("{name} has no peer id"))?;
        let peer = *PeerKey::from_peer_id(peer).with_context(|| name.to_owned())?.as_bytes();
        let key = match node["consensus"].as_str() {
            Some(text) => hex_key(text).with_context(|| format!("{name}: {text} is no consensus key"))?,
            None => consensus_key(Path::new(node["config"].as_str().unwrap_or_default()))?,
        };
        let organization = node["organization"].as_str().map(str::parse).transpose()?;
        Ok(Named { key, peer, power: None, organization })
    }
}

/// The public half of the consensus key that a configuration names, or that lies beside it.
fn consensus_key(config: &Path) -> anyhow::Result<[u8; 32]> {
    let read = NodeConfig::read(config)?;
    let beside = || config.parent().map(|directory| directory.join("consensus.pem"));
    let Some(path) = read.keys.consensus.or_else(beside) else {
        bail!("{} names no consensus key", config.display());
    };
    ensure!(path.exists(), "{} does not exist: make it with cairn key generate", path.display());
    Ok(keys::read(&path)?.verifying_key().to_bytes())
}

#[cfg(test)]
mod tests {
    use cairn_network::PeerKey;

    use super::{Testnet, parse};
    use crate::keys;

    #[test]
    fn a_node_is_named_by_its_keys() {
        let (key, peer) = (keys::generate().verifying_key().to_bytes(), keys::generate().verifying_key().to_bytes());
        let id = PeerKey::from_bytes(peer).peer_id();
        let short = parse(&format!("{}:{id}", hex::encode(key))).expect("a node");
        assert_eq!((short.key, short.peer, short.power, &short.organization), (key, peer, None, &None));
        let long = parse(&format!("{}:{}:7:water-works", hex::encode(key), hex::encode(peer))).expect("a node");
        assert_eq!((long.peer, long.power), (peer, Some(7)));
        assert!(long.organization.is_some());
        let hex = hex::encode(key);
        for wrong in
            ["", ":", &format!("{hex}:"), &format!("ab:{id}"), &format!("{hex}:{id}:much"), &format!("{hex}:{id}:1:X")]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_node_of_a_local_network_is_named_by_its_name() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let consensus = keys::generate();
        keys::write(&directory.path().join("consensus.pem"), &consensus).expect("writes");
        let peer = keys::generate().verifying_key().to_bytes();
        let config = directory.path().join("config.toml");
        let text = "genesis = \"g\"\n[keys]\npeer = \"peer.pem\"\n[network]\nlisten = []\n";
        std::fs::write(&config, text).expect("writes");
        let key = hex::encode(consensus.verifying_key().to_bytes());
        let node = |name: &str, more: serde_json::Value| {
            let mut node = serde_json::json!({ "name": name, "peer": PeerKey::from_bytes(peer).peer_id() });
            node.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            node
        };
        let nodes =
            [node("a", serde_json::json!({ "consensus": key })), node("b", serde_json::json!({ "config": config }))];
        let testnet = Testnet { path: "testnet.json".into(), content: serde_json::json!({ "nodes": nodes }) };
        let (a, b) = (testnet.node("a").expect("a node"), testnet.node("b").expect("a node"));
        assert_eq!(a, b);
        assert_eq!((a.key, a.peer), (consensus.verifying_key().to_bytes(), peer));
        assert!(testnet.node("c").is_err_and(|error| error.to_string().contains("names no node")));
    }
}
