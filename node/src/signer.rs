//! The consensus key and what it has signed: the one thing that must never contradict itself.
//!
//! A signature is made when agreement asks, and leaves only after [`NodeSigner::sync`] has put what was signed last on
//! disk. For a place (height, round, step) that was signed already only the very same bytes are signed again, which
//! Ed25519 answers with the very same signature; for an earlier place nothing is signed at all.

use cairn_consensus::{SignRequest, Signer, VoteKind};
use cairn_storage::{SignRecord, SignState, StorageError};
use cairn_types::{ChainId, Hash, Height, Round};
use ed25519_dalek::{Signer as _, SigningKey};

/// See the module.
pub(crate) struct NodeSigner {
    key: SigningKey,
    chain: ChainId,
    state: SignState,
    /// What was signed last, if it is not on disk yet.
    unsynced: Option<SignRecord>,
}

impl NodeSigner {
    pub(crate) const fn new(key: SigningKey, chain: ChainId, state: SignState) -> Self {
        Self { key, chain, state, unsynced: None }
    }

    /// Puts what was signed last on disk.
    ///
    /// # Errors
    /// [`StorageError`]: the disk is to blame; nothing that was signed may leave, and the node stops.
    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        match self.unsynced.take() {
            Some(record) => self.state.store(record),
            None => Ok(()),
        }
    }

    fn last(&self) -> Option<&SignRecord> {
        self.unsynced.as_ref().or_else(|| self.state.load())
    }
}

impl Signer for NodeSigner {
    fn sign(&mut self, request: &SignRequest) -> Option<[u8; 64]> {
        let message = request.sign_bytes(&self.chain);
        let (height, round, step) = place(request);
        let digest = Hash::plain(&message).as_bytes().to_vec();
        if let Some(last) = self.last() {
            let (wanted, known) = ((height, round, step), last.position());
            if wanted < known || (wanted == known && last.bytes != digest) {
                tracing::warn!(%height, %round, step, "refused to sign: this place was signed differently, or is past");
                return None;
            }
        }
        self.unsynced = Some(SignRecord { height, round, step, bytes: digest });
        Some(self.key.sign(&message).to_bytes())
    }
}

/// Where a request stands in the order in which one validator may sign.
const fn place(request: &SignRequest) -> (Height, Round, u8) {
    match request {
        SignRequest::Proposal(proposal) => (proposal.height, proposal.round, 0),
        SignRequest::Vote(vote) => match vote.kind {
            VoteKind::Prevote => (vote.height, vote.round, 1),
            VoteKind::Precommit => (vote.height, vote.round, 2),
        },
    }
}
