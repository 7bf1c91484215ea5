//! Executing the blocks of the log again, at a start or because somebody wants to see them checked.
//!
//! It does not know why the index is behind. Invariant: every block passes the same judgement as when it came, only the
//! signatures are taken as checked where a certificate says so already.

use cairn_runtime::{CheckDirectly, SignatureCheck};
use cairn_types::{Certificate, Height, PublicKey, SignatureBytes, TransactionId, codec};

use super::{BlockError, JudgedBlock, Ledger, LedgerError, judge};
use crate::chain::Snapshot;

/// Blocks between two progress lines while blocks are executed again.
const REPLAY_PROGRESS_BLOCKS: u64 = 1_000;

/// Accepts every signature: for blocks whose certificate says that two thirds of the validators checked them.
pub(super) struct CheckedBefore;

impl SignatureCheck for CheckedBefore {
    fn verifies(&self, _: &PublicKey, _: &TransactionId, _: &SignatureBytes) -> bool {
        true
    }
}

impl Ledger {
    /// Reads the block after the tip from the log, checks everything about it, certificate and signatures included, and
    /// makes it the tip; its height, or `None` if the log holds no more.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk is to blame, and the tip stays.
    pub(crate) fn check_next(&self) -> Result<Option<Height>, LedgerError> {
        self.replay_next(&CheckDirectly, |height, judged, certificate, tip| {
            Ok(certificate.verify(&self.chain.id, height, &judged.hash, tip.validators())?)
        })
    }

    fn replay_next(
        &self,
        check: &dyn SignatureCheck,
        check_certificate: impl Fn(Height, &JudgedBlock, &Certificate, &Snapshot) -> Result<(), BlockError>,
    ) -> Result<Option<Height>, LedgerError> {
        let tip = self.chain.tip();
        let height = tip.header.height.next().filter(|height| self.log.tip().is_some_and(|tip| *height <= tip));
        let Some(height) = height else { return Ok(None) };
        self.check_version()?;
        let record = self.log.read(height)?.ok_or(LedgerError::Damaged { height })?;
        let inconsistent = |source| LedgerError::Inconsistent { height, source };
        let judged = judge(&self.chain, &record.block, check).map_err(inconsistent)?;
        let certificate: Certificate = codec::decode(&record.certificate, record.certificate.len())
            .map_err(|source| inconsistent(source.into()))?;
        check_certificate(height, &judged, &certificate, &tip).map_err(inconsistent)?;
        self.index_and_publish(judged, certificate)?;
        Ok(Some(height))
    }

    pub(super) fn replay(&mut self) -> Result<u64, LedgerError> {
        let Some(tip) = self.log.tip() else { return Ok(0) };
        let mut replayed = 0;
        loop {
            let Some(height) = self.replay_next(&CheckedBefore, |_, _, _, _| Ok(()))? else { return Ok(replayed) };
            replayed += 1;
            if replayed % REPLAY_PROGRESS_BLOCKS == 0 {
                tracing::info!(%height, %tip, "filling the index from the block log");
            }
        }
    }
}
