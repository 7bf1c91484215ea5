//! Answers together with the file that proves them.
//!
//! What is proven is never cut into pages: a proof is about the whole list. So `prove` excludes `after` and `limit`, and a
//! list that does not fit one answer is refused.

use cairn_proofs::lookup::Question;
use cairn_types::Height;

use super::{Service, cut, page_limit};
use crate::backend::{Backend, View};
use crate::error::CallError;
use crate::limits::PROVEN_ITEMS_MAX;
use crate::views::{At, Hex, Page, Provable, Text};

/// How much of a list is wanted: a page, or all of it with its proof.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// Most items.
    pub(super) limit: usize,
    whole: bool,
}

impl Extent {
    pub(super) fn new<C>(prove: Option<bool>, after: Option<&C>, limit: Option<u32>) -> Result<Self, CallError> {
        if prove != Some(true) {
            return Ok(Self { limit: page_limit(limit)?, whole: false });
        }
        if after.is_some() || limit.is_some() {
            return Err(CallError::parameter("prove", "what is proven is the whole list: leave after and limit out"));
        }
        Ok(Self { limit: PROVEN_ITEMS_MAX, whole: true })
    }
}

impl<B: Backend> Service<B> {
    /// The lookup file for `question` in the state of `height`.
    pub(super) fn lookup_file(&self, question: Question, height: Height) -> Result<Hex, CallError> {
        match self.backend.lookup(question, Some(height))? {
            Some(file) => Ok(Text(file)),
            None => Err(CallError::parameter("at", "block 0 has no certificate, so nothing about it can be proven")),
        }
    }

    /// `answer`, read in `view`, and its proof if that is wanted.
    pub(super) fn provable<T>(
        &self,
        view: &View,
        answer: T,
        prove: Option<bool>,
        question: Question,
    ) -> Result<Provable<At<T>>, CallError> {
        let height = view.header.height;
        let proof = if prove == Some(true) { Some(self.lookup_file(question, height)?) } else { None };
        Ok(Provable { answer: At::new(height, answer), proof })
    }

    /// A list that was read in `view`, and its proof if all of it was wanted. `items` holds one more than the extent's limit
    /// if there are so many; `question` is `None` if no proof shows the whole list.
    pub(super) fn provable_list<T>(
        &self,
        view: &View,
        items: Vec<T>,
        extent: Extent,
        question: Option<Question>,
        cursor: impl Fn(&T) -> String,
    ) -> Result<Provable<Page<T>>, CallError> {
        let height = view.header.height;
        let (items, next) = cut(items, extent.limit, cursor);
        let proof = match (extent.whole, question) {
            (false, _) => None,
            (true, None) => {
                let reason = "this list is not proven as a whole; ask about one scope, device or manufacturer";
                return Err(CallError::parameter("prove", reason));
            }
            (true, Some(_)) if next.is_some() => {
                let reason =
                    format!("more than {PROVEN_ITEMS_MAX} items; proof_lookup has the proof, which holds them");
                return Err(CallError::TooLarge { reason });
            }
            (true, Some(question)) => Some(self.lookup_file(question, height)?),
        };
        Ok(Provable { answer: Page { height: Text(height), items, next, kept_from: None }, proof })
    }
}
