//! What the interface asks of the node: the seam between this crate and whoever embeds it.
//!
//! The node hands out immutable [`View`]s of final heights, and everything that can be read from a state is read here.
//! Beyond that it finds blocks and transactions, takes new ones, and tells how it is. Every method answers from memory
//! or from disk; those that touch the disk are called on a thread that may block.
//!
//! Nothing here names jsonrpsee or JSON. The invariant that the implementer keeps: what it calls final is final, on
//! this and on every other node.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cairn_proofs::lookup::Question;
use cairn_proofs::tree::StateTree;
use cairn_types::governance::Upgrade;
use cairn_types::{
    AttestationRef, Block, BlockHash, Certificate, ChainId, ContentHash, Header, Height, Position, Rejection,
    TransactionId, ValidatorIndex, ValidatorSet,
};
use tokio::sync::broadcast;

/// A final height, all of it in memory and none of it ever changing.
#[derive(Clone, Debug)]
pub struct View {
    /// The block's header.
    pub header: Header,
    /// The block's hash.
    pub hash: BlockHash,
    /// Who decided it; `None` only for block 0.
    pub certificate: Option<Certificate>,
    /// The state after the block.
    pub state: StateTree,
    /// The validators who decided the block; of block 0, those of block 1.
    pub validators: Arc<ValidatorSet>,
}

/// What the node was started from.
#[derive(Clone, Debug)]
pub struct GenesisInfo {
    /// The genesis file, as this node holds it.
    pub text: String,
    /// Block 0.
    pub header: Header,
    /// The validators of block 1.
    pub validators: Arc<ValidatorSet>,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Reading its disk.
    Starting,
    /// Fetching blocks that others have.
    Syncing,
    /// Up to date, without a vote.
    Following,
    /// Up to date, and voting.
    Validating,
}

/// What an operator should look at while the node goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// There is so little room on the disk that the node takes no more transactions.
    DiskNearlyFull {
        /// Room that is left, in bytes.
        free_bytes: u64,
        /// The room below which it takes none, in bytes.
        low_water_bytes: u64,
    },
    /// Its clock is far from the time that the validators agree on.
    ClockOff {
        /// By how many milliseconds it is ahead; behind, if negative.
        off_ms: i64,
    },
}

/// How the node is.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// The network.
    pub chain: ChainId,
    /// The latest final height.
    pub height: Height,
    /// Its block.
    pub hash: BlockHash,
    /// That block's time, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// The oldest height for which [`Backend::view`] answers.
    pub oldest_state: Height,
    /// The first height whose block is kept, apart from block 0, which everybody has.
    pub first_height: Height,
    /// What the node is doing.
    pub state: NodeState,
    /// Its place in the validator set that decides next.
    pub validator: Option<ValidatorIndex>,
    /// Connected peers.
    pub peers: u32,
    /// Transactions in the mempool.
    pub pending: u32,
    /// Bytes of those.
    pub pending_bytes: u64,
    /// The program's version, as its manifest has it.
    pub version: &'static str,
    /// What an operator should look at.
    pub warnings: Vec<Warning>,
    /// Rules that are scheduled and that this program does not know.
    pub upgrade_needed: Option<Upgrade>,
}

/// A peer.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// The Ed25519 key that names it.
    pub peer: [u8; 32],
    /// Where it is reached, as the network writes addresses.
    pub address: String,
    /// Its place in the validator set.
    pub validator: Option<ValidatorIndex>,
    /// The height that it last told.
    pub height: Option<Height>,
}

/// A final transaction and its place.
#[derive(Clone, Debug)]
pub struct Located {
    /// Where it stands.
    pub position: Position,
    /// Its encoding, signatures included.
    pub bytes: Vec<u8>,
    /// The block that holds it.
    pub block: BlockHash,
    /// That block's time, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
}

/// What the node knows of a transaction.
#[derive(Clone, Debug)]
pub enum TransactionState {
    /// Nothing.
    Unknown,
    /// It waits for a block. These are its bytes.
    Pending(Vec<u8>),
    /// It is in a final block.
    Final(Located),
}

/// How a wait for finality ended.
#[derive(Clone, Debug)]
pub enum WaitOutcome {
    /// The transaction is final.
    Final(Located),
    /// The node refused it, or dropped it for good (it expired).
    Rejected(Rejection),
    /// The time is over. It may still become final.
    TimedOut,
}

/// A block that has just become final, for subscribers.
#[derive(Clone, Debug)]
pub struct FinalBlock {
    /// Its header.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// How many transactions it holds.
    pub transactions: u32,
}

/// Why the node cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not final yet: whoever asks is early.
    #[error("height {height} is not final; the latest final height is {latest}")]
    HeightUnknown {
        /// The height asked for.
        height: Height,
        /// The latest final height.
        latest: Height,
    },
    /// Older than what is kept: whoever asks is late.
    #[error("the state of height {height} is no longer kept; the oldest is {oldest}")]
    HeightPruned {
        /// The height asked for.
        height: Height,
        /// The oldest height that is kept.
        oldest: Height,
    },
    /// A block that this node does not keep: it was dropped, or the node joined later. Another node may have it.
    #[error("block {height} is not kept here; this node's blocks begin at {first}")]
    BlockPruned {
        /// The block asked for.
        height: Height,
        /// The first block that is kept.
        first: Height,
    },
    /// There is no state yet.
    #[error("the node is starting")]
    Starting,
    /// The answer would be too large: whoever asks wants too much.
    #[error("too large: {reason}")]
    TooLarge {
        /// What is too long.
        reason: String,
    },
    /// The disk, or what is on it, failed. Logged, and not shown to the caller.
    #[error("storage: {reason}")]
    Storage {
        /// What failed.
        reason: String,
    },
}

/// A node, as the interface sees it.
///
/// Methods documented as *disk* are called on a blocking thread; all others must answer at once.
pub trait Backend: Send + Sync + 'static {
    /// The network.
    fn chain(&self) -> ChainId;

    /// What the node was started from.
    fn genesis(&self) -> GenesisInfo;

    /// The view of a height; of the latest final one, if none is named.
    ///
    /// # Errors
    /// [`ReadError::HeightUnknown`], [`ReadError::HeightPruned`] or [`ReadError::Starting`].
    fn view(&self, at: Option<Height>) -> Result<Arc<View>, ReadError>;

    /// How the node is.
    fn status(&self) -> NodeStatus;

    /// The peers it is connected to, in a stable order.
    fn peers(&self) -> Vec<PeerInfo>;

    /// Its metrics in the text format of Prometheus.
    fn metrics(&self) -> String;

    /// The final block of a height and, except for block 0, its certificate; `None` if the height is not final. *Disk.*
    ///
    /// # Errors
    /// [`ReadError::BlockPruned`] or [`ReadError::Storage`].
    fn block(&self, height: Height) -> Result<Option<(Block, Option<Certificate>)>, ReadError>;

    /// The header of a final block, whether or not the block is still kept; `None` if the height is not final. *Disk.*
    ///
    /// # Errors
    /// [`ReadError::Storage`].
    fn header(&self, height: Height) -> Result<Option<Header>, ReadError> {
        Ok(self.block(height)?.map(|(block, _)| block.header))
    }

    /// What is known of a transaction. *Disk.*
    ///
    /// # Errors
    /// [`ReadError::Storage`].
    fn transaction(&self, id: &TransactionId) -> Result<TransactionState, ReadError>;

    /// The final transaction at a position; `None` if there is none. *Disk.*
    ///
    /// # Errors
    /// [`ReadError::Storage`].
    fn transaction_at(&self, position: Position) -> Result<Option<Located>, ReadError>;

    /// Where the attestation of a place stands; `None` if there is none. *Disk.*
    ///
    /// # Errors
    /// [`ReadError::Storage`].
    fn attestation(&self, place: &AttestationRef) -> Result<Option<Position>, ReadError>;

    /// Where content was attested, ascending, at most `limit` positions after `after`. *Disk.*
    ///
    /// # Errors
    /// [`ReadError::Storage`].
    fn attestations_of(
        &self,
        content: &ContentHash,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, ReadError>;

    /// The encoded bundle of the attestation at a position, with the checkpoint of height `at`, or the latest one; `None`
    /// if there is no attestation, or if block 0, which has no certificate, is the checkpoint. If an `anchor` is wanted, the
    /// final block at that height is shown to be in the checkpoint's history. *Disk.*
    ///
    /// # Errors
    /// [`ReadError::Storage`], [`ReadError::HeightUnknown`] if the anchor is above the checkpoint, or the checkpoint not
    /// final, [`ReadError::HeightPruned`] if the state of the checkpoint is no longer kept, or [`ReadError::TooLarge`] for
    /// a device with too long a history.
    fn bundle(
        &self,
        attestation: Position,
        anchor: Option<Height>,
        at: Option<Height>,
    ) -> Result<Option<Vec<u8>>, ReadError>;

    /// The lookup file that answers a question completely, with the checkpoint of height `at`, or the latest one; `None` if
    /// that is block 0, which has no certificate. *Disk.*
    ///
    /// # Errors
    /// [`ReadError::HeightUnknown`], [`ReadError::HeightPruned`], [`ReadError::Starting`], [`ReadError::Storage`], or
    /// [`ReadError::TooLarge`] for an answer that no lookup can hold.
    fn lookup(&self, question: Question, at: Option<Height>) -> Result<Option<Vec<u8>>, ReadError>;

    /// Offers encoded transactions, and answers for each, in order, once it is accepted or refused.
    fn submit(&self, transactions: Vec<Vec<u8>>) -> impl Future<Output = Vec<Result<TransactionId, Rejection>>> + Send;

    /// Waits until a transaction is final, for at most `timeout`. A transaction that is not known may still arrive.
    ///
    /// # Errors
    /// [`ReadError::Storage`].
    fn wait(&self, id: TransactionId, timeout: Duration)
    -> impl Future<Output = Result<WaitOutcome, ReadError>> + Send;

    /// Blocks from now on, as they become final. A receiver that falls behind loses blocks and is told how many.
    fn blocks(&self) -> broadcast::Receiver<FinalBlock>;
}
