//! What a transaction can ask of the ledger.
//!
//! Every call keeps its tag and its bytes for ever. Tags were given out for the whole design at once, in the order of its
//! table.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::device::{DeviceStatus, Inception};
use crate::governance::Measure;
use crate::grant::{Actions, Grantee, Scope, Window};
use crate::hash::{DeviceId, GrantId, KeyCommitment, LotId, OrganizationId, StreamId, TransactionId};
use crate::key::PublicKey;
use crate::lot::{Endorsement, LotBasis};
use crate::name::{Name, Zone};
use crate::organization::KeySet;
use crate::position::Position;
use crate::stream::{AttestationRef, ClaimedTime, Content};

/// One thing to do, with all that is needed to do it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Call {
    /// Carry out a measure of the council. Signed by more than two thirds of its organizations.
    Govern(Govern) = 0,
    /// Begin an organization's next key epoch. Signed by the new keys, or by the recovery set.
    RotateOrganizationKeys(RotateOrganizationKeys) = 1,
    /// Vouch for devices. Signed by their manufacturer.
    EndorseLot(EndorseLot) = 2,
    /// End trust in a lot. Signed by its manufacturer.
    DistrustLot(DistrustLot) = 3,
    /// Enter a device. Signed by its key, which shows possession, and by its owner or a holder of `register`.
    RegisterDevice(RegisterDevice) = 4,
    /// Begin a device's next key epoch. Signed by the new key.
    RotateDeviceKey(RotateDeviceKey) = 5,
    /// Announce a new key for a device whose key is lost or stolen. Signed by its owner and by the new key.
    RecoverDeviceKey(RecoverDeviceKey) = 6,
    /// Call an announced recovery off. Signed by the recovery set of the device's owner.
    CancelRecovery(CancelRecovery) = 7,
    /// Offer a device to another organization. Signed by its owner.
    OfferDevice(OfferDevice) = 8,
    /// Become a device's owner. Signed by the organization to which it is offered.
    AcceptDevice(AcceptDevice) = 9,
    /// Move a device. Signed by its owner or a holder of `place`.
    PlaceDevice(PlaceDevice) = 10,
    /// Change what a device may do at all. Signed by its owner; the device may suspend itself.
    SetDeviceStatus(SetDeviceStatus) = 11,
    /// Give authority. Signed by the owner of the scope or by a holder of the parent grant.
    Grant(Grant) = 12,
    /// End authority. Signed by the grantor, any grantor above, or the owner of the scope.
    RevokeGrant(RevokeGrant) = 13,
    /// Begin a stream. Signed by the device.
    OpenStream(OpenStream) = 14,
    /// End a stream. Signed by the device.
    CloseStream(CloseStream) = 15,
    /// State that the device produced content. Signed by the device.
    Attest(Attest) = 16,
    /// Say that an attestation is not to be used any more. Signed by its device or the device's owner.
    Supersede(Supersede) = 17,
    /// Show that a device said two things at one place. Signed by anyone.
    ReportFork(ReportFork) = 18,
}

impl Call {
    /// The call's name in logs, answers and commands.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Govern(_) => "Govern",
            Self::RotateOrganizationKeys(_) => "RotateOrganizationKeys",
            Self::EndorseLot(_) => "EndorseLot",
            Self::DistrustLot(_) => "DistrustLot",
            Self::RecoverDeviceKey(_) => "RecoverDeviceKey",
            Self::CancelRecovery(_) => "CancelRecovery",
            Self::OfferDevice(_) => "OfferDevice",
            Self::AcceptDevice(_) => "AcceptDevice",
            Self::CloseStream(_) => "CloseStream",
            Self::Supersede(_) => "Supersede",
            Self::ReportFork(_) => "ReportFork",
            Self::RegisterDevice(_) => "RegisterDevice",
            Self::RotateDeviceKey(_) => "RotateDeviceKey",
            Self::PlaceDevice(_) => "PlaceDevice",
            Self::SetDeviceStatus(_) => "SetDeviceStatus",
            Self::Grant(_) => "Grant",
            Self::RevokeGrant(_) => "RevokeGrant",
            Self::OpenStream(_) => "OpenStream",
            Self::Attest(_) => "Attest",
        }
    }

    /// Whether its place in a stream protects the call from replay, so that it needs no expiry.
    pub const fn is_stream_call(&self) -> bool {
        matches!(self, Self::OpenStream(_) | Self::CloseStream(_) | Self::Attest(_))
    }

    /// Whether the call takes authority away or stops harm. The last tenth of a quota is kept for such calls, so that
    /// nobody who floods in an organization's name can keep it from stopping that.
    pub const fn is_protective(&self) -> bool {
        matches!(
            self,
            Self::RotateOrganizationKeys(_)
                | Self::DistrustLot(_)
                | Self::RotateDeviceKey(_)
                | Self::RecoverDeviceKey(_)
                | Self::CancelRecovery(_)
                | Self::SetDeviceStatus(_)
                | Self::RevokeGrant(_)
                | Self::CloseStream(_)
                | Self::ReportFork(_)
        )
    }
}

/// See [`Call::Govern`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Govern {
    /// What the council decides.
    pub measure: Measure,
}

/// See [`Call::RotateOrganizationKeys`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RotateOrganizationKeys {
    /// The organization.
    pub organization: OrganizationId,
    /// Its keys from now on.
    pub keys: KeySet,
    /// Commitment to the keys after those.
    pub next: Option<KeyCommitment>,
    /// Whether its recovery set signs. If not, the new keys do, and the open epoch has committed to them.
    pub by_recovery: bool,
}

/// See [`Call::EndorseLot`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EndorseLot {
    /// By what the lot's devices are known.
    pub basis: LotBasis,
    /// What they are, as their maker calls it; up to 64 bytes, for people.
    pub label: String,
}

/// See [`Call::DistrustLot`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DistrustLot {
    /// The lot.
    pub lot: LotId,
    /// From when on registrations that appeal to it are in doubt. Distrusting again may only move this earlier.
    pub suspect_since: Option<Position>,
}

/// See [`Call::RegisterDevice`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RegisterDevice {
    /// How the device begins.
    pub inception: Inception,
    /// Who owns it from now on.
    pub owner: OrganizationId,
    /// Where it stands, in the owner's namespace.
    pub zone: Zone,
    /// Who vouches that it was made as claimed; without one the device is marked unendorsed.
    pub endorsement: Option<Endorsement>,
    /// The signer's grant of `register`; `None` if the signer is the owner.
    pub authority: Option<GrantId>,
}

/// See [`Call::RotateDeviceKey`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RotateDeviceKey {
    /// The device.
    pub device: DeviceId,
    /// Its new key, to which the open epoch committed.
    pub key: PublicKey,
    /// Commitment to the key after that.
    pub next: KeyCommitment,
}

/// See [`Call::RecoverDeviceKey`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RecoverDeviceKey {
    /// The device.
    pub device: DeviceId,
    /// Its new key.
    pub key: PublicKey,
    /// Commitment to the key after that.
    pub next: KeyCommitment,
    /// From when on the word of the open key epoch is in doubt; not before the epoch, nor before the signer owned the
    /// device.
    pub suspect_since: Option<Position>,
}

/// See [`Call::CancelRecovery`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CancelRecovery {
    /// The device.
    pub device: DeviceId,
}

/// See [`Call::OfferDevice`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OfferDevice {
    /// The device.
    pub device: DeviceId,
    /// To whom, instead of anyone it was offered to before; `None` withdraws the offer.
    pub to: Option<OrganizationId>,
}

/// See [`Call::AcceptDevice`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AcceptDevice {
    /// The device.
    pub device: DeviceId,
    /// Where it stands from now on, in the new owner's namespace.
    pub zone: Zone,
}

/// See [`Call::PlaceDevice`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PlaceDevice {
    /// The device.
    pub device: DeviceId,
    /// Where it stands from now on, in the owner's namespace.
    pub zone: Zone,
    /// The signer's grant of `place`, covering both places; `None` if the signer is the owner.
    pub authority: Option<GrantId>,
}

/// See [`Call::SetDeviceStatus`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SetDeviceStatus {
    /// The device.
    pub device: DeviceId,
    /// Its status from now on.
    pub status: DeviceStatus,
    /// With `Revoked`: from when on its word is in doubt. Setting `Revoked` again may only move this earlier.
    pub suspect_since: Option<Position>,
}

/// See [`Call::Grant`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Grant {
    /// Who receives the authority.
    pub grantee: Grantee,
    /// What may be done.
    pub actions: Actions,
    /// To what.
    pub scope: Scope,
    /// When.
    pub window: Window,
    /// How many times it may be passed on; needs the action `delegate` if more than 0.
    pub depth: u8,
    /// The grant that this one passes on; `None` if the signer owns the scope.
    pub parent: Option<GrantId>,
}

/// See [`Call::RevokeGrant`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RevokeGrant {
    /// The grant.
    pub grant: GrantId,
    /// From when on what was done under it is in doubt. Revoking again may only move this earlier.
    pub suspect_since: Option<Position>,
}

/// See [`Call::OpenStream`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OpenStream {
    /// The stream's name, unique for the device.
    pub name: Name,
    /// At most this many seconds of block time lie between two attestations; silence beyond that is shown.
    pub cadence_s: Option<u32>,
    /// The device's grant of `attest`.
    pub authority: GrantId,
}

/// See [`Call::CloseStream`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CloseStream {
    /// The stream.
    pub stream: StreamId,
}

/// See [`Call::Attest`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Attest {
    /// The stream.
    pub stream: StreamId,
    /// The place in it: the number of attestations before this one.
    pub sequence: u64,
    /// The attestation before this one; for the first, the transaction that opened the stream.
    pub previous: TransactionId,
    /// What is attested.
    pub content: Content,
    /// When it was measured, as the device says.
    pub claimed: Option<ClaimedTime>,
    /// What it was derived from, strictly ascending; empty for a capture.
    pub derived_from: Vec<AttestationRef>,
    /// The device's grant of `attest`.
    pub authority: GrantId,
}

/// See [`Call::Supersede`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Supersede {
    /// The attestation that is not to be used any more; it was said under the device's present owner.
    pub target: AttestationRef,
    /// A later attestation of the same device to use instead.
    pub replacement: Option<AttestationRef>,
}

/// See [`Call::ReportFork`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReportFork {
    /// An encoded, signed attestation.
    pub first: Vec<u8>,
    /// Another one of the same stream and sequence, with other content and a greater id.
    pub second: Vec<u8>,
}
