//! A 32-byte BLAKE3 hash, and the identifiers that are one.
//!
//! Each identifier is a type of its own, so that a device can never be passed where a grant is meant. The text form is
//! 64 lowercase hexadecimal digits, and only that: an uppercase digit is an error, or one id would have many spellings.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::domain::{self, HashDomain};

/// Bytes in a hash.
pub const HASH_BYTES: usize = 32;

/// A BLAKE3-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Hash([u8; HASH_BYTES]);

impl Hash {
    /// 32 zero bytes: "no hash", never the hash of anything that was found.
    pub const ZERO: Self = Self([0; HASH_BYTES]);

    /// Wraps 32 bytes.
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Hashes `bytes` in a domain of Cairn's own.
    pub fn derive(domain: HashDomain, bytes: &[u8]) -> Self {
        Self(blake3::derive_key(domain.context(), bytes))
    }

    /// Plain BLAKE3-256 of `bytes`, the same that `b3sum` prints.
    pub fn plain(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a hash or an identifier. The user who typed it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHashError {
    /// Not 64 characters.
    #[error("expected 64 lowercase hexadecimal digits, got {length} characters")]
    Length {
        /// Characters found.
        length: usize,
    },
    /// A character that is not one of `0-9a-f`.
    #[error("character {at} is {found:?}, not one of 0-9 a-f")]
    Digit {
        /// Zero-based place in the text.
        at: usize,
        /// The character there.
        found: char,
    },
}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((at, found)) = text.chars().enumerate().find(|(_, c)| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(ParseHashError::Digit { at, found });
        }
        let mut bytes = [0; HASH_BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseHashError::Length { length: text.len() })?;
        Ok(Self(bytes))
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
        pub struct $name(Hash);

        impl $name {
            /// Wraps a hash that is known to be one of these.
            pub const fn from_hash(hash: Hash) -> Self {
                Self(hash)
            }

            /// The hash itself.
            pub const fn hash(&self) -> Hash {
                self.0
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseHashError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

identifier! {
    /// The hash of block 0: which network a transaction, a vote or a bundle belongs to.
    ChainId
}
identifier! {
    /// The hash of a block header.
    BlockHash
}
identifier! {
    /// The hash of a transaction's body; signatures are not in it.
    TransactionId
}
identifier! {
    /// The hash of an organization's inception.
    OrganizationId
}
identifier! {
    /// The hash of a device's inception. It never changes; the device's keys do.
    DeviceId
}
identifier! {
    /// Names a grant: a hash of the transaction that made it.
    GrantId
}
identifier! {
    /// Names a stream: a hash of its device and its name.
    StreamId
}
identifier! {
    /// Names a lot: a hash of the transaction that endorsed it.
    LotId
}
identifier! {
    /// A commitment to a key or a key set that is not shown yet.
    KeyCommitment
}
identifier! {
    /// The hash of attested content.
    ContentHash
}

impl ChainId {
    /// What block 0 carries in the place of the chain id, which is its own hash.
    pub const NONE: Self = Self(Hash::ZERO);

    /// The hash of block 0, seen as a block hash.
    pub const fn genesis_hash(&self) -> BlockHash {
        BlockHash(self.0)
    }
}

impl GrantId {
    /// The id of the grant that transaction `id` makes.
    pub fn of(id: &TransactionId) -> Self {
        Self(Hash::derive(domain::GRANT, id.as_bytes()))
    }
}

impl LotId {
    /// The id of the lot that transaction `id` endorses.
    pub fn of(id: &TransactionId) -> Self {
        Self(Hash::derive(domain::LOT, id.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Hash, ParseHashError};

    #[test]
    fn one_spelling_only() {
        let hash = Hash::plain(b"cairn");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!(matches!(hash.to_string().to_uppercase().parse::<Hash>(), Err(ParseHashError::Digit { .. })));
        assert_eq!("ab".parse::<Hash>(), Err(ParseHashError::Length { length: 2 }));
        assert!(format!("0x{hash}").parse::<Hash>().is_err());
    }
}
