//! What is common to all calls: the right size and network, the sandwich of `not_before` and `expires`, and replay
//! protection.

use cairn_types::limits::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};
use cairn_types::{BlockHash, Body, ChainId, Height, Parameters, Position, Rejection, TransactionId, state_key};

use crate::state::{Changes, State};

/// The final blocks before the one that is being made, by height.
pub trait History {
    /// The hash of the final block at `height`; `None` above the last one.
    fn hash_at(&self, height: Height) -> Option<BlockHash>;
}

/// All that the rules know besides the state.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// This network.
    pub chain: ChainId,
    /// Its parameters, as they stand before the block.
    pub parameters: &'a Parameters,
    /// The blocks before.
    pub history: &'a dyn History,
}

/// The caps of a block under these parameters: bytes and transactions. What a block can carry at all comes first, or an
/// honest proposer could build one that nobody decodes.
pub(crate) fn block_caps(parameters: &Parameters) -> (usize, usize) {
    let cap = |value: u32, hard: usize| usize::try_from(value).map_or(hard, |value| value.min(hard));
    (cap(parameters.block_bytes_max, BLOCK_BYTES_MAX), cap(parameters.block_transactions_max, BLOCK_TRANSACTIONS_MAX))
}

/// Checks that there can be a block with a transaction of so many bytes in it.
pub(crate) fn check_size(parameters: &Parameters, length: usize) -> Result<(), Rejection> {
    let (block_bytes_max, _) = block_caps(parameters);
    let max = block_bytes_max.min(TRANSACTION_BYTES_MAX);
    if length > max { Err(Rejection::Oversized { length, max }) } else { Ok(()) }
}

/// Checks network, expiry, `not_before` and replay, cheapest first.
pub(crate) fn check(
    state: &impl State,
    context: Context<'_>,
    body: &Body,
    id: &TransactionId,
    position: Position,
) -> Result<(), Rejection> {
    if body.chain != context.chain {
        return Err(Rejection::WrongChain { found: body.chain, expected: context.chain });
    }
    check_expiry(context.parameters, body, position.height)?;
    let not_before = body.not_before;
    let known =
        not_before.height < position.height && context.history.hash_at(not_before.height) == Some(not_before.hash);
    if !known {
        return Err(Rejection::NotBeforeUnknown { height: not_before.height, hash: not_before.hash });
    }
    match remembered_key(body, id) {
        Some(key) if state.get(&key).is_some() => Err(Rejection::Duplicate { id: *id }),
        _ => Ok(()),
    }
}

fn check_expiry(parameters: &Parameters, body: &Body, height: Height) -> Result<(), Rejection> {
    let Some(expires) = body.expires else {
        return if body.call.is_stream_call() {
            Ok(())
        } else {
            Err(Rejection::ExpiryMissing { call: body.call.name() })
        };
    };
    if expires < height {
        return Err(Rejection::Expired { expires, height });
    }
    let not_before = body.not_before.height;
    if expires.get().saturating_sub(not_before.get()) > parameters.lifetime_max {
        return Err(Rejection::LifetimeTooLong { expires, not_before, lifetime_max: parameters.lifetime_max });
    }
    Ok(())
}

/// Where the state remembers a transaction; stream calls are protected by their place in the stream instead.
fn remembered_key(body: &Body, id: &TransactionId) -> Option<Vec<u8>> {
    if body.call.is_stream_call() {
        return None;
    }
    body.expires.map(|expires| state_key::remembered(expires, id))
}

/// Remembers a transaction that succeeded.
pub(crate) fn remember(body: &Body, id: &TransactionId, changes: &mut Changes) {
    if let Some(key) = remembered_key(body, id) {
        changes.insert(key, Some(Vec::new()));
    }
}
