//! A question to a verifier: a bundle, and what the auditor brings along.

use cairn_proofs::verdict::{ContentEvidence, Expectations, Freshness, Verdict, verify_bytes};
use cairn_rpc::views::VerdictView;
use cairn_types::{BlockRef, ChainId, ContentForm, ContentHash};
use serde_json::{Value, json};

/// See the module.
#[derive(Clone)]
pub(crate) struct Case {
    /// What it is, for whoever reads a failure.
    pub(crate) name: String,
    pub(crate) bundle: Vec<u8>,
    pub(crate) genesis: ChainId,
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) salt: Option<[u8; 32]>,
    pub(crate) trusted: Option<BlockRef>,
    pub(crate) freshness: Option<Freshness>,
}

impl Case {
    /// What `cairn-proofs` says.
    pub(crate) fn verdict(&self) -> Verdict {
        let evidence = |content: &Vec<u8>| {
            let (form, hash) = match &self.salt {
                None => (ContentForm::Plain, ContentHash::plain(content)),
                Some(salt) => (ContentForm::Salted, ContentHash::salted(salt, content)),
            };
            ContentEvidence { form, hash, bytes: u64::try_from(content.len()).expect("a test's content is small") }
        };
        let expectations = Expectations {
            genesis: self.genesis,
            content: self.content.as_ref().map(evidence),
            trusted: self.trusted,
            freshness: self.freshness,
        };
        verify_bytes(&self.bundle, &expectations)
    }

    /// The verdict as `cairn verify --json` prints it.
    pub(crate) fn verdict_json(&self) -> Value {
        serde_json::to_value(VerdictView::from(&self.verdict())).expect("a verdict has a JSON form")
    }

    /// The same question to the Python verifier: a line of its `--batch`.
    pub(crate) fn question(&self) -> Value {
        json!({
            "bundle": hex::encode(&self.bundle),
            "genesis": self.genesis.to_string(),
            "content": self.content.as_ref().map(hex::encode),
            "salt": self.salt.map(hex::encode),
            "checkpoint": self.trusted.map(|block| format!("{}:{}", block.height, block.hash)),
            "now_ms": self.freshness.map(|freshness| freshness.now_ms),
            "max_age_ms": self.freshness.map(|freshness| freshness.age_max_ms),
        })
    }
}
