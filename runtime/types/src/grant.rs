//! Grants: authority given by one principal to another, and the questions that can be asked of one.
//!
//! The rules that make and end grants are in `cairn-runtime`. What stands here is the arithmetic that rules and auditors
//! share: does this scope cover that target, is this child within its parent, may this grant be used now.

use std::fmt;
use std::io;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::encode;
use crate::domain;
use crate::hash::{DeviceId, Hash, OrganizationId, StreamId};
use crate::name::Zone;
use crate::organization::Principal;
use crate::position::{Height, Position};

/// Something that a grant can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    /// Register devices into the scope.
    Register = 0,
    /// Move devices within the scope.
    Place = 1,
    /// Attest data as a device in the scope.
    Attest = 2,
    /// Read what is kept off the ledger.
    Read = 3,
    /// Command devices.
    Command = 4,
    /// Pass the grant on.
    Delegate = 5,
}

impl Action {
    /// All actions, in order.
    pub const ALL: [Self; 6] = [Self::Register, Self::Place, Self::Attest, Self::Read, Self::Command, Self::Delegate];

    /// The action's name in answers and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Place => "place",
            Self::Attest => "attest",
            Self::Read => "read",
            Self::Command => "command",
            Self::Delegate => "delegate",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of actions, one bit each in a `u16`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize)]
pub struct Actions(u16);

impl Actions {
    const ALL_BITS: u16 = 0b11_1111;

    /// Whether the set holds `action`.
    pub const fn contains(self, action: Action) -> bool {
        self.0 & (1 << action as u16) != 0
    }

    /// Whether every action of `other` is in this set.
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The actions in the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.contains(*action))
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self(actions.into_iter().fold(0, |bits, action| bits | (1 << action as u16)))
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Action::name)).finish()
    }
}

impl BorshDeserialize for Actions {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let bits = u16::deserialize_reader(reader)?;
        if bits & !Self::ALL_BITS != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown action"));
        }
        Ok(Self(bits))
    }
}

/// Who holds a grant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Grantee {
    /// One organization.
    Organization(OrganizationId) = 0,
    /// One device.
    Device(DeviceId) = 1,
    /// Every device placed in this zone or below, for as long as it is there.
    Zone(Zone) = 2,
}

impl Grantee {
    /// Whether `principal`, which stands in `zone` if it is a placed device, holds the grant.
    pub fn is(&self, principal: &Principal, zone: Option<&Zone>) -> bool {
        match (self, principal) {
            (Self::Organization(grantee), Principal::Organization(id)) => grantee == id,
            (Self::Device(grantee), Principal::Device(id)) => grantee == id,
            (Self::Zone(grantee), Principal::Device(_)) => zone.is_some_and(|zone| grantee.contains(zone)),
            _ => false,
        }
    }
}

/// Over what a grant gives authority.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Scope {
    /// A zone and all below it.
    Zone(Zone) = 0,
    /// One device, wherever it is.
    Device(DeviceId) = 1,
    /// One stream.
    Stream(StreamId) = 2,
}

impl Scope {
    /// Whether the scope covers `target`.
    pub fn covers(&self, target: &Target) -> bool {
        match self {
            Self::Zone(zone) => target.zone.as_ref().is_some_and(|inner| zone.contains(inner)),
            Self::Device(device) => target.device.as_ref() == Some(device),
            Self::Stream(stream) => target.stream.as_ref() == Some(stream),
        }
    }

    /// The hash under which the state lists this scope's grants.
    pub fn key(&self) -> Hash {
        Hash::derive(domain::SCOPE, &encode(self))
    }
}

/// What an action is done to: as much of it as exists. A stream has a device, a device has a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Who owns it.
    pub owner: OrganizationId,
    /// Since when without a break; of a zone, since ever.
    pub owned_since: Position,
    /// Where it is.
    pub zone: Option<Zone>,
    /// The device, unless the target is a zone.
    pub device: Option<DeviceId>,
    /// The stream, if the target is one.
    pub stream: Option<StreamId>,
}

impl Target {
    /// A zone, which its organization has always owned.
    pub fn zone(zone: Zone) -> Self {
        Self {
            owner: zone.organization,
            owned_since: Position::default(),
            zone: Some(zone),
            device: None,
            stream: None,
        }
    }
}

/// When a grant may be used: `[from, to)` in heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Window {
    /// The first height.
    pub from: Height,
    /// The first height after it; `None` if it does not end.
    pub to: Option<Height>,
}

impl Window {
    /// From the genesis, without end.
    pub const ALWAYS: Self = Self { from: Height::GENESIS, to: None };

    /// Whether `height` is inside.
    pub fn contains(&self, height: Height) -> bool {
        self.from <= height && self.to.is_none_or(|to| height < to)
    }

    /// Whether the window has a height in it at all.
    pub fn is_valid(&self) -> bool {
        self.to.is_none_or(|to| self.from < to)
    }

    /// Whether `child` is inside this window everywhere.
    pub fn contains_window(&self, child: &Self) -> bool {
        let ends_in_time = match (self.to, child.to) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(parent), Some(child)) => child <= parent,
        };
        self.from <= child.from && ends_in_time
    }
}

/// The dimensions in which a child grant may exceed its parent, or a use may exceed a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// What may be done.
    Action,
    /// To what.
    Scope,
    /// When.
    Window,
    /// How far it may be passed on.
    Depth,
}

impl Dimension {
    /// The dimension's name in errors and verdicts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Scope => "scope",
            Self::Window => "window",
            Self::Depth => "depth",
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Actions, Window};
    use crate::position::Height;

    #[test]
    fn windows_nest() {
        let window = |from, to: Option<u64>| Window { from: Height::new(from), to: to.map(Height::new) };
        assert!(window(5, Some(9)).contains(Height::new(8)));
        assert!(!window(5, Some(9)).contains(Height::new(9)));
        assert!(!window(5, Some(5)).is_valid());
        assert!(window(5, None).contains_window(&window(5, None)));
        assert!(window(5, None).contains_window(&window(6, Some(7))));
        assert!(!window(5, Some(9)).contains_window(&window(5, None)));
        assert!(!window(5, Some(9)).contains_window(&window(4, Some(9))));
    }

    #[test]
    fn unknown_actions_do_not_decode() {
        let all: Actions = Action::ALL.into_iter().collect();
        let bytes = borsh::to_vec(&all).expect("encodes");
        assert_eq!(bytes, [0b11_1111, 0]);
        assert_eq!(borsh::from_slice::<Actions>(&bytes).ok(), Some(all));
        assert!(borsh::from_slice::<Actions>(&[0b100_0000, 0]).is_err());
    }
}
