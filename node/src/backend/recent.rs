//! The newest blocks for those who waited for their transactions: read and decoded once, not once for each of thousands.
//!
//! It does not know what is final: it holds what it is given for a height. Invariant: no more than [`BLOCKS_MAX`] are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use cairn_rpc::backend::{Located, ReadError};
use cairn_types::{Block, BlockHash, Height, Position};

/// Blocks that are kept: that of the moment, and the one before it for those who are slow. Each takes 3 MB at most.
const BLOCKS_MAX: usize = 2;

/// A block, and its hash.
struct Kept {
    block: Block,
    hash: BlockHash,
}

/// See the module.
#[derive(Default)]
pub(super) struct RecentBlocks {
    kept: Mutex<VecDeque<Arc<Kept>>>,
}

impl RecentBlocks {
    /// The transaction at a position; `None` if there is none. `read` finds the block of a height.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn located(
        &self,
        position: Position,
        read: impl FnOnce(Height) -> Result<Option<Block>, ReadError>,
    ) -> Result<Option<Located>, ReadError> {
        let Some(kept) = self.block(position.height, read)? else { return Ok(None) };
        let index = usize::try_from(position.index).unwrap_or(usize::MAX);
        let located = |bytes: &Vec<u8>| Located {
            position,
            bytes: bytes.clone(),
            block: kept.hash,
            time_ms: kept.block.header.time_ms,
        };
        Ok(kept.block.transactions.get(index).map(located))
    }

    /// Who comes while another one reads waits for what that one finds: it is the same block nearly always.
    fn block(
        &self,
        height: Height,
        read: impl FnOnce(Height) -> Result<Option<Block>, ReadError>,
    ) -> Result<Option<Arc<Kept>>, ReadError> {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = all.iter().find(|kept| kept.block.header.height == height) {
            return Ok(Some(Arc::clone(kept)));
        }
        let Some(block) = read(height)? else { return Ok(None) };
        let hash = block.header.hash();
        let kept = Arc::new(Kept { block, hash });
        all.push_back(Arc::clone(&kept));
        if all.len() > BLOCKS_MAX {
            all.pop_front();
        }
        Ok(Some(kept))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use cairn_types::{Block, Height, Position};

    use super::{BLOCKS_MAX, RecentBlocks};
    use crate::testing::World;

    #[test]
    fn a_block_is_read_once_for_all_who_wait_for_it() {
        let world = World::new();
        let reads = Cell::new(0);
        let recent = RecentBlocks::default();
        let read = |height: Height| {
            reads.set(reads.get() + 1);
            let mut block: Block = world.genesis.block.clone();
            block.header.height = height;
            block.transactions = (0..3).map(|index| vec![index; 4]).collect();
            Ok(Some(block))
        };
        for height in 1..=4 {
            for index in 0..5 {
                let position = Position { height: Height::new(height), index };
                let located = recent.located(position, read).expect("readable");
                let expected = u8::try_from(index).ok().filter(|index| *index < 3).map(|index| vec![index; 4]);
                assert_eq!(located.map(|located| located.bytes), expected);
            }
            assert_eq!(reads.get(), height, "each block once");
        }
        assert_eq!(recent.kept.lock().expect("not poisoned").len(), BLOCKS_MAX);
    }
}
