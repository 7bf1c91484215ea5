//! What everything that waits would change, laid over the state of a final height.
//!
//! Each value knows who wrote it last, so that the values of a transaction that a block has taken go when it goes: the state
//! beneath has them then. What somebody else who still waits wrote over them stays.
//!
//! It does not know the rules. The invariant: a key is here exactly if the last one who wrote it still waits.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use cairn_proofs::tree::StateTree;
use cairn_runtime::state::Memo;
use cairn_runtime::{Changes, State};
use cairn_types::Hash;
use cairn_types::state_key::Family;

/// Who wrote: its number in the pool.
pub(crate) type Number = u32;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Laid {
    values: HashMap<Arc<[u8]>, Value>,
    /// The keys among them that somebody may ask for by the last one under a prefix.
    listed: BTreeSet<Arc<[u8]>>,
}

#[derive(Debug)]
struct Value {
    /// `None`, if it is removed.
    value: Option<Vec<u8>>,
    by: Number,
}

/// Whether keys of this kind are asked for only one by one. Those are most of all that is written, and need no order.
fn is_single(key: &[u8]) -> bool {
    let singles = [Family::Stream, Family::Usage, Family::Remembered, Family::KeyUse];
    singles.iter().any(|family| key.first() == Some(&(*family as u8)))
}

impl Laid {
    /// Lays what one transaction changes over the rest; the keys that it wrote.
    pub(crate) fn lay(&mut self, changes: Changes, by: Number) -> Box<[Arc<[u8]>]> {
        let lay = |(key, value): (Vec<u8>, Option<Vec<u8>>)| {
            let key: Arc<[u8]> = key.into();
            if !is_single(&key) {
                self.listed.insert(Arc::clone(&key));
            }
            self.values.insert(Arc::clone(&key), Value { value, by });
            key
        };
        changes.into_iter().map(lay).collect()
    }

    /// Takes away what a transaction wrote, as far as nobody wrote over it.
    pub(crate) fn lift(&mut self, keys: &[Arc<[u8]>], by: Number) {
        for key in keys {
            if self.writer(key) == Some(by) {
                self.values.remove::<[u8]>(key);
                self.listed.remove::<[u8]>(key);
            }
        }
    }

    /// Whether something stands here under a prefix, which must not be of keys that are asked for one by one.
    fn is_listed(&self, prefix: &[u8]) -> bool {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        self.listed.range::<[u8], _>(from).next().is_some_and(|key| key.starts_with(prefix))
    }

    /// Who wrote a key last.
    pub(crate) fn writer(&self, key: &[u8]) -> Option<Number> {
        self.values.get(key).map(|value| value.by)
    }
}

/// A state with what waits laid over it.
pub(crate) struct Over<'a> {
    pub(crate) base: &'a StateTree,
    pub(crate) laid: &'a Laid,
    pub(crate) memo: &'a Memo,
}

impl State for Over<'_> {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self.laid.values.get(key) {
            Some(laid) => laid.value.as_deref().map(Cow::Borrowed),
            None => self.base.get(key),
        }
    }

    fn last_under(&self, prefix: &[u8]) -> Option<(Cow<'_, [u8]>, Cow<'_, [u8]>)> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let under = self.laid.listed.range::<[u8], _>(from).take_while(|key| key.starts_with(prefix));
        // A few ordinals at most stand under what is asked for, so looking at all of them costs nothing.
        let value = |key: &Arc<[u8]>| self.laid.values.get::<[u8]>(key)?.value.as_deref();
        let laid = under.filter_map(|key| Some((Cow::Borrowed(&**key), Cow::Borrowed(value(key)?)))).last();
        let beneath = State::last_under(self.base, prefix);
        // Of two entries with one key, `max_by` takes the later here: the laid one.
        [beneath, laid].into_iter().flatten().max_by(|(a, _), (b, _)| a.cmp(b))
    }

    fn last_of_each<const N: usize>(&self, prefix: &[u8], bytes: [u8; N]) -> [Option<Cow<'_, [u8]>>; N] {
        if self.laid.is_listed(prefix) {
            bytes.map(|byte| self.last_under(&[prefix, &[byte]].concat()).map(|(_, value)| value))
        } else {
            self.base.last_of_each(prefix, bytes)
        }
    }

    fn hash_of_part(&self, prefix: &[u8]) -> Option<Hash> {
        if self.laid.is_listed(prefix) { None } else { self.base.hash_of_part(prefix) }
    }

    fn memo(&self) -> Option<&Memo> {
        Some(self.memo)
    }
}
