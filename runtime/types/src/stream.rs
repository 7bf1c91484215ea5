//! Streams and what stands in them.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::encode;
use crate::domain;
use crate::hash::{ContentHash, DeviceId, Hash, StreamId};
use crate::name::Name;

impl StreamId {
    /// The id of `device`'s stream called `name`.
    pub fn of(device: &DeviceId, name: &Name) -> Self {
        Self::from_hash(Hash::derive(domain::STREAM, &encode(&(device, name))))
    }
}

/// How a content hash is made from content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum ContentForm {
    /// BLAKE3 of the content: what `b3sum` prints.
    Plain = 0,
    /// BLAKE3, in a domain of its own, of a 32-byte salt and the content: whoever destroys the salt erases the content.
    Salted = 1,
}

impl ContentForm {
    /// The form's name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Salted => "salted",
        }
    }
}

/// Data that stays off the ledger, as the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Content {
    /// How `hash` was made.
    pub form: ContentForm,
    /// The hash.
    pub hash: ContentHash,
    /// Length of the content in bytes, without the salt.
    pub bytes: u64,
    /// How many readings the content holds, as the device counts them.
    pub readings: u64,
}

impl ContentHash {
    /// The hash of content that anyone may check.
    pub fn plain(content: &[u8]) -> Self {
        Self::from_hash(Hash::plain(content))
    }

    /// The hash of content that only holders of the salt can check.
    pub fn salted(salt: &[u8; 32], content: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(domain::SALTED_CONTENT.context());
        hasher.update(salt).update(content);
        Self::from_hash(Hash::from_bytes(*hasher.finalize().as_bytes()))
    }
}

/// When the content was measured, by the device's own clock: kept as a claim, read by no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ClaimedTime {
    /// First instant, in milliseconds since 1970-01-01T00:00:00Z.
    pub from_ms: i64,
    /// Last instant, likewise; not before the first.
    pub to_ms: i64,
}

/// Names an attestation by its place: the ledger has exactly one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct AttestationRef {
    /// The stream.
    pub stream: StreamId,
    /// The place in it, from 0.
    pub sequence: u64,
}

impl fmt::Display for AttestationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.stream, self.sequence)
    }
}
