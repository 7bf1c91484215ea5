//! A block log that is damaged mends itself: it is cut before the damage, and the ordinary catch-up fetches the rest again.
//!
//! What was cut lies in quarantine until the ledger has passed its old end with the same blocks. It does not fetch: whoever
//! catches up sees a ledger that ends earlier.

use cairn_storage::{BlockLog, LogDamage, QuarantineState, StorageError};
use cairn_types::Height;

use super::Ledger;

/// Cuts the log before what is damaged, and says so.
pub(super) fn cut(log: &mut BlockLog, damage: &LogDamage) -> Result<(), StorageError> {
    let quarantined = log.cut_before(damage)?;
    tracing::error!(
        %damage, from = %damage.first, to = %quarantined.tip, quarantine = %quarantined.directory.display(),
        "the block log is cut before its damage and fetched from the peers again; what was cut stays in quarantine until then"
    );
    Ok(())
}

/// The old end of the log, if something waits in quarantine for it to be passed. What was fetched again is removed.
pub(super) fn settle(log: &BlockLog) -> Result<Option<Height>, StorageError> {
    match log.settle_quarantine() {
        Ok(QuarantineState::Empty) => Ok(None),
        Ok(QuarantineState::Waiting { until }) => Ok(Some(until)),
        Ok(QuarantineState::Passed) => {
            tracing::info!("the ledger has all blocks again that were cut off; the quarantine is removed");
            Ok(None)
        }
        Ok(QuarantineState::Contradicted { height, path }) => {
            tracing::error!(
                %height, path = %path.display(),
                "the block that was cut off is another one than the network's; both are kept: show them to the council"
            );
            Ok(None)
        }
        Err(StorageError::LogDamaged(damage)) => {
            tracing::error!(%damage, "the quarantine cannot be compared with the ledger, and stays");
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

impl Ledger {
    /// Looks after the quarantine when the ledger has reached its old end.
    pub(super) fn settle_quarantine(&mut self) -> Result<(), StorageError> {
        let tip = self.chain.tip().header.height;
        if self.quarantine.is_some_and(|until| until <= tip) {
            self.quarantine = settle(&self.log)?;
        }
        Ok(())
    }
}
