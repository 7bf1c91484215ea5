//! The write-ahead log as the driver uses it: what agreement wants to remember and the blocks that are not decided, each
//! behind a byte that says which.

use cairn_consensus::{WalEntry, usable};
use cairn_storage::{StorageError, WalContents};
use cairn_types::DecodeError;

use super::undecided::Undecided;
use super::{Driver, DriverError};
use crate::chain::Chain;
use crate::ledger;
use crate::signature_cache::SignatureCache;
use crate::signer::NodeSigner;

/// First byte of an entry of the write-ahead log: what agreement wants to remember.
pub(super) const WAL_AGREEMENT: u8 = 0;
/// First byte of an entry of the write-ahead log: the bytes of a block that is not decided.
pub(super) const WAL_BLOCK: u8 = 1;

impl Driver {
    /// Puts what was logged and signed on disk, the log first: the sign state never knows of a signature that the log does not
    /// hold.
    pub(super) fn sync(&mut self) -> Result<(), StorageError> {
        self.wal.sync()?;
        self.signer.as_mut().map_or(Ok(()), NodeSigner::sync)
    }

    /// Logs an entry of the next height, unless what the log holds of that height is of use only to a later start.
    pub(super) fn append(&mut self, kind: u8, bytes: &[u8]) -> Result<(), StorageError> {
        let next = self.next_height();
        if self.wal.height() != next || self.signer.as_ref().is_some_and(|signer| signer.abstains(next)) {
            return Ok(());
        }
        let mut entry = Vec::with_capacity(bytes.len() + 1);
        entry.push(kind);
        entry.extend_from_slice(bytes);
        self.wal.append(&entry)
    }
}

/// Reads the entries of the height that was under way: agreement's own, and blocks, which are judged again.
pub(super) fn recover(
    contents: &WalContents,
    chain: &Chain,
    signatures: &SignatureCache,
    undecided: &mut Undecided,
) -> Result<Vec<WalEntry>, DriverError> {
    let mut recovered = Vec::new();
    for entry in &contents.entries {
        match entry.split_first() {
            Some((&WAL_AGREEMENT, bytes)) => recovered.push(WalEntry::decode(bytes)?),
            Some((&WAL_BLOCK, bytes)) => {
                // Its time was judged when it was logged; only the rules are asked again.
                let judged = ledger::judge(chain, bytes, signatures);
                undecided.insert(judged.map_err(|source| DriverError::WalBlock(Box::new(source)))?);
            }
            _ => return Err(DecodeError::Malformed { reason: "unknown kind of entry".to_owned() }.into()),
        }
    }
    // A block stands in the log before any entry that speaks of it, so nothing is ever cut here.
    let usable = usable(&recovered, contents.height, |block| undecided.validity(block).is_some()).len();
    if usable < recovered.len() { Err(DriverError::WalHole { entry: usable }) } else { Ok(recovered) }
}
