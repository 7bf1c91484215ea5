//! Whether a path of grants gives a principal the authority to do something, at one position.
//!
//! This is the one place where that is decided: the rules ask when a transaction is applied, an auditor asks years later,
//! and both get the answer from [`check`]. It is given the grants on the path; it does not know where they were read or
//! how they were proven, and it takes their ids on trust.
//!
//! ```text
//! path[0]   the grant that the signer names; its grantee is the signer
//! path[1]   its parent; its grantee gave path[0]
//!   …
//! path[n]   has no parent; its grantor is the organization that owns the target
//! ```
//!
//! The invariant: authority is held only if *every* link of the path holds at the very position of use. So one revoked
//! link ends everything below it, and one proof of each link is enough to tell.

use cairn_types::grant::Dimension;
use cairn_types::limits::GRANT_PATH_MAX;
use cairn_types::record::GrantTerms;
use cairn_types::{
    Action, DeviceId, GrantId, Grantee, Interval, OrganizationId, Position, Principal, Scope, Target, Zone,
};

/// One grant on a path: its id, and its terms with the interval in which they stand.
pub type Link = (GrantId, Interval<GrantTerms>);

/// Why a path of grants gives no authority. Whoever claims it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityFailure {
    /// No such grant.
    #[error("grant {grant} is not known")]
    Unknown {
        /// The grant.
        grant: GrantId,
    },
    /// The path does not end in a grant without a parent within the limit.
    #[error("grant {grant} is more than {max} links from the owner", max = GRANT_PATH_MAX)]
    TooLong {
        /// The grant with which the path begins.
        grant: GrantId,
    },
    /// The path is empty, or a link is not the parent of the one below it, or the last link has a parent.
    #[error("the links of the path do not follow from one another")]
    Broken,
    /// The grant is somebody else's.
    #[error("grant {grant} is not held by {claimant}")]
    NotHeld {
        /// The grant.
        grant: GrantId,
        /// Who used it, or passed it on.
        claimant: Principal,
    },
    /// The grant was made later.
    #[error("grant {grant} was made later")]
    NotYetGiven {
        /// The grant.
        grant: GrantId,
    },
    /// The grant was revoked before.
    #[error("grant {grant} was revoked")]
    Revoked {
        /// The grant.
        grant: GrantId,
    },
    /// The grant is over a device or a stream, and was given under an earlier owner.
    #[error("grant {grant} ended when the device changed hands")]
    EarlierOwner {
        /// The grant.
        grant: GrantId,
    },
    /// The organization that gave the grant was expelled before, or is not known.
    #[error("grant {grant} ended when organization {organization} was expelled")]
    Expelled {
        /// The grant.
        grant: GrantId,
        /// Who gave it.
        organization: OrganizationId,
    },
    /// The use, or the link below, exceeds the grant.
    #[error("exceeds grant {grant} in {dimension}")]
    Exceeded {
        /// The grant that is exceeded.
        grant: GrantId,
        /// In which way.
        dimension: Dimension,
    },
    /// Whoever stands at the top of the path does not own the target.
    #[error("the top of the path, grant {grant}, is not the owner's; {owner} owns the target")]
    NotOwner {
        /// The top grant.
        grant: GrantId,
        /// The owner of the target.
        owner: OrganizationId,
    },
}

/// Collects the path that begins with `grant`: the grant, its parent, and so on up to the one without a parent.
///
/// # Errors
/// [`AuthorityFailure::Unknown`], if `lookup` does not know a grant; [`AuthorityFailure::TooLong`], if no grant without a
/// parent is met within [`GRANT_PATH_MAX`] links. Whoever names the grant is to blame.
pub fn path(
    grant: &GrantId,
    mut lookup: impl FnMut(&GrantId) -> Option<Interval<GrantTerms>>,
) -> Result<Vec<Link>, AuthorityFailure> {
    let mut links = Vec::new();
    let mut next = Some(*grant);
    while let Some(id) = next {
        if links.len() == GRANT_PATH_MAX {
            return Err(AuthorityFailure::TooLong { grant: *grant });
        }
        let terms = lookup(&id).ok_or(AuthorityFailure::Unknown { grant: id })?;
        next = terms.value.parent;
        links.push((id, terms));
    }
    Ok(links)
}

/// What is known, at one position, about those who stand on a path.
pub trait Surroundings {
    /// Where a device is placed. It is asked about a device that claims a grant which was given to a zone: about the
    /// signer, and about a device that passed such a grant on. So moving a device out of the zone ends its authority and
    /// all that it passed on.
    fn zone_of(&self, device: &DeviceId) -> Option<Zone>;

    /// Whether an organization takes part: admitted, and not expelled. It is asked about every one that gave a grant on the
    /// path, so expelling it ends all that rests on its authority.
    fn is_member(&self, organization: &OrganizationId) -> bool;
}

/// Whether `path` gives `signer` the authority for `action` on `target` at `position`, of which `surroundings` tell.
///
/// For each link, from the signer's up to the owner's:
///
/// 1. its grantee is the signer or, above the first link, the grantor of the link below;
/// 2. its interval contains the position: it was given, and not revoked; if its scope is a device or a stream, it was
///    given under the present owner; and its grantor, if an organization, is a member;
/// 3. its window contains the height;
/// 4. its actions contain the action and, above the first link, `delegate`;
/// 5. above the first link, its depth is more than the depth of the link below;
/// 6. its scope covers the target.
///
/// And the grantor of the last link is the organization that owns the target at the position.
///
/// # Errors
/// [`AuthorityFailure`]: the first of these rules that does not hold, in this order. Whoever claims the authority is to
/// blame.
pub fn check(
    path: &[Link],
    signer: &Principal,
    surroundings: &impl Surroundings,
    target: &Target,
    action: Action,
    position: Position,
) -> Result<(), AuthorityFailure> {
    let Some((last, _)) = path.split_last() else {
        return Err(AuthorityFailure::Broken);
    };
    check_links(path)?;
    let mut claimant = signer;
    let mut below: Option<&GrantTerms> = None;
    for (grant, interval) in path {
        let grant = *grant;
        let terms = &interval.value;
        if !holds(&terms.grantee, claimant, surroundings) {
            return Err(AuthorityFailure::NotHeld { grant, claimant: *claimant });
        }
        if position < interval.from {
            return Err(AuthorityFailure::NotYetGiven { grant });
        }
        if !interval.contains(position) {
            return Err(AuthorityFailure::Revoked { grant });
        }
        if matches!(terms.scope, Scope::Device(_) | Scope::Stream(_)) && interval.from < target.owned_since {
            return Err(AuthorityFailure::EarlierOwner { grant });
        }
        if let Principal::Organization(organization) = terms.grantor
            && !surroundings.is_member(&organization)
        {
            return Err(AuthorityFailure::Expelled { grant, organization });
        }
        if let Some(dimension) = exceeded(terms, below, target, action, position) {
            return Err(AuthorityFailure::Exceeded { grant, dimension });
        }
        claimant = &terms.grantor;
        below = Some(terms);
    }
    if *claimant == Principal::Organization(target.owner) {
        Ok(())
    } else {
        Err(AuthorityFailure::NotOwner { grant: last.0, owner: target.owner })
    }
}

/// Each link is the parent of the one below, the last has none, and they are not too many.
fn check_links(path: &[Link]) -> Result<(), AuthorityFailure> {
    if let Some((grant, _)) = path.first()
        && path.len() > GRANT_PATH_MAX
    {
        return Err(AuthorityFailure::TooLong { grant: *grant });
    }
    let parents = path.iter().map(|(_, interval)| interval.value.parent);
    let expected = path.iter().skip(1).map(|(grant, _)| Some(*grant)).chain([None]);
    if parents.eq(expected) { Ok(()) } else { Err(AuthorityFailure::Broken) }
}

fn holds(grantee: &Grantee, claimant: &Principal, surroundings: &impl Surroundings) -> bool {
    let zone = match (grantee, claimant) {
        (Grantee::Zone(_), Principal::Device(device)) => surroundings.zone_of(device),
        _ => None,
    };
    grantee.is(claimant, zone.as_ref())
}

/// Rules 3 to 6.
fn exceeded(
    terms: &GrantTerms,
    below: Option<&GrantTerms>,
    target: &Target,
    action: Action,
    position: Position,
) -> Option<Dimension> {
    if !terms.window.contains(position.height) {
        return Some(Dimension::Window);
    }
    if !terms.actions.contains(action) || below.is_some() && !terms.actions.contains(Action::Delegate) {
        return Some(Dimension::Action);
    }
    if below.is_some_and(|below| below.depth >= terms.depth) {
        return Some(Dimension::Depth);
    }
    if !terms.scope.covers(target) {
        return Some(Dimension::Scope);
    }
    None
}

#[cfg(test)]
mod tests;
