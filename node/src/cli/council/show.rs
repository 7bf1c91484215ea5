//! `cairn council show`: who governs, who validates, by which parameters, and what is scheduled.

use cairn_types::governance::Upgrade;
use cairn_types::{Interval, decode, state_key};
use serde_json::json;

use super::super::connect::Connection;
use super::super::output::{Report, Rows, counted, table};
use super::{members, parameters, validators};

/// Most bytes of a scheduled upgrade's record.
const RECORD_BYTES_MAX: usize = 1024;

pub(super) async fn show(connection: &Connection) -> anyhow::Result<Report> {
    let members = members::of(connection).await?;
    let set = validators::last_set(connection).await?;
    let parameters = connection.parameters().await?;
    let upgrades = connection.state_under(&state_key::upgrades()).await?;
    let upgrade: Option<Interval<Upgrade>> =
        upgrades.last().map(|(_, value)| decode(value, RECORD_BYTES_MAX)).transpose()?;
    let upgrade = upgrade.filter(Interval::is_open).map(|interval| interval.value);
    let names = connection.organization_names().await?;

    let quorum = members.len().saturating_mul(2) / 3 + 1;
    let answer = json!({
        "quorum": quorum,
        "members": members.iter().map(|member| json!({
            "id": member.id.to_string(),
            "name": member.name.to_string(),
            "threshold": member.threshold,
        })).collect::<Vec<_>>(),
        "validators": set.iter().map(|validator| json!({
            "key": hex::encode(validator.key),
            "peer": hex::encode(validator.peer),
            "power": validator.power.get().to_string(),
            "organization": validator.organization.to_string(),
        })).collect::<Vec<_>>(),
        "parameters": parameters::all(&parameters)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value.to_string())))
            .collect::<serde_json::Map<_, _>>(),
        "upgrade": upgrade.map(|upgrade| json!({ "version": upgrade.version, "height": upgrade.height.to_string() })),
    });
    let lines: Vec<Vec<String>> = members
        .iter()
        .map(|member| vec![member.name.to_string(), counted(member.threshold, "key"), member.id.to_string()])
        .collect();
    let mut text = format!("{quorum} of {} must sign a measure\n\n", counted(members.len(), "organization"));
    text.push_str(&table(&["COUNCIL", "SIGNS WITH", "ID"], &lines));
    let lines: Vec<Vec<String>> = set
        .iter()
        .map(|validator| {
            let owner = names.of(&validator.organization);
            vec![hex::encode(validator.key), validator.power.get().to_string(), owner]
        })
        .collect();
    text.push('\n');
    text.push_str(&table(&["VALIDATOR", "POWER", "ORGANIZATION"], &lines));
    let rows = parameters::all(&parameters).into_iter().fold(Rows::new(), |rows, (name, value)| rows.row(name, value));
    text.push_str(&format!("\n{rows}"));
    if let Some(upgrade) = upgrade {
        text.push_str(&format!("\nversion {} of the rules from height {} on\n", upgrade.version, upgrade.height));
    }
    Report::new(&answer, text)
}
