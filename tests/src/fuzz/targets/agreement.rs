//! Agreement: what a hostile validator may send, rightly signed and wrongly, and what a damaged log may hold.

use std::sync::Arc;

use cairn_consensus::{
    Config, Effect, Fault, Input, Machine, Message, Proposal, RoundCertificateKind, SignRequest, Signer, Start,
    Timeouts, Timer, TimerKind, Validity, Vote, VoteKind, WalEntry,
};
use cairn_types::{BlockHash, Hash, Height, Round, decode, encode};
use ed25519_dalek::{Signer as _, SigningKey};

use super::{Seen, Target, hold};
use crate::fuzz::mutate::Random;
use crate::fuzz::scene::{MESSAGE_HEIGHT, Scene, signed_proposal, signed_vote};

const TIMEOUTS: Timeouts =
    Timeouts { propose_ms: 300, prevote_ms: 100, precommit_ms: 100, delta_ms: 50, rebroadcast_ms: 1_000 };

/// Most messages of one input that the machine sees.
const MESSAGES_MAX: usize = 40;

/// Signs whatever it is asked for, and remembers it.
struct Signs<'a> {
    scene: &'a Scene,
    secret: &'a SigningKey,
    asked: Vec<SignRequest>,
}

impl Signer for Signs<'_> {
    fn sign(&mut self, request: &SignRequest) -> Option<[u8; 64]> {
        self.asked.push(*request);
        Some(self.secret.sign(&request.sign_bytes(&self.scene.chain.id())).to_bytes())
    }
}

fn block(number: usize) -> BlockHash {
    BlockHash::from_hash(Hash::plain(&[number as u8]))
}

/// A message that a hostile validator may send: signed by whom it names, unless `random` says otherwise.
fn said(scene: &Scene, random: &mut Random) -> Message {
    let height = Height::new(if random.once_in(8) { random.edge() } else { MESSAGE_HEIGHT + random.below(2) as u64 });
    let round = Round::new(if random.once_in(8) { random.edge() as u32 } else { random.below(3) as u32 });
    let kind = if random.once_in(2) { VoteKind::Prevote } else { VoteKind::Precommit };
    let validator = if random.once_in(16) { random.edge() as u16 } else { random.below(4) as u16 };
    let block = block(random.below(3));
    let vote = Vote { height, round, kind, block: (!random.once_in(4)).then_some(block), validator };
    match random.below(10) {
        0..=4 => Message::Vote(signed_vote(&scene.chain, vote)),
        5 => Message::Repeat(signed_vote(&scene.chain, vote)),
        6 | 7 => {
            let proposer = if random.once_in(8) { validator } else { scene.validators.proposer(height, round) };
            let pol_round = random.once_in(2).then(|| Round::new(random.below(3) as u32));
            Message::Proposal(signed_proposal(&scene.chain, Proposal { height, round, pol_round, block, proposer }))
        }
        _ => {
            let mut message = random.pick(&scene.messages).clone();
            match &mut message {
                Message::Polka(polka) => {
                    (polka.height, polka.round, polka.block) = (height, round, block);
                    for (by, signature) in &mut polka.signatures {
                        let vote = Vote { kind: VoteKind::Prevote, block: Some(block), validator: *by, ..vote };
                        *signature = signed_vote(&scene.chain, vote).signature;
                    }
                }
                Message::Round(certificate) => {
                    (certificate.height, certificate.round) = (height, round);
                    if random.once_in(2) {
                        certificate.kind = RoundCertificateKind::Skip;
                    }
                    for own in &mut certificate.votes {
                        own.block = vote.block;
                        let vote = Vote { kind: own.kind, validator: own.validator, ..vote };
                        own.signature = signed_vote(&scene.chain, vote).signature;
                    }
                }
                _ => {}
            }
            message
        }
    }
}

/// What happens besides messages, between them.
fn event(byte: u8, index: usize) -> Option<Input> {
    let height = Height::new(MESSAGE_HEIGHT);
    let round = Round::new(u32::from(byte >> 6));
    let timer = |kind| Some(Input::TimerFired(Timer { height, round, kind }));
    match byte % 12 {
        0 => timer(TimerKind::Propose),
        1 => timer(TimerKind::Prevote),
        2 => timer(TimerKind::Precommit),
        3 => timer(TimerKind::Rebroadcast),
        4..=6 => {
            let validity = if byte % 12 == 6 { Validity::Invalid } else { Validity::Valid };
            Some(Input::BlockExecuted { height, block: block(index % 3), validity })
        }
        7 => Some(Input::BlockProposed { height, round, block: block(index % 3) }),
        _ => None,
    }
}

/// Steps a machine through messages and events. It may halt only if its log is false, and never signs two votes for one
/// place.
fn steps(scene: &Scene, own: usize, recovered: Vec<WalEntry>, messages: &[Vec<u8>]) -> Result<usize, String> {
    let secret = &scene.chain.validators()[own];
    let (config, damaged_log) =
        (Config { chain: scene.chain.id(), key: Some(secret.verifying_key().to_bytes()) }, !recovered.is_empty());
    let mut machine = Machine::new(config, Height::new(MESSAGE_HEIGHT - 1), recovered);
    let mut signer = Signs { scene, secret, asked: Vec::new() };
    let (height, validators) = (Height::new(MESSAGE_HEIGHT), Arc::clone(&scene.validators));
    let mut effects = machine.step(Input::Start(Start { height, validators, timeouts: TIMEOUTS }), &mut signer);
    let mut taken = 0;
    for (index, bytes) in messages.iter().take(MESSAGES_MAX).enumerate() {
        let Some((first, rest)) = bytes.split_first() else { continue };
        if let Some(event) = event(*first, index) {
            effects.extend(machine.step(event, &mut signer));
        }
        let Ok(message) = Message::decode(rest) else { continue };
        if let Ok(verified) = message.verify(&scene.chain.id(), &scene.validators) {
            taken += 1;
            effects.extend(machine.step(Input::Message(verified), &mut signer));
        }
    }
    for effect in &effects {
        match effect {
            Effect::Decide(certificate) => {
                let sound = certificate.verify(&scene.chain.id(), height, &certificate.block, &scene.validators);
                hold(sound.is_ok(), "a decision without a certificate", || format!("{sound:?}"))?;
            }
            Effect::Fault(fault @ (Fault::Replay { .. } | Fault::Engine { .. })) if !damaged_log => {
                return Err(format!("a message made a step fail: {fault}"));
            }
            _ => {}
        }
    }
    if !damaged_log {
        for (at, request) in signer.asked.iter().enumerate() {
            let contradicts = signer.asked.iter().take(at).any(|other| contradict(request, other));
            hold(!contradicts, "two votes for one place", || format!("{request:?}"))?;
        }
    }
    Ok(taken)
}

fn contradict(one: &SignRequest, other: &SignRequest) -> bool {
    match (one, other) {
        (SignRequest::Vote(one), SignRequest::Vote(other)) => {
            (one.height, one.round, one.kind) == (other.height, other.round, other.kind) && one.block != other.block
        }
        (SignRequest::Proposal(one), SignRequest::Proposal(other)) => {
            (one.height, one.round) == (other.height, other.round) && one.block != other.block
        }
        _ => false,
    }
}

fn conversation(scene: &Scene, random: &mut Random, count: usize) -> Vec<u8> {
    let messages: Vec<Vec<u8>> =
        (0..count).map(|_| [&[random.number() as u8], said(scene, random).encode().as_slice()].concat()).collect();
    [&[random.below(4) as u8], encode(&messages).as_slice()].concat()
}

pub(super) fn targets() -> Vec<Target> {
    let scene = Scene::get();
    let mut random = Random::new(3);
    let spoken = (0..60).map(|count| conversation(scene, &mut random, 1 + count / 2)).collect();
    let machine = Target::new("agreement", 4, spoken, move |input| {
        let Some((own, bytes)) = input.split_first() else { return Ok(Seen::Refused) };
        let Ok(messages) = decode::<Vec<Vec<u8>>>(bytes, 1 << 20) else { return Ok(Seen::Refused) };
        steps(scene, usize::from(*own) % 4, Vec::new(), &messages)?;
        Ok(Seen::Accepted)
    })
    .making(move |random| {
        let count = 1 + random.below(30);
        conversation(scene, random, count)
    });
    let entries: Vec<Vec<u8>> = scene.log.iter().map(WalEntry::encode).collect();
    let log = Target::new("log-replay", 6, vec![encode(&entries), encode(&entries[..1].to_vec())], move |input| {
        let Ok(entries) = decode::<Vec<Vec<u8>>>(input, 1 << 20) else { return Ok(Seen::Refused) };
        let entries: Vec<WalEntry> =
            entries.iter().take(MESSAGES_MAX).filter_map(|entry| WalEntry::decode(entry).ok()).collect();
        let height = Height::new(MESSAGE_HEIGHT);
        let usable = cairn_consensus::usable(&entries, height, |block| block.as_bytes()[0] & 1 == 0);
        steps(scene, 1, usable.to_vec(), &[])?;
        steps(scene, 0, entries, &[])?;
        Ok(Seen::Accepted)
    });
    let message =
        Target::new("message-check", 20, scene.messages.iter().map(Message::encode).collect(), move |input| {
            let Ok(message) = Message::decode(input) else { return Ok(Seen::Refused) };
            let known = scene.messages.contains(&message);
            let signed = matches!(message, Message::Proposal(_) | Message::Vote(_) | Message::Repeat(_));
            match message.verify(&scene.chain.id(), &scene.validators) {
                Ok(verified) => {
                    // A vote said again and a vote said first are signed alike.
                    let again = match verified.message() {
                        Message::Vote(vote) => scene.messages.contains(&Message::Repeat(*vote)),
                        Message::Repeat(vote) => scene.messages.contains(&Message::Vote(*vote)),
                        _ => false,
                    };
                    hold(known || again || !signed, "a forged message", || format!("{:?}", verified.message()))?;
                    Ok(Seen::Accepted)
                }
                Err(error) => {
                    hold(!error.to_string().is_empty(), "a refusal without words", || format!("{error:?}"))?;
                    Ok(Seen::Refused)
                }
            }
        });
    vec![machine, log, message]
}
