//! Catch-up: requests that we sent, and requests that we answer.
//!
//! Every answer may be 8 MiB long, so both kinds are few: some for each peer, some in all; and each peer is answered at a
//! bounded rate.

use std::{collections::BTreeMap, future::Future, pin::Pin, time::Instant};

use libp2p::{
    PeerId,
    request_response::{Event, InboundRequestId, Message, OutboundRequestId, ResponseChannel},
};
use tokio::sync::oneshot;

use super::Task;
use crate::{
    conduct::Offence,
    error::RequestError,
    event::{NetworkEvent, Reply},
    key::PeerKey,
    sync,
};

/// Requests to one peer at once.
const ASKING_PER_PEER_MAX: usize = 4;
/// Requests to all peers at once: their answers take at most 128 MiB.
const ASKING_MAX: usize = 16;
/// Requests of one peer that are answered at once.
const ANSWERING_PER_PEER_MAX: usize = 4;
/// Requests of all peers that are answered at once: the answers take at most 128 MiB.
const ANSWERING_MAX: usize = 16;

/// A request of ours that is under way.
pub(super) struct Asked {
    to: PeerKey,
    answer: oneshot::Sender<Result<Vec<u8>, RequestError>>,
}

/// Requests of others, from their arrival until the answer has left.
#[derive(Default)]
pub(super) struct Answers {
    open: BTreeMap<InboundRequestId, PeerKey>,
}

/// What comes of a request: where the answer goes, and the answer, unless the consumer refused.
pub(super) type Answer = (PeerKey, ResponseChannel<Vec<u8>>, Option<Vec<u8>>);
/// The consumer at work on an answer.
pub(super) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl Task {
    /// Sends a request of ours.
    pub(super) fn ask(&mut self, to: PeerKey, bytes: Vec<u8>, answer: oneshot::Sender<Result<Vec<u8>, RequestError>>) {
        let refusal = match self.peers.get_mut(&to) {
            None => RequestError::NotConnected { peer: to },
            Some(peer) if peer.asking >= ASKING_PER_PEER_MAX || self.asked.len() >= ASKING_MAX => RequestError::Busy,
            Some(peer) => {
                peer.asking += 1;
                let id = self.swarm.behaviour_mut().sync.send_request(&to.to_libp2p(), bytes);
                self.asked.insert(id, Asked { to, answer });
                self.shared.counters.requests_sent.add(1);
                return;
            }
        };
        // An error means that the caller does not wait any more.
        let _ = answer.send(Err(refusal));
    }

    /// A request of ours has ended.
    fn asked(&mut self, id: OutboundRequestId, result: Result<Vec<u8>, RequestError>) {
        let Some(asked) = self.asked.remove(&id) else { return };
        if let Err(RequestError::ResponseTooLarge { .. }) = &result {
            self.blame(asked.to, Offence::ForbiddenLength);
        }
        if let Some(peer) = self.peers.get_mut(&asked.to) {
            peer.asking = peer.asking.saturating_sub(1);
        }
        match &result {
            Ok(bytes) => self.shared.counters.responses_received_bytes.add(bytes.len()),
            Err(error) => {
                self.shared.counters.requests_failed.add(1);
                tracing::debug!(peer = %asked.to, %error, "request failed");
            }
        }
        // An error means that the caller does not wait any more.
        let _ = asked.answer.send(result);
    }

    pub(super) fn on_sync(&mut self, event: Event<Vec<u8>, Vec<u8>>) {
        match event {
            Event::Message { peer, message: Message::Request { request_id, request, channel }, .. } => {
                self.asked_by(&peer, request_id, request, channel);
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                self.asked(request_id, Ok(response));
            }
            Event::OutboundFailure { request_id, error, .. } => self.asked(request_id, Err(sync::request_error(error))),
            Event::ResponseSent { request_id, .. } | Event::InboundFailure { request_id, .. } => {
                self.answers.open.remove(&request_id);
            }
        }
    }

    /// A peer asks. Refused at once if too many answers are open: dropping the channel closes the stream.
    fn asked_by(&mut self, peer: &PeerId, id: InboundRequestId, bytes: Vec<u8>, channel: ResponseChannel<Vec<u8>>) {
        let Some(from) = PeerKey::from_libp2p(peer) else { return };
        self.shared.counters.requests_received.add(1);
        if !self.conduct.request(from, Instant::now()) {
            self.shared.counters.requests_refused.add(1);
            self.blame(from, Offence::Excess);
            return;
        }
        let of_peer = self.answers.open.values().filter(|peer| **peer == from).count();
        let room = of_peer < ANSWERING_PER_PEER_MAX && self.answers.open.len() < ANSWERING_MAX;
        let (sender, answer) = oneshot::channel();
        let event = NetworkEvent::Request { from, bytes, reply: Reply { sender } };
        if !room || self.lanes.requests.try_send(event).is_err() {
            self.shared.counters.requests_refused.add(1);
            return;
        }
        self.answers.open.insert(id, from);
        self.answered.push(Box::pin(async move { (from, channel, answer.await.ok()) }));
    }

    /// The consumer has answered, or refused by dropping the channel, which here closes the stream.
    pub(super) fn answer(&mut self, (to, channel, answer): Answer) {
        let Some(bytes) = answer else { return };
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.conduct.answered(to, length, Instant::now());
        self.shared.counters.responses_sent_bytes.add(bytes.len());
        // An error means that nobody waits any more; the library has said so, or will, with an event of its own.
        let _ = self.swarm.behaviour_mut().sync.send_response(channel, bytes);
    }
}
