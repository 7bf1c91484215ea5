//! The first step, after the checkpoint itself: the past blocks that the bundle names lie in the checkpoint's history, and
//! one of its blocks is the one that the auditor trusts.

use cairn_types::{BlockHash, BlockRef, ChainId, Hash, Header};

use super::axes::TrustedStanding;
use super::reason::{PastBlockName, Reason};
use crate::accumulator::InclusionProof;
use crate::bundle::{Anchor, Bundle, PastBlock};
use crate::checkpoint::belongs;

/// Checks the past blocks and the anchor.
pub(super) fn establish(bundle: &Bundle, genesis: &ChainId) -> Result<(), Reason> {
    let checkpoint = &bundle.finality.checkpoint;
    let past = [(PastBlockName::Attestation, &bundle.block), (PastBlockName::NotBefore, &bundle.not_before)];
    for (name, block) in past {
        if let Some(block) = block {
            check_past_block(name, block, checkpoint, genesis)?;
        }
    }
    check_anchor(bundle.anchor.as_ref(), checkpoint)
}

/// Checks an anchor, if there is one.
pub(crate) fn check_anchor(anchor: Option<&Anchor>, checkpoint: &Header) -> Result<(), Reason> {
    match anchor {
        Some(Anchor { hash, history }) => check_history(PastBlockName::Anchor, hash, history, checkpoint),
        None => Ok(()),
    }
}

fn check_past_block(
    name: PastBlockName,
    block: &PastBlock,
    checkpoint: &Header,
    genesis: &ChainId,
) -> Result<(), Reason> {
    if !belongs(&block.header, genesis) || block.history.index != block.header.height.get() {
        return Err(Reason::PastBlockMalformed { block: name });
    }
    check_history(name, &block.header.hash(), &block.history, checkpoint)
}

fn check_history(
    name: PastBlockName,
    hash: &BlockHash,
    proof: &InclusionProof,
    checkpoint: &Header,
) -> Result<(), Reason> {
    let item: Hash = hash.hash();
    proof
        .verify(&item, checkpoint.height.get(), &checkpoint.history_root)
        .map_err(|error| Reason::HistoryInvalid { block: name, error })
}

/// Heights and hashes of the blocks that the bundle proves.
pub(super) fn proven(bundle: &Bundle) -> impl Iterator<Item = (u64, BlockHash)> {
    let headers = [Some(&bundle.finality.genesis), Some(&bundle.finality.checkpoint)];
    let past = [&bundle.block, &bundle.not_before].map(|block| block.as_ref().map(|block| &block.header));
    let anchor = bundle.anchor.as_ref().map(|anchor| (anchor.history.index, anchor.hash));
    let headers = headers.into_iter().chain(past).flatten();
    headers.map(|header| (header.height.get(), header.hash())).chain(anchor)
}

/// Whether the block that the auditor trusts is among those that a file proves.
pub(crate) fn connect(
    mut proven: impl Iterator<Item = (u64, BlockHash)>,
    trusted: Option<&BlockRef>,
) -> (TrustedStanding, Option<Reason>) {
    let Some(trusted) = trusted else {
        return (TrustedStanding::NotAsked, None);
    };
    match proven.find(|(height, _)| *height == trusted.height.get()) {
        Some((_, hash)) if hash == trusted.hash => (TrustedStanding::Connected, None),
        Some((_, found)) => (
            TrustedStanding::Conflict,
            Some(Reason::TrustedConflict { height: trusted.height, found, trusted: trusted.hash }),
        ),
        None => (TrustedStanding::Unconnected, Some(Reason::TrustedUnconnected { height: trusted.height })),
    }
}
