//! Who the council is.

use cairn_rpc::views::RoleName;
use cairn_types::{Name, OrganizationId};

use super::super::connect::Connection;
use super::super::list::{ListArgs, collect};

/// One of the council.
pub(super) struct Member {
    pub(super) id: OrganizationId,
    pub(super) name: Name,
    /// How many of its keys must sign.
    pub(super) threshold: usize,
}

/// All of the council.
pub(super) async fn of(connection: &Connection) -> anyhow::Result<Vec<Member>> {
    let client = &connection.client;
    let all = collect::<_, Name>(ListArgs::default(), async |after, limit, at| {
        client.organization_list(after, limit, at).await
    });
    let council = all.await?.items.into_iter().filter(|view| view.roles.contains(&RoleName::Council));
    let member =
        |view: cairn_rpc::views::OrganizationView| Member { id: view.id.0, name: view.name.0, threshold: view.keys.threshold.into() };
    Ok(council.map(member).collect())
}
