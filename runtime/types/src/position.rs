//! Where something stands in the ledger: the only time that any rule knows.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::hash::BlockHash;

/// The place of a block in the chain; block 0 is the genesis.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize)]
pub struct Height(u64);

impl Height {
    /// The genesis block's height.
    pub const GENESIS: Self = Self(0);

    /// Wraps a number.
    pub const fn new(height: u64) -> Self {
        Self(height)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The height after this one; `None` after the last that a `u64` can name.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(height) => Some(Self(height)),
            None => None,
        }
    }

    /// The height before this one; `None` before the genesis.
    pub const fn previous(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(height) => Some(Self(height)),
            None => None,
        }
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A round of agreement within a height, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize)]
pub struct Round(u32);

impl Round {
    /// The first round of every height.
    pub const ZERO: Self = Self(0);

    /// Wraps a number.
    pub const fn new(round: u32) -> Self {
        Self(round)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A validator's weight in agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize)]
pub struct Power(u64);

impl Power {
    /// Wraps a number.
    pub const fn new(power: u64) -> Self {
        Self(power)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The place of a transaction: its block and its zero-based index there. Ordered as the ledger is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize)]
pub struct Position {
    /// The block.
    pub height: Height,
    /// The transaction within it, from 0.
    pub index: u32,
}

impl Position {
    /// The first position of a block.
    pub const fn start_of(height: Height) -> Self {
        Self { height, index: 0 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.height, self.index)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names a final block by height and hash: whoever signs one has seen that block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BlockRef {
    /// The block's height.
    pub height: Height,
    /// The block's hash.
    pub hash: BlockHash,
}
