//! The files that an auditor collects, bundles and lookups, and two opinions on each: that of `cairn-proofs`, and that of
//! the second verifier.
//!
//! It knows the genesis hash and no node. The invariant: whatever was judged here is compared at the end, on every outcome,
//! reason, axis and entry.

use std::collections::BTreeSet;

use cairn_proofs::lookup::{self, Answer, LookupExpectations, Question};
use cairn_proofs::verdict::{Expectations, Outcome, Verdict, verify_bytes};
use cairn_rpc::views::VerdictView;
use cairn_types::ChainId;
use serde_json::{Value, json};

use crate::second_verifier::{self, comparable};

/// Disagreements that one failure shows.
const SHOWN_MAX: usize = 3;

/// See the module.
pub struct Papers {
    genesis: ChainId,
    judged: Vec<Judged>,
}

/// A file that was judged: how to ask the second verifier about it, and what it must answer.
struct Judged {
    name: String,
    question: Value,
    expected: Value,
    /// Whether everything that it answers was expected. Of a lookup, how its checkpoint was signed is not.
    is_all_expected: bool,
}

impl Papers {
    /// No files yet, of the network with this block 0.
    pub const fn of(genesis: ChainId) -> Self {
        Self { genesis, judged: Vec::new() }
    }

    /// Judges an attestation from the bytes of a bundle, and from nothing else.
    pub fn judge(&mut self, name: &str, bundle: &[u8], content: &[u8]) -> Verdict {
        let verdict = verify_bytes(bundle, &Expectations::of(self.genesis).with_content(content));
        let expected = serde_json::to_value(VerdictView::from(&verdict)).expect("a verdict has a JSON form");
        let question = json!({
            "bundle": hex::encode(bundle),
            "genesis": self.genesis.to_string(),
            "content": hex::encode(content),
        });
        self.judged.push(Judged { name: name.to_owned(), question, expected, is_all_expected: true });
        verdict
    }

    /// What the bytes of a lookup show about a question.
    ///
    /// # Panics
    /// If they do not show it.
    pub fn read(&mut self, file: &[u8], question: Question) -> Answer {
        let verdict = lookup::verify_bytes(file, &LookupExpectations::of(self.genesis).with_question(question.clone()));
        assert_eq!(verdict.outcome, Outcome::Valid, "{question}: {:?}", verdict.reasons);
        let entry = |(key, value): &(Vec<u8>, Vec<u8>)| json!({ "key": hex::encode(key), "value": hex::encode(value) });
        let entries: Vec<Vec<Value>> = verdict.entries.iter().map(|list| list.iter().map(entry).collect()).collect();
        let genesis = self.genesis.to_string();
        let expected = json!({ "outcome": "VALID", "reasons": [], "chain": genesis, "entries": entries });
        let name = question.to_string();
        let question = json!({ "lookup": hex::encode(file), "genesis": genesis, "question": name });
        self.judged.push(Judged { name, question, expected, is_all_expected: false });
        verdict.answer.expect("what is VALID has an answer")
    }

    /// Has everything judged again by the second verifier, in one process.
    ///
    /// # Panics
    /// If the two do not agree.
    pub fn compare(&self) {
        let questions: Vec<Value> = self.judged.iter().map(|judged| judged.question.clone()).collect();
        let answers = second_verifier::answers(&questions);
        let mut disagreements: Vec<String> =
            self.judged.iter().zip(&answers).filter_map(|(judged, theirs)| judged.disagreement(theirs)).collect();
        let (number, all) = (disagreements.len(), self.judged.len());
        disagreements.truncate(SHOWN_MAX);
        assert!(number == 0, "{number} of {all} files are judged otherwise:\n{}", disagreements.join("\n"));
        println!("{all} files judged alike by two verifiers");
    }
}

impl Judged {
    fn disagreement(&self, theirs: &Value) -> Option<String> {
        let (ours, theirs) = (comparable(&self.expected), comparable(theirs));
        let sides = [Some(&ours), Some(&theirs).filter(|_| self.is_all_expected)];
        let names = sides.into_iter().flatten().filter_map(Value::as_object).flat_map(|members| members.keys());
        let differing: BTreeSet<&String> = names.filter(|name| ours.get(name) != theirs.get(name)).collect();
        let first = differing.first()?;
        let (our, their) = (ours.get(first), theirs.get(first));
        let reasons = theirs.get("reasons");
        Some(format!(
            "{}: they differ in {differing:?}; in {first}:\n  Rust   {our:?}\n  Python {their:?}, for the reasons {reasons:?}",
            self.name
        ))
    }
}
