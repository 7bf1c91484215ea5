//! What the state says about council, validators, parameters and changes of the rules.

use borsh::BorshDeserialize;
use cairn_proofs::lookup::Question;
use cairn_types::governance::Upgrade;
use cairn_types::{Height, Interval, OrganizationId, Parameters, Position, ValidatorSet, state_key};

use super::Service;
use super::state::{Records, incomplete};
use crate::backend::Backend;
use crate::error::CallError;
use crate::limits::GOVERNANCE_INTERVALS_MAX;
use crate::views::{
    At, CouncilMemberView, CouncilMembersView, CouncilView, IntervalView, ParametersAnswer, ParametersView, Provable,
    ScheduledUpgradeView, ScheduledValidatorsView, Text, UpgradeAnswer, ValidatorsAnswer, ValidatorsView,
};

/// What governs the network now, and the last intervals that lead up to it.
struct Course<T> {
    now: Interval<T>,
    /// How often it has changed.
    changes: u32,
    history: Vec<Interval<T>>,
}

fn course<T: BorshDeserialize>(records: Records<'_>, prefix: Vec<u8>) -> Result<Course<T>, CallError> {
    let (changes, now) = records.last(&prefix)?.ok_or_else(|| incomplete("what governs the network"))?;
    let after = changes.checked_sub(GOVERNANCE_INTERVALS_MAX).map(|last| state_key::ordinal(prefix.clone(), last));
    let entries = records.0.prefix_after(&prefix, after.as_deref());
    let history = entries.map(|(_, value)| super::state::read(value)).collect::<Result<_, _>>()?;
    Ok(Course { now, changes, history })
}

fn show<T, V>(interval: &Interval<T>, view: impl Fn(&T) -> V) -> IntervalView<V> {
    IntervalView::around(interval, view(&interval.value))
}

impl<B: Backend> Service<B> {
    pub(super) fn council_at(
        &self,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<CouncilView>>, CallError> {
        let view = self.view(at)?;
        let records = Records(&view.state);
        let course: Course<Vec<OrganizationId>> = course(records, state_key::council())?;
        let member = |id: &OrganizationId| {
            let organization = records.organization(id)?;
            let (id, name, title, keys) = (organization.id, organization.name, organization.title, organization.keys);
            Ok(CouncilMemberView { id, name, title, keys })
        };
        let members = course.now.value.iter().map(member).collect::<Result<Vec<_>, CallError>>()?;
        // More than two thirds: the smallest number whose triple is above the double of all.
        let quorum = (members.len() * 2 / 3).saturating_add(1);
        let organizations =
            |ids: &Vec<OrganizationId>| CouncilMembersView { organizations: ids.iter().copied().map(Text).collect() };
        let answer = CouncilView {
            members,
            quorum: u32::try_from(quorum).unwrap_or(u32::MAX),
            since: course.now.from.into(),
            changes: course.changes,
            history: course.history.iter().map(|interval| show(interval, organizations)).collect(),
        };
        self.provable(&view, answer, prove, Question::Council)
    }

    pub(super) fn parameters_at(
        &self,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<ParametersAnswer>>, CallError> {
        let view = self.view(at)?;
        let course: Course<Parameters> = course(Records(&view.state), state_key::parameters())?;
        let parameters = |parameters: &Parameters| ParametersView::from(parameters.clone());
        let answer = ParametersAnswer {
            parameters: parameters(&course.now.value),
            since: course.now.from.into(),
            changes: course.changes,
            history: course.history.iter().map(|interval| show(interval, parameters)).collect(),
        };
        self.provable(&view, answer, prove, Question::Parameters)
    }

    /// Those who decide the block at `at`, as the state after it has them, and those who are to come.
    pub(super) fn validators_at(
        &self,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<ValidatorsAnswer>>, CallError> {
        let view = self.view(at)?;
        let records = Records(&view.state);
        let prefix = state_key::validators();
        let (last_ordinal, last): (u32, Interval<ValidatorSet>) =
            records.last(&prefix)?.ok_or_else(|| incomplete("the validators"))?;
        // Those of block 1 stand in the genesis already, which nobody decides.
        let is_to_come = last_ordinal > 0 && last.from > Position::start_of(view.header.height);
        let (changes, since, scheduled) = if is_to_come {
            let ordinal = last_ordinal.saturating_sub(1);
            let now: Interval<ValidatorSet> = records
                .get(&state_key::ordinal(prefix, ordinal))?
                .ok_or_else(|| incomplete("the validators of now"))?;
            let validators = ValidatorsView::from(&last.value);
            let scheduled = ScheduledValidatorsView { effective: Text(last.from.height), validators };
            (ordinal, now.from, Some(scheduled))
        } else {
            (last_ordinal, last.from, None)
        };
        let validators = ValidatorsView::from(&*view.validators);
        let answer = ValidatorsAnswer { validators, since: since.into(), changes, scheduled };
        self.provable(&view, answer, prove, Question::Validators)
    }

    pub(super) fn upgrade_at(&self, at: Option<Text<Height>>) -> Result<At<UpgradeAnswer>, CallError> {
        let view = self.view(at)?;
        let height = view.header.height;
        let last: Option<Interval<Upgrade>> = Records(&view.state).latest(&state_key::upgrades())?;
        let scheduled = last
            .filter(|interval| interval.is_open() && interval.value.height > height)
            .map(|interval| ScheduledUpgradeView { upgrade: interval.value.into(), decided: interval.from.into() });
        Ok(At::new(height, UpgradeAnswer { version: view.header.version, scheduled }))
    }
}
