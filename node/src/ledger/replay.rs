//! Executing the blocks of the log again, at a start or because somebody wants to see them checked.
//!
//! It does not know why the index is behind. Invariant: every block passes the same judgement as when it came, only the
//! signatures are taken as checked where a certificate says so already.

use std::sync::mpsc::sync_channel;
use std::thread;

use cairn_runtime::{CheckDirectly, SignatureCheck};
use cairn_storage::BlockLogReader;
use cairn_types::{Certificate, Height, PublicKey, SignatureBytes, TransactionId, codec};

use super::judge::{ReadBlock, judge_read};
use super::{Ledger, LedgerError};

/// Blocks between two progress lines while blocks are executed again.
const REPLAY_PROGRESS_BLOCKS: u64 = 1_000;

/// Accepts every signature: for blocks whose certificate says that two thirds of the validators checked them.
pub(super) struct CheckedBefore;

impl SignatureCheck for CheckedBefore {
    fn verifies(&self, _: &PublicKey, _: &TransactionId, _: &SignatureBytes) -> bool {
        true
    }
}

/// Blocks that are read and decoded ahead of the one that is executed: enough for the reading thread never to be waited for,
/// and at most a few megabytes.
const READ_AHEAD_BLOCKS: usize = 4;

/// What is read of a height before its turn.
type ReadAhead = Result<(ReadBlock, Certificate), LedgerError>;

impl Ledger {
    /// Reads the block after the tip from the log, checks everything about it, certificate and signatures included, and
    /// makes it the tip; its height, or `None` if the log holds no more.
    ///
    /// # Errors
    /// [`LedgerError`]: the disk is to blame, and the tip stays.
    pub(crate) fn check_next(&mut self) -> Result<Option<Height>, LedgerError> {
        let tip = self.chain.tip();
        let height = tip.header.height.next().filter(|height| self.log.tip().is_some_and(|tip| *height <= tip));
        let Some(height) = height else { return Ok(None) };
        self.check_version()?;
        let (block, certificate) = read(&self.log.reader(), height)?;
        let inconsistent = |source| LedgerError::Inconsistent { height, source };
        let judged = judge_read(&self.chain, block, &CheckDirectly).map_err(inconsistent)?;
        let checked = certificate.verify(&self.chain.id, height, &judged.hash, tip.validators());
        checked.map_err(|source| inconsistent(source.into()))?;
        self.index_and_publish(judged, certificate)?;
        Ok(Some(height))
    }

    /// Executes what the log holds above the tip; how many blocks. One thread reads and decodes while this one executes.
    pub(super) fn replay(&mut self) -> Result<u64, LedgerError> {
        let Some(tip) = self.log.tip() else { return Ok(0) };
        let (reader, mut next) = (self.log.reader(), self.chain.tip().next_height());
        thread::scope(|scope| {
            let (sender, read_ahead) = sync_channel::<ReadAhead>(READ_AHEAD_BLOCKS);
            scope.spawn(move || {
                while next <= tip {
                    let outcome = read(&reader, next);
                    let is_last = outcome.is_err();
                    // Whoever executes may have stopped.
                    if sender.send(outcome).is_err() || is_last {
                        return;
                    }
                    let Some(after) = next.next() else { return };
                    next = after;
                }
            });
            let mut replayed = 0;
            for outcome in read_ahead {
                self.check_version()?;
                let (block, certificate) = outcome?;
                let height = self.chain.tip().next_height();
                let judged = judge_read(&self.chain, block, &CheckedBefore);
                let judged = judged.map_err(|source| LedgerError::Inconsistent { height, source })?;
                self.index_and_publish(judged, certificate)?;
                self.write_behind()?;
                replayed += 1;
                if replayed % REPLAY_PROGRESS_BLOCKS == 0 {
                    tracing::info!(%height, %tip, "filling the index from the block log");
                }
            }
            Ok(replayed)
        })
    }
}

/// Reads a block of the log with its certificate.
fn read(log: &BlockLogReader, height: Height) -> ReadAhead {
    let record = log.read(height)?.ok_or(LedgerError::Damaged { height })?;
    let inconsistent = |source| LedgerError::Inconsistent { height, source };
    let certificate = codec::decode(&record.certificate, record.certificate.len());
    let certificate = certificate.map_err(|source| inconsistent(source.into()))?;
    Ok((ReadBlock::read(record.block).map_err(inconsistent)?, certificate))
}
