//! How things travel in a simulated world: what is lost, comes twice, comes late, or never arrives because of a cut.

use std::collections::BTreeSet;
use std::sync::Arc;

use cairn_network::{BatchVerdict, PeerKey, RequestError};
use cairn_types::encode;

use super::{Event, World};
use crate::driver::Answer;
use crate::frame::{Request, Response};
use crate::simulation::desk::{Sent, lock};
use crate::simulation::plan::Fault;
use crate::simulation::villain::Voice;
use crate::{ingest, serve};

/// How long who asks waits for an answer, in milliseconds; as the network's own limit.
const REQUEST_MS: u64 = 10_000;

impl World {
    /// Takes what a node sends. A villain's words are turned first; an honest node's are listened to.
    pub(super) fn speak(&mut self, node: usize, sent: Sent) {
        match self.nodes[node].fault {
            Some(Fault::Villain(villain)) => match sent {
                Sent::ToValidators(bytes) => {
                    let peers = self.validators_of(node);
                    let speaker = &mut self.nodes[node];
                    let mut voice = Voice {
                        villain,
                        key: &speaker.seat.secret,
                        chain: self.scene.genesis.chain,
                        peers,
                        others: &mut speaker.others,
                        random: &mut self.random,
                    };
                    for sent in voice.tell(bytes) {
                        self.send(node, sent);
                    }
                }
                other => self.send(node, other),
            },
            _ => {
                if let Sent::To(_, bytes) | Sent::ToValidators(bytes) = &sent {
                    let key = self.nodes[node].seat.key;
                    self.checks.hear(&key, bytes);
                }
                self.send(node, sent);
            }
        }
    }

    /// The validators that a node is connected to, as it knows them.
    fn validators_of(&self, node: usize) -> Vec<PeerKey> {
        let Some(process) = &self.nodes[node].process else { return Vec::new() };
        let desk = lock(&process.desk);
        desk.connected.intersection(&desk.membership.validators).copied().collect()
    }

    fn send(&mut self, from: usize, sent: Sent) {
        match sent {
            Sent::To(peer, bytes) => self.send_frame(from, &[peer], bytes),
            Sent::ToValidators(bytes) => {
                let peers = self.validators_of(from);
                self.send_frame(from, &peers, bytes);
            }
            Sent::Batch(bytes) => self.gossip(from, None, &Arc::new(bytes)),
            Sent::Request(peer, request) => self.ask(from, peer, request),
            Sent::Members => {
                for node in 0..self.nodes.len() {
                    self.push(self.now_ms + 1, Event::Meet { node });
                }
            }
        }
    }

    fn send_frame(&mut self, from: usize, peers: &[PeerKey], bytes: Vec<u8>) {
        let bytes = Arc::new(bytes);
        for peer in peers {
            for to in self.by_key.get(peer).cloned().unwrap_or_default() {
                for delay in self.arrivals(from, to) {
                    self.push(self.now_ms + delay, Event::Frame { from, to, bytes: Arc::clone(&bytes) });
                }
            }
        }
    }

    /// When something that is sent now arrives: not at all, once, or twice.
    fn arrivals(&mut self, from: usize, to: usize) -> Vec<u64> {
        if self.cut.contains(&(from, to)) || self.random.chance(self.links.loss_permille) {
            return Vec::new();
        }
        let copies = if self.random.chance(self.links.duplicate_permille) { 2 } else { 1 };
        (0..copies).map(|_| self.delay(from, to)).collect()
    }

    fn delay(&mut self, from: usize, to: usize) -> u64 {
        let (least, most) = self.links.delay_ms;
        self.random.between(least, most) + self.nodes[from].slow_ms + self.nodes[to].slow_ms
    }

    fn gossip(&mut self, from: usize, except: Option<usize>, bytes: &Arc<Vec<u8>>) {
        for to in 0..self.nodes.len() {
            if to == from || Some(to) == except || !self.nodes[from].is_connected(&self.nodes[to].seat.peer) {
                continue;
            }
            for delay in self.arrivals(from, to) {
                self.push(self.now_ms + delay, Event::Batch { from, to, bytes: Arc::clone(bytes) });
            }
        }
    }

    fn ask(&mut self, from: usize, peer: PeerKey, request: Request) {
        let life = self.nodes[from].life;
        let reached: Vec<usize> = self.by_key.get(&peer).cloned().unwrap_or_default();
        let to = if reached.is_empty() { None } else { Some(self.random.pick(&reached)) };
        match to.filter(|_| self.nodes[from].is_connected(&peer)) {
            None => {
                let answer = Answer { from: peer, request, result: Err(RequestError::NotConnected { peer }) };
                self.push(self.now_ms + 1, Event::Answer { to: from, life, answer });
            }
            Some(to) => match self.arrivals(from, to).first() {
                Some(delay) => self.push(self.now_ms + delay, Event::Ask { from, life, to, request }),
                None => self.no_answer(from, life, peer, request),
            },
        }
    }

    fn no_answer(&mut self, to: usize, life: u64, peer: PeerKey, request: Request) {
        let answer = Answer { from: peer, request, result: Err(RequestError::TimedOut) };
        self.push(self.now_ms + REQUEST_MS, Event::Answer { to, life, answer });
    }

    /// Whether what `from` sent may still be read by `to`.
    fn is_heard(&self, from: usize, to: usize) -> bool {
        self.nodes[to].is_connected(&self.nodes[from].seat.peer)
    }

    pub(super) fn on_frame(&mut self, from: usize, to: usize, bytes: &[u8]) {
        let peer = self.nodes[from].seat.peer;
        let Some(process) = &self.nodes[to].process else { return };
        if !self.is_heard(from, to) || !lock(&process.desk).membership.validators.contains(&peer) {
            return;
        }
        let number = bytes.iter().rev().take(8).fold(bytes.len() as u64, |sum, byte| sum << 7 ^ u64::from(*byte));
        self.note(number, || format!("{from} -> {to} {}", in_words(bytes)));
        self.act(to, |driver| driver.on_frame(peer, bytes));
    }

    pub(super) fn on_batch(&mut self, from: usize, to: usize, bytes: &Arc<Vec<u8>>) {
        let Some(process) = &self.nodes[to].process else { return };
        if !self.is_heard(from, to) {
            return;
        }
        let verdict = ingest::take(&process.mempool, &[bytes]).pop().expect("one for each batch");
        self.note(bytes.len() as u64, || format!("{from} -> {to} a batch: {verdict:?}"));
        if verdict == BatchVerdict::Reject && self.nodes[from].is_honest() {
            self.checks.fail(format!("node {to} rejects a batch of honest node {from}"));
        }
        if verdict == BatchVerdict::Accept {
            if self.nodes[to].forwarded.insert(*blake3::hash(bytes).as_bytes()) {
                self.gossip(to, Some(from), bytes);
            }
            self.act(to, |_| Ok(()));
        }
    }

    pub(super) fn on_ask(&mut self, from: usize, life: u64, to: usize, request: Request) {
        let peer = self.nodes[to].seat.peer;
        let answered = self.nodes[to].process.as_ref().filter(|_| self.is_heard(from, to));
        let response = answered.and_then(|process| serve::answer(&process.chain, &process.shared, &request).ok());
        self.note(3, || format!("{from} asks {to} {request:?}"));
        let response = response.and_then(|truth| self.turn(to, truth));
        match (response, self.arrivals(to, from).first()) {
            (Some(response), Some(delay)) => {
                let answer = Answer { from: peer, request, result: Ok(encode(&response)) };
                self.push(self.now_ms + delay, Event::Answer { to: from, life, answer });
            }
            _ => self.no_answer(from, life, peer, request),
        }
    }

    /// What a node answers: the truth, unless it is a villain.
    fn turn(&mut self, node: usize, truth: Response) -> Option<Response> {
        let Some(Fault::Villain(villain)) = self.nodes[node].fault else { return Some(truth) };
        let speaker = &mut self.nodes[node];
        let mut voice = Voice {
            villain,
            key: &speaker.seat.secret,
            chain: self.scene.genesis.chain,
            peers: Vec::new(),
            others: &mut speaker.others,
            random: &mut self.random,
        };
        voice.answer(truth)
    }

    /// Brings a node's connections up to date: with whoever runs, lets it in, is let in, and is not cut off.
    pub(super) fn meet(&mut self, node: usize) {
        if self.nodes[node].process.is_none() {
            return;
        }
        let own = self.nodes[node].seat.peer;
        let mut reachable = BTreeSet::new();
        for (other, stranger) in self.nodes.iter().enumerate() {
            let is_cut = self.cut.contains(&(node, other)) && self.cut.contains(&(other, node));
            let peer = stranger.seat.peer;
            if peer != own && !is_cut && self.nodes[node].admits(&peer) && stranger.admits(&own) {
                reachable.insert(peer);
            }
        }
        let Some(process) = &self.nodes[node].process else { return };
        let before = std::mem::replace(&mut lock(&process.desk).connected, reachable.clone());
        for peer in before.difference(&reachable) {
            self.act(node, |driver| {
                driver.on_disconnected(peer);
                Ok(())
            });
        }
        for peer in reachable.difference(&before) {
            self.act(node, |driver| {
                driver.on_connected(*peer);
                Ok(())
            });
        }
    }
}

/// A frame for people.
fn in_words(bytes: &[u8]) -> String {
    use crate::frame::Frame;
    match Frame::decode(bytes) {
        Ok(Frame::Message(message)) => match cairn_consensus::Message::decode(&message) {
            Ok(message) => format!("{message:?}"),
            Err(error) => format!("noise: {error}"),
        },
        Ok(Frame::Block(block)) => match cairn_types::Block::from_bytes(&block) {
            Ok(block) => format!("block {} {}", block.header.height, block.header.hash()),
            Err(error) => format!("no block: {error}"),
        },
        Ok(Frame::Head(height)) => format!("head {height}"),
        Ok(Frame::Contradiction(evidence)) => format!("contradiction: {evidence:?}"),
        Err(error) => format!("noise: {error}"),
    }
}
