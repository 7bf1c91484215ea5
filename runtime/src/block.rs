//! What a block does: its transactions in order, each seeing those before it; then what takes effect with it, and
//! forgetting what has expired.
//!
//! A proposer [`build`]s: it tries candidates and leaves out what fails. A validator [`execute`]s: a block with one
//! transaction that fails is invalid. Both run the same [`apply`], so a block that an honest proposer built is valid.

use cairn_proofs::tree::StateTree;
use cairn_types::limits::FORGET_PER_BLOCK_MAX;
use cairn_types::{Height, Position, Rejection, SignedTransaction, state_key};

use crate::apply::apply;
use crate::device;
use crate::envelope::{Context, block_caps};
use crate::signatures::SignatureCheck;
use crate::state::{Changes, Overlay};

/// The state after a block.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The whole state.
    pub state: StateTree,
    /// What the block changed in it.
    pub changes: Changes,
}

/// A block that was put together.
#[derive(Clone, Debug)]
pub struct Built<T> {
    /// The candidates that stand in it, in order.
    pub included: Vec<T>,
    /// The candidates that failed, and why.
    pub rejected: Vec<(T, Rejection)>,
    /// The state after it.
    pub executed: Executed,
}

/// Why a block cannot stand. Its proposer is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlock {
    /// One of its transactions fails.
    #[error("transaction {index}: {rejection}")]
    Transaction {
        /// Which, from 0.
        index: u32,
        /// Why.
        rejection: Rejection,
    },
    /// More transactions or bytes than the parameters allow.
    #[error("{found} {what}, but a block has at most {max}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: usize,
        /// The cap.
        max: usize,
    },
}

/// Something that may become part of a block.
pub trait Candidate {
    /// The transaction.
    fn transaction(&self) -> &SignedTransaction;
}

impl Candidate for SignedTransaction {
    fn transaction(&self) -> &SignedTransaction {
        self
    }
}

impl<T: Candidate> Candidate for std::sync::Arc<T> {
    fn transaction(&self) -> &SignedTransaction {
        self.as_ref().transaction()
    }
}

/// Puts a block for `height` together from `candidates`, in their order, until it is full.
pub fn build<'a, T: Candidate>(
    base: impl Into<Overlay<'a>>,
    context: Context<'_>,
    check: &dyn SignatureCheck,
    height: Height,
    candidates: impl IntoIterator<Item = T>,
) -> Built<T> {
    let (bytes_max, transactions_max) = block_caps(context.parameters);
    let mut overlay = base.into();
    let (mut included, mut rejected) = (Vec::new(), Vec::new());
    let mut bytes: usize = 0;
    let mut position = Position::start_of(height);
    for candidate in candidates {
        let length = candidate.transaction().bytes().len();
        let size = bytes.saturating_add(length);
        // What fits no block at all goes on to the rules, which refuse it: it must not stop the others.
        if included.len() >= transactions_max || (size > bytes_max && length <= bytes_max) {
            break;
        }
        match apply(&overlay, context, check, candidate.transaction(), position) {
            Ok(changes) => {
                overlay.extend(changes);
                included.push(candidate);
                bytes = size;
                position.index = position.index.saturating_add(1);
            }
            Err(rejection) => rejected.push((candidate, rejection)),
        }
    }
    Built { included, rejected, executed: finish(overlay, height) }
}

/// Executes the block of these transactions at `height`.
///
/// # Errors
/// [`InvalidBlock`], if the parameters or a rule forbid it; its proposer is to blame.
pub fn execute<'a>(
    base: impl Into<Overlay<'a>>,
    context: Context<'_>,
    check: &dyn SignatureCheck,
    height: Height,
    transactions: &[impl Candidate],
) -> Result<Executed, InvalidBlock> {
    let (bytes_max, transactions_max) = block_caps(context.parameters);
    if transactions.len() > transactions_max {
        return Err(InvalidBlock::TooLarge { what: "transactions", found: transactions.len(), max: transactions_max });
    }
    let bytes =
        transactions.iter().fold(0, |sum: usize, candidate| sum.saturating_add(candidate.transaction().bytes().len()));
    if bytes > bytes_max {
        return Err(InvalidBlock::TooLarge { what: "bytes", found: bytes, max: bytes_max });
    }
    let mut overlay = base.into();
    for (index, candidate) in (0..).zip(transactions) {
        let position = Position { height, index };
        let changes = apply(&overlay, context, check, candidate.transaction(), position)
            .map_err(|rejection| InvalidBlock::Transaction { index, rejection })?;
        overlay.extend(changes);
    }
    Ok(finish(overlay, height))
}

/// Lets recoveries take effect that are due, forgets the ids whose last height this was, the oldest first, and makes the
/// new state.
fn finish(mut overlay: Overlay<'_>, height: Height) -> Executed {
    let base = overlay.base();
    device::take_effect(&mut overlay, height);
    let mut changes = overlay.into_changes();
    let expired = base
        .prefix(&state_key::remembered_all())
        .take_while(|(key, _)| state_key::remembered_expiry(key).is_some_and(|expires| expires <= height))
        .take(FORGET_PER_BLOCK_MAX);
    for (key, _) in expired {
        changes.insert(key, None);
    }
    // An id that this very block added cannot have been in the base, and leaves with a later block.
    Executed { state: base.apply(&changes), changes }
}
