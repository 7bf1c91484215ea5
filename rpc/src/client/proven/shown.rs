//! Whether an answer is what a lookup shows. Each view is made again from the proven records, with the very conversions
//! that the node uses, and must come out the same; what the file cannot tell is taken from the answer itself.

use cairn_proofs::authority::Link;
use cairn_proofs::bundle::DeviceFile;
use cairn_proofs::lookup::Answer;
use cairn_types::record::StreamRecord;
use cairn_types::{Interval, StreamId};

use super::Shown;
use crate::limits::CLAIMS_COUNTED_MAX;
use crate::views::{
    At, CouncilMembersView, CouncilView, DeviceFact, DeviceFactView, DeviceFacts, DeviceKeyView, DeviceView, GrantView,
    IntervalView, LotAnswer, LotClaimView, LotView, OrganizationEpochView, OrganizationKeysView, OrganizationView,
    Page, ParametersAnswer, ParametersView, RecoveryView, StreamView, Text, ValidatorsAnswer, ValidatorsView,
};

/// Whether a page is the whole list, and each item what `shown` makes of the proven one.
fn is_all<V: PartialEq, P>(page: &Page<V>, proven: &[P], shown: impl Fn(&V, &P) -> bool) -> bool {
    page.next.is_none()
        && page.items.len() == proven.len()
        && page.items.iter().zip(proven).all(|(item, proven)| shown(item, proven))
}

fn around<T, V>(interval: &Interval<T>, view: impl Fn(&T) -> V) -> IntervalView<V> {
    IntervalView::around(interval, view(&interval.value))
}

/// Whether `history` is the end of the proven intervals, the last of which is the present one.
fn is_course<T, V: PartialEq>(
    history: &[IntervalView<V>],
    changes: u32,
    proven: &[Interval<T>],
    view: impl Fn(&T) -> V,
) -> bool {
    let shown = proven.iter().rev().map(|interval| around(interval, &view));
    usize::try_from(changes).is_ok_and(|changes| changes.checked_add(1) == Some(proven.len()))
        && !history.is_empty()
        && history.len() <= proven.len()
        && history.iter().rev().zip(shown).all(|(told, shown)| *told == shown)
}

impl Shown for At<OrganizationView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let view = &self.value;
        let Answer::Organization(Some(file)) = answer else { return false };
        let Some((keys, before)) = file.keys.split_last() else { return false };
        let epoch = u32::try_from(before.len()).unwrap_or(u32::MAX);
        OrganizationView::new(view.id.0, file.record.clone(), epoch, keys, view.council) == *view
    }
}

impl Shown for Page<OrganizationView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let Answer::Organizations(names) = answer else { return false };
        is_all(self, names, |view, (name, id)| view.name.0 == *name && view.id.0 == *id)
    }
}

impl Shown for Page<OrganizationEpochView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let Answer::Organization(Some(file)) = answer else { return false };
        is_all(self, &file.keys, |view, epoch| *view == around(epoch, |keys| OrganizationKeysView::from(keys)))
    }
}

impl Shown for At<DeviceView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let view = &self.value;
        let Answer::Device(Some(file)) = answer else { return false };
        let (Some(key), Some(owner), Some(status), Some(zone)) =
            (file.keys.last(), file.owners.last(), file.statuses.last(), file.placements.last())
        else {
            return false;
        };
        let endorsed = match (&view.endorsement, &file.record.endorsement) {
            (None, None) => true,
            (Some(told), Some(shown)) => {
                let names = (told.lot.0, told.manufacturer.0, &told.serial);
                names == (shown.lot, shown.manufacturer, &shown.serial)
            }
            _ => false,
        };
        let facts = DeviceFacts {
            endorsement: view.endorsement.clone(),
            key: key.clone(),
            owner: owner.clone(),
            status: status.clone(),
            zone: zone.clone(),
            recovery: file.recoveries.last().cloned(),
            offer: file.offers.last().cloned(),
        };
        endorsed && DeviceView::new(view.id.0, file.record.clone(), facts) == *view
    }
}

/// A device's history as it is told.
fn history_of(file: &DeviceFile) -> Vec<DeviceFactView> {
    let keys = file.keys.iter().map(|key| around(key, |key| DeviceFact::Key(DeviceKeyView::from(key))));
    let owners = file.owners.iter().map(|owner| around(owner, |owner| DeviceFact::Owner(Text(*owner))));
    let statuses = file.statuses.iter().map(|status| around(status, |status| DeviceFact::Status((*status).into())));
    let zones = file.placements.iter().map(|zone| around(zone, |zone| DeviceFact::Zone(zone.clone().into())));
    let recoveries = file
        .recoveries
        .iter()
        .map(|recovery| around(recovery, |recovery| DeviceFact::Recovery(RecoveryView::from(recovery))));
    let offers = file.offers.iter().map(|offer| around(offer, |to| DeviceFact::Offer(Text(*to))));
    keys.chain(owners).chain(statuses).chain(zones).chain(recoveries).chain(offers).collect()
}

impl Shown for Page<DeviceFactView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let Answer::Device(Some(file)) = answer else { return false };
        is_all(self, &history_of(file), |told, shown| told == shown)
    }
}

fn is_grant(view: &GrantView, (id, interval): &Link) -> bool {
    GrantView::new(*id, interval.clone()) == *view
}

impl Shown for At<GrantView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let Answer::Grant(path) = answer else { return false };
        path.first().is_some_and(|link| is_grant(&self.value, link))
    }
}

impl Shown for Page<GrantView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Grants(grants) => is_all(self, grants, is_grant),
            Answer::DeviceGrants(Some(file)) => is_all(self, &file.grants, is_grant),
            _ => false,
        }
    }
}

fn is_stream(view: &StreamView, (id, record): &(StreamId, StreamRecord)) -> bool {
    StreamView::new(*id, record.clone()) == *view
}

impl Shown for At<StreamView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let Answer::Stream(Some(record)) = answer else { return false };
        StreamView::new(self.value.id.0, record.clone()) == self.value
    }
}

impl Shown for Page<StreamView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let Answer::DeviceStreams(streams) = answer else { return false };
        is_all(self, streams, is_stream)
    }
}

impl Shown for At<LotAnswer> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let LotAnswer { lot, claimed } = &self.value;
        let Answer::Lot(Some(file)) = answer else { return false };
        let counted = u32::try_from(file.claims.len().min(CLAIMS_COUNTED_MAX));
        LotView::new(lot.id.0, file.lot.clone()) == *lot && counted == Ok(*claimed)
    }
}

impl Shown for Page<LotView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let Answer::Lots(lots) = answer else { return false };
        is_all(self, lots, |view, (id, lot)| LotView::new(*id, lot.clone()) == *view)
    }
}

impl Shown for Page<LotClaimView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let Answer::Lot(Some(file)) = answer else { return false };
        is_all(self, &file.claims, |view, (claim, device)| view.claim.0 == *claim && view.device.0 == *device)
    }
}

impl Shown for At<CouncilView> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let view = &self.value;
        let Answer::Council(course) = answer else { return false };
        let Some(now) = course.last() else { return false };
        let quorum = (now.value.len() * 2 / 3).saturating_add(1);
        view.members.iter().map(|member| &member.id.0).eq(&now.value)
            && u32::try_from(quorum) == Ok(view.quorum)
            && view.since == now.from.into()
            && is_course(&view.history, view.changes, course, |ids| CouncilMembersView {
                organizations: ids.iter().copied().map(Text).collect(),
            })
    }
}

impl Shown for At<ParametersAnswer> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let view = &self.value;
        let Answer::Parameters(course) = answer else { return false };
        let Some(now) = course.last() else { return false };
        view.parameters == ParametersView::from(now.value.clone())
            && view.since == now.from.into()
            && is_course(&view.history, view.changes, course, |parameters| ParametersView::from(parameters.clone()))
    }
}

impl Shown for At<ValidatorsAnswer> {
    fn is_shown_by(&self, answer: &Answer) -> bool {
        let view = &self.value;
        let Answer::Validators(course) = answer else { return false };
        // The set that decides the answer's block, and at most one that is to come.
        let Ok(changes) = usize::try_from(view.changes) else { return false };
        let Some(now) = course.get(changes) else { return false };
        let later = course.get(changes.saturating_add(1)..).unwrap_or_default();
        let told_later = match (&view.scheduled, later) {
            (None, []) => true,
            (Some(told), [shown]) => {
                told.effective.0 == shown.from.height && told.validators == ValidatorsView::from(&shown.value)
            }
            _ => false,
        };
        let decides =
            now.from.height <= self.height.0 && later.first().is_none_or(|next| self.height.0 < next.from.height);
        decides && told_later && view.validators == ValidatorsView::from(&now.value) && view.since == now.from.into()
    }
}
