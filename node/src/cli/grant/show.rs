//! What shows authority: a grant, a list of them, and whether somebody holds it.

use cairn_proofs::lookup::Question;
use cairn_rpc::views::{GrantView, GranteeView, ScopeView, Text};
use cairn_types::{Action, DeviceId, GrantId, Height, Position, Principal, Scope};

use super::super::connect::{Connection, OrganizationNames};
use super::super::list::{ListArgs, collect, footer};
use super::super::lookup::Prover;
use super::super::names::ScopeName;
use super::super::output::{Report, Rows, Usage, table};
use super::Check;

fn grantee(names: &OrganizationNames, view: &GranteeView) -> String {
    match view {
        GranteeView::Organization(id) => format!("org:{}", names.of(&id.0)),
        GranteeView::Device(id) => format!("device:{id}"),
        GranteeView::Zone(zone) => format!("zone:{}", names.zone(&zone.clone().into())),
    }
}

fn scope(names: &OrganizationNames, view: &ScopeView) -> String {
    names.scope(&Scope::from(view.clone()))
}

fn actions(view: &GrantView) -> String {
    view.actions.iter().map(|name| Action::from(*name).name()).collect::<Vec<_>>().join(",")
}

fn window(view: &GrantView) -> String {
    match view.window.to {
        Some(to) => format!("heights {} to {to}", view.window.from),
        None if view.window.from.0 == Height::GENESIS => "always".to_owned(),
        None => format!("from height {}", view.window.from),
    }
}

fn standing(view: &GrantView) -> String {
    match view.to {
        Some(to) => format!("revoked at {}", Position::from(to)),
        None => "stands".to_owned(),
    }
}

/// A grant in lines.
pub(in crate::cli) fn rows(names: &OrganizationNames, view: &GrantView) -> Rows {
    Rows::new()
        .row("grant", view.id)
        .row("from", names.principal(&Principal::from(view.grantor)))
        .row("to", grantee(names, &view.grantee))
        .row("actions", actions(view))
        .row("over", scope(names, &view.scope))
        .row("window", window(view))
        .row("depth", view.depth)
        .maybe("passes on", view.parent)
        .row("given at", Position::from(view.from))
        .row("state", standing(view))
        .maybe("in doubt since", view.suspect_since.map(Position::from))
}

/// Grants, a line each.
pub(in crate::cli) fn lines(names: &OrganizationNames, views: &[GrantView]) -> String {
    let line = |view: &GrantView| {
        let (to, over) = (grantee(names, &view.grantee), scope(names, &view.scope));
        vec![view.id.to_string(), standing(view), actions(view), over, to]
    };
    table(&["GRANT", "STATE", "ACTIONS", "OVER", "TO"], &views.iter().map(line).collect::<Vec<_>>())
}

pub(super) async fn get(connection: &Connection, id: GrantId, at: Option<Height>) -> anyhow::Result<Report> {
    let answer = connection.client.grant_get(Text(id), at.map(Text)).await?;
    let names = connection.organization_names().await?;
    Report::new(&answer, rows(&names, &answer.value))
}

/// What is asked of a proof: only lists that belong to something are complete.
pub(super) async fn question(
    connection: &Connection,
    over: Option<ScopeName>,
    device: Option<DeviceId>,
    at: Option<Height>,
) -> anyhow::Result<Question> {
    match (over, device) {
        (_, Some(device)) => Ok(Question::DeviceGrants(device)),
        (Some(over), None) => Ok(Question::Grants(Prover::new(connection)?.scope(&over, at).await?)),
        (None, None) => Err(Usage("grants are proven over something: --device ID or --over SCOPE".to_owned()).into()),
    }
}

pub(super) async fn list(
    connection: &Connection,
    over: Option<ScopeName>,
    device: Option<DeviceId>,
    list: ListArgs,
) -> anyhow::Result<Report> {
    let over = match &over {
        Some(name) => Some(ScopeView::from(connection.scope(name).await?)),
        None => None,
    };
    let client = &connection.client;
    let page = collect::<_, GrantId>(list, async |after, limit, at| {
        client.grant_list(over.clone(), after, limit, at, device.map(Text)).await
    });
    let page = page.await?;
    let names = connection.organization_names().await?;
    let table = lines(&names, &page.items);
    Report::new(&page, format!("{table}{}", footer(&page, "grant")))
}

pub(super) async fn check(connection: &Connection, args: &Check) -> anyhow::Result<Report> {
    let principal = connection.principal(&args.principal).await?;
    let target = connection.scope(&args.target).await?;
    let answer = connection.client.grant_check(
        principal.into(),
        args.action.into(),
        target.clone().into(),
        args.grant.map(Text),
        args.at.map(Text),
    );
    let answer = answer.await?;
    let names = connection.organization_names().await?;
    let view = &answer.value;
    let who = names.principal(&principal);
    let what = format!("{} on {}", args.action, names.scope(&target));
    let mut text =
        if view.held { format!("held: {who} may {what}\n") } else { format!("not held: {who} may not {what}\n") };
    if view.owner {
        text.push_str("  as its owner\n");
    }
    for grant in &view.path {
        let from = names.principal(&Principal::from(grant.grantor));
        text.push_str(&format!("  by grant {} from {from} over {}\n", grant.id, scope(&names, &grant.scope)));
    }
    for failure in &view.failures {
        text.push_str(&format!("  {}: {}\n", failure.rule, failure.reason));
    }
    Ok(Report::new(&answer, text)?.holding(view.held))
}
