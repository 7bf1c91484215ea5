//! A change of the rules that lies ahead: this node says so, and stops before it if its program does not know them.
//!
//! It stops a little late, after the last block that it can make: for [`LINGER_MS`] it goes on answering its peers, so that
//! nobody is left without that block because the others stopped first. Nothing is lost: the ledger ends with that block,
//! and a newer program goes on after it.

use std::time::Duration;

use super::{Driver, DriverError};
use crate::chain::Snapshot;
use crate::ledger::LedgerError;

/// How long a node that goes no further answers its peers, in milliseconds: every one of them polls within two seconds, and
/// has time to fetch what it misses.
const LINGER_MS: u64 = 5_000;

/// How often the log is reminded of an upgrade ahead, in milliseconds: ten minutes, so that whoever looks at it sees it.
const REMINDER_MS: u64 = 600_000;

/// Why this node goes no further, and when it ends.
pub(super) struct Ending {
    pub(super) at: Duration,
    pub(super) reason: LedgerError,
}

impl Driver {
    /// After a block: looks at what was scheduled, and ends this node's part if its program does not know the next rules.
    pub(super) fn follow_upgrade(&mut self, before: &Snapshot, snapshot: &Snapshot) {
        if before.upgrade != snapshot.upgrade {
            self.reminded = None;
            match before.upgrade {
                Some(upgrade) if upgrade.height <= snapshot.header.height => {
                    tracing::info!(version = upgrade.version, height = %upgrade.height, "the rules have changed");
                }
                Some(upgrade) => {
                    tracing::info!(version = upgrade.version, height = %upgrade.height, "this change of the rules is off");
                }
                None => {}
            }
            self.remind_of_upgrade(snapshot);
        }
        if let Err(reason) = self.ledger.check_version() {
            tracing::error!(%reason, "stopping");
            self.timers.clear();
            self.ending = Some(Ending { at: self.surroundings.elapsed() + Duration::from_millis(LINGER_MS), reason });
        }
    }

    /// Says that an upgrade lies ahead, now and then.
    pub(super) fn remind_of_upgrade(&mut self, snapshot: &Snapshot) {
        let known = self.ledger.known_version();
        self.shared.metrics.upgrade_ahead(snapshot.upgrade, known);
        let Some(upgrade) = snapshot.upgrade else { return };
        let now = self.surroundings.elapsed();
        if self.reminded.is_some_and(|last| now < last + Duration::from_millis(REMINDER_MS)) {
            return;
        }
        self.reminded = Some(now);
        if upgrade.version > known {
            tracing::warn!(
                version = upgrade.version, height = %upgrade.height, known,
                "this node will stop before this height: install a program that knows this version of the rules"
            );
        } else {
            tracing::info!(version = upgrade.version, height = %upgrade.height, "a change of the rules is scheduled");
        }
    }

    /// Ends, if it is time.
    pub(super) fn end_if_time(&mut self) -> Result<(), DriverError> {
        let now = self.surroundings.elapsed();
        match self.ending.take_if(|ending| now >= ending.at) {
            Some(ending) => {
                if let Some(signer) = &mut self.signer {
                    signer.sync()?;
                }
                self.ledger.close()?;
                Err(ending.reason.into())
            }
            None => Ok(()),
        }
    }
}
