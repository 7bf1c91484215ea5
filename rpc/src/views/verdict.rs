//! A verdict in JSON: what `audit_verdict` answers and what the offline verifier prints with `--json`.

use cairn_proofs::authority::Link;
use cairn_proofs::verdict::{
    Authority, BlockPoint, Bounds, ContentEvidence, Device, Finality, FreshnessStanding, Integrity, Key, Later,
    LaterEvent, Reason, Silence, Statement, Stream, StreamStanding, Verdict,
};
use cairn_types::{
    BlockHash, ChainId, ContentForm, ContentHash, DeviceId, GrantId, Height, Interval, Name, OrganizationId, PublicKey,
    StreamId, TransactionId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::StatusName;
use super::envelope::{IntervalView, PositionView};
use super::grant::GrantView;
use super::stream::{ClaimedTimeView, ContentFormName, ContentView};
use super::text::Text;
use super::zone::ZoneView;

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

impl From<ContentEvidenceView> for ContentEvidence {
    fn from(view: ContentEvidenceView) -> Self {
        let form = match view.form {
            ContentFormName::Plain => ContentForm::Plain,
            ContentFormName::Salted => ContentForm::Salted,
        };
        Self { form, hash: view.hash.0, bytes: view.bytes.0 }
    }
}

impl From<ContentEvidence> for ContentEvidenceView {
    fn from(evidence: ContentEvidence) -> Self {
        let form = match evidence.form {
            ContentForm::Plain => ContentFormName::Plain,
            ContentForm::Salted => ContentFormName::Salted,
        };
        Self { form, hash: Text(evidence.hash), bytes: Text(evidence.bytes) }
    }
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
    /// The manufacturer that vouches for it.
    pub endorsed_by: Option<Text<OrganizationId>>,
    /// Its statuses within the bounds.
    pub statuses: Vec<IntervalView<StatusFact>>,
    /// Its owners within the bounds.
    pub owners: Vec<IntervalView<OwnerFact>>,
    /// Its places within the bounds.
    pub zones: Vec<IntervalView<ZoneFact>>,
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
    /// What: `key_rotated`, `status_changed`, `owner_changed`, `placed`, `grant_revoked`, `attested` or `stream_closed`.
    pub event: String,
    /// The new key.
    pub key: Option<Text<PublicKey>>,
    /// The new status.
    pub status: Option<StatusName>,
    /// The new owner.
    pub owner: Option<Text<OrganizationId>>,
    /// Where it was placed.
    pub zone: Option<ZoneView>,
    /// The grant.
    pub grant: Option<Text<GrantId>>,
    /// How many attestations more.
    pub further: Option<Text<u64>>,
    /// From when on something is in doubt.
    pub suspect_since: Option<PositionView>,
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

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl From<&Verdict> for VerdictView {
    fn from(verdict: &Verdict) -> Self {
        let name = |one: &cairn_proofs::verdict::OrganizationName| OrganizationNameView {
            id: Text(one.id),
            name: Text(one.name.clone()),
            title: one.title.clone(),
        };
        Self {
            outcome: verdict.outcome.name().to_owned(),
            reasons: verdict.reasons.iter().map(ReasonView::from).collect(),
            chain: Text(verdict.chain),
            statement: verdict.statement.as_ref().map(StatementView::from),
            integrity: verdict.integrity.map(IntegrityView::from),
            bounds: verdict.bounds.as_ref().map(BoundsView::from),
            finality: verdict.finality.as_ref().map(FinalityView::from),
            key: verdict.key.as_ref().map(KeyStandingView::from),
            device: verdict.device.as_ref().map(DeviceStandingView::from),
            authority: verdict.authority.as_ref().map(AuthorityView::from),
            stream: verdict.stream.as_ref().map(StreamStandingView::from),
            later: verdict.later.as_ref().map(|later| later.iter().map(LaterView::from).collect()),
            organizations: verdict.organizations.iter().map(name).collect(),
        }
    }
}

impl From<&Reason> for ReasonView {
    fn from(reason: &Reason) -> Self {
        Self {
            name: reason.name().to_owned(),
            outcome: reason.outcome().name().to_owned(),
            message: reason.to_string(),
        }
    }
}

impl From<&Statement> for StatementView {
    fn from(statement: &Statement) -> Self {
        Self {
            id: Text(statement.id),
            device: Text(statement.device),
            stream: Text(statement.stream),
            sequence: Text(statement.sequence),
            content: statement.content.into(),
            claimed: statement.claimed.map(Into::into),
        }
    }
}

impl From<Integrity> for IntegrityView {
    fn from(integrity: Integrity) -> Self {
        let (signed, supplied) = match integrity {
            Integrity::Matches { content } => (content, None),
            Integrity::Differs { signed, supplied } | Integrity::NotComparable { signed, supplied } => {
                (signed, Some(supplied))
            }
            Integrity::NotSupplied { signed } => (signed, None),
        };
        Self {
            standing: integrity.name().to_owned(),
            signed: signed.into(),
            supplied: supplied.map(ContentEvidenceView::from),
        }
    }
}

impl From<BlockPoint> for BlockPointView {
    fn from(point: BlockPoint) -> Self {
        Self { height: Text(point.height), hash: Text(point.hash), time_ms: Text(point.time_ms) }
    }
}

impl From<&Bounds> for BoundsView {
    fn from(bounds: &Bounds) -> Self {
        Self { after: bounds.after.into(), before: bounds.before.into(), position: bounds.position.into() }
    }
}

impl From<&Finality> for FinalityView {
    fn from(finality: &Finality) -> Self {
        let age_ms = match finality.freshness {
            FreshnessStanding::Fresh { age_ms } | FreshnessStanding::Stale { age_ms } => Some(age_ms),
            FreshnessStanding::NotAsked | FreshnessStanding::Unknown { .. } => None,
        };
        let signer = |signer: &cairn_proofs::verdict::Signer| SignerView {
            validator: signer.validator,
            power: Text(signer.power.get()),
            organization: Text(signer.organization),
        };
        Self {
            checkpoint: finality.checkpoint.into(),
            round: finality.round.get(),
            signers: finality.signers.iter().map(signer).collect(),
            validators: count(finality.validators),
            total_power: Text(finality.total_power.get()),
            changes: count(finality.changes),
            freshness: finality.freshness.name().to_owned(),
            age_ms: age_ms.map(Text),
            trusted: finality.trusted.name().to_owned(),
        }
    }
}

impl From<&Key> for KeyStandingView {
    fn from(key: &Key) -> Self {
        let suspect_since = match key.standing {
            cairn_proofs::verdict::KeyStanding::Suspect { since } => Some(since.into()),
            _ => None,
        };
        Self {
            standing: key.standing.name().to_owned(),
            suspect_since,
            key: key.epoch.map(|epoch| Text(epoch.key)),
            from: key.epoch.map(|epoch| epoch.from.into()),
            to: key.epoch.and_then(|epoch| epoch.to).map(Into::into),
        }
    }
}

fn facts<T, V>(intervals: &[Interval<T>], view: impl Fn(&T) -> V) -> Vec<IntervalView<V>> {
    intervals.iter().map(|interval| IntervalView::around(interval, view(&interval.value))).collect()
}

impl From<&Device> for DeviceStandingView {
    fn from(device: &Device) -> Self {
        Self {
            standing: device.standing.name().to_owned(),
            model: device.model.clone(),
            registered: device.registered.into(),
            endorsed_by: device.endorsed_by.map(Text),
            statuses: facts(&device.statuses, |status| StatusFact { status: (*status).into() }),
            owners: facts(&device.owners, |owner| OwnerFact { owner: Text(*owner) }),
            zones: facts(&device.zones, |zone| ZoneFact { zone: zone.clone().into() }),
        }
    }
}

impl From<&Authority> for AuthorityView {
    fn from(authority: &Authority) -> Self {
        let (suspect, since, failure) = match authority {
            Authority::Held { .. } => (None, None, None),
            Authority::Indeterminate { since, before, .. } => (None, Some(*since), Some(before)),
            Authority::Suspect { grant, since, .. } => (Some(*grant), Some(*since), None),
            Authority::NotHeld { failure, .. } => (None, None, Some(failure)),
        };
        let link = |(id, interval): &Link| GrantView::new(*id, interval.clone());
        Self {
            standing: authority.name().to_owned(),
            path: authority.path().iter().map(link).collect(),
            suspect: suspect.map(Text),
            since: since.map(Into::into),
            failure: failure.map(ToString::to_string),
        }
    }
}

impl From<&Stream> for StreamStandingView {
    fn from(stream: &Stream) -> Self {
        let further = match stream.standing {
            StreamStanding::Continued { further } => Some(Text(further)),
            _ => None,
        };
        let forked_at = match stream.standing {
            StreamStanding::Forked { at } => Some(Text(at)),
            _ => None,
        };
        let silent_since_ms = match stream.silence {
            Silence::Silent { since_ms } => Some(Text(since_ms)),
            _ => None,
        };
        Self {
            standing: stream.standing.name().to_owned(),
            name: Text(stream.name.clone()),
            sequence: Text(stream.sequence),
            count: Text(stream.count),
            further,
            forked_at,
            head: stream.head.into(),
            opened: stream.opened.into(),
            closed: stream.closed.map(Into::into),
            cadence_s: stream.cadence_s,
            silence: stream.silence.name().to_owned(),
            silent_since_ms,
        }
    }
}

impl From<&Later> for LaterView {
    fn from(later: &Later) -> Self {
        let mut view = Self {
            position: later.position.into(),
            event: later.event.name().to_owned(),
            key: None,
            status: None,
            owner: None,
            zone: None,
            grant: None,
            further: None,
            suspect_since: None,
        };
        match &later.event {
            LaterEvent::KeyRotated { key } => view.key = Some(Text(*key)),
            LaterEvent::StatusChanged { status, suspect_since } => {
                view.status = Some((*status).into());
                view.suspect_since = suspect_since.map(Into::into);
            }
            LaterEvent::OwnerChanged { owner } => view.owner = Some(Text(*owner)),
            LaterEvent::Placed { zone } => view.zone = Some(zone.clone().into()),
            LaterEvent::GrantRevoked { grant, suspect_since } => {
                view.grant = Some(Text(*grant));
                view.suspect_since = suspect_since.map(Into::into);
            }
            LaterEvent::Attested { further } => view.further = Some(Text(*further)),
            LaterEvent::StreamClosed => {}
        }
        view
    }
}
