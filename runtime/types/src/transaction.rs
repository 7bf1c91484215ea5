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
