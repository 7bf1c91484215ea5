//! The rules by which a proof is believed. An auditor's answer rests on this file alone: it uses no node of any tree.

use cairn_types::Hash;

use super::bits::{self, BITS_PER_BYTE};
use super::fold::Fold;
use super::hashing;
use super::proof::{LeafProof, LeafValue, ProofError, StateProof};
use super::query::Query;

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// What a verified proof says: the complete list of entries that answer its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    entries: Vec<Entry>,
}

impl Proven {
    /// All entries `(key, value)` that answer the query, ascending by key. Empty: it is proven that there is none.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries, taken out.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Whether it is proven that no entry answers the query.
    pub fn is_absent(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first value, which is *the* value if the query was for one key; `None` if it is proven absent.
    pub fn value(&self) -> Option<&[u8]> {
        self.entries.first().map(|(_, value)| value.as_slice())
    }
}

impl StateProof {
    /// Checks that this proof answers `query` in the map whose state root is `root`, and says what the answer is.
    ///
    /// The rules, of which each stops a lie:
    ///
    /// 1. Positions along the path strictly increase, as in every tree.
    /// 2. A *list*: its first leaf answers the query. Then the leaves strictly ascend, all answer the query and show
    ///    their values, and every position of the path is below the query's bits: a step within the list could hide a
    ///    part of it.
    /// 3. An *absence*: exactly one leaf, which does not answer the query and shows only its value's hash. At each
    ///    position of the path it goes the query's way while the query has bits, and left after: so an entry that answered
    ///    would be met, and the witness is unique.
    /// 4. The *empty map*: no path, no leaves, count 0.
    ///
    /// And the hashes lead to `root`. The absence is as sound as the root: believe only a root that is certified.
    ///
    /// # Errors
    /// [`ProofError`]: the proof is not one of this query in that map. The prover is to blame.
    pub fn verify(&self, root: &Hash, query: &Query) -> Result<Proven, ProofError> {
        for (index, pair) in self.path.windows(2).enumerate() {
            if let [above, below] = pair
                && above.bit >= below.bit
            {
                return Err(ProofError::PathNotAscending { step: index.saturating_add(1) });
            }
        }
        let Some(first) = self.leaves.first() else {
            if self.count != 0 || !self.path.is_empty() {
                return Err(ProofError::WrongWitness);
            }
            expect_root(root, hashing::state_root(0, None))?;
            return Ok(Proven { entries: Vec::new() });
        };
        let (bottom, entries) = if query.matches(&first.key) {
            self.check_list(query)?
        } else {
            (self.check_absence(first, query)?, Vec::new())
        };
        let top = self.path.iter().rev().fold(bottom, |hash, step| {
            if bits::bit(&first.key, step.bit) {
                hashing::branch(step.bit, &step.sibling, &hash)
            } else {
                hashing::branch(step.bit, &hash, &step.sibling)
            }
        });
        expect_root(root, hashing::state_root(self.count, Some(&top)))?;
        Ok(Proven { entries })
    }

    /// Rule 2. The hash of the list's subtree, and the list.
    fn check_list(&self, query: &Query) -> Result<(Hash, Vec<Entry>), ProofError> {
        if let Some(step) = self.path.iter().find(|step| step.bit >= query.bit_count()) {
            return Err(ProofError::StepWithinList { bit: step.bit, bits: query.bit_count() });
        }
        let join = |p, left: Hash, right: Hash| hashing::branch(p, &left, &right);
        let mut fold = Fold::new();
        let mut entries: Vec<Entry> = Vec::with_capacity(self.leaves.len());
        for (index, leaf) in self.leaves.iter().enumerate() {
            if !query.matches(&leaf.key) {
                return Err(ProofError::ForeignLeaf { leaf: index });
            }
            let LeafValue::Full(value) = &leaf.value else {
                return Err(ProofError::HiddenValue { leaf: index });
            };
            let fork = match entries.last() {
                None => 0,
                Some((previous, _)) if *previous < leaf.key => {
                    bits::first_difference(previous, &leaf.key).expect("the keys differ: one is above the other")
                }
                Some(_) => return Err(ProofError::LeavesNotAscending { leaf: index }),
            };
            fold.push(fork, hashing::leaf(&leaf.key, &hashing::value(value)), join);
            entries.push((leaf.key.clone(), value.clone()));
        }
        Ok((fold.finish(join).expect("a list has a first leaf"), entries))
    }

    /// Rule 3. The hash of the witness, which is the first leaf.
    fn check_absence(&self, witness: &LeafProof, query: &Query) -> Result<Hash, ProofError> {
        let ([_], LeafValue::Hash(value_hash)) = (self.leaves.as_slice(), &witness.value) else {
            return Err(ProofError::WrongWitness);
        };
        for step in &self.path {
            let prescribed = step.bit < query.bit_count() && query.bit(step.bit);
            let within_key = usize::from(step.bit) <= witness.key.len().saturating_mul(BITS_PER_BYTE);
            if !within_key || bits::bit(&witness.key, step.bit) != prescribed {
                return Err(ProofError::OffTheWay { bit: step.bit });
            }
        }
        Ok(hashing::leaf(&witness.key, value_hash))
    }
}

fn expect_root(root: &Hash, found: Hash) -> Result<(), ProofError> {
    if found == *root { Ok(()) } else { Err(ProofError::RootMismatch { found }) }
}
