//! `cairn council show`: who governs, who validates, by which parameters, and what is scheduled.

use cairn_rpc::views::{CouncilView, Text, ValidatorsView};
use cairn_types::{Height, Parameters, Position};
use serde_json::json;

use super::super::connect::{Connection, OrganizationNames};
use super::super::output::{Report, Rows, counted, table};
use super::parameters;

fn council_table(council: &CouncilView) -> String {
    let lines: Vec<Vec<String>> = council
        .members
        .iter()
        .map(|member| {
            let keys = format!("{} of {}", member.keys.threshold, member.keys.keys.len());
            vec![member.name.to_string(), keys, member.id.to_string(), member.title.clone()]
        })
        .collect();
    table(&["COUNCIL", "KEYS", "ID", "TITLE"], &lines)
}

/// A set of validators, a line each.
pub(in crate::cli) fn validators_table(set: &ValidatorsView, names: &OrganizationNames) -> String {
    let lines: Vec<Vec<String>> = set
        .validators
        .iter()
        .map(|validator| {
            vec![validator.key.to_string(), validator.power.to_string(), names.of(&validator.organization.0)]
        })
        .collect();
    table(&["VALIDATOR", "POWER", "ORGANIZATION"], &lines)
}

pub(super) async fn show(connection: &Connection, at: Option<Height>) -> anyhow::Result<Report> {
    let client = &connection.client;
    let council = client.chain_get_council(at.map(Text)).await?;
    // All at one height, so that they make one picture.
    let at = Some(council.height);
    let validators = client.chain_get_validators(at).await?.value;
    let parameters = client.chain_get_parameters(at).await?.value;
    let upgrade = client.chain_get_upgrade(at).await?.value;
    let names = connection.organization_names().await?;

    let members = counted(council.value.members.len(), "organization");
    let since = Position::from(council.value.since);
    let mut text = format!("{} of {members} must sign a measure, since {since}\n\n", council.value.quorum);
    text.push_str(&council_table(&council.value));
    text.push('\n');
    text.push_str(&validators_table(&validators.validators, &names));
    if let Some(scheduled) = &validators.scheduled {
        text.push_str(&format!("\nfrom height {} on:\n", scheduled.effective));
        text.push_str(&validators_table(&scheduled.validators, &names));
    }
    let all = parameters::all(&Parameters::from(parameters.parameters.clone()));
    let rows = all.into_iter().fold(Rows::new(), |rows, (name, value)| rows.row(name, value));
    text.push_str(&format!("\n{rows}\nversion {} of the rules\n", upgrade.version));
    if let Some(scheduled) = &upgrade.scheduled {
        let (change, decided) = (scheduled.upgrade, Position::from(scheduled.decided));
        text.push_str(&format!(
            "version {} from height {} on, decided at {decided}\n",
            change.version, change.effective
        ));
    }
    let answer = json!({
        "height": council.height,
        "council": council.value,
        "validators": validators,
        "parameters": parameters,
        "upgrade": upgrade,
    });
    Report::new(&answer, text)
}
