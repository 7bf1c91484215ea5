//! The envelope of every call: who says it, to which network, after what, until when; and the signatures beside it.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::call::Call;
use crate::codec::{self, DecodeError, encode};
use crate::domain;
use crate::hash::{ChainId, Hash, TransactionId};
use crate::key::SignatureBytes;
use crate::limits::TRANSACTION_BYTES_MAX;
use crate::organization::Principal;
use crate::position::{BlockRef, Height};

/// A call in its envelope, with the signatures it needs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// What is signed.
    pub body: Body,
    /// Who signed it, strictly ascending by signer and key.
    pub signatures: Vec<Signature>,
}

/// What is signed: everything but the signatures.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Body {
    /// The network: on another one this is noise.
    pub chain: ChainId,
    /// In whose name.
    pub signer: Principal,
    /// A final block that the signer had seen: it was said after this.
    pub not_before: BlockRef,
    /// The last height at which it may be included. Stream calls may leave it out: their place protects them.
    pub expires: Option<Height>,
    /// What to do.
    pub call: Call,
}

/// One key's signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signature {
    /// Whose key.
    pub signer: Principal,
    /// Which key of an organization's open key set, from 0; 0 for a device.
    pub key: u8,
    /// The signature over [`signed_message`] of the transaction's id.
    pub bytes: SignatureBytes,
}

impl Body {
    /// The transaction's id. Signatures are not in it.
    pub fn id(&self) -> TransactionId {
        TransactionId::from_hash(Hash::derive(domain::TRANSACTION, &encode(self)))
    }
}

/// The bytes that a principal signs to agree to transaction `id`: the domain's prefix and the 32 bytes of the id.
pub fn signed_message(id: &TransactionId) -> Vec<u8> {
    [domain::SIGN_TRANSACTION.prefix().as_bytes(), id.as_bytes()].concat()
}

/// A transaction together with the very bytes it came in and its id, so that nothing is encoded or hashed twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    transaction: Transaction,
    bytes: Vec<u8>,
    id: TransactionId,
}

impl SignedTransaction {
    /// Encodes and names a transaction.
    pub fn new(transaction: Transaction) -> Self {
        let bytes = encode(&transaction);
        let id = transaction.body.id();
        Self { transaction, bytes, id }
    }

    /// Decodes a transaction from bytes that anybody may have sent.
    ///
    /// # Errors
    /// [`DecodeError`]; whoever sent the bytes is to blame.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let transaction: Transaction = codec::decode(&bytes, TRANSACTION_BYTES_MAX)?;
        let id = transaction.body.id();
        Ok(Self { transaction, bytes, id })
    }

    /// The transaction.
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// What was signed.
    pub const fn body(&self) -> &Body {
        &self.transaction.body
    }

    /// The encoding, signatures included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The id.
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// The item that stands for this transaction, signatures included, in its block's accumulator.
    pub fn leaf(&self) -> Hash {
        leaf_of(&self.bytes)
    }
}

/// The item that stands for a signed transaction of these bytes in its block's accumulator.
pub fn leaf_of(signed_bytes: &[u8]) -> Hash {
    Hash::derive(domain::SIGNED_TRANSACTION, signed_bytes)
}

/// The byte strings of a batch of encoded transactions, as gossip and `POST /tx` carry it: the encoding of a list of at most
/// `max` byte strings. What they hold is not looked at, and nothing is copied.
///
/// # Errors
/// [`DecodeError`]; whoever sent the batch is to blame.
pub fn split_batch(batch: &[u8], max: usize) -> Result<Vec<&[u8]>, DecodeError> {
    let malformed = |reason: &str| DecodeError::Malformed { reason: reason.to_owned() };
    let length = |bytes: &mut &[u8]| {
        let (first, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| malformed("a length is cut off"))?;
        *bytes = rest;
        usize::try_from(u32::from_le_bytes(*first)).map_err(|_| malformed("a length that this machine cannot count"))
    };
    let mut rest = batch;
    let count = length(&mut rest)?;
    if count > max {
        return Err(DecodeError::Malformed { reason: format!("{count} transactions, but at most {max} are allowed") });
    }
    // Each takes four bytes at least, so what is allocated is bounded by what came.
    let mut transactions = Vec::with_capacity(count.min(rest.len() / 4));
    for _ in 0..count {
        let length = length(&mut rest)?;
        let (transaction, after) =
            rest.split_at_checked(length).ok_or_else(|| malformed("a transaction is cut off"))?;
        transactions.push(transaction);
        rest = after;
    }
    if rest.is_empty() { Ok(transactions) } else { Err(malformed("something follows the last transaction")) }
}

#[cfg(test)]
mod tests {
    use super::split_batch;
    use crate::codec::{decode, encode};

    #[test]
    fn a_batch_is_split_exactly_where_the_decoder_of_lists_splits_it() {
        let batches: [Vec<Vec<u8>>; 4] = [vec![], vec![vec![]], vec![vec![1, 2, 3], vec![]], vec![vec![7; 300]; 5]];
        for batch in &batches {
            let encoded = encode(batch);
            assert_eq!(split_batch(&encoded, 5), Ok(batch.iter().map(Vec::as_slice).collect()));
            for end in 0..encoded.len() {
                assert!(split_batch(&encoded[..end], 5).is_err(), "cut at {end}");
            }
            for at in 0..encoded.len() {
                let mut changed = encoded.clone();
                changed[at] ^= 1;
                let decoded = decode::<Vec<Vec<u8>>>(&changed, changed.len()).ok().filter(|list| list.len() <= 5);
                let split = split_batch(&changed, 5).ok();
                assert_eq!(
                    split,
                    decoded.as_ref().map(|list| list.iter().map(Vec::as_slice).collect()),
                    "changed at {at}"
                );
            }
            assert!(split_batch(&[encoded, vec![0]].concat(), 5).is_err());
        }
        assert!(split_batch(&encode(&vec![Vec::<u8>::new(); 6]), 5).is_err());
        assert!(split_batch(&[0xff; 4], usize::MAX).is_err(), "nothing is allocated for what did not come");
    }
}
