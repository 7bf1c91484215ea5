//! What the council may decide, and who its members are: sections 17.4 and 17.5.

use std::collections::BTreeSet;

use cairn_types::governance::{Measure, Upgrade};
use cairn_types::{
    Body, OrganizationId, OrganizationInception, Parameters, Principal, Rejection, Role, Roles, ValidatorSet,
};

use super::Past;
use super::rules::{Asked, not_entitled};

/// Most organizations in the council.
const COUNCIL_MAX: usize = 32;
/// Most bytes of a title.
const TITLE_BYTES_MAX: usize = 128;
/// The version of the rules at present.
const PRESENT_VERSION: u16 = 1;

/// Whether people can be shown a text: not too long, no control characters.
pub(super) fn can_be_shown(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && text.chars().all(|letter| !letter.is_control())
}

const fn refused<T>() -> Result<T, Rejection> {
    Err(Rejection::MeasureInvalid { reason: "" })
}

impl Past<'_> {
    /// Refused unless the organization is known.
    pub(super) fn known(&self, organization: &OrganizationId) -> Result<(), Rejection> {
        match self.organization(organization) {
            Some(_) => Ok(()),
            None => Err(Rejection::OrganizationUnknown { organization: *organization }),
        }
    }

    /// Refused unless the organization is known and takes part.
    pub(super) fn member(&self, organization: &OrganizationId) -> Result<(), Rejection> {
        self.known(organization)?;
        match self.expelled(organization) {
            None => Ok(()),
            Some(_) => Err(Rejection::OrganizationExpelled { organization: *organization }),
        }
    }

    /// Who signs a measure: everybody in the council may.
    pub(super) fn asked_of_council(&self, body: &Body) -> Result<Vec<Asked>, Rejection> {
        let Principal::Organization(organization) = body.signer else { return Err(not_entitled(body)) };
        self.member(&organization)?;
        let council = self.council();
        if !council.contains(&organization) {
            return Err(not_entitled(body));
        }
        council.into_iter().map(|member| self.as_now(Principal::Organization(member))).collect()
    }

    pub(super) fn measure(&self, measure: &Measure) -> Result<(), Rejection> {
        match measure {
            Measure::Admit(admit) => self.admit(&admit.inception, admit.roles),
            Measure::Expel(organization) => self.expel(organization),
            Measure::ChangeValidators(set) => self.change_validators(set),
            Measure::SetParameters(parameters) => self.set_parameters(parameters),
            Measure::ScheduleUpgrade(upgrade) => self.schedule(upgrade.as_ref()),
        }
    }

    fn admit(&self, inception: &OrganizationInception, roles: Roles) -> Result<(), Rejection> {
        let name_of = |id: &OrganizationId| self.organization(id).map(|(_, inception, _)| &inception.name);
        if self.organizations().iter().any(|id| name_of(id) == Some(&inception.name)) {
            return Err(Rejection::OrganizationNameTaken { name: inception.name.clone() });
        }
        if !can_be_shown(&inception.title, TITLE_BYTES_MAX) {
            return Err(Rejection::FieldInvalid { field: "inception.title", reason: "" });
        }
        let mut used_here = BTreeSet::new();
        for set in [Some(&inception.keys), inception.recovery.as_ref()].into_iter().flatten() {
            set.check().map_err(|reason| Rejection::KeySetInvalid { reason })?;
            for key in &set.keys {
                if let Some(by) = self.user_of(key) {
                    return Err(Rejection::KeyUsed { by });
                }
                if !used_here.insert(*key) {
                    return Err(Rejection::KeyUsed { by: Principal::Organization(inception.id()) });
                }
            }
        }
        if roles.contains(Role::Council) && self.council().len() >= COUNCIL_MAX {
            return refused();
        }
        Ok(())
    }

    fn expel(&self, organization: &OrganizationId) -> Result<(), Rejection> {
        self.member(organization)?;
        let height = self.at.height.get();
        for decided in height..=height + 2 {
            let sets = self.validator_sets();
            let (_, set) = sets.iter().rfind(|(from, _)| *from <= decided).expect("the first is there from the start");
            if set.iter().any(|validator| validator.organization == *organization) {
                return refused();
            }
        }
        if self.council() == [*organization] { refused() } else { Ok(()) }
    }

    fn change_validators(&self, set: &ValidatorSet) -> Result<(), Rejection> {
        set.check().map_err(|reason| Rejection::ValidatorsInvalid { reason })?;
        for validator in set.iter() {
            self.member(&validator.organization)?;
        }
        let sets = self.validator_sets();
        let (from, old) = sets.last().expect("the first is there from the start");
        if *from > self.at.height.get() || *old == set {
            return refused();
        }
        let power = |set: &ValidatorSet, key: &[u8; 32]| {
            set.iter().find(|validator| validator.key == *key).map_or(0, |validator| validator.power.get())
        };
        let total = |set: &ValidatorSet| set.iter().map(|validator| u128::from(validator.power.get())).sum::<u128>();
        let keys: BTreeSet<[u8; 32]> = old.iter().chain(set.iter()).map(|validator| validator.key).collect();
        let (mut lost, mut gained) = (0_u128, 0_u128);
        for key in keys {
            let (before, after) = (power(old, &key), power(set, &key));
            lost += u128::from(before.saturating_sub(after));
            gained += u128::from(after.saturating_sub(before));
        }
        if 3 * lost > total(old) || 3 * gained > total(set) { refused() } else { Ok(()) }
    }

    fn set_parameters(&self, parameters: &Parameters) -> Result<(), Rejection> {
        parameters.check().map_err(|reason| Rejection::ParametersInvalid { reason })?;
        if parameters == self.parameters_to_come() { refused() } else { Ok(()) }
    }

    fn schedule(&self, upgrade: Option<&Upgrade>) -> Result<(), Rejection> {
        let sound = match upgrade {
            Some(upgrade) => {
                upgrade.version > PRESENT_VERSION && upgrade.height.get() > self.at.height.get().saturating_add(2)
            }
            None => self.upgrade().is_some(),
        };
        if sound { Ok(()) } else { refused() }
    }
}
