//! Making the block after the tip, and judging one that somebody made.
//!
//! It does not know whether a block is decided. Invariant: what [`build`] makes, [`judge`] accepts on every node that has
//! the same tip.

use std::sync::Arc;

use cairn_proofs::accumulator;
use cairn_runtime::{Candidate, Context, Overlay, SignatureCheck, governance};
use cairn_types::{Block, Hash, Header, Height, SignedTransaction, ValidatorIndex, encode};

use super::{BlockError, JudgedBlock};
use crate::chain::{Chain, ReadError, RulesHistory, Snapshot};
use crate::mempool::Mempool;
use crate::verify::verify_ahead;

/// Builds the block after the tip from `candidates`, in their order. Answers with the block and the candidates that the
/// rules refuse.
///
/// # Errors
/// [`ReadError`]: this node's disk is to blame.
pub(crate) fn build<T: Candidate + Into<Arc<SignedTransaction>>>(
    chain: &Chain,
    check: &dyn SignatureCheck,
    proposer: ValidatorIndex,
    now_ms: u64,
    candidates: Vec<T>,
) -> Result<(JudgedBlock, Vec<(T, cairn_types::Rejection)>), ReadError> {
    let parent = chain.tip();
    let history = RulesHistory::new(chain);
    let context = Context { chain: chain.id, parameters: &parent.parameters, history: &history };
    let height = parent.header.height.next().ok_or(ReadError::IndexHole { what: "next height".to_owned() })?;
    let built = cairn_runtime::build(Overlay::knowing(&parent.state, &chain.known), context, check, height, candidates);
    history.finish()?;
    let transactions: Vec<Arc<SignedTransaction>> = built.included.into_iter().map(Into::into).collect();
    let header = Header {
        time_ms: now_ms.max(parent.header.time_ms.saturating_add(1)),
        tx_root: tx_root(&transactions),
        state_root: built.executed.state.root(),
        proposer,
        ..expected_header(chain, &parent, height)
    };
    let hash = header.hash();
    let block =
        Block { header, transactions: transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect() };
    let bytes = encode(&block);
    Ok((JudgedBlock { header: block.header, hash, bytes, transactions, executed: built.executed }, built.rejected))
}

/// A block that was read and agrees with itself: its transactions are those that its header commits to. That needs no other
/// block, so it can be done on another thread, before its turn.
pub(crate) struct ReadBlock {
    header: Header,
    bytes: Vec<u8>,
    transactions: Vec<Arc<SignedTransaction>>,
}

impl ReadBlock {
    /// Reads a block.
    ///
    /// # Errors
    /// [`BlockError`]: whoever made the block is to blame.
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, BlockError> {
        let block = Block::from_bytes(&bytes)?;
        let transactions: Result<Vec<_>, BlockError> = (0..).zip(block.transactions).map(decode).collect();
        let transactions = transactions?;
        check_transactions(&block.header, tx_root(&transactions))?;
        Ok(Self { header: block.header, bytes, transactions })
    }

    /// Its header.
    pub(crate) const fn header(&self) -> &Header {
        &self.header
    }

    /// Its transactions, in order.
    pub(crate) fn transactions(&self) -> &[Arc<SignedTransaction>] {
        &self.transactions
    }
}

/// Judges bytes that should be the block after the tip. Whether its time is near a voter's clock is the voter's to say.
///
/// # Errors
/// [`BlockError`]: whoever made the block is to blame, but for [`BlockError::Unreadable`].
pub(crate) fn judge(chain: &Chain, bytes: &[u8], check: &dyn SignatureCheck) -> Result<JudgedBlock, BlockError> {
    judge_with(chain, bytes, check, |_, encoded, _| (0..).zip(encoded).map(decode).collect())
}

/// Judges like [`judge`], and takes what waits in the pool from there, where it is decoded, named and verified already. The
/// signatures of the rest are verified together.
///
/// # Errors
/// [`BlockError`]: whoever made the block is to blame, but for [`BlockError::Unreadable`].
pub(crate) fn judge_pooled(mempool: &Mempool, bytes: &[u8]) -> Result<JudgedBlock, BlockError> {
    let signatures = mempool.signatures().as_ref();
    judge_with(mempool.chain(), bytes, signatures, |parent, encoded, leaves| {
        let mut unknown = Vec::new();
        let mut transactions = Vec::with_capacity(encoded.len());
        for ((index, bytes), pooled) in (0..).zip(encoded).zip(mempool.find(leaves)) {
            let transaction = match pooled {
                Some(transaction) => transaction,
                None => {
                    let transaction = decode((index, bytes))?;
                    unknown.push(Arc::clone(&transaction));
                    transaction
                }
            };
            transactions.push(transaction);
        }
        verify_ahead(&Overlay::knowing(&parent.state, &mempool.chain().known), signatures, &unknown);
        Ok(transactions)
    })
}

fn decode((index, bytes): (u32, Vec<u8>)) -> Result<Arc<SignedTransaction>, BlockError> {
    SignedTransaction::from_bytes(bytes).map(Arc::new).map_err(|source| BlockError::Transaction { index, source })
}

fn judge_with(
    chain: &Chain,
    bytes: &[u8],
    check: &dyn SignatureCheck,
    decode_all: impl FnOnce(&Snapshot, Vec<Vec<u8>>, &[Hash]) -> Result<Vec<Arc<SignedTransaction>>, BlockError>,
) -> Result<JudgedBlock, BlockError> {
    let Block { header, transactions } = Block::from_bytes(bytes)?;
    // First what shows that the sender changed the block, then the header, which costs less to judge than transactions.
    let leaves: Vec<Hash> = transactions.iter().map(|bytes| cairn_types::transaction::leaf_of(bytes)).collect();
    check_transactions(&header, accumulator::root_of(&leaves))?;
    let parent = chain.tip();
    check_header(chain, &parent, &header)?;
    let transactions = decode_all(&parent, transactions, &leaves)?;
    judge_read(chain, ReadBlock { header, bytes: bytes.to_vec(), transactions }, check)
}

/// Everything but this is decided by the header alone: whoever sends a block can put other transactions under its header.
fn check_transactions(header: &Header, root: Hash) -> Result<(), BlockError> {
    if header.tx_root == root { Ok(()) } else { Err(BlockError::Substituted) }
}

/// Judges a block that was read already.
///
/// # Errors
/// As [`judge`].
pub(crate) fn judge_read(
    chain: &Chain,
    block: ReadBlock,
    check: &dyn SignatureCheck,
) -> Result<JudgedBlock, BlockError> {
    let parent = chain.tip();
    let ReadBlock { header, bytes, transactions } = block;
    check_header(chain, &parent, &header)?;
    let history = RulesHistory::new(chain);
    let context = Context { chain: chain.id, parameters: &parent.parameters, history: &history };
    let base = Overlay::knowing(&parent.state, &chain.known);
    let executed = cairn_runtime::execute(base, context, check, header.height, &transactions);
    history.finish()?;
    let executed = executed?;
    if header.state_root != executed.state.root() {
        return Err(BlockError::Header { field: "state_root" });
    }
    Ok(JudgedBlock { hash: header.hash(), header, bytes, transactions, executed })
}

/// Checks what a header must say after `parent`, but for what the content decides.
fn check_header(chain: &Chain, parent: &Snapshot, header: &Header) -> Result<(), BlockError> {
    let height = parent.header.height.next().ok_or(BlockError::Header { field: "height" })?;
    let expected = expected_header(chain, parent, height);
    let fields = [
        ("version", header.version == expected.version),
        ("chain", header.chain == expected.chain),
        ("height", header.height == expected.height),
        ("time_ms", header.time_ms > parent.header.time_ms),
        ("parent", header.parent == expected.parent),
        ("history_root", header.history_root == expected.history_root),
        ("validators_root", header.validators_root == expected.validators_root),
        ("next_validators_root", header.next_validators_root == expected.next_validators_root),
        ("proposer", parent.validators().get(header.proposer).is_some()),
    ];
    match fields.into_iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(BlockError::Header { field }),
        None => Ok(()),
    }
}

/// The header of the block after `parent`, with zeros where its content decides.
fn expected_header(chain: &Chain, parent: &Snapshot, height: Height) -> Header {
    Header {
        version: governance::version_at(&parent.state, height),
        chain: chain.id,
        height,
        time_ms: 0,
        parent: parent.hash,
        history_root: parent.history.root(),
        tx_root: Hash::ZERO,
        state_root: Hash::ZERO,
        validators_root: parent.deciders.next.root(),
        next_validators_root: parent.deciders.after_next.root(),
        proposer: 0,
    }
}

fn tx_root(transactions: &[Arc<SignedTransaction>]) -> Hash {
    let leaves: Vec<Hash> = transactions.iter().map(|transaction| transaction.leaf()).collect();
    accumulator::root_of(&leaves)
}

#[cfg(test)]
mod tests;
