//! What a transaction can ask of the ledger.
//!
//! Every call keeps its tag and its bytes for ever. Tags are given out for the whole design at once, in the order of its
//! table, so that calls which are added later change nothing here: 0 Govern, 1 RotateOrganizationKeys, 2 EndorseLot,
//! 3 DistrustLot, 6 RecoverDeviceKey, 7 CancelRecovery, 8 OfferDevice, 9 AcceptDevice, 15 CloseStream, 17 Supersede and
//! 18 ReportFork are kept for them.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::device::{DeviceStatus, Inception};
use crate::grant::{Actions, Grantee, Scope, Window};
use crate::hash::{DeviceId, GrantId, KeyCommitment, OrganizationId, StreamId, TransactionId};
use crate::key::PublicKey;
use crate::name::{Name, Zone};
use crate::position::Position;
use crate::stream::{AttestationRef, ClaimedTime, Content};

/// One thing to do, with all that is needed to do it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Call {
    /// Enter a device. Signed by its key, which shows possession, and by its owner or a holder of `register`.
    RegisterDevice(RegisterDevice) = 4,
    /// Begin a device's next key epoch. Signed by the new key.
    RotateDeviceKey(RotateDeviceKey) = 5,
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
    /// State that the device produced content. Signed by the device.
    Attest(Attest) = 16,
}

impl Call {
    /// The call's name in logs, answers and commands.
    pub const fn name(&self) -> &'static str {
        match self {
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

    /// Whether a sequence number protects the call from replay, so that it needs no expiry.
    pub const fn is_stream_call(&self) -> bool {
        matches!(self, Self::OpenStream(_) | Self::Attest(_))
    }
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

/// A manufacturer's word for a device. No kind exists yet, so no bytes decode to one; tag 0 is kept for lots, tag 1 for
/// certificate chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endorsement {}

impl BorshSerialize for Endorsement {
    fn serialize<W: io::Write>(&self, _writer: &mut W) -> io::Result<()> {
        match *self {}
    }
}

impl BorshDeserialize for Endorsement {
    fn deserialize_reader<R: io::Read>(_reader: &mut R) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::InvalidData, "unknown kind of endorsement"))
    }
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
