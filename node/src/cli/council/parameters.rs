//! `cairn council parameters`: what all nodes keep to, changed one by one.

use std::str::FromStr;

use anyhow::Context;
use cairn_types::Parameters;
use cairn_types::governance::Measure;
use clap::Args;

use super::super::connect::Connection;
use super::super::names::FormError;
use super::super::output::{Report, Usage};
use super::MeasureArgs;

#[derive(Debug, Args)]
pub(super) struct SetParameters {
    /// A parameter and its new value, such as recovery_delay=100; repeat it for more. 'cairn council show' names them all.
    #[arg(long = "set", value_name = "NAME=VALUE", required = true)]
    changes: Vec<Change>,
    #[command(flatten)]
    pub(super) measure: MeasureArgs,
}

/// One parameter's new value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    name: String,
    value: u64,
}

impl FromStr for Change {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let (name, value) = text.split_once('=').ok_or_else(|| FormError(format!("{text:?} is no NAME=VALUE")))?;
        let value = value.parse().map_err(|_| FormError(format!("{value:?} is no number")))?;
        Ok(Self { name: name.replace('-', "_"), value })
    }
}

/// The place of a parameter, by its name.
enum Field<'a> {
    Long(&'a mut u64),
    Short(&'a mut u32),
}

fn field<'a>(parameters: &'a mut Parameters, name: &str) -> Option<Field<'a>> {
    Some(match name {
        "lifetime_max" => Field::Long(&mut parameters.lifetime_max),
        "recovery_delay" => Field::Long(&mut parameters.recovery_delay),
        "block_bytes_max" => Field::Short(&mut parameters.block_bytes_max),
        "block_transactions_max" => Field::Short(&mut parameters.block_transactions_max),
        "heartbeat_ms" => Field::Long(&mut parameters.heartbeat_ms),
        "clock_drift_ms" => Field::Long(&mut parameters.clock_drift_ms),
        "propose_timeout_ms" => Field::Long(&mut parameters.propose_timeout_ms),
        "prevote_timeout_ms" => Field::Long(&mut parameters.prevote_timeout_ms),
        "precommit_timeout_ms" => Field::Long(&mut parameters.precommit_timeout_ms),
        "timeout_delta_ms" => Field::Long(&mut parameters.timeout_delta_ms),
        "quota_window" => Field::Long(&mut parameters.quota_window),
        "organization_quota" => Field::Short(&mut parameters.organization_quota),
        "device_quota" => Field::Short(&mut parameters.device_quota),
        _ => return None,
    })
}

/// All parameters by name, in their order.
pub(in crate::cli) fn all(parameters: &Parameters) -> [(&'static str, u64); 13] {
    [
        ("lifetime_max", parameters.lifetime_max),
        ("recovery_delay", parameters.recovery_delay),
        ("block_bytes_max", parameters.block_bytes_max.into()),
        ("block_transactions_max", parameters.block_transactions_max.into()),
        ("heartbeat_ms", parameters.heartbeat_ms),
        ("clock_drift_ms", parameters.clock_drift_ms),
        ("propose_timeout_ms", parameters.propose_timeout_ms),
        ("prevote_timeout_ms", parameters.prevote_timeout_ms),
        ("precommit_timeout_ms", parameters.precommit_timeout_ms),
        ("timeout_delta_ms", parameters.timeout_delta_ms),
        ("quota_window", parameters.quota_window),
        ("organization_quota", parameters.organization_quota.into()),
        ("device_quota", parameters.device_quota.into()),
    ]
}

fn changed(mut parameters: Parameters, changes: &[Change]) -> anyhow::Result<Parameters> {
    for Change { name, value } in changes {
        let names = || all(&parameters).map(|(name, _)| name).join(", ");
        let unknown = Usage(format!("{name:?} is not one of {}", names()));
        match field(&mut parameters, name).ok_or(unknown)? {
            Field::Long(place) => *place = *value,
            Field::Short(place) => {
                *place = u32::try_from(*value).with_context(|| format!("{name}: {value} is too much"))?;
            }
        }
    }
    parameters.check()?;
    Ok(parameters)
}

impl SetParameters {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let parameters = changed(connection.parameters().await?, &self.changes)?;
        let subjects: Vec<(&str, String)> =
            self.changes.iter().map(|Change { name, value }| (name.as_str(), value.to_string())).collect();
        let measure = Measure::SetParameters(parameters);
        self.measure.decide(connection, measure, "set the parameters", &subjects).await
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, all, changed};

    fn changes(texts: &[&str]) -> Vec<Change> {
        texts.iter().map(|text| text.parse().expect("a change")).collect()
    }

    #[test]
    fn only_what_is_named_changes() {
        let before = cairn_genesis::defaults();
        let after = changed(before.clone(), &changes(&["recovery_delay=7", "device-quota=9"])).expect("allowed");
        assert_eq!((after.recovery_delay, after.device_quota), (7, 9));
        let differences = all(&before).into_iter().zip(all(&after)).filter(|(a, b)| a != b).count();
        assert_eq!(differences, 2);
        for (name, value) in all(&before) {
            assert_eq!(changed(before.clone(), &changes(&[&format!("{name}={value}")])).ok(), Some(before.clone()));
        }
    }

    #[test]
    fn what_no_network_can_have_is_refused_here() {
        let refused =
            |text: &str| changed(cairn_genesis::defaults(), &changes(&[text])).expect_err("refused").to_string();
        assert!(refused("speed=9").contains("is not one of lifetime_max, recovery_delay"));
        assert!(refused("quota_window=0").contains("quota_window is 0"));
        assert!(refused("device_quota=5000000000").contains("too much"));
        for wrong in ["recovery_delay", "recovery_delay=", "recovery_delay=soon", "recovery_delay=-1"] {
            assert!(wrong.parse::<Change>().is_err(), "{wrong}");
        }
    }
}
