//! What a lookup shows: whether its answer can be believed, and the answer.
//!
//! [`verify`] is a pure function of a [`Lookup`] and of what the auditor brings along. It is total, and its work is bounded
//! by the file's size. The invariant: there is an answer only if every proof held, none was missing and none left over.

use cairn_types::{BlockRef, ChainId, Hash};

use super::answer::Answer;
use super::question::Question;
use super::walk::{Source, walk};
use super::{Entry, Fault, Hexadecimal, Lookup, LookupFormatError};
use crate::checkpoint;
use crate::tree::{ProofError, Query, StateProof};
use crate::verdict::history;
use crate::verdict::{Finality, Freshness, Outcome, Reason};

/// What the auditor knows before the file is opened. None of it is read from the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupExpectations {
    /// The network: the hash of its block 0.
    pub genesis: ChainId,
    /// What was asked; without it, whatever the file says it answers.
    pub question: Option<Question>,
    /// A block that the auditor trusts. It must be the lookup's anchor, the genesis, the checkpoint or a change of
    /// validators.
    pub trusted: Option<BlockRef>,
    /// How old the checkpoint may be; without it, any age will do.
    pub freshness: Option<Freshness>,
}

impl LookupExpectations {
    /// Expects a network and nothing else.
    pub const fn of(genesis: ChainId) -> Self {
        Self { genesis, question: None, trusted: None, freshness: None }
    }

    /// Expects an answer to this question too.
    #[must_use]
    pub fn with_question(mut self, question: Question) -> Self {
        self.question = Some(question);
        self
    }
}

/// What stands against believing a lookup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupReason {
    /// The bytes are not a lookup.
    #[error("the file is damaged or not a lookup: {0}")]
    NotALookup(LookupFormatError),
    /// Something about the checkpoint, as for bundles.
    #[error(transparent)]
    Checkpoint(Reason),
    /// It answers another question.
    #[error("it answers {found}, not {expected}")]
    OtherQuestion {
        /// The question in the file.
        found: Box<Question>,
        /// The auditor's.
        expected: Box<Question>,
    },
    /// A proof that does not hold.
    #[error("proof {index} about {} does not hold: {error}", Hexadecimal(.key))]
    StateProofInvalid {
        /// Its place, from 0.
        index: usize,
        /// The key or prefix that it should be about.
        key: Vec<u8>,
        /// What is wrong.
        error: ProofError,
    },
    /// An entry is malformed, unknown, or absent though another one refers to it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The file does not hold a proof that is needed.
    #[error("there is no proof {index}, which should be about {}", Hexadecimal(.key))]
    ProofMissing {
        /// Its place, from 0.
        index: usize,
        /// The key or prefix that it should be about.
        key: Vec<u8>,
    },
    /// The file holds proofs that nothing asks for.
    #[error("there are {count} proofs that nothing asks for")]
    ProofSuperfluous {
        /// How many.
        count: usize,
    },
}

impl LookupReason {
    /// The names that are not those of a [`Reason`] about a checkpoint, and the outcomes that they lead to.
    pub const TABLE: &'static [(&'static str, Outcome)] = &[
        ("not_a_lookup", Outcome::Invalid),
        ("other_question", Outcome::Invalid),
        ("state_proof_invalid", Outcome::Invalid),
        ("record_malformed", Outcome::Invalid),
        ("record_unknown", Outcome::Incomplete),
        ("absent", Outcome::Invalid),
        ("proof_missing", Outcome::Incomplete),
        ("proof_superfluous", Outcome::Invalid),
    ];

    /// The reason's name in the JSON form; it never changes its meaning.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotALookup(_) => "not_a_lookup",
            Self::Checkpoint(reason) => reason.name(),
            Self::OtherQuestion { .. } => "other_question",
            Self::StateProofInvalid { .. } => "state_proof_invalid",
            Self::Fault(Fault::Malformed { .. }) => "record_malformed",
            Self::Fault(Fault::Unknown { .. }) => "record_unknown",
            Self::Fault(Fault::Absent { .. }) => "absent",
            Self::ProofMissing { .. } => "proof_missing",
            Self::ProofSuperfluous { .. } => "proof_superfluous",
        }
    }

    /// The outcome that the reason leads to.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Checkpoint(reason) => reason.outcome(),
            Self::Fault(Fault::Unknown { .. }) | Self::ProofMissing { .. } => Outcome::Incomplete,
            Self::NotALookup(_)
            | Self::OtherQuestion { .. }
            | Self::StateProofInvalid { .. }
            | Self::Fault(Fault::Malformed { .. } | Fault::Absent { .. })
            | Self::ProofSuperfluous { .. } => Outcome::Invalid,
        }
    }
}

/// What a lookup shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupVerdict {
    /// The gravest of the reasons, or [`Outcome::Valid`] if there is none.
    pub outcome: Outcome,
    /// Everything that stands against believing it.
    pub reasons: Vec<LookupReason>,
    /// The network for which it was judged, as the auditor named it.
    pub chain: ChainId,
    /// The checkpoint whose state answers; `None` if it was not reached.
    pub finality: Option<Finality>,
    /// What the file says it answers; `None` if the checkpoint was not reached.
    pub question: Option<Question>,
    /// For each query, in the order of the walk, all entries that answer it; empty unless all of them are proven.
    pub entries: Vec<Vec<Entry>>,
    /// The same, read; `None` unless all of it is proven.
    pub answer: Option<Answer>,
}

impl LookupVerdict {
    fn hold_against(&mut self, reason: LookupReason) {
        self.outcome = self.outcome.max(reason.outcome());
        self.reasons.push(reason);
    }
}

/// Judges a lookup. Total and pure; its work is bounded by the file's size.
pub fn verify(lookup: &Lookup, expectations: &LookupExpectations) -> LookupVerdict {
    let mut verdict = nothing_shown(expectations);
    if let Err(reason) = establish(lookup, expectations, &mut verdict) {
        verdict.hold_against(reason);
    }
    verdict
}

/// Judges the bytes of a file. Bytes that are not a lookup are INVALID, like a lookup in which something is wrong.
pub fn verify_bytes(bytes: &[u8], expectations: &LookupExpectations) -> LookupVerdict {
    match Lookup::decode(bytes) {
        Ok(lookup) => verify(&lookup, expectations),
        Err(error) => {
            let mut verdict = nothing_shown(expectations);
            verdict.hold_against(LookupReason::NotALookup(error));
            verdict
        }
    }
}

const fn nothing_shown(expectations: &LookupExpectations) -> LookupVerdict {
    LookupVerdict {
        outcome: Outcome::Valid,
        reasons: Vec::new(),
        chain: expectations.genesis,
        finality: None,
        question: None,
        entries: Vec::new(),
        answer: None,
    }
}

/// Runs the steps in order; an error ends them.
fn establish(
    lookup: &Lookup,
    expectations: &LookupExpectations,
    verdict: &mut LookupVerdict,
) -> Result<(), LookupReason> {
    let certified = &lookup.certified;
    let mut finality = checkpoint::establish(certified, &expectations.genesis).map_err(LookupReason::Checkpoint)?;
    let anchor = lookup.anchor.as_ref();
    history::check_anchor(anchor, &certified.checkpoint).map_err(LookupReason::Checkpoint)?;
    let (trusted, distrust) = history::connect(lookup.blocks(), expectations.trusted.as_ref());
    let (freshness, age) = checkpoint::freshness(&certified.checkpoint, expectations.freshness.as_ref());
    (finality.trusted, finality.freshness) = (trusted, freshness);
    verdict.finality = Some(finality);
    verdict.question = Some(lookup.question.clone());
    distrust.into_iter().chain(age).for_each(|reason| verdict.hold_against(LookupReason::Checkpoint(reason)));

    if let Some(expected) = &expectations.question
        && *expected != lookup.question
    {
        let (found, expected) = (Box::new(lookup.question.clone()), Box::new(expected.clone()));
        return Err(LookupReason::OtherQuestion { found, expected });
    }
    let mut proofs =
        Proofs { root: certified.checkpoint.state_root, rest: &lookup.proofs, used: 0, entries: Vec::new() };
    let answer = walk(&lookup.question, &mut proofs)?;
    match proofs.rest.len() {
        0 => (),
        count => return Err(LookupReason::ProofSuperfluous { count }),
    }
    verdict.entries = proofs.entries;
    verdict.answer = Some(answer);
    Ok(())
}

/// Takes the proofs of a file in order, and believes each only as an answer to what is asked.
struct Proofs<'a> {
    root: Hash,
    rest: &'a [StateProof],
    used: usize,
    entries: Vec<Vec<Entry>>,
}

impl Source for Proofs<'_> {
    type Error = LookupReason;

    fn ask(&mut self, query: &Query) -> Result<Vec<Entry>, LookupReason> {
        let (index, key) = (self.used, query.key_bytes());
        let Some((proof, rest)) = self.rest.split_first() else {
            return Err(LookupReason::ProofMissing { index, key: key.to_vec() });
        };
        (self.rest, self.used) = (rest, index.saturating_add(1));
        let proven = proof.verify(&self.root, query).map_err(|error| LookupReason::StateProofInvalid {
            index,
            key: key.to_vec(),
            error,
        })?;
        let entries = proven.into_entries();
        self.entries.push(entries.clone());
        Ok(entries)
    }
}
