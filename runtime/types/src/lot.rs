//! Lots: how a manufacturer vouches for devices, a million at a time or one by one, and how a device claims that word.
//!
//! A lot is either a Merkle root over what the manufacturer knows of each device, which stays private until the device is
//! claimed, or a key under which the manufacturer issues certificates (IEEE 802.1AR, Matter DAC). The endorsement is a
//! fact and stays; trust in it is an interval and may end.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::encode;
use crate::domain;
use crate::hash::{DeviceId, Hash, LotId};
use crate::key::{PublicKey, SignatureBytes};
use crate::limits::SERIAL_BYTES_MAX;
use crate::organization::text_is_valid;

/// By what a lot's devices are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum LotBasis {
    /// By their places under a root.
    Merkle {
        /// Root of the accumulator over [`LotLeaf::item`] of each device.
        root: Hash,
        /// How many devices, at least 1.
        count: u32,
    } = 0,
    /// By X.509 certificates that lead up to this key.
    Issuer {
        /// The key that signs the topmost certificate of each chain.
        key: PublicKey,
    } = 1,
}

impl LotBasis {
    /// The kind's name in answers and commands.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Merkle { .. } => "merkle",
            Self::Issuer { .. } => "issuer",
        }
    }
}

/// What a manufacturer knows of one device of a lot.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LotLeaf {
    /// The device, if its first keys were made in the factory; `None` lets whoever first shows serial and salt claim it.
    pub device: Option<DeviceId>,
    /// Its serial number: 1 to 64 bytes, no control characters.
    pub serial: String,
    /// 32 random bytes, so that nobody finds a serial number by trying.
    pub salt: [u8; 32],
}

impl LotLeaf {
    /// The item that stands for it in the lot's accumulator.
    pub fn item(&self) -> Hash {
        Hash::derive(domain::LOT_LEAF, &encode(self))
    }
}

/// A manufacturer's word for a device.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Endorsement {
    /// Its place in a lot.
    Lot(LotEndorsement) = 0,
    /// Its certificates.
    Certificate(CertificateEndorsement) = 1,
}

impl Endorsement {
    /// The lot that it appeals to.
    pub const fn lot(&self) -> LotId {
        match self {
            Self::Lot(endorsement) => endorsement.lot,
            Self::Certificate(endorsement) => endorsement.lot,
        }
    }
}

/// See [`Endorsement::Lot`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LotEndorsement {
    /// The lot.
    pub lot: LotId,
    /// Whether the leaf names this device.
    pub bound: bool,
    /// The leaf's serial number.
    pub serial: String,
    /// The leaf's salt.
    pub salt: [u8; 32],
    /// The leaf's place, from 0.
    pub index: u32,
    /// Its inclusion proof, from the leaf upwards.
    pub siblings: Vec<Hash>,
}

impl LotEndorsement {
    /// The leaf that `device` claims.
    pub fn leaf(&self, device: DeviceId) -> LotLeaf {
        LotLeaf { device: self.bound.then_some(device), serial: self.serial.clone(), salt: self.salt }
    }
}

/// See [`Endorsement::Certificate`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CertificateEndorsement {
    /// The lot whose key issued the topmost certificate.
    pub lot: LotId,
    /// X.509 certificates in DER, the device's own first, each signed by the next.
    pub chain: Vec<Vec<u8>>,
    /// The certified key's signature over [`endorsement_message`] of the device; `None` exactly if the certified key is
    /// the device's first key.
    pub signature: Option<SignatureBytes>,
}

/// The bytes that a certified key signs to say that `device` is what its certificate describes: the domain's prefix and
/// the 32 bytes of the id.
pub fn endorsement_message(device: &DeviceId) -> Vec<u8> {
    [domain::SIGN_ENDORSEMENT.prefix().as_bytes(), device.as_bytes()].concat()
}

/// Whether a serial number is not empty, within its limit and free of control characters.
pub fn serial_is_valid(serial: &str) -> bool {
    !serial.is_empty() && text_is_valid(serial, SERIAL_BYTES_MAX)
}
