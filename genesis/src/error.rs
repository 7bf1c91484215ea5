//! Why a genesis file does not make a network: always the fault of whoever wrote it, and always with the entry's name.

use std::fmt;

use cairn_runtime::organization::FoundingError;
use cairn_types::limits::{COUNCIL_MAX, SIGNATURES_MAX};
use cairn_types::parameters::ParametersError;
use cairn_types::{Name, PublicKey, ValidatorSetError};

/// Why a genesis file does not make a network. Whoever wrote the file is to blame.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// Not TOML, not these fields, or a value of the wrong form.
    #[error("the genesis file cannot be read: {source}")]
    Malformed {
        /// What and where, with the line.
        source: Box<toml::de::Error>,
    },
    /// A value that has no text form.
    #[error("the genesis cannot be written: {source}")]
    Unwritable {
        /// What.
        source: toml::ser::Error,
    },
    /// Parameters that are out of range or contradict each other.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// An organization that cannot be founded.
    #[error(transparent)]
    Organization(#[from] FoundingError),
    /// No council, or one that is too large to sign together.
    #[error(
        "{count} organizations have the role council, but a network has 1 to {max}: without a council nobody could ever \
         replace a validator or admit an organization",
        max = COUNCIL_MAX
    )]
    Council {
        /// Organizations with the role.
        count: usize,
    },
    /// A council whose measures would need more signatures than a transaction holds.
    #[error(
        "{quorum} of the {count} organizations of the council must sign a measure, which takes {signatures} signatures \
         at least, but a transaction holds {max}; lower their thresholds",
        max = SIGNATURES_MAX
    )]
    CouncilThresholds {
        /// Organizations that must sign.
        quorum: usize,
        /// Organizations in the council.
        count: usize,
        /// Signatures of those with the lowest thresholds.
        signatures: usize,
    },
    /// One key in two places. Keys are kept apart, so that the loss of one is not the loss of another.
    #[error("{key} is {first} and also {second}; each must have a key of its own")]
    KeyShared {
        /// The key.
        key: PublicKey,
        /// One use.
        first: KeyUse,
        /// The other.
        second: KeyUse,
    },
    /// A validator of nobody.
    #[error("validator {validator} belongs to {organization}, but no organization has that name")]
    OrganizationUnknown {
        /// The validator's key.
        validator: PublicKey,
        /// The name it gives.
        organization: Name,
    },
    /// A validator that cannot be in a set.
    #[error("validator {validator} (counted from 0, in the order of their keys): {source}")]
    Validator {
        /// The validator's key.
        validator: PublicKey,
        /// What is wrong with it.
        source: ValidatorSetError,
    },
    /// No validators, or too many.
    #[error("the file's validators: {source}")]
    Validators {
        /// What is wrong with them.
        source: ValidatorSetError,
    },
}

/// What a key of the file is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// It signs for an organization.
    Organization(Name),
    /// It can recover an organization.
    Recovery(Name),
    /// It votes for an organization's validator.
    Validator(Name),
    /// It names the node of an organization's validator.
    Peer(Name),
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(name) => write!(f, "a key of organization {name}"),
            Self::Recovery(name) => write!(f, "a recovery key of organization {name}"),
            Self::Validator(name) => write!(f, "the voting key of a validator of {name}"),
            Self::Peer(name) => write!(f, "the network key of a validator of {name}"),
        }
    }
}
