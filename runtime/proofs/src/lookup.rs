//! The lookup: one file that answers one question about the state completely, with proof, at a certified checkpoint.
//!
//! ```text
//! certified ── state_root ──► a proof for each query that the question leads to, in a fixed order
//! ```
//!
//! "All grants over this device", "all its key epochs", "this device is not registered": each is a few lists, and a proof
//! of a list says that nothing is missing. What is asked next may depend on what was found: the grants of a list, one by
//! one, or a grant's parent. So one walk, in `walk`, serves both sides: [`Lookup::prove`] lets it read the state tree and
//! keeps the proofs, [`verify`] feeds it the proofs. Proof and question cannot part.
//!
//! It does not know what the answer is wanted for, and judges nothing about it: whether a grant that is listed gives a
//! right at some position is for [`crate::authority`].
//!
//! The invariant: a lookup has one encoding, and a VALID one answers the question that it names with all there is, no
//! more and no less. An auditor who expects a question says so; a file about another one is refused.

mod answer;
mod question;
mod read;
mod verify;
mod walk;

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::{BlockHash, DecodeError, Height, codec};

use crate::bundle::Anchor;
use crate::checkpoint::CheckpointProof;
use crate::tree::{ProofError, Query, StateProof, StateTree};

pub use answer::{Answer, DeviceGrants, LotFile, OrganizationFile, ScopeGrants};
pub use question::{ParseQuestionError, Question};
pub use verify::{LookupExpectations, LookupReason, LookupVerdict, verify, verify_bytes};

/// The first bytes of every lookup.
pub const LOOKUP_MAGIC: [u8; 12] = *b"cairn lookup";

/// The version that this crate writes and reads.
pub const LOOKUP_VERSION: u16 = 1;

/// Most bytes of a lookup: four thousand grants, of which each proof takes a kilobyte in a state of a million entries. It
/// bounds what a hostile file can cost, and in hexadecimal it still fits an answer of 10 MiB. What is longer is asked
/// for in parts: scope by scope, stream by stream.
pub const LOOKUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// One question, and all that answers it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Lookup {
    /// [`LOOKUP_MAGIC`].
    pub magic: [u8; 12],
    /// [`LOOKUP_VERSION`].
    pub version: u16,
    /// The checkpoint whose state answers.
    pub certified: CheckpointProof,
    /// One more block of the checkpoint's history, which connects the lookup to a block that its auditor trusts.
    pub anchor: Option<Anchor>,
    /// What was asked.
    pub question: Question,
    /// A proof for each query, in the order of the walk.
    pub proofs: Vec<StateProof>,
}

/// Why bytes are not a lookup. Whoever made the file is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupFormatError {
    /// It begins as no lookup does.
    #[error("not a lookup")]
    NotALookup,
    /// A lookup of a version that this program does not know.
    #[error("a lookup of version {found}, but only version {LOOKUP_VERSION} is known here")]
    Version {
        /// The version it names.
        found: u16,
    },
    /// Too long, damaged, or not in its one encoding.
    #[error(transparent)]
    Encoding(#[from] DecodeError),
}

/// Something of the state is not as it must be. The state is to blame, which two thirds of the validators certified, or
/// this program, if it is too old to know it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An entry makes no sense.
    #[error("the entry {} is malformed", Hexadecimal(.key))]
    Malformed {
        /// Its key, or the key under which the entries are that make no sense together.
        key: Vec<u8>,
    },
    /// An entry of a kind that this program is too old to know.
    #[error("the entry {} is of a kind that this program does not know", Hexadecimal(.key))]
    Unknown {
        /// Its key, or the key under which it is.
        key: Vec<u8>,
    },
    /// An entry that another one refers to is not there.
    #[error("the ledger has no entry {}", Hexadecimal(.key))]
    Absent {
        /// Its key.
        key: Vec<u8>,
    },
}

/// Why a lookup cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The state tree is not the one after the checkpoint: the caller is to blame.
    #[error("the state is not that after block {height}")]
    WrongState {
        /// The checkpoint's height.
        height: Height,
    },
    /// The state makes no sense. With the state of a network this is a bug.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A list is too long to be proven: whoever asked is to blame, and may ask for less at a time.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The answer is too long for one file: whoever asked is to blame, and may ask for less at a time.
    #[error("a lookup of {bytes} bytes or more, but at most {max} are allowed", max = LOOKUP_BYTES_MAX)]
    TooLarge {
        /// Bytes needed, as far as it was made.
        bytes: usize,
    },
}

impl Lookup {
    /// Answers `question` from `state`, which must be the state after the certified checkpoint. The work is bounded: it
    /// stops when the file would grow beyond [`LOOKUP_BYTES_MAX`].
    ///
    /// It does not judge the checkpoint. A caller that wants to know passes the lookup to [`verify`].
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn prove(state: &StateTree, certified: CheckpointProof, question: Question) -> Result<Self, LookupError> {
        if state.root() != certified.checkpoint.state_root {
            return Err(LookupError::WrongState { height: certified.checkpoint.height });
        }
        let (magic, version) = (LOOKUP_MAGIC, LOOKUP_VERSION);
        let mut lookup = Self { magic, version, certified, anchor: None, question, proofs: Vec::new() };
        let mut prover = Prover { state, proofs: Vec::new(), bytes: lookup.encode().len() };
        walk::walk(&lookup.question, &mut prover)?;
        lookup.proofs = prover.proofs;
        Ok(lookup)
    }

    /// The same with an anchor, which the caller has from the checkpoint's history.
    #[must_use]
    pub fn with_anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = Some(anchor);
        self
    }

    /// The lookup's one encoding: the bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The lookup whose encoding is exactly `bytes`.
    ///
    /// # Errors
    /// [`LookupFormatError`]; whoever made the file is to blame.
    pub fn decode(bytes: &[u8]) -> Result<Self, LookupFormatError> {
        let rest = bytes.strip_prefix(&LOOKUP_MAGIC).ok_or(LookupFormatError::NotALookup)?;
        let version = rest.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
        let version = version.ok_or(LookupFormatError::NotALookup)?;
        if version != LOOKUP_VERSION {
            return Err(LookupFormatError::Version { found: version });
        }
        Ok(codec::decode(bytes, LOOKUP_BYTES_MAX)?)
    }

    /// Heights and hashes of the blocks that the lookup proves, if it verifies.
    fn blocks(&self) -> impl Iterator<Item = (u64, BlockHash)> {
        let changes = self.certified.changes.iter().map(|change| &change.header);
        let headers = [&self.certified.genesis].into_iter().chain(changes).chain([&self.certified.checkpoint]);
        let anchor = self.anchor.iter().map(|anchor| (anchor.history.index, anchor.hash));
        headers.map(|header| (header.height.get(), header.hash())).chain(anchor)
    }
}

/// Reads the tree, and keeps the proof of each answer.
struct Prover<'a> {
    state: &'a StateTree,
    proofs: Vec<StateProof>,
    bytes: usize,
}

impl walk::Source for Prover<'_> {
    type Error = LookupError;

    fn ask(&mut self, query: &Query) -> Result<Vec<Entry>, LookupError> {
        let proof = self.state.prove(query)?;
        self.bytes = self.bytes.saturating_add(4).saturating_add(proof.encode().len());
        if self.bytes > LOOKUP_BYTES_MAX {
            return Err(LookupError::TooLarge { bytes: self.bytes });
        }
        let entries = proof.verify(&self.state.root(), query)?.into_entries();
        self.proofs.push(proof);
        Ok(entries)
    }
}

/// Bytes as hexadecimal digits.
struct Hexadecimal<'a>(&'a [u8]);

impl fmt::Display for Hexadecimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests;
