//! What shows a device: as it stands, in a list, through its history.

use cairn_rpc::views::{DeviceFact, DeviceFactView, DeviceView, HistoryCursor, StatusName, Text, ZoneView};
use cairn_types::{DeviceId, Height, Position, Principal};

use super::super::connect::Connection;
use super::super::list::{ListArgs, collect, footer};
use super::super::names::ZoneName;
use super::super::output::{Report, Rows, table};

const fn status(name: StatusName) -> &'static str {
    match name {
        StatusName::Active => "active",
        StatusName::Suspended => "suspended",
        StatusName::Revoked => "revoked",
        StatusName::Decommissioned => "decommissioned",
    }
}

pub(super) async fn get(connection: &Connection, id: DeviceId, at: Option<Height>) -> anyhow::Result<Report> {
    let answer = connection.client.device_get(Text(id), at.map(Text)).await?;
    let names = connection.organization_names().await?;
    let DeviceView { model, registered, registered_by, key, owner, status_since, suspect_since, zone, .. } =
        &answer.value;
    let standing = status(answer.value.status);
    let rows = Rows::new()
        .row("device", id)
        .maybe("model", Some(model).filter(|model| !model.is_empty()))
        .row("owner", names.of(&owner.0))
        .row("zone", names.zone(&zone.clone().into()))
        .row("status", format!("{standing}, since {}", Position::from(*status_since)))
        .maybe("in doubt since", suspect_since.map(Position::from))
        .row("key", format!("{}, since {}", key.value.key, Position::from(key.from)))
        .row("next key", format!("committed to as {}", key.value.next))
        .row("registered", {
            let by = names.principal(&Principal::from(*registered_by));
            format!("{} by {by}", Position::from(*registered))
        });
    Report::new(&answer, rows)
}

pub(super) async fn list(connection: &Connection, zone: Option<ZoneName>, list: ListArgs) -> anyhow::Result<Report> {
    let zone = match &zone {
        Some(name) => Some(ZoneView::from(connection.zone(name).await?)),
        None => None,
    };
    let client = &connection.client;
    let page =
        collect::<_, DeviceId>(list, async |after, limit, at| client.device_list(zone.clone(), after, limit, at).await);
    let page = page.await?;
    let names = connection.organization_names().await?;
    let line = |view: &DeviceView| {
        let zone = names.zone(&view.zone.clone().into());
        vec![view.id.to_string(), status(view.status).to_owned(), zone, view.model.clone()]
    };
    let lines: Vec<Vec<String>> = page.items.iter().map(line).collect();
    let table = table(&["DEVICE", "STATUS", "ZONE", "MODEL"], &lines);
    Report::new(&page, format!("{table}{}", footer(&page, "device")))
}

pub(super) async fn history(connection: &Connection, id: DeviceId, list: ListArgs) -> anyhow::Result<Report> {
    let client = &connection.client;
    let page = collect::<_, HistoryCursor>(list, async |after, limit, at| {
        client.device_get_history(Text(id), after, limit, at).await
    });
    let page = page.await?;
    let names = connection.organization_names().await?;
    let line = |fact: &DeviceFactView| {
        let (kind, value) = match &fact.value {
            DeviceFact::Key(view) => ("key", view.key.to_string()),
            DeviceFact::Owner(owner) => ("owner", names.of(&owner.0)),
            DeviceFact::Status(name) => ("status", status(*name).to_owned()),
            DeviceFact::Zone(zone) => ("zone", names.zone(&zone.clone().into())),
            DeviceFact::Recovery(recovery) => ("recovery", format!("{} at {}", recovery.key, recovery.effective)),
            DeviceFact::Offer(to) => ("offer", names.of(&to.0)),
        };
        let to = fact.to.map_or_else(String::new, |to| Position::from(to).to_string());
        let suspect = fact.suspect_since.map_or_else(String::new, |since| Position::from(since).to_string());
        vec![kind.to_owned(), Position::from(fact.from).to_string(), to, suspect, value]
    };
    let lines: Vec<Vec<String>> = page.items.iter().map(line).collect();
    let table = table(&["FACT", "FROM", "TO", "IN DOUBT", "VALUE"], &lines);
    Report::new(&page, format!("{table}{}", footer(&page, "fact")))
}
