//! A header without what follows from the headers before it.
//!
//! It knows how headers hang together, and not where they come from or are kept. Invariant: what a [`HeaderWalk`] restores
//! from other cores than the true ones has another hash.

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_proofs::accumulator::{Frontier, Node};
use cairn_proofs::checkpoint::CheckpointProof;
use cairn_types::{BlockHash, ChainId, Hash, Header, Height, ValidatorIndex};

/// Bytes of an encoded core.
pub(crate) const HEADER_CORE_BYTES: usize = 2 + 8 + 32 + 32 + 2;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct HeaderCore {
    pub(crate) version: u16,
    pub(crate) time_ms: u64,
    pub(crate) tx_root: Hash,
    pub(crate) state_root: Hash,
    pub(crate) proposer: ValidatorIndex,
}

/// What the headers before a block say about its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) chain: ChainId,
    pub(crate) height: Height,
    pub(crate) parent: BlockHash,
    pub(crate) history_root: Hash,
    pub(crate) validators_root: Hash,
    pub(crate) next_validators_root: Hash,
}

impl HeaderCore {
    pub(crate) const fn of(header: &Header) -> Self {
        Self {
            version: header.version,
            time_ms: header.time_ms,
            tx_root: header.tx_root,
            state_root: header.state_root,
            proposer: header.proposer,
        }
    }

    /// The whole header at that place.
    pub(crate) const fn at(&self, place: Place) -> Header {
        Header {
            version: self.version,
            chain: place.chain,
            height: place.height,
            time_ms: self.time_ms,
            parent: place.parent,
            history_root: place.history_root,
            tx_root: self.tx_root,
            state_root: self.state_root,
            validators_root: place.validators_root,
            next_validators_root: place.next_validators_root,
            proposer: self.proposer,
        }
    }
}

/// A header that was restored.
pub(crate) struct Restored {
    pub(crate) header: Header,
    pub(crate) hash: BlockHash,
    /// The nodes of the history that are complete with this block.
    pub(crate) nodes: Vec<Node>,
}

/// Restores the headers before a checkpoint, from block 1 on.
#[derive(Clone, Debug)]
pub(crate) struct HeaderWalk {
    chain: ChainId,
    /// The roots of the sets that decide, each with the first height that it decides, ascending.
    sets: Vec<(Height, Hash)>,
    parent: BlockHash,
    history: Frontier,
    next: Height,
}

impl HeaderWalk {
    /// Begins behind the genesis; which sets decide when is taken from `proof`, which must have been checked.
    pub(crate) fn new(proof: &CheckpointProof) -> Self {
        let parent = proof.genesis.hash();
        let mut history = Frontier::new();
        history.append(&parent.hash());
        let first = Height::new(1);
        let mut sets = vec![(first, proof.validators.root())];
        for change in &proof.changes {
            sets.push((after(change.header.height), change.validators.root()));
        }
        Self { chain: proof.genesis.chain_id(), sets, parent, history, next: first }
    }

    /// The height of the next header.
    pub(crate) const fn next(&self) -> Height {
        self.next
    }

    /// The hash of the last header.
    pub(crate) const fn parent(&self) -> BlockHash {
        self.parent
    }

    /// The history of all blocks so far.
    pub(crate) const fn history(&self) -> &Frontier {
        &self.history
    }

    /// Restores the next header.
    pub(crate) fn push(&mut self, core: &HeaderCore) -> Restored {
        let place = Place {
            chain: self.chain,
            height: self.next,
            parent: self.parent,
            history_root: self.history.root(),
            validators_root: self.decides(self.next),
            next_validators_root: self.decides(after(self.next)),
        };
        let header = core.at(place);
        let hash = header.hash();
        let nodes = self.history.append(&hash.hash());
        self.parent = hash;
        self.next = after(self.next);
        Restored { header, hash, nodes }
    }

    fn decides(&self, height: Height) -> Hash {
        let known = self.sets.iter().rev().find(|(from, _)| *from <= height).or_else(|| self.sets.first());
        known.map_or(Hash::ZERO, |(_, root)| *root)
    }
}

fn after(height: Height) -> Height {
    height.next().unwrap_or(height)
}
