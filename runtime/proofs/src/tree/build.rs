//! Builds a subtree from entries that ascend: pages where they fit, branches above.
//!
//! It knows neither where entries come from nor what was there before. The invariant: a subtree becomes a page if and only
//! if it [fits](Size::fits), so the nodes are a function of the content alone.

use cairn_types::Hash;

use super::fold::Fold;
use super::node::{Link, Node};
use super::page::{Encoder, PAGE_ENTRIES_MAX, Page, Size};
use super::{KEY_BYTES_MAX, bits, hashing};

/// A key and its value, held in whatever way.
pub(super) trait AsEntry {
    fn key(&self) -> &[u8];
    fn value(&self) -> &[u8];
}

impl<K: AsRef<[u8]>, V: AsRef<[u8]>> AsEntry for (K, V) {
    fn key(&self) -> &[u8] {
        self.0.as_ref()
    }

    fn value(&self) -> &[u8] {
        self.1.as_ref()
    }
}

/// A subtree under construction.
enum Part {
    /// Entries that fit in a page, and wait because neighbours may join them: as many of the last ones that wait.
    Waiting {
        hash: Hash,
        size: Size,
    },
    Made(Link),
}

/// Takes entries in order.
pub(super) struct Builder<'m, E> {
    fold: Fold<Part>,
    /// The key of the last entry.
    previous: Vec<u8>,
    maker: Maker<'m, E>,
}

/// Makes nodes of parts.
struct Maker<'m, E> {
    waiting: Vec<E>,
    encoder: &'m mut Encoder,
}

impl<'m, E: AsEntry> Builder<'m, E> {
    pub(super) fn new(encoder: &'m mut Encoder) -> Self {
        let maker = Maker { waiting: Vec::with_capacity(PAGE_ENTRIES_MAX.saturating_add(1)), encoder };
        Self { fold: Fold::new(), previous: Vec::with_capacity(KEY_BYTES_MAX), maker }
    }

    /// The key that the next one must be above; empty, as no key is, at the beginning.
    pub(super) fn previous(&self) -> &[u8] {
        &self.previous
    }

    /// Adds the next entry, whose key is above the one before.
    pub(super) fn push(&mut self, entry: E) {
        let fork =
            bits::first_difference(&self.previous, entry.key()).expect("keys ascend, and the first is not empty");
        self.previous.clear();
        self.previous.extend_from_slice(entry.key());
        let hash = hashing::leaf(entry.key(), &hashing::value(entry.value()));
        let part = Part::Waiting { hash, size: Size::of(entry.key(), entry.value()) };
        // What this joins came before the entry, which therefore waits behind it.
        self.fold.push(fork, part, |bit, left, right| self.maker.join(bit, left, right));
        self.maker.waiting.push(entry);
    }

    /// The subtree; `None` without entries.
    pub(super) fn finish(mut self) -> Option<Link> {
        let whole = self.fold.finish(|bit, left, right| self.maker.join(bit, left, right))?;
        Some(self.maker.make(whole))
    }
}

impl<E: AsEntry> Maker<'_, E> {
    fn join(&mut self, bit: u16, left: Part, right: Part) -> Part {
        if let (Part::Waiting { hash: left, size: one }, Part::Waiting { hash: right, size: other }) = (&left, &right)
            && one.and(*other).fits()
        {
            return Part::Waiting { hash: hashing::branch(bit, left, right), size: one.and(*other) };
        }
        // The right side's entries are the last that wait, the left side's those before them.
        let right = self.make(right);
        let left = self.make(left);
        Part::Made(Link::branch(bit, left, right))
    }

    fn make(&mut self, part: Part) -> Link {
        let (hash, size) = match part {
            Part::Made(link) => return link,
            Part::Waiting { hash, size } => (hash, size),
        };
        let first = self.waiting.len().checked_sub(size.entries()).expect("what waits is still here");
        let entries = self.waiting.get(first..).unwrap_or_default();
        let page = self.encoder.page(entries.iter().map(|entry| (entry.key(), entry.value())), size);
        self.waiting.truncate(first);
        Link { hash, node: Node::Page(page) }
    }
}

/// Joins two subtrees: in one page if they fit, and otherwise by a branch.
pub(super) fn join(bit: u16, left: Link, right: Link, encoder: &mut Encoder) -> Link {
    if let (Node::Page(one), Node::Page(other)) = (&left.node, &right.node) {
        let size = one.size().and(other.size());
        if size.fits() {
            let entries = Plain::of([one, other]);
            let page = encoder.page(entries.iter(), size);
            return Link { hash: hashing::branch(bit, &left.hash, &right.hash), node: Node::Page(page) };
        }
    }
    Link::branch(bit, left, right)
}

/// Entries of pages, read.
#[derive(Default)]
pub(super) struct Plain {
    bytes: Vec<u8>,
    /// Where each key and each value ends.
    ends: Vec<(usize, usize)>,
}

impl Plain {
    fn of<'p>(pages: impl IntoIterator<Item = &'p Page>) -> Self {
        let mut plain = Self::default();
        pages.into_iter().for_each(|page| plain.read(page));
        plain
    }

    /// Adds the entries of a page.
    pub(super) fn read(&mut self, page: &Page) {
        let mut entries = page.entries();
        while let Some((key, value)) = entries.step() {
            self.bytes.extend_from_slice(key);
            let key_end = self.bytes.len();
            value.read_into(&mut self.bytes);
            self.ends.push((key_end, self.bytes.len()));
        }
    }

    /// Forgets them, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(key_end, end)| {
            let key = self.bytes.get(start..key_end).unwrap_or_default();
            let value = self.bytes.get(key_end..end).unwrap_or_default();
            start = end;
            (key, value)
        })
    }
}
