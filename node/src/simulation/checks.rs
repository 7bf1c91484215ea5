//! What must hold after every step, and at the end, restated in arithmetic of its own.
//!
//! It sees what a reader of each node sees, and every frame that leaves an honest node. It knows nothing of how a node
//! comes to what it says.

use std::collections::{BTreeMap, BTreeSet};

use cairn_consensus::{Message, VoteKind};
use cairn_types::certificate::precommit_sign_bytes;
use cairn_types::key::verify_ed25519;
use cairn_types::{BlockHash, Certificate, Height, Position, SignedTransaction, TransactionId, ValidatorSet, encode};

use crate::chain::{Chain, Snapshot};
use crate::driver::Sizes;
use crate::frame::Frame;

/// A place at which a key signs once: key, height, round, step.
type Place = ([u8; 32], u64, u32, u8);

/// See the module.
#[derive(Default)]
pub(super) struct Checks {
    /// The one block of each height.
    blocks: BTreeMap<Height, (BlockHash, Vec<TransactionId>)>,
    finals: BTreeMap<TransactionId, Position>,
    /// What honest keys signed, without the signature.
    said: BTreeMap<Place, Vec<u8>>,
    /// Signatures of precommits that hold.
    known: BTreeSet<([u8; 32], Vec<u8>, [u8; 64])>,
    /// The first thing that should not have been.
    pub(super) violation: Option<String>,
}

impl Checks {
    pub(super) fn fail(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(super) fn is_final(&self, id: &TransactionId) -> bool {
        self.finals.contains_key(id)
    }

    /// The greatest height that any honest node finalised.
    pub(super) fn heights(&self) -> u64 {
        self.blocks.keys().next_back().map_or(0, |height| height.get())
    }

    /// An honest node says something: it must not contradict what its key said before, in this life or an earlier one.
    pub(super) fn hear(&mut self, key: &[u8; 32], frame: &[u8]) {
        let Ok(Frame::Message(bytes)) = Frame::decode(frame) else { return };
        let Ok(message) = Message::decode(&bytes) else { return self.fail("an honest node sent noise".to_owned()) };
        let (place, value) = match &message {
            Message::Proposal(signed) => {
                let proposal = &signed.proposal;
                ((*key, proposal.height.get(), proposal.round.get(), 0), encode(proposal))
            }
            Message::Vote(signed) | Message::Repeat(signed) => {
                let vote = &signed.vote;
                let step = if vote.kind == VoteKind::Prevote { 1 } else { 2 };
                ((*key, vote.height.get(), vote.round.get(), step), encode(vote))
            }
            Message::Polka(_) | Message::Round(_) => return,
        };
        let before = self.said.entry(place).or_insert_with(|| value.clone());
        if *before != value {
            let (_, height, round, step) = place;
            self.fail(format!("an honest key signed two things at height {height}, round {round}, step {step}"));
        }
    }

    /// A node shows a height that it did not show before.
    /// `latest_ms` is the latest time that an honest voter's clock lets a block have now.
    pub(super) fn see(&mut self, node: usize, chain: &Chain, snapshot: &Snapshot, latest_ms: u64) {
        if snapshot.header.time_ms > latest_ms {
            self.fail(format!("node {node}: height {} is from the future", snapshot.header.height));
        }
        if let Err(what) = self.judge(chain, snapshot) {
            self.fail(format!("node {node}, height {}: {what}", snapshot.header.height));
        }
    }

    /// A node shows an old height, of which it has the block and no state any more.
    pub(super) fn see_past(&mut self, node: usize, chain: &Chain, height: Height) {
        match (chain.hash_at(height), self.blocks.get(&height)) {
            (Ok(Some(hash)), Some((known, _))) if hash == *known => {}
            // Nobody lived to show it. Whoever shows the next one shows that it follows.
            (Ok(Some(_)), None) => {}
            (found, known) => {
                let known = known.map(|(hash, _)| *hash);
                self.fail(format!("node {node}, height {height}: FORK: {found:?} here, {known:?} elsewhere"));
            }
        }
    }

    fn judge(&mut self, chain: &Chain, snapshot: &Snapshot) -> Result<(), String> {
        let height = snapshot.header.height;
        if snapshot.header.state_root != snapshot.state.root() {
            return Err("the state is not the one that the header names".to_owned());
        }
        if !self.blocks.contains_key(&height) {
            self.enter(chain, snapshot)?;
        }
        let Some((hash, ids)) = self.blocks.get(&height) else { return Ok(()) };
        if *hash != snapshot.hash {
            return Err(format!("FORK: {} here, {hash} elsewhere", snapshot.hash));
        }
        for id in ids {
            let position = chain.position(id).map_err(|error| error.to_string())?;
            if position.as_ref() != self.finals.get(id) {
                return Err(format!("transaction {id} is final and not found at its place"));
            }
        }
        let set = chain.validators_at(height).ok_or("nobody knows who decided it")?;
        let certificate = snapshot.certificate.as_ref().ok_or("there is no certificate")?;
        self.certified(chain, snapshot, certificate, &set)
    }

    /// The first time that anybody shows a height: its block is read as a reader would.
    fn enter(&mut self, chain: &Chain, snapshot: &Snapshot) -> Result<(), String> {
        let height = snapshot.header.height;
        let block = chain.block(height).map_err(|error| error.to_string())?;
        let (block, _) = block.ok_or("it is shown and cannot be read")?;
        if block.header.hash() != snapshot.hash || block.header != snapshot.header {
            return Err("the block in the log is another".to_owned());
        }
        let before = height.get().checked_sub(1).map(Height::new);
        if let Some((parent, _)) = before.and_then(|before| self.blocks.get(&before))
            && *parent != block.header.parent
        {
            return Err("it does not follow the block before it".to_owned());
        }
        let mut ids = Vec::new();
        for (index, bytes) in (0..).zip(block.transactions) {
            let transaction = SignedTransaction::from_bytes(bytes).map_err(|error| error.to_string())?;
            let id = transaction.id();
            if self.finals.insert(id, Position { height, index }).is_some() {
                return Err(format!("transaction {id} is final a second time"));
            }
            ids.push(id);
        }
        self.blocks.insert(height, (snapshot.hash, ids));
        Ok(())
    }

    /// More than two thirds signed, each once, each truly.
    fn certified(
        &mut self,
        chain: &Chain,
        snapshot: &Snapshot,
        certificate: &Certificate,
        set: &ValidatorSet,
    ) -> Result<(), String> {
        if certificate.block != snapshot.hash || certificate.height != snapshot.header.height {
            return Err("the certificate is of something else".to_owned());
        }
        let message = precommit_sign_bytes(&chain.id, certificate.height, certificate.round, &certificate.block);
        let mut signers = BTreeSet::new();
        for signature in &certificate.signatures {
            let member = set.get(signature.validator).ok_or("a stranger signed")?;
            let entry = (member.key, message.clone(), signature.signature);
            if !self.known.contains(&entry) {
                verify_ed25519(&member.key, &message, &signature.signature).map_err(|_| "a false signature")?;
                self.known.insert(entry);
            }
            signers.insert(member.key);
        }
        let power = |keys: &BTreeSet<[u8; 32]>| -> u64 {
            set.iter().filter(|member| keys.contains(&member.key)).map(|member| member.power.get()).sum()
        };
        let all: BTreeSet<[u8; 32]> = set.iter().map(|member| member.key).collect();
        if power(&signers) * 3 <= power(&all) * 2 { Err("too few signed it".to_owned()) } else { Ok(()) }
    }

    /// What waits is not shown as final, and what is final is found. `taken` is everything that was submitted.
    pub(super) fn pending(&mut self, node: usize, chain: &Chain, taken: &BTreeSet<TransactionId>) {
        let tip = chain.tip().header.height;
        for id in taken {
            let known = self.finals.get(id).filter(|position| position.height <= tip);
            match chain.position(id) {
                Ok(position) if position.as_ref() == known => {}
                Ok(position) => {
                    self.fail(format!("node {node} at {tip} shows {id} at {position:?}, and it is at {known:?}"));
                }
                Err(error) => self.fail(format!("node {node} cannot look up {id}: {error}")),
            }
        }
    }

    /// At the end: everything that was ever shown as final is at its place here.
    pub(super) fn everything(&mut self, node: usize, chain: &Chain) {
        let taken: BTreeSet<TransactionId> = self.finals.keys().copied().collect();
        self.pending(node, chain, &taken);
    }

    /// Transactions that are final.
    pub(super) fn transactions(&self) -> u64 {
        self.finals.len() as u64
    }

    /// What a node keeps of what others sent has bounds, whatever they send.
    pub(super) fn bounded(&mut self, node: usize, sizes: Sizes, nodes: usize) {
        let Sizes { blocks, senders, peers, timers, inputs, votes } = sizes;
        // Eight of each sender are judged in a height and one more in a round, one may come early, and its own of each round.
        let of_peers = senders > 2 * nodes || peers > 2 * nodes;
        // Two votes of each in two rounds of two heights.
        if blocks > 9 * nodes + 64 || of_peers || timers > 64 || inputs > 0 || votes > 8 * nodes {
            self.fail(format!("node {node} keeps too much: {sizes:?}"));
        }
    }
}
