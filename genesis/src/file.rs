//! The genesis file: what it may say. It checks the form of each value; whether they fit together, [`Genesis::build`]
//! finds out.

use cairn_types::{KeyCommitment, Name, Parameters, PublicKey, Roles};
use serde::{Deserialize, Serialize};

use crate::error::GenesisError;
use crate::{parameters, text};

/// What every node of one network must share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What people call the network. A label: it is not in the chain id.
    #[serde(with = "text")]
    pub name: Name,
    /// When the network begins, in milliseconds since 1970-01-01T00:00:00Z; in the file `time`, an RFC 3339 timestamp. The
    /// time of block 0, so every later block is after it.
    #[serde(rename = "time", with = "text::time")]
    pub time_ms: u64,
    /// What a council may change later; in the file the table `[parameters]`, each field optional.
    #[serde(with = "parameters::InFile", default = "parameters::defaults")]
    pub parameters: Parameters,
    /// The organizations that are there from the start; in the file `[[organization]]`.
    #[serde(rename = "organization")]
    pub organizations: Vec<FoundingOrganization>,
    /// Who decides the first blocks; in the file `[[validator]]`.
    #[serde(rename = "validator")]
    pub validators: Vec<FoundingValidator>,
}

/// An organization that is there from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundingOrganization {
    /// Its short name, unique in the network.
    #[serde(with = "text")]
    pub name: Name,
    /// Its legal name, for people.
    pub title: String,
    /// What it does here: any of `council`, `manufacturer`, `operator`, `auditor`.
    #[serde(with = "text::roles")]
    pub roles: Roles,
    /// Its keys, `ed25519:<64 hexadecimal digits>`, in any order.
    #[serde(with = "text::list")]
    pub keys: Vec<PublicKey>,
    /// How many of its keys must sign; 1 if left out.
    #[serde(default = "one_of")]
    pub threshold: u8,
    /// Commitment to its second key set; without one, its keys never rotate.
    #[serde(with = "text::optional", default, skip_serializing_if = "Option::is_none")]
    pub next: Option<KeyCommitment>,
    /// Keys that can recover it, kept apart from the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<FoundingKeys>,
}

/// Keys, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundingKeys {
    /// The keys, in any order.
    #[serde(with = "text::list")]
    pub keys: Vec<PublicKey>,
    /// How many of them must sign; 1 if left out.
    #[serde(default = "one_of")]
    pub threshold: u8,
}

/// One of those who decide the first blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundingValidator {
    /// The Ed25519 key that signs proposals and votes; 64 hexadecimal digits.
    #[serde(with = "text::key")]
    pub key: [u8; 32],
    /// The Ed25519 key that names its node in the network; likewise, and another one.
    #[serde(with = "text::key")]
    pub peer: [u8; 32],
    /// Its weight, at least 1.
    pub power: u64,
    /// Whose it is: the name of an organization of this file.
    #[serde(with = "text")]
    pub organization: Name,
}

/// One signature suffices if the file does not say otherwise.
const fn one_of() -> u8 {
    1
}

impl Genesis {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`GenesisError::Malformed`], with line and column; whoever wrote the file is to blame.
    pub fn from_toml(text: &str) -> Result<Self, GenesisError> {
        toml::from_str(text).map_err(|source| GenesisError::Malformed { source: Box::new(source) })
    }

    /// Writes a file's text, with every default spelled out.
    ///
    /// # Errors
    /// [`GenesisError::Unwritable`], if the time is after the year 9999: whoever made this value is to blame.
    pub fn to_toml(&self) -> Result<String, GenesisError> {
        toml::to_string(self).map_err(|source| GenesisError::Unwritable { source })
    }
}
