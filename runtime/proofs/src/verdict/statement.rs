//! The second step: the attestation itself, and its place in the ledger. That it stands in a final block is the proof that
//! two thirds of the validators checked every rule at the time; what it says is checked again where the bundle can.

use cairn_types::call::Attest;
use cairn_types::{Call, ChainId, DeviceId, Header, Position, Principal, SignedTransaction, transaction};

use super::axes::{BlockPoint, Bounds, Statement};
use super::reason::Reason;
use crate::bundle::Bundle;
use crate::checkpoint::point;

/// The attestation, as the ledger holds it.
pub(super) struct Established {
    /// The transaction.
    pub(super) transaction: SignedTransaction,
    /// Its signer.
    pub(super) device: DeviceId,
    /// Its call.
    pub(super) attest: Attest,
    /// When it was said.
    pub(super) bounds: Bounds,
    /// What the verdict shows of it.
    pub(super) public: Statement,
}

/// Checks that the transaction is an attestation and stands in its block.
pub(super) fn establish(bundle: &Bundle, genesis: &ChainId) -> Result<Established, Reason> {
    let block = bundle.block.as_ref().map_or(&bundle.finality.checkpoint, |block| &block.header);
    let position = check_inclusion(bundle, block)?;
    let transaction =
        SignedTransaction::from_bytes(bundle.transaction.clone()).map_err(Reason::TransactionMalformed)?;
    let body = transaction.body();
    let (Principal::Device(device), Call::Attest(attest)) = (body.signer, &body.call) else {
        return Err(Reason::NotAnAttestation { id: transaction.id() });
    };
    if body.chain != *genesis {
        return Err(Reason::NotAnAttestation { id: transaction.id() });
    }
    let attest = attest.clone();
    let bounds = Bounds { after: check_not_before(bundle, &transaction, block)?, before: point(block), position };
    if let Some(expires) = body.expires
        && expires < block.height
    {
        return Err(Reason::Expired { expires, height: block.height });
    }
    let public = Statement {
        id: transaction.id(),
        device,
        stream: attest.stream,
        sequence: attest.sequence,
        content: attest.content,
        claimed: attest.claimed,
    };
    Ok(Established { transaction, device, attest, bounds, public })
}

fn check_inclusion(bundle: &Bundle, block: &Header) -> Result<Position, Reason> {
    let inclusion = &bundle.inclusion;
    let leaf = transaction::leaf_of(&bundle.transaction);
    inclusion
        .proof
        .verify(&leaf, u64::from(inclusion.count), &block.tx_root)
        .map_err(|error| Reason::InclusionInvalid { height: block.height, error })?;
    let index = u32::try_from(inclusion.proof.index).expect("the index was checked to lie below a count of 32 bits");
    Ok(Position { height: block.height, index })
}

fn check_not_before(bundle: &Bundle, transaction: &SignedTransaction, block: &Header) -> Result<BlockPoint, Reason> {
    let named = transaction.body().not_before;
    let shown = point(bundle.not_before.as_ref().map_or(&bundle.finality.genesis, |block| &block.header));
    if shown.hash == named.hash && shown.height == named.height && shown.height < block.height {
        Ok(shown)
    } else {
        Err(Reason::NotBeforeMismatch { named: named.hash, shown: shown.hash })
    }
}
