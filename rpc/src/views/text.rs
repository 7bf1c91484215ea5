//! Values that JSON shows as text, in exactly one spelling.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use cairn_proofs::lookup::Question;
use cairn_types::{
    AttestationRef, BlockHash, ChainId, ContentHash, DeviceId, GrantId, Hash, Height, KeyCommitment, LotId, Name,
    OrganizationId, PublicKey, StreamId, TransactionId, ZonePath,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A type with one text form.
pub trait TextForm: Sized {
    /// The type's name in the description of the interface.
    const NAME: &'static str;
    /// A regular expression for the form.
    const PATTERN: &'static str;
    /// What it is, in a sentence.
    const MEANING: &'static str;

    /// The form.
    fn to_text(&self) -> String;

    /// The value of `text`.
    ///
    /// # Errors
    /// In words, if `text` is not the form of a value. Whoever wrote it is to blame.
    fn from_text(text: &str) -> Result<Self, String>;
}

/// A value that JSON shows in its text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<T>(pub T);

/// Bytes in lowercase hexadecimal.
pub type Hex = Text<Vec<u8>>;

impl<T> From<T> for Text<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: TextForm> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_text())
    }
}

/// A text that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TextError {
    /// What is wrong with it.
    pub reason: String,
}

impl<T: TextForm> FromStr for Text<T> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        T::from_text(text).map(Self).map_err(|reason| TextError { reason })
    }
}

impl<T: TextForm> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_text())
    }
}

impl<'de, T: TextForm> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<T>(std::marker::PhantomData<T>);

        impl<T: TextForm> Visitor<'_> for TextVisitor<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a string: {}", T::MEANING)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::from_text(text).map(Text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(TextVisitor(std::marker::PhantomData))
    }
}

impl<T: TextForm> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": T::PATTERN, "description": T::MEANING })
    }
}

macro_rules! hash_text {
    ($($type:ty, $name:literal, $meaning:literal;)*) => {$(
        impl TextForm for $type {
            const NAME: &'static str = $name;
            const PATTERN: &'static str = "^[0-9a-f]{64}$";
            const MEANING: &'static str = $meaning;

            fn to_text(&self) -> String {
                self.to_string()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error: cairn_types::hash::ParseHashError| error.to_string())
            }
        }
    )*};
}

hash_text! {
    Hash, "Hash", "a BLAKE3 hash, 64 lowercase hexadecimal digits";
    ChainId, "ChainId", "the network: the hash of block 0, 64 lowercase hexadecimal digits";
    BlockHash, "BlockHash", "a block's hash, 64 lowercase hexadecimal digits";
    TransactionId, "TransactionId", "a transaction's id, 64 lowercase hexadecimal digits";
    OrganizationId, "OrganizationId", "an organization's id, 64 lowercase hexadecimal digits";
    DeviceId, "DeviceId", "a device's id, 64 lowercase hexadecimal digits";
    GrantId, "GrantId", "a grant's id, 64 lowercase hexadecimal digits";
    LotId, "LotId", "a lot's id, 64 lowercase hexadecimal digits";
    StreamId, "StreamId", "a stream's id, 64 lowercase hexadecimal digits";
    KeyCommitment, "KeyCommitment", "a commitment to a key or key set not yet shown, 64 lowercase hexadecimal digits";
    ContentHash, "ContentHash", "the hash of content, 64 lowercase hexadecimal digits; for plain content what b3sum prints";
}

/// Whether `text` is a decimal number in its one spelling: no sign but a leading minus, no leading zeros.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0')) && text != "-0"
}

macro_rules! decimal_text {
    ($($type:ty, $number:ty, $name:literal, $pattern:literal, $meaning:literal, $get:expr, $new:expr;)*) => {$(
        impl TextForm for $type {
            const NAME: &'static str = $name;
            const PATTERN: &'static str = $pattern;
            const MEANING: &'static str = $meaning;

            fn to_text(&self) -> String {
                let number: $number = $get(self);
                number.to_string()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                let wrong = || format!("expected {}, got {:?}", $meaning, shorten(text));
                if !is_decimal(text) {
                    return Err(wrong());
                }
                text.parse::<$number>().map($new).map_err(|_| wrong())
            }
        }
    )*};
}

decimal_text! {
    Height, u64, "Height", "^(0|[1-9][0-9]{0,19})$", "a height in decimal digits", |height: &Height| height.get(), Height::new;
    u64, u64, "Unsigned", "^(0|[1-9][0-9]{0,19})$", "an unsigned 64-bit integer in decimal digits", |n: &u64| *n, |n| n;
    i64, i64, "Signed", "^(0|-?[1-9][0-9]{0,18})$", "a signed 64-bit integer in decimal digits", |n: &i64| *n, |n| n;
}

/// As much of a text from outside as an error repeats.
fn shorten(text: &str) -> String {
    text.chars().take(32).collect()
}

impl TextForm for PublicKey {
    const NAME: &'static str = "PublicKey";
    const PATTERN: &'static str = "^(ed25519:[0-9a-f]{64}|p256:[0-9a-f]{66})$";
    const MEANING: &'static str = "a public key: ed25519: and 64, or p256: and 66 lowercase hexadecimal digits";

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: cairn_types::key::ParseKeyError| error.to_string())
    }
}

impl TextForm for Name {
    const NAME: &'static str = "Name";
    const PATTERN: &'static str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
    const MEANING: &'static str = "a name: 1 to 63 of a-z, 0-9 and inner hyphens";

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: cairn_types::NameError| error.to_string())
    }
}

impl TextForm for ZonePath {
    const NAME: &'static str = "ZonePath";
    const PATTERN: &'static str = "^$|^[a-z0-9-]{1,63}(/[a-z0-9-]{1,63}){0,7}$";
    const MEANING: &'static str = "a path of up to 8 names joined by /; empty for the whole namespace";

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: cairn_types::NameError| error.to_string())
    }
}

impl TextForm for Vec<u8> {
    const NAME: &'static str = "Hex";
    const PATTERN: &'static str = "^([0-9a-f]{2})*$";
    const MEANING: &'static str = "bytes, two lowercase hexadecimal digits each";

    fn to_text(&self) -> String {
        hex::encode(self)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        // The decoder would take uppercase digits too, and one value would have two spellings.
        match text.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            Some(at) => Err(format!("character {at} is not one of 0-9 a-f")),
            None => hex::decode(text).map_err(|_| format!("{} digits, but bytes have two each", text.len())),
        }
    }
}

impl TextForm for Question {
    const NAME: &'static str = "Question";
    const PATTERN: &'static str = "^[a-zA-Z]+(:[a-z0-9:/-]+)?$";
    const MEANING: &'static str =
        "a question: a kind and, after a colon, its subject, such as device:ID or grants:zone:ID/PATH";

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: cairn_proofs::lookup::ParseQuestionError| error.to_string())
    }
}

impl TextForm for AttestationRef {
    const NAME: &'static str = "AttestationRef";
    const PATTERN: &'static str = "^[0-9a-f]{64}/(0|[1-9][0-9]{0,19})$";
    const MEANING: &'static str = "an attestation by its place: stream id, slash, sequence";

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let (stream, sequence) = text.split_once('/').ok_or_else(|| format!("expected {}", Self::MEANING))?;
        Ok(Self { stream: StreamId::from_text(stream)?, sequence: u64::from_text(sequence)? })
    }
}

/// An attestation, by its place in its stream or by its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttestationSelector {
    /// By stream and sequence.
    Place(AttestationRef),
    /// By the transaction that made it.
    Transaction(TransactionId),
}

impl TextForm for AttestationSelector {
    const NAME: &'static str = "AttestationSelector";
    const PATTERN: &'static str = "^[0-9a-f]{64}(/(0|[1-9][0-9]{0,19}))?$";
    const MEANING: &'static str = "an attestation: stream id, slash, sequence; or its transaction's id";

    fn to_text(&self) -> String {
        match self {
            Self::Place(place) => place.to_text(),
            Self::Transaction(id) => id.to_text(),
        }
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            AttestationRef::from_text(text).map(Self::Place)
        } else {
            TransactionId::from_text(text).map(Self::Transaction)
        }
    }
}

/// An organization, by its id or by its name. A name has at most 63 characters and an id 64, so no text is both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationSelector {
    /// By id.
    Id(OrganizationId),
    /// By name.
    Name(Name),
}

impl TextForm for OrganizationSelector {
    const NAME: &'static str = "OrganizationSelector";
    const PATTERN: &'static str = "^[a-z0-9-]{1,64}$";
    const MEANING: &'static str = "an organization's id or name";

    fn to_text(&self) -> String {
        match self {
            Self::Id(id) => id.to_text(),
            Self::Name(name) => name.to_text(),
        }
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.len() == 2 * cairn_types::hash::HASH_BYTES {
            OrganizationId::from_text(text).map(Self::Id)
        } else {
            Name::from_text(text).map(Self::Name)
        }
    }
}

macro_rules! selector_from {
    ($($selector:ident::$variant:ident($type:ty);)*) => {$(
        impl From<$type> for Text<$selector> {
            fn from(value: $type) -> Self {
                Self($selector::$variant(value))
            }
        }
    )*};
}

selector_from! {
    AttestationSelector::Place(AttestationRef);
    AttestationSelector::Transaction(TransactionId);
    OrganizationSelector::Id(OrganizationId);
    OrganizationSelector::Name(Name);
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use cairn_types::{AttestationRef, Hash, Height, StreamId, TransactionId};

    use super::{AttestationSelector, OrganizationSelector, Text, TextForm};

    fn one_spelling<T: TextForm + PartialEq + Debug>(value: T, spelling: &str, others: &[&str]) {
        assert_eq!(value.to_text(), spelling);
        assert_eq!(T::from_text(spelling).as_ref(), Ok(&value));
        for other in others {
            assert!(T::from_text(other).is_err(), "{other:?} is a second spelling");
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        one_spelling(Height::new(7), "7", &["07", "+7", "7.0", " 7", "", "7e0", "0x7", "-7", "18446744073709551616"]);
        one_spelling(u64::MAX, "18446744073709551615", &["18446744073709551616", "-1"]);
        one_spelling(0_u64, "0", &["00", "-0"]);
        one_spelling(i64::MIN, "-9223372036854775808", &["--1", "-", "-01", "9223372036854775808"]);
    }

    #[test]
    fn bytes_have_one_spelling() {
        one_spelling(vec![0xab, 0x01], "ab01", &["AB01", "ab0", "0xab01", "ab 01"]);
        one_spelling(Vec::new(), "", &[]);
    }

    #[test]
    fn selectors_tell_their_forms_apart() {
        let hash = Hash::plain(b"stream");
        let place = AttestationRef { stream: StreamId::from_hash(hash), sequence: 3 };
        one_spelling(AttestationSelector::Place(place), &format!("{hash}/3"), &["3", "/3", &format!("{hash}/03")]);
        let id = TransactionId::from_hash(hash);
        one_spelling(AttestationSelector::Transaction(id), &hash.to_string(), &[&hash.to_string().to_uppercase()]);
        let name = "acme".parse().expect("a name");
        one_spelling(OrganizationSelector::Name(name), "acme", &["Acme", &"x".repeat(64)]);
    }

    #[test]
    fn json_numbers_are_not_heights() {
        assert!(serde_json::from_str::<Text<Height>>("7").is_err());
        assert_eq!(serde_json::from_str::<Text<Height>>("\"7\"").expect("a height"), Text(Height::new(7)));
    }
}
