//! `grant`: who may do what, where, and by whose leave.

use std::collections::BTreeSet;

use cairn_proofs::authority::{self, AuthorityFailure, Surroundings};
use cairn_proofs::lookup;
use cairn_types::{
    Action, DeviceId, DeviceStatus, GrantId, Height, OrganizationId, Position, Principal, Rejection, Scope, StreamId,
    Target, Zone, ZonePath, state_key,
};
use jsonrpsee::core::async_trait;

use super::Service;
use super::proven::Extent;
use super::state::{Records, tail};
use crate::api::GrantApiServer;
use crate::backend::{Backend, View};
use crate::error::CallError;
use crate::limits::{CHECK_FAILURES_MAX, CHECK_GRANTS_MAX, DEVICE_STREAMS_EXAMINED_MAX};
use crate::views::{
    ActionName, At, GrantCheckView, GrantFailureView, GrantView, Page, PrincipalView, Provable, ScopeView, Text,
    TextForm,
};

/// The name under which a failure stands in the table of rejections, as far as it can stand there.
const fn rule(failure: &AuthorityFailure) -> &'static str {
    match failure {
        AuthorityFailure::Unknown { .. } => "GrantUnknown",
        AuthorityFailure::TooLong { .. } => "GrantPathTooLong",
        AuthorityFailure::Broken => "GrantPathBroken",
        AuthorityFailure::NotHeld { .. } => "GrantNotHeld",
        AuthorityFailure::NotYetGiven { .. } => "GrantNotYetGiven",
        AuthorityFailure::Revoked { .. } => "GrantRevoked",
        AuthorityFailure::EarlierOwner { .. } => "GrantOfEarlierOwner",
        AuthorityFailure::Expelled { .. } => "GrantorExpelled",
        AuthorityFailure::Exceeded { .. } => "GrantExceeded",
        AuthorityFailure::NotOwner { .. } => "GrantRootNotOwner",
    }
}

/// A zone and all zones above it, the nearest first.
fn with_zones_above(zone: &Zone) -> Vec<Zone> {
    let mut zones = vec![zone.clone()];
    let mut path = zone.path.as_str();
    while !path.is_empty() {
        path = path.rfind('/').and_then(|at| path.get(..at)).unwrap_or("");
        // A path without its last name is a path.
        let above: ZonePath = path.parse().unwrap_or_default();
        zones.push(Zone { organization: zone.organization, path: above });
    }
    zones
}

/// One question about authority, in one state.
struct Question<'a> {
    records: Records<'a>,
    view: &'a View,
    principal: Principal,
    /// Where the principal stands, if it is a device.
    zone: Option<Zone>,
    action: Action,
    target: Target,
    position: Position,
}

/// Both are asked about the position in question, the first after this state, where its latest facts hold.
impl Surroundings for Question<'_> {
    fn zone_of(&self, device: &DeviceId) -> Option<Zone> {
        self.records.device_zone(device).ok()
    }

    fn is_member(&self, organization: &OrganizationId) -> bool {
        self.records.organization_record(organization).is_ok_and(|record| record.is_member_at(self.position))
    }
}

impl Question<'_> {
    /// The grants over the target that the principal may hold, the narrowest scope first.
    fn candidates(&self) -> Result<Vec<GrantId>, CallError> {
        let mut scopes: Vec<Scope> = Vec::new();
        scopes.extend(self.target.stream.map(Scope::Stream));
        scopes.extend(self.target.device.map(Scope::Device));
        scopes.extend(self.target.zone.iter().flat_map(with_zones_above).map(Scope::Zone));
        let mut found = Vec::new();
        let mut examined = 0_usize;
        for scope in scopes {
            for (key, _) in self.view.state.prefix(&state_key::scope_grants(&scope.key())) {
                if examined == CHECK_GRANTS_MAX {
                    return Ok(found);
                }
                examined += 1;
                let id = GrantId::from_hash(tail(&key)?);
                let Some(interval) = self.records.grant(&id)? else { continue };
                if interval.value.grantee.is(&self.principal, self.zone.as_ref()) {
                    found.push(id);
                }
            }
        }
        Ok(found)
    }

    /// The path by which `grant` gives the authority.
    fn by(&self, grant: &GrantId) -> Result<Vec<authority::Link>, AuthorityFailure> {
        // A record that does not decode was logged where it was read, and is not there for this question.
        let lookup = |id: &GrantId| self.records.grant(id).ok().flatten();
        let path = authority::path(grant, lookup)?;
        authority::check(&path, &self.principal, self, &self.target, self.action, self.position)?;
        Ok(path)
    }

    fn answer(&self, only: Option<GrantId>) -> Result<GrantCheckView, CallError> {
        let mut answer = GrantCheckView {
            held: false,
            owner: false,
            position: self.position.into(),
            path: Vec::new(),
            failures: Vec::new(),
        };
        if let Principal::Device(device) = self.principal {
            let status = self.records.device_status(&device)?.value;
            if status != DeviceStatus::Active {
                let rejection = Rejection::DeviceStatusForbids { device, status };
                answer.failures.push(failure(None, rejection.name(), &rejection));
                return Ok(answer);
            }
        }
        if let Principal::Organization(organization) = self.principal
            && !self.is_member(&organization)
        {
            let rejection = Rejection::OrganizationExpelled { organization };
            answer.failures.push(failure(None, rejection.name(), &rejection));
            return Ok(answer);
        }
        if only.is_none() && self.principal == Principal::Organization(self.target.owner) {
            answer.held = true;
            answer.owner = true;
            return Ok(answer);
        }
        let grants = match only {
            Some(grant) => vec![grant],
            None => self.candidates()?,
        };
        for grant in &grants {
            match self.by(grant) {
                Ok(path) => {
                    answer.held = true;
                    answer.path = path.into_iter().map(|(id, interval)| GrantView::new(id, interval)).collect();
                    answer.failures.clear();
                    return Ok(answer);
                }
                Err(error) if answer.failures.len() < CHECK_FAILURES_MAX => {
                    answer.failures.push(failure(Some(*grant), rule(&error), &error));
                }
                Err(_) => {}
            }
        }
        if grants.is_empty() {
            let rejection = Rejection::Unauthorized { signer: self.principal, action: self.action };
            answer.failures.push(failure(None, rejection.name(), &rejection));
        }
        Ok(answer)
    }
}

fn failure(grant: Option<GrantId>, rule: &str, reason: &impl ToString) -> GrantFailureView {
    GrantFailureView { grant: grant.map(Text), rule: rule.to_owned(), reason: reason.to_string() }
}

/// What an action is done to, with all that is known of it.
fn target(records: Records<'_>, scope: Scope) -> Result<Target, CallError> {
    let of_device = |device: DeviceId| -> Result<Target, CallError> {
        records.device_exists(&device)?;
        let (owner, zone) = (records.device_owner(&device)?, records.device_zone(&device)?);
        let (owner, owned_since) = (owner.value, owner.from);
        Ok(Target { owner, owned_since, zone: Some(zone), device: Some(device), stream: None })
    };
    match scope {
        Scope::Zone(zone) => {
            records.organization_record(&zone.organization)?;
            let (owner, owned_since) = (zone.organization, Position::default());
            Ok(Target { owner, owned_since, zone: Some(zone), device: None, stream: None })
        }
        Scope::Device(device) => of_device(device),
        Scope::Stream(stream) => {
            let device = records.stream(&stream)?.device;
            Ok(Target { stream: Some(stream), ..of_device(device)? })
        }
    }
}

/// The grants over these scopes, ascending by id, at most `limit` after `after`. Each scope's list is sorted, so no more of
/// it is looked at.
fn over<'a>(
    view: &View,
    scopes: impl IntoIterator<Item = &'a Scope>,
    after: Option<GrantId>,
    limit: usize,
) -> Result<Vec<GrantId>, CallError> {
    let mut found = BTreeSet::new();
    for scope in scopes {
        let scope = scope.key();
        let after = after.map(|grant| state_key::scope_grant(&scope, &grant));
        for (key, _) in view.state.prefix_after(&state_key::scope_grants(&scope), after.as_deref()).take(limit) {
            found.insert(GrantId::from_hash(tail(&key)?));
        }
        while found.len() > limit {
            found.pop_last();
        }
    }
    Ok(found.into_iter().collect())
}

/// Every scope that bears on a device: itself, its streams, the zone where it is and the zones above.
fn scopes_over(records: Records<'_>, device: &DeviceId) -> Result<Vec<Scope>, CallError> {
    records.device_exists(device)?;
    let streams = records.0.prefix(&state_key::device_streams(device)).take(DEVICE_STREAMS_EXAMINED_MAX + 1);
    let streams = streams
        .map(|(key, _)| Ok(Scope::Stream(StreamId::from_hash(tail(&key)?))))
        .collect::<Result<Vec<_>, CallError>>()?;
    if streams.len() > DEVICE_STREAMS_EXAMINED_MAX {
        return Err(CallError::TooLarge {
            reason: format!("the device has more than {DEVICE_STREAMS_EXAMINED_MAX} streams"),
        });
    }
    let zones = with_zones_above(&records.device_zone(device)?).into_iter().map(Scope::Zone);
    Ok([Scope::Device(*device)].into_iter().chain(streams).chain(zones).collect())
}

#[async_trait]
impl<B: Backend> GrantApiServer for Service<B> {
    fn grant(
        &self,
        grant: Text<GrantId>,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<GrantView>>, CallError> {
        let view = self.view(at)?;
        let interval = Records(&view.state).grant(&grant.0)?.ok_or(Rejection::GrantUnknown { grant: grant.0 })?;
        self.provable(&view, GrantView::new(grant.0, interval), prove, lookup::Question::Grant(grant.0))
    }

    fn grants(
        &self,
        scope: Option<ScopeView>,
        after: Option<Text<GrantId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
        device: Option<Text<DeviceId>>,
        prove: Option<bool>,
    ) -> Result<Provable<Page<GrantView>>, CallError> {
        let extent = Extent::new(prove, after.as_ref(), limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        let after = after.map(|grant| grant.0);
        let (ids, question) = match (scope.map(Scope::from), device) {
            (Some(_), Some(_)) => return Err(CallError::parameter("device", "either a scope or a device, not both")),
            (Some(scope), None) => {
                let ids = over(&view, [&scope], after, extent.limit + 1)?;
                (ids, Some(lookup::Question::Grants(scope)))
            }
            (None, Some(Text(device))) => {
                let scopes = scopes_over(records, &device)?;
                (over(&view, &scopes, after, extent.limit + 1)?, Some(lookup::Question::DeviceGrants(device)))
            }
            (None, None) => {
                let after = after.map(|grant| state_key::grant(&grant));
                let keys = view.state.prefix_after(&state_key::grants(), after.as_deref()).take(extent.limit + 1);
                (keys.map(|(key, _)| Ok(GrantId::from_hash(tail(&key)?))).collect::<Result<_, CallError>>()?, None)
            }
        };
        let items = ids
            .into_iter()
            .map(|id| Ok(GrantView::new(id, records.grant(&id)?.ok_or(Rejection::GrantUnknown { grant: id })?)))
            .collect::<Result<Vec<_>, CallError>>()?;
        self.provable_list(&view, items, extent, question, |grant| grant.id.0.to_text())
    }

    fn check(
        &self,
        principal: PrincipalView,
        action: ActionName,
        target_scope: ScopeView,
        grant: Option<Text<GrantId>>,
        at: Option<Text<Height>>,
    ) -> Result<At<GrantCheckView>, CallError> {
        let view = self.view(at)?;
        let records = Records(&view.state);
        let principal = Principal::from(principal);
        let zone = match principal {
            Principal::Device(device) => {
                records.device_exists(&device)?;
                Some(records.device_zone(&device)?)
            }
            Principal::Organization(organization) => {
                records.organization_record(&organization)?;
                None
            }
        };
        let only = grant.map(|grant| grant.0);
        if let Some(grant) = only {
            records.grant(&grant)?.ok_or(Rejection::GrantUnknown { grant })?;
        }
        let height = view.header.height;
        let question = Question {
            records,
            view: &view,
            principal,
            zone,
            action: action.into(),
            target: target(records, target_scope.into())?,
            position: Position::start_of(height.next().unwrap_or(height)),
        };
        Ok(At::new(height, question.answer(only)?))
    }
}

#[cfg(test)]
mod tests {
    use cairn_types::{Hash, OrganizationId, Zone};

    use super::with_zones_above;

    #[test]
    fn zones_above_end_with_the_whole_namespace() {
        let organization = OrganizationId::from_hash(Hash::ZERO);
        let zone = |path: &str| Zone { organization, path: path.parse().expect("a path") };
        assert_eq!(with_zones_above(&zone("a/b/c")), [zone("a/b/c"), zone("a/b"), zone("a"), zone("")]);
        assert_eq!(with_zones_above(&zone("")), [zone("")]);
    }
}
