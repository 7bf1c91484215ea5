//! A checkpoint and the way to it: from the genesis hash to a block that more than two thirds of the right validators
//! signed.
//!
//! Every file that an auditor checks offline begins with this: a bundle, or a list with its proof. Whoever holds the
//! checkpoint's `state_root` and `history_root` for true can check everything else against them.
//!
//! It does not know what the file is about, and it asks nobody: the auditor supplies the genesis hash.
//!
//! The invariant: no step can be left out. Each header names the validators who decide it, so a set that changed without
//! a certificate of the set before it is noticed.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::block::HEADER_VERSION;
use cairn_types::{Certificate, ChainId, Header, Height, ValidatorSet};

use crate::verdict::{BlockPoint, Finality, Freshness, FreshnessStanding, Reason, Signer, TrustedStanding};

/// A checkpoint, and why it is one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CheckpointProof {
    /// The header of block 0. Its hash is the chain id.
    pub genesis: Header,
    /// The validators of block 1, whose root is the genesis header's `next_validators_root`.
    pub validators: ValidatorSet,
    /// Every change of the validators before the checkpoint, ascending.
    pub changes: Vec<ValidatorChange>,
    /// The header of the checkpoint.
    pub checkpoint: Header,
    /// Its certificate.
    pub certificate: Certificate,
}

/// A change of the validators, certified by those who decided until then.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ValidatorChange {
    /// The last block that the old set decides; its `next_validators_root` is the new set's.
    pub header: Header,
    /// The old set's certificate for it.
    pub certificate: Certificate,
    /// The new set.
    pub validators: ValidatorSet,
}

/// Checks genesis, validators, their changes and the checkpoint: steps A2 to A5 of the specification. Freshness and
/// trusted block are not asked for here; see [`freshness`].
///
/// # Errors
/// The first [`Reason`] for which it is none; whoever made the file is to blame.
pub fn establish(proof: &CheckpointProof, genesis: &ChainId) -> Result<Finality, Reason> {
    check_genesis(&proof.genesis, genesis)?;
    let validators = validators_at_checkpoint(proof, genesis)?;
    certified(&proof.checkpoint, &proof.certificate, genesis, validators)?;
    let signers = proof.certificate.signatures.iter().filter_map(|signature| {
        let member = validators.get(signature.validator)?;
        Some(Signer { validator: signature.validator, power: member.power, organization: member.organization })
    });
    Ok(Finality {
        checkpoint: point(&proof.checkpoint),
        round: proof.certificate.round,
        signers: signers.collect(),
        validators: validators.len(),
        total_power: validators.total_power(),
        changes: proof.changes.len(),
        freshness: FreshnessStanding::NotAsked,
        trusted: TrustedStanding::NotAsked,
    })
}

/// Whether the checkpoint is recent enough for the auditor: step A8.
pub fn freshness(checkpoint: &Header, asked: Option<&Freshness>) -> (FreshnessStanding, Option<Reason>) {
    let Some(Freshness { now_ms, age_max_ms }) = asked.copied() else {
        return (FreshnessStanding::NotAsked, None);
    };
    let age_ms = now_ms.saturating_sub(checkpoint.time_ms);
    let ahead_ms = checkpoint.time_ms.saturating_sub(now_ms);
    if ahead_ms > age_max_ms {
        return (FreshnessStanding::Unknown { ahead_ms }, Some(Reason::CheckpointAhead { ahead_ms }));
    }
    if age_ms > age_max_ms {
        return (FreshnessStanding::Stale { age_ms }, Some(Reason::CheckpointStale { age_ms, age_max_ms }));
    }
    (FreshnessStanding::Fresh { age_ms }, None)
}

/// What names a block, and its time.
pub(crate) fn point(header: &Header) -> BlockPoint {
    BlockPoint { height: header.height, hash: header.hash(), time_ms: header.time_ms }
}

/// Whether a header other than that of block 0 is one of this network and version.
pub(crate) fn belongs(header: &Header, genesis: &ChainId) -> bool {
    header.version == HEADER_VERSION && header.chain == *genesis && header.height != Height::GENESIS
}

fn check_genesis(header: &Header, genesis: &ChainId) -> Result<(), Reason> {
    if header.version != HEADER_VERSION || header.height != Height::GENESIS || header.chain != ChainId::NONE {
        return Err(Reason::GenesisMalformed);
    }
    let found = header.chain_id();
    if found == *genesis { Ok(()) } else { Err(Reason::WrongNetwork { found, expected: *genesis }) }
}

/// The validators who decide the checkpoint: those of the genesis, changed step by step, each change certified by the set
/// before it.
fn validators_at_checkpoint<'a>(proof: &'a CheckpointProof, genesis: &ChainId) -> Result<&'a ValidatorSet, Reason> {
    let mut validators = &proof.validators;
    let (found, expected) = (validators.root(), proof.genesis.next_validators_root);
    if found != expected {
        return Err(Reason::ValidatorsNotGenesis { found, expected });
    }
    check_set(validators, 0)?;
    let mut height = proof.genesis.height;
    for (index, change) in proof.changes.iter().enumerate() {
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
    if proof.checkpoint.height <= height {
        return Err(Reason::HeaderMalformed { height: proof.checkpoint.height });
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
