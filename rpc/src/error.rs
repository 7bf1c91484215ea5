//! How a call fails: one table of codes, and `data` that a program can read.
//!
//! | code | what |
//! |---|---|
//! | -33000 - c | a rule of the ledger refuses, or its subject is not known: [`Rejection`] with code c |
//! | -32040 … -32059 | this interface refuses: [`CallError`] |
//! | -32602 | a parameter is missing, unknown or has the wrong form |
//! | -32601, -32600, -32700, -32603, -32005 … -32011 | JSON-RPC itself, and the limits on requests, as jsonrpsee words them |
//!
//! `data` is `{"name", "code", …}`: the variant's name, the number c for a rejection or the JSON-RPC code itself, and the
//! fields that the variant has, as strings. A device that is not known has one code, wherever it is met. An
//! attestation that is not known has two under one name: a rule knows it by its place alone, a reader by its transaction's
//! id too.

use cairn_types::{Height, Name, Rejection, TransactionId};
use jsonrpsee::types::ErrorObjectOwned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::ReadError;

/// The JSON-RPC code of a rejection with code 0, if there were one.
const REJECTION_BASE: i32 = -33_000;

/// JSON-RPC's own code for parameters.
const INVALID_PARAMS: i32 = -32_602;

/// JSON-RPC's own code for bugs and broken disks.
const INTERNAL: i32 = -32_603;

/// The JSON-RPC code of a rejection's own code.
pub(crate) fn rejection_code(code: u16) -> i32 {
    REJECTION_BASE - i32::from(code)
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// A rule refuses, or the subject is not known. The caller is to blame, except for `Busy`.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A parameter has a form or value that is not allowed. The caller is to blame.
    #[error("{parameter}: {reason}")]
    InvalidParameter {
        /// The parameter.
        parameter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The height is not final yet. The caller may try later.
    #[error("height {height} is not final; the latest final height is {latest}")]
    HeightUnknown {
        /// The height asked for.
        height: Height,
        /// The latest final height.
        latest: Height,
    },
    /// The state of that height is no longer kept. The caller may ask for another, or for a bundle.
    #[error("the state of height {height} is no longer kept; the oldest is {oldest}")]
    HeightPruned {
        /// The height asked for.
        height: Height,
        /// The oldest height whose state is kept.
        oldest: Height,
    },
    /// That block is not kept by this node: it was dropped, or the node joined later. The caller may ask another one.
    #[error("block {height} is not kept here; this node's blocks begin at {first}: ask one that keeps all")]
    BlockPruned {
        /// The block.
        height: Height,
        /// The first block that is kept.
        first: Height,
    },
    /// Not found in the blocks that this node keeps, and it does not keep all. The caller may ask another one.
    #[error(
        "{what} does not stand in the blocks that are kept here, which begin at {first}, and may stand before them: ask a node that keeps all"
    )]
    NotInKeptBlocks {
        /// What was asked for.
        what: String,
        /// The first block that is kept.
        first: Height,
    },
    /// No organization is called that.
    #[error("no organization is called {name}")]
    NameUnknown {
        /// The name.
        name: Name,
    },
    /// The node knows no such transaction, neither pending nor final.
    #[error("transaction {id} is not known here")]
    TransactionUnknown {
        /// The transaction.
        id: TransactionId,
    },
    /// No such attestation.
    #[error("there is no attestation {attestation}")]
    AttestationUnknown {
        /// As the caller named it.
        attestation: String,
    },
    /// The wait ended before the transaction was final. It may still become final: ask again.
    #[error("transaction {id} is not final after {waited_ms} ms")]
    NotFinal {
        /// The transaction.
        id: TransactionId,
        /// How long was waited, in milliseconds.
        waited_ms: u64,
    },
    /// The answer would be longer than an answer may be. The caller may ask for less.
    #[error("the answer is too large: {reason}")]
    TooLarge {
        /// What is too long.
        reason: String,
    },
    /// The call took too long.
    #[error("the call took more than {limit_ms} ms")]
    Timeout {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// Too many calls are at work. Try again.
    #[error("the node has as many calls at work as it takes; try again")]
    Overloaded,
    /// The node is starting and has no state yet. Try again.
    #[error("the node is starting; try again")]
    Starting,
    /// The subscriber did not read fast enough and has missed blocks.
    #[error("{missed} blocks were missed: read faster, or fetch them with chain_getBlock")]
    FellBehind {
        /// How many blocks were missed.
        missed: u64,
    },
    /// The node's disk or the node itself is to blame; its log says more.
    #[error("the node cannot answer: {reason}")]
    Internal {
        /// What failed, without detail from inside.
        reason: &'static str,
    },
}

impl CallError {
    /// Name and JSON-RPC code of every error of this interface, apart from rejections.
    pub const TABLE: &'static [(&'static str, i32)] = &[
        ("InvalidParameter", INVALID_PARAMS),
        ("HeightUnknown", -32_040),
        ("HeightPruned", -32_041),
        ("TransactionUnknown", -32_042),
        ("AttestationUnknown", -32_043),
        ("NotFinal", -32_044),
        ("TooLarge", -32_045),
        ("Timeout", -32_046),
        ("Overloaded", -32_047),
        ("Starting", -32_048),
        ("FellBehind", -32_049),
        ("NameUnknown", -32_050),
        ("BlockPruned", -32_051),
        ("NotInKeptBlocks", -32_052),
        ("Internal", INTERNAL),
    ];

    /// The error's name: the variant's, or the rejection's.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.name(),
            Self::InvalidParameter { .. } => "InvalidParameter",
            Self::HeightUnknown { .. } => "HeightUnknown",
            Self::HeightPruned { .. } => "HeightPruned",
            Self::NameUnknown { .. } => "NameUnknown",
            Self::BlockPruned { .. } => "BlockPruned",
            Self::NotInKeptBlocks { .. } => "NotInKeptBlocks",
            Self::TransactionUnknown { .. } => "TransactionUnknown",
            Self::AttestationUnknown { .. } => "AttestationUnknown",
            Self::NotFinal { .. } => "NotFinal",
            Self::TooLarge { .. } => "TooLarge",
            Self::Timeout { .. } => "Timeout",
            Self::Overloaded => "Overloaded",
            Self::Starting => "Starting",
            Self::FellBehind { .. } => "FellBehind",
            Self::Internal { .. } => "Internal",
        }
    }

    /// The JSON-RPC code.
    pub fn code(&self) -> i32 {
        match self {
            Self::Rejected(rejection) => rejection_code(rejection.code()),
            other => Self::TABLE
                .iter()
                .find(|(name, _)| *name == other.name())
                .map(|(_, code)| *code)
                .expect("every variant but the rejection stands in the table"),
        }
    }

    /// The error as JSON shows it.
    pub fn view(&self) -> ErrorView {
        let number = match self {
            Self::Rejected(rejection) => i32::from(rejection.code()),
            other => other.code(),
        };
        let mut data = ErrorData { name: self.name().to_owned(), code: number, fields: Default::default() };
        let mut field = |name: &str, value: String| drop(data.fields.insert(name.to_owned(), value));
        match self {
            Self::Rejected(rejection) => {
                for (name, value) in rejection.fields() {
                    field(&wire_name(name), value);
                }
            }
            Self::Overloaded | Self::Starting => {}
            Self::InvalidParameter { parameter, reason } => {
                field("parameter", parameter.clone());
                field("reason", reason.clone());
            }
            Self::HeightUnknown { height, latest } => {
                field("height", height.to_string());
                field("latest", latest.to_string());
            }
            Self::HeightPruned { height, oldest } => {
                field("height", height.to_string());
                field("oldest", oldest.to_string());
            }
            Self::BlockPruned { height, first } => {
                field("height", height.to_string());
                field("first", first.to_string());
            }
            Self::NotInKeptBlocks { what, first } => {
                field("what", what.clone());
                field("first", first.to_string());
            }
            Self::NameUnknown { name } => field("organization", name.to_string()),
            Self::TransactionUnknown { id } => field("id", id.to_string()),
            Self::AttestationUnknown { attestation } => field("attestation", attestation.clone()),
            Self::NotFinal { id, waited_ms } => {
                field("id", id.to_string());
                field("waitedMs", waited_ms.to_string());
            }
            Self::TooLarge { reason } => field("reason", reason.clone()),
            Self::Timeout { limit_ms } => field("limitMs", limit_ms.to_string()),
            Self::FellBehind { missed } => field("missed", missed.to_string()),
            Self::Internal { reason } => field("reason", (*reason).to_owned()),
        }
        ErrorView { code: self.code(), message: self.to_string(), data }
    }

    /// A parameter that is not allowed.
    pub(crate) fn parameter(parameter: &str, reason: impl ToString) -> Self {
        Self::InvalidParameter { parameter: parameter.to_owned(), reason: reason.to_string() }
    }
}

/// The name of a rejection's field in `data`: in camel case, and never that of the error itself.
fn wire_name(field: &str) -> String {
    if field == "name" {
        return "organization".to_owned();
    }
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        name + &initial.to_ascii_uppercase() + rest
    })
}

/// An error as JSON shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// The JSON-RPC code.
    pub code: i32,
    /// What happened, to what, in a sentence.
    pub message: String,
    /// The same for programs.
    pub data: ErrorData,
}

/// The `data` of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// The error's name.
    pub name: String,
    /// The rejection's code, or the JSON-RPC code.
    pub code: i32,
    /// What else the error has to say.
    #[serde(flatten)]
    pub fields: std::collections::BTreeMap<String, String>,
}

impl From<CallError> for ErrorObjectOwned {
    fn from(error: CallError) -> Self {
        let ErrorView { code, message, data } = error.view();
        Self::owned(code, message, Some(data))
    }
}

impl From<ReadError> for CallError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::HeightUnknown { height, latest } => Self::HeightUnknown { height, latest },
            ReadError::HeightPruned { height, oldest } => Self::HeightPruned { height, oldest },
            ReadError::BlockPruned { height, first } => Self::BlockPruned { height, first },
            ReadError::Starting => Self::Starting,
            ReadError::TooLarge { reason } => Self::TooLarge { reason },
            ReadError::Storage { reason } => {
                tracing::error!(reason, "the node cannot read what it stored");
                Self::Internal { reason: "its storage failed" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cairn_types::{DeviceId, Hash, Rejection};

    use super::CallError;

    #[test]
    fn codes_are_unique_and_outside_the_rejections() {
        let mut codes: Vec<i32> = CallError::TABLE.iter().map(|(_, code)| *code).collect();
        codes.extend(Rejection::TABLE.iter().map(|(code, _)| super::rejection_code(*code)));
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);

        for (name, _) in CallError::TABLE {
            let is_of_the_ledger = Rejection::TABLE.iter().any(|(_, other)| other == name);
            assert_eq!(is_of_the_ledger, *name == "AttestationUnknown", "{name} has two codes");
        }
    }

    #[test]
    fn a_rejection_keeps_its_number_name_and_words() {
        let device = DeviceId::from_hash(Hash::ZERO);
        let view = CallError::from(Rejection::DeviceUnknown { device }).view();
        assert_eq!((view.code, view.data.code, view.data.name.as_str()), (-33_130, 130, "DeviceUnknown"));
        assert_eq!(view.message, format!("device {device} is not registered"));
    }
}
