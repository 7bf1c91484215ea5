//! How values of `cairn-types` stand in a file: as the text that they print and parse, so that a mistake is reported with
//! its line. `cairn-types` itself has no serde, because wire types never derive a text format.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// A value by its one text.
pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// See [`serialize`].
pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A value that may be missing.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Display, Error, FromStr, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// A list of values.
pub(crate) mod list {
    use super::{Deserialize, Deserializer, Display, Error, FromStr, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let texts: Vec<String> = Vec::deserialize(deserializer)?;
        let parsed: Result<_, _> = texts
            .iter()
            .map(|text| text.parse().map_err(|error| D::Error::custom(format_args!("{text:?}: {error}"))))
            .collect();
        parsed
    }
}

/// A validator's key: 64 hexadecimal digits, with no algorithm before them because it is always Ed25519.
pub(crate) mod key {
    use cairn_types::Hash;

    use super::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(key: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hash::from_bytes(*key))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let hash: Hash = super::deserialize(deserializer)?;
        Ok(*hash.as_bytes())
    }
}

/// Roles by their names.
pub(crate) mod roles {
    use cairn_types::organization::{Role, Roles};

    use super::{Deserialize, Deserializer, Error, Serializer};

    pub(crate) fn serialize<S: Serializer>(roles: &Roles, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(roles.iter().map(Role::name))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Roles, D::Error> {
        let names: Vec<String> = Vec::deserialize(deserializer)?;
        names
            .iter()
            .map(|name| {
                Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
                    let known = Role::ALL.map(Role::name).join(", ");
                    D::Error::custom(format_args!("{name:?} is not a role; there are: {known}"))
                })
            })
            .collect()
    }
}

/// Milliseconds since 1970 as an RFC 3339 timestamp.
pub(crate) mod time {
    use jiff::Timestamp;
    use serde::ser::Error as _;

    use super::{Deserialize, Deserializer, Error, Serializer};

    const NANOSECONDS_PER_MILLISECOND: i32 = 1_000_000;

    pub(crate) fn serialize<S: Serializer>(time_ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        let timestamp = i64::try_from(*time_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        match timestamp {
            Some(timestamp) => serializer.collect_str(&timestamp),
            None => Err(S::Error::custom(format_args!("time is {time_ms} ms, after the year 9999"))),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let timestamp: Timestamp = text.parse().map_err(|error| {
            D::Error::custom(format_args!("{text:?} is not an RFC 3339 time such as 2026-01-01T00:00:00Z: {error}"))
        })?;
        if timestamp.subsec_nanosecond() % NANOSECONDS_PER_MILLISECOND != 0 {
            return Err(D::Error::custom(format_args!("{text:?} is finer than a millisecond")));
        }
        u64::try_from(timestamp.as_millisecond())
            .map_err(|_| D::Error::custom(format_args!("{text:?} is before 1970-01-01T00:00:00Z")))
    }
}
