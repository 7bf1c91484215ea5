//! `grant`: who may do what, where, and by whose leave.

use cairn_proofs::authority::{self, AuthorityFailure, Surroundings};
use cairn_types::record::GrantTerms;
use cairn_types::{
    Action, DeviceId, DeviceStatus, GrantId, Height, Interval, OrganizationId, Position, Principal, Rejection, Scope,
    Target, Zone, ZonePath, state_key,
};
use jsonrpsee::core::async_trait;

use super::state::{Records, read, tail};
use super::{Service, cut, page_limit};
use crate::api::GrantApiServer;
use crate::backend::{Backend, View};
use crate::error::CallError;
use crate::limits::{CHECK_FAILURES_MAX, CHECK_GRANTS_MAX};
use crate::views::{
    ActionName, At, GrantCheckView, GrantFailureView, GrantView, Page, PrincipalView, ScopeView, Text, TextForm,
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
                let id = GrantId::from_hash(tail(key)?);
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

#[async_trait]
impl<B: Backend> GrantApiServer for Service<B> {
    fn grant(&self, grant: Text<GrantId>, at: Option<Text<Height>>) -> Result<At<GrantView>, CallError> {
        let view = self.view(at)?;
        let interval = Records(&view.state).grant(&grant.0)?.ok_or(Rejection::GrantUnknown { grant: grant.0 })?;
        Ok(At::new(view.header.height, GrantView::new(grant.0, interval)))
    }

    fn grants(
        &self,
        scope: Option<ScopeView>,
        after: Option<Text<GrantId>>,
        limit: Option<u32>,
        at: Option<Text<Height>>,
    ) -> Result<Page<GrantView>, CallError> {
        let limit = page_limit(limit)?;
        let view = self.view(at)?;
        let records = Records(&view.state);
        let items = match scope {
            Some(scope) => {
                let scope = Scope::from(scope).key();
                let after = after.map(|grant| state_key::scope_grant(&scope, &grant.0));
                view.state
                    .prefix_after(&state_key::scope_grants(&scope), after.as_deref())
                    .take(limit + 1)
                    .map(|(key, _)| {
                        let id = GrantId::from_hash(tail(key)?);
                        let interval = records.grant(&id)?.ok_or(Rejection::GrantUnknown { grant: id })?;
                        Ok(GrantView::new(id, interval))
                    })
                    .collect::<Result<Vec<_>, CallError>>()?
            }
            None => {
                let after = after.map(|grant| state_key::grant(&grant.0));
                view.state
                    .prefix_after(&state_key::grants(), after.as_deref())
                    .take(limit + 1)
                    .map(|(key, value)| {
                        let interval: Interval<GrantTerms> = read(value)?;
                        Ok(GrantView::new(GrantId::from_hash(tail(key)?), interval))
                    })
                    .collect::<Result<Vec<_>, CallError>>()?
            }
        };
        let (items, next) = cut(items, limit, |grant| grant.id.0.to_text());
        Ok(Page { height: Text(view.header.height), items, next })
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
