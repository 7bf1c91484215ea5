//! Cairn's vocabulary: the types that every other crate speaks, and the bytes that are hashed and signed.
//!
//! This crate knows what things *are* and how they are encoded. It does not know the rules (that is `cairn-runtime`),
//! how anything is proved (`cairn-proofs`), stored, sent or shown. It is pure: no clock, no randomness, no I/O, no float,
//! no hash-map order.
//!
//! The invariant it keeps: every value has exactly one encoding. [`codec::decode`] refuses bytes that would not be
//! produced by [`codec::encode`] of the value they decode to, so a hash names a value and a value names a hash.

#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod domain;
pub mod hash;
pub mod codec;
pub mod limits;
pub mod position;
pub mod key;
pub mod name;
pub mod organization;
pub mod device;
pub mod grant;
pub mod stream;
pub mod lot;
pub mod governance;
pub mod call;
pub mod transaction;
pub mod rejection;
pub mod validators;
pub mod block;
pub mod certificate;
pub mod parameters;
pub mod record;
pub mod state_key;

pub use block::{Block, Header};
pub use call::Call;
pub use certificate::{Certificate, CertificateError};
pub use codec::{DecodeError, decode, encode};
pub use device::{DeviceStatus, Inception};
pub use grant::{Action, Actions, Grantee, Scope, Target, Window};
pub use hash::{
    BlockHash, ChainId, ContentHash, DeviceId, GrantId, Hash, KeyCommitment, LotId, OrganizationId, StreamId,
    TransactionId,
};
pub use key::{KeyError, PublicKey, SignatureBytes, SignatureError};
pub use name::{Name, NameError, Zone, ZonePath};
pub use organization::{KeySet, OrganizationInception, Principal, Role, Roles};
pub use parameters::Parameters;
pub use position::{BlockRef, Height, Position, Power, Round};
pub use record::Interval;
pub use rejection::Rejection;
pub use stream::{AttestationRef, ClaimedTime, Content, ContentForm};
pub use transaction::{Body, Signature, SignedTransaction, Transaction};
pub use validators::{Validator, ValidatorIndex, ValidatorSet, ValidatorSetError, has_quorum};
