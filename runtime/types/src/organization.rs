//! Organizations: legal parties with a name, roles and a key set of k of n; and principals, who can sign.

use std::fmt;
use std::io;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::encode;
use crate::domain;
use crate::hash::{DeviceId, Hash, KeyCommitment, OrganizationId};
use crate::key::{KeyError, PublicKey};
use crate::limits::{KEY_SET_KEYS_MAX, TITLE_BYTES_MAX};
use crate::name::Name;

/// Whoever can sign: an organization or a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Principal {
    /// An organization, with its key set.
    Organization(OrganizationId) = 0,
    /// A device, with its current key.
    Device(DeviceId) = 1,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(id) => write!(f, "organization {id}"),
            Self::Device(id) => write!(f, "device {id}"),
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an organization does in this network. Roles, not types: one party can have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Role {
    /// Has a voice in the council that governs the network.
    Council = 0,
    /// Makes devices and endorses them.
    Manufacturer = 1,
    /// Owns devices and runs them.
    Operator = 2,
    /// Reads and judges.
    Auditor = 3,
}

impl Role {
    /// All roles, in order.
    pub const ALL: [Self; 4] = [Self::Council, Self::Manufacturer, Self::Operator, Self::Auditor];

    /// The role's name in files, answers and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Council => "council",
            Self::Manufacturer => "manufacturer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of roles, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize)]
pub struct Roles(u8);

impl Roles {
    const ALL_BITS: u8 = 0b1111;

    /// Whether the set holds `role`.
    pub const fn contains(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// The roles in the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | (1 << role as u8)))
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Role::name)).finish()
    }
}

impl BorshDeserialize for Roles {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let bits = u8::deserialize_reader(reader)?;
        if bits & !Self::ALL_BITS != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown role"));
        }
        Ok(Self(bits))
    }
}

/// An organization's keys, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeySet {
    /// How many keys must sign, from 1 to the number of keys.
    pub threshold: u8,
    /// The keys, strictly ascending.
    pub keys: Vec<PublicKey>,
}

/// Why a key set may not be used. Whoever offers it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// No keys, or too many.
    #[error("{count} keys, but a key set has 1 to {max}", max = KEY_SET_KEYS_MAX)]
    Count {
        /// Keys given.
        count: usize,
    },
    /// Not sorted, or a key twice.
    #[error("keys must be strictly ascending")]
    Order,
    /// A threshold that nobody or everybody meets.
    #[error("threshold {threshold} of {count} keys")]
    Threshold {
        /// The threshold.
        threshold: u8,
        /// Keys given.
        count: usize,
    },
    /// One of the keys may not be registered.
    #[error("key {index}: {source}")]
    Key {
        /// Which key, from 0.
        index: usize,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl KeySet {
    /// A set of one key.
    pub fn single(key: PublicKey) -> Self {
        Self { threshold: 1, keys: vec![key] }
    }

    /// Checks count, order, threshold and every key.
    ///
    /// # Errors
    /// [`KeySetError`]; whoever offers the set is to blame.
    pub fn check(&self) -> Result<(), KeySetError> {
        let count = self.keys.len();
        if count == 0 || count > KEY_SET_KEYS_MAX {
            return Err(KeySetError::Count { count });
        }
        if !self.keys.is_sorted_by(|a, b| a < b) {
            return Err(KeySetError::Order);
        }
        if self.threshold == 0 || usize::from(self.threshold) > count {
            return Err(KeySetError::Threshold { threshold: self.threshold, count });
        }
        self.keys
            .iter()
            .enumerate()
            .try_for_each(|(index, key)| key.check().map_err(|source| KeySetError::Key { index, source }))
    }

    /// The commitment that is published one rotation before the set itself.
    pub fn commitment(&self) -> KeyCommitment {
        KeyCommitment::from_hash(Hash::derive(domain::KEY_SET_COMMITMENT, &encode(self)))
    }
}

/// How an organization begins; its id is the hash of this and never changes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OrganizationInception {
    /// Its short name, unique in the network: the first part of every zone's text.
    pub name: Name,
    /// Its legal name, up to 128 bytes, for people.
    pub title: String,
    /// Its first key set.
    pub keys: KeySet,
    /// Commitment to its second key set; without one, its keys never rotate.
    pub next: Option<KeyCommitment>,
    /// Keys that can recover it, kept apart from the others.
    pub recovery: Option<KeySet>,
}

impl OrganizationInception {
    /// The organization's id.
    pub fn id(&self) -> OrganizationId {
        OrganizationId::from_hash(Hash::derive(domain::ORGANIZATION, &encode(self)))
    }

    /// Whether the title is within its limit and free of control characters.
    pub fn title_is_valid(&self) -> bool {
        text_is_valid(&self.title, TITLE_BYTES_MAX)
    }
}

/// Whether `text` has at most `max` bytes and no control characters, which could forge lines in logs and terminals.
pub fn text_is_valid(text: &str, max: usize) -> bool {
    text.len() <= max && !text.chars().any(char::is_control)
}
