//! The first step: from the genesis hash to a checkpoint that more than two thirds of the right validators signed.

use cairn_types::block::HEADER_VERSION;
use cairn_types::{BlockHash, BlockRef, Certificate, ChainId, Hash, Header, Height, ValidatorSet};

use super::axes::{BlockPoint, Finality, FreshnessStanding, Signer, TrustedStanding};
use super::expectations::Freshness;
use super::reason::{PastBlockName, Reason};
use crate::accumulator::InclusionProof;
use crate::bundle::{Anchor, Bundle, PastBlock, ValidatorChange};

/// Checks genesis, validators, their changes and the checkpoint, and what lies in the checkpoint's history.
pub(super) fn establish(bundle: &Bundle, genesis: &ChainId) -> Result<Finality, Reason> {
    check_genesis(&bundle.genesis, genesis)?;
    let validators = validators_at_checkpoint(bundle, genesis)?;
    let checkpoint = &bundle.checkpoint;
    certified(checkpoint, &bundle.certificate, genesis, validators)?;
    let past = [(PastBlockName::Attestation, &bundle.block), (PastBlockName::NotBefore, &bundle.not_before)];
    for (name, block) in past {
        if let Some(block) = block {
            check_past_block(name, block, bundle, genesis)?;
        }
    }
    if let Some(Anchor { hash, history }) = &bundle.anchor {
        check_history(PastBlockName::Anchor, hash, history, checkpoint)?;
    }
    let signers = bundle.certificate.signatures.iter().filter_map(|signature| {
        let member = validators.get(signature.validator)?;
        Some(Signer { validator: signature.validator, power: member.power, organization: member.organization })
    });
    Ok(Finality {
        checkpoint: point(checkpoint),
        round: bundle.certificate.round,
        signers: signers.collect(),
        validators: validators.len(),
        total_power: validators.total_power(),
        changes: bundle.changes.len(),
        freshness: FreshnessStanding::NotAsked,
        trusted: TrustedStanding::NotAsked,
    })
}

/// What names a block, and its time.
pub(super) fn point(header: &Header) -> BlockPoint {
    BlockPoint { height: header.height, hash: header.hash(), time_ms: header.time_ms }
}

fn check_genesis(header: &Header, genesis: &ChainId) -> Result<(), Reason> {
    if header.version != HEADER_VERSION || header.height != Height::GENESIS || header.chain != ChainId::NONE {
        return Err(Reason::GenesisMalformed);
    }
    let found = header.chain_id();
    if found == *genesis { Ok(()) } else { Err(Reason::WrongNetwork { found, expected: *genesis }) }
}

/// The validators who decide the checkpoint: those of the genesis, changed step by step, each change certified by the set
/// before it. No step can be left out, because each header names the set that decides it.
fn validators_at_checkpoint<'a>(bundle: &'a Bundle, genesis: &ChainId) -> Result<&'a ValidatorSet, Reason> {
    let mut validators = &bundle.validators;
    let (found, expected) = (validators.root(), bundle.genesis.next_validators_root);
    if found != expected {
        return Err(Reason::ValidatorsNotGenesis { found, expected });
    }
    check_set(validators, 0)?;
    let mut height = bundle.genesis.height;
    for (index, change) in bundle.changes.iter().enumerate() {
        let ValidatorChange { header, certificate, validators: next } = change;
        if header.height <= height {
            return Err(Reason::HeaderMalformed { height: header.height });
        }
        height = header.height;
        certified(header, certificate, genesis, validators)?;
        let (found, expected) = (next.root(), header.next_validators_root);
        // A step that changes nothing could be added or dropped at will.
        if found != expected || found == header.validators_root {
            return Err(Reason::ValidatorsMismatch { height, found, expected });
        }
        check_set(next, index.saturating_add(1))?;
        validators = next;
    }
    if bundle.checkpoint.height <= height {
        return Err(Reason::HeaderMalformed { height: bundle.checkpoint.height });
    }
    Ok(validators)
}

fn check_set(validators: &ValidatorSet, changes: usize) -> Result<(), Reason> {
    validators.check().map_err(|error| Reason::ValidatorsMalformed { changes, error })
}

/// Whether `validators` are those who decide this header, and did.
fn certified(
    header: &Header,
    certificate: &Certificate,
    genesis: &ChainId,
    validators: &ValidatorSet,
) -> Result<(), Reason> {
    let height = header.height;
    if !belongs(header, genesis) {
        return Err(Reason::HeaderMalformed { height });
    }
    let expected = validators.root();
    if header.validators_root != expected {
        return Err(Reason::ValidatorsMismatch { height, found: header.validators_root, expected });
    }
    certificate
        .verify(genesis, height, &header.hash(), validators)
        .map_err(|error| Reason::CertificateInvalid { height, error })
}

/// Whether a header other than that of block 0 is one of this network and version.
fn belongs(header: &Header, genesis: &ChainId) -> bool {
    header.version == HEADER_VERSION && header.chain == *genesis && header.height != Height::GENESIS
}

fn check_past_block(name: PastBlockName, block: &PastBlock, bundle: &Bundle, genesis: &ChainId) -> Result<(), Reason> {
    if !belongs(&block.header, genesis) || block.history.index != block.header.height.get() {
        return Err(Reason::PastBlockMalformed { block: name });
    }
    check_history(name, &block.header.hash(), &block.history, &bundle.checkpoint)
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

/// Whether the block that the auditor trusts is among those that the bundle proves.
pub(super) fn connect(bundle: &Bundle, trusted: Option<&BlockRef>) -> (TrustedStanding, Option<Reason>) {
    let Some(trusted) = trusted else {
        return (TrustedStanding::NotAsked, None);
    };
    let headers = [Some(&bundle.genesis), Some(&bundle.checkpoint)];
    let past = [&bundle.block, &bundle.not_before].map(|block| block.as_ref().map(|block| &block.header));
    let anchor = bundle.anchor.as_ref().map(|anchor| (anchor.history.index, anchor.hash));
    let proven = headers.into_iter().chain(past).flatten().map(|header| (header.height.get(), header.hash()));
    match proven.chain(anchor).find(|(height, _)| *height == trusted.height.get()) {
        Some((_, hash)) if hash == trusted.hash => (TrustedStanding::Connected, None),
        Some((_, found)) => (
            TrustedStanding::Conflict,
            Some(Reason::TrustedConflict { height: trusted.height, found, trusted: trusted.hash }),
        ),
        None => (TrustedStanding::Unconnected, Some(Reason::TrustedUnconnected { height: trusted.height })),
    }
}

/// Whether the checkpoint is recent enough for the auditor.
pub(super) fn freshness(bundle: &Bundle, asked: Option<&Freshness>) -> (FreshnessStanding, Option<Reason>) {
    let Some(Freshness { now_ms, age_max_ms }) = asked.copied() else {
        return (FreshnessStanding::NotAsked, None);
    };
    let age_ms = now_ms.saturating_sub(bundle.checkpoint.time_ms);
    let ahead_ms = bundle.checkpoint.time_ms.saturating_sub(now_ms);
    if ahead_ms > age_max_ms {
        return (FreshnessStanding::Unknown { ahead_ms }, Some(Reason::CheckpointAhead { ahead_ms }));
    }
    if age_ms > age_max_ms {
        return (FreshnessStanding::Stale { age_ms }, Some(Reason::CheckpointStale { age_ms, age_max_ms }));
    }
    (FreshnessStanding::Fresh { age_ms }, None)
}
