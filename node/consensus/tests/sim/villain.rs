//! Byzantine nodes, each by name. They run the honest machine, and lie when they speak.

use cairn_consensus::{Message, Proposal, SignedProposal, SignedVote, Vote, VoteKind};
use cairn_types::{BlockHash, Hash, Height, Round};
use ed25519_dalek::Signer;

use crate::cluster::{Cluster, Frame};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Villain {
    /// Says nothing.
    Silent,
    /// Votes and proposes twice, to everybody.
    Equivocator,
    /// Tells one thing to some and another to the rest.
    TwoFaced,
    /// Two nodes with one key; each believes that it is honest.
    Twin,
    /// Proposes blocks that break the rules.
    ProposesInvalid,
    /// Says everything it says, and much that is false: far rounds and heights, other validators' turns, broken
    /// signatures, padded certificates, noise.
    Spammer,
}

impl Villain {
    pub(crate) fn broadcast(self, cluster: &mut Cluster, node: usize, message: Message) {
        match self {
            Self::Silent => {}
            Self::ProposesInvalid | Self::Twin => cluster.send_to_all(node, &Frame::Message(message.encode())),
            Self::Equivocator => {
                cluster.send_to_all(node, &Frame::Message(message.encode()));
                if let Some(other) = contradict(cluster, node, &message) {
                    cluster.send_to_all(node, &Frame::Message(other.encode()));
                }
            }
            Self::TwoFaced => {
                let other = contradict(cluster, node, &message).unwrap_or_else(|| message.clone());
                for to in (0..cluster.nodes.len()).filter(|to| *to != node) {
                    let told = if cluster.random.chance(500) { &message } else { &other };
                    cluster.send(node, to, Frame::Message(told.encode()));
                }
            }
            Self::Spammer => {
                for false_message in falsehoods(cluster, node, &message) {
                    cluster.send_to_all(node, &Frame::Message(false_message));
                }
                cluster.send_to_all(node, &Frame::Message(message.encode()));
            }
        }
    }
}

fn sign_vote(cluster: &Cluster, node: usize, vote: Vote) -> SignedVote {
    let bytes = vote.sign_bytes(&cluster.chain_id);
    SignedVote { vote, signature: cluster.nodes[node].secret.sign(&bytes).to_bytes() }
}

fn sign_proposal(cluster: &Cluster, node: usize, proposal: Proposal) -> SignedProposal {
    let bytes = proposal.sign_bytes(&cluster.chain_id);
    SignedProposal { proposal, signature: cluster.nodes[node].secret.sign(&bytes).to_bytes() }
}

/// The opposite of what the node just said, signed by it.
fn contradict(cluster: &mut Cluster, node: usize, message: &Message) -> Option<Message> {
    match message {
        Message::Proposal(signed) => {
            let block = cluster.make_block(node, true);
            cluster.send_to_all(node, &Frame::Block(block.clone()));
            let proposal = Proposal { block: block.hash(), ..signed.proposal };
            Some(Message::Proposal(sign_proposal(cluster, node, proposal)))
        }
        Message::Vote(signed) => {
            let known =
                cluster.nodes[node].storage.blocks.keys().copied().find(|hash| Some(*hash) != signed.vote.block);
            let block = if signed.vote.block.is_some() && cluster.random.chance(500) { None } else { known };
            let vote = Vote { block, ..signed.vote };
            (vote != signed.vote).then(|| Message::Vote(sign_vote(cluster, node, vote)))
        }
        Message::Repeat(_) | Message::Polka(_) | Message::Round(_) => None,
    }
}

fn falsehoods(cluster: &mut Cluster, node: usize, message: &Message) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let noise = BlockHash::from_hash(Hash::plain(&cluster.random.next().to_le_bytes()));
    let height = message.height();
    let me = cluster.set(height.get()).index_of(&cluster.nodes[node].key);
    let Some(me) = me else { return all };
    // Votes for blocks that nobody proposed, near and far.
    for (ahead, round) in [(0, 0), (0, 7), (0, 11), (0, 500_000), (1, 0), (1, 3), (1, 1_000), (2, 0), (1_000_000, 0)] {
        for kind in [VoteKind::Prevote, VoteKind::Precommit] {
            let (height, round) = (Height::new(height.get() + ahead), Round::new(round));
            let vote = Vote { height, round, kind, block: Some(noise), validator: me };
            all.push(Message::Vote(sign_vote(cluster, node, vote)).encode());
            all.push(Message::Repeat(sign_vote(cluster, node, vote)).encode());
        }
    }
    // Proposals in turn and out of turn.
    for round in 0..4 {
        let round = Round::new(round);
        let proposal = Proposal { height, round, pol_round: None, block: noise, proposer: me };
        all.push(Message::Proposal(sign_proposal(cluster, node, proposal)).encode());
        let polka = Proposal { pol_round: Some(Round::ZERO), ..proposal };
        all.push(Message::Proposal(sign_proposal(cluster, node, polka)).encode());
    }
    // A certificate whose last signature is false.
    if let Message::Round(certificate) = message {
        let mut padded = certificate.clone();
        if let Some(last) = padded.votes.last_mut() {
            last.signature[0] ^= 1;
        }
        all.push(Message::Round(padded).encode());
    }
    // A broken signature, a torn message, and noise.
    let mut broken = message.encode();
    if let Some(last) = broken.last_mut() {
        *last ^= 1;
    }
    all.push(broken);
    let mut torn = message.encode();
    torn.truncate(cluster.random.below(torn.len() as u64) as usize);
    all.push(torn);
    all.push((0..cluster.random.below(200)).map(|_| cluster.random.next() as u8).collect());
    all
}
