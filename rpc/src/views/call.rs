//! What a transaction asks of the ledger.

use cairn_types::{
    AttestationRef, Call, DeviceId, GrantId, Inception, KeyCommitment, Name, OrganizationId, PublicKey, StreamId,
    TransactionId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::StatusName;
use super::envelope::PositionView;
use super::grant::{ActionName, GranteeView, WindowView};
use super::stream::{ClaimedTimeView, ContentView};
use super::text::Text;
use super::zone::{ScopeView, ZoneView};

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
}

impl From<Call> for CallView {
    fn from(call: Call) -> Self {
        match call {
            Call::RegisterDevice(call) => Self::RegisterDevice {
                device: Text(call.inception.id()),
                inception: call.inception.into(),
                owner: Text(call.owner),
                zone: call.zone.into(),
                authority: call.authority.map(Text),
            },
            Call::RotateDeviceKey(call) => {
                Self::RotateDeviceKey { device: Text(call.device), key: Text(call.key), next: Text(call.next) }
            }
            Call::PlaceDevice(call) => Self::PlaceDevice {
                device: Text(call.device),
                zone: call.zone.into(),
                authority: call.authority.map(Text),
            },
            Call::SetDeviceStatus(call) => Self::SetDeviceStatus {
                device: Text(call.device),
                status: call.status.into(),
                suspect_since: call.suspect_since.map(Into::into),
            },
            Call::Grant(call) => Self::Grant {
                grantee: call.grantee.into(),
                actions: call.actions.iter().map(ActionName::from).collect(),
                scope: call.scope.into(),
                window: call.window.into(),
                depth: call.depth,
                parent: call.parent.map(Text),
            },
            Call::RevokeGrant(call) => {
                Self::RevokeGrant { grant: Text(call.grant), suspect_since: call.suspect_since.map(Into::into) }
            }
            Call::OpenStream(call) => {
                Self::OpenStream { name: Text(call.name), cadence_s: call.cadence_s, authority: Text(call.authority) }
            }
            Call::Attest(call) => Self::Attest {
                stream: Text(call.stream),
                sequence: Text(call.sequence),
                previous: Text(call.previous),
                content: call.content.into(),
                claimed: call.claimed.map(Into::into),
                derived_from: call.derived_from.into_iter().map(Text).collect(),
                authority: Text(call.authority),
            },
        }
    }
}
