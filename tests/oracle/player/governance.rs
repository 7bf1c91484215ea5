//! Organizations: what the council decides, and new keys.

use cairn_types::call::{Govern, RotateOrganizationKeys};
use cairn_types::governance::{Admit, Measure, Upgrade};
use cairn_types::{
    Call, Hash, Height, KeySet, OrganizationId, OrganizationInception, Power, Principal, Role, Validator, ValidatorSet,
};

use super::{Player, Proposal};
use crate::ledger::{VALIDATORS, validator_key};
use crate::pool::Pool;

impl Player<'_> {
    pub(super) fn govern(&mut self) -> Proposal {
        let council = self.now().council();
        let signer = self.random.pick(&council);
        let signer = self.mostly(Principal::Organization(*signer));
        let measure = match self.random.below(20) {
            0..7 => self.admit(),
            7..9 => self.expel(),
            9..13 => self.change_validators(),
            13..17 => self.set_parameters(),
            _ => self.schedule(),
        };
        (signer, Call::Govern(Govern { measure }))
    }

    fn new_set(&mut self) -> KeySet {
        let count = 1 + self.random.below(3);
        let threshold = 1 + self.random.below(count) as u8;
        let mut set = self.memory.new_set(Pool::get(), threshold, count);
        match self.random.below(40) {
            0 => set.threshold = 0,
            1 => set.keys.reverse(),
            2 => set.keys.clear(),
            3 => set.keys[0] = self.new_key(),
            _ => {}
        }
        set
    }

    fn admit(&mut self) -> Measure {
        const NAMES: [&str; 14] = [
            "north-gas",
            "airport",
            "hospital",
            "port",
            "rail",
            "grid",
            "dairy",
            "mill",
            "quarry",
            "harbour",
            "works",
            "campus",
            "stadium",
            "tram",
        ];
        let name = self.random.pick(&NAMES).parse().expect("a valid name");
        let next = self.new_set();
        let next = (!self.random.once_in(3)).then(|| self.memory.commit(next));
        let keys = self.new_set();
        let recovery = if self.random.once_in(2) { Some(self.new_set()) } else { None };
        let recovery = if self.random.once_in(30) { Some(keys.clone()) } else { recovery };
        let roles = Role::ALL.into_iter().filter(|_| self.random.once_in(3)).collect();
        let title = self.text("A newcomer", 128);
        Measure::Admit(Admit { inception: OrganizationInception { name, title, keys, next, recovery }, roles })
    }

    /// Somebody without validators, most often; never so many that nobody is left.
    fn expel(&mut self) -> Measure {
        let now = self.now();
        let mut choices = now.organizations();
        choices.retain(|id| now.expelled(id).is_none());
        let sets = now.validator_sets();
        let validates =
            |id: &OrganizationId| sets.iter().any(|(_, set)| set.iter().any(|validator| validator.organization == *id));
        if choices.len() > 4 {
            choices.retain(|id| !validates(id));
        } else {
            // They cannot be expelled, so the network goes on.
            choices.retain(validates);
        }
        if choices.is_empty() || !self.careful() {
            let gone: Vec<OrganizationId> =
                now.organizations().into_iter().filter(|id| now.expelled(id).is_some()).collect();
            let nobody = OrganizationId::from_hash(Hash::plain(b"nobody"));
            return Measure::Expel(if gone.is_empty() { nobody } else { *self.random.pick(&gone) });
        }
        Measure::Expel(*self.random.pick(&choices))
    }

    fn change_validators(&mut self) -> Measure {
        let now = self.now();
        let sets = now.validator_sets();
        let (_, old) = sets.last().expect("the first is there from the start");
        let mut validators: Vec<Validator> = old.iter().cloned().collect();
        let place = self.random.below(validators.len());
        let organization = self.organization();
        let validator = |number: usize, power: u64| Validator {
            key: validator_key("validator", number).verifying_key().to_bytes(),
            peer: validator_key("peer", number).verifying_key().to_bytes(),
            power: Power::new(power),
            organization,
        };
        let number = self.random.below(VALIDATORS);
        match self.random.below(8) {
            0 if validators.len() > 2 => drop(validators.remove(place)),
            1 => validators[place].power = Power::new(1 + self.random.below(4) as u64),
            2 => validators[place].organization = organization,
            3 => validators[place].power = Power::new(self.random.below(2) as u64 * 50),
            _ => {
                let new = validator(number, 1 + self.random.below(3) as u64);
                validators.retain(|validator| validator.key != new.key);
                validators.push(new);
            }
        }
        if self.careful() {
            validators.sort_by_key(|validator| validator.key);
        } else if self.random.once_in(2) {
            validators[0].organization = OrganizationId::from_hash(Hash::plain(b"nobody"));
        }
        let bytes = cairn_types::encode(&validators);
        // A measure may hold what is no set.
        let set: ValidatorSet = borsh::from_slice(&bytes).expect("a set is encoded as its list");
        Measure::ChangeValidators(set)
    }

    fn set_parameters(&mut self) -> Measure {
        let mut parameters = self.now().parameters().clone();
        match self.random.below(9) {
            0 => parameters.lifetime_max = 10 + self.random.below(40) as u64,
            1 => parameters.recovery_delay = 1 + self.random.below(8) as u64,
            2 => parameters.quota_window = 3 + self.random.below(10) as u64,
            3 => parameters.organization_quota = [0, 8, 20, 30][self.random.below(4)],
            4 => parameters.device_quota = [0, 3, 6, 10][self.random.below(4)],
            5 => parameters.heartbeat_ms = 1_000 + self.random.below(1_000) as u64,
            6 => parameters.recovery_delay = 0,
            7 => parameters.clock_drift_ms = 10,
            _ => {}
        }
        Measure::SetParameters(parameters)
    }

    /// Far away, so that no history reaches it: this program would have stopped there.
    fn schedule(&mut self) -> Measure {
        let height = self.position.height.get();
        let upgrade = match self.random.below(8) {
            0 => Some(Upgrade { version: 1, height: Height::new(height + 1_000_000) }),
            1 => Some(Upgrade { version: 2, height: Height::new(height + self.random.below(3) as u64) }),
            2..4 => None,
            _ => Some(Upgrade { version: 2, height: Height::new(height + 1_000_000) }),
        };
        Measure::ScheduleUpgrade(upgrade)
    }

    pub(super) fn rotate_organization(&mut self) -> Proposal {
        let organization = self.organization();
        let now = self.now();
        let recovery = now.organization(&organization).is_some_and(|(_, inception, _)| inception.recovery.is_some());
        let by_recovery = (recovery && self.random.once_in(3)) || self.random.once_in(20);
        let committed = now.organization_keys(&organization).and_then(|(_, next)| next);
        let committed = committed.and_then(|next| self.memory.committed.get(&next).cloned());
        let keys = match committed {
            Some(keys) if !by_recovery && self.careful() => keys,
            _ => self.new_set(),
        };
        let next = self.new_set();
        let next = (!self.random.once_in(6)).then(|| self.memory.commit(next));
        let call = RotateOrganizationKeys { organization, keys, next, by_recovery };
        (self.mostly(Principal::Organization(organization)), Call::RotateOrganizationKeys(call))
    }
}
