//! `cairn council admit`: how an organization begins.
//!
//! The council needs only public halves: the new organization keeps its keys, and says which they are.

use cairn_types::governance::{Admit as Admission, Measure};
use cairn_types::{Name, OrganizationInception, Role, Roles};
use clap::Args;

use super::super::connect::Connection;
use super::super::key_set::{NewKeysArgs, NextKeysArgs, RecoveryKeysArgs};
use super::super::names::roles;
use super::super::output::Report;
use super::MeasureArgs;

#[derive(Debug, Args)]
pub(super) struct Admit {
    /// Its short name, unique in the network: the first part of its zones.
    #[arg(long, value_name = "NAME")]
    name: Name,
    /// Its legal name [default: its short name]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// What it does: council, manufacturer, operator, auditor; with commas between them.
    #[arg(long, value_name = "ROLES", value_parser = roles)]
    roles: Roles,
    #[command(flatten)]
    keys: NewKeysArgs,
    #[command(flatten)]
    next: NextKeysArgs,
    #[command(flatten)]
    recovery: RecoveryKeysArgs,
    #[command(flatten)]
    pub(super) measure: MeasureArgs,
}

impl Admit {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let inception = OrganizationInception {
            name: self.name.clone(),
            title: self.title.clone().unwrap_or_else(|| self.name.to_string()),
            keys: self.keys.read()?.set,
            next: self.next.commitment()?,
            recovery: self.recovery.read()?,
        };
        let roles = self.roles.iter().map(Role::name).collect::<Vec<_>>().join("+");
        let subjects =
            [("organization", inception.id().to_string()), ("name", self.name.to_string()), ("roles", roles)];
        let measure = Measure::Admit(Admission { inception, roles: self.roles });
        self.measure.decide(connection, measure, "admitted an organization", &subjects).await
    }
}
