//! A disk that forgets what was not synced.

use std::collections::{BTreeMap, BTreeSet};

use cairn_consensus::{SignRequest, Signer, VoteKind, WalEntry};
use cairn_types::{BlockHash, Certificate, ChainId};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::node::Block;
use crate::random::Random;

/// What a restarted node is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// Everything that was synced.
    Honest,
    /// The planted bug: the log is gone.
    LosesLog,
}

/// Where something was signed, and what.
type Place = (u64, u32, u8);

/// One node's durable and not yet durable state.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    pub(crate) chain: Vec<(Block, Certificate)>,
    pub(crate) log: Vec<WalEntry>,
    pub(crate) log_unsynced: Vec<WalEntry>,
    pub(crate) blocks: BTreeMap<BlockHash, Block>,
    blocks_synced: BTreeSet<BlockHash>,
    signed: BTreeMap<Place, Vec<u8>>,
    signed_unsynced: BTreeMap<Place, Vec<u8>>,
}

impl Storage {
    pub(crate) fn tip(&self) -> u64 {
        self.chain.len() as u64
    }

    pub(crate) fn sync(&mut self) {
        self.log.append(&mut self.log_unsynced);
        self.blocks_synced.extend(self.blocks.keys());
        self.signed.append(&mut self.signed_unsynced);
    }

    /// What is left after a crash: all that was synced, and of the log any prefix of the rest.
    pub(crate) fn crash(&mut self, disk: Disk, random: &mut Random) {
        let kept = random.below(self.log_unsynced.len() as u64 + 1) as usize;
        self.log.extend(self.log_unsynced.drain(..).take(kept));
        self.signed_unsynced.clear();
        self.blocks.retain(|hash, _| self.blocks_synced.contains(hash));
        if disk == Disk::LosesLog {
            self.log.clear();
        }
    }
}

/// Signs with a node's key; with a sign state it refuses to contradict itself.
pub(crate) struct Keys<'a> {
    pub(crate) chain: ChainId,
    pub(crate) secret: &'a SigningKey,
    pub(crate) storage: &'a mut Storage,
    pub(crate) has_sign_state: bool,
}

impl Signer for Keys<'_> {
    fn sign(&mut self, request: &SignRequest) -> Option<[u8; 64]> {
        let bytes = request.sign_bytes(&self.chain);
        if self.has_sign_state {
            let place = match request {
                SignRequest::Proposal(proposal) => (proposal.height.get(), proposal.round.get(), 0),
                SignRequest::Vote(vote) => {
                    (vote.height.get(), vote.round.get(), if vote.kind == VoteKind::Prevote { 1 } else { 2 })
                }
            };
            let earlier = self.storage.signed.get(&place).or_else(|| self.storage.signed_unsynced.get(&place));
            if earlier.is_some_and(|earlier| *earlier != bytes) {
                return None;
            }
            self.storage.signed_unsynced.insert(place, bytes.clone());
        }
        Some(self.secret.sign(&bytes).to_bytes())
    }
}
