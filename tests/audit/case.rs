//! A question to a verifier: a bundle, and what the auditor brings along.

use cairn_proofs::verdict::{ContentEvidence, Expectations, Freshness, Verdict, verify_bytes};
use cairn_rpc::views::VerdictView;
use cairn_types::{BlockHash, BlockRef, ChainId, ContentForm, ContentHash, Hash, Height};
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

    /// The case that a line of the Python verifier's `--batch` asks about.
    pub(crate) fn of_question(name: String, asked: &Value) -> Self {
        let text = |member: &str| asked.get(member).and_then(Value::as_str);
        let bytes = |member: &str| text(member).map(|digits| hex::decode(digits).expect("hexadecimal"));
        let number = |member: &str| asked.get(member).and_then(Value::as_u64);
        let hash = |digits: &str| -> Hash { digits.parse().expect("a hash") };
        let trusted = text("checkpoint").and_then(|block| block.split_once(':')).map(|(height, digits)| BlockRef {
            height: Height::new(height.parse().expect("a height")),
            hash: BlockHash::from_hash(hash(digits)),
        });
        let freshness = number("max_age_ms").zip(number("now_ms"));
        Self {
            name,
            bundle: bytes("bundle").expect("a question is about a bundle"),
            genesis: ChainId::from_hash(hash(text("genesis").expect("a question names a network"))),
            content: bytes("content"),
            salt: bytes("salt").map(|salt| salt.try_into().expect("a salt has 32 bytes")),
            trusted,
            freshness: freshness.map(|(age_max_ms, now_ms)| Freshness { now_ms, age_max_ms }),
        }
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
