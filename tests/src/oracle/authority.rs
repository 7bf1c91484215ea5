//! Who may do what, by which grant: sections 10 and 17.3, read link by link from the grant that is named up to the owner.

use cairn_types::grant::Dimension;
use cairn_types::{
    Action, DeviceId, GrantId, Grantee, OrganizationId, Position, Principal, Rejection, Scope, StreamId, Zone,
};

use super::facts::Given;
use super::{Flaw, Past};

/// Most grants on a path.
const PATH_MAX: usize = 8;

/// What an action is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Who owns it.
    pub owner: OrganizationId,
    /// Since when; of a zone, since ever.
    pub since: Position,
    /// Where it is.
    pub zone: Zone,
    /// The device, unless it is a zone.
    pub device: Option<DeviceId>,
    /// The stream, if it is one.
    pub stream: Option<StreamId>,
}

/// Whether `inner` is `outer` or lies below it.
pub(super) fn lies_in(inner: &Zone, outer: &Zone) -> bool {
    let (inner_path, outer_path) = (inner.path.as_str(), outer.path.as_str());
    let below = outer_path.is_empty() || inner_path == outer_path || inner_path.starts_with(&format!("{outer_path}/"));
    inner.organization == outer.organization && below
}

impl<'a> Past<'a> {
    /// What a scope stands for; `None` if there is no such thing.
    pub fn thing(&self, scope: &Scope) -> Option<Thing> {
        let (device, stream) = match scope {
            Scope::Zone(zone) => {
                self.organization(&zone.organization)?;
                return Some(self.place(zone));
            }
            Scope::Device(device) => (*device, None),
            Scope::Stream(stream) => (self.stream(stream)?.0, Some(*stream)),
        };
        let owner = self.owner(&device)?;
        let zone = self.zone(&device)?.clone();
        Some(Thing { owner: owner.value, since: owner.from, zone, device: Some(device), stream })
    }

    /// A zone as what an action is done to.
    pub(super) fn place(&self, zone: &Zone) -> Thing {
        let owner = zone.organization;
        Thing { owner, since: Position::default(), zone: zone.clone(), device: None, stream: None }
    }

    /// The grants from `first` up to one without a parent.
    pub(super) fn path(&self, first: GrantId) -> Result<Vec<(GrantId, Given<'a>)>, Rejection> {
        let mut path = Vec::new();
        let mut next = Some(first);
        while let Some(grant) = next {
            if path.len() == PATH_MAX {
                return Err(Rejection::GrantPathTooLong { grant: first, max: PATH_MAX });
            }
            let given = self.grant(&grant).ok_or(Rejection::GrantUnknown { grant })?;
            path.push((grant, given));
            next = given.terms.parent;
        }
        Ok(path)
    }

    /// Whether `who` may do `action` to `thing`, by the grant that is named, or else as its owner.
    pub fn entitled(
        &self,
        who: Principal,
        action: Action,
        thing: &Thing,
        by: Option<GrantId>,
    ) -> Result<(), Rejection> {
        let Some(first) = by else {
            let owns = who == Principal::Organization(thing.owner);
            return if owns { Ok(()) } else { Err(Rejection::Unauthorized { signer: who, action }) };
        };
        let path = self.path(first)?;
        let mut claimant = who;
        for (number, (grant, given)) in path.iter().enumerate() {
            let (grant, terms) = (*grant, given.terms);
            let exceeded = |dimension| Err(Rejection::GrantExceeded { grant, dimension });
            let holds = match (&terms.grantee, claimant) {
                (Grantee::Organization(id), Principal::Organization(who)) => *id == who,
                (Grantee::Device(id), Principal::Device(who)) => *id == who,
                (Grantee::Zone(zone), Principal::Device(who)) => {
                    self.zone(&who).is_some_and(|placed| lies_in(placed, zone))
                }
                _ => false,
            };
            if !holds {
                return Err(Rejection::GrantNotHeld { grant, signer: claimant });
            }
            if self.revoked(&grant).is_some() {
                return Err(Rejection::GrantRevoked { grant });
            }
            let over_one = matches!(terms.scope, Scope::Device(_) | Scope::Stream(_));
            if over_one && given.at < thing.since && self.oracle.flaw != Flaw::ForgetsEarlierOwners {
                return Err(Rejection::GrantOfEarlierOwner { grant });
            }
            if let Principal::Organization(organization) = given.grantor
                && self.expelled(&organization).is_some()
            {
                return Err(Rejection::GrantorExpelled { grant, organization });
            }
            let height = self.at.height;
            if height < terms.window.from || terms.window.to.is_some_and(|to| height >= to) {
                return exceeded(Dimension::Window);
            }
            if !terms.actions.contains(action) || (number > 0 && !terms.actions.contains(Action::Delegate)) {
                return exceeded(Dimension::Action);
            }
            if number > 0 && terms.depth <= path[number - 1].1.terms.depth {
                return exceeded(Dimension::Depth);
            }
            let covers = match &terms.scope {
                Scope::Zone(zone) => lies_in(&thing.zone, zone),
                Scope::Device(device) => thing.device == Some(*device),
                Scope::Stream(stream) => thing.stream == Some(*stream),
            };
            if !covers {
                return exceeded(Dimension::Scope);
            }
            claimant = given.grantor;
        }
        if claimant != Principal::Organization(thing.owner) {
            let top = path.last().map_or(first, |(grant, _)| *grant);
            return Err(Rejection::GrantRootNotOwner { grant: top, owner: thing.owner });
        }
        Ok(())
    }
}
