//! Organizations: how they are founded.

use cairn_types::organization::KeySetError;
use cairn_types::record::{Interval, OrganizationKeys, OrganizationRecord};
use cairn_types::state_key::{self, OrganizationFacet};
use cairn_types::{Name, OrganizationId, OrganizationInception, Position, Principal, PublicKey, Roles};

use crate::state::{self, Changes, State};

/// An organization that is there from the genesis on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    /// How it begins.
    pub inception: OrganizationInception,
    /// What it does here.
    pub roles: Roles,
}

/// Why an organization cannot be founded. Whoever wrote the genesis file is to blame.
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
    },
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
            if state::key_user(state, key).is_some() || changes.contains_key(&use_key) {
                return Err(FoundingError::KeyUsed { name: name.clone(), key: *key });
            }
            state::put(&mut changes, use_key, &Principal::Organization(id));
        }
    }
    let record = OrganizationRecord {
        name: name.clone(),
        title: inception.title.clone(),
        roles: founder.roles,
        recovery: inception.recovery.clone(),
    };
    let keys = OrganizationKeys { keys: inception.keys.clone(), next: inception.next };
    let facet = |facet| state_key::ordinal(state_key::organization_facet(&id, facet), 0);
    state::put(&mut changes, facet(OrganizationFacet::Record), &record);
    state::put(&mut changes, facet(OrganizationFacet::Keys), &Interval::open(keys, position));
    state::put(&mut changes, state_key::organization_name(name), &id);
    Ok((id, changes))
}
