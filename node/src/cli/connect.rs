//! The node that a command asks, and what the node knows by name.
//!
//! A command connects once. Whatever was named by a person becomes an id here; a command that wants a certain network says
//! so with `--genesis`, and then no other network answers it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use cairn_rpc::views::{At, OrganizationSelector, StatusView, Text};
use cairn_rpc::{Client, ClientError};
use cairn_types::{ChainId, DeviceId, Grantee, Name, OrganizationId, Parameters, Principal, Scope, Zone};
use clap::Args;

use super::list::{ListArgs, collect};
use super::names::{GranteeName, OrganizationName, PrincipalName, ScopeName, ZoneName};
use super::output::{NodeError, Report, Usage, conclude};
use super::verify::chain_of;

/// The node that is asked if nobody says otherwise: the first of a local network.
const RPC_DEFAULT: &str = "http://127.0.0.1:7700";

/// Which node to ask, and how to answer.
#[derive(Clone, Debug, Args)]
pub(super) struct NodeArgs {
    /// The node's JSON-RPC [env: CAIRN_RPC] [default: http://127.0.0.1:7700]
    #[arg(long, value_name = "URL", help_heading = "Node")]
    rpc: Option<String>,
    /// The network: the hash of its block 0. A node of another is not spoken to [env: CAIRN_GENESIS]
    #[arg(long, value_name = "HASH", help_heading = "Node")]
    genesis: Option<ChainId>,
    /// The network, by its genesis file.
    #[arg(long, value_name = "FILE", help_heading = "Node", conflicts_with = "genesis")]
    genesis_file: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl NodeArgs {
    fn url(&self) -> String {
        let given = self.rpc.clone().or_else(|| std::env::var("CAIRN_RPC").ok().filter(|url| !url.is_empty()));
        given.unwrap_or_else(|| RPC_DEFAULT.to_owned())
    }

    /// Whether standard output is to hold one JSON object.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    fn expected(&self) -> anyhow::Result<Option<ChainId>> {
        if let Some(path) = &self.genesis_file {
            return Ok(Some(chain_of(path)?));
        }
        match (self.genesis, std::env::var("CAIRN_GENESIS")) {
            (Some(chain), _) => Ok(Some(chain)),
            (None, Ok(text)) if !text.is_empty() => Ok(Some(text.parse().context("CAIRN_GENESIS")?)),
            (None, _) => Ok(None),
        }
    }

    /// Connects, does the work, and prints how it ended.
    pub(super) fn run(
        &self,
        work: impl AsyncFnOnce(&Connection) -> anyhow::Result<Report>,
    ) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            let connection = Connection::open(self)?;
            connection.check_network().await?;
            work(&connection).await
        });
        let outcome = outcome.map_err(|error| unreachable_named(error, &self.url()));
        conclude(outcome, self.json)
    }
}

/// An error that says that there is no node, with the URL and what to do about it.
fn unreachable_named(error: anyhow::Error, url: &str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ClientError::Transport { reason }) => {
            NodeError::Unreachable { url: url.to_owned(), reason: reason.clone() }.into()
        }
        _ => error,
    }
}

/// A client, and what is known of its node.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    url: String,
    expected: Option<ChainId>,
}

impl Connection {
    fn open(node: &NodeArgs) -> anyhow::Result<Self> {
        let url = node.url();
        Ok(Self { client: Client::http(&url)?, url, expected: node.expected()? })
    }

    async fn check_network(&self) -> anyhow::Result<()> {
        if self.expected.is_some() {
            self.status().await?;
        }
        Ok(())
    }

    /// The network that the person means, for a proof: what the node says of itself proves nothing.
    pub(super) fn meant(&self) -> Result<ChainId, Usage> {
        self.expected.ok_or_else(|| {
            Usage("a proof needs the network that you mean: --genesis HASH or --genesis-file FILE".to_owned())
        })
    }

    /// Where chain and node stand. A node of another network than the expected one is refused.
    pub(super) async fn status(&self) -> anyhow::Result<At<StatusView>> {
        let status = self.client.chain_get_status().await?;
        match self.expected {
            Some(expected) if expected != status.value.chain.0 => Err(NodeError::OtherNetwork {
                url: self.url.clone(),
                found: status.value.chain.to_string(),
                expected: expected.to_string(),
            }
            .into()),
            _ => Ok(status),
        }
    }

    /// The parameters that the next block must keep.
    pub(super) async fn parameters(&self) -> anyhow::Result<Parameters> {
        Ok(self.client.chain_get_parameters(None).await?.value.parameters.into())
    }

    /// The id of an organization; asks only if it is named by name.
    pub(super) async fn organization_id(&self, name: &OrganizationName) -> anyhow::Result<OrganizationId> {
        match &name.0 {
            OrganizationSelector::Id(id) => Ok(*id),
            OrganizationSelector::Name(_) => {
                Ok(self.client.organization_get(Text(name.0.clone()), None).await?.value.id.0)
            }
        }
    }

    /// A zone by ids.
    pub(super) async fn zone(&self, name: &ZoneName) -> anyhow::Result<Zone> {
        Ok(Zone { organization: self.organization_id(&name.organization).await?, path: name.path.clone() })
    }

    /// A principal. A bare id is looked up as a device, then as an organization.
    pub(super) async fn principal(&self, name: &PrincipalName) -> anyhow::Result<Principal> {
        let id = match name {
            PrincipalName::Organization(name) => return Ok(Principal::Organization(self.organization_id(name).await?)),
            PrincipalName::Device(id) => return Ok(Principal::Device(*id)),
            PrincipalName::Id(id) => *id,
        };
        let device = DeviceId::from_hash(id);
        match self.client.device_get(Text(device), None).await {
            Ok(_) => return Ok(Principal::Device(device)),
            Err(error) if error.name() == Some("DeviceUnknown") => {}
            Err(error) => return Err(error.into()),
        }
        let organization = OrganizationId::from_hash(id);
        match self.client.organization_get(Text::from(organization), None).await {
            Ok(_) => Ok(Principal::Organization(organization)),
            Err(error) if error.name() == Some("OrganizationUnknown") => {
                bail!("{id} is neither a device nor an organization")
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Who receives a grant, by ids.
    pub(super) async fn grantee(&self, name: &GranteeName) -> anyhow::Result<Grantee> {
        Ok(match name {
            GranteeName::Organization(name) => Grantee::Organization(self.organization_id(name).await?),
            GranteeName::Device(id) => Grantee::Device(*id),
            GranteeName::Zone(name) => Grantee::Zone(self.zone(name).await?),
        })
    }

    /// A scope by ids.
    pub(super) async fn scope(&self, name: &ScopeName) -> anyhow::Result<Scope> {
        Ok(match name {
            ScopeName::Zone(name) => Scope::Zone(self.zone(name).await?),
            ScopeName::Device(id) => Scope::Device(*id),
            ScopeName::Stream(id) => Scope::Stream(*id),
        })
    }

    /// What organizations are called.
    pub(super) async fn organization_names(&self) -> anyhow::Result<OrganizationNames> {
        let client = &self.client;
        let all = collect::<_, Name>(ListArgs::default(), async |after, limit, at| {
            client.organization_list(after, limit, at).await
        });
        Ok(all.await?.items.into_iter().map(|view| (view.id.0, view.name.0)).collect())
    }
}

/// Organizations by id, to show names to people.
#[derive(Debug, Default)]
pub(super) struct OrganizationNames(BTreeMap<OrganizationId, Name>);

impl FromIterator<(OrganizationId, Name)> for OrganizationNames {
    fn from_iter<I: IntoIterator<Item = (OrganizationId, Name)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

impl OrganizationNames {
    /// The id of the organization of this name.
    pub(super) fn id_of(&self, name: &Name) -> Option<OrganizationId> {
        self.0.iter().find(|(_, known)| *known == name).map(|(id, _)| *id)
    }

    /// The organization's name; its id if it has none here.
    pub(super) fn of(&self, id: &OrganizationId) -> String {
        self.0.get(id).map_or_else(|| id.to_string(), ToString::to_string)
    }

    /// The zone as a person writes it.
    pub(super) fn zone(&self, zone: &Zone) -> String {
        let organization = self.of(&zone.organization);
        if zone.path.as_str().is_empty() { organization } else { format!("{organization}/{}", zone.path) }
    }

    /// The principal as a person writes it.
    pub(super) fn principal(&self, principal: &Principal) -> String {
        match principal {
            Principal::Organization(id) => format!("org:{}", self.of(id)),
            Principal::Device(id) => format!("device:{id}"),
        }
    }

    /// The scope as a person writes it.
    pub(super) fn scope(&self, scope: &Scope) -> String {
        match scope {
            Scope::Zone(zone) => format!("zone:{}", self.zone(zone)),
            Scope::Device(id) => format!("device:{id}"),
            Scope::Stream(id) => format!("stream:{id}"),
        }
    }
}
