//! What an auditor brings along. None of it is ever read from the bundle, or a forger would supply it.

use cairn_types::{BlockRef, ChainId, Content, ContentForm, ContentHash};

/// What the auditor knows before the bundle is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// The network: the hash of its block 0.
    pub genesis: ChainId,
    /// The content, as its hash; without it no verdict is VALID.
    pub content: Option<ContentEvidence>,
    /// A block that the auditor trusts, seen at a time when its validators were honest. It must stand among the blocks that
    /// the bundle proves; the bundle is to be made with it as its anchor. It stops forgeries by keys that validators gave
    /// up long ago.
    pub trusted: Option<BlockRef>,
    /// How old the checkpoint may be; without it, any age will do.
    pub freshness: Option<Freshness>,
}

impl Expectations {
    /// Expects a network and nothing else.
    pub const fn of(genesis: ChainId) -> Self {
        Self { genesis, content: None, trusted: None, freshness: None }
    }

    /// Expects this content too, to which the auditor has plain access.
    #[must_use]
    pub fn with_content(mut self, content: &[u8]) -> Self {
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.content = Some(ContentEvidence { form: ContentForm::Plain, hash: ContentHash::plain(content), bytes });
        self
    }
}

/// The content, as the auditor hashed it. A large file is hashed as a stream, so the hash comes from the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentEvidence {
    /// How it was hashed.
    pub form: ContentForm,
    /// Its hash.
    pub hash: ContentHash,
    /// Its length in bytes, without a salt.
    pub bytes: u64,
}

impl ContentEvidence {
    /// Whether this is the content that `signed` names.
    pub(super) fn is(&self, signed: &Content) -> bool {
        self.form == signed.form && self.hash == signed.hash && self.bytes == signed.bytes
    }
}

/// A limit on the checkpoint's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The auditor's clock, in milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: u64,
    /// The oldest that the checkpoint may be, in milliseconds.
    pub age_max_ms: u64,
}
