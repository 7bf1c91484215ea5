//! From a verdict to its JSON form: one conversion for each axis, none of which adds anything.

use cairn_proofs::authority::Link;
use cairn_proofs::verdict::{
    Authority, BlockPoint, Bounds, ContentEvidence, Device, Endorsement, EndorsementTrust, Finality, FreshnessStanding,
    Integrity, Key, KeyStanding, Later, LaterEvent, Live, OrganizationName, Present, PresentAuthority, PresentKey,
    Reason, Signer, Silence, Statement, Stream, StreamStanding, Verdict,
};
use cairn_types::{ContentForm, Interval};

use super::{
    AuthorityView, BlockPointView, BoundsView, ContentEvidenceView, DeviceStandingView, EndorsementStandingView,
    FinalityView, IntegrityView, KeyStandingView, LaterView, OrganizationNameView, OwnerFact, PresentView, ReasonView,
    SignerView, StatementView, StatusFact, StreamStandingView, VerdictView, ZoneFact,
};
use crate::views::{ContentFormName, GrantView, IntervalView, Text};

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

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl From<&Verdict> for VerdictView {
    fn from(verdict: &Verdict) -> Self {
        let name = |one: &OrganizationName| OrganizationNameView {
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
            present: verdict.present.as_ref().map(PresentView::from),
            live: Live::of(verdict).name().to_owned(),
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
        let signer = |signer: &Signer| SignerView {
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
            KeyStanding::Suspect { since } => Some(since.into()),
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
            endorsement: device.endorsement.as_ref().map(EndorsementStandingView::from),
            statuses: facts(&device.statuses, |status| StatusFact { status: (*status).into() }),
            owners: facts(&device.owners, |owner| OwnerFact { owner: Text(*owner) }),
            zones: facts(&device.zones, |zone| ZoneFact { zone: zone.clone().into() }),
        }
    }
}

impl From<&Endorsement> for EndorsementStandingView {
    fn from(endorsement: &Endorsement) -> Self {
        let since = match endorsement.trust {
            EndorsementTrust::Trusted => None,
            EndorsementTrust::Distrusted { since } | EndorsementTrust::Suspect { since } => Some(since.into()),
        };
        Self {
            manufacturer: Text(endorsement.manufacturer),
            lot: Text(endorsement.lot),
            label: endorsement.label.clone(),
            serial: endorsement.serial.clone(),
            trust: endorsement.trust.name().to_owned(),
            since,
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
            effective: None,
            status: None,
            organization: None,
            owner: None,
            zone: None,
            grant: None,
            lot: None,
            by: None,
            replacement: None,
            further: None,
            suspect_since: None,
        };
        match &later.event {
            LaterEvent::KeyRotated { key } | LaterEvent::RecoveryCancelled { key } => view.key = Some(Text(*key)),
            LaterEvent::RecoveryAnnounced { key, effective } => {
                view.key = Some(Text(*key));
                view.effective = Some(Text(*effective));
            }
            LaterEvent::StatusChanged { status, suspect_since } => {
                view.status = Some((*status).into());
                view.suspect_since = suspect_since.map(Into::into);
            }
            LaterEvent::Offered { to: organization } | LaterEvent::OrganizationExpelled { organization } => {
                view.organization = Some(Text(*organization));
            }
            LaterEvent::OwnerChanged { owner } => view.owner = Some(Text(*owner)),
            LaterEvent::Placed { zone } => view.zone = Some(zone.clone().into()),
            LaterEvent::GrantRevoked { grant, suspect_since } => {
                view.grant = Some(Text(*grant));
                view.suspect_since = suspect_since.map(Into::into);
            }
            LaterEvent::LotDistrusted { lot, suspect_since } => {
                view.lot = Some(Text(*lot));
                view.suspect_since = suspect_since.map(Into::into);
            }
            LaterEvent::Superseded { by, replacement } => {
                view.by = Some((*by).into());
                view.replacement = replacement.map(Text);
            }
            LaterEvent::Attested { further } => view.further = Some(Text(*further)),
            LaterEvent::StreamClosed => {}
        }
        view
    }
}

impl From<&Present> for PresentView {
    fn from(present: &Present) -> Self {
        let key_since = match present.key {
            PresentKey::Suspect { since } | PresentKey::Ended { at: since } => Some(since.into()),
            PresentKey::Held | PresentKey::NotHeld => None,
        };
        let (suspect, failure) = match &present.authority {
            PresentAuthority::Held => (None, None),
            PresentAuthority::Suspect { grant, since } => (Some((*grant, *since)), None),
            PresentAuthority::NotHeld { failure } => (None, Some(failure.to_string())),
        };
        Self {
            position: present.position.into(),
            key: present.key.name().to_owned(),
            key_since,
            status: present.status.map(Into::into),
            owner: present.owner.map(Text),
            zone: present.zone.clone().map(Into::into),
            authority: present.authority.name().to_owned(),
            suspect: suspect.map(|(grant, _)| Text(grant)),
            suspect_since: suspect.map(|(_, since)| since.into()),
            failure,
            stream: present.stream.name().to_owned(),
            superseded: present.superseded,
            recovery: present.recovery.map(Text),
            offered_to: present.offered_to.map(Text),
        }
    }
}
