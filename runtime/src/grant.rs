//! Who may do what: giving authority, ending it, and asking whether it is held.
//!
//! A grant names its parent and never exceeds it. Revocation is one write: whether authority is held is asked up the path
//! each time, so everything beneath a revoked grant ends with it.

use std::sync::Arc;

use cairn_proofs::authority::{self, AuthorityFailure, Link, Surroundings};
use cairn_types::call::{Grant, RevokeGrant};
use cairn_types::grant::Dimension;
use cairn_types::limits::GRANT_PATH_MAX;
use cairn_types::record::{GrantTerms, Interval};
use cairn_types::{
    Action, DeviceId, GrantId, Grantee, OrganizationId, Position, Principal, Rejection, Scope, Target, TransactionId,
    Zone, state_key,
};

use crate::device;
use crate::organization;
use crate::state::{self, Changes, State, memo};

/// Checks that `signer` may do `action` to `target`: as its owner, or by the grant it names.
pub(crate) fn check(
    state: &impl State,
    signer: Principal,
    action: Action,
    target: &Target,
    authority: Option<&GrantId>,
    position: Position,
) -> Result<(), Rejection> {
    match authority {
        Some(grant) => {
            let path = path_of(state, grant)?;
            check_path(state, &path, signer, action, target, position)
        }
        None if signer == Principal::Organization(target.owner) => Ok(()),
        None => Err(Rejection::Unauthorized { signer, action }),
    }
}

fn path_of(state: &impl State, grant: &GrantId) -> Result<Arc<[Link]>, Rejection> {
    memo::path(state, grant, || authority::path(grant, |id| state::grant(state, id))).map_err(rejection)
}

fn check_path(
    state: &impl State,
    path: &[Link],
    signer: Principal,
    action: Action,
    target: &Target,
    position: Position,
) -> Result<(), Rejection> {
    authority::check(path, &signer, &Now(state), target, action, position).map_err(rejection)
}

/// What the state says of those on a path. A state knows nothing of what comes after it, so what it says is so now.
struct Now<'a, S>(&'a S);

impl<S: State> Surroundings for Now<'_, S> {
    fn zone_of(&self, device: &DeviceId) -> Option<Zone> {
        memo::device_facts(self.0, device).zone.clone()
    }

    fn is_member(&self, organization: &OrganizationId) -> bool {
        memo::is_member(self.0, organization, || organization::check_member(self.0, organization).is_ok())
    }
}

fn rejection(failure: AuthorityFailure) -> Rejection {
    match failure {
        // What is given later is not known yet: the answer at every position before.
        AuthorityFailure::Unknown { grant } | AuthorityFailure::NotYetGiven { grant } => {
            Rejection::GrantUnknown { grant }
        }
        AuthorityFailure::TooLong { grant } => Rejection::GrantPathTooLong { grant, max: GRANT_PATH_MAX },
        AuthorityFailure::NotHeld { grant, claimant } => Rejection::GrantNotHeld { grant, signer: claimant },
        AuthorityFailure::Revoked { grant } => Rejection::GrantRevoked { grant },
        AuthorityFailure::EarlierOwner { grant } => Rejection::GrantOfEarlierOwner { grant },
        AuthorityFailure::Expelled { grant, organization } => Rejection::GrantorExpelled { grant, organization },
        AuthorityFailure::Exceeded { grant, dimension } => Rejection::GrantExceeded { grant, dimension },
        AuthorityFailure::NotOwner { grant, owner } => Rejection::GrantRootNotOwner { grant, owner },
        AuthorityFailure::Broken => {
            unreachable!("every path here is from `path_of`, which follows each grant's parent until there is none")
        }
    }
}

/// What a scope stands for now; refused if it does not exist.
fn target_of(state: &impl State, scope: &Scope) -> Result<Target, Rejection> {
    match scope {
        Scope::Zone(zone) => {
            organization::check_known(state, &zone.organization)?;
            Ok(Target::zone(zone.clone()))
        }
        Scope::Device(device) => device::target_of(state, device),
        Scope::Stream(stream) => {
            let record = state::stream(state, stream).ok_or(Rejection::StreamUnknown { stream: *stream })?;
            Ok(Target { stream: Some(*stream), ..device::target_of(state, &record.device)? })
        }
    }
}

fn check_grantee(state: &impl State, grantee: &Grantee) -> Result<(), Rejection> {
    match grantee {
        Grantee::Organization(id) => organization::check_known(state, id).map(|_| ()),
        Grantee::Zone(zone) => organization::check_known(state, &zone.organization).map(|_| ()),
        Grantee::Device(device) => match state::device(state, device) {
            Some(_) => Ok(()),
            None => Err(Rejection::DeviceUnknown { device: *device }),
        },
    }
}

// A text below names this limit.
const _: () = assert!(GRANT_PATH_MAX == 8);

fn check_fields(call: &Grant) -> Result<(), Rejection> {
    let invalid = |field, reason| Err(Rejection::FieldInvalid { field, reason });
    if call.actions.is_empty() {
        return invalid("actions", "names none");
    }
    if !call.window.is_valid() {
        return invalid("window", "ends before it begins");
    }
    if (call.depth > 0) != call.actions.contains(Action::Delegate) {
        return invalid("depth", "is above 0 exactly if the actions contain delegate");
    }
    if usize::from(call.depth) >= GRANT_PATH_MAX {
        return invalid("depth", "is at most 7");
    }
    Ok(())
}

pub(crate) fn give(
    state: &impl State,
    signer: Principal,
    call: &Grant,
    transaction: &TransactionId,
    position: Position,
) -> Result<Changes, Rejection> {
    check_fields(call)?;
    check_grantee(state, &call.grantee)?;
    let target = target_of(state, &call.scope)?;
    match &call.parent {
        None => check(state, signer, Action::Delegate, &target, None, position)?,
        Some(parent) => check_within_parent(state, signer, call, parent, &target, position)?,
    }
    let id = GrantId::of(transaction);
    let terms = GrantTerms {
        grantor: signer,
        grantee: call.grantee.clone(),
        actions: call.actions,
        scope: call.scope.clone(),
        window: call.window,
        depth: call.depth,
        parent: call.parent,
    };
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::grant(&id), &Interval::open(terms, position));
    changes.insert(state_key::scope_grant(&call.scope.key(), &id), Some(Vec::new()));
    Ok(changes)
}

/// Checks that the signer may pass `parent` on, and that the child exceeds it in nothing.
fn check_within_parent(
    state: &impl State,
    signer: Principal,
    call: &Grant,
    parent: &GrantId,
    target: &Target,
    position: Position,
) -> Result<(), Rejection> {
    let path = path_of(state, parent)?;
    if path.len() >= GRANT_PATH_MAX {
        return Err(Rejection::GrantPathTooLong { grant: *parent, max: GRANT_PATH_MAX });
    }
    check_path(state, &path, signer, Action::Delegate, target, position)?;
    let (_, Interval { value: terms, .. }) = path.first().expect("a path begins with the grant that was asked for");
    let exceeded = if !terms.actions.contains_all(call.actions) {
        Some(Dimension::Action)
    } else if call.depth >= terms.depth {
        Some(Dimension::Depth)
    } else if !terms.window.contains_window(&call.window) {
        Some(Dimension::Window)
    } else {
        // The path's check has shown that the parent's scope covers the child's as it stands now.
        None
    };
    match exceeded {
        Some(dimension) => Err(Rejection::GrantExceeded { grant: *parent, dimension }),
        None => Ok(()),
    }
}

pub(crate) fn revoke(
    state: &impl State,
    signer: Principal,
    call: &RevokeGrant,
    position: Position,
) -> Result<Changes, Rejection> {
    let grant = call.grant;
    let path = path_of(state, &grant)?;
    let (_, interval) = path.first().expect("a path begins with the grant that was asked for").clone();
    let target = target_of(state, &interval.value.scope)?;
    let is_grantor = path.iter().any(|(_, link)| link.value.grantor == signer);
    if !is_grantor && signer != Principal::Organization(target.owner) {
        return Err(Rejection::SignerNotEntitled {
            signer,
            call: "RevokeGrant",
            needed: "its grantor, a grantor above, or the owner of its scope does",
        });
    }
    if call.suspect_since.is_some_and(|since| since > position) {
        return Err(Rejection::SuspectSinceInvalid { reason: "lies in the future" });
    }
    if !is_grantor && call.suspect_since.is_some_and(|since| since < target.owned_since) {
        return Err(Rejection::SuspectSinceInvalid { reason: "lies before the signer owned the device" });
    }
    let revoked =
        state::ended(interval, call.suspect_since, position).ok_or(Rejection::GrantRevokedAlready { grant })?;
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::grant(&grant), &revoked);
    Ok(changes)
}
