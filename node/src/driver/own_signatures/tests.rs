//! Whose signatures are whose: what a node finds on its own disk, against sign states of every age.

use std::path::Path;

use cairn_consensus::{Evidence, SignRequest, SignedVote, Signer, Vote, VoteKind, WalEntry, WalRecord};
use cairn_storage::disk::real_disk;
use cairn_storage::{SignState, WalContents};
use cairn_types::governance::Measure;
use cairn_types::{BlockHash, Hash, Height, Round};

use super::{Identity, StartError};
use crate::evidence::EvidenceFile;
use crate::signer::{NodeSigner, Place, SignedMessage};
use crate::testing::{World, secret, validator_keys};

/// The validator whose node this is.
const SEED: u8 = 11;

fn identity(world: &World) -> Identity {
    let (key, peer) = validator_keys(SEED);
    Identity { chain: world.genesis.chain, key, peer }
}

fn vote(world: &World, height: u64, kind: VoteKind, block: Option<BlockHash>) -> Vote {
    let height = Height::new(height);
    let set = world.chain().validators_at(height).expect("who decides is known");
    let validator = set.index_of(&validator_keys(SEED).0).expect("a validator");
    Vote { height, round: Round::ZERO, kind, block, validator }
}

/// What everybody precommitted at a height of the ledger.
fn precommit(world: &World, height: u64) -> Vote {
    let block = world.chain().hash_at(Height::new(height)).expect("reads").expect("final");
    vote(world, height, VoteKind::Precommit, Some(block))
}

fn signer(world: &World, directory: &Path) -> NodeSigner {
    let path = directory.join("sign-state");
    if !path.exists() {
        SignState::create(&path).expect("creates");
    }
    NodeSigner::new(secret(SEED), world.genesis.chain, SignState::open(&path).expect("opens"))
}

/// A signer whose sign state is at this vote.
fn signer_at(world: &World, directory: &Path, last: Vote) -> NodeSigner {
    let mut signer = signer(world, directory);
    signer.sign(&SignRequest::Vote(last)).expect("nothing stands against it");
    signer.sync().expect("a healthy disk");
    signer
}

fn wal(height: u64, votes: &[SignedVote], synced: usize) -> WalContents {
    let height = Height::new(height);
    let entry = |vote: &SignedVote| {
        let entry = WalEntry { height, record: WalRecord::Vote(*vote) };
        [vec![super::WAL_AGREEMENT], entry.encode()].concat()
    };
    WalContents { height, entries: votes.iter().map(entry).collect(), synced, dropped_bytes: 0 }
}

fn check(world: &World, directory: &Path, signer: &mut NodeSigner, wal: &WalContents) -> Result<(), StartError> {
    let evidence = EvidenceFile::open(real_disk().as_ref(), &directory.join("evidence")).expect("opens");
    identity(world).check_start(world.chain(), signer, wal, &evidence)
}

#[test]
fn a_sign_state_that_is_older_than_the_block_log_is_refused_in_words() {
    let mut world = World::new();
    world.commit_to(4);
    let other = BlockHash::from_hash(Hash::plain(b"another block"));
    let cases = [
        (None, false),
        (Some(precommit(&world, 3)), false),
        (Some(vote(&world, 4, VoteKind::Prevote, None)), false),
        (Some(vote(&world, 4, VoteKind::Precommit, Some(other))), false),
        (Some(precommit(&world, 4)), true),
        (Some(vote(&world, 5, VoteKind::Prevote, None)), true),
    ];
    for (last, holds) in cases {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut signer = match last {
            Some(last) => signer_at(&world, directory.path(), last),
            None => signer(&world, directory.path()),
        };
        let checked = check(&world, directory.path(), &mut signer, &wal(5, &[], 0));
        assert_eq!(checked.is_ok(), holds, "{last:?}: {checked:?}");
        if let Err(error) = checked {
            let words = error.to_string();
            for part in ["the block log", "height 4 round 0 (precommit)", "older copy", "cairn council validators"] {
                assert!(words.contains(part), "{words}");
            }
        }
    }
}

#[test]
fn who_was_absent_removed_or_another_node_by_the_ledger_starts() {
    let mut world = World::new();
    world.commit_to(2);
    let last = precommit(&world, 2);
    let change = world.govern(Measure::ChangeValidators(world.set(&[12, 13, 14, 15])));
    world.commit(vec![change]);
    let before = precommit(&world, 3);
    world.commit(Vec::new());
    let decided_last = precommit(&world, 4);
    world.commit_to(9);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut removed = signer_at(&world, directory.path(), decided_last);
    check(&world, directory.path(), &mut removed, &wal(10, &[], 0)).expect("a removed validator comes back");

    // Its last signature stands in block 4, so an older state of it is still noticed.
    for older in [last, before] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut stale = signer_at(&world, directory.path(), older);
        assert!(check(&world, directory.path(), &mut stale, &wal(10, &[], 0)).is_err());
        // A node with another network key is not the one that signed there.
        let stranger = Identity { peer: validator_keys(15).1, ..identity(&world) };
        let evidence = EvidenceFile::open(real_disk().as_ref(), &directory.path().join("evidence")).expect("opens");
        stranger.check_start(world.chain(), &mut stale, &wal(10, &[], 0), &evidence).expect("it never signed");
    }
}

#[test]
fn a_crash_between_the_two_syncs_is_told_from_a_sign_state_that_is_older_than_the_log() {
    let world = World::new();
    let sign = |vote: Vote| {
        let message = vote.sign_bytes(&world.genesis.chain);
        SignedVote { vote, signature: ed25519_dalek::Signer::sign(&secret(SEED), &message).to_bytes() }
    };
    let prevote = sign(vote(&world, 1, VoteKind::Prevote, None));
    let precommit = sign(vote(&world, 1, VoteKind::Precommit, None));
    let refused = SignedVote { vote: precommit.vote, signature: [0; 64] };
    let place = |step| Some(Place { height: Height::new(1), round: Round::ZERO, step });
    let cases = [
        (vec![prevote], 0, Some(place(1))),
        (vec![prevote, precommit], 0, Some(place(2))),
        (vec![prevote], 1, None),
        (vec![prevote, precommit], 1, None),
        (vec![refused], 1, Some(None)),
        (vec![], 0, Some(None)),
    ];
    for (votes, synced, expected) in cases {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut fresh = signer(&world, directory.path());
        let checked = check(&world, directory.path(), &mut fresh, &wal(1, &votes, synced));
        assert_eq!(checked.is_ok(), expected.is_some(), "{votes:?} {synced}: {checked:?}");
        if let Some(expected) = expected {
            assert_eq!(fresh.place(), expected);
            drop(fresh);
            assert_eq!(signer(&world, directory.path()).place(), expected, "what is taken over is on disk");
        }
    }
}

#[test]
fn without_its_log_a_node_does_not_vote_at_a_height_in_which_it_may_be_locked() {
    let world = World::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let request = |kind| SignRequest::Vote(Vote { round: Round::new(1), ..vote(&world, 1, kind, None) });
    let mut signer = signer_at(&world, directory.path(), vote(&world, 1, VoteKind::Precommit, None));
    check(&world, directory.path(), &mut signer, &wal(1, &[], 0)).expect("the log is of this height");
    assert!(signer.sign(&request(VoteKind::Prevote)).is_some());
    check(&world, directory.path(), &mut signer, &wal(0, &[], 0)).expect("the sign state is not older");
    assert!(signer.sign(&request(VoteKind::Precommit)).is_none());
}

#[test]
fn a_signature_is_known_by_its_place_and_where_possible_by_what_it_signs() {
    let world = World::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let shown = |vote: Vote| SignedMessage::new(&world.genesis.chain, &SignRequest::Vote(vote), [0; 64]);
    let (nothing, block) = (None, Some(BlockHash::from_hash(Hash::plain(b"block"))));
    let at = |kind, block| vote(&world, 1, kind, block);
    let mut signer = signer_at(&world, directory.path(), at(VoteKind::Prevote, block));
    assert!(signer.knows(&shown(at(VoteKind::Prevote, block))));
    assert!(!signer.knows(&shown(at(VoteKind::Prevote, nothing))), "another vote at the last place");
    assert!(!signer.knows(&shown(at(VoteKind::Precommit, block))), "above the last place");
    signer.sign(&SignRequest::Vote(at(VoteKind::Precommit, block))).expect("it rises");
    assert!(signer.knows(&shown(at(VoteKind::Precommit, block))), "signed, if not yet on disk");
    assert!(!signer.knows(&shown(at(VoteKind::Prevote, nothing))), "this process remembers the whole height");
    signer.sync().expect("a healthy disk");
    drop(signer);
    let restarted = self::signer(&world, directory.path());
    assert!(restarted.knows(&shown(at(VoteKind::Prevote, nothing))), "below the last place nobody can tell any more");
    assert!(!restarted.knows(&shown(at(VoteKind::Precommit, nothing))));
}

#[test]
fn of_a_contradiction_one_half_at_least_is_foreign_even_where_the_sign_state_has_forgotten() {
    let world = World::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (nothing, block) = (None, Some(BlockHash::from_hash(Hash::plain(b"block"))));
    let sign = |block| {
        let vote = vote(&world, 1, VoteKind::Prevote, block);
        let message = vote.sign_bytes(&world.genesis.chain);
        SignedVote { vote, signature: ed25519_dalek::Signer::sign(&secret(SEED), &message).to_bytes() }
    };
    let evidence = Evidence::Votes { first: sign(block), second: sign(nothing) };
    let set = world.chain().validators_at(Height::new(1)).expect("who decides is known");
    evidence.verify(&world.genesis.chain, &set).expect("it contradicts itself");
    let halves = identity(&world).in_contradiction(&evidence, &set).expect("it is ours");
    let other = Identity { key: validator_keys(12).0, peer: validator_keys(12).1, ..identity(&world) };
    assert_eq!(other.in_contradiction(&evidence, &set), None, "what another validator did says nothing of us");

    for (mine, foreign) in [(block, nothing), (nothing, block)] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let signer = signer_at(&world, directory.path(), vote(&world, 1, VoteKind::Prevote, mine));
        let found = signer.foreign_of(halves.clone()).expect("one is foreign");
        assert_eq!(found.signature, sign(foreign).signature, "{mine:?} was signed here");
    }
    drop(signer_at(&world, directory.path(), vote(&world, 1, VoteKind::Precommit, nothing)));
    let restarted = signer(&world, directory.path());
    assert!(halves.iter().all(|half| restarted.knows(half)), "nobody can tell any more which");
    assert!(restarted.foreign_of(halves).is_some());
}

#[test]
fn a_node_that_met_its_key_elsewhere_does_not_start_with_it_again() {
    let world = World::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut signer = signer(&world, directory.path());
    let path = directory.path().join("evidence");
    let mut evidence = EvidenceFile::open(real_disk().as_ref(), &path).expect("opens");
    let vote = SignRequest::Vote(vote(&world, 1, VoteKind::Prevote, None));
    let found = SignedMessage::new(&world.genesis.chain, &vote, [7; 64]);
    evidence.append_foreign(&validator_keys(12).0, &found).expect("writes");
    check(&world, directory.path(), &mut signer, &wal(1, &[], 0)).expect("that is another key");
    let mut evidence = EvidenceFile::open(real_disk().as_ref(), &path).expect("opens");
    evidence.append_foreign(&validator_keys(SEED).0, &found).expect("writes");
    let refused = check(&world, directory.path(), &mut signer, &wal(1, &[], 0)).expect_err("its own key");
    assert!(matches!(refused, StartError::Before { .. }), "{refused}");
}
