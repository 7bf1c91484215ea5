//! Who decides: a set of validators with voting power, known by its root.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::encode;
use crate::domain;
use crate::hash::{Hash, OrganizationId};
use crate::key::{KeyError, check_ed25519};
use crate::limits::{TOTAL_POWER_MAX, VALIDATORS_MAX};
use crate::position::{Height, Power, Round};

/// A validator's place in its set.
pub type ValidatorIndex = u16;

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Validator {
    /// The Ed25519 key that signs proposals and votes.
    pub key: [u8; 32],
    /// The Ed25519 key that names its node in the network.
    pub peer: [u8; 32],
    /// Its weight.
    pub power: Power,
    /// Whose it is.
    pub organization: OrganizationId,
}

/// Validators in a fixed order, with keys that are all different.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
}

/// Why validators do not make a set. Whoever offers them is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// None, or too many.
    #[error("{count} validators, but a set has 1 to {max}", max = VALIDATORS_MAX)]
    Count {
        /// Validators given.
        count: usize,
    },
    /// Not in strictly ascending order of their keys.
    #[error("validators must be strictly ascending by key; number {index} is not")]
    Order {
        /// The validator, from 0.
        index: usize,
    },
    /// Two validators with one network key.
    #[error("validator {index} has the network key of another")]
    Peer {
        /// The validator, from 0.
        index: usize,
    },
    /// A key that may not be used.
    #[error("validator {index}: {source}")]
    Key {
        /// The validator, from 0.
        index: usize,
        /// What is wrong with its key.
        source: KeyError,
    },
    /// No power, or too much in total.
    #[error("validator {index}: power must be at least 1, and at most {max} in total", max = TOTAL_POWER_MAX)]
    Power {
        /// The validator at which the sum fails, from 0.
        index: usize,
    },
}

/// Strictly more than two thirds of the total power, in integers.
///
/// # Panics
/// If `yes` exceeds `total`: a tally never exceeds the set's power.
pub fn has_quorum(yes: Power, total: Power) -> bool {
    assert!(yes <= total, "a tally never exceeds the set's power");
    3 * u128::from(yes.get()) > 2 * u128::from(total.get())
}

impl ValidatorSet {
    /// Makes a set.
    ///
    /// # Errors
    /// [`ValidatorSetError`]; whoever offers the validators is to blame.
    pub fn new(validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        let set = Self { validators };
        set.check().map(|()| set)
    }

    /// Checks a set that was decoded.
    ///
    /// # Errors
    /// [`ValidatorSetError`]; whoever sent the set is to blame.
    pub fn check(&self) -> Result<(), ValidatorSetError> {
        let count = self.validators.len();
        if count == 0 || count > VALIDATORS_MAX {
            return Err(ValidatorSetError::Count { count });
        }
        let mut total: u64 = 0;
        let mut previous: Option<&Validator> = None;
        for (index, validator) in self.validators.iter().enumerate() {
            if previous.is_some_and(|previous| previous.key >= validator.key) {
                return Err(ValidatorSetError::Order { index });
            }
            if self.validators.iter().take(index).any(|other| other.peer == validator.peer) {
                return Err(ValidatorSetError::Peer { index });
            }
            for key in [&validator.key, &validator.peer] {
                check_ed25519(key).map_err(|source| ValidatorSetError::Key { index, source })?;
            }
            total = match total.checked_add(validator.power.get()) {
                Some(sum) if sum <= TOTAL_POWER_MAX && validator.power.get() > 0 => sum,
                _ => return Err(ValidatorSetError::Power { index }),
            };
            previous = Some(validator);
        }
        Ok(())
    }

    /// The validator at `index`.
    pub fn get(&self, index: ValidatorIndex) -> Option<&Validator> {
        self.validators.get(usize::from(index))
    }

    /// All validators in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Validator> {
        self.validators.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.validators.len()
    }

    /// Never true of a checked set.
    pub fn is_empty(&self) -> bool {
        self.validators.is_empty()
    }

    /// The place of the validator with this consensus key.
    pub fn index_of(&self, key: &[u8; 32]) -> Option<ValidatorIndex> {
        let index = self.validators.binary_search_by(|validator| validator.key.cmp(key)).ok()?;
        ValidatorIndex::try_from(index).ok()
    }

    /// The place of the validator whose node has this network key.
    pub fn index_of_peer(&self, peer: &[u8; 32]) -> Option<ValidatorIndex> {
        let index = self.validators.iter().position(|validator| validator.peer == *peer)?;
        ValidatorIndex::try_from(index).ok()
    }

    /// The power of all together. It cannot overflow in a checked set.
    pub fn total_power(&self) -> Power {
        Power::new(self.validators.iter().fold(0, |sum: u64, validator| sum.saturating_add(validator.power.get())))
    }

    /// The root by which headers and auditors know the set.
    pub fn root(&self) -> Hash {
        Hash::derive(domain::VALIDATORS, &encode(self))
    }

    /// Who proposes in this round: each in turn, whatever its power, so that every node can tell.
    ///
    /// # Panics
    /// If the set is empty, which a checked set is not.
    #[allow(clippy::arithmetic_side_effects, reason = "the count is 1 to 128, so nothing overflows or divides by 0")]
    pub fn proposer(&self, height: Height, round: Round) -> ValidatorIndex {
        let count = u64::try_from(self.validators.len()).expect("a set has at most 128 validators");
        assert!(count > 0, "a checked set is not empty");
        let index = (height.get() % count + u64::from(round.get()) % count) % count;
        ValidatorIndex::try_from(index).expect("an index is below 128")
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::{Validator, ValidatorSet, ValidatorSetError, has_quorum};
    use crate::hash::{Hash, OrganizationId};
    use crate::limits::TOTAL_POWER_MAX;
    use crate::position::Power;

    fn validator(seed: u8, power: u64) -> Validator {
        let key = |seed| SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();
        Validator {
            key: key(seed),
            peer: key(seed + 100),
            power: Power::new(power),
            organization: OrganizationId::from_hash(Hash::ZERO),
        }
    }

    #[test]
    fn a_quorum_is_strictly_more_than_two_thirds() {
        assert!(!has_quorum(Power::new(2), Power::new(3)));
        assert!(has_quorum(Power::new(3), Power::new(4)));
        assert!(!has_quorum(Power::new(4), Power::new(6)));
        assert!(has_quorum(Power::new(5), Power::new(6)));
        assert!(!has_quorum(Power::new(TOTAL_POWER_MAX / 3 * 2), Power::new(TOTAL_POWER_MAX)));
    }

    #[test]
    fn a_set_is_sorted_distinct_and_of_bounded_power() {
        let mut two = vec![validator(1, 1), validator(2, 1)];
        two.sort_by_key(|v| v.key);
        assert!(ValidatorSet::new(two.clone()).is_ok());
        two.reverse();
        assert_eq!(ValidatorSet::new(two.clone()), Err(ValidatorSetError::Order { index: 1 }));
        two.reverse();
        two[1].peer = two[0].peer;
        assert_eq!(ValidatorSet::new(two.clone()), Err(ValidatorSetError::Peer { index: 1 }));
        assert_eq!(ValidatorSet::new(vec![]), Err(ValidatorSetError::Count { count: 0 }));
        assert_eq!(ValidatorSet::new(vec![validator(1, 0)]), Err(ValidatorSetError::Power { index: 0 }));
        let too_much = vec![validator(1, TOTAL_POWER_MAX + 1)];
        assert_eq!(ValidatorSet::new(too_much), Err(ValidatorSetError::Power { index: 0 }));
    }
}
