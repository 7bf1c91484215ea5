//! The council, and what it decides: members, validators, parameters, and when the rules change.
//!
//! All of it stands in the state as intervals, from the genesis on, so an auditor sees who governed when. Who decides a
//! block is a function of the state two blocks before it.

use cairn_types::call::Govern;
use cairn_types::governance::{Admit, FIRST_VERSION, Measure, Upgrade, VALIDATORS_DELAY};
use cairn_types::limits::COUNCIL_MAX;
use cairn_types::record::Interval;
use cairn_types::state_key::{self, OrganizationFacet};
use cairn_types::{Height, OrganizationId, Parameters, Position, Power, Principal, Rejection, Role, ValidatorSet};

use crate::organization::{self, Founder, found};
use crate::signatures::Signer;
use crate::state::{self, Changes, State};

/// What a network is governed by from its genesis on: parameters, the council and the validators, as they enter the empty
/// state. `council` is strictly ascending.
pub fn genesis(parameters: &Parameters, council: &[OrganizationId], validators: &ValidatorSet) -> Changes {
    let from = Position::start_of(Height::GENESIS);
    let mut changes = Changes::new();
    let first = |prefix| state_key::ordinal(prefix, 0);
    state::put(&mut changes, first(state_key::parameters()), &Interval::open(parameters.clone(), from));
    state::put(&mut changes, first(state_key::council()), &Interval::open(council.to_vec(), from));
    state::put(&mut changes, first(state_key::validators()), &Interval::open(validators.clone(), from));
    changes
}

/// Who decides the block at `height`, as far as `state` can know: the answer is settled once the block two heights below
/// is final.
pub fn validators_at(state: &impl State, height: Height) -> ValidatorSet {
    let mut entry = state::validators(state);
    while entry.interval.from.height > height {
        let before = entry.ordinal.checked_sub(1).expect("the first validators are there from the genesis on");
        let before = state::entry(state, state_key::validators(), before);
        entry = before.expect("ordinals are dense");
    }
    entry.interval.value
}

/// The version of the rules by which the block at `height` must be made, as far as `state` can know.
pub fn version_at(state: &impl State, height: Height) -> u16 {
    upgrades(state)
        .find(|upgrade| upgrade.value.height <= height)
        .map_or(FIRST_VERSION, |upgrade| upgrade.value.version)
}

/// The change of the rules that lies ahead of `height`, if one is scheduled.
pub fn scheduled_upgrade(state: &impl State, height: Height) -> Option<Upgrade> {
    upgrades(state).next().map(|upgrade| upgrade.value).filter(|upgrade| upgrade.height > height)
}

/// Upgrades that were not called off, the newest first.
fn upgrades(state: &impl State) -> impl Iterator<Item = Interval<Upgrade>> {
    let last = state::upgrade(state).map_or(0, |entry| entry.ordinal.saturating_add(1));
    let entries = (0..last).rev().filter_map(move |ordinal| state::entry(state, state_key::upgrades(), ordinal));
    entries.map(|entry| entry.interval).filter(Interval::is_open)
}

fn council_of(state: &impl State) -> Vec<OrganizationId> {
    state::council(state).map_or_else(Vec::new, |entry| entry.interval.value)
}

/// Who may sign a measure: the council, each organization with its keys.
pub(crate) fn signers(state: &impl State, signer: Principal) -> Result<Vec<Signer>, Rejection> {
    let refused =
        Rejection::SignerNotEntitled { signer, call: "Govern", needed: "an organization of the council does" };
    let Principal::Organization(id) = signer else { return Err(refused) };
    organization::check_member(state, &id)?;
    let council = council_of(state);
    if !council.contains(&id) {
        return Err(refused);
    }
    council.iter().map(|member| Signer::current(state, Principal::Organization(*member))).collect()
}

pub(crate) fn govern(state: &impl State, call: &Govern, position: Position) -> Result<Changes, Rejection> {
    match &call.measure {
        Measure::Admit(measure) => admit(state, measure, position),
        Measure::Expel(organization) => expel(state, organization, position),
        Measure::ChangeValidators(validators) => change_validators(state, validators, position),
        Measure::SetParameters(parameters) => set_parameters(state, parameters, position),
        Measure::ScheduleUpgrade(upgrade) => schedule_upgrade(state, upgrade.as_ref(), position),
    }
}

const fn invalid(reason: &'static str) -> Rejection {
    Rejection::MeasureInvalid { reason }
}

// A text below names this limit.
const _: () = assert!(COUNCIL_MAX == 32);

fn admit(state: &impl State, measure: &Admit, position: Position) -> Result<Changes, Rejection> {
    let Admit { inception, roles } = measure;
    let founder = Founder { inception: inception.clone(), roles: *roles };
    let (id, mut changes) = found(state, &founder, position)?;
    if roles.contains(Role::Council) {
        let mut council = council_of(state);
        if council.len() >= COUNCIL_MAX {
            return Err(invalid("the council has 32 organizations, as many as can sign one transaction"));
        }
        council.push(id);
        council.sort_unstable();
        seat(state, council, position, &mut changes)?;
    }
    Ok(changes)
}

/// The council has these organizations from now on.
fn seat(
    state: &impl State,
    council: Vec<OrganizationId>,
    position: Position,
    changes: &mut Changes,
) -> Result<(), Rejection> {
    let opened = Interval::open(council, position);
    match state::council(state) {
        Some(entry) => entry.succeed(state_key::council(), opened, position, changes),
        None => state::open_after(state_key::council(), None, &opened, changes),
    }
}

fn expel(state: &impl State, id: &OrganizationId, position: Position) -> Result<Changes, Rejection> {
    let mut record = organization::check_member(state, id)?;
    let heights = position.height.get()..=position.height.get().saturating_add(VALIDATORS_DELAY);
    let validates = heights
        .map(|height| validators_at(state, Height::new(height)))
        .any(|set| set.iter().any(|validator| validator.organization == *id));
    if validates {
        return Err(invalid("it has validators; change the validators first"));
    }
    let mut council = council_of(state);
    let seats = council.len();
    council.retain(|member| member != id);
    if council.is_empty() {
        return Err(invalid("it is the whole council"));
    }
    record.expelled = Some(position);
    let mut changes = Changes::new();
    let key = state_key::ordinal(state_key::organization_facet(id, OrganizationFacet::Record), 0);
    state::put(&mut changes, key, &record);
    if council.len() < seats {
        seat(state, council, position, &mut changes)?;
    }
    Ok(changes)
}

fn change_validators(state: &impl State, set: &ValidatorSet, position: Position) -> Result<Changes, Rejection> {
    set.check().map_err(|reason| Rejection::ValidatorsInvalid { reason })?;
    for validator in set.iter() {
        organization::check_member(state, &validator.organization)?;
    }
    let last = state::validators(state);
    if last.interval.from.height > position.height {
        return Err(invalid("another change of the validators is still to take effect"));
    }
    let old = &last.interval.value;
    if old == set {
        return Err(invalid("these are the validators already"));
    }
    let moved_too_much = |from: &ValidatorSet, to: &ValidatorSet| {
        let lost = from.iter().fold(0, |sum: u128, validator| {
            let kept =
                to.index_of(&validator.key).and_then(|index| to.get(index)).map_or(Power::default(), |v| v.power);
            sum.saturating_add(u128::from(validator.power.get().saturating_sub(kept.get())))
        });
        lost.saturating_mul(3) > u128::from(from.total_power().get())
    };
    if moved_too_much(old, set) || moved_too_much(set, old) {
        return Err(invalid("more than a third of the power would move at once"));
    }
    let effective = position.height.get().checked_add(VALIDATORS_DELAY).ok_or(invalid("there is no such height"))?;
    let effective = Position::start_of(Height::new(effective));
    let mut changes = Changes::new();
    let opened = Interval::open(set.clone(), effective);
    last.succeed(state_key::validators(), opened, effective, &mut changes)?;
    Ok(changes)
}

fn set_parameters(state: &impl State, parameters: &Parameters, position: Position) -> Result<Changes, Rejection> {
    parameters.check().map_err(|reason| Rejection::ParametersInvalid { reason })?;
    let last = state::parameters_entry(state);
    if last.interval.value == *parameters {
        return Err(invalid("these are the parameters already"));
    }
    let mut changes = Changes::new();
    let opened = Interval::open(parameters.clone(), position);
    last.succeed(state_key::parameters(), opened, position, &mut changes)?;
    Ok(changes)
}

fn schedule_upgrade(state: &impl State, upgrade: Option<&Upgrade>, position: Position) -> Result<Changes, Rejection> {
    let last = state::upgrade(state);
    let is_ahead = |interval: &Interval<Upgrade>| interval.is_open() && interval.value.height > position.height;
    let pending = last.as_ref().is_some_and(|entry| is_ahead(&entry.interval));
    match upgrade {
        None if !pending => return Err(invalid("no upgrade is scheduled")),
        Some(upgrade) if upgrade.version <= version_at(state, position.height) => {
            return Err(invalid("the version is not above the present one"));
        }
        Some(upgrade) if upgrade.height.get() <= position.height.get().saturating_add(VALIDATORS_DELAY) => {
            return Err(invalid("the height is too near: nobody could prepare for it"));
        }
        _ => {}
    }
    let mut changes = Changes::new();
    if let Some(upgrade) = upgrade {
        state::open_after(state_key::upgrades(), last.as_ref(), &Interval::open(*upgrade, position), &mut changes)?;
    }
    if let Some(entry) = last.filter(|_| pending) {
        entry.close(position, &mut changes);
    }
    Ok(changes)
}
