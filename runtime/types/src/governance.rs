//! What a council decides: who takes part, who validates, what the parameters are, and when the rules change.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::hash::OrganizationId;
use crate::organization::{OrganizationInception, Roles};
use crate::parameters::Parameters;
use crate::position::Height;
use crate::validators::ValidatorSet;

/// The version of the rules by which every network begins; blocks carry it as their header's version until the council
/// schedules another.
pub const FIRST_VERSION: u16 = crate::block::HEADER_VERSION;

/// The newest version of the rules that this crate states.
pub const PROTOCOL_VERSION: u16 = 1;

/// How many heights after its decision a new validator set decides its first block: the block after the decision still
/// names the old set as its own and the new one as the next.
pub const VALIDATORS_DELAY: u64 = 2;

/// One decision of the council.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Measure {
    /// Admit an organization.
    Admit(Admit) = 0,
    /// Expel one: it signs nothing more, and whatever rests on its authority ends. Its past stays.
    Expel(OrganizationId) = 1,
    /// Replace the validators, from [`VALIDATORS_DELAY`] heights later on.
    ChangeValidators(ValidatorSet) = 2,
    /// Replace the parameters, from the next block on.
    SetParameters(Parameters) = 3,
    /// Schedule a change of the rules, instead of any that was scheduled; `None` calls it off.
    ScheduleUpgrade(Option<Upgrade>) = 4,
}

impl Measure {
    /// The measure's name in answers, commands and errors.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Admit(_) => "admit",
            Self::Expel(_) => "expel",
            Self::ChangeValidators(_) => "changeValidators",
            Self::SetParameters(_) => "setParameters",
            Self::ScheduleUpgrade(_) => "scheduleUpgrade",
        }
    }
}

/// See [`Measure::Admit`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Admit {
    /// How it begins.
    pub inception: OrganizationInception,
    /// What it does here.
    pub roles: Roles,
}

/// A change of the rules at a height. A program that does not know the version stops before that height and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Upgrade {
    /// The version from then on; above the present one.
    pub version: u16,
    /// The first block of that version.
    pub height: Height,
}
