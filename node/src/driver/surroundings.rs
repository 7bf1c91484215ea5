//! What the driver needs of the world around it: clocks, and a network.
//!
//! The driver never waits and never asks the machine that it runs on for anything but its disk: time and the network come
//! through this trait, everything that happens comes by its methods. So the same driver runs in a node ([`crate::shell`])
//! and in a simulated world where time, loss and order are drawn from a seed.
//!
//! Nothing here waits, and nothing here answers: what is asked of a peer comes back through [`Driver::on_answer`].
//!
//! [`Driver::on_answer`]: super::Driver::on_answer

use std::time::Duration;

use cairn_consensus::{Message, MessageError, VerifiedMessage};
use cairn_network::{Offence, PeerKey, PublishError, RequestError, SendError};
use cairn_types::{ChainId, ValidatorSet};

use crate::frame::Request;
use crate::membership::Membership;

/// See the module.
pub(crate) trait Surroundings: Send {
    /// Time since this node started. It never goes back, and nobody can set it.
    fn elapsed(&self) -> Duration;

    /// The wall clock: milliseconds since 1970-01-01T00:00:00Z. It may be wrong, and may jump.
    fn now_ms(&self) -> u64;

    /// This node's network key.
    fn own_key(&self) -> PeerKey;

    /// Who is connected at this moment, by key.
    fn peers(&self) -> Vec<PeerKey>;

    /// Whether this peer is connected at this moment.
    fn is_connected(&self, peer: &PeerKey) -> bool;

    /// Sets who may connect, and who may speak in agreement.
    fn set_members(&self, membership: Membership);

    /// Queues a frame for one connected peer.
    ///
    /// # Errors
    /// [`SendError`]: the frame will not arrive; nobody need be to blame.
    fn send(&self, to: PeerKey, frame: Vec<u8>) -> Result<(), SendError>;

    /// Queues a frame for every connected validator.
    ///
    /// # Errors
    /// [`SendError`]: the frame goes to nobody.
    fn broadcast(&self, frame: Vec<u8>) -> Result<(), SendError>;

    /// Gossips a batch of transactions, which may be lost.
    ///
    /// # Errors
    /// [`PublishError`]: it was not gossiped.
    fn publish(&self, batch: Vec<u8>) -> Result<(), PublishError>;

    /// Says that a peer did what an honest node does not do. Too much of it ends its connections for a while; a world without
    /// connections may let it pass.
    fn blame(&self, _peer: PeerKey, _offence: Offence) {}

    /// Asks a peer. Its answer comes as an [`Answer`], also when there is none.
    fn request(&self, to: PeerKey, request: Request);

    /// Checks a message against the validators of its height. The answer is determined by what is given; whoever holds
    /// many nodes at once may remember it.
    ///
    /// # Errors
    /// [`MessageError`]: its sender is to blame.
    fn verify(
        &self,
        message: Message,
        chain: &ChainId,
        validators: &ValidatorSet,
    ) -> Result<VerifiedMessage, MessageError> {
        message.verify(chain, validators)
    }
}

/// A peer's answer, on its way back to the driver.
pub(crate) struct Answer {
    /// Who was asked.
    pub(crate) from: PeerKey,
    /// What was asked.
    pub(crate) request: Request,
    /// The encoded answer.
    pub(crate) result: Result<Vec<u8>, RequestError>,
}
