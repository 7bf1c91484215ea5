//! What shows a device: as it stands, in a list, through its history.

use cairn_rpc::views::{
    DeviceFact, DeviceFactView, DeviceView, EndorsementView, HistoryCursor, StatusName, Text, ZoneView,
};
use cairn_types::{DeviceId, Height, Position, Principal};

use super::super::connect::{Connection, OrganizationNames};
use super::super::list::{ListArgs, collect, footer};
use super::super::names::ZoneName;
use super::super::output::{Report, Rows, table};
use super::super::verify::paint::harmless;

const fn status(name: StatusName) -> &'static str {
    match name {
        StatusName::Active => "active",
        StatusName::Suspended => "suspended",
        StatusName::Revoked => "revoked",
        StatusName::Decommissioned => "decommissioned",
    }
}

fn line(names: &OrganizationNames, fact: &DeviceFactView) -> Vec<String> {
    let (kind, value) = match &fact.value {
        DeviceFact::Key(view) => ("key", view.key.to_string()),
        DeviceFact::Owner(owner) => ("owner", names.of(&owner.0)),
        DeviceFact::Status(name) => ("status", status(*name).to_owned()),
        DeviceFact::Zone(zone) => ("zone", names.zone(&zone.clone().into())),
        DeviceFact::Recovery(recovery) => {
            ("recovery", format!("{} from height {} on", recovery.key, recovery.effective))
        }
        DeviceFact::Offer(to) => ("offer", names.of(&to.0)),
    };
    let to = fact.to.map_or_else(String::new, |to| Position::from(to).to_string());
    let suspect = fact.suspect_since.map_or_else(String::new, |since| Position::from(since).to_string());
    vec![kind.to_owned(), Position::from(fact.from).to_string(), to, suspect, value]
}

/// Facts about a device, a line each.
pub(in crate::cli) fn lines(names: &OrganizationNames, facts: &[DeviceFactView]) -> String {
    let lines: Vec<Vec<String>> = facts.iter().map(|fact| line(names, fact)).collect();
    table(&["FACT", "FROM", "TO", "IN DOUBT", "VALUE"], &lines)
}

fn endorsement(names: &OrganizationNames, view: &EndorsementView) -> String {
    let word = format!("{} by {}, lot {}", harmless(&view.serial), names.of(&view.manufacturer.0), view.lot);
    let ended = view.distrusted.map(|at| format!(", which is trusted no more since {}", Position::from(at)));
    let doubt = view.suspect_since.map(|since| format!(", in doubt since {}", Position::from(since)));
    format!("{word}{}{}", ended.unwrap_or_default(), doubt.unwrap_or_default())
}

pub(super) async fn get(connection: &Connection, id: DeviceId, at: Option<Height>) -> anyhow::Result<Report> {
    let answer = connection.client.device_get(Text(id), at.map(Text)).await?;
    let names = connection.organization_names().await?;
    let view = &answer.value;
    let DeviceView { model, registered, registered_by, key, owner, status_since, suspect_since, zone, .. } = view;
    let standing = status(answer.value.status);
    let rows = Rows::new()
        .row("device", id)
        .maybe("model", Some(model).filter(|model| !model.is_empty()))
        .row("owner", format!("{}, since {}", names.of(&owner.0), Position::from(view.owner_since)))
        .row("zone", format!("{}, since {}", names.zone(&zone.clone().into()), Position::from(view.zone_since)))
        .row("status", format!("{standing}, since {}", Position::from(*status_since)))
        .maybe("in doubt since", suspect_since.map(Position::from))
        .row("key", format!("{}, since {}", key.value.key, Position::from(key.from)))
        .maybe("key in doubt since", key.suspect_since.map(Position::from))
        .row("next key", format!("committed to as {}", key.value.next))
        .row("registered", {
            let by = names.principal(&Principal::from(*registered_by));
            format!("{} by {by}", Position::from(*registered))
        })
        .row("endorsed", view.endorsement.as_ref().map_or_else(|| "no".to_owned(), |word| endorsement(&names, word)))
        .maybe(
            "recovery",
            view.recovery.map(|pending| {
                let (recovery, announced) = (pending.recovery, Position::from(pending.announced));
                format!("to {} from height {} on, announced at {announced}", recovery.key, recovery.effective)
            }),
        )
        .maybe(
            "offered to",
            view.offer.map(|offer| format!("{}, since {}", names.of(&offer.to.0), Position::from(offer.since))),
        );
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
    let table = lines(&names, &page.items);
    Report::new(&page, format!("{table}{}", footer(&page, "fact")))
}
