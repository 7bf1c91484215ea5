//! A simulated node's surroundings: its clocks show what the world says, and what it sends lies on a desk until the world
//! takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cairn_consensus::{Message, MessageError, VerifiedMessage};
use cairn_network::{PeerKey, PublishError, SendError};
use cairn_types::{ChainId, ValidatorSet};

use super::scene::BEGIN_MS;
use crate::driver::Surroundings;
use crate::frame::Request;
use crate::membership::Membership;

/// Something that a node asked of the network.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    To(PeerKey, Vec<u8>),
    ToValidators(Vec<u8>),
    Batch(Vec<u8>),
    Request(PeerKey, Request),
    /// It changed whom it lets in.
    Members,
}

/// What the world and a node's driver share.
pub(super) struct Desk {
    /// The world's time, in milliseconds.
    pub(super) now_ms: u64,
    /// When the process started, on that time.
    pub(super) started_ms: u64,
    /// By how much the wall clock is wrong.
    pub(super) offset_ms: i64,
    pub(super) own: PeerKey,
    pub(super) connected: BTreeSet<PeerKey>,
    pub(super) membership: Membership,
    pub(super) sent: Vec<Sent>,
}

/// What was verified in a world, by encoded message: the same question has the same answer at every node.
pub(super) type Verified = Arc<Mutex<BTreeMap<Vec<u8>, Result<VerifiedMessage, MessageError>>>>;

/// See the module.
pub(super) struct Post {
    pub(super) desk: Arc<Mutex<Desk>>,
    pub(super) verified: Verified,
}

/// A lock whose holder may have panicked: the run has failed then, whatever it protects.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    fn may_speak(&self) -> Result<(), SendError> {
        if self.membership.validators.contains(&self.own) { Ok(()) } else { Err(SendError::NotValidator) }
    }
}

impl Surroundings for Post {
    fn elapsed(&self) -> Duration {
        let desk = lock(&self.desk);
        Duration::from_millis(desk.now_ms - desk.started_ms)
    }

    fn now_ms(&self) -> u64 {
        let desk = lock(&self.desk);
        (BEGIN_MS + desk.now_ms).saturating_add_signed(desk.offset_ms)
    }

    fn own_key(&self) -> PeerKey {
        lock(&self.desk).own
    }

    fn peers(&self) -> Vec<PeerKey> {
        lock(&self.desk).connected.iter().copied().collect()
    }

    fn is_connected(&self, peer: &PeerKey) -> bool {
        lock(&self.desk).connected.contains(peer)
    }

    fn set_members(&self, membership: Membership) {
        let mut desk = lock(&self.desk);
        desk.membership = membership;
        desk.sent.push(Sent::Members);
    }

    fn send(&self, to: PeerKey, frame: Vec<u8>) -> Result<(), SendError> {
        let mut desk = lock(&self.desk);
        desk.may_speak()?;
        if !desk.connected.contains(&to) {
            return Err(SendError::NotConnected { peer: to });
        }
        desk.sent.push(Sent::To(to, frame));
        Ok(())
    }

    fn broadcast(&self, frame: Vec<u8>) -> Result<(), SendError> {
        let mut desk = lock(&self.desk);
        desk.may_speak()?;
        desk.sent.push(Sent::ToValidators(frame));
        Ok(())
    }

    fn publish(&self, batch: Vec<u8>) -> Result<(), PublishError> {
        lock(&self.desk).sent.push(Sent::Batch(batch));
        Ok(())
    }

    fn request(&self, to: PeerKey, request: Request) {
        lock(&self.desk).sent.push(Sent::Request(to, request));
    }

    fn verify(
        &self,
        message: Message,
        chain: &ChainId,
        validators: &ValidatorSet,
    ) -> Result<VerifiedMessage, MessageError> {
        let encoded = message.encode();
        if let Some(known) = lock(&self.verified).get(&encoded) {
            return known.clone();
        }
        let outcome = message.verify(chain, validators);
        lock(&self.verified).insert(encoded, outcome.clone());
        outcome
    }
}
