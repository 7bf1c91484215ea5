//! Answers that the caller need not believe: each comes with a file that is judged here, against the genesis hash.
//!
//! The caller says which network and which question, because nothing that the node sends may say it. [`Proven::verify`]
//! judges the file and then looks whether it shows what the answer says.
//!
//! It does not know the node. The invariant: an answer that is handed out as verified is, as far as a file about its
//! question can tell, what the file shows. What no such file can tell is named at [`Shown`].

mod shown;

use cairn_proofs::lookup::{Answer, LookupExpectations, LookupVerdict, Question, verify_bytes};
use cairn_proofs::verdict::Outcome;
use cairn_types::{ChainId, Height};
use serde::Deserialize;

use crate::client::{Client, ClientError};
use crate::views::{At, Hex, Page, Text};

/// An answer, and the lookup file that came with it. Until the file is judged, both are the node's word.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Proven<T> {
    /// The answer as the node tells it.
    #[serde(flatten)]
    pub answer: T,
    /// The lookup file.
    pub proof: Hex,
}

/// Why an answer may not be believed. The node is to blame, or whoever stands between.
#[derive(Debug, thiserror::Error)]
pub enum ProvenError {
    /// The file does not prove anything about the question.
    #[error("the proof is {}: {}", .0.outcome, reasons(.0))]
    NotValid(Box<LookupVerdict>),
    /// The file is about another height than the answer.
    #[error("the answer is of height {answer}, but its proof of height {proof}")]
    OtherHeight {
        /// The answer's height.
        answer: Height,
        /// The proof's.
        proof: Height,
    },
    /// The file proves something else than the answer says.
    #[error("the proof shows something else than the answer says")]
    Differs,
}

fn reasons(verdict: &LookupVerdict) -> String {
    verdict.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What a lookup can show. A file about one subject does not tell everything that is shown of it:
///
/// | of | not told |
/// |---|---|
/// | an organization | whether it is in the council |
/// | a list of organizations | all but names and ids |
/// | a device | whether its lot is trusted still |
/// | claims on a lot | serial numbers and where the devices were registered |
/// | the council | the members' names, titles and keys |
pub trait Shown {
    /// Whether `answer` shows this, apart from what it cannot tell.
    fn is_shown_by(&self, answer: &Answer) -> bool;
}

/// An answer that names its height.
pub trait Dated {
    /// The final height at which it was read.
    fn height(&self) -> Height;
}

impl<T> Dated for At<T> {
    fn height(&self) -> Height {
        self.height.0
    }
}

impl<T> Dated for Page<T> {
    fn height(&self) -> Height {
        self.height.0
    }
}

/// Why a question has no answer that can be believed.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The node gave no file. Whether the caller is to blame says the error.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The node gave a file that does not prove the answer. The node is to blame.
    #[error(transparent)]
    Proof(#[from] ProvenError),
}

impl Client {
    /// Asks one question about the state, and believes the answer only if its file is VALID for the network whose genesis
    /// hash is `genesis`. The verdict that is given back is VALID and has its answer and its checkpoint, so with
    /// [`Question::Checkpoint`] this is all of a light client.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(
        &self,
        genesis: ChainId,
        question: Question,
        at: Option<Text<Height>>,
    ) -> Result<LookupVerdict, AskError> {
        let file = self.proof_lookup(Text(question.clone()), at).await?.value.proof;
        let verdict = verify_bytes(&file.0, &LookupExpectations::of(genesis).with_question(question));
        let height = verdict.finality.as_ref().map(|finality| finality.checkpoint.height);
        match (verdict.outcome, height, at) {
            (Outcome::Valid, Some(proof), Some(Text(answer))) if proof != answer => {
                Err(ProvenError::OtherHeight { answer, proof }.into())
            }
            (Outcome::Valid, Some(_), _) => Ok(verdict),
            _ => Err(ProvenError::NotValid(Box::new(verdict)).into()),
        }
    }
}

impl<T> Proven<T> {
    /// Judges the file alone.
    pub fn judge(&self, expectations: &LookupExpectations) -> LookupVerdict {
        verify_bytes(&self.proof.0, expectations)
    }
}

impl<T: Shown + Dated> Proven<T> {
    /// Judges the file for the network whose genesis hash is `genesis`, and whether it answers `question` as the node did.
    ///
    /// # Errors
    /// [`ProvenError`]: then nothing of the answer may be believed.
    pub fn verify(&self, genesis: ChainId, question: Question) -> Result<LookupVerdict, ProvenError> {
        let verdict = self.judge(&LookupExpectations::of(genesis).with_question(question));
        let (Outcome::Valid, Some(finality), Some(shown)) = (verdict.outcome, &verdict.finality, &verdict.answer)
        else {
            return Err(ProvenError::NotValid(Box::new(verdict)));
        };
        let (answer, proof) = (self.answer.height(), finality.checkpoint.height);
        if answer != proof {
            return Err(ProvenError::OtherHeight { answer, proof });
        }
        if !self.answer.is_shown_by(shown) {
            return Err(ProvenError::Differs);
        }
        Ok(verdict)
    }
}
