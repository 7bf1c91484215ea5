//! What a transaction asks of the ledger. One variant a call, in the order of their tags.

use cairn_types::{
    AttestationRef, DeviceId, GrantId, Inception, KeyCommitment, LotId, Name, OrganizationId, PublicKey, StreamId,
    TransactionId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::StatusName;
use super::envelope::PositionView;
use super::governance::MeasureView;
use super::grant::{ActionName, GranteeView, WindowView};
use super::lot::{EndorsementProofView, LotBasisView};
use super::organization::KeySetView;
use super::stream::{ClaimedTimeView, ContentView};
use super::text::{Hex, Text};
use super::zone::{ScopeView, ZoneView};

mod convert;

/// How a device begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InceptionView {
    /// The device's first key.
    pub key: Text<PublicKey>,
    /// Commitment to its second key.
    pub next: Text<KeyCommitment>,
    /// What it is, as its maker calls it.
    pub model: String,
}

impl From<Inception> for InceptionView {
    fn from(inception: Inception) -> Self {
        Self { key: Text(inception.key), next: Text(inception.next), model: inception.model }
    }
}

/// One thing to do, named by `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum CallView {
    /// Carry out a measure of the council.
    Govern {
        /// What it decides.
        measure: MeasureView,
    },
    /// Begin an organization's next key epoch.
    RotateOrganizationKeys {
        /// The organization.
        organization: Text<OrganizationId>,
        /// Its keys from now on.
        keys: KeySetView,
        /// Commitment to the keys after those.
        next: Option<Text<KeyCommitment>>,
        /// Whether its recovery set signs, and not the new keys.
        by_recovery: bool,
    },
    /// Vouch for devices.
    EndorseLot {
        /// By what the lot's devices are known.
        basis: LotBasisView,
        /// What they are, as their maker calls it.
        label: String,
    },
    /// End trust in a lot.
    DistrustLot {
        /// The lot.
        lot: Text<LotId>,
        /// From when on registrations that appeal to it are in doubt.
        suspect_since: Option<PositionView>,
    },
    /// Enter a device.
    RegisterDevice {
        /// The device's id: the hash of its inception.
        device: Text<DeviceId>,
        /// How the device begins.
        inception: InceptionView,
        /// Who owns it from now on.
        owner: Text<OrganizationId>,
        /// Where it stands.
        zone: ZoneView,
        /// Who vouches that it was made as claimed; absent if nobody does.
        endorsement: Option<EndorsementProofView>,
        /// The signer's grant of `register`; absent if the signer is the owner.
        authority: Option<Text<GrantId>>,
    },
    /// Begin a device's next key epoch.
    RotateDeviceKey {
        /// The device.
        device: Text<DeviceId>,
        /// Its new key.
        key: Text<PublicKey>,
        /// Commitment to the key after that.
        next: Text<KeyCommitment>,
    },
    /// Announce a new key for a device whose key is lost or stolen.
    RecoverDeviceKey {
        /// The device.
        device: Text<DeviceId>,
        /// Its new key.
        key: Text<PublicKey>,
        /// Commitment to the key after that.
        next: Text<KeyCommitment>,
        /// From when on the word of the present key is in doubt.
        suspect_since: Option<PositionView>,
    },
    /// Call an announced recovery off.
    CancelRecovery {
        /// The device.
        device: Text<DeviceId>,
    },
    /// Offer a device to another organization, or withdraw the offer.
    OfferDevice {
        /// The device.
        device: Text<DeviceId>,
        /// Who may accept it; absent if the offer is withdrawn.
        to: Option<Text<OrganizationId>>,
    },
    /// Become a device's owner.
    AcceptDevice {
        /// The device.
        device: Text<DeviceId>,
        /// Where it stands from now on, in the new owner's namespace.
        zone: ZoneView,
    },
    /// Move a device.
    PlaceDevice {
        /// The device.
        device: Text<DeviceId>,
        /// Where it stands from now on.
        zone: ZoneView,
        /// The signer's grant of `place`; absent if the signer is the owner.
        authority: Option<Text<GrantId>>,
    },
    /// Change what a device may do at all.
    SetDeviceStatus {
        /// The device.
        device: Text<DeviceId>,
        /// Its status from now on.
        status: StatusName,
        /// From when on its word is in doubt.
        suspect_since: Option<PositionView>,
    },
    /// Give authority.
    Grant {
        /// Who receives it.
        grantee: GranteeView,
        /// What may be done.
        actions: Vec<ActionName>,
        /// To what.
        scope: ScopeView,
        /// When.
        window: WindowView,
        /// How many times it may be passed on.
        depth: u8,
        /// The grant that this one passes on.
        parent: Option<Text<GrantId>>,
    },
    /// End authority.
    RevokeGrant {
        /// The grant.
        grant: Text<GrantId>,
        /// From when on what was done under it is in doubt.
        suspect_since: Option<PositionView>,
    },
    /// Begin a stream.
    OpenStream {
        /// The stream's name.
        name: Text<Name>,
        /// Most seconds of block time between two attestations.
        #[serde(rename = "cadenceSeconds")]
        cadence_s: Option<u32>,
        /// The device's grant of `attest`.
        authority: Text<GrantId>,
    },
    /// End a stream.
    CloseStream {
        /// The stream.
        stream: Text<StreamId>,
    },
    /// State that the device produced content.
    Attest {
        /// The stream.
        stream: Text<StreamId>,
        /// The place in it, from 0.
        sequence: Text<u64>,
        /// The attestation before this one.
        previous: Text<TransactionId>,
        /// What is attested.
        content: ContentView,
        /// When it was measured, as the device says.
        claimed: Option<ClaimedTimeView>,
        /// What it was derived from.
        derived_from: Vec<Text<AttestationRef>>,
        /// The device's grant of `attest`.
        authority: Text<GrantId>,
    },
    /// Say that an attestation is not to be used any more.
    Supersede {
        /// The attestation.
        target: Text<AttestationRef>,
        /// What to use instead.
        replacement: Option<Text<AttestationRef>>,
    },
    /// Show that a device said two things at one place.
    ReportFork {
        /// The place, as the first of the two names it; absent if that is no attestation.
        attestation: Option<Text<AttestationRef>>,
        /// An encoded, signed attestation.
        first: Hex,
        /// Another one of the same place.
        second: Hex,
    },
}
