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

/// A transaction together with the very bytes it came in, its id and its leaf, so that nothing is encoded or hashed twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    transaction: Transaction,
    bytes: Vec<u8>,
    id: TransactionId,
    leaf: Hash,
}

impl SignedTransaction {
    /// Encodes and names a transaction.
    pub fn new(transaction: Transaction) -> Self {
        let bytes = encode(&transaction);
        let (id, leaf) = (transaction.body.id(), leaf_of(&bytes));
        Self { transaction, bytes, id, leaf }
    }

    /// Decodes a transaction from bytes that anybody may have sent.
    ///
    /// # Errors
    /// [`DecodeError`]; whoever sent the bytes is to blame.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        if bytes.len() > TRANSACTION_BYTES_MAX {
            return Err(DecodeError::TooLong { length: bytes.len(), max: TRANSACTION_BYTES_MAX });
        }
        // Part by part, so that the id is the hash of the body's bytes as they came.
        let mut rest = bytes.as_slice();
        let body: Body = codec::decode_next(&mut rest)?;
        let body_bytes = bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default();
        let id = TransactionId::from_hash(Hash::derive(domain::TRANSACTION, body_bytes));
        let signatures = codec::decode_next(&mut rest)?;
        if !rest.is_empty() {
            return Err(DecodeError::Malformed { reason: "something follows the signatures".to_owned() });
        }
        let leaf = leaf_of(&bytes);
        Ok(Self { transaction: Transaction { body, signatures }, bytes, id, leaf })
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
    pub const fn leaf(&self) -> Hash {
        self.leaf
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
    use super::{Body, Signature, SignedTransaction, Transaction, leaf_of, split_batch};
    use crate::call::{Call, CloseStream};
    use crate::codec::{decode, encode};
    use crate::hash::{BlockHash, ChainId, DeviceId, Hash, StreamId};
    use crate::key::SignatureBytes;
    use crate::organization::Principal;
    use crate::position::{BlockRef, Height};

    #[test]
    fn what_comes_as_bytes_is_what_was_encoded_and_nothing_else_is() {
        let signer = Principal::Device(DeviceId::from_hash(Hash::plain(b"device")));
        let body = Body {
            chain: ChainId::from_hash(Hash::plain(b"chain")),
            signer,
            not_before: BlockRef { height: Height::new(7), hash: BlockHash::from_hash(Hash::ZERO) },
            expires: None,
            call: Call::CloseStream(CloseStream { stream: StreamId::from_hash(Hash::plain(b"stream")) }),
        };
        let signature = Signature { signer, key: 0, bytes: SignatureBytes::Ed25519([7; 64]) };
        for count in 0..3 {
            let transaction = Transaction { body: body.clone(), signatures: vec![signature.clone(); count] };
            let made = SignedTransaction::new(transaction);
            let bytes = made.bytes().to_vec();
            assert_eq!(SignedTransaction::from_bytes(bytes.clone()).as_ref(), Ok(&made));
            assert_eq!((made.id(), made.leaf()), (body.id(), leaf_of(&bytes)));
            // Wherever the one decoder of values refuses, so does this one.
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 0x41;
                let decoded = decode::<Transaction>(&changed, changed.len()).ok();
                assert_eq!(SignedTransaction::from_bytes(changed).ok(), decoded.map(SignedTransaction::new), "at {at}");
                assert!(SignedTransaction::from_bytes(bytes[..at].to_vec()).is_err(), "cut at {at}");
            }
            assert!(SignedTransaction::from_bytes([bytes, vec![0]].concat()).is_err());
        }
    }

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
