//! The proof: what it holds, how it is made, and its one encoding.
//!
//! ```text
//! u64le count                           entries in the whole map
//! u16le number of steps                 at most 2,295
//!   each: u16le p, 32 bytes sibling     from the root down
//! u32le number of leaves                at most 65,536
//!   each: u8 length of key (not 0), key, then either
//!         0x00, u16le length of value, value        the value in full
//!         0x01, 32 bytes                            the value's hash only
//! ```
//!
//! Nothing follows the last leaf, and the whole has at most [`PROOF_BYTES_MAX`](super::PROOF_BYTES_MAX) bytes. In borsh,
//! a proof is these bytes with their number, u32le, before them.
//!
//! Decoding checks sizes and form, [`StateProof::verify`] everything else. Every byte is either hashed on the way to the
//! root or has only one value that passes.

use std::io::{self, Read, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_types::Hash;

use super::node::Link;
use super::part::Part;
use super::query::Query;
use super::{KEY_BYTES_MAX, PATH_STEPS_MAX, PROOF_BYTES_MAX, PROOF_LEAVES_MAX, VALUE_BYTES_MAX, hashing};

/// Bytes before the first step: count and number of steps.
const HEAD_BYTES: usize = 8 + 2;
/// Bytes of a step.
const STEP_BYTES: usize = 2 + 32;
/// Bytes between steps and leaves: number of leaves.
const LEAVES_HEAD_BYTES: usize = 4;
/// Fewest bytes of a leaf: key length, one byte of key, tag, value length.
const LEAF_BYTES_MIN: usize = 1 + 1 + 1 + 2;

const TAG_FULL: u8 = 0;
const TAG_HASH: u8 = 1;

/// The complete list of entries that answer one [`Query`], as [`StateTree::prove`](super::StateTree::prove) makes it.
/// Says nothing until it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    pub(super) count: u64,
    pub(super) path: Vec<Step>,
    pub(super) leaves: Vec<LeafProof>,
}

/// A step on the way from the root down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The position of the virtual bit in which the two sides differ.
    pub bit: u16,
    /// The hash of the side that the way does not take.
    pub sibling: Hash,
}

/// A leaf, as a proof shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafProof {
    /// The key.
    pub key: Vec<u8>,
    /// What is shown of the value.
    pub value: LeafValue,
}

/// What a proof shows of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeafValue {
    /// All of it: the leaf is part of the answer.
    Full(Vec<u8>),
    /// Its hash: the leaf only witnesses that there is no answer.
    Hash(Hash),
}

/// Why a proof cannot be made, or proves nothing. The prover is to blame, except where a variant names whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A query with more bits than its key has: whoever asked is to blame.
    #[error("{bits} bits of a key of {key_bytes} bytes")]
    QueryTooLong {
        /// Bytes in the query's key.
        key_bytes: usize,
        /// Bits asked for.
        bits: u16,
    },
    /// More bytes than a proof may have. When proving, whoever asked for so long a list is to blame.
    #[error("{bytes} bytes or more, but a proof has at most {max}", max = PROOF_BYTES_MAX)]
    TooLarge {
        /// Bytes given or needed.
        bytes: usize,
    },
    /// More leaves than a proof may have. When proving, whoever asked for so long a list is to blame.
    #[error("{leaves} leaves or more, but a proof has at most {max}", max = PROOF_LEAVES_MAX)]
    TooManyLeaves {
        /// Leaves given or needed.
        leaves: usize,
    },
    /// More steps than a path can have.
    #[error("{steps} steps, but a path has at most {max}", max = PATH_STEPS_MAX)]
    TooManySteps {
        /// Steps given.
        steps: usize,
    },
    /// The bytes end within the proof.
    #[error("the bytes end at {offset}, within the proof")]
    Truncated {
        /// Where bytes are missing.
        offset: usize,
    },
    /// Bytes follow the proof.
    #[error("{bytes} bytes follow the proof")]
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
    /// A leaf shows its value in a way that is not defined.
    #[error("{tag} is not a way to show a value")]
    UnknownTag {
        /// The tag byte.
        tag: u8,
    },
    /// A leaf has a key without bytes.
    #[error("a leaf has an empty key")]
    KeyEmpty,
    /// The positions along the path do not strictly increase.
    #[error("step {step} of the path does not lie below the one before")]
    PathNotAscending {
        /// The step, from 0.
        step: usize,
    },
    /// A step of a list's path lies within the list, which could hide a part of it.
    #[error("a step at bit {bit}, within the list of a query of {bits} bits")]
    StepWithinList {
        /// The step's position.
        bit: u16,
        /// The query's bits.
        bits: u16,
    },
    /// A step of an absence's path does not go the way that the query prescribes.
    #[error("the step at bit {bit} leaves the query's way")]
    OffTheWay {
        /// The step's position.
        bit: u16,
    },
    /// The leaves of a list do not strictly ascend.
    #[error("leaf {leaf} does not ascend")]
    LeavesNotAscending {
        /// The leaf, from 0.
        leaf: usize,
    },
    /// A leaf of a list does not answer the query.
    #[error("leaf {leaf} does not answer the query")]
    ForeignLeaf {
        /// The leaf, from 0.
        leaf: usize,
    },
    /// A leaf of a list does not show its value.
    #[error("leaf {leaf} answers the query but hides its value")]
    HiddenValue {
        /// The leaf, from 0.
        leaf: usize,
    },
    /// An absence needs one leaf that shows only its value's hash, or, in the empty map, nothing at all.
    #[error("an absence with a witness of the wrong form")]
    WrongWitness,
    /// The proof leads to another root: it was altered, or belongs to another map.
    #[error("the proof leads to root {found}")]
    RootMismatch {
        /// Where it leads.
        found: Hash,
    },
}

impl StateProof {
    /// Number of entries in the whole map, as claimed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The path from the root down to the leaves.
    pub fn path(&self) -> &[Step] {
        &self.path
    }

    /// The leaves: the list, or the witness of its absence.
    pub fn leaves(&self) -> &[LeafProof] {
        &self.leaves
    }

    /// The proof for the map with this top and count.
    pub(super) fn build(top: Option<&Link>, count: u64, query: &Query) -> Result<Self, ProofError> {
        let mut proof = Self { count, path: Vec::new(), leaves: Vec::new() };
        let Some(top) = top else {
            return Ok(proof);
        };
        let step = |bit: u16, beside: &Part<'_>| Step { bit, sibling: beside.hash() };
        let part = Part::Whole(top).descend(query, |bit, beside| proof.path.push(step(bit, beside)));
        if query.matches(&part.first().0) {
            let mut bytes = proof.encoded_bytes();
            for (key, value) in part.entries() {
                if proof.leaves.len() == PROOF_LEAVES_MAX {
                    return Err(ProofError::TooManyLeaves { leaves: PROOF_LEAVES_MAX + 1 });
                }
                let leaf = LeafProof { key, value: LeafValue::Full(value.into_owned()) };
                bytes = bytes.saturating_add(leaf.encoded_bytes());
                if bytes > PROOF_BYTES_MAX {
                    return Err(ProofError::TooLarge { bytes });
                }
                proof.leaves.push(leaf);
            }
        } else {
            let (key, value) = part.leftmost(|bit, beside| proof.path.push(step(bit, beside))).first();
            proof.leaves.push(LeafProof { key, value: LeafValue::Hash(hashing::value(&value)) });
        }
        Ok(proof)
    }

    /// The proof's one encoding, as the module describes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_bytes());
        let steps = u16::try_from(self.path.len()).expect("a path has at most 2,295 steps");
        let leaves = u32::try_from(self.leaves.len()).expect("a proof has at most 65,536 leaves");
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&steps.to_le_bytes());
        for step in &self.path {
            bytes.extend_from_slice(&step.bit.to_le_bytes());
            bytes.extend_from_slice(step.sibling.as_bytes());
        }
        bytes.extend_from_slice(&leaves.to_le_bytes());
        for leaf in &self.leaves {
            bytes.push(u8::try_from(leaf.key.len()).expect("a key has at most 255 bytes"));
            bytes.extend_from_slice(&leaf.key);
            match &leaf.value {
                LeafValue::Full(value) => {
                    let length = u16::try_from(value.len()).expect("a value has at most 65,535 bytes");
                    bytes.push(TAG_FULL);
                    bytes.extend_from_slice(&length.to_le_bytes());
                    bytes.extend_from_slice(value);
                }
                LeafValue::Hash(hash) => {
                    bytes.push(TAG_HASH);
                    bytes.extend_from_slice(hash.as_bytes());
                }
            }
        }
        bytes
    }

    /// The proof that these bytes encode, all of them.
    ///
    /// # Errors
    /// [`ProofError`], if the bytes are too many or not the encoding of a proof: whoever sent them is to blame.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(ProofError::TooLarge { bytes: bytes.len() });
        }
        let mut reader = Reader { total: bytes.len(), rest: bytes };
        let count = u64::from_le_bytes(reader.array()?);
        let steps = usize::from(u16::from_le_bytes(reader.array()?));
        if steps > PATH_STEPS_MAX {
            return Err(ProofError::TooManySteps { steps });
        }
        let mut path = Vec::with_capacity(steps.min(reader.rest.len() / STEP_BYTES));
        for _ in 0..steps {
            let bit = u16::from_le_bytes(reader.array()?);
            path.push(Step { bit, sibling: Hash::from_bytes(reader.array()?) });
        }
        let leaf_count = usize::try_from(u32::from_le_bytes(reader.array()?)).unwrap_or(usize::MAX);
        if leaf_count > PROOF_LEAVES_MAX {
            return Err(ProofError::TooManyLeaves { leaves: leaf_count });
        }
        let mut leaves = Vec::with_capacity(leaf_count.min(reader.rest.len() / LEAF_BYTES_MIN));
        for _ in 0..leaf_count {
            leaves.push(reader.leaf()?);
        }
        if !reader.rest.is_empty() {
            return Err(ProofError::TrailingBytes { bytes: reader.rest.len() });
        }
        Ok(Self { count, path, leaves })
    }

    /// Length of the encoding in bytes.
    fn encoded_bytes(&self) -> usize {
        let path = self.path.len().saturating_mul(STEP_BYTES);
        let head = path.saturating_add(HEAD_BYTES + LEAVES_HEAD_BYTES);
        self.leaves.iter().fold(head, |sum, leaf| sum.saturating_add(leaf.encoded_bytes()))
    }
}

impl LeafProof {
    fn encoded_bytes(&self) -> usize {
        let value = match &self.value {
            LeafValue::Full(value) => value.len().saturating_add(2),
            LeafValue::Hash(_) => 32,
        };
        self.key.len().saturating_add(value).saturating_add(2)
    }
}

/// Takes from the front of untrusted bytes; nothing is copied that is not there.
struct Reader<'a> {
    total: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ProofError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(ProofError::Truncated { offset: self.total.saturating_sub(self.rest.len()) });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProofError> {
        Ok(self.take(N)?.try_into().expect("exactly N bytes were taken"))
    }

    fn leaf(&mut self) -> Result<LeafProof, ProofError> {
        let [key_length] = self.array()?;
        if key_length == 0 {
            return Err(ProofError::KeyEmpty);
        }
        let key = self.take(usize::from(key_length))?.to_vec();
        let [tag] = self.array()?;
        let value = match tag {
            TAG_FULL => {
                let length = usize::from(u16::from_le_bytes(self.array()?));
                LeafValue::Full(self.take(length)?.to_vec())
            }
            TAG_HASH => LeafValue::Hash(Hash::from_bytes(self.array()?)),
            tag => return Err(ProofError::UnknownTag { tag }),
        };
        Ok(LeafProof { key, value })
    }
}

const _: () = assert!(KEY_BYTES_MAX == u8::MAX as usize && VALUE_BYTES_MAX == u16::MAX as usize);
const _: () = assert!(PROOF_BYTES_MAX <= u32::MAX as usize);

impl BorshSerialize for StateProof {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.encode().serialize(writer)
    }
}

impl BorshDeserialize for StateProof {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let length = u32::deserialize_reader(reader)?;
        let invalid = |error: ProofError| io::Error::new(io::ErrorKind::InvalidData, error);
        let bytes_wanted = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes_wanted > PROOF_BYTES_MAX {
            return Err(invalid(ProofError::TooLarge { bytes: bytes_wanted }));
        }
        // Grows with what arrives, not with what was announced.
        let mut bytes = Vec::new();
        reader.by_ref().take(u64::from(length)).read_to_end(&mut bytes)?;
        if bytes.len() != bytes_wanted {
            return Err(invalid(ProofError::Truncated { offset: bytes.len() }));
        }
        Self::decode(&bytes).map_err(invalid)
    }
}
