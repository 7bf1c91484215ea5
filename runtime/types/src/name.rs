//! Names: of organizations, of streams, and of places in an organization's namespace.
//!
//! A name is a DNS-like label, lowercase, so that no two names look alike. A type here is valid by construction: decoding
//! checks the same rule as parsing.

use std::fmt;
use std::io;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::hash::OrganizationId;
use crate::limits::{NAME_BYTES_MAX, ZONE_BYTES_MAX, ZONE_SEGMENTS_MAX};

/// Why a text is not a name or a zone path. The user who typed it is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name has at least one character")]
    Empty,
    /// Too long.
    #[error("{length} bytes, but at most {max} are allowed")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// The cap.
        max: usize,
    },
    /// A character outside `a-z 0-9 -`, or a hyphen at an end.
    #[error("{name:?} may hold a-z, 0-9 and inner hyphens only")]
    Character {
        /// The name, shortened.
        name: String,
    },
    /// Too many segments.
    #[error("{segments} segments, but a zone has at most {max}")]
    TooDeep {
        /// Segments given.
        segments: usize,
        /// The cap.
        max: usize,
    },
}

fn check_label(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { length: text.len(), max: NAME_BYTES_MAX });
    }
    let allowed = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !allowed || text.starts_with('-') || text.ends_with('-') {
        return Err(NameError::Character { name: text.to_owned() });
    }
    Ok(())
}

fn invalid(error: &NameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// A name: 1 to 63 of `a-z 0-9 -`, with no hyphen at an end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_label(text).map(|()| Self(text.to_owned()))
    }
}

impl BorshDeserialize for Name {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let text = String::deserialize_reader(reader)?;
        text.parse().map_err(|error| invalid(&error))
    }
}

/// A path below an organization's name, of 0 to 8 names joined by `/`; the empty path is the whole namespace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize)]
pub struct ZonePath(String);

impl ZonePath {
    /// The whole namespace.
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// The path as text; empty for the whole namespace.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other` is this zone or lies below it.
    pub fn contains(&self, other: &Self) -> bool {
        if self.0.is_empty() {
            return true;
        }
        match other.0.strip_prefix(&self.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl FromStr for ZonePath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > ZONE_BYTES_MAX {
            return Err(NameError::TooLong { length: text.len(), max: ZONE_BYTES_MAX });
        }
        if !text.is_empty() {
            let segments = text.split('/').count();
            if segments > ZONE_SEGMENTS_MAX {
                return Err(NameError::TooDeep { segments, max: ZONE_SEGMENTS_MAX });
            }
            text.split('/').try_for_each(check_label)?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl BorshDeserialize for ZonePath {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let text = String::deserialize_reader(reader)?;
        text.parse().map_err(|error| invalid(&error))
    }
}

/// A place in an organization's namespace (IEC 62443's word for it).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Zone {
    /// Whose namespace.
    pub organization: OrganizationId,
    /// Where in it.
    pub path: ZonePath,
}

impl Zone {
    /// Whether `other` is this zone or lies below it.
    pub fn contains(&self, other: &Self) -> bool {
        self.organization == other.organization && self.path.contains(&other.path)
    }
}

macro_rules! display_as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}
display_as_text!(Name, ZonePath);

#[cfg(test)]
mod tests {
    use super::{Name, NameError, ZonePath};

    #[test]
    fn names_have_one_spelling() {
        for good in ["st-mary", "a", "7", "0-0"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "St-Mary", "-a", "a-", "a_b", "a/b", "ä", "a b"] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        assert!(matches!("x".repeat(64).parse::<Name>(), Err(NameError::TooLong { length: 64, max: 63 })));
    }

    #[test]
    fn a_zone_contains_itself_and_what_is_below_but_no_namesake() {
        let zone = |text: &str| text.parse::<ZonePath>().expect("a valid path");
        assert!(zone("ward-3").contains(&zone("ward-3")));
        assert!(zone("ward-3").contains(&zone("ward-3/icu")));
        assert!(!zone("ward-3").contains(&zone("ward-33")));
        assert!(!zone("ward-3/icu").contains(&zone("ward-3")));
        assert!(zone("").contains(&zone("ward-3")));
        assert!("a//b".parse::<ZonePath>().is_err());
        assert!("/a".parse::<ZonePath>().is_err());
        assert!("a/b/c/d/e/f/g/h/i".parse::<ZonePath>().is_err());
    }

    #[test]
    fn decoding_checks_what_parsing_checks() {
        let bytes = borsh::to_vec("NOT-A-NAME").expect("a string encodes");
        assert!(borsh::from_slice::<Name>(&bytes).is_err());
        assert!(borsh::from_slice::<ZonePath>(&bytes).is_err());
    }
}
