//! Authority, passed on as deep as it goes, and taken away.

use cairn_types::call::{Grant, RevokeGrant};
use cairn_types::{Action, Actions, Call, GrantId, Grantee, Hash, Height, Principal, Scope, StreamId, Window};

use super::{Player, Proposal};

impl Player<'_> {
    fn scope(&mut self) -> Scope {
        let streams = self.now().streams();
        match self.random.below(8) {
            0 | 1 if !streams.is_empty() => Scope::Stream(*self.random.pick(&streams)),
            2 | 3 => Scope::Device(self.device()),
            4 if self.random.once_in(10) => Scope::Stream(StreamId::from_hash(Hash::plain(b"no stream"))),
            _ => Scope::Zone(self.any_zone()),
        }
    }

    fn grantee(&mut self, scope: &Scope) -> Grantee {
        match (self.random.below(6), scope) {
            (0, _) => Grantee::Organization(self.organization()),
            (1, _) => Grantee::Device(self.device()),
            (2, _) => Grantee::Zone(self.any_zone()),
            (3, _) if self.random.once_in(20) => {
                Grantee::Organization(cairn_types::OrganizationId::from_hash(Hash::plain(b"nobody")))
            }
            (_, Scope::Zone(zone)) => Grantee::Zone(zone.clone()),
            (_, Scope::Device(device)) => Grantee::Device(*device),
            (_, Scope::Stream(stream)) => match self.now().stream(stream) {
                Some((device, ..)) => Grantee::Device(device),
                None => Grantee::Device(self.device()),
            },
        }
    }

    pub(super) fn grant(&mut self) -> Proposal {
        let scope = self.scope();
        if self.random.once_in(2)
            && let Some((holder, parent)) = self.holder_of_some_grant()
        {
            return self.give(holder, Some(parent), scope);
        }
        let owner = self.now().thing(&scope).map(|thing| Principal::Organization(thing.owner));
        let owner = owner.unwrap_or_else(|| self.any_principal());
        let (signer, parent) = self.entitled(owner, Action::Delegate, &scope);
        self.give(signer, parent, scope)
    }

    /// How many grants lie above this one, itself included.
    fn links(&self, grant: &GrantId) -> usize {
        let now = self.now();
        let above = |grant: &GrantId| now.grant(grant).and_then(|given| given.terms.parent);
        std::iter::successors(Some(*grant), above).count()
    }

    /// A grant that may be passed on, most often one that was passed on often, and somebody who holds it.
    fn holder_of_some_grant(&mut self) -> Option<(Principal, GrantId)> {
        let now = self.now();
        let mut grants = now.grants();
        if !self.random.once_in(8) {
            grants.retain(|grant| {
                let depth = now.grant(grant).map_or(0, |given| given.terms.depth);
                now.revoked(grant).is_none() && (depth > 0 || self.links(grant) > 6)
            });
        }
        if grants.is_empty() {
            return None;
        }
        let grant = if self.random.once_in(2) {
            grants.into_iter().max_by_key(|grant| self.links(grant))?
        } else {
            *self.random.pick(&grants)
        };
        let holder = match &now.grant(&grant)?.terms.grantee {
            Grantee::Organization(id) => Principal::Organization(*id),
            Grantee::Device(id) => Principal::Device(*id),
            Grantee::Zone(zone) => {
                let inside =
                    |device: &cairn_types::DeviceId| now.zone(device).is_some_and(|placed| zone.contains(placed));
                Principal::Device(now.devices().into_iter().find(inside)?)
            }
        };
        Some((holder, grant))
    }

    /// Most often a scope within the parent's, if there is one.
    fn give(&mut self, signer: Principal, parent: Option<GrantId>, scope: Scope) -> Proposal {
        let above = parent.and_then(|parent| self.now().grant(&parent)).map(|given| given.terms.clone());
        let scope = above.as_ref().filter(|_| self.careful()).map_or(scope, |above| above.scope.clone());
        let all: Actions = Action::ALL.into_iter().collect();
        let most = above.as_ref().filter(|_| self.careful()).map_or(all, |above| above.actions);
        let deep = self.random.once_in(2);
        let mut actions: Actions = most.iter().filter(|_| deep || !self.random.once_in(4)).collect();
        let mut depth = if self.careful() {
            let most = above.as_ref().map_or(7, |above| above.depth.saturating_sub(1));
            if deep { most } else { most.saturating_sub(self.random.below(3) as u8) }
        } else {
            self.random.below(10) as u8
        };
        if self.careful() {
            // Depth and delegate belong together.
            let keep = |action: &Action| *action != Action::Delegate || depth > 0;
            actions = actions.iter().filter(keep).collect();
            depth = if actions.contains(Action::Delegate) { depth } else { 0 };
        }
        let window = above.as_ref().map_or(Window::ALWAYS, |above| above.window);
        let window = if self.random.once_in(8) { self.window() } else { window };
        let grantee = self.grantee(&scope);
        (signer, Call::Grant(Grant { grantee, actions, scope, window, depth, parent }))
    }

    /// From organization to organization, one link more; and at last one too many.
    pub(super) fn dig(&mut self) -> Proposal {
        let now = self.now();
        let to = Grantee::Organization(self.organization());
        let mut grants = now.grants();
        grants.retain(|grant| {
            let given = now.grant(grant).expect("it was listed");
            let to_member = matches!(given.terms.grantee, Grantee::Organization(id) if now.expelled(&id).is_none());
            to_member && now.revoked(grant).is_none() && (given.terms.depth > 0 || self.links(grant) == 8)
        });
        let deepest = grants.into_iter().max_by_key(|grant| self.links(grant));
        let above = deepest.and_then(|grant| now.grant(&grant)).filter(|_| !self.random.once_in(10));
        let (signer, scope, depth) = match above.map(|given| given.terms) {
            Some(Grant { grantee: Grantee::Organization(id), scope, depth, .. }) => {
                (*id, scope.clone(), depth.saturating_sub(1))
            }
            _ => {
                let owner = self.organization();
                (owner, Scope::Zone(self.zone_of(owner)), 7)
            }
        };
        let actions = Action::ALL.into_iter().filter(|action| *action != Action::Delegate || depth > 0).collect();
        let parent = above.and(deepest);
        let window = Window::ALWAYS;
        let signer = Principal::Organization(signer);
        (signer, Call::Grant(Grant { grantee: to, actions, scope, window, depth, parent }))
    }

    fn window(&mut self) -> Window {
        let from = Height::new(self.random.below(self.oracle.blocks.len() + 2) as u64);
        let end = self.position.height.get() + self.random.below(30) as u64;
        Window { from, to: (!self.random.once_in(3)).then(|| Height::new(end)) }
    }

    pub(super) fn revoke(&mut self) -> Proposal {
        let Some(grant) = self.any_grant() else { return self.grant() };
        let Some(given) = self.now().grant(&grant) else {
            return (self.any_principal(), Call::RevokeGrant(RevokeGrant { grant, suspect_since: None }));
        };
        let thing = self.now().thing(&given.terms.scope);
        let signer = match self.random.below(4) {
            0 => self.any_principal(),
            1 => thing.map_or(given.grantor, |thing| Principal::Organization(thing.owner)),
            _ => given.grantor,
        };
        let suspect_since = if self.random.once_in(3) { None } else { Some(self.some_time()) };
        (signer, Call::RevokeGrant(RevokeGrant { grant, suspect_since }))
    }
}
