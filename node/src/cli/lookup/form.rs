//! A lookup's judgement and its answer as JSON.
//!
//! [`judgement_json`] is the form of the specification (section 19.3), on which verifiers agree byte by byte of every
//! entry. [`answer_json`] says the same in the words of the interface, for scripts.

use cairn_proofs::authority::Link;
use cairn_proofs::bundle::DeviceFile;
use cairn_proofs::lookup::{Answer, DeviceGrants, LookupVerdict, LotFile, OrganizationFile, Question};
use cairn_rpc::views::{
    DeviceFact, DeviceFactView, DeviceKeyView, FinalityView, GrantView, IntervalView, KeySetView, LotBasisView,
    LotView, OrganizationKeysView, ParametersView, PositionView, PrincipalView, RecoveryView, RoleName, ScopeView,
    StatusName, StreamView, SupersededView, Text, ValidatorsView, ZoneView,
};
use cairn_types::record::Recovery;
use cairn_types::{DeviceId, Hash, Interval, Name, OrganizationId, Scope, StreamId};
use serde::Serialize;
use serde_json::{Value, json};

/// What the question is, and about what.
fn question_json(question: &Question) -> Value {
    let mut object = json!({ "kind": question.kind() });
    let about = match question {
        Question::Checkpoint
        | Question::Organizations
        | Question::Council
        | Question::Validators
        | Question::Parameters => None,
        Question::Organization(id) | Question::Lots(id) => Some(("organization", json!(Text(*id)))),
        Question::Device(id) | Question::DeviceStreams(id) | Question::DeviceGrants(id) => {
            Some(("device", json!(Text(*id))))
        }
        Question::Grant(id) => Some(("grant", json!(Text(*id)))),
        Question::Grants(scope) => Some(("scope", json!(ScopeView::from(Scope::clone(scope))))),
        Question::Stream(id) | Question::Superseded(id) => Some(("stream", json!(Text(*id)))),
        Question::Lot(id) => Some(("lot", json!(Text(*id)))),
    };
    if let (Value::Object(members), Some((name, value))) = (&mut object, about) {
        members.insert(name.to_owned(), value);
    }
    object
}

fn judgement_members(verdict: &LookupVerdict) -> Value {
    json!({
        "outcome": verdict.outcome.name(),
        "reasons": verdict.reasons.iter().map(|reason| json!({
            "name": reason.name(),
            "outcome": reason.outcome().name(),
            "message": reason.to_string(),
        })).collect::<Vec<_>>(),
        "chain": verdict.chain.to_string(),
        "finality": verdict.finality.as_ref().map(FinalityView::from),
        "question": verdict.question.as_ref().map(question_json),
    })
}

/// The judgement as the specification writes it.
pub(in crate::cli) fn judgement_json(verdict: &LookupVerdict) -> Value {
    let entry = |(key, value): &(Vec<u8>, Vec<u8>)| json!({ "key": hex::encode(key), "value": hex::encode(value) });
    let entries: Vec<Vec<Value>> = verdict.entries.iter().map(|answer| answer.iter().map(entry).collect()).collect();
    let mut form = judgement_members(verdict);
    if let Value::Object(members) = &mut form {
        members.insert("entries".to_owned(), json!(entries));
    }
    form
}

/// The judgement, and the answer in the words of the interface; `answer` is null unless all of it is proven, and null
/// inside of a proof if it is proven that there is nothing.
pub(super) fn answer_json(verdict: &LookupVerdict) -> anyhow::Result<Value> {
    let mut form = judgement_members(verdict);
    if let Value::Object(members) = &mut form {
        members.insert("proven".to_owned(), json!(verdict.answer.is_some()));
        members.insert("answer".to_owned(), verdict.answer.as_ref().map_or(Ok(Value::Null), answer)?);
    }
    Ok(form)
}

/// An interval around the view of its value.
fn interval<S, T>(interval: &Interval<S>, view: impl Fn(&S) -> T) -> IntervalView<T> {
    IntervalView::around(interval, view(&interval.value))
}

/// Grants as the interface shows them.
pub(super) fn grants(links: &[Link]) -> Vec<GrantView> {
    links.iter().map(|(id, interval)| GrantView::new(*id, interval.clone())).collect()
}

/// All facts of a device's file, as its history shows them.
pub(super) fn facts(file: &DeviceFile) -> Vec<DeviceFactView> {
    let mut facts: Vec<DeviceFactView> = Vec::new();
    facts.extend(file.keys.iter().map(|one| interval(one, |key| DeviceFact::Key(DeviceKeyView::from(key)))));
    facts.extend(file.owners.iter().map(|one| interval(one, |owner| DeviceFact::Owner(Text(*owner)))));
    facts.extend(file.statuses.iter().map(|one| interval(one, |status| DeviceFact::Status(StatusName::from(*status)))));
    facts
        .extend(file.placements.iter().map(|one| interval(one, |zone| DeviceFact::Zone(ZoneView::from(zone.clone())))));
    let recovery = |one: &Recovery| DeviceFact::Recovery(RecoveryView::from(one));
    facts.extend(file.recoveries.iter().map(|one| interval(one, recovery)));
    facts.extend(file.offers.iter().map(|one| interval(one, |to| DeviceFact::Offer(Text(*to)))));
    facts
}

fn device(file: &DeviceFile) -> Value {
    let record = &file.record;
    json!({
        "id": Text(record.inception.id()),
        "model": record.inception.model,
        "registered": PositionView::from(record.registered),
        "registeredBy": PrincipalView::from(record.registered_by),
        "endorsement": record.endorsement.as_ref().map(|word| json!({
            "lot": Text(word.lot),
            "manufacturer": Text(word.manufacturer),
            "serial": word.serial,
        })),
        "facts": facts(file),
    })
}

fn organization(file: &OrganizationFile) -> Value {
    let record = &file.record;
    json!({
        "name": Text(record.name.clone()),
        "title": record.title,
        "roles": record.roles.iter().map(RoleName::from).collect::<Vec<_>>(),
        "recovery": record.recovery.as_ref().map(KeySetView::from),
        "admitted": PositionView::from(record.admitted),
        "expelled": record.expelled.map(PositionView::from),
        "keys": file.keys.iter().map(|one| interval(one, |keys| OrganizationKeysView::from(keys))).collect::<Vec<_>>(),
    })
}

fn lot(file: &LotFile) -> Value {
    let claim = |(claim, device): &(Hash, DeviceId)| json!({ "claim": Text(*claim), "device": Text(*device) });
    json!({
        "manufacturer": Text(file.lot.value.manufacturer),
        "label": file.lot.value.label,
        "from": PositionView::from(file.lot.from),
        "to": file.lot.to.map(PositionView::from),
        "suspectSince": file.lot.suspect_since.map(PositionView::from),
        "basis": LotBasisView::from(file.lot.value.basis),
        "claims": file.claims.iter().map(claim).collect::<Vec<_>>(),
    })
}

fn device_grants(found: &DeviceGrants) -> Value {
    json!({ "device": device(&found.device), "items": grants(&found.grants) })
}

/// A list, under the name that lists have in the interface.
fn items<T: Serialize>(items: impl IntoIterator<Item = T>) -> Value {
    json!({ "items": items.into_iter().collect::<Vec<_>>() })
}

fn answer(answer: &Answer) -> anyhow::Result<Value> {
    Ok(match answer {
        Answer::Checkpoint => json!({}),
        Answer::Organization(found) => found.as_ref().map_or(Value::Null, organization),
        Answer::Device(found) => found.as_ref().map_or(Value::Null, device),
        Answer::DeviceStreams(list) => items(list.iter().map(|(id, record)| StreamView::new(*id, record.clone()))),
        Answer::Grant(links) | Answer::Grants(links) => items(grants(links)),
        Answer::DeviceGrants(found) => found.as_ref().map_or(Value::Null, device_grants),
        // What the record alone says: its id is in the question.
        Answer::Stream(found) => serde_json::to_value(found.as_ref().map(|record| {
            let id = StreamId::of(&record.device, &record.name);
            StreamView::new(id, record.clone())
        }))?,
        Answer::Lot(found) => found.as_ref().map_or(Value::Null, lot),
        Answer::Lots(list) => items(list.iter().map(|(id, interval)| LotView::new(*id, interval.clone()))),
        Answer::Organizations(list) => {
            let named = |(name, id): &(Name, OrganizationId)| json!({ "name": Text(name.clone()), "id": Text(*id) });
            items(list.iter().map(named))
        }
        Answer::Council(list) => {
            let ids = |ids: &Vec<OrganizationId>| {
                json!({ "organizations": ids.iter().copied().map(Text).collect::<Vec<_>>() })
            };
            items(list.iter().map(|one| interval(one, ids)))
        }
        Answer::Validators(list) => items(list.iter().map(|one| interval(one, |set| ValidatorsView::from(set)))),
        Answer::Parameters(list) => {
            items(list.iter().map(|one| interval(one, |value| ParametersView::from(value.clone()))))
        }
        Answer::Superseded(list) => items(list.iter().map(|(sequence, superseded)| {
            json!({ "sequence": sequence.to_string(), "superseded": SupersededView::from(superseded.clone()) })
        })),
    })
}
