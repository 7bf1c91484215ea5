//! What a validator signs a second time, and what it never signs.

use std::path::Path;

use cairn_consensus::{SignRequest, Signer, Vote, VoteKind};
use cairn_storage::{Disk, SignState, SimulatedDisk};
use cairn_types::{BlockHash, ChainId, Hash, Height, Round};
use ed25519_dalek::SigningKey;

use super::NodeSigner;

const PATH: &str = "/sign-state";

fn signer(disk: &dyn Disk) -> NodeSigner {
    let state = SignState::open_on(disk, Path::new(PATH)).expect("a whole sign state");
    NodeSigner::new(SigningKey::from_bytes(&[7; 32]), ChainId::from_hash(Hash::plain(b"chain")), state)
}

fn vote(height: u64, round: u32, kind: VoteKind, block: &[u8]) -> SignRequest {
    let block = Some(BlockHash::from_hash(Hash::plain(block)));
    SignRequest::Vote(Vote { height: Height::new(height), round: Round::new(round), kind, block, validator: 0 })
}

#[test]
fn a_place_is_signed_once_and_the_past_never_also_after_a_restart() {
    let disk = SimulatedDisk::new(1);
    SignState::create_on(&disk, Path::new(PATH)).expect("an empty disk");
    let mut now = signer(&disk);
    let prevote = |block: &[u8]| vote(7, 1, VoteKind::Prevote, block);
    let first = now.sign(&prevote(b"one"));
    assert!(first.is_some());
    now.sync().expect("a healthy disk");
    let later = signer(&disk);
    for (when, mut signer) in [("before", now), ("after", later)] {
        assert_eq!(signer.sign(&prevote(b"one")), first, "the same again is the same signature, {when} a restart");
        assert_eq!(signer.sign(&prevote(b"two")), None, "another block at this place, {when} a restart");
        assert_eq!(signer.sign(&vote(7, 0, VoteKind::Precommit, b"one")), None, "an earlier round, {when} a restart");
        assert_eq!(signer.sign(&vote(6, 9, VoteKind::Precommit, b"one")), None, "an earlier height, {when} a restart");
        assert!(signer.sign(&vote(7, 1, VoteKind::Precommit, b"one")).is_some(), "the next step, {when} a restart");
        assert_eq!(signer.sign(&prevote(b"one")), None, "the step before is past then, {when} a restart");
    }
}
