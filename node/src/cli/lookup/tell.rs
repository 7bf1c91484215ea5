//! A lookup's judgement and its answer in words.

use std::fmt::Write as _;

use cairn_proofs::lookup::{Answer, LookupVerdict, OrganizationFile, Question};
use cairn_proofs::verdict::{Finality, Outcome};
use cairn_rpc::views::{LotView, StreamView, ValidatorsView};
use cairn_types::{Interval, Position, Role};

use super::super::connect::OrganizationNames;
use super::super::council::{parameters, show::validators_table};
use super::super::output::{Rows, counted, table, time};
use super::super::verify::paint::{BAD, DOUBT, GOOD, Paint, harmless};
use super::super::{device, grant, key_set, lot, stream};
use super::form;
use crate::clock::now_ms;

/// The judgement, then the answer, if all of it is proven.
pub(in crate::cli) fn in_words(verdict: &LookupVerdict, names: &OrganizationNames, paint: Paint) -> String {
    let mut text = String::new();
    let question = verdict.question.as_ref().map_or_else(|| "the file".to_owned(), ToString::to_string);
    let headline = match (verdict.outcome, &verdict.answer) {
        (Outcome::Valid, _) => format!("{} {}: {question}", paint.good(GOOD), paint.good("proven, and complete")),
        (Outcome::Incomplete, Some(_)) => format!("{} {}: {question}", paint.doubt(DOUBT), paint.doubt("proven, but")),
        (Outcome::Incomplete, None) => format!("{} {}: {question}", paint.doubt(DOUBT), paint.doubt("not proven")),
        (Outcome::Invalid, _) => format!("{} {}: {question}", paint.bad(BAD), paint.bad("refuted")),
    };
    let _ = writeln!(text, "{headline}");
    for reason in &verdict.reasons {
        let _ = writeln!(text, "  because {reason}");
    }
    if let Some(finality) = &verdict.finality {
        let _ = write!(text, "{}", paint.dim(&checkpoint(finality)));
    }
    // What is refuted is not shown: it would be read.
    if let (Some(answer), true) = (&verdict.answer, verdict.outcome != Outcome::Invalid) {
        let told = told(verdict.question.as_ref(), answer, names);
        let gap = if told.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{gap}{told}");
    }
    text
}

/// The checkpoint, its age and who signed it.
fn checkpoint(finality: &Finality) -> String {
    let block = &finality.checkpoint;
    let age_ms = now_ms().saturating_sub(block.time_ms);
    format!(
        "  at height {}, checkpoint age {}.{} s ({}), block {}\n  signed by {} of {}, after {} of them since the genesis\n",
        block.height,
        age_ms / 1_000,
        age_ms % 1_000 / 100,
        time(block.time_ms),
        block.hash,
        finality.signers.len(),
        counted(finality.validators, "validator"),
        counted(finality.changes, "change"),
    )
}

fn told(question: Option<&Question>, answer: &Answer, names: &OrganizationNames) -> String {
    match answer {
        Answer::Checkpoint => String::new(),
        Answer::Organization(found) => {
            found.as_ref().map_or_else(|| "there is no such organization\n".to_owned(), organization)
        }
        Answer::Device(Some(file)) => {
            let facts = form::facts(file);
            format!("{}{}\n", device::show::lines(names, &facts), counted(facts.len(), "fact"))
        }
        Answer::Device(None) | Answer::DeviceGrants(None) => "the device is not registered\n".to_owned(),
        Answer::DeviceStreams(list) => {
            let views: Vec<StreamView> = list.iter().map(|(id, record)| StreamView::new(*id, record.clone())).collect();
            format!("{}{}\n", stream::lines(&views), counted(views.len(), "stream"))
        }
        Answer::Grant(links) if links.is_empty() => "there is no such grant\n".to_owned(),
        Answer::Grant(links) => {
            let rows =
                form::grants(links).iter().map(|view| grant::show::rows(names, view).to_string()).collect::<Vec<_>>();
            rows.join("\npassed on from\n\n")
        }
        Answer::Grants(links) => grants(links, names),
        Answer::DeviceGrants(Some(found)) => grants(&found.grants, names),
        Answer::Stream(None) => "there is no such stream\n".to_owned(),
        Answer::Stream(Some(record)) => {
            let id = cairn_types::StreamId::of(&record.device, &record.name);
            stream::rows(&StreamView::new(id, record.clone())).to_string()
        }
        Answer::Lot(None) => "there is no such lot\n".to_owned(),
        Answer::Lot(Some(file)) => {
            let id = match question {
                Some(Question::Lot(id)) => Some(*id),
                _ => None,
            };
            let rows = id.map(|id| lot::show::rows(names, &LotView::new(id, file.lot.clone())).to_string());
            let lines: Vec<Vec<String>> =
                file.claims.iter().map(|(claim, device)| vec![claim.to_string(), device.to_string()]).collect();
            let claims = counted(lines.len(), "claim");
            format!("{}\n{}{claims}\n", rows.unwrap_or_default(), table(&["CLAIM", "DEVICE"], &lines))
        }
        Answer::Lots(list) => {
            let views: Vec<LotView> = list.iter().map(|(id, interval)| LotView::new(*id, interval.clone())).collect();
            format!("{}{}\n", lot::show::lines(names, &views), counted(views.len(), "lot"))
        }
        Answer::Organizations(list) => {
            let lines: Vec<Vec<String>> =
                list.iter().map(|(name, id)| vec![name.to_string(), id.to_string()]).collect();
            format!("{}{}\n", table(&["NAME", "ID"], &lines), counted(lines.len(), "organization"))
        }
        Answer::Council(list) => history(list, |ids| ids.iter().map(|id| names.of(id)).collect::<Vec<_>>().join(", ")),
        Answer::Validators(list) => list
            .iter()
            .map(|one| format!("{}\n{}\n", span(one), validators_table(&ValidatorsView::from(&one.value), names)))
            .collect(),
        Answer::Parameters(list) => list
            .iter()
            .map(|one| {
                let all = parameters::all(&one.value).into_iter();
                let rows = all.fold(Rows::new(), |rows, (name, value)| rows.row(&format!("  {name}"), value));
                format!("{}\n{rows}\n", span(one))
            })
            .collect(),
        Answer::Superseded(list) => {
            let line = |(sequence, one): &(u64, cairn_types::record::Superseded)| {
                let replacement = one.replacement.map(|place| place.to_string()).unwrap_or_default();
                vec![sequence.to_string(), one.at.to_string(), names.principal(&one.by), replacement]
            };
            let lines: Vec<Vec<String>> = list.iter().map(line).collect();
            let titles = ["SEQUENCE", "AT", "BY", "REPLACEMENT"];
            format!("{}{}\n", table(&titles, &lines), counted(lines.len(), "attestation"))
        }
    }
}

fn grants(links: &[cairn_proofs::authority::Link], names: &OrganizationNames) -> String {
    let views = form::grants(links);
    format!("{}{}\n", grant::show::lines(names, &views), counted(views.len(), "grant"))
}

fn organization(file: &OrganizationFile) -> String {
    let record = &file.record;
    let rows = Rows::new()
        .row("organization", &record.name)
        .row("title", harmless(&record.title))
        .row("roles", record.roles.iter().map(Role::name).collect::<Vec<_>>().join("+"))
        .maybe("recovery", record.recovery.as_ref().map(|set| format!("{} of {} keys", set.threshold, set.keys.len())))
        .row("admitted", record.admitted)
        .maybe("expelled", record.expelled);
    let mut text = rows.to_string();
    for epoch in &file.keys {
        let rows = key_set::rows(Rows::new(), "key", &epoch.value.keys);
        let rows = rows.maybe("next keys", epoch.value.next.map(|next| format!("committed to as {next}")));
        let _ = write!(text, "\n{}\n{rows}", span(epoch));
    }
    text
}

/// From when to when.
fn span<T>(interval: &Interval<T>) -> String {
    let to = |to: Position| format!("to {to}");
    format!("from {} {}", interval.from, interval.to.map_or_else(|| "on".to_owned(), to))
}

fn history<T>(list: &[Interval<T>], value: impl Fn(&T) -> String) -> String {
    let line = |one: &Interval<T>| {
        vec![one.from.to_string(), one.to.map(|to| to.to_string()).unwrap_or_default(), value(&one.value)]
    };
    table(&["FROM", "TO", "VALUE"], &list.iter().map(line).collect::<Vec<_>>())
}
