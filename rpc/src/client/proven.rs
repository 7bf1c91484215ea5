//! Answers that the caller need not believe: each comes with a file that is judged here, against the genesis hash.
//!
//! It does not know the node. The invariant: what is called proven was shown by the file, for the very question that the
//! caller asked.

use cairn_proofs::lookup::{LookupExpectations, LookupVerdict, verify_bytes};
use serde::Deserialize;

use crate::views::Hex;

/// An answer, and the lookup file that came with it. Until the file is judged, both are the node's word.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Proven<T> {
    /// The answer as the node tells it.
    #[serde(flatten)]
    pub answer: T,
    /// The lookup file.
    pub proof: Hex,
}

impl<T> Proven<T> {
    /// Judges the file.
    pub fn judge(&self, expectations: &LookupExpectations) -> LookupVerdict {
        verify_bytes(&self.proof.0, expectations)
    }
}
