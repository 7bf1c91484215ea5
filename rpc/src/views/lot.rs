//! Lots: what manufacturers vouch for, and what devices have claimed of it.

use cairn_types::lot::{Endorsement, LotBasis};
use cairn_types::record::{EndorsementRecord, LotRecord};
use cairn_types::{DeviceId, Hash, Interval, LotId, OrganizationId, PublicKey, SignatureBytes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::PositionView;
use super::text::{Hex, Text};

/// By what a lot's devices are known, named by `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum LotBasisView {
    /// By their places under a root.
    Merkle {
        /// Root of the accumulator over the lot's leaves.
        root: Text<Hash>,
        /// How many devices the lot has.
        count: u32,
    },
    /// By certificates that lead up to a key.
    Issuer {
        /// The key.
        key: Text<PublicKey>,
    },
}

impl From<LotBasis> for LotBasisView {
    fn from(basis: LotBasis) -> Self {
        match basis {
            LotBasis::Merkle { root, count } => Self::Merkle { root: Text(root), count },
            LotBasis::Issuer { key } => Self::Issuer { key: Text(key) },
        }
    }
}

/// A lot. It is trusted from its endorsement until its manufacturer ends that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LotView {
    /// Its id.
    pub id: Text<LotId>,
    /// Who vouches.
    pub manufacturer: Text<OrganizationId>,
    /// By what its devices are known.
    pub basis: LotBasisView,
    /// What they are, as their maker calls it.
    pub label: String,
    /// Where it was endorsed.
    pub from: PositionView,
    /// Where trust in it ended; absent while it is trusted.
    pub to: Option<PositionView>,
    /// From when on registrations that appeal to it are in doubt.
    pub suspect_since: Option<PositionView>,
}

impl LotView {
    /// The lot of this record.
    pub fn new(id: LotId, interval: Interval<LotRecord>) -> Self {
        Self {
            id: Text(id),
            manufacturer: Text(interval.value.manufacturer),
            basis: interval.value.basis.into(),
            label: interval.value.label,
            from: interval.from.into(),
            to: interval.to.map(Into::into),
            suspect_since: interval.suspect_since.map(Into::into),
        }
    }
}

/// A lot, and how much of it was claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LotAnswer {
    /// The lot.
    #[serde(flatten)]
    pub lot: LotView,
    /// How many devices have claimed a place, counted up to 10,000.
    pub claimed: u32,
}

/// A place of a lot that a device has claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LotClaimView {
    /// What was claimed: the item of a leaf, or the commitment of a certified key.
    pub claim: Text<Hash>,
    /// By which device.
    pub device: Text<DeviceId>,
    /// The device's serial number, private until then.
    pub serial: String,
    /// Where the device was registered.
    pub registered: PositionView,
}

/// That a manufacturer vouched for a device, and whether its word still stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndorsementView {
    /// The lot.
    pub lot: Text<LotId>,
    /// Whose lot it is.
    pub manufacturer: Text<OrganizationId>,
    /// The device's serial number.
    pub serial: String,
    /// Whether the lot is trusted still.
    pub trusted: bool,
    /// Where trust in the lot ended.
    pub distrusted: Option<PositionView>,
    /// From when on registrations that appeal to the lot are in doubt.
    pub suspect_since: Option<PositionView>,
}

impl EndorsementView {
    /// The endorsement of this record, of a lot that stands so.
    pub fn new(record: EndorsementRecord, lot: &Interval<LotRecord>) -> Self {
        Self {
            lot: Text(record.lot),
            manufacturer: Text(record.manufacturer),
            serial: record.serial,
            trusted: lot.is_open(),
            distrusted: lot.to.map(Into::into),
            suspect_since: lot.suspect_since.map(Into::into),
        }
    }
}

/// How a registration shows that its device was endorsed, named by `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum EndorsementProofView {
    /// By its place in a lot.
    Lot {
        /// The lot.
        lot: Text<LotId>,
        /// Whether the leaf names this device.
        bound: bool,
        /// The leaf's serial number.
        serial: String,
        /// The leaf's salt.
        salt: Hex,
        /// The leaf's place, from 0.
        index: u32,
        /// Its inclusion proof, from the leaf upwards.
        siblings: Vec<Text<Hash>>,
    },
    /// By its certificates.
    Certificate {
        /// The lot whose key issued the topmost one.
        lot: Text<LotId>,
        /// X.509 certificates in DER, the device's own first.
        chain: Vec<Hex>,
        /// The certified key's signature over the device; absent if that key is the device's first.
        signature: Option<Hex>,
    },
}

impl From<Endorsement> for EndorsementProofView {
    fn from(endorsement: Endorsement) -> Self {
        match endorsement {
            Endorsement::Lot(endorsement) => Self::Lot {
                lot: Text(endorsement.lot),
                bound: endorsement.bound,
                serial: endorsement.serial,
                salt: Text(endorsement.salt.to_vec()),
                index: endorsement.index,
                siblings: endorsement.siblings.into_iter().map(Text).collect(),
            },
            Endorsement::Certificate(endorsement) => Self::Certificate {
                lot: Text(endorsement.lot),
                chain: endorsement.chain.into_iter().map(Text).collect(),
                signature: endorsement.signature.as_ref().map(signature_bytes),
            },
        }
    }
}

/// A signature's bytes, without the tag of their algorithm.
pub(super) fn signature_bytes(signature: &SignatureBytes) -> Hex {
    let (SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes)) = signature;
    Text(bytes.to_vec())
}
