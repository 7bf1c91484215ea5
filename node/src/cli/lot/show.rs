//! What shows lots: one, a list of them, and what was claimed of one.

use cairn_rpc::views::{LotBasisView, LotClaimView, LotView, OrganizationSelector, Text};
use cairn_types::{Hash, Height, LotId, Position};

use super::super::connect::{Connection, OrganizationNames};
use super::super::list::{ListArgs, collect, footer};
use super::super::names::OrganizationName;
use super::super::output::{Report, Rows, counted, table};
use super::super::verify::paint::harmless;

fn basis(view: &LotBasisView) -> String {
    match view {
        LotBasisView::Merkle { count, .. } => counted(*count, "device"),
        LotBasisView::Issuer { key } => format!("certificates by {key}"),
    }
}

fn standing(view: &LotView) -> String {
    view.to.map_or_else(|| "trusted".to_owned(), |to| format!("distrusted at {}", Position::from(to)))
}

/// A lot in lines.
pub(in crate::cli) fn rows(names: &OrganizationNames, view: &LotView) -> Rows {
    let rows = Rows::new()
        .row("lot", view.id)
        .row("label", harmless(&view.label))
        .row("manufacturer", names.of(&view.manufacturer.0))
        .row("devices", basis(&view.basis));
    let root = match view.basis {
        LotBasisView::Merkle { root, .. } => Some(root),
        LotBasisView::Issuer { .. } => None,
    };
    rows.maybe("root", root)
        .row("endorsed at", Position::from(view.from))
        .row("state", standing(view))
        .maybe("in doubt since", view.suspect_since.map(Position::from))
}

/// Lots, a line each.
pub(in crate::cli) fn lines(names: &OrganizationNames, views: &[LotView]) -> String {
    let line = |view: &LotView| {
        let manufacturer = names.of(&view.manufacturer.0);
        vec![view.id.to_string(), standing(view), basis(&view.basis), manufacturer, harmless(&view.label)]
    };
    let titles = ["LOT", "STATE", "DEVICES", "MANUFACTURER", "LABEL"];
    table(&titles, &views.iter().map(line).collect::<Vec<_>>())
}

pub(super) async fn get(connection: &Connection, lot: LotId, at: Option<Height>) -> anyhow::Result<Report> {
    let answer = connection.client.lot_get(Text(lot), at.map(Text)).await?;
    let names = connection.organization_names().await?;
    Report::new(&answer, rows(&names, &answer.value.lot).row("claimed", answer.value.claimed))
}

pub(super) async fn list(
    connection: &Connection,
    manufacturer: Option<OrganizationName>,
    list: ListArgs,
) -> anyhow::Result<Report> {
    let manufacturer: Option<Text<OrganizationSelector>> = manufacturer.map(|name| Text(name.0));
    let client = &connection.client;
    let page = collect::<_, LotId>(list, async |after, limit, at| {
        client.lot_list(manufacturer.clone(), after, limit, at).await
    });
    let page = page.await?;
    let names = connection.organization_names().await?;
    let table = lines(&names, &page.items);
    Report::new(&page, format!("{table}{}", footer(&page, "lot")))
}

pub(super) async fn claims(connection: &Connection, lot: LotId, list: ListArgs) -> anyhow::Result<Report> {
    let client = &connection.client;
    let page =
        collect::<_, Hash>(list, async |after, limit, at| client.lot_get_claims(Text(lot), after, limit, at).await);
    let page = page.await?;
    let line = |view: &LotClaimView| {
        let registered = Position::from(view.registered).to_string();
        vec![harmless(&view.serial), registered, view.device.to_string(), view.claim.to_string()]
    };
    let lines: Vec<Vec<String>> = page.items.iter().map(line).collect();
    let table = table(&["SERIAL", "REGISTERED", "DEVICE", "CLAIM"], &lines);
    Report::new(&page, format!("{table}{}", footer(&page, "claim")))
}
