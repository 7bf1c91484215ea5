//! Streams and attestations.

use cairn_types::call::Attest;
use cairn_types::record::{StreamRecord, Superseded};
use cairn_types::{
    AttestationRef, BlockHash, ClaimedTime, Content, ContentForm, ContentHash, DeviceId, GrantId, Name, StreamId,
    TransactionId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{BlockRefView, PositionView};
use super::text::Text;
use super::zone::PrincipalView;

/// A stream as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamView {
    /// Its id.
    pub id: Text<StreamId>,
    /// Whose it is.
    pub device: Text<DeviceId>,
    /// Its name, unique for the device.
    pub name: Text<Name>,
    /// Most seconds of block time between two attestations; absent if silence means nothing.
    #[serde(rename = "cadenceSeconds")]
    pub cadence_s: Option<u32>,
    /// Where it was opened.
    pub opened: PositionView,
    /// How many attestations it has; the next sequence.
    pub count: Text<u64>,
    /// The last attestation; with none, the transaction that opened it.
    pub head: Text<TransactionId>,
    /// Where the head stands.
    pub head_position: PositionView,
    /// Where it was closed.
    pub closed: Option<PositionView>,
    /// The first sequence at which its device said two things.
    pub forked_at: Option<Text<u64>>,
    /// The first sequence that was said under the owner of its last attestation.
    pub owned_from: Text<u64>,
}

impl StreamView {
    /// The stream of this record.
    pub fn new(id: StreamId, record: StreamRecord) -> Self {
        Self {
            id: Text(id),
            device: Text(record.device),
            name: Text(record.name),
            cadence_s: record.cadence_s,
            opened: record.opened.into(),
            count: Text(record.count),
            head: Text(record.head),
            head_position: record.head_position.into(),
            closed: record.closed.map(Into::into),
            forked_at: record.forked_at.map(Text),
            owned_from: Text(record.owned_from),
        }
    }
}

/// How a content hash is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ContentFormName {
    /// BLAKE3 of the content: what `b3sum` prints.
    Plain,
    /// BLAKE3 of a salt and the content.
    Salted,
}

/// Data that stays off the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentView {
    /// How the hash was made.
    pub form: ContentFormName,
    /// The hash.
    pub hash: Text<ContentHash>,
    /// Length of the content in bytes.
    pub bytes: Text<u64>,
    /// How many readings it holds, as the device counts them.
    pub readings: Text<u64>,
}

impl From<Content> for ContentView {
    fn from(content: Content) -> Self {
        let form = match content.form {
            ContentForm::Plain => ContentFormName::Plain,
            ContentForm::Salted => ContentFormName::Salted,
        };
        Self { form, hash: Text(content.hash), bytes: Text(content.bytes), readings: Text(content.readings) }
    }
}

/// When content was measured, by the device's own clock: a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedTimeView {
    /// First instant, in milliseconds since 1970-01-01T00:00:00Z.
    pub from_ms: Text<i64>,
    /// Last instant, likewise.
    pub to_ms: Text<i64>,
}

impl From<ClaimedTime> for ClaimedTimeView {
    fn from(claimed: ClaimedTime) -> Self {
        Self { from_ms: Text(claimed.from_ms), to_ms: Text(claimed.to_ms) }
    }
}

/// An attestation, and where it stands. It was said after the block `notBefore` and before the end of `block`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttestationView {
    /// The transaction that made it.
    pub id: Text<TransactionId>,
    /// The stream.
    pub stream: Text<StreamId>,
    /// Its place in the stream, from 0.
    pub sequence: Text<u64>,
    /// The device that said it.
    pub device: Text<DeviceId>,
    /// What is attested.
    pub content: ContentView,
    /// When it was measured, as the device says.
    pub claimed: Option<ClaimedTimeView>,
    /// What it was derived from; empty for a capture.
    pub derived_from: Vec<Text<AttestationRef>>,
    /// The attestation before it; of the first, the transaction that opened the stream.
    pub previous: Text<TransactionId>,
    /// The device's grant of `attest`.
    pub authority: Text<GrantId>,
    /// A final block that the device had seen.
    pub not_before: BlockRefView,
    /// Where it stands.
    pub position: PositionView,
    /// The block that holds it.
    pub block: Text<BlockHash>,
    /// That block's time, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: Text<u64>,
    /// That it is not to be used any more; absent if nobody has said so.
    pub superseded: Option<SupersededView>,
}

/// That an attestation is not to be used any more. It stands as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SupersededView {
    /// Where that was said.
    pub at: PositionView,
    /// By whom.
    pub by: PrincipalView,
    /// What to use instead.
    pub replacement: Option<Text<AttestationRef>>,
}

impl From<Superseded> for SupersededView {
    fn from(superseded: Superseded) -> Self {
        Self { at: superseded.at.into(), by: superseded.by.into(), replacement: superseded.replacement.map(Text) }
    }
}

/// Where an attestation stands, for [`AttestationView::new`].
pub(crate) struct AttestationPlace {
    pub(crate) id: TransactionId,
    pub(crate) device: DeviceId,
    pub(crate) not_before: BlockRefView,
    pub(crate) position: PositionView,
    pub(crate) block: BlockHash,
    pub(crate) time_ms: u64,
    pub(crate) superseded: Option<Superseded>,
}

impl AttestationView {
    pub(crate) fn new(attest: &Attest, place: AttestationPlace) -> Self {
        Self {
            id: Text(place.id),
            stream: Text(attest.stream),
            sequence: Text(attest.sequence),
            device: Text(place.device),
            content: attest.content.into(),
            claimed: attest.claimed.map(Into::into),
            derived_from: attest.derived_from.iter().copied().map(Text).collect(),
            previous: Text(attest.previous),
            authority: Text(attest.authority),
            not_before: place.not_before,
            position: place.position,
            block: Text(place.block),
            time_ms: Text(place.time_ms),
            superseded: place.superseded.map(Into::into),
        }
    }
}
