//! Stories of a ledger whose council changes who decides, and by which rules.

use cairn_proofs::checkpoint::{CheckpointProof, establish};
use cairn_runtime::CheckDirectly;
use cairn_types::governance::{Measure, PROTOCOL_VERSION, Upgrade};
use cairn_types::{Block, Height, encode};

use super::{BlockError, LedgerError, build, judge};
use crate::testing::World;

fn checkpoint(world: &World, height: u64) -> CheckpointProof {
    let snapshot = world.chain().snapshot(Height::new(height)).expect("it is kept");
    let proof = world.chain().checkpoint_proof(&snapshot).expect("the disk can be read");
    proof.expect("it is not the genesis")
}

#[test]
fn a_new_set_decides_two_heights_after_its_decision_and_every_header_says_so() {
    let mut world = World::new();
    let (old, new) = (world.set(&[11, 12, 13, 14]), world.set(&[12, 13, 14, 15]));
    let change = world.govern(Measure::ChangeValidators(new.clone()));
    world.commit(vec![change]);
    assert_eq!(*world.chain().validators_at(Height::new(3)).expect("it is known after block 1"), new);
    assert!(world.chain().validators_at(Height::new(4)).is_none(), "block 2 may change who decides block 4");
    world.commit_to(4);

    let roots = |height: u64| {
        let snapshot = world.chain().snapshot(Height::new(height)).expect("it is kept");
        (snapshot.header.validators_root, snapshot.header.next_validators_root)
    };
    assert_eq!(roots(1), (old.root(), old.root()), "who decides block 2 was settled before block 1");
    assert_eq!(roots(2), (old.root(), new.root()));
    assert_eq!(roots(3), (new.root(), new.root()));
    let decided = |height: u64| world.chain().validators_at(Height::new(height)).expect("it is known");
    assert_eq!((&*decided(2), &*decided(3)), (&old, &new));
    assert_eq!(*world.tip().deciders.block, new);
}

#[test]
fn those_who_were_removed_cannot_certify_and_headers_cannot_name_them() {
    let mut world = World::new();
    let new = world.set(&[12, 13, 14, 15]);
    let change = world.govern(Measure::ChangeValidators(new.clone()));
    world.commit(vec![change]);
    world.commit(Vec::new());

    let (block, _) =
        build(world.chain(), &CheckDirectly, 0, 0, Vec::<std::sync::Arc<_>>::new()).expect("it can be read");
    let by_old = world.certify(Height::new(2), &block);
    let chain = world.genesis.chain;
    let tip = world.tip();
    assert!(by_old.verify(&chain, block.header.height, &block.hash, tip.validators()).is_err());
    let by_new = world.certify(Height::new(3), &block);
    assert_eq!(by_new.verify(&chain, block.header.height, &block.hash, tip.validators()), Ok(()));

    let old = world.set(&[11, 12, 13, 14]);
    for (field, change) in [("validators_root", old.root()), ("next_validators_root", old.root())] {
        let mut forged = Block { header: block.header.clone(), transactions: Vec::new() };
        match field {
            "validators_root" => forged.header.validators_root = change,
            _ => forged.header.next_validators_root = change,
        }
        match judge(world.chain(), &encode(&forged), &CheckDirectly) {
            Err(BlockError::Header { field: found }) => assert_eq!(found, field),
            other => panic!("{field}: {:?}", other.map(|judged| judged.header)),
        }
    }
}

#[test]
fn a_checkpoint_ten_sets_later_leads_back_to_the_genesis_and_so_it_does_after_a_restart() {
    let mut world = World::new();
    for step in 0..10u8 {
        let seeds: Vec<u8> = (0..4).map(|place| 12 + step + place).collect();
        let change = world.govern(Measure::ChangeValidators(world.set(&seeds)));
        world.commit(vec![change]);
        world.commit(Vec::new());
    }
    let tip = world.commit_to(25).header.height.get();
    let chain = world.genesis.chain;
    let check = |world: &World, heights: std::ops::RangeInclusive<u64>| {
        for height in heights {
            let proof = checkpoint(world, height);
            let finality = establish(&proof, &chain).unwrap_or_else(|reason| panic!("height {height}: {reason:?}"));
            // The set of a change at 1, 3, 5, … decides 3, 5, 7, …
            let expected = (height.saturating_sub(1) / 2).min(10);
            assert_eq!(finality.changes as u64, expected, "height {height}");
        }
    };
    check(&world, 1..=tip);
    for loses_index in [false, true] {
        let (reopened, replayed) = world.reopen(PROTOCOL_VERSION, loses_index);
        world = reopened.expect("it opens");
        assert_eq!(replayed > 0, loses_index);
        assert_eq!(*world.tip().deciders.next, world.set(&[21, 22, 23, 24]));
        assert_eq!(*world.chain().validators_at(Height::new(4)).expect("known"), world.set(&[12, 13, 14, 15]));
        check(&world, tip..=tip);
    }
    world.commit(Vec::new());
}

#[test]
fn a_key_that_left_and_came_back_decides_again() {
    let mut world = World::new();
    for seeds in [[12, 13, 14, 15], [11, 12, 13, 14]] {
        let change = world.govern(Measure::ChangeValidators(world.set(&seeds)));
        world.commit(vec![change]);
        world.commit(Vec::new());
    }
    world.commit_to(6);
    let decides = |height: u64| {
        let set = world.chain().validators_at(Height::new(height)).expect("it is known");
        set.index_of(&crate::testing::validator_keys(11).0).is_some()
    };
    assert_eq!((1..=6).map(decides).collect::<Vec<_>>(), [true, true, false, false, true, true]);
}

#[test]
fn a_program_that_does_not_know_the_next_rules_stops_before_them_and_a_newer_one_goes_on() {
    let mut world = World::new();
    let upgrade = Upgrade { version: PROTOCOL_VERSION + 1, height: Height::new(6) };
    let schedule = world.govern(Measure::ScheduleUpgrade(Some(upgrade)));
    assert_eq!(world.commit(vec![schedule]).upgrade, Some(upgrade), "whoever reads the log can prepare");
    while world.tip().header.height < Height::new(5) {
        world.ledger.check_version().expect("the rules are the known ones up to block 5");
        world.commit(Vec::new());
    }
    let stopped = world.ledger.check_version().expect_err("block 6 follows rules that are not known");
    let LedgerError::ProgramTooOld { height, version, known } = stopped else { panic!("{stopped}") };
    assert_eq!((height, version, known), (Height::new(6), PROTOCOL_VERSION + 1, PROTOCOL_VERSION));
    assert!(stopped.to_string().contains("install a program that knows version 2"), "{stopped}");

    let (reopened, _) = world.reopen(PROTOCOL_VERSION + 1, false);
    let mut world = reopened.expect("a newer program opens it");
    assert_eq!(world.tip().header.height, Height::new(5), "nothing is lost");
    assert_eq!(world.commit(Vec::new()).header.version, PROTOCOL_VERSION + 1);
    assert_eq!(world.tip().upgrade, None, "it is in effect");

    let (reopened, _) = world.reopen(PROTOCOL_VERSION, true);
    assert!(matches!(reopened.err(), Some(LedgerError::ProgramTooOld { .. })), "going back is refused in words too");
}

#[test]
fn an_upgrade_that_is_called_off_stops_nobody() {
    let mut world = World::new();
    let upgrade = Upgrade { version: PROTOCOL_VERSION + 1, height: Height::new(5) };
    let schedule = world.govern(Measure::ScheduleUpgrade(Some(upgrade)));
    world.commit(vec![schedule]);
    let off = world.govern(Measure::ScheduleUpgrade(None));
    assert_eq!(world.commit(vec![off]).upgrade, None);
    world.commit_to(7);
    world.ledger.check_version().expect("the rules stay");
    assert_eq!(world.tip().header.version, PROTOCOL_VERSION);
}
