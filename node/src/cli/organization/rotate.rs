//! `cairn organization rotate`: an organization's next key epoch.
//!
//! The open epoch has committed to its next key set, and that set signs its own beginning: whoever stole the present keys
//! cannot. If the next keys are lost too, the recovery keys sign, and then any set may follow.

use std::path::PathBuf;

use cairn_types::call::RotateOrganizationKeys;
use cairn_types::{Call, Principal};
use clap::Args;

use super::super::connect::Connection;
use super::super::key_set::{NewKeysArgs, NextKeysArgs};
use super::super::names::OrganizationName;
use super::super::output::Report;
use super::super::sign::Party;
use super::super::submit::{self, SubmitArgs};

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// The organization.
    #[arg(long, value_name = "ORG")]
    organization: OrganizationName,
    #[command(flatten)]
    keys: NewKeysArgs,
    #[command(flatten)]
    next: NextKeysArgs,
    /// The recovery keys sign, and the new keys need not be those to which the organization committed.
    #[arg(long)]
    recovery: bool,
    /// With --recovery: one of the recovery keys; repeat it where several must sign.
    #[arg(long = "key", value_name = "PEM", requires = "recovery")]
    recovery_keys: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) submit: SubmitArgs,
}

impl Rotate {
    pub(super) async fn run(&self, connection: &Connection) -> anyhow::Result<Report> {
        let id = connection.organization_id(&self.organization).await?;
        let new = self.keys.read()?;
        let next = self.next.commitment()?;
        let signer = if self.recovery {
            Party::recovery(connection, id, &self.recovery_keys).await?
        } else {
            Party::of_set(Principal::Organization(id), "the new keys", &new.set, new.private)?
        };
        let commitment = new.set.commitment();
        let call = Call::RotateOrganizationKeys(RotateOrganizationKeys {
            organization: id,
            keys: new.set,
            next,
            by_recovery: self.recovery,
        });
        let sent = submit::call(connection, &self.submit, call, &signer).await?;
        let next = next.map_or_else(|| "none".to_owned(), |next| next.to_string());
        sent.report(
            "the organization speaks with its new keys",
            &[("organization", id.to_string()), ("keys", commitment.to_string()), ("next", next)],
        )
    }
}
