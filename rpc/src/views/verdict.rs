//! A verdict in JSON: what `audit_verdict` answers and what the offline verifier prints with `--json`.

mod convert;

use cairn_types::{
    AttestationRef, BlockHash, ChainId, ContentHash, DeviceId, GrantId, Height, LotId, Name, OrganizationId, PublicKey,
    StreamId, TransactionId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::StatusName;
use super::envelope::{IntervalView, PositionView};
use super::grant::GrantView;
use super::stream::{ClaimedTimeView, ContentFormName, ContentView};
use super::text::Text;
use super::zone::{PrincipalView, ZoneView};

/// Content at hand, as its owner hashed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentEvidenceView {
    /// How it was hashed; plain if left out.
    #[serde(default = "plain")]
    pub form: ContentFormName,
    /// Its hash.
    pub hash: Text<ContentHash>,
    /// Its length in bytes, without a salt.
    pub bytes: Text<u64>,
}

const fn plain() -> ContentFormName {
    ContentFormName::Plain
}

/// What the judgement says. An axis that was not reached is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictView {
    /// `VALID`, `INVALID` or `INCOMPLETE`.
    pub outcome: String,
    /// Everything that stands against `VALID`.
    pub reasons: Vec<ReasonView>,
    /// The network for which it was judged.
    pub chain: Text<ChainId>,
    /// The attestation itself.
    pub statement: Option<StatementView>,
    /// Whether the content is what the device signed.
    pub integrity: Option<IntegrityView>,
    /// Between which blocks it was said.
    pub bounds: Option<BoundsView>,
    /// The checkpoint on which everything rests.
    pub finality: Option<FinalityView>,
    /// Whether the key spoke for the device.
    pub key: Option<KeyStandingView>,
    /// Status, owner and place of the device at the time.
    pub device: Option<DeviceStandingView>,
    /// Whether the device was entitled.
    pub authority: Option<AuthorityView>,
    /// Where the attestation stands in its stream.
    pub stream: Option<StreamStandingView>,
    /// What happened afterwards, up to the checkpoint.
    pub later: Option<Vec<LaterView>>,
    /// How the same would stand at the checkpoint.
    pub present: Option<PresentView>,
    /// `ok`, `refused`, `doubtful` or `unknown`: the answer about now. Unless a limit on the checkpoint's age was given, and
    /// kept, it is `unknown`.
    pub live: String,
    /// Names of the organizations that the axes mention.
    pub organizations: Vec<OrganizationNameView>,
}

/// Something that stands against `VALID`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonView {
    /// Its name, which never changes its meaning.
    pub name: String,
    /// The outcome that it leads to.
    pub outcome: String,
    /// The same in words.
    pub message: String,
}

/// The attestation that the ledger holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatementView {
    /// Its id.
    pub id: Text<TransactionId>,
    /// The device that signed it.
    pub device: Text<DeviceId>,
    /// The stream.
    pub stream: Text<StreamId>,
    /// Its place in the stream.
    pub sequence: Text<u64>,
    /// What it attests.
    pub content: ContentView,
    /// When that was measured, as the device claims.
    pub claimed: Option<ClaimedTimeView>,
}

/// Whether the content is what the device signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntegrityView {
    /// `matches`, `differs`, `not_comparable` or `not_supplied`.
    pub standing: String,
    /// What the device signed.
    pub signed: ContentView,
    /// What the auditor has, if it is not the same.
    pub supplied: Option<ContentEvidenceView>,
}

/// A final block and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockPointView {
    /// Its height.
    pub height: Text<Height>,
    /// Its hash.
    pub hash: Text<BlockHash>,
    /// When it was proposed, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: Text<u64>,
}

/// When it was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BoundsView {
    /// It was said after this block.
    pub after: BlockPointView,
    /// It was said before the end of this block.
    pub before: BlockPointView,
    /// Where in the ledger it stands.
    pub position: PositionView,
}

/// The checkpoint on which everything rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinalityView {
    /// The checkpoint.
    pub checkpoint: BlockPointView,
    /// The round in which it was decided.
    pub round: u32,
    /// The validators who signed it.
    pub signers: Vec<SignerView>,
    /// How many validators there are.
    pub validators: u32,
    /// Their power together.
    pub total_power: Text<u64>,
    /// How often the validators changed since the genesis.
    pub changes: u32,
    /// `not_asked`, `fresh`, `stale` or `unknown`.
    pub freshness: String,
    /// Age of the checkpoint in milliseconds, if it was asked for.
    pub age_ms: Option<Text<u64>>,
    /// `not_asked`, `connected`, `unconnected` or `conflict`: how it stands to a block that the auditor trusts.
    pub trusted: String,
}

/// A validator who signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignerView {
    /// Its place in the set.
    pub validator: u16,
    /// Its power.
    pub power: Text<u64>,
    /// Whose it is.
    pub organization: Text<OrganizationId>,
}

/// Whether the key spoke for the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyStandingView {
    /// `held`, `held_at_inclusion`, `suspect` or `not_held`.
    pub standing: String,
    /// From when on it is in doubt.
    pub suspect_since: Option<PositionView>,
    /// The key.
    pub key: Option<Text<PublicKey>>,
    /// From where on it spoke for the device.
    pub from: Option<PositionView>,
    /// Up to where; absent if it still does at the checkpoint.
    pub to: Option<PositionView>,
}

/// The device between the bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceStandingView {
    /// `active`, `active_at_inclusion` or `not_active`.
    pub standing: String,
    /// What it is, as its maker calls it.
    pub model: String,
    /// Where it was registered.
    pub registered: PositionView,
    /// Who vouched for it; absent if it is unendorsed.
    pub endorsement: Option<EndorsementStandingView>,
    /// Its statuses within the bounds.
    pub statuses: Vec<IntervalView<StatusFact>>,
    /// Its owners within the bounds.
    pub owners: Vec<IntervalView<OwnerFact>>,
    /// Its places within the bounds.
    pub zones: Vec<IntervalView<ZoneFact>>,
}

/// That a manufacturer vouched for a device. The fact stays; the trust in it may end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndorsementStandingView {
    /// Who vouched.
    pub manufacturer: Text<OrganizationId>,
    /// The lot that the device comes from.
    pub lot: Text<LotId>,
    /// What the manufacturer calls the lot's devices.
    pub label: String,
    /// The device's serial number.
    pub serial: String,
    /// `trusted`, `distrusted` or `suspect`, as of the checkpoint.
    pub trust: String,
    /// Since when it is not trusted.
    pub since: Option<PositionView>,
}

/// A status, under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusFact {
    /// The status.
    pub status: StatusName,
}

/// An owner, under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerFact {
    /// The owner.
    pub owner: Text<OrganizationId>,
}

/// A zone, under its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZoneFact {
    /// The zone.
    pub zone: ZoneView,
}

/// Whether the device was entitled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorityView {
    /// `held`, `indeterminate`, `suspect` or `not_held`.
    pub standing: String,
    /// From the grant that the attestation names up to the owner's, as far as it is shown.
    pub path: Vec<GrantView>,
    /// The grant in doubt.
    pub suspect: Option<Text<GrantId>>,
    /// Since when the authority is held without a break, or in doubt.
    pub since: Option<PositionView>,
    /// What stood, or stands, in the way.
    pub failure: Option<String>,
}

/// Where the attestation stands in its stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamStandingView {
    /// `complete`, `continued`, `forked` or `contradicts`.
    pub standing: String,
    /// The stream's name.
    pub name: Text<Name>,
    /// The attestation's place, from 0. The ledger has no gaps: everything before it is there.
    pub sequence: Text<u64>,
    /// How many attestations the stream has.
    pub count: Text<u64>,
    /// How many follow this one, if it is continued.
    pub further: Option<Text<u64>>,
    /// The first place at which the device said two things.
    pub forked_at: Option<Text<u64>>,
    /// Where the last one stands.
    pub head: PositionView,
    /// Where the stream was opened.
    pub opened: PositionView,
    /// Where it was closed.
    pub closed: Option<PositionView>,
    /// The most seconds of silence that the device declared.
    #[serde(rename = "cadenceSeconds")]
    pub cadence_s: Option<u32>,
    /// `not_declared`, `ended`, `unknown`, `within` or `silent`.
    pub silence: String,
    /// Since when it is silent, in milliseconds since 1970-01-01T00:00:00Z.
    pub silent_since_ms: Option<Text<u64>>,
}

/// Something that happened after the attestation. It takes nothing back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LaterView {
    /// Where.
    pub position: PositionView,
    /// What: `key_rotated`, `recovery_announced`, `recovery_cancelled`, `status_changed`, `offered`, `owner_changed`,
    /// `placed`, `grant_revoked`, `lot_distrusted`, `organization_expelled`, `superseded`, `attested` or `stream_closed`.
    pub event: String,
    /// The new key, or the announced one.
    pub key: Option<Text<PublicKey>>,
    /// The height from which an announced key is to speak.
    pub effective: Option<Text<Height>>,
    /// The new status.
    pub status: Option<StatusName>,
    /// To whom it was offered, or who was expelled.
    pub organization: Option<Text<OrganizationId>>,
    /// The new owner.
    pub owner: Option<Text<OrganizationId>>,
    /// Where it was placed.
    pub zone: Option<ZoneView>,
    /// The grant.
    pub grant: Option<Text<GrantId>>,
    /// The lot.
    pub lot: Option<Text<LotId>>,
    /// Who superseded it.
    pub by: Option<PrincipalView>,
    /// What to use instead.
    pub replacement: Option<Text<AttestationRef>>,
    /// How many attestations more.
    pub further: Option<Text<u64>>,
    /// From when on something is in doubt.
    pub suspect_since: Option<PositionView>,
}

/// How the same would stand at the checkpoint: what the rules would say to it in the next block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresentView {
    /// The position in question: the first after the checkpoint.
    pub position: PositionView,
    /// `held`, `suspect`, `ended` or `not_held`: whether the key that signed still speaks for the device.
    pub key: String,
    /// Since when the key is in doubt, or ended.
    pub key_since: Option<PositionView>,
    /// The device's status.
    pub status: Option<StatusName>,
    /// The device's owner.
    pub owner: Option<Text<OrganizationId>>,
    /// Where the device is.
    pub zone: Option<ZoneView>,
    /// `held`, `suspect` or `not_held`: whether the device is still entitled, by the same path of grants.
    pub authority: String,
    /// The grant in doubt.
    pub suspect: Option<Text<GrantId>>,
    /// Since when it is in doubt.
    pub suspect_since: Option<PositionView>,
    /// What stands in the way of the authority.
    pub failure: Option<String>,
    /// `open`, `closed`, `forked` or `contradicts`: whether the stream still takes attestations.
    pub stream: String,
    /// Whether it was said that this attestation is not to be used any more.
    pub superseded: bool,
    /// The height from which another key is to speak, if one is announced.
    pub recovery: Option<Text<Height>>,
    /// To whom the device is offered.
    pub offered_to: Option<Text<OrganizationId>>,
}

/// How an organization is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrganizationNameView {
    /// Its id.
    pub id: Text<OrganizationId>,
    /// Its short name.
    pub name: Text<Name>,
    /// Its legal name.
    pub title: String,
}
