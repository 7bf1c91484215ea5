//! Organizations: how they are founded, who is a member, and how their keys change.

use cairn_types::call::RotateOrganizationKeys;
use cairn_types::organization::KeySetError;
use cairn_types::record::{Interval, OrganizationKeys, OrganizationRecord};
use cairn_types::state_key::{self, OrganizationFacet};
use cairn_types::{
    KeySet, Name, OrganizationId, OrganizationInception, Position, Principal, PublicKey, Rejection, Role, Roles,
};

use crate::signatures::Signer;
use crate::state::{self, Changes, State};

/// An organization's record; refused if there is none.
pub(crate) fn check_known(state: &impl State, id: &OrganizationId) -> Result<OrganizationRecord, Rejection> {
    state::organization(state, id).ok_or(Rejection::OrganizationUnknown { organization: *id })
}

/// The record of an organization that takes part; refused if it was expelled.
pub(crate) fn check_member(state: &impl State, id: &OrganizationId) -> Result<OrganizationRecord, Rejection> {
    let record = check_known(state, id)?;
    if record.expelled.is_some() { Err(Rejection::OrganizationExpelled { organization: *id }) } else { Ok(record) }
}

/// Checks that an organization has a role.
pub(crate) fn check_role(record: &OrganizationRecord, id: &OrganizationId, role: Role) -> Result<(), Rejection> {
    if record.roles.contains(role) { Ok(()) } else { Err(Rejection::RoleMissing { organization: *id, role }) }
}

/// The recovery set of an organization that takes part, as a signer.
pub(crate) fn recovery_signer(state: &impl State, id: &OrganizationId) -> Result<Signer, Rejection> {
    let keys = check_member(state, id)?.recovery.ok_or(Rejection::RecoverySetMissing { organization: *id })?;
    Ok(Signer { principal: Principal::Organization(*id), keys })
}

/// Marks keys as used by `by`; refused at the first that was used before, in the state or among these.
fn use_keys(state: &impl State, keys: &KeySet, by: Principal, changes: &mut Changes) -> Result<(), Rejection> {
    for key in &keys.keys {
        let use_key = state_key::key_use(key);
        if let Some(by) = state::key_user(state, key) {
            return Err(Rejection::KeyUsed { by });
        }
        if changes.contains_key(&use_key) {
            return Err(Rejection::KeyUsed { by });
        }
        state::put(changes, use_key, &by);
    }
    Ok(())
}

/// Who must sign a rotation: the new keys, to which the open epoch has committed, or the recovery set.
pub(crate) fn rotation_signers(
    state: &impl State,
    signer: Principal,
    call: &RotateOrganizationKeys,
) -> Result<Vec<Signer>, Rejection> {
    if signer != Principal::Organization(call.organization) {
        return Err(Rejection::SignerNotEntitled {
            signer,
            call: "RotateOrganizationKeys",
            needed: "the organization itself does, with its new keys or its recovery set",
        });
    }
    if call.by_recovery {
        return Ok(vec![recovery_signer(state, &call.organization)?]);
    }
    check_member(state, &call.organization)?;
    Ok(vec![Signer { principal: signer, keys: call.keys.clone() }])
}

pub(crate) fn rotate(
    state: &impl State,
    call: &RotateOrganizationKeys,
    position: Position,
) -> Result<Changes, Rejection> {
    let RotateOrganizationKeys { organization, keys, next, by_recovery } = call;
    keys.check().map_err(|reason| Rejection::KeySetInvalid { reason })?;
    let epoch = state::organization_keys(state, organization)
        .ok_or(Rejection::OrganizationUnknown { organization: *organization })?;
    if !by_recovery && epoch.interval.value.next != Some(keys.commitment()) {
        return Err(Rejection::KeySetNotCommitted { organization: *organization });
    }
    let mut changes = Changes::new();
    use_keys(state, keys, Principal::Organization(*organization), &mut changes)?;
    let opened = Interval::open(OrganizationKeys { keys: keys.clone(), next: *next }, position);
    let prefix = state_key::organization_facet(organization, OrganizationFacet::Keys);
    epoch.succeed(prefix, opened, position, &mut changes)?;
    Ok(changes)
}

/// An organization that is there from the genesis on, or is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    /// How it begins.
    pub inception: OrganizationInception,
    /// What it does here.
    pub roles: Roles,
}

/// Why an organization cannot be founded. Whoever wrote the genesis file, or the measure, is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoundingError {
    /// Another one has that name.
    #[error("two organizations are called {name}")]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// Its title is too long or holds control characters.
    #[error("the title of {name} is longer than 128 bytes or holds control characters")]
    Title {
        /// The organization.
        name: Name,
    },
    /// Its keys cannot be used.
    #[error("the keys of {name}: {source}")]
    Keys {
        /// The organization.
        name: Name,
        /// What is wrong with them.
        source: KeySetError,
    },
    /// One of its keys is used elsewhere already.
    #[error("key {key} of {name} is used twice")]
    KeyUsed {
        /// The organization.
        name: Name,
        /// The key.
        key: PublicKey,
        /// By whom.
        by: Principal,
    },
}

impl From<FoundingError> for Rejection {
    fn from(error: FoundingError) -> Self {
        match error {
            FoundingError::NameTaken { name } => Self::OrganizationNameTaken { name },
            FoundingError::Title { .. } => Self::FieldInvalid {
                field: "inception.title",
                reason: "longer than 128 bytes, or holds control characters",
            },
            FoundingError::Keys { source, .. } => Self::KeySetInvalid { reason: source },
            FoundingError::KeyUsed { by, .. } => Self::KeyUsed { by },
        }
    }
}

/// Founds an organization at `position`.
///
/// # Errors
/// [`FoundingError`]; whoever describes the organization is to blame.
pub fn found(
    state: &impl State,
    founder: &Founder,
    position: Position,
) -> Result<(OrganizationId, Changes), FoundingError> {
    let inception = &founder.inception;
    let name = &inception.name;
    let id = inception.id();
    let mut changes = Changes::new();
    if state.get(&state_key::organization_name(name)).is_some() {
        return Err(FoundingError::NameTaken { name: name.clone() });
    }
    if !inception.title_is_valid() {
        return Err(FoundingError::Title { name: name.clone() });
    }
    for keys in [Some(&inception.keys), inception.recovery.as_ref()].into_iter().flatten() {
        keys.check().map_err(|source| FoundingError::Keys { name: name.clone(), source })?;
        for key in &keys.keys {
            let use_key = state_key::key_use(key);
            let own = changes.contains_key(&use_key).then_some(Principal::Organization(id));
            if let Some(by) = state::key_user(state, key).or(own) {
                return Err(FoundingError::KeyUsed { name: name.clone(), key: *key, by });
            }
            state::put(&mut changes, use_key, &Principal::Organization(id));
        }
    }
    let record = OrganizationRecord {
        name: name.clone(),
        title: inception.title.clone(),
        roles: founder.roles,
        recovery: inception.recovery.clone(),
        admitted: position,
        expelled: None,
    };
    let keys = OrganizationKeys { keys: inception.keys.clone(), next: inception.next };
    let facet = |facet| state_key::ordinal(state_key::organization_facet(&id, facet), 0);
    state::put(&mut changes, facet(OrganizationFacet::Record), &record);
    state::put(&mut changes, facet(OrganizationFacet::Keys), &Interval::open(keys, position));
    state::put(&mut changes, state_key::organization_name(name), &id);
    Ok((id, changes))
}
